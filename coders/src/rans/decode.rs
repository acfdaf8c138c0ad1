//! Reads streams of interleaved rANS.

use std::sync::OnceLock;

use super::alias::{Bucket, buckets};
use super::simd::{self, STEP_BYTES};
use super::{BUCKET, BUCKETS, LANES, LOW, Table};
use crate::CoderError;
use crate::simd::Level;

/// What a decoder looks up: made once for a table, used for any number of runs.
#[derive(Debug, Clone)]
pub struct DecodeTable(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Small(Box<Small>),
    Large(Box<Large>),
}

/// Bytes by bucket or by rank.
#[derive(Debug, Clone)]
#[repr(C, align(64))]
pub(super) struct Column {
    pub bytes: [u8; BUCKETS],
    /// The same, each 16 of them but the first combined by xor with the 16 before.
    pub steps: [u8; BUCKETS],
}

impl From<[u8; BUCKETS]> for Column {
    fn from(bytes: [u8; BUCKETS]) -> Self {
        let mut steps = bytes;
        for (step, before) in steps[16..].iter_mut().zip(bytes) {
            *step ^= before;
        }
        Self { bytes, steps }
    }
}

/// Buckets of a small table, a column each, for look-up in registers. The own symbol has the
/// positions below `divider`, none in a bucket that one symbol fills: there the other one is the
/// same.
#[derive(Debug, Clone)]
#[repr(C, align(64))]
pub(super) struct Small {
    pub divider: Column,
    /// Rank of the other symbol.
    pub other: Column,
    /// Modulo 2^16, what to add to the position to have the place within the other symbol.
    pub bias_low: Column,
    pub bias_high: Column,
    /// By rank.
    pub symbol: Column,
    pub low: Column,
    pub high: Column,
    /// Made when it is first asked for: vectors do without it.
    pairs: OnceLock<Box<Pairs>>,
    pub symbols: usize,
}

/// What a decoder without vectors looks up.
#[derive(Debug, Clone)]
pub(super) struct Pairs {
    divider: [u8; BUCKETS],
    /// Own and other of each bucket in turn: symbol, frequency << 16, bias << 32.
    entries: [u64; 2 * BUCKETS],
}

impl Pairs {
    /// Symbol, frequency << 16 and bias << 32 at a position, below 256, of a bucket.
    #[inline(always)]
    pub fn of(&self, bucket: usize, position: u32) -> u64 {
        let other = position >= u32::from(self.divider[bucket]);
        self.entries[2 * bucket + usize::from(other)]
    }
}

/// Slots of a large table: symbol, frequency << 8, place within the symbol << 20.
#[derive(Debug, Clone)]
#[repr(C, align(64))]
pub(super) struct Large(pub [u32; 1 << super::LARGE_BITS]);

impl From<&Table> for DecodeTable {
    fn from(table: &Table) -> Self {
        Self(if table.symbols() <= BUCKETS {
            Kind::Small(Box::new(Small::new(table)))
        } else {
            Kind::Large(Box::new(Large::new(table)))
        })
    }
}

impl DecodeTable {
    pub(super) fn small(&self) -> Option<&Small> {
        match &self.0 {
            Kind::Small(table) => Some(table),
            Kind::Large(_) => None,
        }
    }

    pub(super) fn large(&self) -> Option<&Large> {
        match &self.0 {
            Kind::Small(_) => None,
            Kind::Large(table) => Some(table),
        }
    }

    pub(super) fn is_small(&self) -> bool {
        self.small().is_some()
    }

    /// The symbol, where it is the only one. Its frequency is then all of the sum: decoding it
    /// leaves a state as it is.
    fn only(&self) -> Option<u8> {
        let table = self.small().filter(|table| table.symbols == 1)?;
        Some(table.symbol.bytes[0])
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
        let low = |value: u16| value as u8;
        let high = |value: u16| (value >> 8) as u8;
        Self {
            // 256 becomes 0.
            divider: buckets.map(|bucket| bucket.divider as u8).into(),
            other: others.map(|rank| rank as u8).into(),
            bias_low: biases.map(low).into(),
            bias_high: biases.map(high).into(),
            symbol: symbols.into(),
            low: frequencies.map(low).into(),
            high: frequencies.map(high).into(),
            pairs: OnceLock::new(),
            symbols: table.symbols(),
        }
    }

    pub fn pairs(&self) -> &Pairs {
        let number = |low: &Column, high: &Column, i: usize| {
            u64::from(low.bytes[i]) | u64::from(high.bytes[i]) << 8
        };
        let entry = |rank: usize, bias: u64| {
            let frequency = number(&self.low, &self.high, rank);
            u64::from(self.symbol.bytes[rank]) | frequency << 16 | bias << 32
        };
        self.pairs.get_or_init(|| {
            let entries = std::array::from_fn(|i| match (i / 2, i % 2) {
                (bucket, 0) => entry(bucket, 0),
                (bucket, _) => {
                    let rank = usize::from(self.other.bytes[bucket]);
                    entry(rank, number(&self.bias_low, &self.bias_high, bucket))
                }
            });
            let divider = self.divider.bytes;
            Box::new(Pairs { divider, entries })
        })
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

/// A run: so many bytes with one table.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    pub table: &'a DecodeTable,
    pub len: usize,
}

/// A stream to decode.
#[derive(Debug)]
pub struct Task<'a> {
    pub stream: &'a [u8],
    pub runs: &'a [Part<'a>],
    /// As long as all runs together.
    pub out: &'a mut [u8],
    /// Memory that is read or written next: it is fetched while the decoder computes.
    pub next: [&'a [u8]; 2],
}

/// Decodes whole streams. They wait for nothing but themselves, so two at a time take little longer
/// than one.
///
/// # Errors
/// [`CoderError`] when a stream is damaged; what was decoded is then not meaningful. A damaged stream
/// can also give wrong bytes without an error.
///
/// # Panics
/// When `out` of a task has another length than its runs.
pub fn decode<'a>(
    tasks: impl IntoIterator<Item = Task<'a>>,
    level: Level,
) -> Result<(), CoderError> {
    let mut tasks = tasks.into_iter();
    while let Some(task) = tasks.next() {
        let mut first = Decoder::new(task.stream, level)?;
        let Some(second) = tasks.next() else {
            first.complete(Cursor::new(task.runs, task.out, task.next))?;
            return first.finish();
        };
        first.runs_beside(task, second)?;
    }
    Ok(())
}

/// Reads runs from a stream that [`super::encode`] wrote.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    states: [u32; LANES],
    lanes: usize,
    /// Those that are left.
    words: &'a [u8],
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
            level,
        })
    }

    /// Decodes the next run, `out.len()` bytes.
    ///
    /// # Errors
    /// [`CoderError::Truncated`] when the stream does not suffice; `out` is then not meaningful.
    /// A damaged stream can also give wrong bytes, with an error in [`Decoder::finish`] at best.
    pub fn run(&mut self, table: &DecodeTable, out: &mut [u8]) -> Result<(), CoderError> {
        let len = out.len();
        self.runs(&[Part { table, len }], out)
    }

    /// Decodes the next runs, as long as `out` together.
    ///
    /// # Errors
    /// As those of [`Decoder::run`].
    ///
    /// # Panics
    /// When `out` has another length.
    pub fn runs(&mut self, runs: &[Part<'_>], out: &mut [u8]) -> Result<(), CoderError> {
        self.complete(Cursor::new(runs, out, [&[]; 2]))
    }

    /// Decodes all of two streams, this one and a second one.
    fn runs_beside(mut self, task: Task<'a>, second: Task<'a>) -> Result<(), CoderError> {
        let mut other = Decoder::new(second.stream, self.level)?;
        let mut cursors = [task, second].map(|task| Cursor::new(task.runs, task.out, task.next));
        if self.lanes == LANES && other.lanes == LANES {
            let [a, b] = &mut cursors;
            simd::decode_two(
                self.level,
                [
                    simd::Decode::of(&mut self.states, &mut self.words, LANES, a),
                    simd::Decode::of(&mut other.states, &mut other.words, LANES, b),
                ],
            );
        }
        let [a, b] = cursors;
        self.complete(a)?;
        self.finish()?;
        other.complete(b)?;
        other.finish()
    }

    fn complete(&mut self, mut at: Cursor<'_, '_>) -> Result<(), CoderError> {
        while let Some(table) = at.table() {
            if let Some(symbol) = table.only() {
                at.take(at.left).fill(symbol);
            } else if self.lanes == 0 {
                return Err(self.failed());
            } else if self.words.len() >= STEP_BYTES {
                let Self { states, words, .. } = self;
                simd::decode(
                    self.level,
                    simd::Decode::of(states, words, self.lanes, &mut at),
                );
            } else {
                // Fewer words are left than a step may take: zeros follow.
                let mut tail = [0; 2 * STEP_BYTES];
                tail[..self.words.len()].copy_from_slice(self.words);
                let mut words = &tail[..];
                simd::decode(
                    self.level,
                    simd::Decode::of(&mut self.states, &mut words, self.lanes, &mut at),
                );
                let used = tail.len() - words.len();
                let Some(rest) = self.words.get(used..) else {
                    return Err(self.failed());
                };
                self.words = rest;
            }
        }
        Ok(())
    }

    /// Nothing can be decoded any more.
    fn failed(&mut self) -> CoderError {
        self.lanes = 0;
        self.states[0] = 0;
        CoderError::Truncated
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// [`CoderError::Corrupt`] when something is left of it, or the states are not what an encoder
    /// starts with; also after an error of [`Decoder::run`].
    pub fn finish(self) -> Result<(), CoderError> {
        if self.words.is_empty() && self.states.iter().all(|&state| state == LOW) {
            Ok(())
        } else {
            Err(CoderError::Corrupt)
        }
    }
}

/// How far runs are decoded.
#[derive(Debug)]
pub(super) struct Cursor<'r, 'o> {
    runs: &'r [Part<'r>],
    /// What the first of them lacks.
    left: usize,
    out: &'o mut [u8],
    // Kernels of other processors leave this to the hardware.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    next: [&'o [u8]; 2],
}

impl<'r, 'o> Cursor<'r, 'o> {
    fn new(runs: &'r [Part<'r>], out: &'o mut [u8], next: [&'o [u8]; 2]) -> Self {
        assert_eq!(runs.iter().map(|run| run.len).sum::<usize>(), out.len());
        let left = runs.first().map_or(0, |run| run.len);
        Self {
            runs,
            left,
            out,
            next,
        }
    }

    /// The table of the next byte; `None` behind the last one.
    #[inline]
    pub fn table(&mut self) -> Option<&'r DecodeTable> {
        while self.left == 0 {
            let (_, rest) = self.runs.split_first()?;
            self.runs = rest;
            self.left = rest.first()?.len;
        }
        self.runs.first().map(|run| run.table)
    }

    /// Bytes that the run lacks.
    #[inline]
    pub fn left(&self) -> usize {
        self.left
    }

    /// Takes up to `len` bytes off what is to be fetched.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    #[inline]
    pub fn fetch(&mut self, len: usize) -> &'o [u8] {
        let next = match &mut self.next {
            [first, _] if !first.is_empty() => first,
            [_, second] => second,
        };
        let (now, later) = next.split_at(len.min(next.len()));
        *next = later;
        now
    }

    /// The next `len` bytes of the run, to be filled.
    ///
    /// # Panics
    /// When it lacks fewer.
    #[inline]
    pub fn take(&mut self, len: usize) -> &'o mut [u8] {
        assert!(len <= self.left);
        self.left -= len;
        let (now, later) = std::mem::take(&mut self.out).split_at_mut(len);
        self.out = later;
        now
    }
}
