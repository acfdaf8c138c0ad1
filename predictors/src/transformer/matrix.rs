//! Products of a pack's matrices with activations.

use super::fixed::{LIMIT32, scale_all, scaled};
use super::pack::{GROUP, Matrix, PANEL, Pack};
use super::simd::Kernels;

/// Rows of activations: integers, and the fraction bits of each row.
#[derive(Debug, Default)]
pub struct Activations {
    pub values: Vec<i16>,
    pub fractions: Vec<i32>,
}

impl Activations {
    /// Makes room for `rows` of `width`.
    pub fn resize(&mut self, rows: usize, width: usize) {
        self.values.resize(rows * width, 0);
        self.fractions.resize(rows, 0);
    }
}

/// Calls `put(row, first, sums, shift)` for every row of activations and panel of outputs: the sums
/// of outputs from `first` on, which are `2^shift` times too large for `fraction` fraction bits.
fn products(
    (pack, matrix, kernels): (&Pack, &Matrix, &Kernels),
    x: &Activations,
    fraction: i32,
    mut put: impl FnMut(usize, usize, &[i64], i32),
) {
    let rows = x.fractions.len();
    let mut sums = vec![[0; PANEL]; rows];
    for panel in 0..matrix.rows.div_ceil(PANEL) {
        let (weights, scales) = pack.panel(matrix, panel);
        (kernels.products)(weights, scales, &x.values, &mut sums);
        let first = panel * PANEL;
        let count = PANEL.min(matrix.rows - first);
        for (row, sums) in sums.iter().enumerate() {
            let shift = matrix.exponent + x.fractions[row] - fraction;
            put(row, first, &sums[..count], shift);
        }
    }
}

/// The products as numbers of 16 fraction bits, row by row of the activations.
pub fn outputs(
    pack: &Pack,
    matrix: &Matrix,
    kernels: &Kernels,
    x: &Activations,
    biases: &[i32],
    out: &mut [i32],
) {
    let width = matrix.rows;
    assert!(out.len() == width * x.fractions.len());
    products((pack, matrix, kernels), x, 16, |row, first, sums, shift| {
        let out = &mut out[row * width + first..][..sums.len()];
        (kernels.narrow)(sums, shift, out);
        if let Some(biases) = biases.get(first..first + sums.len()) {
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
    scale_all(sums, shift, |i, v| {
        out[i] = v.clamp(-LIMIT32, LIMIT32) as i32
    });
}

/// Adds sums to a part of the residual stream.
#[inline(always)]
pub fn add_to(sums: &[i64], shift: i32, out: &mut [i64]) {
    use super::fixed::LIMIT;
    scale_all(sums, shift, |i, v| {
        out[i] = (out[i] + v).clamp(-LIMIT, LIMIT)
    });
}

/// Adds the products to rows of the residual stream.
pub fn add_outputs(
    pack: &Pack,
    matrix: &Matrix,
    kernels: &Kernels,
    x: &Activations,
    residual: &mut [i64],
) {
    let width = matrix.rows;
    let fraction = super::fixed::RESIDUAL;
    products(
        (pack, matrix, kernels),
        x,
        fraction,
        |row, first, sums, shift| {
            (kernels.add_to)(
                sums,
                shift,
                &mut residual[row * width + first..][..sums.len()],
            );
        },
    );
}

/// Row `row` of a matrix, as the residual stream has it.
pub fn row(pack: &Pack, matrix: &Matrix, row: usize, out: &mut [i64]) {
    let (weights, scales) = pack.panel(matrix, row / PANEL);
    let lane = row % PANEL;
    for (i, out) in out.iter_mut().enumerate() {
        let weight = weights[(i / 2) * 2 * PANEL + 2 * lane + i % 2] as i8;
        let at = (i / GROUP * PANEL + lane) * 2;
        let scale = u16::from_le_bytes([scales[at], scales[at + 1]]);
        let value = i64::from(weight) * i64::from(scale);
        *out = scaled(value, matrix.exponent - super::fixed::RESIDUAL);
    }
}
