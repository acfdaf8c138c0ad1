//! Writes streams of interleaved rANS.

use super::alias::buckets;
use super::simd;
use super::{BUCKET, BUCKETS, LANES, LOW, SMALL_BITS, Table};
use crate::simd::Level;

/// Symbols of a stream for each lane that it has, up to [`LANES`]: a lane costs some 3 bytes.
const SYMBOLS_PER_LANE: usize = 512;

/// What an encoder looks up: made once for a table, used for any number of runs.
#[derive(Debug, Clone)]
pub struct EncodeTable {
    pub(super) bits: u32,
    pub(super) symbols: usize,
    /// By symbol; all zeros for those that do not occur.
    pub(super) entries: [Entry; 256],
    /// Slots of a small table, by symbol and place within it, and a value more, so that any two
    /// bytes can be read as four; empty where slots are in order.
    pub(super) slots: Box<[u16]>,
    /// Of a small table whose symbols differ in their lower six bits.
    #[cfg(target_arch = "x86_64")]
    pub(super) compact: Option<Box<Compact>>,
}

/// The entries of up to 64 symbols by the lower six bits of each, for look-up in registers.
#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone)]
#[repr(C, align(64))]
pub(super) struct Compact {
    /// The symbol, or another one with other lower bits where there is none.
    pub symbols: [u8; BUCKETS],
    pub reciprocals: [f32; BUCKETS],
    /// Frequency, and from bit 16 on the frequencies of all symbols before.
    pub rest: [u32; BUCKETS],
}

#[cfg(target_arch = "x86_64")]
impl Compact {
    fn new(entries: &[Entry; 256]) -> Option<Box<Self>> {
        let mut compact = Self {
            symbols: std::array::from_fn(|i| i as u8 ^ 1),
            reciprocals: [0.0; BUCKETS],
            rest: [0; BUCKETS],
        };
        for (symbol, entry) in (0..=255_u8).zip(entries) {
            if entry.frequency == 0 {
                continue;
            }
            let i = usize::from(symbol) % BUCKETS;
            if compact.rest[i] != 0 {
                return None;
            }
            compact.symbols[i] = symbol;
            compact.reciprocals[i] = reciprocal(entry.frequency);
            compact.rest[i] = u32::from(entry.frequency) | u32::from(entry.start) << 16;
        }
        Some(Box::new(compact))
    }
}

/// `1 / frequency`, less one part in 2^21: an estimate of a quotient of up to 18 bits, in single
/// precision, is then never above it, and at most one below.
#[cfg(target_arch = "x86_64")]
pub(super) fn reciprocal(frequency: u16) -> f32 {
    let less = 1.0 - f64::from(1 << 21).recip();
    (less / f64::from(frequency)) as f32
}

#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub(super) struct Entry {
    /// 2^32 divided by the frequency, rounded down; 2^32 - 1 for a frequency of 1.
    pub reciprocal: u32,
    pub frequency: u16,
    /// Frequencies of all symbols before.
    pub start: u16,
}

impl From<&Table> for EncodeTable {
    fn from(table: &Table) -> Self {
        let mut entries = [Entry::default(); 256];
        let mut start = 0;
        for (symbol, f) in table.occurring() {
            entries[usize::from(symbol)] = Entry {
                reciprocal: ((1_u64 << 32) / u64::from(f)).min(u64::from(u32::MAX)) as u32,
                frequency: f as u16,
                start: start as u16,
            };
            start += f;
        }
        let slots = if (2..=BUCKETS).contains(&table.symbols()) {
            alias_slots(table)
        } else {
            Box::default()
        };
        #[cfg(target_arch = "x86_64")]
        let compact = if slots.is_empty() {
            None
        } else {
            Compact::new(&entries)
        };
        Self {
            bits: table.bits(),
            symbols: table.symbols(),
            entries,
            slots,
            #[cfg(target_arch = "x86_64")]
            compact,
        }
    }
}

fn alias_slots(table: &Table) -> Box<[u16]> {
    let mut starts = [0; BUCKETS];
    let mut start = 0;
    for (own, (_, f)) in starts.iter_mut().zip(table.occurring()) {
        *own = start;
        start += f as usize;
    }
    let mut slots = vec![0_u16; (1 << SMALL_BITS) + 1];
    let mut fill = |from: usize, first: usize, count: usize| {
        for (slot, value) in slots[from..from + count].iter_mut().zip(first..) {
            *slot = value as u16;
        }
    };
    for (rank, bucket) in buckets(table).iter().enumerate() {
        let first = rank * BUCKET;
        fill(starts[rank], first, bucket.divider);
        let from = starts[bucket.other] + bucket.start;
        fill(from, first + bucket.divider, BUCKET - bucket.divider);
    }
    slots.into_boxed_slice()
}

/// Symbols that are coded with one table.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    pub symbols: &'a [u8],
    pub table: &'a EncodeTable,
}

impl Run<'_> {
    /// Symbols that take part in a stream: where there is only one, none do.
    fn coded(&self) -> usize {
        if self.table.symbols > 1 {
            self.symbols.len()
        } else {
            0
        }
    }
}

/// Writes streams one after the other, in memory that it keeps.
#[derive(Debug, Clone, Default)]
pub struct Encoder {
    /// As bytes of little-endian numbers.
    words: Vec<[u8; 2]>,
}

/// A stream that was coded and is not written yet.
#[derive(Debug)]
pub struct Stream<'a> {
    states: [u32; LANES],
    lanes: usize,
    words: &'a [[u8; 2]],
}

impl Encoder {
    /// One stream of all `runs`, each of which starts at the first lane.
    ///
    /// # Panics
    /// When a table lacks a symbol of its run.
    pub fn encode(&mut self, runs: &[Run<'_>], level: Level) -> Stream<'_> {
        let mut open = Open::new(self, runs);
        open.complete(level);
        open.into_stream()
    }
}

/// Two streams, as [`Encoder::encode`] makes each: together they take less time, since they do not
/// wait for each other.
///
/// # Panics
/// As there.
pub fn encode_two<'e>(
    encoders: [&'e mut Encoder; 2],
    runs: [&[Run<'_>]; 2],
    level: Level,
) -> [Stream<'e>; 2] {
    let [first, second] = encoders;
    let (mut a, mut b) = (Open::new(first, runs[0]), Open::new(second, runs[1]));
    while simd::has_two(level)
        && let (Some(table_a), Some(table_b)) = (a.table(), b.table())
    {
        match a.whole_steps().min(b.whole_steps()) {
            0 if a.whole_steps() == 0 => a.step(table_a, level),
            0 => b.step(table_b, level),
            steps => {
                let jobs = [a.take(steps * LANES), b.take(steps * LANES)];
                [a.free, b.free] = simd::encode_two(level, [table_a, table_b], jobs);
            }
        }
    }
    a.complete(level);
    b.complete(level);
    [a.into_stream(), b.into_stream()]
}

/// A stream that is being coded, from its last symbol to its first.
struct Open<'r, 'e> {
    states: [u32; LANES],
    lanes: usize,
    words: &'e mut [[u8; 2]],
    /// How many of the words are not used yet; they are filled from the end.
    free: usize,
    /// Runs that are not coded, the last one but for its first `left` symbols.
    runs: &'r [Run<'r>],
    left: usize,
}

impl<'r, 'e> Open<'r, 'e> {
    fn new(encoder: &'e mut Encoder, runs: &'r [Run<'r>]) -> Self {
        for run in runs.iter().filter(|run| run.table.symbols == 1) {
            for &symbol in run.symbols {
                assert!(run.table.entries[usize::from(symbol)].frequency > 0);
            }
        }
        let coded = || runs.iter().map(Run::coded);
        let longest = coded().max().unwrap_or(0);
        let total: usize = coded().sum();
        // No symbol takes more than a word; those of the last step come first.
        if encoder.words.len() < total {
            encoder.words.resize(total, [0; 2]);
        }
        Self {
            states: [LOW; LANES],
            lanes: (total / SYMBOLS_PER_LANE).clamp(1, LANES).min(longest),
            words: &mut encoder.words[..total],
            free: total,
            runs,
            left: runs.last().map_or(0, Run::coded),
        }
    }

    /// The table of the symbol that is coded next; `None` when all are.
    fn table(&mut self) -> Option<&'r EncodeTable> {
        while self.left == 0 {
            let (_, rest) = self.runs.split_last()?;
            self.runs = rest;
            self.left = rest.last()?.coded();
        }
        self.runs.last().map(|run| run.table)
    }

    /// How many steps of all lanes come next.
    fn whole_steps(&self) -> usize {
        if self.left.is_multiple_of(LANES) && self.lanes == LANES {
            self.left / LANES
        } else {
            0
        }
    }

    /// Takes the last `len` symbols off the run.
    fn take(&mut self, len: usize) -> simd::Encode<'_> {
        let symbols = self.runs.last().map_or(&[][..], |run| run.symbols);
        let end = self.left;
        self.left -= len;
        simd::Encode {
            states: &mut self.states,
            lanes: self.lanes,
            symbols: &symbols[self.left..end],
            words: &mut self.words[..self.free],
        }
    }

    /// Codes the last step of the run.
    fn step(&mut self, table: &EncodeTable, level: Level) {
        let last = (self.left - 1) % self.lanes + 1;
        self.free = simd::encode(level, table, self.take(last));
    }

    /// Codes all that is left.
    fn complete(&mut self, level: Level) {
        while let Some(table) = self.table() {
            self.free = simd::encode(level, table, self.take(self.left));
        }
    }

    fn into_stream(self) -> Stream<'e> {
        Stream {
            states: self.states,
            lanes: self.lanes,
            words: &self.words[self.free..],
        }
    }
}

impl Stream<'_> {
    /// Bytes of the stream.
    #[must_use]
    #[expect(
        clippy::len_without_is_empty,
        reason = "a stream has its number of lanes"
    )]
    pub fn len(&self) -> usize {
        1 + 4 * self.lanes + 2 * self.words.len()
    }

    /// Appends the stream.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(self.lanes as u8);
        for state in &self.states[..self.lanes] {
            out.extend_from_slice(&state.to_le_bytes());
        }
        out.extend_from_slice(self.words.as_flattened());
    }
}

/// One stream of all `runs`, as [`Encoder::encode`] makes it.
///
/// # Panics
/// As there.
#[must_use]
pub fn encode(runs: &[Run<'_>], level: Level) -> Vec<u8> {
    let mut encoder = Encoder::default();
    let stream = encoder.encode(runs, level);
    let mut out = Vec::with_capacity(stream.len());
    stream.write(&mut out);
    out
}
