//! Predictors of llmzip and what codes with them.
//!
//! The registry in [`segment`] lists every predictor with its id and version; the container names
//! them by that. Depends on `llmzip-coders` alone and opens no file.

pub mod segment;
mod store;
mod zstd;
