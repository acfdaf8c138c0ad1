//! AVX-512 twins of the decoder, with the byte permutations of VBMI and VBMI2.

use std::arch::x86_64::*;

use super::Decode;
use super::avx512::{detected, first};
use super::drive::{Kernel, one, two};
use crate::rans::LANES;
use crate::rans::decode::{Column, DecodeTable, Large, Small};

pub fn decode(small: bool, job: &mut Decode<'_, '_, '_, '_>) {
    assert!(detected());
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
    assert!(detected());
    // Safety: the features were detected.
    unsafe {
        if small {
            two_small(jobs)
        } else {
            two_large(jobs)
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi1,bmi2,popcnt")]
fn one_small(job: &mut Decode<'_, '_, '_, '_>) {
    // Safety: the features are those of this function, here and below.
    unsafe { one::<InRegisters>(job) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi1,bmi2,popcnt")]
fn two_small(jobs: &mut [Decode<'_, '_, '_, '_>; 2]) {
    // Safety: as above.
    unsafe { two::<InRegisters>(jobs) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,bmi1,bmi2,popcnt")]
fn one_large(job: &mut Decode<'_, '_, '_, '_>) {
    // Safety: as above.
    unsafe { one::<Gathered>(job) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,bmi1,bmi2,popcnt")]
fn two_large(jobs: &mut [Decode<'_, '_, '_, '_>; 2]) {
    // Safety: as above.
    unsafe { two::<Gathered>(jobs) }
}

/// Looks up in columns of 64 bytes.
struct InRegisters;

/// Low and high halves of the states of 32 lanes.
#[derive(Clone, Copy)]
struct Halves {
    low: __m512i,
    high: __m512i,
}

/// Even bytes of `even`, odd ones of `odd`.
#[inline]
#[target_feature(enable = "avx512f")]
fn mingle(even: __m512i, odd: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0b1110_0100>(even, odd, _mm512_set1_epi16(0xff))
}

/// Columns' bytes of lanes, those of two halves in turn, as 16-bit numbers of each half.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn part(low: __m512i, high: __m512i) -> [__m512i; 2] {
    [
        mingle(low, _mm512_slli_epi16::<8>(high)),
        mingle(_mm512_srli_epi16::<8>(low), high),
    ]
}

/// `frequency * (state >> 14) + place`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi2")]
fn moved(state: Halves, frequency: __m512i, place: __m512i) -> Halves {
    let quotient = _mm512_shldi_epi16::<2>(state.high, state.low);
    let above = _mm512_srli_epi16::<14>(state.high);
    let high = _mm512_add_epi16(
        _mm512_mulhi_epu16(quotient, frequency),
        _mm512_mullo_epi16(above, frequency),
    );
    let low = _mm512_add_epi16(_mm512_mullo_epi16(quotient, frequency), place);
    let carry = _mm512_cmplt_epu16_mask(low, place);
    Halves {
        low,
        high: _mm512_mask_sub_epi16(high, carry, high, _mm512_set1_epi16(-1)),
    }
}

impl InRegisters {
    /// Moves the `active` lanes, all if `ALL`; their symbols and the bytes of words used.
    #[inline(always)]
    unsafe fn moved<const ALL: bool>(
        table: &Small,
        states: &mut [Halves; 2],
        words: *const u8,
        active: u64,
    ) -> (__m512i, usize) {
        // Safety: columns have 64 bytes, words 128, of which at most 64 are used before the last
        // load; the features are the caller's.
        unsafe {
            let column = |column: &Column| _mm512_load_si512(column.bytes.as_ptr().cast());
            let [a, b] = *states;
            let byte = _mm512_set1_epi16(0xff);
            let place = mingle(a.low, _mm512_slli_epi16::<8>(b.low));
            // Permutations heed the low six bits alone: the bucket, or the rank.
            let bucket = mingle(_mm512_srli_epi16::<8>(a.low), b.low);
            let divider = _mm512_permutexvar_epi8(bucket, column(&table.divider));
            let other = _mm512_cmpge_epu8_mask(place, divider);
            let rank = _mm512_mask_permutexvar_epi8(bucket, other, bucket, column(&table.other));
            let by_rank = |of: &Column| _mm512_permutexvar_epi8(rank, column(of));
            let bias = |of: &Column| _mm512_maskz_permutexvar_epi8(other, bucket, column(of));
            let frequency = part(by_rank(&table.low), by_rank(&table.high));
            let bias = part(bias(&table.bias_low), bias(&table.bias_high));
            let place =
                |state: Halves, bias| _mm512_add_epi16(_mm512_and_si512(state.low, byte), bias);
            let a = moved(a, frequency[0], place(a, bias[0]));
            let b = moved(b, frequency[1], place(b, bias[1]));
            let mut short_a = _mm512_testn_epi16_mask(a.high, a.high);
            let mut short_b = _mm512_testn_epi16_mask(b.high, b.high);
            if !ALL {
                short_a &= active as u32;
                short_b &= (active >> 32) as u32;
            }
            let used_a = short_a.count_ones() as usize;
            let used_b = short_b.count_ones() as usize;
            let words_a = _mm512_loadu_si512(words.cast());
            let words_b = _mm512_loadu_si512(words.add(2 * used_a).cast());
            let filled = |lane: Halves, short: u32, words: __m512i| Halves {
                low: _mm512_mask_expand_epi16(lane.low, short, words),
                high: _mm512_mask_mov_epi16(lane.high, short, lane.low),
            };
            let new = [filled(a, short_a, words_a), filled(b, short_b, words_b)];
            if ALL {
                *states = new;
            } else {
                for (i, (state, new)) in states.iter_mut().zip(new).enumerate() {
                    let active = (active >> (32 * i)) as u32;
                    state.low = _mm512_mask_mov_epi16(state.low, active, new.low);
                    state.high = _mm512_mask_mov_epi16(state.high, active, new.high);
                }
            }
            let order = _mm512_loadu_si512(IN_ORDER.as_ptr().cast());
            let symbols = _mm512_permutexvar_epi8(order, by_rank(&table.symbol));
            (symbols, 2 * (used_a + used_b))
        }
    }
}

/// Where the bytes of lanes are while those of both halves are mingled.
static IN_ORDER: [u8; LANES] = {
    let mut order = [0; LANES];
    let mut lane = 0;
    while lane < LANES {
        order[lane] = (2 * (lane % 32) + lane / 32) as u8;
        lane += 1;
    }
    order
};

impl Kernel for InRegisters {
    type Table = Small;
    type States = [Halves; 2];

    #[inline(always)]
    fn table(table: &DecodeTable) -> Option<&Small> {
        table.small()
    }

    #[inline(always)]
    unsafe fn load(states: &[u32; LANES]) -> [Halves; 2] {
        let half = |i: usize| {
            let states: &[u32; 32] = &states.as_chunks().0[i];
            let low = states.map(|state| state as u16);
            let high = states.map(|state| (state >> 16) as u16);
            // Safety: arrays of 64 bytes; the features are the caller's.
            unsafe {
                Halves {
                    low: _mm512_loadu_si512(low.as_ptr().cast()),
                    high: _mm512_loadu_si512(high.as_ptr().cast()),
                }
            }
        };
        [half(0), half(1)]
    }

    #[inline(always)]
    unsafe fn store(states: [Halves; 2], to: &mut [u32; LANES]) {
        for (half, states) in states.iter().zip(to.as_chunks_mut::<32>().0) {
            let mut low = [0_u16; 32];
            let mut high = [0_u16; 32];
            // Safety: as in `load`.
            unsafe {
                _mm512_storeu_si512(low.as_mut_ptr().cast(), half.low);
                _mm512_storeu_si512(high.as_mut_ptr().cast(), half.high);
            }
            for ((state, low), high) in states.iter_mut().zip(low).zip(high) {
                *state = u32::from(low) | u32::from(high) << 16;
            }
        }
    }

    #[inline(always)]
    unsafe fn step(
        table: &Small,
        states: &mut [Halves; 2],
        words: *const u8,
        out: *mut u8,
    ) -> usize {
        // Safety: as the caller says.
        unsafe {
            let (symbols, used) = Self::moved::<true>(table, states, words, u64::MAX);
            _mm512_storeu_si512(out.cast(), symbols);
            used
        }
    }

    #[inline(always)]
    unsafe fn part(
        table: &Small,
        states: &mut [Halves; 2],
        words: *const u8,
        out: *mut u8,
        count: usize,
    ) -> usize {
        let active = first(count);
        // Safety: as the caller says; `active` has as many ones as `out` has bytes.
        unsafe {
            let (symbols, used) = Self::moved::<false>(table, states, words, active);
            _mm512_mask_storeu_epi8(out.cast(), active, symbols);
            used
        }
    }
}

/// Looks up in memory.
struct Gathered;

impl Gathered {
    #[inline(always)]
    unsafe fn moved<const ALL: bool>(
        table: &Large,
        states: &mut [__m512i; 4],
        words: *const u8,
        out: *mut u8,
        active: u64,
    ) -> usize {
        let mut used = 0;
        // By index: an iterator is not unrolled.
        let mut i = 0;
        while i < 4 {
            let state = states[i];
            let active = (active >> (16 * i)) as u16;
            // Safety: indices are below 4,096, the length of the table; 32 bytes of words at most
            // 96 bytes into 128; as many bytes are stored as `out` has. Features are the caller's.
            unsafe {
                let slot = _mm512_and_si512(state, _mm512_set1_epi32(0xfff));
                let entry = _mm512_i32gather_epi32::<4>(slot, table.0.as_ptr().cast());
                let frequency =
                    _mm512_and_si512(_mm512_srli_epi32::<8>(entry), _mm512_set1_epi32(0xfff));
                let moved = _mm512_add_epi32(
                    _mm512_mullo_epi32(frequency, _mm512_srli_epi32::<12>(state)),
                    _mm512_srli_epi32::<20>(entry),
                );
                let mut short = _mm512_cmplt_epu32_mask(moved, _mm512_set1_epi32(1 << 16));
                if !ALL {
                    short &= active;
                }
                let words = _mm512_cvtepu16_epi32(_mm256_loadu_si256(words.add(used).cast()));
                let words = _mm512_maskz_expand_epi32(short, words);
                let filled = _mm512_mask_slli_epi32::<16>(moved, short, moved);
                let out = out.wrapping_add(16 * i);
                if ALL {
                    states[i] = _mm512_or_si512(filled, words);
                    _mm_storeu_si128(out.cast(), _mm512_cvtepi32_epi8(entry));
                } else {
                    states[i] = _mm512_mask_or_epi32(state, active, filled, words);
                    _mm512_mask_cvtepi32_storeu_epi8(out.cast(), active, entry);
                }
                used += 2 * short.count_ones() as usize;
            }
            i += 1;
        }
        used
    }
}

impl Kernel for Gathered {
    type Table = Large;
    type States = [__m512i; 4];

    #[inline(always)]
    fn table(table: &DecodeTable) -> Option<&Large> {
        table.large()
    }

    #[inline(always)]
    unsafe fn load(states: &[u32; LANES]) -> [__m512i; 4] {
        let (parts, _) = states.as_chunks::<16>();
        // Safety: arrays of 64 bytes; the features are the caller's.
        std::array::from_fn(|i| unsafe { _mm512_loadu_si512(parts[i].as_ptr().cast()) })
    }

    #[inline(always)]
    unsafe fn store(states: [__m512i; 4], to: &mut [u32; LANES]) {
        for (part, state) in to.as_chunks_mut::<16>().0.iter_mut().zip(states) {
            // Safety: as in `load`.
            unsafe { _mm512_storeu_si512(part.as_mut_ptr().cast(), state) };
        }
    }

    #[inline(always)]
    unsafe fn step(
        table: &Large,
        states: &mut [__m512i; 4],
        words: *const u8,
        out: *mut u8,
    ) -> usize {
        // Safety: as the caller says.
        unsafe { Self::moved::<true>(table, states, words, out, u64::MAX) }
    }

    #[inline(always)]
    unsafe fn part(
        table: &Large,
        states: &mut [__m512i; 4],
        words: *const u8,
        out: *mut u8,
        count: usize,
    ) -> usize {
        // Safety: as the caller says.
        unsafe { Self::moved::<false>(table, states, words, out, first(count)) }
    }
}
