//! Planes of signs and upper mantissa bits of floats, given their exponents.

use super::engine::{Coder, Engine, INPUTS};
use super::field::{Field, magnitudes};
use super::scale::column_context;
use crate::simd::Kernels;

/// Contexts of a bit of the mantissa.
const BIT_CONTEXTS: usize = 13;

#[derive(Clone)]
pub struct Fine {
    signs: Engine,
    bits: Engine,
    /// Upper bits of the mantissa that are not taken as noise.
    mixed: u32,
    field: Field,
    magnitudes: [u16; 256],
    /// Values of the two rows above.
    above: Vec<[i32; 2]>,
    column: usize,
    left: [i32; 4],
    up_left: i32,
    row_signs: usize,
}

/// Where a neighbour's value lies: its sign, and its octave from that of the current symbol.
#[inline(always)]
fn relation(value: i32, octave: i32) -> usize {
    let log = 31 - (value.unsigned_abs() | 1).leading_zeros() as i32 - 7;
    let distance = (log - octave + 5).clamp(0, 7) as usize;
    distance << 1 | usize::from(value < 0)
}

impl Fine {
    /// `top` is the highest exponent that is not rare; the upper `mixed` bits, 1 to 7, of the
    /// mantissa's seven are mixed.
    pub fn new(top: u8, mixed: u32, row: usize) -> Self {
        let signs = [
            16, 256, 256, 256, 256, 256, 256, 256, 256, 256, 256, 64, 1024, 4096, 256, 256,
        ];
        let bits = [
            16, 128, 2048, 128, 128, 4096, 256, 256, 4096, 128, 2048, 256, 2048, 0, 0, 0,
        ];
        Self {
            signs: Engine::new(signs, 1, [1, 16, 256]),
            bits: Engine::new(bits, 1 << mixed, [1 << mixed, 16 * 8, 128 * 8]),
            mixed,
            field: Field::new(row),
            magnitudes: magnitudes(top, 0xff, 0),
            above: vec![[0; 2]; row],
            column: 0,
            left: [0; 4],
            up_left: 0,
            row_signs: 0,
        }
    }

    #[inline(always)]
    pub fn run<K: Kernels, C: Coder>(&mut self, coder: &mut C, first: &[u8], column: usize) {
        self.field.start(column);
        let width = self.above.len();
        self.column = column % width;
        for (at, &exponent) in first.iter().enumerate() {
            let a = self.field.around();
            let magnitude = self.magnitudes[usize::from(exponent)];
            let octave = i32::from(magnitude >> 8);
            let class = octave as usize;
            let [up, up2] = self.above[self.column];
            let up_right = if self.column + 1 < width {
                self.above[self.column + 1][0]
            } else {
                up
            };
            let [left, left2, left3, left4] = self.left;
            let near = |value: i32| class << 4 | relation(value, octave);
            let signs = [left, up, self.up_left, up_right, left2, up2];
            let signs = signs
                .iter()
                .fold(0, |sum, &value| sum << 1 | usize::from(value < 0));
            let column_context = column_context(self.column, width);
            self.signs.contexts([
                class,
                near(left),
                near(left2),
                near(left3),
                near(left4),
                near(up),
                near(self.up_left),
                near(up_right),
                near(up2),
                near(2 * left - left2),
                near(left + up - self.up_left),
                signs,
                (relation(left, octave) << 4 | relation(up, octave)) << 2 | signs & 3,
                column_context,
                self.row_signs & 255,
                near((left + up) >> 1),
            ]);
            let negative = self.signs.code::<K, C, INPUTS>(
                coder,
                at,
                0,
                [0, class, relation(left, octave) << 4 | relation(up, octave)],
                |symbol| symbol >= 128,
            );
            let magnitude_i = i32::from(magnitude);
            let relative = |scale: i32, shift: u32| {
                ((magnitude_i - scale + 2048).clamp(0, 4095) >> shift) as usize
            };
            let c = |value: i32| (value >> 8) as usize;
            self.bits.contexts([
                class,
                relative(a.expected, 5),
                class << 7 | (a.expected >> 5) as usize,
                relative(a.row, 5),
                relative(a.column_mean, 5),
                relative(a.row, 6) << 6 | relative(a.column_mean, 6),
                class << 4 | c(a.left),
                class << 4 | c(a.up),
                column_context,
                relative(a.expected_recent, 5),
                class << 7 | (a.recent >> 5) as usize,
                usize::from(exponent),
                class << 7 | relation(left, octave) << 3 | relation(up, octave) >> 1,
                0,
                0,
                0,
            ]);
            let mut path = 1;
            for bit in 0..self.mixed {
                let set = self.bits.code::<K, C, BIT_CONTEXTS>(
                    coder,
                    at,
                    path,
                    [
                        path,
                        class << 3 | path.min(7),
                        relative(a.expected, 5) << 3 | path.min(7),
                    ],
                    |symbol| symbol << (1 + bit) >= 128,
                );
                path = path << 1 | usize::from(set);
            }
            let mut symbol = u8::from(negative) << 7 | (path << (7 - self.mixed)) as u8 & 127;
            for bit in (0..7 - self.mixed).rev() {
                let set = coder.bit(at, 1 << 31, |symbol| symbol >> bit & 1 == 1);
                symbol |= u8::from(set) << bit;
            }
            coder.put(at, symbol);
            let value = i32::from(128 | symbol & 127) << octave;
            let value = if negative { -value } else { value };
            self.above[self.column] = [value, up];
            self.up_left = up;
            self.left = [value, left, left2, left3];
            self.row_signs = self.row_signs << 1 | usize::from(negative);
            self.field.step(magnitude);
            self.column += 1;
            if self.column == width {
                self.column = 0;
            }
        }
    }
}
