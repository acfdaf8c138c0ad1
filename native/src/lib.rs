//! `llmzip._native`: argument checks, GIL release and error mapping around `llmzip-predictors`.

mod segment;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use xxhash_rust::xxh3::xxh3_128;

/// XXH3-128 of `data` in canonical form (16 bytes, big-endian).
#[pyfunction]
#[pyo3(name = "xxh3_128")]
fn hash_128<'py>(py: Python<'py>, data: &[u8]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &xxh3_128(data).to_be_bytes())
}

#[pymodule(name = "_native")]
mod native_module {
    #[pymodule_export]
    use super::hash_128;
    #[pymodule_export]
    use super::segment::{
        CorruptData, Decoder, Encoder, SetupFailed, UnsupportedData, memory, predictors, settings,
        tensor_settings,
    };

    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}
