//! Draws from distributions in integers, so that the same draw gives the same thing everywhere.

use crate::exp::Exps;
use crate::log::{LN_2, Logs};

/// Temperature at which a distribution stays as it is.
pub const AS_IT_IS: u32 = 1000;

/// The place within a mass that 64 random bits fall on; below `mass`, which is not 0.
#[must_use]
pub fn point(draw: u64, mass: u64) -> u64 {
    ((u128::from(draw) * u128::from(mass)) >> 64) as u64
}

/// What is `below` the top, in units of `2^-16` nats, at a temperature in thousandths, at least 1.
#[must_use]
pub fn tempered(below: u64, temperature: u32) -> u64 {
    below.saturating_mul(u64::from(AS_IT_IS)) / u64::from(temperature.max(1))
}

/// The number of the weight that a draw falls on, of weights that were raised to the power of
/// `1000 / temperature`: the more likely ones gain below 1000, the largest is all that is left at 0.
/// 0 where all weights are.
#[must_use]
pub fn pick(weights: &[u64], temperature: u32, draw: u64) -> usize {
    let top = weights.iter().copied().max().unwrap_or(0);
    if top == 0 || temperature == 0 {
        return weights.iter().position(|&w| w == top).unwrap_or(0);
    }
    let weigh = |weight: u64| {
        if weight == 0 || temperature == AS_IT_IS {
            return weight;
        }
        let logs = Logs::get();
        let below = ((logs.log2(top) - logs.log2(weight)).max(0) * LN_2) >> 16;
        let below = tempered(below as u64, temperature);
        u64::from(Exps::get().of(u32::try_from(below).unwrap_or(u32::MAX)))
    };
    // Many weights of nearly 64 bits do not overflow a sum of theirs, halved.
    let shift = 64 - weights.len().leading_zeros();
    let weights: Vec<u64> = weights.iter().map(|&w| weigh(w)).collect();
    let large = weights.iter().any(|&weight| weight >> (64 - shift) != 0);
    let scaled = |weight: u64| if large { weight >> shift } else { weight };
    let mut left = point(draw, weights.iter().map(|&w| scaled(w)).sum());
    for (number, &weight) in weights.iter().enumerate() {
        match left.checked_sub(scaled(weight)) {
            Some(rest) => left = rest,
            None => return number,
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of evenly spread draws fall on each weight.
    fn shares(weights: &[u64], temperature: u32) -> Vec<f64> {
        let mut counts = vec![0.0; weights.len()];
        for step in 0..4096_u64 {
            counts[pick(weights, temperature, step << 52 | 1 << 51)] += 1.0 / 4096.0;
        }
        counts
    }

    #[test]
    fn draws_follow_the_weights() {
        for scale in [1, 1 << 20, 1 << 60] {
            let found = shares(&[scale, 0, 2 * scale, 5 * scale], AS_IT_IS);
            for (found, exact) in found.iter().zip([0.125, 0.0, 0.25, 0.625]) {
                assert!((found - exact).abs() < 1e-3, "{found} {exact}");
            }
        }
        assert_eq!(pick(&[3, 1], AS_IT_IS, 0), 0);
        assert_eq!(pick(&[3, 1], AS_IT_IS, u64::MAX), 1);
    }

    #[test]
    fn temperature_raises_to_a_power() {
        for (temperature, power) in [(500, 2.0), (2000, 0.5), (1001, 1.0 / 1.001)] {
            let weights = [100, 400, 1600, 0];
            let powers = weights.map(|w| f64::from(w as u32).powf(power));
            let sum: f64 = powers.iter().sum();
            let found = shares(&weights, temperature);
            for (found, exact) in found.iter().zip(powers) {
                assert!((found - exact / sum).abs() < 1e-3, "{temperature}: {found}");
            }
        }
        for draw in [0, 1 << 63, u64::MAX] {
            assert_eq!(pick(&[1, 7, 7, 2], 0, draw), 1);
            assert_eq!(pick(&[0, 0], AS_IT_IS, draw), 0);
            assert_eq!(pick(&[0, 1, 0], 300, draw), 1);
        }
    }
}
