//! Hash table of bit histories: 64-byte buckets of four slots, one cache line each.
//!
//! A slot belongs to one context and one nibble of the byte to come: the bit histories of the 15
//! nodes of the nibble's binary tree. A bucket holds the four slots' checksums, then the slots. As in
//! lpaq and zpaq (ICM), with four candidates that share a cache line.

use memmap2::MmapMut;

use super::tables::Tables;
use crate::segment::PredictorError;
use crate::simd::prefetch;
use crate::zeros::{copied, zeros};

const BUCKET: usize = 64;
const SLOTS: usize = 4;
/// Bit histories of a slot, nodes 1 to 15 of a nibble's tree.
const HISTORIES: usize = 15;
/// Where the histories start, behind the checksums.
const FIRST: usize = SLOTS;

pub struct HashTable {
    /// Page-aligned, so that buckets fall on cache lines.
    bytes: MmapMut,
    bucket_mask: u32,
}

impl HashTable {
    /// An empty table of `2^log_bytes` bytes, at least one bucket.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn new(log_bytes: u32) -> Result<Self, PredictorError> {
        let size = 1_usize << log_bytes.max(6);
        Ok(Self {
            bytes: zeros(size)?,
            bucket_mask: (size / BUCKET - 1) as u32,
        })
    }

    /// A copy that goes on by itself.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn fork(&self) -> Result<Self, PredictorError> {
        Ok(Self {
            bytes: copied(&self.bytes)?,
            bucket_mask: self.bucket_mask,
        })
    }

    #[inline(always)]
    fn bucket(&self, hash: u32) -> usize {
        (hash >> 8 & self.bucket_mask) as usize * BUCKET
    }

    #[inline(always)]
    pub fn prefetch(&self, hash: u32) {
        prefetch(&self.bytes, self.bucket(hash));
    }

    /// Finds or makes the slot of `hash`: its low 8 bits are the checksum, the rest the address.
    ///
    /// A new slot takes the place of the candidate whose first node has seen the fewest bits.
    #[inline(always)]
    pub fn find(&mut self, tables: &Tables, hash: u32) -> usize {
        let base = self.bucket(hash);
        let bucket = &mut self.bytes[base..base + BUCKET];
        let check = u32::from(hash as u8);
        let checks = u32::from_le_bytes([bucket[0], bucket[1], bucket[2], bucket[3]]);
        // The lowest zero byte of `apart` is the first slot with this checksum.
        let apart = checks ^ check.wrapping_mul(0x0101_0101);
        let zeros = apart.wrapping_sub(0x0101_0101) & !apart & 0x8080_8080;
        if zeros != 0 {
            return base + FIRST + (zeros.trailing_zeros() as usize >> 3) * HISTORIES;
        }
        let mut victim = 0;
        let mut fewest = u32::MAX;
        for slot in 0..SLOTS {
            let [zeros, ones] = tables.counts[bucket[FIRST + slot * HISTORIES] as usize];
            let seen = u32::from(zeros) + u32::from(ones);
            if seen < fewest {
                fewest = seen;
                victim = slot;
            }
        }
        bucket[victim] = check as u8;
        let start = FIRST + victim * HISTORIES;
        bucket[start..start + HISTORIES].fill(0);
        base + start
    }

    /// The slot of `hash`, if there is one.
    pub fn peek(&self, hash: u32) -> Option<usize> {
        let base = self.bucket(hash);
        let checks = &self.bytes[base..base + SLOTS];
        let slot = checks.iter().position(|&check| check == hash as u8)?;
        Some(base + FIRST + slot * HISTORIES)
    }

    /// Becomes equal to another of the same size, whose memory it does not share.
    pub fn copy_from(&mut self, other: &Self) {
        self.bytes.copy_from_slice(&other.bytes);
    }

    /// Copies a slot's histories to `nodes[1..]`.
    #[inline(always)]
    pub fn load(&self, slot: usize, nodes: &mut [u8; 16]) {
        // One byte more in front makes it a single move; node 0 is never read.
        nodes.copy_from_slice(&self.bytes[slot - 1..slot + HISTORIES]);
    }

    #[inline(always)]
    pub fn save(&mut self, slot: usize, nodes: &[u8; 16]) {
        self.bytes[slot..slot + HISTORIES].copy_from_slice(&nodes[1..]);
    }
}
