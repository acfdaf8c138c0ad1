//! The model's predictions, bit by bit, in `cm`'s mixer; the ends of tokens between the bytes.

use super::mass::Masses;
use super::vocabulary::{Node, Vocabulary};
use crate::bits::Bits;
use crate::cm::decisions::{Decisions, RATES};
use crate::cm::mixer::{External, ONE};
use crate::cm::model::Model;
use crate::cm::plan::Plan;
use crate::cm::selector::Curve;
use crate::log::stretch;
use crate::segment::PredictorError;
use crate::simd::Kernels;

/// Classes of a stretched probability, 0 for no prediction.
const STRETCHES: usize = 32;
const FIRST: usize = STRETCHES * 8;
const SECOND: usize = 5 * 8 * 8;

/// The mixer's inputs: the model's stretched probability, and its distance from one half.
pub const EXTERNALS: [External; 2] = [
    External {
        weight: ONE,
        rate_shift: 2,
        selector: FIRST,
    },
    External {
        weight: 0,
        rate_shift: 1,
        selector: SECOND,
    },
];

/// `plan` for a model with [`EXTERNALS`].
pub fn joined(mut plan: Plan) -> Plan {
    plan.curves = if plan.curves.len() == 1 {
        &[(Curve::Order2, 3), (Curve::External(0, FIRST), 3)]
    } else {
        &[
            (Curve::Order0, 1),
            (Curve::Order1, 1),
            (Curve::Order2, 2),
            (Curve::External(0, FIRST), 2),
        ]
    };
    plan.rates = RATES;
    plan
}

/// Contexts of the decision whether a token ends: by what the byte that is expected to come says of it,
/// by the model's probability, by the token.
const EXPECTATIONS: usize = 16 * 8;
const END_TOKENS: usize = 1 << 16;

/// Where in a token coding stands.
pub struct Walk {
    masses: Masses,
    /// The token's bytes so far; none between two tokens.
    node: Option<Node>,
    /// Whether the first bytes of a new token can be taken from the masses.
    ends: Decisions<2>,
}

fn class(stretch: i16) -> usize {
    let class = (i32::from(stretch) + (i32::from(stretch) >> 15 | 1) * 512) / 1024;
    (class + 16).clamp(1, STRETCHES as i32 - 1) as usize
}

impl Walk {
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn new(vocabulary: &Vocabulary) -> Result<Self, PredictorError> {
        Ok(Self {
            masses: Masses::new(vocabulary.tokens().len()),
            node: None,
            ends: Decisions::new(1, &[EXPECTATIONS, STRETCHES, END_TOKENS])?,
        })
    }

    /// A copy that goes on by itself.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn fork(&self) -> Result<Self, PredictorError> {
        Ok(Self {
            masses: self.masses.clone(),
            node: self.node.clone(),
            ends: self.ends.fork()?,
        })
    }

    /// Whether a token has begun and not ended.
    pub fn is_open(&self) -> bool {
        self.node.is_some()
    }

    /// Begins a token with a model's logits.
    pub fn open(&mut self, vocabulary: &Vocabulary, logits: &[i32]) {
        self.masses.set(vocabulary, logits);
        self.node = Some(vocabulary.root());
    }

    /// Ends the open token where nothing says that it does; `None` when its bytes are no token.
    pub fn close(&mut self, vocabulary: &Vocabulary) -> Option<u32> {
        let node = self.node.take()?;
        vocabulary
            .ends_at(&node)
            .then(|| vocabulary.tokens()[node.ranks.start])
    }

    /// Before a byte: decides whether the open token ends. Returns the token if so.
    #[inline(always)]
    pub fn end<K: Kernels, const S: usize, const A: usize>(
        &mut self,
        vocabulary: &Vocabulary,
        model: &Model<S, A>,
        wanted: bool,
        bits: &mut impl Bits,
    ) -> Option<u32> {
        let node = self.node.as_ref()?;
        if !vocabulary.ends_at(node) {
            return None;
        }
        let (shortest, longer) = (node.ranks.start, vocabulary.longer(node));
        if !longer.is_empty() {
            let own = self.masses.of(&(shortest..longer.start));
            let others = self.masses.of(&longer);
            let says = stretch(own, others);
            let (byte, length) = model.expected();
            let expected = if length == 0 {
                0
            } else {
                // How much of what the token may go on with goes on as expected.
                let child = vocabulary.child(node, byte);
                let share = if child.ranks.is_empty() {
                    0
                } else {
                    let mass = self.masses.of(&child.ranks);
                    1 + (u64::BITS - (own / (mass + 1)).leading_zeros())
                        .div_ceil(2)
                        .min(6) as usize
                };
                length * 8 + share
            };
            let token = shortest % END_TOKENS;
            let contexts = [expected, class(says), token];
            let p = self.ends.predict::<K>(&[says], &contexts);
            let end = bits.code(wanted, p);
            self.ends.update::<K>(end);
            if !end {
                return None;
            }
        }
        self.close(vocabulary)
    }

    /// Codes a byte of the open token.
    #[inline(always)]
    pub fn byte<K: Kernels, const S: usize, const A: usize>(
        &mut self,
        vocabulary: &Vocabulary,
        model: &mut Model<S, A>,
        wanted: u8,
        bits: &mut impl Bits,
    ) -> u8 {
        let node = self.node.as_mut().expect("a token is open");
        let mut ranks = vocabulary.longer(node);
        let depth = node.depth.min(4);
        let (_, length) = model.expected();
        let mut byte = 0;
        for position in 0..8_usize {
            let place = 0x80 >> position;
            let middle = vocabulary.split(&ranks, node.depth, byte | place);
            let zeros = self.masses.of(&(ranks.start..middle));
            let ones = self.masses.of(&(middle..ranks.end));
            let bit = wanted & place != 0;
            let bit = if zeros == 0 || ones == 0 {
                // No token goes on otherwise: there is nothing to code.
                let bit = zeros == 0;
                let sure = if bit { i16::MAX } else { -i16::MAX };
                model.set_external(0, sure, class(sure) * 8 + position);
                model.set_external(1, sure, (depth * 8 + length / 2) * 8 + position);
                model.predict::<K>();
                bit
            } else {
                let says = stretch(ones, zeros);
                let half = (i128::from(ones) - i128::from(zeros)) * 4096 / i128::from(ones + zeros);
                model.set_external(0, says, class(says) * 8 + position);
                model.set_external(1, half as i16, (depth * 8 + length / 2) * 8 + position);
                let p = model.predict::<K>();
                bits.code(bit, p)
            };
            model.update::<K>(bit);
            if bit {
                byte |= place;
                ranks.start = middle;
            } else {
                ranks.end = middle;
            }
        }
        *node = Node {
            ranks,
            depth: node.depth + 1,
        };
        byte
    }
}

/// Codes a byte by `cm` alone.
#[inline(always)]
pub fn plain_byte<K: Kernels, const S: usize, const A: usize>(
    model: &mut Model<S, A>,
    wanted: u8,
    bits: &mut impl Bits,
) -> u8 {
    let mut byte = 0;
    for position in (0..8).rev() {
        model.set_external(0, 0, 7 - position);
        model.set_external(1, 0, 7 - position);
        let p = model.predict::<K>();
        let bit = bits.code(wanted >> position & 1 == 1, p);
        model.update::<K>(bit);
        byte = byte << 1 | u8::from(bit);
    }
    byte
}
