//! Learning: stepwise expectation maximisation on running statistics (Cappé and Moulines 2009).

use rayon::prelude::*;

use super::expect::{Data, Room, expect};
use super::parameters::{Shape, Tables, sum};
use crate::simd::{Level, floats};

/// Parts of a mini-batch, which threads can take; they are added up in their order.
const PARTS: usize = 4;

/// How a circuit learns from rows.
#[derive(Debug, Clone, Copy)]
pub struct Course {
    /// How often each row is looked at.
    pub passes: usize,
    /// Rows of a mini-batch.
    pub batch: usize,
    /// Share of a mini-batch in the running statistics, at first and at last.
    pub share: [f32; 2],
}

/// Rows that a variable's marginal counts for among the emissions of each state, and what each step's
/// row of probabilities is filled up with.
const PRIOR: f32 = 1.0;

/// A circuit of `M` states that learns.
pub struct Learner<const M: usize> {
    pub shape: Shape,
    pub parameters: Tables<M>,
    /// Expected uses, as of all rows.
    running: Option<Tables<M>>,
    marginals: Vec<f32>,
    level: Level,
}

/// Numbers that look random (Marsaglia 2003), from 1/65536 to 1.
struct Random(u32);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        ((self.0 >> 16) + 1) as f32 * (1.0 / 65536.0)
    }
}

impl<const M: usize> Learner<M> {
    /// A circuit that has seen `rows` rows of `data`, but not learnt from them.
    #[must_use]
    pub fn new(level: Level, shape: Shape, data: Data<'_>, rows: usize) -> Self {
        floats::plain(|| Self::begin(level, shape, data, rows))
    }

    fn begin(level: Level, shape: Shape, data: Data<'_>, rows: usize) -> Self {
        let mut learner = Self {
            parameters: Tables::zeros(&shape),
            running: None,
            marginals: vec![0.0; shape.all_values()],
            level,
            shape,
        };
        learner.count(data, rows);
        let mut random = Random(0x9e37_79b9);
        let parameters = &mut learner.parameters;
        parameters.first = [1.0 / M as f32; M];
        for node in 0..learner.shape.variables() {
            if learner.shape.tree.parent(node).is_some() {
                for (above, row) in parameters.steps[node].iter_mut().enumerate() {
                    for (z, step) in row.iter_mut().enumerate() {
                        *step = random.next() + if z == above { 2.0 } else { 0.0 };
                    }
                    let by = 1.0 / sum(row);
                    row.iter_mut().for_each(|step| *step *= by);
                }
            }
            let range = learner.shape.offsets[node]..learner.shape.offsets[node + 1];
            let mut below = 0.0;
            let mut sums = [0.0; M];
            for value in range.clone() {
                let share = learner.marginals[value];
                let middle = below + share * 0.5;
                below += share;
                for (z, sum) in sums.iter_mut().enumerate() {
                    // Each state leans to a part of the values, as they are ordered.
                    let away = (middle - (z as f32 + 0.5) / M as f32) * (M as f32 * 0.5);
                    let lean = 3.0 / (1.0 + away * away * away * away);
                    let weight = share * (0.2 + lean + random.next() * 0.5);
                    parameters.values[value][z] = weight;
                    *sum += weight;
                }
            }
            for value in &mut parameters.values[range] {
                let pairs = value.iter_mut().zip(&sums);
                pairs.for_each(|(weight, &sum)| *weight /= sum);
            }
        }
        learner
    }

    /// How often each value comes, a little smoothed.
    fn count(&mut self, data: Data<'_>, rows: usize) {
        for node in 0..self.shape.variables() {
            let (start, end) = (self.shape.offsets[node], self.shape.offsets[node + 1]);
            let mut counts = vec![0_u32; end - start];
            for row in 0..rows {
                counts[usize::from(data.values[row * data.stride + data.places[node]])] += 1;
            }
            let all = 32 * rows + (end - start);
            for (marginal, &count) in self.marginals[start..end].iter_mut().zip(&counts) {
                *marginal = (32 * u64::from(count) + 1) as f32 / all as f32;
            }
        }
    }

    /// Learns from the first `rows` rows of `data`, of which it may have seen some before.
    pub fn learn(&mut self, data: Data<'_>, rows: usize, course: Course) {
        self.learn_with(data, rows, course, 1, &mut |_| true);
    }

    /// The same with up to `threads` threads. `progress` hears of each pass that is done, counted from
    /// one, and ends the learning by saying no; whether it came to its end.
    pub fn learn_with(
        &mut self,
        data: Data<'_>,
        rows: usize,
        course: Course,
        threads: usize,
        progress: &mut dyn FnMut(usize) -> bool,
    ) -> bool {
        floats::plain(|| self.course(data, rows, course, threads, progress))
    }

    fn course(
        &mut self,
        data: Data<'_>,
        rows: usize,
        course: Course,
        threads: usize,
        progress: &mut dyn FnMut(usize) -> bool,
    ) -> bool {
        self.count(data, rows);
        let batches = rows.div_ceil(course.batch).max(1);
        let steps = (batches * course.passes).max(1);
        let mut parts: Vec<(Tables<M>, Room<M>)> = (0..PARTS)
            .map(|_| (Tables::zeros(&self.shape), Room::new(&self.shape)))
            .collect();
        let mut step = 0;
        for pass in 0..course.passes {
            for batch in 0..batches {
                let first = (batch + pass * 7) % batches;
                let chosen: Vec<u32> = (first..rows).step_by(batches).map(|r| r as u32).collect();
                let used = self.expectations(data, &chosen, threads, &mut parts);
                let (whole, others) = parts.split_first_mut().expect("there are parts");
                for (counts, _) in &others[..used - 1] {
                    whole.0.join(counts, |a, b| *a += b);
                }
                for (steps, own) in whole.0.steps.iter_mut().zip(&self.parameters.steps) {
                    let pairs = steps.as_flattened_mut().iter_mut();
                    pairs
                        .zip(own.as_flattened())
                        .for_each(|(count, &step)| *count *= step);
                }
                let along = step as f32 / steps as f32;
                let share = course.share[0] + (course.share[1] - course.share[0]) * along;
                step += 1;
                self.run_on(&whole.0, rows as f32 / chosen.len() as f32, share);
                self.maximise();
            }
            if !progress(pass + 1) {
                return false;
            }
        }
        true
    }

    /// The expected uses of the chosen rows, in the first of `parts`; how many these are.
    fn expectations(
        &self,
        data: Data<'_>,
        chosen: &[u32],
        threads: usize,
        parts: &mut [(Tables<M>, Room<M>)],
    ) -> usize {
        let size = chosen.len().div_ceil(PARTS).max(1);
        let work = |((counts, room), rows): (&mut (Tables<M>, Room<M>), &[u32])| {
            counts.clear();
            expect(
                self.level,
                &self.shape,
                &self.parameters,
                data,
                rows,
                counts,
                room,
            );
        };
        if threads > 1 {
            let parts = parts.par_iter_mut();
            parts.zip(chosen.par_chunks(size)).for_each(work);
        } else {
            parts.iter_mut().zip(chosen.chunks(size)).for_each(work);
        }
        chosen.chunks(size).len()
    }

    /// Takes the expected uses of a mini-batch, `by` times fewer than those of all rows, into the running
    /// statistics, of which they become a `share`.
    fn run_on(&mut self, counts: &Tables<M>, by: f32, share: f32) {
        let running = &mut self.running;
        match running {
            None => {
                let mut first = Tables::zeros(&self.shape);
                first.join(counts, |a, b| *a = b * by);
                *running = Some(first);
            }
            Some(running) => {
                let (keep, add) = (1.0 - share, share * by);
                running.join(counts, |a, b| *a = *a * keep + b * add);
            }
        }
    }

    /// Takes the parameters from the running statistics.
    fn maximise(&mut self) {
        let Some(running) = &self.running else { return };
        let parameters = &mut self.parameters;
        let even = PRIOR / M as f32;
        let by = 1.0 / (sum(&running.first) + PRIOR);
        for z in 0..M {
            parameters.first[z] = (running.first[z] + even) * by;
        }
        for node in 0..self.shape.variables() {
            if self.shape.tree.parent(node).is_some() {
                let pairs = parameters.steps[node].iter_mut().zip(&running.steps[node]);
                for (row, counts) in pairs {
                    let by = 1.0 / (sum(counts) + PRIOR);
                    for z in 0..M {
                        row[z] = (counts[z] + even) * by;
                    }
                }
            }
            let range = self.shape.offsets[node]..self.shape.offsets[node + 1];
            let mut by = [PRIOR; M];
            for counts in &running.values[range.clone()] {
                by.iter_mut()
                    .zip(counts)
                    .for_each(|(by, &count)| *by += count);
            }
            let by = by.map(|sum| 1.0 / sum);
            for value in range {
                let prior = PRIOR * self.marginals[value];
                let pairs = running.values[value].iter().zip(&by);
                for (p, (&count, &by)) in parameters.values[value].iter_mut().zip(pairs) {
                    *p = (count + prior) * by;
                }
            }
        }
    }
}
