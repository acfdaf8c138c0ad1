//! One plane of a block: its methods.

mod decode;
mod encode;
mod repeats;

pub use decode::{Buffer, Coded, decode};
pub use encode::{Habits, Scratch, encode, encode_ahead, looks_flat};

use super::mix::{Mix, Start};
use super::model::{Model, PlaneModel, row_symbols};
use super::settings::Settings;
use crate::segment::PredictorError;
use crate::simd::Level;

const RAW: u8 = 0;
const CONSTANT: u8 = 1;
/// A table of its own.
const OWN: u8 = 2;
/// The segment's tables, as the plane's model chooses them.
const SHARED: u8 = 3;
const ZSTD: u8 = 4;
/// The segment's adaptive model.
pub const MIX: u8 = 5;

const BAD: PredictorError = PredictorError::Corrupt("a plane of a tensor is damaged");

/// How hard an encoder tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// A plane is coded if that saves one part in this many: decoding costs time.
    pub worth: u64,
    /// Whether rows and columns may have tables of their own.
    pub rows: bool,
    /// Units of a segment that are looked at before it is coded.
    pub sample: usize,
    /// zstd's level for planes that repeat, 0 to leave it out.
    pub zstd: i32,
    /// Whether planes may be mixed.
    pub mix: bool,
    /// Whether plane 0 may choose the tables of others.
    pub by_first: bool,
    pub simd: Level,
}

/// Where a plane's block lies in its rows, and what is given with each symbol.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Symbols of a row, 0 if there are none.
    pub row: usize,
    /// Column of the first symbol.
    pub column: usize,
    /// A byte for each symbol, or nothing: what the base has, for an encoder also what plane 0 has.
    pub given: &'a [u8],
}

/// Codes `symbols`, at least one, with an adaptive model that learns from them; `first` has the
/// symbols of plane 0.
pub fn encode_mixed(
    symbols: &[u8],
    first: &[u8],
    place: Place<'_>,
    mix: &mut Mix,
    simd: Level,
    out: &mut Vec<u8>,
) {
    if symbols.iter().all(|&symbol| symbol == symbols[0]) {
        out.extend_from_slice(&[CONSTANT, symbols[0]]);
    } else {
        out.push(MIX);
        mix.encode(symbols, first, place.column, simd, out);
    }
}

/// The models of the planes that are mixed, as new.
pub fn mixes_of(model: &Model, settings: Settings) -> Vec<Option<Mix>> {
    let mix = |(number, start): (usize, &Option<Start>)| {
        let row = row_symbols(settings.kind, number, settings.row);
        start.as_ref().map(|start| Mix::new(start, row))
    };
    model.mixed.iter().enumerate().map(mix).collect()
}

/// The model of plane `number`.
pub fn model_of(model: &Model, number: usize) -> Option<&PlaneModel> {
    model.planes.get(number).and_then(Option::as_ref)
}
