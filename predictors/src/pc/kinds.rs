//! Whether a row is an exception, from whether those before were.

use crate::bits::Bits;
use crate::cm::counter;
use crate::cm::tables::Tables;

/// Rows that are looked back at.
const HISTORY: usize = 8;
/// Count at which a counter stops slowing down.
const LIMIT: u32 = 255;

/// A counter for each history of kinds.
pub struct Kinds {
    tables: &'static Tables,
    counters: [u32; 1 << HISTORY],
    history: usize,
}

impl Kinds {
    #[must_use]
    pub fn new() -> Self {
        Self {
            tables: Tables::get(),
            counters: [counter::counter(1 << 16, 0); 1 << HISTORY],
            history: 0,
        }
    }

    /// Codes whether the next row is an exception.
    pub fn code(&mut self, exception: bool, bits: &mut impl Bits) -> bool {
        let own = &mut self.counters[self.history];
        let bit = bits.code(exception, counter::p32(*own));
        counter::update(self.tables, own, u32::from(bit), LIMIT);
        self.history = (self.history << 1 | usize::from(bit)) & ((1 << HISTORY) - 1);
        bit
    }
}
