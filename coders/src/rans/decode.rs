//! Reads streams of interleaved rANS.

use super::alias::{Bucket, buckets};
use super::simd::{self, STEP_BYTES};
use super::{BUCKET, BUCKETS, LANES, LOW, Table};
use crate::CoderError;
use crate::simd::Level;

/// What a decoder looks up: made once for a table, used for any number of runs.
#[derive(Debug, Clone)]
pub struct DecodeTable(pub(super) Kind);

#[derive(Debug, Clone)]
pub(super) enum Kind {
    One(u8),
    Small(Box<Small>),
    Large(Box<Large>),
}

/// Buckets of a small table, a column each, for look-up in registers. The own symbol has the
/// positions below `divider`, none in a bucket that one symbol fills: there the other one is the
/// same.
#[derive(Debug, Clone)]
#[repr(C, align(64))]
pub(super) struct Small {
    pub divider: [u8; BUCKETS],
    /// Rank of the other symbol; the columns named own are also those by rank.
    pub other: [u8; BUCKETS],
    pub own_symbol: [u8; BUCKETS],
    pub other_symbol: [u8; BUCKETS],
    pub own_low: [u8; BUCKETS],
    pub own_high: [u8; BUCKETS],
    pub other_low: [u8; BUCKETS],
    pub other_high: [u8; BUCKETS],
    /// Modulo 2^16, what to add to the position to have the place within the other symbol.
    pub bias_low: [u8; BUCKETS],
    pub bias_high: [u8; BUCKETS],
    /// Own and other of each bucket in turn: symbol, frequency << 16, bias << 32.
    pub pairs: [u64; 2 * BUCKETS],
    pub symbols: usize,
}

/// Slots of a large table: symbol, frequency << 8, place within the symbol << 20.
#[derive(Debug, Clone)]
#[repr(C, align(64))]
pub(super) struct Large(pub [u32; 1 << super::LARGE_BITS]);

impl From<&Table> for DecodeTable {
    fn from(table: &Table) -> Self {
        if table.symbols() == 1 {
            Self(Kind::One(table.mode()))
        } else if table.symbols() <= BUCKETS {
            Self(Kind::Small(Box::new(Small::new(table))))
        } else {
            Self(Kind::Large(Box::new(Large::new(table))))
        }
    }
}

impl Small {
    fn new(table: &Table) -> Self {
        let mut symbols = [0_u8; BUCKETS];
        let mut frequencies = [0_u16; BUCKETS];
        for (rank, (symbol, f)) in table.occurring().enumerate() {
            symbols[rank] = symbol;
            frequencies[rank] = f as u16;
        }
        let buckets = buckets(table);
        let others = buckets.map(|bucket| bucket.other);
        let biases = buckets.map(|Bucket { divider, start, .. }| match divider {
            BUCKET => 0,
            _ => (start as u16).wrapping_sub(divider as u16),
        });
        let entry = |rank: usize, bias: u16| {
            u64::from(symbols[rank]) | u64::from(frequencies[rank]) << 16 | u64::from(bias) << 32
        };
        let low = |value: u16| value as u8;
        let high = |value: u16| (value >> 8) as u8;
        Self {
            symbols: table.symbols(),
            // 256 becomes 0.
            divider: buckets.map(|bucket| bucket.divider as u8),
            other: others.map(|rank| rank as u8),
            own_symbol: symbols,
            other_symbol: others.map(|rank| symbols[rank]),
            own_low: frequencies.map(low),
            own_high: frequencies.map(high),
            other_low: others.map(|rank| low(frequencies[rank])),
            other_high: others.map(|rank| high(frequencies[rank])),
            bias_low: biases.map(low),
            bias_high: biases.map(high),
            pairs: std::array::from_fn(|i| match (i / 2, i % 2) {
                (bucket, 0) => entry(bucket, 0),
                (bucket, _) => entry(others[bucket], biases[bucket]),
            }),
        }
    }
}

impl Large {
    fn new(table: &Table) -> Self {
        let mut slots = [0; 1 << super::LARGE_BITS];
        let mut rest = slots.iter_mut();
        for (symbol, f) in table.occurring() {
            let entry = u32::from(symbol) | f << 8;
            // In this order, since the first one of a zip loses an item when the other ends.
            for (place, slot) in (0..f).zip(rest.by_ref()) {
                *slot = entry | place << 20;
            }
        }
        Self(slots)
    }
}

/// Reads runs from a stream that [`super::encode`] wrote.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    states: [u32; LANES],
    lanes: usize,
    words: &'a [u8],
    /// Bytes of `words` that were read; past the end once they did not suffice.
    at: usize,
    level: Level,
}

impl<'a> Decoder<'a> {
    /// `payload` is the whole stream.
    ///
    /// # Errors
    /// [`CoderError`] when the states at its start are not there or cannot be.
    pub fn new(payload: &'a [u8], level: Level) -> Result<Self, CoderError> {
        let (&lanes, rest) = payload.split_first().ok_or(CoderError::Truncated)?;
        let lanes = usize::from(lanes);
        if lanes > LANES {
            return Err(CoderError::Corrupt);
        }
        let (first, words) = rest
            .split_at_checked(4 * lanes)
            .ok_or(CoderError::Truncated)?;
        let mut states = [LOW; LANES];
        for (state, bytes) in states.iter_mut().zip(first.as_chunks().0) {
            *state = u32::from_le_bytes(*bytes);
        }
        if states.iter().any(|&state| state < LOW) || !words.len().is_multiple_of(2) {
            return Err(CoderError::Corrupt);
        }
        Ok(Self {
            states,
            lanes,
            words,
            at: 0,
            level,
        })
    }

    /// Decodes the next run, `out.len()` bytes.
    ///
    /// # Errors
    /// [`CoderError::Truncated`] when the stream does not suffice; `out` is then not meaningful.
    /// A damaged stream can also give wrong bytes, with an error in [`Decoder::finish`] at best.
    pub fn run(&mut self, table: &DecodeTable, mut out: &mut [u8]) -> Result<(), CoderError> {
        if let Kind::One(symbol) = table.0 {
            out.fill(symbol);
            return Ok(());
        }
        if out.is_empty() {
            return Ok(());
        }
        if self.lanes == 0 {
            return Err(CoderError::Truncated);
        }
        while self.words.len() - self.at >= STEP_BYTES && !out.is_empty() {
            let words = &self.words[self.at..];
            let done = self.decode(table, words, out);
            self.at += done.bytes;
            out = &mut out[done.symbols..];
        }
        if out.is_empty() {
            return Ok(());
        }
        // Fewer words are left than a step may take: zeros follow.
        let mut tail = [0; 2 * STEP_BYTES];
        let rest = &self.words[self.at..];
        tail[..rest.len()].copy_from_slice(rest);
        let done = self.decode(table, &tail, out);
        if done.bytes > rest.len() || done.symbols < out.len() {
            self.lanes = 0;
            self.at = self.words.len();
            return Err(CoderError::Truncated);
        }
        self.at += done.bytes;
        Ok(())
    }

    fn decode(&mut self, table: &DecodeTable, words: &[u8], out: &mut [u8]) -> simd::Done {
        let job = simd::Decode {
            states: &mut self.states,
            lanes: self.lanes,
            words,
            out,
        };
        match &table.0 {
            Kind::One(_) => unreachable!("runs of one symbol are not coded"),
            Kind::Small(table) => simd::decode_small(self.level, table, job),
            Kind::Large(table) => simd::decode_large(self.level, table, job),
        }
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// [`CoderError::Corrupt`] when something is left of it, or the states are not what an encoder
    /// starts with; also after an error of [`Decoder::run`].
    pub fn finish(self) -> Result<(), CoderError> {
        if self.at == self.words.len() && self.states.iter().all(|&state| state == LOW) {
            Ok(())
        } else {
            Err(CoderError::Corrupt)
        }
    }
}
