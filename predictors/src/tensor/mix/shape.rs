//! The rough distribution of a plane: the tree of its decisions follows from it.

use super::super::model::{pack, unpack};
use super::super::train::log2;
use crate::segment::PredictorError;

/// For each symbol 0 if it did not occur when the encoder looked, else up to 15, a power of two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape([u8; 256]);

/// A decision: whether the symbol is at least `threshold`.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    pub threshold: u8,
    /// Place among all nodes, the most frequent first.
    pub rank: u8,
    /// Next node for no and yes: below 256 a symbol, else 256 more than a node's place.
    pub next: [u16; 2],
}

impl Shape {
    pub fn of(histogram: &[u32; 256]) -> Self {
        let most = log2(*histogram.iter().max().unwrap_or(&1)) as i32;
        Self(histogram.map(|n| {
            if n == 0 {
                0
            } else {
                (15 + (log2(n) as i32 - most + 128).div_euclid(256)).clamp(1, 15) as u8
            }
        }))
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        pack(&self.0, out);
    }

    pub fn read(data: &mut &[u8]) -> Result<Self, PredictorError> {
        let values = unpack(data, 256)?;
        Ok(Self(std::array::from_fn(|symbol| values[symbol])))
    }

    fn weight(&self, symbol: usize) -> u32 {
        1 << self.0[symbol]
    }

    /// Number of symbols that occur.
    pub fn symbols(&self) -> usize {
        self.0.iter().filter(|&&power| power > 0).count()
    }

    /// The highest magnitude that is not rare, of symbols without the bits outside `mask`.
    pub fn top(&self, mask: u8) -> u8 {
        (0..=255_u8)
            .filter(|&symbol| self.0[usize::from(symbol)] >= 5)
            .map(|symbol| symbol & mask)
            .max()
            .unwrap_or(mask)
    }

    /// The tree whose every decision halves the weight as well as can be; the root comes first.
    pub fn tree(&self) -> Vec<Node> {
        let mut nodes: Vec<Node> = Vec::with_capacity(255);
        let mut weights = Vec::with_capacity(255);
        self.grow(0, 256, &mut nodes, &mut weights);
        let mut order: Vec<usize> = (0..nodes.len()).collect();
        order.sort_by_key(|&place| (u32::MAX - weights[place], place));
        for (rank, &place) in order.iter().enumerate() {
            nodes[place].rank = rank as u8;
        }
        nodes
    }

    fn grow(&self, low: usize, high: usize, nodes: &mut Vec<Node>, weights: &mut Vec<u32>) -> u16 {
        if high - low == 1 {
            return low as u16;
        }
        let total: u32 = (low..high).map(|symbol| self.weight(symbol)).sum();
        let (mut below, mut threshold, mut best) = (0, low + 1, u32::MAX);
        for cut in low + 1..high {
            below += self.weight(cut - 1);
            let skew = (2 * below).abs_diff(total);
            if skew < best {
                (best, threshold) = (skew, cut);
            }
        }
        let place = nodes.len();
        nodes.push(Node {
            threshold: threshold as u8,
            rank: 0,
            next: [0; 2],
        });
        weights.push(total);
        let no = self.grow(low, threshold, nodes, weights);
        let yes = self.grow(threshold, high, nodes, weights);
        nodes[place].next = [no, yes];
        256 + place as u16
    }
}
