//! Byte-level byte-pair encoding (Sennrich et al. 2016; over bytes, Radford et al. 2019): which
//! tokens an encoder proposes for a text.
//!
//! A decoder needs none of this. Any bytes can be encoded. Tokens are those of Hugging Face's
//! `tokenizers` for the same vocabulary and rule, without its special tokens.

mod of_pack;
mod rule;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

pub use of_pack::first_token;
pub use rule::Rule;

use crate::segment::PredictorError;

/// What a pack says of its tokenizer.
#[derive(Debug, Clone, Copy)]
pub struct Tokenizer<'pack> {
    /// The bytes of all tokens one after another.
    pub bytes: &'pack [u8],
    /// Where each token ends in `bytes`; special tokens are empty.
    pub ends: &'pack [u32],
    /// Pairs of tokens, in the order in which they are merged.
    pub merges: &'pack [[u32; 2]],
    pub rule: Rule,
    /// A piece that is a token is not merged but taken as it is.
    pub whole_pieces: bool,
}

const NONE: u32 = u32::MAX;
/// Pieces are merged in parts of so many bytes, which bounds the memory; words are shorter.
const LONGEST: usize = 1 << 16;

/// Ranks of merges by the pair that they merge.
#[derive(Default)]
struct PairHasher(u64);

impl Hasher for PairHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        // Fibonacci hashing; the table takes its bits from both ends.
        let mixed = (self.0 ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

#[derive(Debug, Clone, Copy)]
struct Merge {
    rank: u32,
    token: u32,
}

/// Cuts texts into tokens.
pub struct Bpe {
    of_byte: [u32; 256],
    merges: HashMap<u64, Merge, BuildHasherDefault<PairHasher>>,
    /// Tokens by their bytes; empty unless pieces are looked up whole.
    whole: HashMap<Box<[u8]>, u32>,
    rule: Rule,
}

/// Part of a piece that is one token so far, in a list that merging shortens.
struct Part {
    token: u32,
    before: u32,
    after: u32,
}

fn pair(left: u32, right: u32) -> u64 {
    u64::from(left) << 32 | u64::from(right)
}

impl Bpe {
    /// # Errors
    /// [`PredictorError::Corrupt`] where tokens and merges contradict each other, or a byte is no token.
    pub fn new(tokenizer: &Tokenizer) -> Result<Self, PredictorError> {
        const BROKEN: PredictorError = PredictorError::Corrupt("the model's vocabulary is damaged");
        let count = u32::try_from(tokenizer.ends.len()).map_err(|_| BROKEN)?;
        let mut tokens: HashMap<&[u8], u32> = HashMap::with_capacity(tokenizer.ends.len());
        let mut spans = Vec::with_capacity(tokenizer.ends.len());
        let mut start = 0;
        for (token, &end) in (0..count).zip(tokenizer.ends) {
            let bytes = tokenizer.bytes.get(start..end as usize).ok_or(BROKEN)?;
            start = end as usize;
            spans.push(bytes);
            if !bytes.is_empty() {
                tokens.entry(bytes).or_insert(token);
            }
        }
        let mut of_byte = [NONE; 256];
        for (token, byte) in of_byte.iter_mut().zip(0..=u8::MAX) {
            *token = *tokens.get([byte].as_slice()).ok_or(BROKEN)?;
        }
        let mut merges = HashMap::with_capacity_and_hasher(
            tokenizer.merges.len(),
            BuildHasherDefault::default(),
        );
        let mut joined = Vec::new();
        for (rank, &[left, right]) in (0..).zip(tokenizer.merges) {
            joined.clear();
            for token in [left, right] {
                let bytes = spans.get(token as usize).filter(|bytes| !bytes.is_empty());
                joined.extend_from_slice(bytes.ok_or(BROKEN)?);
            }
            let token = *tokens.get(joined.as_slice()).ok_or(BROKEN)?;
            merges
                .entry(pair(left, right))
                .or_insert(Merge { rank, token });
        }
        let mut whole = HashMap::new();
        if tokenizer.whole_pieces {
            whole.extend(tokens.iter().map(|(&bytes, &token)| (bytes.into(), token)));
        }
        Ok(Self {
            of_byte,
            merges,
            whole,
            rule: tokenizer.rule,
        })
    }

    /// Appends the tokens of `text` to `tokens`; their bytes one after another are `text`.
    pub fn encode(&self, text: &[u8], tokens: &mut Vec<u32>) {
        let mut parts = Vec::new();
        let mut queue = BinaryHeap::new();
        self.rule.split(text, |piece| {
            if let Some(&token) = self.whole.get(piece) {
                tokens.push(token);
            } else if let &[byte] = piece {
                tokens.push(self.of_byte[usize::from(byte)]);
            } else {
                for part in piece.chunks(LONGEST) {
                    self.merge(part, &mut parts, &mut queue, tokens);
                }
            }
        });
    }

    /// Appends the tokens of one piece. Merges come in the order of their ranks, the leftmost first.
    fn merge(
        &self,
        piece: &[u8],
        parts: &mut Vec<Part>,
        queue: &mut BinaryHeap<Reverse<(u32, u32, u64)>>,
        tokens: &mut Vec<u32>,
    ) {
        let count = piece.len() as u32;
        parts.clear();
        parts.extend((0..).zip(piece).map(|(at, &byte)| Part {
            token: self.of_byte[usize::from(byte)],
            before: if at == 0 { NONE } else { at - 1 },
            after: if at + 1 == count { NONE } else { at + 1 },
        }));
        let propose = |parts: &[Part], at: u32, queue: &mut BinaryHeap<_>| {
            let part = &parts[at as usize];
            if part.after != NONE {
                let both = pair(part.token, parts[part.after as usize].token);
                if let Some(merge) = self.merges.get(&both) {
                    queue.push(Reverse((merge.rank, at, both)));
                }
            }
        };
        for at in 0..count {
            propose(parts, at, queue);
        }
        while let Some(Reverse((_, at, both))) = queue.pop() {
            let (token, after) = (parts[at as usize].token, parts[at as usize].after);
            // What was proposed may have been merged with something else since.
            if after == NONE || pair(token, parts[after as usize].token) != both {
                continue;
            }
            let next = parts[after as usize].after;
            parts[at as usize].token = self.merges[&both].token;
            parts[at as usize].after = next;
            parts[after as usize].token = NONE;
            if next != NONE {
                parts[next as usize].before = at;
            }
            propose(parts, at, queue);
            if parts[at as usize].before != NONE {
                propose(parts, parts[at as usize].before, queue);
            }
        }
        let mut at = 0;
        while at != NONE {
            tokens.push(parts[at as usize].token);
            at = parts[at as usize].after;
        }
    }
}
