//! What is known of a cell after all rows were seen.

use super::column::{MOST_STRINGS, MOST_VALUES};
use super::number::{Format, Shapes};
use super::time::Pattern;
use super::values::{Added, Lookup};

/// The most bytes of different values that are kept for a cell.
const MOST_BYTES: usize = 4 << 20;
/// The most different values that are kept for all cells of a row: more would not stay in a cache.
const KEPT: usize = 1 << 20;
/// The fewest that are kept for a cell before they are too many.
const FEW: usize = 512;
/// Bytes whose frequencies are counted.
const COUNTED: u64 = 1 << 16;

/// Values that are not of the kind that others have; `None` after too many.
#[derive(Debug, Clone)]
struct Misses(Option<Vec<Vec<u8>>>);

impl Misses {
    fn add(&mut self, value: &[u8]) {
        if let Some(misses) = &mut self.0
            && !misses.iter().any(|miss| miss == value)
        {
            misses.push(value.to_vec());
            if misses.len() > MOST_STRINGS {
                self.0 = None;
            }
        }
    }
}

/// Facts about the values of one cell of all rows.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub rows: u64,
    /// Different values, until they are too many.
    pub lookup: Option<Lookup>,
    /// How often each of them occurs.
    pub counts: Vec<u64>,
    /// Bytes of all values, and of those that are known to differ.
    pub bytes: u64,
    pub different_bytes: u64,
    histogram: [u64; 256],
    counted: u64,
    shapes: Shapes,
    no_numbers: Misses,
    pattern: Option<Pattern>,
    no_pattern: Misses,
    last: usize,
    /// The most different values that are kept.
    most: usize,
}

impl Facts {
    /// For one of so many cells of a row.
    pub fn new(cells: usize) -> Self {
        Self {
            most: (KEPT / cells.max(1)).clamp(FEW, MOST_VALUES),
            rows: 0,
            lookup: Some(Lookup::new()),
            counts: Vec::new(),
            bytes: 0,
            different_bytes: 0,
            histogram: [0; 256],
            counted: 0,
            shapes: Shapes::default(),
            no_numbers: Misses(Some(Vec::new())),
            pattern: None,
            no_pattern: Misses(Some(Vec::new())),
            last: 0,
        }
    }

    /// Takes in the value of another row.
    pub fn add(&mut self, value: &[u8]) {
        self.rows += 1;
        self.bytes += value.len() as u64;
        if let Some(lookup) = &mut self.lookup {
            if value.len() > 1 && lookup.values.get(self.last) == Some(value) {
                self.counts[self.last] += 1;
                return;
            }
            match lookup.add(value) {
                Added::Old(number) => {
                    self.counts[number] += 1;
                    self.last = number;
                    return;
                }
                Added::New => {
                    self.last = self.counts.len();
                    self.counts.push(1);
                    let count = self.counts.len();
                    // Of a quarter of the most some must have come back.
                    let rare = count == self.most / 4 && self.rows * 8 < count as u64 * 9;
                    let many = count > self.most || (rare && count > FEW / 2);
                    if many || lookup.values.bytes() > MOST_BYTES {
                        self.lookup = None;
                    }
                }
                Added::Full => self.lookup = None,
            }
        }
        self.look(value);
    }

    /// Looks at a value that may be new.
    fn look(&mut self, value: &[u8]) {
        self.different_bytes += value.len() as u64;
        if self.counted < COUNTED {
            self.counted += value.len() as u64;
            for byte in value {
                self.histogram[usize::from(*byte)] += 1;
            }
        }
        if self.no_numbers.0.is_some() && !self.shapes.add(value) {
            self.no_numbers.add(value);
        }
        if self.no_pattern.0.is_some() {
            if self.pattern.is_none() {
                self.pattern = Pattern::of(value);
            }
            let fits = self
                .pattern
                .as_ref()
                .is_some_and(|pattern| pattern.fits(value));
            if !fits {
                self.no_pattern.add(value);
            }
        }
    }

    /// How the column's numbers are written, where all but a few values are numbers.
    pub fn format(&self) -> Option<Format> {
        self.no_numbers.0.as_ref()?;
        self.shapes.format()
    }

    /// The pattern of digits that all but a few values have.
    pub fn pattern(&self) -> Option<&Pattern> {
        self.no_pattern.0.as_ref()?;
        self.pattern.as_ref()
    }

    /// Whether no value at all is of another pattern.
    pub fn pattern_fits_all(&self) -> bool {
        self.pattern.is_some() && self.no_pattern.0.as_ref().is_some_and(Vec::is_empty)
    }

    /// The number of different values, where it is known.
    pub fn different(&self) -> Option<u64> {
        self.lookup
            .as_ref()
            .map(|lookup| lookup.values.len() as u64)
    }

    /// Whether a value is of another kind than all that were seen, as the title of a column is.
    pub fn is_of_another_kind(&self, value: &[u8]) -> bool {
        let unseen = |misses: &Misses| {
            let misses = misses.0.as_ref();
            misses.is_some_and(|misses| !misses.iter().any(|miss| miss == value))
        };
        if self.shapes.format().is_some() && self.no_numbers.0.is_some() {
            return unseen(&self.no_numbers) && !Shapes::default().add(value);
        }
        let fits = self.pattern.as_ref().map(|pattern| pattern.fits(value));
        fits == Some(false) && unseen(&self.no_pattern)
    }

    /// For a column of few values whether this is another one.
    pub fn is_new(&self, value: &[u8]) -> Option<bool> {
        let lookup = self.lookup.as_ref()?;
        let few = lookup.values.len() as u64 * 4 <= self.rows && lookup.values.len() <= 256;
        few.then(|| lookup.find(value).is_none())
    }

    /// Bits that a byte of text costs, in 1/256: digits tell less of each other than letters do.
    pub fn text_bits(&self) -> u64 {
        let total: u64 = self.histogram.iter().sum();
        let digits: u64 = self.histogram[usize::from(b'0')..=usize::from(b'9')]
            .iter()
            .sum();
        let bits = super::cost::entropy(self.histogram.iter().copied());
        let share = digits * 10 + (total - digits) * 6;
        bits * 256 / total.max(1) * share / (total * 10).max(1)
    }
}
