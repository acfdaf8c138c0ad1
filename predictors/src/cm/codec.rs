//! The context mixer as a registered predictor: settings, segments, canary.

use crc32fast::Hasher;
use llmzip_coders::binary::{Decoder as BitDecoder, Encoder as BitEncoder};

use super::any_model::{AnyModel, with_model};
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
        // The most that any content takes, since the archive's header speaks for all segments.
        let classes = [
            Class::Text,
            Class::Binary,
            Class::Bilevel,
            Class::Executable,
            Class::Grey,
        ];
        let memory = classes.map(|class| {
            let plan = Plan::new(level, Content::new(class, u16::MAX));
            plan.memory(raw_len.saturating_add(primer(&plan).len() as u64))
        });
        Ok(memory.into_iter().max().unwrap_or(0))
    },
    encoder: |settings, raw_len| {
        Ok(Box::new(Encoder(
            State::new(settings, raw_len)?,
            BitEncoder::new(),
        )))
    },
    decoder: |settings, raw_len| {
        let state = State::new(settings, raw_len)?;
        Ok(Box::new(Decoder(state, BitDecoder::new(Vec::new()))))
    },
    settings: |level, sample| match detect(sample) {
        // There the class only makes settings longer.
        content if content.class == Class::Grey && level < 6 => {
            settings(level, Content::new(Class::Binary, content.stride))
        }
        content => settings(level, content),
    },
};

/// Text that models of the high levels learn before a segment; its parts stand in primer.toml.
pub const PRIMER: &[u8] = include_bytes!("../../tables/primer.txt");

pub(crate) fn primer(plan: &Plan) -> &'static [u8] {
    if plan.primer { PRIMER } else { &[] }
}

/// Settings for content, see [`parse`]; the nearest level that there is.
pub(crate) fn settings(level: u8, content: Content) -> Vec<u8> {
    let level = level.clamp(*LEVELS.start(), *LEVELS.end());
    let mut settings = vec![level, content.class as u8];
    settings.extend(content.stride.to_le_bytes());
    if content.class == Class::Grey {
        settings.extend(content.plane.to_le_bytes());
        settings.extend(content.offset.to_le_bytes());
    }
    settings
}

/// How many of the bytes that begin with settings of `cm` are these.
pub(crate) fn settings_len(settings: &[u8]) -> usize {
    if settings.get(1) == Some(&(Class::Grey as u8)) {
        12
    } else {
        4
    }
}

/// Settings are `level class stride:u16`, those of grey images also `plane:u32 offset:u32`.
pub(crate) fn parse(settings: &[u8]) -> Result<(u8, Content), PredictorError> {
    let unknown = PredictorError::Unsupported("settings of cm");
    let Some((&[level, class, low, high], images)) = settings.split_first_chunk() else {
        return Err(unknown);
    };
    let class = match class {
        0 => Class::Text,
        1 => Class::Binary,
        2 => Class::Bilevel,
        3 => Class::Executable,
        4 => Class::Grey,
        _ => return Err(PredictorError::Unsupported("content class of cm")),
    };
    if !LEVELS.contains(&level) {
        return Err(PredictorError::Unsupported("level of cm"));
    }
    let mut content = Content::new(class, u16::from_le_bytes([low, high]));
    match *images {
        [] if class != Class::Grey => {}
        [p0, p1, p2, p3, o0, o1, o2, o3] if class == Class::Grey && content.stride > 1 => {
            content.plane = u32::from_le_bytes([p0, p1, p2, p3]);
            content.offset = u32::from_le_bytes([o0, o1, o2, o3]);
        }
        _ => return Err(unknown),
    }
    Ok((level, content))
}

/// A model, what is left of its segment, and the hash of its first predictions.
struct State {
    model: AnyModel,
    simd: Level,
    left: u64,
    canary: Canary,
}

struct Canary {
    hash: Hasher,
    /// Predictions still to go into it.
    left: usize,
}

impl Canary {
    fn none() -> Self {
        Self {
            hash: Hasher::new(),
            left: 0,
        }
    }

    #[cold]
    fn watch(&mut self, p: u32) {
        self.left -= 1;
        self.hash.update(&p.to_le_bytes());
    }
}

impl State {
    fn new(settings: &[u8], raw_len: u64) -> Result<Self, PredictorError> {
        let (level, content) = parse(settings)?;
        let simd = simd::active().map_err(PredictorError::Setup)?;
        let plan = Plan::new(level, content);
        let primer = primer(&plan);
        let mut model = AnyModel::new(plan, raw_len.saturating_add(primer.len() as u64), &[])?;
        let canary = &mut Canary::none();
        with_model!(&mut model, model => simd::run(simd, Train { model, canary, data: primer }));
        Ok(Self {
            model,
            simd,
            left: raw_len,
            canary: Canary {
                hash: Hasher::new(),
                left: 8 * CANARY_BYTES,
            },
        })
    }

    fn take(&mut self, bytes: usize) -> Result<(), PredictorError> {
        self.left = self
            .left
            .checked_sub(bytes as u64)
            .ok_or(PredictorError::Usage("more bytes than the segment has"))?;
        Ok(())
    }
}

struct Encode<'a, const S: usize, const A: usize> {
    model: &'a mut Model<S, A>,
    canary: &'a mut Canary,
    coder: &'a mut BitEncoder,
    data: &'a [u8],
}

impl<const S: usize, const A: usize> Job for Encode<'_, S, A> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernels>(self) {
        for &byte in self.data {
            let watched = self.canary.left > 0;
            let mut bits = u32::from(byte) << 24;
            for _ in 0..8 {
                let p = self.model.predict::<K>();
                if watched {
                    self.canary.watch(p);
                }
                self.coder.encode(bits >> 31 != 0, p);
                self.model.update::<K>(bits >> 31 != 0);
                bits <<= 1;
            }
        }
    }
}

struct Decode<'a, const S: usize, const A: usize> {
    model: &'a mut Model<S, A>,
    canary: &'a mut Canary,
    coder: &'a mut BitDecoder,
    out: &'a mut [u8],
}

impl<const S: usize, const A: usize> Job for Decode<'_, S, A> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernels>(self) {
        for byte in self.out {
            let watched = self.canary.left > 0;
            for _ in 0..8 {
                let p = self.model.predict::<K>();
                if watched {
                    self.canary.watch(p);
                }
                let bit = self.coder.decode(p);
                self.model.update::<K>(bit);
                *byte = *byte << 1 | u8::from(bit);
            }
        }
    }
}

struct Train<'a, const S: usize, const A: usize> {
    model: &'a mut Model<S, A>,
    canary: &'a mut Canary,
    data: &'a [u8],
}

impl<const S: usize, const A: usize> Job for Train<'_, S, A> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernels>(self) {
        for &byte in self.data {
            let watched = self.canary.left > 0;
            for shift in (0..8).rev() {
                let p = self.model.predict::<K>();
                if watched {
                    self.canary.watch(p);
                }
                self.model.update::<K>(byte >> shift & 1 == 1);
            }
        }
    }
}

struct Encoder(State, BitEncoder);

impl SegmentEncoder for Encoder {
    fn write(&mut self, data: &[u8]) -> Result<(), PredictorError> {
        let Self(state, coder) = self;
        state.take(data.len())?;
        let State {
            model,
            simd,
            canary,
            ..
        } = state;
        with_model!(model, model => simd::run(*simd, Encode { model, canary, coder, data }));
        Ok(())
    }

    fn finish_chunk(&mut self) -> Result<Vec<u8>, PredictorError> {
        Ok(self.1.finish())
    }

    fn coded_so_far(&self) -> u64 {
        self.1.bytes_ready() as u64
    }

    fn canary(&self) -> u32 {
        self.0.canary.hash.clone().finalize()
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
        let State {
            model,
            simd,
            canary,
            ..
        } = state;
        with_model!(model, model => simd::run(*simd, Decode { model, canary, coder, out }));
        Ok(())
    }

    fn end_chunk(&mut self) -> Result<(), PredictorError> {
        Ok(self.1.finish()?)
    }

    fn train(&mut self, data: &[u8]) -> Result<(), PredictorError> {
        let state = &mut self.0;
        state.take(data.len())?;
        let State {
            model,
            simd,
            canary,
            ..
        } = state;
        with_model!(model, model => simd::run(*simd, Train { model, canary, data }));
        Ok(())
    }

    fn canary(&self) -> u32 {
        self.0.canary.hash.clone().finalize()
    }
}
