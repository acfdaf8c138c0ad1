//! The definition of every product, in plain integer arithmetic.

use crate::transformer::cache::BLOCK;
use crate::transformer::pack::{GROUP, Nibbles, PANEL, Panel, RUN, RUN_BYTES, line};

/// `sum(weight * x)` of each group, times its scale, summed over groups.
pub fn products(panel: Panel<'_>, x: &[i16], out: &mut [[i64; PANEL]]) {
    let inputs = panel.weights.len() / PANEL;
    for (x, out) in x.chunks_exact(inputs).zip(out) {
        out.fill(0);
        for (group, x) in x.chunks_exact(GROUP).enumerate() {
            let mut sums = [0_i32; PANEL];
            let weights = &panel.weights[group * GROUP * PANEL..][..GROUP * PANEL];
            for (quad, weights) in x.chunks_exact(4).zip(weights.chunks_exact(4 * PANEL)) {
                for (sum, w) in sums.iter_mut().zip(weights.chunks_exact(4)) {
                    for (&w, &x) in w.iter().zip(quad) {
                        *sum += i32::from(w as i8) * i32::from(x);
                    }
                }
            }
            let scales = panel.scales[group * PANEL * 2..].chunks_exact(2);
            for ((out, sum), scale) in out.iter_mut().zip(sums).zip(scales) {
                let scale = u16::from_le_bytes([scale[0], scale[1]]);
                *out += i64::from(sum) * i64::from(scale);
            }
        }
    }
}

/// `sum((nibble * step + base) * x)`.
pub fn nibbles(panel: Nibbles<'_>, x: &[i16], out: &mut [[i64; PANEL]]) {
    for (x, out) in x.chunks_exact(panel.inputs()).zip(out) {
        out.fill(0);
        for (run, x) in panel.runs.chunks_exact(RUN_BYTES).zip(x.chunks_exact(RUN)) {
            let all: i32 = x.iter().map(|&x| i32::from(x)).sum();
            for (row, out) in out.iter_mut().enumerate() {
                let mut sum = 0;
                for (pair, x) in x.chunks_exact(8).enumerate() {
                    let bytes = &run[(pair * PANEL + row) * 4..][..4];
                    for (i, &byte) in bytes.iter().enumerate() {
                        sum += i32::from(byte & 15) * i32::from(x[i]);
                        sum += i32::from(byte >> 4) * i32::from(x[i + 4]);
                    }
                }
                let (step, base) = line(run, row);
                *out += i64::from(sum) * i64::from(step) + i64::from(all) * i64::from(base);
            }
        }
    }
}

/// Sums over pairs of two values in one panel; all fit 32 bits.
fn dots(panel: &[i16], x: &[i16]) -> [i32; PANEL] {
    let mut sums = [0_i32; PANEL];
    for (pair, values) in x.chunks_exact(2).zip(panel.chunks_exact(2 * PANEL)) {
        for (sum, v) in sums.iter_mut().zip(values.chunks_exact(2)) {
            *sum += i32::from(v[0]) * i32::from(pair[0]) + i32::from(v[1]) * i32::from(pair[1]);
        }
    }
    sums
}

/// Dot products of queries with keys.
pub fn scores(keys: &[i16], size: usize, queries: &[i16], out: &mut [i32]) {
    let room = keys.len() / size;
    for (query, out) in queries.chunks_exact(size).zip(out.chunks_exact_mut(room)) {
        for (keys, out) in keys
            .chunks_exact(size * PANEL)
            .zip(out.chunks_exact_mut(PANEL))
        {
            out.copy_from_slice(&dots(keys, query));
        }
    }
}

/// Sums of weighted values, each block's shifted right, halves up.
pub fn values(values: &[i16], weights: &[i16], shifts: &[i32], out: &mut [[i32; PANEL]]) {
    let room = values.len() / PANEL;
    let weights = weights.chunks_exact(room);
    let shifts = shifts.chunks_exact(room / BLOCK);
    for ((weights, shifts), out) in weights.zip(shifts).zip(out) {
        out.fill(0);
        let weights = weights.chunks_exact(BLOCK);
        for ((values, weights), &shift) in
            values.chunks_exact(BLOCK * PANEL).zip(weights).zip(shifts)
        {
            for (out, sum) in out.iter_mut().zip(dots(values, weights)) {
                *out += ((sum >> (shift - 1)) + 1) >> 1;
            }
        }
    }
}
