//! A language model outside of archives: tokens go in, and what may follow comes out.

use std::sync::Arc;

use super::context::BATCH;
use super::mass::Masses;
use super::vocabulary::NO_TOKEN;
use super::{LanguageModel, ModelPack};
use crate::draw::{AS_IT_IS, point, tempered};
use crate::segment::PredictorError;

/// A run of a model that is told tokens.
pub struct Session {
    pack: Arc<dyn ModelPack>,
    run: Box<dyn LanguageModel>,
    /// After the last token; none before the first.
    logits: Vec<i32>,
    masses: Masses,
}

impl Session {
    /// That sees at most `window` tokens, kept within 2 and what the model takes. A model that text begins
    /// with a token of is told that.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn new(pack: &Arc<dyn ModelPack>, window: usize) -> Result<Self, PredictorError> {
        let window = window.clamp(2, pack.context());
        let mut session = Self {
            run: Arc::clone(pack).start(window, false)?,
            logits: Vec::new(),
            masses: Masses::new(pack.vocabulary().tokens().len()),
            pack: Arc::clone(pack),
        };
        // As a coder begins.
        session.advance(&[pack.first_token().unwrap_or(0)])?;
        Ok(session)
    }

    /// Feeds tokens. The oldest but the very first are forgotten where the window is full.
    ///
    /// # Errors
    /// [`PredictorError::Usage`] for a token that the vocabulary does not have, [`PredictorError::Setup`]
    /// when there is not enough memory.
    pub fn advance(&mut self, tokens: &[u32]) -> Result<(), PredictorError> {
        let known = self.pack.vocabulary().len();
        if tokens.iter().any(|&token| token as usize >= known) {
            return Err(PredictorError::Usage("the model has no such token"));
        }
        for some in tokens.chunks(BATCH) {
            self.run.advance(some)?;
            self.logits.clear();
            self.run
                .logits(some.len() - 1..some.len(), &mut self.logits)?;
        }
        Ok(())
    }

    /// The next token that 64 random bits fall on, and its bytes; special tokens never come. A temperature
    /// in thousandths: 1000 leaves the distribution as it is, 0 takes the likeliest.
    pub fn pick(&mut self, temperature: u32, draw: u64) -> (u32, &[u8]) {
        let vocabulary = self.pack.vocabulary();
        let tokens = vocabulary.tokens();
        let known = |rank: usize| self.logits.get(tokens[rank] as usize).copied();
        let ranks = 0..tokens.len();
        // The last of equals, whose rank is the lowest.
        let best = ranks.clone().rev().max_by_key(|&rank| known(rank));
        let best = best.unwrap_or(0);
        let rank = if temperature == 0 {
            best
        } else {
            let top = i64::from(known(best).unwrap_or(0));
            let temper = |&logit: &i32| {
                let below = tempered((top - i64::from(logit)).max(0) as u64, temperature);
                (top - below.min(1 << 31) as i64).max(i64::from(i32::MIN)) as i32
            };
            if temperature == AS_IT_IS {
                self.masses.set(vocabulary, &self.logits);
            } else {
                let logits: Vec<i32> = self.logits.iter().map(temper).collect();
                self.masses.set(vocabulary, &logits);
            }
            let found = self.masses.find(point(draw, self.masses.of(&ranks)));
            // A byte that no token spells has a mass, but cannot be told to the model.
            if tokens[found] == NO_TOKEN {
                best
            } else {
                found
            }
        };
        (tokens[rank], vocabulary.spelling(rank))
    }
}
