//! Slots of a small table by the alias method.
//!
//! After Walker, "An efficient method for generating discrete random variables with general
//! distributions", 1977, used with rANS as in Giesen, "rANS with static probability
//! distributions", 2014.

use super::{BUCKET, BUCKETS, Table};

/// Which symbols share the 256 slots of a bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Slots below this are the bucket's own symbol's, and the first of all that it has; 0 to 256.
    pub divider: usize,
    /// Rank of the symbol that has the others; the own one where there are none.
    pub other: usize,
    /// How many slots of that symbol come before these.
    pub start: usize,
}

/// The buckets of a table of at most 64 symbols; bucket `i` is that of the symbol of rank `i`.
pub fn buckets(table: &Table) -> [Bucket; BUCKETS] {
    let mut rest = [0; BUCKETS];
    for (rest, (_, f)) in rest.iter_mut().zip(table.occurring()) {
        *rest = f as usize;
    }
    let mut buckets = std::array::from_fn(|rank| Bucket {
        divider: BUCKET,
        other: rank,
        start: BUCKET,
    });
    let (mut rich, mut poor) = (Ranks(0), Ranks(0));
    for (rank, &rest) in rest.iter().enumerate() {
        rich.0 |= u64::from(rest > BUCKET) << rank;
        poor.0 |= u64::from(rest < BUCKET) << rank;
    }
    let mut donor = rich.next();
    for mut rank in poor {
        // What is missing everywhere is what donors have too much.
        while let Some(other) = donor {
            buckets[rank].divider = rest[rank];
            buckets[rank].other = other;
            rest[other] -= BUCKET - rest[rank];
            if rest[other] > BUCKET {
                break;
            }
            donor = rich.next();
            if rest[other] == BUCKET {
                break;
            }
            rank = other;
        }
    }
    let mut used = buckets.map(|bucket| bucket.divider);
    for bucket in &mut buckets {
        bucket.start = used[bucket.other];
        used[bucket.other] += BUCKET - bucket.divider;
    }
    buckets
}

/// Ranks as bits, the lowest first.
struct Ranks(u64);

impl Iterator for Ranks {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let rank = self.0.trailing_zeros() as usize;
        self.0 &= self.0.wrapping_sub(1);
        (rank < BUCKETS).then_some(rank)
    }
}
