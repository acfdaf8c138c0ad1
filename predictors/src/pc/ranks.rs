//! Which bytes before a field tell the most of it, for an encoder.

use crate::cm::records::RANKS;
use crate::log::Logs;

/// Records that are looked at, at most, and what one search may cost.
const RECORDS: usize = 16_000;
const WORK: usize = 100_000_000;
/// Bytes before a place that are tried, at most.
const TRIED: usize = 64;

/// Records in the order in which their fields are coded.
pub struct Pool {
    stride: usize,
    records: Vec<u8>,
    logs: Vec<i64>,
}

impl Pool {
    /// Takes some from `records`, whose fields are coded in `order`.
    #[must_use]
    pub fn new(records: &[u8], order: &[usize]) -> Self {
        let stride = order.len();
        let tried = stride.min(TRIED) * stride * RANKS / 2;
        let most = (WORK / tried.max(1)).clamp(256, RECORDS);
        let records: Vec<u8> = records
            .chunks_exact(stride)
            .take(most)
            .flat_map(|record| order.iter().map(|&field| record[field]))
            .collect();
        let logs = (0..8 * most as u64 + 512).map(|n| Logs::get().log2(n.max(1)));
        Self {
            stride,
            logs: logs.collect(),
            records,
        }
    }

    fn rows(&self) -> usize {
        self.records.len() / self.stride
    }

    /// The byte at a distance before a place of a record; 0 where there is none.
    fn back(&self, row: usize, place: usize, distance: usize) -> u8 {
        let at = row * self.stride + place;
        at.checked_sub(distance).map_or(0, |at| self.records[at])
    }
}

/// Numbers pairs of numbers in the order in which they first come.
struct Numbering {
    slots: Vec<(u64, u32)>,
    count: u32,
}

impl Numbering {
    fn new(most: usize) -> Self {
        Self {
            slots: vec![(u64::MAX, 0); (2 * most).next_power_of_two().max(16)],
            count: 0,
        }
    }

    fn clear(&mut self) {
        self.slots.fill((u64::MAX, 0));
        self.count = 0;
    }

    fn of(&mut self, number: u32, value: u8) -> u32 {
        let key = u64::from(number) << 8 | u64::from(value);
        let mask = self.slots.len() - 1;
        let mut at = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & mask;
        loop {
            if self.slots[at].0 == key {
                return self.slots[at].1;
            }
            if self.slots[at].0 == u64::MAX {
                self.slots[at] = (key, self.count);
                self.count += 1;
                return self.count - 1;
            }
            at = (at + 1) & mask;
        }
    }
}

/// The distances of up to [`RANKS`] bytes that together tell the most of the byte at `place`, each the
/// one that adds the most to those before it: by what adaptive counts in those contexts would cost.
#[must_use]
pub fn rank(pool: &Pool, place: usize, values: u16) -> Vec<u32> {
    let rows = pool.rows();
    let (mut joint, mut pairs) = (Numbering::new(rows), Numbering::new(rows));
    let mut candidates: Vec<usize> = (1..=place.min(TRIED)).collect();
    candidates.extend([pool.stride, 2 * pool.stride]);
    let mut contexts = vec![0_u32; rows];
    let mut ranks = Vec::new();
    let mut counts: Vec<u32> = Vec::new();
    let mut totals: Vec<u32> = Vec::new();
    let mut cost = |contexts: &[u32], distance: usize| {
        joint.clear();
        pairs.clear();
        counts.clear();
        totals.clear();
        let mut sum = 0;
        for (row, &context) in contexts.iter().enumerate() {
            let context = joint.of(context, pool.back(row, place, distance));
            let pair = pairs.of(context, pool.back(row, place, 0)) as usize;
            let context = context as usize;
            totals.resize(totals.len().max(context + 1), 0);
            counts.resize(counts.len().max(pair + 1), 0);
            let (total, count) = (totals[context] as usize, counts[pair] as usize);
            sum += pool.logs[8 * total + usize::from(values)] - pool.logs[8 * count + 1];
            totals[context] += 1;
            counts[pair] += 1;
        }
        sum
    };
    while ranks.len() < RANKS {
        let tried = candidates.iter().map(|&d| (cost(&contexts, d), d));
        let Some((_, distance)) = tried.min() else {
            break;
        };
        let mut numbering = Numbering::new(rows);
        for (row, context) in contexts.iter_mut().enumerate() {
            *context = numbering.of(*context, pool.back(row, place, distance));
        }
        candidates.retain(|&d| d != distance);
        ranks.push(distance as u32);
    }
    ranks
}
