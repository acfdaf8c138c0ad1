//! Context kernels for x86-64: look-ups one by one, arithmetic on a whole group.
//!
//! Gathers would take some 30 cycles each here.

use std::arch::x86_64::*;

use super::group::{GROUP, Group};
use crate::cm::tables::Tables;

/// Takes up the history and the counter of a context, and the stretched probability: zero for an
/// empty history, and for no other, as the table has no zero.
#[inline(always)]
fn look_up(
    tables: &Tables,
    group: &mut Group,
    node: usize,
    i: usize,
    stretched: &mut [i32; GROUP],
) {
    let state = group.nodes[i][node & 15];
    let entry = group.maps[i][usize::from(state)];
    group.states[i] = state;
    group.counters[i] = entry;
    let stretch = tables.stretch(entry >> 20);
    stretched[i] = if state == 0 { 0 } else { stretch };
}

/// Writes the counter of a context back and moves its bit history on.
#[inline(always)]
fn write_back(tables: &Tables, group: &mut Group, node: usize, i: usize, bit: u32) {
    let state = group.states[i];
    group.maps[i][usize::from(state)] = group.counters[i];
    group.nodes[i][node & 15] = tables.next(state, bit);
}

#[inline]
#[target_feature(enable = "avx2,popcnt")]
pub fn context_inputs(
    tables: &Tables,
    groups: &mut [Group],
    node: usize,
    inputs: &mut [i32],
    distance: &mut [i32],
) -> usize {
    let mut seen = 0;
    let mut distance = distance.as_chunks_mut::<GROUP>().0.iter_mut();
    for (group, out) in groups.iter_mut().zip(inputs.as_chunks_mut::<GROUP>().0) {
        let mut stretched = [0; GROUP];
        if group.count == GROUP {
            for i in 0..GROUP {
                look_up(tables, group, node, i, &mut stretched);
            }
        } else {
            for i in 0..group.count.min(GROUP) {
                look_up(tables, group, node, i, &mut stretched);
            }
        }
        // Safety: every pointer is that of an array of eight values.
        unsafe {
            let new = _mm256_loadu_si256(stretched.as_ptr().cast());
            // Taken from the values at hand: loading the eight states just stored would wait.
            let empty = _mm256_cmpeq_epi32(new, _mm256_setzero_si256());
            seen += 8 - _mm256_movemask_ps(_mm256_castsi256_ps(empty)).count_ones();
            // Inputs behind the contexts are of others.
            let own = _mm256_loadu_si256(group.own.as_ptr().cast());
            let old = _mm256_andnot_si256(own, _mm256_loadu_si256(out.as_ptr().cast()));
            _mm256_storeu_si256(out.as_mut_ptr().cast(), _mm256_or_si256(new, old));
            if let Some(distance) = distance.next() {
                let p16 =
                    _mm256_srli_epi32::<16>(_mm256_loadu_si256(group.counters.as_ptr().cast()));
                let from_half = _mm256_sub_epi32(p16, _mm256_set1_epi32(32768));
                let far = _mm256_andnot_si256(empty, _mm256_srai_epi32::<3>(from_half));
                _mm256_storeu_si256(distance.as_mut_ptr().cast(), far);
            }
        }
    }
    seen as usize
}

/// `tables.reciprocal` of counts up to 1023. The divisor `d` is odd and not 1, so that the quotient is at
/// least `1 / d` from any integer; rounding moves it by less than `2^-10 / d`, in whatever mode
/// the caller's process has, and cutting off the fraction gives the exact quotient.
#[inline]
#[target_feature(enable = "avx2")]
fn shares(counts: __m256i) -> __m256i {
    let twice = _mm256_add_epi32(counts, counts);
    let divisor = _mm256_cvtepi32_ps(_mm256_add_epi32(twice, _mm256_set1_epi32(3)));
    _mm256_cvttps_epi32(_mm256_div_ps(_mm256_set1_ps(8192.0), divisor))
}

/// Moves eight counters towards `bit`.
#[inline]
#[target_feature(enable = "avx2")]
pub fn update_counters(counters: &mut [u32; GROUP], bit: u32, limit: u32) {
    let target = _mm256_set1_epi32((bit << 22) as i32 - bit as i32);
    let limit = _mm256_set1_epi32(limit as i32);
    // Safety: the pointers are those of an array of eight values.
    unsafe {
        let entry = _mm256_loadu_si256(counters.as_ptr().cast());
        let count = _mm256_and_si256(entry, _mm256_set1_epi32(1023));
        let p = _mm256_srli_epi32::<10>(entry);
        let shares = shares(count);
        let error = _mm256_srai_epi32::<4>(_mm256_sub_epi32(target, p));
        let step = _mm256_srai_epi32::<8>(_mm256_mullo_epi32(error, shares));
        let p = _mm256_slli_epi32::<10>(_mm256_add_epi32(p, step));
        let more = _mm256_cmpgt_epi32(limit, count);
        let entry = _mm256_or_si256(p, _mm256_sub_epi32(count, more));
        _mm256_storeu_si256(counters.as_mut_ptr().cast(), entry);
    }
}

#[inline]
#[target_feature(enable = "avx2")]
pub fn context_update(tables: &Tables, groups: &mut [Group], node: usize, bit: u32, limit: u32) {
    for group in groups {
        update_counters(&mut group.counters, bit, limit);
        if group.count == GROUP {
            for i in 0..GROUP {
                write_back(tables, group, node, i, bit);
            }
        } else {
            for i in 0..group.count.min(GROUP) {
                write_back(tables, group, node, i, bit);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_those_of_the_table() {
        #[target_feature(enable = "avx2")]
        fn eight(counts: [i32; 8]) -> [i32; 8] {
            let mut out = [0; 8];
            // Safety: both are arrays of eight values.
            unsafe {
                let counts = _mm256_loadu_si256(counts.as_ptr().cast());
                _mm256_storeu_si256(out.as_mut_ptr().cast(), shares(counts));
            }
            out
        }
        if !crate::simd::Level::Avx2.detected() {
            eprintln!("skipped: this CPU has no AVX2");
            return;
        }
        for start in (0..1024).step_by(8) {
            let counts = std::array::from_fn(|i| start + i as i32);
            // Safety: the feature was detected.
            let shares = unsafe { eight(counts) };
            assert_eq!(shares, counts.map(|n| Tables::get().reciprocal[n as usize]));
        }
    }
}
