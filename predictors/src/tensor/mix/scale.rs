//! Planes of magnitudes: exponents, upper bytes of small floats.

use super::engine::{Coder, Engine, INPUTS};
use super::field::{Field, magnitudes};
use super::shape::{Node, Shape};
use crate::simd::Kernels;

/// Columns that have counters of their own.
const COLUMNS: usize = 4096;

#[derive(Clone)]
pub struct Scale {
    engine: Engine,
    field: Field,
    tree: Vec<Node>,
    magnitudes: [u16; 256],
    last_rank: usize,
}

pub fn column_context(column: usize, width: usize) -> usize {
    // Long rows are those of convolutions, whose taps are powers of two more often than not.
    if width <= COLUMNS {
        column
    } else {
        column % COLUMNS
    }
}

impl Scale {
    pub fn new(shape: &Shape, signed: bool, octave: u32, row: usize) -> Self {
        let nodes = if shape.symbols() <= 64 { 64 } else { 256 };
        let mask = if signed { 0x7f } else { 0xff };
        let contexts = [
            1, 256, 256, 256, 128, 256, 4096, 256, COLUMNS, 256, 1024, 1024, 256, 256, 2048, 4096,
        ];
        Self {
            engine: Engine::new(contexts, nodes, [nodes, 32 * 16, 16 * 16]),
            field: Field::new(row),
            tree: shape.tree(),
            magnitudes: magnitudes(shape.top(mask), mask, octave),
            last_rank: nodes - 1,
        }
    }

    #[inline(always)]
    pub fn run<K: Kernels, C: Coder>(&mut self, coder: &mut C, column: usize, len: usize) {
        self.field.start(column);
        let width = self.field.width();
        for at in 0..len {
            let a = self.field.around();
            let c = |value: i32, shift: u32| (value >> shift) as usize;
            let near = (2 * a.left + a.left2 + 2 * a.up + a.up_left + a.up_right + a.up2) >> 3;
            self.engine.contexts([
                0,
                c(a.left, 8) << 4 | c(a.left2, 8),
                c(a.up, 8) << 4 | c(a.up2, 8),
                c(a.left, 8) << 4 | c(a.up, 8),
                c(a.row, 5),
                c(a.column_mean, 4),
                c(a.row, 6) << 6 | c(a.column_mean, 6),
                c(a.expected, 4),
                column_context(a.column, width),
                c(near, 4),
                c(a.expected, 6) << 4 | c(a.left, 8),
                c(a.expected, 6) << 4 | c(a.up, 8),
                c(a.expected + near, 5),
                c(a.expected_recent, 4),
                c(a.recent, 5) << 4 | c(a.up, 8),
                c(a.expected_recent, 6) << 6 | c(near, 6),
            ]);
            let mut place = 256;
            while place >= 256 {
                let node = self.tree[usize::from(place) - 256];
                let rank = usize::from(node.rank).min(self.last_rank);
                let low = rank.min(15);
                let bit = self.engine.code::<K, C, INPUTS>(
                    coder,
                    at,
                    rank,
                    [rank, c(a.expected, 7) << 4 | low, c(near, 8) << 4 | low],
                    |symbol| symbol >= node.threshold,
                );
                place = node.next[usize::from(bit)];
            }
            let symbol = place as u8;
            coder.put(at, symbol);
            self.field.step(self.magnitudes[usize::from(symbol)]);
        }
    }
}
