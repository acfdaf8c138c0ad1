//! Static distributions over bytes.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::{BUCKETS, LARGE_BITS, SMALL_BITS, description};
use crate::CoderError;

/// Frequencies of the bytes that occur, at least 1 each, which sum to a power of two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// 0 for bytes that do not occur.
    frequencies: [u16; 256],
    symbols: usize,
    /// Bits that a frequency has at most behind its leading one, but for [`Table::mode`]'s.
    precision: u32,
    mode: u8,
    /// Cost in bits times 2^16; 0 for bytes that do not occur.
    prices: [u32; 256],
}

impl Table {
    /// The table to code `counts` bytes with; `None` if all are zero.
    ///
    /// Frequencies are rounded to so many leading bits that table and coded bytes together are
    /// shortest. The same counts give the same table on every machine.
    #[must_use]
    pub fn from_counts(counts: &[u32; 256]) -> Option<Self> {
        let exact = normalised(counts)?;
        let mode = mode(&exact);
        let attempt = |precision| {
            let table = Self::new(rounded(&exact, mode, precision)?, precision, mode)?;
            let bytes = description::length(&table) as u64;
            Some((table.cost(counts) + ((bytes * 8) << 8), table))
        };
        // More precision lengthens the table by ever as much and shortens the rest by ever less:
        // up while that pays, and down if it did not. All are exact with the most.
        let mut best = attempt(START_PRECISION);
        let mut improve = |precision| {
            let next = attempt(precision);
            let better = match (&best, &next) {
                (Some((best, _)), Some((next, _))) => next < best,
                (best, _) => best.is_none(),
            };
            if better {
                best = next;
            }
            better
        };
        let up = (START_PRECISION + 1..SMALL_BITS).take_while(|&precision| improve(precision));
        if up.count() == 0 {
            (0..START_PRECISION).rev().all(improve);
        }
        best.map(|(_, table)| table)
    }

    /// As [`Table::from_counts`] for counts of a sample, without a search for the number of leading
    /// bits, which it would not tell.
    #[must_use]
    pub fn about_counts(counts: &[u32; 256]) -> Option<Self> {
        let exact = normalised(counts)?;
        let mode = mode(&exact);
        let about = rounded(&exact, mode, SAMPLE_PRECISION)
            .and_then(|frequencies| Self::new(frequencies, SAMPLE_PRECISION, mode));
        about.or_else(|| Self::from_counts(counts))
    }

    /// Checks that the frequencies sum to the whole.
    pub(super) fn new(frequencies: [u16; 256], precision: u32, mode: u8) -> Option<Self> {
        let symbols = frequencies.iter().filter(|&&f| f > 0).count();
        let sum: u32 = frequencies.iter().map(|&f| u32::from(f)).sum();
        let bits = bits_for(symbols);
        (symbols > 0 && sum == 1 << bits && frequencies[usize::from(mode)] > 0).then(|| Self {
            frequencies,
            symbols,
            // A lone symbol has no frequency to write.
            precision: if symbols == 1 { 0 } else { precision },
            mode,
            prices: frequencies.map(|f| match f {
                0 => 0,
                _ => (bits << 16) - log2(u32::from(f)),
            }),
        })
    }

    /// Appends the table in the format's compact form.
    pub fn write(&self, out: &mut Vec<u8>) {
        description::write(self, out);
    }

    /// Takes a table off the front of `data`.
    ///
    /// # Errors
    /// [`CoderError`] when `data` does not start with a table; it is then as it was.
    pub fn read(data: &mut &[u8]) -> Result<Self, CoderError> {
        description::read(data)
    }

    /// What bytes that occur so often take, in bits times 2^8; `u64::MAX` if the table lacks one.
    #[must_use]
    pub fn cost(&self, counts: &[u32; 256]) -> u64 {
        let mut total = 0;
        let mut lacking = false;
        for ((&count, &price), &f) in counts.iter().zip(&self.prices).zip(&self.frequencies) {
            lacking |= (f == 0) & (count > 0);
            total += u64::from(count) * u64::from(price);
        }
        if lacking { u64::MAX } else { total >> 8 }
    }

    /// Bits that a byte takes, times 2^8; `None` for one that does not occur.
    #[must_use]
    pub fn length(&self, byte: u8) -> Option<u32> {
        let i = usize::from(byte);
        (self.frequencies[i] > 0).then(|| self.prices[i] >> 8)
    }

    /// How many different bytes occur, 1 to 256.
    #[must_use]
    pub fn symbols(&self) -> usize {
        self.symbols
    }

    /// Share of `symbol` in `1 << bits()`; 0 if it does not occur.
    #[must_use]
    pub fn frequency(&self, symbol: u8) -> u32 {
        u32::from(self.frequencies[usize::from(symbol)])
    }

    /// Bits of the probabilities.
    #[must_use]
    pub fn bits(&self) -> u32 {
        bits_for(self.symbols)
    }

    /// Bytes that occur and their frequencies, ascending by byte.
    pub(super) fn occurring(&self) -> impl Iterator<Item = (u8, u32)> + Clone {
        (0..=255)
            .zip(self.frequencies)
            .filter(|&(_, f)| f > 0)
            .map(|(symbol, f)| (symbol, u32::from(f)))
    }

    pub(super) fn precision(&self) -> u32 {
        self.precision
    }

    /// The byte whose frequency is what the others leave.
    pub(super) fn mode(&self) -> u8 {
        self.mode
    }
}

/// Bits behind the leading one of a frequency with which the search starts.
const START_PRECISION: u32 = 4;

/// The same bits for a table of a sample.
const SAMPLE_PRECISION: u32 = 5;

/// Bits of the probabilities in a table of so many symbols.
pub(super) fn bits_for(symbols: usize) -> u32 {
    if symbols <= BUCKETS {
        SMALL_BITS
    } else {
        LARGE_BITS
    }
}

/// The most frequent byte, the first of equals.
fn mode(frequencies: &[u16; 256]) -> u8 {
    (0..=255)
        .max_by_key(|&symbol| (frequencies[usize::from(symbol)], Reverse(symbol)))
        .unwrap_or(0)
}

/// A change of one unit of a frequency: what it saves or costs is `count / twice`, half a unit away.
#[derive(PartialEq, Eq)]
struct Change {
    count: u64,
    twice: u64,
    symbol: usize,
}

impl Ord for Change {
    /// By what the change is worth; of equals the first symbol is the greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        (self.count * other.twice)
            .cmp(&(other.count * self.twice))
            .then(other.symbol.cmp(&self.symbol))
    }
}

impl PartialOrd for Change {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Frequencies in proportion to the counts, at least 1 for each that is not zero.
fn normalised(counts: &[u32; 256]) -> Option<[u16; 256]> {
    let symbols = counts.iter().filter(|&&count| count > 0).count();
    let total: u64 = counts.iter().map(|&count| u64::from(count)).sum();
    if total == 0 {
        return None;
    }
    let whole = 1_u64 << bits_for(symbols);
    let mut shares = counts.map(|count| match count {
        0 => 0,
        _ => (u64::from(count) * whole / total).max(1),
    });
    let given: u64 = shares.iter().sum();
    let change = |symbol: usize, twice| Change {
        count: u64::from(counts[symbol]),
        twice,
        symbol,
    };
    if given < whole {
        let mut gains: BinaryHeap<_> = (0..256)
            .filter(|&symbol| counts[symbol] > 0)
            .map(|symbol| change(symbol, 2 * shares[symbol] + 1))
            .collect();
        for _ in given..whole {
            let best = gains.pop()?;
            shares[best.symbol] += 1;
            gains.push(change(best.symbol, best.twice + 2));
        }
    } else {
        let mut losses: BinaryHeap<_> = (0..256)
            .filter(|&symbol| shares[symbol] > 1)
            .map(|symbol| Reverse(change(symbol, 2 * shares[symbol] - 1)))
            .collect();
        for _ in whole..given {
            let Reverse(least) = losses.pop()?;
            shares[least.symbol] -= 1;
            if shares[least.symbol] > 1 {
                losses.push(Reverse(change(least.symbol, least.twice - 2)));
            }
        }
    }
    Some(shares.map(|share| share as u16))
}

/// Frequencies with at most `precision` bits behind the leading one, and the mode to fill up;
/// `None` if the others leave it nothing.
fn rounded(frequencies: &[u16; 256], mode: u8, precision: u32) -> Option<[u16; 256]> {
    let mut rounded = frequencies.map(|f| {
        let dropped = f.checked_ilog2().unwrap_or(0).saturating_sub(precision);
        let half = (1 << dropped) >> 1;
        ((f + half) >> dropped) << dropped
    });
    let sum = |frequencies: &[u16; 256]| -> u32 { frequencies.iter().map(|&f| u32::from(f)).sum() };
    let mode = usize::from(mode);
    let others = sum(&rounded) - u32::from(rounded[mode]);
    rounded[mode] = sum(frequencies)
        .checked_sub(others)
        .filter(|&rest| rest > 0)? as u16;
    Some(rounded)
}

/// Binary logarithms of `1 + i / 256`, times 2^16, rounded down.
const LOG2: [u32; 257] = {
    let mut table = [0; 257];
    let mut i = 0;
    while i < 256 {
        // The square's whole part is the next bit of the logarithm.
        let mut value = ((256 + i) as u64) << 23;
        let mut bits = 0;
        while bits < 16 {
            value = (value * value) >> 31;
            table[i] = table[i] << 1 | (value >> 32) as u32;
            if value >> 32 == 1 {
                value >>= 1;
            }
            bits += 1;
        }
        i += 1;
    }
    table[256] = 1 << 16;
    table
};

/// The binary logarithm of 1 to 2^14, times 2^16; exact for powers of two.
fn log2(value: u32) -> u32 {
    let whole = value.ilog2();
    let fraction = (value << (16 - whole)) & 0xffff;
    let (i, rest) = ((fraction >> 8) as usize, fraction & 255);
    (whole << 16) + LOG2[i] + (((LOG2[i + 1] - LOG2[i]) * rest) >> 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_right() {
        for value in 1..=1_u32 << 14 {
            let error = f64::from(log2(value)) / 65536.0 - f64::from(value).log2();
            assert!(error.abs() < 4e-5, "{value}: {error}");
        }
    }
}
