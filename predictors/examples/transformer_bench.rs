//! Code length and speed of a model pack on tokens: `transformer_bench PACK TOKENS WINDOW BLOCK THREADS [COUNT [SEQUENCES]]`,
//! where TOKENS is a file of u32 and BLOCK is how many are evaluated at a time. The first token costs nothing.
//! With SEQUENCES, as many parts of COUNT tokens go on together, a token of each at a time; BLOCK does not matter.
//! `LLMZIP_SIMD` chooses the kernels.
use std::sync::Arc;
use std::time::{Duration, Instant};

use llmzip_predictors::simd::active;
use llmzip_predictors::transformer::{Aligned, Model, Pack, Session, States};

/// Positions whose logits are made at a time.
const PIECE: usize = 64;

/// How long this thread has run, which other work on the machine does not lengthen; 0 where Linux does
/// not say. With one thread it is all that evaluates.
fn on_cpu() -> Duration {
    let said = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanoseconds = said.split(' ').next().and_then(|n| n.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}

/// What was measured.
#[derive(Default)]
struct Total {
    time: Duration,
    cpu: Duration,
    tokens: usize,
    nats: f64,
    hash: u64,
}

impl Total {
    fn timed<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (start, before) = (Instant::now(), on_cpu());
        let out = work();
        self.time += start.elapsed();
        self.cpu += on_cpu() - before;
        out
    }

    fn count(&mut self, logits: &[i32], next: Option<u32>) {
        self.tokens += 1;
        for &logit in logits {
            self.hash = (self.hash ^ logit as u32 as u64).wrapping_mul(0x0100_0000_01b3);
        }
        if let Some(next) = next {
            let value = |logit: i32| f64::from(logit) / 65536.0;
            let top = value(*logits.iter().max().unwrap());
            let sum: f64 = logits.iter().map(|&l| (value(l) - top).exp()).sum();
            self.nats += top + sum.ln() - value(logits[next as usize]);
        }
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize| -> usize { args[i].parse().unwrap() };

    let pack = Aligned::copy(&std::fs::read(&args[0]).unwrap()).unwrap();
    let pack = Pack::parse(Arc::new(pack)).unwrap();
    let tokens: Vec<u32> = std::fs::read(&args[1])
        .unwrap()
        .chunks_exact(4)
        .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
        .collect();
    let (window, block, threads) = (number(2), number(3), number(4));
    let count = if args.len() > 5 {
        number(5)
    } else {
        tokens.len()
    };
    let start = Instant::now();
    let model = Arc::new(Model::new(Arc::new(pack), active().unwrap(), threads).unwrap());
    println!("ready after {:.3} s", start.elapsed().as_secs_f64());

    let mut total = Total {
        hash: 0xcbf2_9ce4_8422_2325,
        ..Total::default()
    };
    let (mut states, mut logits) = (States::new(), Vec::new());
    let vocab = model.config().vocab;
    if args.len() > 6 {
        let parts: Vec<_> = tokens.chunks_exact(count).take(number(6)).collect();
        let mut sessions: Vec<_> = parts
            .iter()
            .map(|_| Session::new(&model, window).unwrap())
            .collect();
        for place in 0..count {
            let now: Vec<u32> = parts.iter().map(|part| part[place]).collect();
            let mut together: Vec<_> = sessions.iter_mut().collect();
            total.timed(|| {
                states.clear();
                logits.clear();
                Session::advance_together(&mut together, &now, &mut states).unwrap();
                model.logits(&states, 0..now.len(), &mut logits).unwrap();
            });
            for (part, logits) in parts.iter().zip(logits.chunks_exact(vocab)) {
                total.count(logits, part.get(place + 1).copied());
            }
        }
    } else {
        let tokens = &tokens[..count];
        let mut session = Session::new(&model, window).unwrap();
        for (place, now) in tokens.chunks(block).enumerate() {
            states.clear();
            total.timed(|| session.advance_states(now, &mut states).unwrap());
            for from in (0..now.len()).step_by(PIECE) {
                logits.clear();
                let range = from..now.len().min(from + PIECE);
                total.timed(|| model.logits(&states, range, &mut logits).unwrap());
                for (i, logits) in logits.chunks_exact(vocab).enumerate() {
                    let next = tokens.get(place * block + from + i + 1);
                    total.count(logits, next.copied());
                }
            }
        }
    }
    println!(
        "{} tokens, {:.1} bits, {:.1} tokens/s, {:.1} per CPU second, logits {:016x}",
        total.tokens,
        total.nats / std::f64::consts::LN_2,
        total.tokens as f64 / total.time.as_secs_f64(),
        total.tokens as f64 / total.cpu.as_secs_f64(),
        total.hash
    );
}
