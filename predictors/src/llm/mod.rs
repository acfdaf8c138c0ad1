//! `llm`: a language model's predictions, walked down to bits and mixed with those of `cm`.
//!
//! A token is a path in the trie of the [`vocabulary`]. Logits become integer [`mass`]es, whose sums give
//! the mass below any node, and so the probability of every bit on the way and of the token's end.
//! [`join`] gives them to the context mixer; [`context`] feeds the model; [`codec`] is the predictor.
//! Only the encoder needs to know how to cut text into tokens: the decoder sees where they end.

mod codec;
mod context;
mod join;
pub mod mass;
mod outlook;
mod packed;
mod state;
mod trial;
pub mod vocabulary;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::segment::PredictorError;
pub use outlook::{helps, memory, seconds};
pub use packed::Packed;
pub use vocabulary::Vocabulary;

pub(crate) use codec::PREDICTOR;

/// A language model with what it has read so far.
///
/// The same tokens give the same logits on any machine, however many are fed at a time.
pub trait LanguageModel: Send + Sync {
    /// Feeds tokens and appends for each the logits of the token after it: one for each token of the
    /// vocabulary, in units of `2^-16` nats. Before a token for which the window has no room, the last
    /// half of it becomes all that was fed.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    fn advance(&mut self, tokens: &[u32], logits: &mut Vec<i32>) -> Result<(), PredictorError>;

    /// Forgets what was fed.
    fn reset(&mut self);
}

/// A model pack: what all segments of an archive share.
pub trait ModelPack: Send + Sync {
    fn vocabulary(&self) -> &Vocabulary;

    /// Most tokens that the model can look back on.
    fn context(&self) -> usize;

    /// The token that text begins with, if the model has one.
    fn first_token(&self) -> Option<u32>;

    /// Bytes of memory that a run with a window of so many tokens takes, besides the pack.
    fn memory(&self, window: usize) -> u64;

    /// Cuts text into tokens, which spell it, and appends them to `tokens`. Only the archive's size
    /// depends on where they end.
    fn tokens_of(&self, text: &[u8], tokens: &mut Vec<u32>);

    /// A new run of the model with a window of so many tokens.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    fn start(self: Arc<Self>, window: usize) -> Result<Box<dyn LanguageModel>, PredictorError>;
}
