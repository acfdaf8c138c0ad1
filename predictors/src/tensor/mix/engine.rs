//! Counters of up to [`INPUTS`] contexts and the mixer over them.

use crate::cm::counter::{self, counter};
use crate::cm::mixer::{Mixer, ONE, Rate};
use crate::cm::tables::Tables;
use crate::simd::{Kernels, LANES};

/// Contexts of a decision.
pub const INPUTS: usize = LANES;
/// Tables of weight vectors.
pub const SELECTORS: usize = 3;

const RATES: [Rate; 2] = [
    Rate {
        floor: 20,
        extra: 1500,
        shift: 7,
    },
    Rate {
        floor: 10,
        extra: 500,
        shift: 7,
    },
];
/// Bits after which a counter's step stays as it is.
const LIMIT: u32 = 1023;

/// Both directions of a binary coder: an encoder knows the symbols, a decoder learns them.
pub trait Coder {
    /// Codes whether `test` holds for the symbol `at`; `p` is its probability in units of `2^-32`.
    fn bit(&mut self, at: usize, p: u32, test: impl Fn(u8) -> bool) -> bool;
    /// Takes note of a symbol whose bits are all there.
    fn put(&mut self, at: usize, symbol: u8);
}

#[derive(Clone)]
pub struct Engine {
    tables: &'static Tables,
    mixer: Mixer<SELECTORS>,
    counters: Vec<u32>,
    bases: [usize; INPUTS],
    nodes: usize,
    /// First counter of each context of the current symbol.
    starts: [usize; INPUTS],
}

impl Engine {
    /// `contexts` and `selectors` tell how many values each has; a decision is one of `nodes`.
    pub fn new(contexts: [usize; INPUTS], nodes: usize, selectors: [usize; SELECTORS]) -> Self {
        let mut sum = 0;
        let bases = contexts.map(|count| {
            sum += count * nodes;
            sum - count * nodes
        });
        let used = contexts.iter().filter(|&&count| count > 0).count() as i32;
        let initial = contexts.map(|count| if count > 0 { ONE / used * 5 / 4 } else { 0 });
        Self {
            tables: Tables::get(),
            mixer: Mixer::new(
                &initial,
                Vec::new(),
                selectors,
                [nodes, selectors[SELECTORS - 1]],
                RATES,
            ),
            counters: vec![counter(1 << 21, 0); sum],
            bases,
            nodes,
            starts: bases,
        }
    }

    /// Sets the contexts of the next decisions.
    #[inline(always)]
    pub fn contexts(&mut self, contexts: [usize; INPUTS]) {
        self.starts = std::array::from_fn(|i| self.bases[i] + contexts[i] * self.nodes);
    }

    /// Codes one decision with the first `N` contexts, which are those that there are.
    #[inline(always)]
    pub fn code<K: Kernels, C: Coder, const N: usize>(
        &mut self,
        coder: &mut C,
        at: usize,
        node: usize,
        selected: [usize; SELECTORS],
        test: impl Fn(u8) -> bool,
    ) -> bool {
        let tables = self.tables;
        let places: [usize; N] = std::array::from_fn(|i| self.starts[i] + node);
        let mut counters = places.map(|place| self.counters[place]);
        for (input, &counter) in self.mixer.inputs.iter_mut().zip(&counters) {
            *input = tables.stretch(counter::p12(counter));
        }
        for (table, &context) in selected.iter().enumerate() {
            self.mixer.select(table, context);
        }
        let stretch = self.mixer.mix::<K>(tables, [node, selected[SELECTORS - 1]]);
        let p = tables.squash(stretch).max(1);
        let bit = coder.bit(at, p, test);
        let one = u32::from(bit);
        self.mixer.update::<K>(one);
        for counter in &mut counters {
            counter::update(tables, counter, one, LIMIT);
        }
        for (place, counter) in places.into_iter().zip(counters) {
            self.counters[place] = counter;
        }
        bit
    }
}
