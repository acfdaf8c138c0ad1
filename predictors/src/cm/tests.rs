use super::codec::{parse, settings};
use super::decisions::Decisions;
use super::detect::{Class, Content, detect};
use super::mixer::{External, ONE};
use super::model::Model;
use super::plan::{LEVELS, Plan};
use crate::segment::find;
use crate::simd::{self, Job, Kernels};

const TEXT: Content = Content::new(Class::Text, 0);

/// A sequence that looks random, the same everywhere.
fn noise(seed: u64) -> impl FnMut() -> u32 {
    let mut state = seed;
    move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as u32
    }
}

fn cost(p: u32, bit: bool) -> f64 {
    let share = f64::from(p) / 4_294_967_296.0;
    -if bit {
        share.log2()
    } else {
        (1.0 - share).log2()
    }
}

/// Codes random bytes with an outside predictor that knows each bit with a probability of
/// `sure` / 1024 and says so in `stretch`; returns bits per bit.
struct WithExternal {
    sure: u32,
    stretch: i16,
    external: External,
}

impl Job for WithExternal {
    type Output = f64;

    fn run<K: Kernels>(self) -> f64 {
        let mut random = noise(7);
        let bytes = 20_000;
        let mut model: Model<4, 1> =
            Model::new(Plan::new(3, TEXT), bytes, &[self.external]).unwrap();
        let mut total = 0.0;
        for _ in 0..bytes * 8 {
            let bit = random() & 1 == 1;
            let right = random() % 1024 < self.sure;
            let says = if bit == right {
                self.stretch
            } else {
                -self.stretch
            };
            model.set_external(0, says, usize::from(says > 0));
            total += cost(model.predict::<K>(), bit);
            model.update::<K>(bit);
        }
        total / (bytes * 8) as f64
    }
}

fn external(weight: i32) -> External {
    External {
        weight,
        rate_shift: 2,
        selector: 2,
    }
}

#[test]
fn a_good_external_predictor_is_used_nearly_in_full() {
    // Right nine times of ten: 0.469 bits; ln 9 is 2.197 nats.
    let job = WithExternal {
        sure: 922,
        stretch: 4500,
        external: external(ONE),
    };
    let bits = simd::run(simd::active().unwrap(), job);
    assert!((0.46..0.49).contains(&bits), "{bits} bits");
}

#[test]
fn a_wrong_scale_is_learnt() {
    let job = WithExternal {
        sure: 922,
        stretch: 1500,
        external: External {
            rate_shift: 0,
            ..external(ONE)
        },
    };
    let bits = simd::run(simd::active().unwrap(), job);
    assert!(bits < 0.52, "{bits} bits");
}

#[test]
fn a_useless_external_predictor_costs_next_to_nothing() {
    let job = WithExternal {
        sure: 512,
        stretch: 4500,
        external: external(0),
    };
    let bits = simd::run(simd::active().unwrap(), job);
    assert!(bits < 1.03, "{bits} bits");
}

#[test]
fn a_sure_external_predictor_is_not_clipped_at_12_bits() {
    let job = WithExternal {
        sure: 1024,
        stretch: 12 * 2048,
        external: external(ONE),
    };
    let bits = simd::run(simd::active().unwrap(), job);
    assert!(bits < 0.002, "{bits} bits");
}

struct Decide;

impl Job for Decide {
    type Output = f64;

    fn run<K: Kernels>(self) -> f64 {
        let mut random = noise(3);
        let mut decisions = Decisions::<2>::new(1, &[4, 1]).unwrap();
        let mut total = 0.0;
        for i in 0..40_000 {
            let context = i % 4;
            // Yes in one of 2, 4, 8 or 16; the external input knows nothing.
            let yes = random().is_multiple_of(2 << context);
            total += cost(decisions.predict::<K>(&[0], &[context, 0]), yes);
            decisions.update::<K>(yes);
        }
        total / 40_000.0
    }
}

#[test]
fn decisions_learn_by_context() {
    let entropy: f64 = [0.5_f64, 0.25, 0.125, 0.0625]
        .iter()
        .map(|p| -(p * p.log2() + (1.0 - p) * (1.0 - p).log2()) / 4.0)
        .sum();
    let bits = simd::run(simd::active().unwrap(), Decide);
    assert!(bits < entropy * 1.02, "{bits} for {entropy}");
}

/// Settings of every level, class and some strides, and for images of several shapes.
fn all_settings() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for level in LEVELS {
        for stride in [0, 1, 13, 500] {
            for class in [
                Class::Text,
                Class::Binary,
                Class::Bilevel,
                Class::Executable,
            ] {
                all.push(settings(level, Content::new(class, stride)));
            }
        }
        for (stride, plane, offset) in [
            (2, 0, 0),
            (3, 1, 5),
            (28, 784, 16),
            (1000, 5000, 2999),
            (u16::MAX, u32::MAX, u32::MAX),
        ] {
            let class = Class::Grey;
            let content = Content {
                class,
                stride,
                plane,
                offset,
            };
            assert_eq!(
                parse(&settings(level, content)).unwrap().1,
                content,
                "what is written is read"
            );
            all.push(settings(level, content));
        }
    }
    all
}

#[test]
fn every_level_and_class_restores_its_input() {
    let cm = find("cm", 1).unwrap();
    let mut random = noise(1);
    let mut data: Vec<u8> = (0..3000)
        .map(|_| (random() % 7 * (random() % 11)) as u8)
        .collect();
    data.extend(b"Some words, and some words again: (some) \"words\".\n".repeat(20));
    let len = data.len() as u64;
    for settings in all_settings() {
        assert!((cm.memory)(&settings, len).unwrap() < 64 << 20);
        let mut encoder = (cm.encoder)(&settings, len).unwrap();
        encoder.write(&data[..100]).unwrap();
        encoder.write(&data[100..]).unwrap();
        let coded = encoder.finish_chunk().unwrap();
        assert!(coded.len() < data.len() / 2);
        let mut decoder = (cm.decoder)(&settings, len).unwrap();
        let mut back = vec![0; data.len()];
        decoder.begin_chunk(coded).unwrap();
        decoder.read(&mut back[..999]).unwrap();
        decoder.read(&mut back[999..]).unwrap();
        decoder.end_chunk().unwrap();
        assert!(back == data);
        assert_eq!(decoder.canary(), encoder.canary());
    }
}

#[test]
fn memory_grows_with_length_and_never_wraps() {
    let cm = find("cm", 1).unwrap();
    for level in LEVELS {
        let memory = |len| (cm.memory)(&[level, 0, 0, 0], len).unwrap();
        assert!(memory(0) <= memory(1 << 20) && memory(1 << 20) < memory(1 << 26));
        assert!(memory(1 << 26) < 1 << 30);
        for huge in [(1 << 63) - 1, u64::MAX] {
            assert!(memory(huge) >= huge / 2);
        }
    }
}

#[test]
fn training_moves_a_decoder_as_decoding_would() {
    let cm = find("cm", 1).unwrap();
    let settings = [3, 0, 0, 0];
    let (first, second) = (
        b"first chunk, stored".as_slice(),
        b"second chunk, coded".as_slice(),
    );
    let len = (first.len() + second.len()) as u64;
    let mut encoder = (cm.encoder)(&settings, len).unwrap();
    encoder.write(first).unwrap();
    encoder.finish_chunk().unwrap();
    encoder.write(second).unwrap();
    let coded = encoder.finish_chunk().unwrap();
    let mut decoder = (cm.decoder)(&settings, len).unwrap();
    decoder.train(first).unwrap();
    let mut back = vec![0; second.len()];
    decoder.begin_chunk(coded).unwrap();
    decoder.read(&mut back).unwrap();
    assert_eq!(back, second);
    assert!(decoder.read(&mut [0]).is_err(), "past the segment's end");
}

#[test]
fn content_is_told_apart() {
    let text = "It was a bright cold day, and the clocks were striking.\n".repeat(50);
    assert_eq!(detect(text.as_bytes()), TEXT);
    let mut random = noise(5);
    let records: Vec<u8> = (0..9000_u32)
        .map(|i| match i % 12 {
            0 => (i / 12) as u8,
            4 => random() as u8,
            k => 200 + k as u8,
        })
        .collect();
    let found = detect(&records);
    assert_eq!((found.class, found.stride), (Class::Binary, 12));
    // A disc of black pixels in rows of 40 bytes.
    let rows: Vec<u8> = (0..300 * 40_i32)
        .map(|at| {
            let (y, x) = (at / 40 - 150, (at % 40) * 8 - 160);
            (0..8).fold(0, |byte, k| {
                byte << 1 | u8::from((x + k).pow(2) + y * y < 14_000)
            })
        })
        .collect();
    assert_eq!(detect(&rows).class, Class::Bilevel);
    // The same disc of dark bytes with grey ones around, like in every row.
    let grey: Vec<u8> = (0..300 * 40_i32)
        .map(|at| {
            let (y, x) = (at / 40 - 150, (at % 40) * 8 - 160);
            match x * x + y * y {
                0..14_000 => 255,
                14_000..18_000 => (at % 40 * 77 + 85) as u8,
                _ => 0,
            }
        })
        .collect();
    assert_eq!(detect(&grey).class, Class::Binary);
    let code: Vec<u8> = (0..3000)
        .flat_map(|i| match i % 9 {
            0 => vec![0x48, 0x8b, random() as u8],
            _ => vec![random() as u8; 3],
        })
        .collect();
    assert_eq!(detect(&code).class, Class::Executable);
    assert_eq!(detect(b"\x7fELF\x02\x01\x01").class, Class::Executable);
    assert_eq!(detect(&[]), TEXT);
}

#[test]
fn detection_takes_any_length() {
    let mut random = noise(9);
    let data: Vec<u8> = (0..12_000).map(|_| (random() >> 8) as u8).collect();
    for len in (0..200)
        .chain((8 * 1024 - 20)..(8 * 1024 + 20))
        .chain([9000, 12_000])
    {
        assert!(detect(&data[..len]).stride <= 1024);
    }
}

#[test]
fn unknown_settings_are_unsupported() {
    let cm = find("cm", 1).unwrap();
    for settings in [
        &[][..],
        &[6],
        &[2, 0, 0, 0],
        &[9, 0, 0, 0],
        &[6, 5, 0, 0],
        &[6, 4, 28, 0],
        &[6, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[6, 1, 28, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[6, 4, 28, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[6, 0, 0, 0, 0],
    ] {
        assert!((cm.encoder)(settings, 10).is_err());
        assert!((cm.memory)(settings, 10).is_err());
    }
}
