//! What takes or gives the bits that models predict.

use llmzip_coders::binary::{Decoder as BitDecoder, Encoder as BitEncoder};

/// Codes bits: writes, reads or only hears of them.
pub trait Bits {
    /// Codes a bit, a one with a probability of `p` in units of `2^-32`; returns it. A decoder takes no
    /// notice of `bit`.
    fn code(&mut self, bit: bool, p: u32) -> bool;
}

/// The probability of `bit` where a one has one of `p` in units of `2^-32`; a float, for reports and draws.
#[inline(always)]
#[must_use]
pub fn probability(bit: bool, p: u32) -> f64 {
    let one = f64::from(p) / 4_294_967_296.0;
    if bit { one } else { 1.0 - one }
}

impl Bits for BitEncoder {
    #[inline(always)]
    fn code(&mut self, bit: bool, p: u32) -> bool {
        self.encode(bit, p);
        bit
    }
}

impl Bits for BitDecoder {
    #[inline(always)]
    fn code(&mut self, _: bool, p: u32) -> bool {
        self.decode(p)
    }
}
