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

const RATES: [Rate; 2] = [
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

/// Mixes what external predictors say of one kind of yes-or-no decision with how often it was a yes.
pub struct Decisions {
    tables: &'static Tables,
    inputs: usize,
    mixer: Mixer<2>,
    counters: Vec<u32>,
    apm: Apm,
    context: usize,
}

impl Decisions {
    /// For `inputs` external inputs and decisions in `contexts` contexts (at least one).
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn new(inputs: usize, contexts: usize) -> Result<Self, PredictorError> {
        let tables = Tables::get();
        let mut initial = vec![0; padded(inputs + 2)];
        initial[..inputs].fill(ONE / inputs.max(1) as i32);
        Ok(Self {
            tables,
            inputs,
            mixer: Mixer::new(&initial, Vec::new(), [1, contexts], [1, 1], RATES),
            counters: vec![counter::counter(1 << 21, 0); contexts],
            apm: Apm::new(tables, contexts, 6)?,
            context: 0,
        })
    }

    /// Probability of a yes in units of `2^-32`, at least 1. `stretches` are the inputs' stretched
    /// probabilities in units of `2^-11` nats, `context` the decision's context.
    ///
    /// # Panics
    /// If `context` is not below the number of contexts.
    #[inline]
    pub fn predict<K: Kernels>(&mut self, stretches: &[i16], context: usize) -> u32 {
        self.context = context;
        for (input, &stretch) in self.mixer.inputs[..self.inputs].iter_mut().zip(stretches) {
            *input = i32::from(stretch).max(-32767);
        }
        let own = counter::p12(self.counters[context]);
        self.mixer.inputs[self.inputs] = self.tables.stretch(own);
        self.mixer.inputs[self.inputs + 1] = 256;
        self.mixer.select(0, 0);
        self.mixer.select(1, context);
        let stretch = self.mixer.mix::<K>(self.tables, [0, 0]);
        let plain = u64::from(self.tables.squash(stretch));
        let refined = u64::from(self.apm.refine(stretch, context));
        ((plain * 3 + refined) >> 2).max(1) as u32
    }

    /// Learns how the decision that was last predicted came out.
    #[inline]
    pub fn update<K: Kernels>(&mut self, yes: bool) {
        let bit = u32::from(yes);
        self.mixer.update::<K>(bit);
        self.apm.update(bit);
        counter::update(self.tables, &mut self.counters[self.context], bit, 255);
    }
}
