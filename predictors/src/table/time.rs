//! Patterns of digits, and the dates and times among them.

use super::number::whole;

/// The most digits of a second's fraction in a time that becomes one number.
const FRACTION: u8 = 6;

/// Groups of digits with literal bytes around them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    /// What stands before each group, and after the last: one more than `widths`.
    pub literals: Vec<Vec<u8>>,
    /// Digits of each group.
    pub widths: Vec<u8>,
}

impl Pattern {
    /// The pattern of a cell with two groups of digits or more.
    pub fn of(cell: &[u8]) -> Option<Self> {
        let mut pattern = Self {
            literals: vec![Vec::new()],
            widths: Vec::new(),
        };
        if cell.len() > 64 {
            return None;
        }
        for group in cell.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()) {
            if group[0].is_ascii_digit() {
                pattern.widths.push(group.len() as u8);
                pattern.literals.push(Vec::new());
            } else if let Some(last) = pattern.literals.last_mut() {
                last.extend_from_slice(group);
            }
        }
        let fits = pattern.widths.iter().all(|width| *width <= 18);
        (pattern.widths.len() > 1 && fits).then_some(pattern)
    }

    /// Gives the groups of `cell` to `group`, with their numbers; false where the literals are others or
    /// `group` says so.
    pub fn groups<'c>(
        &self,
        cell: &'c [u8],
        mut group: impl FnMut(usize, &'c [u8]) -> bool,
    ) -> bool {
        let mut rest = cell;
        for (number, width) in self.widths.iter().enumerate() {
            let Some(after) = rest.strip_prefix(&self.literals[number][..]) else {
                return false;
            };
            let Some((digits, after)) = after.split_at_checked(usize::from(*width)) else {
                return false;
            };
            if !group(number, digits) {
                return false;
            }
            rest = after;
        }
        self.literals.last().is_some_and(|last| rest == last)
    }

    /// Whether a cell is of this pattern.
    pub fn fits(&self, cell: &[u8]) -> bool {
        self.groups(cell, |_, digits| digits.iter().all(u8::is_ascii_digit))
    }
}

/// In what order a date stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// There is no date, but a time alone.
    None,
    YearMonthDay,
    DayMonthYear,
    MonthDayYear,
}

/// All orders, by their numbers in a schema.
pub(super) const ORDERS: [Order; 4] = [
    Order::None,
    Order::YearMonthDay,
    Order::DayMonthYear,
    Order::MonthDayYear,
];

/// A date, a time or both, as a number: of days, of minutes, of seconds or of a power of ten of a second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Time {
    pattern: Pattern,
    order: Order,
}

impl Time {
    /// `None` where the pattern is not that of a time in this order.
    pub fn new(pattern: Pattern, order: Order) -> Option<Self> {
        let date: &[u8] = match order {
            Order::None => &[],
            Order::YearMonthDay => &[4, 2, 2],
            Order::DayMonthYear | Order::MonthDayYear => &[2, 2, 4],
        };
        let time = pattern.widths.strip_prefix(date)?;
        let sound = match time {
            [] => order != Order::None,
            [2, 2] | [2, 2, 2] => true,
            [2, 2, 2, fraction] => *fraction <= FRACTION && *fraction > 0,
            _ => false,
        };
        let colon = !date.is_empty() || pattern.literals.get(1).is_some_and(|piece| piece == b":");
        (sound && colon).then_some(Self { pattern, order })
    }

    /// The digits' pattern, and the number of the date's order.
    pub fn parts(&self) -> (&Pattern, usize) {
        let order = ORDERS.iter().position(|order| *order == self.order);
        (&self.pattern, order.unwrap_or(0))
    }

    /// The number of a cell that [`Time::print`] gives back.
    pub fn parse(&self, cell: &[u8]) -> Option<i64> {
        let mut groups = [0; 8];
        let fits = self.pattern.groups(cell, |number, digits| {
            whole(digits).is_some_and(|value| {
                groups[number & 7] = value;
                true
            })
        });
        if !fits {
            return None;
        }
        let [a, b, c, ..] = groups;
        let date = match self.order {
            Order::None => None,
            Order::YearMonthDay => Some((a, b, c)),
            Order::DayMonthYear => Some((c, b, a)),
            Order::MonthDayYear => Some((c, a, b)),
        };
        let mut value = 0;
        if let Some((year, month, day)) = date {
            value = days(year, month, day);
            if civil(value) != (year, month, day) {
                return None;
            }
        }
        let dated = if date.is_some() { 3 } else { 0 };
        for (at, &width) in self.pattern.widths.iter().enumerate().skip(dated) {
            let limit = limit(at - dated, width);
            let group = groups[at & 7];
            if group >= limit {
                return None;
            }
            value = value * limit + group;
        }
        Some(value)
    }

    /// Appends the cell of a number; false, and a part of it, where there is none.
    pub fn print(&self, mut value: i64, out: &mut Vec<u8>) -> bool {
        let mut groups = [0; 8];
        let dated = if self.order == Order::None { 0 } else { 3 };
        for (at, &width) in self.pattern.widths.iter().enumerate().skip(dated).rev() {
            let limit = limit(at - dated, width);
            groups[at & 7] = value.rem_euclid(limit);
            value = value.div_euclid(limit);
        }
        if self.order == Order::None {
            if value != 0 {
                return false;
            }
        } else {
            if !(days(0, 1, 1)..=days(9999, 12, 31)).contains(&value) {
                return false;
            }
            let (year, month, day) = civil(value);
            let date = match self.order {
                Order::DayMonthYear => [day, month, year],
                Order::MonthDayYear => [month, day, year],
                _ => [year, month, day],
            };
            groups[..3].copy_from_slice(&date);
        }
        for (at, &width) in self.pattern.widths.iter().enumerate() {
            out.extend_from_slice(&self.pattern.literals[at]);
            let start = out.len();
            out.resize(start + usize::from(width), b'0');
            let mut rest = groups[at & 7];
            for byte in out[start..].iter_mut().rev() {
                *byte += (rest % 10) as u8;
                rest /= 10;
            }
        }
        out.extend_from_slice(self.pattern.literals.last().map_or(&[], |last| last));
        true
    }
}

/// How many values a group after the date has: hours, minutes, seconds, a fraction of `width` digits.
fn limit(group: usize, width: u8) -> i64 {
    match group {
        0 => 24,
        1 | 2 => 60,
        _ => 10_i64.pow(u32::from(width.min(FRACTION))),
    }
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar; after H. Hinnant.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day that are `days` after 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_ten_thousand_years_comes_back() {
        for day in days(0, 1, 1)..=days(9999, 12, 31) {
            let (year, month, of_month) = civil(day);
            assert_eq!(days(year, month, of_month), day);
        }
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(civil(20_787), (2026, 11, 30));
    }
}
