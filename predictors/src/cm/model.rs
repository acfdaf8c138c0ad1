//! The context mixer: predicts one bit at a time and learns from it.

mod copy;
mod peek;
mod shares;

use std::ops::Range;
use std::sync::Arc;

use super::apm::Apm;
use super::bilevel::Bilevel;
use super::context::{Context, hash16, nibble_hash};
use super::counter;
use super::grey::Grey;
use super::hash_table::HashTable;
use super::history::{History, Mark};
use super::match_model::MatchModel;
use super::mixer::{External, Mixer, ONE, Rate, padded};
use super::neighbourhood::Neighbourhood;
use super::plan::Plan;
use super::records::Records;
use super::run_map::RunMap;
use super::selector::{Curve, Selector};
use super::tables::{STATES, Tables};
use crate::segment::PredictorError;
use crate::simd::Kernels;
use crate::simd::group::Group;
use crate::simd::scalar::WEIGHT_LIMIT;

pub use peek::Held;

/// Log2 of the entries of a match model's table.
const LOG_MATCHES: u32 = 18;
/// Input that is always there, in stretch units.
const BIAS: i32 = 256;
const CURVE_RATE: u32 = 6;

/// A model with `S` selectors and `A` curves.
pub struct Model<const S: usize, const A: usize> {
    tables: &'static Tables,
    plan: Plan,
    history: History,
    hashes: Vec<u32>,
    /// Where the contexts' slots are, and their bit histories while a nibble lasts.
    slots: Vec<usize>,
    groups: Vec<Group>,
    table: HashTable,
    matchers: Vec<MatchModel>,
    runs: Option<RunMap>,
    bilevel: Option<Bilevel>,
    grey: Option<Grey>,
    mixer: Mixer<S>,
    /// The mixer that is not in use, of two: see [`Model::heed`].
    other: Option<Box<Mixer<S>>>,
    heeds: bool,
    /// Width of the first block of inputs: contexts, then all others.
    block: usize,
    selectors: [Selector; S],
    /// Where the external inputs begin; inputs and selector contexts from outside.
    externals_at: usize,
    external: Vec<(i32, usize)>,
    curves: [(Curve, u32); A],
    apms: [Apm; A],
    /// Context of each curve, to be joined to the bits of the current byte.
    apm_bases: [usize; A],
    /// Bits of the current byte behind a leading one, 1..=255.
    partial: u32,
    bit_position: u32,
    /// Whether the model guesses: not where something reads the history while a byte lasts.
    guesses: bool,
    /// The history before the byte that it was guessed to go on with, see [`Model::guess`].
    guessed: Option<Mark>,
}

/// First counters of a map over bit histories: what the counts say, adapted fast.
fn young_map(tables: &Tables) -> [u32; STATES] {
    tables.counts.map(|[zeros, ones]| {
        let (n0, n1) = (u32::from(zeros), u32::from(ones));
        counter::counter(((n1 * 5 + 2) << 22) / ((n0 + n1) * 5 + 4), 6)
    })
}

/// The first weight of each of `width` inputs: `n` contexts, a bias, `matches`, maybe others, `pixels`,
/// the external ones.
fn first_weights(
    n: usize,
    matches: usize,
    pixels: Range<usize>,
    width: usize,
    externals: &[External],
) -> Vec<i32> {
    let mut initial = vec![0; width];
    // A good outside predictor starts in the lead: it loses if others start as its equals. Of pixels the
    // contexts know more.
    let led = !externals.is_empty() && pixels.is_empty();
    let parts = if led { 64 } else { 8 };
    let share = i64::from(ONE) * 21 / (parts * n as i64);
    initial[..n].fill(share.min(i64::from(ONE)) as i32);
    initial[n + 1..n + 1 + matches]
        .iter_mut()
        .step_by(2)
        .for_each(|w| *w = ONE / 8);
    let before = pixels.end;
    initial[pixels].fill(ONE / 16);
    for (weight, external) in initial[before..].iter_mut().zip(externals) {
        *weight = external.weight.clamp(-WEIGHT_LIMIT, WEIGHT_LIMIT);
    }
    initial
}

impl<const S: usize, const A: usize> Model<S, A> {
    /// A model for a segment of `raw_len` bytes with these inputs from outside; `S` counts the
    /// plan's selectors and those of `externals` that have one.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    ///
    /// # Panics
    /// If the plan and the external inputs do not have `S` selectors and `A` curves.
    pub fn new(plan: Plan, raw_len: u64, externals: &[External]) -> Result<Self, PredictorError> {
        let tables = Tables::get();
        let map = young_map(tables);
        let n = plan.contexts.len();
        let pixels = plan.pixel_inputs();
        let runs = if plan.runs { n } else { 0 };
        let matches = 2 * plan.match_lengths.len();
        let before = n + 1 + matches + runs + pixels;
        let block = padded(before + externals.len());
        let width = block + if plan.distance { padded(n) } else { 0 };
        let initial = first_weights(n, matches, before - pixels..before, width, externals);
        let own = externals.iter().enumerate().filter(|(_, e)| e.selector > 0);
        let own = own.map(|(i, e)| Selector::External(i, e.selector));
        let selectors: Vec<Selector> = plan.selectors.iter().copied().chain(own).collect();
        let selectors: [Selector; S] = selectors
            .try_into()
            .expect("as many selectors as the type has");
        let curves: [(Curve, u32); A] = plan
            .curves
            .try_into()
            .expect("as many curves as the type has");
        let slower: Vec<_> = (before..)
            .zip(externals)
            .map(|(at, e)| (at, e.rate_shift.min(31)))
            .filter(|&(_, shift)| shift > 0)
            .collect();
        let apms: Vec<Apm> = curves
            .iter()
            .map(|(curve, _)| Apm::new(tables, curve.contexts(), CURVE_RATE))
            .collect::<Result<_, _>>()?;
        let Ok(apms) = <[Apm; A]>::try_from(apms) else {
            unreachable!("a map for each curve")
        };
        let grey = match plan.templates {
            [] => None,
            templates => {
                let around = Neighbourhood::new(plan.stride, plan.plane, plan.offset);
                Some(Grey::new(around, templates)?)
            }
        };
        let history = History::new(plan.stride, raw_len, plan.distance)?;
        let mut model = Self {
            tables,
            guesses: !plan.bilevel && plan.templates.is_empty() && history.can_undo(),
            history,
            hashes: vec![0; n],
            slots: vec![usize::MAX; n],
            groups: Group::of(n, &map),
            table: HashTable::new(plan.log_table(raw_len))?,
            matchers: plan
                .match_lengths
                .iter()
                .map(|&length| MatchModel::new(length, LOG_MATCHES))
                .collect::<Result<_, _>>()?,
            runs: plan.runs.then(|| RunMap::new(n, plan.log_runs(raw_len))),
            bilevel: plan.bilevel.then(|| Bilevel::new(plan.stride, &map)),
            grey,
            mixer: Mixer::new(
                &initial,
                slower,
                selectors.map(Selector::contexts),
                [256, 256],
                plan.rates,
            ),
            block,
            selectors,
            externals_at: before,
            external: vec![(0, 0); externals.len()],
            curves,
            apms,
            apm_bases: [0; A],
            partial: 1,
            bit_position: 0,
            guessed: None,
            other: None,
            heeds: true,
            plan,
        };
        // Contexts of records wait for [`Model::set_records`].
        if !matches!(plan.contexts.first(), Some(Context::Record(_))) {
            model.look_ahead();
            model.byte_boundary();
        }
        Ok(model)
    }

    /// Gives the next bit's value of an external input: a stretched probability of a one in units of
    /// `2^-11` nats, and the context of its own selector.
    pub fn set_external(&mut self, index: usize, stretch: i16, selector: usize) {
        self.external[index] = (i32::from(stretch).max(-32767), selector);
        for (&(curve, _), base) in self.curves.iter().zip(&mut self.apm_bases) {
            if let Curve::External(of, contexts) = curve
                && of == index
            {
                *base = selector.min(contexts - 1) << 8;
            }
        }
    }

    /// Says what contexts of records are made of, before all else.
    pub fn set_records(&mut self, records: Arc<Records>) {
        self.history.records = Some(records);
        self.look_ahead();
        self.byte_boundary();
    }

    /// Passes over the first `bits` of the next byte, fewer than 8, which are zeros on both sides.
    #[inline(always)]
    pub fn skip(&mut self, bits: u32) {
        self.partial = 1 << bits.min(4);
        if bits >= 4 {
            self.nibble_boundary();
            self.partial = 1 << bits;
        }
        self.bit_position = bits;
    }

    /// The byte that the first match model expects next, between two bytes, and the class of its match
    /// length: 0, where it expects none, to 15.
    #[must_use]
    pub fn expected(&self) -> (u8, usize) {
        let matcher = &self.matchers[0];
        let byte = matcher.expected();
        (
            byte.unwrap_or(0),
            byte.map_or(0, |_| matcher.length_class()),
        )
    }

    /// Adds a mixer for bytes without a prediction from outside, which learns at its own `rates` and is
    /// used from now on.
    pub fn add_plain_mixer(&mut self, rates: [Rate; 2]) {
        let (n, matches) = (self.hashes.len(), 2 * self.matchers.len());
        let before = self.externals_at;
        let pixels = self.plan.pixel_inputs();
        let width = self.mixer.inputs.len();
        let initial = first_weights(n, matches, before - pixels..before, width, &[]);
        let selectors = self.selectors.map(Selector::contexts);
        let mixer = Mixer::new(&initial, Vec::new(), selectors, [256, 256], rates);
        let joint = std::mem::replace(&mut self.mixer, mixer);
        self.other = Some(Box::new(joint));
        self.heeds = false;
        self.select_for_byte();
    }

    /// Says, between two bytes, whether predictions from outside come from now on: a model with two
    /// mixers changes over to the one for that.
    pub fn heed(&mut self, externals: bool) {
        if let Some(other) = &mut self.other
            && externals != self.heeds
        {
            std::mem::swap(&mut self.mixer, other);
            self.heeds = externals;
            self.select_for_byte();
        }
    }

    /// Goes on as if the last bit of the byte were `bit`, so that the memory the next byte needs is
    /// on its way while that bit is coded; [`Model::push`] takes it back where it comes otherwise.
    #[inline(never)]
    fn guess(&mut self, bit: u32) {
        self.guessed = Some(self.history.mark());
        self.history.push((self.partial << 1 | bit) as u8);
        self.look_ahead();
    }

    /// Takes up the byte that came.
    #[inline(always)]
    fn push(&mut self, byte: u8) {
        if let Some(mark) = self.guessed.take() {
            if self.history.last8 as u8 == byte {
                return;
            }
            self.history.undo(mark);
        }
        self.history.push(byte);
        self.look_ahead();
    }

    /// Finds where the memory is that the next byte needs, and asks for it.
    fn look_ahead(&mut self) {
        for matcher in &mut self.matchers {
            matcher.prepare(&self.history.bytes);
        }
        if let Some(grey) = &mut self.grey {
            grey.advance(&self.history.bytes);
        }
        let grey = self.grey.as_ref();
        for (number, (context, hash)) in self.plan.contexts.iter().zip(&mut self.hashes).enumerate()
        {
            *hash = context.hash(&self.history, grey, number);
            self.table.prefetch(*hash);
        }
        for ((apm, &(curve, _)), base) in
            self.apms.iter().zip(&self.curves).zip(&mut self.apm_bases)
        {
            *base = match curve {
                Curve::Order0 => 0,
                Curve::Order1 => (self.history.last8 & 0xff) as usize * 256,
                Curve::Order2 => hash16(self.history.last8 & 0xffff),
                Curve::Place | Curve::Prediction | Curve::Shades => {
                    grey.map_or(0, |grey| grey.curve(curve))
                }
                // Follows the input, see `set_external`.
                Curve::External(..) => continue,
                Curve::Field => self.history.place().min(255) * 256,
            };
            apm.prefetch(*base ^ 1);
        }
        for matcher in &self.matchers {
            matcher.fetch(&self.history.bytes);
        }
    }

    fn byte_boundary(&mut self) {
        if let Some(runs) = &mut self.runs {
            runs.byte(self.history.last8 as u8, &self.hashes);
        }
        self.open_slots();
        for matcher in &mut self.matchers {
            matcher.byte(&self.history.bytes);
        }
        self.select_for_byte();
    }

    #[inline(always)]
    fn select_for_byte(&mut self) {
        for table in 0..S {
            if self.selectors[table].keeps_for_a_byte() {
                let context = self.selector_context(self.selectors[table], 0);
                self.mixer.select(table, context);
            }
        }
    }

    fn nibble_boundary(&mut self) {
        for hash in &mut self.hashes {
            *hash = nibble_hash(*hash, self.partial);
        }
        self.open_slots();
    }

    /// Writes the histories of the nibble that ended back and takes up those of the next.
    #[inline(always)]
    fn open_slots(&mut self) {
        let nodes = self.groups.iter_mut().flat_map(|group| &mut group.nodes);
        for ((slot, nodes), &hash) in self.slots.iter_mut().zip(nodes).zip(&self.hashes) {
            if *slot != usize::MAX {
                self.table.save(*slot, nodes);
            }
            *slot = self.table.find(self.tables, hash);
            self.table.load(*slot, nodes);
        }
    }

    /// Place of the current bit in its nibble's tree, 1..=15.
    #[inline(always)]
    fn node(&self) -> usize {
        if self.bit_position < 4 {
            self.partial as usize
        } else {
            let top = 1 << (self.bit_position - 4);
            top | (self.partial as usize & (top - 1))
        }
    }

    /// Probability that the next bit is a one, in units of `2^-32`, at least 1.
    #[inline(always)]
    pub fn predict<K: Kernels>(&mut self) -> u32 {
        let tables = self.tables;
        let node = self.node();
        let partial = self.partial as usize;
        if self.bit_position < 7 {
            for (apm, &base) in self.apms.iter().zip(&self.apm_bases) {
                apm.prefetch(base ^ partial << 1);
            }
        }
        let n = self.hashes.len();
        let (block, distance) = self.mixer.inputs.split_at_mut(self.block);
        let others = &mut block[n..];
        others[0] = BIAS;
        let (matches, others) = others[1..].split_at_mut(2 * self.matchers.len());
        for (matcher, pair) in self.matchers.iter_mut().zip(matches.as_chunks_mut::<2>().0) {
            matcher.predict(tables, self.partial, self.bit_position, pair);
        }
        let mut others = others;
        if let Some(runs) = &mut self.runs {
            let (inputs, rest) = others.split_at_mut(n);
            runs.predict(tables, self.partial, self.bit_position, inputs);
            others = rest;
        }
        if let Some(bilevel) = &mut self.bilevel {
            let (inputs, rest) = others.split_at_mut(Bilevel::INPUTS);
            bilevel.predict(tables, inputs);
            others = rest;
        }
        if let Some(grey) = &mut self.grey {
            let (inputs, rest) = others.split_at_mut(self.plan.pixel_inputs());
            grey.predict(tables, self.partial, self.bit_position, inputs);
            others = rest;
        }
        for (input, &(stretch, _)) in others.iter_mut().zip(&self.external) {
            *input = stretch;
        }
        let hits = K::context_inputs(tables, &mut self.groups, node, block, distance);
        for table in 0..S {
            if !self.selectors[table].keeps_for_a_byte() {
                let context = self.selector_context(self.selectors[table], hits);
                self.mixer.select(table, context);
            }
        }
        let seen = hits.min(15) * 16 + self.matchers[0].length_class();
        let stretch = self.mixer.mix::<K>(tables, [partial, seen]);
        let mut sum = u64::from(tables.squash(stretch)) * 2;
        for curve in 0..A {
            let refined = self.apms[curve].refine(stretch, self.apm_bases[curve] ^ partial);
            sum += u64::from(refined) * u64::from(self.curves[curve].1);
        }
        if self.bit_position == 7 && self.guesses {
            self.guess(u32::from(stretch > 0));
        }
        ((sum >> 3) as u32).max(1)
    }

    /// Context of a selector; `hits` counts the contexts with a history.
    #[inline(always)]
    fn selector_context(&self, selector: Selector, hits: usize) -> usize {
        let history = &self.history;
        let position = self.bit_position as usize;
        let byte = |n: u32| (history.last8 >> (8 * n) & 0xff) as usize;
        match selector {
            Selector::Partial => self.partial as usize,
            Selector::Byte1 => byte(0),
            Selector::Byte2 => byte(1),
            Selector::Byte3 => byte(2),
            Selector::Hits => {
                hits.min(15) * 64 + position * 8 + self.matchers[0].length_class() / 2
            }
            Selector::Shape => (history.shape & 0xfff) as usize,
            Selector::Column => history.column().min(255) * 16 + (history.above() >> 4) as usize,
            Selector::Expected => {
                let expected = self.matchers[0].expected();
                expected.map_or(0, |byte| usize::from(byte) + 1) * 8 + position
            }
            Selector::WordLength => {
                let length = history.word_length().min(15);
                (length * 16 + (history.shape & 15) as usize) * 8 + position
            }
            Selector::Matches => {
                let class = |i: usize| self.matchers.get(i).map_or(0, MatchModel::length_class);
                class(1) * 16 + class(2)
            }
            Selector::Pixels => self.bilevel.as_ref().map_or(0, Bilevel::near),
            Selector::PixelsFar => self.bilevel.as_ref().map_or(0, Bilevel::far),
            Selector::Grey(view) => {
                let grey = self.grey.as_ref();
                grey.map_or(0, |grey| grey.view(view, self.partial, self.bit_position))
            }
            Selector::External(index, contexts) => self.external[index].1.min(contexts - 1),
            Selector::Place => history.place().min(255),
            Selector::PlaceBits => {
                let both = (history.place() as u32) << 8 ^ self.partial;
                (both.wrapping_mul(0x9e37_79b1) >> 20) as usize
            }
        }
    }

    /// Learns the bit that came.
    #[inline(always)]
    pub fn update<K: Kernels>(&mut self, bit: bool) {
        let bit = u32::from(bit);
        let tables = self.tables;
        let node = self.node();
        self.mixer.update::<K>(bit);
        for apm in &mut self.apms {
            apm.update(bit);
        }
        for matcher in &mut self.matchers {
            matcher.update(tables, bit, self.bit_position);
        }
        if let Some(runs) = &mut self.runs {
            runs.update(tables, bit);
        }
        K::context_update(tables, &mut self.groups, node, bit, self.plan.limit);
        if let Some(bilevel) = &mut self.bilevel {
            bilevel.update::<K>(tables, bit);
            bilevel.advance(bit, &self.history.bytes, self.bit_position);
        }
        if let Some(grey) = &mut self.grey {
            grey.update::<K>(tables, bit);
        }
        self.partial = self.partial << 1 | bit;
        self.bit_position += 1;
        match self.bit_position {
            8 => {
                self.push(self.partial as u8);
                self.partial = 1;
                self.bit_position = 0;
                self.byte_boundary();
            }
            4 => self.nibble_boundary(),
            3 => {
                // The slots of both nibbles that the next bit can end are needed right after it.
                for &hash in &self.hashes {
                    self.table.prefetch(nibble_hash(hash, self.partial << 1));
                    self.table
                        .prefetch(nibble_hash(hash, self.partial << 1 | 1));
                }
            }
            _ => {}
        }
    }
}

const _: () = assert!(STATES == 256, "a bit history is a byte");
