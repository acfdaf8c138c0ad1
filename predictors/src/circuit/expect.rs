//! Expectation: how often each state and step was likely used by rows, given the parameters.
//!
//! Upward and downward pass over the tree (Rabiner 1989 for chains; Liu, Mandt and Van den Broeck,
//! "Lossless Compression with Probabilistic Circuits", 2022, for circuits). Each is a fixed sequence of
//! single IEEE operations, so that both sides and all machines learn the same.

use super::parameters::{Shape, Tables, sum};
use crate::simd::{self, Job, Kernels, Level, floats};

/// Rows that go through the tree together.
pub const GROUP: usize = 8;
/// What no belief falls below, so that nothing is divided by zero or slowed by denormal numbers.
const LEAST: f32 = 1e-20;

type Rows<const M: usize> = [[f32; M]; GROUP];

/// Memory of one pass.
#[derive(Clone)]
pub struct Room<const M: usize> {
    beliefs: Vec<Rows<M>>,
    messages: Vec<Rows<M>>,
    after: Vec<Rows<M>>,
}

impl<const M: usize> Room<M> {
    #[must_use]
    pub fn new(shape: &Shape) -> Self {
        let n = shape.variables();
        Self {
            beliefs: vec![[[0.0; M]; GROUP]; n],
            messages: vec![[[0.0; M]; GROUP]; n],
            after: vec![[[0.0; M]; GROUP]; n],
        }
    }
}

/// Rows of values: `rows` picks from `values`, which holds `stride` bytes a row, and variable `i` is
/// the byte at `places[i]`.
#[derive(Clone, Copy)]
pub struct Data<'a> {
    pub values: &'a [u8],
    pub stride: usize,
    pub places: &'a [usize],
}

impl Data<'_> {
    #[inline(always)]
    fn value(&self, row: usize, variable: usize) -> usize {
        usize::from(self.values[row * self.stride + self.places[variable]])
    }
}

struct Expect<'a, const M: usize> {
    shape: &'a Shape,
    parameters: &'a Tables<M>,
    data: Data<'a>,
    rows: &'a [u32],
    counts: &'a mut Tables<M>,
    room: &'a mut Room<M>,
}

/// Adds the expected uses of `rows` to `counts`; those of steps lack the step's own probability.
pub fn expect<const M: usize>(
    level: Level,
    shape: &Shape,
    parameters: &Tables<M>,
    data: Data<'_>,
    rows: &[u32],
    counts: &mut Tables<M>,
    room: &mut Room<M>,
) {
    let job = Expect {
        shape,
        parameters,
        data,
        rows,
        counts,
        room,
    };
    floats::plain(|| simd::run(level, job));
}

impl<const M: usize> Job for Expect<'_, M> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernels>(mut self) {
        for group in self.rows.chunks(GROUP) {
            self.up(group);
            self.down(group);
        }
    }
}

#[inline(always)]
fn scale<const M: usize>(vector: &mut [f32; M]) {
    let by = M as f32 / sum(vector).max(LEAST);
    for v in vector.iter_mut() {
        *v = (*v * by).max(LEAST);
    }
}

impl<const M: usize> Expect<'_, M> {
    #[inline(always)]
    fn up(&mut self, group: &[u32]) {
        let tree = &self.shape.tree;
        for &node in tree.order().iter().rev() {
            let node = usize::from(node);
            let beliefs = &mut self.room.beliefs[node];
            for (belief, &row) in beliefs.iter_mut().zip(group) {
                let value = self.data.value(row as usize, node);
                *belief = self.parameters.values[self.shape.offsets[node] + value];
            }
            for (number, &child) in tree.children(node).iter().enumerate() {
                let messages = &self.room.messages[usize::from(child)];
                for (belief, message) in beliefs.iter_mut().zip(messages).take(group.len()) {
                    for z in 0..M {
                        belief[z] *= message[z];
                    }
                    if number % 4 == 3 {
                        scale(belief);
                    }
                }
            }
            beliefs[..group.len()].iter_mut().for_each(scale);
            if tree.parent(node).is_none() {
                continue;
            }
            let steps = &self.parameters.steps[node];
            let mut turned = [[0.0; M]; M];
            for (above, step) in steps.iter().enumerate() {
                for z in 0..M {
                    turned[z][above] = step[z];
                }
            }
            let messages = &mut self.room.messages[node];
            for (belief, message) in beliefs.iter().zip(messages).take(group.len()) {
                let mut sums = [0.0; M];
                for (&b, turned) in belief.iter().zip(&turned) {
                    for z in 0..M {
                        sums[z] += b * turned[z];
                    }
                }
                *message = sums;
            }
        }
    }

    #[inline(always)]
    fn down(&mut self, group: &[u32]) {
        let tree = &self.shape.tree;
        for &node in tree.order() {
            let node = usize::from(node);
            let beliefs = &self.room.beliefs[node];
            let mut after = [[0.0; M]; GROUP];
            if let Some(parent) = tree.parent(node) {
                let above = &self.room.after[parent];
                let messages = &self.room.messages[node];
                let mut ratios = [[0.0; M]; GROUP];
                for row in 0..group.len() {
                    for z in 0..M {
                        ratios[row][z] = above[row][z] / messages[row][z].max(LEAST);
                    }
                }
                let steps = &self.parameters.steps[node];
                let counts = &mut self.counts.steps[node];
                for (above, counts) in counts.iter_mut().enumerate() {
                    let mut sums = *counts;
                    for row in 0..group.len() {
                        let ratio = ratios[row][above];
                        for z in 0..M {
                            sums[z] += ratio * beliefs[row][z];
                        }
                    }
                    *counts = sums;
                }
                for row in 0..group.len() {
                    let mut sums = [0.0; M];
                    for (&ratio, step) in ratios[row].iter().zip(steps) {
                        for z in 0..M {
                            sums[z] += ratio * step[z];
                        }
                    }
                    for z in 0..M {
                        after[row][z] = sums[z] * beliefs[row][z];
                    }
                }
            } else {
                for (after, belief) in after.iter_mut().zip(beliefs).take(group.len()) {
                    for z in 0..M {
                        after[z] = self.parameters.first[z] * belief[z];
                    }
                    let by = 1.0 / sum(after).max(LEAST);
                    for (after, count) in after.iter_mut().zip(&mut self.counts.first) {
                        *after *= by;
                        *count += *after;
                    }
                }
            }
            for (after, &row) in after.iter().zip(group) {
                let value = self.data.value(row as usize, node);
                let counts = &mut self.counts.values[self.shape.offsets[node] + value];
                // By way of a copy, which vectors are made of.
                let sums: [f32; M] = std::array::from_fn(|z| counts[z] + after[z]);
                *counts = sums;
            }
            self.room.after[node] = after;
        }
    }
}
