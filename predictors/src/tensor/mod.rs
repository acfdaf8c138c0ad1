//! Tensors: units fall apart into planes of bytes, each coded by the method that suits it.
//!
//! FORMAT.md, "Predictor tensor". After the field splits of ZipNN (Hershcovitch et al. 2024) and
//! of OpenZL; static tables by row or column class as measured for llmzip.

mod classes;
mod cluster;
mod decoder;
mod delta;
mod encoder;
mod kind;
mod matches;
mod mix;
mod model;
#[cfg(test)]
mod noise;
mod plane;
mod sample;
mod settings;
mod simd;
mod split;
mod train;
mod values;
mod words;

use crate::segment::{Predictor, PredictorError};
use crate::simd::Level;
use decoder::Decoder;
use encoder::Encoder;
use settings::Settings;

pub use settings::{settings, with_matches, with_values};

/// How often each byte occurs in each plane of whole units of the kind `name`, and how many bytes a
/// unit gives to it; `None` where there is no such kind.
#[must_use]
pub fn histograms(name: &str, data: &[u8]) -> Option<Vec<(usize, [u32; 256])>> {
    let kind = kind::KINDS.iter().find(|kind| kind.name == name)?;
    let whole = data.len() / kind.unit * kind.unit;
    let mut planes = vec![Vec::new(); kind.planes()];
    split::split(kind, &data[..whole], &mut planes, 0, Level::Scalar);
    let counted = planes.iter().enumerate().map(|(number, plane)| {
        let counts = llmzip_coders::rans::histogram(plane);
        (kind.width(number), counts)
    });
    Some(counted.collect())
}

/// Whether a tensor with these settings may repeat itself, as far as a quick look at a sample of whole
/// units tells.
///
/// # Errors
/// [`PredictorError::Unsupported`] for settings that this version does not know.
pub fn may_repeat(settings: &[u8], sample: &[u8]) -> Result<bool, PredictorError> {
    let kind = Settings::parse(settings)?.kind;
    // Units of more elements begin with scales of two bytes.
    let step = if kind.elements > 1 { 2 } else { kind.unit };
    Ok(words::may_repeat(sample, step))
}

/// Whether rows of a tensor with these settings come again, however far away, as far as two words of
/// each tell.
///
/// # Errors
/// As those of [`may_repeat`].
pub fn rows_repeat(settings: &[u8], data: &[u8]) -> Result<bool, PredictorError> {
    let Settings { kind, row, .. } = Settings::parse(settings)?;
    Ok(words::rows_repeat(data, row / kind.elements * kind.unit))
}

pub(crate) const PREDICTOR: Predictor = Predictor {
    id: "tensor",
    version: 1,
    coder: 3,
    memory: |settings, raw_len| {
        let settings = Settings::parse(settings)?;
        // The planes of a segment while it is trained, its base, tables, a chunk with its planes.
        let tables = raw_len.saturating_mul(4).saturating_add(48 << 20);
        let mixed = if settings.effort().mix {
            mix::memory(settings.row)
        } else {
            0
        };
        Ok(tables.saturating_add(mixed))
    },
    encoder: |settings, raw_len| Ok(Box::new(Encoder::new(Settings::parse(settings)?, raw_len))),
    decoder: |settings, raw_len| Ok(Box::new(Decoder::new(Settings::parse(settings)?, raw_len))),
    settings: |level, _| vec![level, 0, 0, 0, 0, 0, 0],
};
