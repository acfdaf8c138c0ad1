//! Kernels of rANS by level, each equal to its scalar twin bit for bit.

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod avx2;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod avx512;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod decode_avx512;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod drive;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod encode_avx2;
mod scalar;

use super::LANES;
use super::decode::{Cursor, DecodeTable};
use super::encode::EncodeTable;
use crate::simd::Level;

/// Bytes of words that a step takes at most.
pub const STEP_BYTES: usize = 2 * LANES;

/// Lanes from which on a kernel that encodes all at once is faster.
#[cfg(target_arch = "x86_64")]
const LEAST_LANES: usize = 8;

/// What to decode.
pub struct Decode<'d, 'w, 'r, 'o> {
    /// All in `2^16..2^32`, before and after.
    pub states: &'d mut [u32; LANES],
    /// The rest of the stream, and zeros where it is short; moves on as words are taken.
    pub words: &'d mut &'w [u8],
    /// Symbols of a step but the last of a run, 1 to [`LANES`].
    pub lanes: usize,
    pub at: &'d mut Cursor<'r, 'o>,
}

impl<'d, 'w, 'r, 'o> Decode<'d, 'w, 'r, 'o> {
    pub fn of(
        states: &'d mut [u32; LANES],
        words: &'d mut &'w [u8],
        lanes: usize,
        at: &'d mut Cursor<'r, 'o>,
    ) -> Self {
        assert!((1..=LANES).contains(&lanes));
        Self {
            states,
            words,
            lanes,
            at,
        }
    }
}

/// What to encode.
pub struct Encode<'a> {
    /// All in `2^16..2^32`, before and after.
    pub states: &'a mut [u32; LANES],
    /// Symbols of a step but the last, 1 to [`LANES`].
    pub lanes: usize,
    pub symbols: &'a [u8],
    /// Filled from the end, little-endian; at least as long as `symbols`.
    pub words: &'a mut [[u8; 2]],
}

/// Decodes steps while at least [`STEP_BYTES`] of words are left, to where a table of the other kind
/// is needed; at least one step, if there are the words.
pub fn decode(level: Level, mut job: Decode<'_, '_, '_, '_>) {
    let Some(small) = job.at.table().map(DecodeTable::is_small) else {
        return;
    };
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 if avx512::detected() => decode_avx512::decode(small, &mut job),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 | Level::Avx2 => avx2::decode(small, &mut job),
        _ if small => scalar::decode_small(&mut job),
        _ => scalar::decode_large(&mut job),
    }
}

/// As [`decode`] for two streams of [`LANES`] lanes, a step of each in turn, which hides how long each
/// step waits for the one before; to where one of them stops, or needs another kind of table than the
/// other one.
#[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables, unused_mut))]
pub fn decode_two(level: Level, mut jobs: [Decode<'_, '_, '_, '_>; 2]) {
    #[cfg(target_arch = "x86_64")]
    while level != Level::Scalar && jobs.iter().all(|job| job.words.len() >= STEP_BYTES) {
        let small = match jobs.each_mut().map(|job| job.at.table()) {
            [Some(a), Some(b)] if a.is_small() == b.is_small() => a.is_small(),
            _ => return,
        };
        match level {
            Level::Avx512 if avx512::detected() => decode_avx512::decode_two(small, &mut jobs),
            _ => avx2::decode_two(small, &mut jobs),
        }
    }
}

/// Encodes all symbols, the last step first; how many of the words are then still free.
///
/// # Panics
/// When the table lacks a symbol.
pub fn encode(level: Level, table: &EncodeTable, job: Encode<'_>) -> usize {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 if job.lanes >= LEAST_LANES && avx512::detected() => {
            avx512::encode(table, job)
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 | Level::Avx2 => encode_avx2::encode(table, job),
        _ => scalar::encode(table, job),
    }
}

/// Whether [`encode_two`] is there.
pub fn has_two(level: Level) -> bool {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => avx512::detected(),
        _ => false,
    }
}

/// As [`encode`] for two streams of as many symbols each, all of whose steps have [`LANES`] of them; a
/// step of each in turn.
///
/// # Panics
/// Also where streams or steps differ in length.
pub fn encode_two(level: Level, tables: [&EncodeTable; 2], jobs: [Encode<'_>; 2]) -> [usize; 2] {
    assert!(jobs[0].symbols.len() == jobs[1].symbols.len());
    assert!(jobs.iter().all(|job| job.lanes == LANES));
    assert!(jobs[0].symbols.len().is_multiple_of(LANES));
    #[cfg(target_arch = "x86_64")]
    if has_two(level) {
        return avx512::encode_two(tables, jobs);
    }
    let [a, b] = jobs;
    [encode(level, tables[0], a), encode(level, tables[1], b)]
}
