//! Range coder: many symbols at a time over a [`Cdf`].
//!
//! After Martin, "Range encoding: an algorithm for removing redundancy from a digitised message",
//! 1979, with the split of Moffat, Neal and Witten, "Arithmetic Coding Revisited", 1998, section 2:
//! the width is first divided by the total and then multiplied, and the last symbol takes the
//! remainder. Carries run back into the bytes already written, so the width never has to shrink at
//! a byte boundary. It stays above 2^56, thus a unit of mass is at least 2^25 and the rounding
//! costs less than 2^-25 of a symbol's probability at any precision.

use crate::{Cdf, CoderError};

/// The width, less one, below which a byte is shifted out.
const NARROW: u64 = 1 << 56;

/// Bytes of the decoder's window.
const LOOKAHEAD: usize = 8;

/// The part of an interval of `width + 1` values that `symbol` owns: its start and its new width.
#[inline(always)]
fn part(cdf: &Cdf, symbol: usize, width: u64) -> (u64, u64) {
    let unit = width >> cdf.precision();
    let (start, mass) = cdf.slot(symbol);
    let offset = unit * u64::from(start);
    if symbol + 1 == cdf.symbols() {
        (offset, width - offset)
    } else {
        (offset, unit * u64::from(mass) - 1)
    }
}

/// Writes symbols to a growing buffer.
#[derive(Debug, Clone)]
pub struct Encoder {
    low: u64,
    width: u64,
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
            width: u64::MAX,
            out: Vec::new(),
        }
    }

    /// Codes `symbol`. Each may have a distribution, an alphabet and a precision of its own.
    ///
    /// # Panics
    /// When the alphabet has no such symbol.
    #[inline]
    pub fn encode(&mut self, symbol: usize, cdf: &Cdf) {
        let (offset, width) = part(cdf, symbol, self.width);
        self.raise(offset);
        self.width = width;
        while self.width < NARROW {
            self.out.push((self.low >> 56) as u8);
            self.low <<= 8;
            self.width = self.width << 8 | 0xff;
        }
    }

    /// Adds to `low`, with the carry.
    #[inline]
    fn raise(&mut self, amount: u64) {
        let (low, carry) = self.low.overflowing_add(amount);
        self.low = low;
        if carry {
            // Each byte receives at most one carry over its life: the interval stays within the
            // one that the byte was shifted out of. So this is no more than one step a byte.
            for byte in self.out.iter_mut().rev() {
                *byte = byte.wrapping_add(1);
                if *byte != 0 {
                    break;
                }
            }
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
        let to_carry = self.low.wrapping_neg();
        if to_carry <= self.width {
            self.raise(to_carry);
        } else {
            // The width is at least 2^56: the next multiple of that lies in the interval.
            self.raise(to_carry % NARROW);
        }
        let mut out = std::mem::take(&mut self.out);
        out.push((self.low >> 56) as u8);
        while out.last() == Some(&0) {
            out.pop();
        }
        *self = Self::new();
        out
    }
}

/// Reads symbols from a stream that [`Encoder::finish`] ended.
///
/// Every byte string decodes to some symbols: whether they are the ones that were coded is for a
/// check outside to say.
#[derive(Debug, Clone)]
pub struct Decoder {
    /// How far the stream lies above the interval's low end; at most `width`.
    above: u64,
    width: u64,
    data: Vec<u8>,
    next: usize,
}

impl Decoder {
    #[must_use]
    pub fn new(data: Vec<u8>) -> Self {
        let mut decoder = Self {
            above: 0,
            width: u64::MAX,
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
        self.above = self.above << 8 | u64::from(byte);
    }

    /// Decodes one symbol, given the same distribution that coded it.
    #[inline]
    pub fn decode(&mut self, cdf: &Cdf) -> usize {
        let unit = self.width >> cdf.precision();
        // At most 2^31 + 2^6: the remainder of the division lies past the last unit of mass.
        let symbol = cdf.find((self.above / unit) as u32);
        let (offset, width) = part(cdf, symbol, self.width);
        self.above -= offset;
        self.width = width;
        while self.width < NARROW {
            self.width = self.width << 8 | 0xff;
            self.shift_in();
        }
        symbol
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
