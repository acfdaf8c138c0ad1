//! Units into planes and back.

use super::kind::{Kind, MAX_PLANES, Split};
use crate::simd::{self, Job, Kernels, Level};

/// Writes the planes of whole units, from their unit `start` on, to `planes`, which are as many as the
/// kind has; they end there.
pub fn split(kind: &Kind, units: &[u8], planes: &mut [Vec<u8>], start: usize, level: Level) {
    let n = units.len() / kind.unit;
    for (number, plane) in planes.iter_mut().enumerate() {
        plane.resize((start + n) * kind.width(number), 0);
    }
    simd::run(
        level,
        Cut {
            kind,
            units,
            planes,
            start,
        },
    );
}

/// Plain loops, as in [`Merge`].
struct Cut<'a> {
    kind: &'a Kind,
    units: &'a [u8],
    planes: &'a mut [Vec<u8>],
    start: usize,
}

impl Job for Cut<'_> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernels>(self) {
        let Self { kind, units, .. } = self;
        let mut planes: [&mut [u8]; MAX_PLANES] = Default::default();
        for (number, (target, plane)) in planes.iter_mut().zip(self.planes).enumerate() {
            *target = &mut plane[self.start * kind.width(number)..];
        }
        split_here(kind, units, &mut planes[..kind.planes()]);
    }
}

#[inline(always)]
fn split_here(kind: &Kind, units: &[u8], planes: &mut [&mut [u8]]) {
    match (kind.split, kind.unit) {
        (Split::Bytes, 1) => planes[0].copy_from_slice(units),
        (Split::Float, 2) => {
            let [high, low] = planes else {
                unreachable!("bf16 has two planes")
            };
            let words = units.as_chunks::<2>().0;
            let n = words.len();
            let (high, low) = (&mut high[..n], &mut low[..n]);
            for i in 0..n {
                let word = u16::from_le_bytes(words[i]);
                high[i] = (word >> 7) as u8;
                low[i] = (word & 0x7f | word >> 8 & 0x80) as u8;
            }
        }
        (Split::Float, 4) => {
            let [high, next, second, lowest] = planes else {
                unreachable!("f32 has four planes")
            };
            let words = units.as_chunks::<4>().0;
            let n = words.len();
            let (high, next) = (&mut high[..n], &mut next[..n]);
            let (second, lowest) = (&mut second[..n], &mut lowest[..n]);
            for i in 0..n {
                let word = u32::from_le_bytes(words[i]);
                high[i] = (word >> 23) as u8;
                next[i] = (word >> 16 & 0x7f | word >> 24 & 0x80) as u8;
                second[i] = (word >> 8) as u8;
                lowest[i] = word as u8;
            }
        }
        (Split::Bytes, 2) => {
            let words = units.as_chunks::<2>().0;
            let n = words.len();
            let [high, low] = planes else {
                unreachable!("two bytes are two planes")
            };
            let (high, low) = (&mut high[..n], &mut low[..n]);
            for i in 0..n {
                [low[i], high[i]] = words[i];
            }
        }
        (Split::Float, unit) => {
            for (i, plane) in planes.iter_mut().enumerate() {
                let words = plane.iter_mut().zip(units.chunks_exact(unit));
                match i {
                    0 => words.for_each(|(p, w)| *p = w[unit - 1] << 1 | w[unit - 2] >> 7),
                    1 => words.for_each(|(p, w)| *p = w[unit - 2] & 0x7f | w[unit - 1] & 0x80),
                    _ => words.for_each(|(p, w)| *p = w[unit - 1 - i]),
                }
            }
        }
        (Split::Bytes, unit) => {
            for (i, plane) in planes.iter_mut().enumerate() {
                for (byte, word) in plane.iter_mut().zip(units.chunks_exact(unit)) {
                    *byte = word[unit - 1 - i];
                }
            }
        }
        (Split::Ranges(ranges), unit) => {
            let mut start = 0;
            for (plane, &width) in planes.iter_mut().zip(ranges) {
                if width == 1 {
                    for (byte, unit) in plane.iter_mut().zip(units.chunks_exact(unit)) {
                        *byte = unit[start];
                    }
                } else {
                    for (bytes, unit) in plane.chunks_exact_mut(width).zip(units.chunks_exact(unit))
                    {
                        bytes.copy_from_slice(&unit[start..start + width]);
                    }
                }
                start += width;
            }
        }
    }
}

/// The units whose planes these are; `out` has whole units, and every plane its bytes of each.
///
/// # Panics
/// If lengths do not fit.
pub fn merge(kind: &Kind, planes: &[&[u8]], out: &mut [u8], level: Level) {
    simd::run(level, Merge { kind, planes, out });
}

/// Plain loops, which the compiler turns into vector instructions of each level.
struct Merge<'a> {
    kind: &'a Kind,
    planes: &'a [&'a [u8]],
    out: &'a mut [u8],
}

impl Job for Merge<'_> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernels>(self) {
        merge_here(self.kind, self.planes, self.out);
    }
}

#[inline(always)]
fn merge_here(kind: &Kind, planes: &[&[u8]], out: &mut [u8]) {
    match (kind.split, kind.unit) {
        (Split::Bytes, 1) => out.copy_from_slice(planes[0]),
        (Split::Float, 2) => {
            let (high, low) = (planes[0], planes[1]);
            let words = out.as_chunks_mut::<2>().0;
            assert!(high.len() == words.len() && low.len() == words.len());
            for ((word, &e), &m) in words.iter_mut().zip(high).zip(low) {
                let value = u16::from(e) << 7 | u16::from(m & 0x7f) | u16::from(m & 0x80) << 8;
                *word = value.to_le_bytes();
            }
        }
        (Split::Bytes, 2) => {
            let words = out.as_chunks_mut::<2>().0;
            assert!(planes[0].len() == words.len() && planes[1].len() == words.len());
            for ((word, &high), &low) in words.iter_mut().zip(planes[0]).zip(planes[1]) {
                *word = [low, high];
            }
        }
        (Split::Float, 4) => {
            let words = out.as_chunks_mut::<4>().0;
            let n = words.len();
            let (high, next, second, lowest) = (
                &planes[0][..n],
                &planes[1][..n],
                &planes[2][..n],
                &planes[3][..n],
            );
            for i in 0..n {
                let (e, m) = (u32::from(high[i]), u32::from(next[i]));
                let value = e << 23
                    | (m & 0x7f) << 16
                    | (m & 0x80) << 24
                    | u32::from(second[i]) << 8
                    | u32::from(lowest[i]);
                words[i] = value.to_le_bytes();
            }
        }
        (Split::Float, unit) => {
            for (at, word) in out.chunks_exact_mut(unit).enumerate() {
                let (e, m) = (planes[0][at], planes[1][at]);
                word[unit - 1] = m & 0x80 | e >> 1;
                word[unit - 2] = e << 7 | m & 0x7f;
                for i in 2..unit {
                    word[unit - 1 - i] = planes[i][at];
                }
            }
        }
        (Split::Bytes, unit) => {
            for (i, plane) in planes.iter().enumerate() {
                for (word, &byte) in out.chunks_exact_mut(unit).zip(*plane) {
                    word[unit - 1 - i] = byte;
                }
            }
        }
        (Split::Ranges(ranges), unit) => {
            let mut start = 0;
            for (plane, &width) in planes.iter().zip(ranges) {
                for (word, bytes) in out.chunks_exact_mut(unit).zip(plane.chunks_exact(width)) {
                    word[start..start + width].copy_from_slice(bytes);
                }
                start += width;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::kind::KINDS;
    use super::*;

    #[test]
    fn every_kind_comes_back() {
        for kind in KINDS {
            let mut seed = 7_u32;
            let units: Vec<u8> = (0..kind.unit * 37)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (seed >> 24) as u8
                })
                .collect();
            let mut planes = vec![Vec::new(); kind.planes()];
            for (name, level) in simd::available() {
                let mut parts = vec![Vec::new(); kind.planes()];
                let cut = 21 * kind.unit;
                split(kind, &units[..cut], &mut parts, 0, level);
                split(kind, &units[cut..], &mut parts, 21, level);
                split(kind, &units, &mut planes, 0, Level::Scalar);
                assert_eq!(parts, planes, "{} {name}", kind.name);
            }
            let parts: Vec<&[u8]> = planes.iter().map(Vec::as_slice).collect();
            for (plane, part) in parts.iter().enumerate() {
                assert_eq!(part.len(), 37 * kind.width(plane), "{}", kind.name);
            }
            for (name, level) in simd::available() {
                let mut back = vec![0; units.len()];
                merge(kind, &parts, &mut back, level);
                assert_eq!(back, units, "{} {name}", kind.name);
            }
        }
    }

    #[test]
    fn a_float_falls_apart_into_exponent_and_the_rest() {
        let mut planes = vec![Vec::new(); 4];
        split(
            &KINDS[2],
            &(-1.5_f32).to_le_bytes(),
            &mut planes,
            0,
            Level::Scalar,
        );
        assert_eq!(planes, [[127], [0x80 | 0x40], [0], [0]]);
    }
}
