//! A text cut into the tokens of a model's vocabulary, for an encoder.

use super::ModelPack;
use super::vocabulary::NO_TOKEN;
use crate::segment::PredictorError;

/// A text cut into tokens: their numbers, their ranks, and for each byte whether a token starts there.
#[derive(Default)]
pub struct Cut {
    pub tokens: Vec<u32>,
    pub ranks: Vec<usize>,
    pub starts: Vec<bool>,
}

/// # Errors
/// [`PredictorError::Usage`] where the model's tokens do not spell the text.
pub fn cut(pack: &dyn ModelPack, text: &[u8]) -> Result<Cut, PredictorError> {
    let vocabulary = pack.vocabulary();
    let foreign = |byte: u8| vocabulary.tokens()[vocabulary.byte(byte)] == NO_TOKEN;
    let foreign: [bool; 256] = std::array::from_fn(|byte| foreign(byte as u8));
    let (mut ranks, mut starts) = (Vec::new(), Vec::with_capacity(text.len()));
    let mut tokens = Vec::new();
    for part in text.split_inclusive(|&byte| foreign[usize::from(byte)]) {
        let last = part.last().filter(|&&byte| foreign[usize::from(byte)]);
        let known = &part[..part.len() - usize::from(last.is_some())];
        tokens.clear();
        pack.tokens_of(known, &mut tokens);
        let end = starts.len() + known.len();
        for &token in &tokens {
            let rank = vocabulary
                .rank(token)
                .filter(|&rank| text[starts.len()..end].starts_with(vocabulary.spelling(rank)));
            let rank = rank.ok_or(PredictorError::Usage("tokens do not spell the text"))?;
            ranks.push(rank);
            starts.push(true);
            starts.resize(starts.len() - 1 + vocabulary.spelling(rank).len(), false);
        }
        if starts.len() != end {
            return Err(PredictorError::Usage("tokens do not spell the text"));
        }
        if let Some(&byte) = last {
            ranks.push(vocabulary.byte(byte));
            starts.push(true);
        }
    }
    let tokens = ranks
        .iter()
        .map(|&rank| vocabulary.tokens()[rank])
        .collect();
    Ok(Cut {
        tokens,
        ranks,
        starts,
    })
}
