//! AVX-512 twins of the kernels, with the expansions of VBMI2.

use std::arch::x86_64::*;

use super::super::classes::CLASSES;
use crate::simd::Level;

/// Whether this machine has the instructions, some of which [`Level::Avx512`] does without.
pub fn detected() -> bool {
    Level::Avx512.detected() && is_x86_feature_detected!("avx512vbmi2")
}

/// Fills whole vectors; how many symbols that was.
pub fn ungroup(
    classes: &[u8],
    next: &mut [usize; CLASSES],
    grouped: &[u8],
    symbols: &mut [u8],
) -> usize {
    assert!(detected());
    // Safety: the features were detected.
    unsafe { ungroup_here(classes, next, grouped, symbols) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,bmi1,bmi2,popcnt")]
fn ungroup_here(
    classes: &[u8],
    next: &mut [usize; CLASSES],
    grouped: &[u8],
    symbols: &mut [u8],
) -> usize {
    let mut done = 0;
    let tiles = symbols.as_chunks_mut::<64>().0.iter_mut();
    for (symbols, classes) in tiles.zip(classes.as_chunks::<64>().0) {
        // Near the end of what is grouped 64 bytes cannot be read.
        if next.iter().any(|&next| next + 64 > grouped.len()) {
            break;
        }
        // Safety: arrays of 64 bytes; as many of `grouped`, as just checked.
        unsafe {
            let class = _mm512_loadu_si512(classes.as_ptr().cast());
            let mut tile = _mm512_setzero_si512();
            for (number, next) in next.iter_mut().enumerate() {
                let members = _mm512_cmpeq_epi8_mask(class, _mm512_set1_epi8(number as i8));
                let run = _mm512_loadu_si512(grouped.as_ptr().add(*next).cast());
                tile = _mm512_mask_expand_epi8(tile, members, run);
                *next += members.count_ones() as usize;
            }
            _mm512_storeu_si512(symbols.as_mut_ptr().cast(), tile);
        }
        done += 64;
    }
    done
}
