//! Which contexts and models a level uses for a class of content.

use super::context::Context::{self, *};
use super::detect::{Class, Content};
use super::model::env;

/// Everything that shapes a model besides the data.
pub struct Plan {
    pub contexts: Vec<Context>,
    /// Contexts, by number, that also have a run map.
    pub run_contexts: Vec<usize>,
    /// Minimum lengths of the match models.
    pub match_lengths: Vec<usize>,
    pub bilevel: bool,
    pub stride: usize,
    /// Count at which the maps' counters stop slowing down.
    pub limit: u32,
    /// Whether a context also gives the distance of its probability from one half.
    pub distance: bool,
    pub selectors: &'static [Selector],
    pub apms: &'static [(Curve, u32)],
    /// Largest hash table, log2 of bytes.
    pub log_table: u32,
}

const TEXT: &[Context] = &[
    Order(0),
    Order(1),
    Order(2),
    Order(3),
    Order(4),
    Order(6),
    Word,
    WordPrevious,
    WordSkip,
    Column,
];

const BINARY: &[Context] = &[Order(0), Order(1), Order(2), Order(3), Order(6), Above(&[(1, 0), (1, 1), (1, 2), (1, 3), (1, 4), (1, 5),(1,6),(1,7)], 4), Masked(0xffff00), Above(&[(1, 0), (2, 0)], 0), Above(&[(1, 0), (1, 1), (1, 2), (1, 3)], 1), Trend(1), Above(&[(1, 0), (1, -1), (1, 1)], 2), Word];

const BILEVEL: &[Context] = &[
    Order(1),
    Order(2),
    Above(&[(1, 0)], 1),
    Above(&[(1, 0), (1, 1)], 1),
    Above(&[(1, 0), (2, 0)], 0),
];

impl Plan {
    pub fn new(_level: u8, content: Content) -> Self {
        let contexts: Vec<Context> = match content.class {
            Class::Text => TEXT,
            Class::Binary => BINARY,
            Class::Bilevel => BILEVEL,
        }
        .to_vec();
        let mask = env("CTX", -1);
        let contexts: Vec<Context> = contexts.into_iter().enumerate().filter(|(i, _)| mask >> i & 1 == 1).map(|(_, c)| c).collect();
        Self {
            run_contexts: (0..contexts.len()).filter(|i| env("RUNS", 0) >> i & 1 == 1).collect(),
            contexts,
            match_lengths: vec![6],
            bilevel: content.class == Class::Bilevel,
            stride: content.stride as usize,
            limit: 255,
            distance: env("DIST", 0) == 1,
            selectors: if content.class == Class::Bilevel { BILEVEL_LEAN } else { LEAN },
            apms: &[(Curve::Order1, 2), (Curve::Order2, 4)],
            log_table: 26,
        }
    }
}

/// A context that picks a weight vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selector {
    /// Bits of the current byte.
    Partial,
    /// The last byte.
    Byte1,
    /// The byte before it.
    Byte2,
    /// How many contexts were seen before, the bit position and the match length.
    Hits,
    /// Match length and bit position.
    Match,
    /// Nearest pixels.
    Near,
}

impl Selector {
    /// Number of contexts.
    pub fn contexts(self) -> usize {
        match self {
            Self::Partial | Self::Byte1 | Self::Byte2 | Self::Near => 256,
            Self::Hits => 1024,
            Self::Match => 128,
        }
    }
}

/// Context of a curve of the last stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    Order0,
    Order1,
    Order2,
}

impl Curve {
    pub fn contexts(self) -> usize {
        match self {
            Self::Order0 => 256,
            Self::Order1 | Self::Order2 => 1 << 16,
        }
    }
}

const LEAN: &[Selector] = &[Selector::Partial, Selector::Byte1, Selector::Byte2, Selector::Hits];
const BILEVEL_LEAN: &[Selector] = &[Selector::Partial, Selector::Near, Selector::Hits];
