//! The definition of kernels.

use super::super::classes::CLASSES;

/// Fills `symbols`, each of the class in `classes`, with the next symbol of its class: the one in
/// `grouped` that `next` says, which moves on.
///
/// # Panics
/// As [`super::ungroup_rows`].
pub fn ungroup(classes: &[u8], next: &mut [usize; CLASSES], grouped: &[u8], symbols: &mut [u8]) {
    for (symbol, &class) in symbols.iter_mut().zip(classes) {
        let next = &mut next[usize::from(class)];
        *symbol = grouped[*next];
        *next += 1;
    }
}
