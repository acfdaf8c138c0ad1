//! Logarithms of whole numbers, without floats.

use std::sync::OnceLock;

/// ln(2) in units of `2^-16`.
pub const LN_2: i64 = 45_426;
/// Binary logarithms in units of `2^-16` are looked up by this many bits after the leading one.
const LOG_BITS: u32 = 12;

/// `log2(1 + (i + 1/2) / 4096)` in units of `2^-16`.
pub struct Logs([i32; 1 << LOG_BITS]);

impl Logs {
    /// The one table; made at first use.
    #[inline(always)]
    pub fn get() -> &'static Self {
        static LOGS: OnceLock<Box<Logs>> = OnceLock::new();
        LOGS.get_or_init(|| Box::new(Self::make()))
    }

    fn make() -> Self {
        Self(std::array::from_fn(|i| {
            // Digit by digit: a square beyond two gives a one.
            let mut x = (1_u128 << 62) + ((2 * i as u128 + 1) << (61 - LOG_BITS));
            let mut log = 0;
            for _ in 0..16 {
                x = (x * x) >> 62;
                log <<= 1;
                if x >= 1 << 63 {
                    x >>= 1;
                    log |= 1;
                }
            }
            log
        }))
    }

    /// Binary logarithm of a number other than 0, in units of `2^-16`.
    #[inline(always)]
    #[must_use]
    pub fn log2(&self, x: u64) -> i64 {
        let exponent = x.ilog2();
        let fraction = (x << (63 - exponent)) << 1 >> (64 - LOG_BITS);
        (i64::from(exponent) << 16) + i64::from(self.0[fraction as usize])
    }
}

/// `ln(yes / no)` in units of `2^-11` nats, kept within `±32767`; neither is 0.
#[inline(always)]
#[must_use]
pub fn stretch(yes: u64, no: u64) -> i16 {
    let logs = Logs::get();
    let nats = ((logs.log2(yes) - logs.log2(no)) * LN_2) >> 21;
    nats.clamp(-32767, 32767) as i16
}

/// What an event of probability `p`, in units of `2^-32` and not 0, takes to code, in units of
/// `2^-16` bits.
#[inline]
#[must_use]
pub fn bits(p: u32) -> u64 {
    (32 << 16) - Logs::get().log2(u64::from(p)).min(32 << 16) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_right_to_a_unit() {
        for (yes, no) in [
            (1, 1),
            (3, 1),
            (1 << 31, 12345),
            (987_654_321, 1 << 40),
            (u64::MAX >> 10, u64::MAX >> 11),
        ] {
            let exact = (yes as f64 / no as f64).ln() * 2048.0;
            assert!((f64::from(stretch(yes, no)) - exact).abs() < 2.0);
            assert!((f64::from(stretch(no, yes)) + exact).abs() < 2.0);
        }
        assert_eq!(stretch(1 << 50, 1), 32767);
        assert_eq!(stretch(1, 1 << 50), -32767);
    }
}
