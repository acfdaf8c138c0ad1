//! One sequence of tokens, and the window of them that the model sees.

use std::sync::Arc;

use super::cache::{Cache, sinks, step};
use super::evaluate::{Row, evaluate};
use super::model::Model;
use super::states::States;
use crate::segment::PredictorError;

/// Evaluates a sequence of tokens, some at a time.
#[derive(Clone)]
pub struct Session {
    model: Arc<Model>,
    cache: Cache,
    /// Positions whose keys and values the cache has, and how many it had before and dropped.
    filled: usize,
    dropped: u64,
    window: usize,
}

impl Session {
    /// Starts with nothing seen. `window`, in tokens, is kept within 2 and the model's context.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn new(model: &Arc<Model>, window: usize) -> Result<Self, PredictorError> {
        let window = window.clamp(2, model.context());
        Ok(Self {
            cache: Cache::new(model.config(), window)?,
            filled: 0,
            dropped: 0,
            model: Arc::clone(model),
            window,
        })
    }

    /// The window in use, in tokens.
    #[must_use]
    pub fn window(&self) -> usize {
        self.window
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// Forgets every token.
    pub fn reset(&mut self) {
        self.filled = 0;
        self.dropped = 0;
    }

    /// Where the window is full, drops its oldest positions but the very first, whose keys turn to
    /// stay as near as they are (G. Xiao et al., "Efficient Streaming Language Models with Attention
    /// Sinks", ICLR 2024, 3.2).
    fn make_room(&mut self) {
        if self.filled < self.window {
            return;
        }
        let (kept, count) = (sinks(self.window), step(self.window));
        self.dropped = self.dropped.wrapping_add(count as u64);
        let size = self.model.config().head_size;
        let mut turns = Vec::new();
        for position in 0..kept as u64 {
            let turn = self.dropped.wrapping_add(position);
            self.model.turns_at(turn, &mut turns);
        }
        let mut scratch = vec![0; size];
        for head in &mut self.cache.heads {
            head.drop_behind(kept, count, self.filled);
            head.turn_sinks(|position, plain, key| {
                let turns = &turns[position * (size / 2)..][..size / 2];
                (self.model.kernels.rotate)(plain, turns, &mut scratch, key)
            });
        }
        self.filled -= count;
    }

    /// Gives tokens the next positions.
    fn place(&mut self, tokens: &[u32]) -> Vec<Row> {
        let from = self.filled;
        self.filled += tokens.len();
        let rows = tokens.iter().enumerate();
        rows.map(|(i, &token)| Row {
            stream: 0,
            position: from + i,
            turn: self.dropped.wrapping_add((from + i) as u64),
            token,
        })
        .collect()
    }

    fn check(model: &Model, tokens: &[u32]) -> Result<(), PredictorError> {
        if tokens
            .iter()
            .any(|&token| token as usize >= model.config().vocab)
        {
            return Err(PredictorError::Usage("the model has no such token"));
        }
        Ok(())
    }

    /// Feeds tokens at the next positions; appends the states after each, of which [`Model::logits`]
    /// makes logits. How many are fed at a time changes no bit.
    ///
    /// # Errors
    /// [`PredictorError::Usage`] for a token that the vocabulary does not have, and then none was fed;
    /// [`PredictorError::Setup`] where threads cannot be had, after which only [`Session::reset`] helps.
    pub fn advance_states(
        &mut self,
        mut tokens: &[u32],
        states: &mut States,
    ) -> Result<(), PredictorError> {
        Self::check(&self.model, tokens)?;
        while !tokens.is_empty() {
            self.make_room();
            let count = tokens.len().min(self.window - self.filled);
            let (now, later) = tokens.split_at(count);
            let rows = self.place(now);
            evaluate(&self.model, &mut [&mut self.cache], &rows, Some(states))?;
            tokens = later;
        }
        Ok(())
    }

    /// As [`Session::advance_states`]; appends to `logits`, for each token, those of the token after
    /// it: `vocab` numbers of 16 fraction bits, in nats.
    ///
    /// # Errors
    /// As [`Session::advance_states`].
    pub fn advance(&mut self, tokens: &[u32], logits: &mut Vec<i32>) -> Result<(), PredictorError> {
        let mut states = States::new();
        self.advance_states(tokens, &mut states)?;
        self.model.logits(&states, 0..states.len(), logits)
    }

    /// Feeds one token to each of several sessions of one model, all in one evaluation; appends the
    /// states in their order, the same as `advance_states` of each.
    ///
    /// # Errors
    /// As [`Session::advance_states`].
    ///
    /// # Panics
    /// Where the numbers of sessions and tokens differ, or the models.
    pub fn advance_together(
        sessions: &mut [&mut Self],
        tokens: &[u32],
        states: &mut States,
    ) -> Result<(), PredictorError> {
        assert!(sessions.len() == tokens.len());
        let Some(first) = sessions.first() else {
            return Ok(());
        };
        let model = Arc::clone(&first.model);
        Self::check(&model, tokens)?;
        let mut rows = Vec::with_capacity(tokens.len());
        for (stream, (session, &token)) in sessions.iter_mut().zip(tokens).enumerate() {
            assert!(Arc::ptr_eq(&session.model, &model));
            session.make_room();
            let row = session.place(&[token]);
            rows.extend(row.into_iter().map(|row| Row { stream, ..row }));
        }
        let mut caches: Vec<&mut Cache> = sessions.iter_mut().map(|s| &mut s.cache).collect();
        evaluate(&model, &mut caches, &rows, Some(states))
    }
}
