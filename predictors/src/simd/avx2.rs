//! AVX2 twins of the kernels.

use std::arch::x86_64::*;

use super::scalar::WEIGHT_LIMIT;
use super::{Contexts, Job, Kernels, LANES, check_contexts, check_vectors};
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
        unsafe { context_inputs(tables, contexts, node, stretched, distance) }
    }

    #[inline(always)]
    fn context_update(tables: &Tables, contexts: &mut Contexts<'_>, node: usize, bit: u32, limit: u32) {
        unsafe { context_update(tables, contexts, node, bit, limit) }
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
    let (least, most) = (_mm256_set1_epi32(-WEIGHT_LIMIT), _mm256_set1_epi32(WEIGHT_LIMIT));
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
                let new = _mm256_add_epi32(_mm256_loadu_si256(place.cast()), _mm256_srai_epi32::<4>(step));
                let new = _mm256_min_epi32(_mm256_max_epi32(new, least), most);
                _mm256_storeu_si256(place.cast(), new);
            }
            i += 8;
        }
    }
}

/// Lane numbers `start..start + 8`, and a mask of those below `count`.
#[inline]
#[target_feature(enable = "avx2")]
fn lanes(start: usize, count: usize) -> (__m256i, __m256i) {
    let lanes = _mm256_add_epi32(
        _mm256_set1_epi32(start as i32),
        _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7),
    );
    (lanes, _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), lanes))
}

#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn context_inputs(
    tables: &Tables,
    contexts: &mut Contexts<'_>,
    node: usize,
    stretched: &mut [i32],
    distance: &mut [i32],
) -> usize {
    check_contexts(contexts, node);
    let n = contexts.count;
    let with_distance = !distance.is_empty();
    let whole = stretched.len().is_multiple_of(LANES);
    assert!(whole && stretched.len() >= n && (!with_distance || distance.len() >= n));
    let zero = _mm256_setzero_si256();
    let mut seen = 0;
    for start in (0..n).step_by(8) {
        let (lane, mask) = lanes(start, n);
        let place = _mm256_add_epi32(_mm256_slli_epi32::<4>(lane), _mm256_set1_epi32(node as i32));
        // Safety: masked lanes are below `n`, whose bytes, counters and inputs `check_contexts` saw; a gather
        // of 4 bytes at a node reads at most 3 bytes past it, within the slack.
        unsafe {
            let bytes = _mm256_mask_i32gather_epi32::<1>(zero, contexts.nodes.as_ptr().cast(), place, mask);
            let state = _mm256_and_si256(bytes, _mm256_set1_epi32(255));
            let at = _mm256_add_epi32(_mm256_slli_epi32::<8>(lane), state);
            let entry = _mm256_mask_i32gather_epi32::<4>(zero, contexts.maps.as_ptr().cast(), at, mask);
            let stretch = _mm256_mask_i32gather_epi32::<4>(
                zero,
                tables.stretch.as_ptr(),
                _mm256_srli_epi32::<20>(entry),
                mask,
            );
            let used = _mm256_andnot_si256(_mm256_cmpeq_epi32(state, zero), mask);
            seen += (_mm256_movemask_ps(_mm256_castsi256_ps(used)) as u32).count_ones();
            let apart = _mm256_srai_epi32::<3>(_mm256_sub_epi32(
                _mm256_srli_epi32::<16>(entry),
                _mm256_set1_epi32(32768),
            ));
            _mm256_maskstore_epi32(contexts.counters.as_mut_ptr().add(start).cast(), mask, entry);
            let stretch = _mm256_and_si256(stretch, used);
            // A whole vector is stored, since a masked store would stall the load that follows.
            let place: *mut __m256i = stretched.as_mut_ptr().add(start).cast();
            let stretch = _mm256_blendv_epi8(_mm256_loadu_si256(place), stretch, mask);
            _mm256_storeu_si256(place, stretch);
            if with_distance {
                let apart = _mm256_and_si256(apart, used);
                _mm256_maskstore_epi32(distance.as_mut_ptr().add(start), mask, apart);
            }
        }
    }
    seen as usize
}

#[inline]
#[target_feature(enable = "avx2")]
fn context_update(tables: &Tables, contexts: &mut Contexts<'_>, node: usize, bit: u32, limit: u32) {
    check_contexts(contexts, node);
    let n = contexts.count;
    let zero = _mm256_setzero_si256();
    let target = _mm256_set1_epi32((bit << 22) as i32 - bit as i32);
    let mut fresh = [0_u32; 8];
    for start in (0..n).step_by(8) {
        let (_, mask) = lanes(start, n);
        // Safety: masked lanes are below `n`; a count of 10 bits indexes 1,024 reciprocals.
        unsafe {
            let entry = _mm256_maskload_epi32(contexts.counters.as_ptr().add(start).cast(), mask);
            let count = _mm256_and_si256(entry, _mm256_set1_epi32(1023));
            let share = _mm256_mask_i32gather_epi32::<4>(zero, tables.reciprocal.as_ptr(), count, mask);
            let p = _mm256_srli_epi32::<10>(entry);
            let step = _mm256_mullo_epi32(_mm256_srai_epi32::<4>(_mm256_sub_epi32(target, p)), share);
            let p = _mm256_add_epi32(p, _mm256_srai_epi32::<8>(step));
            let more = _mm256_cmpgt_epi32(_mm256_set1_epi32(limit as i32), count);
            let count = _mm256_sub_epi32(count, more);
            let new = _mm256_or_si256(_mm256_slli_epi32::<10>(p), count);
            _mm256_storeu_si256(fresh.as_mut_ptr().cast(), new);
        }
        for (i, &new) in (start..n.min(start + 8)).zip(&fresh) {
            // Safety: `i` is below `n`, whose bytes and counters `check_contexts` saw.
            unsafe {
                let state = contexts.nodes.get_unchecked_mut(i * 16 + node);
                *contexts.maps.get_unchecked_mut(i * 256 + usize::from(*state)) = new;
                *state = tables.next(*state, bit);
            }
        }
    }
}
