//! Decodes tensors.

use std::cell::RefCell;

use super::delta;
use super::kind::MAX_PLANES;
use super::matches::{self, Match};
use super::mix::Mix;
use super::model::{Model, byte, read_length, take};
use super::plane::{self, Buffer, Coded, mixes_of, model_of};
use super::settings::{BAD, Cut, HAS_MODEL, NO_BASE, Settings, block_units, checked_base, place};
use super::split::merge;
use super::values::Values;
use crate::chunks::MAX_CHUNK;
use crate::segment::{PredictorError, SegmentDecoder};

/// Blocks that are decoded together: two streams at a time take little longer than one.
const TOGETHER: usize = 2;

thread_local! {
    /// Memory of the thread's last decoder, for its next one: fresh pages cost as much as what is
    /// decoded to them.
    static SPARE: RefCell<Vec<Buffer>> = const { RefCell::new(Vec::new()) };
}

/// What decoding blocks takes, apart from their coded bytes.
struct Blocks {
    settings: Settings,
    position: u64,
    /// Bytes of each block but the last of the open chunk.
    length: usize,
    model: Option<Model>,
    values: Option<Values>,
    mixes: Vec<Option<Mix>>,
    /// For each plane, one for each block.
    buffers: Vec<Buffer>,
    base: Vec<u8>,
    given: Vec<u8>,
    /// Coded bytes of each plane so far.
    taken: [u64; MAX_PLANES],
}

impl Drop for Blocks {
    fn drop(&mut self) {
        // Not while the thread ends.
        let _ = SPARE.try_with(|spare| spare.replace(std::mem::take(&mut self.buffers)));
    }
}

impl Blocks {
    fn new(settings: Settings) -> Self {
        let mut buffers = SPARE.take();
        buffers.resize_with(TOGETHER * MAX_PLANES, Buffer::default);
        Self {
            settings,
            position: 0,
            length: 0,
            model: None,
            values: None,
            mixes: Vec::new(),
            buffers,
            base: Vec::new(),
            given: Vec::new(),
            taken: [0; MAX_PLANES],
        }
    }

    /// How many bytes are decoded together.
    fn together(&self) -> usize {
        let mixed = self.mixes.iter().any(Option::is_some);
        let blocks = if self.settings.delta || mixed {
            1
        } else {
            TOGETHER
        };
        blocks * self.length
    }

    /// Decodes the next blocks, as long as `out`, no more than [`Blocks::together`], off the front of
    /// `data`; `after` is what is read next.
    fn decode(
        &mut self,
        data: &mut &[u8],
        out: &mut [u8],
        after: &[u8],
    ) -> Result<(), PredictorError> {
        let (settings, kind) = (self.settings, &self.settings.coded());
        let length = self.length;
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
        let (blocks, planes) = (out.len().div_ceil(length), kind.planes());
        let mut coded = Vec::with_capacity(blocks * planes);
        let mut first = self.position / settings.kind.unit as u64;
        for block in out.chunks(length) {
            let units = block.len() / kind.unit;
            for number in 0..planes {
                let place = place(settings, number, first, &self.given);
                let len = units * kind.width(number);
                let before = rest.len();
                let plane = Coded::take(&mut rest, len, place, model_of(model, number))?;
                self.taken[number] += (before - rest.len()) as u64;
                coded.push((number, plane));
            }
            first += units as u64;
        }
        // Plane by plane: streams side by side are then alike.
        coded.sort_by_key(|&(number, _)| number);
        let coded: Vec<_> = coded.into_iter().map(|(_, plane)| plane).collect();
        let buffers = &mut self.buffers[..coded.len()];
        let shares = after.chunks(after.len().div_ceil(blocks).max(1));
        let shares = shares.chain(std::iter::repeat(&[][..]));
        let next: Vec<_> = out
            .chunks(length)
            .zip(shares)
            .map(|(out, after)| [out, after])
            .collect();
        plane::decode(&coded, buffers, settings.simd, &next)?;
        for (i, plane) in coded.iter().enumerate() {
            let Some(stream) = plane.mixed() else {
                continue;
            };
            let number = i / blocks;
            let Some(Some(mix)) = self.mixes.get_mut(number) else {
                return Err(BAD);
            };
            let (before, after) = buffers.split_at_mut(i);
            let exponents = match before.get(i % blocks) {
                Some(buffer) => coded[i % blocks].symbols(buffer),
                None => &[],
            };
            let unit = self.position / settings.kind.unit as u64;
            let column = place(settings, number, unit, &self.given).column;
            mix.decode(
                stream,
                exponents,
                column,
                settings.simd,
                plane.target(&mut after[0]),
            )?;
        }
        for (number, block) in out.chunks_mut(length).enumerate() {
            let mut symbols: [&[u8]; MAX_PLANES] = [&[]; MAX_PLANES];
            for (i, symbols) in symbols[..planes].iter_mut().enumerate() {
                let at = i * blocks + number;
                *symbols = coded[at].symbols(&buffers[at]);
            }
            merge(kind, &symbols[..planes], block, settings.simd);
        }
        if settings.delta {
            delta::give(settings.kind, out, base);
        }
        *data = &data[data.len() - rest.len()..];
        self.position += (out.len() / kind.unit * settings.kind.unit) as u64;
        Ok(())
    }
}

pub struct Decoder {
    blocks: Blocks,
    left: u64,
    /// All of the segment so far, where parts of it may be copied.
    history: Vec<u8>,
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
    /// Raw bytes of the chunk, copied ones included.
    len: usize,
    matches: Vec<Match>,
    cut: Cut,
    head: &'a [u8],
    tail: &'a [u8],
}

impl Decoder {
    pub fn new(settings: Settings, raw_len: u64) -> Self {
        Self {
            blocks: Blocks::new(settings),
            left: raw_len,
            history: Vec::new(),
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
        let settings = self.blocks.settings;
        let Settings { row, delta, .. } = settings;
        let kind = &settings.coded();
        if delta && self.blocks.base.is_empty() {
            return Err(NO_BASE);
        }
        match byte(data)? {
            0 => {}
            HAS_MODEL if self.blocks.model.is_none() => {
                let model = Model::read(kind, row, delta, data)?;
                // The memory that low levels say has no room for mixing.
                let mix = settings.effort().mix;
                if !mix && model.mixed.iter().any(Option::is_some) {
                    return Err(BAD);
                }
                if settings.values {
                    self.blocks.values = Some(Values::read(settings.kind, data)?);
                }
                self.blocks.mixes = mixes_of(&model, settings);
                self.blocks.model = Some(model);
            }
            _ => return Err(BAD),
        }
        let (mut matches, mut copied) = (Vec::new(), 0);
        if settings.matches {
            let most = self.left.min(MAX_CHUNK as u64) as usize;
            (matches, copied) = matches::read(data, self.history.len(), most)?;
        }
        let coded = read_length(data)?;
        let len = coded + copied;
        let behind = matches.last().map_or(0, |last| last.at + last.len);
        if behind > self.history.len() + len {
            return Err(BAD);
        }
        self.left = self.left.checked_sub(len as u64).ok_or(BAD)?;
        if settings.values && self.blocks.values.is_none() {
            return Err(BAD);
        }
        // Such chunks are decoded to memory of their own.
        if (settings.values || settings.matches) && len > MAX_CHUNK {
            return Err(BAD);
        }
        let cut = Cut::new(settings.kind, self.blocks.position, coded);
        let head = take(data, cut.head)?;
        let tail = take(data, cut.tail)?;
        self.blocks.position += head.len() as u64;
        self.blocks.length = block_units(kind, cut.units) * kind.unit;
        Ok(Front {
            len,
            matches,
            cut,
            head,
            tail,
        })
    }

    /// Decodes a chunk's blocks to `out`, which is as long as all of the chunk that is coded.
    fn blocks(
        &mut self,
        front: &Front<'_>,
        mut data: &[u8],
        out: &mut [u8],
        after: &[u8],
        ready: &mut dyn FnMut(&[u8]),
    ) -> Result<(), PredictorError> {
        let settings = self.blocks.settings;
        out[..front.cut.head].copy_from_slice(front.head);
        let end = front.cut.head + front.cut.units * settings.kind.unit;
        if settings.values {
            let mut numbers = vec![0; front.cut.units];
            let together = self.blocks.together();
            for numbers in numbers.chunks_mut(together.max(1)) {
                self.blocks.decode(&mut data, numbers, &[])?;
            }
            let values = self.blocks.values.as_ref().ok_or(BAD)?;
            values.expand(&numbers, &mut out[front.cut.head..end])?;
        }
        let mut done = if settings.values { end } else { front.cut.head };
        let together = self.blocks.together();
        let mut shares = after.chunks(
            after
                .len()
                .div_ceil((end - done).div_ceil(together).max(1))
                .max(1),
        );
        while done < end {
            let next = end.min(done + together);
            let share = shares.next().unwrap_or_default();
            self.blocks.decode(&mut data, &mut out[done..next], share)?;
            ready(&out[..next]);
            done = next;
        }
        out[end..].copy_from_slice(front.tail);
        self.blocks.position += front.tail.len() as u64;
        if data.is_empty() { Ok(()) } else { Err(BAD) }
    }

    /// Appends a chunk of `front.len` bytes, some of which are copied, to the history.
    fn decode_copies(&mut self, front: &Front<'_>, data: &[u8]) -> Result<(), PredictorError> {
        let copied: usize = front.matches.iter().map(|found| found.len).sum();
        let mut literals = vec![0; front.len - copied];
        self.blocks(front, data, &mut literals, &[], &mut |_| {})?;
        matches::expand(&mut self.history, &front.matches, &literals);
        Ok(())
    }

    /// Raw bytes of the next block.
    fn block(&self) -> usize {
        self.blocks
            .length
            .min(self.units * self.blocks.settings.kind.unit)
    }

    /// Decodes the next block of the open chunk, as long as `out`.
    fn decode_block(&mut self, out: &mut [u8]) -> Result<(), PredictorError> {
        let mut data = &self.chunk[self.used..];
        self.blocks.decode(&mut data, out, &[])?;
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
        let Settings {
            matches, values, ..
        } = self.blocks.settings;
        if matches || values {
            let start = self.history.len();
            if matches {
                self.decode_copies(&front, data)?;
                self.ready = self.history[start..].to_vec();
            } else {
                let mut whole = vec![0; front.len];
                self.blocks(&front, data, &mut whole, &[], &mut |_| {})?;
                self.ready = whole;
            }
            self.ready_at = 0;
            self.tail = Vec::new();
            self.units = 0;
            self.raw_left = front.len;
            self.chunk = Vec::new();
            self.used = 0;
            return Ok(());
        }
        self.ready = front.head.to_vec();
        self.ready_at = 0;
        self.tail = front.tail.to_vec();
        self.units = front.cut.units;
        self.raw_left = front.len;
        self.used = payload.len() - data.len();
        self.chunk = payload;
        Ok(())
    }

    fn decode_chunk_in_parts(
        &mut self,
        payload: &[u8],
        out: &mut [u8],
        after: &[u8],
        ready: &mut dyn FnMut(&[u8]),
    ) -> Result<(), PredictorError> {
        let mut data = payload;
        let front = self.front(&mut data)?;
        if front.len != out.len() {
            return Err(BAD);
        }
        if self.blocks.settings.matches {
            let start = self.history.len();
            self.decode_copies(&front, data)?;
            out.copy_from_slice(&self.history[start..]);
            return Ok(());
        }
        self.blocks(&front, data, out, after, ready)
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

    fn planes(&self) -> Vec<u64> {
        let planes = self.blocks.settings.coded().planes();
        self.blocks.taken[..planes].to_vec()
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
        if self.blocks.settings.matches {
            self.history.extend_from_slice(data);
        }
        Ok(())
    }
}
