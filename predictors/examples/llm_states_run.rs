//! scratch: replay states with the real adapter, alone or mixed
use std::ops::Range;
use std::sync::Arc;
use llmzip_predictors::llm::{LanguageModel, ModelPack, Packed, Vocabulary};
use llmzip_predictors::segment::{PredictorError, find};
use llmzip_predictors::transformer::{Adapter, Model, Pack, States};
use llmzip_predictors::simd;
struct Replay { packed: Arc<Packed>, model: Arc<Model>, states: Vec<(i32, Vec<i16>)> }
struct Run { r: Arc<Replay>, at: usize, states: States, adapter: Option<Adapter> }
impl LanguageModel for Run {
    fn advance(&mut self, tokens: &[u32]) -> Result<(), PredictorError> {
        self.states.clear();
        for i in 0..tokens.len() { let (f, x) = &self.r.states[self.at + i]; self.states.push(x, *f); }
        self.at += tokens.len();
        Ok(())
    }
    fn logits(&self, range: Range<usize>, logits: &mut Vec<i32>) -> Result<(), PredictorError> { self.r.model.logits(&self.states, range, logits) }
    fn left(&self) -> usize { self.adapter.as_ref().map_or(usize::MAX, Adapter::left) }
    fn adapt(&mut self, logits: &mut [i32]) { if let Some(a) = &mut self.adapter { a.adapt(logits) } }
    fn learn(&mut self, logits: &[i32], token: Option<u32>) -> Result<(), PredictorError> { self.adapter.as_mut().map_or(Ok(()), |a| a.learn(logits, token)) }
    fn reset(&mut self) { assert!(self.at == 0); }
}
impl ModelPack for Replay {
    fn vocabulary(&self) -> &Vocabulary { self.packed.vocabulary() }
    fn context(&self) -> usize { usize::MAX }
    fn first_token(&self) -> Option<u32> { self.packed.first_token() }
    fn memory(&self, _: usize) -> u64 { 0 }
    fn tokens_of(&self, text: &[u8], tokens: &mut Vec<u32>) { self.packed.tokens_of(text, tokens) }
    fn start(self: Arc<Self>, _: usize, learns: bool) -> Result<Box<dyn LanguageModel>, PredictorError> {
        let adapter = if learns { Some(Adapter::new(&self.model)?) } else { None };
        Ok(Box::new(Run { at: 0, states: States::new(), adapter, r: self }))
    }
}
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let pack = Arc::new(Pack::parse(Arc::new(std::fs::read(&args[0]).unwrap())).unwrap());
    let model = Arc::new(Model::new(pack, simd::active().unwrap(), 1).unwrap());
    let packed = Arc::new(Packed::new(Pack::parse(Arc::new(std::fs::read(&args[0]).unwrap())).unwrap(), 1).unwrap());
    let text = std::fs::read(&args[1]).unwrap();
    let raw = std::fs::read(&args[2]).unwrap();
    let t = u32::from_le_bytes(raw[..4].try_into().unwrap()) as usize;
    let tok: Vec<u32> = (0..t).map(|i| u32::from_le_bytes(raw[4 + 4 * i..8 + 4 * i].try_into().unwrap())).collect();
    let h = model.config().hidden;
    let states: Vec<_> = raw[4 + 4 * t..].chunks_exact(4 + 2 * h).map(|r| (i32::from_le_bytes(r[..4].try_into().unwrap()), r[4..].chunks_exact(2).map(|c| i16::from_le_bytes(c.try_into().unwrap())).collect::<Vec<_>>())).collect();
    for mode in &args[3..] {
        let begun = std::time::Instant::now();
        if mode == "alone" {
            let mut a = Adapter::new(&model).unwrap();
            let (mut cost, mut marks) = (0f64, vec![]);
            let mut lg = Vec::new();
            for (i, ((f, x), &w)) in states.iter().zip(&tok).enumerate() {
                let mut s = States::new(); s.push(x, *f); lg.clear();
                model.logits(&s, 0..1, &mut lg).unwrap();
                a.adapt(&mut lg);
                let top = *lg.iter().max().unwrap() as f32 / 65536.;
                let sum: f32 = lg.iter().map(|&l| (l as f32 / 65536. - top).exp()).sum();
                cost += f64::from(sum.ln() + top - lg[w as usize] as f32 / 65536.) / std::f64::consts::LN_2;
                a.learn(&lg, Some(w)).unwrap();
                if (i + 1) % 4096 == 0 { marks.push(cost as u64); }
            }
            println!("alone {:.0} {:.4} {:?} {:.0} s", cost, cost / text.len() as f64, marks, begun.elapsed().as_secs_f64());
            continue;
        }
        let learns = !mode.ends_with('n');
        let level: u8 = mode.trim_end_matches('n').parse().unwrap();
        let llm = find("llm", 1).unwrap();
        let settings = [level, 0, 0, 0, 20, u8::from(learns)];
        let mut encoder = (llm.encoder)(&settings, text.len() as u64).unwrap();
        encoder.set_model(Arc::new(Replay { packed: Arc::clone(&packed), model: Arc::clone(&model), states: states.clone() })).unwrap();
        encoder.write(&text).unwrap();
        let coded = encoder.finish_chunk().unwrap();
        println!("level {mode}: {} bytes {:.4} {:.0} s", coded.len(), coded.len() as f64 * 8.0 / text.len() as f64, begun.elapsed().as_secs_f64());
    }
}
