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
    let mut donors = (0..BUCKETS)
        .filter(|&rank| rest[rank] > BUCKET)
        .collect::<Vec<_>>()
        .into_iter();
    let poor: Vec<_> = (0..BUCKETS).filter(|&rank| rest[rank] < BUCKET).collect();
    let mut donor = donors.next();
    for mut rank in poor {
        // What is missing everywhere is what donors have too much.
        while let Some(other) = donor {
            buckets[rank].divider = rest[rank];
            buckets[rank].other = other;
            rest[other] -= BUCKET - rest[rank];
            if rest[other] > BUCKET {
                break;
            }
            donor = donors.next();
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
