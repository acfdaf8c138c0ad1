//! Sizes and speed of the context mixer on files: `cm_bench LEVEL FILE...`; `CHECK=1` decodes too,
//! `PREDICTOR=pc` takes that one.
use llmzip_predictors::segment::find;

/// Seconds of CPU time so far.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() * 1e-9
}

fn main() {
    let mut args = std::env::args().skip(1);
    let level: u8 = args.next().unwrap().parse().unwrap();
    let name = std::env::var("PREDICTOR").unwrap_or_else(|_| String::from("cm"));
    let cm = find(&name, 1).unwrap();
    let (mut total, mut raw, mut time) = (0, 0, 0.0);
    for path in args {
        let data = std::fs::read(&path).unwrap();
        let len = data.len() as u64;
        let start = cpu();
        let settings = (cm.settings)(level, &data[..data.len().min(1 << 20)]);
        let mut encoder = (cm.encoder)(&settings, len).unwrap();
        encoder.look_ahead(&data);
        encoder.write(&data).unwrap();
        let coded = encoder.finish_chunk().unwrap();
        let spent = cpu() - start;
        let (size, name) = (coded.len(), path.rsplit('/').next().unwrap());
        let bpb = size as f64 * 8.0 / data.len() as f64;
        let rate = spent * 1e6 / data.len() as f64;
        println!(
            "{:>8} {size:>8} {bpb:.4} {rate:.2}us/B {name} {settings:?}",
            data.len()
        );
        total += size;
        raw += data.len();
        time += spent;
        if std::env::var_os("CHECK").is_some() {
            let mut decoder = (cm.decoder)(&settings, len).unwrap();
            let mut back = vec![0; data.len()];
            let start = cpu();
            decoder.begin_chunk(coded).unwrap();
            decoder.read(&mut back).unwrap();
            decoder.end_chunk().unwrap();
            let rate = (cpu() - start) * 1e6 / data.len() as f64;
            println!("{:>8} decoded {rate:.2}us/B", "");
            assert!(back == data && decoder.canary() == encoder.canary());
        }
    }
    println!("{raw:>8} {total:>8} {:.2}us/B", time * 1e6 / raw as f64);
}
