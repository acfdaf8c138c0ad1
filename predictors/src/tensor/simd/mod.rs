//! Kernels of tensors, each equal to its scalar twin.

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod avx2;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod avx512;
#[cfg(target_arch = "aarch64")]
#[allow(unsafe_code)]
mod neon;
pub mod scalar;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod tiles;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod ungroup_avx2;

use super::classes::{CLASSES, Columns};
use llmzip_coders::simd::Level;

/// Fills `symbols`, whole rows of `columns`, each with the next symbol of its column's class: the one in
/// `grouped` that `next` says, which moves on.
///
/// # Panics
/// When a symbol would come from behind the end of `grouped`.
pub fn ungroup_rows(
    columns: &Columns,
    next: &mut [usize; CLASSES],
    grouped: &[u8],
    symbols: &mut [u8],
    level: Level,
) {
    let width = columns.classes().len();
    let rows = symbols.len() / width;
    assert!(symbols.len() == rows * width);
    let start = *next;
    let done = match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 if avx512::detected() => {
            avx512::ungroup_rows(columns, next, grouped, symbols)
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 | Level::Avx2 => ungroup_avx2::ungroup_rows(columns, next, grouped, symbols),
        _ => 0,
    };
    // The columns that are left, row by row.
    for row in symbols.chunks_mut(width) {
        let mut here = *next;
        scalar::ungroup(
            &columns.classes()[done..],
            &mut here,
            grouped,
            &mut row[done..],
        );
        for (next, members) in next.iter_mut().zip(columns.members()) {
            *next += members;
        }
    }
    *next = std::array::from_fn(|class| start[class] + rows * columns.members()[class]);
}

/// A set of bytes: for the lower four bits, which of the upper ones it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set([[u8; 16]; 2]);

impl Set {
    /// The bytes that have a count.
    pub fn of(counts: &[u32; 256]) -> Self {
        let mut set = [[0; 16]; 2];
        for (byte, _) in counts.iter().enumerate().filter(|&(_, &n)| n > 0) {
            set[byte >> 7][byte & 15] |= 1 << (byte >> 4 & 7);
        }
        Self(set)
    }

    /// How many bytes it has.
    pub fn len(&self) -> u32 {
        self.0
            .as_flattened()
            .iter()
            .map(|row| row.count_ones())
            .sum()
    }

    fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 7)][usize::from(byte & 15)] >> (byte >> 4 & 7) & 1 == 1
    }
}

/// Whether all of `bytes` are in `set`.
pub fn holds(set: &Set, bytes: &[u8], level: Level) -> bool {
    let whole = match level {
        Level::Scalar => 0,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 | Level::Avx512 => match avx2::holds(set, bytes) {
            None => return false,
            Some(done) => done,
        },
        #[cfg(target_arch = "aarch64")]
        Level::Neon => match neon::holds(set, bytes) {
            None => return false,
            Some(done) => done,
        },
    };
    bytes[whole..].iter().all(|&byte| set.has(byte))
}

/// What two symbols take in each class; at most 2^12 each.
pub type Pair = [[u16; 2]; CLASSES];

/// Gives each item the class in which its symbols take least, the first of equals. `items` have twice
/// as many counts each as there are `lengths`, with a sum below 2^15.
pub fn nearest(items: &[u16], lengths: &[Pair], classes: &mut [u8], level: Level) {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => avx512::nearest(items, lengths, classes),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => avx2::nearest(items, lengths, classes),
        _ => nearest_here(items, lengths, classes),
    }
}

fn nearest_here(items: &[u16], lengths: &[Pair], classes: &mut [u8]) {
    for (counts, class) in items.chunks_exact(2 * lengths.len()).zip(classes) {
        let mut costs = [0_u32; CLASSES];
        for (counts, lengths) in counts.as_chunks::<2>().0.iter().zip(lengths) {
            for (cost, length) in costs.iter_mut().zip(lengths) {
                *cost += u32::from(counts[0]) * u32::from(length[0]);
                *cost += u32::from(counts[1]) * u32::from(length[1]);
            }
        }
        let best = (0..).zip(costs).min_by_key(|&(_, cost)| cost);
        *class = best.map_or(0, |(class, _)| class);
    }
}

/// What each symbol takes in each class; less than 2^14.
pub struct Lengths(pub [[u16; CLASSES]; 256]);

impl Default for Lengths {
    fn default() -> Self {
        Self([[0; CLASSES]; 256])
    }
}

/// The class in which `symbols`, at most 2^18, take least, the first of equals.
pub fn cheapest(symbols: &[u8], lengths: &Lengths, level: Level) -> u8 {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => avx512::cheapest(symbols, lengths),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => avx2::cheapest(symbols, lengths),
        _ => cheapest_here(symbols, lengths),
    }
}

fn cheapest_here(symbols: &[u8], lengths: &Lengths) -> u8 {
    let mut costs = [0_u32; CLASSES];
    for &symbol in symbols {
        for (cost, &length) in costs.iter_mut().zip(&lengths.0[usize::from(symbol)]) {
            *cost += u32::from(length);
        }
    }
    let best = (0..).zip(costs).min_by_key(|&(_, cost)| cost);
    best.map_or(0, |(class, _)| class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_foreign_byte_is_found_anywhere() {
        let mut counts = [0; 256];
        (0..=255_u8)
            .filter(|b| b % 7 < 3)
            .for_each(|b| counts[usize::from(b)] = 1);
        let set = Set::of(&counts);
        for (name, level) in llmzip_coders::simd::available() {
            for len in [0, 1, 31, 32, 33, 100, 4096 + 5] {
                let known: Vec<u8> = (0..)
                    .filter(|b| b % 7 < 3)
                    .map(|b| b as u8)
                    .filter(|&b| set.has(b))
                    .take(len)
                    .collect();
                assert!(holds(&set, &known, level), "{name} {len}");
                for at in (0..len).step_by(13) {
                    for foreign in (0..=255_u8).filter(|b| b % 7 > 2) {
                        let mut other = known.clone();
                        other[at] = foreign;
                        assert!(!holds(&set, &other, level), "{name} {len} {at} {foreign}");
                    }
                }
            }
        }
    }

    #[test]
    fn nearest_classes_are_the_same_at_every_level() {
        let mut seed = 3_u32;
        let mut next = |most: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((u64::from(seed) * u64::from(most + 1)) >> 32) as u16
        };
        for pairs in [1, 2, 7, 16, 128] {
            for (most, longest) in [(0, 0), (1, 2), (127, 4096), (32767 / 256, 4096)] {
                let lengths: Vec<Pair> = (0..pairs)
                    .map(|_| std::array::from_fn(|_| [next(longest), next(longest)]))
                    .collect();
                let mut items: Vec<u16> = (0..2 * pairs * 33).map(|_| next(most)).collect();
                // As much as a sum may be, on one symbol.
                items[..2 * pairs].fill(0);
                items[2 * pairs - 1] = 32767;
                let mut expected = vec![99; 33];
                nearest(&items, &lengths, &mut expected, Level::Scalar);
                assert!(expected.iter().all(|&class| class < 16));
                for (name, level) in llmzip_coders::simd::available() {
                    let mut found = vec![77; 33];
                    nearest(&items, &lengths, &mut found, level);
                    assert_eq!(found, expected, "{name} {pairs} {most}");
                }
            }
        }
    }

    #[test]
    fn cheapest_classes_are_the_same_at_every_level() {
        let mut seed = 11_u32;
        let mut next = |most: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((u64::from(seed) * u64::from(most + 1)) >> 32) as u16
        };
        for longest in [0, 1, 3, 300, (1 << 14) - 1] {
            let mut lengths = Lengths::default();
            for length in lengths.0.as_flattened_mut() {
                *length = next(longest);
            }
            let symbols: Vec<u8> = (0..3000).map(|_| next(255) as u8).collect();
            for len in (0..40).chain([384, 777, 3000]) {
                let symbols = &symbols[3000 - len..];
                let expected = cheapest(symbols, &lengths, Level::Scalar);
                for (name, level) in llmzip_coders::simd::available() {
                    let found = cheapest(symbols, &lengths, level);
                    assert_eq!(found, expected, "{name} {longest} {len}");
                }
            }
        }
        // The most that a sum may be, and one less in the last class.
        let mut lengths = Lengths([[(1 << 14) - 1; CLASSES]; 256]);
        lengths.0[7][15] -= 1;
        for (name, level) in llmzip_coders::simd::available() {
            assert_eq!(cheapest(&[7; 1 << 18], &lengths, level), 15, "{name}");
            assert_eq!(cheapest(&[8; 1 << 18], &lengths, level), 0, "{name}");
        }
    }
}
