//! Zstandard, for when speed is all: one frame a segment, flushed at every chunk.

use zstd_safe::{
    CCtx, CParameter, DCtx, DParameter, InBuffer, OutBuffer, ResetDirective,
    zstd_sys::ZSTD_EndDirective,
};

use crate::segment::{Predictor, PredictorError, SegmentDecoder, SegmentEncoder};

/// Largest window that an archive may ask a reader for; FORMAT.md, "Predictors store and zstd".
const WINDOW_LOG: u32 = 24;

pub(crate) const PREDICTOR: Predictor = Predictor {
    id: "zstd",
    version: 1,
    coder: 0,
    memory: |settings, _| level_of(settings).map(encoder_memory),
    encoder: |settings, _| Ok(Box::new(Encoder::new(level_of(settings)?)?)),
    decoder: |settings, _| {
        level_of(settings)?;
        Ok(Box::new(Decoder::new()?))
    },
    settings: |level, _| vec![if level <= 1 { 3 } else { 12 }],
};

fn level_of(settings: &[u8]) -> Result<i32, PredictorError> {
    match settings {
        [level @ 1..=22] => Ok(i32::from(*level)),
        _ => Err(PredictorError::Unsupported("settings of zstd")),
    }
}

/// An upper estimate: window, match finder tables and buffers.
fn encoder_memory(level: i32) -> u64 {
    if level < 10 { 20 << 20 } else { 96 << 20 }
}

const NO_CONTEXT: PredictorError = PredictorError::Setup("not enough memory for zstd");

struct Encoder {
    context: CCtx<'static>,
    chunk: Vec<u8>,
}

impl Encoder {
    fn new(level: i32) -> Result<Self, PredictorError> {
        let mut context = CCtx::try_create().ok_or(NO_CONTEXT)?;
        context
            .set_parameter(CParameter::CompressionLevel(level))
            .and_then(|_| context.set_parameter(CParameter::ContentSizeFlag(false)))
            .map_err(|_| NO_CONTEXT)?;
        Ok(Self {
            context,
            chunk: Vec::new(),
        })
    }
}

impl SegmentEncoder for Encoder {
    fn write(&mut self, data: &[u8]) -> Result<(), PredictorError> {
        self.chunk.extend_from_slice(data);
        Ok(())
    }

    fn finish_chunk(&mut self) -> Result<Vec<u8>, PredictorError> {
        let mut coded: Vec<u8> =
            Vec::with_capacity(zstd_safe::compress_bound(self.chunk.len()) + 64);
        let mut input = InBuffer::around(&self.chunk);
        loop {
            let start = coded.len();
            let mut output = OutBuffer::around_pos(&mut coded, start);
            let left = self
                .context
                .compress_stream2(&mut output, &mut input, ZSTD_EndDirective::ZSTD_e_flush)
                .map_err(|_| PredictorError::Usage("zstd failed to compress"))?;
            if left == 0 && input.pos == self.chunk.len() {
                break;
            }
            coded.reserve(left.max(1 << 16));
        }
        if coded.len() >= self.chunk.len() {
            // Such a chunk is stored: the reader never sees these bytes, so a new frame follows.
            self.context
                .reset(ResetDirective::SessionOnly)
                .map_err(|_| NO_CONTEXT)?;
        }
        self.chunk.clear();
        Ok(coded)
    }
}

struct Decoder {
    context: DCtx<'static>,
    payload: Vec<u8>,
    used: usize,
}

impl Decoder {
    fn new() -> Result<Self, PredictorError> {
        let mut context = DCtx::try_create().ok_or(NO_CONTEXT)?;
        context
            .set_parameter(DParameter::WindowLogMax(WINDOW_LOG))
            .map_err(|_| NO_CONTEXT)?;
        Ok(Self {
            context,
            payload: Vec::new(),
            used: 0,
        })
    }
}

impl SegmentDecoder for Decoder {
    fn begin_chunk(&mut self, payload: Vec<u8>) -> Result<(), PredictorError> {
        self.payload = payload;
        self.used = 0;
        Ok(())
    }

    fn read(&mut self, out: &mut [u8]) -> Result<(), PredictorError> {
        let wanted = out.len();
        let mut output = OutBuffer::around(out);
        while output.pos() < wanted {
            let before = (output.pos(), self.used);
            let mut input = InBuffer {
                src: &self.payload,
                pos: self.used,
            };
            self.context
                .decompress_stream(&mut output, &mut input)
                .map_err(|_| PredictorError::Corrupt("zstd data is damaged"))?;
            self.used = input.pos;
            if (output.pos(), self.used) == before {
                return Err(PredictorError::Corrupt("zstd data ends too early"));
            }
        }
        Ok(())
    }

    fn end_chunk(&mut self) -> Result<(), PredictorError> {
        let mut probe = [0_u8; 1];
        let mut output = OutBuffer::around(&mut probe[..]);
        let mut input = InBuffer {
            src: &self.payload,
            pos: self.used,
        };
        // Nothing may be left over, neither coded bytes nor content that they hold.
        let taken = self.context.decompress_stream(&mut output, &mut input);
        if taken.is_ok() && output.pos() == 0 && input.pos == self.payload.len() {
            Ok(())
        } else {
            Err(PredictorError::Corrupt("zstd data is left over"))
        }
    }

    fn train(&mut self, _data: &[u8]) -> Result<(), PredictorError> {
        self.context
            .reset(ResetDirective::SessionOnly)
            .map(|_| ())
            .map_err(|_| NO_CONTEXT)
    }
}
