//! Fixed-point arithmetic of FORMAT.md, 10.3: every rounding that a logit depends on.

/// What [`scaled`] stays within.
pub const LIMIT: i64 = 1 << 46;
/// What values of 16 fraction bits stay within.
pub const LIMIT32: i64 = 1 << 30;
/// Fraction bits of the residual stream.
pub const RESIDUAL: i32 = 24;
/// Bits of an activation's magnitude, and of one that attention multiplies.
pub const WIDE: i32 = 15;
pub const NARROW: i32 = 12;

/// `value * 2^-shift` to the nearest integer, halves up, within [`LIMIT`]. `|value| <= 2^62`.
#[inline(always)]
pub fn scaled(value: i64, shift: i32) -> i64 {
    if shift > 62 {
        0
    } else if shift > 0 {
        ((value + (1 << (shift - 1))) >> shift).clamp(-LIMIT, LIMIT)
    } else {
        let left = (-shift).min(62);
        let most = LIMIT >> left;
        value.clamp(-most, most) << left
    }
}

/// As [`scaled`], of every value, kept within `most`, which is at most [`LIMIT`]; the branch is taken
/// once.
#[inline(always)]
pub fn scale_all(values: &[i64], shift: i32, most: i64, mut put: impl FnMut(usize, i64)) {
    if shift > 62 {
        (0..values.len()).for_each(|i| put(i, 0));
    } else if shift > 0 {
        let half = 1 << (shift - 1);
        for (i, &value) in values.iter().enumerate() {
            put(i, ((value + half) >> shift).clamp(-most, most));
        }
    } else {
        let left = (-shift).min(62);
        let unscaled = LIMIT >> left;
        for (i, &value) in values.iter().enumerate() {
            let value = value.clamp(-unscaled, unscaled) << left;
            put(i, value.clamp(-most, most));
        }
    }
}

/// How many bits the largest magnitude has.
#[inline(always)]
fn bits(values: &[i64]) -> i32 {
    // The OR of magnitudes is as long as the longest.
    let all = values.iter().fold(0, |all, &v| all | v.unsigned_abs());
    (64 - all.leading_zeros()) as i32
}

/// Values with `fraction` fraction bits as integers below `2^width`; returns their fraction bits.
#[inline(always)]
pub fn quantise(values: &[i64], fraction: i32, width: i32, out: &mut [i16]) -> i32 {
    let most = (1_i64 << width) - 1;
    let long = bits(values);
    let shift = if long == 0 { 0 } else { long - width };
    scale_all(values, shift, most, |i, v| out[i] = v as i16);
    fraction - shift
}

/// Divides a vector of the residual stream by its root mean square (`eps`, in units of 2^-48, is
/// added to the square) and multiplies by gains; returns the fraction bits of `out`.
#[inline(always)]
pub fn rms_norm(x: &[i64], gains: &[i32], exponent: i32, eps: u64, out: &mut [i64]) -> i32 {
    let long = bits(x);
    let shift = if long == 0 { 0 } else { long - 24 };
    scale_all(x, shift, LIMIT, |i, v| out[i] = v);
    let squares: u64 = out.iter().map(|&v| (v * v) as u64).sum();
    let eps = match 2 * shift {
        right @ 0.. => u128::from(eps) >> right,
        left => u128::from(eps) << -left,
    };
    let mean = (u128::from(squares / x.len() as u64) + eps).max(1);
    let half = (64 - (128 - mean.leading_zeros() as i32)).div_euclid(2);
    let square = if half >= 0 {
        mean << (2 * half)
    } else {
        mean >> (-2 * half)
    };
    let inverse = ((1 << 62) / (square as u64).isqrt()) as i64;
    for (v, &gain) in out.iter_mut().zip(gains) {
        *v = ((*v * i64::from(gain) + (1 << 15)) >> 16) * inverse;
    }
    46 + exponent - half
}

/// SiLU of gates times `up`, both with 16 fraction bits; `out` has 32. The table is `squash.csv`.
#[inline(always)]
pub fn gated(table: &[u32; 4096], gates: &[i32], up: &[i32], out: &mut [i64]) {
    for ((out, &gate), &up) in out.iter_mut().zip(gates).zip(up) {
        let place = (gate.clamp(-(16 << 16), 16 << 16) + (16 << 16) - 256).clamp(0, 4095 * 512 - 1);
        let (row, part) = ((place >> 9) as usize, i64::from(place & 511));
        let (low, high) = (i64::from(table[row]), i64::from(table[row + 1]));
        let sigmoid = low + (((high - low) * part) >> 9);
        *out = ((i64::from(gate) * sigmoid + (1 << 31)) >> 32) * i64::from(up);
    }
}

/// `2^(-part / 4096)` in units of 2^-18, `part` 0 to 4095.
#[inline(always)]
pub fn power(part: i32) -> i32 {
    let sum = POWER[2] - ((POWER[3] * part) >> 12);
    let sum = POWER[1] - ((sum * part) >> 12);
    POWER[0] - ((sum * part) >> 12)
}

const POWER: [i32; 4] = [262144, 181241, 60404, 10234];
