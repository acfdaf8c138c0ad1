//! Entropy coders and the fixed-point vocabulary that they share with predictors.
//!
//! Nothing here knows a model or a file. A predictor says how likely the next symbol is, as an
//! integer; a coder turns that into bytes. Which coder to use:
//!
//! * [`binary`]: one bit at a time, 32-bit probabilities. For context mixing and language models.
//! * [`range`]: symbols of any alphabet, distributions ([`Cdf`]) of up to 31 bits. For predictors
//!   that give a whole distribution at once.
//! * [`rans`]: bytes, static distributions, 64 lanes at a time. For bulk data at memory speed.

pub mod binary;
pub mod cdf;
mod error;
pub mod range;
pub mod rans;
pub mod simd;

pub use cdf::{Cdf, CdfError};
pub use error::CoderError;
