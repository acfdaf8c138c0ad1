//! Two-layer gated logistic mixing.
//!
//! The first layer holds several tables of weight vectors; a selector context picks one vector of
//! each, which gives an estimate of its own and is trained on its own error. The second layer mixes
//! those estimates with a vector of each of its two tables and takes the mean. After Mahoney's paq8
//! and Mattern, "Mixing Strategies in Data Compression" (2012).

use super::tables::{STRETCH_MAX, Tables};
use crate::simd::scalar::{product, trained};
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

/// The learning rates of a layer's weight vectors.
#[derive(Clone)]
struct Rates {
    /// How often each vector was used, as far as it matters.
    uses: Vec<u32>,
    steps: [i32; RATE_STEPS],
    shift: u32,
    last: u32,
}

impl Rates {
    fn new(vectors: usize, rate: Rate) -> Self {
        Self {
            uses: vec![0; vectors],
            steps: std::array::from_fn(|step| rate.floor + rate.extra / (1 + step as i32)),
            shift: rate.shift,
            last: (RATE_STEPS as u32 - 1) << rate.shift,
        }
    }

    /// Moves on the rate of a vector and returns its error for training; `p16` is the probability of
    /// a one that the vector gave, in units of `2^-16`.
    #[inline(always)]
    fn error(&mut self, vector: usize, p16: i32, bit: u32) -> i32 {
        let uses = &mut self.uses[vector];
        let step = usize::from((*uses >> self.shift) as u8);
        *uses += u32::from(*uses < self.last);
        let error = (bit << 16) as i32 - p16;
        ((error * self.steps[step]) >> 10).clamp(-65535, 65535)
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

/// One table of the second layer.
#[derive(Clone)]
struct Final<const S: usize> {
    weights: Vec<[i32; S]>,
    rates: Rates,
    chosen: usize,
    probability: i32,
}

impl<const S: usize> Final<S> {
    fn new(contexts: usize, rate: Rate) -> Self {
        Self {
            weights: vec![[ONE / S as i32; S]; contexts],
            rates: Rates::new(contexts, rate),
            chosen: 0,
            probability: 0,
        }
    }

    #[inline(always)]
    fn mix(&mut self, tables: &Tables, estimates: &[i32; S], context: usize) -> i32 {
        self.chosen = context;
        let products = estimates.iter().zip(&self.weights[context]);
        let sum = products.fold(0_i32, |sum, (&x, &w)| sum.wrapping_add(product(x, w)));
        let result = stretch_of(sum);
        self.probability = (tables.squash(result) >> 16) as i32;
        result
    }

    #[inline(always)]
    fn update(&mut self, estimates: &[i32; S], bit: u32) {
        let error = self.rates.error(self.chosen, self.probability, bit);
        for (weight, &estimate) in self.weights[self.chosen].iter_mut().zip(estimates) {
            *weight = trained(*weight, estimate, error);
        }
    }
}

/// A mixer with `S` tables of weight vectors in its first layer and two in its second.
#[derive(Clone)]
pub(crate) struct Mixer<const S: usize> {
    /// Input values to fill before [`Mixer::mix`], each in `-32767..=32767`.
    pub inputs: Vec<i32>,
    /// Inputs as training sees them, where external inputs learn slower; empty if there are none.
    steps: Vec<i32>,
    external_shifts: Vec<(usize, u32)>,
    /// Weight vectors of the first layer, each as long as the inputs.
    weights: Vec<i32>,
    rates: Rates,
    bases: [usize; S],
    /// Vector of each table, and where it starts.
    chosen: [usize; S],
    selected: [usize; S],
    estimates: [i32; S],
    probabilities: [i32; S],
    errors: [i32; S],
    finals: [Final<S>; 2],
}

/// `n` inputs with the zeros that fill the last vector.
pub(crate) fn padded(n: usize) -> usize {
    n.div_ceil(LANES) * LANES
}

impl<const S: usize> Mixer<S> {
    /// `initial` holds the first layer's weight of each input (a multiple of [`LANES`]),
    /// `selectors` the number of contexts of each of its tables, `finals` those of the second
    /// layer's; `external_shifts` the places and rate shifts of external inputs.
    pub fn new(
        initial: &[i32],
        external_shifts: Vec<(usize, u32)>,
        selectors: [usize; S],
        finals: [usize; 2],
        rates: [Rate; 2],
    ) -> Self {
        let mut vectors = 0;
        let bases = selectors.map(|contexts| {
            vectors += contexts;
            vectors - contexts
        });
        Self {
            inputs: vec![0; initial.len()],
            steps: if external_shifts.is_empty() {
                Vec::new()
            } else {
                vec![0; initial.len()]
            },
            external_shifts,
            weights: initial.repeat(vectors),
            rates: Rates::new(vectors, rates[0]),
            chosen: bases,
            selected: bases.map(|vector| vector * initial.len()),
            probabilities: [0; S],
            estimates: [0; S],
            bases,
            finals: finals.map(|contexts| Final::new(contexts, rates[1])),
            errors: [0; S],
        }
    }

    /// Chooses the weight vector of one table of the first layer.
    #[inline(always)]
    pub fn select(&mut self, table: usize, context: usize) {
        let vector = self.bases[table] + context;
        self.chosen[table] = vector;
        self.selected[table] = vector * self.inputs.len();
    }

    /// Mixes; returns the stretch value of the result.
    #[inline(always)]
    pub fn mix<K: Kernels>(&mut self, tables: &Tables, final_contexts: [usize; 2]) -> i32 {
        self.estimates = K::dot(&self.inputs, &self.weights, &self.selected).map(stretch_of);
        self.probabilities = self.estimates.map(|x| (tables.squash(x) >> 16) as i32);
        let [a, b] = &mut self.finals;
        let a = a.mix(tables, &self.estimates, final_contexts[0]);
        let b = b.mix(tables, &self.estimates, final_contexts[1]);
        (a + b) >> 1
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
            self.errors[table] = self.rates.error(vector, p16, bit);
        }
        K::train(inputs, &mut self.weights, &self.selected, &self.errors);
        for last in &mut self.finals {
            last.update(&self.estimates, bit);
        }
    }
}
