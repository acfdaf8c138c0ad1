//! What the parts of a table cost, for reports: no archive depends on it.

use super::super::codec;
use super::{TableEncoder, has_texts};
use crate::bits::{Bits, probability};
use crate::segment::PredictorError;

/// What the bits of a table are spent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The schema and the layout, which come before all rows.
    Head,
    /// Whether each row is as the others are.
    Kinds,
    /// Rows that are not.
    Exceptions,
    /// The values of a cell, by its number in a line, from 0.
    Cell(usize),
}

/// What a table costs.
#[derive(Debug, Clone, PartialEq)]
pub struct Spent {
    /// Bytes before the first row, which may name the columns.
    pub head: Vec<u8>,
    pub rows: usize,
    /// What stands between the cells of a line; `None` where they are no text, or JSON.
    pub delimiter: Option<u8>,
    /// The bits of each part, cells in the order of a line.
    pub parts: Vec<(Part, f64)>,
}

/// Adds up what bits cost, each to the part that its turn is of.
struct Costs {
    bits: Vec<f64>,
    /// For each bit of a record whose it is, and the next one.
    turns: Vec<usize>,
    next: usize,
}

impl Costs {
    /// The next bits are all of one part.
    fn all_of(&mut self, part: usize) -> OneOf<'_> {
        OneOf(&mut self.bits[part])
    }
}

fn cost(bit: bool, p: u32) -> f64 {
    -probability(bit, p).log2()
}

impl Bits for Costs {
    fn code(&mut self, bit: bool, p: u32) -> bool {
        self.bits[self.turns[self.next]] += cost(bit, p);
        self.next += 1;
        bit
    }
}

struct OneOf<'a>(&'a mut f64);

impl Bits for OneOf<'_> {
    fn code(&mut self, bit: bool, p: u32) -> bool {
        *self.0 += cost(bit, p);
        bit
    }
}

/// The bits that each part of a segment takes, in chunks of `chunk` bytes, with settings of `pc`. `None`
/// where the segment is no table.
///
/// # Errors
/// [`PredictorError::Unsupported`] for other settings, [`PredictorError::Setup`] when there is not enough
/// memory.
pub fn costs(
    settings: &[u8],
    segment: &[u8],
    chunk: usize,
) -> Result<Option<Spent>, PredictorError> {
    let (_, level, hints) = codec::parse(settings)?;
    let Some(mut encoder) = TableEncoder::find(level, segment, hints.cells)? else {
        return Ok(None);
    };
    let TableEncoder {
        table, rows, head, ..
    } = &mut encoder;
    let (of_fields, of_texts) = (table.schema.cells(), table.schema.text_cells());
    let cells = of_fields.iter().chain(&of_texts).max();
    // The head, the kinds, the exceptions, then cells.
    let mut parts = vec![Part::Head, Part::Kinds, Part::Exceptions];
    parts.extend((0..cells.map_or(0, |cell| cell + 1)).map(Part::Cell));
    let kinds = table.schema.has_exceptions();
    let layout = table.rows.layout();
    let turns = kinds.then_some(1).into_iter();
    let turns = turns.chain(layout.order.iter().flat_map(|&field| {
        let width = usize::from(layout.fields[field].bits);
        std::iter::repeat_n(3 + of_fields[field], width)
    }));
    let mut costs = Costs {
        turns: turns.collect(),
        bits: vec![0.0; parts.len()],
        next: 0,
    };
    table.texts.encode_text(&head[..], &mut costs.all_of(0));
    let width = table.schema.fields().len();
    let (mut first, mut end) = (0, 0);
    while end < segment.len() {
        end = segment.len().min(end + chunk.max(1));
        let mut next = first;
        while next < table.count && rows.starts[next] < end {
            costs.next = 0;
            let record = &mut rows.records[next * width..(next + 1) * width];
            table.code(record, rows.starts[next], &mut costs);
            next += 1;
        }
        if has_texts(&table.schema) {
            let streams = rows.texts.iter().zip(&rows.text_starts).enumerate();
            for (stream, (text, starts)) in streams {
                let part = stream.checked_sub(1).map_or(2, |text| 3 + of_texts[text]);
                let text = &text[starts[first]..starts[next]];
                table.texts.encode_text(text, &mut costs.all_of(part));
            }
        }
        first = next;
    }
    Ok(Some(Spent {
        head: table.schema.head().to_vec(),
        rows: table.count,
        delimiter: table.schema.delimiter(),
        parts: parts.into_iter().zip(costs.bits).collect(),
    }))
}
