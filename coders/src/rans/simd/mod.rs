//! Kernels of rANS by level, each equal to its scalar twin bit for bit.

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod avx2;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod avx512;
mod scalar;

use super::LANES;
use super::decode::{Large, Small};
use super::encode::EncodeTable;
use crate::simd::Level;

/// Bytes of words that a step takes at most.
pub const STEP_BYTES: usize = 2 * LANES;

/// Lanes from which on a kernel that encodes all at once is faster.
#[cfg(target_arch = "x86_64")]
const LEAST_LANES: usize = 8;

/// What to decode.
pub struct Decode<'a> {
    /// All in `2^16..2^32`, before and after.
    pub states: &'a mut [u32; LANES],
    /// Symbols of a step but the last, 1 to [`LANES`].
    pub lanes: usize,
    /// The rest of the stream, and zeros where it is short.
    pub words: &'a [u8],
    pub out: &'a mut [u8],
}

/// How far a decoder came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    pub symbols: usize,
    pub bytes: usize,
}

/// What to encode.
pub struct Encode<'a> {
    /// All in `2^16..2^32`, before and after.
    pub states: &'a mut [u32; LANES],
    /// Symbols of a step but the last, 1 to [`LANES`].
    pub lanes: usize,
    pub symbols: &'a [u8],
    /// Filled from the end, little-endian; at least as long as `symbols`.
    pub words: &'a mut [[u8; 2]],
}

/// Decodes steps while at least [`STEP_BYTES`] of words are left and `out` is not full.
pub fn decode_small(level: Level, table: &Small, job: Decode<'_>) -> Done {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 if avx512::detected() => avx512::decode_small(table, job),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 | Level::Avx2 => avx2::decode_small(table, job),
        Level::Scalar => scalar::decode_small(table, job),
    }
}

/// As [`decode_small`].
pub fn decode_large(level: Level, table: &Large, job: Decode<'_>) -> Done {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 if avx512::detected() => avx512::decode_large(table, job),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 | Level::Avx2 => avx2::decode_large(table, job),
        Level::Scalar => scalar::decode_large(table, job),
    }
}

/// Encodes all symbols, the last step first; how many of the words are then still free.
///
/// # Panics
/// When the table lacks a symbol.
pub fn encode(level: Level, table: &EncodeTable, job: Encode<'_>) -> usize {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 if job.lanes >= LEAST_LANES && avx512::detected() => {
            avx512::encode(table, job)
        }
        _ => scalar::encode(table, job),
    }
}
