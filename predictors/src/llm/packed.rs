//! A model pack of the transformer as a [`ModelPack`].

use std::sync::Arc;

use super::{LanguageModel, ModelPack, Vocabulary};
use crate::segment::PredictorError;
use crate::simd;
use crate::transformer::bpe::{Bpe, Rule, Tokenizer};
use crate::transformer::{Model, Pack, Session};

const DAMAGED: PredictorError = PredictorError::Corrupt("the model's vocabulary is damaged");

/// A transformer with its vocabulary, ready to be run.
pub struct Packed {
    model: Arc<Model>,
    vocabulary: Vocabulary,
    tokenizer: Bpe,
    first_token: Option<u32>,
}

fn numbers(bytes: &[u8]) -> Vec<u32> {
    let (words, _) = bytes.as_chunks::<4>();
    words.iter().map(|&word| u32::from_le_bytes(word)).collect()
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
        let model = Arc::new(Model::new(Arc::clone(&pack), level, threads)?);
        let bytes = pack.plain("vocab.bytes", "u8")?;
        let ends = numbers(pack.plain("vocab.ends", "u32")?);
        if ends.len() != pack.config().vocab {
            return Err(DAMAGED);
        }
        let merges = numbers(pack.plain("merges", "u32")?);
        let rules = pack.header().get("tokenizer").ok_or(DAMAGED)?;
        let name = rules.get("pre").and_then(|pre| pre.as_str());
        let rule = Rule::named(name.ok_or(DAMAGED)?).ok_or(PredictorError::Unsupported(
            "this rule of tokenizers is not known",
        ))?;
        let tokenizer = Bpe::new(&Tokenizer {
            bytes,
            ends: &ends,
            merges: merges.as_chunks::<2>().0,
            rule,
            whole_pieces: rules.get("whole").and_then(|whole| whole.as_u64()) == Some(1),
        })?;
        let first = rules
            .get("bos")
            .and_then(|bos| bos.as_i64())
            .ok_or(DAMAGED)?;
        let first_token = match first {
            -1 => None,
            _ => Some(u32::try_from(first).map_err(|_| DAMAGED)?),
        };
        if first_token.is_some_and(|token| token as usize >= ends.len()) {
            return Err(DAMAGED);
        }
        Ok(Self {
            vocabulary: Vocabulary::new(bytes, &ends)?,
            model,
            tokenizer,
            first_token,
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
