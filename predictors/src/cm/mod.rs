//! `cm`: context mixing over bits, in integers.
mod apm;
mod bilevel;
mod codec;
mod context;
pub(crate) mod counter;
pub mod detect;
mod hash_table;
mod match_model;
mod mixer;
pub mod model;
pub mod plan;
mod run_map;
pub(crate) mod tables;

pub(crate) use codec::PREDICTOR;
