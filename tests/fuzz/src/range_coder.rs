//! The range coder: any numbers as a distribution, a round trip, then a damaged stream.

use llmzip_coders::Cdf;
use llmzip_coders::range::{Decoder, Encoder};

use crate::source::Source;

/// Input: damage (4 bytes), precision, number of symbols (2), number of cumulative values (1) and
/// the values (4 each), the symbols' weights (1 each), then the symbols to code (2 each).
pub fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let damage = source.take(4);
    let precision = u32::from(source.u8() % 40);
    let symbols = usize::from(source.u16() % 2048);

    let values = (0..source.u8()).map(|_| source.u32()).collect::<Vec<_>>();
    if let Ok(cdf) = Cdf::new(values, precision) {
        exercise(&cdf, &[0, cdf.symbols() - 1], damage);
    }
    let weights: Vec<u32> = (0..symbols)
        .map(|_| match source.u8() {
            // The extremes matter most to the sums, and a byte cannot reach them.
            255 => u32::MAX,
            weight => u32::from(weight),
        })
        .collect();
    if let Ok(cdf) = Cdf::from_weights(&weights, precision) {
        let mut message = Vec::new();
        while !source.is_empty() {
            message.push(usize::from(source.u16()) % cdf.symbols());
        }
        exercise(&cdf, &message, damage);
    }
}

fn exercise(cdf: &Cdf, message: &[usize], damage: &[u8]) {
    let mut encoder = Encoder::new();
    for &symbol in message {
        encoder.encode(symbol, cdf);
    }
    let coded = encoder.finish();

    let mut decoder = Decoder::new(coded.clone());
    for &symbol in message {
        assert_eq!(decoder.decode(cdf), symbol);
    }
    decoder.finish().expect("a whole stream is used up");

    let mut wrong = coded;
    Source::new(damage).damage(&mut wrong);
    let mut decoder = Decoder::new(wrong);
    for _ in message {
        assert!(decoder.decode(cdf) < cdf.symbols());
    }
    let _ = decoder.finish();
}
