//! A context mixer outside of archives, for `llmzip.explain`, `generate`, `similarity` and `windows`.

use llmzip_predictors::cm::context_mixer::{ContextMixer as Own, Told};
use llmzip_predictors::cm::windows;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::buffer::Bytes;
use crate::segment::raise;

/// A context mixer that reads bytes.
#[pyclass(module = "llmzip._native")]
pub struct ContextMixer(Own);

/// Cost in bits, number of the input that did most, the likeliest bytes with their probabilities.
type Row = (f64, Option<usize>, Vec<(u8, f64)>);

// A `&mut self` method holds the class's borrow, so no two threads are inside at once.
#[pymethods]
impl ContextMixer {
    /// With settings of predictor `cm`, for at most `room` bytes.
    #[new]
    fn new(py: Python<'_>, settings: &[u8], room: u64) -> PyResult<Self> {
        py.detach(|| Own::new(settings, room))
            .map(Self)
            .map_err(raise)
    }

    /// A copy that goes on by itself.
    fn fork(&self, py: Python<'_>) -> PyResult<Self> {
        py.detach(|| self.0.fork()).map(Self).map_err(raise)
    }

    /// Bytes that it can still read.
    #[getter]
    fn room(&self) -> u64 {
        self.0.room()
    }

    /// Names of what predicts.
    #[getter]
    fn input_names(&self) -> Vec<String> {
        self.0.input_names()
    }

    /// Learns bytes; returns the bits that they cost.
    fn read(&mut self, py: Python<'_>, data: Bytes) -> PyResult<f64> {
        let data = data.as_slice();
        py.detach(|| self.0.read(data)).map_err(raise)
    }

    /// Learns bytes; returns for each a float of 32 bits, as it lies in memory: the bits that it costs.
    fn costs<'py>(&mut self, py: Python<'py>, data: Bytes) -> PyResult<Bound<'py, PyBytes>> {
        let data = data.as_slice();
        let costs = py.detach(|| self.0.costs(data)).map_err(raise)?;
        let bytes: Vec<u8> = costs.iter().flat_map(|cost| cost.to_ne_bytes()).collect();
        Ok(PyBytes::new(py, &bytes))
    }

    /// The bits that each document costs after what was read, which stays as it is.
    fn costs_of(
        &self,
        py: Python<'_>,
        documents: Vec<Bytes>,
        threads: usize,
    ) -> PyResult<Vec<f64>> {
        let documents: Vec<&[u8]> = documents.iter().map(Bytes::as_slice).collect();
        py.detach(|| self.0.costs_of(&documents, threads))
            .map_err(raise)
    }

    /// Learns bytes; tells of each its cost, the number of the input that did most, the likeliest bytes.
    fn tell(&mut self, py: Python<'_>, data: Bytes, count: usize) -> PyResult<Vec<Row>> {
        let data = data.as_slice();
        let told = py.detach(|| self.0.tell(data, count)).map_err(raise)?;
        let row = |told: Told| (told.cost, told.carrier, told.likeliest);
        Ok(told.into_iter().map(row).collect())
    }

    /// The likeliest next bytes with their probabilities, the likeliest first.
    fn likeliest(&mut self, py: Python<'_>, count: usize) -> Vec<(u8, f64)> {
        py.detach(|| self.0.likeliest(count))
    }

    /// The next byte that a draw of 64 random bits falls on, at a temperature in thousandths.
    fn pick(&mut self, py: Python<'_>, temperature: u32, draw: u64) -> Option<u8> {
        py.detach(|| self.0.pick(temperature, draw))
    }

    /// Goes on as if what came before were gone, but for what was learnt from it.
    fn restart(&mut self) -> PyResult<()> {
        self.0.restart().map_err(raise)
    }

    /// The symbols of a text, `width` bits each, by the model as it is.
    fn windows(&mut self, py: Python<'_>, width: u32, text: Bytes) -> PyResult<Vec<u64>> {
        let text = text.as_slice();
        py.detach(|| windows::symbols(&mut self.0, width, text))
            .map_err(raise)
    }

    /// The text of symbols.
    fn text<'py>(
        &mut self,
        py: Python<'py>,
        width: u32,
        symbols: Vec<u64>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let text = py
            .detach(|| windows::text(&mut self.0, width, &symbols))
            .map_err(raise)?;
        Ok(PyBytes::new(py, &text))
    }
}

/// The text that models of text begin with from level 7 on.
#[pyfunction]
pub fn primer(py: Python<'_>) -> Bound<'_, PyBytes> {
    PyBytes::new(py, llmzip_predictors::cm::PRIMER)
}
