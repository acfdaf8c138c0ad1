//! What an encoder looks at before it codes a segment: some of its rows, in planes.

use llmzip_coders::rans;

use super::kind::{Kind, Split};
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

/// Exponents below and above those of a sample that a whole tensor may well have.
const BELOW: u8 = 12;
const ABOVE: u8 = 3;

/// Adds likely exponents that a sample lacks to its counts, once each, where that leaves their last six
/// bits apart, which keeps a table small and quick. A block with others has to do without the segment's
/// tables.
fn widen(counts: &mut [u32; 256]) {
    let occurring = |&exponent: &u8| counts[usize::from(exponent)] > 0;
    let (Some(least), Some(most)) = ((1..=255).find(occurring), (1..=255).rfind(occurring)) else {
        return;
    };
    let within = least..=most;
    let above = most..=most.saturating_add(ABOVE);
    let below = least.saturating_sub(BELOW)..=least;
    let mut taken = [false; rans::SMALL];
    for (exponent, _) in counts.iter().enumerate().filter(|&(_, &n)| n > 0) {
        taken[exponent % rans::SMALL] = true;
    }
    for exponent in within.chain([0]).chain(above).chain(below.rev()) {
        let taken = &mut taken[usize::from(exponent) % rans::SMALL];
        let count = &mut counts[usize::from(exponent)];
        if *count == 0 && !*taken {
            (*count, *taken) = (1, true);
        }
    }
}

/// Adds symbols that whole units have, and `known` planes lack in their counts, once each.
pub fn complete(kind: &Kind, units: &[u8], known: &mut [Option<[u32; 256]>], level: Level) {
    let ordered = kind.split == Split::Float;
    if ordered && let Some(Some(exponents)) = known.first_mut() {
        widen(exponents);
    }
    if known.iter().skip(usize::from(ordered)).all(Option::is_none) {
        return;
    }
    let mut planes = vec![Vec::new(); kind.planes()];
    for block in units.chunks(BLOCK / kind.unit * kind.unit) {
        split(kind, block, &mut planes, 0, level);
        for (plane, known) in planes
            .iter()
            .zip(known.iter_mut())
            .skip(usize::from(ordered))
        {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_near_those_of_a_sample_are_likely() {
        let widened = |given: &[u8]| {
            let mut counts = [0; 256];
            given.iter().for_each(|&e| counts[usize::from(e)] += 7);
            widen(&mut counts);
            let all: Vec<u8> = (0..=255).filter(|&e| counts[usize::from(e)] > 0).collect();
            assert!(given.iter().all(|&e| counts[usize::from(e)] >= 7));
            all
        };
        let near = |exponents| [&[0][..], &Vec::from_iter(exponents)].concat();
        assert_eq!(widened(&[100, 103]), near(88..=106));
        // The last six bits of 0 and 128 are the same.
        assert_eq!(
            widened(&[126, 127]),
            [near(114..=127), vec![129, 130]].concat()
        );
        assert_eq!(widened(&[128]), Vec::from_iter(116..=131));
        assert_eq!(widened(&[0, 4, 254]).len(), 64);
        assert_eq!(widened(&[0]), [0]);
        assert_eq!(widened(&[255, 255]), near(243..=255));
        assert_eq!(widened(&Vec::from_iter(1..=255)).len(), 255);
    }
}
