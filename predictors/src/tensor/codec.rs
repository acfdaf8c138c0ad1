//! Tensors as a registered predictor: chunks of blocks of planes.

use super::delta;
use super::kind::{KINDS, Kind, MAX_PLANES};
use super::model::{Model, byte, read_varint, row_symbols, take, write_varint};
use super::plane::{self, Effort, Place, model_of};
use super::split::{merge, split};
use crate::segment::{Predictor, PredictorError, SegmentDecoder, SegmentEncoder};
use crate::simd::{self, Level};

pub(crate) const PREDICTOR: Predictor = Predictor {
    id: "tensor",
    version: 1,
    coder: 3,
    memory: |settings, raw_len| {
        Settings::parse(settings)?;
        // The planes of a segment while it is trained, its base, tables, a chunk with its planes.
        Ok(raw_len.saturating_mul(4).saturating_add(48 << 20))
    },
    encoder: |settings, raw_len| Ok(Box::new(Encoder::new(Settings::parse(settings)?, raw_len))),
    decoder: |settings, raw_len| Ok(Box::new(Decoder::new(Settings::parse(settings)?, raw_len))),
    settings: |level, _| vec![level, 0, 0, 0, 0, 0, 0],
};

/// Raw bytes of a block, but for what its last unit lacks.
const BLOCK: usize = 1 << 18;
const NO_BASE: PredictorError = PredictorError::Usage("the base of a change is missing");
const BAD: PredictorError = PredictorError::Corrupt("a chunk of a tensor is damaged");
/// The chunk starts with the segment's model.
const HAS_MODEL: u8 = 1;

/// `level kind delta row:u32`: delta is 1 where the segment is coded as a change of a base; row is
/// the number of elements in a row, 0 where there are none.
#[derive(Clone, Copy)]
struct Settings {
    level: u8,
    kind: &'static Kind,
    delta: bool,
    row: usize,
    simd: Level,
}

impl Settings {
    fn parse(settings: &[u8]) -> Result<Self, PredictorError> {
        let &[level @ 1..=9, kind, delta @ 0..=1, a, b, c, d] = settings else {
            return Err(PredictorError::Unsupported("settings of tensor"));
        };
        let kind = KINDS
            .get(usize::from(kind))
            .ok_or(PredictorError::Unsupported("element kind of tensor"))?;
        let delta = delta == 1;
        if delta && !delta::possible(kind) {
            return Err(PredictorError::Unsupported(
                "change of a tensor of this kind",
            ));
        }
        let row = u32::from_le_bytes([a, b, c, d]) as usize;
        let simd = simd::active().map_err(|_| {
            PredictorError::Setup(
                "LLMZIP_SIMD must be scalar, avx2 or avx512, and one that this CPU has",
            )
        })?;
        Ok(Self {
            level,
            kind,
            delta,
            row,
            simd,
        })
    }

    /// The kind whose planes are coded.
    fn coded(self) -> Kind {
        if self.delta {
            delta::planes_of(self.kind)
        } else {
            *self.kind
        }
    }

    fn effort(self) -> Effort {
        match self.level {
            1 | 2 => Effort {
                worth: 64,
                rows: false,
                zstd: 0,
                simd: self.simd,
            },
            3 => Effort {
                worth: 400,
                rows: true,
                zstd: 0,
                simd: self.simd,
            },
            4..=6 => Effort {
                worth: 400,
                rows: true,
                zstd: 3,
                simd: self.simd,
            },
            _ => Effort {
                worth: 4096,
                rows: true,
                zstd: 12,
                simd: self.simd,
            },
        }
    }
}

/// Where a chunk falls into units: bytes of a unit that the chunk before began, whole units,
/// bytes of a unit that the chunk after ends.
struct Cut {
    head: usize,
    units: usize,
    tail: usize,
}

impl Cut {
    fn new(kind: &Kind, position: u64, len: usize) -> Self {
        let unit = kind.unit;
        let head = ((unit - (position % unit as u64) as usize) % unit).min(len);
        let units = (len - head) / unit;
        Self {
            head,
            units,
            tail: len - head - units * unit,
        }
    }
}

/// Column of the first symbol of plane `number` at unit `unit` of the segment, and what is given.
fn place(settings: Settings, number: usize, unit: u64, given: &[u8]) -> Place<'_> {
    let row = row_symbols(settings.kind, number, settings.row);
    let symbol = unit * settings.kind.width(number) as u64;
    Place {
        row,
        column: if row == 0 {
            0
        } else {
            (symbol % row as u64) as usize
        },
        given,
    }
}

/// Settings of a segment of elements of the kind `name` in rows of `row` elements, 0 for none, as a
/// change of a base if `delta`; `None` where there is no such kind, or it has no changes.
#[must_use]
pub fn settings(level: u8, name: &str, row: u32, delta: bool) -> Option<Vec<u8>> {
    let kind = KINDS.iter().position(|kind| kind.name == name)?;
    if delta && !delta::possible(&KINDS[kind]) {
        return None;
    }
    let mut settings = vec![level, kind as u8, u8::from(delta)];
    settings.extend_from_slice(&row.to_le_bytes());
    Some(settings)
}

fn checked_base(settings: Settings, base: &[u8], len: u64) -> Result<Vec<u8>, PredictorError> {
    if settings.delta && base.len() as u64 == len {
        Ok(base.to_vec())
    } else {
        Err(PredictorError::Usage(
            "a base for a segment that is coded otherwise",
        ))
    }
}

struct Encoder {
    settings: Settings,
    left: u64,
    position: u64,
    chunk: Vec<u8>,
    model: Option<Model>,
    /// The model as it is sent, until a chunk that has it was kept.
    unsent: Vec<u8>,
    base: Vec<u8>,
}

impl Encoder {
    fn new(settings: Settings, raw_len: u64) -> Self {
        Self {
            settings,
            left: raw_len,
            position: 0,
            chunk: Vec::new(),
            model: None,
            unsent: Vec::new(),
            base: Vec::new(),
        }
    }
}

impl SegmentEncoder for Encoder {
    fn set_base(&mut self, base: &[u8]) -> Result<(), PredictorError> {
        self.base = checked_base(self.settings, base, self.left)?;
        Ok(())
    }

    fn look_ahead(&mut self, segment: &[u8]) {
        let (settings, kind) = (self.settings, self.settings.coded());
        let whole = segment.len().min(self.left as usize) / kind.unit * kind.unit;
        let mut planes = vec![Vec::with_capacity(whole / kind.planes()); kind.planes()];
        let mut given = Vec::new();
        if settings.delta {
            if self.base.len() < whole {
                // The first chunk will say that the base is missing.
                return;
            }
            let mut changes = segment[..whole].to_vec();
            delta::take(settings.kind, &mut changes, &self.base[..whole]);
            split(&kind, &changes, &mut planes);
            delta::exponents(settings.kind, &self.base[..whole], &mut given);
        } else {
            split(&kind, &segment[..whole], &mut planes);
        }
        let model = Model::train(&kind, &planes, settings.row, settings.effort().rows, &given);
        self.unsent.clear();
        model.write(&mut self.unsent);
        self.model = Some(model);
    }

    fn write(&mut self, data: &[u8]) -> Result<(), PredictorError> {
        self.left = self
            .left
            .checked_sub(data.len() as u64)
            .ok_or(PredictorError::Usage("more bytes than the segment has"))?;
        self.chunk.extend_from_slice(data);
        Ok(())
    }

    fn finish_chunk(&mut self) -> Result<Vec<u8>, PredictorError> {
        let (settings, kind) = (self.settings, &self.settings.coded());
        if settings.delta && self.base.is_empty() {
            return Err(NO_BASE);
        }
        let chunk = std::mem::take(&mut self.chunk);
        let cut = Cut::new(kind, self.position, chunk.len());
        let none = Model::default();
        let model = self.model.as_ref().unwrap_or(&none);
        let mut out = Vec::with_capacity(chunk.len());
        out.push(if self.unsent.is_empty() { 0 } else { HAS_MODEL });
        out.extend_from_slice(&self.unsent);
        write_varint(chunk.len(), &mut out);
        let (head, rest) = chunk.split_at(cut.head);
        let (units, tail) = rest.split_at(cut.units * kind.unit);
        out.extend_from_slice(head);
        out.extend_from_slice(tail);
        let mut unit = (self.position + head.len() as u64) / kind.unit as u64;
        let mut planes = vec![Vec::new(); kind.planes()];
        let (mut changes, mut given) = (Vec::new(), Vec::new());
        let mut at = self.position as usize + head.len();
        for block in units.chunks(BLOCK / kind.unit * kind.unit) {
            planes.iter_mut().for_each(Vec::clear);
            let mut coded = block;
            if settings.delta {
                let base = &self.base[at..at + block.len()];
                changes.clear();
                changes.extend_from_slice(block);
                delta::take(settings.kind, &mut changes, base);
                given.clear();
                delta::exponents(settings.kind, base, &mut given);
                coded = &changes;
            }
            split(kind, coded, &mut planes);
            for (number, symbols) in planes.iter().enumerate() {
                let place = place(settings, number, unit, &given);
                let model = model_of(model, number);
                plane::encode(symbols, place, model, settings.effort(), &mut out);
            }
            unit += (block.len() / kind.unit) as u64;
            at += block.len();
        }
        self.position += chunk.len() as u64;
        if out.len() < chunk.len() {
            self.unsent.clear();
        }
        Ok(out)
    }
}

/// What decoding blocks takes, apart from their coded bytes.
struct Blocks {
    settings: Settings,
    position: u64,
    model: Option<Model>,
    buffers: [Vec<u8>; MAX_PLANES],
    grouped: Vec<u8>,
    base: Vec<u8>,
    given: Vec<u8>,
}

impl Blocks {
    /// Decodes the next block, as long as `out`, off the front of `data`.
    fn decode(&mut self, data: &mut &[u8], out: &mut [u8]) -> Result<(), PredictorError> {
        let (settings, kind) = (self.settings, &self.settings.coded());
        let units = out.len() / kind.unit;
        let first = self.position / kind.unit as u64;
        let mut base: &[u8] = &[];
        if settings.delta {
            base = self.base.get(self.position as usize..).ok_or(NO_BASE)?;
            base = base.get(..out.len()).ok_or(NO_BASE)?;
            self.given.clear();
            delta::exponents(settings.kind, base, &mut self.given);
        }
        let none = Model::default();
        let model = self.model.as_ref().unwrap_or(&none);
        let mut rest = *data;
        let mut planes: [&[u8]; MAX_PLANES] = [&[]; MAX_PLANES];
        let parts = planes.iter_mut().zip(&mut self.buffers);
        for (number, (plane, buffer)) in parts.take(kind.planes()).enumerate() {
            *plane = plane::decode(
                &mut rest,
                units * kind.width(number),
                place(settings, number, first, &self.given),
                model_of(model, number),
                buffer,
                &mut self.grouped,
                settings.simd,
            )?;
        }
        merge(kind, &planes[..kind.planes()], out, settings.simd);
        if settings.delta {
            delta::give(settings.kind, out, base);
        }
        *data = &data[data.len() - rest.len()..];
        self.position += out.len() as u64;
        Ok(())
    }
}

struct Decoder {
    blocks: Blocks,
    left: u64,
    chunk: Vec<u8>,
    /// How far the chunk's coded bytes were used.
    used: usize,
    /// What is left of the chunk: raw bytes, whole units, the bytes behind them.
    raw_left: usize,
    units: usize,
    tail: Vec<u8>,
    /// Decoded bytes that nobody has asked for yet.
    ready: Vec<u8>,
    ready_at: usize,
}

/// What a chunk's coded bytes begin with.
struct Front<'a> {
    len: usize,
    cut: Cut,
    head: &'a [u8],
    tail: &'a [u8],
}

impl Decoder {
    fn new(settings: Settings, raw_len: u64) -> Self {
        Self {
            blocks: Blocks {
                settings,
                position: 0,
                model: None,
                buffers: Default::default(),
                grouped: Vec::new(),
                base: Vec::new(),
                given: Vec::new(),
            },
            left: raw_len,
            chunk: Vec::new(),
            used: 0,
            raw_left: 0,
            units: 0,
            tail: Vec::new(),
            ready: Vec::new(),
            ready_at: 0,
        }
    }

    /// Takes everything in front of a chunk's blocks off `data`.
    fn front<'a>(&mut self, data: &mut &'a [u8]) -> Result<Front<'a>, PredictorError> {
        let Settings { row, delta, .. } = self.blocks.settings;
        let kind = &self.blocks.settings.coded();
        if delta && self.blocks.base.is_empty() {
            return Err(NO_BASE);
        }
        match byte(data)? {
            0 => {}
            HAS_MODEL if self.blocks.model.is_none() => {
                self.blocks.model = Some(Model::read(kind, row, delta, data)?);
            }
            _ => return Err(BAD),
        }
        let len = read_varint(data)?;
        self.left = self.left.checked_sub(len as u64).ok_or(BAD)?;
        let cut = Cut::new(kind, self.blocks.position, len);
        let head = take(data, cut.head)?;
        let tail = take(data, cut.tail)?;
        self.blocks.position += head.len() as u64;
        Ok(Front {
            len,
            cut,
            head,
            tail,
        })
    }

    /// Raw bytes of the next block.
    fn block(&self) -> usize {
        let unit = self.blocks.settings.kind.unit;
        self.units.min(BLOCK / unit) * unit
    }

    /// Decodes the next block of the open chunk, as long as `out`.
    fn decode_block(&mut self, out: &mut [u8]) -> Result<(), PredictorError> {
        let mut data = &self.chunk[self.used..];
        self.blocks.decode(&mut data, out)?;
        self.used = self.chunk.len() - data.len();
        self.units -= out.len() / self.blocks.settings.kind.unit;
        Ok(())
    }
}

impl SegmentDecoder for Decoder {
    fn set_base(&mut self, base: &[u8]) -> Result<(), PredictorError> {
        self.blocks.base = checked_base(self.blocks.settings, base, self.left)?;
        Ok(())
    }

    fn begin_chunk(&mut self, payload: Vec<u8>) -> Result<(), PredictorError> {
        let mut data = &payload[..];
        let front = self.front(&mut data)?;
        self.ready = front.head.to_vec();
        self.ready_at = 0;
        self.tail = front.tail.to_vec();
        self.units = front.cut.units;
        self.raw_left = front.len;
        self.used = payload.len() - data.len();
        self.chunk = payload;
        Ok(())
    }

    fn decode_chunk(&mut self, payload: &[u8], out: &mut [u8]) -> Result<(), PredictorError> {
        let mut data = payload;
        let front = self.front(&mut data)?;
        if front.len != out.len() {
            return Err(BAD);
        }
        let unit = self.blocks.settings.kind.unit;
        let (head, rest) = out.split_at_mut(front.head.len());
        let (units, tail) = rest.split_at_mut(front.cut.units * unit);
        head.copy_from_slice(front.head);
        for block in units.chunks_mut(BLOCK / unit * unit) {
            self.blocks.decode(&mut data, block)?;
        }
        tail.copy_from_slice(front.tail);
        self.blocks.position += tail.len() as u64;
        if data.is_empty() { Ok(()) } else { Err(BAD) }
    }

    fn read(&mut self, mut out: &mut [u8]) -> Result<(), PredictorError> {
        self.raw_left = self.raw_left.checked_sub(out.len()).ok_or(BAD)?;
        while !out.is_empty() {
            if self.ready_at < self.ready.len() {
                let ready = &self.ready[self.ready_at..];
                let count = ready.len().min(out.len());
                let (now, later) = out.split_at_mut(count);
                now.copy_from_slice(&ready[..count]);
                self.ready_at += count;
                out = later;
                continue;
            }
            let next = self.block();
            self.ready_at = 0;
            if next == 0 {
                self.ready = std::mem::take(&mut self.tail);
                self.blocks.position += self.ready.len() as u64;
                if self.ready.is_empty() {
                    return Err(BAD);
                }
            } else if next <= out.len() {
                self.ready.clear();
                let (now, later) = out.split_at_mut(next);
                self.decode_block(now)?;
                out = later;
            } else {
                let mut ready = std::mem::take(&mut self.ready);
                ready.resize(next, 0);
                self.decode_block(&mut ready)?;
                self.ready = ready;
            }
        }
        Ok(())
    }

    fn end_chunk(&mut self) -> Result<(), PredictorError> {
        if self.raw_left == 0 && self.used == self.chunk.len() {
            Ok(())
        } else {
            Err(BAD)
        }
    }

    fn train(&mut self, data: &[u8]) -> Result<(), PredictorError> {
        self.left = self
            .left
            .checked_sub(data.len() as u64)
            .ok_or(PredictorError::Usage("more bytes than the segment has"))?;
        self.blocks.position += data.len() as u64;
        Ok(())
    }
}
