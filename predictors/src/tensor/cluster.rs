//! Rows or columns with like distributions, in up to 16 classes: k-means in code length, started from
//! the order of their mean symbols.

use super::classes::CLASSES;
use super::simd::{Pair, nearest};
use super::train::{entropy, log2};
use crate::simd::{self, Job, Kernels, Level};

/// Rounds of moving rows or columns to the table that suits them best.
const ROUNDS: usize = 5;
/// Rows or columns that tell the classes of all others, at least.
const FEW: usize = 192;
/// Symbols that these have together, at least.
const SYMBOLS_OF_FEW: u64 = 1 << 17;
/// What a symbol counts at most for the choice of a class, in units of `2^-8` bits.
const LONGEST: u32 = (1 << 12) - 1;
/// Sum of an item's counts at most: [`nearest`] multiplies signed numbers of 16 bits.
const MOST: u32 = (1 << 15) - 1;
/// Columns whose counts are made together: they stay in the nearest cache.
const TILE: usize = 64;
/// Items whose means tell how the means of all are spread.
const SPREAD: usize = 1024;

/// Histograms of the 256 symbols for each class that is used.
pub type Histograms = Vec<[u32; 256]>;

/// Histograms of rows or columns over a dense alphabet.
pub struct Items<'a> {
    symbols: &'a [u8],
    /// Of `width` symbols item after item, at most [`MOST`] in an item.
    counts: Vec<u16>,
    /// The symbols that occur, and one that does not where those are odd in number.
    width: usize,
    /// Each count stands for `2^shift` symbols, rounded up.
    shift: u32,
}

impl<'a> Items<'a> {
    /// Rows of `row` symbols, all of which are in `symbols`, ascending, at the place that `dense` says.
    pub fn rows(symbols: &'a [u8], dense: &[u8; 256], sample: &[u8], row: usize) -> Self {
        let mut items = Self::new(symbols, sample.len() / row, row);
        for (row, counts) in sample
            .chunks_exact(row)
            .zip(items.counts.chunks_exact_mut(items.width))
        {
            let mut exact = [[0_u32; 256]; 2];
            let (pairs, rest) = row.as_chunks::<2>();
            for pair in pairs {
                exact[0][usize::from(dense[usize::from(pair[0])])] += 1;
                exact[1][usize::from(dense[usize::from(pair[1])])] += 1;
            }
            for &symbol in rest {
                exact[0][usize::from(dense[usize::from(symbol)])] += 1;
            }
            for (i, count) in counts.iter_mut().enumerate() {
                *count = (exact[0][i] + exact[1][i]).div_ceil(1 << items.shift) as u16;
            }
        }
        items
    }

    /// Columns of rows of `row` symbols; otherwise as [`Items::rows`]. Of very many rows some are taken.
    pub fn columns(symbols: &'a [u8], dense: &[u8; 256], sample: &[u8], row: usize) -> Self {
        let rows = (sample.len() / row).min(MOST as usize);
        let mut items = Self::new(symbols, row, rows);
        items.shift = 0;
        let width = items.width;
        for (tile, counts) in items.counts.chunks_mut(TILE * width).enumerate() {
            for row in sample.chunks_exact(row).take(rows) {
                let row = &row[tile * TILE..];
                for (&symbol, counts) in row.iter().zip(counts.chunks_exact_mut(width)) {
                    counts[usize::from(dense[usize::from(symbol)])] += 1;
                }
            }
        }
        items
    }

    /// Items with `counts` of each of `symbols`, item after item.
    pub fn counted(symbols: &'a [u8], counts: &[u32]) -> Self {
        let given = counts.chunks_exact(symbols.len());
        let most = given.clone().map(|item| item.iter().sum()).max();
        let mut items = Self::new(symbols, given.len(), most.unwrap_or(0_u32) as usize);
        for (to, from) in items.counts.chunks_exact_mut(items.width).zip(given) {
            for (to, from) in to.iter_mut().zip(from) {
                *to = from.div_ceil(1 << items.shift) as u16;
            }
        }
        items
    }

    /// Items without counts, each to have `each` symbols at most.
    fn new(symbols: &'a [u8], items: usize, each: usize) -> Self {
        let width = symbols.len().next_multiple_of(2);
        // Rounding up adds less than one for each symbol of the alphabet.
        let most = MOST as usize - width;
        let shift = (each.div_ceil(most)).next_power_of_two().ilog2();
        Self {
            symbols,
            counts: vec![0; width * items],
            width,
            shift: if each <= MOST as usize { 0 } else { shift },
        }
    }

    /// How many symbols the counts stand for, at least one.
    pub fn total(&self) -> u64 {
        let counted: u64 = self.counts.iter().map(|&n| u64::from(n)).sum();
        counted.max(1) << self.shift
    }

    /// Classes of all items, the classes' histograms and their code length in `2^-8` bits.
    pub fn cluster(&self, level: Level) -> (Vec<u8>, Histograms, u64) {
        let items = self.counts.len() / self.width;
        // Some items tell the classes of all.
        let symbols: u64 = self.counts.iter().map(|&n| u64::from(n)).sum();
        let enough = (symbols / SYMBOLS_OF_FEW).min(8) as usize;
        let step = (items / FEW).clamp(1, enough.max(1));
        let mut few = Vec::with_capacity(items.div_ceil(step) * self.width);
        for item in self.counts.chunks_exact(self.width).step_by(step) {
            few.extend_from_slice(item);
        }
        let mut of_few = by_mean(&few, self.width);
        for _ in 1..ROUNDS {
            let before = of_few.clone();
            nearest(
                &few,
                &self.lengths(&few, &of_few, level),
                &mut of_few,
                level,
            );
            let moved = of_few.iter().zip(&before).filter(|(a, b)| a != b).count();
            if moved * 64 < of_few.len() {
                break;
            }
        }
        let lengths = self.lengths(&few, &of_few, level);
        let mut classes = vec![0; items];
        nearest(&self.counts, &lengths, &mut classes, level);
        // Classes that lost all members go.
        let mut used: Vec<u8> = Vec::new();
        let members = llmzip_coders::rans::histogram(&classes);
        used.extend((0..CLASSES as u8).filter(|&class| members[usize::from(class)] > 0));
        for class in &mut classes {
            *class = used.iter().position(|u| u == class).unwrap_or(0) as u8;
        }
        let totals = totals(&self.counts, self.width, &classes, level);
        let totals = &totals[..used.len()];
        let cost: u64 = totals.iter().map(|totals| entropy(totals)).sum();
        let spread = |totals: &Vec<u32>| {
            let mut all = [0; 256];
            for (&symbol, &n) in self.symbols.iter().zip(totals) {
                // Every table takes every symbol of the plane, so that any row can be coded.
                all[usize::from(symbol)] = n.saturating_mul(16) + 1;
            }
            all
        };
        (
            classes,
            totals.iter().map(spread).collect(),
            cost << self.shift,
        )
    }

    /// Code lengths of pairs of symbols by the tables of classes of items that have `counts`.
    fn lengths(&self, counts: &[u16], classes: &[u8], level: Level) -> Vec<Pair> {
        let mut pairs = vec![[[0; 2]; CLASSES]; self.width / 2];
        let totals = totals(counts, self.width, classes, level);
        for (class, totals) in totals.iter().enumerate() {
            let sum = log2(totals.iter().sum::<u32>() + self.symbols.len() as u32);
            for (i, &n) in totals.iter().enumerate() {
                pairs[i / 2][class][i % 2] = (sum - log2(n + 1)).min(LONGEST) as u16;
            }
        }
        pairs
    }
}

/// Classes of items of `width` counts each by their mean symbol, about equal in size.
fn by_mean(counts: &[u16], width: usize) -> Vec<u8> {
    let mean = |counts: &[u16]| {
        let total: u32 = counts.iter().map(|&n| u32::from(n)).sum();
        let sum: u32 = (0..).zip(counts).map(|(s, &n)| s * u32::from(n)).sum();
        ((u64::from(sum) << 16) / u64::from(total.max(1))) as u32
    };
    let means: Vec<u32> = counts.chunks_exact(width).map(mean).collect();
    let step = (means.len() / SPREAD).max(1);
    let mut order: Vec<u32> = means.iter().step_by(step).copied().collect();
    order.sort_unstable();
    let bounds: [u32; CLASSES - 1] =
        std::array::from_fn(|i| order[(i + 1) * order.len() / CLASSES]);
    let class = |mean: &u32| bounds.iter().map(|bound| u8::from(bound <= mean)).sum();
    means.iter().map(class).collect()
}

/// Counts of all items of each class.
fn totals(counts: &[u16], width: usize, classes: &[u8], level: Level) -> Vec<Vec<u32>> {
    simd::run(
        level,
        Totals {
            counts,
            width,
            classes,
        },
    )
}

struct Totals<'a> {
    counts: &'a [u16],
    width: usize,
    classes: &'a [u8],
}

impl Job for Totals<'_> {
    type Output = Vec<Vec<u32>>;

    #[inline(always)]
    fn run<K: Kernels>(self) -> Self::Output {
        let mut totals = vec![vec![0; self.width]; CLASSES];
        for (counts, &class) in self.counts.chunks_exact(self.width).zip(self.classes) {
            for (sum, &n) in totals[usize::from(class)].iter_mut().zip(counts) {
                *sum += u32::from(n);
            }
        }
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(len: usize, symbols: u32) -> Vec<u8> {
        let mut seed = 5_u32;
        let mut next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (((seed >> 16) * symbols) >> 16) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    #[test]
    fn columns_are_the_rows_of_what_is_turned() {
        let (symbols, dense) = ([0, 1, 2, 3, 4], std::array::from_fn(|i| i as u8));
        for (rows, row) in [(1, 1), (3, 70), (200, 130), (9, 64)] {
            let sample = noise(rows * row, 5);
            let turned: Vec<u8> = (0..rows * row)
                .map(|i| sample[i % rows * row + i / rows])
                .collect();
            let columns = Items::columns(&symbols, &dense, &sample, row);
            let turned = Items::rows(&symbols, &dense, &turned, rows);
            assert_eq!((columns.width, turned.width), (6, 6));
            assert!(columns.counts == turned.counts, "{rows} {row}");
        }
    }

    #[test]
    fn counts_of_long_items_stay_within_their_bounds() {
        let (symbols, dense): ([u8; 3], _) = ([0, 1, 2], std::array::from_fn(|i| i as u8));
        for row in [32_000, 32_767, 32_768, 70_000, 1 << 20] {
            let sample = noise(2 * row, 3);
            let items = Items::rows(&symbols, &dense, &sample, row);
            for item in items.counts.chunks(4) {
                let sum: u32 = item.iter().map(|&n| u32::from(n)).sum();
                assert!(sum <= MOST && sum << items.shift >= row as u32, "{row}");
            }
            let counts = [row as u32 - 7, 7, 0];
            let items = Items::counted(&symbols, &counts);
            assert!(items.counts.iter().map(|&n| u32::from(n)).sum::<u32>() <= MOST);
            assert!(items.counts[1] > 0 && items.counts[2..] == [0, 0]);
        }
    }
}
