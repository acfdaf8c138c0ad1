//! Bits in bytes, the least significant first.

use crate::CoderError;

/// Appends bits to bytes.
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    pending: u64,
    count: u32,
}

impl<'a> Writer<'a> {
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self {
            out,
            pending: 0,
            count: 0,
        }
    }

    /// The low `count` bits of `value`, which has no others; at most 32.
    pub fn bits(&mut self, value: u32, count: u32) {
        self.pending |= u64::from(value) << self.count;
        self.count += count;
        while self.count >= 8 {
            self.out.push(self.pending as u8);
            self.pending >>= 8;
            self.count -= 8;
        }
    }

    /// `zeros` zeros and a one; at most 31 zeros.
    pub fn unary(&mut self, zeros: u32) {
        self.bits(1 << zeros, zeros + 1);
    }

    /// Elias' gamma code of a value of at least 1: the bits below the leading one are counted in
    /// unary, then written.
    pub fn gamma(&mut self, value: u32) {
        let below = value.ilog2();
        self.unary(below);
        self.bits(value - (1 << below), below);
    }

    /// Fills the last byte with zeros.
    pub fn finish(self) {
        if self.count > 0 {
            self.out.push(self.pending as u8);
        }
    }
}

/// Reads what [`Writer`] wrote.
pub struct Reader<'a> {
    data: &'a [u8],
    pending: u64,
    count: u32,
}

impl<'a> Reader<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self {
            data,
            pending: 0,
            count: 0,
        }
    }

    /// The next `count` bits; at most 32.
    pub fn bits(&mut self, count: u32) -> Result<u32, CoderError> {
        while self.count < count {
            let (&byte, rest) = self.data.split_first().ok_or(CoderError::Truncated)?;
            self.data = rest;
            self.pending |= u64::from(byte) << self.count;
            self.count += 8;
        }
        let value = self.pending & ((1 << count) - 1);
        self.pending >>= count;
        self.count -= count;
        Ok(value as u32)
    }

    /// The number of zeros before a one, which may be at most `most`.
    pub fn unary(&mut self, most: u32) -> Result<u32, CoderError> {
        let mut zeros = 0;
        while self.bits(1)? == 0 {
            zeros += 1;
            if zeros > most {
                return Err(CoderError::Corrupt);
            }
        }
        Ok(zeros)
    }

    /// A value of 1 to 511.
    pub fn gamma(&mut self) -> Result<u32, CoderError> {
        let below = self.unary(8)?;
        Ok(1 << below | self.bits(below)?)
    }

    /// The bytes that follow the last byte read from, whose other bits are zeros.
    pub fn finish(self) -> Result<&'a [u8], CoderError> {
        if self.pending == 0 {
            Ok(self.data)
        } else {
            Err(CoderError::Corrupt)
        }
    }
}
