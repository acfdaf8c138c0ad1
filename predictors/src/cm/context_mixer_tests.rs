//! The context mixer outside of archives: its costs are those of the coder, its copies are alone, what it
//! expects sums to one, and windows come back.

use super::codec::{PREDICTOR, settings};
use super::context_mixer::ContextMixer;
use super::detect::{Class, Content};
use super::windows;

fn prose(length: usize, seed: u64) -> Vec<u8> {
    let words = [
        "the", "mixer", "of", "contexts", "learns", "a", "bit", "and", "then", "another",
    ];
    let mut state = seed;
    let mut out = Vec::new();
    while out.len() < length {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        out.extend_from_slice(words[(state >> 33) as usize % words.len()].as_bytes());
        out.push(if state >> 60 == 0 { b'\n' } else { b' ' });
    }
    out.truncate(length);
    out
}

fn mixer(level: u8, class: Class, room: usize) -> ContextMixer {
    ContextMixer::new(&settings(level, Content::new(class, 24)), room as u64).unwrap()
}

#[test]
fn costs_are_what_the_coder_takes() {
    let text = prose(20_000, 1);
    for (level, class) in [
        (3, Class::Text),
        (6, Class::Bilevel),
        (8, Class::Text),
        (7, Class::Binary),
    ] {
        let settings = settings(level, Content::new(class, 24));
        let mut encoder = (PREDICTOR.encoder)(&settings, text.len() as u64).unwrap();
        encoder.write(&text).unwrap();
        let coded = 8.0 * encoder.finish_chunk().unwrap().len() as f64;
        let mut own = mixer(level, class, text.len());
        let each: f64 = own
            .costs(&text)
            .unwrap()
            .iter()
            .map(|&cost| f64::from(cost))
            .sum();
        assert!((each - coded).abs() < 24.0, "{each} {coded}");
        assert_eq!(own.room(), 0);
        assert!(own.read(b"x").is_err());
    }
}

#[test]
fn forks_and_documents_are_alone() {
    let (before, document, other) = (prose(5000, 1), prose(900, 2), vec![7; 900]);
    for level in [3, 6, 8] {
        let mut own = mixer(level, Class::Text, 9000);
        own.read(&before).unwrap();
        let mut fork = own.fork().unwrap();
        let expected = fork.read(&document).unwrap();
        let mut fork = own.fork().unwrap();
        let expected_other = fork.read(&other).unwrap();
        assert!(expected > 0.0 && expected_other > 0.0);
        for threads in [1, 2, 5] {
            let documents: Vec<&[u8]> = vec![&document, &other, &[], &document, &other, &document];
            let costs = own.costs_of(&documents, threads).unwrap();
            let want = [
                expected,
                expected_other,
                0.0,
                expected,
                expected_other,
                expected,
            ];
            assert_eq!(costs, want);
        }
        assert_eq!(own.read(&document).unwrap(), expected);
    }
    let own = mixer(3, Class::Text, 10);
    assert!(own.costs_of(&[&[1; 11]], 2).is_err());
}

#[test]
fn what_is_likely_sums_to_one_and_changes_nothing() {
    let text = prose(6000, 3);
    for (level, class) in [
        (3, Class::Text),
        (6, Class::Binary),
        (8, Class::Text),
        (7, Class::Executable),
    ] {
        let mut own = mixer(level, class, 9000);
        own.read(&text[..5000]).unwrap();
        let mut plain = own.fork().unwrap();
        for &byte in &text[5000..5200] {
            let all = own.likeliest(256);
            let sum: f64 = all.iter().map(|entry| entry.1).sum();
            assert!((sum - 1.0).abs() < 1e-9 && all.len() == 256);
            assert!(all.is_sorted_by(|a, b| a.1 >= b.1));
            let few = own.likeliest(3);
            assert_eq!(few[..], all[..3]);
            let stated = all.iter().find(|entry| entry.0 == byte).unwrap().1;
            let cost = own.read(&[byte]).unwrap();
            // The bits of a byte are learnt on the way, which what was stated before it leaves out.
            assert!(
                (cost + stated.log2()).abs() < 0.02 + cost / 20.0,
                "{cost} {stated}"
            );
            assert_eq!(plain.read(&[byte]).unwrap(), cost);
        }
    }
    assert!(mixer(6, Class::Bilevel, 10).likeliest(3).is_empty());
}

#[test]
fn a_carrier_is_what_predicted() {
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let noise: Vec<u8> = (0..3000).map(|_| noise()).collect();
    let mut own = mixer(4, Class::Text, 9000);
    let new = own.tell(&noise, 2).unwrap();
    let again = own.tell(&noise, 2).unwrap();
    assert!(new.iter().map(|told| told.cost).sum::<f64>() > 7.9 * 3000.0);
    let names = own.input_names();
    // One byte before says nothing of the next; a match, or three bytes and more before, say all.
    let owed = |name: &str| {
        let carriers = again[20..].iter().filter_map(|told| told.carrier);
        carriers
            .filter(|&carrier| names[carrier].starts_with(name))
            .count()
    };
    let long = ["match", "order 3", "order 4", "order 6"].map(owed);
    assert!(long.iter().sum::<usize>() > 2500, "{long:?}");
    assert!(owed("order 1") < 100);
    for (told, &byte) in again[20..].iter().zip(&noise[20..]) {
        assert!(told.likeliest.len() == 2 && told.likeliest[0].0 == byte && told.cost < 2.0);
    }
}

#[test]
fn restarted_contexts_are_those_of_a_start() {
    let mut own = mixer(5, Class::Text, 60_000);
    for _ in 0..60 {
        own.restart().unwrap();
        own.read(b"every line begins alike, ends ").unwrap();
        own.read(&prose(7, own.room())).unwrap();
    }
    own.restart().unwrap();
    assert!(own.read(b"every line begins alike").unwrap() < 12.0);
}

fn primed(level: u8) -> ContextMixer {
    let text = prose(20_000, 9);
    let mut own = mixer(level, Class::Text, 80_000);
    for piece in text.chunks(16) {
        own.restart().unwrap();
        own.read(piece).unwrap();
    }
    own.restart().unwrap();
    own
}

#[test]
fn windows_come_back_each_alone() {
    for width in [8, 9, 12, 16, 24, 32] {
        let mut own = primed(4);
        for text in [
            prose(3000, 5),
            Vec::new(),
            vec![0; 5000],
            (0..=255).collect(),
            b"x".to_vec(),
        ] {
            let symbols = windows::symbols(&mut own, width, &text).unwrap();
            assert!(symbols.iter().all(|&symbol| symbol >> width == 0));
            assert_eq!(windows::text(&mut own, width, &symbols).unwrap(), text);
            let alone = |&symbol: &u64| windows::text(&mut own, width, &[symbol]).unwrap();
            assert_eq!(symbols.iter().flat_map(alone).collect::<Vec<u8>>(), text);
        }
        let symbols = windows::symbols(&mut own, width, &prose(3000, 6)).unwrap();
        let per_byte = f64::from(width) * symbols.len() as f64 / 3000.0;
        assert!(
            per_byte < if width < 16 { 9.0 } else { 4.0 },
            "{width}: {per_byte}"
        );
    }
}

#[test]
fn any_symbol_decodes_and_words_are_their_own() {
    let mut own = primed(3);
    let all: Vec<u64> = (0..1 << 12).collect();
    for &symbol in &all {
        let text = windows::text(&mut own, 12, &[symbol]).unwrap();
        assert!(!text.is_empty());
        // Not the same symbol where a longer text goes on, but the same text.
        let again = windows::symbols(&mut own, 12, &text).unwrap();
        assert_eq!(again, [symbol]);
    }
    assert!(windows::text(&mut own, 12, &[1 << 12]).is_err());
    assert!(windows::symbols(&mut own, 7, b"x").is_err());
    assert!(windows::symbols(&mut mixer(8, Class::Text, 9), 16, b"x").is_err());
}
