//! AVX-512 twins of the kernels.

use std::arch::x86_64::*;

use super::group::{GROUP, Group};
use super::scalar::WEIGHT_LIMIT;
use super::{ESTIMATES, Job, Kernels, Level, avx2, check_vectors, direct};
use crate::cm::tables::Tables;

pub fn enter<J: Job>(job: J) -> J::Output {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,bmi1,bmi2,popcnt")]
    fn inner<J: Job>(job: J) -> J::Output {
        job.run::<Avx512>()
    }
    assert!(Level::Avx512.detected());
    // Safety: the features were detected.
    unsafe { inner(job) }
}

/// Only named by code that [`enter`] runs.
#[derive(Debug, Clone, Copy)]
pub struct Avx512;

// Safety of every call below: `Avx512` is reached through `enter` alone, which checks the features.
impl Kernels for Avx512 {
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
        unsafe { avx2::blend(estimates, lanes, weights, starts) }
    }

    #[inline(always)]
    fn train_blend(
        estimates: &[i32; ESTIMATES],
        lanes: usize,
        weights: &mut [i32],
        starts: &[usize; 2],
        errors: &[i32; 2],
    ) {
        unsafe { avx2::train_blend(estimates, lanes, weights, starts, errors) }
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

/// Sixteen values, in two halves: a load wider than the stores just before it would wait for them.
///
/// # Safety
/// Sixteen values must follow `from`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn recent(from: *const i32) -> __m512i {
    // Safety: by the caller.
    let [low, high] = unsafe { [from, from.add(8)].map(|half| _mm256_loadu_si256(half.cast())) };
    _mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn dot<const S: usize>(
    inputs: &[i32],
    weights: &[i32],
    starts: &[usize; S],
    estimates: &mut [i32; ESTIMATES],
) {
    check_vectors(inputs, weights, starts);
    let mut sums = [_mm512_setzero_si512(); S];
    let mut i = 0;
    while i < inputs.len() {
        // Safety: `check_vectors` saw that this many values follow.
        let x = unsafe { recent(inputs.as_ptr().add(i)) };
        for (sum, &start) in sums.iter_mut().zip(starts) {
            // Safety: as above.
            let w = unsafe { _mm512_loadu_si512(weights.as_ptr().add(start + i).cast()) };
            // The weight's upper half faces the input's lower half; the input's sign bits face zero.
            let products = _mm512_madd_epi16(x, _mm512_srli_epi32::<16>(w));
            *sum = _mm512_add_epi32(*sum, _mm512_srai_epi32::<9>(products));
        }
        i += 16;
    }
    let halves = sums.map(|sum| {
        let high = _mm512_extracti64x4_epi64::<1>(sum);
        _mm256_add_epi32(_mm512_castsi512_si256(sum), high)
    });
    avx2::totals(halves, estimates);
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
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
        _mm512_set1_epi32(-WEIGHT_LIMIT),
        _mm512_set1_epi32(WEIGHT_LIMIT),
    );
    // The error faces the input's lower half, zero its sign bits.
    let errors = errors.map(|error| _mm512_set1_epi32(error & 0xffff));
    let mut i = 0;
    while i < inputs.len() {
        // Safety: `check_vectors` saw that this many values follow.
        let x = unsafe { _mm512_loadu_si512(inputs.as_ptr().add(i).cast()) };
        for (&start, &error) in starts.iter().zip(&errors) {
            // Safety: as above.
            unsafe {
                let place = weights.as_mut_ptr().add(start + i);
                let step = _mm512_madd_epi16(x, error);
                let new = _mm512_add_epi32(
                    _mm512_loadu_si512(place.cast()),
                    _mm512_srai_epi32::<3>(step),
                );
                let new = _mm512_min_epi32(_mm512_max_epi32(new, least), most);
                _mm512_storeu_si512(place.cast(), new);
            }
        }
        i += 16;
    }
}
