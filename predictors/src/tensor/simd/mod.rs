//! Kernels of tensors, each equal to its scalar twin.

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod avx2;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod avx512;
mod scalar;

use super::classes::CLASSES;
use llmzip_coders::simd::Level;

/// Fills `symbols`, each of the class in `classes`, which is below [`CLASSES`], with the next symbol of its class: the one in
/// `grouped` that `next` says, which moves on.
///
/// # Panics
/// When a symbol would come from behind the end of `grouped`.
pub fn ungroup(
    classes: &[u8],
    next: &mut [usize; CLASSES],
    grouped: &[u8],
    symbols: &mut [u8],
    level: Level,
) {
    assert_eq!(classes.len(), symbols.len());
    let done = match level {
        Level::Scalar => 0,
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 if avx512::detected() => avx512::ungroup(classes, next, grouped, symbols),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 | Level::Avx512 => 0,
    };
    scalar::ungroup(&classes[done..], next, grouped, &mut symbols[done..]);
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
