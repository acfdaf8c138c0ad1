//! Products by AMX: tiles of 16 rows of activations and 16 of the matrix, one group at a time. What
//! tiles hold are exact sums as well, so that they change no bit.

use std::arch::asm;
use std::arch::x86_64::*;
use std::sync::OnceLock;

use super::avx512::{self, fetch_ahead, finish, scale_up, scales_at};
use super::nibbles_amx::nibbles;
use super::{Kernels, entered};
use crate::transformer::pack::{GROUP, Nibbles, PANEL, Panel};

/// Rows of activations in a tile, and of the matrix.
pub(super) const TILE: usize = 16;
const LANES: usize = PANEL / TILE;
/// Rows of activations from which on tiles are faster.
const FROM: usize = 4;

entered!("avx512f,avx512bw,avx512vl,avx512vnni,avx2,bmi1,bmi2,popcnt", {
    enter_products(panel: Panel<'_>, x: &[i16], out: &mut [[i64; PANEL]]) = products;
    enter_nibbles(panel: Nibbles<'_>, x: &[i16], out: &mut [[i64; PANEL]]) = nibbles;
});

/// The other kernels are those of AVX-512, as is the order of activations.
pub const KERNELS: Kernels = Kernels {
    products: enter_products,
    nibbles: enter_nibbles,
    ..avx512::KERNELS
};

/// Whether this machine has AMX for bytes, and the system lets this process use it.
pub fn detected() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        const TILES_AND_BYTES: u32 = 3 << 24;
        // Safety: every processor of this architecture has the instruction.
        #[allow(unused_unsafe, reason = "newer compilers know that it is safe")]
        let leaf = |number| unsafe { __cpuid_count(number, 0) };
        let has = leaf(0).eax >= 7 && leaf(7).edx & TILES_AND_BYTES == TILES_AND_BYTES;
        has && permitted()
    })
}

/// Asks Linux for the state of tiles; it also says whether it keeps that state.
#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_int = 0x1023;
    const TILE_DATA: libc::c_ulong = 18;
    // Safety: the call takes two numbers and changes nothing but what the process may use.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn permitted() -> bool {
    false
}

/// The shapes of tiles: 0 to 3 are sums, 4 and 5 activations, 6 and 7 weights.
#[repr(C, align(64))]
pub(super) struct Shapes {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

impl Shapes {
    /// For so many rows of activations.
    pub(super) fn new(rows: usize) -> Self {
        let mut shapes = Self {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            row_bytes: [0; 16],
            rows: [0; 16],
        };
        shapes.row_bytes[..8].fill(64);
        shapes.rows[..6].fill(rows as u8);
        shapes.rows[6..8].fill(TILE as u8);
        shapes
    }

    /// # Safety
    /// [`detected`] must have said yes.
    pub(super) unsafe fn load(&self) {
        // Safety: by the caller; the shapes are valid.
        unsafe { asm!("ldtilecfg [{}]", in(reg) self, options(nostack, readonly)) };
    }
}

/// Sums of low and of high bytes, each of 16 rows of activations with 16 of the matrix.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Sums([[[i32; TILE]; TILE]; 2]);

/// Sums of a group's products: of the activations that [`load`] took, with 16 rows of the panel that
/// `weights` is in.
///
/// # Safety
/// Shapes and activations must be loaded; a group's weights must be where the pointer says.
#[inline(always)]
unsafe fn multiply(weights: *const u8, out: &mut Sums) {
    // Safety: by the caller.
    unsafe {
        asm!(
            "tileloadd tmm6, [{weights} + {panel}]",
            "tilezero tmm0",
            "tilezero tmm1",
            "tdpbusd tmm0, tmm4, tmm6",
            "tdpbusd tmm1, tmm5, tmm6",
            "tilestored [{low} + {line}], tmm0",
            "tilestored [{high} + {line}], tmm1",
            weights = in(reg) weights,
            panel = in(reg) 4 * PANEL,
            low = in(reg) &mut out.0[0],
            high = in(reg) &mut out.0[1],
            line = in(reg) 4 * TILE,
            options(nostack),
        );
    }
}

/// Loads a group's activations, `stride` bytes a row, to tiles that nothing but [`multiply`] uses.
///
/// # Safety
/// Shapes must be loaded; a group's activations must be where the pointer says, in each of their rows.
#[inline(always)]
unsafe fn load(x: *const i16, stride: usize) {
    // Safety: by the caller.
    unsafe {
        asm!(
            "tileloadd tmm4, [{x} + {stride}]",
            "tileloadd tmm5, [{x} + {stride} + 64]",
            x = in(reg) x,
            stride = in(reg) stride,
            options(nostack, readonly),
        );
    }
}

type Totals = [[[__m512i; 2]; LANES]; TILE];

/// Adds the sums of a group with 16 rows of the panel, times their scales.
#[inline]
#[target_feature(enable = "avx512f")]
fn add(totals: &mut [[[__m512i; 2]; LANES]], lane: usize, sums: &Sums, scales: [__m512i; 2]) {
    let [low, high] = &sums.0;
    for ((totals, low), high) in totals.iter_mut().zip(low).zip(high) {
        // Safety: sixteen sums of four bytes are there.
        let [low, high] = [low, high].map(|v| unsafe { _mm512_loadu_si512(v.as_ptr().cast()) });
        scale_up(&mut totals[lane], low, high, scales);
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn products(panel: Panel<'_>, x: &[i16], out: &mut [[i64; PANEL]]) {
    if out.len() < FROM {
        return avx512::products(panel, x, out);
    }
    let inputs = panel.weights.len() / PANEL;
    let groups = inputs / GROUP;
    assert!(panel.scales.len() >= groups * PANEL * 2 && x.len() >= out.len() * inputs);
    let excess = panel.excess.try_into().unwrap_or(&[0; PANEL]);
    let zero = _mm512_setzero_si512();
    let mut totals: Totals = [[[zero; 2]; LANES]; TILE];
    // Tiles work ahead of vectors by one group and lane.
    let mut sums = [Sums([[[0; TILE]; TILE]; 2]); 2];
    let mut shaped = 0;
    for (x, out) in x.chunks(TILE * inputs).zip(out.chunks_mut(TILE)) {
        let totals = &mut totals[..out.len()];
        totals.fill([[zero; 2]; LANES]);
        // Safety: `Kernels::every` and `of` detected AMX before they gave this function away; groups
        // lie within the activations, weights and scales.
        unsafe {
            if shaped != out.len() {
                shaped = out.len();
                Shapes::new(shaped).load();
            }
            let scales = |step: usize| {
                let at = step / LANES * PANEL + step % LANES * TILE;
                scales_at(panel.scales.as_ptr().add(2 * at))
            };
            for step in 0..groups * LANES {
                let (group, lane) = (step / LANES, step % LANES);
                if lane == 0 {
                    load(x.as_ptr().add(group * GROUP), 2 * inputs);
                }
                let at = panel
                    .weights
                    .as_ptr()
                    .add(group * GROUP * PANEL + lane * 4 * TILE);
                for k in lane * 4..(lane + 1) * 4 {
                    fetch_ahead(panel.weights.as_ptr().add((group * TILE + k) * 4 * PANEL));
                }
                for row in lane * 4..(lane + 1) * 4 {
                    let ahead = x.as_ptr().wrapping_add(row * inputs + (group + 1) * GROUP);
                    _mm_prefetch::<_MM_HINT_T0>(ahead.cast());
                    _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(GROUP / 2).cast());
                }
                multiply(at, &mut sums[step % 2]);
                if let Some(last) = step.checked_sub(1) {
                    add(totals, last % LANES, &sums[last % 2], scales(last));
                }
            }
            let last = groups * LANES - 1;
            add(totals, last % LANES, &sums[last % 2], scales(last));
        }
        for (out, totals) in out.iter_mut().zip(&*totals) {
            finish(out, totals, excess);
        }
    }
    // Safety: as above. Tiles that are not released slow the processor and switches between threads.
    unsafe { asm!("tilerelease", options(nostack, nomem)) };
}
