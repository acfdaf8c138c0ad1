//! AVX2 twins of the kernels.

use std::arch::x86_64::*;

use super::group::{GROUP, Group};
use super::scalar::WEIGHT_LIMIT;
use super::{
    ESTIMATE_LANES, ESTIMATES, Job, Kernels, Level, check_estimates, check_vectors, direct,
};
use crate::cm::tables::{STRETCH_MAX, Tables};

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
    fn dot<const S: usize>(
        inputs: &[i32],
        weights: &[i32],
        starts: &[usize; S],
        estimates: &mut [i32; ESTIMATES],
    ) {
        unsafe { dot(inputs, weights, starts, estimates) }
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
    fn blend(
        estimates: &[i32; ESTIMATES],
        lanes: usize,
        weights: &[i32],
        starts: &[usize; 2],
    ) -> [i32; 2] {
        unsafe { blend(estimates, lanes, weights, starts) }
    }

    #[inline(always)]
    fn train_blend(
        estimates: &[i32; ESTIMATES],
        lanes: usize,
        weights: &mut [i32],
        starts: &[usize; 2],
        errors: &[i32; 2],
    ) {
        unsafe { train_blend(estimates, lanes, weights, starts, errors) }
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
    fn update_counters(_: &Tables, counters: &mut [u32; GROUP], bit: u32, limit: u32) {
        unsafe { direct::update_counters(counters, bit, limit) }
    }

    #[inline(always)]
    fn context_update(tables: &Tables, groups: &mut [Group], node: usize, bit: u32, limit: u32) {
        unsafe { direct::context_update(tables, groups, node, bit, limit) }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn dot<const S: usize>(
    inputs: &[i32],
    weights: &[i32],
    starts: &[usize; S],
    estimates: &mut [i32; ESTIMATES],
) {
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
    totals(sums, estimates);
}

/// Stretch values of sums of products.
#[inline]
#[target_feature(enable = "avx2")]
fn stretch_of(sums: __m128i) -> __m128i {
    let (least, most) = (_mm_set1_epi32(-STRETCH_MAX), _mm_set1_epi32(STRETCH_MAX));
    _mm_min_epi32(_mm_max_epi32(_mm_srai_epi32::<5>(sums), least), most)
}

/// Sums of the lanes of each, wrapping, as stretch values.
#[inline]
#[target_feature(enable = "avx2")]
pub fn totals<const S: usize>(sums: [__m256i; S], estimates: &mut [i32; ESTIMATES]) {
    const { assert!(S <= ESTIMATES) };
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
        let four = stretch_of(_mm_add_epi32(low, high));
        // Safety: `start` is below `S` and a multiple of four, so four values follow.
        unsafe { _mm_storeu_si128(estimates.as_mut_ptr().add(start).cast(), four) };
    }
}

#[inline]
#[target_feature(enable = "avx2")]
pub fn blend(
    estimates: &[i32; ESTIMATES],
    lanes: usize,
    weights: &[i32],
    starts: &[usize; 2],
) -> [i32; 2] {
    check_estimates(lanes, weights, starts);
    let mut sums = [_mm_setzero_si128(); 2];
    let mut i = 0;
    while i < lanes {
        // Safety: `check_estimates` saw that this many values follow.
        let x = unsafe { _mm_loadu_si128(estimates.as_ptr().add(i).cast()) };
        for (sum, &start) in sums.iter_mut().zip(starts) {
            // Safety: as above.
            let w = unsafe { _mm_loadu_si128(weights.as_ptr().add(start + i).cast()) };
            let products = _mm_madd_epi16(x, _mm_srli_epi32::<16>(w));
            *sum = _mm_add_epi32(*sum, _mm_srai_epi32::<9>(products));
        }
        i += ESTIMATE_LANES;
    }
    let pairs = _mm_hadd_epi32(sums[0], sums[1]);
    let both = stretch_of(_mm_hadd_epi32(pairs, pairs));
    [_mm_cvtsi128_si32(both), _mm_extract_epi32::<1>(both)]
}

#[inline]
#[target_feature(enable = "avx2")]
pub fn train_blend(
    estimates: &[i32; ESTIMATES],
    lanes: usize,
    weights: &mut [i32],
    starts: &[usize; 2],
    errors: &[i32; 2],
) {
    check_estimates(lanes, weights, starts);
    let (least, most) = (_mm_set1_epi32(-WEIGHT_LIMIT), _mm_set1_epi32(WEIGHT_LIMIT));
    let mut i = 0;
    while i < lanes {
        // Safety: `check_estimates` saw that this many values follow.
        let x = unsafe { _mm_loadu_si128(estimates.as_ptr().add(i).cast()) };
        for (&start, &error) in starts.iter().zip(errors) {
            // Safety: as above.
            unsafe {
                let place = weights.as_mut_ptr().add(start + i);
                let step = _mm_madd_epi16(x, _mm_set1_epi32(error & 0xffff));
                let old = _mm_loadu_si128(place.cast());
                let new = _mm_add_epi32(old, _mm_srai_epi32::<3>(step));
                let new = _mm_min_epi32(_mm_max_epi32(new, least), most);
                _mm_storeu_si128(place.cast(), new);
            }
        }
        i += ESTIMATE_LANES;
    }
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
    let (least, most) = (
        _mm256_set1_epi32(-WEIGHT_LIMIT),
        _mm256_set1_epi32(WEIGHT_LIMIT),
    );
    // The error faces the input's lower half, zero its sign bits.
    let errors = errors.map(|error| _mm256_set1_epi32(error & 0xffff));
    let mut i = 0;
    while i < inputs.len() {
        // Safety: `check_vectors` saw that this many values follow.
        let x = unsafe { _mm256_loadu_si256(inputs.as_ptr().add(i).cast()) };
        for (&start, &error) in starts.iter().zip(&errors) {
            // Safety: as above.
            unsafe {
                let place = weights.as_mut_ptr().add(start + i);
                let step = _mm256_madd_epi16(x, error);
                let new = _mm256_add_epi32(
                    _mm256_loadu_si256(place.cast()),
                    _mm256_srai_epi32::<3>(step),
                );
                let new = _mm256_min_epi32(_mm256_max_epi32(new, least), most);
                _mm256_storeu_si256(place.cast(), new);
            }
        }
        i += 8;
    }
}
