//! AVX-512 VNNI twins of the products.
#![expect(
    clippy::needless_range_loop,
    reason = "tiles of registers are indexed by row and vector"
)]

use std::arch::x86_64::*;
use std::array::from_fn;

use crate::transformer::cache::BLOCK;
use crate::transformer::pack::GROUP;

super::kernels!("avx512f,avx512bw,avx512vl,avx512vnni,avx2,bmi1,bmi2,popcnt");

/// Vectors of 16 sums in a panel.
const LANES: usize = PANEL / 16;

type Sums<const P: usize> = [[__m512i; LANES]; P];

/// Rows of activations, of the same length, that are multiplied at a time.
type Rows<const P: usize> = [*const i16; P];

/// Calls a function that is made for a number of rows, 1 to 6, with that number.
macro_rules! by_rows {
    ($rows:expr, $of:ident($($arg:ident),*)) => {
        match $rows {
            1 => $of::<1>($($arg),*),
            2 => $of::<2>($($arg),*),
            3 => $of::<3>($($arg),*),
            4 => $of::<4>($($arg),*),
            5 => $of::<5>($($arg),*),
            _ => $of::<6>($($arg),*),
        }
    };
}

/// Pairs that weights are fetched ahead of their use.
const AHEAD: usize = 12;

/// Two values for all lanes.
///
/// # Safety
/// Two values must follow `from`.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn pair(from: *const i16) -> __m512i {
    // Safety: by the caller.
    _mm512_set1_epi32(unsafe { from.cast::<i32>().read_unaligned() })
}

/// Adds the products of `pairs` pairs with a panel of bytes.
///
/// # Safety
/// `pairs` times 128 bytes must follow `weights`, and as many pairs each row.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn add_bytes<const P: usize>(
    sums: &mut Sums<P>,
    weights: *const u8,
    rows: Rows<P>,
    pairs: usize,
) {
    for k in 0..pairs {
        for line in [0, 64] {
            // A hint, which may name any address.
            let ahead = weights.wrapping_add((k + AHEAD) * 128 + line);
            _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
        }
        // Safety: by the caller.
        let w: [__m512i; LANES] = from_fn(|i| unsafe {
            _mm512_cvtepi8_epi16(_mm256_loadu_si256(weights.add(k * 128 + i * 32).cast()))
        });
        for p in 0..P {
            // Safety: by the caller.
            let x = unsafe { pair(rows[p].add(2 * k)) };
            for i in 0..LANES {
                sums[p][i] = _mm512_dpwssd_epi32(sums[p][i], w[i], x);
            }
        }
    }
}

/// As [`add_bytes`], of a panel of words.
///
/// # Safety
/// `pairs` times 128 words must follow `panel`, and as many pairs each row.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn add_words<const P: usize>(
    sums: &mut Sums<P>,
    panel: *const i16,
    rows: Rows<P>,
    pairs: usize,
) {
    for k in 0..pairs {
        // Safety: by the caller.
        let w: [__m512i; LANES] =
            from_fn(|i| unsafe { _mm512_loadu_si512(panel.add(k * 128 + i * 32).cast()) });
        for p in 0..P {
            // Safety: by the caller.
            let x = unsafe { pair(rows[p].add(2 * k)) };
            for i in 0..LANES {
                sums[p][i] = _mm512_dpwssd_epi32(sums[p][i], w[i], x);
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn products_of<const P: usize>(weights: &[u8], scales: &[u8], x: &[i16], out: &mut [[i64; PANEL]]) {
    let inputs = weights.len() / PANEL;
    let groups = inputs / GROUP;
    assert!(scales.len() >= groups * PANEL * 2 && x.len() >= P * inputs && out.len() >= P);
    let zero = _mm512_setzero_si512();
    let mut totals = [[[zero; 2]; LANES]; P];
    for group in 0..groups {
        let mut sums = [[zero; LANES]; P];
        // Safety: the group lies within the weights and rows.
        unsafe {
            let rows = from_fn(|p| x.as_ptr().add(p * inputs + group * GROUP));
            let weights = weights.as_ptr().add(group * GROUP * PANEL);
            add_bytes(&mut sums, weights, rows, GROUP / 2);
        }
        for i in 0..LANES {
            // Safety: sixteen scales of two bytes lie within the scales.
            let even = _mm512_cvtepu16_epi32(unsafe {
                _mm256_loadu_si256(scales.as_ptr().add((group * PANEL + i * 16) * 2).cast())
            });
            let odd = _mm512_srli_epi64::<32>(even);
            for p in 0..P {
                let [low, high] = &mut totals[p][i];
                *low = _mm512_add_epi64(*low, _mm512_mul_epi32(sums[p][i], even));
                let sums = _mm512_srli_epi64::<32>(sums[p][i]);
                *high = _mm512_add_epi64(*high, _mm512_mul_epi32(sums, odd));
            }
        }
    }
    let (first, second) = (
        _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11),
        _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15),
    );
    for (out, totals) in out.iter_mut().zip(&totals) {
        for (out, &[even, odd]) in out.chunks_exact_mut(16).zip(totals) {
            // Safety: sixteen sums are there.
            unsafe {
                let to = out.as_mut_ptr();
                _mm512_storeu_si512(to.cast(), _mm512_permutex2var_epi64(even, first, odd));
                _mm512_storeu_si512(
                    to.add(8).cast(),
                    _mm512_permutex2var_epi64(even, second, odd),
                );
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn products(weights: &[u8], scales: &[u8], x: &[i16], out: &mut [[i64; PANEL]]) {
    let inputs = weights.len() / PANEL;
    for (x, out) in x.chunks(6 * inputs).zip(out.chunks_mut(6)) {
        by_rows!(out.len(), products_of(weights, scales, x, out));
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn scores_of<const P: usize>(keys: &[i16], size: usize, queries: &[i16], out: &mut [i32]) {
    let panels = keys.len() / (size * PANEL);
    assert!(size.is_multiple_of(2) && queries.len() >= P * size && out.len() >= P * panels * PANEL);
    for panel in 0..panels {
        let mut sums = [[_mm512_setzero_si512(); LANES]; P];
        // Safety: the panel lies within the keys, the queries have that size, and each has room in `out`.
        unsafe {
            let rows = from_fn(|p| queries.as_ptr().add(p * size));
            add_words(
                &mut sums,
                keys.as_ptr().add(panel * size * PANEL),
                rows,
                size / 2,
            );
            for p in 0..P {
                let to = out.as_mut_ptr().add((p * panels + panel) * PANEL);
                for i in 0..LANES {
                    _mm512_storeu_si512(to.add(16 * i).cast(), sums[p][i]);
                }
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn scores(keys: &[i16], size: usize, queries: &[i16], out: &mut [i32]) {
    by_rows!(queries.len() / size, scores_of(keys, size, queries, out));
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn values_of<const P: usize>(
    values: &[i16],
    weights: &[i16],
    shifts: &[i32],
    out: &mut [[i32; PANEL]],
) {
    let room = values.len() / PANEL;
    let blocks = room / BLOCK;
    assert!(weights.len() >= P * room && shifts.len() >= P * blocks && out.len() >= P);
    let zero = _mm512_setzero_si512();
    let one = _mm512_set1_epi32(1);
    let mut totals = [[zero; LANES]; P];
    for block in 0..blocks {
        let mut sums = [[zero; LANES]; P];
        // Safety: the block lies within the values and weights.
        unsafe {
            let rows = from_fn(|p| weights.as_ptr().add(p * room + block * BLOCK));
            let values = values.as_ptr().add(block * BLOCK * PANEL);
            add_words(&mut sums, values, rows, BLOCK / 2);
        }
        for p in 0..P {
            let shift = _mm_cvtsi32_si128(shifts[p * blocks + block] - 1);
            for i in 0..LANES {
                let sum = _mm512_add_epi32(_mm512_sra_epi32(sums[p][i], shift), one);
                totals[p][i] = _mm512_add_epi32(totals[p][i], _mm512_srai_epi32::<1>(sum));
            }
        }
    }
    for (out, totals) in out.iter_mut().zip(&totals) {
        for (out, &total) in out.chunks_exact_mut(16).zip(totals) {
            // Safety: sixteen sums are there.
            unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), total) };
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn values(values: &[i16], weights: &[i16], shifts: &[i32], out: &mut [[i32; PANEL]]) {
    by_rows!(out.len(), values_of(values, weights, shifts, out));
}
