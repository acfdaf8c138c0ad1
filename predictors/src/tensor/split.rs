//! Units into planes and back.

use super::kind::{Kind, Split};
use crate::simd::{self, Job, Kernels, Level};

/// `n` more bytes at the end of a plane.
fn room(plane: &mut Vec<u8>, n: usize) -> &mut [u8] {
    let start = plane.len();
    plane.resize(start + n, 0);
    &mut plane[start..]
}

/// Adds the planes of whole units to `planes`, which are as many as the kind has.
pub fn split(kind: &Kind, units: &[u8], planes: &mut [Vec<u8>]) {
    match (kind.split, kind.unit) {
        (Split::Bytes, 1) => planes[0].extend_from_slice(units),
        (Split::Float, 2) => {
            let [high, low] = planes else {
                unreachable!("bf16 has two planes")
            };
            let words = units.as_chunks::<2>().0;
            let (high, low) = (room(high, words.len()), room(low, words.len()));
            for ((word, high), low) in words.iter().zip(high).zip(low) {
                let word = u16::from_le_bytes(*word);
                *high = (word >> 7) as u8;
                *low = (word & 0x7f | word >> 8 & 0x80) as u8;
            }
        }
        (Split::Float, 4) => {
            let [high, next, second, lowest] = planes else {
                unreachable!("f32 has four planes")
            };
            let words = units.as_chunks::<4>().0;
            let n = words.len();
            let (high, next) = (room(high, n), room(next, n));
            for ((word, high), next) in words.iter().zip(high).zip(next) {
                let word = u32::from_le_bytes(*word);
                *high = (word >> 23) as u8;
                *next = (word >> 16 & 0x7f | word >> 24 & 0x80) as u8;
            }
            let (second, lowest) = (room(second, n), room(lowest, n));
            for ((word, second), lowest) in words.iter().zip(second).zip(lowest) {
                let word = u32::from_le_bytes(*word);
                *second = (word >> 8) as u8;
                *lowest = word as u8;
            }
        }
        (Split::Float, unit) => {
            for (i, plane) in planes.iter_mut().enumerate() {
                let words = units.chunks_exact(unit);
                match i {
                    0 => plane.extend(words.map(|w| w[unit - 1] << 1 | w[unit - 2] >> 7)),
                    1 => plane.extend(words.map(|w| w[unit - 2] & 0x7f | w[unit - 1] & 0x80)),
                    _ => plane.extend(words.map(|w| w[unit - 1 - i])),
                }
            }
        }
        (Split::Bytes, unit) => {
            for (i, plane) in planes.iter_mut().enumerate() {
                plane.extend(units.chunks_exact(unit).map(|w| w[unit - 1 - i]));
            }
        }
        (Split::Ranges(ranges), unit) => {
            let mut start = 0;
            for (plane, &width) in planes.iter_mut().zip(ranges) {
                if width == 1 {
                    plane.extend(units.chunks_exact(unit).map(|w| w[start]));
                } else {
                    for unit in units.chunks_exact(unit) {
                        plane.extend_from_slice(&unit[start..start + width]);
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
            split(kind, &units, &mut planes);
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
        split(&KINDS[2], &(-1.5_f32).to_le_bytes(), &mut planes);
        assert_eq!(planes, [[127], [0x80 | 0x40], [0], [0]]);
    }
}
