//! Blocks without their line ends.

use super::{decoder, encoder, letters, noise, pairs, roundtrip};
use crate::llm::unfold::tests::prose;
use crate::segment::{PredictorError, find};

/// With the flags of settings whose blocks may be without their line ends.
const UNFOLDED: [u8; 6] = [4, 0, 0, 0, 8, 3];

/// What is as new to `cm` as to the model, which therefore is asked about what begins so; then wrapped lines.
fn wrapped(end: &str, indent: usize) -> Vec<u8> {
    let unlike = noise(300).iter().map(|byte| 33 + byte % 90).collect();
    [unlike, prose(60, end, indent, "  ").into_bytes()].concat()
}

#[test]
fn wrapped_text_comes_back() {
    for (end, indent) in [("\n", 0), ("\r\n", 3)] {
        let all = wrapped(end, indent);
        // Blocks of all lengths; chunks that begin within a line; what is stored, and what is no text.
        let chunks = [
            [&all[..], &all[..], &all[..], &all[..]].concat(),
            all[17..95].to_vec(),
            noise(70),
            all[..5000].to_vec(),
            [0, 1, 2, 3].repeat(50),
            all[5000..].to_vec(),
        ];
        let sizes = roundtrip(&UNFOLDED, &chunks, &pairs(300));
        let mut settings = UNFOLDED;
        settings[5] = 1;
        let folded = roundtrip(&settings, &chunks, &pairs(300));
        assert!(
            sizes[0] != folded[0] && sizes[3] != folded[3],
            "the model is not used"
        );
    }
    // Raw bytes beyond the canary's come of fewer that the model sees.
    let mut head = wrapped("\r\n", 8).split_off(290);
    head.splice(0..0, *b"a\r\nb\r\nc\r\n");
    roundtrip(&UNFOLDED, &[head], &pairs(300));
}

#[test]
fn the_writer_unfolds_where_lines_are_wrapped() {
    let settings = find("llm", 1).unwrap().settings;
    let wrapped = prose(60, "\n", 0, "  ");
    assert_eq!(settings(6, wrapped.as_bytes())[5], 3);
    assert_eq!(settings(5, wrapped.as_bytes())[5], 2);
    assert_eq!(settings(6, &letters(20_000))[5], 1);
    assert_eq!(settings(6, &noise(20_000))[5], 1);
}

#[test]
fn a_block_that_goes_on_past_its_chunk_is_corrupt() {
    let (data, pack) = (wrapped("\n", 0), pairs(300));
    let mut encoder = encoder(&UNFOLDED, data.len(), &pack);
    encoder.write(&data).unwrap();
    let coded = encoder.finish_chunk().unwrap();
    for less in [1, 2, 60] {
        let mut decoder = decoder(&UNFOLDED, data.len(), &pack);
        decoder.begin_chunk(coded.clone()).unwrap();
        decoder.read(&mut vec![0; data.len() - less]).unwrap();
        let ended = decoder.end_chunk();
        assert!(matches!(ended, Err(PredictorError::Corrupt(_))));
    }
}
