//! The processor's state for floats, as this language takes it to be.
//!
//! Another library of the same process may have set it otherwise: to flush denormal numbers, say. What
//! both sides compute must not depend on that.

/// The state that was found, to be put back.
struct Found(Option<u64>);

impl Drop for Found {
    fn drop(&mut self) {
        if let Some(found) = self.0 {
            write(found);
        }
    }
}

/// Runs `work` with rounding to nearest and with denormal numbers; puts back what was set before.
pub fn plain<R>(work: impl FnOnce() -> R) -> R {
    let found = read();
    let _found = if found & RELEVANT == PLAIN {
        Found(None)
    } else {
        write(PLAIN);
        Found(Some(found))
    };
    work()
}

/// MXCSR: all exceptions masked. Its lowest bits only tell what has happened.
#[cfg(target_arch = "x86_64")]
const PLAIN: u64 = 0x1f80;
#[cfg(target_arch = "x86_64")]
const RELEVANT: u64 = 0xffc0;

#[cfg(target_arch = "x86_64")]
fn read() -> u64 {
    let mut state = 0_u32;
    // Safety: the instruction stores four bytes there.
    unsafe {
        std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut state, options(nostack, preserves_flags));
    }
    u64::from(state)
}

#[cfg(target_arch = "x86_64")]
fn write(state: u64) {
    let state = state as u32;
    // Safety: it was read before, or is what the language takes for granted.
    unsafe {
        std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const state, options(nostack, preserves_flags));
    }
}

/// FPCR: nothing set but, perhaps, what has no part in these operations.
#[cfg(target_arch = "aarch64")]
const PLAIN: u64 = 0;
#[cfg(target_arch = "aarch64")]
const RELEVANT: u64 = 0x07f7_0000;

#[cfg(target_arch = "aarch64")]
fn read() -> u64 {
    let state: u64;
    // Safety: reading the register has no effect.
    unsafe {
        std::arch::asm!("mrs {}, fpcr", out(reg) state, options(nomem, nostack, preserves_flags));
    }
    state
}

#[cfg(target_arch = "aarch64")]
fn write(state: u64) {
    // Safety: it was read before, or is what the language takes for granted.
    unsafe {
        std::arch::asm!("msr fpcr, {}", in(reg) state, options(nostack, preserves_flags));
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const PLAIN: u64 = 0;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const RELEVANT: u64 = 0;

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn read() -> u64 {
    0
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn write(_: u64) {}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn denormal_numbers_are_kept_and_the_state_is_put_back() {
        let half = || black_box(f32::MIN_POSITIVE) * black_box(0.5);
        let before = read();
        // Flush to zero, and denormal operands as zeros.
        write(before | 0x8040);
        let (flushed, kept, after) = (half(), plain(half), half());
        let during = read();
        write(before);
        assert_eq!((flushed, after), (0.0, 0.0));
        assert!(kept > 0.0);
        assert_eq!(during & RELEVANT, (before | 0x8040) & RELEVANT);
        assert!(half() > 0.0);
    }
}
