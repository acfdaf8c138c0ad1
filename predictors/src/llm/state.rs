//! A segment's state, which encoder and decoder move in the same steps.

use std::sync::Arc;

use crc32fast::Hasher;

use super::context::{BATCH, Context};
use super::join::{EXTERNALS, Walk, joined, plain_byte};
use super::line_ends::{Line, LineEnds, Unfolding, Wrap};
use super::{ModelPack, Vocabulary};
use crate::bits::Bits;
use crate::cm;
use crate::cm::any_model::{AnyJoined, with_model};
use crate::cm::codec::primer;
use crate::cm::model::Model;
use crate::cm::plan::Plan;
use crate::segment::{CANARY_BYTES, PredictorError};
use crate::simd::{self, Job, Kernels, Level};
use crate::varint;

/// In the settings' sixth byte: the model learns the segment; blocks may be without their line ends.
pub const LEARNS: u8 = 1;
pub const UNFOLDS: u8 = 2;

/// Settings are those of `cm`, then log2 of the window in tokens, 0 for all that the model takes, then
/// [`LEARNS`] and [`UNFOLDS`]; then, where others start from the state after the segment, the
/// bytes of the longest of them, as a varint.
#[derive(Clone)]
pub struct Settings {
    pub cm: [u8; 4],
    pub window: usize,
    pub learns: bool,
    pub unfolds: bool,
    /// 0 where no segment starts from the state after this one.
    pub longest_after: u64,
}

impl Settings {
    /// # Errors
    /// [`PredictorError::Unsupported`] for settings that this version does not know.
    pub fn parse(settings: &[u8]) -> Result<Self, PredictorError> {
        let unknown = PredictorError::Unsupported("settings of llm");
        let Some((&[cm @ .., window, flags @ 0..=3], mut rest)) = settings.split_first_chunk::<6>()
        else {
            return Err(unknown);
        };
        cm::codec::parse(&cm)?;
        let mut longest_after = 0;
        if !rest.is_empty() {
            let known = varint::take(&mut rest).filter(|&longest| longest > 0);
            longest_after = known.filter(|_| rest.is_empty()).ok_or(unknown)?;
        }
        let window = match window {
            0 => usize::MAX,
            1..=24 => 1 << window,
            _ => return Err(PredictorError::Unsupported("window of llm")),
        };
        Ok(Self {
            cm,
            window,
            learns: flags & LEARNS != 0,
            unfolds: flags & UNFOLDS != 0,
            longest_after,
        })
    }
}

/// A segment, and what it is coded with once its model is there.
pub struct Segment {
    pub settings: Settings,
    /// Bytes that its tables are made for.
    pub room: u64,
    /// Bytes that are still to come.
    pub left: u64,
    length: u64,
    pack: Option<Arc<dyn ModelPack>>,
    /// What it starts from, where that is not a state that has learnt nothing.
    origin: Option<Arc<State>>,
    /// None before the first byte, and once others have started from it.
    state: Option<State>,
    /// Where others start.
    end: Option<Arc<State>>,
    /// Hash of the model's first prediction and of those of the first bytes, and how many bytes of
    /// these are left.
    canary: Hasher,
    watched: usize,
    /// Of the current block, where it is without its line ends.
    unfolding: Option<Unfolding>,
}

struct State {
    joined: AnyJoined,
    simd: Level,
    context: Context,
    walk: Walk,
    /// Whether the current block uses the model.
    on: bool,
    /// Whether the canary has the model's first prediction.
    heard: bool,
    ends: LineEnds,
}

impl Segment {
    /// # Errors
    /// As [`Settings::parse`].
    pub fn parse(settings: &[u8], raw_len: u64) -> Result<Self, PredictorError> {
        Ok(Self::new(Settings::parse(settings)?, raw_len))
    }

    fn new(settings: Settings, length: u64) -> Self {
        Self {
            room: length.saturating_add(settings.longest_after),
            settings,
            left: length,
            length,
            pack: None,
            origin: None,
            state: None,
            end: None,
            canary: Hasher::new(),
            watched: CANARY_BYTES,
            unfolding: None,
        }
    }

    /// The same segment before its first byte, with the same model.
    pub fn anew(&self) -> Self {
        Self {
            room: self.room,
            pack: self.pack.clone(),
            origin: self.origin.clone(),
            ..Self::new(self.settings.clone(), self.length)
        }
    }

    /// A segment of `length` bytes that starts from the state of this one, between two blocks.
    ///
    /// # Errors
    /// [`PredictorError::Corrupt`] where there is no room for as many bytes.
    pub fn after(&mut self, length: u64) -> Result<Self, PredictorError> {
        if length > self.settings.longest_after {
            return Err(PredictorError::Corrupt(
                "a segment is longer than the first one makes room for",
            ));
        }
        if let Some(state) = self.state.take() {
            self.end = Some(Arc::new(state));
        }
        Ok(Self {
            room: self.room,
            pack: self.pack.clone(),
            origin: self.end.clone(),
            ..Self::new(self.settings.clone(), length)
        })
    }

    pub fn set_pack(&mut self, pack: Arc<dyn ModelPack>) {
        self.pack = Some(pack);
    }

    /// # Errors
    /// [`PredictorError::Usage`] where no model was given.
    pub fn pack(&self) -> Result<&Arc<dyn ModelPack>, PredictorError> {
        let none = PredictorError::Usage("the segment has no model");
        self.pack.as_ref().ok_or(none)
    }

    /// Counts bytes that come.
    ///
    /// # Errors
    /// [`PredictorError::Usage`] where the segment has fewer.
    pub fn take(&mut self, bytes: usize) -> Result<(), PredictorError> {
        let left = self.left.checked_sub(bytes as u64);
        self.left = left.ok_or(PredictorError::Usage("more bytes than the segment has"))?;
        Ok(())
    }

    pub fn canary(&self) -> u32 {
        self.canary.clone().finalize()
    }

    /// Whether the canary covers what comes next.
    pub fn is_watched(&self) -> bool {
        self.watched > 0
    }

    /// The state, made where there is none, and the vocabulary.
    fn state(&mut self) -> Result<(&mut State, &Vocabulary), PredictorError> {
        let none = PredictorError::Usage("the segment has no model");
        let pack = self.pack.as_ref().ok_or(none)?;
        if self.state.is_none() {
            self.state = Some(match &self.origin {
                Some(origin) => origin.fork()?,
                None => State::new(&self.settings, self.room, pack)?,
            });
        }
        Ok((self.state.as_mut().expect("just made"), pack.vocabulary()))
    }

    /// Ends a block, and an open token with it.
    ///
    /// # Errors
    /// [`PredictorError::Corrupt`] where the token's bytes are none.
    pub fn end_block(&mut self) -> Result<(), PredictorError> {
        let (state, vocabulary) = self.state()?;
        state.end_block(vocabulary)
    }

    /// Between two blocks: says which tokens the next one has, and returns what the model says of the
    /// first of them, as many as it is asked about at a time.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn expect(&mut self, tokens: &[u32]) -> Result<Vec<i32>, PredictorError> {
        let (state, _) = self.state()?;
        state.context.expect(tokens);
        state.context.outlook(BATCH)
    }

    /// Starts a block, with the model or without.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn start_block(&mut self, on: bool) -> Result<(), PredictorError> {
        let mut canary = std::mem::take(&mut self.canary);
        let (state, _) = self.state()?;
        if !state.heard {
            state.heard = true;
            let first = state.context.outlook(1)?;
            let bytes: Vec<u8> = first.iter().flat_map(|logit| logit.to_le_bytes()).collect();
            canary.update(&bytes);
        }
        state.start_block(on);
        self.canary = canary;
        Ok(())
    }

    /// Codes bytes of one block; `starts` says for each whether a token starts there, for an encoder.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn code<B: Bits>(
        &mut self,
        bits: &mut B,
        data: &mut [u8],
        starts: &[bool],
    ) -> Result<(), PredictorError> {
        let (first, rest) = data.split_at_mut(self.watched.min(data.len()));
        self.code_watched(bits, first, starts)?;
        self.watched -= first.len();
        let starts = starts.get(first.len()..).unwrap_or_default();
        let (state, vocabulary) = self.state()?;
        state.code(vocabulary, bits, rest, starts)?;
        state.ends.line.pass(data);
        Ok(())
    }

    /// As [`State::code`], where the canary covers the bytes.
    fn code_watched<B: Bits>(
        &mut self,
        bits: &mut B,
        data: &mut [u8],
        starts: &[bool],
    ) -> Result<(), PredictorError> {
        if data.is_empty() {
            return Ok(());
        }
        let mut hash = std::mem::take(&mut self.canary);
        let (state, vocabulary) = self.state()?;
        state.code(vocabulary, &mut Watched(bits, &mut hash), data, starts)?;
        self.canary = hash;
        Ok(())
    }

    /// Where the segment's lines stand, between two blocks.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn line(&mut self) -> Result<Line, PredictorError> {
        Ok(self.state()?.0.ends.line)
    }

    /// The block that was started, with the model, is without its line ends.
    pub fn unfold(&mut self, wrap: Wrap, length: usize) {
        self.unfolding = Some(Unfolding::new(wrap, length));
    }

    /// Codes a byte of the text of a block without its line ends, where it is not whole; `starts` and `is_end`
    /// say whether a token starts there and whether a line end did, for an encoder. Adds what is known then of
    /// the raw bytes to `raw`. Returns whether the block is whole.
    ///
    /// # Errors
    /// [`PredictorError::Corrupt`] where lines do not fit the block, [`PredictorError::Setup`] when there is
    /// not enough memory.
    pub fn code_unfolded<B: Bits>(
        &mut self,
        bits: &mut B,
        byte: &mut u8,
        starts: bool,
        is_end: bool,
        raw: &mut Vec<u8>,
    ) -> Result<bool, PredictorError> {
        let data = std::slice::from_mut(byte);
        if self.watched > 0 {
            self.code_watched(bits, data, &[starts])?;
        } else {
            let (state, vocabulary) = self.state()?;
            state.code(vocabulary, bits, data, &[starts])?;
        }
        let none = PredictorError::Usage("the block has its line ends");
        let mut block = self.unfolding.take().ok_or(none)?;
        let (state, _) = self.state()?;
        let known = block.known();
        block.step(&mut state.ends, *byte, is_end, bits, raw)?;
        let is_whole = block.is_whole();
        if is_whole {
            block.end(&mut state.ends, raw)?;
        }
        self.watched = self.watched.saturating_sub(block.known() - known);
        self.unfolding = (!is_whole).then_some(block);
        Ok(is_whole)
    }

    /// Whether the current block is without its line ends, and not whole.
    pub fn is_unfolding(&self) -> bool {
        self.unfolding.is_some()
    }

    /// Learns bytes that are stored in the clear, as those of blocks without the model.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn learn(&mut self, data: &[u8]) -> Result<(), PredictorError> {
        self.end_block()?;
        self.start_block(false)?;
        self.code(&mut Known, &mut data.to_vec(), &[])
    }
}

impl State {
    fn new(
        settings: &Settings,
        room: u64,
        pack: &Arc<dyn ModelPack>,
    ) -> Result<Self, PredictorError> {
        let (level, content) = cm::codec::parse(&settings.cm)?;
        let simd = simd::active().map_err(PredictorError::Setup)?;
        let plan = Plan::new(level, content);
        let (primer, rates) = (primer(&plan), plan.rates);
        let length = room.saturating_add(primer.len() as u64);
        let mut joined = AnyJoined::new(joined(plan), length, &EXTERNALS)?;
        with_model!(&mut joined, model => {
            model.add_plain_mixer(rates);
            simd::run(simd, Learn { model, data: primer });
        });
        Ok(Self {
            joined,
            simd,
            context: Context::new(pack, settings.window, settings.learns)?,
            walk: Walk::new(pack.vocabulary())?,
            on: false,
            heard: false,
            ends: LineEnds::new(),
        })
    }

    /// A copy that goes on by itself, between two blocks.
    fn fork(&self) -> Result<Self, PredictorError> {
        Ok(Self {
            joined: self.joined.fork()?,
            simd: self.simd,
            context: self.context.fork()?,
            walk: self.walk.fork()?,
            on: self.on,
            heard: self.heard,
            ends: self.ends.clone(),
        })
    }

    fn code<B: Bits>(
        &mut self,
        vocabulary: &Vocabulary,
        bits: &mut B,
        data: &mut [u8],
        starts: &[bool],
    ) -> Result<(), PredictorError> {
        let Self {
            joined,
            simd,
            context,
            walk,
            on,
            heard: _,
            ends: _,
        } = self;
        let on = *on;
        with_model!(joined, model => simd::run(*simd, Code {
            model, walk, context, vocabulary, on, bits, data, starts,
        }))
    }

    /// Ends the open token with its block.
    fn end_block(&mut self, vocabulary: &Vocabulary) -> Result<(), PredictorError> {
        if self.walk.is_open() {
            let token = self.walk.close(vocabulary);
            let token = token.ok_or(PredictorError::Corrupt("a token goes on past its block"))?;
            self.context.push(token)?;
        }
        Ok(())
    }

    /// Starts a block, with the model or without.
    fn start_block(&mut self, on: bool) {
        self.on = on;
        with_model!(&mut self.joined, model => model.heed(on));
        if !on {
            self.context.clear();
        }
    }
}

/// Bits that are known already.
pub struct Known;

impl Bits for Known {
    #[inline(always)]
    fn code(&mut self, bit: bool, _: u32) -> bool {
        bit
    }
}

/// Bits whose predictions the canary covers.
struct Watched<'a, B>(&'a mut B, &'a mut Hasher);

impl<B: Bits> Bits for Watched<'_, B> {
    #[inline(always)]
    fn code(&mut self, bit: bool, p: u32) -> bool {
        self.1.update(&p.to_le_bytes());
        self.0.code(bit, p)
    }
}

/// Learns bytes without the model.
struct Learn<'a, const S: usize, const A: usize> {
    model: &'a mut Model<S, A>,
    data: &'a [u8],
}

impl<const S: usize, const A: usize> Job for Learn<'_, S, A> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernels>(self) {
        for &byte in self.data {
            plain_byte::<K, S, A>(self.model, byte, &mut Known);
        }
    }
}

/// Codes bytes of one block: those of `data`, or into it.
struct Code<'a, B, const S: usize, const A: usize> {
    model: &'a mut Model<S, A>,
    walk: &'a mut Walk,
    context: &'a mut Context,
    vocabulary: &'a Vocabulary,
    on: bool,
    bits: &'a mut B,
    data: &'a mut [u8],
    starts: &'a [bool],
}

impl<B: Bits, const S: usize, const A: usize> Job for Code<'_, B, S, A> {
    type Output = Result<(), PredictorError>;

    #[inline(always)]
    fn run<K: Kernels>(self) -> Self::Output {
        let Self {
            model,
            walk,
            context,
            vocabulary,
            on,
            bits,
            data,
            starts,
        } = self;
        if !on {
            for byte in data {
                *byte = plain_byte::<K, S, A>(model, *byte, bits);
            }
            return Ok(());
        }
        for (at, byte) in data.iter_mut().enumerate() {
            let starts = starts.get(at).copied().unwrap_or(false);
            if let Some(token) = walk.end::<K, S, A>(vocabulary, model, starts, bits) {
                context.push(token)?;
            }
            if !walk.is_open() {
                walk.open(vocabulary, context.predict()?);
            }
            *byte = walk.byte::<K, S, A>(vocabulary, model, *byte, bits);
        }
        Ok(())
    }
}
