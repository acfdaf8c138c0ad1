//! Evaluates rows: positions of one or several sequences, layer by layer.

use std::ops::Range;
use std::sync::RwLock;

use super::attention::{FRACTION, QUERIES, Scratch, attend};
use super::cache::{Cache, HeadCache};
use super::fixed::{NARROW, WIDE};
use super::matrix::{Activations, With, add_outputs, outputs, row};
use super::model::{Layer, Model, Projection};
use super::pack::{Gains, Matrix, PANEL};
use super::states::States;
use super::team::{Place, SOUND};
use crate::segment::PredictorError;

/// Rows that a thread evaluates at a time: enough to read weights seldom, few enough for its caches.
const ROWS: usize = 128;
/// Rows of its own that a thread must have; where there are fewer, threads share the columns of all.
const OWN: usize = 16;

/// A token at a position of the sequence whose cache has this number.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub stream: usize,
    /// Where in the cache it is.
    pub position: usize,
    /// The position that rotates its queries and keys.
    pub turn: u64,
    pub token: u32,
}

/// Heads as narrow integers, and the fraction bits of each.
#[derive(Debug, Default)]
struct Heads {
    values: Vec<i16>,
    fractions: Vec<i32>,
}

/// Caches of sequences, which threads read together and write one by one.
type Caches<'a> = [RwLock<&'a mut Cache>];

/// The rows of one thread and what it computes of them.
struct Part<'a> {
    model: &'a Model,
    place: Place<'a>,
    rows: &'a [Row],
    turns: Vec<[i32; 2]>,
    residual: Vec<i64>,
    x: Activations,
    queries: Heads,
    keys: Heads,
    values: Heads,
    narrow: Vec<i32>,
    wide: Vec<i64>,
    scratch: Scratch,
}

impl<'a> Part<'a> {
    fn new(model: &'a Model, place: Place<'a>, rows: &'a [Row]) -> Self {
        let hidden = model.config().hidden;
        let mut residual = vec![0; rows.len() * hidden];
        for (at, out) in rows.iter().zip(residual.chunks_exact_mut(hidden)) {
            row(&model.pack, &model.embedding, at.token as usize, out);
        }
        let mut turns = Vec::new();
        for row in rows {
            model.turns_at(row.turn, &mut turns);
        }
        Self {
            model,
            place,
            rows,
            turns,
            residual,
            x: Activations::default(),
            queries: Heads::default(),
            keys: Heads::default(),
            values: Heads::default(),
            narrow: Vec::new(),
            wide: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    /// The residual stream, normalised, as activations.
    fn normalise(&mut self, gains: &Gains) {
        let config = self.model.config();
        self.x.resize(self.rows.len(), config.hidden);
        self.wide.resize(self.wide.len().max(config.hidden), 0);
        let scratch = &mut self.wide[..config.hidden];
        let rows = self.residual.chunks_exact(config.hidden);
        let out = self.x.values.chunks_exact_mut(config.hidden);
        for ((residual, out), fraction) in rows.zip(out).zip(&mut self.x.fractions) {
            *fraction = (self.model.kernels.norm)(residual, gains, config.norm_eps, scratch, out);
        }
    }

    /// Narrow products of several matrices, side by side in each row of `narrow`.
    fn outputs(&mut self, matrices: &[(&Matrix, &[i32])]) {
        let width = matrices.iter().map(|(m, _)| m.rows).sum();
        let count = matrices.iter().map(|(m, _)| m.panels()).sum();
        // Where a panel of all the matrices begins.
        let column = |mut panel: usize| {
            let mut before = 0;
            for (matrix, _) in matrices {
                if panel < matrix.panels() {
                    return before + panel * PANEL;
                }
                panel -= matrix.panels();
                before += matrix.rows;
            }
            before
        };
        self.narrow.resize(self.rows.len() * width, 0);
        (self.model.kernels.arrange)(&mut self.x.values);
        let share = self.place.share(count);
        let with = With {
            pack: &self.model.pack,
            kernels: &self.model.kernels,
            x: &self.x,
        };
        let mut before = 0;
        for &(matrix, biases) in matrices {
            let own = |panel: usize| panel.clamp(before, before + matrix.panels()) - before;
            let panels = own(share.start)..own(share.end);
            let from = column(before + panels.start);
            let mut out: Vec<_> = self
                .narrow
                .chunks_exact_mut(width)
                .map(|row| &mut row[from..])
                .collect();
            outputs(with, matrix, biases, panels, &mut out);
            before += matrix.panels();
        }
        let columns = |share: Range<usize>| column(share.start)..column(share.end);
        self.place.gather(&mut self.narrow, width, count, columns);
    }

    /// Adds products to the residual stream.
    fn add(&mut self, matrix: &Matrix) {
        (self.model.kernels.arrange)(&mut self.x.values);
        let with = With {
            pack: &self.model.pack,
            kernels: &self.model.kernels,
            x: &self.x,
        };
        let share = self.place.share(matrix.panels());
        add_outputs(with, matrix, share, &mut self.residual);
        let columns = |share: Range<usize>| share.start * PANEL..matrix.rows.min(share.end * PANEL);
        self.place
            .gather(&mut self.residual, matrix.rows, matrix.panels(), columns);
    }

    /// Heads out of each row of `narrow`, from column `first` on; `turn` rotates them.
    fn heads(&mut self, first: usize, of: &Projection, turn: bool, heads: &mut Heads) {
        let size = self.model.config().head_size;
        let kernels = &self.model.kernels;
        let count = of.matrix.rows / size;
        heads.values.resize(self.rows.len() * of.matrix.rows, 0);
        heads.fractions.resize(self.rows.len() * count, 0);
        self.wide.resize(self.wide.len().max(size), 0);
        let scratch = &mut self.wide[..size];
        let (queries, others) = self.model.config().widths();
        let width = queries + 2 * others;
        let mut out = heads
            .values
            .chunks_exact_mut(size)
            .zip(&mut heads.fractions);
        let rows = self.turns.chunks_exact(size / 2);
        for (turns, narrow) in rows.zip(self.narrow.chunks_exact(width)) {
            for head in narrow[first..][..of.matrix.rows].chunks_exact(size) {
                let (out, fraction) = out.next().expect("as many as there are heads");
                *fraction = if turn {
                    (kernels.rotate)(head, turns, scratch, out)
                } else {
                    for (wide, &value) in scratch.iter_mut().zip(head) {
                        *wide = i64::from(value);
                    }
                    (kernels.quantise)(scratch, 16, NARROW, out)
                };
            }
        }
    }

    /// Queries, keys and values.
    fn project(&mut self, layer: &Layer) {
        self.normalise(&layer.attention_norm);
        let all = [&layer.q, &layer.k, &layer.v].map(|of| (&of.matrix, &of.biases[..]));
        self.outputs(&all);
        let (width, narrow) = self.model.config().widths();
        let [mut queries, mut keys, mut values] =
            [&mut self.queries, &mut self.keys, &mut self.values].map(std::mem::take);
        self.heads(0, &layer.q, true, &mut queries);
        self.heads(width, &layer.k, true, &mut keys);
        self.heads(width + narrow, &layer.v, false, &mut values);
        (self.queries, self.keys, self.values) = (queries, keys, values);
    }

    /// Keeps keys and values for this and later rows. Threads that share columns all keep the same,
    /// which spares them a meeting.
    fn keep(&self, layer: usize, caches: &Caches<'_>) {
        let config = self.model.config();
        let (count, size) = (config.kv_heads, config.head_size);
        let (queries, others) = config.widths();
        let all = queries + 2 * others;
        let mut at = 0;
        for run in self.rows.chunk_by(|a, b| a.stream == b.stream) {
            let mut cache = caches[run[0].stream].write().expect(SOUND);
            for row in run {
                for head in 0..count {
                    let plain = &self.narrow[at / count * all + queries + head * size..][..size];
                    cache.heads[layer * count + head].put(
                        row.position,
                        plain,
                        (
                            &self.keys.values[at * size..][..size],
                            self.keys.fractions[at],
                        ),
                        (
                            &self.values.values[at * size..][..size],
                            self.values.fractions[at],
                        ),
                    );
                    at += 1;
                }
            }
        }
    }

    /// All of a layer.
    fn layer(&mut self, number: usize, layer: &Layer, caches: &Caches<'_>) {
        let config = self.model.config();
        let kernels = &self.model.kernels;
        let (width, _) = config.widths();
        let rows = self.rows.len();
        self.project(layer);
        self.keep(number, caches);
        self.place.meet_for_rows();
        self.attend(number, caches);
        self.x.resize(rows, width);
        for i in 0..rows {
            let mixed = &self.wide[i * width..][..width];
            let out = &mut self.x.values[i * width..][..width];
            self.x.fractions[i] = (kernels.quantise)(mixed, FRACTION, WIDE, out);
        }
        self.add(&layer.o);

        self.normalise(&layer.ffn_norm);
        self.outputs(&[(&layer.gate, &[]), (&layer.up, &[])]);
        self.x.resize(rows, config.ffn);
        self.wide.resize(self.wide.len().max(config.ffn), 0);
        for (i, both) in self.narrow.chunks_exact(2 * config.ffn).enumerate() {
            let (gates, up) = both.split_at(config.ffn);
            let out = &mut self.x.values[i * config.ffn..][..config.ffn];
            let scratch = &mut self.wide[..config.ffn];
            self.x.fractions[i] = (kernels.gate)(gates, up, scratch, out);
        }
        self.add(&layer.down);
    }

    /// Attention of all rows, into `wide`.
    fn attend(&mut self, layer: usize, caches: &Caches<'_>) {
        let config = self.model.config();
        let size = config.head_size;
        let shared = config.heads / config.kv_heads;
        let (width, _) = config.widths();
        let rows = self.rows.len();
        self.wide.resize(self.wide.len().max(rows * width), 0);
        let share = self.place.share(config.heads);
        let mut from = 0;
        for run in self.rows.chunk_by(|a, b| a.stream == b.stream) {
            let cache = caches[run[0].stream].read().expect(SOUND);
            for head in 0..config.kv_heads {
                let heads = share.start.max(head * shared)..share.end.min((head + 1) * shared);
                if !heads.is_empty() {
                    let cache = &cache.heads[layer * config.kv_heads + head];
                    self.attend_to(cache, run, from, heads, size);
                }
            }
            from += run.len();
        }
        let columns = |share: Range<usize>| share.start * size..share.end * size;
        self.place
            .gather(&mut self.wide[..rows * width], width, config.heads, columns);
    }

    /// Attention of some heads, which share keys, of a run of rows, of which `from` are before.
    fn attend_to(
        &mut self,
        cache: &HeadCache,
        run: &[Row],
        from: usize,
        heads: Range<usize>,
        size: usize,
    ) {
        let all = self.model.config().heads;
        // Queries by row and head, as many at a time as kernels take.
        for first in (0..run.len() * heads.len()).step_by(QUERIES) {
            let count = QUERIES.min(run.len() * heads.len() - first);
            let place = |i: usize| {
                let (row, of) = ((first + i) / heads.len(), (first + i) % heads.len());
                ((from + row) * all + heads.start + of, run[row].position + 1)
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
                &self.model.kernels,
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
}

/// Evaluates rows, of which those of a sequence come in order and follow what is in its cache;
/// appends the states after them, unless there is nothing to append to.
///
/// # Errors
/// [`PredictorError::Setup`] where threads cannot be had.
pub fn evaluate(
    model: &Model,
    caches: &mut [&mut Cache],
    rows: &[Row],
    mut states: Option<&mut States>,
) -> Result<(), PredictorError> {
    let caches = caches.iter_mut().map(|cache| RwLock::new(&mut **cache));
    let caches: Vec<_> = caches.collect();
    let wanted = states.is_some();
    for rows in rows.chunks(ROWS * model.team.size()) {
        let few = rows.len() < OWN * model.team.size();
        let share = rows.len().div_ceil(model.team.size());
        let mut parts = model.team.run(few, |place| {
            let from = rows.len().min(place.id * share);
            let own = &rows[from..rows.len().min(from + share)];
            let mut part = Part::new(model, place, if few { rows } else { own });
            for (number, layer) in model.layers.iter().enumerate() {
                part.layer(number, layer, &caches);
            }
            if wanted {
                part.normalise(&model.norm);
            }
            part.x
        })?;
        if few {
            parts.truncate(1);
        }
        if let Some(states) = &mut states {
            parts.iter().for_each(|x| states.append(x));
        }
    }
    Ok(())
}
