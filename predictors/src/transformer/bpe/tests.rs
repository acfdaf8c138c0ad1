//! What Hugging Face's `tokenizers` 0.23.3 made of the same texts with the same merges and rules.

use std::sync::Arc;

use super::*;
use crate::transformer::Pack;

// Tokens 0 to 255 are the bytes; each of these makes the next one, unless there was one already.
const MERGES: [[u32; 2]; 40] = [
    [116, 104],
    [256, 101],
    [32, 116],
    [32, 257],
    [104, 101],
    [258, 260],
    [105, 110],
    [101, 114],
    [262, 115],
    [39, 115],
    [39, 83],
    [108, 108],
    [39, 266],
    [97, 98],
    [268, 99],
    [99, 65],
    [65, 66],
    [271, 99],
    [49, 50],
    [273, 51],
    [274, 52],
    [32, 49],
    [32, 32],
    [277, 277],
    [10, 10],
    [32, 10],
    [10, 32],
    [46, 46],
    [282, 46],
    [33, 10],
    [47, 47],
    [46, 47],
    [32, 33],
    [120, 121],
    [46, 120],
    [46, 288],
    [195, 169],
    [32, 291],
    [228, 184],
    [291, 115],
];

const TEXTS: [&str; 10] = [
    "the ers in there's the'll",
    "THE'S 's x'S",
    "a  b   abc\n\n  abc \n x  ",
    "12345 1234, 12 1",
    "abcAB ABcABc cAB",
    "!\n\n... .xy.xy//./\r\n!/",
    "\u{e9} \u{e9}s \u{e9}S \u{301}e\u{301} \u{4e2d} \u{4e2d}x",
    "   \u{a0}\u{2003}the \t\n",
    "x\u{85} 1\u{b2}\u{2163} 1",
    "\u{1c5}abc \u{2b0}AB",
];

// Tokens of each text, and the rules that give them.
const TOKENS: [&[(&str, &[u32])]; 10] = [
    &[(
        "gpt2 smollm llama3 qwen2 tekken",
        &[257, 32, 263, 32, 261, 259, 114, 101, 264, 259, 267],
    )],
    &[
        (
            "gpt2 smollm",
            &[84, 72, 69, 39, 83, 32, 39, 115, 32, 120, 39, 83],
        ),
        (
            "llama3 qwen2 tekken",
            &[84, 72, 69, 265, 32, 39, 115, 32, 120, 265],
        ),
    ],
    &[(
        "gpt2 smollm llama3 qwen2 tekken",
        &[
            97, 32, 32, 98, 277, 32, 269, 279, 32, 32, 269, 280, 32, 120, 277,
        ],
    )],
    &[
        ("gpt2", &[275, 53, 32, 275, 44, 32, 273, 276]),
        (
            "smollm qwen2 tekken",
            &[
                49, 50, 51, 52, 53, 32, 49, 50, 51, 52, 44, 32, 49, 50, 32, 49,
            ],
        ),
        ("llama3", &[274, 52, 53, 32, 274, 52, 44, 32, 273, 32, 49]),
    ],
    &[
        (
            "gpt2 smollm llama3 qwen2",
            &[269, 271, 32, 271, 270, 66, 99, 32, 270, 66],
        ),
        ("tekken", &[269, 271, 32, 272, 272, 32, 99, 271]),
    ],
    &[
        (
            "gpt2 smollm",
            &[
                33, 10, 10, 283, 32, 46, 288, 46, 288, 285, 286, 13, 10, 33, 47,
            ],
        ),
        (
            "llama3 qwen2 tekken",
            &[33, 279, 283, 32, 46, 288, 290, 285, 286, 13, 10, 33, 47],
        ),
    ],
    &[(
        "gpt2 smollm llama3 qwen2 tekken",
        &[
            291, 292, 115, 292, 83, 32, 204, 129, 101, 204, 129, 32, 293, 173, 32, 293, 173, 120,
        ],
    )],
    &[(
        "gpt2 smollm llama3 qwen2 tekken",
        &[277, 32, 194, 160, 226, 128, 131, 257, 32, 9, 10],
    )],
    &[
        ("gpt2", &[120, 194, 133, 276, 194, 178, 226, 133, 163, 276]),
        (
            "smollm llama3 qwen2 tekken",
            &[120, 194, 133, 32, 49, 194, 178, 226, 133, 163, 32, 49],
        ),
    ],
    &[(
        "gpt2 smollm llama3 qwen2 tekken",
        &[199, 133, 269, 32, 202, 176, 271],
    )],
];

const RULES: [&str; 5] = ["gpt2", "smollm", "llama3", "qwen2", "tekken"];

/// The tokens of each text by `rule`.
fn expected(rule: &str) -> [&'static [u32]; 10] {
    TOKENS.map(|found| {
        let given = found
            .iter()
            .find(|(rules, _)| rules.split(' ').any(|r| r == rule));
        given.unwrap().1
    })
}

/// Bytes of all tokens, and where each ends; `special` is empty.
fn vocabulary(special: Option<u8>) -> (Vec<u8>, Vec<u32>) {
    let mut tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    for [left, right] in MERGES {
        let both = [&tokens[left as usize][..], &tokens[right as usize]].concat();
        if !tokens.contains(&both) {
            tokens.push(both);
        }
    }
    if let Some(special) = special {
        tokens[usize::from(special)].clear();
    }
    let ends = tokens.iter().scan(0, |end, token| {
        *end += token.len() as u32;
        Some(*end)
    });
    let ends = ends.collect();
    (tokens.concat(), ends)
}

fn bpe(rule: Rule) -> Bpe {
    let (bytes, ends) = vocabulary(None);
    let tokenizer = Tokenizer {
        bytes: &bytes,
        ends: &ends,
        merges: &MERGES,
        rule,
        whole_pieces: rule == Rule::Llama3,
    };
    Bpe::new(&tokenizer).unwrap()
}

fn encoded(bpe: &Bpe, text: &[u8]) -> Vec<u32> {
    let mut tokens = Vec::new();
    bpe.encode(text, &mut tokens);
    tokens
}

fn spelt(tokens: &[u32]) -> Vec<u8> {
    let (bytes, ends) = vocabulary(None);
    let spell = |&token: &u32| {
        let start = if token == 0 {
            0
        } else {
            ends[token as usize - 1]
        };
        bytes[start as usize..ends[token as usize] as usize].to_vec()
    };
    tokens.iter().flat_map(spell).collect()
}

#[test]
fn tokens_are_those_of_tokenizers() {
    for name in RULES {
        let bpe = bpe(Rule::named(name).unwrap());
        for (text, tokens) in TEXTS.iter().zip(expected(name)) {
            assert_eq!(encoded(&bpe, text.as_bytes()), tokens, "{name}: {text:?}");
        }
    }
}

#[test]
fn every_rule_is_told_from_the_others() {
    for (number, rule) in RULES.iter().enumerate() {
        let others = &RULES[..number];
        assert!(others.iter().all(|other| expected(other) != expected(rule)));
    }
}

#[test]
fn any_bytes_are_spelt() {
    let mut random = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        random = random
            .wrapping_mul(0x5851_F42D_4C95_7F2D)
            .wrapping_add(0x1405_7B7E_F767_814F);
        (random >> 56) as u8
    })
    .take(5000)
    .collect();
    let long = b"th".repeat(LONGEST + 1);
    for name in RULES {
        let bpe = bpe(Rule::named(name).unwrap());
        for text in [
            &noise[..],
            &long,
            b"\xc3",
            b"\xe4\xb8 \xf0\x9f\x91",
            b"",
            b"\xff\xfe\r\n",
        ] {
            assert_eq!(spelt(&encoded(&bpe, text)), text, "{name}");
        }
        assert_eq!(encoded(&bpe, &long), [256].repeat(LONGEST + 1));
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    let (bytes, ends) = vocabulary(None);
    let (fewer, shifted) = vocabulary(Some(b'q'));
    let good = Tokenizer {
        bytes: &bytes,
        ends: &ends,
        merges: &MERGES,
        rule: Rule::Gpt2,
        whole_pieces: false,
    };
    let mut falling = ends.clone();
    falling.swap(3, 4);
    let count = ends.len() as u32;
    for bad in [
        Tokenizer {
            bytes: &fewer,
            ends: &shifted,
            ..good
        },
        Tokenizer {
            ends: &falling,
            ..good
        },
        Tokenizer {
            bytes: &bytes[1..],
            ..good
        },
        Tokenizer {
            merges: &[[116, count]],
            ..good
        },
        Tokenizer {
            merges: &[[116, 116]],
            ..good
        },
        Tokenizer { ends: &[], ..good },
    ] {
        assert!(matches!(Bpe::new(&bad), Err(PredictorError::Corrupt(_))));
    }
    assert_eq!(Rule::named("sentencepiece"), None);
}

/// A pack without weights: header entries as given, then the vocabulary.
fn pack(tokenizer: &str, vocab: usize) -> Pack {
    let (bytes, ends) = vocabulary(None);
    let words = |words: &[u32]| -> Vec<u8> { words.iter().flat_map(|w| w.to_le_bytes()).collect() };
    let parts = [
        ("vocab.bytes", "u8", bytes),
        ("vocab.ends", "u32", words(&ends)),
        ("merges", "u32", words(MERGES.as_flattened())),
    ];
    let start = 1 << 12;
    let mut data = Vec::new();
    let entries = parts.map(|(name, kind, part)| {
        let (offset, length) = (start + data.len(), part.len());
        data.extend(part);
        format!(r#""{name}":{{"kind":"{kind}","length":{length},"offset":{offset},"shape":[]}}"#)
    });
    let header = format!(
        r#"{{"architecture":"llama","config":{{"context":64,"ffn":64,"head_size":32,"heads":2,"hidden":64,
        "kv_heads":1,"layers":1,"norm_eps":1,"vocab":{vocab}}},"tensors":{{{}}},"tokenizer":{tokenizer}}}"#,
        entries.join(",")
    );
    let mut file = b"\x8bLZPACK\n\x01\0\0\0".to_vec();
    file.extend((header.len() as u64).to_le_bytes());
    file.extend(header.as_bytes());
    file.resize(start, 0);
    file.extend(data);
    Pack::parse(Arc::new(file)).unwrap()
}

#[test]
fn a_pack_gives_its_tokenizer() {
    let (_, ends) = vocabulary(None);
    for (number, name) in RULES.iter().enumerate() {
        let whole = usize::from(*name == "llama3");
        let settings = format!(r#"{{"kind":"bpe","pre":"{name}","bos":{number},"whole":{whole}}}"#);
        let pack = pack(&settings, ends.len());
        let bpe = Bpe::of_pack(&pack).unwrap();
        assert_eq!(encoded(&bpe, TEXTS[0].as_bytes()), expected(name)[0]);
        assert_eq!(first_token(&pack), Ok(Some(number as u32)));
    }
    let pack = pack(
        r#"{"kind":"bpe","pre":"gpt2","bos":-1,"whole":0}"#,
        ends.len(),
    );
    assert_eq!(first_token(&pack), Ok(None));
}

#[test]
fn what_a_pack_cannot_mean_is_refused() {
    let (_, ends) = vocabulary(None);
    let of = |settings: &str, vocab| Bpe::of_pack(&pack(settings, vocab)).err();
    let unknown = r#"{"kind":"bpe","pre":"gpt9","bos":0,"whole":0}"#;
    assert!(matches!(
        of(unknown, ends.len()),
        Some(PredictorError::Unsupported(_))
    ));
    let unigram = r#"{"kind":"unigram","pre":"gpt2","bos":0,"whole":0}"#;
    assert!(matches!(
        of(unigram, ends.len()),
        Some(PredictorError::Unsupported(_))
    ));
    let good = r#"{"kind":"bpe","pre":"gpt2","bos":999,"whole":0}"#;
    assert_eq!(of(good, ends.len()), None);
    assert!(matches!(
        of(good, ends.len() + 1),
        Some(PredictorError::Corrupt(_))
    ));
    assert!(matches!(
        of("{}", ends.len()),
        Some(PredictorError::Corrupt(_))
    ));
    assert!(first_token(&pack(good, ends.len())).is_err());
}
