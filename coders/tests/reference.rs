//! The coders write and read the very bytes that the Python reference does. The files are made by
//! `tests/golden/coders/make.py`, which explains them.

use std::path::Path;

use llmzip_coders::rans::{DecodeTable, Decoder, EncodeTable, Run, Table, encode};
use llmzip_coders::simd::available;
use llmzip_coders::{Cdf, binary, range};

/// The rows of a file, its heading left out.
fn rows<const FIELDS: usize>(name: &str) -> Vec<[String; FIELDS]> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/golden/coders")
        .join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let rows: Vec<_> = text
        .lines()
        .skip(1)
        .map(|line| {
            let fields: Vec<_> = line.split(',').map(str::to_owned).collect();
            fields.try_into().expect("fields of a row")
        })
        .collect();
    assert!(rows.len() > 10);
    rows
}

/// `2*7 1` is 7, 7, 1.
fn numbers(field: &str) -> Vec<u32> {
    field
        .split_whitespace()
        .flat_map(|run| {
            let (count, value) = run.split_once('*').unwrap_or(("1", run));
            std::iter::repeat_n(value.parse().unwrap(), count.parse().unwrap())
        })
        .collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
fn binary_coder_agrees() {
    for [name, bits, probabilities, coded] in rows("binary.csv") {
        let bits: Vec<bool> = numbers(&bits).iter().map(|&bit| bit == 1).collect();
        let probabilities = numbers(&probabilities);
        assert_eq!(bits.len(), probabilities.len());
        let mut encoder = binary::Encoder::new();
        for (&bit, &p) in bits.iter().zip(&probabilities) {
            encoder.encode(bit, p);
        }
        assert_eq!(encoder.finish(), bytes(&coded), "{name}");
        let mut decoder = binary::Decoder::new(bytes(&coded));
        for (&bit, &p) in bits.iter().zip(&probabilities) {
            assert_eq!(decoder.decode(p), bit, "{name}");
        }
        assert_eq!(decoder.finish(), Ok(()), "{name}");
    }
}

#[test]
fn range_coder_and_its_distributions_agree() {
    for [name, precision, weights, masses, symbols, coded] in rows("range.csv") {
        let weights = numbers(&weights);
        let cdf = Cdf::from_weights(&weights, precision.parse().unwrap()).unwrap();
        for entry in masses.split_whitespace() {
            let (symbol, start) = entry.split_once(':').unwrap();
            let symbol: usize = symbol.parse().unwrap();
            let end = if symbol < weights.len() {
                cdf.slot(symbol).0
            } else {
                1 << cdf.precision()
            };
            assert_eq!(end, start.parse().unwrap(), "{name}, symbol {symbol}");
        }
        let symbols = numbers(&symbols);
        let mut encoder = range::Encoder::new();
        for &symbol in &symbols {
            encoder.encode(symbol as usize, &cdf);
        }
        assert_eq!(encoder.finish(), bytes(&coded), "{name}");
        let mut decoder = range::Decoder::new(bytes(&coded));
        for &symbol in &symbols {
            assert_eq!(decoder.decode(&cdf), symbol as usize, "{name}");
        }
        assert_eq!(decoder.finish(), Ok(()), "{name}");
    }
}

#[test]
fn rans_and_its_tables_agree() {
    for [name, tables, runs, coded] in rows("rans.csv") {
        let tables: Vec<_> = tables
            .split_whitespace()
            .map(|hex| {
                let written = bytes(hex);
                let mut rest = &written[..];
                let table = Table::read(&mut rest).expect(&name);
                assert!(rest.is_empty(), "{name}");
                let mut again = Vec::new();
                table.write(&mut again);
                assert_eq!(again, written, "{name}");
                table
            })
            .collect();
        let encoders: Vec<_> = tables.iter().map(EncodeTable::from).collect();
        let decoders: Vec<_> = tables.iter().map(DecodeTable::from).collect();
        let messages: Vec<(usize, Vec<u8>)> = runs
            .split_whitespace()
            .map(|run| {
                let fields: Vec<_> = run.split(':').collect();
                let [table, length, pattern] = fields[..] else {
                    panic!("{run}");
                };
                let pattern = bytes(pattern).into_iter().cycle();
                let symbols = pattern.take(length.parse().unwrap()).collect();
                (table.parse().unwrap(), symbols)
            })
            .collect();
        let runs: Vec<_> = messages
            .iter()
            .map(|(table, symbols)| Run {
                symbols,
                table: &encoders[*table],
            })
            .collect();
        let coded = bytes(&coded);
        for (level_name, level) in available() {
            assert!(encode(&runs, level) == coded, "{name}, {level_name}");
            let mut decoder = Decoder::new(&coded, level).unwrap();
            for (table, symbols) in &messages {
                let mut out = vec![0; symbols.len()];
                decoder.run(&decoders[*table], &mut out).unwrap();
                assert!(out == *symbols, "{name}, {level_name}");
            }
            assert_eq!(decoder.finish(), Ok(()), "{name}, {level_name}");
        }
    }
}
