//! Differences from a base: values of like type, weight by weight.
//!
//! Floats are compared as integers in the order of their values, so that a small step is a small
//! number across a change of exponent or sign; the difference is folded so that small ones of
//! either sign have few bits. How large a step is follows from the base's exponent: tables are
//! chosen by it.

use super::kind::{Kind, Split};

/// Whether a kind can be coded as a difference.
pub fn possible(kind: &Kind) -> bool {
    !matches!(kind.split, Split::Ranges(_)) && kind.elements == 1
}

/// A kind of so many bytes whose planes are those of folded differences.
pub fn planes_of(kind: &Kind) -> Kind {
    Kind {
        split: Split::Bytes,
        ..*kind
    }
}

/// The integer whose order is that of the values, for a number of `bits` bits.
fn ordered(value: u64, bits: u32, float: bool) -> u64 {
    let sign = 1 << (bits - 1);
    if !float {
        value
    } else if value & sign != 0 {
        !value & (sign - 1)
    } else {
        value | sign
    }
}

/// The inverse of [`ordered`].
fn value_of(order: u64, bits: u32, float: bool) -> u64 {
    let sign = 1 << (bits - 1);
    if !float {
        order
    } else if order & sign != 0 {
        order & !sign
    } else {
        !order & (sign - 1) | sign
    }
}

fn mask(bits: u32) -> u64 {
    u64::MAX >> (64 - bits)
}

/// Small numbers for small differences of `bits` bits: 0, -1, 1, -2, ...
fn fold(difference: u64, bits: u32) -> u64 {
    let negative = difference >> (bits - 1) & 1;
    (difference << 1 & mask(bits)) ^ negative.wrapping_neg() & mask(bits)
}

fn unfold(folded: u64, bits: u32) -> u64 {
    (folded >> 1) ^ (folded & 1).wrapping_neg() & mask(bits)
}

fn load(unit: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    bytes[..unit.len()].copy_from_slice(unit);
    u64::from_le_bytes(bytes)
}

/// Replaces values in place by folded differences from `base`, which is as long.
pub fn take(kind: &Kind, values: &mut [u8], base: &[u8]) {
    each(kind, values, base, |value, base, bits, float| {
        let (value, base) = (ordered(value, bits, float), ordered(base, bits, float));
        fold(value.wrapping_sub(base) & mask(bits), bits)
    });
}

/// The inverse of [`take`].
pub fn give(kind: &Kind, values: &mut [u8], base: &[u8]) {
    each(kind, values, base, |folded, base, bits, float| {
        let order = unfold(folded, bits).wrapping_add(ordered(base, bits, float));
        value_of(order & mask(bits), bits, float)
    });
}

#[inline(always)]
fn each(
    kind: &Kind,
    values: &mut [u8],
    base: &[u8],
    change: impl Fn(u64, u64, u32, bool) -> u64 + Copy,
) {
    let (bits, float) = (kind.unit as u32 * 8, kind.float());
    // The usual widths are constants for the compiler.
    match kind.unit {
        2 => fixed::<2>(values, base, |v, b| change(v, b, 16, float)),
        4 => fixed::<4>(values, base, |v, b| change(v, b, 32, float)),
        unit => {
            for (value, base) in values.chunks_exact_mut(unit).zip(base.chunks_exact(unit)) {
                let new = change(load(value), load(base), bits, float);
                value.copy_from_slice(&new.to_le_bytes()[..unit]);
            }
        }
    }
}

#[inline(always)]
fn fixed<const N: usize>(values: &mut [u8], base: &[u8], change: impl Fn(u64, u64) -> u64) {
    let base = base.as_chunks::<N>().0;
    for (value, base) in values.as_chunks_mut::<N>().0.iter_mut().zip(base) {
        let new = change(load(value), load(base));
        value.copy_from_slice(&new.to_le_bytes()[..N]);
    }
}

/// Adds the exponents of whole units of a base to `out`; zeros for integers.
pub fn exponents(kind: &Kind, base: &[u8], out: &mut Vec<u8>) {
    let units = base.chunks_exact(kind.unit);
    let high = kind.unit - 1;
    match kind.name {
        "f16" => out.extend(units.map(|u| u[high] >> 2 & 31)),
        "f8e4m3" => out.extend(units.map(|u| u[high] >> 3 & 15)),
        "f8e5m2" => out.extend(units.map(|u| u[high] >> 2 & 31)),
        _ if kind.float() => out.extend(units.map(|u| u[high] << 1 | u[high - 1] >> 7)),
        _ => out.extend(units.map(|_| 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::kind::KINDS;
    use super::*;

    #[test]
    fn differences_come_back() {
        let mut seed = 3_u32;
        let mut noise = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        };
        for kind in KINDS.iter().filter(|kind| possible(kind)) {
            let values: Vec<u8> = (0..kind.unit * 300).map(|_| noise()).collect();
            let base: Vec<u8> = (0..kind.unit * 300).map(|_| noise()).collect();
            for base in [&base, &values] {
                let mut changed = values.clone();
                take(kind, &mut changed, base);
                assert!(*base != values || changed.iter().all(|&b| b == 0));
                give(kind, &mut changed, base);
                assert_eq!(changed, values, "{}", kind.name);
            }
        }
    }

    #[test]
    fn a_small_step_is_a_small_number() {
        let f32s = &KINDS[2];
        for (value, base, folded) in [
            (1.0_f32, 1.0, 0),
            (1.0, f32::from_bits(1.0_f32.to_bits() - 1), 2),
            (-1.0, f32::from_bits((-1.0_f32).to_bits() - 1), 1),
            (0.0, -0.0, 2),
        ] {
            let mut bytes = value.to_le_bytes();
            take(f32s, &mut bytes, &base.to_le_bytes());
            assert_eq!(u32::from_le_bytes(bytes), folded, "{value} from {base}");
        }
    }
}
