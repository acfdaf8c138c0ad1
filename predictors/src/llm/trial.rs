//! Whether a block is worth the model's time: a few of its tokens against a small context mixer.

use super::mass::Masses;
use super::vocabulary::Vocabulary;
use crate::cm::codec::parse;
use crate::cm::detect::is_text;
use crate::cm::model::Model;
use crate::cm::plan::Plan;
use crate::segment::PredictorError;
use crate::simd::{self, Job, Kernels, Level};

/// Level of the mixer that the model is held against.
const LEVEL: u8 = 4;

/// A context mixer that learns the whole segment, for the encoder alone.
pub struct Trial {
    model: Box<Model<3, 1>>,
    simd: Level,
    masses: Option<Masses>,
    /// Blocks in a row that the model did not help with, and how many are not asked about now.
    misses: u32,
    passed: u32,
}

/// Most blocks in a row that the model is not asked about.
const MOST_PASSED: u32 = 7;

impl Trial {
    /// For a segment with these settings of `cm`.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn new(settings: &[u8], raw_len: u64) -> Result<Self, PredictorError> {
        let (_, content) = parse(settings)?;
        Ok(Self {
            model: Box::new(Model::new(Plan::new(LEVEL, content), raw_len, &[])?),
            simd: simd::active().map_err(PredictorError::Setup)?,
            masses: None,
            misses: 0,
            passed: 0,
        })
    }

    /// A copy that goes on by itself.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn fork(&self) -> Result<Self, PredictorError> {
        Ok(Self {
            model: Box::new(self.model.fork()?),
            masses: None,
            ..*self
        })
    }

    /// Whether the model should be asked about a block: it must look like text, and after blocks that
    /// the model did not help with some are passed over.
    pub fn asks(&mut self, block: &[u8]) -> bool {
        if !is_text(block) {
            return false;
        }
        if self.passed > 0 {
            self.passed -= 1;
            self.learn(block);
            return false;
        }
        true
    }

    /// Lets the mixer learn bytes; returns what they take it, in units of `2^-16` bits.
    pub fn learn(&mut self, data: &[u8]) -> u64 {
        let model = &mut *self.model;
        simd::run(self.simd, Cost { model, data })
    }

    /// Whether the model helps with a block, tokens of these ranks: its first tokens, as many as there
    /// are `logits` for, must not take more than 5/4 of what they take the mixer.
    pub fn helps(
        &mut self,
        vocabulary: &Vocabulary,
        logits: &[i32],
        ranks: &[usize],
        block: &[u8],
    ) -> bool {
        let masses = self
            .masses
            .get_or_insert_with(|| Masses::new(vocabulary.tokens().len()));
        let (mut length, mut cost) = (0, 0);
        for (&rank, logits) in ranks.iter().zip(logits.chunks_exact(vocabulary.len())) {
            masses.set(vocabulary, logits);
            cost += masses.cost(rank);
            length += vocabulary.spelling(rank).len();
        }
        let (sample, rest) = block.split_at(length);
        let other = self.learn(sample);
        self.learn(rest);
        let helps = cost * 4 <= other * 5;
        self.misses = if helps { 0 } else { self.misses + 1 };
        self.passed = ((1 << self.misses.min(8)) / 2_u32)
            .saturating_sub(1)
            .min(MOST_PASSED);
        helps
    }
}

/// Learns bytes; returns what coding them takes, in units of `2^-16` bits.
struct Cost<'a> {
    model: &'a mut Model<3, 1>,
    data: &'a [u8],
}

impl Job for Cost<'_> {
    type Output = u64;

    #[inline(always)]
    fn run<K: Kernels>(self) -> u64 {
        let mut cost = 0;
        for &byte in self.data {
            for position in (0..8).rev() {
                let bit = byte >> position & 1 == 1;
                let p = self.model.predict::<K>();
                cost += crate::log::bits(if bit { p } else { p.wrapping_neg() });
                self.model.update::<K>(bit);
            }
        }
        cost
    }
}
