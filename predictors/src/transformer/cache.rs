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
    /// Keys of the first positions before they were rotated, with 16 fraction bits.
    sinks: Vec<i32>,
    head_size: usize,
}

/// First positions of a window so long that stay: a model pays much attention to them, whatever they are.
pub fn sinks(window: usize) -> usize {
    2 * (window / 8).min(2)
}

/// Positions behind these that make room together when a window is full.
pub fn step(window: usize) -> usize {
    2 * (window / 32).max(1)
}

impl HeadCache {
    fn new(head_size: usize, window: usize) -> Result<Self, PredictorError> {
        let room = window.next_multiple_of(PANEL);
        Ok(Self {
            keys: filled(room * head_size, 0)?,
            values: filled(room * head_size.next_multiple_of(PANEL), 0)?,
            key_fractions: filled(room, 0)?,
            value_fractions: filled(room, 0)?,
            sinks: filled(sinks(window) * head_size, 0)?,
            head_size,
        })
    }

    /// Keeps a position's key and value, each as integers below `2^NARROW` with their fraction bits;
    /// `plain` is the key before it was rotated.
    pub fn put(
        &mut self,
        position: usize,
        plain: &[i32],
        key: (&[i16], i32),
        value: (&[i16], i32),
    ) {
        debug_assert!(value.0.iter().all(|v| v.unsigned_abs() < 1 << NARROW));
        let sink = position * self.head_size..(position + 1) * self.head_size;
        if let Some(sink) = self.sinks.get_mut(sink) {
            sink.copy_from_slice(plain);
        }
        self.put_key(position, key);
        let size = self.value_fractions.len() * PANEL;
        for (i, &value) in value.0.iter().enumerate() {
            let at = i / PANEL * size + position / 2 * 2 * PANEL + i % PANEL * 2 + position % 2;
            self.values[at] = value;
        }
        self.value_fractions[position] = value.1;
    }

    fn put_key(&mut self, position: usize, (key, fraction): (&[i16], i32)) {
        debug_assert!(key.iter().all(|v| v.unsigned_abs() < 1 << NARROW));
        let from = self.key_at(position);
        for (i, pair) in key.chunks_exact(2).enumerate() {
            self.keys[from + i * 2 * PANEL..][..2].copy_from_slice(pair);
        }
        self.key_fractions[position] = fraction;
    }

    /// Where the first pair of a position's key is.
    fn key_at(&self, position: usize) -> usize {
        position / PANEL * PANEL * self.head_size + position % PANEL * 2
    }

    /// Of `filled` positions, drops `count` behind the first `kept`, both even; those after them move down.
    pub fn drop_behind(&mut self, kept: usize, count: usize, filled: usize) {
        if count.is_multiple_of(PANEL) && filled.is_multiple_of(PANEL) && kept < PANEL {
            // Whole panels move, but for the first positions' own keys.
            let first = self.keys[..PANEL * self.head_size].to_vec();
            let size = self.head_size;
            self.keys.copy_within(count * size..filled * size, 0);
            for pair in (0..PANEL * size).step_by(2 * PANEL) {
                self.keys[pair..][..2 * kept].copy_from_slice(&first[pair..][..2 * kept]);
            }
        } else {
            for position in kept..filled - count {
                let (from, to) = (self.key_at(position + count), self.key_at(position));
                for pair in (0..PANEL * self.head_size).step_by(2 * PANEL) {
                    self.keys
                        .copy_within(from + pair..from + pair + 2, to + pair);
                }
            }
        }
        let size = self.value_fractions.len() * PANEL;
        // The last position may stand alone in its pair, which moves whole.
        let end = filled.next_multiple_of(2);
        for panel in (0..self.values.len()).step_by(size) {
            let from = panel + (kept + count) * PANEL..panel + end * PANEL;
            self.values.copy_within(from, panel + kept * PANEL);
        }
        self.key_fractions.copy_within(kept + count..filled, kept);
        self.value_fractions.copy_within(kept + count..filled, kept);
    }

    /// Rotates the keys of the first positions anew: `rotate(position, plain, key)` gives a key's
    /// fraction bits.
    pub fn turn_sinks(&mut self, mut rotate: impl FnMut(usize, &[i32], &mut [i16]) -> i32) {
        let mut key = vec![0; self.head_size];
        for position in 0..self.sinks.len() / self.head_size {
            let plain = &self.sinks[position * self.head_size..][..self.head_size];
            let fraction = rotate(position, plain, &mut key);
            self.put_key(position, (&key, fraction));
        }
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
