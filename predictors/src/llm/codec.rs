//! `llm` as a registered predictor: encoder and decoder of its blocks.

use std::sync::Arc;

use llmzip_coders::binary::{Decoder as BitDecoder, Encoder as BitEncoder};

use super::ModelPack;
use super::block::{BLOCK, code_unfolded, start_block, unfolded, unfolds};
use super::cut::{Cut, cut};
use super::state::{Known, LEARNS, Segment, Settings, UNFOLDS};
use super::trial::Trial;
use super::unfold::Unfolded;
use crate::cm;
use crate::cm::detect::{Class, Content};
use crate::segment::{Predictor, PredictorError, SegmentDecoder, SegmentEncoder};

/// Said where the state is asked for within a chunk.
const MID_CHUNK: &str = "a chunk has not ended";

/// Bytes that [`Encoder::work`] codes: a second's worth of a large model.
const PART: usize = 512;

pub(crate) const PREDICTOR: Predictor = Predictor {
    id: "llm",
    version: 1,
    coder: 1,
    memory: |settings, raw_len| {
        let settings = Settings::parse(settings)?;
        let room = raw_len.saturating_add(settings.longest_after);
        let mixing = (cm::PREDICTOR.memory)(&settings.cm, room)?;
        // Selectors and curves of the joint mixer; the encoder's trial and what it has coded.
        Ok(mixing.saturating_add(raw_len).saturating_add(80 << 20))
    },
    encoder: |settings, raw_len| Ok(Box::new(Encoder::new(Segment::parse(settings, raw_len)?))),
    decoder: |settings, raw_len| Ok(Box::new(Decoder::new(Segment::parse(settings, raw_len)?))),
    settings: |level, sample| {
        // Those of grey images are longer, and no model predicts them.
        let mut settings = match (cm::PREDICTOR.settings)(level, sample) {
            settings if settings.len() == 4 => settings,
            _ => cm::codec::settings(level, Content::new(Class::Binary, 0)),
        };
        settings.push(if level < 7 { 11 } else { 0 });
        let unfolds = unfolds(sample);
        settings.push(LEARNS * u8::from(level >= 6) + UNFOLDS * u8::from(unfolds));
        settings
    },
};

/// A block that was coded: its length, whether with the model, and whether its chunk ended with it.
#[derive(Clone, Copy)]
struct Done {
    length: usize,
    on: bool,
    last: bool,
}

/// A block that is being coded: its bytes, or the text that the model reads in their place; for each byte
/// whether a token starts there, how many are coded.
#[derive(Default)]
struct Open {
    data: Vec<u8>,
    unfolded: Option<Unfolded>,
    starts: Vec<bool>,
    coded: usize,
    on: bool,
}

impl Open {
    fn left(&self) -> usize {
        let text = self.unfolded.as_ref().map(|unfolded| &unfolded.text);
        text.unwrap_or(&self.data).len() - self.coded
    }
}

struct Encoder {
    segment: Segment,
    coder: BitEncoder,
    trial: Option<Trial>,
    /// Whether the model is used no more.
    gave_up: bool,
    /// The block that is coded, and the bytes of the one behind it.
    open: Open,
    block: Vec<u8>,
    /// What was coded before, and its blocks, until the model is given up.
    coded: Vec<u8>,
    blocks: Vec<Done>,
    /// Where in `blocks` the open chunk begins, and whether the canary was open there.
    chunk: usize,
    was_watched: bool,
}

impl Encoder {
    fn new(segment: Segment) -> Self {
        Self {
            segment,
            coder: BitEncoder::new(),
            trial: None,
            gave_up: false,
            open: Open::default(),
            block: Vec::new(),
            coded: Vec::new(),
            blocks: Vec::new(),
            chunk: 0,
            was_watched: true,
        }
    }

    /// Opens the block that was written, where the one before it is coded.
    fn open_block(&mut self) -> Result<(), PredictorError> {
        debug_assert!(self.open.left() == 0);
        let mut data = std::mem::take(&mut self.open.data);
        data.clear();
        std::mem::swap(&mut data, &mut self.block);
        let asks = !self.gave_up && self.trial()?.asks(&data);
        let mut unfolded = if asks {
            unfolded(&mut self.segment, &data)?
        } else {
            None
        };
        let text = unfolded.as_ref().map_or(&data, |unfolded| &unfolded.text);
        let cut = if asks {
            cut(&**self.segment.pack()?, text)?
        } else {
            Cut::default()
        };
        self.segment.end_block()?;
        let mut on = false;
        if !cut.ranks.is_empty() {
            let pack = Arc::clone(self.segment.pack()?);
            let logits = self.segment.expect(&cut.tokens)?;
            let trial = self.trial.as_mut().expect("was made");
            on = trial.helps(pack.vocabulary(), &logits, &cut.ranks, text);
        }
        if !on {
            unfolded = None;
        }
        let known = unfolded.as_ref().map(|of| (of.wrap, data.len()));
        start_block(&mut self.segment, &mut self.coder, on, known)?;
        self.open = Open {
            data,
            unfolded,
            starts: cut.starts,
            coded: 0,
            on,
        };
        Ok(())
    }

    /// Codes at most so many bytes of the open block.
    fn code_part(&mut self, most: usize) -> Result<(), PredictorError> {
        let count = self.open.left().min(most);
        if count == 0 {
            return Ok(());
        }
        let Open {
            data,
            unfolded,
            starts,
            coded,
            on,
        } = &mut self.open;
        let part = *coded..*coded + count;
        *coded += count;
        if let Some(unfolded) = unfolded {
            code_unfolded(&mut self.segment, &mut self.coder, unfolded, starts, part)?;
        } else {
            let starts = starts.get(part.clone()).unwrap_or_default();
            self.segment
                .code(&mut self.coder, &mut data[part], starts)?;
        }
        let on = *on;
        if self.open.left() == 0 && !self.gave_up {
            let data = &self.open.data;
            self.coded.extend_from_slice(data);
            self.blocks.push(Done {
                length: data.len(),
                on,
                last: false,
            });
        }
        Ok(())
    }

    fn trial(&mut self) -> Result<&mut Trial, PredictorError> {
        if self.trial.is_none() {
            let Segment { settings, room, .. } = &self.segment;
            self.trial = Some(Trial::new(&settings.cm, *room)?);
        }
        Ok(self.trial.as_mut().expect("just made"))
    }

    /// Brings the state to where a decoder's is once it has learnt the last chunk without the model:
    /// all of the segment is gone through again. The model is given up, so that this happens once.
    fn begin_again(&mut self) -> Result<(), PredictorError> {
        for block in &mut self.blocks[self.chunk..] {
            block.on = false;
        }
        let mut segment = self.segment.anew();
        segment.left = self.segment.left;
        let mut coded = std::mem::take(&mut self.coded);
        let mut rest = &mut coded[..];
        for block in std::mem::take(&mut self.blocks) {
            let data;
            (data, rest) = rest.split_at_mut(block.length);
            let (mut starts, mut joined) = (Vec::new(), None);
            segment.end_block()?;
            if block.on {
                joined = unfolded(&mut segment, data)?;
                let text = joined.as_ref().map_or(&*data, |of| &of.text);
                let cut = cut(&**segment.pack()?, text)?;
                segment.expect(&cut.tokens)?;
                starts = cut.starts;
            }
            let known = joined.as_ref().map(|of| (of.wrap, data.len()));
            start_block(&mut segment, &mut Known, block.on, known)?;
            if let Some(unfolded) = &joined {
                let all = 0..unfolded.text.len();
                code_unfolded(&mut segment, &mut Known, unfolded, &starts, all)?;
            } else {
                segment.code(&mut Known, data, &starts)?;
            }
            if block.last {
                segment.end_block()?;
            }
        }
        self.segment = segment;
        self.gave_up = true;
        self.trial = None;
        Ok(())
    }
}

impl SegmentEncoder for Encoder {
    fn set_model(&mut self, pack: Arc<dyn ModelPack>) -> Result<(), PredictorError> {
        self.segment.set_pack(pack);
        Ok(())
    }

    fn write(&mut self, mut data: &[u8]) -> Result<(), PredictorError> {
        self.segment.pack()?;
        self.segment.take(data.len())?;
        while !data.is_empty() {
            let some;
            (some, data) = data.split_at(data.len().min(BLOCK - self.block.len()));
            self.block.extend_from_slice(some);
            if self.block.len() == BLOCK {
                self.code_part(BLOCK)?;
                self.open_block()?;
            }
        }
        Ok(())
    }

    fn work(&mut self, last: bool) -> Result<bool, PredictorError> {
        if self.open.left() == 0 && last && !self.block.is_empty() {
            self.open_block()?;
        }
        self.code_part(PART)?;
        Ok(self.open.left() > 0 || last && !self.block.is_empty())
    }

    fn waiting(&self) -> u64 {
        (self.open.left() + self.block.len()) as u64
    }

    fn finish_chunk(&mut self) -> Result<Vec<u8>, PredictorError> {
        while self.work(true)? {}
        self.segment.end_block()?;
        let coded = self.coder.finish();
        if !self.gave_up {
            let blocks = &mut self.blocks[self.chunk..];
            let length: usize = blocks.iter().map(|block| block.length).sum();
            // Nothing comes of the state after the last chunk but the canary, and what others start from.
            let followed = self.segment.settings.longest_after > 0;
            let matters = self.segment.left > 0 || self.was_watched || followed;
            let stored = coded.len() >= length && matters;
            let with_model = blocks.iter().any(|block| block.on);
            if let Some(last) = blocks.last_mut() {
                last.last = true;
            }
            if stored && with_model {
                self.begin_again()?;
            }
            self.chunk = self.blocks.len();
            self.was_watched = self.segment.is_watched();
        }
        Ok(coded)
    }

    fn after(&mut self, raw_len: u64) -> Result<Box<dyn SegmentEncoder>, PredictorError> {
        if self.waiting() > 0 {
            return Err(PredictorError::Usage(MID_CHUNK));
        }
        let segment = self.segment.after(raw_len)?;
        Ok(Box::new(Self {
            trial: self.trial.as_ref().map(Trial::fork).transpose()?,
            ..Self::new(segment)
        }))
    }

    fn coded_so_far(&self) -> u64 {
        self.coder.bytes_ready() as u64
    }

    fn canary(&self) -> u32 {
        self.segment.canary()
    }
}

struct Decoder {
    segment: Segment,
    coder: BitDecoder,
    /// Bytes of the open chunk so far, and where the current block of it ends.
    place: usize,
    end: usize,
    /// Bytes of a block without its line ends that are known, but were not asked for yet.
    ready: Vec<u8>,
    is_open: bool,
}

impl Decoder {
    fn new(segment: Segment) -> Self {
        Self {
            segment,
            coder: BitDecoder::new(Vec::new()),
            place: 0,
            end: 0,
            ready: Vec::new(),
            is_open: false,
        }
    }
}

impl Decoder {
    /// Whether the current block is without its line ends, and something of it left.
    fn unfolds(&self) -> bool {
        self.segment.is_unfolding() || !self.ready.is_empty()
    }

    /// Sees to it that so many bytes of the block are ready.
    fn unfold(&mut self, count: usize) -> Result<(), PredictorError> {
        while self.ready.len() < count {
            let mut byte = 0;
            self.segment.code_unfolded(
                &mut self.coder,
                &mut byte,
                false,
                false,
                &mut self.ready,
            )?;
        }
        Ok(())
    }
}

impl SegmentDecoder for Decoder {
    fn set_model(&mut self, pack: Arc<dyn ModelPack>) -> Result<(), PredictorError> {
        self.segment.set_pack(pack);
        Ok(())
    }

    fn begin_chunk(&mut self, payload: Vec<u8>) -> Result<(), PredictorError> {
        self.coder = BitDecoder::new(payload);
        self.place = 0;
        self.end = 0;
        self.is_open = true;
        Ok(())
    }

    fn read(&mut self, mut out: &mut [u8]) -> Result<(), PredictorError> {
        self.segment.pack()?;
        self.segment.take(out.len())?;
        while !out.is_empty() {
            if self.place == self.end {
                self.segment.end_block()?;
                let most = start_block(&mut self.segment, &mut self.coder, false, None)?;
                self.end = self.place + most;
            }
            let some;
            let left = self.end - self.place;
            (some, out) = out.split_at_mut(out.len().min(left));
            self.place += some.len();
            if self.unfolds() {
                self.unfold(some.len())?;
                some.copy_from_slice(&self.ready[..some.len()]);
                self.ready.drain(..some.len());
            } else {
                self.segment.code(&mut self.coder, some, &[])?;
            }
        }
        Ok(())
    }

    fn end_chunk(&mut self) -> Result<(), PredictorError> {
        if self.unfolds() {
            return Err(PredictorError::Corrupt("a block goes on past its chunk"));
        }
        self.segment.end_block()?;
        self.is_open = false;
        Ok(self.coder.finish()?)
    }

    fn after(&mut self, raw_len: u64) -> Result<Box<dyn SegmentDecoder>, PredictorError> {
        if self.is_open {
            return Err(PredictorError::Usage(MID_CHUNK));
        }
        Ok(Box::new(Self::new(self.segment.after(raw_len)?)))
    }

    fn train(&mut self, data: &[u8]) -> Result<(), PredictorError> {
        self.segment.pack()?;
        self.segment.take(data.len())?;
        self.segment.learn(data)
    }

    fn canary(&self) -> u32 {
        self.segment.canary()
    }
}
