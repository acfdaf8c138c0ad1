//! AVX2 twins of the kernels.

use std::arch::x86_64::*;

use super::Set;
use crate::simd::Level;

/// How many bytes were looked at, all of them in `set`; `None` where one is not.
pub fn holds(set: &Set, bytes: &[u8]) -> Option<usize> {
    assert!(Level::Avx2.detected());
    // Safety: the features were detected.
    unsafe { holds_here(set, bytes) }
}

#[target_feature(enable = "avx2")]
fn holds_here(set: &Set, bytes: &[u8]) -> Option<usize> {
    // Safety: arrays of 16 bytes.
    let [lower, upper] = set
        .0
        .map(|half| unsafe { _mm256_broadcastsi128_si256(_mm_loadu_si128(half.as_ptr().cast())) });
    let bits = _mm256_setr_epi8(
        1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128,
        1, 2, 4, 8, 16, 32, 64, -128,
    );
    let nibble = _mm256_set1_epi8(15);
    let mut missing = _mm256_setzero_si256();
    let whole = bytes.as_chunks::<32>().0;
    for part in whole {
        // Safety: an array of 32 bytes.
        let byte = unsafe { _mm256_loadu_si256(part.as_ptr().cast()) };
        let low = _mm256_and_si256(byte, nibble);
        let high = _mm256_and_si256(_mm256_srli_epi16::<4>(byte), nibble);
        let row = _mm256_blendv_epi8(
            _mm256_shuffle_epi8(lower, low),
            _mm256_shuffle_epi8(upper, low),
            byte,
        );
        let bit = _mm256_shuffle_epi8(bits, high);
        missing = _mm256_or_si256(missing, _mm256_andnot_si256(row, bit));
    }
    (_mm256_testz_si256(missing, missing) == 1).then_some(32 * whole.len())
}
