//! AVX-512 twins of the kernels.

use std::arch::x86_64::*;

use super::scalar::WEIGHT_LIMIT;
use super::{Contexts, Job, Kernels, LANES, check_contexts, check_vectors};
use crate::cm::tables::Tables;

pub fn detected() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("popcnt")
}

pub fn enter<J: Job>(job: J) -> J::Output {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx2,bmi1,bmi2,popcnt")]
    fn inner<J: Job>(job: J) -> J::Output {
        job.run::<Avx512>()
    }
    assert!(detected());
    // Safety: the features were detected.
    unsafe { inner(job) }
}

/// Only named by code that [`enter`] runs.
#[derive(Debug, Clone, Copy)]
pub struct Avx512;

// Safety of every call below: `Avx512` is reached through `enter` alone, which checks the features.
impl Kernels for Avx512 {
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
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn dot(inputs: &[i32], weights: &[i32], starts: &[usize], sums: &mut [i32]) {
    check_vectors(inputs, weights, starts);
    for (&start, out) in starts.iter().zip(sums) {
        let mut sum = _mm512_setzero_si512();
        let mut i = 0;
        while i < inputs.len() {
            // Safety: `check_vectors` saw that this many values follow.
            let (x, w) = unsafe {
                (
                    _mm512_loadu_si512(inputs.as_ptr().add(i).cast()),
                    _mm512_loadu_si512(weights.as_ptr().add(start + i).cast()),
                )
            };
            // The weight's upper half faces the input's lower half; the input's sign bits face zero.
            let products = _mm512_madd_epi16(x, _mm512_srli_epi32::<16>(w));
            sum = _mm512_add_epi32(sum, _mm512_srai_epi32::<9>(products));
            i += 16;
        }
        *out = _mm512_reduce_add_epi32(sum);
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn train(inputs: &[i32], weights: &mut [i32], starts: &[usize], errors: &[i32]) {
    check_vectors(inputs, weights, starts);
    let half = _mm512_set1_epi32(8);
    let (least, most) = (_mm512_set1_epi32(-WEIGHT_LIMIT), _mm512_set1_epi32(WEIGHT_LIMIT));
    for (&start, &error) in starts.iter().zip(errors) {
        if error == 0 {
            continue;
        }
        let error = _mm512_set1_epi32(error);
        let mut i = 0;
        while i < inputs.len() {
            // Safety: `check_vectors` saw that this many values follow.
            unsafe {
                let place = weights.as_mut_ptr().add(start + i);
                let x = _mm512_loadu_si512(inputs.as_ptr().add(i).cast());
                let step = _mm512_add_epi32(_mm512_mullo_epi32(x, error), half);
                let new = _mm512_add_epi32(_mm512_loadu_si512(place.cast()), _mm512_srai_epi32::<4>(step));
                let new = _mm512_min_epi32(_mm512_max_epi32(new, least), most);
                _mm512_storeu_si512(place.cast(), new);
            }
            i += 16;
        }
    }
}

/// Lane numbers `start..start + 16`, and a mask of those below `count`.
#[inline]
#[target_feature(enable = "avx512f")]
fn lanes(start: usize, count: usize) -> (__m512i, __mmask16) {
    let lanes = _mm512_add_epi32(
        _mm512_set1_epi32(start as i32),
        _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
    );
    (lanes, _mm512_cmplt_epi32_mask(lanes, _mm512_set1_epi32(count as i32)))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,popcnt")]
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
    let zero = _mm512_setzero_si512();
    let mut seen = 0;
    for start in (0..n).step_by(16) {
        let (lane, mask) = lanes(start, n);
        let place = _mm512_add_epi32(_mm512_slli_epi32::<4>(lane), _mm512_set1_epi32(node as i32));
        // Safety: masked lanes are below `n`, whose bytes, counters and inputs `check_contexts` saw; a gather
        // of 4 bytes at a node reads at most 3 bytes past it, within the slack.
        unsafe {
            let bytes = _mm512_mask_i32gather_epi32::<1>(zero, mask, place, contexts.nodes.as_ptr().cast());
            let state = _mm512_and_si512(bytes, _mm512_set1_epi32(255));
            let at = _mm512_add_epi32(_mm512_slli_epi32::<8>(lane), state);
            let entry = _mm512_mask_i32gather_epi32::<4>(zero, mask, at, contexts.maps.as_ptr().cast());
            let used = _mm512_mask_test_epi32_mask(mask, state, state);
            let stretch = _mm512_mask_i32gather_epi32::<4>(
                zero,
                used,
                _mm512_srli_epi32::<20>(entry),
                tables.stretch.as_ptr().cast(),
            );
            seen += u32::from(used).count_ones();
            let apart = _mm512_sub_epi32(_mm512_srli_epi32::<16>(entry), _mm512_set1_epi32(32768));
            let apart = _mm512_maskz_srai_epi32::<3>(used, apart);
            _mm512_mask_storeu_epi32(contexts.counters.as_mut_ptr().add(start).cast(), mask, entry);
            // A whole vector is stored, since a masked store would stall the load that follows.
            let place: *mut __m512i = stretched.as_mut_ptr().add(start).cast();
            _mm512_storeu_si512(place, _mm512_mask_mov_epi32(_mm512_loadu_si512(place), mask, stretch));
            if with_distance {
                _mm512_mask_storeu_epi32(distance.as_mut_ptr().add(start), mask, apart);
            }
        }
    }
    seen as usize
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn context_update(tables: &Tables, contexts: &mut Contexts<'_>, node: usize, bit: u32, limit: u32) {
    check_contexts(contexts, node);
    let n = contexts.count;
    let zero = _mm512_setzero_si512();
    let target = _mm512_set1_epi32((bit << 22) as i32 - bit as i32);
    let mut fresh = [0_u32; 16];
    for start in (0..n).step_by(16) {
        let (_, mask) = lanes(start, n);
        // Safety: masked lanes are below `n`; a count of 10 bits indexes 1,024 reciprocals.
        unsafe {
            let entry = _mm512_maskz_loadu_epi32(mask, contexts.counters.as_ptr().add(start).cast());
            let count = _mm512_and_si512(entry, _mm512_set1_epi32(1023));
            let share =
                _mm512_mask_i32gather_epi32::<4>(zero, mask, count, tables.reciprocal.as_ptr().cast());
            let p = _mm512_srli_epi32::<10>(entry);
            let step = _mm512_mullo_epi32(_mm512_srai_epi32::<4>(_mm512_sub_epi32(target, p)), share);
            let p = _mm512_add_epi32(p, _mm512_srai_epi32::<8>(step));
            let below = _mm512_cmplt_epi32_mask(count, _mm512_set1_epi32(limit as i32));
            let count = _mm512_mask_add_epi32(count, below, count, _mm512_set1_epi32(1));
            let new = _mm512_or_si512(_mm512_slli_epi32::<10>(p), count);
            _mm512_storeu_si512(fresh.as_mut_ptr().cast(), new);
        }
        for (i, &new) in (start..n.min(start + 16)).zip(&fresh) {
            // Safety: `i` is below `n`, whose bytes and counters `check_contexts` saw.
            unsafe {
                let state = contexts.nodes.get_unchecked_mut(i * 16 + node);
                *contexts.maps.get_unchecked_mut(i * 256 + usize::from(*state)) = new;
                *state = tables.next(*state, bit);
            }
        }
    }
}
