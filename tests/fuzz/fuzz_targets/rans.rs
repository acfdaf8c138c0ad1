#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| llmzip_fuzz::rans::run(data));
