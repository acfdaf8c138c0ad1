//! Inputs for grey images: probabilities by how far a prediction is from the values that the bits of
//! the current byte still allow.
//!
//! After the maps of paq8px's 8-bit image model: what is learnt at one brightness holds at all.

use memmap2::MmapMut;

use super::context::hash16;
use super::counter;
use super::history::mix;
use super::neighbourhood::{Neighbourhood, Term};
use super::selector::Curve;
use super::tables::Tables;
use crate::segment::PredictorError;
use crate::simd::group::GROUP;
use crate::simd::{Kernels, prefetch};
use crate::zeros::{copied, zeros};

/// Counters of a row: bit positions times distances of the prediction, -255 to 255.
const ROW: usize = 8 * 512;
/// Bytes of a counter.
const COUNTER: usize = 4;
/// First value of a counter, kept joined to it by an exclusive or as those of
/// [`Bilevel`](super::bilevel::Bilevel).
const FIRST: u32 = counter::counter(1 << 21, 0);
const LIMIT: u32 = 1023;

/// A prediction, and the low bits of a shifted term that choose a row of counters.
#[derive(Debug, Clone, Copy)]
pub struct Template {
    pub prediction: Term,
    pub row: Term,
    pub shift: u32,
    pub bits: u32,
}

/// What selectors ask of the neighbourhood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Class of energy and bit position.
    Energy,
    /// Upper halves of W and N.
    Pair,
    /// Place in the image.
    Place,
    /// Where the prediction is among the values that are left, and the bit position.
    Interval,
    /// Zero, dark or bright: six neighbours.
    Levels,
    /// Which neighbours are above the prediction.
    Texture,
    /// Sum of the neighbours.
    Sum,
}

pub struct Grey {
    pub around: Neighbourhood,
    templates: &'static [Template],
    counters: MmapMut,
    /// First counter of each template, that of the row in use, and the prediction.
    firsts: Vec<usize>,
    rows: Vec<usize>,
    predictions: Vec<usize>,
    /// Where the counters in use are, and what they hold.
    places: Vec<usize>,
    current: Vec<[u32; GROUP]>,
}

/// Counters of all templates.
fn counters(templates: &[Template]) -> usize {
    templates.iter().map(|t| ROW << t.bits).sum()
}

/// Bytes of memory of templates, at most, and of the neighbourhood.
pub fn memory(templates: &[Template], stride: usize) -> u64 {
    if templates.is_empty() {
        return 0;
    }
    (counters(templates) * COUNTER + stride * 10 + (1 << 16)) as u64
}

impl View {
    /// Number of values.
    #[must_use]
    pub fn contexts(self) -> usize {
        match self {
            Self::Energy => 128,
            Self::Pair | Self::Interval | Self::Texture => 256,
            Self::Place => 2048,
            Self::Levels => 729,
            Self::Sum => 1024,
        }
    }
}

impl Grey {
    /// For images as [`Neighbourhood::new`] takes them.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn new(
        around: Neighbourhood,
        templates: &'static [Template],
    ) -> Result<Self, PredictorError> {
        let mut end = 0;
        let firsts = templates.iter().map(|t| {
            end += ROW << t.bits;
            end - (ROW << t.bits)
        });
        let n = templates.len();
        Ok(Self {
            around,
            templates,
            firsts: firsts.collect(),
            counters: zeros(counters(templates) * COUNTER)?,
            rows: vec![0; n],
            predictions: vec![0; n],
            places: vec![0; n],
            current: vec![[FIRST; GROUP]; n.div_ceil(GROUP)],
        })
    }

    /// A copy that goes on by itself.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn fork(&self) -> Result<Self, PredictorError> {
        Ok(Self {
            around: self.around.clone(),
            counters: copied(&self.counters)?,
            firsts: self.firsts.clone(),
            rows: self.rows.clone(),
            predictions: self.predictions.clone(),
            places: self.places.clone(),
            current: self.current.clone(),
            ..*self
        })
    }

    /// Becomes equal to another of the same size, whose memory it does not share.
    pub fn copy_from(&mut self, other: &Self) {
        self.around.clone_from(&other.around);
        self.counters.copy_from_slice(&other.counters);
        self.firsts.copy_from_slice(&other.firsts);
        self.rows.copy_from_slice(&other.rows);
        self.predictions.copy_from_slice(&other.predictions);
        self.places.copy_from_slice(&other.places);
        self.current.copy_from_slice(&other.current);
    }

    /// Inputs for the mixer that [`Grey::predict`] writes for each template.
    pub const INPUTS: usize = 2;

    /// Turns to the pixel that follows `bytes`.
    pub fn advance(&mut self, bytes: &[u8]) {
        self.around.advance(bytes);
        for (i, template) in self.templates.iter().enumerate() {
            let row = self.around.get(template.row) >> template.shift;
            let row = row as usize & ((1 << template.bits) - 1);
            self.rows[i] = self.firsts[i] + row * ROW;
            self.predictions[i] = self.around.get(template.prediction) as usize;
        }
        self.fetch(1, 0);
    }

    /// Byte of a template's counter.
    #[inline(always)]
    fn place(&self, i: usize, partial: u32, bit_position: u32) -> usize {
        let lowest = (partial << (8 - bit_position) & 255) as usize;
        let distance = 256 + self.predictions[i] - lowest;
        COUNTER * (self.rows[i] + bit_position as usize * 512 + distance)
    }

    /// Asks for the memory of the counters for a bit.
    #[inline(always)]
    fn fetch(&self, partial: u32, bit_position: u32) {
        for i in 0..self.templates.len() {
            prefetch(&self.counters, self.place(i, partial, bit_position));
        }
    }

    #[inline(always)]
    pub fn predict(
        &mut self,
        tables: &Tables,
        partial: u32,
        bit_position: u32,
        inputs: &mut [i32],
    ) {
        for (i, pair) in inputs.as_chunks_mut::<2>().0.iter_mut().enumerate() {
            let at = self.place(i, partial, bit_position);
            self.places[i] = at;
            let bytes = &self.counters[at..at + COUNTER];
            let counter = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) ^ FIRST;
            self.current[i / GROUP][i % GROUP] = counter;
            pair[0] = tables.stretch(counter::p12(counter));
            pair[1] = (counter::p16(counter) as i32 - 32768) >> 3;
        }
        if bit_position < 7 {
            self.fetch(partial << 1, bit_position + 1);
            self.fetch(partial << 1 | 1, bit_position + 1);
        }
    }

    #[inline(always)]
    pub fn update<K: Kernels>(&mut self, tables: &Tables, bit: u32) {
        for group in &mut self.current {
            K::update_counters(tables, group, bit, LIMIT);
        }
        let current = self.current.as_flattened();
        for (&at, &counter) in self.places.iter().zip(current) {
            self.counters[at..at + COUNTER].copy_from_slice(&(counter ^ FIRST).to_le_bytes());
        }
    }

    /// Value of a selector.
    #[inline(always)]
    pub fn view(&self, view: View, partial: u32, bit_position: u32) -> usize {
        let get = |term| self.around.get(term) as usize;
        match view {
            View::Energy => get(Term::Energy) * 8 + bit_position as usize,
            View::Pair => get(Term::W) >> 4 << 4 | get(Term::N) >> 4,
            View::Place => self.around.inside().min(2047),
            View::Interval => {
                let lowest = (partial << (8 - bit_position) & 255) as i32;
                // The values that are left, and half as many on both sides.
                let half = 128 >> bit_position;
                let from = get(Term::Corrected) as i32 - lowest + half;
                let class = match from {
                    ..0 => 0,
                    _ => (1 + from * 30 / (4 * half)).min(31),
                };
                bit_position as usize * 32 + class as usize
            }
            View::Levels => {
                use Term::{N, Ne, Nn, Nw, W, Ww};
                [W, N, Nw, Ne, Ww, Nn].iter().fold(0, |digits, &term| {
                    let pixel = get(term);
                    digits * 3 + usize::from(pixel > 0) + usize::from(pixel >= 128)
                })
            }
            View::Texture => get(Term::Texture),
            View::Sum => get(Term::Sum) >> 1,
        }
    }

    /// Base of a set of curves.
    #[inline(always)]
    pub fn curve(&self, curve: Curve) -> usize {
        let get = |term| self.around.get(term);
        hash16(match curve {
            Curve::Place => mix(get(Term::X), get(Term::Y)),
            Curve::Prediction => mix(get(Term::Corrected), get(Term::Energy)),
            _ => get(Term::Shades),
        })
    }
}
