//! scratch
use std::io::Write;
use std::sync::Arc;
use llmzip_predictors::llm::{ModelPack, Packed};
use llmzip_predictors::transformer::{Model, Pack, Session, States};
use llmzip_predictors::simd;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let text = std::fs::read(&args[1]).unwrap();
    let window: usize = args[3].parse().unwrap();
    let packed = Packed::new(Pack::parse(Arc::new(std::fs::read(&args[0]).unwrap())).unwrap(), 1).unwrap();
    let mut tokens = Vec::new();
    let mut lens = Vec::new();
    for block in text.chunks(1 << 14) {
        packed.tokens_of(block, &mut tokens);
        lens.push(tokens.len());
    }
    let model = Arc::new(Model::new(Arc::new(Pack::parse(Arc::new(std::fs::read(&args[0]).unwrap())).unwrap()), simd::active().unwrap(), 1).unwrap());
    let mut session = Session::new(&model, window).unwrap();
    let mut fed = vec![packed.first_token().unwrap_or(0)];
    fed.extend(&tokens[..tokens.len() - 1]);
    let mut out = std::io::BufWriter::new(std::fs::File::create(&args[2]).unwrap());
    out.write_all(&(tokens.len() as u32).to_le_bytes()).unwrap();
    for t in &tokens { out.write_all(&t.to_le_bytes()).unwrap(); }
    let begun = std::time::Instant::now();
    let (mut cost, mut logits, mut n) = (0.0f64, Vec::new(), 0);
    let mut marks = vec![];
    for (part, want) in fed.chunks(128).zip(tokens.chunks(128)) {
        let mut states = States::new();
        session.advance_states(part, &mut states).unwrap();
        for i in 0..states.len() {
            let (x, f) = states.get(i);
            out.write_all(&f.to_le_bytes()).unwrap();
            for v in x { out.write_all(&v.to_le_bytes()).unwrap(); }
        }
        logits.clear();
        model.logits(&states, 0..states.len(), &mut logits).unwrap();
        for (row, &w) in logits.chunks_exact(model.config().vocab).zip(want) {
            let top = *row.iter().max().unwrap() as f32 / 65536.0;
            let s: f32 = row.iter().map(|&l| (l as f32 / 65536.0 - top).exp()).sum();
            cost += f64::from(s.ln() + top - row[w as usize] as f32 / 65536.0) / std::f64::consts::LN_2;
            n += 1;
            if n % 4096 == 0 { marks.push(cost); }
        }
    }
    println!("{} window {window} sinks {:?} drop {:?}: {} tokens, {:.4} bits per byte, {:.0} s; each 4096: {:?}", args[1],
        std::env::var("SINKS"), std::env::var("DROP"), n, cost / text.len() as f64, begun.elapsed().as_secs_f64(),
        marks.iter().map(|m| *m as u64).collect::<Vec<_>>());
}
