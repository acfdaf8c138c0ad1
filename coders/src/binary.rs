//! Binary arithmetic coder with 32-bit probabilities.
//!
//! The carry-less interval coder of the PAQ family (Mahoney, "Adaptive Weighing of Context Models
//! for Lossless Data Compression", 2005, section 3) on a 64-bit interval: `low..=high` is split in
//! proportion to the probability of a one, and leading bytes that both ends share are shifted out.
//! With 64 bits an interval that straddles a byte boundary still resolves a 32-bit probability
//! except with a chance near 2^-32 for each bit, so the loss is far below 0.01 %.

use crate::CoderError;

/// Fraction bits of a probability: `p` stands for `p / 2^32`.
pub const PROBABILITY_BITS: u32 = 32;

/// The first value above the lower part of `low..=high`, which codes a one.
#[inline(always)]
fn split(low: u64, high: u64, p_one: u32) -> u64 {
    low + ((u128::from(high - low) * u128::from(p_one)) >> PROBABILITY_BITS) as u64
}

/// Writes bits to a growing buffer.
#[derive(Debug, Clone)]
pub struct Encoder {
    low: u64,
    high: u64,
    out: Vec<u8>,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    #[must_use]
    pub fn new() -> Self {
        Self {
            low: 0,
            high: u64::MAX,
            out: Vec::new(),
        }
    }

    /// Codes `bit`, given the probability of a one in `1..=2^32 - 1` units of `2^-32`.
    #[inline(always)]
    pub fn encode(&mut self, bit: bool, p_one: u32) {
        debug_assert!(p_one > 0);
        let mid = split(self.low, self.high, p_one);
        // Both ends by selection: a branch on the bit would be mispredicted often.
        self.high = if bit { mid } else { self.high };
        self.low = if bit { self.low } else { mid + 1 };
        while (self.low ^ self.high) >> 56 == 0 {
            self.out.push((self.high >> 56) as u8);
            self.low <<= 8;
            self.high = self.high << 8 | 0xff;
        }
    }

    /// Bytes that are ready, without those the open interval still holds.
    #[must_use]
    pub fn bytes_ready(&self) -> usize {
        self.out.len()
    }

    /// Ends the stream and returns it; the coder is then as new.
    ///
    /// The shortest byte string is written whose continuation with zero bytes lies in the
    /// interval, and its trailing zero bytes are dropped, since a decoder reads zeros past the end.
    pub fn finish(&mut self) -> Vec<u8> {
        let mut value = self.high;
        for kept in 0..8 {
            let mask = if kept == 0 {
                0
            } else {
                u64::MAX << (64 - 8 * kept)
            };
            if self.high & mask >= self.low {
                value = self.high & mask;
                break;
            }
        }
        let mut out = std::mem::take(&mut self.out);
        out.extend_from_slice(&value.to_be_bytes());
        while out.last() == Some(&0) {
            out.pop();
        }
        *self = Self::new();
        out
    }
}

/// Zero bytes that a decoder may read past the end of a whole stream: its 64-bit window.
const LOOKAHEAD: usize = 8;

/// Reads bits from a stream that [`Encoder::finish`] ended.
#[derive(Debug, Clone)]
pub struct Decoder {
    low: u64,
    high: u64,
    window: u64,
    data: Vec<u8>,
    next: usize,
}

impl Decoder {
    #[must_use]
    pub fn new(data: Vec<u8>) -> Self {
        let mut decoder = Self {
            low: 0,
            high: u64::MAX,
            window: 0,
            data,
            next: 0,
        };
        for _ in 0..LOOKAHEAD {
            decoder.shift_in();
        }
        decoder
    }

    #[inline(always)]
    fn shift_in(&mut self) {
        let byte = self.data.get(self.next).copied().unwrap_or(0);
        self.next += 1;
        self.window = self.window << 8 | u64::from(byte);
    }

    /// Decodes one bit, given the same probability that coded it.
    #[inline(always)]
    pub fn decode(&mut self, p_one: u32) -> bool {
        let mid = split(self.low, self.high, p_one);
        let bit = self.window <= mid;
        // Both ends by selection: a branch on the bit would be mispredicted often.
        self.high = if bit { mid } else { self.high };
        self.low = if bit { self.low } else { mid + 1 };
        while (self.low ^ self.high) >> 56 == 0 {
            self.low <<= 8;
            self.high = self.high << 8 | 0xff;
            self.shift_in();
        }
        bit
    }

    /// Ends the stream: every byte must have been used.
    ///
    /// # Errors
    /// [`CoderError::Corrupt`] when bytes are left over.
    pub fn finish(&self) -> Result<(), CoderError> {
        if self.next < self.data.len() {
            return Err(CoderError::Corrupt);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn roundtrip(bits: &[(bool, u32)]) -> usize {
        let mut encoder = Encoder::new();
        for &(bit, p) in bits {
            encoder.encode(bit, p);
        }
        let coded = encoder.finish();
        let size = coded.len();
        let mut decoder = Decoder::new(coded);
        for &(bit, p) in bits {
            assert_eq!(decoder.decode(p), bit);
        }
        decoder.finish().unwrap();
        size
    }

    #[test]
    fn empty_stream_is_empty() {
        assert_eq!(roundtrip(&[]), 0);
    }

    #[test]
    fn certain_bits_cost_next_to_nothing() {
        let bits = vec![(true, u32::MAX); 1_000_000];
        assert!(roundtrip(&bits) <= 2);
    }

    #[test]
    fn unlikely_bits_at_the_extremes() {
        roundtrip(&[(false, u32::MAX); 40]);
        roundtrip(&[(true, 1); 40]);
    }

    #[test]
    fn overhead_against_ideal_code_length_is_below_one_in_ten_thousand() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut ideal = 0.0;
        let mut bits = Vec::new();
        for _ in 0..4_000_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let p = ((state >> 16) as u32).max(1);
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let bit = ((state >> 32) as u32) < p;
            let share = f64::from(p) / 4_294_967_296.0;
            ideal -= if bit {
                share.log2()
            } else {
                (1.0 - share).log2()
            };
            bits.push((bit, p));
        }
        let size = roundtrip(&bits) as f64 * 8.0;
        assert!(size <= ideal * 1.0001 + 16.0, "{size} bits for {ideal}");
    }

    #[test]
    fn bytes_left_over_are_refused() {
        let mut encoder = Encoder::new();
        encoder.encode(true, 1 << 31);
        let mut coded = encoder.finish();
        coded.extend_from_slice(&[1; 12]);
        let mut decoder = Decoder::new(coded);
        decoder.decode(1 << 31);
        assert_eq!(decoder.finish(), Err(CoderError::Corrupt));
    }

    proptest! {
        #[test]
        fn any_bits_at_any_probability(bits in prop::collection::vec((any::<bool>(), 1..=u32::MAX), 0..2000)) {
            roundtrip(&bits);
        }
    }
}
