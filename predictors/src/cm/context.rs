//! Contexts of the bit histories: what each takes from the bytes so far.

use super::grey::Grey;
use super::history::{GOLDEN, History, SPREAD, mix};
use super::neighbourhood::Term;

/// One context. Distances of `Above` and `Place` are pairs of strides and bytes forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// The last n bytes, 0 to 8.
    Order(u32),
    /// The last 8 bytes under a mask.
    Masked(u64),
    /// Letters of the current word and the last byte.
    Word,
    /// `Word` and the word before.
    WordPrevious,
    /// `Word` and the word before the previous one.
    WordSkip,
    /// `Word` and the two words before.
    WordTwo,
    /// Current word, the word before and the byte above.
    WordAbove,
    /// The last n words without the current one.
    Words(u32),
    /// Current word and first byte of the line.
    WordLine,
    /// Length of the current word and the last three bytes.
    WordEnd,
    /// Column, the byte above and the last byte.
    Column,
    /// Three bytes around the place above and the last byte.
    LineAbove,
    /// The first two bytes of the line and the column.
    LineStart,
    /// What followed the last byte, or the last two, at its earlier places; 0 to 3.
    Indirect(u32),
    /// Classes of the last n bytes.
    Shape(u32),
    /// Classes of the last n bytes and the last byte.
    ShapeByte(u32),
    /// The two innermost open brackets and the last two bytes.
    Nest,
    /// Bytes of the records above, and the last n bytes.
    Above(&'static [(u8, i8)], u32),
    /// `Above` with the position within the stride.
    Place(&'static [(u8, i8)], u32),
    /// Bytes at these distances, the last n bytes, and, if asked, the position modulo 4.
    Back(&'static [u8], u32, bool),
    /// What the byte would be if it went on as in the two records above, and the last n bytes.
    Trend(u32),
    /// The n-th context of the place in the record, see [`super::records`].
    Record(usize),
    /// Terms of a pixel's neighbourhood, each shifted right.
    Around(&'static [(Term, u32)]),
}

/// Low bits of `value`: its last `n` bytes.
fn last(value: u64, n: u32) -> u64 {
    if n == 0 {
        0
    } else {
        value & (u64::MAX >> (64 - 8 * n))
    }
}

impl Context {
    fn value(self, h: &History, grey: Option<&Grey>) -> u64 {
        let word = || mix(h.word, h.last8 & 0xff);
        match self {
            Self::Order(n) => last(h.last8, n),
            Self::Masked(mask) => h.last8 & mask,
            Self::Word => word(),
            Self::WordPrevious => mix(word(), h.previous[0]),
            Self::WordSkip => mix(word(), h.previous[1]),
            Self::WordTwo => mix(mix(word(), h.previous[0]), h.previous[1]),
            Self::WordAbove => mix(mix(h.word, h.previous[0]), h.above() | 256),
            Self::Words(n) => {
                let start = mix(h.last8 & 0xff, u64::from(h.word != 0));
                h.previous[..n as usize]
                    .iter()
                    .fold(start, |hash, &w| mix(hash, w))
            }
            Self::WordLine => mix(h.word, h.line_byte(0) | 256),
            Self::WordEnd => mix(h.last8 & 0xff_ffff, h.word_length().min(15) as u64),
            Self::Column => h.column().min(255) as u64 | h.above() << 8 | (h.last8 & 0xff) << 16,
            Self::LineAbove => {
                h.above_at(-1) | h.above_at(0) << 8 | h.above_at(1) << 16 | (h.last8 & 0xff) << 24
            }
            Self::LineStart => {
                h.line_byte(0) | h.line_byte(1) << 8 | (h.column().min(255) as u64) << 16
            }
            Self::Indirect(kind) => h.indirect(kind),
            Self::Shape(n) => h.shape & (u64::MAX >> (64 - 4 * n)),
            Self::ShapeByte(n) => mix(h.last8 & 0xff, h.shape & (u64::MAX >> (64 - 4 * n))),
            Self::Nest => mix(h.nest(), h.last8 & 0xffff),
            Self::Above(places, n) => gather(h, places, n, 0),
            Self::Place(places, n) => {
                let place = h.bytes.len().checked_rem(h.stride).unwrap_or(0);
                gather(h, places, n, place as u64 + 1)
            }
            Self::Back(distances, n, phase) => {
                let start = if phase {
                    (h.bytes.len() & 3) as u64 + 1
                } else {
                    0
                };
                let start = mix(start, last(h.last8, n));
                distances
                    .iter()
                    .fold(start, |hash, &d| mix(hash, h.back(usize::from(d))))
            }
            Self::Around(terms) => grey.map_or(0, |grey| {
                let of = |&(term, shift)| grey.around.get(term) >> shift;
                terms.iter().map(of).fold(0, mix)
            }),
            Self::Trend(n) => {
                let (near, far) = (h.back(h.stride), h.back(2 * h.stride));
                gather(h, &[], n, (2 * near).wrapping_sub(far) & 0xff)
            }
            Self::Record(context) => h
                .records
                .as_ref()
                .map_or(0, |records| records.hash(h, context)),
        }
    }

    /// What reports call it.
    pub fn name(self) -> String {
        let named = match self {
            Self::Order(n) => return format!("order {n}"),
            Self::Words(n) => return format!("{n} words before"),
            Self::Shape(n) | Self::ShapeByte(n) => return format!("shape of {n} bytes"),
            Self::Masked(_) => "bits of the last bytes",
            Self::Word => "word",
            Self::WordPrevious => "word and the one before",
            Self::WordSkip => "word and the second before",
            Self::WordTwo => "word and two before",
            Self::WordAbove => "words and the byte above",
            Self::WordLine => "word and the line's start",
            Self::WordEnd => "end of the word",
            Self::Column => "column",
            Self::LineAbove => "line above",
            Self::LineStart => "start of the line",
            Self::Indirect(_) => "what followed before",
            Self::Nest => "brackets",
            Self::Above(..) => "records above",
            Self::Place(..) => "place in the record",
            Self::Back(..) => "bytes at a distance",
            Self::Trend(_) => "trend of the records",
            Self::Record(_) => "fields",
            Self::Around(_) => "pixels around",
        };
        named.to_owned()
    }

    /// Hash of the context for its first nibble; `number` tells the contexts of a model apart.
    pub fn hash(self, history: &History, grey: Option<&Grey>, number: usize) -> u32 {
        let salt = (number as u64 + 1).wrapping_mul(SPREAD);
        let salted = self.value(history, grey).wrapping_mul(GOLDEN) ^ salt;
        (salted.wrapping_mul(GOLDEN) >> 32) as u32 ^ (salted >> 40) as u32
    }
}

fn gather(h: &History, places: &[(u8, i8)], n: u32, start: u64) -> u64 {
    places
        .iter()
        .fold(mix(start, last(h.last8, n)), |hash, &(strides, forward)| {
            let distance = i64::from(strides) * h.stride as i64 - i64::from(forward);
            mix(hash, usize::try_from(distance).map_or(0, |d| h.back(d)))
        })
}

/// Hash of a context's second nibble, from that of its first and the first nibble's bits.
#[inline(always)]
pub fn nibble_hash(hash: u32, partial: u32) -> u32 {
    let hash = (hash ^ partial).wrapping_mul(0x9e37_79b1);
    hash ^ hash >> 15
}

/// A value as a context of 16 bits.
#[inline(always)]
pub fn hash16(value: u64) -> usize {
    (value.wrapping_mul(GOLDEN) >> 48) as usize
}
