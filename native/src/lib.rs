//! `llmzip._native`: argument checks, GIL release and error mapping around `llmzip-predictors`.

mod buffer;
mod circuit;
mod context_mixer;
mod segment;
mod session;
mod sha256;

use std::sync::Arc;

use buffer::Bytes;
use llmzip_predictors::xxh3::xxh3_128;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

/// XXH3-128 of `data` in canonical form (16 bytes, big-endian).
#[pyfunction]
#[pyo3(name = "xxh3_128")]
fn hash_128(py: Python<'_>, data: Bytes) -> Bound<'_, PyBytes> {
    let data = data.as_slice();
    PyBytes::new(py, &py.detach(|| xxh3_128(data)).to_be_bytes())
}

/// CRC-32 of `data`, as zlib has it.
#[pyfunction]
fn crc32(py: Python<'_>, data: Bytes) -> u32 {
    let data = data.as_slice();
    py.detach(|| crc32fast::hash(data))
}

/// The entries of an index without its check: bytes in the archive, bytes of content, label; None where
/// it is none.
#[pyfunction]
fn index_entries(index: &[u8]) -> Option<Vec<llmzip_predictors::index::Entry<'_>>> {
    llmzip_predictors::index::entries(index)
}

/// The 4,096 rows of `squash.csv`, 32 bits each, little-endian.
#[pyfunction]
fn squash_table(py: Python<'_>) -> Bound<'_, PyBytes> {
    let rows = llmzip_predictors::transformer::squash_rows();
    let bytes: Vec<u8> = rows.iter().flat_map(|row| row.to_le_bytes()).collect();
    PyBytes::new(py, &bytes)
}

/// Checks that a model pack is whole: `CorruptData` or `UnsupportedData` where it is not.
#[pyfunction]
fn check_pack(py: Python<'_>, pack: PyBackedBytes) -> PyResult<()> {
    py.detach(|| llmzip_predictors::transformer::check(Arc::new(pack)))
        .map_err(segment::raise)
}

#[pymodule(name = "_native")]
mod native_module {
    #[pymodule_export]
    use super::buffer::{Made, prefer_huge_pages};
    #[pymodule_export]
    use super::check_pack;
    #[pymodule_export]
    use super::circuit::{Circuit, lines, table_costs, train};
    #[pymodule_export]
    use super::context_mixer::{ContextMixer, primer};
    #[pymodule_export]
    use super::crc32;
    #[pymodule_export]
    use super::hash_128;
    #[pymodule_export]
    use super::index_entries;
    #[pymodule_export]
    use super::segment::{
        CorruptData, Decoder, Encoder, Model, SetupFailed, UnsupportedData, copy_chunk_into,
        decode_segments_into, has_columns, may_repeat, memory, model_predictors, predictors,
        rows_repeat, settings, tensor_histograms, tensor_settings, tensor_with_matches,
        tensor_with_values,
    };
    #[pymodule_export]
    use super::session::Session;
    #[pymodule_export]
    use super::sha256::Sha256;
    #[pymodule_export]
    use super::squash_table;

    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}
