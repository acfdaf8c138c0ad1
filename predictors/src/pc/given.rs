//! `circuit` as a registered predictor: rows by a trained circuit alone, each chunk by itself.

use std::sync::Arc;

use crc32fast::Hasher;
use llmzip_coders::binary::{Decoder as BitDecoder, Encoder as BitEncoder};

use super::asked::Asked;
use super::joined;
use super::kinds::Kinds;
use super::pack::{CircuitPack, Kind};
use super::texts::{Texts, plan};
use crate::bits::Bits;
use crate::circuit::any::{AnyBelief, AnyCircuit, Stored};
use crate::circuit::quantised::Belief;
use crate::segment::{Predictor, PredictorError, SegmentDecoder, SegmentEncoder};
use crate::simd::{self, Job, Kernels, Level};
use crate::table;
use crate::varint;

/// Level of the model that codes what is no row.
const TEXT_LEVEL: u8 = 4;
/// The most that is coded as one chunk, and so that a chunk's texts may come to.
const MOST_CHUNK: usize = 1 << 20;

const DAMAGED: PredictorError = PredictorError::Corrupt("a chunk of rows is damaged");
pub const NO_CIRCUIT: PredictorError = PredictorError::Usage("the circuit was not given");

pub(crate) const PREDICTOR: Predictor = Predictor {
    id: "circuit",
    version: 1,
    coder: 1,
    memory: |settings, raw_len| {
        Ok(match parse(settings)? {
            Some(images) => images.memory(raw_len),
            None => plan(TEXT_LEVEL).memory(MOST_CHUNK as u64) + 12 * MOST_CHUNK as u64,
        })
    },
    encoder: |settings, raw_len| {
        Ok(match parse(settings)? {
            Some(images) => Box::new(joined::Encoder::new(images, raw_len)?),
            None => Box::new(Encoder(State::new(raw_len)?, Vec::new())),
        })
    },
    decoder: |settings, raw_len| {
        Ok(match parse(settings)? {
            Some(images) => Box::new(joined::Decoder::new(images, raw_len)?),
            None => Box::new(Decoder {
                state: State::new(raw_len)?,
                open: None,
            }),
        })
    },
    settings: |_, _| Vec::new(),
};

/// Settings are empty, or the number of line feeds; after that may come those of `cm`, for images, which are
/// coded with its contexts too.
fn parse(settings: &[u8]) -> Result<Option<joined::Images>, PredictorError> {
    const UNKNOWN: PredictorError = PredictorError::Unsupported("settings of circuit");
    let mut rest = settings;
    if !rest.is_empty() {
        varint::take(&mut rest).ok_or(UNKNOWN)?;
    }
    if rest.is_empty() {
        return Ok(None);
    }
    joined::Images::parse(rest).map(Some)
}

/// The number of line feeds that settings begin with, where they do.
pub fn lines_of(mut settings: &[u8]) -> Option<u64> {
    varint::take(&mut settings)
}

struct State {
    pack: Option<Arc<CircuitPack>>,
    simd: Level,
    raw_len: u64,
    /// Bytes of the segment before the open chunk.
    at: u64,
}

impl State {
    fn new(raw_len: u64) -> Result<Self, PredictorError> {
        Ok(Self {
            pack: None,
            simd: simd::active().map_err(PredictorError::Setup)?,
            raw_len,
            at: 0,
        })
    }

    fn pack(&self) -> Result<Arc<CircuitPack>, PredictorError> {
        self.pack.clone().ok_or(NO_CIRCUIT)
    }

    /// Hash of the circuit's predictions for a record of zeros: the same whatever chunks are coded as.
    fn canary(&self) -> u32 {
        let pack = self.pack.as_ref();
        pack.map_or(0, |pack| hash_of_zeros(pack, self.simd).finalize())
    }

    fn advance(&mut self, bytes: u64) -> Result<(), PredictorError> {
        self.at += bytes;
        if self.at > self.raw_len {
            return Err(PredictorError::Usage("more bytes than the segment has"));
        }
        Ok(())
    }

    /// Bytes from byte `at` of a segment to where a record of a stack begins.
    fn lead(&self, lead: usize, stride: usize) -> usize {
        let (lead, stride) = (lead as u64, stride as u64);
        let beyond = self.at.saturating_sub(lead);
        (lead.saturating_sub(self.at) + (stride - beyond % stride) % stride) as usize
    }
}

/// The hash of a circuit's predictions for a record of zeros.
pub fn hash_of_zeros(pack: &Arc<CircuitPack>, simd: Level) -> Hasher {
    let mut record = vec![0; pack.fields.len()];
    let mut hashing = Hashing(Hasher::new());
    Rows::new(Arc::clone(pack), simd).code(&mut record, &mut hashing);
    hashing.0
}

/// Hears of predictions alone.
struct Hashing(Hasher);

impl Bits for Hashing {
    fn code(&mut self, bit: bool, p: u32) -> bool {
        self.0.update(&p.to_le_bytes());
        bit
    }
}

/// Codes one record by a circuit.
struct Record<'a, const M: usize> {
    pack: &'a CircuitPack,
    circuit: &'a Stored<M>,
    belief: &'a mut Belief<M>,
    record: &'a mut [u8],
    bits: &'a mut dyn Bits,
}

impl<const M: usize> Job for Record<'_, M> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernels>(self) {
        let circuit = &self.circuit.circuit;
        for (place, &field) in self.pack.order.iter().enumerate() {
            let width = usize::from(self.pack.fields[field].bits);
            self.belief.visit(circuit, place);
            let mut asked = Asked::new(&self.belief.first_masses(circuit), width);
            let wanted = usize::from(self.record[field]);
            let mut value = 0;
            for position in (0..width).rev() {
                let (ones, zeros) = asked.masses();
                // Both are below 2^36: the division is of 64 bits where 28 are shifted out first.
                let p = ((ones << 28) / (ones + zeros)) << 4;
                let bit = self
                    .bits
                    .code(wanted >> position & 1 == 1, (p as u32).max(1));
                asked.take(bit);
                if position == 4 {
                    asked.lower(&self.belief.masses(circuit, asked.group()));
                }
                value = value << 1 | usize::from(bit);
            }
            self.belief.observe(circuit, value);
            self.record[field] = value as u8;
        }
    }
}

/// What codes the records of a chunk.
struct Rows {
    pack: Arc<CircuitPack>,
    simd: Level,
    belief: AnyBelief,
}

impl Rows {
    fn new(pack: Arc<CircuitPack>, simd: Level) -> Self {
        Self {
            belief: pack.circuit.belief(),
            pack,
            simd,
        }
    }

    fn code(&mut self, record: &mut [u8], bits: &mut dyn Bits) {
        let (pack, simd) = (&*self.pack, self.simd);
        macro_rules! run {
            ($circuit:expr, $belief:expr) => {
                simd::run(
                    simd,
                    Record {
                        pack,
                        circuit: $circuit,
                        belief: $belief,
                        record,
                        bits,
                    },
                )
            };
        }
        match (&pack.circuit, &mut self.belief) {
            (AnyCircuit::S4(circuit), AnyBelief::S4(belief)) => run!(circuit, belief),
            (AnyCircuit::S8(circuit), AnyBelief::S8(belief)) => run!(circuit, belief),
            (AnyCircuit::S16(circuit), AnyBelief::S16(belief)) => run!(circuit, belief),
            (AnyCircuit::S32(circuit), AnyBelief::S32(belief)) => run!(circuit, belief),
            _ => unreachable!("a belief is made by its circuit"),
        }
    }
}

struct Encoder(State, Vec<u8>);

impl Encoder {
    /// Codes the rows of a chunk; returns its texts, and of a stack the number of records.
    fn rows(
        &mut self,
        chunk: &[u8],
        coder: &mut BitEncoder,
    ) -> Result<(Vec<Vec<u8>>, Option<usize>), PredictorError> {
        let state = &mut self.0;
        let pack = state.pack()?;
        let mut rows = Rows::new(Arc::clone(&pack), state.simd);
        match &pack.kind {
            Kind::Table(schema) => {
                let mut split = schema.split(chunk)?;
                let mut kinds = Kinds::new();
                let width = schema.fields().len();
                for record in split.records.chunks_exact_mut(width) {
                    let (kind, own) = record.split_first_mut().ok_or(DAMAGED)?;
                    if !kinds.code(*kind == 1, coder) {
                        rows.code(own, coder);
                    }
                }
                Ok((split.texts, None))
            }
            &Kind::Stack { lead, stride } => {
                let lead = state.lead(lead, stride).min(chunk.len());
                let (before, body) = chunk.split_at(lead);
                let (records, after) = body.split_at(body.len() / stride * stride);
                for record in records.chunks_exact(stride) {
                    rows.code(&mut record.to_vec(), coder);
                }
                let count = records.len() / stride;
                Ok((vec![before.to_vec(), after.to_vec()], Some(count)))
            }
        }
    }
}

impl SegmentEncoder for Encoder {
    fn set_circuit(&mut self, circuit: Arc<CircuitPack>) -> Result<(), PredictorError> {
        self.0.pack = Some(circuit);
        Ok(())
    }

    fn write(&mut self, data: &[u8]) -> Result<(), PredictorError> {
        if self.1.len() + data.len() > MOST_CHUNK {
            return Err(PredictorError::Usage("a chunk is too long"));
        }
        self.1.extend_from_slice(data);
        Ok(())
    }

    fn finish_chunk(&mut self) -> Result<Vec<u8>, PredictorError> {
        let chunk = std::mem::take(&mut self.1);
        let mut coder = BitEncoder::new();
        let (streams, count) = self.rows(&chunk, &mut coder)?;
        let records = coder.finish();
        let mut texts = Vec::new();
        if streams.iter().any(|stream| !stream.is_empty()) {
            let mut coder = BitEncoder::new();
            let mut model = Texts::new(TEXT_LEVEL, MOST_CHUNK as u64)?;
            for stream in &streams {
                model.encode_text(stream, &mut coder);
            }
            texts = coder.finish();
        }
        let mut payload = Vec::new();
        varint::write(texts.len() as u64, &mut payload);
        payload.extend_from_slice(&texts);
        if let Some(count) = count {
            varint::write(count as u64, &mut payload);
        }
        payload.extend_from_slice(&records);
        self.0.advance(chunk.len() as u64)?;
        Ok(payload)
    }

    fn canary(&self) -> u32 {
        self.0.canary()
    }
}

/// A chunk that is being decoded.
struct Open {
    rows: Rows,
    kinds: Kinds,
    coder: BitDecoder,
    record: Vec<u8>,
    /// Of a table: texts of the rows to come.
    cursors: Option<table::Texts>,
    /// Of a stack: records to come, and what comes after them.
    left: usize,
    after: Vec<u8>,
    /// Bytes that were made, and how many of them were handed out.
    ready: Vec<u8>,
    given: usize,
}

struct Decoder {
    state: State,
    open: Option<Open>,
}

impl SegmentDecoder for Decoder {
    fn set_circuit(&mut self, circuit: Arc<CircuitPack>) -> Result<(), PredictorError> {
        self.state.pack = Some(circuit);
        Ok(())
    }

    fn begin_chunk(&mut self, payload: Vec<u8>) -> Result<(), PredictorError> {
        let pack = self.state.pack()?;
        let mut rest = &payload[..];
        let length = varint::take(&mut rest).and_then(|length| usize::try_from(length).ok());
        let coded = length
            .and_then(|length| rest.split_off(..length))
            .ok_or(DAMAGED)?;
        let (count, width) = match &pack.kind {
            Kind::Table(schema) => (schema.texts(), schema.fields().len()),
            &Kind::Stack { stride, .. } => (2, stride),
        };
        let mut streams = vec![Vec::new(); count];
        if !coded.is_empty() {
            let mut coder = BitDecoder::new(coded.to_vec());
            let mut model = Texts::new(TEXT_LEVEL, MOST_CHUNK as u64)?;
            let mut left = 2 * MOST_CHUNK;
            for stream in &mut streams {
                *stream = model.decode_text(left, &mut coder)?;
                left -= stream.len();
            }
            coder.finish()?;
        }
        let mut open = Open {
            rows: Rows::new(Arc::clone(&pack), self.state.simd),
            kinds: Kinds::new(),
            coder: BitDecoder::new(rest.to_vec()),
            record: vec![0; width],
            cursors: None,
            left: 0,
            after: Vec::new(),
            ready: Vec::new(),
            given: 0,
        };
        match &pack.kind {
            Kind::Table(schema) => open.cursors = Some(table::Texts::new(schema, streams)),
            &Kind::Stack { lead, stride } => {
                open.after = streams.pop().unwrap_or_default();
                open.ready = streams.pop().unwrap_or_default();
                let lead = self.state.lead(lead, stride);
                if open.after.len() >= stride || open.ready.len() > lead {
                    return Err(DAMAGED);
                }
                let count = varint::take(&mut rest).and_then(|count| usize::try_from(count).ok());
                open.left = count.ok_or(DAMAGED)?;
                open.coder = BitDecoder::new(rest.to_vec());
            }
        }
        self.open = Some(open);
        Ok(())
    }

    fn read(&mut self, out: &mut [u8]) -> Result<(), PredictorError> {
        let pack = self.state.pack()?;
        let state = &mut self.state;
        let open = self
            .open
            .as_mut()
            .ok_or(PredictorError::Usage("no chunk is open"))?;
        // What the whole chunk has is not known here: only what is asked for is made.
        while open.ready.len() - open.given < out.len() {
            let made = open.ready.len();
            match &pack.kind {
                Kind::Table(schema) => {
                    let cursors = open.cursors.as_mut().ok_or(DAMAGED)?;
                    let (kind, own) = open.record.split_first_mut().ok_or(DAMAGED)?;
                    *kind = u8::from(open.kinds.code(false, &mut open.coder));
                    if *kind == 0 {
                        open.rows.code(own, &mut open.coder);
                    }
                    schema.join(&open.record, cursors, false, &mut open.ready)?;
                }
                Kind::Stack { .. } if open.left > 0 => {
                    open.left -= 1;
                    open.rows.code(&mut open.record, &mut open.coder);
                    open.ready.extend_from_slice(&open.record);
                }
                Kind::Stack { .. } => open.ready.append(&mut open.after),
            }
            if open.ready.len() == made || open.ready.len() > 2 * MOST_CHUNK {
                return Err(DAMAGED);
            }
        }
        out.copy_from_slice(&open.ready[open.given..open.given + out.len()]);
        open.given += out.len();
        state.advance(out.len() as u64)
    }

    fn end_chunk(&mut self) -> Result<(), PredictorError> {
        let open = self
            .open
            .take()
            .ok_or(PredictorError::Usage("no chunk is open"))?;
        open.coder.finish()?;
        let unused = open
            .cursors
            .as_ref()
            .is_some_and(|cursors| !cursors.all_used());
        if open.given < open.ready.len() || unused || open.left > 0 || !open.after.is_empty() {
            return Err(PredictorError::Corrupt("rows are left over in a chunk"));
        }
        Ok(())
    }

    fn train(&mut self, data: &[u8]) -> Result<(), PredictorError> {
        self.state.pack()?;
        self.state.advance(data.len() as u64)
    }

    fn canary(&self) -> u32 {
        self.state.canary()
    }
}
