//! Codes a text by `llm` with logits from a file; prints bits per byte and seconds.
//!
//! `cargo run --release --example llm_replay -- TEXT LOGITS LEVEL...` where LOGITS holds, in
//! little-endian order: u32 tokens of the vocabulary, u32 tokens of the text; these as u32; u32 end of
//! each token's bytes; the bytes; for each token of the text i16 logits, those that predict it, in units
//! of `2^-10` nats below the largest.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use llmzip_predictors::llm::{LanguageModel, ModelPack, Vocabulary};
use llmzip_predictors::segment::{PredictorError, find};
use memmap2::Mmap;

struct Replay {
    file: Mmap,
    start: usize,
    vocabulary: Vocabulary,
    tokens: Vec<u32>,
}

/// Tokens fed, and those before the last ones.
struct Run(Arc<Replay>, usize, usize);

impl LanguageModel for Run {
    fn advance(&mut self, tokens: &[u32]) -> Result<(), PredictorError> {
        self.2 = self.1;
        self.1 += tokens.len();
        Ok(())
    }

    fn logits(&self, range: Range<usize>, logits: &mut Vec<i32>) -> Result<(), PredictorError> {
        let row = 2 * self.0.vocabulary.len();
        for place in range {
            let at = self.0.start + (self.2 + place) * row;
            let bytes = self.0.file.get(at..at + row);
            let bytes = bytes.ok_or(PredictorError::Usage("past the file's logits"))?;
            logits.extend(
                bytes
                    .as_chunks::<2>()
                    .0
                    .iter()
                    .map(|&pair| i32::from(i16::from_le_bytes(pair)) << 6),
            );
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

impl ModelPack for Replay {
    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn context(&self) -> usize {
        usize::MAX
    }

    fn first_token(&self) -> Option<u32> {
        None
    }

    fn memory(&self, _: usize, _: usize) -> u64 {
        0
    }

    fn tokens_of(&self, text: &[u8], tokens: &mut Vec<u32>) {
        // Blocks are asked for one after another; each is found by what is spelt before it.
        static SPELT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let mut at = SPELT.load(std::sync::atomic::Ordering::Relaxed);
        let mut left = text.len();
        while left > 0 {
            let token = self.tokens[at % self.tokens.len()];
            at += 1;
            left -= self
                .vocabulary
                .spelling(self.vocabulary.rank(token).unwrap())
                .len();
            tokens.push(token);
        }
        SPELT.store(at, std::sync::atomic::Ordering::Relaxed);
    }

    fn start(self: Arc<Self>, _: usize, _: bool) -> Result<Box<dyn LanguageModel>, PredictorError> {
        Ok(Box::new(Run(self, 0, 0)))
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let text = std::fs::read(&arguments[1]).unwrap();
    let file = std::fs::File::open(&arguments[2]).unwrap();
    let (vocabulary, tokens, start, bytes) = {
        let mut head = vec![0; 64 << 20];
        let n = std::os::unix::fs::FileExt::read_at(&file, &mut head, 0).unwrap();
        let word = |at: usize| u32::from_le_bytes(head[4 * at..4 * at + 4].try_into().unwrap());
        let (size, count) = (word(0) as usize, word(1) as usize);
        let tokens: Vec<u32> = (2..2 + count).map(word).collect();
        let ends: Vec<u32> = (2 + count..2 + count + size).map(word).collect();
        let begin = 4 * (2 + count + size);
        let end = begin + ends[size - 1] as usize;
        assert!(end <= n);
        let vocabulary = Vocabulary::new(&head[begin..end], &ends).unwrap();
        let bytes: usize = tokens
            .iter()
            .map(|&t| vocabulary.spelling(vocabulary.rank(t).unwrap()).len())
            .sum();
        (vocabulary, tokens, end, bytes)
    };
    let text = &text[..bytes];
    let replay = Arc::new(Replay {
        file: map(&file),
        start,
        vocabulary,
        tokens,
    });
    let (llm, cm) = (find("llm", 1).unwrap(), find("cm", 1).unwrap());
    for level in &arguments[3..] {
        let level: u8 = level.parse().unwrap();
        let begun = Instant::now();
        let settings = [level, 0, 0, 0, 20, 0];
        let mut encoder = (llm.encoder)(&settings, text.len() as u64).unwrap();
        encoder.set_model(replay.clone()).unwrap();
        encoder.write(text).unwrap();
        let coded = encoder.finish_chunk().unwrap();
        let mut alone = (cm.encoder)(&settings[..4], text.len() as u64).unwrap();
        alone.write(text).unwrap();
        let alone = alone.finish_chunk().unwrap();
        let rate = |coded: &[u8]| coded.len() as f64 * 8.0 / text.len() as f64;
        println!(
            "level {level}: {} of {} bytes, {:.4} bits per byte (cm {:.4}), {:.1} s",
            coded.len(),
            text.len(),
            rate(&coded),
            rate(&alone),
            begun.elapsed().as_secs_f64()
        );
    }
}

#[allow(unsafe_code)]
fn map(file: &std::fs::File) -> Mmap {
    // Nothing writes to the file meanwhile.
    unsafe { Mmap::map(file) }.unwrap()
}
