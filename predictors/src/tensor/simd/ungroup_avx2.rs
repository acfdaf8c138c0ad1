//! AVX2 twin of what puts grouped symbols back into their columns.

use std::arch::x86_64::*;

use super::super::classes::{CLASSES, Columns, TILE};
use super::tiles::{Tiles, by_tiles};
use crate::simd::Level;

/// By a mask of eight columns, which of consecutive symbols each of them takes; one that takes none becomes
/// zero.
static RANKS: [[u8; 8]; 256] = {
    let mut table = [[0x80; 8]; 256];
    let mut mask = 0;
    while mask < 256 {
        let mut rank = 0;
        let mut column = 0;
        while column < 8 {
            if mask >> column & 1 == 1 {
                table[mask][column] = rank;
                rank += 1;
            }
            column += 1;
        }
        mask += 1;
    }
    table
};

/// See [`by_tiles`].
pub fn ungroup_rows(
    columns: &Columns,
    next: &mut [usize; CLASSES],
    grouped: &[u8],
    symbols: &mut [u8],
) -> usize {
    assert!(Level::Avx2.detected());
    // Safety: the features were detected.
    unsafe { by_tiles::<Shuffle>(columns, next, grouped, symbols) }
}

/// By shuffles of 16 symbols at a time.
struct Shuffle;

impl Tiles for Shuffle {
    #[inline(always)]
    unsafe fn fill<const ROWS: usize>(
        columns: &Columns,
        next: &mut [usize; CLASSES],
        grouped: &[u8],
        symbols: &mut [u8],
    ) {
        // Safety: by the caller.
        unsafe { shuffle::<ROWS>(columns, next, grouped, symbols) }
    }
}

/// See [`Tiles::fill`].
#[target_feature(enable = "avx2,popcnt")]
unsafe fn shuffle<const ROWS: usize>(
    columns: &Columns,
    next: &mut [usize; CLASSES],
    grouped: &[u8],
    symbols: &mut [u8],
) {
    let width = columns.classes().len();
    assert!(symbols.len() >= ROWS * width);
    let tiles = columns.classes().as_chunks::<TILE>().0;
    for (tile, (classes, &present)) in tiles.iter().zip(columns.present()).enumerate() {
        for (part, classes) in classes.as_chunks::<16>().0.iter().enumerate() {
            // Safety: an array of 16 bytes.
            let class = unsafe { _mm_loadu_si128(classes.as_ptr().cast()) };
            let mut rows = [_mm_setzero_si128(); ROWS];
            let mut left = present;
            while left != 0 {
                let number = left.trailing_zeros() as usize % CLASSES;
                left &= left - 1;
                let equal = _mm_cmpeq_epi8(class, _mm_set1_epi8(number as i8));
                let taken = _mm_movemask_epi8(equal) as usize & 0xffff;
                if taken == 0 {
                    continue;
                }
                let order = ranks(taken);
                let mut from = next[number];
                // By index: an iterator is not unrolled.
                let mut row = 0;
                while row < ROWS {
                    // Safety: as the caller says.
                    let run = unsafe { _mm_loadu_si128(grouped.as_ptr().add(from).cast()) };
                    rows[row] = _mm_or_si128(rows[row], _mm_shuffle_epi8(run, order));
                    from += columns.members()[number];
                    row += 1;
                }
                next[number] += taken.count_ones() as usize;
            }
            let at = tile * TILE + 16 * part;
            for (row, symbols) in rows.iter().zip(symbols.chunks_exact_mut(width)) {
                let symbols = &mut symbols[at..at + 16];
                // Safety: 16 bytes.
                unsafe { _mm_storeu_si128(symbols.as_mut_ptr().cast(), *row) };
            }
        }
    }
}

/// Which of consecutive symbols each of the 16 columns in `mask` takes.
#[inline]
#[target_feature(enable = "avx2,popcnt")]
fn ranks(mask: usize) -> __m128i {
    let (low, high) = (mask & 0xff, mask >> 8);
    let behind = 0x0101_0101_0101_0101 * u64::from(low.count_ones());
    // No sum carries: 0x80 and 8 are the most.
    let high = u64::from_le_bytes(RANKS[high]) + behind;
    let low = u64::from_le_bytes(RANKS[low]);
    _mm_set_epi64x(high.cast_signed(), low.cast_signed())
}
