//! A transformer of the Llama family in exact integer arithmetic; FORMAT.md, section 10.
//!
//! Every sum is exact, so that its order, vector lanes, threads and how many positions are evaluated
//! at a time change nothing: the logits are the same bits on every machine.

mod adapter;
mod attention;
pub mod bpe;
mod cache;
mod evaluate;
mod fixed;
mod matrix;
mod model;
mod pack;
mod rotary;
mod session;
mod simd;
mod states;
mod team;
mod transposed;

pub use adapter::Adapter;
pub use model::Model;
pub use pack::{Aligned, Bytes, Config, Pack};
pub use session::Session;
pub use states::States;

use std::sync::Arc;

use crate::segment::PredictorError;
use crate::simd::Level;

/// Checks that a pack is whole: all that evaluating it and cutting text for it takes.
///
/// # Errors
/// [`PredictorError::Corrupt`] where it is damaged, [`PredictorError::Unsupported`] where this build
/// does not have what it needs.
pub fn check(pack: Bytes) -> Result<(), PredictorError> {
    let pack = Arc::new(Pack::parse(pack)?);
    bpe::Bpe::of_pack(&pack)?;
    bpe::first_token(&pack)?;
    Model::new(pack, Level::Scalar, 1)?;
    Ok(())
}

/// The table that gates take their sigmoid from: `squash.csv`.
#[must_use]
pub fn squash_rows() -> &'static [u32; 4096] {
    &crate::cm::tables::Tables::get().squash
}

#[cfg(test)]
pub(crate) mod tests;
