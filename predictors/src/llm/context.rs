//! What the model has read, and the predictions that are ready.

use std::sync::Arc;

use super::vocabulary::NO_TOKEN;
use super::{LanguageModel, ModelPack};
use crate::segment::PredictorError;

/// Tokens that are fed at a time where it is known which come.
pub const BATCH: usize = 128;

/// Predictions that are made at a time.
const TOGETHER: usize = 16;

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
    /// Tokens fed last, and after how many of them `logits` were made.
    fed: usize,
    made: usize,
    logits: Vec<i32>,
    /// Predictions in `logits` that were used.
    used: usize,
}

impl Context {
    /// For a window of at most `window` tokens, less if the model takes less; `learns` from what comes.
    ///
    /// # Errors
    /// [`PredictorError::Unsupported`] when the window is too small to be moved on,
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn new(
        pack: &Arc<dyn ModelPack>,
        window: usize,
        learns: bool,
    ) -> Result<Self, PredictorError> {
        let window = window.min(pack.context());
        if window < 2 {
            return Err(PredictorError::Unsupported("context of the model"));
        }
        Ok(Self {
            model: Arc::clone(pack).start(window, learns)?,
            width: pack.vocabulary().len(),
            // A model without one begins with whatever token is number 0.
            first_token: pack.first_token().unwrap_or(0),
            last: None,
            ahead: Vec::new(),
            arrived: 0,
            fed: 0,
            made: 0,
            logits: Vec::new(),
            used: 0,
        })
    }

    /// A copy that goes on by itself, where all predictions were used.
    ///
    /// # Errors
    /// As [`LanguageModel::fork`].
    pub fn fork(&self) -> Result<Self, PredictorError> {
        debug_assert!(self.is_used_up());
        Ok(Self {
            model: self.model.fork()?,
            ahead: Vec::new(),
            logits: Vec::new(),
            arrived: 0,
            fed: 0,
            made: 0,
            used: 0,
            ..*self
        })
    }

    /// Forgets all tokens, those that are known to come too, but not what was learnt of them.
    pub fn clear(&mut self) {
        self.last = None;
        self.ahead.clear();
        self.arrived = 0;
        self.fed = 0;
        self.made = 0;
        self.logits.clear();
        self.used = 0;
    }

    /// Says which tokens come, so that they can be fed together. Those said before must have come.
    pub fn expect(&mut self, tokens: &[u32]) {
        self.ahead.clear();
        self.ahead.extend_from_slice(tokens);
        self.arrived = 0;
    }

    /// Takes up the token that came, and learns from it.
    ///
    /// # Errors
    /// As [`LanguageModel::learn`].
    pub fn push(&mut self, token: u32) -> Result<(), PredictorError> {
        if let Some(last) = self.used.checked_sub(1) {
            let logits = &self.logits[last * self.width..self.used * self.width];
            self.model
                .learn(logits, (token != NO_TOKEN).then_some(token))?;
        }
        self.last = Some(token);
        self.arrived += 1;
        Ok(())
    }

    /// Logits of the next token.
    ///
    /// # Errors
    /// As [`LanguageModel::advance`].
    pub fn predict(&mut self) -> Result<&[i32], PredictorError> {
        if self.is_used_up() {
            self.feed()?;
            let count = (self.fed - self.made).min(TOGETHER).min(self.model.left());
            let range = self.made..self.made + count;
            self.logits.clear();
            self.used = 0;
            self.model.logits(range, &mut self.logits)?;
            self.model.adapt(&mut self.logits);
            self.made += count;
        }
        self.used += 1;
        Ok(&self.logits[(self.used - 1) * self.width..self.used * self.width])
    }

    /// What the model says of the next tokens, of at most `count` as far as it is known which come, without
    /// what it has learnt: they stay to be predicted. To be asked where nothing is adapted ahead.
    ///
    /// # Errors
    /// As [`LanguageModel::advance`].
    pub fn outlook(&mut self, count: usize) -> Result<Vec<i32>, PredictorError> {
        debug_assert!(self.is_used_up());
        self.feed()?;
        let mut logits = Vec::new();
        let end = self.fed.min(self.made + count);
        self.model.logits(self.made..end, &mut logits)?;
        Ok(logits)
    }

    fn is_used_up(&self) -> bool {
        self.used * self.width == self.logits.len()
    }

    /// Feeds at least one token, more if it is known which come, where all that were are used.
    fn feed(&mut self) -> Result<(), PredictorError> {
        if self.made < self.fed {
            return Ok(());
        }
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
        self.model.advance(&tokens)?;
        self.made = 0;
        self.fed = tokens.len();
        Ok(())
    }
}
