//! Words of four bytes that come again: without them zstd finds nothing in elements.

/// Of all words one in so many is looked for, those whose hash begins with zeros.
const ONE_IN: u32 = 16;
const SLOTS: usize = 1 << 13;
/// Words that came before, of those looked for, from which on elements may repeat.
const AGAIN: usize = 16;

/// Whether a sample of elements of `width` bytes may repeat itself: at least one in [`AGAIN`] of its
/// words, or so few of them that chance does not tell.
#[must_use]
pub fn may_repeat(sample: &[u8], width: usize) -> bool {
    let step = width.clamp(1, 4);
    let mut last = vec![0_u32; SLOTS];
    let (mut seen, mut again) = (0_usize, 0_usize);
    let words = sample.windows(4).step_by(step);
    let all = words.len();
    for word in words {
        let word = u32::from_le_bytes(word.try_into().unwrap_or_default());
        let hash = word.wrapping_mul(0x9e37_79b1);
        if hash < u32::MAX / ONE_IN {
            let slot = &mut last[hash as usize % SLOTS];
            seen += 1;
            again += usize::from(*slot == word);
            *slot = word;
        }
    }
    let few = seen * 2 * (ONE_IN as usize) < all || seen < 64;
    few || again * AGAIN >= seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(len: usize, mask: u32) -> Vec<u8> {
        let mut seed = 9_u32;
        let mut next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24 & mask) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    #[test]
    fn noise_does_not_repeat_and_copies_do() {
        let plain = noise(128 << 10, 255);
        for width in [1, 2, 4, 8] {
            assert!(!may_repeat(&plain, width), "{width}");
            assert!(may_repeat(&noise(128 << 10, 1), width), "{width}");
            assert!(
                may_repeat(&noise(40 << 10, 255).repeat(3), width),
                "{width}"
            );
            assert!(may_repeat(&[7; 9000], width), "{width}");
            assert!(may_repeat(&plain[..40], width) && may_repeat(&[], width));
        }
        // A fifth of it is one element.
        let sparse: Vec<u8> = plain
            .chunks(4)
            .enumerate()
            .flat_map(|(i, word)| {
                if i % 5 == 0 {
                    [0; 4]
                } else {
                    word.try_into().unwrap()
                }
            })
            .collect();
        assert!(may_repeat(&sparse, 4));
    }
}
