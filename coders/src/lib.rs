//! Entropy coders and the fixed-point vocabulary that they share with predictors.
//!
//! Nothing here knows a model or a file. A predictor says how likely the next symbol is, as an
//! integer; a coder turns that into bytes. Which coder to use:
//!
//! * [`binary`]: one bit at a time, 32-bit probabilities. For context mixing and language models.
#![forbid(unsafe_code)]

pub mod binary;
mod error;

pub use error::CoderError;
