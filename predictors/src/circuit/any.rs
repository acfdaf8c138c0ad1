//! Circuits of any number of states behind one type.

use super::parameters::Shape;
use super::quantised::{Belief, Circuit, NIBBLE};
use super::walk::Walk;
use super::weights::Weights;
use crate::segment::PredictorError;
use crate::simd::{self, Job, Kernels, Level};

/// Numbers of states that circuits may have.
pub const STATES: [usize; 4] = [4, 8, 16, 32];

/// A circuit with the stored weights that it was made of.
pub struct Stored<const M: usize> {
    pub weights: Weights<M>,
    pub circuit: Circuit<M>,
}

/// What a row's values so far say of the states of a circuit.
pub enum AnyBelief {
    S4(Belief<4>),
    S8(Belief<8>),
    S16(Belief<16>),
    S32(Belief<32>),
}

/// Where a record is walked through, as of [`Walk`].
pub enum AnyWalk {
    S4(Walk<4>),
    S8(Walk<8>),
    S16(Walk<16>),
    S32(Walk<32>),
}

/// What a walk is asked for: masses.
#[derive(Debug, Clone, Copy)]
pub enum Ask {
    /// Of the groups of values of the variable in question.
    Groups,
    /// Of the values of one of them.
    Group(usize),
    /// Of the groups of the next variable, after that in question had this value.
    Next(usize),
}

/// A circuit of 4, 8, 16 or 32 states.
pub enum AnyCircuit {
    S4(Stored<4>),
    S8(Stored<8>),
    S16(Stored<16>),
    S32(Stored<32>),
}

impl<const M: usize> Stored<M> {
    #[must_use]
    pub fn new(shape: &Shape, weights: Weights<M>) -> Self {
        Self {
            circuit: Circuit::of_weights(shape, &weights),
            weights,
        }
    }
}

impl AnyCircuit {
    /// Takes up stored weights of a circuit of `states` states.
    ///
    /// # Errors
    /// [`PredictorError::Corrupt`] where they are damaged or no circuit has so many states.
    pub fn read(states: usize, shape: &Shape, data: &[u8]) -> Result<Self, PredictorError> {
        Ok(match states {
            4 => Self::S4(Stored::new(shape, Weights::read(shape, data)?)),
            8 => Self::S8(Stored::new(shape, Weights::read(shape, data)?)),
            16 => Self::S16(Stored::new(shape, Weights::read(shape, data)?)),
            32 => Self::S32(Stored::new(shape, Weights::read(shape, data)?)),
            _ => return Err(PredictorError::Corrupt("a circuit's number of states")),
        })
    }

    /// Number of states.
    #[must_use]
    pub fn states(&self) -> usize {
        match self {
            Self::S4(_) => 4,
            Self::S8(_) => 8,
            Self::S16(_) => 16,
            Self::S32(_) => 32,
        }
    }

    /// A belief for rows of this circuit.
    #[must_use]
    pub fn belief(&self) -> AnyBelief {
        match self {
            Self::S4(own) => AnyBelief::S4(Belief::new(&own.circuit.shape)),
            Self::S8(own) => AnyBelief::S8(Belief::new(&own.circuit.shape)),
            Self::S16(own) => AnyBelief::S16(Belief::new(&own.circuit.shape)),
            Self::S32(own) => AnyBelief::S32(Belief::new(&own.circuit.shape)),
        }
    }

    /// A walk through records of this circuit.
    ///
    /// # Errors
    /// As [`Walk::new`].
    pub fn walk(&self) -> Result<AnyWalk, PredictorError> {
        Ok(match self {
            Self::S4(own) => AnyWalk::S4(Walk::new(&own.circuit)?),
            Self::S8(own) => AnyWalk::S8(Walk::new(&own.circuit)?),
            Self::S16(own) => AnyWalk::S16(Walk::new(&own.circuit)?),
            Self::S32(own) => AnyWalk::S32(Walk::new(&own.circuit)?),
        })
    }
}

struct Asking<'a, const M: usize>(&'a Circuit<M>, &'a mut Walk<M>, Ask);

impl<const M: usize> Job for Asking<'_, M> {
    type Output = [u32; NIBBLE];

    #[inline(always)]
    fn run<K: Kernels>(self) -> Self::Output {
        let Self(circuit, walk, ask) = self;
        match ask {
            Ask::Group(group) => return walk.masses(circuit, group),
            Ask::Groups => {}
            Ask::Next(value) => walk.take(circuit, value),
        }
        walk.group_masses(circuit)
    }
}

impl AnyWalk {
    /// Asks; `circuit` is the walk's own, whose variables have more than [`NIBBLE`] values.
    ///
    /// # Panics
    /// For a circuit of another number of states.
    pub fn ask(&mut self, circuit: &AnyCircuit, ask: Ask, simd: Level) -> [u32; NIBBLE] {
        match (circuit, self) {
            (AnyCircuit::S4(of), Self::S4(walk)) => simd::run(simd, Asking(&of.circuit, walk, ask)),
            (AnyCircuit::S8(of), Self::S8(walk)) => simd::run(simd, Asking(&of.circuit, walk, ask)),
            (AnyCircuit::S16(of), Self::S16(walk)) => {
                simd::run(simd, Asking(&of.circuit, walk, ask))
            }
            (AnyCircuit::S32(of), Self::S32(walk)) => {
                simd::run(simd, Asking(&of.circuit, walk, ask))
            }
            _ => unreachable!("a walk is made by its circuit"),
        }
    }
}
