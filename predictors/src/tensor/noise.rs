//! Bytes for tests, the same every time.

/// Bytes of a linear congruential generator, with the bits of `mask` alone.
pub fn noise(len: usize, mask: u8) -> Vec<u8> {
    let mut seed = 9_u32;
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8 & mask
    };
    (0..len).map(|_| next()).collect()
}
