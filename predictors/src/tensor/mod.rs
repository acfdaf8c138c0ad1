//! Tensors: units fall apart into planes of bytes, each coded by the method that suits it.
//!
//! FORMAT.md, "Predictor tensor". After the field splits of ZipNN (Hershcovitch et al. 2024) and
//! of OpenZL; static tables by row or column class as measured for llmzip.

mod classes;
mod codec;
mod delta;
mod kind;
mod model;
mod plane;
mod split;
mod train;

pub(crate) use codec::PREDICTOR;
pub use codec::settings;
