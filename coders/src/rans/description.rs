//! Tables as bytes: FORMAT.md, "rANS".

use super::Table;
use super::bits::{Reader, Writer};
use super::table::bits_for;
use crate::CoderError;

/// How the bytes that occur are written.
struct Symbols {
    count: usize,
    first: u8,
    last: u8,
    ranges: u32,
    /// Bits of the ranges' lengths.
    as_ranges: u32,
}

impl Symbols {
    fn of(table: &Table) -> Self {
        let mut all = Self {
            count: table.symbols(),
            first: 0,
            last: 0,
            ranges: 0,
            as_ranges: 0,
        };
        ranges(table, |gap, start, end| {
            if all.ranges == 0 {
                all.first = start as u8;
            }
            all.last = (end - 1) as u8;
            all.ranges += 1;
            all.as_ranges += gamma(gap) + gamma(end - start);
        });
        all.as_ranges += gamma(all.ranges);
        all
    }

    /// Bytes between the first and the last one.
    fn between(&self) -> u32 {
        u32::from(self.last - self.first).saturating_sub(1)
    }

    fn in_ranges(&self) -> bool {
        self.as_ranges <= 16 + self.between()
    }

    /// Bits of all, with the form.
    fn bits(&self) -> u32 {
        1 + self.as_ranges.min(16 + self.between())
    }
}

/// Bits of [`Writer::gamma`].
fn gamma(value: u32) -> u32 {
    2 * value.ilog2() + 1
}

/// Steps from exponent to exponent, folded, with exponent and frequency; of all but the mode.
fn steps(table: &Table) -> impl Iterator<Item = (u32, u32, u32)> {
    let mut before = 0;
    let others = table
        .occurring()
        .filter(|&(symbol, _)| symbol != table.mode());
    others.map(move |(_, f)| {
        let exponent = f.ilog2();
        let step = exponent as i32 - before;
        before = exponent as i32;
        (((step << 1) ^ (step >> 31)) as u32, exponent, f)
    })
}

/// Bits that steps take with each of the four Rice parameters, but for the one behind the zeros.
fn rice_lengths(table: &Table) -> [u32; 4] {
    let mut lengths = [0; 4];
    for (step, ..) in steps(table) {
        for (rice, length) in (0..).zip(&mut lengths) {
            *length += (step >> rice) + rice;
        }
    }
    lengths
}

/// Bytes that [`write`] appends.
pub fn length(table: &Table) -> usize {
    let symbols = Symbols::of(table);
    let mut bits = symbols.bits();
    if symbols.count > 1 {
        let rice = rice_lengths(table).into_iter().min().unwrap_or(0);
        let kept: u32 = steps(table)
            .map(|(_, exponent, _)| 1 + exponent.min(table.precision()))
            .sum();
        bits += 4 + 2 + rank_bits(symbols.count) + rice + kept;
    }
    bits.div_ceil(8) as usize
}

/// Appends `table`.
pub fn write(table: &Table, out: &mut Vec<u8>) {
    let mut bits = Writer::new(out);
    let symbols = Symbols::of(table);
    if symbols.in_ranges() {
        bits.bits(0, 1);
        bits.gamma(symbols.ranges);
        ranges(table, |gap, start, end| {
            bits.gamma(gap);
            bits.gamma(end - start);
        });
    } else {
        bits.bits(1, 1);
        bits.bits(u32::from(symbols.first), 8);
        bits.bits(u32::from(symbols.last), 8);
        for symbol in symbols.first.saturating_add(1)..symbols.last {
            bits.bits(u32::from(table.frequency(symbol) > 0), 1);
        }
    }
    if symbols.count > 1 {
        let precision = table.precision();
        let lengths = rice_lengths(table);
        let rice = (0..4)
            .min_by_key(|&rice| lengths[rice as usize])
            .unwrap_or(0);
        let rank = table
            .occurring()
            .position(|(symbol, _)| symbol == table.mode());
        bits.bits(precision, 4);
        bits.bits(rice, 2);
        bits.bits(rank.unwrap_or(0) as u32, rank_bits(symbols.count));
        for (step, exponent, f) in steps(table) {
            bits.unary(step >> rice);
            bits.bits(step & ((1 << rice) - 1), rice);
            let kept = exponent.min(precision);
            bits.bits((f - (1 << exponent)) >> (exponent - kept), kept);
        }
    }
    bits.finish();
}

/// Bits of a number below `symbols`.
fn rank_bits(symbols: usize) -> u32 {
    (symbols - 1).checked_ilog2().map_or(0, |bits| bits + 1)
}

/// Calls `found` with every range of bytes that occur: its gap, its first byte, and the one behind it. A
/// gap counts the bytes since the range before; the first one is one more than it is, so that none is 0.
fn ranges(table: &Table, mut found: impl FnMut(u32, u32, u32)) {
    let mut open: Option<(u32, u32)> = None;
    let mut gap = 1;
    for symbol in 0..256 {
        let occurs = table.frequency(symbol as u8) > 0;
        match (&mut open, occurs) {
            (None, true) => open = Some((gap, symbol)),
            (None, false) => gap += 1,
            (Some(_), true) => {}
            (Some((before, start)), false) => {
                found(*before, *start, symbol);
                open = None;
                gap = 1;
            }
        }
    }
    if let Some((before, start)) = open {
        found(before, start, 256);
    }
}

/// Takes a table off the front of `data`.
pub fn read(data: &mut &[u8]) -> Result<Table, CoderError> {
    let mut bits = Reader::new(data);
    let symbols = read_symbols(&mut bits)?;
    let whole = 1_u32 << bits_for(symbols.len());
    let mut frequencies = [0; 256];
    let (mut mode, mut precision) = (symbols[0], 0);
    let mut left = whole;
    if symbols.len() > 1 {
        precision = bits.bits(4)?;
        let rice = bits.bits(2)?;
        let rank = bits.bits(rank_bits(symbols.len()))? as usize;
        mode = *symbols.get(rank).ok_or(CoderError::Corrupt)?;
        let mut exponent = 0_i32;
        for &symbol in symbols.iter().filter(|&&symbol| symbol != mode) {
            let step = bits.unary(31)? << rice | bits.bits(rice)?;
            exponent += (step >> 1) as i32 ^ -((step & 1) as i32);
            if !(0..bits_for(symbols.len()) as i32).contains(&exponent) {
                return Err(CoderError::Corrupt);
            }
            let kept = (exponent as u32).min(precision);
            let f = 1 << exponent | bits.bits(kept)? << (exponent as u32 - kept);
            left = left.checked_sub(f).ok_or(CoderError::Corrupt)?;
            frequencies[usize::from(symbol)] = f as u16;
        }
    }
    frequencies[usize::from(mode)] = left as u16;
    let rest = bits.finish()?;
    // What is left for the mode is 0 in a damaged table alone.
    let table = Table::new(frequencies, precision, mode).ok_or(CoderError::Corrupt)?;
    if table.symbols() != symbols.len() {
        return Err(CoderError::Corrupt);
    }
    *data = rest;
    Ok(table)
}

/// The bytes that occur, ascending; at least one.
fn read_symbols(bits: &mut Reader<'_>) -> Result<Vec<u8>, CoderError> {
    let mut symbols = Vec::with_capacity(256);
    if bits.bits(1)? == 0 {
        let mut end = 0;
        for range in 0..bits.gamma()? {
            let gap = bits.gamma()? - u32::from(range == 0);
            let start = end + gap;
            end = start + bits.gamma()?;
            if end > 256 {
                return Err(CoderError::Corrupt);
            }
            symbols.extend((start..end).map(|symbol| symbol as u8));
        }
    } else {
        let (first, last) = (bits.bits(8)? as u8, bits.bits(8)? as u8);
        if first > last {
            return Err(CoderError::Corrupt);
        }
        symbols.push(first);
        for symbol in first.saturating_add(1)..last {
            if bits.bits(1)? == 1 {
                symbols.push(symbol);
            }
        }
        if last > first {
            symbols.push(last);
        }
    }
    Ok(symbols)
}
