//! What a model expects, without learning: all bytes that may come next, and bytes it passes over.
//!
//! Everything here begins and ends between two bytes, and leaves what the model has learnt as it is.

use super::Model;
use crate::bits::probability;
use crate::cm::context::nibble_hash;
use crate::cm::history::Mark;
use crate::simd::Kernels;

/// What turning to other bytes changes of a model, between two bytes.
struct Kept {
    hashes: Vec<u32>,
    nodes: Vec<[u8; 16]>,
    expected: Vec<u32>,
    runs: Vec<u32>,
    guesses: bool,
}

/// A place between two bytes that a model goes back to, see [`Model::hold`].
pub struct Held {
    mark: Mark,
    length: usize,
    nodes: Vec<[u8; 16]>,
}

impl<const S: usize, const A: usize> Model<S, A> {
    fn nodes(&self) -> Vec<[u8; 16]> {
        let all = self.groups.iter().flat_map(|group| &group.nodes);
        all.take(self.hashes.len()).copied().collect()
    }

    fn set_nodes(&mut self, nodes: &[[u8; 16]]) {
        let own = self.groups.iter_mut().flat_map(|group| &mut group.nodes);
        for (own, nodes) in own.zip(nodes) {
            *own = *nodes;
        }
    }

    fn keep(&mut self) -> Kept {
        debug_assert!(self.bit_position == 0 && self.guessed.is_none());
        Kept {
            hashes: self.hashes.clone(),
            nodes: self.nodes(),
            expected: self.matchers.iter().map(|m| m.expectation()).collect(),
            runs: self.runs.as_ref().map_or(Vec::new(), |r| r.expectations()),
            guesses: std::mem::take(&mut self.guesses),
        }
    }

    fn put_back(&mut self, kept: &Kept) {
        self.hashes.copy_from_slice(&kept.hashes);
        self.set_nodes(&kept.nodes);
        self.expect(kept);
        self.guesses = kept.guesses;
        (self.partial, self.bit_position) = (1, 0);
    }

    /// Expects again what it did, which a bit that came otherwise has ended.
    fn expect(&mut self, kept: &Kept) {
        for (matcher, &expected) in self.matchers.iter_mut().zip(&kept.expected) {
            matcher.expect(expected);
        }
        if let Some(runs) = &mut self.runs {
            runs.expect(&kept.runs);
        }
    }

    /// Takes up the bit histories of the current hashes as they are, empty where there are none.
    fn peek_slots(&mut self) {
        let nodes = self.groups.iter_mut().flat_map(|group| &mut group.nodes);
        for (nodes, &hash) in nodes.zip(&self.hashes) {
            match self.table.peek(hash) {
                Some(slot) => self.table.load(slot, nodes),
                None => *nodes = [0; 16],
            }
        }
    }

    /// Probabilities of the 16 values of a nibble behind `prefix`, the bits before it behind a leading one.
    fn nibble<K: Kernels>(&mut self, kept: &Kept, prefix: u32) -> [f64; 16] {
        let before = prefix.ilog2();
        let mut masses = [1.0; 32];
        for node in 1..16_u32 {
            let depth = node.ilog2();
            self.partial = prefix << depth | node & ((1 << depth) - 1);
            self.bit_position = before + depth;
            self.expect(kept);
            let one = probability(true, self.predict::<K>());
            let node = node as usize;
            masses[2 * node] = masses[node] * (1.0 - one);
            masses[2 * node + 1] = masses[node] * one;
        }
        std::array::from_fn(|value| masses[16 + value])
    }

    /// The likeliest next bytes with their probabilities, the likeliest first: `count` of them, or fewer
    /// where the bytes are pixels, whose contexts change from bit to bit.
    pub fn likeliest<K: Kernels>(&mut self, count: usize) -> Vec<(u8, f64)> {
        if self.bilevel.is_some() || self.grey.is_some() || count == 0 {
            return Vec::new();
        }
        let kept = self.keep();
        let upper = self.nibble::<K>(&kept, 1);
        let mut order: Vec<usize> = (0..16).collect();
        order.sort_by(|&a, &b| upper[b].total_cmp(&upper[a]));
        let mut found: Vec<(u8, f64)> = Vec::new();
        for high in order {
            if found.len() == count && found[count - 1].1 >= upper[high] {
                break;
            }
            let prefix = 16 | high as u32;
            for (hash, &kept) in self.hashes.iter_mut().zip(&kept.hashes) {
                *hash = nibble_hash(kept, prefix);
            }
            self.peek_slots();
            let lower = self.nibble::<K>(&kept, prefix);
            found.extend((0..16).map(|low| ((high * 16 + low) as u8, upper[high] * lower[low])));
            found.sort_by(|a, b| b.1.total_cmp(&a.1));
            found.truncate(count);
        }
        self.put_back(&kept);
        found
    }

    /// Goes on as if what came before were gone, but for what was learnt from it.
    pub fn restart(&mut self) {
        self.history.restart();
        self.look_ahead();
        for matcher in &mut self.matchers {
            matcher.forget();
        }
        if let Some(runs) = &mut self.runs {
            runs.byte(0, &self.hashes);
        }
        self.open_slots();
        self.select_for_byte();
    }

    /// Whether bytes can be passed over: not where contexts keep more than can be taken back.
    pub fn can_hold(&self) -> bool {
        self.history.can_undo()
            && self.runs.is_none()
            && self.bilevel.is_none()
            && self.grey.is_none()
    }

    /// A place to go back to after [`Model::pass`]; matches end here.
    ///
    /// # Panics
    /// Unless [`Model::can_hold`].
    pub fn hold(&mut self) -> Held {
        assert!(self.can_hold());
        for matcher in &mut self.matchers {
            matcher.forget();
        }
        self.guesses = false;
        Held {
            mark: self.history.mark(),
            length: self.history.bytes.len(),
            nodes: self.nodes(),
        }
    }

    /// Goes back to a place, having passed over bits since; it is held again.
    pub fn back_to(&mut self, held: &Held) {
        self.history.undo_to(held.mark, held.length);
        (self.partial, self.bit_position) = (1, 0);
        self.look_ahead();
        self.set_nodes(&held.nodes);
        self.select_for_byte();
    }

    /// Passes over the bit that came, of which nothing is learnt.
    pub fn pass(&mut self, bit: bool) {
        self.partial = self.partial << 1 | u32::from(bit);
        self.bit_position += 1;
        match self.bit_position {
            4 => {
                for hash in &mut self.hashes {
                    *hash = nibble_hash(*hash, self.partial);
                }
                self.peek_slots();
            }
            8 => {
                self.history.push(self.partial as u8);
                (self.partial, self.bit_position) = (1, 0);
                self.look_ahead();
                self.peek_slots();
                self.select_for_byte();
            }
            _ => {}
        }
    }
}
