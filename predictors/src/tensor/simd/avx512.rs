//! AVX-512 twins of the kernels.

use std::arch::x86_64::*;

use super::{Lengths, Pair};
use crate::simd::Level;

/// See [`super::nearest`].
pub fn nearest(items: &[u16], lengths: &[Pair], classes: &mut [u8]) {
    assert!(Level::Avx512.detected());
    // Safety: the features were detected.
    unsafe { nearest_here(items, lengths, classes) }
}

#[target_feature(enable = "avx512f,avx512bw")]
fn nearest_here(items: &[u16], lengths: &[Pair], classes: &mut [u8]) {
    let order = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    for (counts, class) in items.chunks_exact(2 * lengths.len()).zip(classes) {
        let mut costs = _mm512_setzero_si512();
        for (counts, lengths) in counts.as_chunks::<2>().0.iter().zip(lengths) {
            let counts = i32::from(counts[0]) | i32::from(counts[1]) << 16;
            // Safety: an array of 64 bytes.
            let lengths = unsafe { _mm512_loadu_si512(lengths.as_ptr().cast()) };
            let products = _mm512_madd_epi16(_mm512_set1_epi32(counts), lengths);
            costs = _mm512_add_epi32(costs, products);
        }
        // With the class behind the cost, the least tells the first of equals.
        let least = _mm512_or_si512(_mm512_slli_epi32::<4>(costs), order);
        *class = _mm512_reduce_min_epu32(least) as u8 & 15;
    }
}

/// See [`super::cheapest`].
pub fn cheapest(symbols: &[u8], lengths: &Lengths) -> u8 {
    assert!(Level::Avx512.detected());
    // Safety: the features were detected.
    unsafe { cheapest_here(symbols, lengths) }
}

#[target_feature(enable = "avx512f,avx512bw,bmi1")]
fn cheapest_here(symbols: &[u8], lengths: &Lengths) -> u8 {
    // Safety: an array of 32 bytes.
    let of =
        |symbol: u8| unsafe { _mm256_loadu_si256(lengths.0[usize::from(symbol)].as_ptr().cast()) };
    let four = |four: u32| {
        let [a, b, c, d] = four.to_le_bytes();
        _mm512_cvtepu16_epi32(_mm256_add_epi16(
            _mm256_add_epi16(of(a), of(b)),
            _mm256_add_epi16(of(c), of(d)),
        ))
    };
    let mut costs = [_mm512_setzero_si512(); 2];
    let (eights, rest) = symbols.as_chunks::<8>();
    for eight in eights {
        let eight = u64::from_le_bytes(*eight);
        costs[0] = _mm512_add_epi32(costs[0], four(eight as u32));
        costs[1] = _mm512_add_epi32(costs[1], four((eight >> 32) as u32));
    }
    for &symbol in rest {
        costs[0] = _mm512_add_epi32(costs[0], _mm512_cvtepu16_epi32(of(symbol)));
    }
    let costs = _mm512_add_epi32(costs[0], costs[1]);
    let least = _mm512_set1_epi32(_mm512_reduce_min_epu32(costs) as i32);
    _mm512_cmpeq_epi32_mask(costs, least).trailing_zeros() as u8
}
