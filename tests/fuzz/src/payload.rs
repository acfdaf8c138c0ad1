//! A decoder given settings, lengths and payloads that no encoder made, in any order of calls.

use llmzip_predictors::segment::registry;

use crate::segment::MEMORY;
use crate::source::Source;

/// Input: predictor, number of settings bytes and those, the segment's length (4 bytes, and one
/// that shifts it left), then calls: which one (1 byte), its length (2) and for some its bytes, and
/// for a chunk in one call the length (2) that it is to have.
pub fn run(data: &[u8]) {
    let mut source = Source::new(data);
    let predictor = &registry()[usize::from(source.u8()) % registry().len()];
    let count = usize::from(source.u8() % 64);
    let settings = source.take(count);
    let raw_len = u64::from(source.u32()) << (source.u8() % 32);
    let Ok(memory) = (predictor.memory)(settings, raw_len) else {
        // What cannot say how much it takes must not start either.
        assert!((predictor.decoder)(settings, raw_len).is_err());
        return;
    };
    if memory > MEMORY {
        return;
    }
    let Ok(mut decoder) = (predictor.decoder)(settings, raw_len) else {
        return;
    };
    let mut buffer = vec![0; usize::from(u16::MAX)];
    while !source.is_empty() {
        let call = source.u8();
        let length = usize::from(source.u16());
        let ended = match call % 6 {
            0 => decoder.begin_chunk(source.take(length).to_vec()),
            1 => decoder.read(&mut buffer[..length]),
            2 => decoder.end_chunk(),
            3 => decoder.train(source.take(length)),
            4 => {
                let raw_len = usize::from(source.u16());
                decoder.decode_chunk(source.take(length), &mut buffer[..raw_len])
            }
            _ => decoder.set_base(source.take(length)),
        };
        if ended.is_err() {
            // The container stops at the first error.
            return;
        }
        decoder.canary();
    }
}
