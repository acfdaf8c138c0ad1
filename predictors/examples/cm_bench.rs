//! Sizes and speed of the context mixer on files: `cm_bench LEVEL FILE...`.
use llmzip_coders::binary::{Decoder, Encoder};
use llmzip_predictors::cm::detect::detect;
use llmzip_predictors::cm::model::Model;
use llmzip_predictors::cm::plan::Plan;
use llmzip_predictors::simd::{self, Job, Kernels};

/// Seconds of CPU time so far.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() * 1e-9
}

struct Code<'a>(&'a mut Model, &'a [u8]);

impl Job for Code<'_> {
    type Output = Vec<u8>;
    #[inline(always)]
    fn run<K: Kernels>(self) -> Vec<u8> {
        let mut encoder = Encoder::new();
        for &byte in self.1 {
            for k in (0..8).rev() {
                let bit = byte >> k & 1 == 1;
                let p = self.0.predict::<K>();
                encoder.encode(bit, p);
                self.0.update::<K>(bit);
            }
        }
        encoder.finish()
    }
}

struct Check<'a>(&'a mut Model, &'a [u8], Vec<u8>);

impl Job for Check<'_> {
    type Output = ();
    #[inline(always)]
    fn run<K: Kernels>(self) {
        let mut decoder = Decoder::new(self.2);
        for &byte in self.1 {
            for k in (0..8).rev() {
                let bit = decoder.decode(self.0.predict::<K>());
                assert_eq!(bit, byte >> k & 1 == 1);
                self.0.update::<K>(bit);
            }
        }
    }
}

fn main() {
    let mut args = std::env::args().skip(1);
    let level: u8 = args.next().unwrap().parse().unwrap();
    let simd = simd::active().unwrap();
    let (mut total, mut raw, mut time) = (0, 0, 0.0);
    for path in args {
        let data = std::fs::read(&path).unwrap();
        let start = cpu();
        let content = detect(&data);
        let mut model = Model::new(Plan::new(level, content), data.len() as u64, &[]);
        let coded = simd::run(simd, Code(&mut model, &data));
        let spent = cpu() - start;
        let (size, name) = (coded.len(), path.rsplit('/').next().unwrap());
        let bpb = size as f64 * 8.0 / data.len() as f64;
        let rate = spent * 1e6 / data.len() as f64;
        println!("{:>8} {size:>8} {bpb:.4} {rate:.2}us/B {name} {content:?}", data.len());
        total += size;
        raw += data.len();
        time += spent;
        if std::env::var_os("CHECK").is_some() {
            let mut model = Model::new(Plan::new(level, content), data.len() as u64, &[]);
            simd::run(simd, Check(&mut model, &data, coded));
        }
    }
    println!("{raw:>8} {total:>8} {:.2}us/B", time * 1e6 / raw as f64);
}
