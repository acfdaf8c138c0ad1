//! Every kernel against its scalar twin, on random values and at the ends of their ranges.

use super::{Kernels, SCALAR};
use crate::transformer::cache::BLOCK;
use crate::transformer::pack::{GROUP, Gains, Nibbles, PANEL, Panel, RUN, Rows};
use crate::transformer::tests::Random;

/// Random integers below `most` in magnitude; at times only the ends.
fn integers(random: &mut Random, count: usize, most: i64) -> Vec<i64> {
    let extreme = random.next().is_multiple_of(3);
    let mut one = || {
        let word = random.next();
        let value = (word >> 1) as i64 % (2 * most + 1) - most;
        if extreme {
            if word & 1 == 0 { most } else { -most }
        } else {
            value
        }
    };
    (0..count).map(|_| one()).collect()
}

fn shorts(random: &mut Random, count: usize, most: i64) -> Vec<i16> {
    integers(random, count, most)
        .iter()
        .map(|&v| v as i16)
        .collect()
}

fn words(random: &mut Random, count: usize, most: i64) -> Vec<i32> {
    integers(random, count, most)
        .iter()
        .map(|&v| v as i32)
        .collect()
}

/// Runs `of` with the kernels of every level; all must return the same.
fn same<T: PartialEq + std::fmt::Debug>(of: impl Fn(&Kernels) -> T) {
    let expected = of(&SCALAR);
    for (name, kernels) in Kernels::every() {
        assert!(of(&kernels) == expected, "{name}");
    }
}

#[test]
fn products_are_those_of_the_scalar_twin() {
    let mut random = Random(1);
    for groups in [1, 2, 9] {
        for rows in (1..=13).chain([16, 17, 37]) {
            let inputs = groups * GROUP;
            let bytes = integers(&mut random, inputs * PANEL, 127);
            let weights: Vec<u8> = bytes.iter().map(|&v| v as i8 as u8).collect();
            let scales: Vec<u8> = (0..groups * PANEL)
                .flat_map(|i| {
                    (if i % 5 == 0 {
                        65_535
                    } else {
                        random.next() as u16
                    })
                    .to_le_bytes()
                })
                .collect();
            let x = shorts(&mut random, rows * inputs, 32_767);
            same(|kernels| {
                let of = |excess: &[i64], x: &[i16], rows: usize| {
                    let (mut x, mut out) = (x.to_vec(), vec![[1; PANEL]; rows]);
                    (kernels.arrange)(&mut x);
                    let panel = Panel {
                        weights: &weights,
                        scales: &scales,
                        excess,
                    };
                    (kernels.products)(panel, &x, &mut out);
                    out
                };
                let excess = of(&[], &vec![0; inputs], 1)[0];
                assert!(kernels.offset || excess == [0; PANEL]);
                of(&excess, &x, rows)
            });
        }
    }
}

/// Runs of a panel; steps and bases are at times the ends of their ranges.
pub fn runs(random: &mut Random, count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..count {
        for _ in 0..PANEL * RUN / 16 {
            bytes.extend(random.next().to_le_bytes());
        }
        for _ in 0..PANEL {
            let (word, ends) = (random.next(), random.next());
            let step = match ends % 8 {
                0 => 4369,
                1 => -4369,
                _ => (word % 8739) as i32 - 4369,
            };
            let (least, most) = (-32_768 - 15 * step.min(0), 32_767 - 15 * step.max(0));
            let base = match ends / 8 % 8 {
                0 => least,
                1 => most,
                _ => least + ((word >> 32) % (most - least + 1) as u64) as i32,
            };
            bytes.extend((step as i16).to_le_bytes());
            bytes.extend((base as i16).to_le_bytes());
        }
    }
    bytes
}

#[test]
fn products_with_four_bits_are_those_of_the_scalar_twin() {
    let mut random = Random(6);
    // The last is more than AMX makes wide at a time.
    for groups in [1, 2, 9, 24, 27] {
        for rows in (1..=13).chain([16, 17, 37]) {
            let inputs = groups * GROUP;
            let runs = runs(&mut random, inputs / RUN);
            let x = shorts(&mut random, rows * inputs, 32_767);
            same(|kernels| {
                let of = |excess: &[i64], x: &[i16], rows: usize| {
                    let (mut x, mut out) = (x.to_vec(), vec![[1; PANEL]; rows]);
                    (kernels.arrange)(&mut x);
                    let panel = Nibbles {
                        runs: &runs,
                        excess,
                    };
                    (kernels.nibbles)(panel, &x, &mut out);
                    out
                };
                let excess = of(&[], &vec![0; inputs], 1)[0];
                assert!(kernels.offset || excess == [0; PANEL]);
                of(&excess, &x, rows)
            });
        }
    }
}

#[test]
fn scores_and_values_are_those_of_the_scalar_twin() {
    let mut random = Random(2);
    for size in [16, 64, 128] {
        for queries in 1..=6 {
            let room = PANEL * (1 + random.next() as usize % 3);
            let keys = shorts(&mut random, room * size, 4095);
            let q = shorts(&mut random, queries * size, 4095);
            same(|kernels| {
                let mut out = vec![1; queries * room];
                (kernels.scores)(&keys, size, &q, &mut out);
                out
            });
            let values = shorts(&mut random, room * PANEL, 4095);
            let weights = shorts(&mut random, queries * room, 16_384);
            let weights: Vec<i16> = weights.iter().map(|w| w.abs()).collect();
            let shifts: Vec<i32> = (0..queries * room / BLOCK)
                .map(|_| 10 + (random.next() % 22) as i32)
                .collect();
            same(|kernels| {
                let mut out = vec![[1; PANEL]; queries];
                (kernels.values)(&values, &weights, &shifts, &mut out);
                out
            });
        }
    }
}

#[test]
fn softmax_is_that_of_the_scalar_twin() {
    let mut random = Random(3);
    for count in [1, 2, 31, 32, 33, 64, 100] {
        for most in [1, 4095, 1 << 20, 128 * 4095 * 4095] {
            let room = 128;
            let dots = words(&mut random, room, most);
            let keys: Vec<i32> = (0..count)
                .map(|_| (random.next() % 33) as i32 - 4)
                .collect();
            let values: Vec<i32> = (0..count)
                .map(|_| (random.next() % 33) as i32 - 4)
                .collect();
            for fraction in [-4, 8, 28] {
                same(|kernels| {
                    let (mut weights, mut shifts) = (vec![1; room], vec![1; room / BLOCK]);
                    let normaliser = (kernels.softmax)(
                        &mut dots.clone(),
                        &keys,
                        &values,
                        fraction,
                        &mut weights,
                        &mut shifts,
                    );
                    assert!(weights.iter().all(|w| (0..=16_384).contains(w)));
                    assert!(shifts.iter().all(|s| (10..=31).contains(s)));
                    (normaliser, weights, shifts)
                });
            }
        }
    }
}

#[test]
fn what_works_value_by_value_is_the_same_at_every_level() {
    let mut random = Random(4);
    for count in [16, 64, 100] {
        for width in [1, 20, 46] {
            let values = integers(&mut random, count, 1 << width);
            let gains = words(&mut random, count, 1 << 23);
            let gains = Gains {
                values: gains,
                exponent: 20,
            };
            let narrow = words(&mut random, count, 1 << width.min(30));
            let up = words(&mut random, count, 1 << 30);
            let turns: Vec<[i32; 2]> = (0..count / 2)
                .map(|_| crate::transformer::rotary::turned(random.next()))
                .collect();
            for shift in [-60, -3, 0, 1, 17, 62, 63, 90] {
                same(|kernels| {
                    let (mut out, mut sums) = (vec![1; count], vec![1 << 46; count]);
                    (kernels.narrow)(&values, shift, &mut out);
                    (kernels.add_to)(&values, shift, &mut sums);
                    (out, sums)
                });
            }
            same(|kernels| {
                let (mut wide, mut out) = (vec![0; count], vec![0; count]);
                let norm = (kernels.norm)(&values, &gains, 1 << 20, &mut wide, &mut out);
                let mut all = vec![(norm, out.clone())];
                all.push((
                    (kernels.rotate)(&narrow, &turns, &mut wide, &mut out),
                    out.clone(),
                ));
                all.push((
                    (kernels.gate)(&narrow, &up, &mut wide, &mut out),
                    out.clone(),
                ));
                all.push(((kernels.quantise)(&values, 9, 12, &mut out), out.clone()));
                all
            });
        }
    }
}

#[test]
fn powers_are_those_of_the_scalar_twin() {
    let mut random = Random(5);
    for count in [1, 100, 5000] {
        for most in [1, 1 << 16, 1 << 20, 1 << 30] {
            let logits = words(&mut random, count, most);
            same(|kernels| {
                let mut out = vec![1; count];
                let sum = (kernels.powers)(&logits, &mut out);
                assert_eq!(sum, out.iter().map(|&power| i64::from(power)).sum::<i64>());
                assert_eq!(out.iter().max(), Some(&(1 << 28)));
                out
            });
        }
    }
}

#[test]
fn what_an_adapter_sums_is_what_the_scalar_twin_sums() {
    let mut random = Random(6);
    for count in [1, 100, 5000] {
        let logits = words(&mut random, count, 1 << 20);
        let shifts = words(&mut random, count, 1 << 30);
        same(|kernels| {
            let mut powers = vec![1; count];
            let sum = (kernels.powers)(&logits, &mut powers);
            let reciprocal = ((1_i64 << 56) / sum) as u32;
            let mut sums: Vec<i32> = logits.iter().map(|&logit| logit >> 8).collect();
            (kernels.add_probabilities)(&powers, reciprocal, &mut sums);
            let mut shifted = logits.clone();
            (kernels.shift)(&shifts, &mut shifted);
            (sums, shifted)
        });
    }
}

#[test]
fn sums_of_rows_are_products_with_the_transpose() {
    let mut random = Random(7);
    for groups in [1, 9] {
        let inputs = groups * GROUP;
        let bytes = integers(&mut random, inputs * PANEL, 127);
        let weights: Vec<u8> = bytes.iter().map(|&v| v as i8 as u8).collect();
        let scales: Vec<u8> = (0..groups * PANEL)
            .flat_map(|_| (random.next() as u16).to_le_bytes())
            .collect();
        let runs = runs(&mut random, inputs / RUN);
        let mut factors = [0; PANEL];
        factors.copy_from_slice(&words(&mut random, PANEL, 1 << 22));
        factors[7] = 0;
        let excess: &[i64] = &[];
        let panels = [
            Rows::Bytes(Panel {
                weights: &weights,
                scales: &scales,
                excess,
            }),
            Rows::Nibbles(Nibbles {
                runs: &runs,
                excess,
            }),
        ];
        for panel in panels {
            // A row's sum of products with one input of 1 is that input's weight.
            let weight = |input: usize| {
                let mut x = vec![0; inputs];
                x[input] = 1;
                let mut out = [[0; PANEL]];
                match panel {
                    Rows::Bytes(panel) => (SCALAR.products)(panel, &x, &mut out),
                    Rows::Nibbles(panel) => (SCALAR.nibbles)(panel, &x, &mut out),
                }
                out[0]
            };
            let expected: Vec<i64> = (0..inputs)
                .map(|input| {
                    let pairs = weight(input).into_iter().zip(factors);
                    5 + pairs.map(|(w, f)| w * i64::from(f)).sum::<i64>()
                })
                .collect();
            for (name, kernels) in Kernels::every() {
                let mut sums = vec![5; inputs];
                (kernels.rows)(panel, &factors, &mut sums);
                assert!(sums == expected, "{name}");
            }
        }
    }
}
