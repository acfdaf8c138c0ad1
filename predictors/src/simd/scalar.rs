//! The definition of every kernel, in plain integer arithmetic.

use super::Kernels;
use super::group::{GROUP, Group};
use crate::cm::counter;
use crate::cm::tables::Tables;

/// Weights stay within this, so that one step of training cannot overflow.
pub const WEIGHT_LIMIT: i32 = i32::MAX - (1 << 28);

/// An input's part in a weighted sum.
#[inline(always)]
pub fn product(input: i32, weight: i32) -> i32 {
    (input * (weight >> 16)) >> 9
}

/// A weight after one step of training.
#[inline(always)]
pub fn trained(weight: i32, input: i32, error: i32) -> i32 {
    (weight + ((input * error + 8) >> 4)).clamp(-WEIGHT_LIMIT, WEIGHT_LIMIT)
}

#[derive(Debug, Clone, Copy)]
pub struct Scalar;

impl Kernels for Scalar {
    /// Inputs are in `-32767..=32767`.
    #[inline]
    fn dot<const S: usize>(inputs: &[i32], weights: &[i32], starts: &[usize; S]) -> [i32; S] {
        starts.map(|start| {
            let vector = &weights[start..start + inputs.len()];
            inputs
                .iter()
                .zip(vector)
                .fold(0_i32, |sum, (&x, &w)| sum.wrapping_add(product(x, w)))
        })
    }

    /// Errors are in `-65535..=65535`, inputs in `-32767..=32767`.
    #[inline]
    fn train<const S: usize>(
        inputs: &[i32],
        weights: &mut [i32],
        starts: &[usize; S],
        errors: &[i32; S],
    ) {
        for (&start, &error) in starts.iter().zip(errors) {
            for (w, &x) in weights[start..start + inputs.len()].iter_mut().zip(inputs) {
                *w = trained(*w, x, error);
            }
        }
    }

    #[inline]
    fn context_inputs(
        tables: &Tables,
        groups: &mut [Group],
        node: usize,
        inputs: &mut [i32],
        distance: &mut [i32],
    ) -> usize {
        let mut seen = 0;
        for (start, group) in (0..).step_by(GROUP).zip(groups) {
            for i in 0..group.count {
                let state = group.nodes[i][node];
                let entry = group.maps[i][usize::from(state)];
                group.states[i] = state;
                group.counters[i] = entry;
                let used = i32::from(state != 0);
                seen += used as usize;
                inputs[start + i] = tables.stretch(counter::p12(entry)) * used;
                if let Some(distance) = distance.get_mut(start + i) {
                    *distance = ((counter::p16(entry) as i32 - 32768) >> 3) * used;
                }
            }
        }
        seen
    }

    #[inline]
    fn context_update(tables: &Tables, groups: &mut [Group], node: usize, bit: u32, limit: u32) {
        for group in groups {
            for i in 0..group.count {
                let state = group.states[i];
                counter::update(tables, &mut group.counters[i], bit, limit);
                group.maps[i][usize::from(state)] = group.counters[i];
                group.nodes[i][node] = tables.next(state, bit);
            }
        }
    }
}
