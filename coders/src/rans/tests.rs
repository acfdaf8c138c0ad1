use proptest::prelude::*;

use super::*;
use crate::CoderError;
use crate::simd::{Level, available};

/// A stream of runs, the same at all levels, that all levels decode.
fn coded(runs: &[&[u8]]) -> Vec<u8> {
    let tables: Vec<_> = runs.iter().map(|run| table_of(run)).collect();
    let encoders: Vec<_> = tables.iter().map(EncodeTable::from).collect();
    let decoders: Vec<_> = tables.iter().map(DecodeTable::from).collect();
    let jobs: Vec<_> = runs
        .iter()
        .zip(&encoders)
        .map(|(symbols, table)| Run { symbols, table })
        .collect();
    let payload = encode(&jobs, Level::Scalar);
    for (name, level) in available() {
        assert!(encode(&jobs, level) == payload, "{name} encodes otherwise");
        let mut decoder = Decoder::new(&payload, level).unwrap();
        for (run, table) in runs.iter().zip(&decoders) {
            let mut out = vec![0; run.len()];
            decoder.run(table, &mut out).unwrap();
            assert!(out == *run, "{name} decodes otherwise");
        }
        assert_eq!(decoder.finish(), Ok(()), "{name}");
    }
    payload
}

/// The table of a run, after a round trip as bytes.
fn table_of(run: &[u8]) -> Table {
    let table = Table::from_counts(&histogram(run)).unwrap_or_else(|| {
        let mut counts = [0; 256];
        counts[7] = 1;
        Table::from_counts(&counts).unwrap()
    });
    let mut bytes = Vec::new();
    table.write(&mut bytes);
    assert_eq!(description::length(&table), bytes.len());
    let mut data = &bytes[..];
    assert_eq!(Table::read(&mut data), Ok(table.clone()));
    assert!(data.is_empty());
    table
}

/// Bytes of a geometric kind: `skew` zeros in a row are likely.
fn skewed(seed: u64, count: usize, symbols: u32, skew: u32) -> Vec<u8> {
    let mut state = seed;
    (0..count)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let high = (state >> 32) as u32;
            ((high % symbols) >> (high.leading_zeros() * skew).min(31)) as u8
        })
        .collect()
}

#[test]
fn runs_of_every_length_come_back() {
    for length in [0, 1, 2, 63, 64, 65, 127, 128, 129, 1000, 33_000, 40_001] {
        for symbols in [1, 2, 5, 63, 64, 65, 66, 200, 256] {
            for skew in [0, 1, 3] {
                coded(&[&skewed(length as u64 + 1, length, symbols, skew)]);
            }
        }
    }
}

#[test]
fn tables_of_samples_have_the_same_symbols() {
    for symbols in [1, 2, 5, 64, 65, 200, 256] {
        for skew in [0, 1, 3] {
            let counts = histogram(&skewed(5, 3000, symbols, skew));
            let exact = Table::from_counts(&counts).unwrap();
            let about = Table::about_counts(&counts).unwrap();
            for byte in 0..=255 {
                assert_eq!(exact.frequency(byte) > 0, about.frequency(byte) > 0);
            }
            // Rounded to six leading bits at most.
            assert!(about.cost(&counts) < exact.cost(&counts) + exact.cost(&counts) / 50 + 256);
            let mut bytes = Vec::new();
            about.write(&mut bytes);
            assert_eq!(description::length(&about), bytes.len());
            assert_eq!(Table::read(&mut &bytes[..]), Ok(about));
        }
    }
}

#[test]
fn all_bytes_are_counted() {
    for len in [0, 1, 7, 8, 9, 4095, 4096, 4097, 10_000] {
        let data = skewed(len as u64, len, 256, 1);
        let mut expected = [0; 256];
        data.iter()
            .for_each(|&byte| expected[usize::from(byte)] += 1);
        assert_eq!(histogram(&data), expected, "{len}");
    }
}

#[test]
fn rare_symbols_come_back() {
    for at in [0, 1, 20_000, 49_998, 49_999] {
        let mut run = vec![9; 50_000];
        run[at] = 200;
        coded(&[&run]);
        run[(at + 77) % 50_000] = 255;
        coded(&[&run]);
    }
    let mut run: Vec<u8> = vec![0; 100_000];
    for (i, symbol) in (0..=255).enumerate() {
        run[i * 300] = symbol;
    }
    coded(&[&run]);
}

#[test]
fn many_short_runs_share_a_stream() {
    let runs: Vec<_> = (0..700)
        .map(|i| skewed(i, (i * i % 131) as usize, 1 + i as u32 % 256, i as u32 % 3))
        .collect();
    let runs: Vec<_> = runs.iter().map(Vec::as_slice).collect();
    coded(&runs);
    coded(&runs[..20]);
    coded(&[]);
}

/// What streams decode to, two at a time, the same at all levels.
fn beside(streams: &[(&[u8], &[Part<'_>])]) -> Result<Vec<Vec<u8>>, CoderError> {
    let mut all: Vec<_> = available()
        .into_iter()
        .map(|(_, level)| {
            let len = |runs: &[Part<'_>]| runs.iter().map(|run| run.len).sum();
            let mut outs: Vec<_> = streams
                .iter()
                .map(|&(_, runs)| vec![0; len(runs)])
                .collect();
            let tasks = streams
                .iter()
                .zip(&mut outs)
                .map(|(&(stream, runs), out)| Task {
                    stream,
                    runs,
                    out,
                    next: [stream, &[]],
                });
            decode(tasks, level)?;
            Ok(outs)
        })
        .collect();
    assert!(all.windows(2).all(|two| two[0] == two[1]));
    all.swap_remove(0)
}

#[test]
fn streams_side_by_side_come_back() {
    // Tables of both kinds and of one symbol, runs that end within steps, few lanes, nothing.
    let contents: Vec<Vec<Vec<u8>>> = vec![
        vec![skewed(1, 70_000, 40, 1)],
        vec![skewed(2, 50_001, 20, 1)],
        (0..200).map(|i| skewed(i, 384, 60, 1)).collect(),
        (0..300)
            .map(|i| skewed(i, 100 + i as usize, 30, 2))
            .collect(),
        vec![skewed(3, 40_000, 256, 0)],
        vec![
            skewed(4, 40_000, 256, 0),
            vec![3; 900],
            skewed(5, 40_000, 50, 1),
        ],
        vec![
            vec![3; 900],
            skewed(6, 33_000, 50, 1),
            skewed(7, 9000, 200, 0),
        ],
        vec![skewed(8, 500, 9, 1)],
        vec![vec![5; 70]],
        vec![],
    ];
    let tables: Vec<Vec<_>> = contents
        .iter()
        .map(|runs| {
            runs.iter()
                .map(|run| DecodeTable::from(&table_of(run)))
                .collect()
        })
        .collect();
    let runs: Vec<Vec<_>> = contents
        .iter()
        .zip(&tables)
        .map(|(runs, tables)| {
            let part = |(run, table): (&Vec<u8>, _)| Part {
                table,
                len: run.len(),
            };
            runs.iter().zip(tables).map(part).collect()
        })
        .collect();
    let streams: Vec<_> = contents
        .iter()
        .map(|runs| coded(&runs.iter().map(Vec::as_slice).collect::<Vec<_>>()))
        .collect();
    for first in 0..contents.len() {
        for second in 0..contents.len() {
            let both = [first, second].map(|i| (&streams[i][..], &runs[i][..]));
            let found = beside(&both).unwrap();
            assert!(found[0] == contents[first].concat(), "{first} {second}");
            assert!(found[1] == contents[second].concat(), "{first} {second}");
        }
        let stream = &streams[first];
        let whole = (&streams[0][..], &runs[0][..]);
        for cut in [0, stream.len() / 2, stream.len() - 1] {
            let damaged = (&stream[..cut], &runs[first][..]);
            assert!(beside(&[whole, damaged]).is_err());
            assert!(beside(&[damaged, whole]).is_err());
        }
    }
    let all: Vec<_> = streams
        .iter()
        .zip(&runs)
        .map(|(s, r)| (&s[..], &r[..]))
        .collect();
    let found = beside(&all[..9]).unwrap();
    assert!(
        found
            .iter()
            .zip(&contents)
            .all(|(found, runs)| *found == runs.concat())
    );
}

#[test]
#[cfg(target_arch = "x86_64")]
fn quotients_are_estimated_one_too_low_at_most() {
    for frequency in 1..=1_u32 << SMALL_BITS {
        let reciprocal = encode::reciprocal(frequency as u16);
        for quotient in [1, 2, 3, 1000, 0x1_5555, 0x2_0001, 0x3_fffe, 0x3_ffff] {
            for rest in [0, 1, frequency / 2, frequency - 1] {
                let number = quotient * frequency + rest;
                for above in [0, 1] {
                    // With other roundings, which a program may have set, a step is one more.
                    let product = (number as f32).to_bits() + above;
                    let product = (f32::from_bits(product) * reciprocal).to_bits() + above;
                    let estimate = f32::from_bits(product) as u32;
                    let right = (number / frequency - 1)..=(number / frequency);
                    assert!(right.contains(&estimate), "{number} / {frequency}");
                }
            }
        }
    }
}

#[test]
fn streams_coded_side_by_side_are_those_coded_alone() {
    // Small and large tables, one of a single symbol, symbols whose last six bits are the same; runs of
    // whole steps and others, streams with fewer lanes than the most.
    let kinds = [(30, 4), (200, 1), (1, 1), (250, 60)];
    let tables = kinds.map(|(symbols, skew)| {
        let mut all = skewed(7, 4000, symbols, skew);
        all.extend([3, 67].map(|symbol| symbol % symbols as u8));
        (table_of(&all), all)
    });
    let encoders = tables.each_ref().map(|(table, _)| EncodeTable::from(table));
    let lengths = [0, 1, 63, 64, 384, 640, 1000, 2048, 3000];
    for (name, level) in available() {
        let mut memory = [Encoder::default(), Encoder::default()];
        for turn in 0..60 {
            let runs = [0, 1].map(|stream| {
                let run = |i: usize| {
                    let kind = (turn / 3 + i * (turn % 3) + stream * (turn % 2)) % kinds.len();
                    let len = lengths[(turn * 5 + i * 7 + stream * (turn % 4)) % lengths.len()];
                    Run {
                        symbols: &tables[kind].1[..len],
                        table: &encoders[kind],
                    }
                };
                (0..turn % 23).map(run).collect::<Vec<_>>()
            });
            let [a, b] = &mut memory;
            let together = encode_two([a, b], [&runs[0], &runs[1]], level).map(|stream| {
                let mut out = Vec::new();
                stream.write(&mut out);
                out
            });
            for (together, runs) in together.iter().zip(&runs) {
                assert_eq!(*together, encode(runs, Level::Scalar), "{name} {turn}");
            }
        }
    }
}

#[test]
fn one_symbol_takes_no_space() {
    assert_eq!(coded(&[&[5; 100_000]]), [0]);
    assert_eq!(coded(&[]), [0]);
    let mixed = skewed(1, 5000, 40, 1);
    let alone = coded(&[&mixed]);
    assert_eq!(coded(&[&[5; 100], &mixed, &[], &[6; 1]]), alone);
}

#[test]
fn short_streams_have_few_lanes() {
    assert_eq!(coded(&[&[1, 2]])[0], 1);
    assert_eq!(coded(&[&skewed(1, 100, 9, 1)])[0], 1);
    assert_eq!(coded(&[&skewed(1, 5000, 9, 1)])[0], 9);
    assert_eq!(coded(&[&skewed(1, 50_000, 9, 1)])[0], 64);
    let rows: Vec<_> = (0..10_000).map(|i| skewed(i, 20, 9, 0)).collect();
    let rows: Vec<_> = rows.iter().map(Vec::as_slice).collect();
    assert_eq!(coded(&rows)[0], 20);
}

#[test]
fn the_length_is_near_the_entropy() {
    for (symbols, skew) in [(30, 1), (64, 0), (200, 1), (256, 0), (3, 3)] {
        let run = skewed(3, 1_000_000, symbols, skew);
        let counts = histogram(&run);
        let entropy: f64 = counts
            .iter()
            .filter(|&&count| count > 0)
            .map(|&count| f64::from(count) * (1e6 / f64::from(count)).log2())
            .sum();
        let table = table_of(&run);
        let cost = table.cost(&counts) as f64 / 256.0;
        assert!(cost >= entropy - 1.0 && cost < entropy * 1.001 + 64.0);
        let bits = coded(&[&run]).len() as f64 * 8.0;
        assert!((bits - cost).abs() < 2100.0, "{bits} {cost} {entropy}");
    }
}

#[test]
fn a_symbol_that_the_table_lacks_is_refused() {
    for run in [vec![1, 2, 3], vec![1], skewed(1, 999, 100, 0)] {
        let table = EncodeTable::from(&table_of(&run));
        for (name, level) in available() {
            // One of them has the lower bits of a symbol that the tables have.
            for (at, lacking) in [(0, 200), (40, 129), (63, 200), (50_000 - 1, 129)] {
                let mut symbols = vec![1; 50_000];
                symbols[at] = lacking;
                let run = Run {
                    symbols: &symbols,
                    table: &table,
                };
                let result = std::panic::catch_unwind(|| encode(&[run], level));
                assert!(result.is_err(), "{name}");
            }
        }
    }
}

#[test]
fn damaged_streams_are_refused() {
    let run = skewed(1, 60_000, 40, 1);
    let table = DecodeTable::from(&table_of(&run));
    let payload = coded(&[&run]);
    let decode = |payload: &[u8], level| {
        let mut decoder = Decoder::new(payload, level)?;
        decoder.run(&table, &mut vec![0; run.len()])?;
        decoder.finish()
    };
    for (_, level) in available() {
        for cut in [0, 1, 5, 256, 257, 259, payload.len() - 2, payload.len() - 1] {
            assert!(decode(&payload[..cut], level).is_err(), "{cut}");
        }
        let longer = [&payload[..], &[0, 0]].concat();
        assert_eq!(decode(&longer, level), Err(CoderError::Corrupt));
        let mut lanes = payload.clone();
        lanes[0] = 65;
        assert_eq!(decode(&lanes, level), Err(CoderError::Corrupt));
        lanes[0] = 0;
        assert_eq!(decode(&lanes, level), Err(CoderError::Truncated));
        let mut state = payload.clone();
        state[3..5].fill(0);
        assert_eq!(decode(&state, level), Err(CoderError::Corrupt));
    }
}

#[test]
fn damaged_tables_are_refused() {
    let mut bytes = Vec::new();
    table_of(&skewed(1, 1000, 20, 1)).write(&mut bytes);
    for cut in 0..bytes.len() {
        assert_eq!(Table::read(&mut &bytes[..cut]), Err(CoderError::Truncated));
    }
}

#[test]
fn a_symbol_that_is_lacking_cannot_be_coded() {
    let table = table_of(&[1, 1, 2]);
    let mut counts = histogram(&[1, 2, 2]);
    assert!(table.cost(&counts) > 0);
    counts[3] = 1;
    assert_eq!(table.cost(&counts), u64::MAX);
    assert_eq!(table_of(&[4; 10]).cost(&histogram(&[4; 99])), 0);
}

proptest! {
    #[test]
    fn runs_come_back(
        runs in prop::collection::vec(
            (any::<u64>(), 0..3000_usize, 1..=256_u32, 0..4_u32), 0..30
        ),
    ) {
        let runs: Vec<_> = runs.iter().map(|&(seed, n, symbols, skew)| skewed(seed, n, symbols, skew)).collect();
        coded(&runs.iter().map(Vec::as_slice).collect::<Vec<_>>());
    }

    #[test]
    fn any_counts_give_a_table(
        counts in prop::collection::vec((any::<u8>(), prop_oneof![any::<u32>(), 0..3_u32, 0..5000_u32]), 1..300),
    ) {
        let mut all = [0; 256];
        for (symbol, count) in counts {
            all[usize::from(symbol)] = count;
        }
        let occurring = all.iter().filter(|&&count| count > 0).count();
        match Table::from_counts(&all) {
            None => prop_assert_eq!(occurring, 0),
            Some(table) => {
                prop_assert_eq!(table.symbols(), occurring);
                let mut bytes = vec![];
                table.write(&mut bytes);
                bytes.push(99);
                let mut data = &bytes[..];
                prop_assert_eq!(&Table::read(&mut data).unwrap(), &table);
                prop_assert_eq!(data, &[99][..]);
            }
        }
    }

    #[test]
    fn any_bytes_are_a_table_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut data = &bytes[..];
        if let Ok(table) = Table::read(&mut data) {
            prop_assert!(data.len() < bytes.len());
            let _ = (EncodeTable::from(&table), DecodeTable::from(&table));
        } else {
            prop_assert_eq!(data.len(), bytes.len());
        }
    }

    #[test]
    fn any_payload_decodes_alike_at_all_levels(
        payload in prop::collection::vec(any::<u8>(), 0..3000),
        lanes in 0..=64_u8,
        symbols in 2..=256_u32,
        lengths in prop::collection::vec(0..2000_usize, 1..4),
    ) {
        let payload = [&[lanes][..], &payload].concat();
        let table = DecodeTable::from(&table_of(&skewed(1, 5000, symbols, 1)));
        let results: Vec<_> = available().into_iter().map(|(_, level)| {
            let mut decoder = Decoder::new(&payload, level)?;
            let mut all = Vec::new();
            for &length in &lengths {
                let mut out = vec![0; length];
                decoder.run(&table, &mut out)?;
                all.push(out);
            }
            Ok((all, decoder.finish()))
        }).collect();
        for result in &results {
            prop_assert_eq!(result, &results[0] as &Result<_, CoderError>);
        }
    }
}
