//! Large tables that start as zeros, and lists of a known length, where there is memory for them.

use memmap2::MmapMut;

use crate::segment::PredictorError;

const TOO_LITTLE: PredictorError =
    PredictorError::Setup("not enough memory for the model; free some or take a lower level");

/// A huge page of most systems.
const HUGE: usize = 1 << 21;
/// A page of most systems.
const PAGE: usize = 1 << 12;

/// `bytes` zeros, at least, aligned to a page, in memory that the system gives page by page.
///
/// # Errors
/// [`PredictorError::Setup`] when there is not enough memory.
pub fn zeros(bytes: usize) -> Result<MmapMut, PredictorError> {
    // Whole huge pages, which systems align.
    let whole = if bytes < HUGE / 2 {
        bytes
    } else {
        bytes.next_multiple_of(HUGE)
    };
    let map = MmapMut::map_anon(whole.max(1)).map_err(|_| TOO_LITTLE)?;
    // They save page faults and address look-ups; where there are none, all works without.
    #[cfg(target_os = "linux")]
    let _ = map.advise(memmap2::Advice::HugePage);
    Ok(map)
}

/// A copy of what [`zeros`] gave; pages that were never written to stay that way.
///
/// # Errors
/// [`PredictorError::Setup`] when there is not enough memory.
pub fn copied(of: &MmapMut) -> Result<MmapMut, PredictorError> {
    let mut map = zeros(of.len())?;
    for (to, from) in map.chunks_mut(PAGE).zip(of.chunks(PAGE)) {
        if from.iter().any(|&byte| byte != 0) {
            to.copy_from_slice(from);
        }
    }
    Ok(map)
}

/// An empty list with room for `count` values, which takes no page before it is filled.
///
/// # Errors
/// As [`zeros`].
pub fn room<T>(count: usize) -> Result<Vec<T>, PredictorError> {
    let mut list = Vec::new();
    list.try_reserve_exact(count).map_err(|_| TOO_LITTLE)?;
    Ok(list)
}

/// Appends `count` values that are all the same.
///
/// # Errors
/// As [`zeros`].
pub fn extend<T: Clone>(list: &mut Vec<T>, count: usize, value: T) -> Result<(), PredictorError> {
    list.try_reserve(count).map_err(|_| TOO_LITTLE)?;
    list.resize(list.len() + count, value);
    Ok(())
}

/// A list of `count` values that are all the same.
///
/// # Errors
/// As [`zeros`].
pub fn filled<T: Clone>(count: usize, value: T) -> Result<Vec<T>, PredictorError> {
    let mut list = room(count)?;
    extend(&mut list, count, value)?;
    Ok(list)
}
