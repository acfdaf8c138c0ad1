mod wrapped;

use std::ops::Range;
use std::sync::Arc;

use super::vocabulary::tests::vocabulary;
use super::{LanguageModel, ModelPack, Vocabulary};
use crate::segment::{PredictorError, SegmentDecoder, SegmentEncoder, find};

/// A model that counts which token followed which in its window.
struct Pairs {
    vocabulary: Vocabulary,
    context: usize,
}

#[derive(Clone)]
struct Run {
    pack: Arc<Pairs>,
    fed: Vec<u32>,
    window: usize,
    logits: Vec<i32>,
    learns: bool,
    /// How often each token came, as far as that is in use, and since then.
    learnt: Vec<i32>,
    fresh: Vec<Option<u32>>,
    /// Predictions that were adapted and not learnt from.
    ahead: usize,
}

/// Tokens after which what was learnt is put to use.
const LEARNT: usize = 5;

impl LanguageModel for Run {
    fn advance(&mut self, tokens: &[u32]) -> Result<(), PredictorError> {
        let logits = &mut self.logits;
        logits.clear();
        for &token in tokens {
            assert!((token as usize) < self.pack.vocabulary.len());
            if self.fed.len() == self.window {
                self.fed.drain(..self.window - self.window / 2);
            }
            self.fed.push(token);
            let start = logits.len();
            logits.resize(start + self.pack.vocabulary.len(), 0);
            for pair in self
                .fed
                .windows(2)
                .filter(|pair| pair[0] == self.fed[self.fed.len() - 1])
            {
                logits[start + pair[1] as usize] += 3 << 16;
            }
        }
        Ok(())
    }

    fn logits(&self, range: Range<usize>, logits: &mut Vec<i32>) -> Result<(), PredictorError> {
        let width = self.pack.vocabulary.len();
        logits.extend(&self.logits[range.start * width..range.end * width]);
        Ok(())
    }

    fn left(&self) -> usize {
        LEARNT - self.fresh.len() - self.ahead
    }

    fn adapt(&mut self, logits: &mut [i32]) {
        let positions = logits.len() / self.learnt.len();
        assert!(positions <= self.left());
        self.ahead += positions;
        for logits in logits.chunks_exact_mut(self.learnt.len()) {
            for (logit, count) in logits.iter_mut().zip(&self.learnt) {
                *logit += count << 13;
            }
        }
    }

    fn learn(&mut self, _: &[i32], token: Option<u32>) -> Result<(), PredictorError> {
        self.ahead -= 1;
        self.fresh.push(token);
        if self.fresh.len() == LEARNT {
            for token in self.fresh.drain(..).flatten().filter(|_| self.learns) {
                self.learnt[token as usize] += 1;
            }
        }
        Ok(())
    }

    fn fork(&self) -> Result<Box<dyn LanguageModel>, PredictorError> {
        Ok(Box::new(self.clone()))
    }

    fn reset(&mut self) {
        self.fed.clear();
    }
}

impl ModelPack for Pairs {
    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn context(&self) -> usize {
        self.context
    }

    fn first_token(&self) -> Option<u32> {
        Some(256)
    }

    fn memory(&self, _: usize, _: usize) -> u64 {
        0
    }

    fn tokens_of(&self, text: &[u8], tokens: &mut Vec<u32>) {
        self.vocabulary.longest_matches(text, tokens);
    }

    fn start(
        self: Arc<Self>,
        window: usize,
        learns: bool,
    ) -> Result<Box<dyn LanguageModel>, PredictorError> {
        Ok(Box::new(Run {
            learnt: vec![0; self.vocabulary.len()],
            pack: self,
            fed: Vec::new(),
            window,
            logits: Vec::new(),
            learns,
            fresh: Vec::new(),
            ahead: 0,
        }))
    }
}

const WORDS: &[&[u8]] = &[
    b"the",
    b" the",
    b" cat",
    b" catch",
    b" on",
    b" mat",
    b" sat",
    b"th",
    b"at",
    b"\xc3\xa9",
];

/// A model that knows which tokens come.
struct Told {
    vocabulary: Vocabulary,
    tokens: Vec<u32>,
    /// How much more likely it takes the right one for than any other, in nats.
    sure: i32,
}

/// Where it is, and how many tokens were fed before the last ones.
struct Teller(Arc<Told>, usize, usize);

impl LanguageModel for Teller {
    fn advance(&mut self, tokens: &[u32]) -> Result<(), PredictorError> {
        self.2 = self.1;
        self.1 += tokens.len();
        Ok(())
    }

    fn logits(&self, range: Range<usize>, logits: &mut Vec<i32>) -> Result<(), PredictorError> {
        for place in range {
            let start = logits.len();
            logits.resize(start + self.0.vocabulary.len(), 0);
            logits[start + self.0.tokens[self.2 + place] as usize] = self.0.sure << 16;
        }
        Ok(())
    }

    fn fork(&self) -> Result<Box<dyn LanguageModel>, PredictorError> {
        Ok(Box::new(Self(Arc::clone(&self.0), self.1, self.2)))
    }

    fn reset(&mut self) {
        self.1 = 0;
    }
}

impl ModelPack for Told {
    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn context(&self) -> usize {
        1 << 20
    }

    fn first_token(&self) -> Option<u32> {
        None
    }

    fn memory(&self, _: usize, _: usize) -> u64 {
        0
    }

    fn tokens_of(&self, text: &[u8], tokens: &mut Vec<u32>) {
        self.vocabulary.longest_matches(text, tokens);
    }

    fn start(self: Arc<Self>, _: usize, _: bool) -> Result<Box<dyn LanguageModel>, PredictorError> {
        Ok(Box::new(Teller(self, 0, 0)))
    }
}

fn told(data: &[u8], sure: i32) -> Arc<dyn ModelPack> {
    let vocabulary = vocabulary(WORDS);
    let mut tokens = Vec::new();
    vocabulary.longest_matches(data, &mut tokens);
    // What is asked for past the end.
    tokens.push(0);
    Arc::new(Told {
        vocabulary,
        tokens,
        sure,
    })
}

fn pairs(context: usize) -> Arc<dyn ModelPack> {
    Arc::new(Pairs {
        vocabulary: vocabulary(WORDS),
        context,
    })
}

fn text(bytes: usize) -> Vec<u8> {
    let line = "the cat sat on the mat; the mat, on the cat, sat: catch the cat\u{e9} th\n";
    line.bytes().cycle().take(bytes).collect()
}

/// Bytes that look random.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

fn encoder(settings: &[u8], len: usize, pack: &Arc<dyn ModelPack>) -> Box<dyn SegmentEncoder> {
    let mut made = (find("llm", 1).unwrap().encoder)(settings, len as u64).unwrap();
    made.set_model(Arc::clone(pack)).unwrap();
    made
}

fn decoder(settings: &[u8], len: usize, pack: &Arc<dyn ModelPack>) -> Box<dyn SegmentDecoder> {
    let mut made = (find("llm", 1).unwrap().decoder)(settings, len as u64).unwrap();
    made.set_model(Arc::clone(pack)).unwrap();
    made
}

/// Codes chunks as the container does, then decodes them in other pieces; returns the coded sizes.
fn roundtrip(settings: &[u8], chunks: &[Vec<u8>], pack: &Arc<dyn ModelPack>) -> Vec<usize> {
    let len = chunks.iter().map(Vec::len).sum();
    let mut encoder = encoder(settings, len, pack);
    let mut decoder = decoder(settings, len, pack);
    let mut sizes = Vec::new();
    for chunk in chunks {
        for piece in chunk.chunks(7_001) {
            encoder.write(piece).unwrap();
        }
        let coded = encoder.finish_chunk().unwrap();
        sizes.push(coded.len());
        if coded.len() >= chunk.len() {
            for piece in chunk.chunks(999) {
                decoder.train(piece).unwrap();
            }
            continue;
        }
        let mut back = vec![0; chunk.len()];
        decoder.begin_chunk(coded).unwrap();
        let (first, rest) = back.split_at_mut(chunk.len().min(64));
        decoder.read(first).unwrap();
        for piece in rest.chunks_mut(5_003) {
            decoder.read(piece).unwrap();
        }
        decoder.end_chunk().unwrap();
        assert!(back == *chunk);
    }
    assert_eq!(decoder.canary(), encoder.canary());
    sizes
}

#[test]
fn text_comes_back_at_every_level_and_window() {
    for (level, window, context) in [(3, 0, 37), (6, 3, 1000), (4, 11, 2), (7, 11, 50)] {
        let chunks = [text(18_000), text(1), b"\xff\0\xc3".to_vec(), text(2_000)];
        for learns in [0, 1] {
            roundtrip(&[level, 0, 0, 0, window, learns], &chunks, &pairs(context));
        }
    }
}

/// Letters that look random.
fn letters(bytes: usize) -> Vec<u8> {
    noise(bytes).iter().map(|byte| b'a' + byte % 26).collect()
}

#[test]
fn work_is_done_in_parts_or_at_once() {
    let (data, pack) = (text(40_000), pairs(100));
    let settings = [6, 0, 0, 0, 5, 1];
    let mut whole = encoder(&settings, data.len(), &pack);
    whole.write(&data).unwrap();
    let mut parts = encoder(&settings, data.len(), &pack);
    let (mut left, mut works) = (data.len(), 0);
    for piece in data.chunks(3_000) {
        parts.write(piece).unwrap();
        left -= piece.len();
        let mut before = parts.waiting();
        loop {
            let more = parts.work(left == 0).unwrap();
            assert!(before - parts.waiting() <= 512);
            before = parts.waiting();
            if !more {
                break;
            }
            works += 1;
        }
        // What is left is less than a block, and nothing at the end.
        assert!(before < 1 << 14 && (left > 0 || before == 0));
    }
    assert!(works > 70, "{works}");
    assert!(whole.finish_chunk().unwrap() == parts.finish_chunk().unwrap());
    assert_eq!(whole.canary(), parts.canary());
}

#[test]
fn the_model_is_used() {
    let data = letters(10_000);
    let pack = told(&data, 12);
    let sizes = roundtrip(&[6, 0, 0, 0, 0, 1], &[data], &pack);
    assert!(sizes[0] < 500, "{sizes:?}");
}

#[test]
fn what_does_not_shrink_is_passed_over() {
    let chunks = [
        noise(100),
        text(500),
        noise(20_200).split_off(200),
        noise(40),
        text(30_000),
    ];
    let sizes = roundtrip(&[3, 0, 0, 0, 5, 1], &chunks, &pairs(100));
    assert!(sizes[0] >= 100 && sizes[2] >= 20_000, "{sizes:?}");
    // What was stored was learnt all the same.
    assert!(sizes[3] < 20 && sizes[4] < 100, "{sizes:?}");
}

#[test]
fn where_the_model_misleads_what_was_learnt_stays() {
    let unlike: Vec<u8> = noise(30).iter().map(|byte| b' ' + byte % 95).collect();
    let chunks = [text(3_000), unlike.clone(), unlike];
    let vocabulary = vocabulary(WORDS);
    let mut tokens = Vec::new();
    for (chunk, right) in chunks.iter().zip([true, false, false]) {
        let mut own = Vec::new();
        vocabulary.longest_matches(chunk, &mut own);
        tokens.extend(
            own.iter()
                .map(|&token| if right { token } else { token ^ 128 }),
        );
    }
    tokens.push(0);
    let pack: Arc<dyn ModelPack> = Arc::new(Told {
        vocabulary,
        tokens,
        sure: 4,
    });
    let sizes = roundtrip(&[3, 0, 0, 0, 0, 1], &chunks, &pack);
    assert!(sizes[1] >= 30, "{sizes:?}");
    assert!(sizes[2] < 20, "{sizes:?}");
}

#[test]
fn a_block_that_the_model_does_not_help_with_does_not_need_it() {
    let data = noise(40_000)
        .iter()
        .map(|byte| byte & 0x81)
        .collect::<Vec<u8>>();
    let settings = [6, 1, 0, 0, 0, 1];
    let sizes = roundtrip(&settings, std::slice::from_ref(&data), &pairs(100));
    let mut alone = (find("cm", 1).unwrap().encoder)(&settings[..4], 40_000).unwrap();
    alone.write(&data).unwrap();
    let alone = alone.finish_chunk().unwrap().len();
    assert!(sizes[0] * 100 <= alone * 101, "{sizes:?} {alone}");
}

/// Codes parts as segments of which all but the first go on from it, and decodes them, in turns; the
/// sizes of all but the first.
fn going_on(settings: &[u8], parts: &[Vec<u8>], pack: &Arc<dyn ModelPack>) -> Vec<usize> {
    let mut first = encoder(settings, parts[0].len(), pack);
    first.write(&parts[0]).unwrap();
    let coded = first.finish_chunk().unwrap();
    let mut again = decoder(settings, parts[0].len(), pack);
    if coded.len() < parts[0].len() {
        let mut back = vec![0; parts[0].len()];
        again.decode_chunk(&coded, &mut back).unwrap();
        assert!(back == parts[0]);
    } else {
        again.train(&parts[0]).unwrap();
    }
    let (mut sizes, mut decoders) = (Vec::new(), Vec::new());
    for part in &parts[1..] {
        let mut own = first.after(part.len() as u64).unwrap();
        // A chunk that does not shrink first.
        let mut coded = Vec::new();
        for chunk in [&part[..part.len() / 3], &part[part.len() / 3..]] {
            own.write(chunk).unwrap();
            coded.push((chunk.to_vec(), own.finish_chunk().unwrap()));
        }
        sizes.push(coded.iter().map(|(_, coded)| coded.len()).sum());
        decoders.push((again.after(part.len() as u64).unwrap(), coded, own.canary()));
    }
    for number in 0..2 {
        for (decoder, coded, canary) in &mut decoders {
            let (raw, coded) = &coded[number];
            if coded.len() >= raw.len() {
                decoder.train(raw).unwrap();
            } else {
                let mut back = vec![0; raw.len()];
                decoder.decode_chunk(coded, &mut back).unwrap();
                assert!(back == *raw);
            }
            assert!(number == 0 || decoder.canary() == *canary);
        }
    }
    sizes
}

#[test]
fn segments_go_on_from_the_first_one() {
    let parts = [
        [text(9_000), letters(300)].concat(),
        [letters(300), text(20_000)].concat(),
        text(600),
        [noise(500), text(1_000)].concat(),
    ];
    for level in [3, 6, 7] {
        // At most 20,300 bytes.
        let settings = [level, 0, 0, 0, 5, 1, 0xcc, 0x9e, 1];
        let sizes = going_on(&settings, &parts, &pairs(1000));
        // What they begin with is known from the first one.
        let alone = roundtrip(&settings[..6], &parts[1..2], &pairs(1000));
        assert!(sizes[0] + 150 < alone[0], "{sizes:?} {alone:?}");
    }
    // The first one does not shrink.
    going_on(
        &[6, 0, 0, 0, 5, 1, 100],
        &[noise(90), text(100)],
        &pairs(100),
    );
}

#[test]
fn segments_go_on_where_there_is_room_and_a_chunk_has_ended() {
    let pack = pairs(100);
    let settings = [6, 0, 0, 0, 5, 1, 100];
    let mut first = encoder(&settings, 50, &pack);
    first.write(&text(20)).unwrap();
    assert!(matches!(
        first.after(9).err(),
        Some(PredictorError::Usage(_))
    ));
    let coded = first.finish_chunk().unwrap();
    assert!(first.after(100).is_ok());
    assert!(matches!(
        first.after(101).err(),
        Some(PredictorError::Corrupt(_))
    ));
    let mut again = decoder(&settings, 50, &pack);
    again.begin_chunk(coded).unwrap();
    again.read(&mut [0; 19]).unwrap();
    assert!(matches!(
        again.after(9).err(),
        Some(PredictorError::Usage(_))
    ));
    assert!(encoder(&settings[..6], 50, &pack).after(1).is_err());
}

#[test]
fn another_model_has_another_canary() {
    let settings = [6, 0, 0, 0, 0, 0];
    let data = text(1000);
    let canaries = [12, 11].map(|sure| {
        let mut encoder = encoder(&settings, 1000, &told(&data, sure));
        encoder.write(&data).unwrap();
        encoder.finish_chunk().unwrap();
        encoder.canary()
    });
    assert_ne!(canaries[0], canaries[1]);
}

#[test]
fn coded_bytes_that_are_wrong_do_not_panic() {
    let settings = [3, 0, 0, 0, 4, 1];
    let pack = pairs(100);
    for seed in 0..40 {
        let payload = noise(seed * 13);
        let mut decoder = decoder(&settings, 40_000, &pack);
        decoder.begin_chunk(payload).unwrap();
        let mut out = vec![0; 40_000];
        if decoder.read(&mut out).is_ok() {
            let _ = decoder.end_chunk();
        }
        assert!(decoder.read(&mut [0]).is_err());
    }
}

#[test]
fn without_a_model_nothing_is_coded() {
    let llm = find("llm", 1).unwrap();
    let settings = (llm.settings)(6, b"some text");
    let mut encoder = (llm.encoder)(&settings, 10).unwrap();
    assert!(encoder.write(b"some text").is_err());
    let mut decoder = (llm.decoder)(&settings, 10).unwrap();
    assert!(decoder.read(&mut [0; 9]).is_err());
    let mut cm = (find("cm", 1).unwrap().encoder)(&settings[..4], 10).unwrap();
    assert!(cm.set_model(pairs(100)).is_err());
}

#[test]
fn unknown_settings_are_unsupported() {
    let llm = find("llm", 1).unwrap();
    for settings in [
        &[][..],
        &[6, 0, 0, 0],
        &[6, 0, 0, 0, 0],
        &[6, 0, 0, 0, 25, 0],
        &[6, 0, 0, 0, 0, 4],
        &[9, 0, 0, 0, 0, 0],
        &[6, 4, 0, 0, 0, 0],
        &[6, 0, 0, 0, 0, 0, 0],
        &[6, 0, 0, 0, 0, 0, 128],
        &[6, 0, 0, 0, 0, 0, 1, 1],
    ] {
        assert!((llm.encoder)(settings, 10).is_err());
        assert!((llm.decoder)(settings, 10).is_err());
        assert!((llm.memory)(settings, 10).is_err());
    }
}

#[test]
fn a_session_goes_on_as_the_model_expects() {
    let pack = pairs(64);
    let mut tokens = Vec::new();
    pack.tokens_of(&text(600), &mut tokens);
    let mut session = super::Session::new(&pack, 64).unwrap();
    session.advance(&tokens[..40]).unwrap();
    let mut run = Arc::clone(&pack).start(64, false).unwrap();
    run.advance(&[256]).unwrap();
    run.advance(&tokens[..40]).unwrap();
    let mut logits = Vec::new();
    run.logits(39..40, &mut logits).unwrap();
    // Special tokens are never drawn.
    let vocabulary = pack.vocabulary();
    let spelt = (0..logits.len()).filter(|&token| vocabulary.rank(token as u32).is_some());
    let nats: Vec<f64> = spelt
        .map(|token| f64::from(logits[token]) / 65536.0)
        .collect();
    let top = nats.iter().fold(f64::MIN, |top, &nats| top.max(nats));
    let (best, bytes) = session.pick(0, 5);
    assert_eq!(bytes, vocabulary.spelling(vocabulary.rank(best).unwrap()));
    assert_eq!(f64::from(logits[best as usize]) / 65536.0, top);
    // Evenly spread draws follow the probabilities; the hotter the evener.
    for (temperature, power) in [(1000, 1.0), (500, 2.0), (4000, 0.25)] {
        let draws = (0..1024_u64).map(|step| step << 54 | 1 << 53);
        let hits = draws.filter(|&draw| session.pick(temperature, draw).0 == best);
        let found = hits.count() as f64 / 1024.0;
        let sum: f64 = nats.iter().map(|n| (n * power).exp()).sum();
        let exact = (top * power).exp() / sum;
        assert!(
            (found - exact).abs() < 0.003,
            "{temperature}: {found} {exact}"
        );
    }
    assert!(session.advance(&[9999]).is_err());
}
