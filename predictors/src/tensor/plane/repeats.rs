//! Planes in which strings of symbols repeat: zstd finds them.

use zstd_safe::CCtx;

/// Blocks of a plane after one in which nothing repeats that are not asked.
const PAUSE: u32 = 3;
const SAMPLE: usize = 8 << 10;

/// What an encoder keeps of one plane of a segment.
#[derive(Default)]
pub struct Repeats {
    pause: u32,
}

/// zstd with its memory.
pub struct Zstd {
    context: CCtx<'static>,
    frame: Vec<u8>,
}

impl Default for Zstd {
    fn default() -> Self {
        Self {
            context: CCtx::create(),
            frame: Vec::new(),
        }
    }
}

impl Zstd {
    fn compress(&mut self, symbols: &[u8], level: i32) -> Option<&[u8]> {
        self.frame.clear();
        self.frame.reserve(zstd_safe::compress_bound(symbols.len()));
        self.context
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
        let share = coded * sample.len() / symbols.len();
        let frame = self.compress(sample, 1)?;
        if frame.len() >= share - share / 32 {
            repeats.pause = PAUSE;
            return None;
        }
        let limit = coded - coded / 64;
        self.compress(symbols, level)
            .filter(|frame| frame.len() + 8 < limit)
    }
}
