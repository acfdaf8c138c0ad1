//! Exponentials, without floats.

use std::sync::OnceLock;

/// `e^0`, the most there is.
const TOP_BITS: u32 = 31;
/// log2(e) in units of `2^-32`.
const LOG2_E: u64 = 6_196_328_019;

/// Tables that exponentials are made of.
pub struct Exps {
    /// `2^(-i / 256)` and `2^(-i / 65536)` in units of `2^-31`.
    coarse: [u32; 256],
    fine: [u32; 256],
}

impl Exps {
    /// The one set of tables; made at first use.
    #[must_use]
    pub fn get() -> &'static Self {
        static EXPS: OnceLock<Box<Exps>> = OnceLock::new();
        EXPS.get_or_init(|| Box::new(Self::make()))
    }

    fn make() -> Self {
        // root[k] is 2^(-1 / 2^(k + 1)) in units of 2^-63.
        let mut root = [0_u128; 16];
        let mut last = 1_u128 << 62;
        for slot in &mut root {
            last = (last << 63).isqrt();
            *slot = last;
        }
        let power = |i: usize, first: usize| {
            let mut product = 1_u128 << 63;
            for bit in (0..8).filter(|bit| i >> bit & 1 == 1) {
                product = (product * root[first + 7 - bit]) >> 63;
            }
            ((product + (1 << 31)) >> 32) as u32
        };
        Self {
            coarse: std::array::from_fn(|i| power(i, 0)),
            fine: std::array::from_fn(|i| power(i, 8)),
        }
    }

    /// `2^31` times `e^-x`, for `x` in units of `2^-16` nats; at least 1.
    #[inline(always)]
    #[must_use]
    pub fn of(&self, x: u32) -> u32 {
        // Beyond 64 nats nothing is left.
        let power = ((u64::from(x.min(1 << 22)) * LOG2_E) >> 32) as usize;
        let fraction = u64::from(self.coarse[power >> 8 & 255]) * u64::from(self.fine[power & 255]);
        ((fraction >> TOP_BITS) >> (power >> 16).min(63)).max(1) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::Exps;

    #[test]
    fn powers_are_right_to_their_last_bits() {
        let exps = Exps::get();
        for x in (0..1_400_000).step_by(37) {
            let exact = (-f64::from(x) / 65536.0).exp() * 2_f64.powi(31);
            let error = (f64::from(exps.of(x)) - exact.max(1.0)).abs();
            assert!(error <= exact * 1.7e-5 + 1.0, "{x}: off by {error}");
        }
        assert_eq!(exps.of(0), 1 << 31);
        assert_eq!(exps.of(u32::MAX), 1);
    }
}
