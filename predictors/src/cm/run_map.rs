//! Run maps: for each context the byte that followed it last, and how often in a row.
//!
//! After Mahoney's RunContextMap (paq8): one table of all contexts with a check, one input for each.

use super::counter;
use super::tables::Tables;
use crate::simd::prefetch;

/// Classes of run lengths.
const CLASSES: usize = 32;
/// Marks a context whose run says nothing about the current bit.
const NONE: u32 = u32::MAX;

#[derive(Clone)]
pub struct RunMap {
    /// Check (16 bits), byte (8 bits), count in a row (8 bits).
    entries: Vec<u32>,
    mask: u32,
    /// Entry of each context.
    indices: Vec<usize>,
    /// Byte that each context expects behind a leading one, 0 for none, and its count.
    expected: Vec<u32>,
    counts: Vec<u32>,
    /// Trust in a run by context, bit position and class of its length.
    counters: Vec<u32>,
    /// Counter in use and, in the lowest bit, the bit that it expects.
    active: Vec<u32>,
}

impl RunMap {
    pub fn new(contexts: usize, log_entries: u32) -> Self {
        let young: Vec<u32> = (0..CLASSES as u32)
            .map(|class| counter::counter((1 << 22) - (1 << 22) / (2 + 2 * class), 4))
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
        for (index, &hash) in self.indices.iter_mut().zip(hashes) {
            let entry = &mut self.entries[*index];
            let count = *entry & 0xff;
            let same = count > 0 && *entry >> 8 & 0xff == byte;
            let count = if same { (count + 1).min(255) } else { 1 };
            *entry = *entry & 0xffff_0000 | byte << 8 | count;
            *index = ((hash ^ hash >> 15) & self.mask) as usize;
            prefetch(&self.entries, *index);
        }
        let rows = self
            .indices
            .iter()
            .zip(&mut self.expected)
            .zip(&mut self.counts);
        for (((&index, expected), count), &hash) in rows.zip(hashes) {
            let check = hash.wrapping_mul(0x2545_f491) & 0xffff_0000;
            let entry = &mut self.entries[index];
            if *entry & 0xffff_0000 != check {
                *entry = check;
            }
            *count = *entry & 0xff;
            *expected = if *count == 0 {
                0
            } else {
                256 | *entry >> 8 & 0xff
            };
        }
    }

    /// What [`RunMap::expect`] takes.
    pub fn expectations(&self) -> Vec<u32> {
        self.expected.clone()
    }

    /// Expects the bytes again that it did between the bytes.
    pub fn expect(&mut self, expectations: &[u32]) {
        self.expected.copy_from_slice(expectations);
    }

    /// Writes one input for each context.
    #[inline(always)]
    pub fn predict(
        &mut self,
        tables: &Tables,
        partial: u32,
        bit_position: u32,
        inputs: &mut [i32],
    ) {
        let rows = self.expected.iter().zip(&self.counts).zip(&mut self.active);
        for (i, (((&expected, &count), active), input)) in rows.zip(inputs).enumerate() {
            if expected >> (8 - bit_position) != partial {
                *active = NONE;
                *input = 0;
                continue;
            }
            let class = if count < 16 { count } else { 15 + count / 16 };
            let at = (i * 8 + bit_position as usize) * CLASSES + class as usize;
            let bit = expected >> (7 - bit_position) & 1;
            *active = (at as u32) << 1 | bit;
            let sure = tables.stretch(counter::p12(self.counters[at]));
            *input = if bit == 1 { sure } else { -sure };
        }
    }

    #[inline(always)]
    pub fn update(&mut self, tables: &Tables, bit: u32) {
        for &active in &self.active {
            if active != NONE {
                let right = u32::from(active & 1 == bit);
                counter::update(
                    tables,
                    &mut self.counters[(active >> 1) as usize],
                    right,
                    1023,
                );
            }
        }
    }
}
