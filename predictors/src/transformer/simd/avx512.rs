//! AVX-512 VNNI twins of the products.
#![expect(
    clippy::needless_range_loop,
    reason = "tiles of registers are indexed by row and vector"
)]

use std::arch::x86_64::*;
use std::array::from_fn;

use super::nibbles_avx512::nibbles;
use crate::transformer::cache::BLOCK;
use crate::transformer::pack::GROUP;

super::kernels!(
    "avx512f,avx512bw,avx512vl,avx512vnni,avx2,bmi1,bmi2,popcnt",
    true
);

/// Vectors of 16 sums in a panel.
pub(super) const LANES: usize = PANEL / 16;

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

/// Adds the products of `pairs` pairs with a panel of words.
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

/// Bytes that weights are fetched ahead of their use, and in which pages take turns.
const AHEAD: usize = 1 << 15;

/// Fetches four cache lines of the weights [`AHEAD`] of these, of which each is in another page: memory
/// gives more in the same time where several pages are open. All lines have had their turn when
/// `AHEAD` bytes were read in order.
#[inline(always)]
pub(super) fn fetch_ahead(weights: *const u8) {
    const PAGE: usize = 1 << 12;
    const PAGES: usize = AHEAD / PAGE;
    let place = weights.addr() % AHEAD / 256;
    let start = weights.wrapping_sub(weights.addr() % AHEAD);
    let first =
        start.wrapping_add(AHEAD + place / (PAGES / 4) * 64 + place % (PAGES / 4) * 4 * PAGE);
    for i in 0..4 {
        // Safety: a hint may name any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(first.wrapping_add(i * PAGE).cast()) };
    }
}

/// Rows that the products take at a time.
pub(super) const AT_ONCE: usize = 3;

/// Makes of every group of values, 2^15 larger, all low bytes and then all high bytes.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn arrange(x: &mut [i16]) {
    let larger = _mm512_set1_epi16(i16::MIN);
    for group in x.chunks_exact_mut(GROUP) {
        // Safety: the group is two vectors of 32 values.
        unsafe {
            let (first, second) = (group.as_mut_ptr(), group.as_mut_ptr().add(GROUP / 2));
            let [a, b] = [first, second]
                .map(|at| _mm512_xor_si512(_mm512_loadu_si512(at.cast_const().cast()), larger));
            let low = [a, b].map(|v| _mm512_cvtepi16_epi8(v));
            let high = [a, b].map(|v| _mm512_cvtepi16_epi8(_mm512_srli_epi16::<8>(v)));
            for (to, [a, b]) in [(first, low), (second, high)] {
                let both = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(a), b);
                _mm512_storeu_si512(to.cast(), both);
            }
        }
    }
}

/// Four bytes for all lanes.
///
/// # Safety
/// Four bytes must follow `from`.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn quad(from: *const u8) -> __m512i {
    // Safety: by the caller.
    _mm512_set1_epi32(unsafe { from.cast::<i32>().read_unaligned() })
}

/// Scales of 16 rows of a group: of those with even numbers in the low halves of lanes, and of odd ones.
///
/// # Safety
/// Sixteen scales must follow `from`.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn scales_at(from: *const u8) -> [__m512i; 2] {
    // Safety: by the caller.
    let even = _mm512_cvtepu16_epi32(unsafe { _mm256_loadu_si256(from.cast()) });
    [even, _mm512_srli_epi64::<32>(even)]
}

/// Adds sums of low and high bytes, times scales, to totals of even and odd rows.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn scale_up(
    totals: &mut [__m512i; 2],
    low: __m512i,
    high: __m512i,
    scales: [__m512i; 2],
) {
    let sums = _mm512_add_epi32(low, _mm512_slli_epi32::<8>(high));
    let odd = _mm512_shuffle_epi32::<0b11_11_01_01>(sums);
    totals[0] = _mm512_add_epi64(totals[0], _mm512_mul_epi32(sums, scales[0]));
    totals[1] = _mm512_add_epi64(totals[1], _mm512_mul_epi32(odd, scales[1]));
}

/// Writes totals of even and odd rows in the order of rows, without the excess.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn finish(
    out: &mut [i64; PANEL],
    totals: &[[__m512i; 2]; LANES],
    excess: &[i64; PANEL],
) {
    let (first, second) = (
        _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11),
        _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15),
    );
    for (i, &[even, odd]) in totals.iter().enumerate() {
        for (j, order) in [first, second].into_iter().enumerate() {
            let at = 16 * i + 8 * j;
            // Safety: eight numbers are there.
            unsafe {
                let excess = _mm512_loadu_si512(excess.as_ptr().add(at).cast());
                let sums = _mm512_permutex2var_epi64(even, order, odd);
                let to = out.as_mut_ptr().add(at);
                _mm512_storeu_si512(to.cast(), _mm512_sub_epi64(sums, excess));
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn products_of<const P: usize>(panel: Panel<'_>, x: &[i16], out: &mut [[i64; PANEL]]) {
    let inputs = panel.weights.len() / PANEL;
    let groups = inputs / GROUP;
    assert!(panel.scales.len() >= groups * PANEL * 2 && x.len() >= P * inputs && out.len() >= P);
    let zero = _mm512_setzero_si512();
    let mut totals = [[[zero; 2]; LANES]; P];
    for group in 0..groups {
        let (mut low, mut high) = ([[zero; LANES]; P], [[zero; LANES]; P]);
        // Safety: the group lies within the weights and rows, of two bytes a value.
        unsafe {
            let rows: [*const u8; P] =
                from_fn(|p| x.as_ptr().add(p * inputs + group * GROUP).cast());
            let weights = panel.weights.as_ptr().add(group * GROUP * PANEL);
            for k in 0..GROUP / 4 {
                fetch_ahead(weights.add(k * 4 * PANEL));
                let w: [_; LANES] =
                    from_fn(|i| _mm512_loadu_si512(weights.add(k * 4 * PANEL + i * 64).cast()));
                for p in 0..P {
                    let (a, b) = (quad(rows[p].add(4 * k)), quad(rows[p].add(GROUP + 4 * k)));
                    for i in 0..LANES {
                        low[p][i] = _mm512_dpbusd_epi32(low[p][i], a, w[i]);
                        high[p][i] = _mm512_dpbusd_epi32(high[p][i], b, w[i]);
                    }
                }
            }
        }
        for i in 0..LANES {
            // Safety: sixteen scales of two bytes lie within the scales.
            let scales =
                unsafe { scales_at(panel.scales.as_ptr().add((group * PANEL + i * 16) * 2)) };
            for p in 0..P {
                scale_up(&mut totals[p][i], low[p][i], high[p][i], scales);
            }
        }
    }
    let excess = panel.excess.try_into().unwrap_or(&[0; PANEL]);
    for (out, totals) in out.iter_mut().zip(&totals) {
        finish(out, totals, excess);
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn products(panel: Panel<'_>, x: &[i16], out: &mut [[i64; PANEL]]) {
    let inputs = panel.weights.len() / PANEL;
    for (x, out) in x.chunks(AT_ONCE * inputs).zip(out.chunks_mut(AT_ONCE)) {
        match out.len() {
            1 => products_of::<1>(panel, x, out),
            2 => products_of::<2>(panel, x, out),
            _ => products_of::<AT_ONCE>(panel, x, out),
        }
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
