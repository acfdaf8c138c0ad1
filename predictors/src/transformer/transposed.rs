//! Products with the head's transpose: what a change of the states does to all logits at once.

use super::model::Model;
use super::pack::{GROUP, PANEL, RUN, RUN_BYTES, Rows, line};
use crate::segment::PredictorError;

/// Lanes of sums: two rows of a quad of inputs.
const LANES: usize = 8;

/// Adds to `sums`, one for each input, the panel's rows times their factors, as integers without the
/// matrix's exponent. Factors of all rows of a matrix may add up to `2^38` in magnitude.
#[inline(always)]
pub fn rows(panel: Rows<'_>, factors: &[i32; PANEL], sums: &mut [i64]) {
    if factors.iter().all(|&factor| factor == 0) {
        return;
    }
    // Each row's factor, times its scale, beside each weight of a quad.
    let mut wide = [0_i64; 4 * PANEL];
    match panel {
        Rows::Bytes(panel) => {
            let quads = GROUP / 4;
            let groups = panel.weights.chunks_exact(4 * PANEL * quads);
            let scales = panel.scales.chunks_exact(2 * PANEL);
            for ((weights, scales), sums) in groups.zip(scales).zip(sums.chunks_exact_mut(GROUP)) {
                for (i, wide) in wide.iter_mut().enumerate() {
                    let scale = u16::from_le_bytes([scales[i / 4 * 2], scales[i / 4 * 2 + 1]]);
                    *wide = i64::from(factors[i / 4]) * i64::from(scale);
                }
                let quads = weights.chunks_exact(4 * PANEL);
                for (weights, sums) in quads.zip(sums.chunks_exact_mut(4)) {
                    let mut lanes = [0_i64; LANES];
                    let both = weights.chunks_exact(LANES).zip(wide.chunks_exact(LANES));
                    for (weights, wide) in both {
                        for i in 0..LANES {
                            lanes[i] += i64::from(weights[i] as i8) * wide[i];
                        }
                    }
                    for i in 0..4 {
                        sums[i] += lanes[i] + lanes[i + 4];
                    }
                }
            }
        }
        Rows::Nibbles(panel) => {
            let runs = panel.runs.chunks_exact(RUN_BYTES);
            for (run, sums) in runs.zip(sums.chunks_exact_mut(RUN)) {
                let mut bases = 0;
                for (row, wide) in wide.chunks_exact_mut(4).enumerate() {
                    let (step, base) = line(run, row);
                    wide.fill(i64::from(factors[row]) * i64::from(step));
                    bases += i64::from(factors[row]) * i64::from(base);
                }
                let pairs = run[..PANEL * RUN / 2].chunks_exact(4 * PANEL);
                for (bytes, sums) in pairs.zip(sums.chunks_exact_mut(8)) {
                    let mut low = [0_i64; LANES];
                    let mut high = [0_i64; LANES];
                    let both = bytes.chunks_exact(LANES).zip(wide.chunks_exact(LANES));
                    for (bytes, wide) in both {
                        for i in 0..LANES {
                            low[i] += i64::from(bytes[i] & 15) * wide[i];
                            high[i] += i64::from(bytes[i] >> 4) * wide[i];
                        }
                    }
                    for i in 0..4 {
                        sums[i] += low[i] + low[i + 4] + bases;
                        sums[i + 4] += high[i] + high[i + 4] + bases;
                    }
                }
            }
        }
    }
}

/// The head's rows times these factors, added up: one sum for each value of a state.
///
/// # Errors
/// [`PredictorError::Setup`] where threads cannot be had.
pub fn sum_of_rows(model: &Model, factors: &[i32]) -> Result<Vec<i64>, PredictorError> {
    let (head, count) = (&model.head, model.head.panels());
    let parts = model.team.run(false, |place| {
        let mut sums = vec![0; head.inputs];
        for panel in
            count * place.id / model.team.size()..count * (place.id + 1) / model.team.size()
        {
            let mut own = [0; PANEL];
            let some = &factors[panel * PANEL..factors.len().min((panel + 1) * PANEL)];
            own[..some.len()].copy_from_slice(some);
            (model.kernels.rows)(model.pack.panel(head, panel), &own, &mut sums);
        }
        sums
    })?;
    let mut parts = parts.into_iter();
    let mut sums = parts.next().expect("there is a thread");
    for part in parts {
        for (sum, part) in sums.iter_mut().zip(part) {
            *sum += part;
        }
    }
    Ok(sums)
}
