//! The definition of every kernel.

use super::super::{BLOCK, Lanes, PRIME32, SECRET, STRIPE, secret};

/// Takes in one stripe.
#[inline(always)]
pub fn stripe(lanes: &mut Lanes, stripe: &[u8; STRIPE], secret: &[u8; STRIPE]) {
    let keys = secret.as_chunks::<8>().0;
    for (i, value) in stripe.as_chunks::<8>().0.iter().enumerate() {
        let value = u64::from_le_bytes(*value);
        let key = value ^ u64::from_le_bytes(keys[i]);
        lanes[i ^ 1] = lanes[i ^ 1].wrapping_add(value);
        lanes[i] = lanes[i].wrapping_add((key & 0xffff_ffff) * (key >> 32));
    }
}

pub fn blocks(lanes: &mut Lanes, blocks: &[[u8; BLOCK]]) {
    let last = secret(SECRET.len() - STRIPE).as_chunks::<8>().0;
    for block in blocks {
        for (number, stripe) in block.as_chunks().0.iter().enumerate() {
            self::stripe(lanes, stripe, secret(8 * number));
        }
        for (lane, key) in lanes.iter_mut().zip(last) {
            *lane ^= *lane >> 47 ^ u64::from_le_bytes(*key);
            *lane = lane.wrapping_mul(PRIME32[0]);
        }
    }
}
