//! Products of a pack's matrices with activations.

use std::ops::{Deref, DerefMut, Range};

use super::fixed::{LIMIT, LIMIT32, RESIDUAL, scale_all, scaled};
use super::pack::{GROUP, Matrix, PANEL, Pack, RUN, RUN_BYTES, Rows, line};
use super::simd::Kernels;

/// Rows whose sums are made at a time: few enough for these to stay in the nearest cache; where weights
/// are of four bits, enough for what kernels make of these to be used often.
const ROWS: usize = 32;
const ROWS_OF_NIBBLES: usize = 128;
/// Values of a cache line.
const LINE: usize = 32;

/// Integers that begin where a cache line does, which kernels read whole.
#[derive(Debug, Default, Clone)]
pub struct Lines {
    room: Vec<i16>,
    start: usize,
    len: usize,
}

impl Lines {
    /// Makes them so many, of any content.
    pub fn resize(&mut self, len: usize) {
        if self.room.len() < len + LINE {
            self.room = vec![0; len + LINE];
            // Where it cannot be told, any place will do.
            self.start = self.room.as_ptr().align_offset(2 * LINE).min(LINE);
        }
        self.len = len;
    }
}

impl Deref for Lines {
    type Target = [i16];
    fn deref(&self) -> &[i16] {
        &self.room[self.start..][..self.len]
    }
}

impl DerefMut for Lines {
    fn deref_mut(&mut self) -> &mut [i16] {
        &mut self.room[self.start..][..self.len]
    }
}

/// Rows of activations: integers, and the fraction bits of each row.
#[derive(Debug, Default, Clone)]
pub struct Activations {
    pub values: Lines,
    pub fractions: Vec<i32>,
}

impl Activations {
    /// Makes room for `rows` of `width`.
    pub fn resize(&mut self, rows: usize, width: usize) {
        self.values.resize(rows * width);
        self.fractions.resize(rows, 0);
    }
}

/// What products are made with: kernels, and activations that they have arranged.
#[derive(Clone, Copy)]
pub struct With<'a> {
    pub pack: &'a Pack,
    pub kernels: &'a Kernels,
    pub x: &'a Activations,
}

/// Products of rows of activations with a panel.
fn multiply(kernels: &Kernels, panel: Rows<'_>, x: &[i16], out: &mut [[i64; PANEL]]) {
    match panel {
        Rows::Bytes(panel) => (kernels.products)(panel, x, out),
        Rows::Nibbles(panel) => (kernels.nibbles)(panel, x, out),
    }
}

/// Calls `put(row, columns, sums, shift)` for every row of activations and each of some panels of
/// outputs: the sums are `2^shift` times too large for `fraction` fraction bits.
fn products(
    with: With<'_>,
    matrix: &Matrix,
    panels: Range<usize>,
    fraction: i32,
    mut put: impl FnMut(usize, Range<usize>, &[i64], i32),
) {
    let With { pack, kernels, x } = with;
    let mut sums = [[0; PANEL]; ROWS_OF_NIBBLES];
    for number in panels {
        let panel = pack.panel(matrix, number);
        let at_once = match panel {
            Rows::Bytes(_) => ROWS,
            Rows::Nibbles(_) => ROWS_OF_NIBBLES,
        };
        let columns = number * PANEL..matrix.rows.min((number + 1) * PANEL);
        let rows = x.values.chunks(at_once * matrix.inputs);
        for (place, rows) in rows.enumerate() {
            let sums = &mut sums[..rows.len() / matrix.inputs];
            multiply(kernels, panel, rows, sums);
            for (i, sums) in sums.iter().enumerate() {
                let row = place * at_once + i;
                let shift = matrix.exponent + x.fractions[row] - fraction;
                put(row, columns.clone(), &sums[..columns.len()], shift);
            }
        }
    }
}

/// Some panels of the products as numbers of 16 fraction bits: row by row of the activations, into
/// `out[row]` from its first column on, which is the first panel's first.
pub fn outputs(
    with: With<'_>,
    matrix: &Matrix,
    biases: &[i32],
    panels: Range<usize>,
    out: &mut [&mut [i32]],
) {
    let start = panels.start * PANEL;
    products(with, matrix, panels, 16, |row, columns, sums, shift| {
        let out = &mut out[row][columns.start - start..columns.end - start];
        (with.kernels.narrow)(sums, shift, out);
        if let Some(biases) = biases.get(columns) {
            for (out, &bias) in out.iter_mut().zip(biases) {
                *out = out
                    .saturating_add(bias)
                    .clamp(-LIMIT32 as i32, LIMIT32 as i32);
            }
        }
    });
}

/// Sums as numbers of 32 bits.
#[inline(always)]
pub fn narrow(sums: &[i64], shift: i32, out: &mut [i32]) {
    scale_all(sums, shift, LIMIT32, |i, v| out[i] = v as i32);
}

/// Adds sums to a part of the residual stream.
#[inline(always)]
pub fn add_to(sums: &[i64], shift: i32, out: &mut [i64]) {
    scale_all(sums, shift, LIMIT, |i, v| {
        out[i] = (out[i] + v).clamp(-LIMIT, LIMIT)
    });
}

/// Adds some panels of the products to rows of the residual stream.
pub fn add_outputs(with: With<'_>, matrix: &Matrix, panels: Range<usize>, residual: &mut [i64]) {
    let width = matrix.rows;
    products(
        with,
        matrix,
        panels,
        RESIDUAL,
        |row, columns, sums, shift| {
            let out = &mut residual[row * width..][columns];
            (with.kernels.add_to)(sums, shift, out);
        },
    );
}

/// What `Matrix::excess` holds: the sums of activations of 0, which kernels take for 2^15.
pub fn excess(pack: &Pack, matrix: &Matrix, kernels: &Kernels) -> Vec<i64> {
    let mut zeros = Activations::default();
    zeros.resize(1, matrix.inputs);
    (kernels.arrange)(&mut zeros.values);
    let mut all = vec![[0; PANEL]; matrix.panels()];
    for (number, sums) in all.chunks_exact_mut(1).enumerate() {
        multiply(kernels, pack.panel(matrix, number), &zeros.values, sums);
    }
    all.into_flattened()
}

/// Row `row` of a matrix, as the residual stream has it.
pub fn row(pack: &Pack, matrix: &Matrix, row: usize, out: &mut [i64]) {
    let panel = pack.panel(matrix, row / PANEL);
    let lane = row % PANEL;
    for (i, out) in out.iter_mut().enumerate() {
        let value = match panel {
            Rows::Bytes(panel) => {
                let weight = panel.weights[(i / 4) * 4 * PANEL + 4 * lane + i % 4] as i8;
                let at = (i / GROUP * PANEL + lane) * 2;
                let scale = u16::from_le_bytes([panel.scales[at], panel.scales[at + 1]]);
                i64::from(weight) * i64::from(scale)
            }
            Rows::Nibbles(panel) => {
                let run = &panel.runs[i / RUN * RUN_BYTES..][..RUN_BYTES];
                let (step, base) = line(run, lane);
                let byte = run[i % RUN / 8 * 4 * PANEL + 4 * lane + i % 4];
                i64::from(i32::from(byte >> (i % 8 / 4 * 4) & 15) * step + base)
            }
        };
        *out = scaled(value, matrix.exponent - RESIDUAL);
    }
}
