//! Counts of bytes.

/// Tables that are counted in: equal bytes in a row would wait for each other in one.
const TABLES: usize = 8;
/// Bytes from which on so many tables are worth clearing and adding up.
const LONG: usize = 1 << 12;

/// How often each byte occurs. `data` is shorter than 2^32 bytes.
#[must_use]
pub fn histogram(data: &[u8]) -> [u32; 256] {
    if data.len() < LONG {
        counted::<2>(data)
    } else {
        counted::<TABLES>(data)
    }
}

/// Counts in `N` tables in turn, a divisor of 8.
#[inline(always)]
fn counted<const N: usize>(data: &[u8]) -> [u32; 256] {
    let mut counts = [[0_u32; 256]; N];
    let (words, rest) = data.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        for i in 0..8 {
            counts[i % N][(word >> (8 * i)) as usize & 255] += 1;
        }
    }
    for &byte in rest {
        counts[0][usize::from(byte)] += 1;
    }
    let mut sums = [0; 256];
    for table in &counts {
        for (sum, count) in sums.iter_mut().zip(table) {
            *sum += count;
        }
    }
    sums
}
