//! The definition of every kernel, in plain integer arithmetic.

use super::{Contexts, Kernels};
use crate::cm::counter;
use crate::cm::tables::Tables;

/// Weights stay within this, so that one step of training cannot overflow.
pub const WEIGHT_LIMIT: i32 = i32::MAX - (1 << 28);

#[derive(Debug, Clone, Copy)]
pub struct Scalar;

impl Kernels for Scalar {
    /// Inputs are in `-32767..=32767`.
    #[inline]
    fn dot(inputs: &[i32], weights: &[i32], starts: &[usize], sums: &mut [i32]) {
        for (&start, sum) in starts.iter().zip(sums) {
            let vector = &weights[start..start + inputs.len()];
            *sum = inputs.iter().zip(vector).fold(0_i32, |sum, (&x, &w)| {
                sum.wrapping_add((x * (w >> 16)) >> 9)
            });
        }
    }

    /// Errors are in `-65535..=65535`, inputs in `-32767..=32767`.
    #[inline]
    fn train(inputs: &[i32], weights: &mut [i32], starts: &[usize], errors: &[i32]) {
        for (&start, &error) in starts.iter().zip(errors) {
            for (w, &x) in weights[start..start + inputs.len()].iter_mut().zip(inputs) {
                *w = (*w + ((x * error + 8) >> 4)).clamp(-WEIGHT_LIMIT, WEIGHT_LIMIT);
            }
        }
    }

    #[inline]
    fn context_inputs(
        tables: &Tables,
        contexts: &mut Contexts<'_>,
        node: usize,
        stretched: &mut [i32],
        distance: &mut [i32],
    ) -> usize {
        let mut seen = 0;
        for (i, stretched) in stretched[..contexts.count].iter_mut().enumerate() {
            let state = contexts.nodes[i * 16 + node];
            let entry = contexts.maps[i * 256 + usize::from(state)];
            contexts.counters[i] = entry;
            let used = i32::from(state != 0);
            seen += used as usize;
            *stretched = tables.stretch(counter::p12(entry)) * used;
            if let Some(distance) = distance.get_mut(i) {
                *distance = ((counter::p16(entry) as i32 - 32768) >> 3) * used;
            }
        }
        seen
    }

    #[inline]
    fn context_update(
        tables: &Tables,
        contexts: &mut Contexts<'_>,
        node: usize,
        bit: u32,
        limit: u32,
    ) {
        for i in 0..contexts.count {
            let state = &mut contexts.nodes[i * 16 + node];
            let entry = &mut contexts.maps[i * 256 + usize::from(*state)];
            *entry = contexts.counters[i];
            counter::update(tables, entry, bit, limit);
            *state = tables.next(*state, bit);
        }
    }
}
