//! `llm` as a registered predictor: settings, segments, blocks, canary.

use std::sync::Arc;

use crc32fast::Hasher;
use llmzip_coders::binary::{Decoder as BitDecoder, Encoder as BitEncoder};

use super::context::Context;
use super::join::{Bits, EXTERNALS, Walk, joined, plain_byte};
use super::trial::Trial;
use super::vocabulary::NO_TOKEN;
use super::{ModelPack, Vocabulary};
use crate::cm;
use crate::cm::any_model::{AnyJoined, with_model};
use crate::cm::codec::primer;
use crate::cm::model::Model;
use crate::cm::plan::Plan;
use crate::segment::{CANARY_BYTES, Predictor, PredictorError, SegmentDecoder, SegmentEncoder};
use crate::simd::{self, Job, Kernels, Level};

/// Bytes of a chunk that are coded with the model or without; tokens end where a block ends.
const BLOCK: usize = 1 << 14;

pub(crate) const PREDICTOR: Predictor = Predictor {
    id: "llm",
    version: 1,
    coder: 1,
    memory: |settings, raw_len| {
        let settings = Settings::parse(settings)?;
        let mixing = (cm::PREDICTOR.memory)(&settings.cm, raw_len)?;
        // Selectors and curves of the joint mixer, the encoder's trial.
        Ok(mixing.saturating_add(64 << 20))
    },
    encoder: |settings, raw_len| {
        Ok(Box::new(Encoder {
            segment: Segment::parse(settings, raw_len)?,
            coder: BitEncoder::new(),
            trial: None,
            block: Vec::new(),
            chunk_len: 0,
            before: Hasher::new(),
        }))
    },
    decoder: |settings, raw_len| {
        Ok(Box::new(Decoder {
            segment: Segment::parse(settings, raw_len)?,
            coder: BitDecoder::new(Vec::new()),
            place: 0,
        }))
    },
    settings: |level, sample| {
        let mut settings = (cm::PREDICTOR.settings)(level, sample);
        settings.push(if level < 7 { 11 } else { 0 });
        settings
    },
};

/// Settings are those of `cm`, then log2 of the window in tokens, 0 for all that the model takes.
#[derive(Clone)]
struct Settings {
    cm: [u8; 4],
    window: usize,
}

impl Settings {
    fn parse(settings: &[u8]) -> Result<Self, PredictorError> {
        let Ok([cm @ .., window]) = <[u8; 5]>::try_from(settings) else {
            return Err(PredictorError::Unsupported("settings of llm"));
        };
        cm::codec::parse(&cm)?;
        let window = match window {
            0 => usize::MAX,
            1..=24 => 1 << window,
            _ => return Err(PredictorError::Unsupported("window of llm")),
        };
        Ok(Self { cm, window })
    }
}

/// A segment, and what it is coded with once its model is there.
struct Segment {
    settings: Settings,
    raw_len: u64,
    left: u64,
    pack: Option<Arc<dyn ModelPack>>,
    /// None before the first byte, and after a chunk that is stored in the clear.
    state: Option<State>,
    /// Hash of the predictions of the first bytes, and how many of these are left.
    canary: Hasher,
    watched: usize,
}

struct State {
    joined: AnyJoined,
    simd: Level,
    context: Context,
    walk: Walk,
    /// Whether the current block uses the model.
    on: bool,
}

impl Segment {
    fn parse(settings: &[u8], raw_len: u64) -> Result<Self, PredictorError> {
        Ok(Self {
            settings: Settings::parse(settings)?,
            raw_len,
            left: raw_len,
            pack: None,
            state: None,
            canary: Hasher::new(),
            watched: CANARY_BYTES,
        })
    }

    fn pack(&self) -> Result<Arc<dyn ModelPack>, PredictorError> {
        let pack = self.pack.as_ref().map(Arc::clone);
        pack.ok_or(PredictorError::Usage("the segment has no model"))
    }

    fn take(&mut self, bytes: usize) -> Result<(), PredictorError> {
        let left = self.left.checked_sub(bytes as u64);
        self.left = left.ok_or(PredictorError::Usage("more bytes than the segment has"))?;
        Ok(())
    }

    /// The state, made anew where there is none.
    fn state(&mut self, pack: &Arc<dyn ModelPack>) -> Result<&mut State, PredictorError> {
        if self.state.is_none() {
            self.state = Some(State::new(&self.settings, self.raw_len, pack)?);
        }
        Ok(self.state.as_mut().expect("just made"))
    }

    /// Codes bytes of one block; `starts` says for each whether a token starts there, for an encoder.
    fn code<B: Bits>(
        &mut self,
        pack: &Arc<dyn ModelPack>,
        bits: &mut B,
        data: &mut [u8],
        starts: &[bool],
    ) -> Result<(), PredictorError> {
        let (first, data) = data.split_at_mut(self.watched.min(data.len()));
        self.watched -= first.len();
        if !first.is_empty() {
            let mut hash = std::mem::take(&mut self.canary);
            let state = self.state(pack)?;
            state.code(
                pack.vocabulary(),
                &mut Watched(bits, &mut hash),
                first,
                starts,
            )?;
            self.canary = hash;
        }
        let starts = starts.get(first.len()..).unwrap_or_default();
        let state = self.state(pack)?;
        state.code(pack.vocabulary(), bits, data, starts)
    }

    /// Passes over bytes that are stored in the clear. Since the archive does not say which tokens an
    /// encoder took them for, what was learnt is forgotten, and the canary leaves them out.
    fn pass(&mut self, bytes: usize) {
        self.state = None;
        self.watched -= self.watched.min(bytes);
    }
}

impl State {
    fn new(
        settings: &Settings,
        raw_len: u64,
        pack: &Arc<dyn ModelPack>,
    ) -> Result<Self, PredictorError> {
        let (level, content) = cm::codec::parse(&settings.cm)?;
        let simd = simd::active().map_err(PredictorError::Setup)?;
        let plan = Plan::new(level, content);
        let primer = primer(&plan);
        let length = raw_len.saturating_add(primer.len() as u64);
        let mut joined = AnyJoined::new(joined(plan), length, &EXTERNALS)?;
        with_model!(&mut joined, model => {
            simd::run(simd, Learn { model, data: primer });
            model.forget_weights();
        });
        Ok(Self {
            joined,
            simd,
            context: Context::new(pack, settings.window)?,
            walk: Walk::new(pack.vocabulary())?,
            on: false,
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
            self.context.push(token);
        }
        Ok(())
    }

    /// Starts a block, with the model or without.
    fn start_block(&mut self, on: bool) {
        self.on = on;
        if !on {
            self.context.clear();
        }
    }
}

impl Bits for BitEncoder {
    #[inline(always)]
    fn code(&mut self, bit: bool, p: u32) -> bool {
        self.encode(bit, p);
        bit
    }
}

impl Bits for BitDecoder {
    #[inline(always)]
    fn code(&mut self, _: bool, p: u32) -> bool {
        self.decode(p)
    }
}

/// Bits that are known already.
struct Known;

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
                context.push(token);
            }
            if !walk.is_open() {
                walk.open(vocabulary, context.predict()?);
            }
            *byte = walk.byte::<K, S, A>(vocabulary, model, *byte, bits);
        }
        Ok(())
    }
}

/// Probability that a block uses the model.
const EVEN: u32 = 1 << 31;

struct Encoder {
    segment: Segment,
    coder: BitEncoder,
    trial: Option<Trial>,
    /// Bytes of the block that is not coded yet.
    block: Vec<u8>,
    /// Bytes of the open chunk, and the canary before it.
    chunk_len: usize,
    before: Hasher,
}

impl Encoder {
    fn code_block(&mut self) -> Result<(), PredictorError> {
        let mut data = std::mem::take(&mut self.block);
        if data.is_empty() {
            return Ok(());
        }
        let pack = self.segment.pack()?;
        let vocabulary = pack.vocabulary();
        let (ranks, starts) = cut(&*pack, &data)?;
        let tokens: Vec<u32> = ranks
            .iter()
            .map(|&rank| vocabulary.tokens()[rank])
            .collect();
        if self.trial.is_none() {
            self.trial = Some(Trial::new(&self.segment.settings.cm, self.segment.raw_len)?);
        }
        let state = self.segment.state(&pack)?;
        state.end_block(vocabulary)?;
        state.context.expect(&tokens);
        let logits = state.context.prepare()?;
        let on = self
            .trial
            .as_mut()
            .expect("just made")
            .helps(vocabulary, logits, &ranks, &data);
        self.coder.encode(on, EVEN);
        state.start_block(on);
        self.segment
            .code(&pack, &mut self.coder, &mut data, &starts)?;
        data.clear();
        self.block = data;
        Ok(())
    }
}

/// Ranks of the tokens of a text, and for each of its bytes whether a token starts there.
fn cut(pack: &dyn ModelPack, text: &[u8]) -> Result<(Vec<usize>, Vec<bool>), PredictorError> {
    let vocabulary = pack.vocabulary();
    let foreign = |byte: u8| vocabulary.tokens()[vocabulary.byte(byte)] == NO_TOKEN;
    let foreign: [bool; 256] = std::array::from_fn(|byte| foreign(byte as u8));
    let (mut ranks, mut starts) = (Vec::new(), Vec::with_capacity(text.len()));
    let mut tokens = Vec::new();
    for part in text.split_inclusive(|&byte| foreign[usize::from(byte)]) {
        let last = part.last().filter(|&&byte| foreign[usize::from(byte)]);
        let known = &part[..part.len() - usize::from(last.is_some())];
        tokens.clear();
        pack.tokens_of(known, &mut tokens);
        let end = starts.len() + known.len();
        for &token in &tokens {
            let rank = vocabulary
                .rank(token)
                .filter(|&rank| text[starts.len()..end].starts_with(vocabulary.spelling(rank)));
            let rank = rank.ok_or(PredictorError::Usage("tokens do not spell the text"))?;
            ranks.push(rank);
            starts.push(true);
            starts.resize(starts.len() - 1 + vocabulary.spelling(rank).len(), false);
        }
        if starts.len() != end {
            return Err(PredictorError::Usage("tokens do not spell the text"));
        }
        if let Some(&byte) = last {
            ranks.push(vocabulary.byte(byte));
            starts.push(true);
        }
    }
    Ok((ranks, starts))
}

impl SegmentEncoder for Encoder {
    fn set_model(&mut self, pack: Arc<dyn ModelPack>) -> Result<(), PredictorError> {
        self.segment.pack = Some(pack);
        Ok(())
    }

    fn write(&mut self, mut data: &[u8]) -> Result<(), PredictorError> {
        self.segment.pack()?;
        self.segment.take(data.len())?;
        self.chunk_len += data.len();
        while !data.is_empty() {
            let some;
            (some, data) = data.split_at(data.len().min(BLOCK - self.block.len()));
            self.block.extend_from_slice(some);
            if self.block.len() == BLOCK {
                self.code_block()?;
            }
        }
        Ok(())
    }

    fn finish_chunk(&mut self) -> Result<Vec<u8>, PredictorError> {
        self.code_block()?;
        let pack = self.segment.pack()?;
        self.segment.state(&pack)?.end_block(pack.vocabulary())?;
        let coded = self.coder.finish();
        if coded.len() >= self.chunk_len {
            self.segment.pass(self.chunk_len);
            self.segment.canary = std::mem::take(&mut self.before);
        }
        self.before = self.segment.canary.clone();
        self.chunk_len = 0;
        Ok(coded)
    }

    fn coded_so_far(&self) -> u64 {
        self.coder.bytes_ready() as u64
    }

    fn canary(&self) -> u32 {
        self.segment.canary.clone().finalize()
    }
}

struct Decoder {
    segment: Segment,
    coder: BitDecoder,
    /// Bytes of the open chunk so far.
    place: usize,
}

impl SegmentDecoder for Decoder {
    fn set_model(&mut self, pack: Arc<dyn ModelPack>) -> Result<(), PredictorError> {
        self.segment.pack = Some(pack);
        Ok(())
    }

    fn begin_chunk(&mut self, payload: Vec<u8>) -> Result<(), PredictorError> {
        self.coder = BitDecoder::new(payload);
        self.place = 0;
        Ok(())
    }

    fn read(&mut self, mut out: &mut [u8]) -> Result<(), PredictorError> {
        let pack = self.segment.pack()?;
        self.segment.take(out.len())?;
        while !out.is_empty() {
            if self.place.is_multiple_of(BLOCK) {
                let state = self.segment.state(&pack)?;
                state.end_block(pack.vocabulary())?;
                state.start_block(self.coder.decode(EVEN));
            }
            let some;
            let left = BLOCK - self.place % BLOCK;
            (some, out) = out.split_at_mut(out.len().min(left));
            self.place += some.len();
            self.segment.code(&pack, &mut self.coder, some, &[])?;
        }
        Ok(())
    }

    fn end_chunk(&mut self) -> Result<(), PredictorError> {
        let pack = self.segment.pack()?;
        self.segment.state(&pack)?.end_block(pack.vocabulary())?;
        Ok(self.coder.finish()?)
    }

    fn train(&mut self, data: &[u8]) -> Result<(), PredictorError> {
        self.segment.take(data.len())?;
        self.segment.pass(data.len());
        Ok(())
    }

    fn canary(&self) -> u32 {
        self.segment.canary.clone().finalize()
    }
}
