//! Whole numbers in binary, as arrays hold them.

use super::number::DIGITS;

/// Numbers are below this in magnitude, as those of text are: sums of a few stay within 64 bits.
const MOST: i64 = 10_i64.pow(DIGITS as u32);

const NEGATIVE: u8 = 16;

/// How an array's whole numbers are written: little-endian, the negative ones in two's complement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elements {
    /// Bytes of each: 1, 2, 4 or 8.
    pub bytes: u8,
    pub signed: bool,
}

impl Elements {
    /// The elements of so many bytes; `None` where there are none such.
    #[must_use]
    pub fn new(bytes: u8, signed: bool) -> Option<Self> {
        matches!(bytes, 1 | 2 | 4 | 8).then_some(Self { bytes, signed })
    }

    /// The elements that a byte says: how many bytes each has, and 16 more where some are negative.
    #[must_use]
    pub fn of_byte(byte: u8) -> Option<Self> {
        Self::new(byte & !NEGATIVE, byte & NEGATIVE != 0)
    }

    /// What [`Elements::of_byte`] takes.
    #[must_use]
    pub fn byte(self) -> u8 {
        self.bytes | if self.signed { NEGATIVE } else { 0 }
    }

    /// The value of `cell`, where it has as many bytes and is not too large.
    pub(super) fn parse(self, cell: &[u8]) -> Option<i64> {
        if cell.len() != usize::from(self.bytes) {
            return None;
        }
        let negative = self.signed && cell.last().is_some_and(|byte| *byte >= 128);
        let mut buffer = [if negative { 255 } else { 0 }; 8];
        buffer[..cell.len()].copy_from_slice(cell);
        let value = i64::from_le_bytes(buffer);
        let whole = self.signed || value >= 0;
        (whole && (-MOST..MOST).contains(&value)).then_some(value)
    }

    /// Appends `value`; false where it does not fit.
    pub(super) fn print(self, value: i64, out: &mut Vec<u8>) -> bool {
        let bits = 8 * u32::from(self.bytes);
        let fits = match (bits, self.signed) {
            (64, true) => true,
            (64, false) => value >= 0,
            (_, true) => (-1 << (bits - 1)..1 << (bits - 1)).contains(&value),
            (_, false) => (0..1 << bits).contains(&value),
        };
        if fits {
            out.extend_from_slice(&value.to_le_bytes()[..usize::from(self.bytes)]);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_parsed_is_printed_and_nothing_else() {
        for bytes in [1, 2, 4, 8] {
            for signed in [false, true] {
                let elements = Elements::new(bytes, signed).unwrap();
                let bits = 8 * u32::from(bytes);
                let ends = match (bits, signed) {
                    (64, true) => [-MOST + 1, MOST - 1],
                    (64, false) => [0, MOST - 1],
                    (_, true) => [-(1_i64 << (bits - 1)), (1 << (bits - 1)) - 1],
                    (_, false) => [0, (1 << bits) - 1],
                };
                for value in [ends[0], ends[1], 0, 1, 77] {
                    let mut out = Vec::new();
                    assert!(elements.print(value, &mut out));
                    assert_eq!(out.len(), usize::from(bytes));
                    assert_eq!(elements.parse(&out), Some(value), "{elements:?}");
                    assert_eq!(elements.parse(&out[1..]), None);
                }
                if bits < 64 {
                    for value in [ends[0] - 1, ends[1] + 1, i64::MIN, i64::MAX] {
                        let mut out = Vec::new();
                        assert!(!elements.print(value, &mut out) && out.is_empty());
                    }
                } else {
                    assert_eq!(elements.parse(&MOST.to_le_bytes()), None);
                    assert_eq!(elements.parse(&[255; 8]), signed.then_some(-1));
                    assert_eq!(elements.parse(&i64::MIN.to_le_bytes()), None);
                }
            }
        }
        assert_eq!(Elements::new(3, true), None);
    }
}
