//! Large tables that start as zeros, in memory that the system gives page by page.

use memmap2::MmapMut;

use crate::segment::PredictorError;

/// A huge page of most systems.
const HUGE: usize = 1 << 21;
/// A page of most systems.
const PAGE: usize = 1 << 12;

/// `bytes` zeros, at least, aligned to a page.
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
    let map = MmapMut::map_anon(whole.max(1)).map_err(|_| {
        PredictorError::Setup("not enough memory for the model; free some or take a lower level")
    })?;
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
