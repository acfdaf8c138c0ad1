//! A circuit asked about the variables of a record in the order of their numbers, not of its tree: what is
//! known is carried along the tree from each variable to the next.
//!
//! Belief propagation with a message each way on every edge, of which those that point at the variable
//! in question are kept up to date (Pearl, "Probabilistic Reasoning in Intelligent Systems", 1988).

use super::quantised::{Circuit, NIBBLE, scaled};
use super::tree::Tree;
use crate::segment::PredictorError;

/// Messages of a record, at most, for each of its variables.
const MOST_MESSAGES: usize = 64;

/// Where a circuit's tree is walked from each variable to the next.
#[derive(Debug, Clone)]
pub struct Paths {
    /// Variables passed, those at the ends too, and where each path begins among them.
    nodes: Vec<u16>,
    starts: Vec<u32>,
}

impl Paths {
    /// # Errors
    /// [`PredictorError::Unsupported`] for a tree that takes too long to walk.
    pub fn new<const M: usize>(circuit: &Circuit<M>) -> Result<Self, PredictorError> {
        const LONG: PredictorError =
            PredictorError::Unsupported("a circuit whose tree is long to walk");
        let tree = &circuit.shape.tree;
        let n = tree.len();
        let mut depths = vec![0_u32; n];
        for &node in tree.order() {
            let node = usize::from(node);
            depths[node] = tree.parent(node).map_or(0, |parent| depths[parent] + 1);
        }
        let above = |node: usize| tree.parent(node).expect("below the root");
        let (mut nodes, mut starts) = (Vec::new(), vec![0]);
        for to in 1..n {
            let (mut from, mut end) = (to - 1, to);
            let mut down = vec![to as u16];
            while from != end {
                if depths[from] >= depths[end] {
                    nodes.push(from as u16);
                    from = above(from);
                } else {
                    end = above(end);
                    down.push(end as u16);
                }
                // Each path has a variable more than messages.
                if nodes.len() + down.len() - to > n * MOST_MESSAGES {
                    return Err(LONG);
                }
            }
            nodes.extend(down.iter().rev());
            starts.push(nodes.len() as u32);
        }
        Ok(Self { nodes, starts })
    }

    /// The path from variable `to - 1` to `to`.
    fn before(&self, to: usize) -> std::ops::Range<usize> {
        self.starts[to - 1] as usize..self.starts[to] as usize
    }
}

/// What the children of each variable told it, joined in pairs, pairs of pairs and so on, so that what all but
/// one told is soon found.
#[derive(Debug, Clone)]
struct Told<const M: usize> {
    /// A binary heap for each variable with children, which are its leaves; entry 0 is not used.
    entries: Vec<[u32; M]>,
    there: Vec<bool>,
    /// Where each variable's heap begins, and which entry each child's is in its parent's.
    starts: Vec<u32>,
    slots: Vec<u16>,
}

impl<const M: usize> Told<M> {
    fn new(tree: &Tree) -> Self {
        let n = tree.len();
        let (mut starts, mut slots, mut end) = (Vec::new(), vec![0; n], 0);
        for node in 0..n {
            starts.push(end);
            let children = tree.children(node);
            let leaves = children.len().next_power_of_two();
            for (i, &child) in children.iter().enumerate() {
                slots[usize::from(child)] = (leaves + i) as u16;
            }
            end += 2 * leaves as u32;
        }
        Self {
            entries: vec![[0; M]; end as usize],
            there: vec![false; end as usize],
            starts,
            slots,
        }
    }

    /// Takes up what `child` tells its parent.
    #[inline(always)]
    fn tell(&mut self, parent: usize, child: usize, message: [u32; M]) {
        let start = self.starts[parent] as usize;
        let mut at = usize::from(self.slots[child]);
        self.entries[start + at] = message;
        self.there[start + at] = true;
        while at > 1 {
            let (own, other) = (start + at, start + (at ^ 1));
            let first = own.min(other);
            let joined = if self.there[other] {
                times(&self.entries[first], &self.entries[first + 1])
            } else {
                self.entries[own]
            };
            at >>= 1;
            self.entries[start + at] = joined;
            self.there[start + at] = true;
        }
    }

    /// `product` and what the children told, but for one.
    #[inline(always)]
    fn join(
        &self,
        mut product: Option<[u32; M]>,
        node: usize,
        but: Option<usize>,
    ) -> Option<[u32; M]> {
        let start = self.starts[node] as usize;
        let Some(but) = but else {
            return self.join_entry(product, start + 1);
        };
        let mut at = usize::from(self.slots[but]);
        while at > 1 {
            product = self.join_entry(product, start + (at ^ 1));
            at >>= 1;
        }
        product
    }

    #[inline(always)]
    fn join_entry(&self, product: Option<[u32; M]>, at: usize) -> Option<[u32; M]> {
        // Closures would not be compiled for the CPU's features.
        match product {
            _ if !self.there[at] => product,
            Some(product) => Some(times(&product, &self.entries[at])),
            None => Some(self.entries[at]),
        }
    }
}

/// Which message is asked for: what a variable tells its parent, a child, or nobody.
#[derive(Debug, Clone, Copy)]
enum To {
    Parent,
    Child(usize),
    Nobody,
}

/// What the values of a record so far say of the next one.
#[derive(Debug, Clone)]
pub struct Walk<const M: usize> {
    paths: Paths,
    /// Steps with the parent's state innermost.
    turned: Vec<[[u16; M]; M]>,
    /// What each variable hears from its parent while nothing is known; of the root, its own probabilities.
    priors: Vec<[u32; M]>,
    /// What each variable heard last from its parent, and from its children.
    down: Vec<[u32; M]>,
    told: Told<M>,
    /// What the values say, of the variables before the one in question.
    own: Vec<[u32; M]>,
    /// Variable in question, and what is known of its states.
    at: usize,
    now: [u32; M],
}

impl<const M: usize> Walk<M> {
    /// # Errors
    /// As [`Paths::new`].
    pub fn new(circuit: &Circuit<M>) -> Result<Self, PredictorError> {
        let tree = &circuit.shape.tree;
        let n = tree.len();
        let mut priors = vec![[0; M]; n];
        for &node in tree.order() {
            let node = usize::from(node);
            priors[node] = match tree.parent(node) {
                None => scaled(*circuit.first()),
                Some(parent) => step(circuit.steps(node), &priors[parent]),
            };
        }
        let turn = |node| {
            let steps = circuit.steps(node);
            std::array::from_fn(|z| std::array::from_fn(|y| steps[y][z]))
        };
        let mut walk = Self {
            paths: Paths::new(circuit)?,
            turned: (0..n).map(turn).collect(),
            down: priors.clone(),
            priors,
            told: Told::new(tree),
            own: vec![[0; M]; n],
            at: 0,
            now: [0; M],
        };
        walk.look();
        Ok(walk)
    }

    /// Variable in question.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    /// What is known of its states.
    #[must_use]
    pub fn now(&self) -> &[u32; M] {
        &self.now
    }

    /// What is known around a variable, but for what it was told by the one that is to be told.
    #[inline(always)]
    fn around(&self, node: usize, to: To) -> [u32; M] {
        let known = (node < self.at).then_some(&self.own[node]);
        let above = (!matches!(to, To::Parent)).then_some(&self.down[node]);
        let product = match (known, above) {
            (Some(own), Some(down)) => Some(times(own, down)),
            (own, down) => own.or(down).copied(),
        };
        let but = match to {
            To::Child(child) => Some(child),
            _ => None,
        };
        // What tells its parent something knows its own value, or was told something.
        let product = self.told.join(product, node, but);
        product.expect("something is known")
    }

    #[inline(always)]
    fn look(&mut self) {
        self.now = self.around(self.at, To::Nobody).map(|v| v >> 1);
    }

    /// Masses of the groups of values of the variable in question, which has more than one.
    #[inline(always)]
    #[must_use]
    pub fn group_masses(&self, circuit: &Circuit<M>) -> [u32; NIBBLE] {
        circuit.group_masses(self.at, &self.now)
    }

    /// Masses of the values of a group of the variable in question.
    #[inline(always)]
    #[must_use]
    pub fn masses(&self, circuit: &Circuit<M>, group: usize) -> [u32; NIBBLE] {
        circuit.masses(self.at, &self.now, group)
    }

    /// Takes the value of the variable in question and goes on to the next one; from the last to the first
    /// of another record.
    #[inline(always)]
    pub fn take(&mut self, circuit: &Circuit<M>, value: usize) {
        let tree = &circuit.shape.tree;
        self.at += 1;
        if self.at == tree.len() {
            self.at = 0;
            self.told.there.fill(false);
            self.down.copy_from_slice(&self.priors);
        } else {
            let last = self.at - 1;
            self.own[last] = scaled(circuit.value(last, value).map(|v| u32::from(v).max(1)));
            for i in self.paths.before(self.at).skip(1) {
                let from = usize::from(self.paths.nodes[i - 1]);
                let to = usize::from(self.paths.nodes[i]);
                if tree.parent(from) == Some(to) {
                    let message = step(&self.turned[from], &self.around(from, To::Parent));
                    self.told.tell(to, from, message);
                } else {
                    let around = self.around(from, To::Child(to));
                    self.down[to] = step(circuit.steps(to), &around);
                }
            }
        }
        self.look();
    }
}

/// Both vectors multiplied.
#[inline(always)]
fn times<const M: usize>(a: &[u32; M], b: &[u32; M]) -> [u32; M] {
    scaled(std::array::from_fn(|z| a[z] * b[z]))
}

/// A vector of states times a matrix whose rows are theirs.
#[inline(always)]
fn step<const M: usize>(rows: &[[u16; M]; M], vector: &[u32; M]) -> [u32; M] {
    let mut sums = [0; M];
    for (&v, row) in vector.iter().zip(rows) {
        for z in 0..M {
            sums[z] += v * u32::from(row[z]);
        }
    }
    scaled(sums)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::circuit::exact::Random;
    use crate::circuit::parameters::Shape;
    use crate::circuit::tree::Tree;
    use crate::circuit::weights::Weights;

    const M: usize = 4;
    const VALUES: usize = 20;

    fn circuit(parents: &[Option<usize>], seed: u64) -> Circuit<M> {
        let tree = Tree::new(parents).unwrap();
        let shape = Shape::new(Arc::new(tree), &vec![VALUES; parents.len()]);
        let mut random = Random::new(seed);
        let mut level = || (random.next() >> 59) as u8;
        let mut row = || std::array::from_fn(|_| level());
        let weights = Weights::<M> {
            first: row(),
            steps: parents
                .iter()
                .map(|_| [row(), row(), row(), row()])
                .collect(),
            values: (0..shape.all_values()).map(|_| row()).collect(),
        };
        Circuit::of_weights(&shape, &weights)
    }

    /// Probabilities of the values of the variable that follows those known: sums over all states of all latents.
    fn by_force(circuit: &Circuit<M>, known: &[usize]) -> Vec<f64> {
        let tree = &circuit.shape.tree;
        let (n, at) = (tree.len(), known.len());
        let mut masses = [0.0; VALUES];
        for number in 0..M.pow(n as u32) {
            let state = |v: usize| number / M.pow(v as u32) % M;
            let mut p = 1.0;
            for v in 0..n {
                p *= f64::from(match tree.parent(v) {
                    None => circuit.first()[state(v)],
                    Some(u) => u32::from(circuit.steps(v)[state(u)][state(v)]),
                }) / 32768.0;
                if let Some(&x) = known.get(v) {
                    p *= f64::from(circuit.value(v, x)[state(v)]);
                }
            }
            for (x, mass) in masses.iter_mut().enumerate() {
                *mass += p * f64::from(circuit.value(at, x)[state(at)]);
            }
        }
        let sum: f64 = masses.iter().sum();
        masses.iter().map(|mass| mass / sum).collect()
    }

    fn by_walk(circuit: &Circuit<M>, walk: &Walk<M>) -> Vec<f64> {
        let groups = walk.group_masses(circuit);
        let values: Vec<u32> = (0..VALUES.div_ceil(NIBBLE))
            .flat_map(|group| walk.masses(circuit, group))
            .collect();
        for (group, &mass) in groups.iter().enumerate() {
            let own = values.iter().skip(group * NIBBLE).take(NIBBLE);
            assert_eq!(
                u64::from(mass),
                own.map(|&mass| u64::from(mass)).sum::<u64>()
            );
        }
        let sum: f64 = groups.iter().map(|&mass| f64::from(mass)).sum();
        let values = values.iter().take(VALUES);
        values.map(|&mass| f64::from(mass) / sum).collect()
    }

    #[test]
    fn each_variable_is_told_what_enumeration_says() {
        let trees: [&[Option<usize>]; 4] = [
            &[Some(2), Some(0), None, Some(2), Some(0), Some(3)],
            // A hub, a path from the root, and one that goes back and forth.
            &[Some(5), Some(5), Some(5), Some(5), Some(5), None],
            &[None, Some(0), Some(1), Some(2), Some(3), Some(4)],
            &[Some(3), Some(4), Some(5), Some(5), Some(0), None],
        ];
        let mut random = Random::new(3);
        for (seed, parents) in trees.iter().enumerate() {
            let circuit = circuit(parents, seed as u64 + 1);
            let mut walk = Walk::new(&circuit).unwrap();
            for _ in 0..8 {
                let mut known = Vec::new();
                for at in 0..parents.len() {
                    assert_eq!(walk.at(), at);
                    let (found, wanted) = (by_walk(&circuit, &walk), by_force(&circuit, &known));
                    for (x, (p, q)) in found.iter().zip(&wanted).enumerate() {
                        assert!((p - q).abs() < 1e-3, "{parents:?} {known:?} {x}: {p} {q}");
                    }
                    known.push((random.next() % VALUES as u64) as usize);
                    walk.take(&circuit, known[at]);
                }
            }
        }
    }

    #[test]
    fn trees_that_are_long_to_walk_are_refused() {
        // Two chains, between whose ends each step goes.
        let n = 4000;
        let parents: Vec<_> = (0..n).map(|v: usize| v.checked_sub(2)).collect();
        let mut chains = parents.clone();
        chains[1] = Some(0);
        let star: Vec<_> = (0..n).map(|v| (v > 0).then_some(0)).collect();
        let path: Vec<_> = (0..n).map(|v: usize| v.checked_sub(1)).collect();
        assert!(Paths::new(&circuit(&chains, 1)).is_err());
        assert!(Paths::new(&circuit(&star, 1)).is_ok());
        assert!(Paths::new(&circuit(&path, 1)).is_ok());
    }
}
