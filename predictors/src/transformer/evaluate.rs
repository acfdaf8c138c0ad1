//! Evaluates rows: positions of one or several sequences, layer by layer.

use super::attention::{FRACTION, QUERIES, Scratch, attend};
use super::cache::Cache;
use super::fixed::{NARROW, WIDE};
use super::matrix::{Activations, add_outputs, outputs, row};
use super::model::{Layer, Model, Projection};

/// Rows that a thread evaluates at a time: enough to read weights seldom, few enough for its caches.
const ROWS: usize = 128;

/// A token at a position of the sequence whose cache has this number.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub stream: usize,
    pub position: usize,
    pub token: u32,
}

/// Heads as narrow integers, and the fraction bits of each.
#[derive(Debug, Default)]
struct Heads {
    values: Vec<i16>,
    fractions: Vec<i32>,
}

/// The rows of one thread and what it computes of them.
struct Part<'a> {
    rows: &'a [Row],
    residual: Vec<i64>,
    x: Activations,
    queries: Heads,
    keys: Heads,
    values: Heads,
    first: Vec<i32>,
    second: Vec<i32>,
    wide: Vec<i64>,
    scratch: Scratch,
}

impl<'a> Part<'a> {
    fn new(model: &Model, rows: &'a [Row]) -> Self {
        let hidden = model.config().hidden;
        let mut residual = vec![0; rows.len() * hidden];
        for (at, out) in rows.iter().zip(residual.chunks_exact_mut(hidden)) {
            row(&model.pack, &model.embedding, at.token as usize, out);
        }
        Self {
            rows,
            residual,
            x: Activations::default(),
            queries: Heads::default(),
            keys: Heads::default(),
            values: Heads::default(),
            first: Vec::new(),
            second: Vec::new(),
            wide: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    /// The residual stream, normalised, as activations.
    fn normalise(&mut self, model: &Model, gains: &super::pack::Gains) {
        let config = model.config();
        self.x.resize(self.rows.len(), config.hidden);
        self.wide.resize(config.hidden, 0);
        let rows = self.residual.chunks_exact(config.hidden);
        let out = self.x.values.chunks_exact_mut(config.hidden);
        for ((residual, out), fraction) in rows.zip(out).zip(&mut self.x.fractions) {
            *fraction = (model.kernels.norm)(residual, gains, config.norm_eps, &mut self.wide, out);
        }
    }

    /// One projection's heads; `turn` rotates them.
    fn project(&mut self, model: &Model, of: &Projection, turn: bool, mut heads: Heads) -> Heads {
        let size = model.config().head_size;
        let width = of.matrix.rows;
        let kernels = &model.kernels;
        self.first.resize(self.rows.len() * width, 0);
        outputs(
            &model.pack,
            &of.matrix,
            kernels,
            &self.x,
            &of.biases,
            &mut self.first,
        );
        heads.values.resize(self.rows.len() * width, 0);
        heads.fractions.resize(self.rows.len() * width / size, 0);
        self.wide.resize(size, 0);
        let each = self
            .first
            .chunks_exact(size)
            .zip(heads.values.chunks_exact_mut(size));
        for (i, (head, out)) in each.enumerate() {
            heads.fractions[i] = if turn {
                let at = self.rows[i * size / width].position * (size / 2);
                let turns = &model.turns[at..at + size / 2];
                (kernels.rotate)(head, turns, &mut self.wide[..size], out)
            } else {
                for (wide, &value) in self.wide.iter_mut().zip(head) {
                    *wide = i64::from(value);
                }
                (kernels.quantise)(&self.wide[..size], 16, NARROW, out)
            };
        }
        heads
    }

    /// Everything of a layer before attention.
    fn before(&mut self, model: &Model, layer: &Layer) {
        self.normalise(model, &layer.attention_norm);
        let [queries, keys, values] =
            [&mut self.queries, &mut self.keys, &mut self.values].map(std::mem::take);
        self.queries = self.project(model, &layer.q, true, queries);
        self.keys = self.project(model, &layer.k, true, keys);
        self.values = self.project(model, &layer.v, false, values);
    }

    /// Keeps keys and values for this and later rows.
    fn keep(&self, model: &Model, layer: usize, caches: &mut [&mut Cache]) {
        let config = model.config();
        let (count, size) = (config.kv_heads, config.head_size);
        for (i, row) in self.rows.iter().enumerate() {
            for head in 0..count {
                let at = i * count + head;
                let of = |heads: &'_ Heads| heads.fractions[at];
                let key = &self.keys.values[at * size..][..size];
                let value = &self.values.values[at * size..][..size];
                caches[row.stream].heads[layer * count + head].put(
                    row.position,
                    (key, of(&self.keys)),
                    (value, of(&self.values)),
                );
            }
        }
    }

    /// Attention and what follows from it.
    fn after(&mut self, model: &Model, number: usize, layer: &Layer, caches: &[&mut Cache]) {
        let config = model.config();
        let kernels = &model.kernels;
        let (width, _) = config.widths();
        let rows = self.rows.len();
        self.attend(model, number, caches);
        self.x.resize(rows, width);
        for i in 0..rows {
            let mixed = &self.wide[i * width..][..width];
            let out = &mut self.x.values[i * width..][..width];
            self.x.fractions[i] = (kernels.quantise)(mixed, FRACTION, WIDE, out);
        }
        add_outputs(&model.pack, &layer.o, kernels, &self.x, &mut self.residual);

        self.normalise(model, &layer.ffn_norm);
        self.first.resize(rows * config.ffn, 0);
        self.second.resize(rows * config.ffn, 0);
        outputs(
            &model.pack,
            &layer.gate,
            kernels,
            &self.x,
            &[],
            &mut self.first,
        );
        outputs(
            &model.pack,
            &layer.up,
            kernels,
            &self.x,
            &[],
            &mut self.second,
        );
        self.x.resize(rows, config.ffn);
        self.wide.resize(config.ffn, 0);
        for i in 0..rows {
            let range = i * config.ffn..(i + 1) * config.ffn;
            let out = &mut self.x.values[range.clone()];
            let (gates, up) = (&self.first[range.clone()], &self.second[range]);
            self.x.fractions[i] = (kernels.gate)(gates, up, &mut self.wide, out);
        }
        add_outputs(
            &model.pack,
            &layer.down,
            kernels,
            &self.x,
            &mut self.residual,
        );
    }

    /// Attention of all rows, into `wide`.
    fn attend(&mut self, model: &Model, layer: usize, caches: &[&mut Cache]) {
        let config = model.config();
        let size = config.head_size;
        let shared = config.heads / config.kv_heads;
        let (width, _) = config.widths();
        self.wide.resize(self.rows.len() * width, 0);
        let mut from = 0;
        for run in self.rows.chunk_by(|a, b| a.stream == b.stream) {
            for head in 0..config.kv_heads {
                let cache = &caches[run[0].stream].heads[layer * config.kv_heads + head];
                // Queries by row and head, as many at a time as kernels take.
                for first in (0..run.len() * shared).step_by(QUERIES) {
                    let count = QUERIES.min(run.len() * shared - first);
                    let place = |i: usize| {
                        let (row, of) = ((first + i) / shared, (first + i) % shared);
                        (
                            (from + row) * config.heads + head * shared + of,
                            run[row].position + 1,
                        )
                    };
                    let mut of = [(0, 0); QUERIES];
                    let mut queries = [0; QUERIES * 128];
                    for i in 0..count {
                        let (at, seen) = place(i);
                        of[i] = (self.queries.fractions[at], seen);
                        queries[i * size..][..size]
                            .copy_from_slice(&self.queries.values[at * size..][..size]);
                    }
                    let (queries, of) = (&queries[..count * size], &of[..count]);
                    let wide = &mut self.wide;
                    attend(
                        &model.kernels,
                        cache,
                        queries,
                        of,
                        &mut self.scratch,
                        |i, out| {
                            wide[place(i).0 * size..][..size].copy_from_slice(out);
                        },
                    );
                }
            }
            from += run.len();
        }
    }

    /// Logits after each row.
    fn logits(&mut self, model: &Model, out: &mut [i32]) {
        self.normalise(model, &model.norm);
        outputs(&model.pack, &model.head, &model.kernels, &self.x, &[], out);
    }
}

/// Does something with each part, all at the same time.
fn each<T: Send>(parts: &mut [T], work: impl Fn(&mut T) + Sync) {
    if let [part] = parts {
        return work(part);
    }
    std::thread::scope(|scope| {
        for part in parts {
            scope.spawn(|| work(part));
        }
    });
}

/// Evaluates rows, of which those of a sequence come in order and follow what is in its cache;
/// appends to `logits` those after each row, unless there is nothing to append to.
pub fn evaluate(
    model: &Model,
    caches: &mut [&mut Cache],
    rows: &[Row],
    mut logits: Option<&mut Vec<i32>>,
) {
    let vocab = model.config().vocab;
    for rows in rows.chunks(ROWS * model.threads) {
        let share = rows.len().div_ceil(model.threads);
        let mut parts: Vec<Part<'_>> = rows
            .chunks(share)
            .map(|rows| Part::new(model, rows))
            .collect();
        for (number, layer) in model.layers.iter().enumerate() {
            each(&mut parts, |part| part.before(model, layer));
            for part in &parts {
                part.keep(model, number, caches);
            }
            let caches = &*caches;
            each(&mut parts, |part| part.after(model, number, layer, caches));
        }
        if let Some(logits) = logits.as_deref_mut() {
            let from = logits.len();
            logits.resize(from + rows.len() * vocab, 0);
            let mut out = logits[from..].chunks_mut(share * vocab);
            let mut work: Vec<_> = parts
                .iter_mut()
                .map(|part| (part, out.next().unwrap()))
                .collect();
            each(&mut work, |(part, out)| part.logits(model, out));
        }
    }
}
