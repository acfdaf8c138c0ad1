//! From rows to records, and back.

use std::ops::Range;

use super::Schema;
use super::column::{Coded, Coder, Column};
use super::template::Inside;
use crate::segment::PredictorError;

/// Rows of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// The records of all rows, one after another.
    pub records: Vec<u8>,
    /// Offset in the data of each row, and the last one's end.
    pub starts: Vec<usize>,
    /// The text streams. Stream 0 holds the lines of exceptions with their line ends; in the others a line
    /// feed follows each value.
    pub texts: Vec<Vec<u8>>,
    /// For each stream where each row's part begins, and the end.
    pub text_starts: Vec<Vec<usize>>,
}

/// Cursors over text streams, and what the next row must know of those before.
#[derive(Debug, Clone)]
pub struct Texts {
    streams: Vec<Vec<u8>>,
    at: Vec<usize>,
    before: Vec<i64>,
}

impl Texts {
    /// For rows from the first one on. Streams that are missing are empty.
    #[must_use]
    pub fn new(schema: &Schema, streams: Vec<Vec<u8>>) -> Self {
        Self {
            at: vec![0; streams.len()],
            streams,
            before: schema.columns.iter().map(start).collect(),
        }
    }

    /// Takes the streams of the rows after those joined so far.
    pub fn refill(&mut self, streams: Vec<Vec<u8>>) {
        self.at = vec![0; streams.len()];
        self.streams = streams;
    }

    /// Whether all texts were used.
    #[must_use]
    pub fn all_used(&self) -> bool {
        let mut ends = self.streams.iter().zip(&self.at);
        ends.all(|(stream, &at)| at == stream.len())
    }

    /// The bytes of the next value of a stream, with the line feed.
    fn next(&mut self, stream: usize) -> Result<&[u8], PredictorError> {
        const SHORT: PredictorError = PredictorError::Corrupt("a table's text ends too early");
        let at = self.at.get_mut(stream).ok_or(SHORT)?;
        let rest = &self.streams[stream][*at..];
        if rest.is_empty() {
            return Err(SHORT);
        }
        let end = rest.iter().position(|byte| *byte == b'\n');
        let length = end.map_or(rest.len(), |end| end + 1);
        *at += length;
        Ok(&rest[..length])
    }
}

/// The number before a column's first row.
fn start(column: &Column) -> i64 {
    match column {
        Column::Number(number) => number.start,
        _ => 0,
    }
}

/// What splits rows of one schema.
struct Splitter<'s> {
    schema: &'s Schema,
    coders: Vec<(Coder<'s>, usize)>,
    before: Vec<i64>,
    cells: Vec<Range<usize>>,
    /// Numbers of the open row: they count only where all of it fits.
    numbers: Vec<(usize, i64)>,
    texts: Vec<Vec<u8>>,
}

impl Splitter<'_> {
    /// Puts a line's values into `record` and the texts; false, and a part of it, where it does not fit.
    fn row(&mut self, line: &[u8], record: &mut [u8]) -> bool {
        let schema = self.schema;
        self.numbers.clear();
        if !schema.template.split(line, &mut self.cells) {
            return false;
        }
        let (mut number, mut stream, mut at) = (0, 1, usize::from(schema.exceptions));
        let mut column = |value: &[u8]| {
            let (coder, width) = &self.coders[number];
            let fields = &mut record[at..at + width];
            match coder.split(value, self.before[number], fields) {
                None => return false,
                Some(Coded::Fields) => {}
                Some(Coded::Number(value)) => self.numbers.push((number, value)),
                Some(Coded::Text) => {
                    self.texts[stream].extend_from_slice(value);
                    self.texts[stream].push(b'\n');
                    stream += 1;
                }
            }
            number += 1;
            at += width;
            true
        };
        for (cell, range) in schema.template.cells.iter().zip(&self.cells) {
            let fits = cell
                .strip(&line[range.clone()])
                .is_some_and(|value| match &cell.inside {
                    Inside::Whole | Inside::Binary(_) => column(value),
                    Inside::Pattern(pattern) => pattern.groups(value, |_, digits| column(digits)),
                });
            if !fits {
                return false;
            }
        }
        true
    }
}

pub(super) fn split(schema: &Schema, data: &[u8]) -> Result<Rows, PredictorError> {
    const ANOTHER: PredictorError = PredictorError::Usage("rows do not fit the schema of a table");
    let inner = data.strip_prefix(&schema.head[..]);
    let inner = inner.and_then(|inner| inner.strip_suffix(&schema.tail[..]));
    let end = schema.head.len() + inner.ok_or(ANOTHER)?.len();
    let data = &data[..end];
    let width = schema.fields.len();
    let coders = schema.columns.iter();
    let coders = coders.map(|column| (Coder::new(column), column.width()));
    let mut splitter = Splitter {
        schema,
        coders: coders.collect(),
        before: schema.columns.iter().map(start).collect(),
        cells: Vec::new(),
        numbers: Vec::new(),
        texts: vec![Vec::new(); schema.texts],
    };
    let mut rows = Rows {
        records: Vec::new(),
        starts: vec![schema.head.len()],
        texts: Vec::new(),
        text_starts: vec![vec![0]; schema.texts],
    };
    let mut at = schema.head.len();
    while at < end {
        let next = schema.template.row_end(data, at);
        let line = &data[at..next];
        let from = rows.records.len();
        rows.records.resize(from + width, 0);
        let record = &mut rows.records[from..];
        let body = match schema.template.body(line) {
            // The last row's line end is the schema's, one way or the other.
            Some(body) => (next < end || !schema.open).then_some(body),
            None => (schema.open && !line.ends_with(b"\n")).then_some(line),
        };
        if let Some(body) = body
            && splitter.row(body, record)
        {
            for (number, value) in &splitter.numbers {
                splitter.before[*number] = *value;
            }
        } else if schema.exceptions {
            record.fill(0);
            record[0] = 1;
            for (text, starts) in splitter.texts.iter_mut().zip(&rows.text_starts) {
                text.truncate(starts[starts.len() - 1]);
            }
            splitter.texts[0].extend_from_slice(line);
        } else {
            return Err(ANOTHER);
        }
        for (starts, text) in rows.text_starts.iter_mut().zip(&splitter.texts) {
            starts.push(text.len());
        }
        rows.starts.push(next);
        at = next;
    }
    rows.texts = splitter.texts;
    Ok(rows)
}

pub(super) fn join(
    schema: &Schema,
    record: &[u8],
    texts: &mut Texts,
    last: bool,
    out: &mut Vec<u8>,
) -> Result<(), PredictorError> {
    const DAMAGED: PredictorError = PredictorError::Corrupt("a table's row is damaged");
    if record.len() != schema.fields.len() || texts.before.len() != schema.columns.len() {
        return Err(PredictorError::Usage(
            "a record of another length than the schema's",
        ));
    }
    let mut fields = record;
    if schema.exceptions {
        match fields.split_off_first() {
            Some(0) => {}
            Some(1) => {
                out.extend_from_slice(texts.next(0)?);
                return Ok(());
            }
            _ => return Err(DAMAGED),
        }
    }
    let mut stream = 1;
    for (number, column) in schema.columns.iter().enumerate() {
        out.extend_from_slice(&schema.literals[number]);
        if *column == Column::Text {
            let value = texts.next(stream)?;
            out.extend_from_slice(value.strip_suffix(b"\n").ok_or(DAMAGED)?);
            stream += 1;
        } else {
            let own = fields.split_off(..column.width()).ok_or(DAMAGED)?;
            let before = &mut texts.before[number];
            column.join(own, before, out).ok_or(DAMAGED)?;
        }
    }
    out.extend_from_slice(schema.literals.last().map_or(&[], |literal| literal));
    if !(last && schema.open) {
        out.extend_from_slice(schema.template.end());
    }
    Ok(())
}
