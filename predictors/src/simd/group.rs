//! Contexts in groups of eight: their bit histories and the adaptive maps that read them.

use crate::cm::counter;
use crate::cm::tables::Tables;

/// Contexts of a group.
pub const GROUP: usize = 8;

/// Up to eight contexts; those behind `count` are never used.
#[derive(Clone)]
#[repr(align(64))]
pub struct Group {
    /// Bit histories of the nodes 1..=15 of the current nibble.
    pub nodes: [[u8; 16]; GROUP],
    /// History and counter that the current bit uses.
    pub states: [u8; GROUP],
    pub counters: [u32; GROUP],
    /// All ones for the contexts that are there.
    pub own: [i32; GROUP],
    pub count: usize,
    /// Counters by bit history.
    pub maps: [[u32; 256]; GROUP],
}

impl Group {
    /// Groups for `contexts` contexts whose maps start as `map`.
    pub fn of(contexts: usize, map: &[u32; 256]) -> Vec<Self> {
        (0..contexts)
            .step_by(GROUP)
            .map(|start| {
                let count = (contexts - start).min(GROUP);
                Self {
                    nodes: [[0; 16]; GROUP],
                    states: [0; GROUP],
                    counters: [0; GROUP],
                    own: std::array::from_fn(|i| -i32::from(i < count)),
                    count,
                    maps: [*map; GROUP],
                }
            })
            .collect()
    }

    /// Takes up histories and counters at node `node` (1..=15). Returns the stretched probabilities: zero
    /// for an empty history, and for no other, as the table has no zero; zeros behind the contexts.
    #[inline(always)]
    pub fn look_up(&mut self, tables: &Tables, node: usize) -> [i32; GROUP] {
        let mut stretched = [0; GROUP];
        // A whole group apart, so that its loop is unrolled.
        if self.count == GROUP {
            for (i, stretched) in stretched.iter_mut().enumerate() {
                *stretched = self.look_up_one(tables, node, i);
            }
        } else {
            for (i, stretched) in stretched.iter_mut().enumerate().take(self.count) {
                *stretched = self.look_up_one(tables, node, i);
            }
        }
        stretched
    }

    #[inline(always)]
    fn look_up_one(&mut self, tables: &Tables, node: usize, i: usize) -> i32 {
        let state = self.nodes[i][node & 15];
        let entry = self.maps[i][usize::from(state)];
        self.states[i] = state;
        self.counters[i] = entry;
        let stretch = tables.stretch(counter::p12(entry));
        if state == 0 { 0 } else { stretch }
    }

    /// Writes counters back and moves bit histories at node `node` on.
    #[inline(always)]
    pub fn write_back(&mut self, tables: &Tables, node: usize, bit: u32) {
        if self.count == GROUP {
            for i in 0..GROUP {
                self.write_back_one(tables, node, i, bit);
            }
        } else {
            for i in 0..self.count.min(GROUP) {
                self.write_back_one(tables, node, i, bit);
            }
        }
    }

    #[inline(always)]
    fn write_back_one(&mut self, tables: &Tables, node: usize, i: usize, bit: u32) {
        let state = self.states[i];
        self.maps[i][usize::from(state)] = self.counters[i];
        self.nodes[i][node & 15] = tables.next(state, bit);
    }
}
