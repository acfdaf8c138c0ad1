//! The context mixer: predicts one bit at a time and learns from it.

use super::apm::Apm;
use super::bilevel::Bilevel;
use super::context::History;
use super::counter;
use super::hash_table::HashTable;
use super::match_model::MatchModel;
use super::mixer::{External, Mixer, ONE, Rate, padded};
use super::plan::{Curve, Plan, Selector};
use super::run_map::RunMap;
use super::tables::{STATES, Tables};
use crate::simd::{Contexts, Kernels, SLACK};

pub fn env(name: &str, default: i64) -> i64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

pub struct Model {
    tables: &'static Tables,
    history: History,
    plan: Plan,
    hashes: Vec<u32>,
    slots: Vec<usize>,
    nodes: Vec<u8>,
    counters: Vec<u32>,
    table: HashTable,
    maps: Vec<u32>,
    /// Width of the blocks of inputs that the contexts fill.
    block: usize,
    matchers: Vec<MatchModel>,
    runs: RunMap,
    run_hashes: Vec<u32>,
    bilevel: Option<Bilevel>,
    mixer: Mixer,
    apms: Vec<Apm>,
    /// Context of each curve, to be combined with the bits of the current byte.
    apm_bases: Vec<usize>,
    /// Bits of the current byte behind a leading one, 1..=255.
    partial: u32,
    bit_position: u32,
}

/// First counters of a map over bit histories: what the counts say, adapted fast.
fn young_map(tables: &Tables) -> Vec<u32> {
    tables
        .counts
        .iter()
        .map(|&[zeros, ones]| {
            let (n0, n1) = (u64::from(zeros), u64::from(ones));
            let p = ((n1 * 5 + 2) << 22) / ((n0 + n1) * 5 + 4);
            counter::counter(p as u32, 6)
        })
        .collect()
}

impl Model {
    pub fn new(plan: Plan, raw_len: u64, _externals: &[External]) -> Self {
        let tables = Tables::get();
        let map = young_map(tables);
        let n = plan.contexts.len();
        let bilevel = plan.bilevel.then(|| Bilevel::new(plan.stride, &map));
        let others = 1 + 2 * plan.match_lengths.len() + plan.run_contexts.len() + if plan.bilevel { Bilevel::INPUTS } else { 0 };
        let block = padded(n + others);
        let mut initial = vec![0; block + if plan.distance { padded(n) } else { 0 }];
        initial[..n].fill((i64::from(ONE) * env("WS", 525) / 100 / n.max(1) as i64) as i32);
        for i in 0..plan.match_lengths.len() {
            initial[n + 1 + 2 * i] = ONE / 4;
        }
        if plan.bilevel {
            for i in 0..Bilevel::INPUTS / 3 {
                initial[n + others - Bilevel::INPUTS + 3 * i] = ONE / 8;
                initial[n + others - Bilevel::INPUTS + 3 * i + 2] = ONE / 8;
            }
        }
        let rates = [
            Rate { floor: env("RF", 400) as i32, extra: env("RX", 4000) as i32, shift: env("RS", 6) as u32 },
            Rate { floor: env("R2F", 150) as i32, extra: env("R2X", 1000) as i32, shift: env("R2S", 7) as u32 },
        ];
        let log = (raw_len * n as u64 * 8).max(1).ilog2() + 1;
        let mut model = Self {
            tables,
            history: History::new(plan.stride),
            hashes: vec![0; n],
            slots: vec![usize::MAX; n],
            nodes: vec![0; n * 16 + SLACK],
            counters: vec![0; n],
            table: HashTable::new(log.clamp(16, plan.log_table)),
            maps: map.repeat(n),
            block,
            matchers: plan.match_lengths.iter().map(|&m| MatchModel::new(m, 18)).collect(),
            runs: RunMap::new(plan.run_contexts.len(), log.saturating_sub(4).clamp(12, plan.log_table - 4)),
            run_hashes: vec![0; plan.run_contexts.len()],
            bilevel,
            mixer: Mixer::new(&initial, &[], &plan.selectors.iter().map(|s| s.contexts()).collect::<Vec<_>>(), 256, rates),
            apms: plan.apms.iter().map(|(curve, _)| Apm::new(tables, curve.contexts(), 6)).collect(),
            apm_bases: vec![0; plan.apms.len()],
            plan,
            partial: 1,
            bit_position: 0,
        };
        model.byte_boundary();
        model
    }

    fn byte_boundary(&mut self) {
        for (i, (&context, slot)) in self.plan.contexts.iter().zip(&mut self.hashes).enumerate() {
            let hash = self.history.hash(context, i);
            *slot = hash;
            self.table.prefetch(hash);
        }
        for ((apm, &(curve, _)), base) in self.apms.iter().zip(self.plan.apms).zip(&mut self.apm_bases) {
            *base = match curve {
                Curve::Order0 => 0,
                Curve::Order1 => (self.history.last8 as usize & 0xff) << 8,
                Curve::Order2 => {
                    let pair = self.history.last8 as u32 & 0xffff;
                    (pair.wrapping_mul(0x9e37_79b1) >> 16) as usize
                }
            };
            apm.prefetch(*base ^ 1);
        }
        for matcher in &mut self.matchers {
            matcher.byte(&self.history.bytes);
        }
        if !self.run_hashes.is_empty() {
            for (hash, &i) in self.run_hashes.iter_mut().zip(&self.plan.run_contexts) {
                *hash = self.hashes[i] ^ self.hashes[i] >> 15;
            }
            self.runs.byte(self.history.last8 as u8, &self.run_hashes);
        }
        self.open_slots();
    }

    fn nibble_boundary(&mut self) {
        for hash in &mut self.hashes {
            *hash = (*hash ^ self.partial).wrapping_mul(0x9e37_79b1);
            *hash ^= *hash >> 15;
            self.table.prefetch(*hash);
        }
        self.open_slots();
    }

    #[inline(always)]
    fn open_slots(&mut self) {
        let (nodes, _) = self.nodes.as_chunks_mut::<16>();
        for ((slot, nodes), &hash) in self.slots.iter_mut().zip(nodes).zip(&self.hashes) {
            if *slot != usize::MAX {
                self.table.save(*slot, nodes);
            }
            *slot = self.table.find(self.tables, hash);
            self.table.load(*slot, nodes);
        }
    }

    /// Place of the current bit in its nibble's tree, 1..=15.
    #[inline(always)]
    fn node(&self) -> usize {
        if self.bit_position < 4 {
            self.partial as usize
        } else {
            let top = 1 << (self.bit_position - 4);
            top | (self.partial as usize & (top - 1))
        }
    }

    /// Probability that the next bit is a one, in units of `2^-32`, at least 1.
    #[inline(always)]
    pub fn predict<K: Kernels>(&mut self) -> u32 {
        let tables = self.tables;
        let node = self.node();
        let c1 = (self.history.last8 & 0xff) as usize;
        let partial = self.partial as usize;
        if self.bit_position < 7 {
            for (apm, &base) in self.apms.iter().zip(&self.apm_bases) {
                apm.prefetch(base ^ partial << 1);
            }
        }
        let n = self.hashes.len();
        let (stretched, distance) = self.mixer.inputs.split_at_mut(self.block);
        let rest = &mut stretched[n..];
        rest[0] = 256;
        let rest = &mut rest[1..];
        let (matches, rest) = rest.split_at_mut(2 * self.matchers.len());
        for (matcher, pair) in self.matchers.iter_mut().zip(matches.as_chunks_mut::<2>().0) {
            matcher.predict(tables, self.partial, self.bit_position, pair);
        }
        let (runs, rest) = rest.split_at_mut(self.run_hashes.len());
        self.runs.predict(tables, self.partial, self.bit_position, runs);
        let near = if let Some(bilevel) = &mut self.bilevel {
            bilevel.predict(tables, rest);
            bilevel.near()
        } else {
            0
        };
        let mut contexts = Contexts {
            count: n,
            nodes: &mut self.nodes,
            maps: &mut self.maps,
            counters: &mut self.counters,
        };
        let hits = K::context_inputs(tables, &mut contexts, node, stretched, distance);
        let length = self.matchers[0].selector();
        let position = self.bit_position as usize;
        for (table, &selector) in self.plan.selectors.iter().enumerate() {
            let context = match selector {
                Selector::Partial => partial,
                Selector::Byte1 => c1,
                Selector::Byte2 => (self.history.last8 >> 8 & 0xff) as usize,
                Selector::Hits => hits.min(15) * 64 + position * 8 + length / 2,
                Selector::Match => length * 8 + position,
                Selector::Near => near,
                Selector::Byte3 => (self.history.last8 >> 16 & 0xff) as usize,
                Selector::Shape => self.history.shape(),
                Selector::Column => self.history.column().min(255) * 16 + (self.history.above() >> 4) as usize,
                Selector::Expected => self.matchers[0].expected().map_or(0, |b| usize::from(b) + 1) * 8 + position,
                Selector::WordLength => (self.history.word_length().min(15) * 16 + (self.history.shape() & 15)) * 8 + position,
                Selector::Match2 => self.matchers[1].selector() * 16 + self.matchers[2].selector(),
            
            };
            self.mixer.select(table, context);
        }
        let stretch = self.mixer.mix::<K>(tables, partial);
        let mut sum = u64::from(tables.squash(stretch)) * 2;
        for ((apm, &(_, weight)), &base) in self.apms.iter_mut().zip(self.plan.apms).zip(&self.apm_bases) {
            sum += u64::from(apm.refine(stretch, base ^ partial)) * u64::from(weight);
        }
        ((sum >> 3) as u32).max(1)
    }

    #[inline(always)]
    pub fn update<K: Kernels>(&mut self, bit: bool) {
        let bit = u32::from(bit);
        let tables = self.tables;
        let node = self.node();
        self.mixer.update::<K>(bit);
        for apm in &mut self.apms {
            apm.update(bit);
        }
        for matcher in &mut self.matchers {
            matcher.update(tables, bit, self.bit_position);
        }
        self.runs.update(tables, bit);
        let mut contexts = Contexts {
            count: self.hashes.len(),
            nodes: &mut self.nodes,
            maps: &mut self.maps,
            counters: &mut self.counters,
        };
        K::context_update(tables, &mut contexts, node, bit, self.plan.limit);
        if let Some(bilevel) = &mut self.bilevel {
            bilevel.update(tables, bit);
            bilevel.bit(bit, &self.history.bytes, self.bit_position);
        }
        self.partial = self.partial << 1 | bit;
        self.bit_position += 1;
        if self.bit_position == 8 {
            self.history.push(self.partial as u8);
            self.partial = 1;
            self.bit_position = 0;
            self.byte_boundary();
        } else if self.bit_position == 4 {
            self.nibble_boundary();
        }
    }
}
