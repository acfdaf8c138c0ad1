use super::*;
use proptest::prelude::*;

struct All<'a> {
    inputs: &'a [i32],
    weights: &'a [i32],
    error: i32,
    nodes: &'a [u8],
    counts: u32,
    node: usize,
    bit: u32,
}

/// Every output of every kernel.
type Outputs = (
    [i32; ESTIMATES],
    Vec<i32>,
    Vec<i32>,
    usize,
    Vec<i32>,
    Vec<i32>,
    Vec<[u32; 256]>,
    Vec<[u8; 16]>,
    [u32; GROUP],
);

impl Job for All<'_> {
    type Output = Outputs;

    fn run<K: Kernels>(self) -> Outputs {
        let tables = Tables::get();
        let mut weights = self.weights.repeat(3);
        let starts = [0, 2 * self.weights.len()];
        let mut estimates = [7; ESTIMATES];
        K::dot(self.inputs, &weights, &starts, &mut estimates);
        K::train(
            self.inputs,
            &mut weights,
            &starts,
            &[self.error, -self.error],
        );
        let mut values = [0; ESTIMATES];
        let most = self.inputs.len().min(ESTIMATES);
        values[..most].copy_from_slice(&self.inputs[..most]);
        let mut blended = Vec::new();
        for lanes in (0..=most).step_by(ESTIMATE_LANES) {
            blended.extend(K::blend(&values, lanes, &weights, &starts));
            let errors = [-self.error, self.error];
            K::train_blend(&values, lanes, &mut weights, &starts, &errors);
        }
        let mut groups = Group::of(self.nodes.len() / 16, &[0; 256]);
        let mut nodes = self.nodes.as_chunks().0.iter();
        for group in &mut groups {
            for (i, own) in nodes.by_ref().take(group.count).enumerate() {
                group.nodes[i] = *own;
            }
            for (entry, seed) in group.maps.as_flattened_mut().iter_mut().zip(0_u32..) {
                *entry = seed.wrapping_mul(0x9e37_79b1).wrapping_add(self.counts);
            }
        }
        let whole = self.nodes.len().div_ceil(16).next_multiple_of(LANES);
        let (mut stretched, mut distance) = (vec![7; whole], vec![0; whole]);
        let seen = K::context_inputs(
            tables,
            &mut groups,
            self.node,
            &mut stretched,
            &mut distance,
        );
        K::context_update(tables, &mut groups, self.node, self.bit, 255);
        let mut counters =
            std::array::from_fn(|i| (i as u32).wrapping_mul(0x9e37_79b1) ^ self.counts);
        K::update_counters(tables, &mut counters, self.bit, 255);
        let used = |group: &Group| {
            let n = group.count;
            (group.maps[..n].to_vec(), group.nodes[..n].to_vec())
        };
        let (maps, nodes): (Vec<_>, Vec<_>) = groups.iter().map(used).unzip();
        let contexts = self.nodes.len() / 16;
        distance.truncate(contexts);
        (
            estimates,
            blended,
            weights,
            seen,
            stretched,
            distance,
            maps.concat(),
            nodes.concat(),
            counters,
        )
    }
}

fn all_levels_agree(inputs: &[i32], weights: &[i32], error: i32, nodes: &[u8], counts: u32) {
    for node in [1, 7, 15] {
        for bit in [0, 1] {
            let job = || All {
                inputs,
                weights,
                error,
                nodes,
                counts,
                node,
                bit,
            };
            let expected = run(Level::Scalar, job());
            for (name, level) in available() {
                assert!(run(level, job()) == expected, "{name} differs from scalar");
            }
        }
    }
}

#[test]
fn kernels_agree_at_the_edges() {
    let limit = scalar::WEIGHT_LIMIT;
    for x in [-32767, -1, 0, 1, 32767] {
        for w in [-limit, -65536, -1, 0, 1, 65535, limit] {
            for error in [-32767, -1, 0, 1, 32767] {
                all_levels_agree(&[x; 2 * LANES], &[w; 2 * LANES], error, &[255; 48], 0);
            }
        }
    }
}

proptest! {
    #[test]
    fn kernels_agree(
        rows in prop::collection::vec((-32767..=32767_i32, -scalar::WEIGHT_LIMIT..=scalar::WEIGHT_LIMIT), 4 * LANES),
        blocks in 0..=4_usize,
        error in -32767..=32767_i32,
        nodes in prop::collection::vec(any::<[u8; 16]>(), 0..40),
        counts in any::<u32>(),
    ) {
        let (inputs, weights): (Vec<_>, Vec<_>) = rows.into_iter().take(blocks * LANES).unzip();
        all_levels_agree(&inputs, &weights, error, nodes.as_flattened(), counts);
    }
}
