//! AVX2 twin of the encoder: arithmetic on eight lanes at a time, look-ups one by one.

use std::arch::x86_64::*;

use super::{Encode, scalar};
use crate::rans::encode::{EncodeTable, Entry};
use crate::rans::{LANES, SMALL_BITS};
use crate::simd::Level;

/// Vectors of a step.
const PARTS: usize = LANES / 8;

/// By a mask of eight lanes, where each of eight words comes from: those of the lanes are the last ones, in
/// order.
static TO_THE_END: [[u8; 16]; 256] = {
    let mut table = [[0x80; 16]; 256];
    let mut mask = 0;
    while mask < 256 {
        let mut place = 8 - (mask as u32).count_ones() as usize;
        let mut lane = 0;
        while lane < 8 {
            if mask >> lane & 1 == 1 {
                table[mask][2 * place] = 2 * lane as u8;
                table[mask][2 * place + 1] = 2 * lane as u8 + 1;
                place += 1;
            }
            lane += 1;
        }
        mask += 1;
    }
    table
};

/// As [`super::encode`].
pub fn encode(table: &EncodeTable, job: Encode<'_>) -> usize {
    assert!(Level::Avx2.detected());
    if job.lanes != LANES {
        return scalar::encode(table, job);
    }
    assert!(job.words.len() >= job.symbols.len());
    let (steps, rest) = job.symbols.as_chunks::<LANES>();
    // The last step comes first.
    let last = Encode {
        states: &mut *job.states,
        symbols: rest,
        words: &mut *job.words,
        ..job
    };
    let left = scalar::encode(table, last);
    // Safety: the features were detected.
    unsafe {
        match table.slots.first_chunk() {
            None => whole_steps(table, None, steps, job.states, job.words, left),
            slots => whole_steps(table, slots, steps, job.states, job.words, left),
        }
    }
}

/// Codes `steps`, the last one first, to before the word `left`; how many words are then free.
#[target_feature(enable = "avx2")]
#[inline]
fn whole_steps(
    table: &EncodeTable,
    slots: Option<&[u16; 1 << SMALL_BITS]>,
    steps: &[[u8; LANES]],
    states: &mut [u32; LANES],
    words: &mut [[u8; 2]],
    mut left: usize,
) -> usize {
    let bits = _mm_cvtsi32_si128(table.bits as i32);
    let unbits = _mm_cvtsi32_si128(32 - table.bits as i32);
    let low = _mm256_set1_epi32(0xffff);
    let zero = _mm256_setzero_si256();
    let mut lacking = zero;
    // Safety, here and below: an array of 32 bytes.
    let mut parts: [__m256i; PARTS] = std::array::from_fn(|i| unsafe {
        _mm256_loadu_si256(states[8 * i..8 * i + 8].as_ptr().cast())
    });
    for symbols in steps.iter().rev() {
        let mut entries = [Entry::default(); LANES];
        for (entry, &symbol) in entries.iter_mut().zip(symbols) {
            *entry = table.entries[usize::from(symbol)];
        }
        let mut places = [0_u32; LANES];
        let mut quotients = [zero; PARTS];
        let mut taken = [(_mm_setzero_si128(), 0_usize); PARTS];
        let eights = entries
            .as_chunks::<8>()
            .0
            .iter()
            .zip(places.as_chunks_mut::<8>().0);
        for (i, (entries, places)) in eights.enumerate() {
            // Safety: two of 32 bytes in an array of 64.
            let (first, second) = unsafe {
                let at: *const __m256i = entries.as_ptr().cast();
                (_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1)))
            };
            let (reciprocals, rest) = columns(first, second);
            let frequency = _mm256_and_si256(rest, low);
            let start = _mm256_srli_epi32::<16>(rest);
            lacking = _mm256_or_si256(lacking, _mm256_cmpeq_epi32(frequency, zero));
            let state = parts[i];
            // Both are below 2^31.
            let fits = _mm256_cmpgt_epi32(frequency, _mm256_srl_epi32(state, unbits));
            taken[i] = (
                low_halves(state),
                !_mm256_movemask_ps(_mm256_castsi256_ps(fits)) as usize & 0xff,
            );
            let x = _mm256_blendv_epi8(_mm256_srli_epi32::<16>(state), state, fits);
            let estimate = upper_products(x, reciprocals);
            // What is left is below 2^15: the lower halves tell.
            let product = _mm256_mullo_epi16(estimate, frequency);
            let over = _mm256_and_si256(_mm256_sub_epi16(x, product), low);
            let exact = _mm256_cmpgt_epi32(frequency, over);
            let more = _mm256_andnot_si256(exact, frequency);
            let over = _mm256_sub_epi32(over, more);
            // One more where it is not exact: less by -1, and by 0 otherwise.
            let estimate =
                _mm256_add_epi32(estimate, _mm256_add_epi32(exact, _mm256_set1_epi32(1)));
            quotients[i] = _mm256_sll_epi32(estimate, bits);
            let place = _mm256_add_epi32(over, start);
            // Safety: as above.
            unsafe { _mm256_storeu_si256(places.as_mut_ptr().cast(), place) };
        }
        if let Some(slots) = slots {
            for place in &mut places {
                // A symbol that the table lacks may lead anywhere.
                let slot = *place as usize & ((1 << SMALL_BITS) - 1);
                *place = u32::from(slots[slot]);
            }
        }
        for ((part, quotient), places) in parts
            .iter_mut()
            .zip(quotients)
            .zip(places.as_chunks::<8>().0)
        {
            // Safety: as above.
            let slots = unsafe { _mm256_loadu_si256(places.as_ptr().cast()) };
            *part = _mm256_add_epi32(quotient, slots);
        }
        for &(words_of, mask) in taken.iter().rev() {
            let count = mask.count_ones() as usize;
            // Safety: an array of 16 bytes.
            let order = unsafe { _mm_loadu_si128(TO_THE_END[mask].as_ptr().cast()) };
            let in_place = _mm_shuffle_epi8(words_of, order);
            if let Some(from) = left.checked_sub(8) {
                // Words below those that count are free.
                let eight = &mut words[from..left];
                // Safety: eight words of two bytes.
                unsafe { _mm_storeu_si128(eight.as_mut_ptr().cast(), in_place) };
            } else {
                let mut eight = [[0_u8; 2]; 8];
                // Safety: as above.
                unsafe { _mm_storeu_si128(eight.as_mut_ptr().cast(), in_place) };
                words[left - count..left].copy_from_slice(&eight[8 - count..]);
            }
            left -= count;
        }
    }
    for (i, part) in parts.into_iter().enumerate() {
        // Safety: as above.
        unsafe { _mm256_storeu_si256(states[8 * i..8 * i + 8].as_mut_ptr().cast(), part) };
    }
    assert!(
        _mm256_testz_si256(lacking, lacking) == 1,
        "a table lacks a symbol of its run"
    );
    left
}

/// The first and the second halves of eight pairs of numbers.
#[target_feature(enable = "avx2")]
fn columns(first: __m256i, second: __m256i) -> (__m256i, __m256i) {
    let (a, b) = (_mm256_castsi256_ps(first), _mm256_castsi256_ps(second));
    // In the order 0 1 4 5 2 3 6 7.
    let halves = [
        _mm256_shuffle_ps::<0b10_00_10_00>(a, b),
        _mm256_shuffle_ps::<0b11_01_11_01>(a, b),
    ];
    let [first, second] =
        halves.map(|half| _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_castps_si256(half)));
    (first, second)
}

/// The upper halves of products of numbers of 32 bits.
#[target_feature(enable = "avx2")]
fn upper_products(a: __m256i, b: __m256i) -> __m256i {
    let evens = _mm256_mul_epu32(a, b);
    let odds = _mm256_mul_epu32(_mm256_srli_epi64::<32>(a), _mm256_srli_epi64::<32>(b));
    _mm256_blend_epi32::<0b1010_1010>(_mm256_srli_epi64::<32>(evens), odds)
}

/// The lower halves of eight numbers.
#[target_feature(enable = "avx2")]
fn low_halves(numbers: __m256i) -> __m128i {
    let low = _mm256_and_si256(numbers, _mm256_set1_epi32(0xffff));
    let packed = _mm256_packus_epi32(low, low);
    _mm256_castsi256_si128(_mm256_permute4x64_epi64::<0b00_00_10_00>(packed))
}
