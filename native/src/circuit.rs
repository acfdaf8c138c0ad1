//! Circuits that were trained before.

use std::sync::Arc;

use llmzip_predictors::pc::{self, CircuitPack, Training};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::buffer::Bytes;
use crate::segment::raise;

/// A circuit, made from the bytes of its pack; segments and threads may share it.
#[pyclass(module = "llmzip._native", frozen, weakref)]
pub struct Circuit(pub Arc<CircuitPack>);

#[pymethods]
impl Circuit {
    #[new]
    fn new(py: Python<'_>, pack: PyBackedBytes) -> PyResult<Self> {
        let found = py.detach(|| CircuitPack::read(&pack));
        Ok(Self(Arc::new(found.map_err(raise)?)))
    }

    /// Bytes of memory that it takes, besides the pack.
    #[getter]
    fn memory(&self) -> u64 {
        self.0.memory()
    }

    /// Number of states of each latent.
    #[getter]
    fn states(&self) -> usize {
        self.0.circuit.states()
    }

    /// Number of variables.
    #[getter]
    fn variables(&self) -> usize {
        self.0.fields.len()
    }

    /// Bytes of a record of a stack; None for a table.
    #[getter]
    fn stride(&self) -> Option<usize> {
        self.0.stride()
    }
}

/// The number of line feeds that the settings of a segment of predictor `id` tell; None where they do not.
#[pyfunction]
pub fn lines(id: &str, settings: &[u8]) -> Option<u64> {
    pc::lines(id, settings)
}

/// Trains a circuit on `data`, a table or a stack of equal records of bytes; returns its pack. `progress`
/// is called after each pass with its number from 1 on; what it raises ends the training.
#[pyfunction]
pub fn train<'py>(
    py: Python<'py>,
    data: Bytes,
    states: usize,
    passes: usize,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyBytes>> {
    if passes == 0 {
        return Err(PyValueError::new_err("passes must be at least 1"));
    }
    let data = data.as_slice();
    let training = Training {
        states,
        passes,
        threads,
    };
    let mut raised = None;
    let pack = py.detach(|| {
        pc::train(data, training, &mut |pass| {
            let told = Python::attach(|py| {
                py.check_signals()?;
                progress
                    .as_ref()
                    .map_or(Ok(()), |call| call.call1(py, (pass,)).map(drop))
            });
            raised = told.err();
            raised.is_none()
        })
    });
    if let Some(error) = raised {
        return Err(error);
    }
    Ok(PyBytes::new(py, &pack.map_err(raise)?))
}
