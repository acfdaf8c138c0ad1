//! The interface of a predictor to the container: one segment, coded chunk by chunk.
//!
//! A segment starts from an untrained predictor and is coded as a run of chunks; the predictor's
//! state carries over from chunk to chunk, the entropy coder's does not.

use std::fmt;
use std::sync::Arc;

use llmzip_coders::CoderError;

use crate::llm::ModelPack;
use crate::pc::CircuitPack;

/// Bytes of a segment that the canary covers; FORMAT.md, "Canary".
pub const CANARY_BYTES: usize = 64;

/// Why a predictor could not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PredictorError {
    /// The coded bytes do not decode.
    Corrupt(&'static str),
    /// The settings ask for something this version does not know.
    Unsupported(&'static str),
    /// The caller broke the order of calls or went past the segment's length.
    Usage(&'static str),
    /// This machine or its settings cannot do the work: memory, `LLMZIP_SIMD`.
    Setup(&'static str),
}

impl fmt::Display for PredictorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Corrupt(text) | Self::Unsupported(text) | Self::Usage(text) | Self::Setup(text)) =
            self;
        f.write_str(text)
    }
}

impl std::error::Error for PredictorError {}

impl From<CoderError> for PredictorError {
    fn from(error: CoderError) -> Self {
        Self::Corrupt(match error {
            CoderError::Truncated => "coded data ends too early",
            CoderError::Corrupt => "coded data is damaged",
        })
    }
}

/// Said where there is no state to start from.
const ALONE: &str = "no segment starts from the state after one of this predictor";

/// Codes one segment.
pub trait SegmentEncoder: Send + Sync {
    /// Gives what the segment is coded as a change of; as long as the segment, before all else.
    ///
    /// # Errors
    /// [`PredictorError::Usage`] where the predictor or the settings take none.
    fn set_base(&mut self, _base: &[u8]) -> Result<(), PredictorError> {
        Err(PredictorError::Usage("the segment has no base"))
    }

    /// Gives the model that predicts, before all else.
    ///
    /// # Errors
    /// [`PredictorError::Usage`] where the predictor takes none.
    fn set_model(&mut self, _pack: Arc<dyn ModelPack>) -> Result<(), PredictorError> {
        Err(PredictorError::Usage("the predictor takes no model"))
    }

    /// Gives the circuit that predicts, before all else.
    ///
    /// # Errors
    /// [`PredictorError::Usage`] where the predictor takes none.
    fn set_circuit(&mut self, _circuit: Arc<CircuitPack>) -> Result<(), PredictorError> {
        Err(PredictorError::Usage("the predictor takes no circuit"))
    }

    /// Shows the whole segment, before the first `write`, to a predictor that trains on it.
    fn look_ahead(&mut self, _segment: &[u8]) {}

    /// Codes `data` into the open chunk.
    ///
    /// # Errors
    /// [`PredictorError::Usage`] past the segment's declared length.
    fn write(&mut self, data: &[u8]) -> Result<(), PredictorError>;

    /// Does a part of what `write` left to be done, a moment's worth; returns whether there is more of
    /// it. `last` says that the open chunk is written whole. Nothing has to be done here: what is left is
    /// done by the next `write`, and by `finish_chunk`.
    ///
    /// # Errors
    /// As those of `write`.
    fn work(&mut self, _last: bool) -> Result<bool, PredictorError> {
        Ok(false)
    }

    /// Bytes of the open chunk that were written, but are not coded yet.
    fn waiting(&self) -> u64 {
        0
    }

    /// Ends the open chunk and returns its coded bytes.
    ///
    /// # Errors
    /// [`PredictorError::Usage`] when the predictor cannot end a chunk here.
    fn finish_chunk(&mut self) -> Result<Vec<u8>, PredictorError>;

    /// Codes `data` as a whole chunk, where none is open, and appends its coded bytes to `out`.
    ///
    /// # Errors
    /// As those of `write` and `finish_chunk`.
    fn encode_chunk(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), PredictorError> {
        self.write(data)?;
        out.extend_from_slice(&self.finish_chunk()?);
        Ok(())
    }

    /// An encoder of a segment of `raw_len` bytes that starts from the state after this one, which codes
    /// no more: between two chunks.
    ///
    /// # Errors
    /// [`PredictorError::Usage`] where the predictor or the settings have none.
    fn after(&mut self, _raw_len: u64) -> Result<Box<dyn SegmentEncoder>, PredictorError> {
        Err(PredictorError::Usage(ALONE))
    }

    /// Coded bytes of the open chunk so far, for progress; 0 where that is not known.
    fn coded_so_far(&self) -> u64 {
        0
    }

    /// Hash of the first predictions of the segment, once [`CANARY_BYTES`] bytes or all were coded.
    fn canary(&self) -> u32 {
        0
    }
}

/// Decodes one segment.
pub trait SegmentDecoder: Send + Sync {
    /// As [`SegmentEncoder::set_base`].
    ///
    /// # Errors
    /// As there.
    fn set_base(&mut self, _base: &[u8]) -> Result<(), PredictorError> {
        Err(PredictorError::Usage("the segment has no base"))
    }

    /// As [`SegmentEncoder::set_model`].
    ///
    /// # Errors
    /// As there.
    fn set_model(&mut self, _pack: Arc<dyn ModelPack>) -> Result<(), PredictorError> {
        Err(PredictorError::Usage("the predictor takes no model"))
    }

    /// As [`SegmentEncoder::set_circuit`].
    ///
    /// # Errors
    /// As there.
    fn set_circuit(&mut self, _circuit: Arc<CircuitPack>) -> Result<(), PredictorError> {
        Err(PredictorError::Usage("the predictor takes no circuit"))
    }

    /// Starts a chunk with its coded bytes.
    ///
    /// # Errors
    /// [`PredictorError::Corrupt`] when the bytes cannot be a chunk.
    fn begin_chunk(&mut self, payload: Vec<u8>) -> Result<(), PredictorError>;

    /// Fills `out` with the next bytes of the open chunk.
    ///
    /// # Errors
    /// [`PredictorError::Corrupt`] when the coded bytes do not decode.
    fn read(&mut self, out: &mut [u8]) -> Result<(), PredictorError>;

    /// Ends the open chunk: all of its coded bytes must have been used.
    ///
    /// # Errors
    /// [`PredictorError::Corrupt`] when bytes are left over.
    fn end_chunk(&mut self) -> Result<(), PredictorError>;

    /// Decodes a whole chunk: `begin_chunk`, a `read` of all of it, `end_chunk`.
    ///
    /// # Errors
    /// As theirs; [`PredictorError::Corrupt`] when the chunk is not as long as `out`.
    fn decode_chunk(&mut self, payload: &[u8], out: &mut [u8]) -> Result<(), PredictorError> {
        self.decode_chunk_in_parts(payload, out, &[], &mut |_| {})
    }

    /// As `decode_chunk`; `ready` sees the first bytes of `out`, ever more of them, as soon as they are
    /// there, but perhaps not the last ones. `after` is what the caller reads next: it may be fetched.
    ///
    /// # Errors
    /// As those of `decode_chunk`.
    fn decode_chunk_in_parts(
        &mut self,
        payload: &[u8],
        out: &mut [u8],
        _after: &[u8],
        _ready: &mut dyn FnMut(&[u8]),
    ) -> Result<(), PredictorError> {
        self.begin_chunk(payload.to_vec())?;
        self.read(out)?;
        self.end_chunk()
    }

    /// As [`SegmentEncoder::after`].
    ///
    /// # Errors
    /// As there; [`PredictorError::Corrupt`] where the segment makes no room for as many bytes.
    fn after(&mut self, _raw_len: u64) -> Result<Box<dyn SegmentDecoder>, PredictorError> {
        Err(PredictorError::Usage(ALONE))
    }

    /// Advances the predictor over bytes that were stored in the clear after it had coded them.
    ///
    /// # Errors
    /// [`PredictorError::Usage`] past the segment's declared length.
    fn train(&mut self, data: &[u8]) -> Result<(), PredictorError>;

    /// Coded bytes that each plane of what was decoded took, for reports; nothing where there are none.
    fn planes(&self) -> Vec<u64> {
        Vec::new()
    }

    /// As [`SegmentEncoder::canary`].
    fn canary(&self) -> u32 {
        0
    }
}

type Make<T> = fn(settings: &[u8], raw_len: u64) -> Result<Box<T>, PredictorError>;

/// A registered predictor. `id`, `version` and `coder` stand in an archive's metadata.
pub struct Predictor {
    pub id: &'static str,
    pub version: u32,
    /// Coder id of FORMAT.md: 0 its own, 1 binary arithmetic.
    pub coder: u8,
    /// Bytes of memory that coding or decoding a segment takes.
    pub memory: fn(settings: &[u8], raw_len: u64) -> Result<u64, PredictorError>,
    pub encoder: Make<dyn SegmentEncoder>,
    pub decoder: Make<dyn SegmentDecoder>,
    /// Settings for a level (1..=9) and the first bytes of the segment, as the archive stores them.
    pub settings: fn(level: u8, sample: &[u8]) -> Vec<u8>,
}

/// Every predictor of this build that needs no model.
#[must_use]
pub fn registry() -> &'static [Predictor] {
    &[
        crate::store::PREDICTOR,
        crate::zstd::PREDICTOR,
        crate::cm::PREDICTOR,
        crate::tensor::PREDICTOR,
        crate::pc::PREDICTOR,
    ]
}

/// Every predictor of this build that needs a model, see [`SegmentEncoder::set_model`] and
/// [`SegmentEncoder::set_circuit`].
#[must_use]
pub fn registry_with_models() -> &'static [Predictor] {
    &[crate::llm::PREDICTOR, crate::pc::WITH_CIRCUIT]
}

/// Finds a predictor by id and version.
#[must_use]
pub fn find(id: &str, version: u32) -> Option<&'static Predictor> {
    registry()
        .iter()
        .chain(registry_with_models())
        .find(|p| p.id == id && p.version == version)
}
