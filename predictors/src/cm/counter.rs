//! Adaptive probabilities: a 22-bit probability of a one above a 10-bit count, in one u32.
//!
//! After Mahoney's StateMap (paq8, lpaq): the step shrinks as 1 / (count + 1.5) down to a limit, so
//! that a counter averages while young and follows change when old.

use super::tables::Tables;

const COUNT_MASK: u32 = 1023;

/// A counter that starts at `p22` (units of `2^-22`) as if `count` bits had been seen.
pub const fn counter(p22: u32, count: u32) -> u32 {
    p22 << 10 | count
}

/// Probability of a one in units of `2^-12`.
#[inline(always)]
pub const fn p12(counter: u32) -> u32 {
    counter >> 20
}

/// Probability of a one in units of `2^-16`.
#[inline(always)]
pub const fn p16(counter: u32) -> u32 {
    counter >> 16
}

/// Probability of a one in units of `2^-32`, at least `2^10` of them: one for a coder.
#[inline(always)]
pub const fn p32(counter: u32) -> u32 {
    let p = counter & !COUNT_MASK;
    if p > COUNT_MASK { p } else { COUNT_MASK + 1 }
}

/// Moves a counter towards `bit`; the count stops at `limit` (at most 1023).
#[inline(always)]
pub fn update(tables: &Tables, counter: &mut u32, bit: u32, limit: u32) {
    let count = *counter & COUNT_MASK;
    let p22 = (*counter >> 10) as i32;
    let target = (bit << 22) as i32 - bit as i32;
    let step = (((target - p22) >> 4) * tables.reciprocal[count as usize]) >> 8;
    *counter = ((p22 + step) as u32) << 10 | (count + u32::from(count < limit));
}
