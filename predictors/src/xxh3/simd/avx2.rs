//! AVX2 twins of the kernels.

use std::arch::x86_64::*;

use super::super::{BLOCK, Lanes, PRIME32, SECRET, STRIPE};
use crate::simd::Level;

pub fn blocks(lanes: &mut Lanes, blocks: &[[u8; BLOCK]]) {
    assert!(Level::Avx2.detected());
    // Safety: the features were detected.
    unsafe { blocks_here(lanes, blocks) }
}

#[target_feature(enable = "avx2")]
fn blocks_here(lanes: &mut Lanes, blocks: &[[u8; BLOCK]]) {
    // Safety: 32 bytes each: of a stripe, of lanes, of the secret, which has 64 from the last
    // stripe's place on.
    unsafe {
        let load = |bytes: *const u8| _mm256_loadu_si256(bytes.cast());
        let parts: [usize; 2] = std::array::from_fn(|i| 32 * i);
        let start = lanes.as_ptr().cast::<u8>();
        let mut sums = parts.map(|part| load(start.add(part)));
        let last = parts.map(|part| load(SECRET.as_ptr().add(SECRET.len() - STRIPE + part)));
        let prime = _mm256_set1_epi64x(PRIME32[0] as i64);
        for block in blocks {
            for (number, stripe) in block.as_chunks::<STRIPE>().0.iter().enumerate() {
                for (sum, part) in sums.iter_mut().zip(parts) {
                    let value = load(stripe.as_ptr().add(part));
                    let key = _mm256_xor_si256(value, load(SECRET.as_ptr().add(8 * number + part)));
                    let product = _mm256_mul_epu32(key, _mm256_srli_epi64::<32>(key));
                    // The neighbour's value.
                    let other = _mm256_shuffle_epi32::<0b01_00_11_10>(value);
                    *sum = _mm256_add_epi64(*sum, _mm256_add_epi64(product, other));
                }
            }
            for (sum, last) in sums.iter_mut().zip(last) {
                let mixed = _mm256_xor_si256(*sum, _mm256_srli_epi64::<47>(*sum));
                let mixed = _mm256_xor_si256(mixed, last);
                let low = _mm256_mul_epu32(mixed, prime);
                let high = _mm256_mul_epu32(_mm256_srli_epi64::<32>(mixed), prime);
                *sum = _mm256_add_epi64(low, _mm256_slli_epi64::<32>(high));
            }
        }
        for (sum, part) in sums.iter().zip(parts) {
            _mm256_storeu_si256(lanes.as_mut_ptr().cast::<u8>().add(part).cast(), *sum);
        }
    }
}
