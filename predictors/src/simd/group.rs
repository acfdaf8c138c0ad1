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

    /// Takes up the history and the counter of context `i` at node `node` (1..=15). Returns the stretched
    /// probability: zero for an empty history, and for no other, as the table has no zero.
    #[inline(always)]
    pub fn look_up(&mut self, tables: &Tables, node: usize, i: usize) -> i32 {
        let state = self.nodes[i][node & 15];
        let entry = self.maps[i][usize::from(state)];
        self.states[i] = state;
        self.counters[i] = entry;
        let stretch = tables.stretch(counter::p12(entry));
        if state == 0 { 0 } else { stretch }
    }

    /// Writes the counter of context `i` back and moves its bit history at node `node` on.
    #[inline(always)]
    pub fn write_back(&mut self, tables: &Tables, node: usize, i: usize, bit: u32) {
        let state = self.states[i];
        self.maps[i][usize::from(state)] = self.counters[i];
        self.nodes[i][node & 15] = tables.next(state, bit);
    }
}
