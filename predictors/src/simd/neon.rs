//! NEON twins of the kernels.

use std::arch::aarch64::*;

use super::group::{GROUP, Group};
use super::scalar::WEIGHT_LIMIT;
use super::{ESTIMATE_LANES, ESTIMATES, Job, Kernels, Level, check_estimates, check_vectors};
use crate::cm::tables::{STRETCH_MAX, Tables};

pub fn enter<J: Job>(job: J) -> J::Output {
    #[target_feature(enable = "neon")]
    fn inner<J: Job>(job: J) -> J::Output {
        job.run::<Neon>()
    }
    assert!(Level::Neon.detected());
    // Safety: the feature was detected.
    unsafe { inner(job) }
}

/// Only named by code that [`enter`] runs.
#[derive(Debug, Clone, Copy)]
pub struct Neon;

// Safety of every call below: `Neon` is reached through `enter` alone, which checks the feature.
impl Kernels for Neon {
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
        unsafe { context_inputs(tables, groups, node, inputs, distance) }
    }

    #[inline(always)]
    fn update_counters(_: &Tables, counters: &mut [u32; GROUP], bit: u32, limit: u32) {
        unsafe { update_counters(counters, bit, limit) }
    }

    #[inline(always)]
    fn context_update(tables: &Tables, groups: &mut [Group], node: usize, bit: u32, limit: u32) {
        unsafe { context_update(tables, groups, node, bit, limit) }
    }
}

/// The lower halves of eight values.
///
/// # Safety
/// Eight values must follow `from`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn lower(from: *const i32) -> int16x8_t {
    // Safety: by the caller.
    let [a, b] = unsafe { [from, from.add(4)].map(|four| vreinterpretq_s16_s32(vld1q_s32(four))) };
    vuzp1q_s16(a, b)
}

/// The upper halves of eight values.
///
/// # Safety
/// Eight values must follow `from`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn upper(from: *const i32) -> int16x8_t {
    // Safety: by the caller.
    let [a, b] = unsafe { [from, from.add(4)].map(|four| vreinterpretq_s16_s32(vld1q_s32(four))) };
    vuzp2q_s16(a, b)
}

/// Stretch values of sums of products.
#[inline]
#[target_feature(enable = "neon")]
fn stretch_of(sums: int32x4_t) -> int32x4_t {
    let (least, most) = (vdupq_n_s32(-STRETCH_MAX), vdupq_n_s32(STRETCH_MAX));
    vminq_s32(vmaxq_s32(vshrq_n_s32::<5>(sums), least), most)
}

/// Weights moved by an eighth of `step`.
#[inline]
#[target_feature(enable = "neon")]
fn trained(weights: int32x4_t, step: int32x4_t) -> int32x4_t {
    let (least, most) = (vdupq_n_s32(-WEIGHT_LIMIT), vdupq_n_s32(WEIGHT_LIMIT));
    vminq_s32(vmaxq_s32(vsraq_n_s32::<3>(weights, step), least), most)
}

#[inline]
#[target_feature(enable = "neon")]
fn dot<const S: usize>(
    inputs: &[i32],
    weights: &[i32],
    starts: &[usize; S],
    estimates: &mut [i32; ESTIMATES],
) {
    const { assert!(S <= ESTIMATES) };
    check_vectors(inputs, weights, starts);
    let zero = vdupq_n_s32(0);
    let mut sums = [zero; S];
    let mut i = 0;
    while i < inputs.len() {
        // Safety: `check_vectors` saw that this many values follow.
        let x = unsafe { lower(inputs.as_ptr().add(i)) };
        for (sum, &start) in sums.iter_mut().zip(starts) {
            // Safety: as above.
            let w = unsafe { upper(weights.as_ptr().add(start + i)) };
            let low = vmull_s16(vget_low_s16(x), vget_low_s16(w));
            let high = vmull_high_s16(x, w);
            *sum = vsraq_n_s32::<9>(vsraq_n_s32::<9>(*sum, low), high);
        }
        i += 8;
    }
    for start in (0..S).step_by(4) {
        let sum = |k: usize| sums.get(start + k).copied().unwrap_or(zero);
        let pairs = vpaddq_s32(sum(0), sum(1));
        let others = vpaddq_s32(sum(2), sum(3));
        let four = stretch_of(vpaddq_s32(pairs, others));
        // Safety: `start` is below `S` and a multiple of four, so four values follow.
        unsafe { vst1q_s32(estimates.as_mut_ptr().add(start), four) };
    }
}

#[inline]
#[target_feature(enable = "neon")]
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
    let errors = errors.map(|error| error as i16);
    let mut i = 0;
    while i < inputs.len() {
        // Safety: `check_vectors` saw that this many values follow.
        let x = unsafe { lower(inputs.as_ptr().add(i)) };
        for (&start, &error) in starts.iter().zip(&errors) {
            let low = vmull_n_s16(vget_low_s16(x), error);
            let high = vmull_high_n_s16(x, error);
            // Safety: as above.
            unsafe {
                let place = weights.as_mut_ptr().add(start + i);
                vst1q_s32(place, trained(vld1q_s32(place), low));
                let place = place.add(4);
                vst1q_s32(place, trained(vld1q_s32(place), high));
            }
        }
        i += 8;
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn blend(
    estimates: &[i32; ESTIMATES],
    lanes: usize,
    weights: &[i32],
    starts: &[usize; 2],
) -> [i32; 2] {
    check_estimates(lanes, weights, starts);
    let mut sums = [vdupq_n_s32(0); 2];
    let mut i = 0;
    while i < lanes {
        // Safety: `check_estimates` saw that this many values follow.
        let x = vmovn_s32(unsafe { vld1q_s32(estimates.as_ptr().add(i)) });
        for (sum, &start) in sums.iter_mut().zip(starts) {
            // Safety: as above.
            let w = unsafe { vld1q_s32(weights.as_ptr().add(start + i)) };
            *sum = vsraq_n_s32::<9>(*sum, vmull_s16(x, vshrn_n_s32::<16>(w)));
        }
        i += ESTIMATE_LANES;
    }
    let pairs = vpaddq_s32(sums[0], sums[1]);
    let both = stretch_of(vpaddq_s32(pairs, pairs));
    [vgetq_lane_s32::<0>(both), vgetq_lane_s32::<1>(both)]
}

#[inline]
#[target_feature(enable = "neon")]
fn train_blend(
    estimates: &[i32; ESTIMATES],
    lanes: usize,
    weights: &mut [i32],
    starts: &[usize; 2],
    errors: &[i32; 2],
) {
    check_estimates(lanes, weights, starts);
    let mut i = 0;
    while i < lanes {
        // Safety: `check_estimates` saw that this many values follow.
        let x = vmovn_s32(unsafe { vld1q_s32(estimates.as_ptr().add(i)) });
        for (&start, &error) in starts.iter().zip(errors) {
            let step = vmull_n_s16(x, error as i16);
            // Safety: as above.
            unsafe {
                let place = weights.as_mut_ptr().add(start + i);
                vst1q_s32(place, trained(vld1q_s32(place), step));
            }
        }
        i += ESTIMATE_LANES;
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn context_inputs(
    tables: &Tables,
    groups: &mut [Group],
    node: usize,
    inputs: &mut [i32],
    distance: &mut [i32],
) -> usize {
    // All ones for an empty history, summed over the groups.
    let mut empties = vdupq_n_s32(0);
    let mut lanes = 0;
    let mut distance = distance.as_chunks_mut::<GROUP>().0.iter_mut();
    for (group, out) in groups.iter_mut().zip(inputs.as_chunks_mut::<GROUP>().0) {
        let stretched = group.look_up(tables, node);
        lanes += GROUP;
        let mut distance = distance.next();
        for half in [0, 4] {
            // Safety: every pointer is that of four values from `half` on, of eight.
            unsafe {
                let new = vld1q_s32(stretched.as_ptr().add(half));
                let empty = vceqzq_s32(new);
                empties = vaddq_s32(empties, vreinterpretq_s32_u32(empty));
                // Inputs behind the contexts are of others.
                let own = vreinterpretq_u32_s32(vld1q_s32(group.own.as_ptr().add(half)));
                let place = out.as_mut_ptr().add(half);
                vst1q_s32(place, vbslq_s32(own, new, vld1q_s32(place)));
                if let Some(distance) = &mut distance {
                    let p16 = vshrq_n_u32::<16>(vld1q_u32(group.counters.as_ptr().add(half)));
                    let from_half = vsubq_s32(vreinterpretq_s32_u32(p16), vdupq_n_s32(32768));
                    let far = vbicq_s32(vshrq_n_s32::<3>(from_half), vreinterpretq_s32_u32(empty));
                    vst1q_s32(distance.as_mut_ptr().add(half), far);
                }
            }
        }
    }
    lanes - vaddvq_s32(empties).unsigned_abs() as usize
}

/// `tables.reciprocal` of counts up to 1023. The divisor `d` is odd and not 1, so that the quotient is at
/// least `1 / d` from any integer; rounding moves it by less than `2^-10 / d`, in whatever mode
/// the caller's process has, and cutting off the fraction gives the exact quotient.
#[inline]
#[target_feature(enable = "neon")]
fn shares(counts: uint32x4_t) -> int32x4_t {
    let divisor = vcvtq_f32_u32(vaddq_u32(vaddq_u32(counts, counts), vdupq_n_u32(3)));
    vcvtq_s32_f32(vdivq_f32(vdupq_n_f32(8192.0), divisor))
}

/// Moves eight counters towards `bit`.
#[inline]
#[target_feature(enable = "neon")]
fn update_counters(counters: &mut [u32; GROUP], bit: u32, limit: u32) {
    let target = vdupq_n_s32((bit << 22) as i32 - bit as i32);
    let limit = vdupq_n_u32(limit);
    for counters in counters.as_chunks_mut::<4>().0 {
        // Safety: an array of four values.
        let entry = unsafe { vld1q_u32(counters.as_ptr()) };
        let count = vandq_u32(entry, vdupq_n_u32(1023));
        let p = vreinterpretq_s32_u32(vshrq_n_u32::<10>(entry));
        let error = vshrq_n_s32::<4>(vsubq_s32(target, p));
        let p = vsraq_n_s32::<8>(p, vmulq_s32(error, shares(count)));
        let count = vsubq_u32(count, vcltq_u32(count, limit));
        let entry = vsliq_n_u32::<10>(count, vreinterpretq_u32_s32(p));
        // Safety: as above.
        unsafe { vst1q_u32(counters.as_mut_ptr(), entry) };
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn context_update(tables: &Tables, groups: &mut [Group], node: usize, bit: u32, limit: u32) {
    for group in groups {
        update_counters(&mut group.counters, bit, limit);
        group.write_back(tables, node, bit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_those_of_the_table() {
        #[target_feature(enable = "neon")]
        fn four(counts: [u32; 4]) -> [i32; 4] {
            let mut out = [0; 4];
            // Safety: both are arrays of four values.
            unsafe { vst1q_s32(out.as_mut_ptr(), shares(vld1q_u32(counts.as_ptr()))) };
            out
        }
        assert!(Level::Neon.detected());
        for start in (0..1024).step_by(4) {
            let counts = std::array::from_fn(|i| start + i as u32);
            // Safety: the feature was detected.
            let shares = unsafe { four(counts) };
            assert_eq!(shares, counts.map(|n| Tables::get().reciprocal[n as usize]));
        }
    }
}
