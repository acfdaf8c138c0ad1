//! AVX-512 twins of the kernels.

use std::arch::x86_64::*;

use super::super::{BLOCK, Lanes, PRIME32, SECRET, STRIPE};
use crate::simd::Level;

pub fn blocks(lanes: &mut Lanes, blocks: &[[u8; BLOCK]]) {
    assert!(Level::Avx512.detected());
    // Safety: the features were detected.
    unsafe { blocks_here(lanes, blocks) }
}

#[target_feature(enable = "avx512f")]
fn blocks_here(lanes: &mut Lanes, blocks: &[[u8; BLOCK]]) {
    // Safety: 64 bytes each: of a stripe, of lanes, of the secret, which has 64 from the last
    // stripe's place on.
    unsafe {
        let load = |bytes: *const u8| _mm512_loadu_si512(bytes.cast());
        let parts: [usize; 1] = std::array::from_fn(|i| 64 * i);
        let start = lanes.as_ptr().cast::<u8>();
        let mut sums = parts.map(|part| load(start.add(part)));
        let last = parts.map(|part| load(SECRET.as_ptr().add(SECRET.len() - STRIPE + part)));
        let prime = _mm512_set1_epi64(PRIME32[0] as i64);
        for block in blocks {
            for (number, stripe) in block.as_chunks::<STRIPE>().0.iter().enumerate() {
                for (sum, part) in sums.iter_mut().zip(parts) {
                    let value = load(stripe.as_ptr().add(part));
                    let key = _mm512_xor_si512(value, load(SECRET.as_ptr().add(8 * number + part)));
                    let product = _mm512_mul_epu32(key, _mm512_srli_epi64::<32>(key));
                    // The neighbour's value.
                    let other = _mm512_shuffle_epi32::<0b01_00_11_10>(value);
                    *sum = _mm512_add_epi64(*sum, _mm512_add_epi64(product, other));
                }
            }
            for (sum, last) in sums.iter_mut().zip(last) {
                let mixed = _mm512_xor_si512(*sum, _mm512_srli_epi64::<47>(*sum));
                let mixed = _mm512_xor_si512(mixed, last);
                let low = _mm512_mul_epu32(mixed, prime);
                let high = _mm512_mul_epu32(_mm512_srli_epi64::<32>(mixed), prime);
                *sum = _mm512_add_epi64(low, _mm512_slli_epi64::<32>(high));
            }
        }
        for (sum, part) in sums.iter().zip(parts) {
            _mm512_storeu_si512(lanes.as_mut_ptr().cast::<u8>().add(part).cast(), *sum);
        }
    }
}
