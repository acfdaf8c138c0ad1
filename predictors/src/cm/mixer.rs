//! Two-layer gated logistic mixing.
//!
//! The first layer holds several tables of weight vectors; a selector context picks one vector of
//! each, which gives an estimate of its own and is trained on its own error. The second layer mixes
//! those estimates with a vector of each of its two tables and takes the mean. After Mahoney's paq8
//! and Mattern, "Mixing Strategies in Data Compression" (2012).

use super::tables::Tables;
use crate::simd::{ESTIMATE_LANES, ESTIMATES, Kernels, LANES};

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

    /// Moves on the rates of vectors and returns their errors for training; `p16` are the
    /// probabilities of a one that the vectors gave, in units of `2^-16`.
    #[inline(always)]
    fn errors<const N: usize>(
        &mut self,
        vectors: &[usize; N],
        p16: &[i32; N],
        bit: u32,
    ) -> [i32; N] {
        let rates = vectors.map(|vector| {
            let uses = &mut self.uses[vector];
            let step = usize::from((*uses >> self.shift) as u8);
            *uses += u32::from(*uses < self.last);
            self.steps[step]
        });
        let target = (bit << 16) as i32;
        std::array::from_fn(|table| {
            (((target - p16[table]) * rates[table]) >> 11).clamp(-32767, 32767)
        })
    }
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
    estimates: [i32; ESTIMATES],
    probabilities: [i32; S],
    errors: [i32; S],
    second: Second,
}

/// The second layer: weight vectors of its two tables, each as long as whole groups of estimates.
#[derive(Clone)]
struct Second {
    weights: Vec<i32>,
    lanes: usize,
    rates: Rates,
    bases: [usize; 2],
    chosen: [usize; 2],
    probabilities: [i32; 2],
}

impl Second {
    /// For `tables` estimates, with these numbers of contexts.
    fn new(tables: usize, contexts: [usize; 2], rate: Rate) -> Self {
        let lanes = tables.next_multiple_of(ESTIMATE_LANES);
        let mut vector = vec![0; lanes];
        vector[..tables].fill(ONE / tables as i32);
        let vectors = contexts[0] + contexts[1];
        Self {
            weights: vector.repeat(vectors),
            lanes,
            rates: Rates::new(vectors, rate),
            bases: [0, contexts[0]],
            chosen: [0; 2],
            probabilities: [0; 2],
        }
    }

    fn starts(&self) -> [usize; 2] {
        self.chosen.map(|vector| vector * self.lanes)
    }
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
            estimates: [0; ESTIMATES],
            bases,
            second: Second::new(S, finals, rates[1]),
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
        let estimates = &mut self.estimates;
        K::dot(&self.inputs, &self.weights, &self.selected, estimates);
        let p16 = |stretch| (tables.squash(stretch) >> 16) as i32;
        self.probabilities = std::array::from_fn(|table| p16(estimates[table]));
        let second = &mut self.second;
        second.chosen = std::array::from_fn(|table| second.bases[table] + final_contexts[table]);
        let (lanes, starts) = (second.lanes, second.starts());
        let results = K::blend(estimates, lanes, &second.weights, &starts);
        second.probabilities = results.map(p16);
        (results[0] + results[1]) >> 1
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
        self.errors = self.rates.errors(&self.chosen, &self.probabilities, bit);
        K::train(inputs, &mut self.weights, &self.selected, &self.errors);
        let second = &mut self.second;
        let errors = second
            .rates
            .errors(&second.chosen, &second.probabilities, bit);
        let (lanes, starts) = (second.lanes, second.starts());
        let weights = &mut second.weights;
        K::train_blend(&self.estimates, lanes, weights, &starts, &errors);
    }

    /// What each input brought to the result of the last [`Mixer::mix`], in nats, for reports.
    pub fn contributions(&self) -> Vec<f64> {
        let width = self.inputs.len();
        let second = &self.second;
        let mut sums = vec![0.0; width];
        for (table, &start) in self.selected.iter().enumerate() {
            let both = second
                .starts()
                .map(|at| f64::from(second.weights[at + table]));
            let share = (both[0] + both[1]) / 2.0 / f64::from(ONE);
            let weights = &self.weights[start..start + width];
            for ((sum, &input), &weight) in sums.iter_mut().zip(&self.inputs).zip(weights) {
                *sum += share * f64::from(input) / 2048.0 * f64::from(weight) / f64::from(ONE);
            }
        }
        sums
    }

    /// Becomes equal to another of the same shape, whose memory it does not share.
    pub fn copy_from(&mut self, other: &Self) {
        self.inputs.copy_from_slice(&other.inputs);
        self.weights.copy_from_slice(&other.weights);
        self.rates.uses.copy_from_slice(&other.rates.uses);
        self.chosen = other.chosen;
        self.selected = other.selected;
        self.estimates = other.estimates;
        self.probabilities = other.probabilities;
        self.errors = other.errors;
        let (own, other) = (&mut self.second, &other.second);
        own.weights.copy_from_slice(&other.weights);
        own.rates.uses.copy_from_slice(&other.rates.uses);
        own.chosen = other.chosen;
        own.probabilities = other.probabilities;
    }
}
