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
mod mix;
mod model;
mod plane;
mod sample;
mod settings;
mod simd;
mod split;
mod train;
mod words;

use crate::segment::Predictor;
use crate::simd::Level;
use decoder::Decoder;
use encoder::Encoder;
use settings::Settings;

pub use settings::settings;
pub use words::{may_repeat, rows_repeat};

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
