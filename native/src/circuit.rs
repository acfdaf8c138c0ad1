//! Circuits that were trained before; the class and the function that `llmzip.pc` wraps.

use std::sync::Arc;

use llmzip_predictors::chunks::MAX_CHUNK;
use llmzip_predictors::pc::{self, CircuitPack, Kind, Training};
use llmzip_predictors::segment::PredictorError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::buffer::Bytes;
use crate::segment::raise;

/// A circuit, made from the bytes of its pack.
#[pyclass(module = "llmzip._native", frozen, weakref)]
pub struct Circuit(pub Arc<CircuitPack>);

/// Doubles as they lie in memory.
fn doubles<'py>(py: Python<'py>, values: &[f64]) -> PyResult<Bound<'py, PyBytes>> {
    PyBytes::new_with(py, size_of_val(values), |out| {
        let (out, _) = out.as_chunks_mut::<8>();
        out.iter_mut()
            .zip(values)
            .for_each(|(out, value)| *out = value.to_ne_bytes());
        Ok(())
    })
}

/// Bytes, and numbers of what is not among them.
type Converted<'py> = (Bound<'py, PyBytes>, Vec<usize>);

#[pymethods]
impl Circuit {
    #[new]
    fn new(py: Python<'_>, pack: Bytes) -> PyResult<Self> {
        let pack = pack.as_slice();
        let pack = py.detach(|| CircuitPack::read(pack)).map_err(raise)?;
        Ok(Self(Arc::new(pack)))
    }

    /// Bytes of memory that it takes, besides the pack.
    #[getter]
    fn memory(&self) -> u64 {
        self.0.memory()
    }

    /// Number of variables.
    #[getter]
    fn variables(&self) -> usize {
        self.0.fields.len()
    }

    /// States of each latent.
    #[getter]
    fn states(&self) -> usize {
        self.0.circuit.states()
    }

    /// For each variable its number of values.
    #[getter]
    fn values(&self) -> Vec<u16> {
        self.0.fields.iter().map(|field| field.values).collect()
    }

    /// For each variable the number of its cell in a line; of a stack its own.
    #[getter]
    fn cells(&self) -> Vec<usize> {
        self.0.cells()
    }

    /// What rows are: "table" or "stack".
    #[getter]
    fn kind(&self) -> &'static str {
        match self.0.kind {
            Kind::Table(_) => "table",
            Kind::Stack { .. } => "stack",
        }
    }

    /// Bytes before a stack's first record; None of a table.
    #[getter]
    fn lead(&self) -> Option<usize> {
        match self.0.kind {
            Kind::Table(_) => None,
            Kind::Stack { lead, .. } => Some(lead),
        }
    }

    /// Bytes of a stack's record; None of a table.
    #[getter]
    fn stride(&self) -> Option<usize> {
        self.0.stride()
    }

    /// Settings of `cm` for a segment that begins with `sample`, to be coded with this circuit; without a
    /// sample those with which it takes most memory. None where there are none.
    fn joined<'py>(
        &self,
        py: Python<'py>,
        level: u8,
        sample: Option<&[u8]>,
    ) -> Option<Bound<'py, PyBytes>> {
        let settings = match sample {
            Some(sample) => pc::joined(&self.0, level, sample),
            None => pc::most_joined(&self.0, level),
        };
        settings.map(|settings| PyBytes::new(py, &settings))
    }

    fn log_prob<'py>(
        &self,
        py: Python<'py>,
        rows: Bytes,
        missing: Bytes,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (rows, missing) = (rows.as_slice(), missing.as_slice());
        let found = py.detach(|| self.0.log_prob(rows, missing));
        doubles(py, &found.map_err(raise)?)
    }

    fn marginals<'py>(
        &self,
        py: Python<'py>,
        rows: Bytes,
        missing: Bytes,
    ) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let (rows, missing) = (rows.as_slice(), missing.as_slice());
        let found = py.detach(|| self.0.marginals(rows, missing));
        let found = found.map_err(raise)?.into_iter();
        found.map(|values| doubles(py, &values)).collect()
    }

    fn sample<'py>(
        &self,
        py: Python<'py>,
        count: usize,
        rows: Bytes,
        missing: Bytes,
        seed: u64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (rows, missing) = (rows.as_slice(), missing.as_slice());
        let found = py.detach(|| self.0.sample(count, rows, missing, seed));
        Ok(PyBytes::new(py, &found.map_err(raise)?))
    }

    fn encode<'py>(&self, py: Python<'py>, text: Bytes) -> PyResult<Converted<'py>> {
        let text = text.as_slice();
        let (rows, misfits) = py.detach(|| self.0.encode(text)).map_err(raise)?;
        Ok((PyBytes::new(py, &rows), misfits))
    }

    fn decode<'py>(&self, py: Python<'py>, rows: Bytes) -> PyResult<Converted<'py>> {
        let rows = rows.as_slice();
        let (text, misfits) = py.detach(|| self.0.decode(rows)).map_err(raise)?;
        Ok((PyBytes::new(py, &text), misfits))
    }
}

/// The number of line feeds that the settings of a segment of predictor `id` tell; None where they do not.
#[pyfunction]
pub fn lines(id: &str, settings: &[u8]) -> Option<u64> {
    pc::lines(id, settings)
}

/// Trains a circuit on `data`; returns the bytes of its pack. `progress` hears of each pass, in another
/// thread; what it raises ends the training.
#[pyfunction]
pub fn train<'py>(
    py: Python<'py>,
    data: Bytes,
    states: usize,
    passes: usize,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let data = data.as_slice();
    let training = Training {
        states,
        passes,
        threads,
    };
    let mut raised = None;
    let trained: Result<Vec<u8>, PredictorError> = py.detach(|| {
        pc::train(data, training, &mut |pass| {
            let heard = Python::attach(|py| {
                py.check_signals()?;
                let told = progress.as_ref().map(|call| call.call1(py, (pass,)));
                told.transpose().map(drop)
            });
            heard.map_err(|error| raised = Some(error)).is_ok()
        })
    });
    match raised {
        Some(error) => Err(error),
        None => Ok(PyBytes::new(py, &trained.map_err(raise)?)),
    }
}

/// Bytes before the rows, their number, the delimiter, and of each part what it is, its cell's number and its bits.
type Spent<'py> = (
    Bound<'py, PyBytes>,
    usize,
    Option<char>,
    Vec<(&'static str, Option<usize>, f64)>,
);

/// The bits that each part of a segment takes with settings of predictor `pc`; None where it is no table.
#[pyfunction]
pub fn table_costs<'py>(
    py: Python<'py>,
    settings: &[u8],
    segment: Bytes,
) -> PyResult<Option<Spent<'py>>> {
    let segment = segment.as_slice();
    let found = py.detach(|| pc::costs(settings, segment, MAX_CHUNK));
    let named = |(part, bits): (pc::Part, f64)| match part {
        pc::Part::Head => ("head", None, bits),
        pc::Part::Kinds => ("kinds", None, bits),
        pc::Part::Exceptions => ("exceptions", None, bits),
        pc::Part::Cell(cell) => ("cell", Some(cell), bits),
    };
    let Some(spent) = found.map_err(raise)? else {
        return Ok(None);
    };
    Ok(Some((
        PyBytes::new(py, &spent.head),
        spent.rows,
        spent.delimiter.map(char::from),
        spent.parts.into_iter().map(named).collect(),
    )))
}
