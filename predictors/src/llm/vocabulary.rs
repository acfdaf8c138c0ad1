//! The vocabulary as a trie: tokens sorted by their bytes, a node is a range of them.

use std::ops::Range;

use crate::segment::PredictorError;

/// Stands for the token of a byte that no token of the model spells.
pub const NO_TOKEN: u32 = u32::MAX;

/// Longest token in bytes.
const LONGEST: usize = 1 << 16;

/// The byte strings of a model's tokens. Special tokens have none and take no part; a byte that is not
/// a token is one here, [`NO_TOKEN`], so that everything can be spelt.
///
/// Tokens stand in the order of their bytes, so that those that begin with the same bytes, a node of the
/// trie, are a range of ranks, and the shortest of them comes first.
#[derive(Debug, Clone)]
pub struct Vocabulary {
    /// Bytes of all tokens by rank, one after another, and where each starts; one more start than tokens.
    bytes: Vec<u8>,
    starts: Vec<u32>,
    /// Token of each rank, or [`NO_TOKEN`].
    tokens: Vec<u32>,
    /// Rank of each token's bytes; `u32::MAX` for one without.
    ranks: Vec<u32>,
}

/// What is known of the token that comes: it is one of a range of ranks that share their first bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Ranks of the tokens that begin with the node's bytes.
    pub ranks: Range<usize>,
    /// How many bytes these are.
    pub depth: usize,
}

impl Vocabulary {
    /// `bytes` holds the tokens' bytes one after another, `ends` the end of each; special tokens are
    /// empty. Of tokens with the same bytes the first is used.
    ///
    /// # Errors
    /// [`PredictorError::Unsupported`] when ends do not ascend to the last byte, a token is longer than
    /// 65,536 bytes, or there is none.
    pub fn new(bytes: &[u8], ends: &[u32]) -> Result<Self, PredictorError> {
        let mut spans = Vec::with_capacity(ends.len());
        let mut start = 0;
        for &end in ends {
            let end = end as usize;
            if end < start || end > bytes.len() || end - start > LONGEST {
                return Err(PredictorError::Unsupported(
                    "tokens of the model's vocabulary",
                ));
            }
            spans.push(&bytes[start..end]);
            start = end;
        }
        if start != bytes.len() || start == 0 || u32::try_from(ends.len()).is_err() {
            return Err(PredictorError::Unsupported(
                "tokens of the model's vocabulary",
            ));
        }
        let mut tokens: Vec<u32> = (0..ends.len() as u32)
            .filter(|&token| !spans[token as usize].is_empty())
            .collect();
        let byte_values: [u8; 256] = std::array::from_fn(|byte| byte as u8);
        let mut spelt = [false; 256];
        for span in &spans {
            if let &&[byte] = span {
                spelt[usize::from(byte)] = true;
            }
        }
        let count = spans.len();
        for byte in (0..256).filter(|&byte| !spelt[byte]) {
            tokens.push(spans.len() as u32);
            spans.push(&byte_values[byte..=byte]);
        }
        tokens.sort_by_key(|&token| (spans[token as usize], token));
        let mut made = Self {
            bytes: Vec::with_capacity(bytes.len()),
            starts: vec![0],
            ranks: vec![u32::MAX; ends.len()],
            tokens: Vec::with_capacity(tokens.len()),
        };
        let mut last: &[u8] = &[];
        for token in tokens {
            let span = spans[token as usize];
            if span != last {
                made.bytes.extend_from_slice(span);
                made.starts.push(made.bytes.len() as u32);
                let known = (token as usize) < count;
                made.tokens.push(if known { token } else { NO_TOKEN });
                last = span;
            }
            if let Some(rank) = made.ranks.get_mut(token as usize) {
                *rank = made.tokens.len() as u32 - 1;
            }
        }
        Ok(made)
    }

    /// Number of tokens, special ones among them: as many as there are logits.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ranks.len()
    }

    /// Never: every byte is a token.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranks.is_empty()
    }

    /// Token of each rank; [`NO_TOKEN`] for bytes that are none.
    #[must_use]
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Rank of a token's bytes, if it has any.
    #[must_use]
    pub fn rank(&self, token: u32) -> Option<usize> {
        let rank = *self.ranks.get(token as usize)?;
        (rank != u32::MAX).then_some(rank as usize)
    }

    /// Bytes of the token of a rank.
    #[inline]
    #[must_use]
    pub fn spelling(&self, rank: usize) -> &[u8] {
        &self.bytes[self.starts[rank] as usize..self.starts[rank + 1] as usize]
    }

    /// Rank of a byte that is a token of its own, or [`NO_TOKEN`].
    #[must_use]
    pub fn byte(&self, byte: u8) -> usize {
        self.child(&self.root(), byte).ranks.start
    }

    /// The node before a token's first byte.
    #[must_use]
    pub fn root(&self) -> Node {
        Node {
            ranks: 0..self.tokens.len(),
            depth: 0,
        }
    }

    /// Whether a token ends at the node; it is the node's first.
    #[inline]
    #[must_use]
    pub fn ends_at(&self, node: &Node) -> bool {
        !node.ranks.is_empty() && self.spelling(node.ranks.start).len() == node.depth
    }

    /// The tokens of a node that are longer than its bytes.
    #[inline]
    #[must_use]
    pub fn longer(&self, node: &Node) -> Range<usize> {
        node.ranks.start + usize::from(self.ends_at(node))..node.ranks.end
    }

    /// The first of `ranks`, which all share `depth` bytes and are longer, whose next byte is at least
    /// `byte`.
    #[inline]
    #[must_use]
    pub fn split(&self, ranks: &Range<usize>, depth: usize, byte: u8) -> usize {
        let starts = &self.starts[ranks.clone()];
        ranks.start + starts.partition_point(|&start| self.bytes[start as usize + depth] < byte)
    }

    /// The node one byte on; empty where no token goes on with that byte.
    #[must_use]
    pub fn child(&self, node: &Node, byte: u8) -> Node {
        let longer = self.longer(node);
        let start = self.split(&longer, node.depth, byte);
        let end = match byte.checked_add(1) {
            Some(next) => self.split(&(start..longer.end), node.depth, next),
            None => longer.end,
        };
        Node {
            ranks: start..end,
            depth: node.depth + 1,
        }
    }

    /// Cuts `text` into tokens, each the longest that fits, and appends them to `out`.
    pub fn longest_matches(&self, mut text: &[u8], out: &mut Vec<u32>) {
        while !text.is_empty() {
            let mut node = self.root();
            let mut best = None;
            for &byte in text {
                node = self.child(&node, byte);
                if node.ranks.is_empty() {
                    break;
                }
                if self.ends_at(&node) {
                    best = Some((node.ranks.start, node.depth));
                }
            }
            let (rank, length) = best.expect("every byte has a rank");
            out.push(self.tokens[rank]);
            text = &text[length..];
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Every byte, special token 256, then `words`.
    pub fn vocabulary(words: &[&[u8]]) -> Vocabulary {
        let mut bytes: Vec<u8> = (0..=255).collect();
        let mut ends: Vec<u32> = (1..=256).collect();
        ends.push(256);
        for word in words {
            bytes.extend_from_slice(word);
            ends.push(bytes.len() as u32);
        }
        Vocabulary::new(&bytes, &ends).unwrap()
    }

    #[test]
    fn nodes_hold_the_tokens_that_begin_with_their_bytes() {
        let made = vocabulary(&[b"then", b"the", b"th", b"than", b"the"]);
        assert_eq!(made.len(), 262);
        assert_eq!(made.tokens().len(), 260);
        assert_eq!((made.rank(256), made.rank(261)), (None, made.rank(258)));
        let mut node = made.root();
        for (byte, tokens, ends) in [
            (b't', vec![116, 259, 260, 258, 257], true),
            (b'h', vec![259, 260, 258, 257], true),
            (b'e', vec![258, 257], true),
            (b'n', vec![257], true),
        ] {
            node = made.child(&node, byte);
            assert_eq!(made.tokens()[node.ranks.clone()], tokens);
            assert_eq!(made.ends_at(&node), ends);
        }
        assert!(made.child(&node, b'!').ranks.is_empty());
    }

    #[test]
    fn longest_matches_spell_the_text() {
        let made = vocabulary(&[b"then", b"the", b"thenceforth"]);
        let mut tokens = Vec::new();
        made.longest_matches(b"thencefor the", &mut tokens);
        let spelt: Vec<&[u8]> = tokens
            .iter()
            .map(|&token| made.spelling(made.rank(token).unwrap()))
            .collect();
        assert_eq!(
            spelt,
            [&b"then"[..], b"c", b"e", b"f", b"o", b"r", b" ", b"the"]
        );
    }

    #[test]
    fn bytes_that_no_token_spells_are_added() {
        let made = Vocabulary::new(b"aba", &[1, 1, 3, 3]).unwrap();
        assert_eq!((made.len(), made.tokens().len()), (4, 257));
        for byte in 0..=255 {
            let rank = made.byte(byte);
            assert_eq!(made.spelling(rank), [byte]);
            assert_eq!(made.tokens()[rank], if byte == b'a' { 0 } else { NO_TOKEN });
        }
        assert_eq!(made.rank(2), Some(made.byte(b'b') + 1));
    }

    #[test]
    fn broken_vocabularies_are_refused() {
        let long = vec![b'x'; 70_000];
        for (bytes, ends) in [
            (&b"abc"[..], &[3, 2][..]),
            (b"abc", &[2]),
            (b"abc", &[4]),
            (b"", &[0, 0]),
            (b"", &[]),
            (&long, &[70_000]),
        ] {
            assert!(Vocabulary::new(bytes, ends).is_err());
        }
    }
}
