//! What the fuzz targets do with their input. `tests/replay.rs` runs the same on stored inputs.
//!
//! Each target compresses first and corrupts then: random bytes alone never get past the first
//! check of a decoder. A target panics when a decoder panics or an honest round trip fails.
#![forbid(unsafe_code)]

pub mod binary_coder;
pub mod payload;
pub mod range_coder;
pub mod rans;
pub mod segment;
mod source;

/// A target's name, which is also its folder under `seeds/`, and the function that takes an input.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("binary_coder", binary_coder::run),
    ("range_coder", range_coder::run),
    ("rans", rans::run),
    ("segment", segment::run),
    ("payload", payload::run),
];
