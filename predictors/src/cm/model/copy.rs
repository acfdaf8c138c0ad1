//! Copies of a model, which go on by themselves.

use super::Model;
use crate::cm::apm::Apm;
use crate::cm::grey::Grey;
use crate::cm::match_model::MatchModel;
use crate::segment::PredictorError;

impl<const S: usize, const A: usize> Model<S, A> {
    /// A copy that goes on by itself.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn fork(&self) -> Result<Self, PredictorError> {
        let apms: Vec<Apm> = self.apms.iter().map(Apm::fork).collect::<Result<_, _>>()?;
        let Ok(apms) = <[Apm; A]>::try_from(apms) else {
            unreachable!("as many as there were")
        };
        let matchers = self.matchers.iter().map(MatchModel::fork);
        Ok(Self {
            history: self.history.fork()?,
            hashes: self.hashes.clone(),
            slots: self.slots.clone(),
            groups: self.groups.clone(),
            table: self.table.fork()?,
            matchers: matchers.collect::<Result<_, _>>()?,
            runs: self.runs.clone(),
            bilevel: self.bilevel.clone(),
            grey: self.grey.as_ref().map(Grey::fork).transpose()?,
            mixer: self.mixer.clone(),
            other: self.other.clone(),
            external: self.external.clone(),
            apms,
            ..*self
        })
    }

    /// Becomes equal to the model that this is a [`Model::fork`] of, or to another one of its forks, in the
    /// memory that it has: several times as fast as a new fork.
    ///
    /// # Panics
    /// If the two are not of the same plan and length.
    pub fn copy_from(&mut self, other: &Self) {
        self.history.copy_from(&other.history);
        self.hashes.copy_from_slice(&other.hashes);
        self.slots.copy_from_slice(&other.slots);
        self.groups.clone_from(&other.groups);
        self.table.copy_from(&other.table);
        for (own, other) in self.matchers.iter_mut().zip(&other.matchers) {
            own.copy_from(other);
        }
        self.runs.clone_from(&other.runs);
        self.bilevel.clone_from(&other.bilevel);
        match (&mut self.grey, &other.grey) {
            (Some(own), Some(other)) => own.copy_from(other),
            (own, other) => assert!(own.is_none() && other.is_none(), "models of one plan"),
        }
        self.mixer.copy_from(&other.mixer);
        self.other.clone_from(&other.other);
        self.heeds = other.heeds;
        self.external.copy_from_slice(&other.external);
        for (own, other) in self.apms.iter_mut().zip(&other.apms) {
            own.copy_from(other);
        }
        self.apm_bases = other.apm_bases;
        self.partial = other.partial;
        self.bit_position = other.bit_position;
        self.guesses = other.guesses;
        self.guessed = other.guessed;
    }
}
