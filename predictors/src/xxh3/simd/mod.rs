//! Kernels of XXH3, each equal to its scalar twin.

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod avx2;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod avx512;
pub mod scalar;

use super::{BLOCK, Lanes};
use crate::simd::Level;

/// Takes in whole blocks.
pub fn blocks(lanes: &mut Lanes, data: &[u8], level: Level) {
    let blocks = data.as_chunks::<BLOCK>().0;
    match level {
        Level::Scalar => scalar::blocks(lanes, blocks),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => avx2::blocks(lanes, blocks),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => avx512::blocks(lanes, blocks),
    }
}
