//! Whole segments of an archive in one call, as FORMAT.md, "Segments", lays them out.
//!
//! For predictors that take a moment for a chunk and have no canary. What is not as usual is left to
//! the container's reader, which says what is wrong and where.

use std::cmp::Reverse;
use std::sync::Mutex;

use memmap2::MmapMut;

use crate::segment::{Predictor, PredictorError, SegmentDecoder, SegmentEncoder};
use crate::varint;
use crate::xxh3::{Hasher, xxh3_128};
use crate::zeros::zeros;

/// Raw bytes of a chunk, but for the last one of a segment.
pub const MAX_CHUNK: usize = 1 << 20;

const SYNC: [u8; 4] = *b"\xe7SEG";

/// Flags of a segment that later ones may be copies of.
const KEPT: u64 = 1;

const STORED: u8 = 0;
const CODED: u8 = 1;
const CONSTANT: u8 = 2;
const STORED_AFTER_CODING: u8 = 3;

fn take<'a, const N: usize>(data: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (first, rest) = data.split_first_chunk()?;
    *data = rest;
    Some(first)
}

/// Bytes of a chunk's head but for its lengths.
const HEAD: usize = 1 + 4 + 8 + 2;
/// Bytes of a segment's header at most.
const MAX_HEADER: usize = 4 + 1 + 255 + 4;

/// A coded segment.
pub struct Segment {
    memory: Memory,
    start: usize,
    /// What its chunks add to the content hash.
    pub digests: Vec<u8>,
}

impl Segment {
    /// Header and chunks.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.memory {
            Memory::Heap(bytes) => &bytes[self.start..],
            Memory::Pages(pages, end) => &pages[self.start..*end],
        }
    }
}

/// Where a segment is put together.
enum Memory {
    Heap(Vec<u8>),
    /// Pages of its own, and how much of them is used: of a large segment, since page by page fresh
    /// memory of the heap takes longer than what is written to it.
    Pages(MmapMut, usize),
}

/// Content from which on a segment has pages of its own.
const LARGE: usize = 4 << 20;

impl Memory {
    /// For `len` bytes of content, the first [`MAX_HEADER`] taken.
    fn new(len: usize) -> Result<Self, PredictorError> {
        // No chunk takes more than its content and a head.
        let most = MAX_HEADER + len + len.div_ceil(MAX_CHUNK) * (HEAD + 2 * varint::MAX);
        if len < LARGE {
            let mut bytes = Vec::with_capacity(most);
            bytes.resize(MAX_HEADER, 0);
            return Ok(Self::Heap(bytes));
        }
        Ok(Self::Pages(zeros(most)?, MAX_HEADER))
    }

    /// Appends `chunk`, which is then empty.
    fn append(&mut self, chunk: &mut Vec<u8>) {
        match self {
            Self::Heap(bytes) => bytes.append(chunk),
            Self::Pages(pages, end) => {
                pages[*end..*end + chunk.len()].copy_from_slice(chunk);
                *end += chunk.len();
                chunk.clear();
            }
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Heap(bytes) => bytes.len(),
            Self::Pages(_, end) => *end,
        }
    }

    fn front(&mut self) -> &mut [u8] {
        match self {
            Self::Heap(bytes) => &mut bytes[..MAX_HEADER],
            Self::Pages(pages, _) => &mut pages[..MAX_HEADER],
        }
    }
}

/// Codes `content` as segment `seq` by predictor `number` of the archive's, whose `encoder` is new.
/// `kept`: later segments may be copies of it.
///
/// # Errors
/// As those of [`SegmentEncoder::encode_chunk`]; [`PredictorError::Usage`] when the settings are longer
/// than a header takes, [`PredictorError::Setup`] when there is not enough memory.
pub fn encode(
    encoder: &mut dyn SegmentEncoder,
    content: &[u8],
    seq: u64,
    number: u64,
    settings: &[u8],
    kept: bool,
) -> Result<Segment, PredictorError> {
    let mut memory = Memory::new(content.len())?;
    let mut chunk = Vec::with_capacity(content.len().min(MAX_CHUNK) + 64);
    let mut digests = Vec::new();
    for raw in content.chunks(MAX_CHUNK) {
        encode_chunk(encoder, raw, &mut chunk, &mut digests)?;
        memory.append(&mut chunk);
    }
    let mut body = Vec::new();
    let coded_len = (memory.len() - MAX_HEADER) as u64;
    let flags = if kept { KEPT } else { 0 };
    for value in [seq, number, flags, content.len() as u64, coded_len] {
        varint::write(value, &mut body);
    }
    body.extend_from_slice(&encoder.canary().to_le_bytes());
    body.extend_from_slice(settings);
    let len = u8::try_from(body.len())
        .map_err(|_| PredictorError::Usage("settings are too long for a segment header"))?;
    let mut header = [&SYNC[..], &[len], &body].concat();
    header.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
    let start = MAX_HEADER - header.len();
    memory.front()[start..].copy_from_slice(&header);
    Ok(Segment {
        memory,
        start,
        digests,
    })
}

/// The chunk of `raw` to `out`, which is empty, and what it adds to the content hash to `digests`.
fn encode_chunk(
    encoder: &mut dyn SegmentEncoder,
    raw: &[u8],
    out: &mut Vec<u8>,
    digests: &mut Vec<u8>,
) -> Result<(), PredictorError> {
    // The payload is written where it stays if its length takes as many bytes as that of `raw`.
    let room = HEAD + 2 * varint::len(raw.len() as u64);
    out.resize(room, 0);
    encoder.encode_chunk(raw, out)?;
    let mut kind = CODED;
    if out.len() - room >= raw.len() {
        kind = STORED_AFTER_CODING;
        out.truncate(room);
        out.extend_from_slice(raw);
    }
    let payload = &out[room..];
    let hash = xxh3_128(raw).to_be_bytes();
    digests.extend_from_slice(&(raw.len() as u64).to_le_bytes());
    digests.extend_from_slice(&hash);
    let mut head = vec![kind];
    varint::write(raw.len() as u64, &mut head);
    varint::write(payload.len() as u64, &mut head);
    head.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    head.extend_from_slice(&hash[..8]);
    let check = crc32fast::hash(&head) as u16;
    head.extend_from_slice(&check.to_le_bytes());
    out[..head.len()].copy_from_slice(&head);
    if head.len() < room {
        out.drain(head.len()..room);
    }
    Ok(())
}

/// What a reader expects of a segment.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    pub seq: u64,
    /// Those of the archive, as segments number them; `None` for those that this does not decode.
    pub predictors: &'a [Option<&'static Predictor>],
    pub max_chunk_raw: u64,
    /// Bytes that a decoder may take.
    pub memory: u64,
}

/// Decodes a segment, header and chunks, into `out`, which is as long as its content; returns what it
/// adds to the content hash. `None` where anything is wrong or unusual: `out` then holds anything.
pub fn decode(mut segment: &[u8], expected: &Expected<'_>, out: &mut [u8]) -> Option<Vec<u8>> {
    let whole = segment;
    let data = &mut segment;
    if *take(data)? != SYNC {
        return None;
    }
    let [len] = *take(data)?;
    let mut body = data.split_off(..usize::from(len))?;
    let check = crc32fast::hash(&whole[..5 + usize::from(len)]);
    if u32::from_le_bytes(*take(data)?) != check {
        return None;
    }
    let body = &mut body;
    let (seq, predictor, flags) = (
        varint::take(body)?,
        varint::take(body)?,
        varint::take(body)?,
    );
    let lengths = [varint::take(body)?, varint::take(body)?];
    let canary = u32::from_le_bytes(*take(body)?);
    let predictor = (*expected.predictors.get(usize::try_from(predictor).ok()?)?)?;
    let settings = *body;
    if seq != expected.seq
        || flags > KEPT
        || canary != 0
        || lengths != [out.len() as u64, data.len() as u64]
        || (predictor.memory)(settings, out.len() as u64).ok()? > expected.memory
    {
        return None;
    }
    let mut decoder = None;
    let mut digests = Vec::with_capacity(24 * (out.len() / MAX_CHUNK + 1));
    let len = out.len() as u64;
    let mut left = out;
    while !left.is_empty() {
        let start = *data;
        let [kind] = *take(data)?;
        let raw_len = varint::take(data)?;
        let coded_len = varint::take(data)?;
        let payload_crc = u32::from_le_bytes(*take(data)?);
        let hash: &[u8; 8] = take(data)?;
        let head = &start[..start.len() - data.len()];
        let check = u16::from_le_bytes(*take(data)?);
        if crc32fast::hash(head) as u16 != check || raw_len == 0 || raw_len > expected.max_chunk_raw
        {
            return None;
        }
        let payload = data.split_off(..usize::try_from(coded_len).ok()?)?;
        let raw = left.split_off_mut(..usize::try_from(raw_len).ok()?)?;
        if crc32fast::hash(payload) != payload_crc {
            return None;
        }
        if matches!(kind, CODED | STORED_AFTER_CODING) && decoder.is_none() {
            decoder = Some((predictor.decoder)(settings, len).ok()?);
        }
        let after = &data[..data.len().min(payload.len())];
        let found = fill(kind, payload, raw, after, decoder.as_deref_mut())?.to_be_bytes();
        if found[..8] != *hash {
            return None;
        }
        digests.extend_from_slice(&raw_len.to_le_bytes());
        digests.extend_from_slice(&found);
    }
    data.is_empty().then_some(digests)
}

/// A segment to decode, and where its content goes.
pub struct Job<'a> {
    pub segment: &'a [u8],
    pub seq: u64,
    pub out: &'a mut [u8],
}

/// Decodes segments as [`decode`] does, `threads` at a time; results are in the order of `jobs`.
/// `expected` holds for all but the segments' numbers.
pub fn decode_all(
    jobs: Vec<Job<'_>>,
    expected: &Expected<'_>,
    threads: usize,
) -> Vec<Option<Vec<u8>>> {
    let decode = |job: Job<'_>| {
        let expected = Expected {
            seq: job.seq,
            ..*expected
        };
        decode(job.segment, &expected, job.out)
    };
    let threads = threads.min(jobs.len());
    if threads <= 1 {
        return jobs.into_iter().map(decode).collect();
    }
    let results = Mutex::new(vec![None; jobs.len()]);
    // Long ones first, so that none is left to one thread at the end.
    let mut jobs: Vec<_> = jobs.into_iter().enumerate().collect();
    jobs.sort_by_key(|(_, job)| Reverse(job.out.len()));
    let waiting = Mutex::new(jobs.into_iter());
    let next = || waiting.lock().ok()?.next();
    std::thread::scope(|scope| {
        let work = || {
            while let Some((number, job)) = next() {
                let found = decode(job);
                if let Ok(mut results) = results.lock() {
                    results[number] = found;
                }
            }
        };
        for _ in 1..threads {
            // With fewer threads than asked the work is done all the same.
            let _ = std::thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    results.into_inner().unwrap_or_default()
}

/// The content of a chunk, and its hash; `after` is what is read next.
fn fill(
    kind: u8,
    payload: &[u8],
    raw: &mut [u8],
    after: &[u8],
    decoder: Option<&mut (dyn SegmentDecoder + 'static)>,
) -> Option<u128> {
    let mut hasher = Hasher::default();
    match kind {
        CODED if payload.len() < raw.len() => {
            // What was just decoded is still near.
            let ready = &mut |done: &[u8]| hasher.advance(done);
            decoder?
                .decode_chunk_in_parts(payload, raw, after, ready)
                .ok()?;
        }
        STORED | STORED_AFTER_CODING if payload.len() == raw.len() => {
            raw.copy_from_slice(payload);
            if kind == STORED_AFTER_CODING {
                decoder?.train(raw).ok()?;
            }
        }
        CONSTANT => match payload {
            &[byte] => raw.fill(byte),
            _ => return None,
        },
        _ => return None,
    }
    Some(hasher.finish(raw))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::find;

    /// A segment of `tensor` that comes back, and one byte of it changed anywhere, which does not.
    #[test]
    fn segments_come_back_or_are_refused() {
        let tensor = find("tensor", 1).unwrap();
        let mut seed = 7_u32;
        let mut noise = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        };
        for (len, flat) in [
            (1, false),
            (700, true),
            (9001, false),
            (MAX_CHUNK + 40_000, false),
        ] {
            let content: Vec<u8> = (0..len)
                .map(|i| match noise() {
                    byte if flat || i % 2 == 0 => byte,
                    byte => byte.count_ones() as u8 + 60,
                })
                .collect();
            let settings = crate::tensor::settings(6, "bf16", 0, None).unwrap();
            let mut encoder = (tensor.encoder)(&settings, len as u64).unwrap();
            encoder.look_ahead(&content);
            let coded = encode(&mut *encoder, &content, 300, 1, &settings, flat).unwrap();
            assert_eq!(coded.bytes()[8], u8::from(flat));
            let expected = Expected {
                seq: 300,
                predictors: &[None, Some(tensor)],
                max_chunk_raw: MAX_CHUNK as u64,
                memory: u64::MAX,
            };
            let mut out = vec![1; len];
            assert_eq!(
                decode(coded.bytes(), &expected, &mut out).as_ref(),
                Some(&coded.digests)
            );
            assert!(out == content);
            for other in [
                Expected {
                    seq: 301,
                    ..expected
                },
                Expected {
                    memory: 1000,
                    ..expected
                },
                Expected {
                    predictors: &[Some(tensor), None],
                    ..expected
                },
                Expected {
                    max_chunk_raw: len.min(MAX_CHUNK) as u64 - 1,
                    ..expected
                },
            ] {
                assert!(decode(coded.bytes(), &other, &mut out).is_none());
            }
            assert!(decode(coded.bytes(), &expected, &mut vec![0; len + 1]).is_none());
            let data = coded.bytes();
            for threads in [1, 2, 5] {
                // Of several lengths, one of them wrong.
                let mut outs = vec![vec![0; len]; 7];
                outs[5].push(0);
                let jobs = outs.iter_mut().enumerate().map(|(number, out)| Job {
                    segment: data,
                    seq: if number == 3 { 1 } else { 300 },
                    out,
                });
                let found = decode_all(jobs.collect(), &expected, threads);
                for (number, (found, out)) in found.iter().zip(&outs).enumerate() {
                    assert_eq!(found.is_none(), number == 3 || number == 5);
                    assert!(found.is_none() || found.as_ref() == Some(&coded.digests));
                    assert!(found.is_none() || *out == content);
                }
            }
            let step = (data.len() / 300).max(1);
            for at in (0..data.len()).step_by(step) {
                let mut bad = data.to_vec();
                bad[at] ^= 1 << (at % 8);
                assert!(decode(&bad, &expected, &mut out).is_none(), "{len} {at}");
                assert!(decode(&data[..at], &expected, &mut out).is_none());
            }
        }
    }
}
