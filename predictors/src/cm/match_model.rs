//! Match model: the bytes that followed the last occurrence of the current context.
//!
//! After Mahoney's MatchModel (lpaq, paq8), with recovery: a wrong byte does not end the match, it
//! lowers the trust until the match proves itself again or a better one is found.

use memmap2::MmapMut;

use super::counter;
use super::history::{GOLDEN, SPREAD};
use super::tables::Tables;
use crate::segment::PredictorError;
use crate::simd::prefetch;
use crate::zeros::{copied, zeros};

const LENGTHS: usize = 32;
const MISSES: usize = 4;
/// Most bytes that a new match is verified for.
const LONGEST: usize = 400;

pub struct MatchModel {
    min_len: usize,
    /// Positions, four bytes each.
    positions: MmapMut,
    /// From a hash of 64 bits to a place in the table.
    shift: u32,
    /// Entry of the current context.
    slot: usize,
    pointer: usize,
    /// Verified length of the match, 0 when there is none.
    length: usize,
    misses: usize,
    /// The byte that should come behind a leading one, 0 when nothing is expected any more.
    expected: u32,
    /// Counter of the match's length and misses.
    context: usize,
    counters: Vec<u32>,
    /// Class for selectors of a match, 1..=15.
    length_class: usize,
}

/// Length class of a match, `1..LENGTHS`.
fn class(length: usize) -> usize {
    match length {
        0..16 => length.max(1),
        16..32 => 16 + (length - 16) / 4,
        32..96 => 20 + (length - 32) / 16,
        96..512 => 24 + (length - 96) / 104,
        _ => 28 + (length.ilog2() as usize - 9).min(3),
    }
}

/// The `count` (at most 8) bytes that end `back` bytes before the end, as a number, the latest lowest.
#[inline(always)]
fn number(history: &[u8], back: usize, count: usize) -> u64 {
    let end = history.len() - back.min(history.len());
    if let Some((_, &bytes)) = history[..end].split_last_chunk::<8>() {
        return match count {
            0 => 0,
            _ => u64::from_be_bytes(bytes) & (u64::MAX >> (64 - 8 * count)),
        };
    }
    let bytes = &history[end.saturating_sub(count)..end];
    bytes.iter().fold(0, |n, &byte| n << 8 | u64::from(byte))
}

/// How many bytes at their ends two slices share, at least up to [`LONGEST`].
#[inline(always)]
fn common_suffix(mut a: &[u8], mut b: &[u8]) -> usize {
    let mut run = 0;
    while let (Some((left, &x)), Some((right, &y))) =
        (a.split_last_chunk::<8>(), b.split_last_chunk::<8>())
    {
        let apart = u64::from_be_bytes(x) ^ u64::from_be_bytes(y);
        if apart != 0 {
            return run + apart.trailing_zeros() as usize / 8;
        }
        run += 8;
        if run >= LONGEST {
            return run;
        }
        (a, b) = (left, right);
    }
    let pairs = a.iter().rev().zip(b.iter().rev());
    run + pairs.take_while(|(x, y)| x == y).count()
}

impl MatchModel {
    /// Looks for contexts of `min_len` bytes in a table of `2^log_entries` positions.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn new(min_len: usize, log_entries: u32) -> Result<Self, PredictorError> {
        let counters = (0..LENGTHS * MISSES)
            .map(|i| {
                let length = (i / MISSES) as u32;
                counter::counter((1 << 22) - (1 << 22) / (3 + length * 2), 0)
            })
            .collect();
        Ok(Self {
            min_len,
            positions: zeros(4 << log_entries)?,
            shift: 64 - log_entries,
            slot: 0,
            pointer: 0,
            length: 0,
            misses: 0,
            expected: 0,
            context: 0,
            counters,
            length_class: 1,
        })
    }

    /// A copy that goes on by itself.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn fork(&self) -> Result<Self, PredictorError> {
        Ok(Self {
            positions: copied(&self.positions)?,
            counters: self.counters.clone(),
            ..*self
        })
    }

    /// Becomes equal to another of the same size, whose memory it does not share.
    pub fn copy_from(&mut self, other: &Self) {
        self.positions.copy_from_slice(&other.positions);
        self.counters.copy_from_slice(&other.counters);
        self.slot = other.slot;
        self.pointer = other.pointer;
        self.length = other.length;
        self.misses = other.misses;
        self.expected = other.expected;
        self.context = other.context;
        self.length_class = other.length_class;
    }

    /// Looks ahead for [`MatchModel::byte`], which follows.
    #[inline(always)]
    pub fn prepare(&mut self, history: &[u8]) {
        if history.len() >= self.min_len {
            // More than four of those further back tell little more.
            let (near, far) = (self.min_len.min(8), self.min_len.saturating_sub(8).min(4));
            let hash = number(history, 0, near)
                .wrapping_mul(GOLDEN)
                .wrapping_add(number(history, 8, far).wrapping_mul(SPREAD));
            self.slot = (hash >> self.shift) as usize;
            prefetch(&self.positions, 4 * self.slot);
        }
    }

    #[inline(always)]
    fn position(&self) -> u32 {
        let entry = &self.positions[4 * self.slot..4 * self.slot + 4];
        u32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]])
    }

    /// Asks for the bytes that [`MatchModel::byte`] will compare, once [`MatchModel::prepare`] knows
    /// the entry.
    #[inline(always)]
    pub fn fetch(&self, history: &[u8]) {
        if self.length == 0 {
            let candidate = self.position() as usize;
            prefetch(history, candidate.saturating_sub(1));
        }
    }

    /// Moves on after a whole byte; `history` ends with it.
    pub fn byte(&mut self, history: &[u8]) {
        let n = history.len();
        if self.length > 0 {
            if history[n - 1] == history[self.pointer] {
                self.length = (self.length + 1).min(65535);
                if self.length & 15 == 0 && self.misses > 0 {
                    self.misses -= 1;
                }
            } else {
                self.misses += 1;
                self.length = if self.misses < MISSES { 1 } else { 0 };
            }
            self.pointer += 1;
        }
        if n >= self.min_len {
            let candidate = self.position() as usize;
            self.positions[4 * self.slot..4 * self.slot + 4]
                .copy_from_slice(&(n as u32).to_le_bytes());
            if candidate > 0 && (self.length == 0 || (self.misses > 0 && self.length < 16)) {
                let run = common_suffix(&history[..candidate], history).min(LONGEST);
                if run >= self.min_len && run > self.length {
                    self.length = run;
                    self.pointer = candidate;
                    self.misses = 0;
                }
            }
        }
        self.expected = 0;
        if self.length > 0 {
            self.expected = u32::from(history[self.pointer]) | 256;
            let class = class(self.length);
            self.context = class * MISSES + self.misses.min(MISSES - 1);
            self.length_class = 1 + class * 15 / LENGTHS;
        }
    }

    /// Writes two inputs for the next bit, `partial` being the bits so far behind a leading one.
    #[inline(always)]
    pub fn predict(
        &mut self,
        tables: &Tables,
        partial: u32,
        bit_position: u32,
        inputs: &mut [i32; 2],
    ) {
        if self.expected >> (8 - bit_position) != partial {
            self.expected = 0;
            *inputs = [0; 2];
            return;
        }
        let p = self.counters[self.context];
        let sure = tables.stretch(counter::p12(p));
        let share = (counter::p16(p) as i32 - 32768) >> 3;
        // Against the inputs' sign where a zero is expected.
        let flip = (self.expected >> (7 - bit_position) & 1) as i32 - 1;
        *inputs = [(sure ^ flip) - flip, (share ^ flip) - flip];
    }

    #[inline(always)]
    pub fn update(&mut self, tables: &Tables, bit: u32, bit_position: u32) {
        if self.expected != 0 {
            let right = u32::from(self.expected >> (7 - bit_position) & 1 == bit);
            counter::update(tables, &mut self.counters[self.context], right, 1023);
        }
    }

    /// The byte that the match predicts, while it agrees with the bits seen so far.
    #[inline(always)]
    pub fn expected(&self) -> Option<u8> {
        (self.expected != 0).then_some(self.expected as u8)
    }

    /// What [`MatchModel::expect`] takes.
    pub fn expectation(&self) -> u32 {
        self.expected
    }

    /// Expects the byte again that it did between the bytes.
    pub fn expect(&mut self, expectation: u32) {
        self.expected = expectation;
    }

    /// Ends the match.
    pub fn forget(&mut self) {
        self.length = 0;
        self.misses = 0;
        self.expected = 0;
    }

    /// Class of the current match length for selectors: 0 for none, up to 15.
    #[inline(always)]
    pub fn length_class(&self) -> usize {
        if self.expected == 0 {
            0
        } else {
            self.length_class
        }
    }
}
