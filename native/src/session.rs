//! A language model outside of archives; `llmzip.generate` wraps it.

use llmzip_predictors::llm::Session as Own;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::segment::{Model, raise};

/// A run of a language model that is told tokens.
#[pyclass(module = "llmzip._native")]
pub struct Session(Own);

// A `&mut self` method holds the class's borrow, so no two threads are inside at once.
#[pymethods]
impl Session {
    /// That sees at most `window` tokens.
    #[new]
    fn new(py: Python<'_>, model: &Model, window: usize) -> PyResult<Self> {
        py.detach(|| Own::new(&model.0, window))
            .map(Self)
            .map_err(raise)
    }

    /// Feeds tokens.
    fn advance(&mut self, py: Python<'_>, tokens: Vec<u32>) -> PyResult<()> {
        py.detach(|| self.0.advance(&tokens)).map_err(raise)
    }

    /// The next token that a draw of 64 random bits falls on, at a temperature in thousandths, and its bytes.
    fn pick<'py>(
        &mut self,
        py: Python<'py>,
        temperature: u32,
        draw: u64,
    ) -> (u32, Bound<'py, PyBytes>) {
        let (token, spelling) = py.detach(|| self.0.pick(temperature, draw));
        (token, PyBytes::new(py, spelling))
    }
}
