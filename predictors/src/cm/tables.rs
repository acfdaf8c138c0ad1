//! Tables that the format fixes, read from the data files that the reference reader loads too.

use std::sync::OnceLock;

/// Number of bit-history states, used or not.
pub const STATES: usize = 256;

/// Largest stretch value: 16 nats less one unit of `2^-11` nats.
pub const STRETCH_MAX: i32 = 32767;

pub struct Tables {
    /// Probability in units of `2^-32` of stretch values `(i - 2047.5) * 16`.
    pub squash: [u32; 4096],
    /// Stretch of probabilities `(i + 0.5) / 4096`, in units of `2^-11` nats.
    pub stretch: [i32; 4096],
    /// Next state of a bit history: on a zero, then on a one.
    next: [u8; 2 * STATES],
    /// Counts of zeros and ones that a bit history stands for.
    pub counts: [[u8; 2]; STATES],
    /// `4096 / (n + 1.5)`, rounded down.
    pub reciprocal: [i32; 1024],
}

fn numbers(text: &str) -> impl Iterator<Item = i64> + '_ {
    text.split([',', '\n'])
        .filter(|field| !field.is_empty())
        .map(|field| {
            field
                .parse()
                .expect("a table shipped with the crate holds numbers")
        })
}

impl Tables {
    /// The one instance; made at first use.
    pub fn get() -> &'static Self {
        static TABLES: OnceLock<Box<Tables>> = OnceLock::new();
        TABLES.get_or_init(|| Box::new(Self::load()))
    }

    fn load() -> Self {
        let mut tables = Self {
            squash: [0; 4096],
            stretch: [0; 4096],
            next: [0; 2 * STATES],
            counts: [[0; 2]; STATES],
            reciprocal: [0; 1024],
        };
        let squash = numbers(include_str!("../../tables/squash.csv"));
        for (slot, value) in tables.squash.iter_mut().zip(squash) {
            *slot = value as u32;
        }
        let stretch = numbers(include_str!("../../tables/stretch.csv"));
        for (slot, value) in tables.stretch.iter_mut().zip(stretch) {
            *slot = value as i32;
        }
        let mut history = numbers(include_str!("../../tables/bit_history.csv"));
        for state in 0..STATES {
            let Some(on_zero) = history.next() else { break };
            let mut field = || history.next().expect("a bit history has four fields") as u8;
            tables.next[state] = on_zero as u8;
            tables.next[STATES + state] = field();
            tables.counts[state] = [field(), field()];
        }
        for (n, slot) in tables.reciprocal.iter_mut().enumerate() {
            *slot = 2 * 4096 / (2 * n as i32 + 3);
        }
        tables
    }

    /// Probability of a one, in units of `2^-32`, of a stretch value in `-32768..=32767`.
    #[inline(always)]
    pub fn squash(&self, stretch: i32) -> u32 {
        self.squash[((stretch + 32768) >> 4) as usize & 4095]
    }

    /// Bit history after `bit`.
    #[inline(always)]
    pub fn next(&self, state: u8, bit: u32) -> u8 {
        self.next[usize::from(state) | (bit as usize & 1) << 8]
    }

    /// Stretch value of a probability in units of `2^-12`.
    #[inline(always)]
    pub fn stretch(&self, p12: u32) -> i32 {
        self.stretch[p12 as usize & 4095]
    }
}
