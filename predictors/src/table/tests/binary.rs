//! Rows of numbers in binary are tables, too.

use super::{noise, round_trip, widths, written};
use crate::table::{Elements, Schema, Texts};

/// Rows of a few numbers each, of several widths: a kind, two that depend on it, one that rises, noise and
/// one that never changes.
fn in_binary(count: usize) -> (Vec<u8>, Vec<Elements>) {
    let cells = [
        (1, true),
        (2, true),
        (4, false),
        (8, true),
        (4, true),
        (1, false),
    ];
    let cells = cells.map(|(bytes, signed)| Elements::new(bytes, signed).unwrap());
    let mut data = Vec::new();
    for row in 0..count {
        let kind = noise(row) as i64 % 5 - 2;
        let noisy = noise(row * 7) as i64 % 5000;
        let rising = 1_700_000_000_000 + row as i64 * 1000 + kind;
        let values = [kind, kind * 300, 70_000 + noisy, rising, noisy - 2500, 10];
        for (value, elements) in values.iter().zip(&cells) {
            assert!(elements.print(*value, &mut data));
        }
    }
    (data, cells.to_vec())
}

#[test]
fn numbers_in_binary_come_back() {
    let (rows, cells) = in_binary(500);
    for (head, tail) in [(&b""[..], &b""[..]), (b"head\nof it\n", b"\ntail\n\n")] {
        let data = [head, &rows, tail].concat();
        let schema = Schema::of_numbers(&data, head.len(), &cells).unwrap();
        assert_eq!(Schema::read(&written(&schema)).unwrap(), schema);
        round_trip(&schema, &data);
        assert_eq!((schema.head(), schema.tail()), (head, tail));
        assert_eq!((schema.texts(), schema.has_exceptions()), (1, false));
        // The kinds have names, what rises is told by how much, and what never changes has no field.
        assert_eq!(widths(&schema), [3, 3, 8, 5, 4, 8, 5]);
        assert_eq!(schema.cells(), [0, 1, 2, 2, 3, 4, 4]);
    }
    let head = [0; 3];
    assert!(Schema::of_numbers(&head, 4, &cells).is_none());
    assert!(Schema::of_numbers(&rows, 0, &[]).is_none());
    assert!(Schema::of_numbers(&rows[..20 * 15 + 19], 0, &cells).is_none());
}

#[test]
fn numbers_in_binary_may_be_too_large_for_a_table() {
    let of = |numbers: &[i64]| {
        let data: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        let found = Schema::of_numbers(&data, 0, &[Elements::new(8, true).unwrap()]);
        if let Some(schema) = &found {
            round_trip(schema, &data);
        }
        found.is_some()
    };
    let ends = [i64::MIN, i64::MAX, 10_i64.pow(18)];
    for end in ends {
        let mut numbers = vec![0; 99];
        assert!(!of(&numbers), "one value tells nothing");
        numbers[50] = 10_i64.pow(18) - 1;
        numbers[60] = 1 - 10_i64.pow(18);
        assert!(of(&numbers));
        numbers[50] = end;
        assert!(!of(&numbers));
    }
}

#[test]
fn broken_schemas_of_numbers_in_binary_are_refused_or_harmless() {
    let (data, cells) = in_binary(100);
    let schema = Schema::of_numbers(&data, 0, &cells).unwrap();
    let bytes = written(&schema);
    let mut read = 0;
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut broken = bytes.clone();
            broken[at] ^= 1 << bit;
            let Ok(schema) = Schema::read(&broken) else {
                continue;
            };
            read += 1;
            let mut record = vec![0; schema.fields().len()];
            for fill in [0, 1, 255] {
                record.fill(fill);
                let mut out = Vec::new();
                let mut texts = Texts::new(&schema, vec![Vec::new(); schema.texts()]);
                if schema.join(&record, &mut texts, false, &mut out).is_ok() && at > 2 {
                    assert!(out.len() <= 8 * cells.len());
                }
            }
        }
    }
    assert!(read > 50, "most numbers of a schema may be others: {read}");
}
