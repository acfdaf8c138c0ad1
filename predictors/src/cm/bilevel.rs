//! Pixel contexts for rows of one-bit pixels, packed eight to a byte, most significant bit first.
//!
//! Templates of growing reach, in the manner of JBIG (ITU-T T.82) and of paq8's im1bit model.

use super::counter;
use super::history::GOLDEN;
use super::tables::{STATES, Tables};
use crate::simd::Kernels;
use crate::simd::group::GROUP;

/// Contexts, each with a table of its own.
const TEMPLATES: usize = GROUP;
const LOG_SIZE: u32 = 18;

/// First value of an adaptive probability. Kept joined to it by an exclusive or, probabilities start
/// as zeros, so that memory that is never used is never touched.
const FIRST: u32 = counter::counter(1 << 21, 0);

#[derive(Clone)]
pub struct Bilevel {
    stride: usize,
    /// The last 64 pixels of the current row, the latest at bit 0, and of the four rows above, where the
    /// pixel straight above the next one is at bit 7.
    rows: [u64; 5],
    /// The byte of each row above that holds the pixel 7 to the right of the next one.
    entering: [u8; 4],
    /// Adaptive probability and bit history of each context.
    tables: Vec<[u32; 2]>,
    /// Counters by bit history, of each context.
    maps: [[u32; STATES]; TEMPLATES],
    /// The counters that the current bit uses.
    direct: [u32; TEMPLATES],
    indirect: [u32; TEMPLATES],
    at: [usize; TEMPLATES],
    near: usize,
    far: usize,
}

impl Bilevel {
    pub fn new(stride: usize, map: &[u32; STATES]) -> Self {
        Self {
            stride,
            rows: [0; 5],
            entering: [0; 4],
            tables: vec![[0; 2]; TEMPLATES << LOG_SIZE],
            maps: [*map; TEMPLATES],
            direct: [0; TEMPLATES],
            indirect: [0; TEMPLATES],
            at: [0; TEMPLATES],
            near: 0,
            far: 0,
        }
    }

    /// Inputs for the mixer that [`Bilevel::predict`] writes.
    pub const INPUTS: usize = 2 * TEMPLATES;

    /// Moves the window one pixel on: `bit` came at `bit_position` of the byte that follows `bytes`.
    #[inline(always)]
    pub fn advance(&mut self, bit: u32, bytes: &[u8], bit_position: u32) {
        self.rows[0] = self.rows[0] << 1 | u64::from(bit);
        if bit_position == 0 {
            let from = bytes.len() + 1;
            self.entering = std::array::from_fn(|above| {
                let place = from.checked_sub((above + 1) * self.stride);
                place.and_then(|at| bytes.get(at)).map_or(0, |&byte| byte)
            });
        }
        for (row, byte) in self.rows[1..].iter_mut().zip(self.entering) {
            *row = *row << 1 | u64::from(byte >> (7 - bit_position) & 1);
        }
    }

    #[inline(always)]
    pub fn predict(&mut self, tables: &Tables, inputs: &mut [i32]) {
        // Bits of a row above around the next pixel: `left` to its left, `right` to its right.
        let window =
            |row: u64, left: u32, right: u32| row >> (7 - right) & ((1 << (left + right + 1)) - 1);
        let [r0, r1, r2, r3, r4] = self.rows;
        let low = |n: u32| r0 & ((1 << n) - 1);
        let contexts = [
            low(4) | window(r1, 2, 2) << 4 | window(r2, 1, 1) << 9,
            low(2)
                | window(r1, 1, 1) << 2
                | window(r2, 1, 1) << 5
                | window(r3, 1, 1) << 8
                | window(r4, 1, 1) << 11,
            low(6) | window(r1, 4, 4) << 6 | window(r2, 2, 2) << 15,
            low(8) | window(r1, 6, 6) << 8 | window(r2, 4, 4) << 21,
            low(5)
                | window(r1, 3, 3) << 5
                | window(r2, 3, 3) << 12
                | window(r3, 2, 2) << 19
                | window(r4, 1, 1) << 24,
            low(12) | window(r1, 3, 7) << 12,
            low(10) | window(r1, 7, 7) << 10 | window(r2, 7, 7) << 25 | window(r3, 3, 3) << 40,
            low(20) | window(r1, 1, 1) << 20 | window(r2, 0, 0) << 23,
        ];
        self.near = (low(3) | window(r1, 1, 1) << 3 | window(r2, 1, 0) << 6) as usize;
        self.far =
            (low(5) | window(r1, 2, 2) << 5 | window(r2, 0, 0) << 10 | window(r3, 0, 0) << 11)
                as usize;
        for (i, &context) in contexts.iter().enumerate() {
            let hash = (context + 1).wrapping_mul(GOLDEN) >> (64 - LOG_SIZE);
            let at = i << LOG_SIZE | hash as usize;
            self.at[i] = at;
            let [p, state] = self.tables[at];
            self.direct[i] = p ^ FIRST;
            self.indirect[i] = self.maps[i][usize::from(state as u8)];
            inputs[2 * i] = tables.stretch(counter::p12(self.direct[i]));
            let seen = -i32::from(state != 0);
            inputs[2 * i + 1] = tables.stretch(counter::p12(self.indirect[i])) & seen;
        }
    }

    /// The 8 pixels nearest to the next one, 0..256.
    pub fn near(&self) -> usize {
        self.near
    }

    /// 12 pixels in a wider ring, 0..4096.
    pub fn far(&self) -> usize {
        self.far
    }

    #[inline(always)]
    pub fn update<K: Kernels>(&mut self, tables: &Tables, bit: u32) {
        K::update_counters(tables, &mut self.direct, bit, 255);
        K::update_counters(tables, &mut self.indirect, bit, 255);
        for (i, &at) in self.at.iter().enumerate() {
            let [p, state] = &mut self.tables[at];
            *p = self.direct[i] ^ FIRST;
            self.maps[i][usize::from(*state as u8)] = self.indirect[i];
            *state = u32::from(tables.next(*state as u8, bit));
        }
    }
}
