//! What circuits say of values: against sums over all states, the coder's length, other instruction sets.

use std::sync::Arc;

use super::{Random, WORDS, round_trip};
use crate::circuit::any::{AnyBelief, AnyCircuit};
use crate::circuit::expect::{Data, Room, expect};
use crate::circuit::learn::{Course, Learner};
use crate::circuit::parameters::{Shape, Tables};
use crate::circuit::quantised::{Belief, Circuit};
use crate::circuit::tree::Tree;
use crate::pc::pack::CircuitPack;
use crate::pc::{Training, train};
use crate::simd;

fn learnt<const M: usize>(values: &[usize], rows: usize) -> (Learner<M>, Vec<u8>) {
    let parents: Vec<Option<usize>> = (0..values.len()).map(|v| v.checked_sub(1)).collect();
    let shape = Shape::new(Arc::new(Tree::new(&parents).unwrap()), values);
    let mut random = Random(3);
    let mut data = Vec::new();
    for _ in 0..rows {
        let mut last = 0;
        for &count in values {
            if random.below(4) == 0 {
                last = random.below(count as u64) as usize;
            }
            last %= count;
            data.push(last as u8);
        }
    }
    let places: Vec<usize> = (0..values.len()).collect();
    let rows_of = Data {
        values: &data,
        stride: values.len(),
        places: &places,
    };
    let mut learner = Learner::new(simd::Level::Scalar, shape, rows_of, rows);
    let course = Course {
        passes: 3,
        batch: 64,
        share: [0.5, 0.03],
    };
    learner.learn(rows_of, rows, course);
    (learner, data)
}

/// The probability of a row by summing over the states of all variables.
fn joint<const M: usize>(shape: &Shape, p: &Tables<M>, row: &[usize]) -> f64 {
    let n = row.len();
    let mut sum = 0.0;
    for combination in 0..M.pow(n as u32) {
        let state = |v: usize| combination / M.pow(v as u32) % M;
        let mut product = 1.0;
        for (v, &value) in row.iter().enumerate() {
            product *= f64::from(p.values[shape.offsets[v] + value][state(v)]);
            product *= f64::from(match shape.tree.parent(v) {
                None => p.first[state(v)],
                Some(parent) => p.steps[v][state(parent)][state(v)],
            });
        }
        sum += product;
    }
    sum
}

#[test]
fn masses_multiply_to_what_summing_over_all_states_gives() {
    for parents in [
        [None, Some(0), Some(1)],
        [None, Some(0), Some(0)],
        [Some(1), None, Some(1)],
    ] {
        let (learner, _) = learnt::<4>(&[2, 2, 2], 500);
        let shape = Shape::new(Arc::new(Tree::new(&parents).unwrap()), &[2, 2, 2]);
        let mut p = learner.parameters.clone();
        // The root of the shape may be another one than what was learnt from.
        for (v, parent) in parents.iter().enumerate() {
            if parent.is_some() && p.steps[v] == [[0.0; 4]; 4] {
                p.steps[v] = p.steps[1];
            }
        }
        let circuit = Circuit::new(&shape, &p);
        let mut belief = Belief::new(&shape);
        let mut all = 0.0;
        for number in 0..8_usize {
            let row = [number & 1, number >> 1 & 1, number >> 2];
            let mut product = 1.0;
            for (place, &v) in shape.tree.order().iter().enumerate() {
                belief.visit(&circuit, place);
                let masses = belief.masses(&circuit, 0);
                let value = row[usize::from(v)];
                product *= f64::from(masses[value]) / f64::from(masses[0] + masses[1]);
                belief.observe(&circuit, value);
            }
            let expected = joint(&shape, &p, &row);
            assert!(
                (product / expected - 1.0).abs() < 1e-3,
                "{parents:?} {row:?}: {product} for {expected}"
            );
            all += product;
        }
        assert!((all - 1.0).abs() < 1e-9);
    }
}

#[test]
fn a_payload_is_hardly_longer_than_what_the_circuit_says() {
    let mut random = Random(11);
    let mut rows = |count: usize| {
        let mut out = String::new();
        for _ in 0..count {
            let x = random.below(16);
            let cells: Vec<String> = (1..9)
                .map(|k| WORDS[((x * k + random.below(3)) % 8) as usize].to_string())
                .collect();
            out += &(cells.join(",") + "\n");
        }
        out.into_bytes()
    };
    let training = Training {
        states: 8,
        passes: 2,
        threads: 1,
    };
    let pack = train(&rows(2000), training, &mut |_| true).unwrap();
    let pack = Arc::new(CircuitPack::read(&pack).unwrap());
    let data = rows(5000);
    let coded = round_trip(3, Some(&pack), &data, &[], data.len());
    let crate::pc::Kind::Table(schema) = &pack.kind else {
        panic!("a table")
    };
    let split = schema.split(&data).unwrap();
    let AnyCircuit::S8(stored) = &pack.circuit else {
        panic!("of 8 states")
    };
    let AnyBelief::S8(mut belief) = pack.circuit.belief() else {
        panic!("of 8 states")
    };
    let (mut bits, mut symbols) = (0.0, 0);
    for record in split.records.chunks_exact(schema.fields().len()) {
        assert_eq!(record[0], 0, "every row fits");
        for (place, &field) in pack.order.iter().enumerate() {
            assert!(pack.fields[field].bits <= 4);
            belief.visit(&stored.circuit, place);
            let masses = belief.masses(&stored.circuit, 0);
            let sum: f64 = masses.iter().map(|&m| f64::from(m)).sum();
            let value = usize::from(record[1 + field]);
            bits -= (f64::from(masses[value]) / sum).log2();
            symbols += 1;
            belief.observe(&stored.circuit, value);
        }
    }
    let payload = 8.0 * coded.bytes() as f64;
    assert!(symbols >= 30_000);
    assert!(
        payload < bits + 0.001 * f64::from(symbols),
        "{payload} bits for {bits}, {symbols} symbols"
    );
}

#[test]
fn every_instruction_set_expects_the_same() {
    fn check<const M: usize>() {
        let values = [3, 40, 2, 7, 256, 5];
        let (learner, data) = learnt::<M>(&values, 300);
        let parents = [Some(3), Some(3), Some(3), None, Some(3), Some(3)];
        let shape = Shape::new(Arc::new(Tree::new(&parents).unwrap()), &values);
        let mut p = learner.parameters.clone();
        p.steps[0] = p.steps[2];
        let places: Vec<usize> = (0..values.len()).collect();
        let data = Data {
            values: &data,
            stride: values.len(),
            places: &places,
        };
        let rows: Vec<u32> = (0..299).collect();
        let found: Vec<Tables<M>> = simd::available()
            .into_iter()
            .map(|(_, level)| {
                let mut counts = Tables::zeros(&shape);
                expect(
                    level,
                    &shape,
                    &p,
                    data,
                    &rows,
                    &mut counts,
                    &mut Room::new(&shape),
                );
                counts
            })
            .collect();
        let bits = |t: &Tables<M>| -> Vec<u32> {
            let steps = t.steps.as_flattened().as_flattened();
            let all = t.first.iter().chain(steps).chain(t.values.as_flattened());
            all.map(|v| v.to_bits()).collect()
        };
        assert!(found[0].values.as_flattened().iter().sum::<f32>() > 1000.0);
        assert!(found.iter().all(|t| bits(t) == bits(&found[0])));
    }
    check::<4>();
    check::<8>();
    check::<16>();
    check::<32>();
}
