//! Words of four bytes that come again: without them zstd finds nothing in elements.

/// Of all words one in so many is looked for, those whose hash begins with zeros.
const ONE_IN: u32 = 16;
/// Words that are known at least, and at most.
const SLOTS: [usize; 2] = [1 << 13, 1 << 17];
/// Words that came before, of those looked for, from which on elements may repeat.
const AGAIN: usize = 16;

/// Whether a sample may repeat itself, as words that begin every `step` bytes (4 at most) tell: at least
/// one in [`AGAIN`] of them came before, or so few are looked for that chance does not tell.
pub fn may_repeat(sample: &[u8], step: usize) -> bool {
    let step = step.clamp(1, 4);
    let (mut seen, mut again) = (0_usize, 0_usize);
    let words = sample.windows(4).step_by(step);
    let all = words.len();
    let slots = (all / ONE_IN as usize).next_power_of_two();
    let slots = slots.clamp(SLOTS[0], SLOTS[1]);
    let mut last = vec![0_u32; slots];
    for word in words {
        let word = u32::from_le_bytes(word.try_into().unwrap_or_default());
        let hash = word.wrapping_mul(0x9e37_79b1);
        if hash < u32::MAX / ONE_IN {
            let slot = &mut last[hash as usize & (slots - 1)];
            seen += 1;
            again += usize::from(*slot == word);
            *slot = word;
        }
    }
    let few = seen * 2 * (ONE_IN as usize) < all || seen < 64;
    few || again * AGAIN >= seen
}

/// Rows that are compared at most.
const ROWS: usize = 1 << 13;
/// Rows that came before, of those compared, from which on rows repeat.
const ROWS_AGAIN: usize = 8;

/// Whether rows of `row` bytes come again, however far away: at least one in [`ROWS_AGAIN`] of those that
/// are looked at, as far as two words of each tell.
pub fn rows_repeat(data: &[u8], row: usize) -> bool {
    if row < 32 {
        return false;
    }
    let step = (data.len() / row).div_ceil(ROWS).max(1);
    let mut known = vec![0_u64; 2 * ROWS];
    let (mut seen, mut again) = (0_usize, 0_usize);
    for row in data.chunks_exact(row).step_by(step) {
        let word = |at: usize| u64::from_le_bytes(row[at..at + 8].try_into().unwrap_or_default());
        let key = word(0).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ word(row.len() / 2);
        let hash = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let slot = &mut known[hash as usize % (2 * ROWS)];
        seen += 1;
        again += usize::from(*slot == key);
        *slot = key;
    }
    again > 0 && again * ROWS_AGAIN >= seen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::noise::noise;

    #[test]
    fn rows_that_come_again_are_found() {
        let plain = noise(600_000, 255);
        let twice = [&plain[..300_000], &plain[..300_000]].concat();
        assert!(!rows_repeat(&plain, 1000) && rows_repeat(&twice, 1000));
        assert!(rows_repeat(&twice, 300_000) && rows_repeat(&twice, 32));
        assert!(!rows_repeat(&twice, 31) && !rows_repeat(&twice, 300_001));
        assert!(!rows_repeat(&plain, 600_001) && !rows_repeat(&[], 64));
        assert!(rows_repeat(&plain[..96].repeat(9000), 96));
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
