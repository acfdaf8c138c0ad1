//! Schemas of tables, sizes of their records and texts, and speed: `table_dump FILE...`. With `DUMP=PREFIX`
//! writes `PREFIX.schema`, `PREFIX.records` and `PREFIX.text-N`.
use std::time::Instant;

use llmzip_predictors::table::{Schema, Texts};

fn main() {
    for path in std::env::args().skip(1) {
        let data = std::fs::read(&path).unwrap();
        let speed = |start: Instant| start.elapsed().as_secs_f64() * 1e9 / data.len() as f64;
        let start = Instant::now();
        let found = Schema::find(&data);
        let finding = speed(start);
        let Some(schema) = found else {
            println!("{path}: no table, find {finding:.1} ns/byte");
            continue;
        };
        let mut coded = Vec::new();
        schema.write(&mut coded);
        assert!(Schema::read(&coded).unwrap() == schema);
        let start = Instant::now();
        let rows = schema.split(&data).unwrap();
        let splitting = speed(start);
        let start = Instant::now();
        let mut back = schema.head().to_vec();
        let mut texts = Texts::new(&schema, rows.texts.clone());
        let (count, width) = (rows.starts.len() - 1, schema.fields().len());
        for row in 0..count {
            let record = &rows.records[row * width..][..width];
            let last = row + 1 == count;
            schema.join(record, &mut texts, last, &mut back).unwrap();
        }
        back.extend_from_slice(schema.tail());
        let joining = speed(start);
        assert!(back == data && texts.all_used());
        let sizes: Vec<usize> = rows.texts.iter().map(Vec::len).collect();
        println!("{path}: {} bytes, {count} rows", data.len());
        print!("{}", schema.describe());
        println!(
            "schema {} bytes, records {count} x {width} = {} bytes, texts {sizes:?} bytes",
            coded.len(),
            rows.records.len()
        );
        let bits: u32 = schema
            .fields()
            .iter()
            .map(|field| u32::from(field.bits))
            .sum();
        println!("{bits} bits a record");
        println!("ns/byte: find {finding:.1}, split {splitting:.1}, join {joining:.1}");
        if let Ok(prefix) = std::env::var("DUMP") {
            std::fs::write(format!("{prefix}.schema"), &coded).unwrap();
            std::fs::write(format!("{prefix}.records"), &rows.records).unwrap();
            for (number, text) in rows.texts.iter().enumerate() {
                std::fs::write(format!("{prefix}.text-{number}"), text).unwrap();
            }
        }
    }
}
