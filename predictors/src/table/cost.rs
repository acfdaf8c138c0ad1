//! What coding would cost, in bits by the counts of values; integers alone, so that every machine chooses
//! the same.

use crate::log::Logs;

/// Bits that each value of a field costs until its frequency is known.
const LEARNING: u64 = 4;

/// The logarithm to base 2 in 1/256; 0 for 0.
pub(super) fn log2(value: u64) -> u64 {
    (Logs::get().log2(value.max(1)) >> 8) as u64
}

/// Bits of as many values as the counts say.
pub(super) fn entropy(counts: impl Iterator<Item = u64> + Clone) -> u64 {
    let total: u64 = counts.clone().sum();
    let log = log2(total);
    let bits: u64 = counts.map(|count| count * (log - log2(count))).sum();
    bits >> 8
}

/// The same with what learning the counts costs.
pub(crate) fn learned(counts: impl Iterator<Item = u64> + Clone) -> u64 {
    let different = counts.clone().filter(|count| *count > 0).count();
    entropy(counts) + LEARNING * different as u64
}

/// Counts of the bytes of codes, as fields hold them.
pub(super) struct Fields {
    bits: u32,
    counts: Vec<[u64; 256]>,
    total: u64,
}

impl Fields {
    /// For codes up to `limit`.
    pub fn new(limit: u64) -> Self {
        let bits = super::column::bits(limit);
        Self {
            bits,
            counts: vec![[0; 256]; bits.div_ceil(8) as usize],
            total: 0,
        }
    }

    pub fn add(&mut self, code: u64) {
        let mut fields = [0; 8];
        let used = &mut fields[..self.counts.len()];
        super::column::put(code, self.bits, used);
        for (counts, field) in self.counts.iter_mut().zip(used) {
            counts[usize::from(*field)] += 1;
        }
        self.total += 1;
    }

    /// Bits of `rows` codes, of which those counted are a sample.
    pub fn cost(&self, rows: u64) -> u64 {
        let mut left = u64::from(self.bits);
        let all = self.counts.iter().map(|counts| {
            let width = left.min(8);
            left -= width;
            let bits = entropy(counts.iter().copied());
            let learning = learned(counts.iter().copied()) - bits;
            let scaled = u128::from(bits) * u128::from(rows) / u128::from(self.total.max(1));
            // Noise needs no learning.
            (scaled as u64 + learning).min(width * rows)
        });
        all.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms() {
        assert_eq!([0, 1, 2, 3, 1 << 40].map(log2), [0, 0, 256, 405, 40 * 256]);
        assert_eq!(log2(u64::MAX), 64 * 256 - 1);
        assert_eq!(entropy([4, 4, 0].into_iter()), 8);
    }
}
