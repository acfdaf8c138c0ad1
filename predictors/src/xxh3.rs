//! XXH3-128 (seed 0) of data that is hashed while it is made.

use twox_hash::xxhash3_128;

/// A hash of data of which ever more is there.
#[derive(Default)]
pub struct Hasher {
    hash: xxhash3_128::Hasher,
    /// Bytes that were taken in.
    done: usize,
}

impl Hasher {
    /// Takes in what `data`, the data so far, has more than before.
    pub fn advance(&mut self, data: &[u8]) {
        if let Some(new) = data.get(self.done..) {
            self.hash.write(new);
            self.done = data.len();
        }
    }

    /// The hash of all of `data`.
    #[must_use]
    pub fn finish(mut self, data: &[u8]) -> u128 {
        self.advance(data);
        self.hash.finish_128()
    }
}

/// XXH3-128 of `data`.
#[must_use]
pub fn xxh3_128(data: &[u8]) -> u128 {
    xxhash3_128::Hasher::oneshot(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_hash_as_the_whole() {
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
            let mut hasher = Hasher::default();
            for part in [1, 3, 7, 8] {
                hasher.advance(&data[..len * part / 8]);
            }
            assert_eq!(hasher.finish(data), xxh3_128(data), "{len}");
        }
    }

    /// From XXH's own implementation, by way of its Python binding.
    #[test]
    fn known_hashes() {
        assert_eq!(xxh3_128(b""), 0x99aa_06d3_0147_98d8_6001_c324_468d_497f);
        assert_eq!(
            xxh3_128(&[0; 1000]),
            0x3fb9_4aea_6d09_b972_24c1_ea60_74dd_588c
        );
    }
}
