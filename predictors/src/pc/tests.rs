//! Tables and stacks come back, whatever chunks cut; damaged ones are refused; the circuit says what
//! summing over all its states says.

mod masses;

use std::sync::Arc;

use proptest::prelude::*;

use super::pack::CircuitPack;
use super::{Training, joined, most_joined, train};
use crate::segment::{PredictorError, SegmentDecoder, find};

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 24) % n
    }
}

const WORDS: [&str; 8] = ["oak", "elm", "ash", "fir", "yew", "box", "bay", "may"];

/// A table whose columns depend on each other; one row in `broken` fits no schema, if that is not 0.
fn table(rows: usize, seed: u64, broken: u64) -> Vec<u8> {
    let mut random = Random(seed * 2 + 1);
    let mut out = String::from("no,tree,size,part,amount,day,note\n");
    for row in 0..rows {
        if broken > 0 && random.below(broken) == 0 {
            out += &format!("? {}\n", random.below(1000));
        }
        let tree = random.below(8).min(random.below(8));
        let size = (tree * 3 + random.below(4)) % 20;
        let part = if random.below(8) == 0 { 3 } else { size % 3 };
        let note = match random.below(3) {
            0 => "",
            n => WORDS[(tree + n) as usize % 8],
        };
        out += &format!(
            "{row},{},{size},{},{},20{:02}-{:02}-{:02},{note}{}\n",
            WORDS[tree as usize],
            ["root", "stem", "leaf", "bud"][part as usize],
            100_000 + random.below(4_000_000),
            10 + tree,
            1 + random.below(12),
            1 + random.below(28),
            random.below(100_000) * random.below(2)
        );
    }
    out.into_bytes()
}

/// Trains a small circuit on rows like those of [`table`].
fn circuit(states: usize) -> Arc<CircuitPack> {
    let training = Training {
        states,
        passes: 2,
        threads: 2,
    };
    let pack = train(&table(500, 99, 40), training, &mut |_| true).unwrap();
    Arc::new(CircuitPack::read(&pack).unwrap())
}

/// Chunks of a coded segment: raw length and payload, none where the raw bytes are stored.
type Chunks = Vec<(usize, Option<Vec<u8>>)>;

struct Coded {
    id: &'static str,
    settings: Vec<u8>,
    circuit: Option<Arc<CircuitPack>>,
    chunks: Chunks,
    canary: u32,
}

impl Coded {
    fn new(level: u8, circuit: Option<&Arc<CircuitPack>>, data: &[u8], cuts: &[usize]) -> Self {
        let id = if circuit.is_some() { "circuit" } else { "pc" };
        let predictor = find(id, 1).unwrap();
        let settings = (predictor.settings)(level, data);
        Self::with_settings(settings, circuit, data, cuts)
    }

    fn with_settings(
        settings: Vec<u8>,
        circuit: Option<&Arc<CircuitPack>>,
        data: &[u8],
        cuts: &[usize],
    ) -> Self {
        let id = if circuit.is_some() { "circuit" } else { "pc" };
        let predictor = find(id, 1).unwrap();
        let mut encoder = (predictor.encoder)(&settings, data.len() as u64).unwrap();
        if let Some(circuit) = circuit {
            encoder.set_circuit(Arc::clone(circuit)).unwrap();
        }
        encoder.look_ahead(data);
        let mut chunks = Vec::new();
        let mut rest = data;
        for &cut in cuts.iter().chain([&data.len()]) {
            let chunk = rest.split_off(..cut.min(rest.len())).unwrap();
            if chunk.is_empty() {
                continue;
            }
            let (a, b) = chunk.split_at(chunk.len() / 3);
            encoder.write(a).unwrap();
            encoder.write(b).unwrap();
            let payload = encoder.finish_chunk().unwrap();
            let shrinks = payload.len() < chunk.len();
            chunks.push((chunk.len(), shrinks.then_some(payload)));
        }
        Self {
            id,
            settings,
            circuit: circuit.cloned(),
            chunks,
            canary: encoder.canary(),
        }
    }

    fn decoder(&self, raw_len: usize) -> Box<dyn SegmentDecoder> {
        let predictor = find(self.id, 1).unwrap();
        let mut decoder = (predictor.decoder)(&self.settings, raw_len as u64).unwrap();
        if let Some(circuit) = &self.circuit {
            decoder.set_circuit(Arc::clone(circuit)).unwrap();
        }
        decoder
    }

    /// Decodes `chunks` of a segment with the content `data`, a piece of up to `step` bytes at a time.
    fn decode(
        &self,
        chunks: &Chunks,
        data: &[u8],
        step: usize,
    ) -> Result<(Vec<u8>, u32), PredictorError> {
        let mut decoder = self.decoder(data.len());
        let mut out = Vec::new();
        for (length, payload) in chunks {
            let from = out.len();
            if let Some(payload) = payload {
                decoder.begin_chunk(payload.clone())?;
                out.resize(from + length, 0);
                for piece in out[from..].chunks_mut(step) {
                    decoder.read(piece)?;
                }
                decoder.end_chunk()?;
            } else {
                out.extend_from_slice(&data[from..from + length]);
                decoder.train(&data[from..from + length])?;
            }
        }
        Ok((out, decoder.canary()))
    }

    fn bytes(&self) -> usize {
        let each = self.chunks.iter();
        each.map(|(length, payload)| payload.as_ref().map_or(*length, Vec::len))
            .sum()
    }
}

/// There and back; returns what was coded.
fn round_trip(
    level: u8,
    circuit: Option<&Arc<CircuitPack>>,
    data: &[u8],
    cuts: &[usize],
    step: usize,
) -> Coded {
    let coded = Coded::new(level, circuit, data, cuts);
    let (back, canary) = coded.decode(&coded.chunks, data, step).unwrap();
    assert!(back == data, "the content comes back");
    assert_eq!(canary, coded.canary);
    coded
}

#[test]
fn a_table_comes_back_at_every_level() {
    for level in [3, 6, 7, 8] {
        let data = table(if level < 7 { 420 } else { 330 }, level.into(), 50);
        let coded = round_trip(level, None, &data, &[], 1000);
        assert_eq!(
            coded.chunks[0].1.as_ref().unwrap()[0],
            1,
            "a chunk of a table"
        );
        assert!(coded.bytes() * 3 < data.len());
    }
}

/// An array of 16-bit numbers whose columns depend on each other, behind its header.
fn array(rows: usize) -> Vec<u8> {
    let mut out = b"\x93NUMPY\x01\0\x76\0".to_vec();
    let text = format!("{{'descr': '<i2', 'fortran_order': False, 'shape': ({rows}, 5), }}");
    out.extend(format!("{text:<117}\n").bytes());
    let mut random = Random(77);
    for _ in 0..rows {
        let a = random.below(9) as i16;
        let b = (a * 5 + random.below(3) as i16) % 11 - 5;
        let numbers = [a, b, a - b, -700 - a, random.below(300) as i16];
        out.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    }
    out
}

#[test]
fn rows_of_an_array_are_a_table() {
    let data = array(800);
    let plain = {
        let settings = (crate::cm::PREDICTOR.settings)(6, &data);
        let mut encoder = (crate::cm::PREDICTOR.encoder)(&settings, data.len() as u64).unwrap();
        encoder.write(&data).unwrap();
        encoder.finish_chunk().unwrap().len()
    };
    for level in [3, 6, 8] {
        let coded = round_trip(level, None, &data, &[1, 3001, 997], 333);
        let forms = coded
            .chunks
            .iter()
            .map(|(_, payload)| payload.as_ref().map(|p| p[0]));
        // The first byte alone does not shrink, and ends the table.
        assert_eq!(forms.collect::<Vec<_>>(), [None, Some(0), Some(0), Some(0)]);
        let coded = round_trip(level, None, &data, &[3001, 997], 333);
        let forms = coded
            .chunks
            .iter()
            .map(|(_, payload)| payload.as_ref().unwrap()[0]);
        assert_eq!(forms.collect::<Vec<_>>(), [1, 1, 1]);
        assert!(
            level != 6 || coded.bytes() < plain,
            "{} {plain}",
            coded.bytes()
        );
    }
    // Without the header settings tell what rows are; they have no part in decoding.
    let rows = &data[128..];
    let mut settings = (find("pc", 1).unwrap().settings)(6, rows);
    assert_eq!(
        Coded::with_settings(settings.clone(), None, rows, &[]).chunks[0]
            .1
            .as_ref()
            .unwrap()[0],
        0
    );
    settings.extend([0, 18, 5]);
    let coded = Coded::with_settings(settings.clone(), None, rows, &[2000]);
    assert_eq!(coded.chunks[0].1.as_ref().unwrap()[0], 1);
    let (back, canary) = coded.decode(&coded.chunks, rows, 100).unwrap();
    assert!(back == rows && canary == coded.canary);
    for wrong in [&[0, 18][..], &[0, 3, 5], &[0, 18, 5, 0], &[0, 18, 0x80]] {
        settings.truncate(settings.len() - 3);
        let length = settings.len();
        settings.extend(wrong);
        let decoder = (find("pc", 1).unwrap().decoder)(&settings, 100);
        assert!(
            matches!(decoder, Err(PredictorError::Unsupported(_))),
            "{wrong:?}"
        );
        settings.truncate(length);
        settings.extend([0, 18, 5]);
    }
    assert_eq!(super::lines("pc", &settings), Some(0));
}

#[test]
fn a_chunk_that_does_not_shrink_ends_the_table() {
    let data = table(60, 7, 0);
    for cuts in [
        &[500, 10, 700][..],
        &[3, 700],
        &[700, 1, 1, 1],
        &[40, 40, 5],
    ] {
        let coded = round_trip(3, None, &data, cuts, 7);
        let forms: Vec<_> = coded
            .chunks
            .iter()
            .map(|c| c.1.as_ref().map(|p| p[0]))
            .collect();
        let first = forms.iter().position(|form| *form != Some(1));
        let after = first.map_or(&[][..], |first| &forms[first..]);
        assert!(after.iter().all(|form| *form != Some(1)), "{forms:?}");
    }
}

#[test]
fn other_content_goes_to_cm() {
    let noise: Vec<u8> = (0..3000)
        .map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let prose = b"It is no table, for all that it may have commas, lines and so on. ".repeat(40);
    for data in [&noise[..], &prose, b"x"] {
        let coded = round_trip(3, None, data, &[100], 1000);
        assert!(
            coded
                .chunks
                .iter()
                .all(|c| c.1.as_ref().is_none_or(|p| p[0] == 0))
        );
    }
}

#[test]
fn a_trained_circuit_codes_other_tables() {
    for states in [4, 8, 16, 32] {
        let circuit = circuit(states);
        let data = table(300, 5, 30);
        let coded = round_trip(3, Some(&circuit), &data, &[4000], 1000);
        assert!(coded.bytes() * 2 < data.len(), "{states} states");
        // Rows that do not fit, and an end without a line end.
        let mut other = table(30, 6, 2);
        other.extend_from_slice(b"and,more");
        round_trip(3, Some(&circuit), &other, &[1, 2, 30, 31, 500], 9);
        round_trip(3, Some(&circuit), b"nothing that fits\n", &[4], 3);
    }
}

/// An idx file of small images of a spot each.
fn stack(seed: u64, images: u8) -> Vec<u8> {
    let mut random = Random(seed * 2 + 1);
    let mut data = vec![0, 0, 8, 3, 0, 0, 0, images, 0, 0, 0, 6, 0, 0, 0, 6];
    for _ in 0..images {
        let (x, y) = (random.below(4) as i32, random.below(4) as i32);
        for at in 0..36 {
            let far = (at % 6 - x).abs() + (at / 6 - y).abs();
            data.push((255 - 60 * far).max(random.below(3) as i32) as u8);
        }
    }
    data
}

fn stack_circuit(states: usize) -> Arc<CircuitPack> {
    let training = Training {
        states,
        passes: 3,
        threads: 1,
    };
    let pack = train(&stack(1, 200), training, &mut |_| true).unwrap();
    Arc::new(CircuitPack::read(&pack).unwrap())
}

/// Settings for images of a stack by a circuit and `cm`.
fn joined_settings(circuit: &CircuitPack, level: u8, data: &[u8]) -> Vec<u8> {
    let own = joined(circuit, level, data).expect("small images");
    [&[0], &own[..]].concat()
}

#[test]
fn a_circuit_joins_in_the_mixer_of_images() {
    let data = stack(2, 100);
    for (level, states) in [(6, 4), (6, 16), (7, 8), (8, 32), (9, 8)] {
        let circuit = stack_circuit(states);
        let settings = joined_settings(&circuit, level, &data);
        let coded = |circuit, cuts: &[usize]| {
            let coded = Coded::with_settings(settings.clone(), Some(circuit), &data, cuts);
            let (back, canary) = coded.decode(&coded.chunks, &data, 37).unwrap();
            assert!(back == data && canary == coded.canary);
            coded
        };
        // It is smaller than what each of the two makes alone.
        let whole = coded(&circuit, &[]);
        let alone = Coded::new(level, Some(&circuit), &data, &[]).bytes();
        let mut plain =
            (find("cm", 1).unwrap().encoder)(&settings[1..], data.len() as u64).unwrap();
        plain.write(&data).unwrap();
        let plain = plain.finish_chunk().unwrap().len();
        assert!(whole.bytes() < alone.min(plain), "{level} {alone} {plain}");
        // Chunks that cut the header and images; such as are stored after coding.
        let many = coded(&circuit, &[3, 14, 36, 36, 1, 70]);
        assert_eq!(many.canary, whole.canary);
        assert!(many.chunks.iter().any(|chunk| chunk.1.is_none()));
    }
    // Most of a stack, as it begins in the middle of one: an image ends where a segment does.
    let circuit = stack_circuit(8);
    let later = &data[36 * 40..];
    let settings = joined_settings(&circuit, 6, &data);
    let coded = Coded::with_settings(settings, Some(&circuit), later, &[100]);
    assert!(coded.decode(&coded.chunks, later, 50).unwrap().0 == later);
}

#[test]
fn what_a_circuit_does_not_join_is_refused() {
    let (data, circuit) = (stack(2, 100), stack_circuit(8));
    assert_eq!(joined(&circuit, 5, &data), None);
    assert_eq!(joined(&circuit, 6, &table(300, 5, 0)), None);
    assert_eq!(joined(&super::tests::circuit(4), 6, &data), None);
    // Images of another size.
    let mut sized = data.clone();
    sized[15] = 3;
    assert_eq!(joined(&circuit, 6, &sized), None);
    let settings = joined_settings(&circuit, 6, &data);
    assert_eq!(super::lines("circuit", &settings), Some(0));
    let predictor = find("circuit", 1).unwrap();
    let refused = |at: usize, to: u8| {
        let mut settings = settings.clone();
        settings[at] = to;
        (predictor.decoder)(&settings, 100).err()
    };
    // The level, the class, the plane.
    for (at, to) in [(1, 5), (1, 9), (2, 1), (5, 0), (8, 1)] {
        let unsupported = matches!(refused(at, to), Some(PredictorError::Unsupported(_)));
        assert!(unsupported, "{at} {to}");
    }
    assert!((predictor.decoder)(&settings[..8], 100).is_err());
    let mut other = settings.clone();
    other[5] = 35;
    let mut decoder = (predictor.decoder)(&other, 100).unwrap();
    let refused = decoder.set_circuit(Arc::clone(&circuit));
    assert!(matches!(refused, Err(PredictorError::Corrupt(_))));
    let mut without = (predictor.decoder)(&settings, 100).unwrap();
    without.begin_chunk(vec![1, 2, 3]).unwrap();
    let read = without.read(&mut [0; 10]);
    assert!(matches!(read, Err(PredictorError::Usage(_))));
    let most = most_joined(&circuit, 9).unwrap();
    for level in 6..=9 {
        let own = joined_settings(&circuit, level, &data);
        let memory = |settings: &[u8]| (predictor.memory)(settings, 1 << 24).unwrap();
        assert!(
            memory(&own) <= memory(&[&[0], &most[..]].concat()),
            "{level}"
        );
    }
}

#[test]
fn damaged_images_are_refused_or_harmless() {
    let (data, circuit) = (stack(2, 60), stack_circuit(8));
    let settings = joined_settings(&circuit, 6, &data);
    let coded = Coded::with_settings(settings, Some(&circuit), &data, &[700]);
    let longest = coded
        .chunks
        .iter()
        .filter_map(|c| c.1.as_ref().map(Vec::len));
    let longest = longest.max().unwrap();
    let mut random = Random(9);
    let mut harmless = 0;
    for _ in 0..60 {
        let at = random.below(longest as u64) as usize;
        harmless += usize::from(survives(&coded, &data, |payload| {
            let at = at % payload.len();
            payload[at] ^= 1 << (at % 8);
        }));
        survives(&coded, &data, |payload| {
            payload.truncate(at % payload.len())
        });
    }
    assert!(harmless < 6, "{harmless}");
}

#[test]
fn a_trained_circuit_codes_other_stacks() {
    let circuit = stack_circuit(8);
    let data = stack(2, 100);
    let coded = round_trip(3, Some(&circuit), &data, &[], 100);
    assert!(coded.bytes() * 3 < data.len());
    for cuts in [&[3, 20, 36, 36, 1, 70][..], &[16, 36], &[15, 2, 35]] {
        round_trip(3, Some(&circuit), &data, cuts, 11);
    }
}

#[test]
fn a_circuit_is_asked_for() {
    let predictor = find("circuit", 1).unwrap();
    let mut encoder = (predictor.encoder)(&[], 5).unwrap();
    encoder.write(b"1,2,3").unwrap();
    assert!(encoder.finish_chunk().is_err());
    assert!(
        (predictor.decoder)(&[], 5)
            .unwrap()
            .begin_chunk(vec![0])
            .is_err()
    );
    assert!((predictor.encoder)(&[0x80], 5).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn tables_come_back_whatever_chunks_cut(
        (level, rows, seed) in (3_u8..=6, 1_usize..330, any::<u32>()),
        broken in prop_oneof![Just(0_u64), Just(9), Just(60)],
        cuts in prop::collection::vec(1_usize..4000, 0..6),
        step in 1_usize..3000,
        end in prop_oneof![Just(""), Just("no end"), Just("\n\ntotal,7\n")],
    ) {
        let mut data = table(rows, seed.into(), broken);
        data.extend_from_slice(end.as_bytes());
        round_trip(level, None, &data, &cuts, step);
    }

    #[test]
    fn other_rows_come_back_by_a_circuit(
        (rows, seed) in (0_usize..80, any::<u32>()),
        broken in prop_oneof![Just(0_u64), Just(2), Just(30)],
        cuts in prop::collection::vec(1_usize..900, 0..6),
        noise in prop::collection::vec(any::<u8>(), 0..40),
        step in 1_usize..3000,
    ) {
        static CIRCUIT: std::sync::OnceLock<Arc<CircuitPack>> = std::sync::OnceLock::new();
        let circuit = CIRCUIT.get_or_init(|| circuit(4));
        let mut data = table(rows, seed.into(), broken);
        data.extend_from_slice(&noise);
        round_trip(3, Some(circuit), &data, &cuts, step);
    }
}

/// Decodes with one payload changed: an error or whatever bytes, but no panic.
fn survives(coded: &Coded, data: &[u8], change: impl Fn(&mut Vec<u8>)) -> bool {
    let mut same = true;
    for number in 0..coded.chunks.len() {
        let mut chunks = coded.chunks.clone();
        if let Some(payload) = &mut chunks[number].1 {
            change(payload);
            let found = coded.decode(&chunks, data, 500);
            same &= found.is_ok_and(|(back, _)| back == data);
        }
    }
    same
}

#[test]
fn damaged_payloads_are_refused_or_harmless() {
    let data = table(290, 3, 60);
    let circuit = circuit(8);
    for circuit in [None, Some(&circuit)] {
        let coded = Coded::new(3, circuit, &data, &[600, 1000, 9000]);
        let longest = coded
            .chunks
            .iter()
            .filter_map(|c| c.1.as_ref().map(Vec::len))
            .max()
            .unwrap();
        let mut random = Random(9);
        let mut harmless = 0;
        for _ in 0..150 {
            let at = random.below(longest as u64) as usize;
            let flip = 1 << random.below(8);
            harmless += usize::from(survives(&coded, &data, |payload| {
                let at = at % payload.len();
                payload[at] ^= flip;
            }));
            harmless += usize::from(survives(&coded, &data, |payload| {
                payload.truncate(at % payload.len());
            }));
        }
        assert!(harmless < 30, "{harmless}");
        // Bytes that no encoder made.
        for length in 0..40 {
            survives(&coded, &data, |payload| {
                let mut random = Random(length * 7 + 1);
                payload.truncate(1);
                payload.extend((0..length).map(|_| random.below(256) as u8));
            });
        }
        survives(&coded, &data, |payload| payload.push(1));
    }
}

/// A column's first field may have values of its bits that there are not: they do no harm.
#[test]
fn values_that_there_are_not_are_refused() {
    let mut random = Random(5);
    let mut out = String::new();
    for _ in 0..300 {
        let x = random.below(130);
        out += &format!("k{x},{},{}\n", x % 3, random.below(33));
    }
    let data = out.into_bytes();
    let coded = round_trip(3, None, &data, &[], 500);
    for flip in 0..600 {
        survives(&coded, &data, |payload| {
            let at = payload.len() - 1 - flip % (payload.len() / 2);
            payload[at] = payload[at].wrapping_mul(31).wrapping_add(flip as u8 | 1);
        });
    }
}
