//! The circuit of a segment, of whatever number of states: what learns from its records and predicts.

use super::layout::Layout;
use crate::circuit::expect::Data;
use crate::circuit::learn::{Course, Learner};
use crate::circuit::parameters::Shape;
use crate::circuit::quantised::{Belief, Circuit, NIBBLE};
use crate::simd::{self, Job, Kernels, Level};

/// How it learns.
const PASSES: usize = 3;
const MOST_BATCH: usize = 256;
const SHARE: [f32; 2] = [0.5, 0.03];

/// A circuit behind one type: the mixer is then compiled once, not once for each number of states.
pub trait Engine: Send + Sync {
    /// Learns from the first `count` records, whose fields are in the order in which they are coded.
    fn learn(&mut self, records: &[u8], count: usize);

    /// Goes to the variable at `place` of the order; that before it was observed. Returns the masses of its
    /// values, or of groups of these where there are more than 16.
    fn visit(&mut self, place: usize) -> [u32; NIBBLE];

    /// Masses of the values of a group of the variable that was gone to.
    fn masses(&self, group: usize) -> [u32; NIBBLE];

    /// Takes the value of the variable that was gone to.
    fn observe(&mut self, value: usize);
}

/// An engine of `states` states: 8, 16 or 32.
///
/// # Panics
/// For another number.
#[must_use]
pub fn engine(states: usize, layout: &Layout, level: Level) -> Box<dyn Engine> {
    match states {
        8 => Box::new(Own::<8>::new(layout, level)),
        16 => Box::new(Own::<16>::new(layout, level)),
        32 => Box::new(Own::<32>::new(layout, level)),
        _ => unreachable!("levels have 8, 16 or 32 states"),
    }
}

struct Own<const M: usize> {
    shape: Shape,
    places: Vec<usize>,
    stride: usize,
    learner: Option<Learner<M>>,
    circuit: Option<Circuit<M>>,
    belief: Belief<M>,
    level: Level,
}

impl<const M: usize> Own<M> {
    fn new(layout: &Layout, level: Level) -> Self {
        let shape = Shape::new(layout.tree.clone(), &layout.values);
        Self {
            places: layout.places.clone(),
            stride: layout.order.len(),
            learner: None,
            circuit: None,
            belief: Belief::new(&shape),
            shape,
            level,
        }
    }

    fn circuit(&self) -> &Circuit<M> {
        self.circuit
            .as_ref()
            .expect("it has learnt before it is asked")
    }
}

impl<const M: usize> Engine for Own<M> {
    fn learn(&mut self, records: &[u8], count: usize) {
        let data = Data {
            values: records,
            stride: self.stride,
            places: &self.places,
        };
        let learner = self
            .learner
            .get_or_insert_with(|| Learner::new(self.level, self.shape.clone(), data, count));
        let course = Course {
            passes: PASSES,
            batch: (count / 4).min(MOST_BATCH),
            share: SHARE,
        };
        learner.learn(data, count, course);
        self.circuit = Some(Circuit::new(&self.shape, &learner.parameters));
    }

    fn visit(&mut self, place: usize) -> [u32; NIBBLE] {
        let circuit = self.circuit.as_ref().expect("it has learnt");
        simd::run(
            self.level,
            Visit {
                circuit,
                belief: &mut self.belief,
                place,
            },
        )
    }

    fn masses(&self, group: usize) -> [u32; NIBBLE] {
        simd::run(
            self.level,
            Masses {
                circuit: self.circuit(),
                belief: &self.belief,
                group,
            },
        )
    }

    fn observe(&mut self, value: usize) {
        let circuit = self.circuit.as_ref().expect("it has learnt");
        self.belief.observe(circuit, value);
    }
}

struct Visit<'a, const M: usize> {
    circuit: &'a Circuit<M>,
    belief: &'a mut Belief<M>,
    place: usize,
}

impl<const M: usize> Job for Visit<'_, M> {
    type Output = [u32; NIBBLE];

    #[inline(always)]
    fn run<K: Kernels>(self) -> [u32; NIBBLE] {
        self.belief.visit(self.circuit, self.place);
        self.belief.first_masses(self.circuit)
    }
}

struct Masses<'a, const M: usize> {
    circuit: &'a Circuit<M>,
    belief: &'a Belief<M>,
    group: usize,
}

impl<const M: usize> Job for Masses<'_, M> {
    type Output = [u32; NIBBLE];

    #[inline(always)]
    fn run<K: Kernels>(self) -> [u32; NIBBLE] {
        self.belief.masses(self.circuit, self.group)
    }
}
