//! Which contexts and models a level uses for a class of content; FORMAT.md, section 8.2.

use std::ops::RangeInclusive;

use super::bilevel::Bilevel;
use super::context::Context::{self, *};
use super::detect::{Class, Content};
use super::grey::{self, Grey, Template};
use super::mixer::{Rate, padded};
use super::plan_grey::{GREY, LEAN_GREY, RICH_GREY, RICH_GREY_SELECTORS, TEMPLATES};
use super::selector::{Curve, Selector};

/// Levels that settings may name.
pub(crate) const LEVELS: RangeInclusive<u8> = 3..=8;

/// Everything that shapes a model besides the data.
#[derive(Clone, Copy)]
pub struct Plan {
    pub contexts: &'static [Context],
    pub selectors: &'static [Selector],
    /// Curves of the last stage with their weights, which sum to 6.
    pub curves: &'static [(Curve, u32)],
    /// Minimum lengths of the match models.
    pub match_lengths: &'static [usize],
    /// Whether every context also gives the distance of its probability from one half.
    pub distance: bool,
    /// Whether every context has a run map.
    pub runs: bool,
    /// Whether the contexts of one-bit pixels are used.
    pub bilevel: bool,
    /// Templates of grey pixels; empty for other content.
    pub templates: &'static [Template],
    /// Whether the model learns the primer before the segment.
    pub primer: bool,
    pub stride: usize,
    /// Pixels of an image, 0 if not known, and the place of the first one.
    pub plane: usize,
    pub offset: usize,
    /// Count at which the counters of the bit-history maps stop slowing down.
    pub limit: u32,
    /// Learning rates of the mixer's layers.
    pub rates: [Rate; 2],
    /// Largest hash table, log2 of bytes.
    pub log_table: u32,
}

/// Ordered so that a lower level takes a part from the front.
const TEXT: &[Context] = &[
    Order(1),
    Order(2),
    Order(3),
    Order(4),
    Word,
    Order(6),
    Column,
    WordPrevious,
];

/// Ordered as [`TEXT`].
const BINARY: &[Context] = &[
    Order(1),
    Order(2),
    Order(6),
    Above(&[(1, 0), (1, 1), (1, 2), (1, 3)], 1),
    Above(&[(1, 0), (2, 0)], 0),
    Above(&[(1, 0), (1, -1), (1, 1)], 2),
    Masked(0xffff00),
    Order(8),
];

/// Ordered as [`TEXT`].
const EXECUTABLE: &[Context] = &[
    Order(1),
    Order(2),
    Order(3),
    Order(4),
    Order(6),
    Masked(0xffff00),
    Masked(0xf8f8f8),
    Back(&[4], 1, true),
    Masked(0xff00ff00),
    Back(&[4], 0, true),
];

const BILEVEL: &[Context] = &[Above(&[(1, 0), (1, -1), (1, 1)], 1)];

const RICH_TEXT: &[Context] = &[
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
    WordAbove,
    Words(1),
    Words(2),
    Words(3),
    WordLine,
    WordEnd,
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
    Masked(0xffff00),
    Masked(0xff00ff),
    Masked(0xff0000),
    Masked(0xffffff00),
    Masked(0xffff00ff),
    Masked(0xff00ff00),
    Masked(0xf8f8f8f8),
    Masked(0xe0e0e0e0e0e0),
];

const RICH_BINARY: &[Context] = &[
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
    Words(1),
    Indirect(0),
    Indirect(1),
    Indirect(2),
    Indirect(3),
    Shape(8),
    ShapeByte(4),
    Masked(0xff00),
    Masked(0xff0000),
    Masked(0xffff00),
    Masked(0xff00ff),
    Masked(0xffff0000),
    Masked(0xff0000ff),
    Masked(0xff00ff00),
    Masked(0xffffff00),
    Masked(0xffff00ff),
    Masked(0xf0f0f0f0),
    Masked(0xfff0f0),
    Masked(0xf8f8),
    Back(&[4], 0, true),
    Back(&[4], 1, true),
    Back(&[4, 8], 0, true),
    Back(&[], 2, true),
    Back(&[], 0, true),
    Back(&[4, 8, 12], 0, true),
    Back(&[2, 4], 0, false),
    Back(&[3, 6], 0, false),
    Above(&[(1, 0)], 0),
    Above(&[(1, 0)], 1),
    Above(&[(1, 0)], 2),
    Above(&[(1, 0), (2, 0)], 0),
    Above(&[(1, 0), (2, 0)], 1),
    Above(&[(1, 0), (2, 0), (3, 0)], 0),
    Above(&[(1, 0), (1, 1)], 0),
    Above(&[(1, 0), (1, 1)], 1),
    Above(&[(1, 0), (1, 1), (1, 2), (1, 3)], 0),
    Above(&[(1, 0), (1, 1), (1, 2), (1, 3)], 1),
    Above(&[(1, 0), (1, 1), (1, 2), (1, 3)], 2),
    Above(&[(1, 0), (1, 1), (2, 0), (2, 1)], 1),
    Above(&[(1, 0), (1, -1), (1, 1)], 0),
    Above(&[(1, 0), (1, -1), (1, 1)], 1),
    Above(&[(1, 0), (1, -1), (1, 1)], 2),
    Place(&[], 0),
    Place(&[], 1),
    Place(&[(1, 0)], 0),
    Place(&[(1, 0)], 1),
    Place(&[(1, 0), (2, 0)], 0),
    Trend(0),
    Trend(1),
    Trend(2),
];

/// Ordered as [`TEXT`]; what they are made of stands in [`super::records`].
const RECORD: &[Context] = &[
    Record(0),
    Record(1),
    Record(2),
    Record(3),
    Record(4),
    Record(5),
    Record(6),
    Record(7),
    Record(8),
    Record(9),
    Record(10),
    Record(11),
    Record(12),
    Record(13),
    Record(14),
    Record(15),
    Record(16),
    Record(17),
    Record(18),
    Record(19),
];

const RECORD_SELECTORS: &[Selector] = &[
    Selector::PlaceBits,
    Selector::Place,
    Selector::Hits,
    Selector::Expected,
];

const LEAN: &[Selector] = &[Selector::Partial, Selector::Byte1, Selector::Hits];

const LEAN_BILEVEL: &[Selector] = &[Selector::Partial, Selector::Pixels, Selector::Hits];

const RICH: &[Selector] = &[
    Selector::Partial,
    Selector::Byte1,
    Selector::Byte2,
    Selector::Hits,
    Selector::Byte3,
    Selector::Shape,
    Selector::Column,
    Selector::Expected,
    Selector::WordLength,
    Selector::Matches,
];

const RICH_BILEVEL: &[Selector] = &[
    Selector::Partial,
    Selector::Pixels,
    Selector::Byte2,
    Selector::Hits,
    Selector::Byte3,
    Selector::Shape,
    Selector::Byte1,
    Selector::Expected,
    Selector::PixelsFar,
    Selector::Matches,
];

/// Contexts of a circuit's prediction, an external input.
pub const CIRCUIT_CONTEXTS: usize = 32 * 8;

const RECORD_CURVES: &[(Curve, u32)] =
    &[(Curve::Field, 3), (Curve::External(0, CIRCUIT_CONTEXTS), 3)];

const LEAN_RATES: [Rate; 2] = [
    Rate {
        floor: 400,
        extra: 4000,
        shift: 6,
    },
    Rate {
        floor: 150,
        extra: 1000,
        shift: 7,
    },
];

const RICH_RATES: [Rate; 2] = [
    Rate {
        floor: 200,
        extra: 4000,
        shift: 6,
    },
    Rate {
        floor: 60,
        extra: 1000,
        shift: 7,
    },
];

const RECORD_RATES: [Rate; 2] = [
    Rate {
        floor: 300,
        extra: 4000,
        shift: 6,
    },
    Rate {
        floor: 60,
        extra: 1000,
        shift: 7,
    },
];

impl Plan {
    /// The plan of a level (3..=8) for a segment's content.
    #[must_use]
    pub fn new(level: u8, content: Content) -> Self {
        if level >= 7 {
            Self::rich(level, content)
        } else {
            Self::lean(level, content)
        }
    }

    /// The plan of a level (3..=8) for records of one length, with a circuit's prediction as an external
    /// input whose selector has [`CIRCUIT_CONTEXTS`] contexts.
    #[must_use]
    pub fn records(level: u8) -> Self {
        Self {
            contexts: &RECORD[..if level < 6 { 12 } else { RECORD.len() }],
            selectors: RECORD_SELECTORS,
            curves: RECORD_CURVES,
            match_lengths: &[12, 20],
            distance: level >= 7,
            runs: false,
            bilevel: false,
            primer: false,
            stride: 0,
            plane: 0,
            offset: 0,
            templates: &[],
            limit: 1023,
            rates: RECORD_RATES,
            log_table: 25,
        }
    }

    fn lean(level: u8, content: Content) -> Self {
        // Levels 3 to 5 leave the slower contexts out.
        let left_out = usize::from(6_u8.saturating_sub(level));
        let bilevel = content.class == Class::Bilevel && level == 6;
        let grey = content.class == Class::Grey && level == 6;
        let contexts = match content.class {
            Class::Text => &TEXT[..TEXT.len() - left_out],
            _ if bilevel => BILEVEL,
            _ if grey => GREY,
            Class::Executable => &EXECUTABLE[..EXECUTABLE.len() - left_out * 5 / 3],
            _ => &BINARY[..BINARY.len() - left_out],
        };
        Self {
            contexts,
            selectors: match content.class {
                _ if bilevel => LEAN_BILEVEL,
                _ if grey => LEAN_GREY,
                _ => LEAN,
            },
            curves: if grey {
                &[(Curve::Place, 3), (Curve::Shades, 3)]
            } else {
                &[(Curve::Order2, 6)]
            },
            match_lengths: if bilevel || grey { &[12] } else { &[5, 12] },
            distance: false,
            runs: false,
            bilevel,
            templates: if grey { &TEMPLATES[..8] } else { &[] },
            primer: false,
            stride: usize::from(content.stride),
            plane: content.plane as usize,
            offset: content.offset as usize,
            limit: 1023,
            rates: if grey { RICH_RATES } else { LEAN_RATES },
            log_table: [22, 23, 24, 26][usize::from(level) - 3],
        }
    }

    fn rich(level: u8, content: Content) -> Self {
        let bilevel = content.class == Class::Bilevel;
        let grey = content.class == Class::Grey;
        let contexts = match content.class {
            Class::Text => RICH_TEXT,
            Class::Binary | Class::Executable => RICH_BINARY,
            Class::Bilevel => BINARY,
            Class::Grey => RICH_GREY,
        };
        Self {
            contexts,
            selectors: match content.class {
                Class::Bilevel => RICH_BILEVEL,
                Class::Grey => RICH_GREY_SELECTORS,
                _ => RICH,
            },
            curves: if grey {
                &[
                    (Curve::Place, 2),
                    (Curve::Shades, 2),
                    (Curve::Prediction, 2),
                ]
            } else {
                &[(Curve::Order0, 1), (Curve::Order1, 2), (Curve::Order2, 3)]
            },
            match_lengths: if grey { &[7, 12] } else { &[5, 7, 12] },
            distance: true,
            runs: level >= 8 && !grey,
            bilevel,
            templates: if grey { TEMPLATES } else { &[] },
            primer: content.class == Class::Text,
            stride: usize::from(content.stride),
            plane: content.plane as usize,
            offset: content.offset as usize,
            limit: 1023,
            rates: RICH_RATES,
            log_table: if level >= 8 { 28 } else { 27 },
        }
    }

    /// Inputs to the mixer from the contexts of pixels.
    #[must_use]
    pub fn pixel_inputs(&self) -> usize {
        if self.bilevel {
            Bilevel::INPUTS
        } else {
            Grey::INPUTS * self.templates.len()
        }
    }

    /// Log2 of the bytes of the hash table for a segment of `raw_len` bytes: eight bytes a context
    /// and byte, rounded up.
    #[must_use]
    pub fn log_table(&self, raw_len: u64) -> u32 {
        let wanted = raw_len
            .saturating_mul(self.contexts.len() as u64 * 8)
            .max(1);
        (wanted.ilog2() + 1).clamp(16, self.log_table)
    }

    /// Log2 of the entries of the run map.
    #[must_use]
    pub fn log_runs(&self, raw_len: u64) -> u32 {
        self.log_table(raw_len) - 4
    }

    /// Inputs to the mixer of a plan for grey images.
    fn grey_width(&self) -> usize {
        let contexts = self.contexts.len();
        let matches = 2 * self.match_lengths.len();
        let distances = if self.distance { padded(contexts) } else { 0 };
        padded(contexts + 1 + matches + self.pixel_inputs()) + distances
    }

    /// Bytes of memory of a model for a segment of `raw_len` bytes, at most.
    #[must_use]
    pub fn memory(&self, raw_len: u64) -> u64 {
        let contexts = self.contexts.len() as u64;
        // 256 more for each selector are more than the second layer's.
        let vectors: u64 = self
            .selectors
            .iter()
            .map(|s| s.contexts() as u64 + 256)
            .sum();
        // Inputs to the mixer: two and a run for each context, pixels and matches.
        let width = if self.templates.is_empty() {
            3 * contexts + 64
        } else {
            self.grey_width() as u64
        };
        let runs = if self.runs {
            4 << self.log_runs(raw_len)
        } else {
            0
        };
        let curves: u64 = self
            .curves
            .iter()
            .map(|(c, _)| 64 * c.contexts() as u64)
            .sum();
        let fixed = (1 << self.log_table(raw_len))
            + runs
            + contexts * 4096
            + vectors * (width * 4 + 8)
            + curves
            + ((self.match_lengths.len() as u64 * 2) << 20)
            + if self.bilevel { 16 << 20 } else { 0 }
            + grey::memory(self.templates, self.stride)
            + (2 << 20);
        raw_len.saturating_add(fixed)
    }
}
