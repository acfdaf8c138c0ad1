//! Replays every stored input and variations of it, without a fuzzer: what ran into a bug once, and
//! the shapes of input that the targets were written for.

use std::fs;
use std::path::Path;

use llmzip_fuzz::TARGETS;

/// Knuth's linear congruential generator; the high bits are good enough to pick positions.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % limit
    }
}

/// A few changes to `seed`: bytes set or flipped, a range copied over another, a cut, noise added.
fn vary(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut data = seed.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(data.len() + 1);
        match random.below(6) {
            0 if at < data.len() => data[at] ^= 1 << random.below(8),
            1 if at < data.len() => data[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
            2 if at < data.len() => {
                let length = random.below(data.len() - at) + 1;
                let from = random.below(data.len() - length + 1);
                data.copy_within(from..from + length, at);
            }
            3 => data.truncate(at),
            4 => data.insert(at, random.below(256) as u8),
            _ => data.extend((0..random.below(40)).map(|_| random.below(256) as u8)),
        }
    }
    data
}

/// Runs `variations` of each seed of a target. Every run of the tests tries the same ones.
fn replay(name: &str, variations: u64) {
    let (_, run) = TARGETS.iter().find(|target| target.0 == name).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("seeds")
        .join(name);
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(paths.len() >= 3, "{} holds no seeds", folder.display());
    for (number, path) in paths.iter().enumerate() {
        let seed = fs::read(path).unwrap();
        run(&seed);
        let mut random = Random(number as u64);
        for variation in 0..variations {
            let mut data = vary(&seed, &mut random);
            // The first byte names the predictor in two of the targets; try each in turn.
            if let Some(first) = data.first_mut() {
                *first = variation as u8;
            }
            run(&data);
        }
    }
}

#[test]
fn binary_coder() {
    replay("binary_coder", 400);
}

#[test]
fn range_coder() {
    replay("range_coder", 400);
}

#[test]
fn rans() {
    replay("rans", 400);
}

#[test]
fn segment() {
    // Fewer: every run sets up an encoder and two decoders, which may take megabytes each.
    replay("segment", 30);
}

#[test]
fn payload() {
    replay("payload", 200);
}

#[test]
fn nothing_at_all() {
    for (_, run) in TARGETS {
        run(&[]);
        run(&[0]);
        run(&[0xff; 700]);
    }
}
