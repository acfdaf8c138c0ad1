//! The model as a whole, on a tiny random pack: the same bits however it is evaluated.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::cache::{Cache, HeadCache};
use super::pack::{GROUP, MAGIC, PANEL, RUN};
use super::simd::Level;
use super::{Adapter, Config, Model, Pack, Session, States};
use crate::segment::PredictorError;
use llmzip_coders::simd::available;

/// Random numbers (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[derive(Default)]
struct Builder {
    tensors: Map<String, Value>,
    data: Vec<u8>,
}

const START: usize = 1 << 16;

impl Builder {
    fn add(&mut self, name: &str, kind: &str, exponent: i32, bytes: &[u8]) {
        let (offset, length) = (START + self.data.len(), bytes.len());
        let entry = json!({"kind": kind, "offset": offset, "length": length, "exponent": exponent});
        self.tensors.insert(name.to_owned(), entry);
        self.data.extend_from_slice(bytes);
        self.data.resize(self.data.len().next_multiple_of(64), 0);
    }

    /// Weights of about `2^-3`.
    fn matrix(&mut self, random: &mut Random, name: &str, rows: usize, inputs: usize) {
        let count = rows.next_multiple_of(PANEL) * inputs;
        let mut bytes: Vec<u8> = (0..count)
            .map(|_| ((random.next() % 255) as i8).wrapping_add(127) as u8)
            .map(|b| if b == 128 { 0 } else { b })
            .collect();
        for _ in 0..count / GROUP {
            bytes.extend(((random.next() % 65_535) as u16 + 1).to_le_bytes());
        }
        self.add(name, "q8", 25, &bytes);
    }

    /// Weights of four bits, which reach about `2^-3`.
    fn nibbles(&mut self, random: &mut Random, name: &str, rows: usize, inputs: usize) {
        let mut bytes = Vec::new();
        for _ in 0..rows.div_ceil(PANEL) * inputs / RUN {
            bytes.extend((0..PANEL * RUN / 16).flat_map(|_| random.next().to_le_bytes()));
            for _ in 0..PANEL {
                let step = (random.next() % 4001) as i16 - 2000;
                let base = (random.next() % 2001) as i16 - 1000 - 7 * step;
                bytes.extend(step.to_le_bytes());
                bytes.extend(base.to_le_bytes());
            }
        }
        self.add(name, "q4", 17, &bytes);
    }

    fn words(&mut self, random: &mut Random, name: &str, kind: &str, exponent: i32, count: usize) {
        let words = (0..count).flat_map(|_| ((random.next() % (1 << 20)) as i32).to_le_bytes());
        self.add(name, kind, exponent, &words.collect::<Vec<u8>>());
    }
}

const VOCAB: usize = 100;
const CONTEXT: usize = 150;

/// A pack of two layers whose groups of three heads share keys. Weights of the second layer and of the
/// embedding, which is also the head, have four bits.
fn tiny(biases: bool) -> Vec<u8> {
    let (hidden, heads, kv_heads, size, ffn) = (64, 12, 4, 16, 128);
    let mut random = Random(7);
    let mut b = Builder::default();
    b.nibbles(&mut random, "embed_tokens.weight", VOCAB, hidden);
    for layer in 0..2 {
        let name = |part: &str| format!("layers.{layer}.{part}");
        let matrix = [Builder::matrix, Builder::nibbles][layer];
        b.words(
            &mut random,
            &name("input_layernorm.weight"),
            "gain",
            19,
            hidden,
        );
        b.words(
            &mut random,
            &name("post_attention_layernorm.weight"),
            "gain",
            19,
            hidden,
        );
        for (part, rows) in [
            ("q", heads * size),
            ("k", kv_heads * size),
            ("v", kv_heads * size),
        ] {
            let part = name(&format!("self_attn.{part}_proj"));
            matrix(&mut b, &mut random, &format!("{part}.weight"), rows, hidden);
            if biases {
                b.words(&mut random, &format!("{part}.bias"), "bias", 16, rows);
            }
        }
        matrix(
            &mut b,
            &mut random,
            &name("self_attn.o_proj.weight"),
            hidden,
            heads * size,
        );
        matrix(
            &mut b,
            &mut random,
            &name("mlp.gate_proj.weight"),
            ffn,
            hidden,
        );
        matrix(
            &mut b,
            &mut random,
            &name("mlp.up_proj.weight"),
            ffn,
            hidden,
        );
        matrix(
            &mut b,
            &mut random,
            &name("mlp.down_proj.weight"),
            hidden,
            ffn,
        );
    }
    b.words(&mut random, "norm.weight", "gain", 19, hidden);
    let frequencies: Vec<u8> = (0..size / 2)
        .flat_map(|i| ((u64::MAX / 7) >> (2 * i)).to_le_bytes())
        .collect();
    b.add("rotary", "u64", 0, &frequencies);
    let header = json!({
        "architecture": "llama", "tensors": b.tensors, "tokenizer": {},
        "config": {"layers": 2, "hidden": hidden, "heads": heads, "kv_heads": kv_heads, "vocab": VOCAB,
                   "head_size": size, "ffn": ffn, "context": CONTEXT, "norm_eps": 1 << 30},
    });
    pack_of(&header.to_string(), &b.data)
}

fn pack_of(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend((header.len() as u64).to_le_bytes());
    bytes.extend(header.as_bytes());
    assert!(bytes.len() <= START);
    bytes.resize(START, 0);
    bytes.extend(data);
    bytes
}

/// A tiny random model that `threads` evaluate.
pub fn any_model(threads: usize) -> Arc<Model> {
    model(tiny(false), Level::Scalar, threads)
}

fn model(bytes: Vec<u8>, level: Level, threads: usize) -> Arc<Model> {
    let pack = Arc::new(Pack::parse(Arc::new(bytes)).unwrap());
    Arc::new(Model::new(pack, level, threads).unwrap())
}

pub fn tokens(count: usize) -> Vec<u32> {
    let mut random = Random(99);
    (0..count)
        .map(|_| (random.next() % VOCAB as u64) as u32)
        .collect()
}

fn logits(model: &Arc<Model>, window: usize, tokens: &[u32], block: usize) -> Vec<i32> {
    let mut session = Session::new(model, window).unwrap();
    let mut out = Vec::new();
    for tokens in tokens.chunks(block) {
        session.advance(tokens, &mut out).unwrap();
    }
    out
}

#[test]
fn levels_blocks_and_threads_give_the_same_bits() {
    for biases in [false, true] {
        let pack = tiny(biases);
        let tokens = tokens(200);
        // More than two windows of 64, so that the window slides.
        let expected = logits(&model(pack.clone(), Level::Scalar, 1), 64, &tokens, 1);
        assert_eq!(expected.len(), tokens.len() * VOCAB);
        for (name, level) in available() {
            for (threads, block) in [(1, 1), (3, 1), (1, 7), (2, 7), (3, 50), (1, 512), (2, 512)] {
                let model = model(pack.clone(), level, threads);
                let found = logits(&model, 64, &tokens, block);
                assert!(
                    found == expected,
                    "{name}, {threads} threads, blocks of {block}"
                );
            }
        }
    }
}

#[test]
fn windows_of_any_length_roll_alike_in_blocks_and_token_by_token() {
    let model = model(tiny(true), Level::Scalar, 1);
    let tokens = tokens(150);
    for window in [2, 7, 17, 70] {
        let one_by_one = logits(&model, window, &tokens, 1);
        assert!(
            logits(&model, window, &tokens, 150) == one_by_one,
            "{window}"
        );
        let blocks = logits(&model, window, &tokens, 11);
        assert!(blocks == one_by_one, "{window}");
    }
}

#[test]
fn logits_depend_on_token_order_and_window() {
    let model = model(tiny(false), Level::Scalar, 1);
    let tokens = tokens(80);
    let whole = logits(&model, 100, &tokens, 80);
    let (last, count) = (79 * VOCAB, VOCAB);
    // A window that was full has lost tokens, but not the first one.
    let mut other = tokens.clone();
    other[0] = (other[0] + 1) % VOCAB as u32;
    assert!(logits(&model, 100, &other, 80)[last..] != whole[last..]);
    let narrow = logits(&model, 64, &tokens, 80);
    assert!(logits(&model, 64, &other, 80)[last..] != narrow[last..]);
    assert!(narrow[..64 * VOCAB] == whole[..64 * VOCAB]);
    assert!(narrow[last..] != whole[last..]);
    // Two tokens in another order.
    let mut other = tokens.clone();
    other.swap(10, 11);
    assert!(other != tokens && logits(&model, 100, &other, 80)[last..][..count] != whole[last..]);
}

#[test]
fn positions_that_are_dropped_leave_the_others_as_they_were() {
    // Whole panels move at once, parts of them one by one.
    for (window, kept, count, filled) in [
        (256, 4, 64, 256),
        (256, 4, 6, 256),
        (70, 2, 4, 70),
        (33, 4, 2, 33),
    ] {
        let model = model(tiny(false), Level::Scalar, 1);
        let size = 128;
        let config = Config {
            head_size: size,
            ..*model.config()
        };
        let mut cache = Cache::new(&config, window).unwrap();
        let head = &mut cache.heads[0];
        let vector = |at: usize, of: usize| {
            let value = |i: usize| ((at * 31 + of * 7 + i * 3) % 4095) as i16;
            (0..size).map(value).collect::<Vec<_>>()
        };
        let put = |head: &mut HeadCache, place: usize, at: usize| {
            let bits = at as i32;
            let (key, value) = (vector(at, 0), vector(at, 1));
            head.put(place, &vec![0; size], (&key, bits), (&value, bits + 1));
        };
        (0..filled).for_each(|at| put(head, at, at));
        head.drop_behind(kept, count, filled);
        let mut other = Cache::new(&config, window).unwrap();
        let other = &mut other.heads[0];
        (0..filled).for_each(|at| put(other, at, at));
        (kept..filled - count).for_each(|at| put(other, at, at + count));
        let left = filled - count;
        assert_eq!(head.key_fractions[..left], other.key_fractions[..left]);
        assert_eq!(head.value_fractions[..left], other.value_fractions[..left]);
        let of = |keys: &[i16], at: usize| -> Vec<i16> {
            let panel = &keys[at / PANEL * PANEL * size..];
            let pairs = (0..size / 2).map(|pair| pair * 2 * PANEL + at % PANEL * 2);
            pairs
                .flat_map(|from| panel[from..from + 2].to_vec())
                .collect()
        };
        for at in 0..left {
            assert_eq!(of(&head.keys, at), of(&other.keys, at), "{at}");
        }
        for panel in 0..size.div_ceil(PANEL) {
            let of = |cache: &HeadCache| -> Vec<i16> {
                let pairs = cache
                    .values(panel, left.next_multiple_of(2))
                    .chunks_exact(2);
                let pairs = pairs.enumerate().flat_map(|(i, pair)| {
                    let alone = i / PANEL * 2 + 1 == left;
                    if alone {
                        [pair[0], 0]
                    } else {
                        [pair[0], pair[1]]
                    }
                });
                pairs.collect()
            };
            assert_eq!(of(head), of(other));
        }
    }
}

#[test]
fn sessions_together_are_as_each_alone() {
    for (_, level) in available() {
        let model = model(tiny(true), level, 2);
        let sequences: Vec<Vec<u32>> = (0..5).map(|i| tokens(90)[3 * i..][..70].to_vec()).collect();
        let alone: Vec<_> = sequences
            .iter()
            .map(|s| logits(&model, 64, s, 70))
            .collect();
        let mut sessions: Vec<_> = (0..5).map(|_| Session::new(&model, 64).unwrap()).collect();
        // They are not at the same position.
        for (i, session) in sessions.iter_mut().enumerate() {
            session
                .advance(&sequences[i][..i], &mut Vec::new())
                .unwrap();
        }
        for step in 0..60 {
            let now: Vec<u32> = (0..5).map(|i| sequences[i][i + step]).collect();
            let mut together: Vec<_> = sessions.iter_mut().collect();
            let (mut states, mut out) = (States::new(), Vec::new());
            Session::advance_together(&mut together, &now, &mut states).unwrap();
            model.logits(&states, 0..5, &mut out).unwrap();
            for (i, out) in out.chunks_exact(VOCAB).enumerate() {
                assert!(*out == alone[i][(i + step) * VOCAB..][..VOCAB]);
            }
        }
    }
}

#[test]
fn a_cache_that_no_machine_has_memory_for_is_an_error() {
    let mut config = *model(tiny(false), Level::Scalar, 1).config();
    // Beyond what addresses reach, so that no system promises it.
    config.head_size = 1 << 48;
    let error = Cache::new(&config, 64).unwrap_err();
    assert!(matches!(error, PredictorError::Setup(_)));
}

#[test]
fn a_reset_session_is_a_new_one() {
    let model = model(tiny(false), Level::Scalar, 1);
    let tokens = tokens(40);
    let mut session = Session::new(&model, 64).unwrap();
    session.advance(&tokens[20..], &mut Vec::new()).unwrap();
    session.reset();
    let mut out = Vec::new();
    session.advance(&tokens, &mut out).unwrap();
    assert!(out == logits(&model, 64, &tokens, 40));
}

#[test]
fn a_token_that_the_vocabulary_lacks_is_an_error_and_is_not_fed() {
    let model = model(tiny(false), Level::Scalar, 1);
    let mut session = Session::new(&model, 64).unwrap();
    let mut out = Vec::new();
    let error = session.advance(&[1, VOCAB as u32], &mut out);
    assert!(matches!(error, Err(PredictorError::Usage(_))));
    session.advance(&[7, 8], &mut out).unwrap();
    assert!(out == logits(&model, 64, &[7, 8], 2));
}

#[test]
fn logits_come_a_piece_at_a_time() {
    let model = model(tiny(false), Level::Scalar, 2);
    let tokens = tokens(30);
    let mut states = States::new();
    Session::new(&model, 64)
        .unwrap()
        .advance_states(&tokens, &mut states)
        .unwrap();
    let mut out = Vec::new();
    for from in (0..30).step_by(7) {
        let range = from..states.len().min(from + 7);
        model.logits(&states, range, &mut out).unwrap();
    }
    assert!(out == logits(&model, 64, &tokens, 30));
}

/// Adapted logits of all positions, adapted so many at a time.
fn adapted(model: &Arc<Model>, tokens: &[u32], some: usize) -> Vec<i32> {
    let mut states = States::new();
    Session::new(model, 64)
        .unwrap()
        .advance_states(tokens, &mut states)
        .unwrap();
    let mut adapter = Adapter::new(model).unwrap();
    let (mut all, mut from) = (Vec::new(), 0);
    while from < tokens.len() {
        let range = from..tokens.len().min(from + some.min(adapter.left()));
        let mut logits = Vec::new();
        model.logits(&states, range.clone(), &mut logits).unwrap();
        adapter.adapt(&mut logits);
        for (i, logits) in logits.chunks_exact(VOCAB).enumerate() {
            // At times what came is no token.
            let next = tokens.get(range.start + i + 1).filter(|&t| t % 16 != 3);
            adapter.learn(logits, next.copied()).unwrap();
        }
        all.extend(logits);
        from = range.end;
    }
    all
}

#[test]
fn adapted_logits_are_the_same_at_every_level_and_however_many_at_a_time() {
    let tokens = tokens(900);
    let scalar = model(tiny(false), Level::Scalar, 1);
    let expected = adapted(&scalar, &tokens, 1);
    let plain = logits(&scalar, 64, &tokens, 900);
    // Nothing is learnt before the first 64 tokens that count.
    assert!(expected[..64 * VOCAB] == plain[..64 * VOCAB]);
    assert!(expected[600 * VOCAB..] != plain[600 * VOCAB..]);
    for (name, level) in available() {
        let model = model(tiny(false), level, 2);
        for some in [1, 7, 1000] {
            assert!(
                adapted(&model, &tokens, some) == expected,
                "{name}, {some} at a time"
            );
        }
    }
}

#[test]
fn an_adapter_learns_which_tokens_come() {
    let model = model(tiny(false), Level::Scalar, 1);
    // The model is random; the text uses three tokens.
    let tokens: Vec<u32> = tokens(1200).iter().map(|token| 40 + token % 3).collect();
    let all = adapted(&model, &tokens, 256);
    let cost = |from: usize, count: usize| -> f64 {
        (from..from + count)
            .map(|at| {
                let logits = &all[at * VOCAB..][..VOCAB];
                let value = |logit: i32| f64::from(logit) / 65536.0;
                let top = value(*logits.iter().max().unwrap());
                let sum: f64 = logits.iter().map(|&l| (value(l) - top).exp()).sum();
                top + sum.ln() - value(logits[tokens[at + 1] as usize])
            })
            .sum()
    };
    assert!(cost(1000, 190) < 0.8 * cost(0, 190));
}

#[test]
fn a_reference_adapts_the_same() {
    // tests/reference/test_transformer.py has the same hash.
    let model = model(tiny(true), Level::Scalar, 1);
    assert_eq!(
        hash(&adapted(&model, &tokens(600), 256)),
        0xd31e_744e_1e75_af7e
    );
}

fn hash(logits: &[i32]) -> u64 {
    logits
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, &logit| {
            (hash ^ u64::from(logit as u32)).wrapping_mul(0x0100_0000_01b3)
        })
}

#[test]
fn damaged_packs_are_refused() {
    let pack = tiny(false);
    let open = |bytes: Vec<u8>| {
        Pack::parse(Arc::new(bytes))
            .and_then(|p| Model::new(Arc::new(p), Level::Scalar, 1))
            .err()
    };
    assert_eq!(open(pack.clone()), None);
    for length in [0, 7, 8, 19, 20, 100, START - 1, START, pack.len() - 1000] {
        let error = open(pack[..length].to_vec());
        assert!(
            matches!(error, Some(PredictorError::Corrupt(_))),
            "{length}: {error:?}"
        );
    }
    let mut newer = pack.clone();
    newer[8] = 2;
    assert!(matches!(open(newer), Some(PredictorError::Unsupported(_))));
    // Weights that do not fit 16 bits: the embedding comes first, a step behind a run's four bits.
    let mut wide = pack.clone();
    wide[START + PANEL * RUN / 2..][..2].copy_from_slice(&20_000_i16.to_le_bytes());
    assert!(matches!(open(wide), Some(PredictorError::Corrupt(_))));
    let end = 20 + u64::from_le_bytes(pack[12..20].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&pack[20..end]).unwrap();
    for (from, to) in [
        ("\"layers\":2", "\"layers\":3"),
        ("\"layers\":2", "\"layers\":-2"),
        ("\"hidden\":64", "\"hidden\":63"),
        ("\"kv_heads\":4", "\"kv_heads\":5"),
        ("\"kv_heads\":4", "\"kv_heads\":0"),
        ("\"head_size\":16", "\"head_size\":32"),
        ("\"vocab\":100", "\"vocab\":1000"),
        ("\"kind\":\"gain\"", "\"kind\":\"bias\""),
        ("\"kind\":\"q4\"", "\"kind\":\"q8\""),
        ("\"kind\":\"q8\"", "\"kind\":\"q4\""),
        ("\"kind\":\"q8\"", "\"kind\":\"q2\""),
        ("\"offset\":", "\"offset\":9"),
        ("\"exponent\":25", "\"exponent\":99999999"),
        ("norm.weight", "norms.weight"),
    ] {
        assert!(header.contains(from), "{from}");
        let changed = pack_of(&header.replace(from, to), &pack[START..]);
        assert!(
            matches!(open(changed), Some(PredictorError::Corrupt(_))),
            "{to}"
        );
    }
}

#[test]
fn a_reference_gives_the_same_logits() {
    // tests/reference/test_transformer.py has the same hash.
    let model = model(tiny(true), Level::Scalar, 1);
    let all = logits(&model, 64, &tokens(150), 150);
    assert_eq!(hash(&all), 0x4024_b09c_9065_71ee);
}
