//! AVX2 twins of the kernels.
//!
//! No gathers: they are slow on many machines, and more so where a leak through them was closed.

use std::arch::x86_64::*;

use super::drive::{Kernel, one, two};
use super::{Decode, STEP_BYTES};
use crate::rans::LANES;
use crate::rans::decode::{Column, DecodeTable, Large, Small};
use crate::simd::Level;

pub fn decode(small: bool, job: &mut Decode<'_, '_, '_, '_>) {
    assert!(Level::Avx2.detected());
    // Safety: the features were detected.
    unsafe {
        if small {
            one_small(job)
        } else {
            one_large(job)
        }
    }
}

pub fn decode_two(small: bool, jobs: &mut [Decode<'_, '_, '_, '_>; 2]) {
    assert!(Level::Avx2.detected());
    // Safety: the features were detected.
    unsafe {
        if small {
            two_small(jobs)
        } else {
            two_large(jobs)
        }
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn one_small(job: &mut Decode<'_, '_, '_, '_>) {
    // Safety: the features are those of this function, here and below.
    unsafe {
        match job.at.table().and_then(DecodeTable::small) {
            Some(table) if table.symbols <= 32 => one::<InRegisters<2>>(job),
            _ => one::<InRegisters<4>>(job),
        }
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn two_small(jobs: &mut [Decode<'_, '_, '_, '_>; 2]) {
    let few = |job: &mut Decode<'_, '_, '_, '_>| {
        let table = job.at.table().and_then(DecodeTable::small);
        table.is_some_and(|table| table.symbols <= 32)
    };
    // Safety: as above.
    unsafe {
        if jobs.iter_mut().all(few) {
            two::<InRegisters<2>>(jobs);
        } else {
            two::<InRegisters<4>>(jobs);
        }
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn one_large(job: &mut Decode<'_, '_, '_, '_>) {
    // Safety: as above.
    unsafe { one::<InMemory>(job) }
}

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn two_large(jobs: &mut [Decode<'_, '_, '_, '_>; 2]) {
    // Safety: as above.
    unsafe { two::<InMemory>(jobs) }
}

/// By a mask of eight lanes, which byte of consecutive words each byte of the lanes takes; a
/// lane that takes none becomes zero.
static SPREAD: [[u8; 16]; 256] = {
    let mut table = [[0x80; 16]; 256];
    let mut mask = 0;
    while mask < 256 {
        let mut lane = 0;
        let mut word = 0;
        while lane < 8 {
            if mask >> lane & 1 == 1 {
                table[mask][2 * lane] = 2 * word;
                table[mask][2 * lane + 1] = 2 * word + 1;
                word += 1;
            }
            lane += 1;
        }
        mask += 1;
    }
    table
};

/// The words of the lanes in `mask`, and zeros; `used`, in bytes, moves past them.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
unsafe fn spread(words: *const u8, used: &mut usize, mask: u8) -> __m128i {
    debug_assert!(*used <= STEP_BYTES - 16);
    // Safety: a step has 128 bytes, and eight calls, each of which moves on by 16 bytes at most.
    let next = unsafe { _mm_loadu_si128(words.add(*used).cast()) };
    *used += 2 * mask.count_ones() as usize;
    // Safety: an array of 16 bytes.
    let order = unsafe { _mm_loadu_si128(SPREAD[usize::from(mask)].as_ptr().cast()) };
    _mm_shuffle_epi8(next, order)
}

/// The bytes of a column at the indices that [`below`] prepared: steps add up to the right one.
#[inline]
#[target_feature(enable = "avx2")]
fn at<const CHUNKS: usize>(column: &Column, indices: &[__m256i; CHUNKS]) -> __m256i {
    // Safety: an array of 64 bytes, and four chunks at most.
    let chunk = |i: usize| unsafe {
        let bytes = column.steps.as_ptr().add(16 * i);
        _mm256_broadcastsi128_si256(_mm_load_si128(bytes.cast()))
    };
    let mut sum = _mm256_shuffle_epi8(chunk(0), indices[0]);
    // By index: an iterator is not unrolled, and then the registers go through memory.
    let mut i = 1;
    while i < CHUNKS {
        sum = _mm256_xor_si256(sum, _mm256_shuffle_epi8(chunk(i), indices[i]));
        i += 1;
    }
    sum
}

/// Indices, below 64, less the start of each chunk: negative where a chunk takes no part.
#[inline]
#[target_feature(enable = "avx2")]
fn below<const CHUNKS: usize>(indices: __m256i) -> [__m256i; CHUNKS] {
    std::array::from_fn(|i| _mm256_sub_epi8(indices, _mm256_set1_epi8(16 * i as i8)))
}

/// Looks up in columns of 64 bytes, those by rank in the first `16 * CHUNKS`.
struct InRegisters<const CHUNKS: usize>;

/// Low and high halves of the states of 16 lanes.
#[derive(Clone, Copy)]
struct Halves {
    low: __m256i,
    high: __m256i,
}

/// `frequency * (state >> 14) + place`.
#[inline]
#[target_feature(enable = "avx2")]
fn moved(state: Halves, frequency: __m256i, place: __m256i) -> Halves {
    let quotient = _mm256_or_si256(
        _mm256_slli_epi16::<2>(state.high),
        _mm256_srli_epi16::<14>(state.low),
    );
    let above = _mm256_srli_epi16::<14>(state.high);
    let high = _mm256_add_epi16(
        _mm256_mulhi_epu16(quotient, frequency),
        _mm256_mullo_epi16(above, frequency),
    );
    let low = _mm256_add_epi16(_mm256_mullo_epi16(quotient, frequency), place);
    // -1 where the sum did not wrap.
    let whole = _mm256_cmpeq_epi16(_mm256_max_epu16(low, place), low);
    let one = _mm256_set1_epi16(1);
    Halves {
        low,
        high: _mm256_add_epi16(high, _mm256_add_epi16(whole, one)),
    }
}

impl<const CHUNKS: usize> InRegisters<CHUNKS> {
    /// Moves all lanes, or, unless `ALL`, the first `count`; the bytes of words used. All of `out`, 64
    /// bytes, is written.
    #[inline(always)]
    unsafe fn moved<const ALL: bool>(
        table: &Small,
        states: &mut [Halves; 4],
        words: *const u8,
        out: *mut u8,
        count: usize,
    ) -> usize {
        // Safety: `out` has 64 bytes, words 128; the features are the caller's.
        unsafe {
            let byte = _mm256_set1_epi16(0xff);
            let zero = _mm256_setzero_si256();
            let mut used = 0;
            let mut part = 0;
            while part < 2 {
                let [a, b] = [states[2 * part], states[2 * part + 1]];
                let (place_a, place_b) =
                    (_mm256_and_si256(a.low, byte), _mm256_and_si256(b.low, byte));
                // Packing interleaves a and b; unpacking below undoes it.
                let place = _mm256_packus_epi16(place_a, place_b);
                let bucket = _mm256_and_si256(
                    _mm256_packus_epi16(
                        _mm256_srli_epi16::<8>(a.low),
                        _mm256_srli_epi16::<8>(b.low),
                    ),
                    _mm256_set1_epi8(63),
                );
                let buckets = below::<4>(bucket);
                let divider = at(&table.divider, &buckets);
                let other = _mm256_cmpeq_epi8(_mm256_max_epu8(place, divider), place);
                let rank = _mm256_blendv_epi8(bucket, at(&table.other, &buckets), other);
                let rank = below::<CHUNKS>(rank);
                let (low, high) = (at(&table.low, &rank), at(&table.high, &rank));
                let bias_low = _mm256_and_si256(at(&table.bias_low, &buckets), other);
                let bias_high = _mm256_and_si256(at(&table.bias_high, &buckets), other);
                let symbols = _mm256_permute4x64_epi64::<0b11_01_10_00>(at(&table.symbol, &rank));
                _mm256_storeu_si256(out.add(32 * part).cast(), symbols);

                let new = [
                    moved(
                        a,
                        _mm256_unpacklo_epi8(low, high),
                        _mm256_add_epi16(place_a, _mm256_unpacklo_epi8(bias_low, bias_high)),
                    ),
                    moved(
                        b,
                        _mm256_unpackhi_epi8(low, high),
                        _mm256_add_epi16(place_b, _mm256_unpackhi_epi8(bias_low, bias_high)),
                    ),
                ];
                let mut short = new.map(|state| _mm256_cmpeq_epi16(state.high, zero));
                let mut active = [zero; 2];
                if !ALL {
                    for (i, active) in active.iter_mut().enumerate() {
                        let lanes =
                            _mm256_setr_epi16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
                        let count = count as i16 - (32 * part + 16 * i) as i16;
                        *active = _mm256_cmpgt_epi16(_mm256_set1_epi16(count), lanes);
                        short[i] = _mm256_and_si256(short[i], *active);
                    }
                }
                // Lanes 0 to 7, 16 to 23, 8 to 15, 24 to 31.
                let [m0, m2, m1, m3] =
                    _mm256_movemask_epi8(_mm256_packs_epi16(short[0], short[1])).to_le_bytes();
                let w0 = spread(words, &mut used, m0);
                let w1 = spread(words, &mut used, m1);
                let w2 = spread(words, &mut used, m2);
                let w3 = spread(words, &mut used, m3);
                let words = [_mm256_set_m128i(w1, w0), _mm256_set_m128i(w3, w2)];
                let mut i = 0;
                while i < 2 {
                    let filled = Halves {
                        low: _mm256_or_si256(_mm256_andnot_si256(short[i], new[i].low), words[i]),
                        high: _mm256_or_si256(_mm256_and_si256(short[i], new[i].low), new[i].high),
                    };
                    let state = &mut states[2 * part + i];
                    *state = if ALL {
                        filled
                    } else {
                        Halves {
                            low: _mm256_blendv_epi8(state.low, filled.low, active[i]),
                            high: _mm256_blendv_epi8(state.high, filled.high, active[i]),
                        }
                    };
                    i += 1;
                }
                part += 1;
            }
            used
        }
    }
}

impl<const CHUNKS: usize> Kernel for InRegisters<CHUNKS> {
    type Table = Small;
    type States = [Halves; 4];

    #[inline(always)]
    fn table(table: &DecodeTable) -> Option<&Small> {
        table.small().filter(|table| table.symbols <= 16 * CHUNKS)
    }

    #[inline(always)]
    unsafe fn load(states: &[u32; LANES]) -> [Halves; 4] {
        let (parts, _) = states.as_chunks::<16>();
        std::array::from_fn(|i| {
            let low = parts[i].map(|state| state as u16);
            let high = parts[i].map(|state| (state >> 16) as u16);
            // Safety: arrays of 32 bytes; the features are the caller's.
            unsafe {
                Halves {
                    low: _mm256_loadu_si256(low.as_ptr().cast()),
                    high: _mm256_loadu_si256(high.as_ptr().cast()),
                }
            }
        })
    }

    #[inline(always)]
    unsafe fn store(states: [Halves; 4], to: &mut [u32; LANES]) {
        for (state, states) in states.iter().zip(to.as_chunks_mut::<16>().0) {
            let mut halves = [[0_u16; 16]; 2];
            // Safety: as in `load`.
            unsafe {
                _mm256_storeu_si256(halves[0].as_mut_ptr().cast(), state.low);
                _mm256_storeu_si256(halves[1].as_mut_ptr().cast(), state.high);
            }
            for ((state, low), high) in states.iter_mut().zip(halves[0]).zip(halves[1]) {
                *state = u32::from(low) | u32::from(high) << 16;
            }
        }
    }

    #[inline(always)]
    unsafe fn step(
        table: &Small,
        states: &mut [Halves; 4],
        words: *const u8,
        out: *mut u8,
    ) -> usize {
        // Safety: as the caller says.
        unsafe { Self::moved::<true>(table, states, words, out, LANES) }
    }

    #[inline(always)]
    unsafe fn part(
        table: &Small,
        states: &mut [Halves; 4],
        words: *const u8,
        out: *mut u8,
        count: usize,
    ) -> usize {
        let mut all = [0; LANES];
        // Safety: as the caller says; `out` has `count` bytes, at most 64.
        unsafe {
            let used = Self::moved::<false>(table, states, words, all.as_mut_ptr(), count);
            std::ptr::copy_nonoverlapping(all.as_ptr(), out, count);
            used
        }
    }
}

/// Looks up in memory, lane by lane.
struct InMemory;

impl Kernel for InMemory {
    type Table = Large;
    type States = [u32; LANES];

    #[inline(always)]
    fn table(table: &DecodeTable) -> Option<&Large> {
        table.large()
    }

    #[inline(always)]
    unsafe fn load(states: &[u32; LANES]) -> [u32; LANES] {
        *states
    }

    #[inline(always)]
    unsafe fn store(states: [u32; LANES], to: &mut [u32; LANES]) {
        *to = states;
    }

    #[inline(always)]
    unsafe fn step(
        table: &Large,
        states: &mut [u32; LANES],
        words: *const u8,
        out: *mut u8,
    ) -> usize {
        // Safety: as the caller says.
        unsafe { Self::part(table, states, words, out, LANES) }
    }

    #[inline(always)]
    unsafe fn part(
        table: &Large,
        states: &mut [u32; LANES],
        words: *const u8,
        out: *mut u8,
        count: usize,
    ) -> usize {
        // Safety: `out` has `count` bytes.
        let out = unsafe { std::slice::from_raw_parts_mut(out, count) };
        let mut used = 0;
        for (states, out) in states
            .as_chunks_mut::<8>()
            .0
            .iter_mut()
            .zip(out.chunks_mut(8))
        {
            let entries = states.map(|state| table.0[state as usize & 0xfff]);
            for (out, entry) in out.iter_mut().zip(entries) {
                *out = entry as u8;
            }
            // Safety: arrays of eight values; words are as the caller says, features its own.
            unsafe {
                let entry = _mm256_loadu_si256(entries.as_ptr().cast());
                let state = _mm256_loadu_si256(states.as_ptr().cast());
                let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
                let active = _mm256_cmpgt_epi32(_mm256_set1_epi32(out.len() as i32), lanes);
                let frequency =
                    _mm256_and_si256(_mm256_srli_epi32::<8>(entry), _mm256_set1_epi32(0xfff));
                let moved = _mm256_add_epi32(
                    _mm256_mullo_epi32(frequency, _mm256_srli_epi32::<12>(state)),
                    _mm256_srli_epi32::<20>(entry),
                );
                let zero = _mm256_setzero_si256();
                let short = _mm256_cmpeq_epi32(_mm256_srli_epi32::<16>(moved), zero);
                let short = _mm256_and_si256(short, active);
                let mask = _mm256_movemask_ps(_mm256_castsi256_ps(short)) as u8;
                let words = _mm256_cvtepu16_epi32(spread(words, &mut used, mask));
                let raised = _mm256_or_si256(_mm256_slli_epi32::<16>(moved), words);
                let filled = _mm256_blendv_epi8(moved, raised, short);
                let state = _mm256_blendv_epi8(state, filled, active);
                _mm256_storeu_si256(states.as_mut_ptr().cast(), state);
            }
        }
        used
    }
}
