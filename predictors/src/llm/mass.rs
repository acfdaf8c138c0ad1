//! From logits to integer masses, and from masses to stretched probabilities, without floats.

use std::ops::Range;

use super::vocabulary::Vocabulary;
use crate::exp::Exps;
use crate::log::Logs;

/// Masses of the tokens of a vocabulary by rank, as sums over all ranks below.
#[derive(Clone)]
pub struct Masses {
    exps: &'static Exps,
    below: Vec<u64>,
}

impl Masses {
    /// For a vocabulary of this many tokens with bytes, all of the same mass.
    #[must_use]
    pub fn new(tokens: usize) -> Self {
        Self {
            exps: Exps::get(),
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
                .map_or(1, |&logit| self.exps.of(top.wrapping_sub(logit) as u32));
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

    /// The rank that `point` falls on, which is below the mass of all.
    #[must_use]
    pub fn find(&self, point: u64) -> usize {
        self.below.partition_point(|&below| below <= point) - 1
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
