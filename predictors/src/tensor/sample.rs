//! What an encoder looks at before it codes a segment: some of its rows, in planes.

use llmzip_coders::rans;

use super::kind::Kind;
use super::settings::BLOCK;
use super::simd::{Set, holds};
use super::split::split;
use crate::simd::Level;

/// Rows that are taken at least, where there are as many.
const ROWS: usize = 64;
/// Most units that are taken for that.
const MOST: usize = 1 << 20;
/// Units that are taken together where there are no rows.
const RUN: usize = 4096;

/// Rows of a segment, evenly spread, as planes.
pub struct Sample {
    pub planes: Vec<Vec<u8>>,
    /// Rows of the whole segment, 0 where there are none.
    pub rows: usize,
    /// Whether nothing was left out.
    pub all: bool,
}

impl Sample {
    /// Takes about `units` units of `segment`, which starts at the first column, in whole rows of `row`
    /// elements (0 for none). `planes` is memory to use again.
    pub fn take(
        kind: &Kind,
        segment: &[u8],
        row: usize,
        units: usize,
        level: Level,
        mut planes: Vec<Vec<u8>>,
    ) -> Self {
        let all = segment.len() / kind.unit;
        planes.resize(kind.planes(), Vec::new());
        let in_rows = row > 0 && row.is_multiple_of(kind.elements) && row / kind.elements <= all;
        let run = if in_rows { row / kind.elements } else { RUN };
        let rows = all / run;
        let least = ROWS.min(MOST / run).max(4);
        let taken = (units / run).max(least);
        if taken >= rows {
            split(kind, &segment[..all * kind.unit], &mut planes, 0, level);
        } else {
            for plane in &mut planes {
                plane.clear();
            }
            for i in 0..taken {
                let start = i * rows / taken * run * kind.unit;
                let units = &segment[start..start + run * kind.unit];
                split(kind, units, &mut planes, i * run, level);
            }
        }
        let rows = if in_rows { rows } else { 0 };
        let all = taken >= all / run;
        Self { planes, rows, all }
    }
}

/// Adds the symbols of whole units that `known` planes lack in their counts, once each.
pub fn complete(kind: &Kind, units: &[u8], known: &mut [Option<[u32; 256]>], level: Level) {
    if known.iter().all(Option::is_none) {
        return;
    }
    let mut planes = vec![Vec::new(); kind.planes()];
    for block in units.chunks(BLOCK / kind.unit * kind.unit) {
        split(kind, block, &mut planes, 0, level);
        for (plane, known) in planes.iter().zip(known.iter_mut()) {
            let Some(known) = known else { continue };
            let set = Set::of(known);
            if !holds(&set, plane, level) {
                for (known, n) in known.iter_mut().zip(rans::histogram(plane)) {
                    *known += u32::from(*known == 0 && n > 0);
                }
            }
        }
    }
}
