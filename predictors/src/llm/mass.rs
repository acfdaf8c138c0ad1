//! From logits to integer masses, and from masses to stretched probabilities, without floats.

use std::ops::Range;
use std::sync::OnceLock;

use super::vocabulary::Vocabulary;
use crate::log::Logs;

/// Mass of the likeliest token.
const TOP_BITS: u32 = 31;
/// log2(e) in units of `2^-32`.
const LOG2_E: u64 = 6_196_328_019;

struct Tables {
    /// `2^(-i / 256)` and `2^(-i / 65536)` in units of `2^-31`.
    coarse: [u32; 256],
    fine: [u32; 256],
}

impl Tables {
    fn get() -> &'static Self {
        static TABLES: OnceLock<Box<Tables>> = OnceLock::new();
        TABLES.get_or_init(|| Box::new(Self::make()))
    }

    fn make() -> Self {
        // root[k] is 2^(-1 / 2^(k + 1)) in units of 2^-63.
        let mut root = [0_u128; 16];
        let mut last = 1_u128 << 62;
        for slot in &mut root {
            last = (last << 63).isqrt();
            *slot = last;
        }
        let power = |i: usize, first: usize| {
            let mut product = 1_u128 << 63;
            for bit in (0..8).filter(|bit| i >> bit & 1 == 1) {
                product = (product * root[first + 7 - bit]) >> 63;
            }
            ((product + (1 << 31)) >> 32) as u32
        };
        Self {
            coarse: std::array::from_fn(|i| power(i, 0)),
            fine: std::array::from_fn(|i| power(i, 8)),
        }
    }
}

/// `2^31` times `e^-x`, for `x` in units of `2^-16` nats; at least 1.
#[inline(always)]
fn exp(tables: &Tables, x: u32) -> u32 {
    // Beyond 64 nats nothing is left.
    let power = ((u64::from(x.min(1 << 22)) * LOG2_E) >> 32) as usize;
    let fraction = u64::from(tables.coarse[power >> 8 & 255]) * u64::from(tables.fine[power & 255]);
    ((fraction >> TOP_BITS) >> (power >> 16).min(63)).max(1) as u32
}

/// Masses of the tokens of a vocabulary by rank, as sums over all ranks below.
#[derive(Clone)]
pub struct Masses {
    tables: &'static Tables,
    below: Vec<u64>,
}

impl Masses {
    /// For a vocabulary of this many tokens with bytes, all of the same mass.
    #[must_use]
    pub fn new(tokens: usize) -> Self {
        Self {
            tables: Tables::get(),
            below: (0..=tokens as u64).collect(),
        }
    }

    /// Takes the masses from a model's logits, in units of `2^-16` nats, one for each token. The
    /// likeliest token with bytes gets `2^31`, the others in proportion, each at least 1; a byte that is
    /// no token gets 1.
    pub fn set(&mut self, vocabulary: &Vocabulary, logits: &[i32]) {
        let tokens = vocabulary.tokens();
        let top = tokens
            .iter()
            .filter_map(|&token| logits.get(token as usize).copied())
            .max()
            .unwrap_or(0);
        let mut sum = 0;
        for (below, &token) in self.below[1..].iter_mut().zip(tokens) {
            let mass = logits
                .get(token as usize)
                .map_or(1, |&logit| exp(self.tables, top.wrapping_sub(logit) as u32));
            sum += u64::from(mass);
            *below = sum;
        }
    }

    /// What coding a token by its mass takes, in units of `2^-16` bits.
    #[must_use]
    pub fn cost(&self, rank: usize) -> u64 {
        let logs = Logs::get();
        let all = logs.log2(self.of(&(0..self.below.len() - 1)));
        (all - logs.log2(self.of(&(rank..rank + 1)))).max(0) as u64
    }

    /// Mass of a range of ranks.
    #[inline(always)]
    #[must_use]
    pub fn of(&self, ranks: &Range<usize>) -> u64 {
        self.below[ranks.end] - self.below[ranks.start]
    }
}

#[cfg(test)]
mod tests {
    use super::super::vocabulary::tests::vocabulary;
    use super::*;

    #[test]
    fn powers_are_right_to_their_last_bits() {
        let tables = Tables::get();
        for x in (0..1_400_000).step_by(37) {
            let exact = (-f64::from(x) / 65536.0).exp() * 2_f64.powi(31);
            let error = (f64::from(exp(tables, x)) - exact.max(1.0)).abs();
            assert!(error <= exact * 1.7e-5 + 1.0, "{x}: off by {error}");
        }
        assert_eq!(exp(tables, 0), 1 << 31);
        assert_eq!(exp(tables, u32::MAX), 1);
    }

    #[test]
    fn masses_follow_the_logits_of_tokens_with_bytes() {
        let vocabulary = vocabulary(&[b"ab"]);
        let mut masses = Masses::new(vocabulary.tokens().len());
        let mut logits = vec![i32::MIN; vocabulary.len()];
        logits[256] = i32::MAX;
        logits[97] = 5 << 16;
        logits[257] = 4 << 16;
        masses.set(&vocabulary, &logits);
        let mass = |token| {
            let rank = vocabulary.rank(token).unwrap();
            masses.of(&(rank..rank + 1))
        };
        assert_eq!(mass(97), 1 << 31);
        assert!((mass(257) as f64 / mass(97) as f64 - (-1_f64).exp()).abs() < 1e-5);
        assert_eq!(mass(98), 1);
    }
}
