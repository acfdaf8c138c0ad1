//! Language models: what an encoder and a decoder share of a transformer.

pub mod bpe;
