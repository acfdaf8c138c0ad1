//! AVX2 twins of the products: half a panel at a time, for two rows.
#![expect(
    clippy::needless_range_loop,
    reason = "tiles of registers are indexed by row and vector"
)]

use std::arch::x86_64::*;
use std::array::from_fn;

use super::nibbles_avx2::nibbles;
use crate::transformer::cache::BLOCK;
use crate::transformer::pack::GROUP;

super::kernels!("avx2,bmi1,bmi2,popcnt", false);

/// Vectors of eight sums in half a panel.
pub(super) const LANES: usize = PANEL / 16;
pub(super) const HALF: usize = PANEL / 2;

type Sums<const P: usize> = [[__m256i; LANES]; P];

/// Two values for all lanes.
///
/// # Safety
/// Two values must follow `from`.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn pair(from: *const i16) -> __m256i {
    // Safety: by the caller.
    _mm256_set1_epi32(unsafe { from.cast::<i32>().read_unaligned() })
}

/// Adds the products of `pairs` pairs with half a panel, whose vector `i` of pair `k` is `load(k, i)`.
///
/// # Safety
/// As many pairs must follow each row.
#[inline(always)]
unsafe fn add<const P: usize>(
    sums: &mut Sums<P>,
    rows: [*const i16; P],
    pairs: usize,
    load: impl Fn(usize, usize) -> __m256i,
) {
    for k in 0..pairs {
        // Safety: by the caller; only called where AVX2 is on.
        unsafe {
            let x: [__m256i; P] = from_fn(|p| pair(rows[p].add(2 * k)));
            for i in 0..LANES {
                let w = load(k, i);
                for p in 0..P {
                    sums[p][i] = _mm256_add_epi32(sums[p][i], _mm256_madd_epi16(w, x[p]));
                }
            }
        }
    }
}

/// Swaps the middle two of every four values: what bytes of even and of odd place are multiplied
/// with then lies together.
#[target_feature(enable = "avx2")]
fn arrange(x: &mut [i16]) {
    for quad in x.chunks_exact_mut(4) {
        quad.swap(1, 2);
    }
}

/// Writes totals of even and odd rows in the order of rows.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn finish(out: &mut [i64], totals: &[[__m256i; 2]; LANES]) {
    for (out, &[even, odd]) in out.chunks_exact_mut(8).zip(totals) {
        let low = _mm256_unpacklo_epi64(even, odd);
        let high = _mm256_unpackhi_epi64(even, odd);
        // Safety: eight sums are there.
        unsafe {
            let to = out.as_mut_ptr();
            _mm256_storeu_si256(to.cast(), _mm256_permute2x128_si256::<0x20>(low, high));
            _mm256_storeu_si256(
                to.add(4).cast(),
                _mm256_permute2x128_si256::<0x31>(low, high),
            );
        }
    }
}

#[target_feature(enable = "avx2")]
fn products_of<const P: usize>(panel: Panel<'_>, x: &[i16], out: &mut [[i64; PANEL]]) {
    let inputs = panel.weights.len() / PANEL;
    let groups = inputs / GROUP;
    assert!(panel.scales.len() >= groups * PANEL * 2 && x.len() >= P * inputs && out.len() >= P);
    let zero = _mm256_setzero_si256();
    for half in [0, HALF] {
        let mut totals = [[[zero; 2]; LANES]; P];
        for group in 0..groups {
            let mut sums = [[zero; LANES]; P];
            // Safety: the group lies within the weights and rows.
            unsafe {
                let rows: [_; P] = from_fn(|p| x.as_ptr().add(p * inputs + group * GROUP));
                let weights = panel.weights.as_ptr().add(group * GROUP * PANEL + half * 4);
                for quad in 0..GROUP / 4 {
                    let even: [_; P] = from_fn(|p| pair(rows[p].add(4 * quad)));
                    let odd: [_; P] = from_fn(|p| pair(rows[p].add(4 * quad + 2)));
                    for i in 0..LANES {
                        let w = _mm256_loadu_si256(weights.add(quad * 4 * PANEL + i * 32).cast());
                        let low = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(w));
                        let high = _mm256_srai_epi16::<8>(w);
                        for p in 0..P {
                            let both = _mm256_add_epi32(
                                _mm256_madd_epi16(low, even[p]),
                                _mm256_madd_epi16(high, odd[p]),
                            );
                            sums[p][i] = _mm256_add_epi32(sums[p][i], both);
                        }
                    }
                }
            }
            for i in 0..LANES {
                // Safety: eight scales of two bytes lie within the scales.
                let even = _mm256_cvtepu16_epi32(unsafe {
                    let at = (group * PANEL + half + i * 8) * 2;
                    _mm_loadu_si128(panel.scales.as_ptr().add(at).cast())
                });
                let odd = _mm256_srli_epi64::<32>(even);
                for p in 0..P {
                    let [low, high] = &mut totals[p][i];
                    *low = _mm256_add_epi64(*low, _mm256_mul_epi32(sums[p][i], even));
                    let sums = _mm256_srli_epi64::<32>(sums[p][i]);
                    *high = _mm256_add_epi64(*high, _mm256_mul_epi32(sums, odd));
                }
            }
        }
        for (out, totals) in out.iter_mut().zip(&totals) {
            finish(&mut out[half..], totals);
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn products(panel: Panel<'_>, x: &[i16], out: &mut [[i64; PANEL]]) {
    let inputs = panel.weights.len() / PANEL;
    for (x, out) in x.chunks(2 * inputs).zip(out.chunks_mut(2)) {
        match out.len() {
            1 => products_of::<1>(panel, x, out),
            _ => products_of::<2>(panel, x, out),
        }
    }
}

/// Dot products of queries with panels of keys, the first of them into each `stride` of `out`.
#[target_feature(enable = "avx2")]
fn scores_of<const P: usize>(keys: &[i16], size: usize, queries: &[i16], out: &mut [i32]) {
    let panels = keys.len() / (size * PANEL);
    assert!(size.is_multiple_of(2) && queries.len() >= P * size && out.len() >= P * panels * PANEL);
    for panel in 0..panels {
        for half in [0, HALF] {
            let mut sums = [[_mm256_setzero_si256(); LANES]; P];
            // Safety: the panel lies within the keys, the queries have that size, and each has room in `out`.
            unsafe {
                let rows = from_fn(|p| queries.as_ptr().add(p * size));
                let keys = keys.as_ptr().add(panel * size * PANEL + half * 2);
                add(&mut sums, rows, size / 2, |k, i| {
                    _mm256_loadu_si256(keys.add(k * 128 + i * 16).cast())
                });
                for p in 0..P {
                    let to = out.as_mut_ptr().add((p * panels + panel) * PANEL + half);
                    for i in 0..LANES {
                        _mm256_storeu_si256(to.add(8 * i).cast(), sums[p][i]);
                    }
                }
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn scores(keys: &[i16], size: usize, queries: &[i16], out: &mut [i32]) {
    let room = keys.len() / size;
    for (queries, out) in queries.chunks(2 * size).zip(out.chunks_mut(2 * room)) {
        match queries.len() / size {
            1 => scores_of::<1>(keys, size, queries, out),
            _ => scores_of::<2>(keys, size, queries, out),
        }
    }
}

#[target_feature(enable = "avx2")]
fn values_of<const P: usize>(
    values: &[i16],
    weights: &[i16],
    shifts: &[i32],
    out: &mut [[i32; PANEL]],
) {
    let room = values.len() / PANEL;
    let blocks = room / BLOCK;
    assert!(weights.len() >= P * room && shifts.len() >= P * blocks && out.len() >= P);
    let zero = _mm256_setzero_si256();
    let one = _mm256_set1_epi32(1);
    for half in [0, HALF] {
        let mut totals = [[zero; LANES]; P];
        for block in 0..blocks {
            let mut sums = [[zero; LANES]; P];
            // Safety: the block lies within the values and weights.
            unsafe {
                let rows = from_fn(|p| weights.as_ptr().add(p * room + block * BLOCK));
                let values = values.as_ptr().add(block * BLOCK * PANEL + half * 2);
                add(&mut sums, rows, BLOCK / 2, |k, i| {
                    _mm256_loadu_si256(values.add(k * 128 + i * 16).cast())
                });
            }
            for p in 0..P {
                let shift = _mm_cvtsi32_si128(shifts[p * blocks + block] - 1);
                for i in 0..LANES {
                    let sum = _mm256_add_epi32(_mm256_sra_epi32(sums[p][i], shift), one);
                    totals[p][i] = _mm256_add_epi32(totals[p][i], _mm256_srai_epi32::<1>(sum));
                }
            }
        }
        for (out, totals) in out.iter_mut().zip(&totals) {
            for (out, &total) in out[half..].chunks_exact_mut(8).zip(totals) {
                // Safety: eight sums are there.
                unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), total) };
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn values(values: &[i16], weights: &[i16], shifts: &[i32], out: &mut [[i32; PANEL]]) {
    let room = values.len() / PANEL;
    let blocks = room / BLOCK;
    let shifts = shifts.chunks(2 * blocks);
    for ((weights, shifts), out) in weights.chunks(2 * room).zip(shifts).zip(out.chunks_mut(2)) {
        match out.len() {
            1 => values_of::<1>(values, weights, shifts, out),
            _ => values_of::<2>(values, weights, shifts, out),
        }
    }
}
