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
}
