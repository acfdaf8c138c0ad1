//! A model pack of the transformer as a [`ModelPack`].

use std::sync::Arc;

use super::context::BATCH;
use super::{LanguageModel, ModelPack, Vocabulary};
use crate::segment::PredictorError;
use crate::simd;
use crate::transformer::bpe::{Bpe, first_token};
use crate::transformer::{Model, Pack, Session};

/// A transformer with its vocabulary, ready to be run.
pub struct Packed {
    model: Arc<Model>,
    vocabulary: Vocabulary,
    tokenizer: Bpe,
    first_token: Option<u32>,
}

impl Packed {
    /// Takes a pack up; `threads` evaluate rows at a time.
    ///
    /// # Errors
    /// [`PredictorError::Corrupt`] where the pack is damaged, [`PredictorError::Unsupported`] where this
    /// build does not know what it asks for, [`PredictorError::Setup`] for a wrong `LLMZIP_SIMD`.
    pub fn new(pack: Pack, threads: usize) -> Result<Self, PredictorError> {
        let pack = Arc::new(pack);
        let level = simd::active().map_err(PredictorError::Setup)?;
        let (ends, rest) = pack.plain("vocab.ends", "u32")?.as_chunks();
        if !rest.is_empty() || ends.len() != pack.config().vocab {
            return Err(PredictorError::Corrupt("the model's vocabulary is damaged"));
        }
        let ends: Vec<u32> = ends.iter().map(|&end| u32::from_le_bytes(end)).collect();
        Ok(Self {
            vocabulary: Vocabulary::new(pack.plain("vocab.bytes", "u8")?, &ends)?,
            tokenizer: Bpe::of_pack(&pack)?,
            first_token: first_token(&pack)?,
            model: Arc::new(Model::new(pack, level, threads)?),
        })
    }
}

impl ModelPack for Packed {
    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn context(&self) -> usize {
        self.model.context()
    }

    fn first_token(&self) -> Option<u32> {
        self.first_token
    }

    fn memory(&self, window: usize) -> u64 {
        let config = self.model.config();
        let positions = window.min(self.context()).next_multiple_of(64) as u64;
        let values = (config.head_size + config.head_size.next_multiple_of(64)) as u64;
        let heads = (config.layers * config.kv_heads) as u64;
        let widest = (config.ffn + config.hidden) as u64;
        heads * positions * (2 * values + 8) + (BATCH as u64) * (4 * config.vocab as u64 + 32 * widest)
    }

    fn tokens_of(&self, text: &[u8], tokens: &mut Vec<u32>) {
        self.tokenizer.encode(text, tokens);
    }

    fn start(self: Arc<Self>, window: usize) -> Result<Box<dyn LanguageModel>, PredictorError> {
        Ok(Box::new(Run(Session::new(&self.model, window))))
    }
}

struct Run(Session);

impl LanguageModel for Run {
    fn advance(&mut self, tokens: &[u32], logits: &mut Vec<i32>) -> Result<(), PredictorError> {
        self.0.advance(tokens, logits);
        Ok(())
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}
