//! One plane of a block: which method is smallest, and its bytes.

use llmzip_coders::rans::{self, DecodeTable, EncodeTable, Run, Table};

use super::classes::{CLASSES, group_by, pieces, runs_by, ungroup_by};
use super::mix::{Mix, Start};
use super::model::{
    Choice, Model, PlaneModel, byte, pack, read_varint, row_symbols, take, unpack, write_varint,
};
use super::settings::Settings;
use super::train::entropy;
use crate::segment::PredictorError;
use crate::simd::{self, Job, Kernels, Level};

const RAW: u8 = 0;
const CONSTANT: u8 = 1;
/// A table of its own.
const OWN: u8 = 2;
/// The segment's tables, as the plane's model chooses them.
const SHARED: u8 = 3;
const ZSTD: u8 = 4;
/// The segment's adaptive model.
pub const MIX: u8 = 5;

/// Bits in units of `2^-8` of a byte.
const BYTE: u64 = 8 << 8;
/// What the states of a coder take, about.
const STATES: u64 = 200 * BYTE;

const BAD: PredictorError = PredictorError::Corrupt("a plane of a tensor is damaged");

/// How hard an encoder tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// A plane is coded if that saves one part in this many: decoding costs time.
    pub worth: u64,
    /// Whether rows and columns may have tables of their own.
    pub rows: bool,
    /// zstd's level for planes that repeat, 0 to leave it out.
    pub zstd: i32,
    /// Whether planes may be mixed.
    pub mix: bool,
    pub simd: Level,
}

/// Where a plane's block lies in its rows, and what is given with each symbol.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Symbols of a row, 0 if there are none.
    pub row: usize,
    /// Column of the first symbol.
    pub column: usize,
    /// A byte for each symbol, or nothing.
    pub given: &'a [u8],
}

/// Finds the table that suits each piece of a row best; gives the sum of code lengths.
struct RowClasses<'a> {
    symbols: &'a [u8],
    place: Place<'a>,
    lengths: &'a [[u32; CLASSES]],
    classes: &'a mut Vec<u8>,
}

impl Job for RowClasses<'_> {
    type Output = u64;

    #[inline(always)]
    fn run<K: Kernels>(self) -> u64 {
        let mut rest = self.symbols;
        let mut sum = 0;
        for piece in pieces(self.place.row, self.place.column, rest.len()) {
            let (row, after) = rest.split_at(piece);
            let costs = costs(row, self.lengths);
            let best = (0..).zip(costs).min_by_key(|&(_, cost)| cost);
            let (class, cost) = best.unwrap_or((0, 0));
            self.classes.push(class);
            sum += u64::from(cost);
            rest = after;
        }
        sum
    }
}

/// Code length of symbols by each of 16 tables.
#[inline(always)]
fn costs(symbols: &[u8], lengths: &[[u32; CLASSES]]) -> [u32; CLASSES] {
    let mut sums = [0; CLASSES];
    for &symbol in symbols {
        let add = &lengths[usize::from(symbol)];
        for (sum, length) in sums.iter_mut().zip(add) {
            *sum += length;
        }
    }
    sums
}

/// Whether a sample says that single symbols tell next to nothing.
pub fn looks_flat(symbols: &[u8]) -> bool {
    const SAMPLE: usize = 64;
    let sample: Vec<u8> = symbols
        .chunks(32 * SAMPLE)
        .flat_map(|run| &run[..run.len().min(SAMPLE)])
        .copied()
        .collect();
    sample.len() >= 32 * SAMPLE
        && entropy(&rans::histogram(&sample)) * 1000 > sample.len() as u64 * BYTE * 988
}

/// Code length by the shared tables, and the class of each piece of a row where rows choose.
fn shared_cost(
    symbols: &[u8],
    counts: &[u32; 256],
    place: Place<'_>,
    model: &PlaneModel,
    grouped: &mut Vec<u8>,
    level: Level,
) -> (u64, Vec<u8>) {
    let mut classes = Vec::new();
    let cost = match &model.choice {
        Choice::One => model.tables[0].cost(counts),
        Choice::Rows => {
            let job = RowClasses {
                symbols,
                place,
                lengths: &model.lengths,
                classes: &mut classes,
            };
            simd::run(level, job) + classes.len() as u64 * BYTE / 2
        }
        Choice::Columns(columns) => {
            grouped.resize(symbols.len(), 0);
            let runs = columns.group(place.column, symbols, grouped);
            runs_cost(grouped, &runs, &model.tables)
        }
        Choice::Given(classes) => {
            grouped.resize(symbols.len(), 0);
            let runs = group_by(classes, place.given, symbols, grouped);
            runs_cost(grouped, &runs, &model.tables)
        }
    };
    (cost, classes)
}

fn runs_cost(grouped: &[u8], runs: &[usize; CLASSES], tables: &[Table]) -> u64 {
    let mut rest = grouped;
    runs.iter().zip(tables).fold(0_u64, |sum, (&run, table)| {
        let (own, after) = rest.split_at(run);
        rest = after;
        sum.saturating_add(table.cost(&rans::histogram(own)))
    })
}

fn push_coded(method: u8, head: &[u8], coded: &[u8], out: &mut Vec<u8>) {
    out.push(method);
    out.extend_from_slice(head);
    write_varint(coded.len(), out);
    out.extend_from_slice(coded);
}

/// Codes `symbols`, at least one, onto `out`.
pub fn encode(
    symbols: &[u8],
    place: Place<'_>,
    model: Option<&PlaneModel>,
    effort: Effort,
    out: &mut Vec<u8>,
) {
    let start = out.len();
    if effort.worth < 4096 && model.is_none() && looks_flat(symbols) {
        out.push(RAW);
        out.extend_from_slice(symbols);
        shrink(symbols, start, effort, out);
        return;
    }
    let counts = rans::histogram(symbols);
    if counts[usize::from(symbols[0])] as usize == symbols.len() {
        out.extend_from_slice(&[CONSTANT, symbols[0]]);
        return;
    }
    let raw = symbols.len() as u64 * BYTE;
    let limit = raw - raw / effort.worth;
    let mut grouped = Vec::new();
    let (shared, classes) = match model {
        Some(model) if model.takes(&counts) => {
            shared_cost(symbols, &counts, place, model, &mut grouped, effort.simd)
        }
        _ => (u64::MAX, Vec::new()),
    };
    let mut head = Vec::new();
    let mut own = None;
    if entropy(&counts) < limit.min(shared) {
        own = Table::from_counts(&counts);
    }
    let own_cost = own.as_ref().map_or(u64::MAX, |table| {
        table.write(&mut head);
        table.cost(&counts) + head.len() as u64 * BYTE
    });
    if own_cost.min(shared).saturating_add(STATES) >= limit {
        out.push(RAW);
        out.extend_from_slice(symbols);
    } else if let (Some(model), true) = (model, shared <= own_cost) {
        head.clear();
        let coded = match &model.choice {
            Choice::One => rans::encode(
                &[Run {
                    symbols,
                    table: &model.encode[0],
                }],
                effort.simd,
            ),
            Choice::Rows => {
                pack(&classes, &mut head);
                rans::encode(
                    &row_runs(symbols, place, &classes, &model.encode),
                    effort.simd,
                )
            }
            Choice::Columns(columns) => {
                let runs = columns.runs(place.column, symbols.len());
                rans::encode(&class_runs(&grouped, &runs, &model.encode), effort.simd)
            }
            Choice::Given(classes) => {
                let runs = runs_by(classes, place.given);
                rans::encode(&class_runs(&grouped, &runs, &model.encode), effort.simd)
            }
        };
        push_coded(SHARED, &head, &coded, out);
    } else if let Some(table) = own {
        let coded = rans::encode(
            &[Run {
                symbols,
                table: &EncodeTable::from(&table),
            }],
            effort.simd,
        );
        push_coded(OWN, &head, &coded, out);
    }
    shrink(symbols, start, effort, out);
}

/// Replaces what was coded from `start` on by zstd's where strings repeat.
fn shrink(symbols: &[u8], start: usize, effort: Effort, out: &mut Vec<u8>) {
    if effort.zstd > 0 && repeats(symbols, out.len() - start) {
        let limit = out.len() - start;
        if let Some(frame) = compress(symbols, effort.zstd)
            && frame.len() + 8 < limit - limit / 64
        {
            out.truncate(start);
            push_coded(ZSTD, &[], &frame, out);
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

/// Whether a sample says that strings repeat more than single symbols tell.
fn repeats(symbols: &[u8], coded: usize) -> bool {
    const SAMPLE: usize = 8 << 10;
    let sample = &symbols[..symbols.len().min(SAMPLE)];
    let share = coded * sample.len() / symbols.len();
    compress(sample, 1).is_some_and(|frame| frame.len() < share - share / 32)
}

fn compress(symbols: &[u8], level: i32) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(zstd_safe::compress_bound(symbols.len()));
    zstd_safe::compress(&mut out, symbols, level).ok()?;
    Some(out)
}

/// Decodes a plane of `len` symbols, at least one. Stored ones are not copied: the slice that is
/// returned is of `data` or of `buffer`.
pub fn decode<'a>(
    data: &mut &'a [u8],
    len: usize,
    place: Place<'_>,
    model: Option<&PlaneModel>,
    buffer: &'a mut Vec<u8>,
    grouped: &mut Vec<u8>,
    simd: Level,
) -> Result<&'a [u8], PredictorError> {
    let method = byte(data)?;
    if method == RAW {
        return take(data, len);
    }
    buffer.resize(len, 0);
    match method {
        CONSTANT => buffer.fill(byte(data)?),
        OWN => {
            let table = DecodeTable::from(&Table::read(data)?);
            let mut decoder = rans::Decoder::new(coded(data)?, simd)?;
            decoder.run(&table, buffer)?;
            decoder.finish()?;
        }
        SHARED => shared(data, place, model.ok_or(BAD)?, buffer, grouped, simd)?,
        ZSTD => {
            let frame = coded(data)?;
            let got = zstd_safe::decompress(&mut buffer[..], frame).map_err(|_| BAD)?;
            if got != len {
                return Err(BAD);
            }
        }
        _ => return Err(BAD),
    }
    Ok(buffer)
}

fn coded<'a>(data: &mut &'a [u8]) -> Result<&'a [u8], PredictorError> {
    let len = read_varint(data)?;
    take(data, len)
}

fn shared(
    data: &mut &[u8],
    place: Place<'_>,
    model: &PlaneModel,
    buffer: &mut [u8],
    grouped: &mut Vec<u8>,
    simd: Level,
) -> Result<(), PredictorError> {
    match &model.choice {
        Choice::One => {
            let mut decoder = rans::Decoder::new(coded(data)?, simd)?;
            decoder.run(&model.decode[0], buffer)?;
            decoder.finish()?;
        }
        Choice::Rows => {
            let count = pieces(place.row, place.column, buffer.len()).count();
            let classes = unpack(data, count)?;
            let mut decoder = rans::Decoder::new(coded(data)?, simd)?;
            let mut rest = &mut buffer[..];
            for (piece, class) in pieces(place.row, place.column, rest.len()).zip(classes) {
                let table = model.decode.get(usize::from(class)).ok_or(BAD)?;
                let (symbols, after) = rest.split_at_mut(piece);
                decoder.run(table, symbols)?;
                rest = after;
            }
            decoder.finish()?;
        }
        Choice::Columns(columns) => {
            let runs = columns.runs(place.column, buffer.len());
            grouped.resize(buffer.len(), 0);
            decode_runs(data, &runs, &model.decode, grouped, simd)?;
            columns.ungroup(place.column, grouped, buffer);
        }
        Choice::Given(classes) => {
            let runs = runs_by(classes, place.given);
            grouped.resize(buffer.len(), 0);
            decode_runs(data, &runs, &model.decode, grouped, simd)?;
            ungroup_by(classes, place.given, grouped, buffer);
        }
    }
    Ok(())
}

fn decode_runs(
    data: &mut &[u8],
    runs: &[usize; CLASSES],
    tables: &[DecodeTable],
    grouped: &mut [u8],
    simd: Level,
) -> Result<(), PredictorError> {
    let mut decoder = rans::Decoder::new(coded(data)?, simd)?;
    let mut rest = grouped;
    for (&run, table) in runs.iter().zip(tables) {
        let (symbols, after) = rest.split_at_mut(run);
        decoder.run(table, symbols)?;
        rest = after;
    }
    decoder.finish()?;
    Ok(())
}

/// Codes `symbols`, at least one, with an adaptive model that learns from them; `first` has the
/// symbols of plane 0.
pub fn encode_mixed(
    symbols: &[u8],
    first: &[u8],
    place: Place<'_>,
    mix: &mut Mix,
    simd: Level,
    out: &mut Vec<u8>,
) {
    if symbols.iter().all(|&symbol| symbol == symbols[0]) {
        out.extend_from_slice(&[CONSTANT, symbols[0]]);
    } else {
        out.push(MIX);
        mix.encode(symbols, first, place.column, simd, out);
    }
}

/// The models of the planes that are mixed, as new.
pub fn mixes_of(model: &Model, settings: Settings) -> Vec<Option<Mix>> {
    let mix = |(number, start): (usize, &Option<Start>)| {
        let row = row_symbols(settings.kind, number, settings.row);
        start.as_ref().map(|start| Mix::new(start, row))
    };
    model.mixed.iter().enumerate().map(mix).collect()
}

/// The model of plane `number`.
pub fn model_of(model: &Model, number: usize) -> Option<&PlaneModel> {
    model.planes.get(number).and_then(Option::as_ref)
}
