//! One segment, coded chunk by chunk; the classes that `llmzip.segments` wraps.

use std::sync::Arc;

use llmzip_predictors::chunks::{self, Expected, Job};
use llmzip_predictors::llm::{self, ModelPack, Packed};
use llmzip_predictors::segment::{self, Predictor, PredictorError, SegmentDecoder, SegmentEncoder};
use llmzip_predictors::transformer::{Aligned, Pack};
use llmzip_predictors::xxh3::{Hasher, xxh3_128};
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::buffer::{Bytes, BytesMut, Made, apart};
use crate::circuit::Circuit;

create_exception!(_native, CorruptData, PyException);
create_exception!(_native, UnsupportedData, PyException);
create_exception!(_native, SetupFailed, PyException);

pub fn raise(error: PredictorError) -> PyErr {
    match error {
        PredictorError::Corrupt(text) => CorruptData::new_err(text),
        PredictorError::Unsupported(text) => UnsupportedData::new_err(text),
        PredictorError::Setup(text) => SetupFailed::new_err(text),
        PredictorError::Usage(text) => PyValueError::new_err(text),
    }
}

fn find(id: &str, version: u32) -> PyResult<&'static Predictor> {
    segment::find(id, version)
        .ok_or_else(|| UnsupportedData::new_err(format!("predictor {id} version {version}")))
}

/// Every predictor as `(id, version, coder id)`.
#[pyfunction]
pub fn predictors() -> Vec<(&'static str, u32, u8)> {
    segment::registry()
        .iter()
        .map(|p| (p.id, p.version, p.coder))
        .collect()
}

/// The same for those that need a model.
#[pyfunction]
pub fn model_predictors() -> Vec<(&'static str, u32, u8)> {
    segment::registry_with_models()
        .iter()
        .map(|p| (p.id, p.version, p.coder))
        .collect()
}

/// Bytes of memory that a segment with these settings takes to code or decode.
#[pyfunction]
pub fn memory(id: &str, version: u32, settings: &[u8], raw_len: u64) -> PyResult<u64> {
    (find(id, version)?.memory)(settings, raw_len).map_err(raise)
}

/// Settings for a level (1..=9) and the segment's first bytes, as the archive stores them.
#[pyfunction]
pub fn settings<'py>(
    py: Python<'py>,
    id: &str,
    version: u32,
    level: u8,
    sample: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    if !(1..=9).contains(&level) {
        return Err(PyValueError::new_err("level must be 1 to 9"));
    }
    let predictor = find(id, version)?;
    let made = py.detach(|| (predictor.settings)(level, sample));
    Ok(PyBytes::new(py, &made))
}

/// Settings of `tensor` for elements of a kind in rows of `row` elements, 0 where there are none,
/// as a change of what a base file has at offset `base`, if that is given.
#[pyfunction]
pub fn tensor_settings<'py>(
    py: Python<'py>,
    level: u8,
    kind: &str,
    row: u32,
    base: Option<u64>,
) -> PyResult<Bound<'py, PyBytes>> {
    let made = llmzip_predictors::tensor::settings(level, kind, row, base).ok_or_else(|| {
        PyValueError::new_err(format!("no element kind {kind:?}, or no changes of it"))
    })?;
    Ok(PyBytes::new(py, &made))
}

/// Settings of predictor `tensor` as `settings`, but that what comes again in the segment is copied;
/// ValueError where that cannot be.
#[pyfunction]
pub fn tensor_with_matches<'py>(py: Python<'py>, settings: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let made = llmzip_predictors::tensor::with_matches(settings)
        .ok_or_else(|| PyValueError::new_err("settings of a change, or of no tensor"))?;
    Ok(PyBytes::new(py, &made))
}

/// Settings of predictor `tensor` as `settings`, but that elements are numbers of values; None where `data`,
/// the whole segment, has too many values or not one whole element, and where `settings` are those of a
/// change or of a kind that has no values.
#[pyfunction]
pub fn tensor_with_values<'py>(
    py: Python<'py>,
    settings: &[u8],
    data: Bytes,
) -> Option<Bound<'py, PyBytes>> {
    let data = data.as_slice();
    let made = py.detach(|| llmzip_predictors::tensor::with_values(settings, data));
    made.map(|made| PyBytes::new(py, &made))
}

fn intact(payload: &[u8], crc: u32) -> Result<(), PredictorError> {
    if crc32fast::hash(payload) == crc {
        Ok(())
    } else {
        Err(PredictorError::Corrupt("a chunk is damaged"))
    }
}

fn checked(hash: u128, check: &[u8]) -> Result<[u8; 16], PredictorError> {
    let hash = hash.to_be_bytes();
    if hash[..8] == *check {
        Ok(hash)
    } else {
        Err(PredictorError::Corrupt(
            "a chunk does not decode to what was coded",
        ))
    }
}

/// As `Decoder.decode_chunk_into` for a chunk that is not coded: `out` is `payload`, or its one
/// byte again and again.
#[pyfunction]
pub fn copy_chunk_into<'py>(
    py: Python<'py>,
    payload: Bytes,
    mut out: BytesMut,
    payload_crc: u32,
    check: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let (payload, out) = apart(&payload, &mut out)?;
    if payload.len() != 1 && payload.len() != out.len() {
        return Err(PyValueError::new_err("a stored chunk of another length"));
    }
    let hash = py.detach(|| {
        intact(payload, payload_crc)?;
        match payload {
            &[byte] => out.fill(byte),
            _ => out.copy_from_slice(payload),
        }
        checked(xxh3_128(out), check)
    });
    Ok(PyBytes::new(py, &hash.map_err(raise)?))
}

/// Decodes segments of `archive` that follow each other, from number `seq` on, and that fill `out`;
/// `segments` tell where each begins, how long it is and how long its content. For each, what its
/// chunks add to the content hash, or None where it is not as usual. `predictors` are those of the
/// archive, None for those that are not decoded here.
#[pyfunction]
#[allow(clippy::too_many_arguments)]
pub fn decode_segments_into<'py>(
    py: Python<'py>,
    archive: Bytes,
    mut out: BytesMut,
    segments: Vec<(usize, usize, usize)>,
    seq: u64,
    predictors: Vec<Option<(String, u32)>>,
    max_chunk_raw: u64,
    memory: u64,
    threads: usize,
) -> PyResult<Vec<Option<Bound<'py, PyBytes>>>> {
    let (archive, mut out) = apart(&archive, &mut out)?;
    let outside = || PyValueError::new_err("a segment outside of the archive or the buffer");
    let mut jobs = Vec::with_capacity(segments.len());
    for (seq, (begin, length, raw_len)) in (seq..).zip(segments) {
        let rest = archive.get(begin..).ok_or_else(outside)?;
        jobs.push(Job {
            segment: rest.get(..length).ok_or_else(outside)?,
            seq,
            out: out.split_off_mut(..raw_len).ok_or_else(outside)?,
        });
    }
    let predictors: Vec<_> = predictors
        .into_iter()
        .map(|named| named.and_then(|(id, version)| segment::find(&id, version)))
        .collect();
    let expected = Expected {
        seq,
        predictors: &predictors,
        max_chunk_raw,
        memory,
    };
    let digests = py.detach(|| chunks::decode_all(jobs, &expected, threads));
    let bytes = |digests: Vec<u8>| PyBytes::new(py, &digests);
    Ok(digests.into_iter().map(|found| found.map(bytes)).collect())
}

/// For each plane of elements of a kind: bytes that a unit gives to it, how often each byte occurs.
#[pyfunction]
pub fn tensor_histograms(
    py: Python<'_>,
    kind: &str,
    data: Bytes,
) -> PyResult<Vec<(usize, Vec<u32>)>> {
    let data = data.as_slice();
    let found = py
        .detach(|| llmzip_predictors::tensor::histograms(kind, data))
        .ok_or_else(|| PyValueError::new_err(format!("no element kind {kind:?}")))?;
    Ok(found
        .into_iter()
        .map(|(width, counts)| (width, counts.to_vec()))
        .collect())
}

/// Whether a tensor with these settings may repeat itself, as far as a quick look at a sample tells.
#[pyfunction]
pub fn may_repeat(settings: &[u8], sample: Bytes) -> PyResult<bool> {
    llmzip_predictors::tensor::may_repeat(settings, sample.as_slice()).map_err(raise)
}

/// Whether `sample`, the first bytes of a segment, looks like what predictor `pc` is for.
#[pyfunction]
pub fn has_columns(py: Python<'_>, sample: Bytes) -> bool {
    let sample = sample.as_slice();
    py.detach(|| llmzip_predictors::pc::has_columns(sample))
}

/// Whether rows of a tensor with these settings come again, however far away.
#[pyfunction]
pub fn rows_repeat(settings: &[u8], data: Bytes) -> PyResult<bool> {
    llmzip_predictors::tensor::rows_repeat(settings, data.as_slice()).map_err(raise)
}

/// Nats, rank, the likeliest tokens with their probabilities.
type TokenRow = (f64, usize, Vec<(u32, f64)>);

/// A language model, made from the bytes of a model pack; segments and threads may share it.
#[pyclass(module = "llmzip._native", frozen, weakref)]
pub struct Model(pub(crate) Arc<dyn ModelPack>, Arc<Aligned>);

#[pymethods]
impl Model {
    /// `threads` evaluate at a time what one segment asks for. `pack` is copied to where it is read fast.
    #[new]
    fn new(py: Python<'_>, pack: PyBackedBytes, threads: usize) -> PyResult<Self> {
        py.detach(|| {
            let pack = Arc::new(Aligned::copy(&pack)?);
            let own: Arc<Aligned> = Arc::clone(&pack);
            Ok(Self(
                Arc::new(Packed::new(Pack::parse(pack)?, threads)?),
                own,
            ))
        })
        .map_err(raise)
    }

    /// The bytes of the pack, copied.
    #[getter]
    fn pack<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, (*self.1).as_ref())
    }

    /// Most tokens that the model can look back on.
    #[getter]
    fn context(&self) -> usize {
        self.0.context()
    }

    /// Bytes of memory that a segment with these settings takes for the model, besides the pack.
    fn memory(&self, settings: &[u8]) -> PyResult<u64> {
        llm::memory(&*self.0, settings).map_err(raise)
    }

    /// Bytes of memory that decoding a segment takes which goes on from one of `first` bytes.
    fn memory_after(&self, settings: &[u8], first: u64) -> PyResult<u64> {
        llm::memory_after(&*self.0, settings, first).map_err(raise)
    }

    /// The tokens that an encoder cuts a text into, which spell it.
    fn tokens(&self, py: Python<'_>, text: Bytes) -> Vec<u32> {
        let text = text.as_slice();
        py.detach(|| {
            let mut tokens = Vec::new();
            self.0.tokens_of(text, &mut tokens);
            tokens
        })
    }

    /// Nats that each token costs by the model alone, which begins with nothing every `window` tokens.
    fn costs(&self, py: Python<'_>, tokens: Vec<u32>, window: usize) -> PyResult<Vec<f64>> {
        py.detach(|| llm::costs(&self.0, &tokens, window))
            .map_err(raise)
    }

    /// What each token costs by the model alone, which begins anew every `window` tokens with the token that
    /// texts begin with: nats, how many tokens were likelier, and the `count` likeliest with their probabilities.
    fn tell(
        &self,
        py: Python<'_>,
        tokens: Vec<u32>,
        window: usize,
        count: usize,
    ) -> PyResult<Vec<TokenRow>> {
        let told = py
            .detach(|| llm::tell(&self.0, &tokens, window, count))
            .map_err(raise)?;
        let row = |told: llm::Told| (told.nats, told.rank, told.likeliest);
        Ok(told.into_iter().map(row).collect())
    }

    /// The bytes of a token; None where it has none.
    fn spelling<'py>(&self, py: Python<'py>, token: u32) -> Option<Bound<'py, PyBytes>> {
        let vocabulary = self.0.vocabulary();
        let rank = vocabulary.rank(token)?;
        Some(PyBytes::new(py, vocabulary.spelling(rank)))
    }

    /// Whether the model is worth its time on a segment with these settings, as samples tell.
    fn helps(&self, py: Python<'_>, settings: &[u8], segment: Bytes) -> PyResult<bool> {
        let segment = segment.as_slice();
        py.detach(|| llm::helps(&self.0, settings, segment))
            .map_err(raise)
    }

    /// Seconds that `length` bytes like those of `sample` take about to code, and to decode where all of
    /// `segments` but the first, of `first` bytes, are decoded together.
    fn seconds(
        &self,
        py: Python<'_>,
        settings: &[u8],
        sample: Bytes,
        length: u64,
        segments: u64,
        first: u64,
    ) -> PyResult<(f64, f64)> {
        let sample = sample.as_slice();
        py.detach(|| llm::seconds(&self.0, settings, sample, length, segments, first))
            .map_err(raise)
    }
}

/// Codes one segment: `write` the bytes of a chunk, then `finish_chunk`.
#[pyclass(module = "llmzip._native")]
pub struct Encoder(Box<dyn SegmentEncoder>);

// A `&mut self` method holds the class's borrow, so no two threads are inside at once.
#[pymethods]
impl Encoder {
    #[new]
    fn new(
        py: Python<'_>,
        id: &str,
        version: u32,
        settings: &[u8],
        raw_len: u64,
    ) -> PyResult<Self> {
        let make = find(id, version)?.encoder;
        py.detach(|| make(settings, raw_len))
            .map(Self)
            .map_err(raise)
    }

    fn set_model(&mut self, model: &Model) -> PyResult<()> {
        self.0.set_model(Arc::clone(&model.0)).map_err(raise)
    }

    fn set_circuit(&mut self, circuit: &Circuit) -> PyResult<()> {
        self.0.set_circuit(Arc::clone(&circuit.0)).map_err(raise)
    }

    fn set_base(&mut self, py: Python<'_>, base: Bytes) -> PyResult<()> {
        let base = base.as_slice();
        py.detach(|| self.0.set_base(base)).map_err(raise)
    }

    fn look_ahead(&mut self, py: Python<'_>, segment: Bytes) {
        let segment = segment.as_slice();
        py.detach(|| self.0.look_ahead(segment));
    }

    fn write(&mut self, py: Python<'_>, data: Bytes) -> PyResult<()> {
        let data = data.as_slice();
        py.detach(|| self.0.write(data)).map_err(raise)
    }

    /// Does a part of what `write` left to be done; returns whether there is more of it. `last`: the
    /// open chunk is written whole.
    fn work(&mut self, py: Python<'_>, last: bool) -> PyResult<bool> {
        py.detach(|| self.0.work(last)).map_err(raise)
    }

    fn finish_chunk<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let coded = py.detach(|| self.0.finish_chunk()).map_err(raise)?;
        Ok(PyBytes::new(py, &coded))
    }

    /// Codes all of the content of segment `seq`, whose predictor is number `number` of the archive's;
    /// `kept`: later ones may be copies of it. Returns header and chunks, and what these add to the
    /// content hash.
    fn encode_segment<'py>(
        &mut self,
        py: Python<'py>,
        content: Bytes,
        seq: u64,
        number: u64,
        settings: &[u8],
        kept: bool,
    ) -> PyResult<(Made, Bound<'py, PyBytes>)> {
        let content = content.as_slice();
        let coded = py
            .detach(|| {
                self.0.look_ahead(content);
                chunks::encode(&mut *self.0, content, seq, number, settings, kept)
            })
            .map_err(raise)?;
        let digests = PyBytes::new(py, &coded.digests);
        Ok((Made(coded), digests))
    }

    /// An encoder of a segment that starts from the state after this one, which codes no more.
    fn after(&mut self, raw_len: u64) -> PyResult<Self> {
        self.0.after(raw_len).map(Self).map_err(raise)
    }

    /// Bytes that were written, but are not coded yet.
    #[getter]
    fn waiting(&self) -> u64 {
        self.0.waiting()
    }

    /// Coded bytes of the open chunk so far, for progress.
    #[getter]
    fn coded_so_far(&self) -> u64 {
        self.0.coded_so_far()
    }

    #[getter]
    fn canary(&self) -> u32 {
        self.0.canary()
    }
}

/// Decodes one segment: `begin_chunk`, `read` until all is there, `end_chunk`.
#[pyclass(module = "llmzip._native")]
pub struct Decoder(Box<dyn SegmentDecoder>);

#[pymethods]
impl Decoder {
    #[new]
    fn new(
        py: Python<'_>,
        id: &str,
        version: u32,
        settings: &[u8],
        raw_len: u64,
    ) -> PyResult<Self> {
        let make = find(id, version)?.decoder;
        py.detach(|| make(settings, raw_len))
            .map(Self)
            .map_err(raise)
    }

    fn set_model(&mut self, model: &Model) -> PyResult<()> {
        self.0.set_model(Arc::clone(&model.0)).map_err(raise)
    }

    fn set_circuit(&mut self, circuit: &Circuit) -> PyResult<()> {
        self.0.set_circuit(Arc::clone(&circuit.0)).map_err(raise)
    }

    fn set_base(&mut self, py: Python<'_>, base: Bytes) -> PyResult<()> {
        let base = base.as_slice();
        py.detach(|| self.0.set_base(base)).map_err(raise)
    }

    fn begin_chunk(&mut self, payload: Bytes) -> PyResult<()> {
        self.0
            .begin_chunk(payload.as_slice().to_vec())
            .map_err(raise)
    }

    fn read<'py>(&mut self, py: Python<'py>, length: usize) -> PyResult<Bound<'py, PyBytes>> {
        PyBytes::new_with(py, length, |out| {
            py.detach(|| self.0.read(out)).map_err(raise)
        })
    }

    fn end_chunk(&mut self) -> PyResult<()> {
        self.0.end_chunk().map_err(raise)
    }

    /// Decodes a chunk of `length` bytes in one call.
    fn decode_chunk<'py>(
        &mut self,
        py: Python<'py>,
        payload: Bytes,
        length: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let payload = payload.as_slice();
        PyBytes::new_with(py, length, |out| {
            py.detach(|| self.0.decode_chunk(payload, out))
                .map_err(raise)
        })
    }

    /// Decodes a chunk that fills `out`, between the checks of its head; returns its whole hash.
    fn decode_chunk_into<'py>(
        &mut self,
        py: Python<'py>,
        payload: Bytes,
        mut out: BytesMut,
        payload_crc: u32,
        check: &[u8],
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (payload, out) = apart(&payload, &mut out)?;
        let hash = py.detach(|| {
            intact(payload, payload_crc)?;
            let mut hasher = Hasher::default();
            self.0
                .decode_chunk_in_parts(payload, out, &[], &mut |done| hasher.advance(done))?;
            checked(hasher.finish(out), check)
        });
        Ok(PyBytes::new(py, &hash.map_err(raise)?))
    }

    /// As `Encoder.after`; decoders that are used in several threads ask their model together.
    fn after(&mut self, raw_len: u64) -> PyResult<Self> {
        self.0.after(raw_len).map(Self).map_err(raise)
    }

    /// Coded bytes that each plane took of what was decoded so far.
    #[getter]
    fn planes(&self) -> Vec<u64> {
        self.0.planes()
    }

    /// Advances the predictor over bytes stored in the clear (chunk type 3).
    fn train(&mut self, py: Python<'_>, data: Bytes) -> PyResult<()> {
        let data = data.as_slice();
        py.detach(|| self.0.train(data)).map_err(raise)
    }

    #[getter]
    fn canary(&self) -> u32 {
        self.0.canary()
    }
}
