//! The tokenizer that a model pack describes; FORMAT.md, section 10.1.

use serde_json::{Map, Value};

use super::{Bpe, Rule, Tokenizer};
use crate::segment::PredictorError;
use crate::transformer::Pack;

const DAMAGED: PredictorError = PredictorError::Corrupt("the model pack's tokenizer is damaged");

fn words(pack: &Pack, name: &str) -> Result<Vec<u32>, PredictorError> {
    let (words, rest) = pack.plain(name, "u32")?.as_chunks();
    if !rest.is_empty() {
        return Err(DAMAGED);
    }
    Ok(words.iter().map(|&word| u32::from_le_bytes(word)).collect())
}

fn settings(pack: &Pack) -> Result<&Map<String, Value>, PredictorError> {
    let settings = pack.header().get("tokenizer");
    settings.and_then(Value::as_object).ok_or(DAMAGED)
}

impl Bpe {
    /// # Errors
    /// [`PredictorError::Unsupported`] for another tokenizer or a rule that this build does not have,
    /// else as [`Bpe::new`].
    pub fn of_pack(pack: &Pack) -> Result<Self, PredictorError> {
        let settings = settings(pack)?;
        let text = |key| settings.get(key).and_then(Value::as_str).ok_or(DAMAGED);
        if text("kind")? != "bpe" {
            return Err(PredictorError::Unsupported(
                "this kind of tokenizer is not known",
            ));
        }
        let rule = Rule::named(text("pre")?).ok_or(PredictorError::Unsupported(
            "the tokenizer's rule for cutting text is not known",
        ))?;
        let ends = words(pack, "vocab.ends")?;
        let merges = words(pack, "merges")?;
        let (merges, []) = merges.as_chunks() else {
            return Err(DAMAGED);
        };
        if ends.len() != pack.config().vocab {
            return Err(DAMAGED);
        }
        Self::new(&Tokenizer {
            bytes: pack.plain("vocab.bytes", "u8")?,
            ends: &ends,
            merges,
            rule,
            whole_pieces: settings.get("whole").and_then(Value::as_u64) == Some(1),
        })
    }
}

/// The token that text begins with, if the model has one.
///
/// # Errors
/// [`PredictorError::Corrupt`] where it is none of the vocabulary's.
pub fn first_token(pack: &Pack) -> Result<Option<u32>, PredictorError> {
    let first = settings(pack)?.get("bos").and_then(Value::as_i64);
    match first.ok_or(DAMAGED)? {
        -1 => Ok(None),
        token => match u32::try_from(token) {
            Ok(token) if (token as usize) < pack.config().vocab => Ok(Some(token)),
            _ => Err(DAMAGED),
        },
    }
}
