//! Interleaved rANS: bytes under static tables, up to 64 lanes at a time.
//!
//! After Duda, "Asymmetric numeral systems", 2013, interleaved as in Giesen, "Interleaved entropy
//! coders", 2014. A lane is a 32-bit state in `2^16..2^32`; symbol `i` of a run is coded in lane `i`
//! modulo the number of lanes. A step moves every lane once; those that fall below 2^16 then take
//! one 16-bit word each, in lane order, so that the words of all lanes are one stream.
//!
//! There are two kinds of [`Table`], by the number of symbols that occur. Up to 64 have 14-bit
//! probabilities, laid out by the alias method so that a decoder looks up in 64 buckets, which fit
//! vector registers. More have 12-bit probabilities and a decoder that looks up in 4,096 slots. A
//! table of one symbol codes nothing: its runs take no part in the stream.

mod alias;
mod bits;
mod decode;
mod description;
mod encode;
mod histogram;
mod simd;
mod table;

pub use decode::{DecodeTable, Decoder, Part, Task, decode};
pub use encode::{EncodeTable, Encoder, Run, Stream, encode, encode_two};
pub use histogram::histogram;
pub use table::Table;

/// The most lanes that a stream has.
pub const LANES: usize = 64;

/// States are at least this between two steps, and exactly this at the end of a stream.
const LOW: u32 = 1 << 16;

/// The most symbols of a small table; also its number of buckets.
const BUCKETS: usize = 64;

/// The most symbols that a small table has.
pub const SMALL: usize = BUCKETS;

/// Slots of a bucket.
const BUCKET: usize = 256;

/// Bits of the probabilities of a small table.
const SMALL_BITS: u32 = 14;

/// Bits of the probabilities of a large table.
const LARGE_BITS: u32 = 12;

#[cfg(test)]
mod tests;
