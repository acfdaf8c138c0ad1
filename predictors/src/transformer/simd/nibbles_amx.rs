//! Products with weights of four bits by AMX: weights become 16 bits wide, and their low and high bytes
//! are multiplied with those of the activations. So sums need no scales until the end.

use std::arch::asm;
use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use super::amx::{Shapes, TILE};
use super::avx512::{LANES, fetch_ahead};
use super::nibbles_avx512;
use crate::transformer::pack::{GROUP, Nibbles, PANEL, RUN, RUN_BYTES};

/// Rows of activations from which on tiles are faster.
const FROM: usize = 4;
/// Inputs whose weights are widened at a time: few enough for the second cache, and for sums of products
/// of bytes to fit 32 bits.
const INPUTS: usize = 1536;

/// Weights of 16 rows: of each group of inputs a tile of low bytes, and one of high ones.
#[repr(C, align(64))]
struct Wide([MaybeUninit<u8>; 2 * TILE * INPUTS]);

/// What tiles 0 to 3 hold.
#[repr(C, align(64))]
struct Sums([[[i32; TILE]; TILE]; 4]);

/// Widens the weights of 16 rows of so many runs.
///
/// # Safety
/// The runs must be where the pointer says.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn widen(runs: *const u8, count: usize, lane: usize, wide: &mut Wide) {
    assert!(count * RUN <= INPUTS);
    let first = _mm512_set1_epi16(15);
    let low_bytes = _mm512_set1_epi16(255);
    let low_words = _mm512_set1_epi32(65_535);
    for number in 0..count {
        // Safety: by the caller, and the run has room.
        unsafe {
            let run = runs.add(number * RUN_BYTES);
            fetch_ahead(run.add(lane * 4 * PANEL));
            if lane == 0 {
                fetch_ahead(run.add(LANES * 4 * PANEL));
            }
            let line = _mm512_loadu_si512(run.add(PANEL * RUN / 2 + lane * 64).cast());
            let (low, high) = (
                _mm512_and_si512(line, low_words),
                _mm512_srli_epi32::<16>(line),
            );
            let step = _mm512_or_si512(low, _mm512_slli_epi32::<16>(low));
            let base = _mm512_or_si512(high, _mm512_slli_epi32::<16>(high));
            let line = |w| _mm512_add_epi16(_mm512_mullo_epi16(w, step), base);
            let group = number * RUN / GROUP;
            let to = group * 2 * TILE * GROUP + number * RUN % GROUP * TILE;
            let to: *mut u8 = wide.0.as_mut_ptr().add(to).cast();
            for pair in 0..RUN / 8 {
                let w = _mm512_loadu_si512(run.add(pair * 4 * PANEL + lane * 64).cast());
                let even = _mm512_and_si512(w, first);
                let odd = _mm512_and_si512(_mm512_srli_epi16::<8>(w), first);
                let even2 = _mm512_and_si512(_mm512_srli_epi16::<4>(w), first);
                let odd2 = _mm512_srli_epi16::<12>(w);
                for (of, [even, odd]) in [[even, odd], [even2, odd2]].into_iter().enumerate() {
                    let (even, odd) = (line(even), line(odd));
                    // Bits of the first where the mask has them, else of the second.
                    let low = _mm512_ternarylogic_epi32::<0xca>(
                        low_bytes,
                        even,
                        _mm512_slli_epi16::<8>(odd),
                    );
                    let high = _mm512_ternarylogic_epi32::<0xca>(
                        low_bytes,
                        _mm512_srli_epi16::<8>(even),
                        odd,
                    );
                    let to = to.add((2 * pair + of) * 4 * TILE);
                    _mm512_store_si512(to.cast(), low);
                    _mm512_store_si512(to.add(TILE * GROUP).cast(), high);
                }
            }
        }
    }
}

/// Writes the tiles of sums.
///
/// # Safety
/// Shapes must be loaded.
#[inline(always)]
unsafe fn store(sums: &mut Sums) {
    // Safety: by the caller.
    unsafe {
        asm!(
            "tilestored [{to} + {line}], tmm0",
            "tilestored [{to} + {line} + 1024], tmm1",
            "tilestored [{to} + {line} + 2048], tmm2",
            "tilestored [{to} + {line} + 3072], tmm3",
            to = in(reg) &mut *sums,
            line = in(reg) 4 * TILE,
            options(nostack),
        );
    }
}

/// Sums of products of rows of activations, `stride` bytes each, with widened weights of so many groups.
///
/// # Safety
/// Shapes must be loaded; the activations must be where the pointer says.
#[inline(always)]
unsafe fn multiply(x: *const i16, stride: usize, groups: usize, wide: &Wide, sums: &mut Sums) {
    // Safety: by the caller; `Wide` has the groups.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            options(nostack, nomem)
        );
        for group in 0..groups {
            asm!(
                "tileloadd tmm4, [{x} + {stride}]",
                "tileloadd tmm6, [{w} + {line}]",
                "tileloadd tmm7, [{w} + {line} + 1024]",
                "tileloadd tmm5, [{x} + {stride} + 64]",
                "tdpbuud tmm0, tmm4, tmm6",
                "tdpbusd tmm1, tmm4, tmm7",
                "tdpbuud tmm2, tmm5, tmm6",
                "tdpbusd tmm3, tmm5, tmm7",
                x = in(reg) x.add(group * GROUP),
                stride = in(reg) stride,
                w = in(reg) wide.0.as_ptr().add(group * 2 * TILE * GROUP),
                line = in(reg) 4 * TILE,
                options(nostack, readonly),
            );
        }
        store(sums);
    }
}

/// Rows of activations of which a tile has low and high bytes.
const FEW: usize = TILE / 2;

/// Low and high bytes of a few rows of activations, `[group][row][low, high][GROUP]`.
#[repr(C, align(64))]
struct Both([MaybeUninit<i16>; FEW * INPUTS]);

/// Brings so many groups of a few rows of activations, `inputs` each, into the order of [`Both`].
#[inline]
fn gather(x: &[i16], inputs: usize, rows: usize, groups: usize, both: &mut Both) {
    for group in 0..groups {
        for row in 0..rows {
            let to = &mut both.0[(group * rows + row) * GROUP..][..GROUP];
            to.write_copy_of_slice(&x[row * inputs + group * GROUP..][..GROUP]);
        }
    }
}

/// As [`multiply`] of a few rows of activations, whose low bytes are in the even rows of what `sums` has
/// first and second, and the high ones in the odd ones. Groups of even and of odd number are apart.
///
/// # Safety
/// Shapes for twice the rows must be loaded, and the groups be gathered.
#[inline(always)]
unsafe fn multiply_few(both: &Both, rows: usize, groups: usize, wide: &Wide, sums: &mut Sums) {
    // Safety: by the caller; `Wide` has the groups.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            options(nostack, nomem)
        );
        for group in 0..groups {
            let x = both.0.as_ptr().add(group * rows * GROUP);
            let w = wide.0.as_ptr().add(group * 2 * TILE * GROUP);
            if group % 2 == 0 {
                asm!(
                    "tileloadd tmm4, [{x} + {line}]",
                    "tileloadd tmm6, [{w} + {line}]",
                    "tileloadd tmm7, [{w} + {line} + 1024]",
                    "tdpbuud tmm0, tmm4, tmm6",
                    "tdpbusd tmm1, tmm4, tmm7",
                    x = in(reg) x,
                    w = in(reg) w,
                    line = in(reg) 4 * TILE,
                    options(nostack, readonly),
                );
            } else {
                asm!(
                    "tileloadd tmm5, [{x} + {line}]",
                    "tileloadd tmm6, [{w} + {line}]",
                    "tileloadd tmm7, [{w} + {line} + 1024]",
                    "tdpbuud tmm2, tmm5, tmm6",
                    "tdpbusd tmm3, tmm5, tmm7",
                    x = in(reg) x,
                    w = in(reg) w,
                    line = in(reg) 4 * TILE,
                    options(nostack, readonly),
                );
            }
        }
        store(sums);
    }
}

/// Adds sums of products of bytes to those of a row: of low bytes of activations with low and high ones of
/// weights, and of high bytes with these.
#[inline]
#[target_feature(enable = "avx512f")]
fn add(out: &mut [i64], sums: [&[i32; TILE]; 4]) {
    for (i, out) in out.chunks_exact_mut(8).enumerate() {
        // Safety: eight sums of four bytes are there, and room for eight of eight.
        unsafe {
            let [ll, lh, hl, hh] = sums.map(|sums| {
                let from = sums[8 * i..].as_ptr();
                _mm512_cvtepi32_epi64(_mm256_loadu_si256(from.cast()))
            });
            let middle = _mm512_slli_epi64::<8>(_mm512_add_epi64(lh, hl));
            let ends = _mm512_add_epi64(ll, _mm512_slli_epi64::<16>(hh));
            let to = out.as_mut_ptr();
            let before = _mm512_loadu_si512(to.cast_const().cast());
            let sum = _mm512_add_epi64(before, _mm512_add_epi64(middle, ends));
            _mm512_storeu_si512(to.cast(), sum);
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn nibbles(panel: Nibbles<'_>, x: &[i16], out: &mut [[i64; PANEL]]) {
    if out.len() < FROM {
        return nibbles_avx512::nibbles(panel, x, out);
    }
    let inputs = panel.inputs();
    assert!(inputs.is_multiple_of(GROUP) && x.len() >= out.len() * inputs);
    let excess: &[i64; PANEL] = panel.excess.try_into().unwrap_or(&[0; PANEL]);
    for out in &mut *out {
        for (out, &excess) in out.iter_mut().zip(excess) {
            *out = -excess;
        }
    }
    let mut wide = Wide([const { MaybeUninit::uninit() }; 2 * TILE * INPUTS]);
    let mut both = Both([const { MaybeUninit::uninit() }; FEW * INPUTS]);
    let mut sums = Sums([[[0; TILE]; TILE]; 4]);
    let few = out.len() <= FEW;
    let mut shaped = 0;
    for first in (0..inputs).step_by(INPUTS) {
        let count = INPUTS.min(inputs - first);
        let groups = count / GROUP;
        if few {
            gather(&x[first..], inputs, out.len(), groups, &mut both);
        }
        for lane in 0..LANES {
            let columns = lane * TILE..(lane + 1) * TILE;
            // Safety: the runs lie within the panel, and activations within `x`; AMX was detected before
            // this function was given away.
            unsafe {
                let runs = panel.runs.as_ptr().add(first / RUN * RUN_BYTES);
                widen(runs, count / RUN, lane, &mut wide);
                for (number, out) in out.chunks_mut(TILE).enumerate() {
                    let rows = if few { 2 * out.len() } else { out.len() };
                    if shaped != rows {
                        shaped = rows;
                        Shapes::new(shaped).load();
                    }
                    if few {
                        multiply_few(&both, out.len(), groups, &wide, &mut sums);
                        let [a, b, c, d] = &sums.0;
                        for (row, out) in out.iter_mut().enumerate() {
                            let (low, high) = (2 * row, 2 * row + 1);
                            let out = &mut out[columns.clone()];
                            add(out, [&a[low], &b[low], &a[high], &b[high]]);
                            add(out, [&c[low], &d[low], &c[high], &d[high]]);
                        }
                    } else {
                        let x = x.as_ptr().add(number * TILE * inputs + first);
                        multiply(x, 2 * inputs, groups, &wide, &mut sums);
                        let [a, b, c, d] = &sums.0;
                        for (row, out) in out.iter_mut().enumerate() {
                            add(
                                &mut out[columns.clone()],
                                [&a[row], &b[row], &c[row], &d[row]],
                            );
                        }
                    }
                }
            }
        }
    }
    // Safety: as above. Tiles that are not released slow the processor and switches between threads.
    unsafe { asm!("tilerelease", options(nostack, nomem)) };
}
