//! A plane of a block to bytes, by the method that is smallest.

use llmzip_coders::rans::{self, EncodeTable, Run, Table};

use super::super::classes::{CLASSES, group_by, pieces, runs_by};
use super::super::kind::MAX_PLANES;
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
    /// By plane: what the segment's tables made of it, or nothing where that is not known yet.
    shared: [Vec<u8>; MAX_PLANES],
}

/// What an encoder knows of a segment's planes from block to block.
#[derive(Default)]
pub struct Habits {
    zstd: Zstd,
    /// By plane.
    repeats: [Repeats; MAX_PLANES],
    /// By plane: for how many blocks the segment's tables are not asked, since a block's own were better.
    own: [u8; MAX_PLANES],
}

/// Blocks that are coded with their own table after one for which that was better.
const OWN_AGAIN: u8 = 7;

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
    let known = !scratch.shared[number].is_empty();
    match model {
        Some(_) if habits.own[number] > 0 && !known => {
            habits.own[number] -= 1;
            own(symbols, usize::MAX, effort, scratch, out, start);
        }
        Some(model) if known || holds(&model.set, symbols, effort.simd) => {
            if known {
                out.append(&mut scratch.shared[number]);
            } else {
                shared(symbols, place, model, effort, scratch, out);
            }
            let coded = out.len() - start;
            let part = (symbols.len() >> 12).clamp(1, 32);
            let sample = sampled(symbols, part);
            let counts = rans::histogram(&sample);
            let bits = entropy(&counts) * symbols.len() as u64 / sample.len() as u64;
            let least = usize::try_from(bits / BYTE).unwrap_or(usize::MAX);
            if least < coded - coded / 64 {
                own(symbols, coded, effort, scratch, out, start);
                if out[start] == OWN {
                    habits.own[number] = OWN_AGAIN;
                }
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
    write_stream(&rans.encode(runs, effort.simd), out);
}

fn write_stream(stream: &rans::Stream<'_>, out: &mut Vec<u8>) {
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
    let Scratch {
        grouped,
        classes,
        rans,
        ..
    } = scratch;
    out.push(SHARED);
    let runs = runs(symbols, place, model, effort, (grouped, classes), out);
    stream(&runs, effort, rans, out);
}

/// Codes plane `number` of two blocks, `symbols` of each, with the segment's tables, for [`encode`] to
/// take: two streams at a time take less than twice as long as one. Where one of the blocks has symbols
/// that the tables lack, or only one, nothing is done.
pub fn encode_ahead(
    number: usize,
    symbols: [&[u8]; 2],
    places: [Place<'_>; 2],
    model: &PlaneModel,
    effort: Effort,
    (scratches, habits): ([&mut Scratch; 2], &Habits),
) {
    if habits.own[number] > 0 {
        return;
    }
    let fits = |symbols: &[u8]| {
        symbols[1..] != symbols[..symbols.len() - 1] && holds(&model.set, symbols, effort.simd)
    };
    if !symbols.iter().all(|symbols| fits(symbols)) {
        return;
    }
    let [first, second] = scratches;
    let (out_a, out_b) = (&mut first.shared[number], &mut second.shared[number]);
    let (memory_a, memory_b) = (
        (&mut first.grouped, &mut first.classes),
        (&mut second.grouped, &mut second.classes),
    );
    out_a.push(SHARED);
    out_b.push(SHARED);
    let runs_a = runs(symbols[0], places[0], model, effort, memory_a, out_a);
    let runs_b = runs(symbols[1], places[1], model, effort, memory_b, out_b);
    let encoders = [&mut first.rans, &mut second.rans];
    let [a, b] = rans::encode_two(encoders, [&runs_a, &runs_b], effort.simd);
    write_stream(&a, out_a);
    write_stream(&b, out_b);
}

/// What a stream with the segment's tables consists of; what comes before it is appended to `out`.
fn runs<'a>(
    symbols: &'a [u8],
    place: Place<'_>,
    model: &'a PlaneModel,
    effort: Effort,
    (grouped, classes): (&'a mut Vec<u8>, &'a mut Vec<u8>),
    out: &mut Vec<u8>,
) -> Vec<Run<'a>> {
    match &model.choice {
        Choice::One => {
            vec![Run {
                symbols,
                table: &model.encode[0],
            }]
        }
        Choice::Rows => {
            classes.clear();
            row_classes(symbols, place, &model.lengths, classes, effort.simd);
            pack(classes, out);
            row_runs(symbols, place, classes, &model.encode)
        }
        Choice::Columns(columns) => {
            grouped.resize(symbols.len(), 0);
            let runs = columns.group(place.column, symbols, grouped);
            class_runs(grouped, &runs, &model.encode)
        }
        Choice::Given(classes) | Choice::First(classes) => {
            grouped.resize(symbols.len(), 0);
            let runs = runs_by(classes, place.given);
            if matches!(model.choice, Choice::First(_)) {
                for &run in &runs[..model.encode.len()] {
                    write_length(run, out);
                }
            }
            group_by(classes, place.given, symbols, grouped);
            class_runs(grouped, &runs, &model.encode)
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
