//! Elements of few different values, such as those of weights that were quantised and turned back into
//! floats: coded as numbers of values.

use super::kind::Kind;
use super::model::{byte, take};
use super::settings::BAD;
use crate::segment::PredictorError;

/// Different values at most.
pub const MOST: usize = 256;
/// Places for values that are looked up by a hash, most of them free.
const PLACES: usize = 4 * MOST;

/// Whether elements of `kind` may be coded as numbers of values.
pub fn possible(kind: &Kind) -> bool {
    kind.elements == 1 && matches!(kind.unit, 2 | 4 | 8)
}

/// The values of a segment's elements, ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    unit: usize,
    values: Vec<u64>,
}

/// Values by a hash, with a number for each.
struct Known {
    values: [u64; PLACES],
    /// One more than the number, 0 where there is none.
    numbers: [u16; PLACES],
}

impl Known {
    /// Where `value` is, or may be put.
    fn place(&self, value: u64) -> usize {
        let mut place = (value.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % PLACES;
        while self.numbers[place] > 0 && self.values[place] != value {
            place = (place + 1) % PLACES;
        }
        place
    }

    fn put(&mut self, value: u64, number: usize) {
        let place = self.place(value);
        (self.values[place], self.numbers[place]) = (value, number as u16 + 1);
    }
}

impl Default for Known {
    fn default() -> Self {
        Self {
            values: [0; PLACES],
            numbers: [0; PLACES],
        }
    }
}

fn value(unit: &[u8]) -> u64 {
    let mut value = [0; 8];
    value[..unit.len()].copy_from_slice(unit);
    u64::from_le_bytes(value)
}

impl Values {
    /// Those of `data`, elements of `unit` bytes each; `None` where there are too many, or none.
    pub fn of(data: &[u8], unit: usize) -> Option<Self> {
        let mut known = Known::default();
        let mut values = Vec::new();
        let mut last = None;
        for unit in data.chunks_exact(unit) {
            let value = value(unit);
            if last == Some(value) {
                continue;
            }
            last = Some(value);
            if known.numbers[known.place(value)] == 0 {
                if values.len() == MOST {
                    return None;
                }
                known.put(value, values.len());
                values.push(value);
            }
        }
        values.sort_unstable();
        (!values.is_empty()).then_some(Self { unit, values })
    }

    /// The number of the value of each element of `units`; `None` where one has another value.
    pub fn numbers(&self, units: &[u8]) -> Option<Vec<u8>> {
        let mut known = Known::default();
        for (number, &value) in self.values.iter().enumerate() {
            known.put(value, number);
        }
        let number = |unit| known.numbers[known.place(value(unit))].checked_sub(1);
        let numbers = units.chunks_exact(self.unit).map(number);
        numbers.map(|number| Some(number? as u8)).collect()
    }

    /// The elements with the values of these numbers, to `out`.
    ///
    /// # Errors
    /// [`PredictorError::Corrupt`] for a number of no value.
    pub fn expand(&self, numbers: &[u8], out: &mut [u8]) -> Result<(), PredictorError> {
        let most = numbers.iter().max().copied().unwrap_or(0);
        if usize::from(most) >= self.values.len() {
            return Err(BAD);
        }
        match self.unit {
            2 => self.expand_to::<2>(numbers, out),
            4 => self.expand_to::<4>(numbers, out),
            _ => self.expand_to::<8>(numbers, out),
        }
        Ok(())
    }

    fn expand_to<const UNIT: usize>(&self, numbers: &[u8], out: &mut [u8]) {
        let mut table = [[0; UNIT]; MOST];
        for (entry, value) in table.iter_mut().zip(&self.values) {
            entry.copy_from_slice(&value.to_le_bytes()[..UNIT]);
        }
        for (unit, &number) in out.as_chunks_mut::<UNIT>().0.iter_mut().zip(numbers) {
            *unit = table[usize::from(number)];
        }
    }

    /// How many they are, less one, and the values.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push((self.values.len() - 1) as u8);
        for value in &self.values {
            out.extend_from_slice(&value.to_le_bytes()[..self.unit]);
        }
    }

    /// # Errors
    /// [`PredictorError::Corrupt`] where `data` has no such values at its front, or not in order.
    pub fn read(kind: &Kind, data: &mut &[u8]) -> Result<Self, PredictorError> {
        let count = usize::from(byte(data)?) + 1;
        let values = take(data, count * kind.unit)?;
        let values: Vec<u64> = values.chunks_exact(kind.unit).map(value).collect();
        if !values.is_sorted_by(|a, b| a < b) {
            return Err(BAD);
        }
        Ok(Self {
            unit: kind.unit,
            values,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::kind::KINDS;

    fn kind(unit: usize) -> &'static Kind {
        KINDS.iter().find(|kind| kind.unit == unit).unwrap()
    }

    #[test]
    fn elements_come_back_from_numbers() {
        for unit in [2, 4, 8] {
            for count in [1, 2, 17, 256] {
                let element = |i: usize| {
                    (i as u64 * i as u64)
                        .wrapping_mul(0x0101_0101_0101_0107)
                        .to_le_bytes()
                };
                let data: Vec<u8> = (0..3 * count)
                    .flat_map(|i| element(i % count)[..unit].to_vec())
                    .collect();
                let values = Values::of(&data, unit).unwrap();
                let numbers = values.numbers(&data).unwrap();
                let mut out = vec![9; data.len()];
                values.expand(&numbers, &mut out).unwrap();
                assert!(out == data && numbers.len() == 3 * count);
                let mut written = Vec::new();
                values.write(&mut written);
                let mut rest = &written[..];
                assert_eq!(Values::read(kind(unit), &mut rest).unwrap(), values);
                assert!(rest.is_empty());
                assert!(Values::read(kind(unit), &mut &written[..written.len() - 1]).is_err());
                assert!(values.numbers(&[0xee; 8]).is_none());
                if values.values.len() < MOST {
                    let none = values.values.len() as u8;
                    assert!(values.expand(&[0, none], &mut [0; 16]).is_err());
                }
            }
        }
    }

    #[test]
    fn there_may_be_too_many_values() {
        let data = |count: u16| -> Vec<u8> { (0..count).flat_map(u16::to_le_bytes).collect() };
        assert!(Values::of(&data(256), 2).is_some() && Values::of(&data(257), 2).is_none());
        assert!(Values::of(&[], 2).is_none() && Values::of(&[1], 2).is_none());
    }

    #[test]
    fn values_out_of_order_are_refused() {
        assert!(Values::read(kind(2), &mut &[1, 1, 0, 2, 0][..]).is_ok());
        assert!(Values::read(kind(2), &mut &[1, 2, 0, 1, 0][..]).is_err());
        assert!(Values::read(kind(2), &mut &[1, 2, 0, 2, 0][..]).is_err());
    }
}
