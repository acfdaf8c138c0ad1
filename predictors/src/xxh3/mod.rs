//! XXH3-128 of data that is hashed while it is made.
//!
//! After the specification of XXH3 by Collet (seed 0, the default secret). The crate that other places
//! use has the kernels of the compile-time target alone; these are chosen at run time. Data of up to
//! 240 bytes, which has rules of its own, is left to it.

mod simd;

use crate::simd::{self as kernels, Level};

/// Bytes that are taken at once.
const STRIPE: usize = 64;

/// Bytes between two scrambles: a stripe for every eight bytes of the secret but for its last 64.
const BLOCK: usize = STRIPE * (SECRET.len() - STRIPE) / 8;

/// The most bytes that have rules of their own.
const SHORT: usize = 240;

const PRIME32: [u64; 3] = [0x9E37_79B1, 0x85EB_CA77, 0xC2B2_AE3D];
const PRIME64: [u64; 5] = [
    0x9E37_79B1_85EB_CA87,
    0xC2B2_AE3D_27D4_EB4F,
    0x1656_67B1_9E37_79F9,
    0x85EB_CA77_C2B2_AE63,
    0x27D4_EB2F_1656_67C5,
];

/// The secret as the algorithm defines it.
#[rustfmt::skip]
const SECRET: [u8; 192] = [
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c,
    0xf7, 0x21, 0xad, 0x1c, 0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb,
    0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f, 0xcb, 0x79, 0xe6, 0x4e,
    0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
    0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6,
    0x81, 0x3a, 0x26, 0x4c, 0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb,
    0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3, 0x71, 0x64, 0x48, 0x97,
    0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
    0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7,
    0xc7, 0x0b, 0x4f, 0x1d, 0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31,
    0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64, 0xea, 0xc5, 0xac, 0x83,
    0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
    0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26,
    0x29, 0xd4, 0x68, 0x9e, 0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc,
    0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce, 0x45, 0xcb, 0x3a, 0x8f,
    0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
];

/// What was taken in, lane by lane.
type Lanes = [u64; 8];

/// A hash of data of which ever more is there.
pub struct Hasher {
    lanes: Lanes,
    /// Bytes that were taken in, whole blocks.
    done: usize,
    level: Level,
}

impl Default for Hasher {
    /// With the kernels in use. A level that cannot be used is for predictors to report.
    fn default() -> Self {
        Self::new(kernels::active().unwrap_or(Level::Scalar))
    }
}

impl Hasher {
    #[must_use]
    pub fn new(level: Level) -> Self {
        let [a, b, c] = PRIME32;
        let [d, e, f, g, h] = PRIME64;
        Self {
            lanes: [c, d, e, f, g, b, h, a],
            done: 0,
            level,
        }
    }

    /// Takes in what `data`, the data so far, has more than before; the last 64 bytes or more are left.
    pub fn advance(&mut self, data: &[u8]) {
        let end = data.len().saturating_sub(1) / BLOCK * BLOCK;
        if end > self.done {
            simd::blocks(&mut self.lanes, &data[self.done..end], self.level);
            self.done = end;
        }
    }

    /// The hash of all of `data`.
    #[must_use]
    pub fn finish(mut self, data: &[u8]) -> u128 {
        if data.len() <= SHORT {
            return xxhash_rust::xxh3::xxh3_128(data);
        }
        self.advance(data);
        let rest = &data[self.done..];
        for (number, stripe) in rest[..rest.len() - 1].as_chunks().0.iter().enumerate() {
            simd::scalar::stripe(&mut self.lanes, stripe, secret(8 * number));
        }
        if let Some(last) = data.last_chunk() {
            simd::scalar::stripe(&mut self.lanes, last, secret(SECRET.len() - STRIPE - 7));
        }
        let len = data.len() as u64;
        let low = merged(&self.lanes, 11, len.wrapping_mul(PRIME64[0]));
        let high = merged(
            &self.lanes,
            SECRET.len() - STRIPE - 11,
            !len.wrapping_mul(PRIME64[1]),
        );
        u128::from(high) << 64 | u128::from(low)
    }
}

/// XXH3-128 of `data`.
#[must_use]
pub fn xxh3_128(data: &[u8]) -> u128 {
    Hasher::default().finish(data)
}

/// Bytes of the secret from `at` on.
#[inline(always)]
fn secret(at: usize) -> &'static [u8; STRIPE] {
    const LAST: &[u8; STRIPE] = match SECRET.last_chunk() {
        Some(last) => last,
        None => unreachable!(),
    };
    SECRET[at..].first_chunk().unwrap_or(LAST)
}

fn merged(lanes: &Lanes, at: usize, start: u64) -> u64 {
    let keys = secret(at).as_chunks::<8>().0;
    let mut sum = start;
    for i in [0, 2, 4, 6] {
        let [a, b] = [i, i + 1].map(|i| u128::from(lanes[i] ^ u64::from_le_bytes(keys[i])));
        let product = a * b;
        sum = sum.wrapping_add(product as u64 ^ (product >> 64) as u64);
    }
    sum ^= sum >> 37;
    sum = sum.wrapping_mul(0x1656_6791_9E37_79F9);
    sum ^ sum >> 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::available;

    /// All lengths around those where rules change, in one piece and in several.
    #[test]
    fn hashes_are_those_of_the_crate() {
        let mut seed = 5_u64;
        let data: Vec<u8> = (0..70_000)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (seed >> 56) as u8
            })
            .collect();
        let near = |len: usize| len.saturating_sub(66)..len + 66;
        let lengths = (0..1200).chain(near(2048)).chain(near(65 * 1024));
        for len in lengths.chain([70_000]) {
            let data = &data[..len];
            let hash = xxhash_rust::xxh3::xxh3_128(data);
            for (name, level) in available() {
                assert_eq!(Hasher::new(level).finish(data), hash, "{name} {len}");
                let mut hasher = Hasher::new(level);
                for part in [1, 3, 7, 8] {
                    hasher.advance(&data[..len * part / 8]);
                }
                assert_eq!(hasher.finish(data), hash, "{name} {len}");
            }
        }
    }
}
