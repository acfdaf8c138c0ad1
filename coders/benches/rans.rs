//! Speed of rANS by level, median of the runs, and its loss: `cargo bench -p llmzip-coders --bench rans`.

use std::hint::black_box;
use std::time::Instant;

use llmzip_coders::rans::{
    DecodeTable, Decoder, EncodeTable, Encoder, Run, Table, encode, encode_two, histogram,
};
use llmzip_coders::simd::available;

const COUNT: usize = 1_000_000;
const RUNS: usize = 31;

/// 32 bits at a time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 32) as u32
    }

    /// Nearly normal, of standard deviation 1.
    fn normal(&mut self) -> f32 {
        let sum: u64 = (0..12).map(|_| u64::from(self.next())).sum();
        (sum as f64 / f64::from(u32::MAX) - 6.0) as f32
    }
}

fn main() {
    let mut random = Random(1);
    let weights: Vec<f32> = (0..COUNT).map(|_| random.normal() * 0.02).collect();
    let exponents: Vec<u8> = weights.iter().map(|w| (w.to_bits() >> 23) as u8).collect();
    let bytes: Vec<u8> = weights.iter().map(|w| (w * 1000.0) as i8 as u8).collect();
    let random: Vec<u8> = (0..COUNT).map(|_| random.next() as u8).collect();
    for (name, symbols) in [
        ("exponents", &exponents),
        ("normal bytes", &bytes),
        ("random bytes", &random),
    ] {
        run(name, symbols);
    }
    let counts = histogram(&exponents);
    let rate = speed(COUNT, || {
        black_box(histogram(black_box(&exponents)));
    });
    println!("histogram {rate:.2} G symbols/s");
    for (name, symbols) in [("small", &exponents), ("large", &random)] {
        let counts = histogram(symbols);
        let table = Table::from_counts(&counts).expect("counts");
        let mut bytes = vec![];
        table.write(&mut bytes);
        let micros = |rate: f64| 1e-3 / rate;
        println!(
            "{name} table: from counts {:.2} us, cost {:.2} us, decoder {:.2} us, encoder {:.2} us, read {:.2} us, {} bytes",
            micros(speed(1, || {
                black_box(Table::from_counts(&counts));
            })),
            micros(speed(1, || {
                black_box(table.cost(&counts));
            })),
            micros(speed(1, || {
                black_box(DecodeTable::from(&table));
            })),
            micros(speed(1, || {
                black_box(EncodeTable::from(&table));
            })),
            micros(speed(1, || {
                let _ = black_box(Table::read(&mut &bytes[..]));
            })),
            bytes.len(),
        );
    }
    black_box(counts);
}

fn run(name: &str, symbols: &[u8]) {
    let counts = histogram(symbols);
    let table = Table::from_counts(&counts).expect("counts");
    let (coder, decoder) = (EncodeTable::from(&table), DecodeTable::from(&table));
    let entropy: f64 = counts
        .iter()
        .filter(|&&count| count > 0)
        .map(|&count| f64::from(count) * (COUNT as f64 / f64::from(count)).log2())
        .sum();
    let mut written = vec![];
    table.write(&mut written);
    let run = [Run {
        symbols,
        table: &coder,
    }];
    for (level_name, level) in available() {
        let payload = encode(&run, level);
        let coded = 8.0 * (payload.len() + written.len()) as f64;
        let encoding = speed(COUNT, || {
            black_box(encode(&run, level));
        });
        let mut encoders = [Encoder::default(), Encoder::default()];
        let two = speed(2 * COUNT, || {
            let [first, second] = &mut encoders;
            black_box(encode_two([first, second], [&run, &run], level));
        });
        let mut out = vec![0; COUNT];
        let decoding = speed(COUNT, || {
            let mut reader = Decoder::new(&payload, level).expect("own stream");
            reader.run(&decoder, &mut out).expect("own stream");
            reader.finish().expect("own stream");
        });
        println!(
            "{name:12} {} symbols, {:.3} bits, loss {:.3} %: {level_name:6} encode {encoding:.2}, two {two:.2}, decode {decoding:.2} G symbols/s",
            table.symbols(),
            entropy / COUNT as f64,
            100.0 * (coded / entropy - 1.0),
        );
    }
}

/// Median, in thousands of millions a second.
fn speed(count: usize, mut run: impl FnMut()) -> f64 {
    let mut times: Vec<_> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_nanos() as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    count as f64 / times[RUNS / 2]
}
