//! Structure: the maximum spanning tree of mutual information (Chow and Liu 1968), for an encoder.
//!
//! Only the encoder looks; the tree it finds is stored. Logarithms are of integers and by table, so
//! that every machine finds the same one.

use super::tree::Tree;
use crate::log::Logs;

/// Values of a variable that pairs are counted by, at most.
const CLASSES: usize = 16;
/// Counts of pairs that one search makes, about.
const WORK: usize = 600_000_000;

/// Rows of variables to look at: `values(row, variable)`.
pub struct Sample<'a> {
    pub rows: usize,
    /// Number of values of each variable.
    pub values: &'a [usize],
    pub get: &'a dyn Fn(usize, usize) -> usize,
}

/// The sum of `c log2 c` over counts, in units of `2^-16`.
fn spread(counts: &[u32]) -> i64 {
    counts
        .iter()
        .map(|&c| i64::from(c) * Logs::get().log2(u64::from(c.max(1))))
        .sum()
}

/// Each variable's values in at most [`CLASSES`] classes, about equally frequent where there are more;
/// variable by variable, a byte for each sampled row.
fn classes(sample: &Sample<'_>, rows: &[usize]) -> (Vec<Vec<u8>>, Vec<usize>) {
    let mut of = Vec::new();
    let mut numbers = Vec::new();
    for (variable, &values) in sample.values.iter().enumerate() {
        let mut counts = vec![0_usize; values];
        let got: Vec<usize> = rows.iter().map(|&r| (sample.get)(r, variable)).collect();
        got.iter().for_each(|&v| counts[v] += 1);
        let mut class = vec![0_u8; values];
        let mut number = values;
        if values <= CLASSES {
            (0..values).for_each(|v| class[v] = v as u8);
        } else {
            let (mut below, mut now, mut since) = (0, 0_usize, 0);
            for v in 0..values {
                class[v] = now as u8;
                below += counts[v];
                since += counts[v];
                let left = CLASSES - now - 1;
                if left > 0 && since * (left + 1) >= rows.len() - (below - since) && since > 0 {
                    now += 1;
                    since = 0;
                }
            }
            number = now + 1;
        }
        of.push(got.iter().map(|&v| class[v]).collect());
        numbers.push(number);
    }
    (of, numbers)
}

/// The tree over the sample's variables, rooted at its centre.
///
/// # Panics
/// If there are no variables.
#[must_use]
pub fn chow_liu(sample: &Sample<'_>) -> Tree {
    let n = sample.values.len();
    let most = (2 * WORK / (n * n)).max(64);
    let step = sample.rows.div_ceil(most).max(1);
    let rows: Vec<usize> = (0..sample.rows).step_by(step).collect();
    let (of, numbers) = classes(sample, &rows);
    let alone: Vec<(i64, i64)> = (0..n)
        .map(|v| {
            let mut counts = vec![0_u32; numbers[v]];
            of[v].iter().for_each(|&c| counts[usize::from(c)] += 1);
            let seen = counts.iter().filter(|&&c| c > 0).count();
            (spread(&counts), seen as i64)
        })
        .collect();
    let mut counts = [0_u32; CLASSES * CLASSES];
    // Mutual information times the rows, less Miller and Madow's correction, in units of 2^-16 bits.
    let mut information = |a: usize, b: usize| {
        counts.fill(0);
        for (&x, &y) in of[a].iter().zip(&of[b]) {
            counts[usize::from(x) * CLASSES + usize::from(y)] += 1;
        }
        let seen = counts.iter().filter(|&&c| c > 0).count() as i64;
        let degrees = (seen - alone[a].1 - alone[b].1 + 1).max(0);
        spread(&counts) - alone[a].0 - alone[b].0 - degrees * 47274
    };
    let mut best = vec![(i64::MIN, 0); n];
    let mut inside = vec![false; n];
    let mut near = vec![Vec::new(); n];
    let mut now = n / 2;
    inside[now] = true;
    for _ in 1..n {
        for other in 0..n {
            if !inside[other] {
                let found = information(now, other);
                if found > best[other].0 {
                    best[other] = (found, now);
                }
            }
        }
        let outside = (0..n).filter(|&v| !inside[v]);
        let next = outside.max_by_key(|&v| (best[v].0, std::cmp::Reverse(v)));
        now = next.expect("some are outside");
        near[now].push(best[now].1);
        near[best[now].1].push(now);
        inside[now] = true;
    }
    let parents = rooted(&near);
    Tree::new(&parents).expect("a spanning tree")
}

/// Parents when the tree hangs at its centre.
fn rooted(near: &[Vec<usize>]) -> Vec<Option<usize>> {
    let (end, _) = farthest(near, 0);
    let (mut centre, parents) = farthest(near, end);
    let mut path = vec![centre];
    while let Some(parent) = parents[centre] {
        centre = parent;
        path.push(centre);
    }
    farthest(near, path[path.len() / 2]).1
}

/// The node that a walk from `start` meets last, breadth first, and where each was reached from.
fn farthest(near: &[Vec<usize>], start: usize) -> (usize, Vec<Option<usize>>) {
    let mut parents = vec![None; near.len()];
    let mut queue = vec![start];
    let mut at = 0;
    while at < queue.len() {
        let node = queue[at];
        for &next in &near[node] {
            if next != start && parents[next].is_none() {
                parents[next] = Some(node);
                queue.push(next);
            }
        }
        at += 1;
    }
    (queue[queue.len() - 1], parents)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_of_copies_is_found() {
        // 3 follows 1, 0 follows 3, 2 follows 0, each with some noise.
        let mut state = 7_u64;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 33) as usize
        };
        let rows: Vec<[usize; 4]> = (0..4000)
            .map(|_| {
                let mut row = [0; 4];
                row[1] = random() % 40;
                for (from, to) in [(1, 3), (3, 0), (0, 2)] {
                    row[to] = if random() % 8 == 0 {
                        random() % 40
                    } else {
                        row[from]
                    };
                }
                row
            })
            .collect();
        let tree = chow_liu(&Sample {
            rows: rows.len(),
            values: &[40; 4],
            get: &|row, v| rows[row][v],
        });
        let mut edges: Vec<_> = (0..4)
            .filter_map(|v| tree.parent(v).map(|p| (p.min(v), p.max(v))))
            .collect();
        edges.sort_unstable();
        assert_eq!(edges, [(0, 2), (0, 3), (1, 3)]);
        assert!(tree.order()[0] == 0 || tree.order()[0] == 3);
    }
}
