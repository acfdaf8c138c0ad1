//! Sizes and speed of the tensor predictor on raw dumps: `tensor_bench LEVEL KIND ROW FILE...`;
//! with `BASE=FILE` as changes of that.
use std::time::Instant;

use llmzip_predictors::segment::find;

fn main() {
    let mut args = std::env::args().skip(1);
    let level: u8 = args.next().unwrap().parse().unwrap();
    let kind = args.next().unwrap();
    let row: u32 = args.next().unwrap().parse().unwrap();
    let base = std::env::var_os("BASE").map(|path| std::fs::read(path).unwrap());
    let tensor = find("tensor", 1).unwrap();
    let settings =
        llmzip_predictors::tensor::settings(level, &kind, row, base.as_ref().map(|_| 0)).unwrap();
    for path in args {
        let data = std::fs::read(&path).unwrap();
        let (mut total, mut coding, mut decoding) = (0, 0.0, 0.0);
        for (number, segment) in data.chunks(16 << 20).enumerate() {
            let base = base
                .as_ref()
                .map(|base| &base[number << 24..][..segment.len()]);
            let start = Instant::now();
            let mut encoder = (tensor.encoder)(&settings, segment.len() as u64).unwrap();
            if let Some(base) = base {
                encoder.set_base(base).unwrap();
            }
            encoder.look_ahead(segment);
            let mut chunks = Vec::new();
            for chunk in segment.chunks(1 << 20) {
                encoder.write(chunk).unwrap();
                chunks.push(encoder.finish_chunk().unwrap());
            }
            coding += start.elapsed().as_secs_f64();
            total += chunks.iter().map(Vec::len).sum::<usize>();
            let mut back = vec![1; segment.len()];
            let start = Instant::now();
            let mut decoder = (tensor.decoder)(&settings, segment.len() as u64).unwrap();
            if let Some(base) = base {
                decoder.set_base(base).unwrap();
            }
            for (chunk, out) in chunks.into_iter().zip(back.chunks_mut(1 << 20)) {
                decoder.begin_chunk(chunk).unwrap();
                decoder.read(out).unwrap();
                decoder.end_chunk().unwrap();
            }
            decoding += start.elapsed().as_secs_f64();
            assert!(back == segment);
        }
        let mb = data.len() as f64 * 1e-6;
        println!(
            "{path} {} {total} {:.3}% coded {:.0} MB/s decoded {:.0} MB/s",
            data.len(),
            total as f64 * 100.0 / data.len() as f64,
            mb / coding,
            mb / decoding
        );
    }
}
