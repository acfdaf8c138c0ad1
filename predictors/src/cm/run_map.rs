//! Run maps: for a context, the byte that followed it last and how often in a row.
//!
//! After Mahoney's RunContextMap (paq8): a direct table with a check, one line of prediction a context.

use super::counter;
use super::tables::Tables;
use crate::simd::prefetch;

const COUNTS: usize = 32;

pub struct RunMap {
    /// Per entry: check (16 bits), byte (8 bits), count of the byte in a row (8 bits).
    entries: Vec<u32>,
    mask: u32,
    indices: Vec<usize>,
    /// Byte expected with a leading one, or 0; and its count.
    expected: Vec<u32>,
    counts: Vec<u32>,
    counters: Vec<u32>,
    active: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl RunMap {
    pub fn new(contexts: usize, log_entries: u32) -> Self {
        let young: Vec<u32> = (0..COUNTS as u32)
            .map(|count| counter::counter((1 << 22) - (1 << 22) / (2 + 2 * count), 4))
            .collect();
        Self {
            entries: vec![0; 1 << log_entries],
            mask: (1 << log_entries) - 1,
            indices: vec![0; contexts],
            expected: vec![0; contexts],
            counts: vec![0; contexts],
            counters: young.repeat(contexts * 8),
            active: vec![NONE; contexts],
        }
    }

    /// Learns the byte that came and turns to the contexts of the next one.
    pub fn byte(&mut self, byte: u8, hashes: &[u32]) {
        let byte = u32::from(byte);
        for ((index, expected), (count, &hash)) in self.indices.iter_mut().zip(&mut self.expected).zip(self.counts.iter_mut().zip(hashes)) {
            let entry = &mut self.entries[*index];
            let check = *entry & 0xffff_0000;
            let was = *entry >> 8 & 0xff;
            let n = *entry & 0xff;
            *entry = check | byte << 8 | if n > 0 && was == byte { (n + 1).min(255) } else { 1 };
            let at = (hash & self.mask) as usize;
            *index = at;
            let _ = (expected, count);
        }
        for &index in &self.indices {
            prefetch(&self.entries, index);
        }
        for i in 0..hashes.len() {
            let check = hashes[i].wrapping_mul(0x2545_f491) & 0xffff_0000;
            let entry = &mut self.entries[self.indices[i]];
            if *entry & 0xffff_0000 != check {
                *entry = check;
            }
            let n = *entry & 0xff;
            self.counts[i] = n;
            self.expected[i] = if n == 0 { 0 } else { 256 | *entry >> 8 & 0xff };
        }
    }

    #[inline(always)]
    pub fn predict(&mut self, tables: &Tables, partial: u32, bit_position: u32, inputs: &mut [i32]) {
        for i in 0..self.expected.len() {
            let expected = self.expected[i];
            if expected >> (8 - bit_position) != partial {
                self.active[i] = NONE;
                inputs[i] = 0;
                continue;
            }
            let count = self.counts[i];
            let class = if count < 16 { count } else { 16 + (count - 16) / 16 };
            let at = (i * 8 + bit_position as usize) * COUNTS + class as usize;
            let p = self.counters[at];
            let sign = (expected >> (7 - bit_position) & 1) as i32 * 2 - 1;
            self.active[i] = (at as u32) << 1 | (sign > 0) as u32;
            inputs[i] = tables.stretch(counter::p12(p)) * sign;
        }
    }

    #[inline(always)]
    pub fn update(&mut self, tables: &Tables, bit: u32) {
        for &active in &self.active {
            if active != NONE {
                let right = u32::from(active & 1 == bit);
                counter::update(tables, &mut self.counters[(active >> 1) as usize], right, 1023);
            }
        }
    }
}
