//! The definition of every kernel, in plain integer arithmetic.

use super::{Decode, Encode, STEP_BYTES};
use crate::rans::decode::{DecodeTable, Large, Pairs, Small};
use crate::rans::encode::EncodeTable;
use crate::rans::{LARGE_BITS, LOW, SMALL_BITS};

pub fn decode_small(job: &mut Decode<'_, '_, '_, '_>) {
    let kind = |table| DecodeTable::small(table).map(Small::pairs);
    decode(job, kind, |pairs: &Pairs, state| {
        let slot = state & ((1 << SMALL_BITS) - 1);
        let (bucket, position) = ((slot >> 8) as usize, slot & 255);
        let entry = pairs.of(bucket, position);
        let frequency = (entry >> 16) as u32 & 0xffff;
        let place = (position + (entry >> 32) as u32) & 0xffff;
        (entry as u8, frequency * (state >> SMALL_BITS) + place)
    });
}

pub fn decode_large(job: &mut Decode<'_, '_, '_, '_>) {
    decode(job, DecodeTable::large, |table: &Large, state| {
        let entry = table.0[(state & ((1 << LARGE_BITS) - 1)) as usize];
        let frequency = entry >> 8 & 0xfff;
        (
            entry as u8,
            frequency * (state >> LARGE_BITS) + (entry >> 20),
        )
    });
}

/// `symbol_of` takes a symbol off a state and gives both.
#[inline(always)]
fn decode<'r, T: 'r>(
    job: &mut Decode<'_, '_, 'r, '_>,
    kind: impl Fn(&'r DecodeTable) -> Option<&'r T>,
    symbol_of: impl Fn(&T, u32) -> (u8, u32),
) {
    while let Some(table) = job.at.table().and_then(&kind) {
        let Some(words) = job.words.first_chunk::<STEP_BYTES>() else {
            break;
        };
        let out = job.at.take(job.lanes.min(job.at.left()));
        let mut used = 0;
        for (out, state) in out.iter_mut().zip(job.states.iter_mut()) {
            let (symbol, moved) = symbol_of(table, *state);
            *out = symbol;
            let word = u32::from(words[used]) | u32::from(words[used + 1]) << 8;
            // Without a branch, which would be guessed wrong as often as not.
            let low = u32::from(moved < LOW);
            *state = moved << (16 * low) | word & low.wrapping_neg();
            used += 2 * low as usize;
        }
        *job.words = &job.words[used..];
    }
}

pub fn encode(table: &EncodeTable, job: Encode<'_>) -> usize {
    let slots = &table.slots;
    if slots.is_empty() {
        encode_with(table, job, |slot| slot)
    } else {
        encode_with(table, job, |slot| u32::from(slots[slot as usize]))
    }
}

#[inline(always)]
fn encode_with(table: &EncodeTable, job: Encode<'_>, slot_of: impl Fn(u32) -> u32) -> usize {
    let bits = table.bits;
    let mut left = job.words.len();
    for symbols in job.symbols.chunks(job.lanes).rev() {
        for (&symbol, state) in symbols.iter().zip(job.states.iter_mut()).rev() {
            let entry = table.entries[usize::from(symbol)];
            let frequency = u32::from(entry.frequency);
            assert!(frequency > 0, "a table lacks a symbol of its run");
            let mut x = *state;
            // Without a branch; the word that no other one overwrites is the last one kept.
            let full = u32::from(x >> (32 - bits) >= frequency);
            job.words[left - 1] = (x as u16).to_le_bytes();
            left -= full as usize;
            x >>= 16 * full;
            // Too small by one at most, since the reciprocal is by less than one.
            let estimate = ((u64::from(x) * u64::from(entry.reciprocal)) >> 32) as u32;
            let over = x - estimate * frequency;
            let more = u32::from(over >= frequency);
            let (quotient, rest) = (estimate + more, over - more * frequency);
            *state = (quotient << bits) + slot_of(u32::from(entry.start) + rest);
        }
    }
    left
}
