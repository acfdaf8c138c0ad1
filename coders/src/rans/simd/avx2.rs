//! AVX2 twins of the kernels.
//!
//! No gathers: they are slow on many machines, and more so where a leak through them was closed.

use std::arch::x86_64::*;

use super::{Decode, Done, STEP_BYTES};
use crate::rans::decode::{Large, Small};
use crate::rans::{BUCKETS, LANES};
use crate::simd::Level;

pub fn decode_small(table: &Small, job: Decode<'_>) -> Done {
    assert!(Level::Avx2.detected());
    // Safety: the features were detected.
    unsafe {
        if table.symbols <= 32 {
            small::<2>(table, job)
        } else {
            small::<4>(table, job)
        }
    }
}

pub fn decode_large(table: &Large, job: Decode<'_>) -> Done {
    assert!(Level::Avx2.detected());
    // Safety: the features were detected.
    unsafe { large(table, job) }
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
fn spread(words: &[u8; STEP_BYTES], used: &mut usize, mask: u8) -> __m128i {
    debug_assert!(*used <= STEP_BYTES - 16);
    // Safety: a step has eight calls, each of which moves on by 16 bytes at most.
    let next = unsafe { _mm_loadu_si128(words.as_ptr().add(*used).cast()) };
    *used += 2 * mask.count_ones() as usize;
    // Safety: an array of 16 bytes.
    let order = unsafe { _mm_loadu_si128(SPREAD[usize::from(mask)].as_ptr().cast()) };
    _mm_shuffle_epi8(next, order)
}

/// `CHUNKS` times 16 bytes, each chunk but the first as its difference from the one before.
#[derive(Clone, Copy)]
struct Column<const CHUNKS: usize>([__m256i; CHUNKS]);

impl<const CHUNKS: usize> Column<CHUNKS> {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new(bytes: &[u8; BUCKETS]) -> Self {
        let (chunks, _) = bytes.as_chunks::<16>();
        // Safety: an array of 16 bytes.
        let chunk = |i: usize| unsafe {
            _mm256_broadcastsi128_si256(_mm_loadu_si128(chunks[i].as_ptr().cast()))
        };
        Self(std::array::from_fn(|i| match i {
            0 => chunk(0),
            _ => _mm256_xor_si256(chunk(i), chunk(i - 1)),
        }))
    }

    /// The bytes at the indices that [`below`] prepared: differences add up to the right chunk.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn at(&self, indices: &[__m256i; CHUNKS]) -> __m256i {
        let mut sum = _mm256_shuffle_epi8(self.0[0], indices[0]);
        // By index: an iterator is not unrolled, and then the registers go through memory.
        let mut i = 1;
        while i < CHUNKS {
            sum = _mm256_xor_si256(sum, _mm256_shuffle_epi8(self.0[i], indices[i]));
            i += 1;
        }
        sum
    }
}

/// Indices, below 64, less the start of each chunk: negative where a chunk takes no part.
#[inline]
#[target_feature(enable = "avx2")]
fn below<const CHUNKS: usize>(indices: __m256i) -> [__m256i; CHUNKS] {
    std::array::from_fn(|i| _mm256_sub_epi8(indices, _mm256_set1_epi8(16 * i as i8)))
}

/// The columns by bucket, and those by symbol, of which there are `16 * CHUNKS` at most.
struct Columns<const CHUNKS: usize> {
    divider: Column<4>,
    other: Column<4>,
    bias_low: Column<4>,
    bias_high: Column<4>,
    symbol: Column<CHUNKS>,
    low: Column<CHUNKS>,
    high: Column<CHUNKS>,
}

/// Low and high halves of the states of 16 lanes.
#[derive(Clone, Copy)]
struct Halves {
    low: __m256i,
    high: __m256i,
}

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn small<const CHUNKS: usize>(table: &Small, job: Decode<'_>) -> Done {
    let columns = Columns::<CHUNKS> {
        divider: Column::new(&table.divider),
        other: Column::new(&table.other),
        bias_low: Column::new(&table.bias_low),
        bias_high: Column::new(&table.bias_high),
        symbol: Column::new(&table.own_symbol),
        low: Column::new(&table.own_low),
        high: Column::new(&table.own_high),
    };
    let mut states = split(job.states);
    let mut done = Done {
        symbols: 0,
        bytes: 0,
    };
    for out in job.out.chunks_mut(job.lanes) {
        let Some(words) = job.words[done.bytes..].first_chunk() else {
            break;
        };
        done.symbols += out.len();
        done.bytes += if let Ok(out) = <&mut [u8; LANES]>::try_from(&mut *out) {
            step::<CHUNKS, true>(&columns, &mut states, words, LANES, out)
        } else {
            let mut all = [0; LANES];
            let used = step::<CHUNKS, false>(&columns, &mut states, words, out.len(), &mut all);
            out.copy_from_slice(&all[..out.len()]);
            used
        };
    }
    for (state, states) in states.iter().zip(job.states.as_chunks_mut::<16>().0) {
        let mut halves = [[0_u16; 16]; 2];
        // Safety: arrays of 32 bytes.
        unsafe {
            _mm256_storeu_si256(halves[0].as_mut_ptr().cast(), state.low);
            _mm256_storeu_si256(halves[1].as_mut_ptr().cast(), state.high);
        }
        for ((state, low), high) in states.iter_mut().zip(halves[0]).zip(halves[1]) {
            *state = u32::from(low) | u32::from(high) << 16;
        }
    }
    done
}

#[inline]
#[target_feature(enable = "avx2")]
fn split(states: &[u32; LANES]) -> [Halves; 4] {
    let (parts, _) = states.as_chunks::<16>();
    std::array::from_fn(|i| {
        let low = parts[i].map(|state| state as u16);
        let high = parts[i].map(|state| (state >> 16) as u16);
        // Safety: arrays of 32 bytes.
        unsafe {
            Halves {
                low: _mm256_loadu_si256(low.as_ptr().cast()),
                high: _mm256_loadu_si256(high.as_ptr().cast()),
            }
        }
    })
}

/// Moves all lanes, or, unless `ALL`, the first `count`; the bytes of words used.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn step<const CHUNKS: usize, const ALL: bool>(
    table: &Columns<CHUNKS>,
    states: &mut [Halves; 4],
    words: &[u8; STEP_BYTES],
    count: usize,
    out: &mut [u8; LANES],
) -> usize {
    let byte = _mm256_set1_epi16(0xff);
    let mut used = 0;
    for (part, (states, out)) in states
        .as_chunks_mut::<2>()
        .0
        .iter_mut()
        .zip(out.as_chunks_mut::<32>().0)
        .enumerate()
    {
        let [a, b] = *states;
        let (place_a, place_b) = (_mm256_and_si256(a.low, byte), _mm256_and_si256(b.low, byte));
        // Packing interleaves a and b; unpacking below undoes it.
        let place = _mm256_packus_epi16(place_a, place_b);
        let bucket = _mm256_and_si256(
            _mm256_packus_epi16(_mm256_srli_epi16::<8>(a.low), _mm256_srli_epi16::<8>(b.low)),
            _mm256_set1_epi8(63),
        );
        let buckets = below(bucket);
        let divider = table.divider.at(&buckets);
        let other = _mm256_cmpeq_epi8(_mm256_max_epu8(place, divider), place);
        let symbol = below(_mm256_blendv_epi8(bucket, table.other.at(&buckets), other));
        let (low, high) = (table.low.at(&symbol), table.high.at(&symbol));
        let bias_low = _mm256_and_si256(table.bias_low.at(&buckets), other);
        let bias_high = _mm256_and_si256(table.bias_high.at(&buckets), other);
        let symbols = _mm256_permute4x64_epi64::<0b11_01_10_00>(table.symbol.at(&symbol));
        // Safety: an array of 32 bytes.
        unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), symbols) };

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
        let zero = _mm256_setzero_si256();
        let mut short = new.map(|state| _mm256_cmpeq_epi16(state.high, zero));
        let mut active = [zero; 2];
        if !ALL {
            for (i, active) in active.iter_mut().enumerate() {
                let lanes = _mm256_setr_epi16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
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
        for (i, words) in [_mm256_set_m128i(w1, w0), _mm256_set_m128i(w3, w2)]
            .into_iter()
            .enumerate()
        {
            let filled = Halves {
                low: _mm256_or_si256(_mm256_andnot_si256(short[i], new[i].low), words),
                high: _mm256_or_si256(_mm256_and_si256(short[i], new[i].low), new[i].high),
            };
            states[i] = if ALL {
                filled
            } else {
                Halves {
                    low: _mm256_blendv_epi8(states[i].low, filled.low, active[i]),
                    high: _mm256_blendv_epi8(states[i].high, filled.high, active[i]),
                }
            };
        }
    }
    used
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

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn large(table: &Large, job: Decode<'_>) -> Done {
    let mut done = Done {
        symbols: 0,
        bytes: 0,
    };
    for out in job.out.chunks_mut(job.lanes) {
        let Some(words) = job.words[done.bytes..].first_chunk::<STEP_BYTES>() else {
            break;
        };
        let mut used = 0;
        for (states, out) in job
            .states
            .as_chunks_mut::<8>()
            .0
            .iter_mut()
            .zip(out.chunks_mut(8))
        {
            let entries = states.map(|state| table.0[state as usize & 0xfff]);
            for (out, entry) in out.iter_mut().zip(entries) {
                *out = entry as u8;
            }
            let entry = _mm256_setr_epi32(
                entries[0] as i32,
                entries[1] as i32,
                entries[2] as i32,
                entries[3] as i32,
                entries[4] as i32,
                entries[5] as i32,
                entries[6] as i32,
                entries[7] as i32,
            );
            // Safety: an array of eight values.
            let state = unsafe { _mm256_loadu_si256(states.as_ptr().cast()) };
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
            // Safety: an array of eight values.
            unsafe { _mm256_storeu_si256(states.as_mut_ptr().cast(), state) };
        }
        done.symbols += out.len();
        done.bytes += used;
    }
    done
}
