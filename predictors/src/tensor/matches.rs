//! Long matches: stretches of a segment that came before, which are copied; what is left is coded as a
//! tensor's elements are.
//!
//! As the long-distance matching of lrzip and zstd (Tridgell, "Efficient Algorithms for Sorting and
//! Synchronization", 1999, chapter 3): what begins at every 32nd byte is known by a hash, and looked
//! up from everywhere.

use super::model::{read_length, write_length};
use super::settings::BAD;
use crate::segment::PredictorError;
use crate::varint;

/// Bytes from which on a match is worth its place in a list.
const LEAST: usize = 64;
/// Bytes that are hashed, and how far apart those that are known begin.
const ANCHOR: usize = 32;
/// Most places that are known.
const MOST_SLOTS: usize = 1 << 20;

/// `len` bytes at `at` that came `distance` bytes before, which may be fewer than `len`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    pub at: usize,
    pub len: usize,
    pub distance: usize,
}

fn hash(bytes: &[u8; ANCHOR]) -> usize {
    let mut hash = 0_u64;
    for word in bytes.as_chunks::<8>().0 {
        let mixed = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash = mixed ^ (mixed >> 32);
    }
    hash as usize
}

/// How many bytes are the same from `a` and from `b` on, `b` the later one.
fn common(data: &[u8], a: usize, b: usize) -> usize {
    const BLOCK: usize = 64;
    let (from, to) = (&data[a..], &data[b..]);
    let blocks = from.chunks_exact(BLOCK).zip(to.chunks_exact(BLOCK));
    let same = BLOCK * blocks.take_while(|(a, b)| a == b).count();
    let rest = from[same..].iter().zip(&to[same..]);
    same + rest.take_while(|(a, b)| a == b).count()
}

/// Long matches in a segment, in order and apart, of whole units of `unit` bytes.
pub fn find(segment: &[u8], unit: usize) -> Vec<Match> {
    let slots = (4 * segment.len() / ANCHOR)
        .next_power_of_two()
        .min(MOST_SLOTS);
    // A place more than there is means none.
    let mut known = vec![u32::MAX; slots];
    let step = 1 << unit.trailing_zeros().min(3);
    let (mut found, mut at, mut anchor, mut end) = (Vec::new(), 0, 0, 0);
    while let Some(bytes) = segment[at..].first_chunk() {
        while anchor < at {
            if let Some(bytes) = segment[anchor..].first_chunk() {
                known[hash(bytes) & (slots - 1)] = (anchor / ANCHOR) as u32;
            }
            anchor += ANCHOR;
        }
        let from = known[hash(bytes) & (slots - 1)] as usize * ANCHOR;
        if from < at {
            let after = common(segment, from, at);
            let both = segment[..from]
                .iter()
                .rev()
                .zip(segment[end..at].iter().rev());
            let before = both.take_while(|(a, b)| a == b).count();
            let start = (at - before).next_multiple_of(unit);
            let stop = (at + after) / unit * unit;
            if stop >= start + LEAST {
                found.push(Match {
                    at: start,
                    len: stop - start,
                    distance: at - from,
                });
                (at, end) = (stop, stop);
                continue;
            }
        }
        at += step;
    }
    found
}

/// What of `matches` lies in the `len` bytes from `start` on.
pub fn within(matches: &[Match], start: usize, len: usize) -> impl Iterator<Item = Match> {
    let first = matches.partition_point(|found| found.at + found.len <= start);
    let end = start + len;
    matches[first..]
        .iter()
        .take_while(move |found| found.at < end)
        .map(move |found| Match {
            at: found.at.max(start),
            len: (found.at + found.len).min(end) - found.at.max(start),
            distance: found.distance,
        })
}

/// What is left of `data`, which begins at `start`, without what `matches`, all of them in it, copy.
pub fn literals(data: &[u8], start: usize, matches: impl Iterator<Item = Match>) -> Vec<u8> {
    let (mut left, mut at) = (Vec::with_capacity(data.len()), 0);
    for found in matches {
        left.extend_from_slice(&data[at..found.at - start]);
        at = found.at - start + found.len;
    }
    left.extend_from_slice(&data[at..]);
    left
}

/// Appends the list of a chunk that begins at `start`.
pub fn write(matches: &[Match], start: usize, out: &mut Vec<u8>) {
    write_length(matches.len(), out);
    let mut at = start;
    for found in matches {
        write_length(found.at - at, out);
        write_length(found.len, out);
        varint::write(found.distance as u64, out);
        at = found.at + found.len;
    }
}

/// The matches of a chunk of at most `most` bytes that begins at `start`, off the front of `data`, and
/// how many bytes they copy.
pub fn read(
    data: &mut &[u8],
    start: usize,
    most: usize,
) -> Result<(Vec<Match>, usize), PredictorError> {
    let count = read_length(data)?;
    // A match takes three bytes at least.
    if count > data.len() / 3 {
        return Err(BAD);
    }
    let mut matches = Vec::with_capacity(count);
    let (mut at, mut copied, end) = (start, 0, start + most);
    for _ in 0..count {
        let (gap, len) = (read_length(data)?, read_length(data)?);
        let distance = varint::take(data).ok_or(BAD)?;
        let distance = usize::try_from(distance).map_err(|_| BAD)?;
        at += gap;
        if len == 0 || distance == 0 || distance > at || at + len > end {
            return Err(BAD);
        }
        matches.push(Match { at, len, distance });
        at += len;
        copied += len;
    }
    Ok((matches, copied))
}

/// Appends to `history` what `matches`, all from its end on, copy, and `literals` between and behind.
///
/// # Panics
/// When there are fewer literals than the matches leave room for.
pub fn expand(history: &mut Vec<u8>, matches: &[Match], mut literals: &[u8]) {
    for found in matches {
        let (now, later) = literals.split_at(found.at - history.len());
        history.extend_from_slice(now);
        literals = later;
        let mut left = found.len;
        while left > 0 {
            let from = history.len() - found.distance;
            let now = left.min(found.distance);
            history.extend_from_within(from..from + now);
            left -= now;
        }
    }
    history.extend_from_slice(literals);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::noise::noise;

    fn back(segment: &[u8], matches: &[Match]) -> Vec<u8> {
        let left = literals(segment, 0, matches.iter().copied());
        let mut whole = Vec::new();
        expand(&mut whole, matches, &left);
        whole
    }

    #[test]
    fn what_came_before_is_found_and_copied() {
        let row = noise(2002, 255);
        let cases = [
            (row.repeat(9), 2, 2002),
            (noise(9000, 255), 2, 9000),
            (
                [noise(31, 255), row.clone(), vec![7; 9], row.clone()].concat(),
                1,
                2002 + 40,
            ),
            (vec![3; 5000], 4, 64),
            ([&row[..], &row[..64]].concat(), 1, 2002),
            ([&row[..], &row[..63]].concat(), 1, 2065),
            (row[..700].repeat(50), 20, 780),
            (Vec::new(), 2, 0),
        ];
        for (segment, unit, most) in cases {
            let matches = find(&segment, unit);
            assert!(back(&segment, &matches) == segment, "{unit} {most}");
            let left = literals(&segment, 0, matches.iter().copied()).len();
            assert!(left <= most && left + 64 + 2 * unit > most, "{left} {most}");
            assert!(
                matches
                    .iter()
                    .all(|m| m.at % unit == 0 && m.len % unit == 0)
            );
        }
    }

    #[test]
    fn lists_of_chunks_are_read_as_written() {
        let segment = noise(3000, 255).repeat(40);
        let matches = find(&segment, 2);
        let mut whole = Vec::new();
        for (number, chunk) in segment.chunks(10_001).enumerate() {
            let start = number * 10_001;
            let here: Vec<_> = within(&matches, start, chunk.len()).collect();
            let mut list = Vec::new();
            write(&here, start, &mut list);
            let mut rest = &list[..];
            let copied = here.iter().map(|found| found.len).sum();
            let read = read(&mut rest, start, chunk.len()).unwrap();
            assert!(read == (here.clone(), copied) && rest.is_empty());
            let left = literals(chunk, start, here.iter().copied());
            assert_eq!(left.len() + copied, chunk.len());
            expand(&mut whole, &here, &left);
            for cut in 0..list.len() {
                assert!(super::read(&mut &list[..cut], start, chunk.len()).is_err());
            }
        }
        assert!(whole == segment);
    }

    #[test]
    fn lists_that_cannot_be_are_refused() {
        let list = |gap, len, distance| {
            let mut list = vec![1];
            write_length(gap, &mut list);
            write_length(len, &mut list);
            varint::write(distance, &mut list);
            read(&mut &list[..], 100, 1000).is_ok()
        };
        assert!(list(0, 1000, 100) && list(10, 990, 110) && list(999, 1, 1));
        assert!(!list(0, 1000, 101) && !list(10, 990, 111) && !list(0, 1, 0));
        assert!(!list(0, 0, 1) && !list(0, 1001, 1) && !list(1000, 1, 1));
        assert!(!list(0, 1, (1 << 63) - 1));
        assert!(read(&mut &[0x80, 0x80, 0x80, 1, 0, 1, 1][..], 9, 99).is_err());
    }
}
