//! An encoder's look at a whole segment: which classes of rows or columns its planes have.
//!
//! Rows (or columns) with like distributions share one of up to 16 static tables: k-means in code
//! length, started from the order of their mean symbols. Integers only: what is chosen here is
//! the same on every machine.

use super::classes::CLASSES;

/// Symbols of a plane that training looks at, at most.
const SAMPLE: usize = 1 << 20;
/// Rounds of moving rows or columns to the table that suits them best.
const ROUNDS: usize = 5;
/// Most counters that histograms of all columns may take.
const MOST_COUNTERS: usize = 1 << 21;

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
    fn cluster(&self) -> (Vec<u8>, Histograms, u64) {
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
        for _ in 0..ROUNDS {
            let lengths: Vec<Vec<u32>> = self
                .totals(&classes)
                .iter()
                .map(|totals| {
                    let sum: u32 = totals.iter().sum::<u32>() + width as u32;
                    totals.iter().map(|&n| log2(sum) - log2(n + 1)).collect()
                })
                .collect();
            for (item, class) in items.iter().zip(&mut classes) {
                let costs = lengths.iter().map(|lengths| {
                    let pairs = item.iter().zip(lengths);
                    pairs
                        .map(|(&n, &l)| u64::from(n) * u64::from(l))
                        .sum::<u64>()
                });
                let best = costs.enumerate().min_by_key(|&(_, cost)| cost);
                *class = best.map_or(0, |(class, _)| class as u8);
            }
        }
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

/// Looks at a plane of `histogram`, in rows of `row` symbols (0 if it has none), the first of
/// which is in column 0. `None` where no table would pay.
pub fn look(plane: &[u8], histogram: &[u32; 256], row: usize) -> Option<Found> {
    let one = entropy(histogram);
    if one * 100 > (plane.len() as u64 * 8 * 98) << 8 {
        return None;
    }
    let single = || {
        Found::One(vec![
            histogram.map(|n| if n > 0 { n.saturating_mul(4) } else { 0 }),
        ])
    };
    let rows = plane.len().checked_div(row).unwrap_or(0);
    if row < 16 || rows < 4 {
        return Some(single());
    }
    let symbols: Vec<u8> = (0..=255)
        .filter(|&s| histogram[usize::from(s)] > 0)
        .collect();
    let mut dense = [0_u8; 256];
    for (place, &symbol) in symbols.iter().enumerate() {
        dense[usize::from(symbol)] = place as u8;
    }
    let width = symbols.len();
    // Evenly spread rows, as many as the sample has room for.
    let taken = (SAMPLE / row).clamp(4, rows);
    let sampled: Vec<&[u8]> = (0..taken)
        .map(|i| &plane[i * rows / taken * row..][..row])
        .collect();
    let mut by_row = Items::new(&symbols, taken);
    for (row, counts) in sampled.iter().zip(by_row.counts.chunks_exact_mut(width)) {
        for &symbol in *row {
            counts[usize::from(dense[usize::from(symbol)])] += 1;
        }
    }
    let all: Vec<u32> = by_row.totals(&vec![0; taken])[0].clone();
    let plain = entropy(&all);
    let tables = |count: usize| (count * width) as u64 * (12 << 8) * taken as u64 / rows as u64;
    let (_, row_tables, cost) = by_row.cluster();
    let row_cost = cost + taken as u64 * (4 << 8) + tables(row_tables.len());
    let mut best = (plain - plain / 400 + tables(1), single());
    if row_cost < best.0 {
        best = (row_cost, Found::Rows(row_tables));
    }
    if row * width <= MOST_COUNTERS {
        let mut by_column = Items::new(&symbols, row);
        for row in &sampled {
            for (&symbol, counts) in row.iter().zip(by_column.counts.chunks_exact_mut(width)) {
                counts[usize::from(dense[usize::from(symbol)])] += 1;
            }
        }
        let (classes, histograms, cost) = by_column.cluster();
        let classes_cost = row as u64 * (4 << 8) * taken as u64 / rows as u64;
        // Grouping by column is slower to undo: it must win clearly.
        let cost = cost + classes_cost + tables(histograms.len());
        if cost + cost / 200 < best.0 {
            best = (cost, Found::Columns(classes, histograms));
        }
    }
    Some(best.1)
}

/// Looks at a plane of `histogram`, with each of whose symbols a byte is given.
pub fn look_given(plane: &[u8], histogram: &[u32; 256], given: &[u8]) -> Option<Found> {
    let symbols: Vec<u8> = (0..=255)
        .filter(|&s| histogram[usize::from(s)] > 0)
        .collect();
    if symbols.len() < 2 {
        return None;
    }
    let mut dense = [0_u8; 256];
    for (place, &symbol) in symbols.iter().enumerate() {
        dense[usize::from(symbol)] = place as u8;
    }
    let width = symbols.len();
    let mut items = Items::new(&symbols, 256);
    for (&symbol, &given) in plane.iter().zip(given) {
        items.counts[usize::from(given) * width + usize::from(dense[usize::from(symbol)])] += 1;
    }
    let (classes, histograms, cost) = items.cluster();
    if cost + cost / 100 < entropy(histogram) {
        let classes: [u8; 256] = std::array::from_fn(|given| classes[given]);
        return Some(Found::Given(Box::new(classes), histograms));
    }
    look(plane, histogram, 0)
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
            look(&plane, &histogram(&plane), 64),
            Some(Found::Rows(_))
        ));
        let plane: Vec<u8> = (0..64 * 200)
            .map(|i| around((i % 64 / 4) as u8 * 6, &mut seed))
            .collect();
        let found = look(&plane, &histogram(&plane), 64);
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
            look(&plane, &histogram(&plane), 64),
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
        assert!(look(&plane, &histogram(&plane), 64).is_none());
    }
}
