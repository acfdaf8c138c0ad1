//! Products with weights of four bits by AVX-512 VNNI.
#![expect(
    clippy::needless_range_loop,
    reason = "tiles of registers are indexed by row and vector"
)]

use std::arch::x86_64::*;
use std::array::from_fn;

use super::avx512::{AT_ONCE, LANES, fetch_ahead, finish, quad};
use crate::transformer::pack::{GROUP, Nibbles, PANEL, RUN, RUN_BYTES};

/// Sum of a run's activations, in all lanes of 64 bits.
///
/// # Safety
/// The run's low bytes must be where the pointer says, and its high ones a group's inputs behind.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn sum(x: *const u8) -> __m512i {
    let zero = _mm256_setzero_si256();
    // Safety: by the caller.
    let [low, high] = [x, x.wrapping_add(GROUP)]
        .map(|at| _mm256_sad_epu8(unsafe { _mm256_loadu_si256(at.cast()) }, zero));
    let sums = _mm256_add_epi64(low, _mm256_slli_epi64::<8>(high));
    let sums = _mm_add_epi64(
        _mm256_castsi256_si128(sums),
        _mm256_extracti128_si256::<1>(sums),
    );
    let sums = _mm_add_epi64(sums, _mm_unpackhi_epi64(sums, sums));
    _mm512_broadcastq_epi64(sums)
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn nibbles_of<const P: usize>(panel: Nibbles<'_>, x: &[i16], out: &mut [[i64; PANEL]]) {
    let inputs = panel.inputs();
    assert!(inputs.is_multiple_of(GROUP) && x.len() >= P * inputs && out.len() >= P);
    let zero = _mm512_setzero_si512();
    let halves = _mm512_set1_epi8(15);
    let mut totals = [[[zero; 2]; LANES]; P];
    for number in 0..inputs / RUN {
        let (mut low, mut high) = ([[zero; LANES]; P], [[zero; LANES]; P]);
        // Safety: the run lies within the panel and the rows, of which each group is its low bytes and
        // then its high ones.
        unsafe {
            let run = panel.runs.as_ptr().add(number * RUN_BYTES);
            let place = number * RUN / GROUP * GROUP * 2 + number * RUN % GROUP;
            let rows: [*const u8; P] =
                from_fn(|p| x.as_ptr().add(p * inputs).cast::<u8>().add(place));
            for pair in 0..RUN / 8 {
                fetch_ahead(run.add(pair * 4 * PANEL));
                let w: [[_; 2]; LANES] = from_fn(|i| {
                    let both = _mm512_loadu_si512(run.add(pair * 4 * PANEL + i * 64).cast());
                    let second = _mm512_and_si512(_mm512_srli_epi16::<4>(both), halves);
                    [_mm512_and_si512(both, halves), second]
                });
                for p in 0..P {
                    for of in 0..2 {
                        let at = rows[p].add(8 * pair + 4 * of);
                        let (a, b) = (quad(at), quad(at.add(GROUP)));
                        for i in 0..LANES {
                            low[p][i] = _mm512_dpbusd_epi32(low[p][i], a, w[i][of]);
                            high[p][i] = _mm512_dpbusd_epi32(high[p][i], b, w[i][of]);
                        }
                    }
                }
            }
            let lines = run.add(PANEL * RUN / 2);
            fetch_ahead(lines);
            let all: [_; P] = from_fn(|p| sum(rows[p]));
            for i in 0..LANES {
                let line = _mm512_loadu_si512(lines.add(i * 64).cast());
                let step = _mm512_srai_epi32::<16>(_mm512_slli_epi32::<16>(line));
                let base = _mm512_srai_epi32::<16>(line);
                let odd = [step, base].map(|v| _mm512_srli_epi64::<32>(v));
                for p in 0..P {
                    let sums = _mm512_add_epi32(low[p][i], _mm512_slli_epi32::<8>(high[p][i]));
                    let others = _mm512_srli_epi64::<32>(sums);
                    for (total, sums, step, base) in
                        [(0, sums, step, base), (1, others, odd[0], odd[1])]
                    {
                        let both = _mm512_add_epi64(
                            _mm512_mul_epi32(sums, step),
                            _mm512_mul_epi32(all[p], base),
                        );
                        totals[p][i][total] = _mm512_add_epi64(totals[p][i][total], both);
                    }
                }
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
pub(super) fn nibbles(panel: Nibbles<'_>, x: &[i16], out: &mut [[i64; PANEL]]) {
    let inputs = panel.inputs();
    for (x, out) in x.chunks(AT_ONCE * inputs).zip(out.chunks_mut(AT_ONCE)) {
        match out.len() {
            1 => nibbles_of::<1>(panel, x, out),
            2 => nibbles_of::<2>(panel, x, out),
            _ => nibbles_of::<AT_ONCE>(panel, x, out),
        }
    }
}
