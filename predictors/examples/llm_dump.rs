//! Writes the logits that a model pack gives for a text, for `llm_replay`:
//! `llm_dump PACK TEXT LOGITS WINDOW THREADS`.

use std::io::{BufWriter, Write};
use std::sync::Arc;

use llmzip_predictors::llm::{ModelPack, Packed};
use llmzip_predictors::transformer::Pack;

/// What `llm` cuts into tokens at a time.
const BLOCK: usize = 1 << 14;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize| args[i].parse::<usize>().unwrap();
    let pack = Pack::parse(Arc::new(std::fs::read(&args[0]).unwrap())).unwrap();
    let text = std::fs::read(&args[1]).unwrap();
    let pack: Arc<dyn ModelPack> = Arc::new(Packed::new(pack, number(4)).unwrap());
    let mut tokens = Vec::new();
    for block in text.chunks(BLOCK) {
        pack.tokens_of(block, &mut tokens);
    }
    let mut out = BufWriter::new(std::fs::File::create(&args[2]).unwrap());
    let mut word = |value: usize| out.write_all(&(value as u32).to_le_bytes()).unwrap();
    let vocabulary = pack.vocabulary();
    word(vocabulary.len());
    word(tokens.len());
    tokens.iter().for_each(|&token| word(token as usize));
    let (mut spelt, mut end) = (Vec::new(), 0);
    for token in 0..vocabulary.len() as u32 {
        if let Some(rank) = vocabulary.rank(token) {
            spelt.extend_from_slice(vocabulary.spelling(rank));
            end = spelt.len();
        }
        word(end);
    }
    out.write_all(&spelt).unwrap();
    let mut run = Arc::clone(&pack).start(number(3), false).unwrap();
    let mut fed = vec![pack.first_token().unwrap_or(0)];
    fed.extend(&tokens[..tokens.len() - 1]);
    let mut logits = Vec::new();
    for part in fed.chunks(128) {
        logits.clear();
        run.advance(part).unwrap();
        run.logits(0..part.len(), &mut logits).unwrap();
        for row in logits.chunks_exact(vocabulary.len()) {
            let top = row.iter().max().unwrap();
            for logit in row {
                let below = (i64::from(*logit) - i64::from(*top)) >> 6;
                let below = below.max(i64::from(i16::MIN)) as i16;
                out.write_all(&below.to_le_bytes()).unwrap();
            }
        }
    }
}
