//! The kinds of columns: how a value becomes bytes of a record, and back.

use super::Field;
use super::elements::Elements;
use super::number::Format;
use super::time::Time;
use super::values::{Lookup, Values};

/// The most values of a dictionary.
pub(super) const MOST_VALUES: usize = 1 << 16;
/// The most values that a column of numbers may have besides them.
pub(super) const MOST_STRINGS: usize = 32;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Column {
    Dictionary(Dictionary),
    Number(Number),
    Text,
}

/// All values of a column in order: first those that are no numbers, then the numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dictionary {
    /// How many values are no numbers.
    pub strings: usize,
    /// How the numbers are written.
    pub form: Option<Form>,
    /// The numbers, ascending.
    pub numbers: Vec<i64>,
    /// All values as they are written.
    pub values: Values,
}

impl Dictionary {
    /// Of strings and ascending numbers.
    pub fn new(strings: &Values, form: Option<Form>, numbers: Vec<i64>) -> Self {
        let mut values = strings.clone();
        if let Some(form) = &form {
            for number in &numbers {
                values.push_with(|out| {
                    form.print(*number, out);
                });
            }
        }
        Self {
            strings: strings.len(),
            form,
            numbers,
            values,
        }
    }
}

/// What a column's number is written as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    Decimal(Format),
    Time(Time),
    Binary(Elements),
}

impl Form {
    pub fn parse(&self, cell: &[u8]) -> Option<i64> {
        match self {
            Self::Decimal(format) => format.parse(cell),
            Self::Time(time) => time.parse(cell),
            Self::Binary(elements) => elements.parse(cell),
        }
    }

    fn print(&self, value: i64, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Decimal(format) => {
                format.print(value, out);
                true
            }
            Self::Time(time) => time.print(value, out),
            Self::Binary(elements) => elements.print(value, out),
        }
    }
}

/// What a number is coded as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Itself less the base.
    Plain,
    /// What it is more than the row before, less the base.
    Rising,
    /// The difference to the row before, its sign in the lowest bit.
    Signed,
}

/// All modes, by their numbers in a schema.
pub(super) const MODES: [Mode; 3] = [Mode::Plain, Mode::Rising, Mode::Signed];

impl Mode {
    /// The code of a value, `before` being that of the row before.
    pub fn code(self, base: i64, value: i64, before: i64) -> Option<u64> {
        match self {
            Self::Plain => u64::try_from(value.checked_sub(base)?).ok(),
            Self::Rising => u64::try_from(value.checked_sub(before)?.checked_sub(base)?).ok(),
            Self::Signed => {
                let change = value.checked_sub(before)?;
                let double = change.checked_mul(2)?;
                Some((double ^ (change >> 63)) as u64)
            }
        }
    }

    fn value(self, base: i64, code: u64, before: i64) -> Option<i64> {
        let code = i64::try_from(code).ok()?;
        match self {
            Self::Plain => code.checked_add(base),
            Self::Rising => code.checked_add(base)?.checked_add(before),
            Self::Signed => before.checked_add((code >> 1) ^ -(code & 1)),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Number {
    pub form: Form,
    pub mode: Mode,
    pub base: i64,
    /// The value before the first row.
    pub start: i64,
    /// The greatest code.
    pub limit: u64,
    /// Values that are no numbers; their codes come first.
    pub strings: Values,
}

impl Number {
    fn bits(&self) -> u32 {
        bits(self.limit)
    }
}

/// Bits of values up to `limit`.
pub(super) fn bits(limit: u64) -> u32 {
    limit.checked_ilog2().map_or(0, |log| log + 1)
}

/// Puts `code` of `bits` bits into fields, the highest bits first, 8 a field and what is left in the last.
pub(super) fn put(code: u64, bits: u32, fields: &mut [u8]) {
    let mut left = bits;
    for field in fields {
        let take = left.min(8);
        left -= take;
        *field = (code >> left & ((1 << take) - 1)) as u8;
    }
}

impl Column {
    /// How many fields the column has.
    pub fn width(&self) -> usize {
        match self {
            Self::Dictionary(dictionary) if dictionary.values.len() > 256 => 2,
            Self::Dictionary(_) => 1,
            Self::Number(number) => number.bits().div_ceil(8) as usize,
            Self::Text => 0,
        }
    }

    /// Appends the column's fields.
    pub fn fields(&self, column: u16, out: &mut Vec<Field>) {
        // The greatest value of the first field, and the bits of each.
        let (mut most, numeric, widths) = match self {
            Self::Text => return,
            Self::Dictionary(dictionary) => {
                let last = dictionary.values.len() as u64 - 1;
                let numeric = !dictionary.numbers.is_empty() && dictionary.strings <= 2;
                let widths = match last {
                    256.. => vec![bits(last >> 8), 8],
                    _ => vec![bits(last)],
                };
                let first = if last > 255 { last >> 8 } else { last };
                (first, numeric, widths)
            }
            Self::Number(number) => {
                let all = number.bits();
                let mut widths = vec![8; (all / 8) as usize];
                if !all.is_multiple_of(8) {
                    widths.push(all % 8);
                }
                let below = all.saturating_sub(8);
                (number.limit >> below, number.strings.len() <= 2, widths)
            }
        };
        for (place, width) in widths.into_iter().enumerate() {
            out.push(Field {
                column,
                bits: width as u8,
                values: most as u16 + 1,
                leading: place == 0,
                numeric,
            });
            most = 255;
        }
        // The last field may have fewer than 8 bits.
        if let Some(last) = out.last_mut()
            && !last.leading
        {
            last.values = 1 << last.bits;
        }
    }

    /// Appends the value of `record`, a column with fields; `None` where it has none such. `before` is the
    /// number of the row before, and becomes that of this row.
    pub fn join(&self, record: &[u8], before: &mut i64, out: &mut Vec<u8>) -> Option<()> {
        match self {
            Self::Text => return None,
            Self::Dictionary(dictionary) => {
                let number = record
                    .iter()
                    .fold(0, |number, byte| number << 8 | usize::from(*byte));
                out.extend_from_slice(dictionary.values.get(number)?);
            }
            Self::Number(number) => {
                let mut left = number.bits();
                let mut code = 0_u64;
                for byte in record {
                    let take = left.min(8);
                    left -= take;
                    if u32::from(*byte) >> take != 0 {
                        return None;
                    }
                    code = code << take | u64::from(*byte);
                }
                if code > number.limit {
                    return None;
                }
                match code.checked_sub(number.strings.len() as u64) {
                    None => out.extend_from_slice(number.strings.get(code as usize)?),
                    Some(code) => {
                        let value = number.mode.value(number.base, code, *before)?;
                        if !number.form.print(value, out) {
                            return None;
                        }
                        *before = value;
                    }
                }
            }
        }
        Some(())
    }
}

/// What a value became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coded {
    /// Fields alone.
    Fields,
    /// Fields and a number that the next row is compared with.
    Number(i64),
    /// Nothing yet: the value goes to a text.
    Text,
}

/// A column with what finds values.
pub(super) enum Coder<'s> {
    Dictionary(Lookup, usize),
    Number(&'s Number, Lookup, u32),
    Text,
}

impl<'s> Coder<'s> {
    pub fn new(column: &'s Column) -> Self {
        match column {
            Column::Dictionary(dictionary) => {
                Self::Dictionary(Lookup::of(&dictionary.values), column.width())
            }
            Column::Number(number) => {
                Self::Number(number, Lookup::of(&number.strings), number.bits())
            }
            Column::Text => Self::Text,
        }
    }

    /// Puts a value into the column's fields of a record; `None` where the column has no such value.
    pub fn split(&self, cell: &[u8], before: i64, fields: &mut [u8]) -> Option<Coded> {
        match self {
            Self::Text => Some(Coded::Text),
            Self::Dictionary(lookup, width) => {
                let number = lookup.find(cell)?;
                if *width == 1 {
                    fields[0] = number as u8;
                } else {
                    fields[0] = (number >> 8) as u8;
                    fields[1] = number as u8;
                }
                Some(Coded::Fields)
            }
            Self::Number(number, strings, bits) => {
                let Some(value) = number.form.parse(cell) else {
                    put(strings.find(cell)? as u64, *bits, fields);
                    return Some(Coded::Fields);
                };
                let code = number.mode.code(number.base, value, before)?;
                let code = code.checked_add(number.strings.len() as u64)?;
                if code > number.limit {
                    return None;
                }
                put(code, *bits, fields);
                Some(Coded::Number(value))
            }
        }
    }
}
