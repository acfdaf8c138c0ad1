//! Zstandard, for when speed is all: one frame a segment, flushed at every chunk.

use zstd_safe::{
    CCtx, CParameter, DCtx, DParameter, InBuffer, OutBuffer, ResetDirective,
    zstd_sys::ZSTD_EndDirective,
};

use crate::segment::{Predictor, PredictorError, SegmentDecoder, SegmentEncoder};

/// Largest window that an archive may ask a reader for; FORMAT.md, "Predictors store and zstd".
const WINDOW_LOG: u32 = 24;

/// Levels from here on have windows and tables of `WHOLE_LOG` and more; zstd has none under the least.
const LARGE_TABLES: i32 = 10;
const WHOLE_LOG: u32 = 19;
const LEAST_LOG: u32 = 10;

pub(crate) const PREDICTOR: Predictor = Predictor {
    id: "zstd",
    version: 1,
    coder: 0,
    memory: |settings, _| level_of(settings).map(encoder_memory),
    encoder: |settings, raw_len| Ok(Box::new(Encoder::new(level_of(settings)?, raw_len)?)),
    decoder: |settings, _| {
        level_of(settings)?;
        Ok(Box::new(Decoder::new()?))
    },
    settings: |level, _| vec![if level <= 1 { 3 } else { 12 }],
};

/// Higher levels would ask for a larger window than a reader takes.
fn level_of(settings: &[u8]) -> Result<i32, PredictorError> {
    match settings {
        [level @ 1..=19] => Ok(i32::from(*level)),
        _ => Err(PredictorError::Unsupported("settings of zstd")),
    }
}

/// An upper estimate: window, match finder tables and buffers.
fn encoder_memory(level: i32) -> u64 {
    if level < LARGE_TABLES {
        20 << 20
    } else {
        96 << 20
    }
}

/// What zstd wants between two blocks.
const BLOCK_HEADER: usize = 3;

const NO_CONTEXT: PredictorError = PredictorError::Setup("not enough memory for zstd");

struct Encoder {
    context: CCtx<'static>,
    chunk: Vec<u8>,
}

impl Encoder {
    /// For a segment of `raw_len` bytes. Where it is small, so are the window and the tables: those
    /// of high levels take longer to clear than it takes to be coded.
    fn new(level: i32, raw_len: u64) -> Result<Self, PredictorError> {
        let mut context = CCtx::try_create().ok_or(NO_CONTEXT)?;
        context
            .set_parameter(CParameter::CompressionLevel(level))
            .and_then(|_| context.set_parameter(CParameter::ContentSizeFlag(false)))
            .map_err(|_| NO_CONTEXT)?;
        let needed = u64::BITS - raw_len.saturating_sub(1).leading_zeros();
        if needed < WHOLE_LOG && level >= LARGE_TABLES {
            let log = needed.max(LEAST_LOG);
            context
                .set_parameter(CParameter::WindowLog(log))
                .and_then(|_| context.set_parameter(CParameter::HashLog(log + 1)))
                .and_then(|_| context.set_parameter(CParameter::ChainLog(log)))
                .map_err(|_| NO_CONTEXT)?;
        }
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

    /// Decodes into what is left of `out`, from where the payload was left.
    ///
    /// Returns how many coded bytes zstd would go on with.
    fn decompress(&mut self, out: &mut OutBuffer<'_, [u8]>) -> Result<usize, PredictorError> {
        let mut input = InBuffer {
            src: &self.payload,
            pos: self.used,
        };
        let wanted = self.context.decompress_stream(out, &mut input);
        self.used = input.pos;
        match wanted {
            // zstd would go on with another frame, and pass over one that holds no content.
            Ok(0) => Err(PredictorError::Corrupt("zstd frame has an end")),
            Ok(wanted) => Ok(wanted),
            Err(_) => Err(PredictorError::Corrupt("zstd data is damaged")),
        }
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
            self.decompress(&mut output)?;
            if (output.pos(), self.used) == before {
                return Err(PredictorError::Corrupt("zstd data ends too early"));
            }
        }
        Ok(())
    }

    fn end_chunk(&mut self) -> Result<(), PredictorError> {
        let mut probe = [0_u8; 1];
        let mut output = OutBuffer::around(&mut probe[..]);
        let wanted = self.decompress(&mut output)?;
        // Nothing may be left over, neither coded bytes nor content that they hold. zstd takes the
        // start of a block's header in, and wants less than all of one then.
        if output.pos() == 0 && self.used == self.payload.len() && wanted == BLOCK_HEADER {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(payload: &[u8], len: usize) -> Result<Vec<u8>, PredictorError> {
        let mut decoder = Decoder::new()?;
        let mut out = vec![0; len];
        decoder.begin_chunk(payload.to_vec())?;
        decoder.read(&mut out)?;
        decoder.end_chunk()?;
        Ok(out)
    }

    /// A block that repeats `x`.
    fn block(len: u8, last: bool) -> [u8; 4] {
        let [low, high] = (u16::from(len) << 3 | 2 | u16::from(last)).to_le_bytes();
        [low, high, 0, b'x']
    }

    #[test]
    fn a_segment_is_one_frame_without_an_end() {
        let frame = b"\x28\xb5\x2f\xfd\0\x58".as_slice();
        let skippable = b"\x50\x2a\x4d\x18\x03\0\0\0abc".as_slice();
        let open = block(100, false);
        let last = block(100, true);
        assert_eq!(decode(&[frame, &open].concat(), 100), Ok(vec![b'x'; 100]));
        assert_eq!(
            decode(&[frame, &open, &open].concat(), 200),
            Ok(vec![b'x'; 200])
        );
        for (parts, len) in [
            (&[frame, &last][..], 100),
            (&[frame, &last, frame, &open], 200),
            (&[frame, &last, skippable], 100),
            (&[skippable, frame, &open], 100),
        ] {
            let refused = decode(&parts.concat(), len);
            assert_eq!(
                refused,
                Err(PredictorError::Corrupt("zstd frame has an end"))
            );
        }
    }

    #[test]
    fn a_chunk_ends_where_a_block_does() {
        let frame = b"\x28\xb5\x2f\xfd\0\x58".as_slice();
        let open = block(100, false);
        let raw_block = b"\x18\0\0abc".as_slice();
        let empty_block = b"\0\0\0".as_slice();
        for end in [&[][..], raw_block, empty_block] {
            let payload = [frame, &open, end].concat();
            let len = if end == raw_block { 103 } else { 100 };
            assert_eq!(decode(&payload, len).map(|out| out.len()), Ok(len));
            for surplus in [&open[..], raw_block] {
                for count in 1..surplus.len() {
                    let longer = [&payload, &surplus[..count]].concat();
                    let refused = Err(PredictorError::Corrupt("zstd data is left over"));
                    assert_eq!(
                        decode(&longer, len),
                        refused,
                        "{count} bytes of {surplus:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn every_level_writes_what_a_reader_takes() {
        let raw = b"a window that no reader takes, a frame that no reader takes".repeat(9);
        for level in 1..=19 {
            let mut encoder = Encoder::new(level_of(&[level]).unwrap()).unwrap();
            encoder.write(&raw).unwrap();
            let coded = encoder.finish_chunk().unwrap();
            assert_eq!(decode(&coded, raw.len()).as_ref(), Ok(&raw));
        }
        for level in [0, 20, 22, 23, 255] {
            assert!(level_of(&[level]).is_err());
        }
    }
}
