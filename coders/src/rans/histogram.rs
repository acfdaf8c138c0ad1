//! Counts of bytes.

/// How often each byte occurs. `data` is shorter than 2^32 bytes.
///
/// Four tables in turn, since equal bytes in a row would wait for each other in one.
#[must_use]
pub fn histogram(data: &[u8]) -> [u32; 256] {
    let mut counts = [[0_u32; 256]; 4];
    let (words, rest) = data.as_chunks::<8>();
    for word in words {
        let [mut low, mut high] = {
            let word = u64::from_le_bytes(*word);
            [word as u32, (word >> 32) as u32]
        };
        for table in &mut counts {
            table[usize::from(low as u8)] += 1;
            low >>= 8;
        }
        for table in &mut counts {
            table[usize::from(high as u8)] += 1;
            high >>= 8;
        }
    }
    for &byte in rest {
        counts[0][usize::from(byte)] += 1;
    }
    std::array::from_fn(|byte| counts.iter().map(|table| table[byte]).sum())
}
