//! What a circuit knows while it learns, as floats: FORMAT.md says in which order each is computed.

use std::sync::Arc;

use super::tree::Tree;

/// Variables and how many values each has.
#[derive(Debug, Clone)]
pub struct Shape {
    pub tree: Arc<Tree>,
    /// Where each variable's values begin among those of all, and their number at the end.
    pub offsets: Vec<usize>,
}

impl Shape {
    /// A shape of variables with these numbers of values.
    #[must_use]
    pub fn new(tree: Arc<Tree>, values: &[usize]) -> Self {
        let mut offsets = vec![0];
        let mut sum = 0;
        for &count in values {
            sum += count;
            offsets.push(sum);
        }
        Self { tree, offsets }
    }

    /// Number of variables.
    #[must_use]
    pub fn variables(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Number of values of a variable.
    #[must_use]
    pub fn values(&self, variable: usize) -> usize {
        self.offsets[variable + 1] - self.offsets[variable]
    }

    /// Number of values of all variables.
    #[must_use]
    pub fn all_values(&self) -> usize {
        self.offsets[self.variables()]
    }
}

/// Tables of numbers of the shape of a circuit of `M` states: probabilities or counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Tables<const M: usize> {
    /// Of the root's states.
    pub first: [f32; M],
    /// Of each variable's states, by the parent's state; all zeros for the root.
    pub steps: Vec<[[f32; M]; M]>,
    /// Of each value, by the variable's state.
    pub values: Vec<[f32; M]>,
}

impl<const M: usize> Tables<M> {
    /// All zeros.
    #[must_use]
    pub fn zeros(shape: &Shape) -> Self {
        Self {
            first: [0.0; M],
            steps: vec![[[0.0; M]; M]; shape.variables()],
            values: vec![[0.0; M]; shape.all_values()],
        }
    }

    pub fn clear(&mut self) {
        self.first = [0.0; M];
        self.steps.fill([[0.0; M]; M]);
        self.values.fill([0.0; M]);
    }

    /// Joins each number with that of `other` by `with`.
    #[inline(always)]
    pub fn join(&mut self, other: &Self, with: impl Fn(&mut f32, f32)) {
        let pairs = self.first.iter_mut().zip(&other.first);
        pairs.for_each(|(a, &b)| with(a, b));
        let steps = self.steps.as_flattened_mut().as_flattened_mut().iter_mut();
        let others = other.steps.as_flattened().as_flattened();
        steps.zip(others).for_each(|(a, &b)| with(a, b));
        let values = self.values.as_flattened_mut().iter_mut();
        let others = other.values.as_flattened();
        values.zip(others).for_each(|(a, &b)| with(a, b));
    }
}

/// The sum of a state vector: halves are added until one number is left.
#[inline(always)]
#[must_use]
pub fn sum<const M: usize>(vector: &[f32; M]) -> f32 {
    let mut parts = *vector;
    let mut width = M;
    while width > 1 {
        width /= 2;
        for i in 0..width {
            parts[i] += parts[i + width];
        }
    }
    parts[0]
}
