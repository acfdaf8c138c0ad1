use super::super::model::read_length;
use super::super::settings;
use super::*;
use crate::segment::{PredictorError, find};

fn noise(seed: &mut u32) -> u32 {
    *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    *seed >> 8
}

/// Weights whose scales differ by row and column, as the upper halves of floats of 32 bits.
fn weights(count: usize, row: usize, unit: usize) -> Vec<u8> {
    let mut seed = 3;
    let mut out = Vec::new();
    for i in 0..count {
        let scale = ((i / row * 7 % 11) + i % row * 5 % 13) as f32;
        let sum: u32 = (0..4).map(|_| noise(&mut seed) & 0xffff).sum();
        let value = (sum as f32 - 131_070.0) * (scale * 0.3).exp2() * 1e-9;
        let bytes = match unit {
            1 => vec![(value.to_bits() >> 24 & 0x80 | value.to_bits() >> 20 & 0x7f) as u8],
            8 => f64::from(value).to_le_bytes().to_vec(),
            _ => value.to_le_bytes()[4 - unit..].to_vec(),
        };
        out.extend_from_slice(&bytes);
    }
    out
}

/// Codes `data` in chunks of these lengths and decodes it again, reading in pieces; returns the
/// coded bytes of each chunk.
fn round_trip(kind: &str, row: u32, data: &[u8], chunks: &[usize]) -> Vec<usize> {
    let tensor = find("tensor", 1).unwrap();
    let settings = settings(8, kind, row, None).unwrap();
    let mut encoder = (tensor.encoder)(&settings, data.len() as u64).unwrap();
    let mut decoder = (tensor.decoder)(&settings, data.len() as u64).unwrap();
    encoder.look_ahead(data);
    let (mut rest, mut sizes) = (data, Vec::new());
    let mut lengths = chunks.iter().cycle();
    while !rest.is_empty() {
        let raw = rest
            .split_off(..rest.len().min(*lengths.next().unwrap()))
            .unwrap();
        encoder.write(raw).unwrap();
        let coded = encoder.finish_chunk().unwrap();
        sizes.push(coded.len());
        if coded.len() >= raw.len() {
            raw.chunks(1000)
                .for_each(|piece| decoder.train(piece).unwrap());
            continue;
        }
        let mut back = vec![0; raw.len()];
        decoder.begin_chunk(coded).unwrap();
        back.chunks_mut(70_001)
            .for_each(|piece| decoder.read(piece).unwrap());
        decoder.end_chunk().unwrap();
        assert!(back == raw, "{kind} {row}");
    }
    sizes
}

const MIXED: [(&str, usize); 6] = [
    ("bf16", 2),
    ("f32", 4),
    ("f64", 8),
    ("f16", 2),
    ("f8e4m3", 1),
    ("f8e5m2", 1),
];

#[test]
fn kinds_and_rows_come_back() {
    for (kind, unit) in MIXED {
        let data = weights(40_000, 96, unit);
        for row in [96, 0, 7, 1_000_000] {
            round_trip(kind, row, &data, &[1 << 20]);
        }
        round_trip(kind, 96, &data, &[30_001, 1, 555]);
        for len in [0, 1, 2, 3, 9, 1000] {
            round_trip(kind, 96, &data[..len.min(data.len())], &[400]);
        }
    }
}

#[test]
fn scales_of_rows_and_columns_are_learnt() {
    let data = weights(200_000, 96, 2);
    let with: usize = round_trip("bf16", 96, &data, &[1 << 20]).iter().sum();
    let without: usize = round_trip("bf16", 0, &data, &[1 << 20]).iter().sum();
    let tensor = find("tensor", 1).unwrap();
    let mut encoder = (tensor.encoder)(&settings(7, "bf16", 96, None).unwrap(), 400_000).unwrap();
    encoder.look_ahead(&data);
    encoder.write(&data).unwrap();
    let tables = encoder.finish_chunk().unwrap().len();
    assert!(with * 100 < without * 98, "{with} {without}");
    assert!(with * 1000 < tables * 985, "{with} {tables}");
}

#[test]
fn a_stored_chunk_between_teaches_neither_side() {
    let mut data = weights(100_000, 96, 2);
    let mut seed = 9;
    for byte in &mut data[..40_000] {
        *byte = noise(&mut seed) as u8;
    }
    for byte in &mut data[80_000..120_000] {
        *byte = noise(&mut seed) as u8;
    }
    let sizes = round_trip("bf16", 96, &data, &[40_000]);
    assert!(sizes[0] >= 40_000 && sizes[2] >= 40_000, "{sizes:?}");
    assert!(sizes[1] < 30_000 && sizes[3] < 30_000, "{sizes:?}");
}

#[test]
fn every_level_of_simd_gives_the_same_bytes() {
    let data = weights(20_000, 96, 2);
    let high: Vec<u8> = data.chunks(2).map(|w| w[1] << 1 | w[0] >> 7).collect();
    let low: Vec<u8> = data.chunks(2).map(|w| w[0] & 0x7f | w[1] & 0x80).collect();
    let kind = super::super::kind::KINDS
        .iter()
        .find(|k| k.name == "bf16")
        .unwrap();
    let (first, own) = (rans::histogram(&high), rans::histogram(&low));
    for (plane, symbols) in [&high, &low].into_iter().enumerate() {
        let histogram = if plane == 0 { &first } else { &own };
        let start = Start::of(role(kind, plane).unwrap(), histogram, &first);
        let mut all = Vec::new();
        for (name, level) in simd::available() {
            let mut coded = Vec::new();
            Mix::new(&start, 96).encode(symbols, &high, 0, level, &mut coded);
            let mut back = vec![0; symbols.len()];
            let mut data = &coded[..];
            let mut mix = Mix::new(&start, 96);
            let len = read_length(&mut data).unwrap();
            assert_eq!(len, data.len());
            mix.decode(data, &high, 0, level, &mut back).unwrap();
            assert!(back == *symbols, "{name}");
            all.push(coded);
        }
        assert!(all.windows(2).all(|two| two[0] == two[1]));
    }
}

#[test]
fn what_a_model_starts_from_is_checked() {
    let kind = |name| {
        super::super::kind::KINDS
            .iter()
            .find(|k| k.name == name)
            .unwrap()
    };
    let bad = |kind, plane, mut data: &[u8]| {
        matches!(
            Start::read(kind, plane, &mut data),
            Err(PredictorError::Corrupt(_))
        )
    };
    assert!(bad(kind("bf16"), 0, &[0; 127]));
    assert!(bad(kind("bf16"), 1, &[100, 0]));
    assert!(bad(kind("bf16"), 1, &[100, 8]));
    assert!(bad(kind("f32"), 2, &[1; 200]));
    assert!(bad(kind("i16"), 0, &[1; 200]));
    for (kind, plane, start) in [
        (
            kind("f16"),
            0,
            Start::Scale(Box::new(Shape::of(&[3; 256])), true, 2),
        ),
        (kind("f64"), 1, Start::Fine { top: 120, mixed: 7 }),
    ] {
        let mut out = Vec::new();
        start.write(&mut out);
        let mut data = &out[..];
        assert_eq!(Start::read(kind, plane, &mut data).unwrap(), start);
        assert!(data.is_empty());
    }
}

#[test]
fn extreme_shapes_have_trees() {
    let mut one = [0; 256];
    one[200] = u32::MAX;
    for histogram in [[0; 256], [1; 256], one] {
        let tree = Shape::of(&histogram).tree();
        let mut reached = [false; 256];
        for next in tree.iter().flat_map(|node| node.next) {
            if next < 256 {
                reached[usize::from(next)] = true;
            }
        }
        assert!(tree.len() == 255 && reached.iter().all(|&r| r));
    }
}
