//! The binary arithmetic coder: a round trip at any probabilities, then a damaged stream.

use llmzip_coders::binary::{Decoder, Encoder};

use crate::source::Source;

/// Input: damage (4 bytes), then for each bit its probability (4 bytes) and the bit (1 byte).
pub fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let damage = source.take(4);
    let mut bits = Vec::new();
    while !source.is_empty() {
        bits.push((source.u32().max(1), source.u8() & 1 == 1));
    }
    let mut encoder = Encoder::new();
    for &(p, bit) in &bits {
        encoder.encode(bit, p);
    }
    let coded = encoder.finish();

    let mut decoder = Decoder::new(coded.clone());
    for &(p, bit) in &bits {
        assert_eq!(decoder.decode(p), bit);
    }
    decoder.finish().expect("a whole stream is used up");

    let mut wrong = coded;
    Source::new(damage).damage(&mut wrong);
    let mut decoder = Decoder::new(wrong);
    for &(p, _) in &bits {
        decoder.decode(p);
    }
    // Either answer is right: the coder has no check of its own.
    let _ = decoder.finish();
}
