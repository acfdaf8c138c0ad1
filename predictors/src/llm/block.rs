//! How a block begins, and the text of one that is without its line ends.

use std::ops::Range;

use super::line_ends::{Line, Wrap};
use super::state::Segment;
use super::unfold::{Unfolded, unfold};
use crate::bits::Bits;
use crate::cm::detect::is_text;
use crate::segment::PredictorError;

/// Bytes of a chunk that are coded with the model or without; tokens end where a block ends.
pub const BLOCK: usize = 1 << 14;

/// Probability of what nothing tells.
const EVEN: u32 = 1 << 31;

/// Binary digits of a line's width, and of the length of a block that is not [`BLOCK`] bytes, less one.
const WIDTH_BITS: u32 = 8;
const LENGTH_BITS: u32 = BLOCK.ilog2();

/// Whether there are lines in the first blocks of a segment that are broken at some width.
pub fn unfolds(sample: &[u8]) -> bool {
    let mut line = Line::default();
    sample.chunks(BLOCK).any(|block| {
        let found = is_text(block) && unfold(block, line).is_some();
        line.pass(block);
        found
    })
}

/// The text of the segment's next block with the model, for an encoder; `None` where that is the block itself.
///
/// # Errors
/// [`PredictorError::Setup`] when there is not enough memory.
pub fn unfolded(segment: &mut Segment, raw: &[u8]) -> Result<Option<Unfolded>, PredictorError> {
    if !segment.settings.unfolds {
        return Ok(None);
    }
    Ok(unfold(raw, segment.line()?))
}

/// A whole number of so many binary digits, the top one first; `value` for an encoder.
fn plain<B: Bits>(bits: &mut B, value: usize, digits: u32) -> usize {
    let digits = (0..digits).rev();
    digits.fold(0, |number, place| {
        2 * number + usize::from(bits.code(value >> place & 1 == 1, EVEN))
    })
}

/// How the lines of a block with the model were broken, and its length, where it is without its line ends;
/// `known` for an encoder.
fn wrap<B: Bits>(bits: &mut B, known: Option<(Wrap, usize)>) -> Option<(Wrap, usize)> {
    if !bits.code(known.is_some(), EVEN) {
        return None;
    }
    let nothing = Wrap {
        width: 1,
        crlf: false,
    };
    let (wrap, length) = known.unwrap_or((nothing, BLOCK));
    let wrap = Wrap {
        width: plain(bits, wrap.width - 1, WIDTH_BITS) + 1,
        crlf: bits.code(wrap.crlf, EVEN),
    };
    let length = if bits.code(length == BLOCK, EVEN) {
        BLOCK
    } else {
        plain(bits, length - 1, LENGTH_BITS) + 1
    };
    Some((wrap, length))
}

/// Starts a block, with the model or without, and without its line ends or with them; `on` and `known`, how its
/// lines were broken and its length, for an encoder. Returns the most bytes that it has.
///
/// # Errors
/// [`PredictorError::Setup`] when there is not enough memory.
pub fn start_block<B: Bits>(
    segment: &mut Segment,
    bits: &mut B,
    on: bool,
    known: Option<(Wrap, usize)>,
) -> Result<usize, PredictorError> {
    let on = bits.code(on, EVEN);
    segment.start_block(on)?;
    if on
        && segment.settings.unfolds
        && let Some((wrap, length)) = wrap(bits, known)
    {
        segment.unfold(wrap, length);
        return Ok(length);
    }
    Ok(BLOCK)
}

/// Codes a part of the text of a block without its line ends; `starts` says for each of its bytes whether a token
/// starts there.
///
/// # Errors
/// [`PredictorError::Setup`] when there is not enough memory.
pub fn code_unfolded<B: Bits>(
    segment: &mut Segment,
    bits: &mut B,
    unfolded: &Unfolded,
    starts: &[bool],
    part: Range<usize>,
) -> Result<(), PredictorError> {
    let mut raw = Vec::new();
    for at in part {
        let (mut byte, is_end) = (unfolded.text[at], unfolded.ends[at]);
        segment.code_unfolded(bits, &mut byte, starts[at], is_end, &mut raw)?;
        raw.clear();
    }
    Ok(())
}
