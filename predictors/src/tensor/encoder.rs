//! Encodes tensors: chunks of blocks of planes.

use std::cell::Cell;

use super::delta;
use super::matches::{self, Match};
use super::mix::{Mix, try_plane};
use super::model::{Model, row_symbols, write_length};
use super::plane::{self, Effort, Habits, Place, Scratch, mixes_of, model_of};
use super::sample::Sample;
use super::settings::{BLOCK, Cut, HAS_MODEL, NO_BASE, Settings, block_units, checked_base, place};
use super::split::split;
use super::values::Values;
use crate::segment::{PredictorError, SegmentEncoder};

pub struct Encoder {
    settings: Settings,
    left: u64,
    /// In what is coded, which is all but what is copied.
    position: u64,
    /// In the segment.
    at: usize,
    matches: Vec<Match>,
    /// The segment that the matches are of.
    matched: Vec<u8>,
    values: Option<Values>,
    chunk: Vec<u8>,
    model: Option<Model>,
    /// The model as it is sent, until a chunk that has it was kept.
    unsent: Vec<u8>,
    /// Of the planes that are mixed, as after the last chunk that was kept.
    mixes: Vec<Option<Mix>>,
    base: Vec<u8>,
    habits: Habits,
    memory: Memory,
}

/// What an encoder works in: kept for the thread's next one, since new memory has to be cleared.
#[derive(Default)]
struct Memory {
    blocks: [Block; TOGETHER],
    /// Planes of a sample.
    sample: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Block {
    planes: Vec<Vec<u8>>,
    scratch: Scratch,
}

/// Blocks that are coded together.
const TOGETHER: usize = 2;

thread_local! {
    static MEMORY: Cell<Option<Memory>> = const { Cell::new(None) };
}

/// Bytes of a segment that has no more than a block's own tables.
const TINY: usize = 4096;

/// Bytes of a sample that are kept at most.
const MOST_KEPT: usize = 4 << 20;

const CHANGED: PredictorError =
    PredictorError::Usage("content changed after the encoder had looked at it");
const TOO_MUCH: PredictorError = PredictorError::Usage("more bytes than the segment has");

impl Encoder {
    pub fn new(settings: Settings, raw_len: u64) -> Self {
        Self {
            settings,
            left: raw_len,
            position: 0,
            at: 0,
            matches: Vec::new(),
            matched: Vec::new(),
            values: None,
            chunk: Vec::new(),
            model: None,
            unsent: Vec::new(),
            mixes: Vec::new(),
            base: Vec::new(),
            habits: Habits::default(),
            memory: MEMORY.take().unwrap_or_default(),
        }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        let sample: usize = self.memory.sample.iter().map(Vec::capacity).sum();
        if sample > MOST_KEPT {
            self.memory.sample = Vec::new();
        }
        let memory = std::mem::take(&mut self.memory);
        // A thread that is ending keeps nothing.
        let _ = MEMORY.try_with(|kept| kept.set(Some(memory)));
    }
}

impl SegmentEncoder for Encoder {
    fn set_base(&mut self, base: &[u8]) -> Result<(), PredictorError> {
        self.base = checked_base(self.settings, base, self.left)?;
        Ok(())
    }

    fn look_ahead(&mut self, segment: &[u8]) {
        let (settings, kind) = (self.settings, self.settings.coded());
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let mut segment = &segment[..segment.len().min(left)];
        let not_copied;
        if settings.matches {
            self.matches = matches::find(segment, kind.unit);
            self.matched = segment.to_vec();
            not_copied = matches::literals(segment, 0, self.matches.iter().copied());
            segment = &not_copied;
        }
        let numbers;
        if settings.values {
            self.values = Values::of(segment, settings.kind.unit);
            let Some(found) = self.values.as_ref().and_then(|v| v.numbers(segment)) else {
                // The first chunk will say so.
                return;
            };
            numbers = found;
            segment = &numbers;
        }
        let whole = segment.len() / kind.unit * kind.unit;
        let effort = settings.effort();
        let mut given = Vec::new();
        let changes;
        let mut units = &segment[..whole];
        let mut taken = effort.sample;
        if settings.delta {
            if self.base.len() < whole {
                // The first chunk will say that the base is missing.
                return;
            }
            let mut changed = units.to_vec();
            delta::take(settings.kind, &mut changed, &self.base[..whole]);
            delta::exponents(settings.kind, &self.base[..whole], &mut given);
            changes = changed;
            units = &changes;
        }
        if settings.delta || effort.mix {
            taken = whole;
        } else if units.len()
            <= BLOCK
                .min(4 * settings.row * kind.unit / kind.elements)
                .max(TINY)
            && !settings.values
        {
            // Of one block without rows worth the name, its own tables are all that there is to find.
            return;
        }
        let planes = std::mem::take(&mut self.memory.sample);
        let sample = Sample::take(&kind, units, settings.row, taken, effort.simd, planes);
        let mut model = Model::train(&kind, &sample, units, settings.row, effort, &given);
        if effort.mix && !settings.delta {
            for number in 0..kind.planes() {
                let row = row_symbols(&kind, number, settings.row);
                let other = |symbols: &[u8], column: usize| {
                    let place = Place {
                        row,
                        column,
                        given: &[],
                    };
                    let (mut out, mut scratch) = (Vec::new(), Scratch::default());
                    let mut habits = Habits::default();
                    let table = model_of(&model, number);
                    for block in symbols.chunks(BLOCK / kind.unit) {
                        let scratch = (&mut scratch, &mut habits);
                        plane::encode(number, block, place, table, effort, scratch, &mut out);
                    }
                    out.len()
                };
                model.mixed[number] =
                    try_plane(&kind, number, &sample.planes, row, settings.simd, other);
            }
        }
        self.memory.sample = sample.planes;
        self.mixes = mixes_of(&model, settings);
        self.unsent.clear();
        model.write(&mut self.unsent);
        if let Some(values) = &self.values {
            values.write(&mut self.unsent);
        }
        self.model = Some(model);
    }

    fn write(&mut self, data: &[u8]) -> Result<(), PredictorError> {
        self.left = self.left.checked_sub(data.len() as u64).ok_or(TOO_MUCH)?;
        self.chunk.extend_from_slice(data);
        Ok(())
    }

    fn finish_chunk(&mut self) -> Result<Vec<u8>, PredictorError> {
        let chunk = std::mem::take(&mut self.chunk);
        let mut out = Vec::with_capacity(chunk.len() + 16);
        self.code(&chunk, &mut out)?;
        Ok(out)
    }

    fn encode_chunk(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), PredictorError> {
        self.left = self.left.checked_sub(data.len() as u64).ok_or(TOO_MUCH)?;
        self.code(data, out)
    }
}

impl Encoder {
    /// Appends the coded bytes of a chunk, the next one of the segment, to `out`.
    fn code(&mut self, whole: &[u8], out: &mut Vec<u8>) -> Result<(), PredictorError> {
        let (settings, kind) = (self.settings, &self.settings.coded());
        if settings.delta && self.base.is_empty() {
            return Err(NO_BASE);
        }
        if settings.values && self.values.is_none() {
            return Err(PredictorError::Usage(
                "values of a tensor that was not looked at, or too many",
            ));
        }
        let start = out.len();
        let effort = settings.effort();
        let mut chunk = whole;
        let not_copied;
        let here: Vec<Match> = matches::within(&self.matches, self.at, whole.len()).collect();
        if settings.matches {
            let same = |found: &Match| {
                let (from, to) = (found.at, found.at + found.len);
                self.matched.get(from..to) == whole.get(from - self.at..to - self.at)
            };
            if !here.iter().all(same) {
                return Err(CHANGED);
            }
            not_copied = matches::literals(whole, self.at, here.iter().copied());
            chunk = &not_copied;
        }
        let cut = Cut::new(settings.kind, self.position, chunk.len());
        // What a chunk taught is lost with a chunk that is not kept: a decoder never sees it.
        let mut mixes = self.mixes.clone();
        let none = Model::default();
        let model = self.model.as_ref().unwrap_or(&none);
        out.push(if self.unsent.is_empty() { 0 } else { HAS_MODEL });
        out.extend_from_slice(&self.unsent);
        if settings.matches {
            matches::write(&here, self.at, out);
        }
        write_length(chunk.len(), out);
        let (head, rest) = chunk.split_at(cut.head);
        let (mut units, tail) = rest.split_at(cut.units * settings.kind.unit);
        out.extend_from_slice(head);
        out.extend_from_slice(tail);
        let mut unit = (self.position + head.len() as u64) / settings.kind.unit as u64;
        let numbers;
        if let Some(values) = &self.values {
            numbers = values.numbers(units).ok_or(CHANGED)?;
            units = &numbers;
        }
        let (mut changes, mut given) = (Vec::new(), Vec::new());
        let mut at = self.position as usize + head.len();
        // What a block is coded with may follow from the one before.
        let alone = settings.delta || mixes.iter().any(Option::is_some);
        let length = block_units(kind, cut.units) * kind.unit;
        for blocks in units.chunks(if alone { length } else { TOGETHER * length }) {
            let memory = &mut self.memory.blocks;
            let starts = (unit..).step_by(length / kind.unit);
            for (block, memory) in blocks.chunks(length).zip(memory.iter_mut()) {
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
                memory.planes.resize(kind.planes(), Vec::new());
                split(kind, coded, &mut memory.planes, 0, settings.simd);
            }
            if blocks.len() > length {
                let places = |number| {
                    [unit, unit + (length / kind.unit) as u64]
                        .map(|unit| place(settings, number, unit, &given))
                };
                ahead(model, places, effort, memory, &self.habits);
            }
            for ((block, unit), memory) in blocks.chunks(length).zip(starts).zip(memory) {
                let Block { planes, scratch } = memory;
                for (number, symbols) in planes.iter().enumerate() {
                    let mut place = place(settings, number, unit, &given);
                    if !settings.delta {
                        place.given = &planes[0];
                    }
                    if let Some(Some(mix)) = mixes.get_mut(number) {
                        plane::encode_mixed(symbols, &planes[0], place, mix, settings.simd, out);
                        continue;
                    }
                    let model = model_of(model, number);
                    let scratch = (&mut *scratch, &mut self.habits);
                    plane::encode(number, symbols, place, model, effort, scratch, out);
                }
                at += block.len();
            }
            unit += (blocks.len() / kind.unit) as u64;
        }
        self.at += whole.len();
        if out.len() - start < whole.len() {
            self.position += chunk.len() as u64;
            self.unsent.clear();
            self.mixes = mixes;
        } else {
            self.position += whole.len() as u64;
        }
        Ok(())
    }
}

/// Codes the planes of two blocks that have tables, as far as that can be done at once.
fn ahead<'p>(
    model: &Model,
    places: impl Fn(usize) -> [Place<'p>; 2],
    effort: Effort,
    [first, second]: &mut [Block; TOGETHER],
    habits: &Habits,
) {
    for (number, symbols) in first.planes.iter().zip(&second.planes).enumerate() {
        if let Some(model) = model_of(model, number) {
            let symbols = [&symbols.0[..], &symbols.1[..]];
            let memory = ([&mut first.scratch, &mut second.scratch], habits);
            let [mut a, mut b] = places(number);
            (a.given, b.given) = (&first.planes[0], &second.planes[0]);
            plane::encode_ahead(number, symbols, [a, b], model, effort, memory);
        }
    }
}
