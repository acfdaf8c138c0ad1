//! `pc` as a registered predictor: a segment is a table, or it is left to `cm`.

use super::rows::MOST_NUMBERS;
use super::tables::{Cells, TableDecoder, TableEncoder};
use super::texts;
use crate::cm;
use crate::cm::plan::Plan;
use crate::segment::{Predictor, PredictorError, SegmentDecoder, SegmentEncoder};
use crate::table::Elements;
use crate::varint;

pub(crate) const PREDICTOR: Predictor = Predictor {
    id: "pc",
    version: 1,
    coder: 1,
    memory: |settings, raw_len| {
        let (settings, level, _) = parse(settings)?;
        let plain = (cm::PREDICTOR.memory)(settings, raw_len)?;
        let table = texts::plan(level).memory(raw_len) + Plan::records(level).memory(raw_len);
        // The circuit: parameters, running statistics, parts of a mini-batch, integers. Rows and texts; what
        // is made of the head, which is 4 MiB or more for the shortest segment.
        let circuit = 16 * 4 * MOST_NUMBERS as u64;
        let more = raw_len.saturating_mul(12) + (4 << 20);
        Ok(plain.max(table + circuit + more) + (1 << 20))
    },
    encoder: |settings, raw_len| {
        let (settings, level, hints) = parse(settings)?;
        Ok(Box::new(Encoder {
            level,
            cells: hints.cells,
            settings: settings.to_vec(),
            left: raw_len,
            form: Writes::Nothing,
            chunk: Vec::new(),
            kept: None,
            given_up: false,
        }))
    },
    decoder: |settings, raw_len| {
        let (settings, level, _) = parse(settings)?;
        Ok(Box::new(Decoder {
            level,
            settings: settings.to_vec(),
            left: raw_len,
            form: Reads::Nothing,
            kept: None,
        }))
    },
    settings: |level, sample| (cm::PREDICTOR.settings)(level, sample),
};

/// Settings are those of `cm`, and then [`Hints`]. Returns the former, their level, and these.
pub(super) fn parse(settings: &[u8]) -> Result<(&[u8], u8, Hints), PredictorError> {
    const UNKNOWN: PredictorError = PredictorError::Unsupported("settings of pc");
    let length = cm::codec::settings_len(settings);
    let (own, rest) = settings.split_at_checked(length).ok_or(UNKNOWN)?;
    let hints = Hints::read(rest).ok_or(UNKNOWN)?;
    let (level, _) = cm::codec::parse(own)?;
    Ok((own, level, hints))
}

/// What settings may say of a segment that decoding does not need.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// The number of line feeds, for readers of rows.
    pub lines: Option<u64>,
    /// What rows consist of, for writers.
    pub cells: Option<Cells>,
}

impl Hints {
    /// `lines:varint` or nothing, and then `elements:byte cells:varint` or nothing; `None` for anything else.
    pub fn read(mut settings: &[u8]) -> Option<Self> {
        let mut hints = Self::default();
        if !settings.is_empty() {
            hints.lines = Some(varint::take(&mut settings)?);
        }
        if let Some(&byte) = settings.split_off_first() {
            let elements = Elements::of_byte(byte)?;
            let count = usize::try_from(varint::take(&mut settings)?).ok()?;
            hints.cells = Some(Cells { count, elements });
        }
        settings.is_empty().then_some(hints)
    }
}

/// The first byte of a chunk: what codes it, and, but for a table, all that follow.
const PLAIN: u8 = 0;
const TABLE: u8 = 1;

const PAST_END: PredictorError = PredictorError::Usage("more bytes than the segment has");

enum Writes {
    Nothing,
    Plain(Box<dyn SegmentEncoder>),
    Table(Box<TableEncoder>),
}

struct Encoder {
    level: u8,
    cells: Option<Cells>,
    settings: Vec<u8>,
    left: u64,
    form: Writes,
    /// The open chunk.
    chunk: Vec<u8>,
    /// The canary of the segment's table, as its decoder will have it: as of the chunks that are coded so.
    kept: Option<u32>,
    /// Whether the machine had too little memory when the segment was shown.
    given_up: bool,
}

impl Encoder {
    fn plain(&mut self) -> Result<&mut Box<dyn SegmentEncoder>, PredictorError> {
        let left = self.left + self.chunk.len() as u64;
        self.form = Writes::Plain((cm::PREDICTOR.encoder)(&self.settings, left)?);
        match &mut self.form {
            Writes::Plain(encoder) => Ok(encoder),
            _ => unreachable!("set just now"),
        }
    }
}

impl SegmentEncoder for Encoder {
    fn look_ahead(&mut self, segment: &[u8]) {
        if segment.len() as u64 == self.left && matches!(self.form, Writes::Nothing) {
            match TableEncoder::find(self.level, segment, self.cells) {
                Ok(Some(table)) => self.form = Writes::Table(Box::new(table)),
                Ok(None) => {}
                Err(_) => self.given_up = true,
            }
        }
    }

    fn write(&mut self, data: &[u8]) -> Result<(), PredictorError> {
        if self.given_up {
            return Err(PredictorError::Setup(
                "not enough memory for the table's model",
            ));
        }
        let left = self.left.checked_sub(data.len() as u64).ok_or(PAST_END)?;
        if matches!(self.form, Writes::Nothing) {
            self.plain()?;
        }
        match &mut self.form {
            Writes::Table(table) => table.write(data.len()),
            Writes::Plain(encoder) => encoder.write(data)?,
            Writes::Nothing => unreachable!("plain where nothing else"),
        }
        self.chunk.extend_from_slice(data);
        self.left = left;
        Ok(())
    }

    fn finish_chunk(&mut self) -> Result<Vec<u8>, PredictorError> {
        let mut payload = vec![TABLE];
        match &mut self.form {
            Writes::Table(table) => payload.extend(table.finish_chunk()),
            Writes::Plain(encoder) => {
                payload[0] = PLAIN;
                payload.extend(encoder.finish_chunk()?);
            }
            Writes::Nothing => payload[0] = PLAIN,
        }
        if payload.len() >= self.chunk.len() && payload[0] == TABLE {
            // What would be stored in the clear tells a decoder nothing of rows: the table ends here.
            let chunk = std::mem::take(&mut self.chunk);
            let left = self.left;
            self.left += chunk.len() as u64;
            let encoder = self.plain()?;
            encoder.write(&chunk)?;
            payload = vec![PLAIN];
            payload.extend(encoder.finish_chunk()?);
            self.left = left;
        }
        if let Writes::Table(table) = &self.form {
            self.kept = Some(table.canary());
        }
        self.chunk.clear();
        Ok(payload)
    }

    fn coded_so_far(&self) -> u64 {
        match &self.form {
            Writes::Table(table) => table.bytes_ready() as u64,
            Writes::Plain(encoder) => encoder.coded_so_far(),
            Writes::Nothing => 0,
        }
    }

    fn canary(&self) -> u32 {
        if let Some(canary) = self.kept {
            return canary;
        }
        match &self.form {
            Writes::Plain(encoder) => encoder.canary(),
            _ => 0,
        }
    }
}

enum Reads {
    Nothing,
    Plain(Box<dyn SegmentDecoder>),
    Table(Box<TableDecoder>),
}

struct Decoder {
    level: u8,
    settings: Vec<u8>,
    left: u64,
    form: Reads,
    /// The canary of a table that was ended.
    kept: Option<u32>,
}

impl Decoder {
    fn plain(&mut self) -> Result<&mut Box<dyn SegmentDecoder>, PredictorError> {
        if let Reads::Table(table) = &self.form {
            self.kept = Some(table.canary());
        }
        if !matches!(self.form, Reads::Plain(_)) {
            self.form = Reads::Plain((cm::PREDICTOR.decoder)(&self.settings, self.left)?);
        }
        match &mut self.form {
            Reads::Plain(decoder) => Ok(decoder),
            _ => unreachable!("set just now"),
        }
    }
}

impl SegmentDecoder for Decoder {
    fn begin_chunk(&mut self, mut payload: Vec<u8>) -> Result<(), PredictorError> {
        if payload.is_empty() {
            return Err(PredictorError::Corrupt("an empty chunk"));
        }
        let rest = payload.split_off(1);
        let form = payload[0];
        match (form, &mut self.form) {
            (PLAIN, _) => self.plain()?.begin_chunk(rest),
            (TABLE, Reads::Table(table)) => table.begin_chunk(&rest),
            (TABLE, Reads::Nothing) => {
                let mut table = TableDecoder::new(self.level, self.left)?;
                table.begin_chunk(&rest)?;
                self.form = Reads::Table(Box::new(table));
                Ok(())
            }
            _ => Err(PredictorError::Corrupt(
                "a chunk of another form than those before",
            )),
        }
    }

    fn read(&mut self, out: &mut [u8]) -> Result<(), PredictorError> {
        let left = self.left.checked_sub(out.len() as u64).ok_or(PAST_END)?;
        match &mut self.form {
            Reads::Plain(decoder) => decoder.read(out)?,
            Reads::Table(table) => table.read(out)?,
            Reads::Nothing => return Err(PredictorError::Usage("no chunk is open")),
        }
        self.left = left;
        Ok(())
    }

    fn end_chunk(&mut self) -> Result<(), PredictorError> {
        match &mut self.form {
            Reads::Plain(decoder) => decoder.end_chunk(),
            Reads::Table(table) => table.end_chunk(),
            Reads::Nothing => Err(PredictorError::Usage("no chunk is open")),
        }
    }

    fn train(&mut self, data: &[u8]) -> Result<(), PredictorError> {
        let left = self.left.checked_sub(data.len() as u64).ok_or(PAST_END)?;
        self.plain()?.train(data)?;
        self.left = left;
        Ok(())
    }

    fn canary(&self) -> u32 {
        match (&self.form, self.kept) {
            (_, Some(canary)) => canary,
            (Reads::Plain(decoder), _) => decoder.canary(),
            (Reads::Table(table), _) => table.canary(),
            (Reads::Nothing, _) => 0,
        }
    }
}
