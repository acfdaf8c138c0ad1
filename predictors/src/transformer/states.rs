//! States that a model leaves after its layers, and the logits that its head makes of them.

use std::ops::Range;
use std::sync::Mutex;

use super::matrix::{Activations, With, outputs};
use super::model::Model;
use super::pack::PANEL;
use super::team::SOUND;
use crate::segment::PredictorError;
use crate::zeros::extend;

/// States of positions, one after another: what the last norm gives and the head multiplies.
#[derive(Debug, Default, Clone)]
pub struct States {
    values: Vec<i16>,
    fractions: Vec<i32>,
}

impl States {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fractions.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fractions.is_empty()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.values.clear();
        self.fractions.clear();
    }

    /// One state: as many integers as the model is wide, below 2^15 in magnitude, and their fraction bits.
    ///
    /// # Panics
    /// Where there is no such state.
    #[must_use]
    pub fn get(&self, number: usize) -> (&[i16], i32) {
        let width = self.values.len() / self.len();
        (
            &self.values[number * width..][..width],
            self.fractions[number],
        )
    }

    /// The states of a range.
    ///
    /// # Panics
    /// Where there are none such.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        let width = self.values.len() / self.len().max(1);
        Self {
            values: self.values[range.start * width..range.end * width].to_vec(),
            fractions: self.fractions[range].to_vec(),
        }
    }

    pub(super) fn push(&mut self, values: &[i16], fraction: i32) {
        self.values.extend_from_slice(values);
        self.fractions.push(fraction);
    }

    pub(super) fn append(&mut self, x: &Activations) {
        self.values.extend_from_slice(&x.values);
        self.fractions.extend_from_slice(&x.fractions);
    }

    fn some(&self, range: Range<usize>) -> Activations {
        let width = self.values.len() / self.len().max(1);
        let mut x = Activations::default();
        x.resize(range.len(), width);
        x.values
            .copy_from_slice(&self.values[range.start * width..range.end * width]);
        x.fractions.copy_from_slice(&self.fractions[range]);
        x
    }
}

/// What a thread makes: logits of some panels of the head, of some states.
struct Share<'a> {
    x: Activations,
    panels: Range<usize>,
    out: Vec<&'a mut [i32]>,
}

impl Model {
    /// Appends the logits after each of some states: `vocab` numbers of 16 fraction bits, in nats.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] where threads or memory cannot be had.
    ///
    /// # Panics
    /// Where there are no such states, or they are another model's.
    pub fn logits(
        &self,
        states: &States,
        range: Range<usize>,
        logits: &mut Vec<i32>,
    ) -> Result<(), PredictorError> {
        assert!(range.end <= states.len());
        let (vocab, from) = (self.config().vocab, logits.len());
        extend(logits, range.len() * vocab, 0)?;
        let mut rows = logits[from..].chunks_exact_mut(vocab);
        let (threads, panels) = (self.team.size(), self.head.panels());
        let mut shares = Vec::with_capacity(threads);
        if range.len() < 2 * threads {
            // Too few for rows to be shared.
            let mut rows: Vec<_> = rows.collect();
            for id in 0..threads {
                let panels = panels * id / threads..panels * (id + 1) / threads;
                let width = vocab.min(panels.end * PANEL) - panels.start * PANEL;
                let out = rows.iter_mut().map(|row| {
                    let (out, rest) = std::mem::take(row).split_at_mut(width);
                    *row = rest;
                    out
                });
                shares.push(Share {
                    x: states.some(range.clone()),
                    panels,
                    out: out.collect(),
                });
            }
        } else {
            for id in 0..threads {
                let own = range.len() * id / threads..range.len() * (id + 1) / threads;
                shares.push(Share {
                    x: states.some(range.start + own.start..range.start + own.end),
                    panels: 0..panels,
                    out: rows.by_ref().take(own.len()).collect(),
                });
            }
        }
        let shares: Vec<_> = shares.into_iter().map(Mutex::new).collect();
        self.team.run(false, |place| {
            let Share { x, panels, out } = &mut *shares[place.id].lock().expect(SOUND);
            (self.kernels.arrange)(&mut x.values);
            let with = With {
                pack: &self.pack,
                kernels: &self.kernels,
                x,
            };
            outputs(with, &self.head, &[], panels.clone(), out);
        })?;
        Ok(())
    }
}
