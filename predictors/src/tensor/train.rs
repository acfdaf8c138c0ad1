//! An encoder's look at a whole segment: which classes of rows or columns its planes have.
//!
//! Rows (or columns) with like distributions share one of up to 16 static tables: k-means in code
//! length, started from the order of their mean symbols. Integers only: what is chosen here is
//! the same on every machine.

use super::classes::CLASSES;
use crate::simd::{self, Job, Kernels, Level};

/// Rounds of moving rows or columns to the table that suits them best.
const ROUNDS: usize = 5;
/// Rows or columns that tell the classes of all others, at least.
const FEW: usize = 192;
/// Symbols that each of these has, at least.
const LEAST_OF_FEW: usize = 64;
/// Most counters that histograms of all columns may take.
const MOST_COUNTERS: usize = 1 << 21;
/// Symbols of a row or column whose code length, in units of `2^-8` bits, fits 32 bits.
const MOST_SYMBOLS: usize = 1 << 20;
/// Of the variance that rows or columns explain, what makes classes of them worth a try.
const LEAST_EXPLAINED: u64 = 1 << 8;
/// What a symbol counts at most for the choice of a class, in units of `2^-8` bits.
const LONGEST: u32 = (1 << 12) - 1;

/// Histograms of the 256 symbols for each class that is used.
pub type Histograms = Vec<[u32; 256]>;

/// What was found for one plane.
pub enum Found {
    /// One distribution for all.
    One(Histograms),
    /// Each row fits one of these.
    Rows(Histograms),
    /// Each column has a class.
    Columns(Vec<u8>, Histograms),
    /// Each value of what is given with a symbol has a class.
    Given(Box<[u8; 256]>, Histograms),
}

/// `log2(x)` in units of `2^-8`, rounded down; 0 for 0.
pub fn log2(x: u32) -> u32 {
    if x == 0 {
        return 0;
    }
    let whole = x.ilog2();
    let mut mantissa = (u64::from(x) << 31) >> whole;
    let mut log = whole;
    for _ in 0..8 {
        mantissa = (mantissa * mantissa) >> 31;
        let up = mantissa >> 32;
        mantissa >>= up;
        log = log << 1 | up as u32;
    }
    log
}

/// Code length in units of `2^-8` bits of counts by their own distribution.
pub fn entropy(counts: &[u32]) -> u64 {
    let total: u32 = counts.iter().sum();
    let log_total = log2(total);
    counts
        .iter()
        .map(|&count| u64::from(count) * u64::from(log_total - log2(count)))
        .sum()
}

/// Histograms of `items` rows or columns over a dense alphabet.
struct Items {
    symbols: Vec<u8>,
    counts: Vec<u32>,
}

impl Items {
    fn new(symbols: &[u8], items: usize) -> Self {
        Self {
            symbols: symbols.to_vec(),
            counts: vec![0; symbols.len() * items],
        }
    }

    /// Classes of all items, the classes' histograms and their code length in `2^-8` bits.
    fn cluster(&self, level: Level) -> (Vec<u8>, Histograms, u64) {
        let width = self.symbols.len();
        let items: Vec<&[u32]> = self.counts.chunks_exact(width).collect();
        let mut order: Vec<(u64, usize)> = items
            .iter()
            .enumerate()
            .map(|(i, counts)| {
                let total: u64 = counts.iter().map(|&n| u64::from(n)).sum();
                let sum: u64 = (0..).zip(*counts).map(|(s, &n)| s * u64::from(n)).sum();
                ((sum << 16) / total.max(1), i)
            })
            .collect();
        order.sort_unstable();
        let mut classes = vec![0_u8; items.len()];
        for (place, &(_, item)) in order.iter().enumerate() {
            classes[item] = (place * CLASSES / items.len()) as u8;
        }
        // Some items tell the classes of all.
        let symbols: u32 = self.counts.iter().sum();
        let each = symbols as usize / items.len().max(1);
        let step = (items.len() / FEW).min(each / LEAST_OF_FEW).clamp(1, 8);
        let few = Self {
            symbols: self.symbols.clone(),
            counts: items
                .iter()
                .step_by(step)
                .copied()
                .flatten()
                .copied()
                .collect(),
        };
        let mut of_few: Vec<u8> = classes.iter().step_by(step).copied().collect();
        for _ in 1..ROUNDS {
            let before = of_few.clone();
            few.assign(&few.lengths(&of_few), &mut of_few, level);
            let moved = of_few.iter().zip(&before).filter(|(a, b)| a != b).count();
            if moved * 64 < of_few.len() {
                break;
            }
        }
        self.assign(&few.lengths(&of_few), &mut classes, level);
        // Classes that lost all members go.
        let mut used: Vec<u8> = classes.clone();
        used.sort_unstable();
        used.dedup();
        for class in &mut classes {
            *class = used.iter().position(|u| u == class).unwrap_or(0) as u8;
        }
        let totals = self.totals(&classes);
        let totals = &totals[..used.len()];
        let cost = totals.iter().map(|totals| entropy(totals)).sum();
        let spread = |totals: &Vec<u32>| {
            let mut all = [0; 256];
            for (&symbol, &n) in self.symbols.iter().zip(totals) {
                // Every table takes every symbol of the plane, so that any row can be coded.
                all[usize::from(symbol)] = n * 16 + 1;
            }
            all
        };
        (classes, totals.iter().map(spread).collect(), cost)
    }

    /// Code lengths of all symbols by the tables of classes of items.
    fn lengths(&self, classes: &[u8]) -> Vec<[u32; CLASSES]> {
        let width = self.symbols.len();
        let mut lengths = vec![[0; CLASSES]; width];
        for (class, totals) in self.totals(classes).iter().enumerate() {
            let sum = log2(totals.iter().sum::<u32>() + width as u32);
            for (lengths, &n) in lengths.iter_mut().zip(totals) {
                lengths[class] = (sum - log2(n + 1)).min(LONGEST);
            }
        }
        lengths
    }

    /// Gives each item the class whose code lengths suit it best.
    fn assign(&self, lengths: &[[u32; CLASSES]], classes: &mut [u8], level: Level) {
        let job = Nearest {
            items: &self.counts,
            lengths,
            classes,
        };
        simd::run(level, job);
    }

    fn totals(&self, classes: &[u8]) -> Vec<Vec<u32>> {
        let width = self.symbols.len();
        let mut totals = vec![vec![0; width]; CLASSES];
        for (counts, &class) in self.counts.chunks_exact(width).zip(classes) {
            for (sum, n) in totals[usize::from(class)].iter_mut().zip(counts) {
                *sum += n;
            }
        }
        totals
    }
}

/// Gives each item the class whose code lengths suit it best, the first of equals.
struct Nearest<'a> {
    /// Counts of as many symbols as there are `lengths`, item after item; an item
    /// has less than [`MOST_SYMBOLS`] in all.
    items: &'a [u32],
    lengths: &'a [[u32; CLASSES]],
    classes: &'a mut [u8],
}

impl Job for Nearest<'_> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernels>(self) {
        let items = self.items.chunks_exact(self.lengths.len());
        for (counts, class) in items.zip(self.classes) {
            let mut costs = [0_u32; CLASSES];
            for (&n, lengths) in counts.iter().zip(self.lengths) {
                let add = lengths.map(|length| n * length);
                costs = std::array::from_fn(|class| costs[class] + add[class]);
            }
            let least = costs.iter().fold(u32::MAX, |least, &cost| least.min(cost));
            *class = costs.iter().position(|&cost| cost == least).unwrap_or(0) as u8;
        }
    }
}

/// Looks at a sample of a plane, of `histogram`: rows of `row` symbols (0 if it has none), all or
/// some of the `rows` that the plane has. Of `ordered` symbols like ones are near each other, as
/// exponents are. `None` where no table would pay.
pub fn look(
    sample: &[u8],
    histogram: &[u32; 256],
    row: usize,
    rows: usize,
    ordered: bool,
    level: Level,
) -> Option<Found> {
    let one = entropy(histogram);
    if one * 100 > (sample.len() as u64 * 8 * 98) << 8 {
        return None;
    }
    let single = || {
        Found::One(vec![
            histogram.map(|n| if n > 0 { n.saturating_mul(16) } else { 0 }),
        ])
    };
    let taken = sample.len().checked_div(row).unwrap_or(0);
    if !(16..MOST_SYMBOLS).contains(&row) || taken < 4 {
        return Some(single());
    }
    let (symbols, dense) = alphabet(histogram);
    let width = symbols.len();
    let sample = &sample[..taken * row];
    let mut counts = vec![0; width];
    for (&symbol, n) in symbols.iter().zip(&mut counts) {
        *n = histogram[usize::from(symbol)];
    }
    let plain = entropy(&counts);
    let tables = |count: usize| (count * width) as u64 * (12 << 8) * taken as u64 / rows as u64;
    let mut best = (plain - plain / 400 + tables(1), single());
    let [in_rows, in_columns] = simd::run(level, Explained { sample, row });
    let promising = |own: u64, other: u64| !ordered || own >= LEAST_EXPLAINED && own >= other / 4;
    if promising(in_rows, in_columns) {
        let mut by_row = Items::new(&symbols, taken);
        for (row, counts) in sample
            .chunks_exact(row)
            .zip(by_row.counts.chunks_exact_mut(width))
        {
            for &symbol in row {
                counts[usize::from(dense[usize::from(symbol)])] += 1;
            }
        }
        let (_, histograms, cost) = by_row.cluster(level);
        let cost = cost + taken as u64 * (4 << 8) + tables(histograms.len());
        if cost < best.0 {
            best = (cost, Found::Rows(histograms));
        }
    }
    if promising(in_columns, in_rows) && row * width <= MOST_COUNTERS {
        let mut by_column = Items::new(&symbols, row);
        for row in sample.chunks_exact(row) {
            for (&symbol, counts) in row.iter().zip(by_column.counts.chunks_exact_mut(width)) {
                counts[usize::from(dense[usize::from(symbol)])] += 1;
            }
        }
        let (classes, histograms, cost) = by_column.cluster(level);
        let classes_cost = row as u64 * (4 << 8) * taken as u64 / rows as u64;
        // Grouping by column is slower to undo: it must win clearly.
        let cost = cost + classes_cost + tables(histograms.len());
        if cost + cost / 200 < best.0 {
            best = (cost, Found::Columns(classes, histograms));
        }
    }
    Some(best.1)
}

/// How much of the variance of symbols their rows and their columns explain, in units of `2^-16`, less
/// what chance explains.
struct Explained<'a> {
    /// Whole rows, less than 2^24 symbols.
    sample: &'a [u8],
    row: usize,
}

impl Job for Explained<'_> {
    type Output = [u64; 2];

    #[inline(always)]
    fn run<K: Kernels>(self) -> [u64; 2] {
        let mut columns = vec![0_u32; self.row];
        let mut by_row = 0_u128;
        let (mut sum, mut squares) = (0_u64, 0_u64);
        for row in self.sample.chunks_exact(self.row) {
            let (mut own, mut own_squares) = (0_u32, 0_u64);
            for part in row.chunks(1 << 12) {
                own += part.iter().map(|&symbol| u32::from(symbol)).sum::<u32>();
                let squares = |&symbol: &u8| u32::from(symbol) * u32::from(symbol);
                own_squares += u64::from(part.iter().map(squares).sum::<u32>());
            }
            for (column, &symbol) in columns.iter_mut().zip(row) {
                *column += u32::from(symbol);
            }
            by_row += u128::from(own) * u128::from(own);
            sum += u64::from(own);
            squares += own_squares;
        }
        let all = self.sample.len() as u128;
        let rows = all / self.row as u128;
        let by_column: u128 = columns.iter().map(|&n| u128::from(n) * u128::from(n)).sum();
        // Times the number of symbols, so that all are whole.
        let mean = u128::from(sum) * u128::from(sum);
        let total = (u128::from(squares) * all).saturating_sub(mean).max(1);
        let share = |between: u128, groups: u128| {
            let chance = total * (groups - 1) / (all - 1);
            let explained = between.saturating_sub(mean).saturating_sub(chance);
            ((explained << 16) / total) as u64
        };
        [
            share(by_row * rows, rows),
            share(by_column * self.row as u128, self.row as u128),
        ]
    }
}

/// The symbols that occur, ascending, and the place of each among them.
fn alphabet(histogram: &[u32; 256]) -> (Vec<u8>, [u8; 256]) {
    let symbols: Vec<u8> = (0..=255)
        .filter(|&s| histogram[usize::from(s)] > 0)
        .collect();
    let mut dense = [0_u8; 256];
    for (place, &symbol) in symbols.iter().enumerate() {
        dense[usize::from(symbol)] = place as u8;
    }
    (symbols, dense)
}

/// Looks at a plane of `histogram`, with each of whose symbols a byte is given.
pub fn look_given(
    plane: &[u8],
    histogram: &[u32; 256],
    given: &[u8],
    level: Level,
) -> Option<Found> {
    let (symbols, dense) = alphabet(histogram);
    if symbols.len() < 2 {
        return None;
    }
    let width = symbols.len();
    let mut counts = vec![0_u32; 256 * width];
    for (&symbol, &given) in plane.iter().zip(given) {
        counts[usize::from(given) * width + usize::from(dense[usize::from(symbol)])] += 1;
    }
    // Clustering takes no more of an item than a row has.
    let most = counts
        .chunks(width)
        .map(|item| item.iter().sum::<u32>())
        .max();
    let shift = most.map_or(0, |most| (most.ilog2() + 1).saturating_sub(20));
    let mut items = Items::new(&symbols, 256);
    items.counts = counts.iter().map(|n| n.div_ceil(1 << shift)).collect();
    let (classes, histograms, cost) = items.cluster(level);
    let cost = cost << shift;
    if cost + cost / 100 < entropy(histogram) {
        let classes: [u8; 256] = std::array::from_fn(|given| classes[given]);
        return Some(Found::Given(Box::new(classes), histograms));
    }
    look(plane, histogram, 0, 0, false, level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_rounded_down() {
        assert_eq!([log2(1), log2(2), log2(256), log2(3)], [0, 256, 2048, 405]);
        for x in 1..5000_u32 {
            let exact = f64::from(x).log2() * 256.0;
            let found = f64::from(log2(x));
            assert!(found <= exact + 1e-6 && exact < found + 1.001, "{x}");
        }
    }

    /// Symbols around `center`, from a generator of our own.
    fn around(center: u8, seed: &mut u32) -> u8 {
        *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        center + (*seed >> 24).count_ones() as u8
    }

    fn histogram(data: &[u8]) -> [u32; 256] {
        let mut counts = [0; 256];
        data.iter().for_each(|&b| counts[usize::from(b)] += 1);
        counts
    }

    #[test]
    fn classes_are_found_where_they_are() {
        let mut seed = 5;
        let plane: Vec<u8> = (0..64 * 200)
            .map(|i| around((i / 64 % 16) as u8 * 6, &mut seed))
            .collect();
        assert!(matches!(
            look(&plane, &histogram(&plane), 64, 200, true, Level::Scalar),
            Some(Found::Rows(_))
        ));
        let plane: Vec<u8> = (0..64 * 200)
            .map(|i| around((i % 64 / 4) as u8 * 6, &mut seed))
            .collect();
        let found = look(&plane, &histogram(&plane), 64, 200, true, Level::Scalar);
        let Some(Found::Columns(classes, tables)) = found else {
            panic!("columns differ")
        };
        assert_eq!((classes.len(), tables.len()), (64, 16));
        assert!(
            classes
                .chunks(4)
                .all(|four| four.iter().all(|c| *c == four[0]))
        );
        let plane: Vec<u8> = (0..64 * 200).map(|_| around(9, &mut seed)).collect();
        assert!(matches!(
            look(&plane, &histogram(&plane), 64, 200, true, Level::Scalar),
            Some(Found::One(_))
        ));
    }

    #[test]
    fn noise_has_no_table() {
        let mut seed = 5_u32;
        let plane: Vec<u8> = (0..20_000)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 24) as u8
            })
            .collect();
        assert!(look(&plane, &histogram(&plane), 64, 312, true, Level::Scalar).is_none());
    }
}
