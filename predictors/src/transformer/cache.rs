//! Keys and values of earlier positions, in the order that kernels read.

use super::fixed::NARROW;
use super::pack::{Config, PANEL};
use crate::segment::PredictorError;
use crate::zeros::filled;

/// Positions whose weights share an exponent.
pub const BLOCK: usize = 32;

/// Keys and values of one head in one layer.
#[derive(Debug, Clone)]
pub struct HeadCache {
    /// `[panel of positions][pair of values][position][2]`.
    pub keys: Vec<i16>,
    /// `[panel of values][pair of positions][value][2]`.
    pub values: Vec<i16>,
    /// Fraction bits of each position's key and value.
    pub key_fractions: Vec<i32>,
    pub value_fractions: Vec<i32>,
    head_size: usize,
}

impl HeadCache {
    fn new(head_size: usize, window: usize) -> Result<Self, PredictorError> {
        let room = window.next_multiple_of(PANEL);
        Ok(Self {
            keys: filled(room * head_size, 0)?,
            values: filled(room * head_size.next_multiple_of(PANEL), 0)?,
            key_fractions: filled(room, 0)?,
            value_fractions: filled(room, 0)?,
            head_size,
        })
    }

    /// Keeps a position's key and value, each as integers below `2^NARROW` with their fraction bits.
    pub fn put(&mut self, position: usize, key: (&[i16], i32), value: (&[i16], i32)) {
        debug_assert!(
            key.0
                .iter()
                .chain(value.0)
                .all(|v| v.unsigned_abs() < 1 << NARROW)
        );
        let from = position / PANEL * PANEL * self.head_size + position % PANEL * 2;
        for (i, pair) in key.0.chunks_exact(2).enumerate() {
            self.keys[from + i * 2 * PANEL..][..2].copy_from_slice(pair);
        }
        let size = self.value_fractions.len() * PANEL;
        for (i, &value) in value.0.iter().enumerate() {
            let at = i / PANEL * size + position / 2 * 2 * PANEL + i % PANEL * 2 + position % 2;
            self.values[at] = value;
        }
        self.key_fractions[position] = key.1;
        self.value_fractions[position] = value.1;
    }

    /// Values of a panel of them, of the first `positions` positions.
    pub fn values(&self, panel: usize, positions: usize) -> &[i16] {
        let size = self.value_fractions.len() * PANEL;
        &self.values[panel * size..][..positions * PANEL]
    }
}

/// What a sequence of tokens leaves for those after it.
#[derive(Debug, Clone)]
pub struct Cache {
    /// Layer by layer, head by head.
    pub heads: Vec<HeadCache>,
}

impl Cache {
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn new(config: &Config, window: usize) -> Result<Self, PredictorError> {
        let count = config.layers * config.kv_heads;
        let heads = (0..count).map(|_| HeadCache::new(config.head_size, window));
        Ok(Self {
            heads: heads.collect::<Result<_, _>>()?,
        })
    }
}
