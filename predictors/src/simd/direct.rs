//! Context kernels by pointer: faster here than gathers, which take some 30 cycles each.

use super::{Contexts, LANES, SLACK};
use crate::cm::tables::Tables;

/// Checks the lengths that the pointers rely on; `node` is 1..=15.
#[inline(always)]
fn check(contexts: &Contexts<'_>, node: usize) {
    let n = contexts.count;
    assert!(
        node < 16
            && contexts.nodes.len() >= n * 16 + SLACK
            && contexts.maps.len() >= n * 256
            && contexts.counters.len() >= n
    );
}

#[inline(always)]
pub fn context_inputs(
    tables: &Tables,
    contexts: &mut Contexts<'_>,
    node: usize,
    stretched: &mut [i32],
    distance: &mut [i32],
) -> usize {
    check(contexts, node);
    let n = contexts.count;
    let with_distance = !distance.is_empty();
    let whole = stretched.len().is_multiple_of(LANES);
    assert!(whole && stretched.len() >= n && (!with_distance || distance.len() >= n));
    let mut seen = 0;
    for i in 0..n {
        // Safety: `i` is below `n`, whose bytes, counters and inputs were checked; a counter's upper
        // 12 bits index 4,096 stretch values.
        unsafe {
            let state = usize::from(*contexts.nodes.get_unchecked(i * 16 + node));
            let entry = *contexts.maps.get_unchecked(i * 256 + state);
            *contexts.counters.get_unchecked_mut(i) = entry;
            let used = -i32::from(state != 0);
            seen -= used;
            *stretched.get_unchecked_mut(i) =
                tables.stretch.get_unchecked((entry >> 20) as usize) & used;
            if with_distance {
                *distance.get_unchecked_mut(i) = (((entry >> 16) as i32 - 32768) >> 3) & used;
            }
        }
    }
    seen as usize
}

#[inline(always)]
pub fn context_update(
    tables: &Tables,
    contexts: &mut Contexts<'_>,
    node: usize,
    bit: u32,
    limit: u32,
) {
    check(contexts, node);
    let target = (bit << 22) as i32 - bit as i32;
    for i in 0..contexts.count {
        // Safety: `i` is below the count, whose bytes and counters were checked; a count of 10 bits
        // indexes 1,024 reciprocals.
        unsafe {
            let entry = *contexts.counters.get_unchecked(i);
            let count = entry & 1023;
            let p = (entry >> 10) as i32;
            let share = *tables.reciprocal.get_unchecked(count as usize);
            let p = p + ((((target - p) >> 4) * share) >> 8);
            let state = contexts.nodes.get_unchecked_mut(i * 16 + node);
            *contexts
                .maps
                .get_unchecked_mut(i * 256 + usize::from(*state)) =
                (p as u32) << 10 | (count + u32::from(count < limit));
            *state = tables.next(*state, bit);
        }
    }
}
