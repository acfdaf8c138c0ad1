//! Sizes and speed of `pc` on files: `pc_bench LEVEL FILE...`; `CHECK=1` decodes too.
use llmzip_predictors::segment::find;

/// Seconds of CPU time so far.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() * 1e-9
}

fn main() {
    let mut args = std::env::args().skip(1);
    let level: u8 = args.next().unwrap().parse().unwrap();
    let pc = find("pc", 1).unwrap();
    for path in args {
        let data = std::fs::read(&path).unwrap();
        let settings = (pc.settings)(level, &data[..data.len().min(1 << 20)]);
        let start = cpu();
        let mut encoder = (pc.encoder)(&settings, data.len() as u64).unwrap();
        encoder.look_ahead(&data);
        let looked = cpu() - start;
        let chunks: Vec<Vec<u8>> = data
            .chunks(1 << 20)
            .map(|chunk| {
                encoder.write(chunk).unwrap();
                encoder.finish_chunk().unwrap()
            })
            .collect();
        let coded = cpu() - start;
        let size: usize = chunks.iter().map(Vec::len).sum();
        let name = path.rsplit('/').next().unwrap();
        println!(
            "{:>8} {size:>8} looked {looked:.2}s coded {coded:.2}s {name}",
            data.len()
        );
        if std::env::var_os("CHECK").is_some() {
            let mut decoder = (pc.decoder)(&settings, data.len() as u64).unwrap();
            let start = cpu();
            for (payload, chunk) in chunks.into_iter().zip(data.chunks(1 << 20)) {
                let mut back = vec![0; chunk.len()];
                decoder.begin_chunk(payload).unwrap();
                back.chunks_mut(1000)
                    .for_each(|part| decoder.read(part).unwrap());
                decoder.end_chunk().unwrap();
                assert!(back == chunk);
            }
            assert_eq!(decoder.canary(), encoder.canary());
            println!("decoded in {:.2}s", cpu() - start);
        }
    }
}
