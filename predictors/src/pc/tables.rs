//! A segment that is a table: its schema and layout first, then rows, chunk by chunk.
//!
//! A chunk holds the rows that begin in it. What the last of them has beyond the chunk's end is kept for
//! the next one.

mod costs;

use std::sync::Arc;

use crc32fast::Hasher;
use llmzip_coders::binary::{Decoder as BitDecoder, Encoder as BitEncoder};

use super::kinds::Kinds;
use super::layout::{Field, Layout};
use super::rows::{MOST_NUMBERS, Rows, numbers, states};
use super::texts::Texts;
use crate::array_header::ArrayHeader;
use crate::bits::Bits;
use crate::segment::{CANARY_BYTES, PredictorError};
use crate::table::{self, Elements, Schema};
use crate::varint;

/// The most bytes of the head of a segment of `raw_len` bytes: memory for what is made of it is asked for
/// before anything is decoded that could not be so.
fn most_head(raw_len: usize) -> usize {
    (raw_len / 4).max(1 << 16)
}

/// The most variables that a writer makes a circuit of.
const MOST_VARIABLES: usize = 2048;

pub use costs::{Part, Spent, costs};

const DAMAGED: PredictorError = PredictorError::Corrupt("a table's segment is damaged");

/// A coder whose predictions go into the canary.
pub struct Watched<'a, B> {
    bits: &'a mut B,
    canary: Option<&'a mut Hasher>,
}

impl<B: Bits> Bits for Watched<'_, B> {
    #[inline(always)]
    fn code(&mut self, bit: bool, p: u32) -> bool {
        if let Some(canary) = &mut self.canary {
            canary.update(&p.to_le_bytes());
        }
        self.bits.code(bit, p)
    }
}

/// Rows of numbers in binary: how many a row has, and how each is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cells {
    pub count: usize,
    pub elements: Elements,
}

impl Cells {
    fn schema(self, segment: &[u8], lead: usize) -> Option<Schema> {
        // No row has more cells than the segment has bytes.
        let count = Some(self.count).filter(|&count| count <= segment.len())?;
        Schema::of_numbers(segment, lead, &vec![self.elements; count])
    }
}

/// The table in a segment: rows of `cells`, or of text, or those of an array behind its header.
pub fn find(segment: &[u8], cells: Option<Cells>) -> Option<Schema> {
    if let Some(cells) = cells {
        return cells.schema(segment, 0);
    }
    if let Some(header) = ArrayHeader::read(segment)
        && let [_, count] = *header.sides
        && count > 1
    {
        let elements = header.elements;
        return Cells { count, elements }.schema(segment, header.offset);
    }
    Schema::find(segment)
}

/// What both sides know of the table, and what learns.
struct Table {
    schema: Schema,
    /// Whether a record's first field is the row's kind, which has no place in the layout.
    kinds: Option<Kinds>,
    rows: Rows,
    count: usize,
    texts: Texts,
    canary: Hasher,
}

/// The fields of records as a layout sees them: without the row's kind.
fn fields(schema: &Schema) -> Vec<Field> {
    let kind = usize::from(schema.has_exceptions());
    let own = schema.fields()[kind..].iter();
    own.map(|field| Field {
        bits: field.bits,
        values: field.values,
        leading: field.leading,
    })
    .collect()
}

impl Table {
    fn new(
        level: u8,
        schema: Schema,
        layout: Layout,
        count: usize,
        texts: Texts,
    ) -> Result<Self, PredictorError> {
        Ok(Self {
            kinds: schema.has_exceptions().then(Kinds::new),
            rows: Rows::new(level, Arc::new(layout), count)?,
            schema,
            count,
            texts,
            canary: Hasher::new(),
        })
    }

    /// Codes a record of the schema, of a row that begins at `start` in the segment.
    fn code(&mut self, record: &mut [u8], start: usize, bits: &mut impl Bits) {
        let watched = start < CANARY_BYTES;
        let bits = &mut Watched {
            bits,
            canary: watched.then_some(&mut self.canary),
        };
        let mut own = record;
        if let Some(kinds) = &mut self.kinds
            && let Some(kind) = own.split_off_first_mut()
        {
            *kind = u8::from(kinds.code(*kind == 1, bits));
            if *kind == 1 {
                return;
            }
        }
        self.rows.code(own, bits);
    }
}

/// Codes a table.
pub struct TableEncoder {
    table: Table,
    head: Vec<u8>,
    rows: table::Rows,
    /// The next row, and the first one of the open chunk.
    next: usize,
    first: usize,
    /// Bytes of the segment that were written.
    written: usize,
    coder: BitEncoder,
}

impl TableEncoder {
    /// For a whole segment, the rows of which are `cells` where these are told; `None` where it is no table,
    /// or one that a circuit is no use for.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn find(
        level: u8,
        segment: &[u8],
        cells: Option<Cells>,
    ) -> Result<Option<Self>, PredictorError> {
        let Some(schema) = find(segment, cells) else {
            return Ok(None);
        };
        let Ok(rows) = schema.split(segment) else {
            return Ok(None);
        };
        let fields = fields(&schema);
        let width = schema.fields().len();
        let kind = usize::from(schema.has_exceptions());
        if fields.is_empty() || rows.records.len() > segment.len() {
            return Ok(None);
        }
        let records: Vec<u8> = rows
            .records
            .chunks_exact(width)
            .filter(|record| kind == 0 || record[0] == 0)
            .flat_map(|record| &record[kind..])
            .copied()
            .collect();
        if records.is_empty() {
            return Ok(None);
        }
        // Looking for a tree takes time by the square of their number.
        let variables = fields.iter().filter(|field| field.leading).count();
        if variables > MOST_VARIABLES || numbers(&fields, states(level)) > MOST_NUMBERS {
            return Ok(None);
        }
        let layout = Layout::find(&fields, &records);
        let mut head = Vec::new();
        let count = rows.starts.len() - 1;
        varint::write(count as u64, &mut head);
        let mut bytes = Vec::new();
        schema.write(&mut bytes);
        varint::write(bytes.len() as u64, &mut head);
        head.extend_from_slice(&bytes);
        layout.write(&mut head);
        if head.len() > most_head(segment.len()) {
            return Ok(None);
        }
        let texts = Texts::new(level, segment.len() as u64)?;
        Ok(Some(Self {
            table: Table::new(level, schema, layout, count, texts)?,
            head,
            rows,
            next: 0,
            first: 0,
            written: 0,
            coder: BitEncoder::new(),
        }))
    }

    /// Takes `bytes` more bytes of the segment into the open chunk.
    pub fn write(&mut self, bytes: usize) {
        self.written += bytes;
        let width = self.table.schema.fields().len();
        while self.next < self.table.count && self.rows.starts[self.next] < self.written {
            let record = &mut self.rows.records[self.next * width..(self.next + 1) * width];
            self.table
                .code(record, self.rows.starts[self.next], &mut self.coder);
            self.next += 1;
        }
    }

    /// Bytes of the open chunk that are ready.
    pub fn bytes_ready(&self) -> usize {
        self.coder.bytes_ready()
    }

    /// The coded bytes of the open chunk.
    pub fn finish_chunk(&mut self) -> Vec<u8> {
        let records = self.coder.finish();
        let range = self.first..self.next;
        self.first = self.next;
        let mut coder = BitEncoder::new();
        let texts = &mut self.table.texts;
        let head = std::mem::take(&mut self.head);
        let any = !head.is_empty() || has_texts(&self.table.schema);
        if !head.is_empty() {
            texts.encode_text(&head, &mut coder);
        }
        if has_texts(&self.table.schema) {
            for (stream, starts) in self.rows.texts.iter().zip(&self.rows.text_starts) {
                let part = &stream[starts[range.start]..starts[range.end]];
                texts.encode_text(part, &mut coder);
            }
        }
        let texts = if any { coder.finish() } else { Vec::new() };
        let mut payload = Vec::new();
        varint::write(texts.len() as u64, &mut payload);
        payload.extend_from_slice(&texts);
        payload.extend_from_slice(&records);
        payload
    }

    pub fn canary(&self) -> u32 {
        self.table.canary.clone().finalize()
    }
}

/// Whether any row may have text.
fn has_texts(schema: &Schema) -> bool {
    schema.texts() > 1 || schema.has_exceptions()
}

/// Decodes a table.
pub struct TableDecoder {
    level: u8,
    raw_len: usize,
    /// The model of texts, until the table is there.
    texts: Option<Texts>,
    table: Option<Table>,
    cursors: Option<table::Texts>,
    record: Vec<u8>,
    /// The next row; bytes of the segment that were made.
    next: usize,
    made: usize,
    /// Bytes that were made, of which the first were handed out.
    ready: Vec<u8>,
    given: usize,
    coder: BitDecoder,
}

impl TableDecoder {
    /// For a segment of `raw_len` bytes.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn new(level: u8, raw_len: u64) -> Result<Self, PredictorError> {
        Ok(Self {
            level,
            raw_len: usize::try_from(raw_len).unwrap_or(usize::MAX),
            texts: Some(Texts::new(level, raw_len)?),
            table: None,
            cursors: None,
            record: Vec::new(),
            next: 0,
            made: 0,
            ready: Vec::new(),
            given: 0,
            coder: BitDecoder::new(Vec::new()),
        })
    }

    /// Begins a chunk; the first one has the table's head.
    ///
    /// # Errors
    /// [`PredictorError::Corrupt`] where it is none.
    pub fn begin_chunk(&mut self, payload: &[u8]) -> Result<(), PredictorError> {
        let mut rest = payload;
        let length = varint::take(&mut rest).and_then(|length| usize::try_from(length).ok());
        let coded = length.and_then(|length| rest.split_off(..length));
        let mut coder = BitDecoder::new(coded.ok_or(DAMAGED)?.to_vec());
        let any = self.table.is_none() || self.table.as_ref().is_some_and(|t| has_texts(&t.schema));
        if let Some(mut texts) = self.texts.take() {
            let head = texts.decode_text(most_head(self.raw_len), &mut coder)?;
            self.begin_table(&head, texts)?;
        }
        let mut table = self.table.take().ok_or(DAMAGED)?;
        let mut streams = Vec::new();
        if has_texts(&table.schema) {
            // Each value has a line feed that a row need not have.
            let mut left = self.raw_len.saturating_mul(2);
            for _ in 0..table.schema.texts() {
                let text = table.texts.decode_text(left, &mut coder)?;
                left -= text.len();
                streams.push(text);
            }
        }
        if any {
            coder.finish()?;
        } else if length != Some(0) {
            return Err(DAMAGED);
        }
        match &mut self.cursors {
            Some(cursors) => cursors.refill(streams),
            None => self.cursors = Some(table::Texts::new(&table.schema, streams)),
        }
        self.table = Some(table);
        self.coder = BitDecoder::new(rest.to_vec());
        Ok(())
    }

    fn begin_table(&mut self, head: &[u8], texts: Texts) -> Result<(), PredictorError> {
        let mut rest = head;
        let count = varint::take(&mut rest).and_then(|count| usize::try_from(count).ok());
        let count = count
            .filter(|&count| count <= self.raw_len)
            .ok_or(DAMAGED)?;
        let length = varint::take(&mut rest).and_then(|length| usize::try_from(length).ok());
        let bytes = length.and_then(|length| rest.split_off(..length));
        // Each value of a dictionary is in the segment.
        let schema = Schema::read_within(
            bytes.ok_or(DAMAGED)?,
            most_head(self.raw_len).max(self.raw_len),
        )?;
        let layout = Layout::read(&fields(&schema), &mut rest)?;
        // As an encoder has it: the memory that is asked for rests on it.
        let bytes = count.saturating_mul(layout.order.len());
        if !rest.is_empty()
            || numbers(&layout.fields, states(self.level)) > MOST_NUMBERS
            || bytes > self.raw_len
        {
            return Err(DAMAGED);
        }
        self.ready.extend_from_slice(schema.head());
        self.made = self.ready.len();
        self.record = vec![0; schema.fields().len()];
        self.table = Some(Table::new(self.level, schema, layout, count, texts)?);
        Ok(())
    }

    /// Fills `out` with the next bytes of the open chunk.
    ///
    /// # Errors
    /// [`PredictorError::Corrupt`] where the coded bytes do not decode.
    pub fn read(&mut self, out: &mut [u8]) -> Result<(), PredictorError> {
        // After an error there is no table: what its last record holds may be anything.
        let mut table = self.table.take().ok_or(DAMAGED)?;
        self.fill(&mut table, out.len())?;
        self.table = Some(table);
        out.copy_from_slice(&self.ready[self.given..self.given + out.len()]);
        self.given += out.len();
        // What was handed out goes when it is the greater part.
        if self.given > self.ready.len() / 2 {
            self.ready.drain(..self.given);
            self.given = 0;
        }
        Ok(())
    }

    /// Makes rows until `wanted` bytes are ready.
    fn fill(&mut self, table: &mut Table, wanted: usize) -> Result<(), PredictorError> {
        let cursors = self.cursors.as_mut().ok_or(DAMAGED)?;
        while self.ready.len() - self.given < wanted {
            let before = self.ready.len();
            if self.next < table.count {
                self.next += 1;
                table.code(&mut self.record, self.made, &mut self.coder);
                let last = self.next == table.count;
                table
                    .schema
                    .join(&self.record, cursors, last, &mut self.ready)?;
            } else if self.next == table.count {
                self.next += 1;
                self.ready.extend_from_slice(table.schema.tail());
            }
            if self.ready.len() == before && self.next > table.count {
                return Err(DAMAGED);
            }
            self.made += self.ready.len() - before;
            if self.made > self.raw_len {
                return Err(DAMAGED);
            }
        }
        Ok(())
    }

    /// Ends a chunk.
    ///
    /// # Errors
    /// [`PredictorError::Corrupt`] where something is left over.
    pub fn end_chunk(&mut self) -> Result<(), PredictorError> {
        self.coder.finish()?;
        if self
            .cursors
            .as_ref()
            .is_some_and(|cursors| !cursors.all_used())
        {
            return Err(PredictorError::Corrupt(
                "texts are left over in a coded chunk",
            ));
        }
        Ok(())
    }

    pub fn canary(&self) -> u32 {
        self.table
            .as_ref()
            .map_or(0, |table| table.canary.clone().finalize())
    }
}
