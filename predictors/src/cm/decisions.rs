//! Decisions that are not bits of bytes: a token's end, an escape from a column.
//!
//! They have weights of their own and leave the byte contexts as they are: a [`Decisions`] stands beside
//! a [`Model`](super::model::Model) and is asked in between two of its bits.

use super::apm::Apm;
use super::counter;
use super::mixer::{Mixer, ONE, Rate, padded};
use super::tables::Tables;
use crate::segment::PredictorError;
use crate::simd::Kernels;

/// Rates at which mixers learn beside a good predictor.
pub(crate) const RATES: [Rate; 2] = [
    Rate {
        floor: 200,
        extra: 2000,
        shift: 6,
    },
    Rate {
        floor: 60,
        extra: 500,
        shift: 7,
    },
];

/// Mixes what external predictors say of one kind of yes-or-no decision with how often it was a yes
/// in each of several contexts; `S` of these also select weights.
pub struct Decisions<const S: usize> {
    tables: &'static Tables,
    inputs: usize,
    mixer: Mixer<S>,
    /// A table of counters for each kind of context, and the counters in use.
    counters: Vec<Vec<u32>>,
    chosen: Vec<usize>,
    apm: Apm,
}

impl<const S: usize> Decisions<S> {
    /// For `inputs` external inputs; `contexts` holds the number of contexts of each kind (at least one
    /// each, and `S` kinds), the first `S` of which select weights.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    ///
    /// # Panics
    /// If `contexts` has fewer than `S` kinds.
    pub fn new(inputs: usize, contexts: &[usize]) -> Result<Self, PredictorError> {
        let tables = Tables::get();
        let mut initial = vec![0; padded(inputs + contexts.len() + 1)];
        initial[..inputs].fill(ONE / inputs.max(1) as i32);
        let selectors = std::array::from_fn(|kind| contexts[kind]);
        Ok(Self {
            tables,
            inputs,
            mixer: Mixer::new(&initial, Vec::new(), selectors, [1, 1], RATES),
            counters: contexts
                .iter()
                .map(|&count| vec![counter::counter(1 << 21, 0); count])
                .collect(),
            chosen: vec![0; contexts.len()],
            apm: Apm::new(tables, contexts[0], 6)?,
        })
    }

    /// A copy that goes on by itself.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn fork(&self) -> Result<Self, PredictorError> {
        Ok(Self {
            mixer: self.mixer.clone(),
            counters: self.counters.clone(),
            chosen: self.chosen.clone(),
            apm: self.apm.fork()?,
            ..*self
        })
    }

    /// Probability of a yes in units of `2^-32`, at least 1. `stretches` are the inputs' stretched
    /// probabilities in units of `2^-11` nats, `contexts` the decision's context of each kind.
    ///
    /// # Panics
    /// If a context is not below the number of contexts of its kind.
    #[inline]
    pub fn predict<K: Kernels>(&mut self, stretches: &[i16], contexts: &[usize]) -> u32 {
        self.chosen.copy_from_slice(contexts);
        for (input, &stretch) in self.mixer.inputs[..self.inputs].iter_mut().zip(stretches) {
            *input = i32::from(stretch).max(-32767);
        }
        let own = &mut self.mixer.inputs[self.inputs..];
        for ((input, counters), &context) in own.iter_mut().zip(&self.counters).zip(contexts) {
            *input = self.tables.stretch(counter::p12(counters[context]));
        }
        own[contexts.len()] = 256;
        for (kind, &context) in contexts[..S].iter().enumerate() {
            self.mixer.select(kind, context);
        }
        let stretch = self.mixer.mix::<K>(self.tables, [0, 0]);
        let plain = u64::from(self.tables.squash(stretch));
        let refined = u64::from(self.apm.refine(stretch, contexts[0]));
        ((plain * 3 + refined) >> 2).max(1) as u32
    }

    /// Learns how the decision that was last predicted came out.
    #[inline]
    pub fn update<K: Kernels>(&mut self, yes: bool) {
        let bit = u32::from(yes);
        self.mixer.update::<K>(bit);
        self.apm.update(bit);
        for (counters, &context) in self.counters.iter_mut().zip(&self.chosen) {
            counter::update(self.tables, &mut counters[context], bit, 255);
        }
    }
}
