//! What coding with a model will take and bring, told from samples before it begins.

use std::sync::Arc;
use std::time::Instant;

use super::ModelPack;
use super::block::BLOCK;
use super::context::{BATCH, Context};
use super::cut::cut;
use super::state::Settings;
use super::trial::Trial;
use crate::cm::detect::is_text;
use crate::segment::PredictorError;

/// Stretches of a segment that are looked at, and blocks of each, the last of which is tried.
const STRETCHES: usize = 3;
const BLOCKS: usize = 4;
/// Tokens that are evaluated one at a time to measure how long that takes.
const ALONE: usize = 6;
/// Batches between the two whose times tell what it costs to look back.
const FAR: usize = 3;
/// Logits that a decoder has at a time: those that were made, those that are adapted, those of others.
const FEW: usize = 4;
/// What the mixer with a model takes more than the one without.
const JOINED: u64 = 16 << 20;
/// Tokens of a job from which on that matters.
const LONG: f64 = 1000.0;
/// Where nothing says how long tokens are.
const TOKEN_BYTES: f64 = 4.0;

/// Bytes of memory that a segment with these settings takes for the model, besides the pack.
///
/// # Errors
/// [`PredictorError::Unsupported`] for settings that this version does not know.
pub fn memory(pack: &dyn ModelPack, settings: &[u8]) -> Result<u64, PredictorError> {
    Ok(pack.memory(Settings::parse(settings)?.window, BATCH))
}

/// Bytes of memory that decoding a segment takes which goes on from one of `first` bytes with these
/// settings, besides the pack.
///
/// # Errors
/// [`PredictorError::Unsupported`] for settings that this version does not know.
pub fn memory_after(
    pack: &dyn ModelPack,
    settings: &[u8],
    first: u64,
) -> Result<u64, PredictorError> {
    let settings = Settings::parse(settings)?;
    let room = first.saturating_add(settings.longest_after);
    let mixing = (crate::cm::PREDICTOR.memory)(&settings.cm, room)?;
    let run = pack.memory(settings.window, FEW);
    Ok(mixing.saturating_add(run).saturating_add(JOINED))
}

/// Whether the model may help somewhere in a segment: there is text, and in one of a few places the
/// model needs less for a sample than the mixer that has learnt what stands before it.
///
/// # Errors
/// [`PredictorError::Unsupported`] for settings that this version does not know,
/// [`PredictorError::Setup`] when there is not enough memory.
pub fn helps(
    pack: &Arc<dyn ModelPack>,
    settings: &[u8],
    segment: &[u8],
) -> Result<bool, PredictorError> {
    let settings = Settings::parse(settings)?;
    let blocks: Vec<&[u8]> = segment.chunks(BLOCK).collect();
    if blocks.len() < STRETCHES * BLOCKS {
        // Coding it soon tells.
        return Ok(blocks.iter().any(|block| is_text(block)));
    }
    for number in 0..STRETCHES {
        let from = number * (blocks.len() - BLOCKS) / (STRETCHES - 1);
        let (last, before) = blocks[from..from + BLOCKS].split_last().expect("not empty");
        if is_text(last) && sample_helps(pack, &settings, before, last)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the model helps with the tokens of `block` behind those that it needs to get going.
fn sample_helps(
    pack: &Arc<dyn ModelPack>,
    settings: &Settings,
    before: &[&[u8]],
    block: &[u8],
) -> Result<bool, PredictorError> {
    let mut trial = Trial::new(&settings.cm, (BLOCKS * BLOCK) as u64)?;
    for block in before {
        trial.learn(block);
    }
    let cut = cut(&**pack, block)?;
    let first = BATCH.min(cut.tokens.len() / 2);
    let mut context = Context::new(pack, 2 * BATCH, false)?;
    context.expect(&cut.tokens);
    for &token in &cut.tokens[..first] {
        context.predict()?;
        context.push(token)?;
    }
    let starts = cut.starts.iter().enumerate();
    let mut starts = starts.filter_map(|(at, &start)| start.then_some(at));
    let (warm, rest) = block.split_at(starts.nth(first).unwrap_or(0));
    trial.learn(warm);
    let logits = context.outlook(BATCH)?;
    Ok(trial.helps(pack.vocabulary(), &logits, &cut.ranks[first..], rest))
}

/// Seconds that coding and decoding `length` bytes like those of `sample` with these settings take about,
/// told from what some tokens take here and now. Of `segments` all but the first, of `first` bytes, are
/// decoded together.
///
/// # Errors
/// [`PredictorError::Unsupported`] for settings that this version does not know,
/// [`PredictorError::Setup`] when there is not enough memory.
pub fn seconds(
    pack: &Arc<dyn ModelPack>,
    settings: &[u8],
    sample: &[u8],
    length: u64,
    segments: u64,
    first: u64,
) -> Result<(f64, f64), PredictorError> {
    let window = Settings::parse(settings)?.window.min(pack.context()) as f64;
    let cut = cut(&**pack, &sample[..sample.len().min(BLOCK)])?;
    let bytes = match cut.tokens.len() {
        0 => TOKEN_BYTES,
        tokens => cut.starts.len() as f64 / tokens as f64,
    };
    let tokens = length as f64 / bytes;
    let mut run = Arc::clone(pack).start((FAR + 3) * BATCH, false)?;
    let fed = vec![pack.first_token().unwrap_or(0); BATCH];
    let mut logits = Vec::new();
    let mut timed = |tokens: &[u32]| {
        logits.clear();
        let begun = Instant::now();
        run.advance(tokens)?;
        run.logits(0..tokens.len(), &mut logits)?;
        Ok::<_, PredictorError>(begun.elapsed().as_secs_f64() / tokens.len() as f64)
    };
    // The first token brings the weights into the caches.
    timed(&fed[..1])?;
    let near = timed(&fed)?;
    let mut alone = 0.0;
    for token in fed.chunks(1).take(ALONE) {
        alone += timed(token)? / ALONE as f64;
    }
    // Tokens of several places of the text take about as long as the same number that follow each other.
    let others = segments.clamp(1, BATCH as u64) as usize - 1;
    if others > 0 {
        let together = timed(&fed[..others])?;
        let share = first.min(length) as f64 / length.max(1) as f64;
        alone = share * alone + (1.0 - share) * together;
    }
    if tokens < LONG {
        return Ok((near * tokens, alone * tokens));
    }
    // What lies further back takes more.
    for _ in 1..FAR {
        timed(&fed)?;
    }
    let each = (timed(&fed)? - near).max(0.0) / (FAR * BATCH) as f64;
    let back = if tokens > window {
        window * (1.0 - window / tokens * 0.5)
    } else {
        tokens * 0.5
    };
    let further = each * back;
    Ok((tokens * (near + further), tokens * (alone + further)))
}
