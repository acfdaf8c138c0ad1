//! Products with weights of four bits by AVX2: half a panel at a time, for two rows.
#![expect(
    clippy::needless_range_loop,
    reason = "tiles of registers are indexed by row and vector"
)]

use std::arch::x86_64::*;
use std::array::from_fn;

use super::avx2::{HALF, LANES, finish, pair};
use crate::transformer::pack::{Nibbles, PANEL, RUN, RUN_BYTES};

#[target_feature(enable = "avx2")]
fn nibbles_of<const P: usize>(panel: Nibbles<'_>, x: &[i16], out: &mut [[i64; PANEL]]) {
    let inputs = panel.inputs();
    assert!(x.len() >= P * inputs && out.len() >= P);
    let zero = _mm256_setzero_si256();
    let low_half = _mm256_set1_epi16(15);
    for half in [0, HALF] {
        let mut totals = [[[zero; 2]; LANES]; P];
        for number in 0..inputs / RUN {
            let rows: [&[i16]; P] = from_fn(|p| &x[p * inputs + number * RUN..][..RUN]);
            let mut sums = [[zero; LANES]; P];
            // Safety: the run lies within the panel.
            let run = unsafe { panel.runs.as_ptr().add(number * RUN_BYTES) };
            for eight in 0..RUN / 8 {
                // Safety: eight activations lie within the run of each row: of each four first those with
                // even numbers. 32 bytes lie within the run of weights.
                unsafe {
                    let x: [[_; 4]; P] =
                        from_fn(|p| from_fn(|i| pair(rows[p].as_ptr().add(8 * eight + 2 * i))));
                    for i in 0..LANES {
                        let at = run.add(eight * 4 * PANEL + half * 4 + i * 32);
                        let w = _mm256_loadu_si256(at.cast());
                        let w = [
                            _mm256_and_si256(w, low_half),
                            _mm256_and_si256(_mm256_srli_epi16::<8>(w), low_half),
                            _mm256_and_si256(_mm256_srli_epi16::<4>(w), low_half),
                            _mm256_srli_epi16::<12>(w),
                        ];
                        for p in 0..P {
                            for k in 0..4 {
                                let part = _mm256_madd_epi16(w[k], x[p][k]);
                                sums[p][i] = _mm256_add_epi32(sums[p][i], part);
                            }
                        }
                    }
                }
            }
            let all: [_; P] =
                from_fn(|p| _mm256_set1_epi64x(rows[p].iter().map(|&x| i64::from(x)).sum()));
            for i in 0..LANES {
                // Safety: eight steps and bases lie behind the run's weights.
                let line = unsafe {
                    let at = run.add(PANEL * RUN / 2 + half * 4 + i * 32);
                    _mm256_loadu_si256(at.cast())
                };
                let step = _mm256_srai_epi32::<16>(_mm256_slli_epi32::<16>(line));
                let base = _mm256_srai_epi32::<16>(line);
                let odd = [step, base].map(|v| _mm256_srli_epi64::<32>(v));
                for p in 0..P {
                    let sums = sums[p][i];
                    let others = _mm256_srli_epi64::<32>(sums);
                    for (total, sums, step, base) in
                        [(0, sums, step, base), (1, others, odd[0], odd[1])]
                    {
                        let both = _mm256_add_epi64(
                            _mm256_mul_epi32(sums, step),
                            _mm256_mul_epi32(all[p], base),
                        );
                        totals[p][i][total] = _mm256_add_epi64(totals[p][i][total], both);
                    }
                }
            }
        }
        for (out, totals) in out.iter_mut().zip(&totals) {
            finish(&mut out[half..], totals);
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn nibbles(panel: Nibbles<'_>, x: &[i16], out: &mut [[i64; PANEL]]) {
    let inputs = panel.inputs();
    for (x, out) in x.chunks(2 * inputs).zip(out.chunks_mut(2)) {
        match out.len() {
            1 => nibbles_of::<1>(panel, x, out),
            _ => nibbles_of::<2>(panel, x, out),
        }
    }
}
