//! Hash table of bit histories: 64-byte buckets of four slots, one cache line each.
//!
//! A slot belongs to one context and one nibble of the byte to come: a checksum and the bit
//! histories of the 15 nodes of the nibble's binary tree. As in lpaq and zpaq (ICM), with four
//! candidates that share a cache line.

use memmap2::MmapMut;

use super::tables::Tables;
use crate::simd::prefetch;

pub const SLOT: usize = 16;
const BUCKET: usize = 64;

pub struct HashTable {
    /// Page-aligned, so that buckets fall on cache lines.
    bytes: MmapMut,
    bucket_mask: u32,
}

impl HashTable {
    /// A table of `2^log_bytes` bytes, at least one bucket.
    pub fn new(log_bytes: u32) -> Self {
        let size = 1_usize << log_bytes.max(6);
        let bytes = MmapMut::map_anon(size).expect("mmap");
        #[cfg(target_os = "linux")]
        let _ = bytes.advise(memmap2::Advice::HugePage);
        Self {
            bytes,
            bucket_mask: (size / BUCKET - 1) as u32,
        }
    }

    #[inline(always)]
    fn bucket(&self, hash: u32) -> usize {
        ((hash >> 8) & self.bucket_mask) as usize * BUCKET
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
        let check = hash as u8;
        let base = self.bucket(hash);
        let bucket = &mut self.bytes[base..base + BUCKET];
        // One unpredictable branch in place of four.
        let mut same = 0_u32;
        for slot in 0..BUCKET / SLOT {
            same |= u32::from(bucket[slot * SLOT] == check) << slot;
        }
        if same != 0 {
            return base + same.trailing_zeros() as usize * SLOT;
        }
        let mut victim = 0;
        let mut fewest = u32::MAX;
        for slot in 0..BUCKET / SLOT {
            let [zeros, ones] = tables.counts[bucket[slot * SLOT + 1] as usize];
            let seen = u32::from(zeros) + u32::from(ones);
            if seen < fewest {
                fewest = seen;
                victim = slot;
            }
        }
        let slot = &mut bucket[victim * SLOT..(victim + 1) * SLOT];
        slot.fill(0);
        slot[0] = check;
        base + victim * SLOT
    }

    /// The 16 bytes of a slot: checksum, then bit histories by node.
    #[inline(always)]
    pub fn load(&self, slot: usize) -> [u8; SLOT] {
        self.bytes[slot..slot + SLOT].try_into().expect("a slot's length")
    }

    #[inline(always)]
    pub fn save(&mut self, slot: usize, bytes: &[u8; SLOT]) {
        self.bytes[slot..slot + SLOT].copy_from_slice(bytes);
    }
}
