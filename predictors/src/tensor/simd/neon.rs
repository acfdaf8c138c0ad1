//! NEON twins of the kernels.

use std::arch::aarch64::*;

use super::Set;
use crate::simd::Level;

/// How many bytes were looked at, all of them in `set`; `None` where one is not.
pub fn holds(set: &Set, bytes: &[u8]) -> Option<usize> {
    assert!(Level::Neon.detected());
    // Safety: the feature was detected.
    unsafe { holds_here(set, bytes) }
}

#[target_feature(enable = "neon")]
fn holds_here(set: &Set, bytes: &[u8]) -> Option<usize> {
    // Safety: arrays of 16 bytes.
    let [lower, upper] = set.0.map(|half| unsafe { vld1q_u8(half.as_ptr()) });
    let rows = uint8x16x2_t(lower, upper);
    let mut missing = vdupq_n_u8(0);
    let whole = bytes.as_chunks::<16>().0;
    for part in whole {
        // Safety: an array of 16 bytes.
        let byte = unsafe { vld1q_u8(part.as_ptr()) };
        let half = vandq_u8(vshrq_n_u8::<3>(byte), vdupq_n_u8(16));
        let row = vqtbl2q_u8(rows, vorrq_u8(half, vandq_u8(byte, vdupq_n_u8(15))));
        let place = vandq_u8(vshrq_n_u8::<4>(byte), vdupq_n_u8(7));
        let bit = vshlq_u8(vdupq_n_u8(1), vreinterpretq_s8_u8(place));
        missing = vorrq_u8(missing, vbicq_u8(bit, row));
    }
    (vmaxvq_u8(missing) == 0).then_some(16 * whole.len())
}
