//! An encoder's look at a whole segment: which classes of rows or columns its planes have.
//!
//! Rows (or columns) with like distributions share one of up to 16 static tables. Integers only: what
//! is chosen here is the same on every machine.

use super::cluster::{Histograms, Items};
use crate::simd::{self, Job, Kernels, Level};

/// Most counters that histograms of all columns may take.
const MOST_COUNTERS: usize = 1 << 21;
/// Longer rows are taken as none.
const MOST_SYMBOLS: usize = 1 << 20;
/// Of the variance that rows or columns explain, what makes classes of them worth a try.
const LEAST_EXPLAINED: u64 = 1 << 8;

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

/// Looks at a sample of a plane, of `histogram`: rows of `row` symbols (0 if it has none), all or
/// some of the `rows` that the plane has. Of `ordered` symbols like ones are near each other, as
/// exponents are. What was found and its code length in units of `2^-8` bits; `None` where no table would pay.
pub fn look(
    sample: &[u8],
    histogram: &[u32; 256],
    row: usize,
    rows: usize,
    ordered: bool,
    level: Level,
) -> Option<(u64, Found)> {
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
        return Some((one, single()));
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
        let by_row = Items::rows(&symbols, &dense, sample, row);
        let (_, histograms, cost) = by_row.cluster(level);
        let cost = cost + taken as u64 * (4 << 8) + tables(histograms.len());
        if cost < best.0 {
            best = (cost, Found::Rows(histograms));
        }
    }
    if promising(in_columns, in_rows) && row * width.next_multiple_of(2) <= MOST_COUNTERS {
        let by_column = Items::columns(&symbols, &dense, sample, row);
        let (classes, histograms, cost) = by_column.cluster(level);
        let classes_cost = row as u64 * (4 << 8) * taken as u64 / rows as u64;
        // Grouping by column is slower to undo: it must win clearly.
        let cost = cost + classes_cost + tables(histograms.len());
        if cost + cost / 200 < best.0 {
            best = (cost, Found::Columns(classes, histograms));
        }
    }
    Some(best)
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

/// Looks at a sample of a plane of `all` symbols, of `histogram`, with each of which a byte is given. What
/// was found and its code length; `None` where that is not one part in `part` shorter than without what
/// is given.
pub fn look_given(
    plane: &[u8],
    histogram: &[u32; 256],
    given: &[u8],
    (all, part): (usize, u64),
    level: Level,
) -> Option<(u64, Found)> {
    let (symbols, dense) = alphabet(histogram);
    if symbols.len() < 2 {
        return None;
    }
    let width = symbols.len();
    let mut counts = vec![0_u32; 256 * width];
    for (&symbol, &given) in plane.iter().zip(given) {
        counts[usize::from(given) * width + usize::from(dense[usize::from(symbol)])] += 1;
    }
    let items = Items::counted(&symbols, &counts);
    let (classes, histograms, cost) = items.cluster(level);
    // Counts that were rounded up are more than the plane has.
    let cost = (u128::from(cost) * plane.len() as u128 / u128::from(items.total())) as u64;
    // Classes of all bytes, and tables, as much of them as the sample is of the plane.
    let model = ((128 * 8) << 8) + (histograms.len() * width) as u64 * (6 << 8);
    let cost = cost + model * plane.len() as u64 / all as u64;
    let classes: [u8; 256] = std::array::from_fn(|given| classes[given]);
    let found = Found::Given(Box::new(classes), histograms);
    (cost + cost / part < entropy(histogram)).then_some((cost, found))
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
            Some((_, Found::Rows(_)))
        ));
        let plane: Vec<u8> = (0..64 * 200)
            .map(|i| around((i % 64 / 4) as u8 * 6, &mut seed))
            .collect();
        let found = look(&plane, &histogram(&plane), 64, 200, true, Level::Scalar);
        let Some((_, Found::Columns(classes, tables))) = found else {
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
            Some((_, Found::One(_)))
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
