//! Classes of columns and rows: symbols that share a static table are coded together.

/// Most classes that a plane has.
pub const CLASSES: usize = 16;

/// Class of every column of a row of symbols.
pub struct Columns {
    classes: Vec<u8>,
}

/// Where the symbols of a piece of the plane go when they are grouped by class.
struct Layout {
    /// Length of each class's run; runs lie one after the other.
    runs: [usize; CLASSES],
    /// For each column, counted from the piece's first, where its next symbol lies.
    cursors: Vec<u32>,
    /// What a cursor moves by from row to row: columns of its class.
    strides: Vec<u32>,
}

impl Columns {
    /// `classes` are below [`CLASSES`], one for each symbol of a row.
    pub fn new(classes: Vec<u8>) -> Self {
        Self { classes }
    }

    /// Symbols of a row.
    pub fn row(&self) -> usize {
        self.classes.len()
    }

    /// Class of every column.
    pub fn classes(&self) -> &[u8] {
        &self.classes
    }

    fn layout(&self, first: usize, len: usize) -> Layout {
        let row = self.row();
        let turned = || {
            let (before, from) = self.classes.split_at(first);
            from.iter().chain(before).map(|&class| usize::from(class))
        };
        let mut members = [0_usize; CLASSES];
        let mut rest = [0_usize; CLASSES];
        for (column, class) in turned().enumerate() {
            members[class] += 1;
            rest[class] += usize::from(column < len % row);
        }
        let runs: [usize; CLASSES] =
            std::array::from_fn(|class| members[class] * (len / row) + rest[class]);
        let mut next = [0_u32; CLASSES];
        for class in 1..CLASSES {
            next[class] = next[class - 1] + runs[class - 1] as u32;
        }
        let mut cursors = Vec::with_capacity(row);
        let mut strides = Vec::with_capacity(row);
        for class in turned() {
            cursors.push(next[class]);
            strides.push(members[class] as u32);
            next[class] += 1;
        }
        Layout {
            runs,
            cursors,
            strides,
        }
    }

    /// Length of each class's run in a piece of `len` symbols that starts in column `first`.
    pub fn runs(&self, first: usize, len: usize) -> [usize; CLASSES] {
        self.layout(first, len).runs
    }

    /// Puts `symbols`, the first of which is in column `first`, in the order of their classes;
    /// returns the runs' lengths.
    pub fn group(&self, first: usize, symbols: &[u8], grouped: &mut [u8]) -> [usize; CLASSES] {
        let mut layout = self.layout(first, symbols.len());
        for row in symbols.chunks(self.row()) {
            for ((&symbol, cursor), &stride) in
                row.iter().zip(&mut layout.cursors).zip(&layout.strides)
            {
                grouped[*cursor as usize] = symbol;
                *cursor = cursor.wrapping_add(stride);
            }
        }
        layout.runs
    }

    /// The inverse of [`Columns::group`].
    pub fn ungroup(&self, first: usize, grouped: &[u8], symbols: &mut [u8]) {
        let mut layout = self.layout(first, symbols.len());
        for row in symbols.chunks_mut(self.row()) {
            for ((symbol, cursor), &stride) in
                row.iter_mut().zip(&mut layout.cursors).zip(&layout.strides)
            {
                *symbol = grouped[*cursor as usize];
                *cursor = cursor.wrapping_add(stride);
            }
        }
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
    let mut at = 0;
    std::iter::from_fn(move || {
        let piece = (row - (first + at) % row).min(len - at);
        at += piece;
        (piece > 0).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grouping_comes_back_from_any_column() {
        let columns = Columns::new((0..37_u8).map(|c| c * 7 % 13).collect());
        for first in [0, 1, 20, 36] {
            for len in [0, 1, 16, 37, 38, 74, 500] {
                let symbols: Vec<u8> = (0..len).map(|i| (i * 31 % 251) as u8).collect();
                let mut grouped = vec![0; len];
                let runs = columns.group(first, &symbols, &mut grouped);
                assert_eq!(runs, columns.runs(first, len));
                assert_eq!(runs.iter().sum::<usize>(), len);
                // The first run holds the columns of class 0 in order.
                let zeros: Vec<u8> = (0..len)
                    .filter(|i| columns.classes()[(first + i) % 37] == 0)
                    .map(|i| symbols[i])
                    .collect();
                assert_eq!(grouped[..runs[0]], zeros);
                let mut back = vec![0; len];
                columns.ungroup(first, &grouped, &mut back);
                assert_eq!(back, symbols);
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
