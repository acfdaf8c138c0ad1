//! Magnitudes around the current symbol, and the running scales of its row and column.
//!
//! Magnitudes are binary logarithms in units of `2^-8`, `0..4096`: [`OCTAVES`] octaves.

pub const OCTAVES: usize = 16;
const MOST: i32 = (OCTAVES as i32) << 8;

/// Magnitude of each symbol, an octave in `2^octave` steps.
pub fn magnitudes(top: u8, mask: u8, octave: u32) -> [u16; 256] {
    std::array::from_fn(|symbol| {
        let below = i32::from(top) - i32::from(symbol as u8 & mask);
        // The top one is in the middle of the highest octave but one.
        (MOST - 384 - ((below << 8) >> octave)).clamp(0, MOST - 1) as u16
    })
}

/// A running mean with 8 more bits, and steps that shrink to one of `2^-slow`.
#[derive(Debug, Clone, Copy)]
struct Mean(i32);

impl Mean {
    #[inline(always)]
    fn step(&mut self, value: i32, rate: i32) {
        self.0 += ((((value << 8) - self.0) >> 4) * rate) >> 12;
    }

    #[inline(always)]
    fn get(self) -> i32 {
        self.0 >> 8
    }
}

#[derive(Clone)]
pub struct Field {
    width: usize,
    /// The rows above, by column.
    above: Vec<[u16; 2]>,
    /// Mean of each column, and how many rows it has seen.
    columns: Vec<(i32, u16)>,
    column: usize,
    /// Symbols of this row so far.
    seen: usize,
    /// Mean of the row, of its distance to the means of the columns, and that of the last few.
    row: Mean,
    offset: Mean,
    recent: Mean,
    recent_offset: Mean,
    all: Mean,
    pub left: i32,
    pub left2: i32,
    up_left: i32,
    rates: [i32; 256],
}

/// What is known before a symbol, as magnitudes.
#[derive(Debug, Clone, Copy)]
pub struct Around {
    pub left: i32,
    pub left2: i32,
    pub up: i32,
    pub up2: i32,
    pub up_left: i32,
    pub up_right: i32,
    pub row: i32,
    pub recent: i32,
    pub column_mean: i32,
    /// Column's mean moved by the row's mean distance to such means, by that of the last few.
    pub expected: i32,
    pub expected_recent: i32,
    pub column: usize,
}

/// Symbols after which a row's or a column's mean stops slowing down.
const SLOWEST: usize = 255;
/// What a row's mean counts as at its start.
const HEAD_START: usize = 6;

impl Field {
    /// `width` symbols in a row, at least one.
    pub fn new(width: usize) -> Self {
        let middle = MOST / 2;
        Self {
            width,
            above: vec![[middle as u16; 2]; width],
            columns: vec![(middle << 8, 0); width],
            column: 0,
            seen: 0,
            row: Mean(middle << 8),
            offset: Mean(0),
            recent: Mean(middle << 8),
            recent_offset: Mean(0),
            all: Mean(middle << 8),
            left: middle,
            left2: middle,
            up_left: middle,
            rates: std::array::from_fn(|n| (1 << 16) / (n as i32 + 1)),
        }
    }

    /// Moves to the column of a block's first symbol.
    pub fn start(&mut self, column: usize) {
        if column % self.width != self.column {
            self.column = column % self.width;
        }
    }

    /// Symbols of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    #[inline(always)]
    pub fn around(&self) -> Around {
        let at = self.column;
        let [up, up2] = self.above[at].map(i32::from);
        let up_right = if at + 1 < self.width {
            i32::from(self.above[at + 1][0])
        } else {
            up
        };
        let column_mean = self.columns[at].0 >> 8;
        let fit = |value: i32| value.clamp(0, MOST - 1);
        Around {
            left: self.left,
            left2: self.left2,
            up,
            up2,
            up_left: self.up_left,
            up_right,
            row: fit(self.row.get()),
            recent: fit(self.recent.get()),
            column_mean: fit(column_mean),
            expected: fit(column_mean + self.offset.get()),
            expected_recent: fit(column_mean + self.recent_offset.get()),
            column: at,
        }
    }

    /// Goes on behind a symbol of this magnitude.
    #[inline(always)]
    pub fn step(&mut self, value: u16) {
        let at = self.column;
        let magnitude = i32::from(value);
        let (mean, rows) = self.columns[at];
        let distance = magnitude - (mean >> 8);
        let mut column = Mean(mean);
        // A new column starts at the scale of everything so far.
        if rows == 0 {
            column = self.all;
        }
        column.step(
            magnitude,
            self.rates[usize::from(rows).min(SLOWEST - 2) + 1],
        );
        self.columns[at] = (column.0, rows.saturating_add(1));
        let rate = self.rates[(self.seen + HEAD_START).min(SLOWEST)];
        self.row.step(magnitude, rate);
        self.offset.step(distance, rate);
        self.recent.step(magnitude, self.rates[15]);
        self.recent_offset.step(distance, self.rates[15]);
        self.all.step(magnitude, self.rates[255]);
        let [up, _] = self.above[at];
        self.above[at] = [value, up];
        self.up_left = i32::from(up);
        self.left2 = self.left;
        self.left = magnitude;
        self.seen += 1;
        self.column += 1;
        if self.column == self.width {
            self.column = 0;
            self.seen = 0;
            self.row = self.all;
            self.offset = Mean(0);
        }
    }
}
