//! A plane of a block to bytes, by the method that is smallest.

use llmzip_coders::rans::{self, EncodeTable, Run, Table};

use super::super::classes::{CLASSES, group_by, pieces, runs_by};
use super::super::model::{Choice, PlaneModel, pack, write_length};
use super::super::simd::{Lengths, Set, cheapest, holds};
use super::super::train::entropy;
use super::repeats::{Repeats, Zstd};
use super::{CONSTANT, Effort, OWN, Place, RAW, SHARED, ZSTD};
use crate::simd::Level;

/// Bits in units of `2^-8` of a byte.
const BYTE: u64 = 8 << 8;
/// Of many symbols of a large alphabet one in so many is counted.
const PART: usize = 4;
/// What the states of a coder of so many symbols take, about.
fn states(symbols: usize) -> u64 {
    (8 + 4 * (symbols / 512).min(64) as u64) * BYTE
}

/// Memory for a block, whose content means nothing to the next one.
#[derive(Default)]
pub struct Scratch {
    grouped: Vec<u8>,
    classes: Vec<u8>,
    head: Vec<u8>,
    rans: rans::Encoder,
}

/// What an encoder knows of a segment's planes from block to block.
#[derive(Default)]
pub struct Habits {
    zstd: Zstd,
    /// By plane.
    repeats: [Repeats; super::super::kind::MAX_PLANES],
}

/// Appends which table suits each piece of a row best, by code length.
fn row_classes(
    symbols: &[u8],
    place: Place<'_>,
    lengths: &Lengths,
    classes: &mut Vec<u8>,
    level: Level,
) {
    let mut rest = symbols;
    for piece in pieces(place.row, place.column, rest.len()) {
        let (row, after) = rest.split_at(piece);
        classes.push(cheapest(row, lengths, level));
        rest = after;
    }
}

/// Symbols of a plane, evenly spread in runs of 64, one part in `part` of all.
fn sampled(symbols: &[u8], part: usize) -> Vec<u8> {
    const RUN: usize = 64;
    let mut sample = Vec::with_capacity(symbols.len() / part + RUN);
    for run in symbols.chunks(part * RUN) {
        sample.extend_from_slice(&run[..run.len().min(RUN)]);
    }
    sample
}

/// Whether a sample says that single symbols tell next to nothing.
pub fn looks_flat(symbols: &[u8]) -> bool {
    let sample = sampled(symbols, 32);
    sample.len() >= 2048
        && entropy(&rans::histogram(&sample)) * 1000 > sample.len() as u64 * BYTE * 988
}

/// Codes plane `number`, at least one symbol, onto `out`.
pub fn encode(
    number: usize,
    symbols: &[u8],
    place: Place<'_>,
    model: Option<&PlaneModel>,
    effort: Effort,
    (scratch, habits): (&mut Scratch, &mut Habits),
    out: &mut Vec<u8>,
) {
    let start = out.len();
    if symbols[1..] == symbols[..symbols.len() - 1] {
        out.extend_from_slice(&[CONSTANT, symbols[0]]);
        return;
    }
    match model {
        Some(model) if holds(&model.set, symbols, effort.simd) => {
            shared(symbols, place, model, effort, scratch, out);
            let coded = out.len() - start;
            let part = (symbols.len() >> 12).clamp(1, 32);
            let sample = sampled(symbols, part);
            let counts = rans::histogram(&sample);
            let bits = entropy(&counts) * symbols.len() as u64 / sample.len() as u64;
            let least = usize::try_from(bits / BYTE).unwrap_or(usize::MAX);
            if least < coded - coded / 64 {
                own(symbols, coded, effort, scratch, out, start);
            }
        }
        None if effort.worth < 4096 && looks_flat(symbols) => raw(symbols, out),
        _ => own(symbols, usize::MAX, effort, scratch, out, start),
    }
    let coded = out.len() - start;
    let limit = symbols.len() - symbols.len() / effort.worth as usize;
    if coded > limit && out[start] != RAW {
        out.truncate(start);
        raw(symbols, out);
    }
    if effort.zstd > 0 {
        let coded = out.len() - start;
        let repeats = &mut habits.repeats[number];
        if let Some(frame) = habits.zstd.shrink(repeats, symbols, coded, effort.zstd) {
            out.truncate(start);
            out.push(ZSTD);
            write_length(frame.len(), out);
            out.extend_from_slice(frame);
        }
    }
}

fn raw(symbols: &[u8], out: &mut Vec<u8>) {
    out.push(RAW);
    out.extend_from_slice(symbols);
}

/// How often each symbol occurs: about, where most of 256 do and there are many, but never 0 times where
/// it does.
fn counts(symbols: &[u8], level: Level) -> [u32; 256] {
    if symbols.len() >= 1 << 16 {
        let part = rans::histogram(&sampled(symbols, PART));
        let set = Set::of(&part);
        if set.len() > 128 && holds(&set, symbols, level) {
            return part.map(|n| n * PART as u32);
        }
    }
    rans::histogram(symbols)
}

/// Replaces what was coded from `start` on, if anything, by the block's own table, or as it is, where
/// that is shorter than `coded` bytes.
fn own(
    symbols: &[u8],
    coded: usize,
    effort: Effort,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
    start: usize,
) {
    let counts = counts(symbols, effort.simd);
    let all = symbols.len() as u64 * BYTE;
    let limit = (all - all / effort.worth).min((coded as u64).saturating_mul(BYTE));
    let mut best = None;
    if entropy(&counts) < limit {
        best = Table::from_counts(&counts);
    }
    let best = best.filter(|table| {
        scratch.head.clear();
        table.write(&mut scratch.head);
        table.cost(&counts) + scratch.head.len() as u64 * BYTE + states(symbols.len()) < limit
    });
    match best {
        Some(table) => {
            out.truncate(start);
            let run = Run {
                symbols,
                table: &EncodeTable::from(&table),
            };
            out.push(OWN);
            out.extend_from_slice(&scratch.head);
            stream(&[run], effort, &mut scratch.rans, out);
        }
        None if coded > symbols.len() => {
            out.truncate(start);
            raw(symbols, out);
        }
        None => {}
    }
}

fn stream(runs: &[Run<'_>], effort: Effort, rans: &mut rans::Encoder, out: &mut Vec<u8>) {
    let stream = rans.encode(runs, effort.simd);
    write_length(stream.len(), out);
    stream.write(out);
}

/// Codes with the segment's tables, which have all symbols.
fn shared(
    symbols: &[u8],
    place: Place<'_>,
    model: &PlaneModel,
    effort: Effort,
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) {
    out.push(SHARED);
    let Scratch {
        grouped,
        classes,
        rans,
        ..
    } = scratch;
    match &model.choice {
        Choice::One => {
            let run = Run {
                symbols,
                table: &model.encode[0],
            };
            stream(&[run], effort, rans, out);
        }
        Choice::Rows => {
            classes.clear();
            row_classes(symbols, place, &model.lengths, classes, effort.simd);
            pack(classes, out);
            let runs = row_runs(symbols, place, classes, &model.encode);
            stream(&runs, effort, rans, out);
        }
        Choice::Columns(columns) => {
            grouped.resize(symbols.len(), 0);
            let runs = columns.group(place.column, symbols, grouped);
            stream(
                &class_runs(grouped, &runs, &model.encode),
                effort,
                rans,
                out,
            );
        }
        Choice::Given(classes) => {
            grouped.resize(symbols.len(), 0);
            let runs = runs_by(classes, place.given);
            group_by(classes, place.given, symbols, grouped);
            stream(
                &class_runs(grouped, &runs, &model.encode),
                effort,
                rans,
                out,
            );
        }
    }
}

/// Runs of whole pieces of rows, in order.
fn row_runs<'a>(
    symbols: &'a [u8],
    place: Place<'_>,
    classes: &[u8],
    tables: &'a [EncodeTable],
) -> Vec<Run<'a>> {
    let mut at = 0;
    pieces(place.row, place.column, symbols.len())
        .zip(classes)
        .map(|(piece, &class)| {
            at += piece;
            Run {
                symbols: &symbols[at - piece..at],
                table: &tables[usize::from(class)],
            }
        })
        .collect()
}

fn class_runs<'a>(
    grouped: &'a [u8],
    runs: &[usize; CLASSES],
    tables: &'a [EncodeTable],
) -> Vec<Run<'a>> {
    let mut rest = grouped;
    runs.iter()
        .zip(tables)
        .map(|(&run, table)| {
            let (symbols, after) = rest.split_at(run);
            rest = after;
            Run { symbols, table }
        })
        .collect()
}
