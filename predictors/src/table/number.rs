//! Decimal numbers that come back digit for digit.

/// The most digits that a number may have, so that sums of a few stay within 64 bits.
pub(super) const DIGITS: usize = 18;
/// The widest padded number.
pub(super) const WIDTH: usize = 24;

const POWERS: [i64; DIGITS + 1] = {
    let mut powers = [1; DIGITS + 1];
    let mut at = 1;
    while at <= DIGITS {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// How the numbers of a column are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Format {
    /// Values are numbers times 10 to the power of this.
    pub scale: u8,
    /// Digits after the point that are written even where they are zeros; those after `scale` always are.
    pub keep: u8,
    /// Shorter numbers are padded on the left to this many bytes.
    pub width: u8,
    /// Whether zeros pad, not blanks; then there is no sign and no point.
    pub zeros: bool,
}

impl Format {
    /// Whole numbers of exactly `width` digits, as parts of a pattern are.
    pub fn digits(width: u8) -> Self {
        Self {
            scale: 0,
            keep: 0,
            width,
            zeros: true,
        }
    }

    /// Whether numbers of this format can be parsed and printed.
    pub fn is_sound(self) -> bool {
        usize::from(self.scale) <= DIGITS
            && usize::from(self.keep) <= DIGITS
            && usize::from(self.width) <= WIDTH
            && (!self.zeros || (self.scale == 0 && self.keep == 0))
    }

    /// The value of `cell`, where [`Format::print`] makes just that of it.
    pub fn parse(self, cell: &[u8]) -> Option<i64> {
        let width = usize::from(self.width);
        if cell.len() < width {
            return None;
        }
        let mut digits = cell;
        if self.zeros {
            if cell.len() > width && width > 0 && cell[0] == b'0' {
                return None;
            }
            if width > 0 {
                return (cell.len() <= DIGITS).then(|| whole(cell)).flatten();
            }
        } else if cell.len() == width {
            let blanks = cell.iter().take_while(|byte| **byte == b' ').count();
            digits = &cell[blanks..];
        }
        let minus = digits.first() == Some(&b'-');
        let mut value = 0;
        let (mut count, mut point) = (0, None);
        let number = &digits[usize::from(minus)..];
        if number.len() > DIGITS + 1 {
            return None;
        }
        for (at, &byte) in number.iter().enumerate() {
            let digit = byte.wrapping_sub(b'0');
            if digit < 10 && count < DIGITS {
                value = value * 10 + i64::from(digit);
                count += 1;
            } else if byte == b'.' && point.is_none() && at > 0 {
                point = Some(at);
            } else {
                return None;
            }
        }
        let before = point.unwrap_or(count);
        let after = count - before;
        let (scale, keep) = (usize::from(self.scale), usize::from(self.keep));
        let trimmed = after <= keep || number.last() != Some(&b'0');
        if before == 0
            || (before > 1 && number[0] == b'0')
            || (point.is_some() && after == 0)
            || !(keep..=scale.max(keep)).contains(&after)
            || !trimmed
            || before + scale.max(keep) > DIGITS
        {
            return None;
        }
        value *= POWERS[scale.saturating_sub(after)];
        let unused = POWERS[after.saturating_sub(scale)];
        if unused > 1 {
            if value % unused != 0 {
                return None;
            }
            value /= unused;
        }
        match minus {
            true => (value > 0).then_some(-value),
            false => Some(value),
        }
    }

    /// Appends `value`.
    pub fn print(self, value: i64, out: &mut Vec<u8>) {
        let scale = usize::from(self.scale).min(DIGITS);
        let mut buffer = [0; 48];
        let mut at = buffer.len();
        let mut rest = value.unsigned_abs();
        let mut push = |byte| {
            at -= 1;
            buffer[at] = byte;
        };
        let keep = usize::from(self.keep).min(DIGITS);
        let mut shown = scale;
        while shown > keep && rest.is_multiple_of(10) {
            rest /= 10;
            shown -= 1;
        }
        for _ in shown..keep {
            push(b'0');
        }
        for _ in 0..shown {
            push(b'0' + (rest % 10) as u8);
            rest /= 10;
        }
        if shown.max(keep) > 0 {
            push(b'.');
        }
        loop {
            push(b'0' + (rest % 10) as u8);
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if value < 0 {
            push(b'-');
        }
        let text = &buffer[at..];
        let padding = if self.zeros { b'0' } else { b' ' };
        let missing = usize::from(self.width).saturating_sub(text.len());
        out.extend(std::iter::repeat_n(padding, missing));
        out.extend_from_slice(text);
    }
}

/// The value of at most 18 digits; `None` where there is another byte.
pub(super) fn whole(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0_i64, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| value * 10 + i64::from(digit))
    })
}

/// What the numbers of a column have in common, gathered number by number.
#[derive(Debug, Clone, Default)]
pub(super) struct Shapes {
    numbers: u64,
    shortest: usize,
    zeros: Option<usize>,
    blanks: Option<usize>,
    least_after: usize,
    most_after: usize,
    /// The most digits after the point up to the last that is not zero.
    most_used: usize,
    most_before: usize,
    /// The most digits after the point where the last one is a zero.
    trailing: usize,
    minus: bool,
    broken: bool,
}

impl Shapes {
    /// Takes a cell in; false where it is no number.
    pub fn add(&mut self, cell: &[u8]) -> bool {
        let blanks = cell.iter().take_while(|byte| **byte == b' ').count();
        let minus = cell.get(blanks) == Some(&b'-');
        let digits = &cell[blanks + usize::from(minus)..];
        let before = digits
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let after = match &digits[before..] {
            [] => 0,
            [b'.', after @ ..] if !after.is_empty() && after.iter().all(u8::is_ascii_digit) => {
                after.len()
            }
            _ => return false,
        };
        let padded = before > 1 && digits[0] == b'0';
        let decimals = &digits[digits.len() - after..];
        let used = decimals
            .iter()
            .rposition(|digit| *digit != b'0')
            .map_or(0, |last| last + 1);
        if before == 0 || before + after > DIGITS || cell.len() > WIDTH {
            return false;
        }
        if minus && (padded || digits.iter().all(|byte| matches!(byte, b'0' | b'.'))) {
            return false;
        }
        let first = self.numbers == 0;
        self.numbers += 1;
        for (seen, length) in [(padded, &mut self.zeros), (blanks > 0, &mut self.blanks)] {
            if seen {
                self.broken |= length.is_some_and(|length| length != cell.len());
                *length = Some(cell.len());
            }
        }
        self.minus |= minus;
        self.shortest = if first {
            cell.len()
        } else {
            self.shortest.min(cell.len())
        };
        self.least_after = if first {
            after
        } else {
            self.least_after.min(after)
        };
        self.most_after = self.most_after.max(after);
        self.most_used = self.most_used.max(used);
        self.most_before = self.most_before.max(before);
        if used < after {
            self.trailing = self.trailing.max(after);
        }
        true
    }

    /// The format of them all, where there is one.
    pub fn format(&self) -> Option<Format> {
        let padded = self.zeros.or(self.blanks);
        let same = self.least_after == self.most_after;
        let sound = self.numbers > 0
            && !self.broken
            && (self.zeros.is_none() || self.blanks.is_none())
            && padded.is_none_or(|width| self.shortest >= width)
            && (self.zeros.is_none() || (self.most_after == 0 && !self.minus))
            && (same || self.trailing <= self.least_after)
            && self.most_before + self.most_after <= DIGITS;
        sound.then(|| Format {
            scale: self.most_used as u8,
            keep: self.least_after as u8,
            width: padded.unwrap_or(0) as u8,
            zeros: self.zeros.is_some(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(cells: &[&str]) -> Option<Format> {
        let mut shapes = Shapes::default();
        assert!(cells.iter().all(|cell| shapes.add(cell.as_bytes())));
        let format = shapes.format()?;
        for cell in cells {
            let mut back = Vec::new();
            format.print(format.parse(cell.as_bytes()).unwrap(), &mut back);
            assert_eq!(back, cell.as_bytes());
        }
        Some(format)
    }

    #[test]
    fn formats_are_those_of_all_numbers() {
        let all = [
            (&["5", "-7", "0"][..], (0, 0, 0, false)),
            (&["5.0", "-7.0", "0.0"], (0, 1, 0, false)),
            (&["1.50", "-2.70"], (1, 2, 0, false)),
            (&["1.5", "-2", "0.125"], (3, 0, 0, false)),
            (&["1.0", "-2.25"], (2, 1, 0, false)),
            (&["007", "1234"], (0, 0, 3, true)),
            (&["  7", "-12", "1234"], (0, 0, 3, false)),
            (&[" 0.50", "12.25"], (2, 2, 5, false)),
            (&["999999999999999999"], (0, 0, 0, false)),
        ];
        for (cells, (scale, keep, width, zeros)) in all {
            let expected = Format {
                scale,
                keep,
                width,
                zeros,
            };
            assert_eq!(format(cells), Some(expected), "{cells:?}");
        }
        for cells in [
            &["007", "12"][..],
            &["1.50", "2"],
            &["007", " 12"],
            &["1.10", "2.5"],
        ] {
            assert_eq!(format(cells), None, "{cells:?}");
        }
    }

    #[test]
    fn what_would_not_come_back_is_no_number() {
        let formats = [
            (0, 0, 0, false),
            (2, 1, 0, false),
            (0, 2, 0, false),
            (0, 0, 3, true),
            (1, 1, 5, false),
        ];
        let parts = [
            "",
            "-",
            " ",
            "0",
            "1",
            "10",
            ".",
            "9999999999999999999",
            "00",
            "+",
            "e5",
        ];
        for (scale, keep, width, zeros) in formats {
            let format = Format {
                scale,
                keep,
                width,
                zeros,
            };
            for a in parts {
                for b in parts {
                    for c in parts {
                        let cell = [a, b, c].concat().into_bytes();
                        if let Some(value) = format.parse(&cell) {
                            let mut back = Vec::new();
                            format.print(value, &mut back);
                            assert_eq!(back, cell);
                        }
                    }
                }
            }
        }
    }
}
