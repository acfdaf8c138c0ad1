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

const TEXT_ALL: &[Context] = &[
    Order(0),
    Order(1),
    Order(2),
    Order(3),
    Order(4),
    Order(5),
    Order(6),
    Order(7),
    Order(8),
    Word,
    WordPrevious,
    WordSkip,
    WordTwo,
    WordGap,
    Words(1),
    Words(2),
    Words(3),
    WordLine,
    Column,
    LineAbove,
    LineStart,
    Indirect(0),
    Indirect(1),
    Indirect(2),
    Indirect(3),
    Shape(6),
    Shape(12),
    ShapeByte(4),
    ShapeByte(8),
    Nest,
    WordEnd,
    Masked(0xffff00),
    Masked(0xff00ff),
    Masked(0xff0000),
    Masked(0xffffff00),
    Masked(0xffff00ff),
    Masked(0xff00ff00),
    Masked(0xf8f8f8f8),
    Masked(0xe0e0e0e0e0e0),
];

pub const LEVELS: std::ops::RangeInclusive<u8> = 3..=9;

impl Plan {
    pub fn new(level: u8, content: Content) -> Self {
        let rich = level >= 7;
        let contexts: Vec<Context> = match (content.class, rich) {
            (Class::Text, false) => TEXT,
            (Class::Text, true) => TEXT_ALL,
            (Class::Binary, _) => BINARY,
            (Class::Bilevel, _) => BILEVEL,
        }
        .to_vec();
        let mask = env("CTX", -1);
        let contexts: Vec<Context> = contexts.into_iter().enumerate().filter(|(i, _)| mask >> i & 1 == 1).map(|(_, c)| c).collect();
        Self {
            run_contexts: if rich { (0..contexts.len()).filter(|i| env("RUNS", 0) >> i & 1 == 1).collect() } else { Vec::new() },
            contexts,
            match_lengths: if rich { vec![5, 7, 12] } else { vec![6] },
            bilevel: content.class == Class::Bilevel,
            stride: content.stride as usize,
            limit: if rich { env("LIM", 255) as u32 } else { 255 },
            distance: rich,
            selectors: match (content.class, rich) {
                (Class::Bilevel, _) => BILEVEL_LEAN,
                (_, false) => LEAN,
                (_, true) => RICH,
            },
            apms: if rich { &[(Curve::Order0, 1), (Curve::Order1, 2), (Curve::Order2, 3)] } else { &[(Curve::Order1, 2), (Curve::Order2, 4)] },
            log_table: if rich { 28 } else { 26 },
        }
    }

    /// Bytes that a model for a segment of `raw_len` takes at `level`, at most.
    pub fn memory(level: u8, raw_len: u64) -> u64 {
        let table = if level >= 7 { 28 } else { 26 };
        (1 << table) + (64 << 20) + raw_len
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
    /// The byte before the last two.
    Byte3,
    /// Classes of the last three bytes.
    Shape,
    /// Position in the line and the class of the byte above.
    Column,
    /// Byte that the longest match expects.
    Expected,
    /// Letters of the current word so far and the class of the last byte.
    WordLength,
    /// Lengths of the other matches.
    Match2,
}

impl Selector {
    /// Number of contexts.
    pub fn contexts(self) -> usize {
        match self {
            Self::Partial | Self::Byte1 | Self::Byte2 | Self::Near | Self::Byte3 | Self::Match2 => 256,
            Self::Hits => 1024,
            Self::Match => 128,
            Self::Shape => 4096,
            Self::Column => 256 * 16,
            Self::Expected => 257 * 8,
            Self::WordLength => 16 * 16 * 8,
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
const RICH: &[Selector] = &[
    Selector::Partial,
    Selector::Byte1,
    Selector::Byte2,
    Selector::Hits,
    Selector::Match,
    Selector::Byte3,
    Selector::Shape,
    Selector::Column,
    Selector::Expected,
    Selector::WordLength,
    Selector::Match2,
];
const BILEVEL_LEAN: &[Selector] = &[Selector::Partial, Selector::Near, Selector::Hits];
