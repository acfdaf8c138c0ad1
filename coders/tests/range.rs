//! The range coder on every shape of distribution, and its loss against the ideal code length.

use llmzip_coders::range::{Decoder, Encoder};
use llmzip_coders::{Cdf, CoderError};
use proptest::prelude::*;

/// Knuth's MMIX generator; the upper half of the state is random enough here.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 32) as u32
    }

    fn draw(&mut self, cdf: &Cdf) -> usize {
        cdf.find(self.next() >> (32 - cdf.precision()))
    }
}

fn coded(message: &[(usize, &Cdf)]) -> Vec<u8> {
    let mut encoder = Encoder::new();
    for &(symbol, cdf) in message {
        encoder.encode(symbol, cdf);
    }
    encoder.finish()
}

/// Codes, decodes and compares; returns the coded bytes.
fn roundtrip(message: &[(usize, &Cdf)]) -> usize {
    let bytes = coded(message);
    let size = bytes.len();
    let mut decoder = Decoder::new(bytes);
    for (at, &(symbol, cdf)) in message.iter().enumerate() {
        assert_eq!(decoder.decode(cdf), symbol, "symbol {at}");
    }
    decoder.finish().unwrap();
    size
}

fn ideal_bits(message: &[(usize, &Cdf)]) -> f64 {
    message
        .iter()
        .map(|&(symbol, cdf)| f64::from(cdf.precision()) - f64::from(cdf.slot(symbol).1).log2())
        .sum()
}

fn assert_near_ideal(message: &[(usize, &Cdf)]) {
    let ideal = ideal_bits(message);
    let bits = roundtrip(message) as f64 * 8.0;
    assert!(bits <= ideal * 1.0001 + 16.0, "{bits} bits for {ideal}");
}

#[test]
fn empty_stream_is_empty() {
    assert_eq!(roundtrip(&[]), 0);
}

#[test]
fn an_alphabet_of_one_costs_nothing() {
    for precision in [1, 12, 31] {
        let cdf = Cdf::from_weights(&[7], precision).unwrap();
        assert_eq!(roundtrip(&vec![(0, &cdf); 100_000]), 0);
    }
}

#[test]
fn overhead_is_below_one_in_ten_thousand_for_each_alphabet_and_precision() {
    for symbols in [2, 3, 256, 50_000] {
        for precision in [16, 24, 31] {
            let mut random = Random(symbols as u64);
            // Shares from 1 to 2^31, so that some symbols have one unit and others most of it.
            let weights: Vec<u32> = (0..symbols)
                .map(|_| random.next() >> (random.next() >> 27))
                .collect();
            let cdf = Cdf::from_weights(&weights, precision).unwrap();
            let message: Vec<_> = (0..200_000).map(|_| (random.draw(&cdf), &cdf)).collect();
            assert_near_ideal(&message);
            // And the yardstick measures: nothing decodable is this much shorter.
            assert!(coded(&message).len() as f64 * 8.0 >= ideal_bits(&message) * 0.9999 - 64.0);
        }
    }
}

#[test]
fn overhead_stays_as_low_on_a_long_stream_of_changing_distributions() {
    let mut random = Random(1);
    let cdfs: Vec<Cdf> = (0..500)
        .map(|_| {
            let weights: Vec<u32> = (0..1 + random.next() % 300)
                .map(|_| random.next() % 1000)
                .collect();
            Cdf::from_weights(&weights, 10 + random.next() % 22).unwrap()
        })
        .collect();
    let message: Vec<_> = (0..2_000_000)
        .map(|_| {
            let cdf = &cdfs[random.next() as usize % cdfs.len()];
            (random.draw(cdf), cdf)
        })
        .collect();
    assert_near_ideal(&message);
}

#[test]
fn one_unit_of_mass_and_all_but_the_others_units() {
    for precision in [16, 24, 31] {
        for symbols in [2, 256, 50_000] {
            let largest = symbols / 3;
            let mut weights = vec![0; symbols];
            weights[largest] = 1;
            let cdf = Cdf::from_weights(&weights, precision).unwrap();
            assert_eq!(cdf.slot(largest).1, (1 << precision) - (symbols as u32 - 1));
            for rare in [0, largest + 1, symbols - 1] {
                assert_eq!(
                    cdf.slot(rare).1,
                    if rare == largest {
                        cdf.slot(largest).1
                    } else {
                        1
                    }
                );
                assert_near_ideal(&vec![(rare, &cdf); 3000]);
                let mixed: Vec<_> = (0..30_000)
                    .map(|i| (if i % 1000 == 999 { rare } else { largest }, &cdf))
                    .collect();
                assert_near_ideal(&mixed);
            }
        }
    }
}

#[test]
fn sure_symbols_cost_next_to_nothing() {
    for symbol in [0, 1] {
        let mut weights = [0, 0];
        weights[symbol] = 1;
        let cdf = Cdf::from_weights(&weights, 31).unwrap();
        assert!(roundtrip(&vec![(symbol, &cdf); 1_000_000]) <= 2);
    }
}

#[test]
fn a_carry_runs_back_through_a_row_of_0xff() {
    // The symbols whose intervals hold the point 0x80 00 00 …: no end of a third lies there, so the
    // low end is 0x7f ff ff … until something lifts it over.
    let thirds = Cdf::from_weights(&[1, 1, 1], 31).unwrap();
    let mut decoder = Decoder::new(vec![0x80]);
    let message: Vec<_> = (0..400)
        .map(|_| (decoder.decode(&thirds), &thirds))
        .collect();

    let mut encoder = Encoder::new();
    for &(symbol, cdf) in &message {
        encoder.encode(symbol, cdf);
    }
    assert!(encoder.bytes_ready() > 60);
    assert_eq!(encoder.finish(), [0x80], "lifted by the end of the stream");

    let fine = Cdf::from_weights(&[0; 1000], 31).unwrap();
    for symbol in [0, 1, 500, 999] {
        let lifted: Vec<_> = message
            .iter()
            .copied()
            .chain([(symbol, &fine); 9])
            .collect();
        let bytes = coded(&lifted);
        let row = if bytes[0] == 0x80 { 0 } else { 0xff };
        assert!(bytes[1..60].iter().all(|&b| b == row), "{bytes:x?}");
        roundtrip(&lifted);
    }
    let last = coded(
        &message
            .iter()
            .copied()
            .chain([(999, &fine); 9])
            .collect::<Vec<_>>(),
    );
    assert_eq!(last[0], 0x80, "lifted by a symbol");
}

#[test]
fn bytes_left_over_are_refused() {
    let cdf = Cdf::from_weights(&[1, 2, 3], 16).unwrap();
    let mut bytes = coded(&[(1, &cdf)]);
    bytes.extend_from_slice(&[1; 12]);
    let mut decoder = Decoder::new(bytes);
    decoder.decode(&cdf);
    assert_eq!(decoder.finish(), Err(CoderError::Corrupt));
}

proptest! {
    #[test]
    fn any_symbols_of_any_distributions(
        steps in prop::collection::vec(
            (prop::collection::vec(prop_oneof![any::<u32>(), 0_u32..3], 1..40), 6_u32..=31, any::<prop::sample::Index>()),
            0..200,
        )
    ) {
        let message: Vec<(usize, Cdf)> = steps
            .iter()
            .map(|(weights, precision, pick)| {
                (pick.index(weights.len()), Cdf::from_weights(weights, *precision).unwrap())
            })
            .collect();
        let message: Vec<_> = message.iter().map(|(symbol, cdf)| (*symbol, cdf)).collect();
        roundtrip(&message);
    }

    #[test]
    fn garbage_decodes_to_symbols_of_the_alphabet(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(0xff), Just(0)], 0..200),
        weights in prop::collection::vec(0_u32..5, 1..300),
        precision in 9_u32..=31,
    ) {
        let cdf = Cdf::from_weights(&weights, precision).unwrap();
        let mut decoder = Decoder::new(bytes);
        for _ in 0..500 {
            prop_assert!(decoder.decode(&cdf) < weights.len());
        }
        let _ = decoder.finish();
    }
}
