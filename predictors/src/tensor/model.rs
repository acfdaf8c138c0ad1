//! Static tables of a segment's planes: trained by the encoder, sent with the first coded chunk.

use llmzip_coders::rans::{DecodeTable, EncodeTable, Table};

use super::classes::{CLASSES, Columns};
use super::kind::{Kind, Split};
use super::mix::Start;
use super::plane::{Effort, looks_flat};
use super::sample::{Sample, complete};
use super::simd::{Lengths, Set};
use super::train::{Found, entropy, look, look_given};
use crate::segment::PredictorError;
use crate::varint;

const BAD: PredictorError = PredictorError::Corrupt("tables of a tensor are damaged");

/// Form of a plane without tables that is mixed.
const MIXED: u8 = 5;
/// Form of a plane whose tables plane 0 chooses.
const FIRST: u8 = 6;

/// What a base must save of a plane, and what plane 0 must, one part in so many: both make decoding slower.
const LEAST_BY_BASE: u64 = 100;
const LEAST_BY_FIRST: u64 = 400;

/// Whether plane 0 may choose the tables of plane `number`: both have a symbol of each unit.
fn may_follow_first(kind: &Kind, number: usize) -> bool {
    number > 0 && kind.elements == 1
}

/// How a plane's tables are chosen.
pub enum Choice {
    /// There is one.
    One,
    /// By a class that is stored for every piece of a row.
    Rows,
    /// By the column's class.
    Columns(Columns),
    /// By the class of what is given with each symbol: the base's exponent.
    Given(Box<[u8; 256]>),
    /// By the class of what plane 0 has in the same unit.
    First(Box<[u8; 256]>),
}

/// Tables of one plane.
pub struct PlaneModel {
    pub choice: Choice,
    pub tables: Vec<Table>,
    pub encode: Vec<EncodeTable>,
    /// For an encoder: bits in units of `2^-8` that each table takes for each symbol.
    pub lengths: Box<Lengths>,
    /// For an encoder: the symbols that all tables have.
    pub set: Set,
    pub decode: Vec<DecodeTable>,
}

impl PlaneModel {
    /// Whether tables of all symbols of a plane, which occur as often as `counts` says, save more than
    /// they take: of a short plane they may not.
    fn pays(&self, counts: &[u32; 256]) -> bool {
        let mut tables = Vec::new();
        self.tables
            .iter()
            .for_each(|table| table.write(&mut tables));
        let coded = entropy(counts) >> 11;
        let all: u32 = counts.iter().sum();
        (coded as usize) + tables.len() < all as usize || self.tables.len() > 1
    }
}

/// One for each plane that has tables.
#[derive(Default)]
pub struct Model {
    pub planes: Vec<Option<PlaneModel>>,
    /// What the planes that are mixed start from.
    pub mixed: Vec<Option<Start>>,
}

/// Symbols of a plane in a row of `row` elements; 0 where rows do not hold whole units.
pub fn row_symbols(kind: &Kind, plane: usize, row: usize) -> usize {
    if row.is_multiple_of(kind.elements) {
        row / kind.elements * kind.width(plane)
    } else {
        0
    }
}

impl Model {
    /// Without tables.
    pub fn empty(kind: &Kind) -> Self {
        Self {
            planes: (0..kind.planes()).map(|_| None).collect(),
            mixed: vec![None; kind.planes()],
        }
    }

    /// Looks at a sample of a segment; `rows` tells whether rows and columns may differ, `given` holds
    /// a byte for each unit that tables may be chosen by, or nothing. `units`, all whole units of the
    /// segment, tell which symbols there are.
    pub fn train(
        kind: &Kind,
        sample: &Sample,
        units: &[u8],
        row: usize,
        effort: Effort,
        given: &[u8],
    ) -> Self {
        let level = effort.simd;
        let look = |(number, plane): (usize, &Vec<u8>)| {
            let row = if effort.rows {
                row_symbols(kind, number, row)
            } else {
                0
            };
            let first = effort.by_first && may_follow_first(kind, number) && given.is_empty();
            if plane.is_empty() || given.is_empty() && !first && looks_flat(plane) {
                return None;
            }
            let histogram = llmzip_coders::rans::histogram(plane);
            let ordered = kind.split == Split::Float && number == 0;
            let all = units.len() / kind.unit * kind.width(number);
            let alone = |row| look(plane, &histogram, row, sample.rows, ordered, level);
            let found = if !given.is_empty() {
                look_given(plane, &histogram, given, (all, LEAST_BY_BASE), level)
                    .or_else(|| alone(0))
            } else if first {
                let by = &sample.planes[0];
                let by_first = look_given(plane, &histogram, by, (all, LEAST_BY_FIRST), level);
                let both = by_first.into_iter().chain(alone(row));
                both.min_by_key(|&(cost, _)| cost)
            } else {
                alone(row)
            };
            Some((found?.1, histogram))
        };
        let (found, mut known): (Vec<_>, Vec<_>) = sample
            .planes
            .iter()
            .enumerate()
            .map(look)
            .map(Option::unzip)
            .unzip();
        if !sample.all {
            complete(kind, units, &mut known, level);
        }
        let planes = found.into_iter().zip(&known);
        Self {
            planes: planes
                .map(|(found, known)| {
                    let known = known.as_ref()?;
                    plane(found?, known, sample.all, given.is_empty())
                        .filter(|model| !sample.all || model.pays(known))
                })
                .collect(),
            mixed: vec![None; kind.planes()],
        }
    }

    /// For each plane: 0 for none, or 1, 2, 3, 4, 6 for one table, tables by row, by column, by what is
    /// given, by plane 0; then the number of tables, the classes (four bits each) of all columns or of
    /// the 256 values that can be given, and the tables. Or 5 and what mixing starts from.
    pub fn write(&self, out: &mut Vec<u8>) {
        for (plane, mixed) in self.planes.iter().zip(&self.mixed) {
            if let Some(start) = mixed {
                out.push(MIXED);
                start.write(out);
                continue;
            }
            let Some(plane) = plane else {
                out.push(0);
                continue;
            };
            out.push(match plane.choice {
                Choice::One => 1,
                Choice::Rows => 2,
                Choice::Columns(_) => 3,
                Choice::Given(_) => 4,
                Choice::First(_) => FIRST,
            });
            out.push(plane.tables.len() as u8);
            match &plane.choice {
                Choice::Columns(columns) => pack(columns.classes(), out),
                Choice::Given(classes) | Choice::First(classes) => pack(&classes[..], out),
                _ => {}
            }
            plane.tables.iter().for_each(|table| table.write(out));
        }
    }

    /// # Errors
    /// [`PredictorError::Corrupt`] if the bytes are no model for this kind and row.
    pub fn read(
        kind: &Kind,
        row: usize,
        given: bool,
        data: &mut &[u8],
    ) -> Result<Self, PredictorError> {
        let mut model = Self::empty(kind);
        for (number, plane) in model.planes.iter_mut().enumerate() {
            let form = byte(data)?;
            if form == 0 {
                continue;
            }
            if form == MIXED {
                if given {
                    return Err(BAD);
                }
                model.mixed[number] = Some(Start::read(kind, number, data)?);
                continue;
            }
            let count = usize::from(byte(data)?);
            let symbols = row_symbols(kind, number, row);
            if !(1..=CLASSES).contains(&count) || (matches!(form, 2 | 3) && symbols == 0) {
                return Err(BAD);
            }
            let choice = match form {
                1 if count == 1 => Choice::One,
                2 => Choice::Rows,
                3 => Choice::Columns(Columns::new(classes(data, symbols, count)?)),
                4 if given => Choice::Given(classes_of_values(data, count)?),
                FIRST if !given && may_follow_first(kind, number) && model.mixed[0].is_none() => {
                    Choice::First(classes_of_values(data, count)?)
                }
                _ => return Err(BAD),
            };
            let tables = (0..count)
                .map(|_| Table::read(data))
                .collect::<Result<Vec<_>, _>>()?;
            *plane = Some(PlaneModel {
                choice,
                decode: tables.iter().map(DecodeTable::from).collect(),
                encode: Vec::new(),
                lengths: Box::default(),
                set: Set::of(&[0; 256]),
                tables,
            });
        }
        Ok(model)
    }
}

/// What was found for a plane with the symbols of `known`, ready to code with; `all`: in all of it;
/// `first`: what is given with a symbol is what plane 0 has.
fn plane(found: Found, known: &[u32; 256], all: bool, first: bool) -> Option<PlaneModel> {
    let (choice, mut histograms) = match found {
        Found::One(histograms) => (Choice::One, histograms),
        Found::Rows(histograms) => (Choice::Rows, histograms),
        Found::Columns(classes, histograms) => {
            (Choice::Columns(Columns::new(classes).ordered()), histograms)
        }
        Found::Given(classes, histograms) if first => (Choice::First(classes), histograms),
        Found::Given(classes, histograms) => (Choice::Given(classes), histograms),
    };
    for histogram in &mut histograms {
        for (n, &known) in histogram.iter_mut().zip(known) {
            // Every table takes every symbol of the plane, so that any row can be coded.
            *n = (*n).max(u32::from(known > 0));
        }
    }
    let made = if all {
        Table::from_counts
    } else {
        Table::about_counts
    };
    let tables: Vec<Table> = histograms.iter().filter_map(made).collect();
    Some(PlaneModel {
        encode: tables.iter().map(EncodeTable::from).collect(),
        lengths: lengths(&tables),
        set: Set::of(known),
        decode: Vec::new(),
        choice,
        tables,
    })
}

/// A class below `count` for each value of a byte.
fn classes_of_values(data: &mut &[u8], count: usize) -> Result<Box<[u8; 256]>, PredictorError> {
    let classes = classes(data, 256, count)?;
    Ok(Box::new(std::array::from_fn(|value| classes[value])))
}

/// `items` classes below `count`.
fn classes(data: &mut &[u8], items: usize, count: usize) -> Result<Vec<u8>, PredictorError> {
    let classes = unpack(data, items)?;
    if classes.iter().any(|&class| usize::from(class) >= count) {
        return Err(BAD);
    }
    Ok(classes)
}

/// More than any symbol takes; the sum of four fits 16 bits, that over a block 32.
const NEVER: u32 = (1 << 14) - 1;

fn lengths(tables: &[Table]) -> Box<Lengths> {
    let mut lengths = Box::<Lengths>::default();
    for (symbol, lengths) in (0..=255).zip(&mut lengths.0) {
        *lengths = std::array::from_fn(|class| {
            let length = tables.get(class).and_then(|table| table.length(symbol));
            length.unwrap_or(NEVER).min(NEVER) as u16
        });
    }
    lengths
}

/// Takes a byte off the front.
pub fn byte(data: &mut &[u8]) -> Result<u8, PredictorError> {
    Ok(take(data, 1)?[0])
}

/// Takes bytes off the front.
pub fn take<'a>(data: &mut &'a [u8], len: usize) -> Result<&'a [u8], PredictorError> {
    data.split_off(..len).ok_or(PredictorError::Corrupt(
        "coded data of a tensor ends too early",
    ))
}

/// Values below 16, two in a byte, the first in the lower half.
pub fn pack(values: &[u8], out: &mut Vec<u8>) {
    out.extend(
        values
            .chunks(2)
            .map(|pair| pair[0] | pair.get(1).unwrap_or(&0) << 4),
    );
}

/// The inverse of [`pack`].
pub fn unpack(data: &mut &[u8], count: usize) -> Result<Vec<u8>, PredictorError> {
    let packed = take(data, count.div_ceil(2))?;
    let mut values = vec![0; 2 * packed.len()];
    for (pair, &byte) in values.as_chunks_mut().0.iter_mut().zip(packed) {
        *pair = [byte & 15, byte >> 4];
    }
    if values.len() > count && values.pop() != Some(0) {
        return Err(BAD);
    }
    Ok(values)
}

/// Writes a length of at most 28 bits.
pub fn write_length(length: usize, out: &mut Vec<u8>) {
    varint::write(length as u64, out);
}

/// Reads what [`write_length`] wrote, or a longer form of it in at most four bytes.
pub fn read_length(data: &mut &[u8]) -> Result<usize, PredictorError> {
    let mut value = 0;
    for shift in [0, 7, 14, 21] {
        let next = byte(data)?;
        value |= usize::from(next & 0x7f) << shift;
        if next < 0x80 {
            return Ok(value);
        }
    }
    Err(PredictorError::Corrupt("a length in a tensor is too long"))
}
