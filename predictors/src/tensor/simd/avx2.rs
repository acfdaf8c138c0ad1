//! AVX2 twins of the kernels.

use std::arch::x86_64::*;

use super::{Lengths, Pair, Set};
use crate::simd::Level;

/// How many bytes were looked at, all of them in `set`; `None` where one is not.
pub fn holds(set: &Set, bytes: &[u8]) -> Option<usize> {
    assert!(Level::Avx2.detected());
    // Safety: the features were detected.
    unsafe { holds_here(set, bytes) }
}

#[target_feature(enable = "avx2")]
fn holds_here(set: &Set, bytes: &[u8]) -> Option<usize> {
    // Safety: arrays of 16 bytes.
    let [lower, upper] = set
        .0
        .map(|half| unsafe { _mm256_broadcastsi128_si256(_mm_loadu_si128(half.as_ptr().cast())) });
    let bits = _mm256_setr_epi8(
        1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128,
        1, 2, 4, 8, 16, 32, 64, -128,
    );
    let nibble = _mm256_set1_epi8(15);
    let mut missing = _mm256_setzero_si256();
    let whole = bytes.as_chunks::<32>().0;
    for part in whole {
        // Safety: an array of 32 bytes.
        let byte = unsafe { _mm256_loadu_si256(part.as_ptr().cast()) };
        let low = _mm256_and_si256(byte, nibble);
        let high = _mm256_and_si256(_mm256_srli_epi16::<4>(byte), nibble);
        let row = _mm256_blendv_epi8(
            _mm256_shuffle_epi8(lower, low),
            _mm256_shuffle_epi8(upper, low),
            byte,
        );
        let bit = _mm256_shuffle_epi8(bits, high);
        missing = _mm256_or_si256(missing, _mm256_andnot_si256(row, bit));
    }
    (_mm256_testz_si256(missing, missing) == 1).then_some(32 * whole.len())
}

/// See [`super::nearest`].
pub fn nearest(items: &[u16], lengths: &[Pair], classes: &mut [u8]) {
    assert!(Level::Avx2.detected());
    // Safety: the features were detected.
    unsafe { nearest_here(items, lengths, classes) }
}

#[target_feature(enable = "avx2")]
fn nearest_here(items: &[u16], lengths: &[Pair], classes: &mut [u8]) {
    let lower = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    let upper = _mm256_add_epi32(lower, _mm256_set1_epi32(8));
    for (counts, class) in items.chunks_exact(2 * lengths.len()).zip(classes) {
        let mut costs = [_mm256_setzero_si256(); 2];
        for (counts, lengths) in counts.as_chunks::<2>().0.iter().zip(lengths) {
            let counts = i32::from(counts[0]) | i32::from(counts[1]) << 16;
            let counts = _mm256_set1_epi32(counts);
            for (cost, lengths) in costs.iter_mut().zip(lengths.as_chunks::<8>().0) {
                // Safety: an array of 32 bytes.
                let lengths = unsafe { _mm256_loadu_si256(lengths.as_ptr().cast()) };
                *cost = _mm256_add_epi32(*cost, _mm256_madd_epi16(counts, lengths));
            }
        }
        // With the class behind the cost, the least tells the first of equals.
        let [a, b] = costs.map(|cost| _mm256_slli_epi32::<4>(cost));
        let least = _mm256_min_epu32(_mm256_or_si256(a, lower), _mm256_or_si256(b, upper));
        let mut of_eight = [0_u32; 8];
        // Safety: an array of 32 bytes.
        unsafe { _mm256_storeu_si256(of_eight.as_mut_ptr().cast(), least) };
        *class = of_eight.iter().fold(u32::MAX, |a, &b| a.min(b)) as u8 & 15;
    }
}

/// See [`super::cheapest`].
pub fn cheapest(symbols: &[u8], lengths: &Lengths) -> u8 {
    assert!(Level::Avx2.detected());
    // Safety: the features were detected.
    unsafe { cheapest_here(symbols, lengths) }
}

#[target_feature(enable = "avx2,bmi1")]
fn cheapest_here(symbols: &[u8], lengths: &Lengths) -> u8 {
    // Safety: an array of 32 bytes.
    let of =
        |symbol: u8| unsafe { _mm256_loadu_si256(lengths.0[usize::from(symbol)].as_ptr().cast()) };
    let zero = _mm256_setzero_si256();
    // Of classes 0 to 3 and 8 to 11, and of the others.
    let mut costs = [zero; 2];
    let mut add = |lengths: __m256i| {
        costs[0] = _mm256_add_epi32(costs[0], _mm256_unpacklo_epi16(lengths, zero));
        costs[1] = _mm256_add_epi32(costs[1], _mm256_unpackhi_epi16(lengths, zero));
    };
    let (fours, rest) = symbols.as_chunks::<4>();
    for &[a, b, c, d] in fours {
        add(_mm256_add_epi16(
            _mm256_add_epi16(of(a), of(b)),
            _mm256_add_epi16(of(c), of(d)),
        ));
    }
    for &symbol in rest {
        add(of(symbol));
    }
    let costs = [
        _mm256_permute2x128_si256::<0x20>(costs[0], costs[1]),
        _mm256_permute2x128_si256::<0x31>(costs[0], costs[1]),
    ];
    let mut least = _mm256_min_epu32(costs[0], costs[1]);
    least = _mm256_min_epu32(least, _mm256_permute2x128_si256::<1>(least, least));
    least = _mm256_min_epu32(least, _mm256_shuffle_epi32::<0b01_00_11_10>(least));
    least = _mm256_min_epu32(least, _mm256_shuffle_epi32::<0b10_11_00_01>(least));
    let [low, high] = costs.map(|costs| {
        let least = _mm256_cmpeq_epi32(costs, least);
        _mm256_movemask_ps(_mm256_castsi256_ps(least)) as u32
    });
    (low | high << 8).trailing_zeros() as u8
}
