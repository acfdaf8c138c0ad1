//! The context mixer as a registered predictor: settings, segments, canary.

use crc32fast::Hasher;
use llmzip_coders::binary::{Decoder as BitDecoder, Encoder as BitEncoder};

use super::detect::{Class, Content, detect};
use super::model::Model;
use super::plan::{LEVELS, Plan};
use crate::segment::{CANARY_BYTES, Predictor, PredictorError, SegmentDecoder, SegmentEncoder};
use crate::simd::{self, Job, Kernels, Level};

pub(crate) const PREDICTOR: Predictor = Predictor {
    id: "cm",
    version: 1,
    coder: 1,
    memory: |settings, raw_len| {
        let (level, _) = parse(settings)?;
        Ok(Plan::memory(level, raw_len))
    },
    encoder: |settings, raw_len| Ok(Box::new(Encoder(State::new(settings, raw_len)?, BitEncoder::new()))),
    decoder: |settings, raw_len| {
        let state = State::new(settings, raw_len)?;
        Ok(Box::new(Decoder(state, BitDecoder::new(Vec::new()))))
    },
    settings: |level, sample| {
        let Content { class, stride } = detect(sample);
        let [low, high] = stride.to_le_bytes();
        let level = level.clamp(*LEVELS.start(), *LEVELS.end());
        vec![level, class as u8, low, high]
    },
};

/// Settings are `level class stride:u16`.
fn parse(settings: &[u8]) -> Result<(u8, Content), PredictorError> {
    let &[level, class, low, high] = settings else {
        return Err(PredictorError::Unsupported("settings of cm"));
    };
    let class = match class {
        0 => Class::Text,
        1 => Class::Binary,
        2 => Class::Bilevel,
        _ => return Err(PredictorError::Unsupported("content class of cm")),
    };
    if !LEVELS.contains(&level) {
        return Err(PredictorError::Unsupported("level of cm"));
    }
    let stride = u16::from_le_bytes([low, high]);
    Ok((level, Content { class, stride }))
}

/// A model, what is left of its segment, and the hash of its first predictions.
struct State {
    model: Model,
    simd: Level,
    left: u64,
    canary: Hasher,
    /// Predictions still to go into the canary.
    watched: usize,
}

impl State {
    fn new(settings: &[u8], raw_len: u64) -> Result<Self, PredictorError> {
        let (level, content) = parse(settings)?;
        let simd = simd::active().map_err(|_| {
            PredictorError::Usage("LLMZIP_SIMD must be scalar, avx2 or avx512, and one that this CPU has")
        })?;
        Ok(Self {
            model: Model::new(Plan::new(level, content), raw_len, &[]),
            simd,
            left: raw_len,
            canary: Hasher::new(),
            watched: 8 * CANARY_BYTES,
        })
    }

    fn take(&mut self, bytes: usize) -> Result<(), PredictorError> {
        self.left = self
            .left
            .checked_sub(bytes as u64)
            .ok_or(PredictorError::Usage("more bytes than the segment has"))?;
        Ok(())
    }

    #[inline(always)]
    fn predict<K: Kernels>(&mut self) -> u32 {
        let p = self.model.predict::<K>();
        if self.watched > 0 {
            self.watched -= 1;
            self.canary.update(&p.to_le_bytes());
        }
        p
    }
}

struct Encode<'a>(&'a mut State, &'a mut BitEncoder, &'a [u8]);

impl Job for Encode<'_> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernels>(self) {
        let Self(state, coder, data) = self;
        for &byte in data {
            for shift in (0..8).rev() {
                let bit = byte >> shift & 1 == 1;
                coder.encode(bit, state.predict::<K>());
                state.model.update::<K>(bit);
            }
        }
    }
}

struct Decode<'a>(&'a mut State, &'a mut BitDecoder, &'a mut [u8]);

impl Job for Decode<'_> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernels>(self) {
        let Self(state, coder, out) = self;
        for byte in out {
            for _ in 0..8 {
                let bit = coder.decode(state.predict::<K>());
                state.model.update::<K>(bit);
                *byte = *byte << 1 | u8::from(bit);
            }
        }
    }
}

struct Train<'a>(&'a mut State, &'a [u8]);

impl Job for Train<'_> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernels>(self) {
        let Self(state, data) = self;
        for &byte in data {
            for shift in (0..8).rev() {
                state.predict::<K>();
                state.model.update::<K>(byte >> shift & 1 == 1);
            }
        }
    }
}

struct Encoder(State, BitEncoder);

impl SegmentEncoder for Encoder {
    fn write(&mut self, data: &[u8]) -> Result<(), PredictorError> {
        let Self(state, coder) = self;
        state.take(data.len())?;
        simd::run(state.simd, Encode(state, coder, data));
        Ok(())
    }

    fn finish_chunk(&mut self) -> Result<Vec<u8>, PredictorError> {
        Ok(self.1.finish())
    }

    fn canary(&self) -> u32 {
        self.0.canary.clone().finalize()
    }
}

struct Decoder(State, BitDecoder);

impl SegmentDecoder for Decoder {
    fn begin_chunk(&mut self, payload: Vec<u8>) -> Result<(), PredictorError> {
        self.1 = BitDecoder::new(payload);
        Ok(())
    }

    fn read(&mut self, out: &mut [u8]) -> Result<(), PredictorError> {
        let Self(state, coder) = self;
        state.take(out.len())?;
        simd::run(state.simd, Decode(state, coder, out));
        Ok(())
    }

    fn end_chunk(&mut self) -> Result<(), PredictorError> {
        Ok(self.1.finish()?)
    }

    fn train(&mut self, data: &[u8]) -> Result<(), PredictorError> {
        let state = &mut self.0;
        state.take(data.len())?;
        simd::run(state.simd, Train(state, data));
        Ok(())
    }

    fn canary(&self) -> u32 {
        self.0.canary.clone().finalize()
    }
}
