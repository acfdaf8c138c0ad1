//! Nanoseconds a bit or symbol, best of five runs: `cargo bench -p llmzip-coders`.

use std::hint::black_box;
use std::time::Instant;

use llmzip_coders::{Cdf, binary, range};

const COUNT: usize = 2_000_000;
const RUNS: usize = 5;

fn main() {
    let mut state = 1_u64;
    let numbers: Vec<u32> = (0..COUNT)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 32) as u32
        })
        .collect();

    let bits: Vec<(bool, u32)> = numbers
        .windows(2)
        .map(|pair| (pair[0] < pair[1], pair[1].max(1)))
        .collect();
    let mut coded = Vec::new();
    report("binary, encode", bits.len(), || {
        let mut encoder = binary::Encoder::new();
        for &(bit, p) in &bits {
            encoder.encode(bit, p);
        }
        coded = encoder.finish();
    });
    report("binary, decode", bits.len(), || {
        let mut decoder = binary::Decoder::new(coded.clone());
        for &(_, p) in &bits {
            black_box(decoder.decode(p));
        }
    });

    for symbols in [2, 16, 256, 50_000] {
        let cdf = Cdf::from_weights(&numbers[..symbols], 24).expect("weights of a bench");
        let message: Vec<usize> = numbers.iter().map(|&n| cdf.find(n >> 8)).collect();
        report(&format!("range, {symbols} symbols, encode"), COUNT, || {
            let mut encoder = range::Encoder::new();
            for &symbol in &message {
                encoder.encode(symbol, &cdf);
            }
            coded = encoder.finish();
        });
        report(&format!("range, {symbols} symbols, decode"), COUNT, || {
            let mut decoder = range::Decoder::new(coded.clone());
            for _ in 0..COUNT {
                black_box(decoder.decode(&cdf));
            }
        });
    }
    let mut cdf = Cdf::from_weights(&[1], 24).expect("weights of a bench");
    let weights = &numbers[..256];
    report("distribution of 256 weights", 10_000, || {
        for _ in 0..10_000 {
            cdf.assign(black_box(weights), 24)
                .expect("weights of a bench");
        }
    });
}

fn report(name: &str, count: usize, mut run: impl FnMut()) {
    let best = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .min()
        .expect("at least one run");
    println!("{name:32} {:8.2} ns", best.as_nanos() as f64 / count as f64);
}
