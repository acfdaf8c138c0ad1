//! Tables as bytes: FORMAT.md, "rANS".

use super::Table;
use super::bits::{Reader, Writer};
use super::table::bits_for;
use crate::CoderError;

/// Appends `table`.
pub fn write(table: &Table, out: &mut Vec<u8>) {
    let mut bits = Writer::new(out);
    let occurring: Vec<(u8, u32)> = table.occurring().collect();
    let (first, last) = (occurring[0].0, occurring[occurring.len() - 1].0);
    let ranges = ranges(table);
    let gamma = |value: u32| 2 * value.ilog2() + 1;
    let as_ranges =
        gamma(ranges.len() as u32 / 2) + ranges.iter().map(|&length| gamma(length)).sum::<u32>();
    let between = u32::from(last - first).saturating_sub(1);
    if as_ranges <= 16 + between {
        bits.bits(0, 1);
        bits.gamma(ranges.len() as u32 / 2);
        for length in ranges {
            bits.gamma(length);
        }
    } else {
        bits.bits(1, 1);
        bits.bits(u32::from(first), 8);
        bits.bits(u32::from(last), 8);
        for symbol in first.saturating_add(1)..last {
            bits.bits(u32::from(table.frequency(symbol) > 0), 1);
        }
    }
    if occurring.len() > 1 {
        let precision = table.precision();
        let steps = || {
            let mut before = 0;
            occurring
                .iter()
                .filter(|&&(symbol, _)| symbol != table.mode())
                .map(move |&(_, f)| {
                    let exponent = f.ilog2();
                    let step = exponent as i32 - before;
                    before = exponent as i32;
                    (((step << 1) ^ (step >> 31)) as u32, exponent, f)
                })
        };
        let length = |rice: u32| steps().map(|(step, ..)| (step >> rice) + rice).sum::<u32>();
        let rice = (0..4).min_by_key(|&rice| length(rice)).unwrap_or(0);
        let rank = occurring
            .iter()
            .position(|&(symbol, _)| symbol == table.mode());
        bits.bits(precision, 4);
        bits.bits(rice, 2);
        bits.bits(rank.unwrap_or(0) as u32, rank_bits(occurring.len()));
        for (step, exponent, f) in steps() {
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

/// Lengths, in turn, of bytes that do not occur and that do, up to the last that does. The first
/// length is one more than it is, so that none is 0.
fn ranges(table: &Table) -> Vec<u32> {
    let mut lengths = vec![1];
    let mut inside = false;
    let mut end = 0;
    for (symbol, _) in table.occurring() {
        let symbol = u32::from(symbol);
        if !inside {
            lengths[0] += symbol;
            lengths.push(1);
            inside = true;
        } else if symbol == end {
            *lengths.last_mut().expect("a range was begun") += 1;
        } else {
            lengths.extend([symbol - end, 1]);
        }
        end = symbol + 1;
    }
    lengths
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
