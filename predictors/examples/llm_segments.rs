//! What segments that start from the state after the first one cost:
//! `llm_segments PACK TEXT BYTES LEVEL THREADS SHARES...`, where SHARES are lengths of the segments in
//! proportion, such as `1,2,2,2`. Prints the coded bytes of each.

use std::sync::Arc;
use std::time::Instant;

use llmzip_predictors::llm::Packed;
use llmzip_predictors::segment::{SegmentEncoder, find};
use llmzip_predictors::transformer::Pack;

fn coded(encoder: &mut dyn SegmentEncoder, text: &[u8]) -> usize {
    encoder.write(text).unwrap();
    encoder.finish_chunk().unwrap().len()
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize| -> usize { args[i].parse().unwrap() };
    let pack = Pack::parse(Arc::new(std::fs::read(&args[0]).unwrap())).unwrap();
    let model = Arc::new(Packed::new(pack, number(4)).unwrap());
    let text = std::fs::read(&args[1]).unwrap();
    let text = &text[..number(2).min(text.len())];
    let llm = find("llm", 1).unwrap();
    for shares in &args[5..] {
        let shares: Vec<usize> = shares.split(',').map(|s| s.parse().unwrap()).collect();
        let all: usize = shares.iter().sum();
        let begun = Instant::now();
        let mut ends: Vec<usize> = shares
            .iter()
            .scan(0, |sum, share| {
                *sum += share;
                Some(text.len() * *sum / all)
            })
            .collect();
        for end in &mut ends {
            *end = text[..*end]
                .iter()
                .rposition(|&b| b == b'\n')
                .map_or(*end, |at| at + 1);
        }
        let mut settings = (llm.settings)(args[3].parse().unwrap(), &text[..ends[0]]);
        if shares.len() > 1 {
            let mut longest = ends.windows(2).map(|w| w[1] - w[0]).max().unwrap();
            while longest > 127 {
                settings.push(longest as u8 | 128);
                longest >>= 7;
            }
            settings.push(longest as u8);
        }
        let mut first = (llm.encoder)(&settings, ends[0] as u64).unwrap();
        first.set_model(model.clone()).unwrap();
        let mut sizes = vec![coded(&mut *first, &text[..ends[0]])];
        for pair in ends.windows(2) {
            let mut next = first.after((pair[1] - pair[0]) as u64).unwrap();
            sizes.push(coded(&mut *next, &text[pair[0]..pair[1]]));
        }
        let seconds = begun.elapsed().as_secs_f64();
        let sum: usize = sizes.iter().sum();
        println!(
            "{shares:?}: {sum} of {} bytes, {sizes:?}, {seconds:.0} s",
            text.len()
        );
    }
}
