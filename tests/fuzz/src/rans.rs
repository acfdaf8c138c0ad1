//! rANS: any bytes as a table, round trips of runs at every kernel level, then a damaged stream.

use llmzip_coders::rans::{DecodeTable, Decoder, EncodeTable, Run, Table, encode, histogram};
use llmzip_coders::simd::available;

use crate::source::Source;

/// Input: damage (4 bytes), length of a table (1) and the table, then the runs: for each its length
/// in repetitions of 16 (1) and 16 bytes.
pub fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let damage = source.take(4);
    let length = usize::from(source.u8());
    let mut written = source.take(length);
    let foreign = Table::read(&mut written).ok();

    let mut runs = Vec::new();
    while !source.is_empty() {
        let count = usize::from(source.u8());
        runs.push(source.take(16).repeat(count));
    }
    let tables: Vec<_> = runs
        .iter()
        .map(|run| {
            let counts = histogram(run);
            let own = Table::from_counts(&counts);
            match (&foreign, own) {
                (Some(foreign), _) if foreign.cost(&counts) < u64::MAX => foreign.clone(),
                (_, Some(own)) => again(&own),
                _ => Table::from_counts(&[1; 256]).expect("counts that are not zero"),
            }
        })
        .collect();
    let encoders: Vec<_> = tables.iter().map(EncodeTable::from).collect();
    let decoders: Vec<_> = tables.iter().map(DecodeTable::from).collect();
    let jobs: Vec<_> = runs
        .iter()
        .zip(&encoders)
        .map(|(symbols, table)| Run { symbols, table })
        .collect();

    let levels = available();
    let coded = encode(&jobs, levels[0].1);
    let mut wrong = coded.clone();
    Source::new(damage).damage(&mut wrong);
    let decode = |payload: &[u8], level| {
        let mut decoder = Decoder::new(payload, level)?;
        let mut all = Vec::new();
        for (run, table) in runs.iter().zip(&decoders) {
            let mut out = vec![0; run.len()];
            decoder.run(table, &mut out)?;
            all.push(out);
        }
        decoder.finish().map(|()| all)
    };
    let damaged = decode(&wrong, levels[0].1);
    for (name, level) in levels {
        assert!(encode(&jobs, level) == coded, "{name}");
        assert!(decode(&coded, level).as_ref() == Ok(&runs), "{name}");
        assert!(decode(&wrong, level) == damaged, "{name}");
    }
}

/// A table as its bytes say.
fn again(table: &Table) -> Table {
    let mut bytes = Vec::new();
    table.write(&mut bytes);
    let read = Table::read(&mut &bytes[..]).expect("a table that was written");
    assert!(read == *table);
    read
}
