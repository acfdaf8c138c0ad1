//! A transformer of the Llama family in exact integer arithmetic; FORMAT.md, section 10.
//!
//! Every sum is exact, so that its order, vector lanes, threads and how many positions are evaluated
//! at a time change nothing: the logits are the same bits on every machine.

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

pub use model::Model;
pub use pack::{Config, Pack};
pub use session::Session;

#[cfg(test)]
mod tests;
