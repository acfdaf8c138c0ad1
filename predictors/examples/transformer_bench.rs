//! Code length and speed of a model pack on tokens: `transformer_bench PACK TOKENS WINDOW BLOCK THREADS [COUNT]`,
//! where TOKENS is a file of u32 and BLOCK is how many are evaluated at a time. The first token costs nothing.
//! `LLMZIP_SIMD` chooses the kernels.
use std::sync::Arc;
use std::time::Instant;

use llmzip_predictors::simd::active;
use llmzip_predictors::transformer::{Model, Pack, Session};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();

    let pack = Pack::parse(Arc::new(std::fs::read(&args[0]).unwrap())).unwrap();
    let mut tokens: Vec<u32> = std::fs::read(&args[1])
        .unwrap()
        .chunks_exact(4)
        .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
        .collect();
    if args.len() > 5 {
        tokens.truncate(number(&args, 5));
    }
    let start = Instant::now();
    let model = Arc::new(Model::new(Arc::new(pack), active().unwrap(), number(&args, 4)).unwrap());
    let size = number(&args, 3);
    let vocab = model.config().vocab;
    let mut session = Session::new(&model, number(&args, 2));
    println!("ready after {:.3} s", start.elapsed().as_secs_f64());

    let (mut nats, mut seconds, mut hash) = (0.0, 0.0, 0xcbf2_9ce4_8422_2325_u64);
    let mut logits = Vec::new();
    for (place, block) in tokens.chunks(size).enumerate() {
        logits.clear();
        let start = Instant::now();
        session.advance(block, &mut logits);
        seconds += start.elapsed().as_secs_f64();
        let after = &tokens[place * size + 1..];
        for (&next, logits) in after.iter().zip(logits.chunks_exact(vocab)) {
            for &logit in logits {
                hash = (hash ^ logit as u32 as u64).wrapping_mul(0x0100_0000_01b3);
            }
            let value = |logit: i32| f64::from(logit) / 65536.0;
            let top = value(*logits.iter().max().unwrap());
            let sum: f64 = logits.iter().map(|&l| (value(l) - top).exp()).sum();
            nats += top + sum.ln() - value(logits[next as usize]);
        }
    }
    let count = tokens.len();
    println!(
        "{count} tokens, {:.1} bits, {:.1} tokens/s, logits {hash:016x}",
        nats / std::f64::consts::LN_2,
        count as f64 / seconds
    );
}

fn number(args: &[String], i: usize) -> usize {
    args[i].parse().unwrap()
}
