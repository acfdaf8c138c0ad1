//! Decodes tensors.

use super::delta;
use super::kind::MAX_PLANES;
use super::mix::Mix;
use super::model::{Model, byte, read_length, take};
use super::plane::{self, MIX, mixes_of, model_of};
use super::settings::{BAD, BLOCK, Cut, HAS_MODEL, NO_BASE, Settings, checked_base, place};
use super::split::merge;
use crate::segment::{PredictorError, SegmentDecoder};

/// What decoding blocks takes, apart from their coded bytes.
struct Blocks {
    settings: Settings,
    position: u64,
    model: Option<Model>,
    mixes: Vec<Option<Mix>>,
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
            let at = usize::try_from(self.position).map_err(|_| NO_BASE)?;
            base = self.base.get(at..).ok_or(NO_BASE)?;
            base = base.get(..out.len()).ok_or(NO_BASE)?;
            self.given.clear();
            delta::exponents(settings.kind, base, &mut self.given);
        }
        let none = Model::default();
        let model = self.model.as_ref().unwrap_or(&none);
        let mut rest = *data;
        let mut planes: [&[u8]; MAX_PLANES] = [&[]; MAX_PLANES];
        let mut exponents: &[u8] = &[];
        let parts = planes.iter_mut().zip(&mut self.buffers);
        for (number, (plane, buffer)) in parts.take(kind.planes()).enumerate() {
            let place = place(settings, number, first, &self.given);
            *plane = match (self.mixes.get_mut(number), rest.first()) {
                (Some(Some(mix)), Some(&MIX)) => {
                    rest = &rest[1..];
                    buffer.resize(units * kind.width(number), 0);
                    mix.decode(&mut rest, exponents, place.column, settings.simd, buffer)?;
                    buffer
                }
                _ => plane::decode(
                    &mut rest,
                    units * kind.width(number),
                    place,
                    model_of(model, number),
                    buffer,
                    &mut self.grouped,
                    settings.simd,
                )?,
            };
            if number == 0 {
                exponents = *plane;
            }
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

pub struct Decoder {
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
    pub fn new(settings: Settings, raw_len: u64) -> Self {
        Self {
            blocks: Blocks {
                settings,
                position: 0,
                model: None,
                mixes: Vec::new(),
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
                let model = Model::read(kind, row, delta, data)?;
                // The memory that low levels say has no room for mixing.
                let mix = self.blocks.settings.effort().mix;
                if !mix && model.mixed.iter().any(Option::is_some) {
                    return Err(BAD);
                }
                self.blocks.mixes = mixes_of(&model, self.blocks.settings);
                self.blocks.model = Some(model);
            }
            _ => return Err(BAD),
        }
        let len = read_length(data)?;
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
