//! Learns the document at hand: what is added to all states before the head, and to each token's
//! logit; FORMAT.md, 10.8.
//!
//! Both go against the gradient of the code length, at rates that fall as squared gradients add up
//! (J. Duchi et al., "Adaptive subgradient methods", JMLR 2011). The gradients are those of a block's
//! sum of errors over the whole vocabulary: unlikely tokens matter, for there are so many.

use std::sync::Arc;

use super::fixed::{LIMIT32, WIDE, power};
use super::model::Model;
use super::states::States;
use super::transposed::sum_of_rows;
use crate::segment::PredictorError;
use crate::zeros::filled;

/// Positions after which what was learnt is put to use.
pub const BLOCK: usize = 64;
/// How far a token's bias moves at most, in units of 2^-24: 0.3.
const TOKEN_RATE: i64 = 5_033_165;
/// How far the states' bias moves, as a part of what states are, in units of 2^-16: 0.03.
const STATE_RATE: u64 = 1966;
/// What the biases stay within.
const TOKEN_LIMIT: i64 = 1 << 29;
const STATE_LIMIT: i64 = 1 << 40;

/// Adapts one sequence's logits, and learns from its tokens.
#[derive(Clone)]
pub struct Adapter {
    model: Arc<Model>,
    /// Added to each logit: what both biases make together.
    shift: Vec<i32>,
    /// Of each token: 24 fraction bits, and the sum of squared errors in units of 2^-32.
    biases: Vec<i32>,
    squares: Vec<u64>,
    /// Of each value of a state: 8 fraction bits more than gains of the last norm have, and the sum of
    /// squared gradients.
    state: Vec<i64>,
    state_squares: Vec<u64>,
    /// Sums over the block of each token's probability less whether it came, in units of 2^-24.
    errors: Vec<i32>,
    /// Positions adapted whose tokens have not come, and those of the block that were learnt from.
    ahead: usize,
    learnt: usize,
    /// Whether anything was learnt.
    moved: bool,
    /// Room for powers of all logits.
    powers: Vec<i32>,
}

/// Powers of e: of each logit less the highest, in units of 2^-28; their sum.
#[inline(always)]
pub fn powers(logits: &[i32], out: &mut [i32]) -> i64 {
    let top = logits.iter().fold(i32::MIN, |top, &l| top.max(l));
    let mut sum = 0;
    for (logits, out) in logits.chunks(1 << 12).zip(out.chunks_mut(1 << 12)) {
        let mut part = 0_u64;
        for (out, &logit) in out.iter_mut().zip(logits) {
            // Behind 20 nats it is 0. The difference of any two logits might not fit.
            let below = top - logit.max(top - ((20 << 16) - 1));
            let below = ((below >> 4) * 5909) >> 12;
            *out = (power(below & 4095) << 10) >> (below >> 12);
            part += *out as u64;
        }
        sum += part;
    }
    sum as i64
}

/// Adds to sums the probabilities, in units of 2^-24, of powers whose sum is `2^56 / reciprocal`.
#[inline(always)]
pub fn add_probabilities(powers: &[i32], reciprocal: u32, sums: &mut [i32]) {
    for (sum, &power) in sums.iter_mut().zip(powers) {
        *sum += ((u64::from(power as u32) * u64::from(reciprocal)) >> 32) as i32;
    }
}

/// Adds to logits, kept within what logits may be.
#[inline(always)]
pub fn shift(shift: &[i32], logits: &mut [i32]) {
    for (logit, &shift) in logits.iter_mut().zip(shift) {
        let sum = logit.saturating_add(shift);
        *logit = sum.clamp(-LIMIT32 as i32, LIMIT32 as i32);
    }
}

impl Adapter {
    /// One that has learnt nothing, and changes nothing.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn new(model: &Arc<Model>) -> Result<Self, PredictorError> {
        let (vocab, hidden) = (model.config().vocab, model.config().hidden);
        Ok(Self {
            shift: filled(vocab, 0)?,
            biases: filled(vocab, 0)?,
            squares: filled(vocab, 0)?,
            state: filled(hidden, 0)?,
            state_squares: filled(hidden, 0)?,
            errors: filled(vocab, 0)?,
            ahead: 0,
            learnt: 0,
            moved: false,
            powers: filled(vocab, 0)?,
            model: Arc::clone(model),
        })
    }

    /// How many more positions may be adapted before [`Adapter::learn`] has to be told what came.
    #[must_use]
    pub fn left(&self) -> usize {
        BLOCK - self.learnt - self.ahead
    }

    /// Adapts the logits after some positions, a vocabulary for each. How many at a time changes no bit.
    ///
    /// # Panics
    /// For more of them than are [`Adapter::left`].
    pub fn adapt(&mut self, logits: &mut [i32]) {
        let positions = logits.chunks_exact_mut(self.shift.len());
        assert!(positions.len() <= self.left());
        self.ahead += positions.len();
        if self.moved {
            positions.for_each(|logits| (self.model.kernels.shift)(&self.shift, logits));
        }
    }

    /// Learns from the token that came at the earliest position that was adapted, of which these are
    /// the adapted logits. None was of use where it is none of the vocabulary's.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] where threads cannot be had.
    ///
    /// # Panics
    /// Where no position was adapted, or for a token that the vocabulary does not have.
    pub fn learn(&mut self, logits: &[i32], token: Option<u32>) -> Result<(), PredictorError> {
        let ahead = self.ahead.checked_sub(1);
        self.ahead = ahead.expect("a position was adapted");
        let Some(token) = token else {
            return Ok(());
        };
        let kernels = &self.model.kernels;
        let total = (kernels.powers)(logits, &mut self.powers);
        // The highest power alone is 2^28.
        let reciprocal = ((1_i64 << 56) / total) as u32;
        (kernels.add_probabilities)(&self.powers, reciprocal, &mut self.errors);
        self.errors[token as usize] -= 1 << 24;
        self.learnt += 1;
        if self.learnt == BLOCK {
            self.learnt = 0;
            self.step()?;
        }
        Ok(())
    }

    /// Moves both biases against a block's errors, and forgets these.
    fn step(&mut self) -> Result<(), PredictorError> {
        self.moved = true;
        for error in &mut self.errors {
            *error >>= 8;
        }
        let sums = sum_of_rows(&self.model, &self.errors)?;
        let tokens = self.biases.iter_mut().zip(&mut self.squares);
        for ((bias, square), error) in tokens.zip(&mut self.errors) {
            let error = i64::from(std::mem::take(error));
            if error != 0 {
                *square = square.saturating_add((error * error) as u64);
                let root = square.saturating_add(1 << 32).isqrt() as i64;
                let moved = i64::from(*bias) - (TOKEN_RATE * error).div_euclid(root);
                *bias = moved.clamp(-TOKEN_LIMIT, TOKEN_LIMIT) as i32;
            }
        }
        let rate = self.state_rate();
        let values = self.state.iter_mut().zip(&mut self.state_squares);
        for ((bias, square), sum) in values.zip(sums) {
            let gradient = sum >> 16;
            if gradient != 0 {
                *square = square.saturating_add((gradient * gradient) as u64);
                let moved = *bias - (gradient * rate).div_euclid(square.isqrt() as i64);
                *bias = moved.clamp(-STATE_LIMIT, STATE_LIMIT);
            }
        }
        self.shift()
    }

    /// How far the states' bias moves at most: a part of the gains' root mean square.
    fn state_rate(&self) -> i64 {
        let gains = &self.model.norm.values;
        let squares = gains.iter().map(|&gain| i64::from(gain).pow(2) as u64);
        let root = (squares.sum::<u64>() / gains.len() as u64).isqrt();
        ((root * STATE_RATE) >> 8) as i64
    }

    /// What the head makes of the states' bias, and the tokens' biases.
    fn shift(&mut self) -> Result<(), PredictorError> {
        let mut values = vec![0; self.state.len()];
        let exponent = self.model.norm.exponent + 8;
        let fraction = (self.model.kernels.quantise)(&self.state, exponent, WIDE, &mut values);
        let mut states = States::new();
        states.push(&values, fraction);
        self.shift.clear();
        self.model.logits(&states, 0..1, &mut self.shift)?;
        for (shift, &bias) in self.shift.iter_mut().zip(&self.biases) {
            let sum = i64::from(*shift) + ((i64::from(bias) + (1 << 7)) >> 8);
            *shift = sum.clamp(-LIMIT32, LIMIT32) as i32;
        }
        Ok(())
    }
}
