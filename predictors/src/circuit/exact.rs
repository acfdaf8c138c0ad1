//! Questions to a circuit, answered in doubles: how probable values are, alone or given others.
//!
//! The probabilities are the circuit's integers, each row of them divided by its sum. Values have a little
//! more in every state, so that none is impossible. Missing ones are summed out. Upward and downward
//! pass as in [`expect`](super::expect).

use super::parameters::Shape;
use super::quantised::Circuit;

/// What each value has more in every state, in units of `2^-16`. The coder adds 64 to the mass of a value,
/// the sum over states of such units times beliefs, which come to `2^15`, about.
const UNSEEN: f64 = 1.0 / 512.0;
/// Products below this, 2^-500, are carried on as they are times `1 / SMALL`.
const SMALL: f64 = f64::from_bits((1023 - 500) << 52);

/// The values of a row that are known: `missing` has a byte for each, other than 0 where it is not, or
/// is empty where all are.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    pub values: &'a [u8],
    pub missing: &'a [u8],
}

impl Row<'_> {
    /// The value of a variable, if it is known.
    #[inline(always)]
    #[must_use]
    pub fn known(&self, variable: usize) -> Option<usize> {
        match self.missing.get(variable) {
            None | Some(0) => Some(usize::from(self.values[variable])),
            Some(_) => None,
        }
    }
}

/// Numbers that look random: splitmix64 (Steele, Lea and Flood 2014).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// From a seed, which is the state before the first number.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// Picks a number with a probability in proportion to its weight: the first at which the sum of the
    /// weights exceeds a number's top 53 bits, as a part of all, times `total`, the sum of all weights.
    fn pick(&mut self, total: f64, weights: impl Iterator<Item = f64>) -> usize {
        let mut left = (self.next() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64) * total;
        let mut last = 0;
        for (number, weight) in weights.enumerate() {
            if weight > 0.0 {
                if left < weight {
                    return number;
                }
                last = number;
            }
            left -= weight;
        }
        // The total was rounded up.
        last
    }
}

/// A product of vectors, each number with a power of [`SMALL`] of its own: of many factors the greatest
/// may have been the smallest once.
struct Product<const M: usize> {
    values: [f64; M],
    powers: [u32; M],
}

impl<const M: usize> Product<M> {
    fn new(values: [f64; M]) -> Self {
        Self {
            values,
            powers: [0; M],
        }
    }

    fn times(&mut self, factors: &[f64; M]) {
        let own = self.values.iter_mut().zip(&mut self.powers);
        for ((value, power), factor) in own.zip(factors) {
            *value *= factor;
            if *value < SMALL {
                *value *= 1.0 / SMALL;
                *power += 1;
            }
        }
    }

    /// The product divided by its greatest number, and that number's logarithm.
    fn finish(self) -> ([f64; M], f64) {
        let least = self.powers.iter().copied().min().unwrap_or(0);
        let values = std::array::from_fn(|z| match self.powers[z] - least {
            0 => self.values[z],
            1 => self.values[z] * SMALL,
            _ => 0.0,
        });
        let (values, log) = by_greatest(values);
        (values, log + f64::from(least) * SMALL.ln())
    }
}

/// A vector divided by its greatest number, and that number's logarithm.
fn by_greatest<const M: usize>(values: [f64; M]) -> ([f64; M], f64) {
    let greatest = values.iter().copied().fold(0.0, f64::max);
    (values.map(|value| value / greatest), greatest.ln())
}

/// Memory of the passes over one row.
pub struct Room<const M: usize> {
    /// Whether a value is known at each variable or below it.
    known: Vec<bool>,
    /// Likelihood of what is known at each variable and below by its state, the greatest 1.
    beliefs: Vec<[f64; M]>,
    /// The same by the parent's state; none is below `2^-15`, about.
    messages: Vec<[f64; M]>,
    /// Probability of each variable's states given all that is known.
    after: Vec<[f64; M]>,
    states: Vec<usize>,
}

/// A circuit as probabilities.
pub struct Exact<'a, const M: usize> {
    circuit: &'a Circuit<M>,
    first: [f64; M],
    steps: Vec<[[f64; M]; M]>,
    /// Sums over the values of each variable, by state.
    sums: Vec<[f64; M]>,
}

fn shares<const M: usize, T: Copy + Into<u32>>(row: &[T; M]) -> [f64; M] {
    let row = row.map(|units| f64::from(units.into()));
    let sum: f64 = row.iter().sum();
    row.map(|units| units / sum)
}

impl<'a, const M: usize> Exact<'a, M> {
    #[must_use]
    pub fn new(circuit: &'a Circuit<M>) -> Self {
        let shape = &circuit.shape;
        let sums = (0..shape.variables()).map(|variable| {
            let mut sums = [0.0; M];
            for value in 0..shape.values(variable) {
                let masses = masses(circuit, variable, value);
                sums.iter_mut().zip(masses).for_each(|(sum, m)| *sum += m);
            }
            sums
        });
        let steps = (0..shape.variables()).map(|v| circuit.steps(v).each_ref().map(shares));
        Self {
            first: shares(circuit.first()),
            steps: steps.collect(),
            sums: sums.collect(),
            circuit,
        }
    }

    fn shape(&self) -> &Shape {
        &self.circuit.shape
    }

    /// Memory for rows of this circuit.
    #[must_use]
    pub fn room(&self) -> Room<M> {
        let n = self.shape().variables();
        Room {
            known: vec![false; n],
            beliefs: vec![[1.0; M]; n],
            messages: vec![[1.0; M]; n],
            after: vec![[0.0; M]; n],
            states: vec![0; n],
        }
    }

    /// The logarithm of the probability of what is known of a row.
    pub fn log_prob(&self, row: Row<'_>, room: &mut Room<M>) -> f64 {
        let tree = &self.shape().tree;
        let mut log = 0.0;
        for &node in tree.order().iter().rev() {
            let node = usize::from(node);
            let own = row.known(node);
            let mut known = own.is_some();
            let mut product = Product::new(own.map_or([1.0; M], |value| {
                let masses = masses(self.circuit, node, value);
                std::array::from_fn(|z| masses[z] / self.sums[node][z])
            }));
            for &child in tree.children(node) {
                let child = usize::from(child);
                if room.known[child] {
                    product.times(&room.messages[child]);
                    known = true;
                }
            }
            room.known[node] = known;
            if !known {
                room.beliefs[node] = [1.0; M];
                room.messages[node] = [1.0; M];
                continue;
            }
            let (belief, greatest) = product.finish();
            room.beliefs[node] = belief;
            log += greatest;
            if tree.parent(node).is_some() {
                let message = self.steps[node].each_ref().map(|step| dot(step, &belief));
                let (message, greatest) = by_greatest(message);
                room.messages[node] = message;
                log += greatest;
            } else {
                log += dot(&self.first, &belief).ln();
            }
        }
        log
    }

    /// Gives `take` each variable with the probability of each of its values given those known.
    pub fn marginals(&self, row: Row<'_>, room: &mut Room<M>, mut take: impl FnMut(usize, &[f64])) {
        self.log_prob(row, room);
        let tree = &self.shape().tree;
        let mut found = Vec::new();
        for &node in tree.order() {
            let node = usize::from(node);
            let mut after = self.first;
            if let Some(parent) = tree.parent(node) {
                after = [0.0; M];
                for (above, step) in self.steps[node].iter().enumerate() {
                    let ratio = room.after[parent][above] / room.messages[node][above];
                    for z in 0..M {
                        after[z] += ratio * step[z];
                    }
                }
            }
            let beliefs = after.iter_mut().zip(&room.beliefs[node]);
            beliefs.for_each(|(p, belief)| *p *= belief);
            let sum: f64 = after.iter().sum();
            room.after[node] = after.map(|p| p / sum);
            found.clear();
            found.resize(self.shape().values(node), 0.0);
            if let Some(value) = row.known(node) {
                found[value] = 1.0;
            } else {
                let shares = std::array::from_fn(|z| room.after[node][z] / self.sums[node][z]);
                for (value, p) in found.iter_mut().enumerate() {
                    *p = dot(&shares, &masses(self.circuit, node, value));
                }
            }
            take(node, &found);
        }
    }

    /// Takes up what is known of a row, for [`Exact::sample`].
    pub fn condition(&self, row: Row<'_>, room: &mut Room<M>) {
        self.log_prob(row, room);
    }

    /// A row given what is known of it, which [`Exact::condition`] took up. In the order of coding, for each
    /// variable a number is picked for its state and then, where it is missing, one for its value.
    pub fn sample(&self, row: Row<'_>, room: &mut Room<M>, random: &mut Random, out: &mut [u8]) {
        let tree = &self.shape().tree;
        for &node in tree.order() {
            let node = usize::from(node);
            let before = match tree.parent(node) {
                None => &self.first,
                Some(parent) => &self.steps[node][room.states[parent]],
            };
            let belief = &room.beliefs[node];
            let weights: [f64; M] = std::array::from_fn(|z| before[z] * belief[z]);
            let state = random.pick(weights.iter().sum(), weights.into_iter());
            room.states[node] = state;
            out[node] = row.known(node).unwrap_or_else(|| {
                let values = 0..self.shape().values(node);
                let weights = values.map(|value| masses(self.circuit, node, value)[state]);
                random.pick(self.sums[node][state], weights)
            }) as u8;
        }
    }
}

/// A value's probabilities by state, in units of `2^-16`, about; none is 0.
#[inline(always)]
fn masses<const M: usize>(circuit: &Circuit<M>, variable: usize, value: usize) -> [f64; M] {
    let units = circuit.value(variable, value);
    units.map(|units| f64::from(units) + UNSEEN)
}

#[inline(always)]
fn dot<const M: usize>(a: &[f64; M], b: &[f64; M]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::circuit::tree::Tree;
    use crate::circuit::weights::Weights;

    const M: usize = 4;
    const VALUES: [usize; 5] = [2, 3, 20, 2, 1];
    const NONE: [u8; 5] = [0; 5];
    const ALL: [u8; 5] = [1; 5];

    /// A circuit whose probabilities are all over the levels.
    fn wild() -> Circuit<M> {
        let tree = Tree::new(&[Some(1), None, Some(1), Some(2), Some(1)]).unwrap();
        let shape = Shape::new(Arc::new(tree), &VALUES);
        let mut random = Random::new(5);
        let mut level = || (random.next() >> 58) as u8;
        let mut weights = Weights::<M> {
            first: [0; M],
            steps: vec![[[0; M]; M]; VALUES.len()],
            values: vec![[0; M]; shape.all_values()],
        };
        weights.first.fill_with(&mut level);
        weights
            .steps
            .as_flattened_mut()
            .as_flattened_mut()
            .fill_with(&mut level);
        weights.values.as_flattened_mut().fill_with(&mut level);
        Circuit::of_weights(&shape, &weights)
    }

    fn numbered(mut number: usize, sizes: &[usize]) -> Vec<u8> {
        let digit = |&size: &usize| {
            let digit = number % size;
            number /= size;
            digit as u8
        };
        sizes.iter().map(digit).collect()
    }

    /// The probability of a whole row: a sum over all states of all latents.
    fn by_force(circuit: &Circuit<M>, row: &[u8]) -> f64 {
        let tree = &circuit.shape.tree;
        let n = row.len();
        let mut all = 0.0;
        for number in 0..M.pow(n as u32) {
            let states = numbered(number, &vec![M; n]);
            let mut p = 1.0;
            for v in 0..n {
                let z = usize::from(states[v]);
                let before: [f64; M] = match tree.parent(v) {
                    None => circuit.first().map(f64::from),
                    Some(u) => circuit.steps(v)[usize::from(states[u])].map(f64::from),
                };
                p *= before[z] / before.iter().sum::<f64>();
                let value = |x: usize| f64::from(circuit.value(v, x)[z]) + 1.0 / 512.0;
                let sum: f64 = (0..circuit.shape.values(v)).map(value).sum();
                p *= value(usize::from(row[v])) / sum;
            }
            all += p;
        }
        all
    }

    /// All rows with their probabilities.
    fn table(circuit: &Circuit<M>) -> Vec<(Vec<u8>, f64)> {
        let rows = (0..VALUES.iter().product()).map(|number| numbered(number, &VALUES));
        rows.map(|row| {
            let p = by_force(circuit, &row);
            (row, p)
        })
        .collect()
    }

    /// The rows that agree with what is known of `row`.
    fn like<'t>(table: &'t [(Vec<u8>, f64)], row: Row<'_>) -> Vec<&'t (Vec<u8>, f64)> {
        let fits = |values: &[u8]| {
            (0..values.len()).all(|v| row.known(v).is_none_or(|x| x == usize::from(values[v])))
        };
        table.iter().filter(|(values, _)| fits(values)).collect()
    }

    #[test]
    fn probabilities_and_marginals_are_those_of_enumeration() {
        let circuit = wild();
        let table = table(&circuit);
        let exact = Exact::new(&circuit);
        let mut room = exact.room();
        let sum: f64 = table
            .iter()
            .map(|(values, p)| {
                let missing: &[u8] = &[];
                let log = exact.log_prob(Row { values, missing }, &mut room);
                assert!((log - p.ln()).abs() < 1e-9, "{values:?}: {log} {}", p.ln());
                log.exp()
            })
            .sum();
        assert!((sum - 1.0).abs() < 1e-9);
        let nothing = Row {
            values: &NONE,
            missing: &ALL,
        };
        assert_eq!(exact.log_prob(nothing, &mut room), 0.0);
        for number in 0..500 {
            let missing = numbered(number % 32, &[2; 5]);
            // Codes of missing values are not looked at.
            let mut values = table[number * 7 % table.len()].0.clone();
            for (value, _) in values.iter_mut().zip(&missing).filter(|(_, m)| **m != 0) {
                *value = 255;
            }
            let row = Row {
                values: &values,
                missing: &missing,
            };
            let like = like(&table, row);
            let all: f64 = like.iter().map(|(_, p)| p).sum();
            let log = exact.log_prob(row, &mut room);
            assert!((log - all.ln()).abs() < 1e-9);
            let mut seen = 0;
            exact.marginals(row, &mut room, |variable, found| {
                seen += 1;
                assert_eq!(found.len(), VALUES[variable]);
                for (value, p) in found.iter().enumerate() {
                    let own = like
                        .iter()
                        .filter(|(row, _)| usize::from(row[variable]) == value);
                    let wanted = own.map(|(_, p)| p).sum::<f64>() / all;
                    assert!((p - wanted).abs() < 1e-9, "{variable} {value} {p} {wanted}");
                    if let Some(known) = row.known(variable) {
                        assert_eq!(*p, f64::from(u8::from(known == value)));
                    }
                }
            });
            assert_eq!(seen, VALUES.len());
        }
    }

    #[test]
    fn samples_are_as_frequent_as_they_should_be() {
        const COUNT: usize = 40_000;
        let circuit = wild();
        let table = table(&circuit);
        let exact = Exact::new(&circuit);
        let mut room = exact.room();
        let mut random = Random::new(11);
        for missing in [[1; 5], [1, 0, 1, 1, 1], [0, 1, 0, 1, 0], [0; 5]] {
            let row = Row {
                values: &[1, 2, 7, 1, 0],
                missing: &missing,
            };
            let like = like(&table, row);
            let all: f64 = like.iter().map(|(_, p)| p).sum();
            exact.condition(row, &mut room);
            let mut counts = std::collections::HashMap::new();
            for _ in 0..COUNT {
                let mut out = vec![0; 5];
                exact.sample(row, &mut room, &mut random, &mut out);
                *counts.entry(out).or_insert(0) += 1;
            }
            let mut sum = 0;
            for (values, p) in like {
                let wanted = p / all * COUNT as f64;
                let count = counts.get(values).copied().unwrap_or(0);
                let away = (f64::from(count) - wanted).abs();
                assert!(
                    away <= 5.0 * wanted.sqrt() + 3.0,
                    "{values:?} {count} {wanted}"
                );
                sum += count;
            }
            assert_eq!(sum as usize, COUNT, "others than those that agree");
        }
    }

    #[test]
    fn the_generator_is_splitmix64() {
        let mut random = Random::new(1_234_567);
        // From the reference implementation's published vectors.
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn many_variables_below_one_lose_nothing() {
        // A star whose first half speaks for one state and whose second half for another.
        const N: usize = 1200;
        let parents: Vec<_> = (0..=N).map(|v| (v > 0).then_some(0)).collect();
        let shape = Shape::new(Arc::new(Tree::new(&parents).unwrap()), &[2; N + 1]);
        let mut step = [[63; M]; M];
        (0..M).for_each(|z| step[z][z] = 0);
        let mut values = vec![[0; M], [0; M]];
        values.extend([[0, 0, 50, 50], [50, 50, 0, 0]].iter().cycle().take(2 * N));
        let weights = Weights::<M> {
            first: [0; M],
            steps: vec![step; N + 1],
            values,
        };
        let circuit = Circuit::of_weights(&shape, &weights);
        let exact = Exact::new(&circuit);
        let mut room = exact.room();
        let mut row = vec![0; N + 1];
        row[1 + N / 2..].fill(1);
        let mut alternating = vec![0; N + 1];
        alternating[1..].iter_mut().step_by(2).for_each(|x| *x = 1);
        let log = |values: &[u8], room: &mut Room<M>| {
            exact.log_prob(
                Row {
                    values,
                    missing: &[],
                },
                room,
            )
        };
        let (halves, mixed) = (log(&row, &mut room), log(&alternating, &mut room));
        assert!(
            halves < -3000.0 && (halves - mixed).abs() < 1e-6,
            "{halves} {mixed}"
        );
        let mut missing = vec![0; N + 1];
        missing[0] = 1;
        let row = Row {
            values: &row,
            missing: &missing,
        };
        exact.marginals(row, &mut room, |variable, p| {
            assert!(variable > 0 || (p[0] - 0.5).abs() < 1e-9, "{p:?}");
        });
    }
}
