//! Planes in which strings of symbols repeat: zstd finds them.

use zstd_safe::CCtx;

/// Blocks of a plane after one in which nothing repeats that are not asked, at first and at most: twice
/// as many each time.
const PAUSE: u32 = 3;
const LONGEST_PAUSE: u32 = 31;
const SAMPLE: usize = 8 << 10;

/// What an encoder keeps of one plane of a segment.
#[derive(Default)]
pub struct Repeats {
    pause: u32,
    next_pause: u32,
}

impl Repeats {
    fn wait(&mut self) {
        self.pause = self.next_pause.max(PAUSE);
        self.next_pause = (2 * self.pause + 1).min(LONGEST_PAUSE);
    }
}

/// Whether one in 64 of the places of `sample`, which has up to 2^16 bytes, has a string of eight bytes
/// that was there before, as far as a small table tells.
fn repeats_in(sample: &[u8]) -> bool {
    const BITS: u32 = 11;
    let mut last = [0_u16; 1 << BITS];
    let mut found = 0;
    for (place, string) in sample.windows(8).enumerate() {
        let string: [u8; 8] = string.try_into().unwrap_or_default();
        let hash = u64::from_le_bytes(string).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let last = &mut last[(hash >> (64 - BITS)) as usize];
        let before = usize::from(*last);
        found += usize::from(before < place && sample[before..before + 8] == string);
        *last = place as u16;
    }
    found * 64 > sample.len()
}

/// zstd with its memory, which it takes when it is first asked.
#[derive(Default)]
pub struct Zstd {
    context: Option<CCtx<'static>>,
    frame: Vec<u8>,
}

impl Zstd {
    fn compress(&mut self, symbols: &[u8], level: i32) -> Option<&[u8]> {
        self.frame.clear();
        self.frame.reserve(zstd_safe::compress_bound(symbols.len()));
        self.context
            .get_or_insert_with(CCtx::create)
            .compress(&mut self.frame, symbols, level)
            .ok()?;
        Some(&self.frame)
    }

    /// The frame of a plane's block where that is clearly shorter than `coded` bytes; a sample tells
    /// whether it is worth trying, and not for every block.
    pub fn shrink(
        &mut self,
        repeats: &mut Repeats,
        symbols: &[u8],
        coded: usize,
        level: i32,
    ) -> Option<&[u8]> {
        if repeats.pause > 0 {
            repeats.pause -= 1;
            return None;
        }
        let sample = &symbols[..symbols.len().min(SAMPLE)];
        if !repeats_in(sample) {
            repeats.wait();
            return None;
        }
        let share = coded * sample.len() / symbols.len();
        let frame = self.compress(sample, 1)?;
        if frame.len() >= share - share / 32 {
            repeats.wait();
            return None;
        }
        repeats.next_pause = 0;
        let limit = coded - coded / 64;
        self.compress(symbols, level)
            .filter(|frame| frame.len() + 8 < limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::noise::noise;

    #[test]
    fn strings_that_repeat_are_told_from_symbols_that_do() {
        assert!(!repeats_in(&noise(SAMPLE, 255)));
        assert!(!repeats_in(&noise(SAMPLE, 7)));
        assert!(!repeats_in(&[0; 7]));
        assert!(repeats_in(&[0; 100]));
        assert!(repeats_in(&noise(1000, 255).repeat(2)));
        assert!(repeats_in(
            &[noise(SAMPLE - 400, 255), vec![7; 400]].concat()
        ));
    }

    #[test]
    fn a_plane_without_repeats_is_asked_ever_less_until_it_has_some() {
        let (mut repeats, mut zstd) = (Repeats::default(), Zstd::default());
        let (plain, again) = (noise(9000, 255), noise(1500, 255).repeat(6));
        for pause in [3, 7, 15, 31, 31] {
            assert!(zstd.shrink(&mut repeats, &plain, 9000, 3).is_none());
            for _ in 0..pause {
                assert!(zstd.shrink(&mut repeats, &again, 9000, 3).is_none());
            }
        }
        let frame = zstd.shrink(&mut repeats, &again, 9000, 3);
        assert!(frame.is_some_and(|frame| frame.len() < 2000));
        assert!(zstd.shrink(&mut repeats, &plain, 9000, 3).is_none());
        assert_eq!(repeats.pause, PAUSE);
    }
}
