//! A hint to fetch memory; never changes a result.

/// Asks for the cache line that holds `data[index]`; does nothing out of range.
#[inline(always)]
pub fn prefetch<T>(data: &[T], index: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(item) = data.get(index) {
        // Safety: a prefetch of a valid address has no effect that a program can see.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(item).cast());
        }
    }
    #[cfg(target_arch = "aarch64")]
    if let Some(item) = data.get(index) {
        // Safety: as above.
        unsafe {
            std::arch::asm!(
                "prfm pldl1keep, [{item}]",
                item = in(reg) std::ptr::from_ref(item),
                options(nomem, nostack, preserves_flags)
            );
        }
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = (data, index);
}
