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
    let width = pack.vocabulary().len();
    let window = window.clamp(2, pack.context());
    let mut run = Arc::clone(pack).start(window, false)?;
    let (mut costs, mut logits) = (Vec::with_capacity(tokens.len()), Vec::new());
    for tokens in tokens.chunks(window) {
        run.reset();
        costs.push(0.0);
        let mut next = tokens[1..].iter();
        for some in tokens.chunks(BATCH) {
            run.advance(some)?;
            logits.clear();
            run.logits(0..some.len(), &mut logits)?;
            let rows = logits.chunks_exact(width);
            for (row, &token) in rows.zip(&mut next) {
                costs.push(cost(row, token)?);
            }
        }
    }
    Ok(costs)
}

/// Nats of a token by these logits.
fn cost(logits: &[i32], token: u32) -> Result<f64, PredictorError> {
    let own = logits.get(token as usize);
    let own = *own.ok_or(PredictorError::Usage("the model has no such token"))?;
    let nats = |logit: i32| f64::from(logit) / 65536.0;
    let top = nats(logits.iter().fold(i32::MIN, |top, &l| top.max(l)));
    let sum: f64 = logits.iter().map(|&l| (nats(l) - top).exp()).sum();
    Ok(top + sum.ln() - nats(own))
}
