//! SHA-256 for content hashes: loading Python's takes longer than compressing a small file.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use sha2::Digest;

use crate::buffer::Bytes;

/// A hash that grows, as `hashlib.sha256` gives it.
#[pyclass(module = "llmzip._native")]
#[derive(Default)]
pub struct Sha256(sha2::Sha256);

#[pymethods]
impl Sha256 {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    fn update(&mut self, data: Bytes) {
        self.0.update(data.as_slice());
    }

    fn digest<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.clone().finalize())
    }
}
