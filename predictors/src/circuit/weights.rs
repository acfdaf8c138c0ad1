//! A circuit's probabilities as six bits each, and as they are stored.
//!
//! A level stands for `2^(-18 (level / 63)^2)`; rows of probabilities are made to sum up again when they
//! are taken up. Neighbouring levels predict each other.

use std::sync::OnceLock;

use llmzip_coders::binary::{Decoder as BitDecoder, Encoder as BitEncoder};

use super::parameters::{Shape, Tables};
use crate::bits::Bits;
use crate::cm::counter;
use crate::cm::tables::Tables as MixerTables;
use crate::segment::PredictorError;

const LEVELS: usize = 64;
const LEVEL_BITS: u32 = 6;
/// Bits of a level that a neighbour's context has.
const CONTEXT_BITS: u32 = 4;
const CONTEXTS: usize = 1 << (2 * CONTEXT_BITS);
/// Count at which a counter stops slowing down.
const LIMIT: u32 = 255;

/// What each level stands for, in units of `2^-24`, and the least number that is nearer to it than to
/// the next.
struct Levels {
    values: [u32; LEVELS],
    least: [u32; LEVELS],
}

impl Levels {
    fn get() -> &'static Self {
        static TABLE: OnceLock<Box<Levels>> = OnceLock::new();
        TABLE.get_or_init(|| {
            let mut values = [0; LEVELS];
            let rows = include_str!("../../tables/circuit_levels.csv").lines();
            for (slot, row) in values.iter_mut().zip(rows) {
                *slot = row
                    .parse()
                    .expect("a table shipped with the crate holds numbers");
            }
            let between = |a: u32, b: u32| (u64::from(a) * u64::from(b)).isqrt() as u32;
            let least = std::array::from_fn(|level| {
                values
                    .get(level + 1)
                    .map_or(0, |&next| between(values[level], next))
            });
            Box::new(Self { values, least })
        })
    }

    fn nearest(&self, probability: f32) -> u8 {
        let units = (probability * 16_777_216.0) as u32;
        let level = self.least.iter().position(|&least| units > least);
        level.unwrap_or(LEVELS - 1) as u8
    }
}

/// Levels of all probabilities of a circuit of `M` states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weights<const M: usize> {
    pub first: [u8; M],
    /// By variable and the parent's state; zeros for the root.
    pub steps: Vec<[[u8; M]; M]>,
    /// By value of each variable, and its state.
    pub values: Vec<[u8; M]>,
}

impl<const M: usize> Weights<M> {
    /// The levels nearest to a circuit's parameters.
    #[must_use]
    pub fn new(shape: &Shape, parameters: &Tables<M>) -> Self {
        let levels = Levels::get();
        let mut weights = Self::zeros(shape);
        weights.first = parameters.first.map(|p| levels.nearest(p));
        for (node, steps) in weights.steps.iter_mut().enumerate() {
            if shape.tree.parent(node).is_some() {
                *steps = parameters.steps[node].map(|row| row.map(|p| levels.nearest(p)));
            }
        }
        for (levels_of, p) in weights.values.iter_mut().zip(&parameters.values) {
            *levels_of = p.map(|p| levels.nearest(p));
        }
        weights
    }

    fn zeros(shape: &Shape) -> Self {
        Self {
            first: [0; M],
            steps: vec![[[0; M]; M]; shape.variables()],
            values: vec![[0; M]; shape.all_values()],
        }
    }

    /// What levels stand for, in units of `2^-24`.
    #[must_use]
    pub fn units(level: u8) -> u32 {
        Levels::get().values[usize::from(level) % LEVELS]
    }

    /// The stored bytes; FORMAT.md, 13.2.
    #[must_use]
    pub fn write(&self, shape: &Shape) -> Vec<u8> {
        let mut coder = BitEncoder::new();
        self.clone().code(shape, &mut coder);
        coder.finish()
    }

    /// Takes up what [`Weights::write`] made.
    ///
    /// # Errors
    /// [`PredictorError::Corrupt`] where bytes are missing or left over.
    pub fn read(shape: &Shape, data: &[u8]) -> Result<Self, PredictorError> {
        let mut coder = BitDecoder::new(data.to_vec());
        let mut weights = Self::zeros(shape);
        weights.code(shape, &mut coder);
        coder.finish()?;
        Ok(weights)
    }

    fn code(&mut self, shape: &Shape, bits: &mut impl Bits) {
        let mut first = Coder::new();
        let mut left = 0;
        for level in &mut self.first {
            *level = first.code(*level, 0, left, bits);
            left = *level;
        }
        let (mut steps, mut values) = (Coder::new(), Coder::new());
        for node in 0..shape.variables() {
            if shape.tree.parent(node).is_some() {
                let mut above = [0; M];
                for row in &mut self.steps[node] {
                    let mut left = 0;
                    for (level, &above) in row.iter_mut().zip(&above) {
                        *level = steps.code(*level, above, left, bits);
                        left = *level;
                    }
                    above = *row;
                }
            }
            let mut above = [0; M];
            for row in &mut self.values[shape.offsets[node]..shape.offsets[node + 1]] {
                let mut left = 0;
                for (level, &above) in row.iter_mut().zip(&above) {
                    *level = values.code(*level, above, left, bits);
                    left = *level;
                }
                above = *row;
            }
        }
    }
}

/// Codes levels of one kind.
struct Coder {
    tables: &'static MixerTables,
    counters: Vec<u32>,
}

impl Coder {
    fn new() -> Self {
        Self {
            tables: MixerTables::get(),
            counters: vec![counter::counter(1 << 21, 0); CONTEXTS * LEVELS],
        }
    }

    fn code(&mut self, level: u8, above: u8, left: u8, bits: &mut impl Bits) -> u8 {
        let class = |level: u8| usize::from(level >> (LEVEL_BITS - CONTEXT_BITS));
        let context = (class(above) << CONTEXT_BITS | class(left)) * LEVELS;
        let mut node = 1;
        for position in (0..LEVEL_BITS).rev() {
            let own = &mut self.counters[context + node];
            let bit = bits.code(level >> position & 1 == 1, counter::p32(*own));
            counter::update(self.tables, own, u32::from(bit), LIMIT);
            node = node << 1 | usize::from(bit);
        }
        (node - LEVELS) as u8
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::circuit::tree::Tree;

    #[test]
    fn levels_come_back_and_are_the_nearest() {
        let levels = Levels::get();
        for (level, &units) in levels.values.iter().enumerate() {
            assert_eq!(levels.nearest(units as f32 / 16_777_216.0), level as u8);
        }
        assert_eq!((levels.nearest(0.0), levels.nearest(1.0)), (63, 0));
        let tree = Tree::new(&[None, Some(0)]).unwrap();
        let shape = Shape::new(Arc::new(tree), &[3, 20]);
        let mut weights = Weights::<4>::zeros(&shape);
        let mut seed = 1_u8;
        let mut next = || {
            seed = seed.wrapping_mul(77).wrapping_add(13);
            seed >> 2
        };
        weights.first.fill_with(&mut next);
        weights.steps[1].as_flattened_mut().fill_with(&mut next);
        weights.values.as_flattened_mut().fill_with(&mut next);
        let stored = weights.write(&shape);
        assert_eq!(Weights::read(&shape, &stored).unwrap(), weights);
        assert!(
            Weights::<4>::read(&shape, &stored[..stored.len() - 4]).map_or(true, |w| w != weights)
        );
    }
}
