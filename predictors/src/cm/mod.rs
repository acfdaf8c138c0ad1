//! `cm`: context mixing over bits, in integers alone.
//!
//! Each context finds a bit history in a hash table ([`hash_table`]); a map turns histories into
//! probabilities; the [`mixer`] joins them with the match models, run maps and pixels' contexts; the
//! curves of [`apm`] refine the result. [`plan`] says what each level uses, [`model`] puts it together.
//! External predictors join in the mixer: see [`mixer::External`] and [`decisions`].

pub(crate) mod any_model;
mod apm;
mod bilevel;
pub(crate) mod codec;
mod context;
pub mod context_mixer;
pub(crate) mod counter;
pub mod decisions;
pub mod detect;
mod detect_grey;
mod grey;
mod hash_table;
mod history;
mod match_model;
pub mod mixer;
pub mod model;
mod neighbourhood;
pub mod plan;
mod plan_grey;
pub mod records;
mod run_map;
pub mod selector;
pub(crate) mod tables;
pub mod windows;

#[cfg(test)]
mod context_mixer_tests;
#[cfg(test)]
mod grey_tests;
#[cfg(test)]
mod tests;

pub(crate) use codec::PREDICTOR;
pub use codec::PRIMER;
