//! Contexts of records of one length: which of the bytes before each place's contexts are made of.

use super::history::{History, mix};

/// What a place's context is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The byte of the n-th rank, of those that tell the most of the place's; nothing where there are fewer.
    Rank(usize),
    /// The same place n records above.
    Above(usize),
    /// All bytes of the record so far, the last [`MOST_BEFORE`] of more.
    Before,
}

use Part::{Above, Before, Rank};

/// The contexts of every place; a low level takes a part from the front.
pub const CONTEXTS: [&[Part]; 20] = [
    &[],
    &[Rank(0)],
    &[Rank(1)],
    &[Rank(0), Rank(1)],
    &[Rank(0), Rank(2)],
    &[Rank(0), Rank(1), Rank(2)],
    &[Rank(0), Rank(1), Rank(2), Rank(3)],
    &[Rank(0), Rank(1), Rank(2), Rank(3), Rank(4)],
    &[Rank(0), Rank(1), Rank(2), Rank(3), Rank(4), Rank(5)],
    &[Above(1)],
    &[Above(1), Above(2)],
    &[Before],
    &[Above(1), Rank(0)],
    &[Rank(1), Rank(2)],
    &[Before, Above(1)],
    &[Above(1), Above(2), Above(3), Rank(0), Rank(1)],
    &[Rank(0), Rank(3)],
    &[Rank(1), Rank(3)],
    &[Rank(0), Rank(1), Rank(3)],
    &[Rank(0), Rank(2), Rank(3)],
];

/// The most ranks of a place.
pub const RANKS: usize = 6;
/// The most bytes of [`Part::Before`].
pub const MOST_BEFORE: usize = 16;

/// For each place in a record the distances of the bytes of each context.
#[derive(Debug)]
pub struct Records(Vec<[Vec<u32>; CONTEXTS.len()]>);

impl Records {
    /// `ranks` holds, for each place, the distances of up to [`RANKS`] bytes, the most telling first.
    #[must_use]
    pub fn new(ranks: &[Vec<u32>]) -> Self {
        let stride = ranks.len() as u32;
        let place = |(place, ranks): (usize, &Vec<u32>)| {
            CONTEXTS.map(|parts| {
                let mut distances = Vec::new();
                for &part in parts {
                    match part {
                        Rank(n) => distances.extend(ranks.get(n)),
                        Above(n) => distances.push(n as u32 * stride),
                        Before => distances.extend(1..=place.min(MOST_BEFORE) as u32),
                    }
                }
                distances
            })
        };
        Self(ranks.iter().enumerate().map(place).collect())
    }

    /// Bytes of a record.
    pub fn stride(&self) -> usize {
        self.0.len()
    }

    /// Hash of a context of the byte to come.
    pub fn hash(&self, h: &History, context: usize) -> u64 {
        let place = h.place();
        let start = mix(0, place as u64 + 1);
        self.0[place][context]
            .iter()
            .fold(start, |hash, &distance| {
                mix(hash, h.back(distance as usize))
            })
    }
}
