//! A circuit as integers: what predicts, on both sides.

use super::parameters::{Shape, Tables};
use super::weights::Weights;
use crate::simd::floats;

/// Values of a group: those that differ in the low nibble alone.
pub const NIBBLE: usize = 16;

/// The sum of a row of step probabilities, about.
const STEP_BITS: u32 = 15;
/// Bits that a vector of beliefs is kept to.
const BELIEF_BITS: u32 = 16;

/// Probabilities of a circuit of `M` states in fixed point.
#[derive(Debug, Clone)]
pub struct Circuit<const M: usize> {
    pub shape: Shape,
    first: [u32; M],
    /// By variable and the parent's state, in units of `2^-15`; each at least 1.
    steps: Vec<[[u16; M]; M]>,
    /// By variable, group of values and state, in units of `2^-16`.
    groups: Vec<[[u16; NIBBLE]; M]>,
    /// Sums of groups, of variables with more than one.
    sums: Vec<[[u32; NIBBLE]; M]>,
    /// Where each variable's groups and sums begin.
    starts: Vec<(usize, usize)>,
}

impl<const M: usize> Circuit<M> {
    /// The nearest integers of a circuit's parameters.
    #[must_use]
    pub fn new(shape: &Shape, parameters: &Tables<M>) -> Self {
        let step = |p: f32| (p * ((1 << STEP_BITS) - M) as f32 + 0.5) as u32 + 1;
        let steps = parameters.steps.iter();
        let steps = steps.map(|rows| rows.map(|row| row.map(|p| step(p) as u16)));
        let values = |value: usize| parameters.values[value].map(|p| (p * 65535.0 + 0.5) as u16);
        floats::plain(|| Self::assemble(shape, parameters.first.map(step), steps.collect(), values))
    }

    /// The circuit of stored weights.
    #[must_use]
    pub fn of_weights(shape: &Shape, weights: &Weights<M>) -> Self {
        let row = |levels: [u8; M]| {
            let units = levels.map(|level| u64::from(Weights::<M>::units(level)));
            let sum: u64 = units.iter().sum();
            let whole = (1 << STEP_BITS) - M as u64;
            units.map(|units| (units * whole / sum) as u32 + 1)
        };
        let steps = weights.steps.iter();
        let steps = steps.map(|rows| rows.map(|levels| row(levels).map(|p| p as u16)));
        let mut sums = vec![[0_u64; M]; shape.variables()];
        let mut variable_of = Vec::new();
        for (node, sums) in sums.iter_mut().enumerate() {
            let range = shape.offsets[node]..shape.offsets[node + 1];
            variable_of.resize(range.end, node);
            for levels in &weights.values[range] {
                for z in 0..M {
                    sums[z] += u64::from(Weights::<M>::units(levels[z]));
                }
            }
        }
        let values = |value: usize| {
            let (levels, sums) = (&weights.values[value], &sums[variable_of[value]]);
            std::array::from_fn(|z| {
                (u64::from(Weights::<M>::units(levels[z])) * 65535 / sums[z]) as u16
            })
        };
        Self::assemble(shape, row(weights.first), steps.collect(), values)
    }

    /// Probabilities of the root's states, in units of `2^-15`, about; each at least 1.
    #[must_use]
    pub fn first(&self) -> &[u32; M] {
        &self.first
    }

    /// Probabilities of a variable's states by the parent's state, in units of `2^-15`, about; each at
    /// least 1. They mean nothing for the root.
    #[must_use]
    pub fn steps(&self, variable: usize) -> &[[u16; M]; M] {
        &self.steps[variable]
    }

    /// Probabilities of a variable's value by its state, in units of `2^-16`, about.
    #[inline(always)]
    #[must_use]
    pub fn value(&self, variable: usize, value: usize) -> [u16; M] {
        let group = &self.groups[self.starts[variable].0 + value / NIBBLE];
        std::array::from_fn(|z| group[z][value % NIBBLE])
    }

    /// Masses of the values of a group of a variable whose states have these masses, of at most 2^15 and a
    /// little in all.
    #[inline(always)]
    #[must_use]
    pub fn masses(&self, variable: usize, states: &[u32; M], group: usize) -> [u32; NIBBLE] {
        weighed(states, &self.groups[self.starts[variable].0 + group])
    }

    /// Masses of the groups of a variable that has more than one, as of [`Circuit::masses`].
    #[inline(always)]
    #[must_use]
    pub fn group_masses(&self, variable: usize, states: &[u32; M]) -> [u32; NIBBLE] {
        weighed(states, &self.sums[self.starts[variable].1])
    }

    /// Puts the values' probabilities where they are looked up.
    fn assemble(
        shape: &Shape,
        first: [u32; M],
        steps: Vec<[[u16; M]; M]>,
        values: impl Fn(usize) -> [u16; M],
    ) -> Self {
        let mut circuit = Self {
            shape: shape.clone(),
            first,
            steps,
            groups: Vec::new(),
            sums: Vec::new(),
            starts: Vec::new(),
        };
        for node in 0..shape.variables() {
            let start = circuit.groups.len();
            circuit.starts.push((start, circuit.sums.len()));
            let (from, to) = (shape.offsets[node], shape.offsets[node + 1]);
            // A damaged record may have any value of the field's bits: each has a place.
            let end = from + (to - from).next_power_of_two();
            for from in (from..end).step_by(NIBBLE) {
                let mut group = [[0; NIBBLE]; M];
                for value in from..to.min(from + NIBBLE) {
                    let by_state = values(value);
                    for z in 0..M {
                        group[z][value - from] = by_state[z];
                    }
                }
                circuit.groups.push(group);
            }
            if circuit.groups.len() > start + 1 {
                let mut sums = [[0; NIBBLE]; M];
                for (number, group) in circuit.groups[start..].iter().enumerate() {
                    for z in 0..M {
                        sums[z][number] = group[z].iter().map(|&p| u32::from(p)).sum();
                    }
                }
                circuit.sums.push(sums);
            }
        }
        circuit
    }
}

/// What a row's values so far say of the states.
#[derive(Debug, Clone)]
pub struct Belief<const M: usize> {
    /// Of each variable coded so far: what all values say, and what those below it say.
    all: Vec<[u32; M]>,
    below: Vec<[u32; M]>,
    /// Of the next variable's states, before its value.
    now: [u32; M],
    last: usize,
}

/// The sum of the rows of a table, each times its state's mass.
#[inline(always)]
fn weighed<const M: usize, T: Copy + Into<u32>>(
    states: &[u32; M],
    table: &[[T; NIBBLE]; M],
) -> [u32; NIBBLE] {
    let mut masses = [0_u32; NIBBLE];
    for (&state, row) in states.iter().zip(table) {
        for value in 0..NIBBLE {
            masses[value] += state * row[value].into();
        }
    }
    masses
}

/// A vector times a power of two, so that its sum has 16 bits; each at least 1.
#[inline(always)]
pub(super) fn scaled<const M: usize>(mut vector: [u32; M]) -> [u32; M] {
    let sum: u64 = vector.iter().map(|&v| u64::from(v)).sum();
    let bits = u64::BITS - sum.leading_zeros();
    if bits > BELIEF_BITS {
        let shift = bits - BELIEF_BITS;
        vector.iter_mut().for_each(|v| *v = (*v >> shift).max(1));
    } else {
        let shift = BELIEF_BITS - bits;
        vector.iter_mut().for_each(|v| *v = (*v << shift).max(1));
    }
    vector
}

impl<const M: usize> Belief<M> {
    #[must_use]
    pub fn new(shape: &Shape) -> Self {
        let n = shape.variables();
        Self {
            all: vec![[0; M]; n],
            below: vec![[0; M]; n],
            now: [0; M],
            last: 0,
        }
    }

    /// Goes to the variable at `place` of the order; that before it was observed.
    #[inline(always)]
    pub fn visit(&mut self, circuit: &Circuit<M>, place: usize) {
        let tree = &circuit.shape.tree;
        let node = usize::from(tree.order()[place]);
        let Some(parent) = tree.parent(node) else {
            self.now = circuit.first;
            self.last = node;
            return;
        };
        // What was coded below other children of the parent is known by now.
        while self.last != parent {
            let done = self.last;
            let above = tree.parent(done).expect("on the way up to an ancestor");
            let below = self.below[done];
            let mut message = [0; M];
            for (sum, row) in message.iter_mut().zip(&circuit.steps[done]) {
                for z in 0..M {
                    *sum += u32::from(row[z]) * below[z];
                }
            }
            let message = scaled(message);
            let times = |v: [u32; M]| scaled(std::array::from_fn(|z| v[z] * message[z]));
            self.below[above] = times(self.below[above]);
            self.all[above] = times(self.all[above]);
            self.last = above;
        }
        let mut now = [0; M];
        for (&belief, row) in self.all[parent].iter().zip(&circuit.steps[node]) {
            for z in 0..M {
                now[z] += belief * u32::from(row[z]);
            }
        }
        self.now = now.map(|sum| sum >> 16);
        self.last = node;
    }

    /// Masses of the values of a group of the variable that was gone to.
    #[inline(always)]
    #[must_use]
    pub fn masses(&self, circuit: &Circuit<M>, group: usize) -> [u32; NIBBLE] {
        circuit.masses(self.last, &self.now, group)
    }

    /// Masses of the values of the variable that was gone to, or of their groups where it has more than one.
    #[inline(always)]
    #[must_use]
    pub fn first_masses(&self, circuit: &Circuit<M>) -> [u32; NIBBLE] {
        if circuit.shape.values(self.last) > NIBBLE {
            self.group_masses(circuit)
        } else {
            self.masses(circuit, 0)
        }
    }

    /// Masses of the groups of the variable that was gone to, which has more than one.
    #[inline(always)]
    #[must_use]
    pub fn group_masses(&self, circuit: &Circuit<M>) -> [u32; NIBBLE] {
        circuit.group_masses(self.last, &self.now)
    }

    /// Takes the value of the variable that was gone to.
    #[inline(always)]
    pub fn observe(&mut self, circuit: &Circuit<M>, value: usize) {
        let group = &circuit.groups[circuit.starts[self.last].0 + value / NIBBLE];
        let own: [u32; M] = std::array::from_fn(|z| u32::from(group[z][value % NIBBLE]).max(1));
        self.all[self.last] = scaled(std::array::from_fn(|z| self.now[z] * own[z]));
        self.below[self.last] = scaled(own);
    }
}
