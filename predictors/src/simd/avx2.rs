//! AVX2 twins of the kernels.

use std::arch::x86_64::*;

use super::group::Group;
use super::scalar::WEIGHT_LIMIT;
use super::{Job, Kernels, Level, check_vectors, direct};
use crate::cm::tables::Tables;

pub fn enter<J: Job>(job: J) -> J::Output {
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn inner<J: Job>(job: J) -> J::Output {
        job.run::<Avx2>()
    }
    assert!(Level::Avx2.detected());
    // Safety: the features were detected.
    unsafe { inner(job) }
}

/// Only named by code that [`enter`] runs.
#[derive(Debug, Clone, Copy)]
pub struct Avx2;

// Safety of every call below: `Avx2` is reached through `enter` alone, which checks the features.
impl Kernels for Avx2 {
    #[inline(always)]
    fn dot<const S: usize>(inputs: &[i32], weights: &[i32], starts: &[usize; S]) -> [i32; S] {
        unsafe { dot(inputs, weights, starts) }
    }

    #[inline(always)]
    fn train<const S: usize>(
        inputs: &[i32],
        weights: &mut [i32],
        starts: &[usize; S],
        errors: &[i32; S],
    ) {
        unsafe { train(inputs, weights, starts, errors) }
    }

    #[inline(always)]
    fn context_inputs(
        tables: &Tables,
        groups: &mut [Group],
        node: usize,
        inputs: &mut [i32],
        distance: &mut [i32],
    ) -> usize {
        unsafe { direct::context_inputs(tables, groups, node, inputs, distance) }
    }

    #[inline(always)]
    fn context_update(tables: &Tables, groups: &mut [Group], node: usize, bit: u32, limit: u32) {
        unsafe { direct::context_update(tables, groups, node, bit, limit) }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn dot<const S: usize>(inputs: &[i32], weights: &[i32], starts: &[usize; S]) -> [i32; S] {
    check_vectors(inputs, weights, starts);
    let mut sums = [_mm256_setzero_si256(); S];
    let mut i = 0;
    while i < inputs.len() {
        // Safety: `check_vectors` saw that this many values follow.
        let x = unsafe { _mm256_loadu_si256(inputs.as_ptr().add(i).cast()) };
        for (sum, &start) in sums.iter_mut().zip(starts) {
            // Safety: as above.
            let w = unsafe { _mm256_loadu_si256(weights.as_ptr().add(start + i).cast()) };
            // The weight's upper half faces the input's lower half; the input's sign bits face zero.
            let products = _mm256_madd_epi16(x, _mm256_srli_epi32::<16>(w));
            *sum = _mm256_add_epi32(*sum, _mm256_srai_epi32::<9>(products));
        }
        i += 8;
    }
    totals(sums)
}

/// Sums of the lanes of each, wrapping.
#[inline]
#[target_feature(enable = "avx2")]
pub fn totals<const S: usize>(sums: [__m256i; S]) -> [i32; S] {
    let mut out = [0; S];
    for start in (0..S).step_by(4) {
        let sum = |k: usize| match sums.get(start + k) {
            Some(&sum) => sum,
            None => _mm256_setzero_si256(),
        };
        let pairs = _mm256_hadd_epi32(sum(0), sum(1));
        let others = _mm256_hadd_epi32(sum(2), sum(3));
        let four = _mm256_hadd_epi32(pairs, others);
        let (low, high) = (
            _mm256_castsi256_si128(four),
            _mm256_extracti128_si256::<1>(four),
        );
        let mut four = [0_i32; 4];
        // Safety: an array of four values.
        unsafe { _mm_storeu_si128(four.as_mut_ptr().cast(), _mm_add_epi32(low, high)) };
        let count = (S - start).min(4);
        out[start..start + count].copy_from_slice(&four[..count]);
    }
    out
}

#[inline]
#[target_feature(enable = "avx2")]
fn train<const S: usize>(
    inputs: &[i32],
    weights: &mut [i32],
    starts: &[usize; S],
    errors: &[i32; S],
) {
    check_vectors(inputs, weights, starts);
    if *errors == [0; S] {
        return;
    }
    let half = _mm256_set1_epi32(8);
    let (least, most) = (
        _mm256_set1_epi32(-WEIGHT_LIMIT),
        _mm256_set1_epi32(WEIGHT_LIMIT),
    );
    let errors = errors.map(|error| _mm256_set1_epi32(error));
    let mut i = 0;
    while i < inputs.len() {
        // Safety: `check_vectors` saw that this many values follow.
        let x = unsafe { _mm256_loadu_si256(inputs.as_ptr().add(i).cast()) };
        for (&start, &error) in starts.iter().zip(&errors) {
            // Safety: as above.
            unsafe {
                let place = weights.as_mut_ptr().add(start + i);
                let step = _mm256_add_epi32(_mm256_mullo_epi32(x, error), half);
                let new = _mm256_add_epi32(
                    _mm256_loadu_si256(place.cast()),
                    _mm256_srai_epi32::<4>(step),
                );
                let new = _mm256_min_epi32(_mm256_max_epi32(new, least), most);
                _mm256_storeu_si256(place.cast(), new);
            }
        }
        i += 8;
    }
}
