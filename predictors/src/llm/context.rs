//! What the model has read, and the predictions that are ready.

use std::sync::Arc;

use super::vocabulary::NO_TOKEN;
use super::{LanguageModel, ModelPack};
use crate::segment::PredictorError;

/// Tokens that are fed at a time where it is known which come.
pub const BATCH: usize = 128;

/// A model's run through a segment, and the predictions that are ready.
pub struct Context {
    model: Box<dyn LanguageModel>,
    /// Logits of one prediction.
    width: usize,
    first_token: u32,
    /// The token before the next one, not fed yet; none before the first one.
    last: Option<u32>,
    /// Tokens that are known to come, and how many of them have.
    ahead: Vec<u32>,
    arrived: usize,
    logits: Vec<i32>,
    /// Predictions in `logits` that were used.
    used: usize,
}

impl Context {
    /// For a window of at most `window` tokens, less if the model takes less.
    ///
    /// # Errors
    /// [`PredictorError::Unsupported`] when the window is too small to be moved on,
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn new(pack: &Arc<dyn ModelPack>, window: usize) -> Result<Self, PredictorError> {
        let window = window.min(pack.context());
        if window < 2 {
            return Err(PredictorError::Unsupported("context of the model"));
        }
        Ok(Self {
            model: Arc::clone(pack).start(window)?,
            width: pack.vocabulary().len(),
            // A model without one begins with whatever token is number 0.
            first_token: pack.first_token().unwrap_or(0),
            last: None,
            ahead: Vec::new(),
            arrived: 0,
            logits: Vec::new(),
            used: 0,
        })
    }

    /// Forgets all tokens, those that are known to come too.
    pub fn clear(&mut self) {
        self.last = None;
        self.ahead.clear();
        self.arrived = 0;
        self.logits.clear();
        self.used = 0;
    }

    /// Says which tokens come, so that they can be fed together. Those said before must have come.
    pub fn expect(&mut self, tokens: &[u32]) {
        self.ahead.clear();
        self.ahead.extend_from_slice(tokens);
        self.arrived = 0;
    }

    /// Takes up the token that came.
    pub fn push(&mut self, token: u32) {
        self.last = Some(token);
        self.arrived += 1;
    }

    /// Logits of the next token.
    ///
    /// # Errors
    /// As [`LanguageModel::advance`].
    pub fn predict(&mut self) -> Result<&[i32], PredictorError> {
        self.prepare()?;
        self.used += 1;
        Ok(&self.logits[(self.used - 1) * self.width..self.used * self.width])
    }

    /// Makes at least one prediction, more if it is known which tokens come; returns those not used.
    ///
    /// # Errors
    /// As [`LanguageModel::advance`].
    pub fn prepare(&mut self) -> Result<&[i32], PredictorError> {
        if self.used * self.width == self.logits.len() {
            self.logits.clear();
            self.used = 0;
            let mut tokens = Vec::with_capacity(BATCH);
            if self.last.is_none() {
                self.model.reset();
            }
            tokens.push(self.last.unwrap_or(NO_TOKEN));
            // The last one that comes is fed with those after it.
            let ahead = self.ahead.get(self.arrived..).unwrap_or_default();
            let ahead = ahead.split_last().map_or(ahead, |(_, others)| others);
            tokens.extend(ahead.iter().take(BATCH - 1));
            // What the model has no token for is to it as a new beginning.
            for token in &mut tokens {
                if *token == NO_TOKEN {
                    *token = self.first_token;
                }
            }
            self.model.advance(&tokens, &mut self.logits)?;
        }
        Ok(&self.logits[self.used * self.width..])
    }
}
