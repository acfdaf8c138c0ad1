//! Softmax over scores and the weighted sum of values; FORMAT.md, 10.6.

use super::cache::{BLOCK, HeadCache};
use super::fixed::{power, scaled};
use super::pack::PANEL;
use super::simd::Kernels;

/// Fraction bits of scores, which are to the base of 2.
const SCORE: i32 = 12;
/// What scores stay within.
const MOST: i32 = 1 << 28;
/// Bits that sums over a block lose, so that those of a whole window fit 32 bits.
const SPARE: i32 = 10;
/// Fraction bits of attention's output.
pub const FRACTION: i32 = 30;

/// Queries that kernels take at a time.
pub const QUERIES: usize = 6;

/// What turns sums of weighted values into their mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Normaliser {
    /// Exponent of the weights of values, and of those in `sum`.
    values: i32,
    weights: i32,
    /// Sum of weights, in units of 2^-28.
    sum: i64,
}

/// A dot product of `fraction` fraction bits as a score.
#[inline(always)]
fn score(dot: i32, fraction: i32) -> i32 {
    let shift = fraction - SCORE;
    let left = (-shift).clamp(0, 28);
    let most = MOST >> left;
    let larger = dot.clamp(-most, most) << left;
    let smaller = ((dot >> (shift.clamp(1, 32) - 1)) + 1) >> 1;
    if shift > 0 {
        smaller.clamp(-MOST, MOST)
    } else {
        larger
    }
}

/// Weights of a block's values, relative to `2^` what is returned.
#[inline(always)]
fn weigh(
    scores: &[i32; BLOCK],
    powers: &[i32; BLOCK],
    fractions: &[i32; BLOCK],
    weights: &mut [i16; BLOCK],
) -> i32 {
    let mut high = i32::MIN;
    for i in 0..BLOCK {
        high = high.max(scores[i] - (fractions[i] << SCORE));
    }
    let high = (high + 4095) >> SCORE;
    for i in 0..BLOCK {
        let below = ((high + fractions[i]) << SCORE) - scores[i];
        let below = (below >> SCORE).min(16);
        weights[i] = ((powers[i] + (8 << below)) >> (4 + below)) as i16;
    }
    high
}

/// Sum of a block's weights relative to `2^top`, in units of 2^-28.
#[inline(always)]
fn add_up(scores: &[i32; BLOCK], powers: &[i32; BLOCK], top: i32) -> i64 {
    let mut parts = [0_i32; BLOCK];
    for i in 0..BLOCK {
        let below = ((top << SCORE) - scores[i]) >> SCORE;
        parts[i] = (powers[i] << 10) >> below.min(31);
    }
    parts.iter().map(|&part| i64::from(part)).sum()
}

/// Turns dot products of a query of `fraction` fraction bits with as many keys as there are
/// fractions into weights of values and, for each block of them, the shift of its sum.
#[inline(always)]
pub fn softmax(
    dots: &mut [i32],
    key_fractions: &[i32],
    value_fractions: &[i32],
    fraction: i32,
    weights: &mut [i16],
    shifts: &mut [i32],
) -> Normaliser {
    let count = key_fractions.len();
    let blocks = count.div_ceil(BLOCK);
    let mut highest = -MOST;
    for (dot, &key) in dots.iter_mut().zip(key_fractions) {
        *dot = score(*dot, fraction + key);
        highest = highest.max(*dot);
    }
    let top = (highest + 4095) >> SCORE;
    let (mut most, mut sum) = (i32::MIN, 0);
    for block in 0..blocks {
        let range = block * BLOCK..count.min((block + 1) * BLOCK);
        // Behind the end stand scores so low that they weigh nothing.
        let (mut scores, mut fractions) = ([2 * -MOST; BLOCK], [0; BLOCK]);
        scores[..range.len()].copy_from_slice(&dots[range.clone()]);
        fractions[..range.len()].copy_from_slice(&value_fractions[range]);
        let powers = scores.map(|score| power(-score & 4095));
        let out = &mut weights[block * BLOCK..][..BLOCK];
        let high = weigh(&scores, &powers, &fractions, out.try_into().unwrap());
        sum += add_up(&scores, &powers, top);
        shifts[block] = high;
        most = most.max(high);
    }
    weights[blocks * BLOCK..].fill(0);
    for shift in &mut shifts[..blocks] {
        *shift = (SPARE + (most - *shift)).min(31);
    }
    shifts[blocks..].fill(31);
    Normaliser {
        values: most,
        weights: top,
        sum,
    }
}

impl Normaliser {
    /// Means of values, with [`FRACTION`] fraction bits.
    #[inline(always)]
    fn finish(self, sums: &[i32], out: &mut [i64]) {
        let long = 64 - self.sum.leading_zeros() as i32;
        let inverse = ((1_u128 << (long + 30)) / self.sum as u128) as i64;
        let shift = long - 24 - (self.values - self.weights);
        for (out, &sum) in out.iter_mut().zip(sums) {
            *out = scaled(i64::from(sum) * inverse, shift);
        }
    }
}

/// Room that [`attend`] needs.
#[derive(Debug, Default)]
pub struct Scratch {
    dots: Vec<i32>,
    weights: Vec<i16>,
    shifts: Vec<i32>,
}

/// Attention of some queries (at most [`QUERIES`]), each with its fraction bits and how many
/// positions it sees; calls `put` with each one's number and output.
pub fn attend(
    kernels: &Kernels,
    cache: &HeadCache,
    queries: &[i16],
    of: &[(i32, usize)],
    scratch: &mut Scratch,
    mut put: impl FnMut(usize, &[i64]),
) {
    let longest = of.iter().map(|&(_, seen)| seen).max().unwrap_or(0);
    let room = longest.next_multiple_of(PANEL);
    let size = queries.len() / of.len();
    let Scratch {
        dots,
        weights,
        shifts,
    } = scratch;
    dots.resize(of.len() * room, 0);
    weights.resize(of.len() * room, 0);
    shifts.resize(of.len() * room / BLOCK, 0);
    (kernels.scores)(&cache.keys[..room * size], size, queries, dots);
    let mut found = [Normaliser::default(); QUERIES];
    for (i, &(fraction, seen)) in of.iter().enumerate() {
        found[i] = (kernels.softmax)(
            &mut dots[i * room..][..room],
            &cache.key_fractions[..seen],
            &cache.value_fractions[..seen],
            fraction,
            &mut weights[i * room..][..room],
            &mut shifts[i * room / BLOCK..][..room / BLOCK],
        );
    }
    let panels = size.div_ceil(PANEL);
    let mut out = [[0_i64; 2 * PANEL]; QUERIES];
    for panel in 0..panels {
        let mut sums = [[0; PANEL]; QUERIES];
        let sums = &mut sums[..of.len()];
        (kernels.values)(cache.values(panel, room), weights, shifts, sums);
        for (i, sums) in sums.iter().enumerate() {
            found[i].finish(sums, &mut out[i][panel * PANEL..][..PANEL]);
        }
    }
    for (i, out) in out[..of.len()].iter().enumerate() {
        put(i, &out[..size]);
    }
}
