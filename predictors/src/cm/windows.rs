//! Windows of equal information: text as symbols of a fixed width, each of which can be decoded alone.
//!
//! After "Training LLMs over Neurally Compressed Text" (Lester and others, 2024, section 3.3): the coder
//! and the context begin anew with each window. Here a window holds whole bytes, at least one: an interval
//! of `2^width` values is split by the model's probabilities, bit by bit; behind each byte the first value of
//! what is left says that the window ends. So any value decodes, and a text ends where it does.

use super::any_model::Any;
use super::context_mixer::ContextMixer;
use super::model::{Held, Model};
use crate::segment::PredictorError;
use crate::simd::{self, Job, Kernels};

/// Widths of symbols in bits.
pub const WIDTHS: std::ops::RangeInclusive<u32> = 8..=32;
/// The most bytes that a window holds.
const LONGEST: usize = 1 << 12;

/// The values that are still possible: how many, from the lowest on.
#[derive(Clone, Copy)]
struct Interval {
    low: u64,
    values: u64,
}

impl Interval {
    /// Splits for a bit: how many values a zero gets. `least` is what each side gets at any rate.
    fn zeros(self, p_one: u32, least: u64) -> u64 {
        let ones = ((u128::from(self.values) * u128::from(p_one)) >> 32) as u64;
        self.values - ones.clamp(least, self.values - least)
    }

    fn take(&mut self, bit: bool, zeros: u64) {
        if bit {
            self.low += zeros;
            self.values -= zeros;
        } else {
            self.values = zeros;
        }
    }
}

/// What each side of the split of bit `depth` gets at any rate: any byte must have a value in a new window.
fn least(first: bool, depth: u32) -> u64 {
    if first { 1 << (7 - depth) } else { 0 }
}

/// Codes windows, or decodes them, from the place where the model is.
enum Work<'a> {
    Encode { text: &'a [u8], symbols: Vec<u64> },
    Decode { symbols: &'a [u64], text: Vec<u8> },
}

struct Windows<'a, 'b, const S: usize, const A: usize> {
    model: &'a mut Model<S, A>,
    held: &'a Held,
    width: u32,
    work: &'a mut Work<'b>,
}

impl<const S: usize, const A: usize> Job for Windows<'_, '_, S, A> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernels>(self) {
        let Self {
            model,
            held,
            width,
            work,
        } = self;
        match work {
            Work::Encode { text, symbols } => {
                let mut rest = *text;
                while !rest.is_empty() {
                    let (symbol, used) = encode::<K, S, A>(model, width, rest);
                    model.back_to(held);
                    symbols.push(symbol);
                    rest = &rest[used..];
                }
            }
            Work::Decode { symbols, text } => {
                for &symbol in *symbols {
                    decode::<K, S, A>(model, width, symbol, text);
                    model.back_to(held);
                }
            }
        }
    }
}

#[inline(always)]
fn encode<K: Kernels, const S: usize, const A: usize>(
    model: &mut Model<S, A>,
    width: u32,
    text: &[u8],
) -> (u64, usize) {
    let mut interval = Interval {
        low: 0,
        values: 1 << width,
    };
    let mut symbol = 0;
    for (used, &byte) in text.iter().take(LONGEST).enumerate() {
        if used > 0 {
            // Here the window may end.
            symbol = interval.low;
            interval.low += 1;
            interval.values -= 1;
        }
        for depth in 0..8 {
            let bit = byte >> (7 - depth) & 1 == 1;
            let zeros = interval.zeros(model.predict::<K>(), least(used == 0, depth));
            interval.take(bit, zeros);
            if interval.values == 0 {
                return (symbol, used);
            }
            model.pass(bit);
        }
    }
    (interval.low, text.len().min(LONGEST))
}

#[inline(always)]
fn decode<K: Kernels, const S: usize, const A: usize>(
    model: &mut Model<S, A>,
    width: u32,
    symbol: u64,
    text: &mut Vec<u8>,
) {
    let mut interval = Interval {
        low: 0,
        values: 1 << width,
    };
    for used in 0..LONGEST {
        if used > 0 {
            if symbol == interval.low {
                return;
            }
            interval.low += 1;
            interval.values -= 1;
        }
        let mut byte = 0;
        for depth in 0..8 {
            let zeros = interval.zeros(model.predict::<K>(), least(used == 0, depth));
            let bit = symbol - interval.low >= zeros;
            interval.take(bit, zeros);
            model.pass(bit);
            byte = byte << 1 | u8::from(bit);
        }
        text.push(byte);
    }
}

fn run<'a>(
    mixer: &mut ContextMixer,
    width: u32,
    mut work: Work<'a>,
) -> Result<Work<'a>, PredictorError> {
    if !WIDTHS.contains(&width) {
        return Err(PredictorError::Usage("windows have 8 to 32 bits"));
    }
    let model = match &mut mixer.model {
        Any::Lean(model) if model.can_hold() => model,
        _ => {
            return Err(PredictorError::Usage(
                "windows take a model of level 3 to 6 of text or binary content",
            ));
        }
    };
    let held = &model.hold();
    model.back_to(held);
    let (model, work_ref) = (&mut **model, &mut work);
    simd::run(
        mixer.simd,
        Windows {
            model,
            held,
            width,
            work: work_ref,
        },
    );
    Ok(work)
}

/// The symbols of a text, each below `2^width`, by a model that begins each window where it is now, and
/// learns nothing.
///
/// # Errors
/// [`PredictorError::Usage`] for a width not of [`WIDTHS`], and for a model of a level from 7 on or of pixels.
pub fn symbols(
    mixer: &mut ContextMixer,
    width: u32,
    text: &[u8],
) -> Result<Vec<u64>, PredictorError> {
    let work = Work::Encode {
        text,
        symbols: Vec::new(),
    };
    match run(mixer, width, work)? {
        Work::Encode { symbols, .. } => Ok(symbols),
        Work::Decode { .. } => unreachable!("the work that was given"),
    }
}

/// The text of symbols, by a model in the same state.
///
/// # Errors
/// As [`symbols`]; [`PredictorError::Corrupt`] for a symbol that is not below `2^width`.
pub fn text(
    mixer: &mut ContextMixer,
    width: u32,
    symbols: &[u64],
) -> Result<Vec<u8>, PredictorError> {
    if symbols.iter().any(|&symbol| symbol >> width.min(63) != 0) {
        return Err(PredictorError::Corrupt(
            "a symbol is wider than the windows",
        ));
    }
    let work = Work::Decode {
        symbols,
        text: Vec::new(),
    };
    match run(mixer, width, work)? {
        Work::Decode { text, .. } => Ok(text),
        Work::Encode { .. } => unreachable!("the work that was given"),
    }
}
