//! Predictors of llmzip and what codes with them.
//!
//! The registry in [`segment`] lists every predictor with its id and version; the container names
//! them by that. Depends on `llmzip-coders` alone and opens no file.

mod array_header;
pub mod bits;
pub mod chunks;
pub mod circuit;
pub mod cm;
pub mod draw;
mod exp;
pub mod index;
pub mod llm;
pub mod log;
pub mod pc;
pub mod segment;
pub mod simd;
mod store;
pub mod table;
pub mod tensor;
pub mod transformer;
mod varint;
pub mod xxh3;
mod zeros;
mod zstd;
