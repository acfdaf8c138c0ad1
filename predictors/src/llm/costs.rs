//! What a text costs by the model alone, for reports: no archive depends on it.

use std::sync::Arc;

use super::ModelPack;
use super::context::BATCH;
use crate::segment::PredictorError;

/// Nats that each of some tokens costs by the model alone. Every `window` tokens the model begins with
/// nothing; the first of them costs nothing. A window is kept within 2 and what the model takes.
///
/// # Errors
/// [`PredictorError::Usage`] for a token that the vocabulary does not have, [`PredictorError::Setup`]
/// when there is not enough memory.
pub fn costs(
    pack: &Arc<dyn ModelPack>,
    tokens: &[u32],
    window: usize,
) -> Result<Vec<f64>, PredictorError> {
    let mut costs = Vec::with_capacity(tokens.len());
    let window = window.clamp(2, pack.context());
    predictions(pack, tokens, window, None, |row| {
        costs.push(row.map_or(Ok(0.0), |(logits, token)| cost(logits, token))?);
        Ok(())
    })?;
    Ok(costs)
}

/// What a report says of one token.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Nats that it costs.
    pub nats: f64,
    /// How many tokens were likelier; of equals, those before it count.
    pub rank: usize,
    /// The likeliest tokens with their probabilities, the likeliest first.
    pub likeliest: Vec<(u32, f64)>,
}

/// What each of some tokens costs by the model alone, and the `count` tokens that it holds for the likeliest.
/// Every `window` tokens the model begins anew with the token that texts begin with, which is one of them.
///
/// # Errors
/// As [`costs`].
pub fn tell(
    pack: &Arc<dyn ModelPack>,
    tokens: &[u32],
    window: usize,
    count: usize,
) -> Result<Vec<Told>, PredictorError> {
    let mut told = Vec::with_capacity(tokens.len());
    let window = window.clamp(2, pack.context());
    // A model without one begins with whatever token is number 0, as in archives.
    let first = pack.first_token().unwrap_or(0);
    predictions(pack, tokens, window, Some(first), |row| {
        let (logits, token) = row.expect("a token stands before each");
        told.push(tell_one(logits, token, count)?);
        Ok(())
    })?;
    Ok(told)
}

/// Gives for each token the logits before it, in windows of so many tokens: `None` for the first of a window
/// unless `first` stands before it.
fn predictions(
    pack: &Arc<dyn ModelPack>,
    tokens: &[u32],
    window: usize,
    first: Option<u32>,
    mut each: impl FnMut(Option<(&[i32], u32)>) -> Result<(), PredictorError>,
) -> Result<(), PredictorError> {
    let width = pack.vocabulary().len();
    let mut run = Arc::clone(pack).start(window, false)?;
    let (mut logits, mut fed) = (Vec::new(), Vec::new());
    for tokens in tokens.chunks(window - usize::from(first.is_some())) {
        run.reset();
        if first.is_none() {
            each(None)?;
        }
        fed.clear();
        fed.extend(first);
        fed.extend_from_slice(tokens);
        let mut next = fed[1..].iter();
        for some in fed[..fed.len() - 1].chunks(BATCH) {
            run.advance(some)?;
            logits.clear();
            run.logits(0..some.len(), &mut logits)?;
            for (row, &token) in logits.chunks_exact(width).zip(&mut next) {
                each(Some((row, token)))?;
            }
        }
    }
    Ok(())
}

fn nats(logit: i32) -> f64 {
    f64::from(logit) / 65536.0
}

/// The logit of a token, and the logarithm of the sum of all tokens' powers.
fn own_and_sum(logits: &[i32], token: u32) -> Result<(i32, f64), PredictorError> {
    let own = logits.get(token as usize);
    let own = *own.ok_or(PredictorError::Usage("the model has no such token"))?;
    let top = nats(logits.iter().fold(i32::MIN, |top, &l| top.max(l)));
    let sum: f64 = logits.iter().map(|&l| (nats(l) - top).exp()).sum();
    Ok((own, top + sum.ln()))
}

/// Nats of a token by these logits.
fn cost(logits: &[i32], token: u32) -> Result<f64, PredictorError> {
    let (own, sum) = own_and_sum(logits, token)?;
    Ok(sum - nats(own))
}

fn tell_one(logits: &[i32], token: u32, count: usize) -> Result<Told, PredictorError> {
    let (own, sum) = own_and_sum(logits, token)?;
    let above = logits.iter().filter(|&&logit| logit > own).count();
    let before = logits[..token as usize]
        .iter()
        .filter(|&&logit| logit == own)
        .count();
    let mut order: Vec<u32> = (0..logits.len() as u32).collect();
    let count = count.min(order.len());
    let better = |&a: &u32, &b: &u32| logits[b as usize].cmp(&logits[a as usize]).then(a.cmp(&b));
    if count > 0 && count < order.len() {
        order.select_nth_unstable_by(count - 1, better);
    }
    order.truncate(count);
    order.sort_by(better);
    let likeliest = order.into_iter();
    Ok(Told {
        nats: sum - nats(own),
        rank: above + before,
        likeliest: likeliest
            .map(|token| (token, (nats(logits[token as usize]) - sum).exp()))
            .collect(),
    })
}
