//! AVX2 twins of the kernels.

use std::arch::x86_64::*;

use super::scalar::WEIGHT_LIMIT;
use super::{Contexts, Job, Kernels, check_vectors, direct};
use crate::cm::tables::Tables;

pub fn detected() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("popcnt")
}

pub fn enter<J: Job>(job: J) -> J::Output {
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn inner<J: Job>(job: J) -> J::Output {
        job.run::<Avx2>()
    }
    assert!(detected());
    // Safety: the features were detected.
    unsafe { inner(job) }
}

/// Only named by code that [`enter`] runs.
#[derive(Debug, Clone, Copy)]
pub struct Avx2;

// Safety of every call below: `Avx2` is reached through `enter` alone, which checks the features.
impl Kernels for Avx2 {
    #[inline(always)]
    fn dot(inputs: &[i32], weights: &[i32], starts: &[usize], sums: &mut [i32]) {
        unsafe { dot(inputs, weights, starts, sums) }
    }

    #[inline(always)]
    fn train(inputs: &[i32], weights: &mut [i32], starts: &[usize], errors: &[i32]) {
        unsafe { train(inputs, weights, starts, errors) }
    }

    #[inline(always)]
    fn context_inputs(
        tables: &Tables,
        contexts: &mut Contexts<'_>,
        node: usize,
        stretched: &mut [i32],
        distance: &mut [i32],
    ) -> usize {
        direct::context_inputs(tables, contexts, node, stretched, distance)
    }

    #[inline(always)]
    fn context_update(
        tables: &Tables,
        contexts: &mut Contexts<'_>,
        node: usize,
        bit: u32,
        limit: u32,
    ) {
        direct::context_update(tables, contexts, node, bit, limit)
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn dot(inputs: &[i32], weights: &[i32], starts: &[usize], sums: &mut [i32]) {
    check_vectors(inputs, weights, starts);
    for (&start, out) in starts.iter().zip(sums) {
        let mut sum = _mm256_setzero_si256();
        let mut i = 0;
        while i < inputs.len() {
            // Safety: `check_vectors` saw that this many values follow.
            let (x, w) = unsafe {
                (
                    _mm256_loadu_si256(inputs.as_ptr().add(i).cast()),
                    _mm256_loadu_si256(weights.as_ptr().add(start + i).cast()),
                )
            };
            // The weight's upper half faces the input's lower half; the input's sign bits face zero.
            let products = _mm256_madd_epi16(x, _mm256_srli_epi32::<16>(w));
            sum = _mm256_add_epi32(sum, _mm256_srai_epi32::<9>(products));
            i += 8;
        }
        let sum = _mm_add_epi32(
            _mm256_castsi256_si128(sum),
            _mm256_extracti128_si256::<1>(sum),
        );
        let sum = _mm_add_epi32(sum, _mm_shuffle_epi32::<0b01_00_11_10>(sum));
        let sum = _mm_add_epi32(sum, _mm_shuffle_epi32::<0b10_11_00_01>(sum));
        *out = _mm_cvtsi128_si32(sum);
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn train(inputs: &[i32], weights: &mut [i32], starts: &[usize], errors: &[i32]) {
    check_vectors(inputs, weights, starts);
    let half = _mm256_set1_epi32(8);
    let (least, most) = (
        _mm256_set1_epi32(-WEIGHT_LIMIT),
        _mm256_set1_epi32(WEIGHT_LIMIT),
    );
    for (&start, &error) in starts.iter().zip(errors) {
        if error == 0 {
            continue;
        }
        let error = _mm256_set1_epi32(error);
        let mut i = 0;
        while i < inputs.len() {
            // Safety: `check_vectors` saw that this many values follow.
            unsafe {
                let place = weights.as_mut_ptr().add(start + i);
                let x = _mm256_loadu_si256(inputs.as_ptr().add(i).cast());
                let step = _mm256_add_epi32(_mm256_mullo_epi32(x, error), half);
                let new = _mm256_add_epi32(
                    _mm256_loadu_si256(place.cast()),
                    _mm256_srai_epi32::<4>(step),
                );
                let new = _mm256_min_epi32(_mm256_max_epi32(new, least), most);
                _mm256_storeu_si256(place.cast(), new);
            }
            i += 8;
        }
    }
}
