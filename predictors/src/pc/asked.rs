//! What a circuit says of a value's bits, one after the other.

use crate::circuit::quantised::NIBBLE;

/// Mass that every bit has besides the circuit's.
const EVEN_MASS: u64 = 64;

/// Masses of the values that are still possible, from the top bit on.
pub struct Asked {
    /// Sums of the masses before each value, or each group of values while the upper nibble lasts.
    before: [u64; NIBBLE + 1],
    from: usize,
    to: usize,
}

impl Asked {
    /// Of values of `width` bits: `masses` are theirs, or those of groups where there are more than 4 bits.
    #[inline(always)]
    #[must_use]
    pub fn new(masses: &[u32; NIBBLE], width: usize) -> Self {
        let upper = if width > 4 { width - 4 } else { width };
        let mut asked = Self {
            before: [0; NIBBLE + 1],
            from: 0,
            to: 1 << upper,
        };
        asked.sum(masses);
        asked
    }

    #[inline(always)]
    fn sum(&mut self, masses: &[u32; NIBBLE]) {
        for (i, &mass) in masses.iter().enumerate() {
            self.before[i + 1] = self.before[i] + u64::from(mass);
        }
    }

    /// Masses of a one and a zero as the next bit, neither 0.
    #[inline(always)]
    #[must_use]
    pub fn masses(&self) -> (u64, u64) {
        let middle = usize::midpoint(self.from, self.to);
        let zeros = self.before[middle] - self.before[self.from];
        let ones = self.before[self.to] - self.before[middle];
        (ones + EVEN_MASS, zeros + EVEN_MASS)
    }

    /// Takes the bit.
    #[inline(always)]
    pub fn take(&mut self, bit: bool) {
        let middle = usize::midpoint(self.from, self.to);
        if bit {
            self.from = middle;
        } else {
            self.to = middle;
        }
    }

    /// The group of values that the upper nibble's bits, all of them taken, have led to.
    #[inline(always)]
    #[must_use]
    pub fn group(&self) -> usize {
        self.from
    }

    /// Goes on with the lower nibble.
    #[inline(always)]
    pub fn lower(&mut self, masses: &[u32; NIBBLE]) {
        self.sum(masses);
        (self.from, self.to) = (0, NIBBLE);
    }
}
