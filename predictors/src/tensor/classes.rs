//! Classes of columns and rows: symbols that share a static table are coded together.

use super::simd::{self, scalar};
use crate::simd::Level;

/// Most classes that a plane has.
pub const CLASSES: usize = 16;

/// Columns that a kernel takes at once.
pub const TILE: usize = 64;

/// Bytes behind what is grouped that may be read.
pub const SLACK: usize = 64;

/// Class of every column of a row of symbols.
pub struct Columns {
    classes: Vec<u8>,
    /// Columns of each class.
    members: [usize; CLASSES],
    /// For an encoder; empty otherwise.
    tiles: Vec<Tile>,
    /// For every [`TILE`] columns, a bit for each class that one of them has.
    // For the kernels of x86-64 alone.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    present: Vec<u16>,
}

/// Columns that are grouped together: they stay in the nearest cache.
const PART: usize = 1 << 13;

/// Up to [`PART`] columns.
struct Tile {
    /// Columns of each class.
    members: [usize; CLASSES],
    /// Columns by their classes, counted from the tile's first.
    order: Vec<u16>,
}

impl Tile {
    fn new(classes: &[u8]) -> Self {
        let members = count(classes);
        let mut next = starts(&members);
        let mut order = vec![0; classes.len()];
        for (column, &class) in (0..).zip(classes) {
            let next = &mut next[usize::from(class)];
            order[*next] = column;
            *next += 1;
        }
        Self { members, order }
    }

    /// Puts the symbols of the tile's columns where `next` says for each class, and moves that on.
    fn group(&self, symbols: &[u8], next: &mut [usize; CLASSES], grouped: &mut [u8]) {
        let mut order = &self.order[..];
        // Of a whole tile no place has to be checked.
        let whole: Option<&[u8; PART]> = symbols.try_into().ok();
        for (next, members) in next.iter_mut().zip(self.members) {
            let (columns, others) = order.split_at(members);
            order = others;
            let targets = grouped[*next..*next + members].iter_mut().zip(columns);
            if let Some(symbols) = whole {
                targets.for_each(|(symbol, &at)| *symbol = symbols[usize::from(at) % PART]);
            } else {
                targets.for_each(|(symbol, &at)| *symbol = symbols[usize::from(at)]);
            }
            *next += members;
        }
    }
}

fn count(classes: &[u8]) -> [usize; CLASSES] {
    let counts = llmzip_coders::rans::histogram(classes);
    std::array::from_fn(|class| counts[class] as usize)
}

fn present(classes: &[u8]) -> u16 {
    classes.iter().fold(0, |all, &class| all | 1 << class)
}

impl Columns {
    /// `classes` are below [`CLASSES`], one for each symbol of a row.
    pub fn new(classes: Vec<u8>) -> Self {
        Self {
            members: count(&classes),
            present: classes.chunks(TILE).map(present).collect(),
            classes,
            tiles: Vec::new(),
        }
    }

    /// Ready to group rows faster.
    pub fn ordered(mut self) -> Self {
        self.tiles = self.classes.chunks(PART).map(Tile::new).collect();
        self
    }

    /// Columns of each class.
    pub fn members(&self) -> &[usize; CLASSES] {
        &self.members
    }

    /// For every [`TILE`] columns, a bit for each class that one of them has.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    pub fn present(&self) -> &[u16] {
        &self.present
    }

    /// Class of every column.
    pub fn classes(&self) -> &[u8] {
        &self.classes
    }

    /// Classes of a piece of `len` symbols that starts in column `first`, row by row.
    fn rows(&self, first: usize, len: usize) -> impl Iterator<Item = &[u8]> {
        let mut at = first;
        pieces(self.classes.len(), first, len).map(move |piece| {
            let row = &self.classes[at..at + piece];
            at = 0;
            row
        })
    }

    /// Length of each class's run in a piece of `len` symbols that starts in column `first`.
    pub fn runs(&self, first: usize, len: usize) -> [usize; CLASSES] {
        let mut runs = [0; CLASSES];
        for row in self.rows(first, len) {
            let members = if row.len() == self.classes.len() {
                self.members
            } else {
                count(row)
            };
            for (run, members) in runs.iter_mut().zip(members) {
                *run += members;
            }
        }
        runs
    }

    /// Puts `symbols`, the first of which is in column `first`, in the order of their classes;
    /// returns the runs' lengths.
    pub fn group(&self, first: usize, symbols: &[u8], grouped: &mut [u8]) -> [usize; CLASSES] {
        let runs = self.runs(first, symbols.len());
        let mut next = starts(&runs);
        let mut rest = symbols;
        for classes in self.rows(first, symbols.len()) {
            let (row, after) = rest.split_at(classes.len());
            rest = after;
            if row.len() == self.classes.len() && !self.tiles.is_empty() {
                for (tile, symbols) in self.tiles.iter().zip(row.chunks(PART)) {
                    tile.group(symbols, &mut next, grouped);
                }
                continue;
            }
            for (&symbol, &class) in row.iter().zip(classes) {
                let next = &mut next[usize::from(class) % CLASSES];
                grouped[*next] = symbol;
                *next += 1;
            }
        }
        runs
    }

    /// The inverse of [`Columns::group`]; `runs` are the runs' lengths. Whatever is behind the symbols in
    /// `grouped`, [`SLACK`] bytes of it let vectors be read at their end.
    pub fn ungroup(
        &self,
        first: usize,
        runs: &[usize; CLASSES],
        grouped: &[u8],
        symbols: &mut [u8],
        level: Level,
    ) {
        let width = self.classes.len();
        let mut next = starts(runs);
        let begun = if first == 0 { 0 } else { width - first };
        let (begun, rest) = symbols.split_at_mut(begun.min(symbols.len()));
        let (whole, last) = rest.split_at_mut(rest.len() / width * width);
        let classes = &self.classes[first..first + begun.len()];
        scalar::ungroup(classes, &mut next, grouped, begun);
        if !whole.is_empty() {
            simd::ungroup_rows(self, &mut next, grouped, whole, level);
        }
        scalar::ungroup(&self.classes[..last.len()], &mut next, grouped, last);
    }
}

/// Puts symbols in the order of the classes that `classes` has for what is given with each;
/// returns the runs' lengths.
pub fn group_by(
    classes: &[u8; 256],
    given: &[u8],
    symbols: &[u8],
    grouped: &mut [u8],
) -> [usize; CLASSES] {
    let runs = runs_by(classes, given);
    let mut next = starts(&runs);
    for (&symbol, &given) in symbols.iter().zip(given) {
        let next = &mut next[usize::from(classes[usize::from(given)])];
        grouped[*next] = symbol;
        *next += 1;
    }
    runs
}

/// The inverse of [`group_by`].
pub fn ungroup_by(classes: &[u8; 256], given: &[u8], grouped: &[u8], symbols: &mut [u8]) {
    let mut next = starts(&runs_by(classes, given));
    for (symbol, &given) in symbols.iter_mut().zip(given) {
        let next = &mut next[usize::from(classes[usize::from(given)])];
        *symbol = grouped[*next];
        *next += 1;
    }
}

/// Lengths of the runs of [`group_by`].
pub fn runs_by(classes: &[u8; 256], given: &[u8]) -> [usize; CLASSES] {
    let mut runs = [0; CLASSES];
    for (given, &count) in llmzip_coders::rans::histogram(given).iter().enumerate() {
        runs[usize::from(classes[given])] += count as usize;
    }
    runs
}

fn starts(runs: &[usize; CLASSES]) -> [usize; CLASSES] {
    let mut at = 0;
    runs.map(|run| {
        at += run;
        at - run
    })
}

/// Lengths of the pieces of rows in `len` symbols, the first of which is in column `first`.
pub fn pieces(row: usize, first: usize, len: usize) -> impl Iterator<Item = usize> {
    let mut left = len;
    let mut next = if len == 0 { 0 } else { row - first % row };
    std::iter::from_fn(move || {
        let piece = next.min(left);
        left -= piece;
        next = row;
        (piece > 0).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grouping_comes_back_from_any_column() {
        for width in [37, 64, 300] {
            grouping_comes_back(width);
        }
    }

    fn grouping_comes_back(width: usize) {
        let class = |column: usize| (column * column * 7 % 16) as u8;
        let columns = Columns::new((0..width).map(class).collect());
        for first in [0, 1, 20, width - 1] {
            for len in [0, 1, 16, 37, 38, 74, 500, 1300, 5000] {
                let symbols: Vec<u8> = (0..len).map(|i| (i * 31 % 251) as u8).collect();
                let mut grouped = vec![0; len];
                let runs = columns.group(first, &symbols, &mut grouped);
                let mut again = vec![0; len];
                let ordered = Columns::new((0..width).map(class).collect()).ordered();
                assert_eq!(ordered.group(first, &symbols, &mut again), runs);
                assert_eq!(again, grouped);
                assert_eq!(runs, columns.runs(first, len));
                assert_eq!(runs.iter().sum::<usize>(), len);
                // The first run holds the columns of class 0 in order.
                let zeros: Vec<u8> = (0..len)
                    .filter(|i| columns.classes()[(first + i) % width] == 0)
                    .map(|i| symbols[i])
                    .collect();
                assert_eq!(grouped[..runs[0]], zeros);
                let mut back = vec![0; len];
                let without = grouped.clone();
                grouped.extend_from_slice(&[77; SLACK]);
                for (name, level) in crate::simd::available() {
                    columns.ungroup(first, &runs, &without, &mut back, level);
                    assert_eq!(back, symbols, "{name}");
                    back.fill(0);
                    columns.ungroup(first, &runs, &grouped, &mut back, level);
                    assert_eq!(back, symbols, "{name}");
                }
            }
        }
    }

    #[test]
    fn long_rows_are_grouped_in_tiles() {
        for row in [PART - 1, PART, 2 * PART + 5] {
            let classes: Vec<u8> = (0..row as u32).map(|c| (c * c % 251 % 13) as u8).collect();
            let symbols: Vec<u8> = (0..3 * row).map(|i| (i * 31 % 251) as u8).collect();
            let columns = Columns::new(classes.clone());
            for first in [0, 7, row - 1] {
                let mut grouped = [vec![0; 3 * row], vec![0; 3 * row]];
                let runs = columns.group(first, &symbols, &mut grouped[0]);
                let ordered = Columns::new(classes.clone()).ordered();
                assert_eq!(ordered.group(first, &symbols, &mut grouped[1]), runs);
                assert!(grouped[0] == grouped[1], "{row} {first}");
            }
        }
    }

    #[test]
    fn grouping_by_what_is_given_comes_back() {
        let classes: [u8; 256] = std::array::from_fn(|i| (i * 5 % 11) as u8);
        let given: Vec<u8> = (0..999_u32).map(|i| (i * i % 251) as u8).collect();
        let symbols: Vec<u8> = (0..999_u32).map(|i| (i % 253) as u8).collect();
        let mut grouped = vec![0; 999];
        let runs = group_by(&classes, &given, &symbols, &mut grouped);
        assert_eq!(runs.iter().sum::<usize>(), 999);
        let mut back = vec![0; 999];
        ungroup_by(&classes, &given, &grouped, &mut back);
        assert_eq!(back, symbols);
    }

    #[test]
    fn pieces_end_with_their_rows() {
        assert_eq!(pieces(10, 7, 25).collect::<Vec<_>>(), [3, 10, 10, 2]);
        assert_eq!(pieces(10, 0, 0).count(), 0);
    }
}
