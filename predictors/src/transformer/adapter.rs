//! Learns the document at hand: a matrix of low rank that is added to the head; FORMAT.md, 10.8.
//!
//! A random projection, fixed for ever, makes few numbers of a state; what is learnt is how they move
//! each token's logit, by gradient descent with one rate a token that falls as its gradients add up
//! (J. Duchi et al., "Adaptive subgradient methods", JMLR 2011).

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use super::attention::QUERIES;
use super::fixed::{LIMIT32, power};
use super::model::Model;
use super::pack::PANEL;
use super::states::States;
use crate::segment::PredictorError;
use crate::zeros::{filled, room};

/// Numbers made of a state, of which the last is a constant.
pub const RANK: usize = 32;
/// Positions after which what was learnt is put to use.
pub const BLOCK: usize = 256;
/// The constant, which is 1: numbers have 8 fraction bits.
const ONE: i16 = 1 << 8;
/// What numbers stay within.
const MOST: i64 = 2047;
/// What weights of 24 fraction bits stay within, so that 12 of these fit 16 bits.
const LIMIT: i64 = (1 << 27) - (1 << 12);
/// How far a weight moves at most when its token is first seen, in units of 2^-18: about 0.03.
const RATE: u64 = 7864;
/// Added to the root of a token's squared gradients, in units of 2^-20: about 0.001.
const LEAST: u64 = 1049;
/// Tokens of less than `2^-SMALL` are not learnt from.
const SMALL: i32 = 12;

type Numbers = [i16; RANK];

/// What is known of a token that was learnt from.
#[derive(Debug, Clone)]
struct Token {
    number: u32,
    /// 24 fraction bits.
    weights: [i32; RANK],
    /// 18 fraction bits, times the positions of a block.
    gradient: [i32; RANK],
    /// Sum over blocks of the mean square of gradients, in units of 2^-40.
    squares: u64,
    /// Whether it has a gradient.
    moves: bool,
}

/// Adapts one sequence's logits, and learns from its tokens.
#[derive(Clone)]
pub struct Adapter {
    model: Arc<Model>,
    /// Place of each token in `tokens`; `u32::MAX` for those that were never learnt from.
    places: Vec<u32>,
    tokens: Vec<Token>,
    /// Weights of 12 fraction bits: `[panel of tokens][pair of numbers][token][2]`.
    panels: Vec<i16>,
    /// Numbers of positions that were adapted, until their tokens come.
    ahead: VecDeque<Numbers>,
    /// Positions learnt from since weights were last moved.
    learnt: usize,
    /// Room for powers of all logits, and for sums.
    powers: Vec<i32>,
    sums: Vec<i32>,
}

/// Signs of the projection: bit `j` says that input `input` counts negative in number `j`.
fn signs(input: usize) -> u64 {
    let mut z = (input as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The numbers of a state.
fn numbers(state: &[i16], signs: &[u32]) -> Numbers {
    let mut sums = [0_i64; RANK];
    let mut square = 0;
    for (&value, &signs) in state.iter().zip(signs) {
        let value = i64::from(value);
        square += (value * value) as u64;
        for (j, sum) in sums.iter_mut().enumerate() {
            let minus = -i64::from(signs >> j & 1);
            *sum += (value ^ minus) - minus;
        }
    }
    let root = square.isqrt().max(1) as i64;
    let mut numbers =
        sums.map(|sum| (i64::from(ONE) * sum).div_euclid(root).clamp(-MOST, MOST) as i16);
    numbers[RANK - 1] = ONE;
    numbers
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

/// Adds what weights make of a state to a token's logit; both have 16 and 20 fraction bits.
fn moved(logit: i32, sum: i32) -> i32 {
    let logit = i64::from(logit) + ((i64::from(sum) + 8) >> 4);
    logit.clamp(-LIMIT32, LIMIT32) as i32
}

impl Token {
    fn new(number: u32) -> Self {
        Self {
            number,
            weights: [0; RANK],
            gradient: [0; RANK],
            squares: 0,
            moves: false,
        }
    }

    /// Adds the error of a probability, in units of 2^-16, for a state's numbers.
    fn add(&mut self, error: i32, numbers: &Numbers) {
        self.moves = true;
        for (sum, &number) in self.gradient.iter_mut().zip(numbers) {
            *sum += (error * i32::from(number) + 32) >> 6;
        }
    }

    /// Moves the weights against the gradient, which becomes zero.
    fn step(&mut self) {
        let squares = self.gradient.iter().map(|&g| {
            let g = i64::from(g >> 6);
            (g * g) as u64
        });
        self.squares += squares.sum::<u64>() / RANK as u64;
        let rate = ((RATE << 24) / (self.squares.isqrt() + LEAST)) as i64;
        for (weight, gradient) in self.weights.iter_mut().zip(&mut self.gradient) {
            let moved = i64::from(*weight) - ((i64::from(*gradient) * rate) >> 24);
            *weight = moved.clamp(-LIMIT, LIMIT) as i32;
            *gradient = 0;
        }
        self.moves = false;
    }
}

impl Adapter {
    /// One that has learnt nothing, and changes nothing.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory for all tokens to be learnt from.
    pub fn new(model: &Arc<Model>) -> Result<Self, PredictorError> {
        let vocab = model.config().vocab;
        Ok(Self {
            places: filled(vocab, u32::MAX)?,
            tokens: room(vocab)?,
            panels: room(vocab.next_multiple_of(PANEL) * RANK)?,
            ahead: VecDeque::new(),
            learnt: 0,
            powers: filled(vocab, 0)?,
            sums: Vec::new(),
            model: Arc::clone(model),
        })
    }

    /// How many more positions may be adapted before [`Adapter::learn`] has to be told what came.
    #[must_use]
    pub fn left(&self) -> usize {
        BLOCK - self.learnt - self.ahead.len()
    }

    /// Adapts the logits after some states, a vocabulary for each. How many at a time changes no bit.
    ///
    /// # Panics
    /// For more of them than are [`Adapter::left`], or states and logits that are not as many.
    pub fn adapt(&mut self, states: &States, range: Range<usize>, logits: &mut [i32]) {
        let vocab = self.places.len();
        assert!(range.len() <= self.left() && logits.len() == range.len() * vocab);
        let first = self.ahead.len();
        for position in range {
            let (state, _) = states.get(position);
            self.ahead.push_back(numbers(state, &self.model.signs));
        }
        if self.tokens.is_empty() {
            return;
        }
        let room = self.panels.len() / RANK;
        let numbers: Vec<i16> = self.ahead.range(first..).flatten().copied().collect();
        let positions = numbers
            .chunks(QUERIES * RANK)
            .zip(logits.chunks_mut(QUERIES * vocab));
        for (numbers, logits) in positions {
            let sums = &mut self.sums;
            sums.resize(numbers.len() / RANK * room, 0);
            (self.model.kernels.scores)(&self.panels, RANK, numbers, sums);
            let sums = sums.chunks_exact(room);
            for (logits, sums) in logits.chunks_exact_mut(vocab).zip(sums) {
                for (token, &sum) in self.tokens.iter().zip(sums) {
                    let logit = &mut logits[token.number as usize];
                    *logit = moved(*logit, sum);
                }
            }
        }
    }

    /// Learns from the token that came at the earliest position that was adapted, of which these are
    /// the adapted logits. None was of use where it is none of the vocabulary's.
    ///
    /// # Panics
    /// Where no position was adapted, or for a token that the vocabulary does not have.
    pub fn learn(&mut self, logits: &[i32], token: Option<u32>) {
        let numbers = self.ahead.pop_front().expect("a position was adapted");
        let Some(token) = token else {
            return;
        };
        let total = (self.model.kernels.powers)(logits, &mut self.powers);
        let least = (total + (1 << SMALL) - 1) >> SMALL;
        let powers = std::mem::take(&mut self.powers);
        for (first, some) in powers.chunks(PANEL).enumerate() {
            let high = some.iter().fold(0, |high, &power| high.max(power));
            let has_token = token as usize / PANEL == first;
            if i64::from(high) < least && !has_token {
                continue;
            }
            for (i, &power) in some.iter().enumerate() {
                let number = (first * PANEL + i) as u32;
                if i64::from(power) < least && number != token {
                    continue;
                }
                let probability = ((i64::from(power) << 16) / total) as i32;
                let error = probability - if number == token { 1 << 16 } else { 0 };
                if error != 0 {
                    let place = self.place(number);
                    self.tokens[place].add(error, &numbers);
                }
            }
        }
        self.powers = powers;
        self.learnt += 1;
        if self.learnt == BLOCK {
            self.learnt = 0;
            self.step();
        }
    }

    /// Where a token is, which gets a place if it has none.
    fn place(&mut self, number: u32) -> usize {
        let place = &mut self.places[number as usize];
        if *place == u32::MAX {
            *place = self.tokens.len() as u32;
            if self.tokens.len().is_multiple_of(PANEL) {
                self.panels.resize(self.panels.len() + PANEL * RANK, 0);
            }
            self.tokens.push(Token::new(number));
        }
        *place as usize
    }

    /// Moves the weights of all tokens that have gradients.
    fn step(&mut self) {
        for (place, token) in self.tokens.iter_mut().enumerate() {
            if !token.moves {
                continue;
            }
            token.step();
            let from = place / PANEL * PANEL * RANK + place % PANEL * 2;
            for (pair, weights) in token.weights.chunks_exact(2).enumerate() {
                for (i, &weight) in weights.iter().enumerate() {
                    self.panels[from + pair * 2 * PANEL + i] = ((weight + (1 << 11)) >> 12) as i16;
                }
            }
        }
    }
}

/// Signs of all inputs of a model so wide.
pub fn all_signs(hidden: usize) -> Vec<u32> {
    (0..hidden).map(|input| signs(input) as u32).collect()
}
