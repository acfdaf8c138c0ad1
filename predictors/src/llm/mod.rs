//! `llm`: a language model's predictions, walked down to bits and mixed with those of `cm`.
//!
//! A token is a path in the trie of the [`vocabulary`]. Logits become integer [`mass`]es, whose sums give
//! the mass below any node, and so the probability of every bit on the way and of the token's end.
//! [`join`] gives them to the context mixer; [`context`] feeds the model; [`codec`] is the predictor.
//! Only the encoder needs to know how to cut text into tokens: the decoder sees where they end.

mod block;
mod codec;
mod context;
mod costs;
mod cut;
mod join;
mod line_ends;
mod lockstep;
pub mod mass;
mod outlook;
mod packed;
mod session;
mod state;
mod trial;
mod unfold;
pub mod vocabulary;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use crate::segment::PredictorError;
pub use costs::{Told, costs, tell};
pub use outlook::{helps, memory, memory_after, seconds};
pub use packed::Packed;
pub use session::Session;
pub use vocabulary::Vocabulary;

pub(crate) use codec::PREDICTOR;

/// A language model with what it has read so far.
///
/// The same tokens give the same logits on any machine, however many are fed at a time.
pub trait LanguageModel: Send + Sync {
    /// Feeds tokens, after each of which it then has a prediction, until more are fed. Where the
    /// window has no room for one, the oldest but the very first are forgotten.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    fn advance(&mut self, tokens: &[u32]) -> Result<(), PredictorError>;

    /// Appends the logits after some of the tokens fed last: one for each token of the vocabulary, in
    /// units of `2^-16` nats.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    fn logits(&self, range: Range<usize>, logits: &mut Vec<i32>) -> Result<(), PredictorError>;

    /// How many predictions may be adapted before it has to be told what came: at least one where it
    /// was told of all.
    fn left(&self) -> usize {
        usize::MAX
    }

    /// Adapts logits to what was learnt of the document; in order, each once, and only what is used.
    fn adapt(&mut self, _logits: &mut [i32]) {}

    /// Learns what came where it had predicted these adapted logits; `None` for what is no token.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] where threads cannot be had.
    fn learn(&mut self, _logits: &[i32], _token: Option<u32>) -> Result<(), PredictorError> {
        Ok(())
    }

    /// A copy that goes on by itself. Copies that run in several threads may be evaluated together.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    fn fork(&self) -> Result<Box<dyn LanguageModel>, PredictorError>;

    /// Forgets what was fed, but not what was learnt.
    fn reset(&mut self);
}

/// A model pack: what all segments of an archive share.
pub trait ModelPack: Send + Sync {
    fn vocabulary(&self) -> &Vocabulary;

    /// Most tokens that the model can look back on.
    fn context(&self) -> usize;

    /// The token that text begins with, if the model has one.
    fn first_token(&self) -> Option<u32>;

    /// Bytes of memory that a run with a window of so many tokens takes, besides the pack, where at most
    /// `together` tokens are fed at a time.
    fn memory(&self, window: usize, together: usize) -> u64;

    /// Cuts text into tokens, which spell it, and appends them to `tokens`. Only the archive's size
    /// depends on where they end.
    fn tokens_of(&self, text: &[u8], tokens: &mut Vec<u32>);

    /// A new run of the model with a window of so many tokens, which may learn the document.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    fn start(
        self: Arc<Self>,
        window: usize,
        learns: bool,
    ) -> Result<Box<dyn LanguageModel>, PredictorError>;
}
