//! Two-layer gated logistic mixing.
//!
//! The first layer holds several tables of weight vectors; a selector context picks one vector of
//! each, which gives an estimate of its own and is trained on its own error. The second layer mixes
//! those estimates. After Mahoney's paq8 and Mattern, "Mixing Strategies in Data Compression" (2012).

use super::tables::{STRETCH_MAX, Tables};
use crate::simd::scalar::Scalar;
use crate::simd::{Kernels, LANES};

/// One in the fixed point of weights, which reach to 1.75.
pub const ONE: i32 = 1 << 30;

/// Steps in which a vector's rate comes down from its first value.
const RATE_STEPS: usize = 256;

/// How fast weight vectors learn: after `n` uses, `floor + extra / (1 + min(n >> shift, 255))` in
/// units of `2^-17` of a weight for an input of one nat and an error of one.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    pub floor: i32,
    pub extra: i32,
    pub shift: u32,
}

struct Layer {
    width: usize,
    weights: Vec<i32>,
    uses: Vec<u32>,
    rates: [i32; RATE_STEPS],
    shift: u32,
}

impl Layer {
    fn new(vector: &[i32], vectors: usize, rate: Rate) -> Self {
        Self {
            width: vector.len(),
            weights: vector.repeat(vectors),
            uses: vec![0; vectors],
            rates: std::array::from_fn(|step| rate.floor + rate.extra / (1 + step as i32)),
            shift: rate.shift,
        }
    }

    /// Moves on the rate of a vector and returns its error for training; `p16` is the probability of
    /// a one that the vector gave, in units of `2^-16`.
    #[inline(always)]
    fn error(&mut self, vector: usize, p16: i32, bit: u32) -> i32 {
        let uses = &mut self.uses[vector];
        let step = ((*uses >> self.shift) as usize).min(RATE_STEPS - 1);
        *uses = uses.saturating_add(1);
        let error = (bit << 16) as i32 - p16;
        ((error * self.rates[step]) >> 10).clamp(-65535, 65535)
    }
}

/// A sum of products as a stretch value.
#[inline(always)]
fn stretch_of(sum: i32) -> i32 {
    (sum >> 5).clamp(-STRETCH_MAX, STRETCH_MAX)
}

/// An input that comes from outside: a language model's or a circuit's bit probability.
#[derive(Debug, Clone, Copy)]
pub struct External {
    /// First weight, in units of `2^-30` ([`ONE`]), at most 1.75 either way.
    pub weight: i32,
    /// The weight learns `2^-rate_shift` as fast as the others.
    pub rate_shift: u32,
    /// Contexts of a table of weight vectors that this input's own selector picks from, 0 for none.
    pub selector: usize,
}

/// A mixer with `S` tables of weight vectors in its first layer.
pub struct Mixer<const S: usize> {
    /// Input values to fill before [`Mixer::mix`], each in `-32767..=32767`.
    pub inputs: Vec<i32>,
    /// Inputs as training sees them, where external inputs learn slower; empty if there are none.
    steps: Vec<i32>,
    external_shifts: Vec<(usize, u32)>,
    first: Layer,
    bases: [usize; S],
    /// Vector of each table, and where it starts.
    chosen: [usize; S],
    selected: [usize; S],
    estimates: [i32; S],
    probabilities: [i32; S],
    errors: [i32; S],
    second: Layer,
    final_vector: usize,
    final_probability: i32,
}

/// `n` inputs with the zeros that fill the last vector.
pub fn padded(n: usize) -> usize {
    n.div_ceil(LANES) * LANES
}

impl<const S: usize> Mixer<S> {
    /// `initial` holds the first layer's weight of each input (a multiple of [`LANES`]),
    /// `selectors` the number of contexts of each of its tables, `finals` that of the second
    /// layer's one table; `external_shifts` the places and rate shifts of external inputs.
    pub fn new(
        initial: &[i32],
        external_shifts: Vec<(usize, u32)>,
        selectors: [usize; S],
        finals: usize,
        rates: [Rate; 2],
    ) -> Self {
        let mut vectors = 0;
        let bases = selectors.map(|contexts| {
            vectors += contexts;
            vectors - contexts
        });
        let share = vec![ONE / S as i32; S];
        Self {
            inputs: vec![0; initial.len()],
            steps: if external_shifts.is_empty() {
                Vec::new()
            } else {
                vec![0; initial.len()]
            },
            external_shifts,
            first: Layer::new(initial, vectors, rates[0]),
            chosen: bases,
            selected: bases.map(|vector| vector * initial.len()),
            probabilities: [0; S],
            estimates: [0; S],
            bases,
            second: Layer::new(&share, finals, rates[1]),
            errors: [0; S],
            final_vector: 0,
            final_probability: 0,
        }
    }

    /// Chooses the weight vector of one table of the first layer.
    #[inline(always)]
    pub fn select(&mut self, table: usize, context: usize) {
        let vector = self.bases[table] + context;
        self.chosen[table] = vector;
        self.selected[table] = vector * self.first.width;
    }

    /// Mixes; returns the stretch value of the result.
    #[inline(always)]
    pub fn mix<K: Kernels>(&mut self, tables: &Tables, final_context: usize) -> i32 {
        K::dot(
            &self.inputs,
            &self.first.weights,
            &self.selected,
            &mut self.estimates,
        );
        for table in 0..S {
            let estimate = stretch_of(self.estimates[table]);
            self.estimates[table] = estimate;
            self.probabilities[table] = (tables.squash(estimate) >> 16) as i32;
        }
        self.final_vector = final_context;
        let start = final_context * self.second.width;
        let mut sum = [0];
        // So short a vector is quickest without vector registers.
        Scalar::dot(&self.estimates, &self.second.weights, &[start], &mut sum);
        let result = stretch_of(sum[0]);
        self.final_probability = (tables.squash(result) >> 16) as i32;
        result
    }

    #[inline(always)]
    pub fn update<K: Kernels>(&mut self, bit: u32) {
        let mut inputs = &self.inputs;
        if !self.steps.is_empty() {
            self.steps.copy_from_slice(inputs);
            for &(at, shift) in &self.external_shifts {
                self.steps[at] >>= shift;
            }
            inputs = &self.steps;
        }
        for table in 0..S {
            let (vector, p16) = (self.chosen[table], self.probabilities[table]);
            self.errors[table] = self.first.error(vector, p16, bit);
        }
        K::train(
            inputs,
            &mut self.first.weights,
            &self.selected,
            &self.errors,
        );
        let error = self
            .second
            .error(self.final_vector, self.final_probability, bit);
        let start = self.final_vector * self.second.width;
        let weights = &mut self.second.weights;
        Scalar::train(&self.estimates, weights, &[start], &[error]);
    }
}
