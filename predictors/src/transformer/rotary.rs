//! Sines and cosines of the rotary embedding, by integers alone; FORMAT.md, 10.4.

/// Half of pi, in units of 2^-60.
const RIGHT_ANGLE: i128 = 1_811_004_864_519_280_711;

/// `first - first x^2 / (n (n+1)) + ...`, the Taylor series of a sine or cosine, in units of 2^-30.
/// `first` and `square` (of x) are in units of 2^-60.
fn series(first: i64, square: i64, mut n: i64) -> i32 {
    let (mut term, mut sum) = (first, first);
    while term != 0 {
        let product = (i128::from(term) * i128::from(square)) >> 60;
        term = -(product as i64) / (n * (n + 1));
        sum += term;
        n += 2;
    }
    ((sum + (1 << 29)) >> 30) as i32
}

/// Cosine and sine of an angle in units of 2^-64 turns, in units of 2^-30.
pub fn turned(angle: u64) -> [i32; 2] {
    let x = (i128::from(angle & (u64::MAX >> 2)) * RIGHT_ANGLE) >> 62;
    let square = ((x * x) >> 60) as i64;
    let (cosine, sine) = (series(1 << 60, square, 1), series(x as i64, square, 2));
    match angle >> 62 {
        0 => [cosine, sine],
        1 => [-sine, cosine],
        2 => [-cosine, -sine],
        _ => [sine, -cosine],
    }
}

/// Rotates the pairs of a head (value i with i plus half) with 16 fraction bits by their angles.
#[inline(always)]
pub fn rotate(head: &[i32], turns: &[[i32; 2]], out: &mut [i64]) {
    let (low, high) = head.split_at(turns.len());
    let (out_low, out_high) = out.split_at_mut(turns.len());
    for (i, &[cosine, sine]) in turns.iter().enumerate() {
        let (a, b) = (i64::from(low[i]), i64::from(high[i]));
        let (cosine, sine) = (i64::from(cosine), i64::from(sine));
        out_low[i] = (a * cosine - b * sine + (1 << 29)) >> 30;
        out_high[i] = (b * cosine + a * sine + (1 << 29)) >> 30;
    }
}
