//! Tables come back byte for byte, and are seen for what they are.

mod binary;

use proptest::prelude::*;

use super::{Field, Rows, Schema, Texts};
use crate::segment::PredictorError;

fn written(schema: &Schema) -> Vec<u8> {
    let mut bytes = Vec::new();
    schema.write(&mut bytes);
    bytes
}

fn join(schema: &Schema, rows: &Rows) -> Result<Vec<u8>, PredictorError> {
    let width = schema.fields().len();
    let count = rows.starts.len() - 1;
    let mut texts = Texts::new(schema, rows.texts.clone());
    let mut out = schema.head().to_vec();
    for row in 0..count {
        let record = &rows.records[row * width..][..width];
        schema.join(record, &mut texts, row + 1 == count, &mut out)?;
    }
    assert!(texts.all_used());
    out.extend_from_slice(schema.tail());
    Ok(out)
}

/// Splits and joins, checks all that callers rely on, and that the schema's bytes say the same.
fn round_trip(schema: &Schema, data: &[u8]) -> Rows {
    let rows = schema.split(data).unwrap();
    let schema = &Schema::read(&written(schema)).unwrap();
    assert_eq!(join(schema, &rows).unwrap(), data);
    let fields = schema.fields();
    for field in fields {
        assert!((1..=8).contains(&field.bits) && (2..=1 << field.bits).contains(&field.values));
    }
    let count = rows.starts.len() - 1;
    assert_eq!(rows.records.len(), count * fields.len());
    for record in rows.records.chunks(fields.len()) {
        let below = |(value, field): (&u8, &Field)| u16::from(*value) < field.values;
        assert!(record.iter().zip(fields).all(below));
    }
    assert_eq!(rows.starts[0], schema.head().len());
    assert_eq!(rows.starts[count], data.len() - schema.tail().len());
    assert_eq!(
        (rows.texts.len(), rows.text_starts.len()),
        (schema.texts(), schema.texts())
    );
    for (text, starts) in rows.texts.iter().zip(&rows.text_starts) {
        assert_eq!((starts.len(), starts[count]), (count + 1, text.len()));
    }
    rows
}

/// Finds the table in `data` and takes it there and back, also as another table would be.
fn found(data: &[u8]) -> Schema {
    let schema = Schema::find(data).unwrap();
    assert_eq!(Schema::read(&written(&schema)).unwrap(), schema);
    round_trip(&schema, data);
    let forced = schema.clone().with_exceptions();
    round_trip(&forced, data);
    round_trip(&forced, &data[data.len() / 3..data.len() - 1]);
    schema
}

fn widths(schema: &Schema) -> Vec<u8> {
    schema.fields().iter().map(|field| field.bits).collect()
}

fn lines(count: usize, line: impl FnMut(usize) -> String) -> Vec<u8> {
    (0..count).map(line).collect::<String>().into_bytes()
}

/// Numbers without a pattern.
fn noise(row: usize) -> u64 {
    let mixed = (row as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 20
}

#[test]
fn a_census_has_dictionaries_a_number_and_a_blank_line_at_its_end() {
    let mut data = lines(1000, |row| {
        let sex = ["Male", "Female"][(noise(row) % 2) as usize];
        let income = ["<=50K", ">50K"][(noise(row * 3) % 2) as usize];
        let (age, weight) = (17 + noise(row) % 73, noise(row) % 1_400_000 + 12_000);
        format!("{age}, {weight}, {sex}, {income}\n")
    });
    data.push(b'\n');
    let schema = found(&data);
    assert_eq!(widths(&schema), [7, 8, 8, 5, 1, 1]);
    let columns: Vec<u16> = schema.fields().iter().map(|field| field.column).collect();
    assert_eq!(columns, [0, 1, 1, 1, 2, 3]);
    assert_eq!(schema.tail(), b"\n");
    assert!(!schema.has_exceptions() && schema.texts() == 1);
    assert!(schema.fields()[0].numeric && !schema.fields()[4].numeric);
}

#[test]
fn titles_stand_in_the_schema() {
    for start in ["", "\u{feff}", "# a comment\n\n"] {
        let rows = lines(100, |row| {
            format!("{},{},x\n", noise(row) % 1000, noise(row) % 3)
        });
        let titles = format!("{start}number,class,constant\n");
        let data = [titles.as_bytes(), &rows].concat();
        let schema = found(&data);
        assert_eq!(schema.head(), titles.as_bytes());
        assert!(!schema.has_exceptions());
    }
}

#[test]
fn a_first_row_like_others_is_a_row() {
    let data = lines(300, |row| format!("{},{}\n", row + 5, ["a", "b"][row % 2]));
    let schema = found(&data);
    assert_eq!((schema.head(), widths(&schema)), (&b""[..], vec![1]));
}

#[test]
fn ragged_and_blank_rows_are_exceptions() {
    let data = lines(200, |row| match row % 20 {
        7 => "\n".into(),
        13 => "1,2\n".into(),
        _ => format!(
            "{},{},{}\n",
            noise(row) % 7,
            noise(row) % 90,
            noise(row) % 2
        ),
    });
    let schema = found(&data);
    assert!(schema.has_exceptions());
    let rows = schema.split(&data).unwrap();
    assert_eq!(rows.texts[0], b"\n1,2\n".repeat(10));
    let kinds = rows
        .records
        .chunks(schema.fields().len())
        .map(|record| record[0]);
    assert_eq!(kinds.filter(|kind| *kind == 1).count(), 20);
}

#[test]
fn data_that_does_not_fit_is_an_error_without_exceptions() {
    let data = lines(50, |row| format!("{};{}\n", row % 3, row % 5));
    let schema = found(&data);
    for other in [&b"1;9\n"[..], b"1;2", b"\n", b"1;2\r\n"] {
        assert!(matches!(schema.split(other), Err(PredictorError::Usage(_))));
        round_trip(&schema.clone().with_exceptions(), other);
    }
    assert_eq!(schema.split(b"").unwrap().starts, [0]);
}

#[test]
fn quotes_keep_delimiters() {
    let data = lines(100, |row| {
        let number = noise(row) % 50;
        format!("{number},\"a, \"\"{number}\"\"\",{}\n", noise(row * 7) % 2)
    });
    let schema = found(&data);
    assert!(!schema.has_exceptions());
    assert_eq!(widths(&schema), [6, 6, 1]);
    // Quotes that never close, or close too early, are bytes like others.
    found(&lines(100, |row| {
        format!("{},\"a,{}\"b\n", row % 5, row % 3)
    }));
}

#[test]
fn line_ends_and_odd_bytes() {
    let data = lines(100, |row| format!("{}\t\u{0}{}\r\n", row % 5, row % 3));
    let schema = found(&data);
    assert!(!schema.has_exceptions());
    let mut mixed = data.clone();
    mixed.extend_from_slice(b"1\t\x002\n\xff\xfe\t\x00\r\n");
    mixed.extend_from_slice(&data[..data.len() - 2]);
    let schema = found(&mixed);
    assert!(schema.has_exceptions());
    assert_eq!(schema.split(&mixed).unwrap().texts[0], b"1\t\x002\n");
}

#[test]
fn what_is_no_table() {
    for data in [
        Vec::new(),
        b"1,2\n".to_vec(),
        b"1,2\n".repeat(15),
        b"word\n".repeat(100),
        lines(100, |row| {
            format!("{:x}, {:x}\n", noise(row), noise(row + 7))
        }),
        vec![0; 1000],
        vec![b'\n'; 1000],
        lines(100, |row| ",x".repeat(row) + "\n"),
    ] {
        assert!(Schema::find(&data).is_none(), "{:?}", data.get(..99));
    }
}

#[test]
fn a_column_of_numbers_is_a_table() {
    let schema = found(&lines(3000, |row| format!("{}\n", noise(row) % 60_000)));
    assert_eq!(widths(&schema), [8, 8]);
    let schema = found(&lines(3000, |row| {
        format!("{}.{:02}\n", noise(row) % 200, row % 100)
    }));
    assert_eq!(widths(&schema), [8, 7]);
    let schema = found(&lines(3000, |row| {
        format!("-{:07}\n", noise(row) % 900_000)
    }));
    assert_eq!(widths(&schema), [8, 8, 4]);
    let schema = found(&lines(3000, |row| {
        format!("{:>9}\n", noise(row) as i64 % 9000 - 4500)
    }));
    assert_eq!(widths(&schema), [8, 6]);
}

#[test]
fn counters_cost_next_to_nothing() {
    let schema = found(&lines(100_000, |row| {
        format!("{},{}\n", row + 1_000_000, noise(row) % 4)
    }));
    assert_eq!(widths(&schema), [2]);
    let schema = found(&lines(100_000, |row| format!("{}\n", row * 10)));
    assert_eq!(widths(&schema), [1]);
}

#[test]
fn numbers_that_are_missing_have_codes_of_their_own() {
    let data = lines(5000, |row| match row % 9 {
        3 => ",1\n".into(),
        5 => "NA,0\n".into(),
        _ => format!("{},{}\n", noise(row) % 100_000, noise(row) % 2),
    });
    let schema = found(&data);
    assert!(!schema.has_exceptions() && schema.texts() == 1);
    assert_eq!(widths(&schema), [8, 8, 1, 1]);
}

#[test]
fn many_values_make_a_wide_dictionary_or_a_text() {
    let name = |row: usize| format!("n{:09x}", noise(row) % (1 << 36));
    let schema = found(&lines(50_000, |row| {
        format!("{},{}\n", name((noise(row) % 1000) as usize), row % 3)
    }));
    assert_eq!(widths(&schema), [2, 8, 2]);
    let schema = found(&lines(100_000, |row| {
        format!("{},{}\n", name(row), noise(row) % 3)
    }));
    assert_eq!((schema.texts(), widths(&schema)), (2, vec![2]));
}

#[test]
fn dates_and_times() {
    for (line, most) in [
        ("YYYY-MM-DD", 24),
        ("DD/MM/YYYY hh:mm:ss", 48),
        ("YYYY-MM-DDThh:mm:ss.fffZ", 56),
        ("\"YYYY-MM-DD hh:mm:ss+01:00\"", 40),
        ("hh:mm", 16),
    ] {
        for sorted in [false, true] {
            let data = lines(5000, |row| {
                let number = if sorted { row as u64 * 700 } else { noise(row) };
                let part = |unit: u64, limit: u64| number / unit % limit;
                line.replace("YYYY", &format!("{:04}", 1990 + part(86_400 * 336, 30)))
                    .replace("MM", &format!("{:02}", 1 + part(86_400 * 28, 12)))
                    .replace("DD", &format!("{:02}", 1 + part(86_400, 28)))
                    .replace("hh", &format!("{:02}", part(3600, 24)))
                    .replace("mm", &format!("{:02}", part(60, 60)))
                    .replace("ss", &format!("{:02}", part(1, 60)))
                    .replace("fff", &format!("{:03}", noise(row) % 1000))
                    + &format!(",{}\n", noise(row) % 2)
            });
            let schema = found(&data);
            let bits: u32 = schema
                .fields()
                .iter()
                .map(|field| u32::from(field.bits))
                .sum();
            assert!(schema.texts() == 1 && bits <= most + 1, "{line} {bits}");
        }
    }
}

#[test]
fn impossible_dates_are_parts_or_exceptions() {
    let data = lines(2000, |row| {
        format!("2026-{:02}-{:02},x\n", row % 14, noise(row) % 40)
    });
    let schema = found(&data);
    assert!(!schema.has_exceptions() && schema.texts() == 1);
    let data = lines(2000, |row| {
        format!(
            "{}-{:02}-{:02},x\n",
            1900 + row / 20,
            1 + noise(row) % 12,
            1 + noise(row) % 28
        )
    });
    let schema = found(&data).with_exceptions();
    let rows = round_trip(&schema, b"1999-02-29,x\n1996-02-28,x\n1999-2-08,x\n");
    assert!(rows.records.len() == 3 * schema.fields().len());
}

#[test]
fn objects_of_json() {
    let data = lines(500, |row| {
        let name = if row % 7 == 0 {
            "null".into()
        } else {
            format!("\"a\\\"{}\"", row % 5)
        };
        format!(
            "{{\"id\": {}, \"name\": {name}, \"at\": {{\"x\": {}, \"on\": {}}}, \"tags\": [\"t{}\"]}}\n",
            row,
            noise(row) % 1000,
            row % 2 == 0,
            noise(row) % 3
        )
    });
    let schema = found(&data);
    assert!(!schema.has_exceptions() && schema.texts() == 1);
    // The identity costs nothing; a name, a number, a truth value and a tag.
    assert_eq!(widths(&schema), [3, 8, 2, 1, 2], "{}", schema.describe());
}

#[test]
fn text_columns_have_streams() {
    let data = lines(100, |row| {
        format!("{:x},{},{:x}\n", noise(row), row % 2, noise(row + 1))
    });
    let schema = found(&data);
    assert_eq!((schema.texts(), schema.fields().len()), (3, 1));
    let rows = schema.split(&data).unwrap();
    // Texts go on in other streams where a chunk ends.
    let cut = |from: usize, to: usize| -> Vec<Vec<u8>> {
        let starts = rows.text_starts.iter().zip(&rows.texts);
        starts
            .map(|(starts, text)| text[starts[from]..starts[to]].to_vec())
            .collect()
    };
    let (front, back) = (cut(0, 60), cut(60, 100));
    let mut texts = Texts::new(&schema, front);
    let mut out = Vec::new();
    for record in &rows.records[..60] {
        schema
            .join(&[*record], &mut texts, false, &mut out)
            .unwrap();
    }
    assert!(texts.all_used());
    assert!(
        schema
            .join(&[0], &mut texts.clone(), false, &mut Vec::new())
            .is_err()
    );
    texts.refill(back);
    for record in &rows.records[60..] {
        schema
            .join(&[*record], &mut texts, false, &mut out)
            .unwrap();
    }
    assert_eq!(out, data);
}

/// A table with a bit of everything, to make hostile schemas of.
fn rich() -> Vec<Vec<u8>> {
    vec![
        lines(400, |row| {
            format!(
                "{},{:x},{},2026-01-{:02} 12:{:02}:00,{},x{},{:03}\n",
                row * 2,
                noise(row),
                noise(row) % 100_000,
                1 + row / 20,
                noise(row) % 60,
                ["a", "b", "c"][row % 3],
                1 + noise(row) % 500,
                noise(row) % 1000
            )
        }),
        lines(100, |row| {
            format!("{{\"a\":{row},\"b\":\"{}\"}}\r\n", noise(row) % 4)
        }),
        [
            b"a|b\n".repeat(3),
            lines(100, |row| format!("{}|{}\n", row % 9, row % 2)),
        ]
        .concat(),
    ]
}

/// Joins made-up records: no panic, and no row that is longer than the schema explains.
fn abuse(bytes: &[u8], seed: u64) {
    let Ok(schema) = Schema::read(bytes) else {
        return;
    };
    let texts = vec![b"12\nab\n".to_vec(); schema.texts().min(64)];
    for round in 0..20 {
        let bytes = (0..schema.fields().len()).map(|at| match round {
            0 => 0,
            1 => 255,
            _ => (noise(at * 31 + round) ^ seed) as u8,
        });
        let masked = bytes
            .zip(schema.fields())
            .map(|(byte, field)| match round % 2 {
                0 => (u16::from(byte) % field.values) as u8,
                _ => byte,
            });
        let record: Vec<u8> = masked.collect();
        let mut cursor = Texts::new(&schema, texts.clone());
        for last in [false, true] {
            let mut out = Vec::new();
            let _ = schema.join(&record, &mut cursor, last, &mut out);
            assert!(out.len() <= 40 * written(&schema).len() + 100);
        }
    }
    let _ = schema
        .clone()
        .with_exceptions()
        .split(b"1,2,3\n4,5\n{\"a\":3}\n");
}

#[test]
fn every_truncation_of_a_schema_is_an_error() {
    for table in rich() {
        let bytes = written(&found(&table));
        for length in 0..bytes.len() {
            assert!(Schema::read(&bytes[..length]).is_err());
        }
    }
}

#[test]
fn flipped_bits_of_a_schema_do_no_harm() {
    for table in rich() {
        let bytes = written(&found(&table));
        for at in 0..bytes.len().min(3000) {
            for flip in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
                let mut bytes = bytes.clone();
                bytes[at] ^= flip;
                abuse(&bytes, at as u64);
            }
        }
    }
}

/// Cells of one column, in a way that its number says.
fn cell(kind: u8, value: u64) -> String {
    match kind {
        0 => (value % 10).to_string(),
        1 => (value % 1_000_000).to_string(),
        2 => format!("{}.{}", value % 300, value % 7),
        3 => format!("{:05}", value % 70_000),
        4 => format!("{:>4}", value as i64 % 3000),
        5 => format!("19{:02}-{:02}-{:02}", value % 90, value % 13, value % 31),
        6 => format!("{:02}:{:02}", value % 24, value % 61),
        7 => ["", "NA", "\"", "\"x,y\"", "-0", "0.0", "007", " "][value as usize % 8].into(),
        8 => format!("-{:x}", value),
        9 => format!("{}", value as i64 >> (value % 64)),
        10 => format!("{value}"),
        11 => format!("{}.0", value % 1000),
        _ => "same".into(),
    }
}

prop_compose! {
    fn table()(
        delimiter in prop::sample::select(vec![",", "\t", ";", "|", ", "]),
        end in prop::sample::select(vec!["\n", "\n", "\r\n"]),
        kinds in prop::collection::vec(0_u8..13, 1..6),
        values in prop::collection::vec(any::<u64>(), 16..400),
        odd in 0_u64..40,
        clipped in 0_usize..3,
        titles in any::<bool>(),
    ) -> Vec<u8> {
        let mut out = String::new();
        if titles {
            out = vec!["title"; kinds.len()].join(delimiter) + end;
        }
        for value in values {
            let mut number = 0;
            let cells = kinds.iter().map(|kind| {
                number += 1;
                cell(if value % 97 < odd / 20 { 7 } else { *kind }, value.rotate_left(number * 7))
            });
            out += &cells.collect::<Vec<_>>().join(delimiter);
            out += if value % 89 < odd / 10 { ",\n" } else { end };
        }
        out.truncate(out.len() - clipped);
        out.into_bytes()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_table_comes_back(data in table()) {
        if let Some(schema) = Schema::find(&data) {
            prop_assert_eq!(&Schema::read(&written(&schema)).unwrap(), &schema);
            round_trip(&schema, &data);
        }
    }

    #[test]
    fn any_data_comes_back_by_the_schema_of_another(
        data in table(),
        other in table(),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
    ) {
        if let Some(schema) = Schema::find(&data) {
            let schema = schema.with_exceptions();
            round_trip(&schema, &other);
            round_trip(&schema, &bytes);
            let mut changed = data;
            for (place, byte) in places {
                let place = place.index(changed.len());
                changed[place] = byte;
            }
            round_trip(&schema, &changed);
            if let Some(schema) = Schema::find(&changed) {
                round_trip(&schema, &changed);
            }
        }
    }

    #[test]
    fn lines_of_few_letters_come_back(text in "([ab0-9,\"]{0,4}[,;][0-9:.-]{0,3}\r?\n){16,60}") {
        if let Some(schema) = Schema::find(text.as_bytes()) {
            round_trip(&schema, text.as_bytes());
        }
    }

    #[test]
    fn made_up_schemas_do_no_harm(
        bytes in prop::collection::vec(any::<u8>(), 0..100),
        length in 0_u8..60,
    ) {
        let bytes = [&[length], &bytes[..]].concat();
        abuse(&bytes, u64::from(length));
    }
}
