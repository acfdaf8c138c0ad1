//! What kernels that put grouped symbols back have in common: which rows are done together.

use super::super::classes::{CLASSES, Columns, TILE};

/// A level's kernel for whole tiles of columns.
pub trait Tiles {
    /// Fills whole tiles of the first `ROWS` rows of `symbols`; `next` moves on by them in one row.
    ///
    /// # Safety
    /// The machine has the level's features. There are as many rows, and for each class [`TILE`] bytes of
    /// `grouped` can be read from each of its symbols on.
    unsafe fn fill<const ROWS: usize>(
        columns: &Columns,
        next: &mut [usize; CLASSES],
        grouped: &[u8],
        symbols: &mut [u8],
    );
}

/// Fills the columns of whole tiles, which `next` moves on by in one row; how many they are.
///
/// # Safety
/// The machine has the features of `T`.
#[inline(always)]
pub unsafe fn by_tiles<T: Tiles>(
    columns: &Columns,
    next: &mut [usize; CLASSES],
    grouped: &[u8],
    symbols: &mut [u8],
) -> usize {
    let width = columns.classes().len();
    let rows = symbols.len() / width;
    let end = |(next, members): (&usize, &usize)| next + rows * members + TILE;
    if next.iter().zip(columns.members()).map(end).max() > Some(grouped.len()) {
        return 0;
    }
    let mut row = 0;
    let mut here = *next;
    while row < rows {
        let mut now = here;
        let symbols = &mut symbols[row * width..];
        // Safety: what is read lies before `end`, as just compared; there are as many rows.
        let done = unsafe {
            match rows - row {
                8.. => {
                    T::fill::<8>(columns, &mut now, grouped, symbols);
                    8
                }
                4..8 => {
                    T::fill::<4>(columns, &mut now, grouped, symbols);
                    4
                }
                2..4 => {
                    T::fill::<2>(columns, &mut now, grouped, symbols);
                    2
                }
                _ => {
                    T::fill::<1>(columns, &mut now, grouped, symbols);
                    1
                }
            }
        };
        if row == 0 {
            *next = now;
        }
        row += done;
        for (here, members) in here.iter_mut().zip(columns.members()) {
            *here += done * members;
        }
    }
    width / TILE * TILE
}
