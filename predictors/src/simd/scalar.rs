//! The definition of every kernel, in plain integer arithmetic.

use super::group::{GROUP, Group};
use super::{ESTIMATE_LANES, ESTIMATES, Kernels};
use crate::cm::counter;
use crate::cm::tables::{STRETCH_MAX, Tables};

/// Weights stay within this, so that one step of training cannot overflow.
pub const WEIGHT_LIMIT: i32 = i32::MAX - (1 << 28);

/// An input's part in a weighted sum.
#[inline(always)]
pub fn product(input: i32, weight: i32) -> i32 {
    (input * (weight >> 16)) >> 9
}

/// A sum of products as a stretch value.
#[inline(always)]
pub fn stretch_of(sum: i32) -> i32 {
    (sum >> 5).clamp(-STRETCH_MAX, STRETCH_MAX)
}

/// The sum of products of inputs and one vector of weights, wrapping, as a stretch value.
fn weighted(inputs: &[i32], weights: &[i32]) -> i32 {
    let products = inputs.iter().zip(weights).map(|(&x, &w)| product(x, w));
    stretch_of(products.fold(0, i32::wrapping_add))
}

/// A weight after one step of training.
#[inline(always)]
pub fn trained(weight: i32, input: i32, error: i32) -> i32 {
    (weight + ((input * error) >> 3)).clamp(-WEIGHT_LIMIT, WEIGHT_LIMIT)
}

#[derive(Debug, Clone, Copy)]
pub struct Scalar;

impl Kernels for Scalar {
    /// Inputs are in `-32767..=32767`.
    #[inline]
    fn dot<const S: usize>(
        inputs: &[i32],
        weights: &[i32],
        starts: &[usize; S],
        estimates: &mut [i32; ESTIMATES],
    ) {
        for (estimate, &start) in estimates.iter_mut().zip(starts) {
            *estimate = weighted(inputs, &weights[start..start + inputs.len()]);
        }
        estimates[S..S.next_multiple_of(ESTIMATE_LANES)].fill(0);
    }

    /// Errors and inputs are in `-32767..=32767`.
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
    fn blend(
        estimates: &[i32; ESTIMATES],
        lanes: usize,
        weights: &[i32],
        starts: &[usize; 2],
    ) -> [i32; 2] {
        starts.map(|start| weighted(&estimates[..lanes], &weights[start..start + lanes]))
    }

    #[inline]
    fn train_blend(
        estimates: &[i32; ESTIMATES],
        lanes: usize,
        weights: &mut [i32],
        starts: &[usize; 2],
        errors: &[i32; 2],
    ) {
        Self::train(&estimates[..lanes], weights, starts, errors);
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
    fn update_counters(tables: &Tables, counters: &mut [u32; GROUP], bit: u32, limit: u32) {
        for entry in counters {
            counter::update(tables, entry, bit, limit);
        }
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
