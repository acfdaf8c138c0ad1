//! Trains a circuit and codes a file with it: `pc_train STATES PASSES TRAIN TEST...`.
use std::sync::Arc;
use std::time::Instant;

use llmzip_predictors::pc::{CircuitPack, Training, train};
use llmzip_predictors::segment::find;

/// Seconds of CPU time so far.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() * 1e-9
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let data = std::fs::read(&args[2]).unwrap();
    let training = Training {
        states: args[0].parse().unwrap(),
        passes: args[1].parse().unwrap(),
        threads: 1,
    };
    let start = Instant::now();
    let pack = train(&data, training, &mut |pass| {
        eprintln!("pass {pass} after {:.1}s", start.elapsed().as_secs_f64());
        true
    });
    let pack = pack.unwrap();
    println!(
        "trained in {:.1}s, {} bytes",
        start.elapsed().as_secs_f64(),
        pack.len()
    );
    let circuit = Arc::new(CircuitPack::read(&pack).unwrap());
    let predictor = find("circuit", 1).unwrap();
    for path in &args[3..] {
        let data = std::fs::read(path).unwrap();
        let len = data.len() as u64;
        let begin = cpu();
        let mut encoder = (predictor.encoder)(&[], len).unwrap();
        encoder.set_circuit(circuit.clone()).unwrap();
        let chunks = data.chunks(1 << 20).map(|chunk| {
            encoder.write(chunk).unwrap();
            encoder.finish_chunk().unwrap()
        });
        let chunks: Vec<Vec<u8>> = chunks.collect();
        let coded = cpu() - begin;
        let size: usize = chunks.iter().map(Vec::len).sum();
        let begin = cpu();
        let mut decoder = (predictor.decoder)(&[], len).unwrap();
        decoder.set_circuit(circuit.clone()).unwrap();
        for (payload, chunk) in chunks.into_iter().zip(data.chunks(1 << 20)) {
            let mut back = vec![0; chunk.len()];
            decoder.begin_chunk(payload).unwrap();
            back.chunks_mut(1000)
                .for_each(|part| decoder.read(part).unwrap());
            decoder.end_chunk().unwrap();
            assert!(back == chunk);
        }
        let decoded = cpu() - begin;
        let mb = data.len() as f64 / 1e6;
        let bits = size as f64 * 8.0 / data.len() as f64;
        println!(
            "{size} bytes, {bits:.4} bits a byte, {:.2} and {:.2} MB/s {path}",
            mb / coded,
            mb / decoded
        );
    }
}
