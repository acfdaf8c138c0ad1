//! AVX-512 twins of the kernels, with the byte permutations of VBMI and VBMI2.

use std::arch::x86_64::*;

use super::Encode;
use crate::rans::encode::{Compact, EncodeTable};
use crate::rans::{LANES, LARGE_BITS, SMALL_BITS};
use crate::simd::Level;

/// Whether this machine has the instructions, some of which [`Level::Avx512`] does without.
pub fn detected() -> bool {
    Level::Avx512.detected()
        && is_x86_feature_detected!("avx512vbmi")
        && is_x86_feature_detected!("avx512vbmi2")
}

/// The first `count` of 64 lanes.
#[inline(always)]
pub fn first(count: usize) -> u64 {
    u64::MAX.checked_shr(64 - count as u32).unwrap_or(0)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(bytes: &[u8; 64]) -> __m512i {
    // Safety: an array of 64 bytes.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

pub fn encode(table: &EncodeTable, job: Encode<'_>) -> usize {
    assert!(detected());
    // Safety: the features were detected.
    unsafe {
        if let Some(compact) = &table.compact {
            encode_with::<true, _>(table, job, Registers::new(compact))
        } else if table.slots.is_empty() {
            encode_with::<false, _>(table, job, Memory(table))
        } else {
            encode_with::<true, _>(table, job, Memory(table))
        }
    }
}

pub fn encode_two(tables: [&EncodeTable; 2], jobs: [Encode<'_>; 2]) -> [usize; 2] {
    assert!(detected());
    // Safety: the features were detected.
    unsafe {
        if let (Some(a), Some(b)) = (&tables[0].compact, &tables[1].compact) {
            let entries = [Registers::new(a), Registers::new(b)];
            two_with::<true, _>(tables, jobs, entries)
        } else if tables.iter().all(|table| table.slots.is_empty()) {
            two_with::<false, _>(tables, jobs, tables.map(Memory))
        } else {
            let [a, b] = jobs;
            [encode(tables[0], a), encode(tables[1], b)]
        }
    }
}

/// Where entries of an encoder's table are looked up.
trait Entries {
    /// Whether `lacking` tells of all symbols.
    const TELLS: bool;

    /// Quotients of numbers below `frequency << 18`, or one less.
    unsafe fn divided(numbers: __m512i, reciprocals: __m512i) -> __m512i;

    /// Which of up to 64 symbols (zeros behind them) the table lacks, unless `look_up` tells.
    unsafe fn lacking(&self, symbols: &[u8], active: u64) -> u64;

    /// Reciprocals for `divided`, and frequencies below bit 16 with what comes before above it; frequencies of
    /// symbols that `lacking` does not tell are 0 where the table has none.
    unsafe fn look_up(&self, symbols: __m512i) -> (__m512i, __m512i);
}

/// Entries by symbol, in memory.
struct Memory<'a>(&'a EncodeTable);

impl Entries for Memory<'_> {
    const TELLS: bool = false;

    #[inline(always)]
    unsafe fn divided(numbers: __m512i, reciprocals: __m512i) -> __m512i {
        // Safety: the features were detected.
        unsafe {
            let halves = _mm512_srli_epi64::<32>(_mm512_mul_epu32(numbers, reciprocals));
            let odds = _mm512_mul_epu32(
                _mm512_srli_epi64::<32>(numbers),
                _mm512_srli_epi64::<32>(reciprocals),
            );
            _mm512_mask_mov_epi32(halves, 0xaaaa, odds)
        }
    }

    #[inline(always)]
    unsafe fn lacking(&self, _: &[u8], _: u64) -> u64 {
        0
    }

    #[inline(always)]
    unsafe fn look_up(&self, symbols: __m512i) -> (__m512i, __m512i) {
        let base = self.0.entries.as_ptr().cast();
        // Safety: an entry has eight bytes, and there is one for every byte; the features were
        // detected.
        unsafe {
            let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
            let odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
            let first = _mm512_i32gather_epi64::<8>(_mm512_castsi512_si256(symbols), base);
            let second = _mm512_i32gather_epi64::<8>(_mm512_extracti64x4_epi64::<1>(symbols), base);
            (
                _mm512_permutex2var_epi32(first, even, second),
                _mm512_permutex2var_epi32(first, odd, second),
            )
        }
    }
}

/// Entries by the lower six bits of a symbol, in registers.
struct Registers {
    symbols: __m512i,
    reciprocals: [__m512i; 4],
    rest: [__m512i; 4],
}

impl Registers {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn new(table: &Compact) -> Self {
        // Safety: arrays of 256 bytes.
        let load = |column: *const __m512i| unsafe {
            std::array::from_fn(|i| _mm512_loadu_si512(column.add(i)))
        };
        Self {
            symbols: self::load(&table.symbols),
            reciprocals: load(table.reciprocals.as_ptr().cast()),
            rest: load(table.rest.as_ptr().cast()),
        }
    }
}

impl Entries for Registers {
    const TELLS: bool = true;

    /// The quotient is below 2^18: three roundings of one part in 2^23 at most, and what reciprocals lack,
    /// take less than one from it.
    #[inline(always)]
    unsafe fn divided(numbers: __m512i, reciprocals: __m512i) -> __m512i {
        // Safety: the features were detected.
        unsafe {
            let reciprocals = _mm512_castsi512_ps(reciprocals);
            _mm512_cvttps_epu32(_mm512_mul_ps(_mm512_cvtepu32_ps(numbers), reciprocals))
        }
    }

    #[inline(always)]
    unsafe fn lacking(&self, symbols: &[u8], active: u64) -> u64 {
        // Safety: as many bytes as `symbols` has; the features were detected.
        unsafe {
            let symbols = _mm512_maskz_loadu_epi8(active, symbols.as_ptr().cast());
            let known = _mm512_permutexvar_epi8(symbols, self.symbols);
            _mm512_mask_cmpneq_epi8_mask(active, symbols, known)
        }
    }

    #[inline(always)]
    unsafe fn look_up(&self, symbols: __m512i) -> (__m512i, __m512i) {
        // Safety: the features were detected.
        unsafe {
            let upper = _mm512_test_epi32_mask(symbols, _mm512_set1_epi32(32));
            let pick = |column: &[__m512i; 4]| {
                let low = _mm512_permutex2var_epi32(column[0], symbols, column[1]);
                let high = _mm512_permutex2var_epi32(column[2], symbols, column[3]);
                _mm512_mask_mov_epi32(low, upper, high)
            };
            (pick(&self.reciprocals), pick(&self.rest))
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_states(states: &[u32; LANES]) -> [__m512i; 4] {
    let (parts, _) = states.as_chunks::<16>();
    // Safety: arrays of 64 bytes.
    std::array::from_fn(|i| unsafe { _mm512_loadu_si512(parts[i].as_ptr().cast()) })
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store_states(states: [__m512i; 4], to: &mut [u32; LANES]) {
    for (part, state) in to.as_chunks_mut::<16>().0.iter_mut().zip(states) {
        // Safety: an array of 64 bytes.
        unsafe { _mm512_storeu_si512(part.as_mut_ptr().cast(), state) };
    }
}

const LACKING: &str = "a table lacks a symbol of its run";

/// Whether a job has words for its symbols, and its table the slots that a step looks up.
fn fits<const SMALL: bool>(table: &EncodeTable, job: &Encode<'_>) -> bool {
    (!SMALL || table.slots.len() > 1 << SMALL_BITS) && job.words.len() >= job.symbols.len()
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi1,bmi2,popcnt")]
fn encode_with<const SMALL: bool, E: Entries>(
    table: &EncodeTable,
    job: Encode<'_>,
    entries: E,
) -> usize {
    assert!(fits::<SMALL>(table, &job));
    let mut states = load_states(job.states);
    let mut lacking = 0;
    let mut left = job.words.len();
    for symbols in job.symbols.chunks(job.lanes).rev() {
        let words = &mut job.words[..left];
        // Safety: the features were detected, the table has its slots, and there is at most a word for
        // each of the symbols that are left.
        let (used, missing) = unsafe {
            if symbols.len() == LANES {
                encode_step::<SMALL, true, _>(table, &entries, &mut states, symbols, words)
            } else {
                encode_step::<SMALL, false, _>(table, &entries, &mut states, symbols, words)
            }
        };
        left -= used;
        lacking |= missing;
    }
    store_states(states, job.states);
    assert!(lacking == 0, "{LACKING}");
    left
}

/// Both jobs, of equally many whole steps.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi1,bmi2,popcnt")]
fn two_with<const SMALL: bool, E: Entries>(
    tables: [&EncodeTable; 2],
    jobs: [Encode<'_>; 2],
    entries: [E; 2],
) -> [usize; 2] {
    let [a, b] = jobs;
    assert!(fits::<SMALL>(tables[0], &a) && fits::<SMALL>(tables[1], &b));
    let mut states = [load_states(a.states), load_states(b.states)];
    let mut lacking = 0;
    let (mut left_a, mut left_b) = (a.words.len(), b.words.len());
    let steps = a.symbols.as_chunks::<LANES>().0.iter();
    for (of_a, of_b) in steps.zip(b.symbols.as_chunks::<LANES>().0).rev() {
        let [states_a, states_b] = &mut states;
        let words_a = &mut a.words[..left_a];
        let words_b = &mut b.words[..left_b];
        // Safety: as in `encode_with`.
        unsafe {
            let (used, missing) =
                encode_step::<SMALL, true, _>(tables[0], &entries[0], states_a, of_a, words_a);
            left_a -= used;
            lacking |= missing;
            let (used, missing) =
                encode_step::<SMALL, true, _>(tables[1], &entries[1], states_b, of_b, words_b);
            left_b -= used;
            lacking |= missing;
        }
    }
    let [of_a, of_b] = states;
    store_states(of_a, a.states);
    store_states(of_b, b.states);
    assert!(lacking == 0, "{LACKING}");
    [left_a, left_b]
}

/// Moves all lanes, or, unless `ALL`, as many as there are `symbols`; how many words were put at the end
/// of `words`, and which lanes' symbols the table lacks.
///
/// # Safety
/// `words` has as many words as `symbols` at least, and a small table slots behind its last one.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi,avx512vbmi2,bmi1,bmi2,popcnt")]
unsafe fn encode_step<const SMALL: bool, const ALL: bool, E: Entries>(
    table: &EncodeTable,
    entries: &E,
    states: &mut [__m512i; 4],
    symbols: &[u8],
    words: &mut [[u8; 2]],
) -> (usize, u64) {
    let bits = if SMALL { SMALL_BITS } else { LARGE_BITS };
    let shift = _mm_cvtsi32_si128(bits as i32);
    let unshift = _mm_cvtsi32_si128(32 - bits as i32);
    let low = _mm512_set1_epi32(0xffff);
    let all_active = first(symbols.len());
    // Safety: as many symbols as are active.
    let mut lacking = unsafe { entries.lacking(symbols, all_active) };
    let mut taken = [_mm256_setzero_si256(); 4];
    let mut full = 0;
    let mut quotients = [_mm512_setzero_si512(); 4];
    let mut places = [_mm512_setzero_si512(); 4];
    for (i, state) in states.iter().enumerate() {
        let active = (all_active >> (16 * i)) as u16;
        let at = symbols.as_ptr().wrapping_add(16 * i);
        // Safety: as many bytes as are left of `symbols`.
        let symbols = unsafe {
            if ALL {
                _mm_loadu_si128(at.cast())
            } else {
                _mm_maskz_loadu_epi8(active, at.cast())
            }
        };
        let symbols = _mm512_cvtepu8_epi32(symbols);
        // Safety: the features were detected.
        let (reciprocal, rest) = unsafe { entries.look_up(symbols) };
        let frequency = _mm512_and_si512(rest, low);
        let start = _mm512_srli_epi32::<16>(rest);
        if !E::TELLS {
            let none = active & _mm512_testn_epi32_mask(frequency, frequency);
            lacking |= u64::from(none) << (16 * i);
        }

        let over = _mm512_cmpge_epu32_mask(_mm512_srl_epi32(*state, unshift), frequency);
        full |= u64::from(over) << (16 * i);
        taken[i] = _mm512_cvtepi32_epi16(*state);
        let x = _mm512_mask_srli_epi32::<16>(*state, over, *state);

        // Safety: the features were detected.
        let estimate = unsafe { E::divided(x, reciprocal) };
        // What is left is below 2^15: the lower halves tell.
        let product = _mm512_mullo_epi16(estimate, frequency);
        let over = _mm512_and_si512(_mm512_sub_epi16(x, product), low);
        let more = _mm512_cmpge_epu32_mask(over, frequency);
        let quotient = _mm512_mask_sub_epi32(estimate, more, estimate, _mm512_set1_epi32(-1));
        let over = _mm512_mask_sub_epi32(over, more, over, frequency);
        places[i] = _mm512_add_epi32(over, start);
        quotients[i] = _mm512_sll_epi32(quotient, shift);
    }
    for (i, state) in states.iter_mut().enumerate() {
        let active = (all_active >> (16 * i)) as u16;
        let slot = if SMALL {
            // A symbol that the table lacks may lead anywhere.
            let place = _mm512_and_si512(places[i], _mm512_set1_epi32((1 << SMALL_BITS) - 1));
            // Safety: the last place has slots behind it.
            let slots = unsafe { _mm512_i32gather_epi32::<2>(place, table.slots.as_ptr().cast()) };
            _mm512_and_si512(slots, low)
        } else {
            places[i]
        };
        let moved = _mm512_add_epi32(quotients[i], slot);
        *state = if ALL {
            moved
        } else {
            _mm512_mask_mov_epi32(*state, active, moved)
        };
    }
    full &= all_active;
    let mut left = words.len();
    for half in [1, 0] {
        let pair =
            _mm512_inserti64x4::<1>(_mm512_castsi256_si512(taken[2 * half]), taken[2 * half + 1]);
        let full = (full >> (32 * half)) as u32;
        let count = full.count_ones() as usize;
        left -= count;
        // Safety: `left` did not fall below 0, since there is at most a word for a symbol; as many are
        // stored as it fell by.
        unsafe {
            _mm512_mask_storeu_epi16(
                words.as_mut_ptr().add(left).cast(),
                first(count) as u32,
                _mm512_maskz_compress_epi16(full, pair),
            );
        }
    }
    (words.len() - left, lacking)
}
