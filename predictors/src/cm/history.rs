//! The bytes so far and what contexts want to know of them: words, lines, shapes, brackets.

use std::sync::Arc;

use super::records::Records;
use crate::segment::PredictorError;

const NO_ROOM: &str = "not enough memory for the segment; free some or cut it smaller";

/// Most open brackets that are remembered.
const DEEPEST: usize = 64;

/// Multipliers of hashes: fractions of the golden ratio and of the root of 2.
pub const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
pub const SPREAD: u64 = 0x6a09_e667_f3bc_c909;

/// Joins a value to a hash.
pub fn mix(hash: u64, value: u64) -> u64 {
    let h = (hash ^ value)
        .wrapping_add(value << 32)
        .wrapping_mul(GOLDEN);
    h ^ h >> 29
}

pub struct History {
    pub bytes: Vec<u8>,
    /// Contexts of records, and the place in the record of the byte to come.
    pub records: Option<Arc<Records>>,
    place: usize,
    /// The last 8 bytes, the latest lowest.
    pub last8: u64,
    /// Hash of the letters of the current word, 0 between words.
    pub word: u64,
    /// Hashes of the words before, the latest first.
    pub previous: [u64; 3],
    /// Distance of records or rows, 0 if there are none.
    pub stride: usize,
    /// Classes of the last 16 bytes, 4 bits each, the latest lowest.
    pub shape: u64,
    rich: bool,
    word_start: usize,
    line_start: usize,
    line_above: usize,
    /// The last four bytes that followed each byte and each pair of bytes.
    followed_byte: Vec<u32>,
    followed_pair: Vec<u32>,
    open: Vec<u8>,
}

/// A [`History`] as it was one byte before, but for what only the high levels ask for.
#[derive(Clone, Copy)]
pub struct Mark {
    last8: u64,
    word: u64,
    previous: [u64; 3],
    word_start: usize,
    line_start: usize,
    line_above: usize,
}

fn class(byte: u8) -> u64 {
    match byte {
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        b'0'..=b'9' => 3,
        b' ' => 4,
        b'\n' => 5,
        b'.' | b'!' | b'?' => 6,
        b',' | b';' | b':' => 7,
        b'"' | b'\'' | b'`' => 8,
        b'(' | b'[' | b'{' | b'<' => 9,
        b')' | b']' | b'}' | b'>' => 10,
        b'=' | b'+' | b'-' | b'*' | b'/' | b'_' => 11,
        0 => 12,
        1..=31 => 13,
        128..=255 => 14,
        _ => 15,
    }
}

impl History {
    /// For a segment of `raw_len` bytes; `rich` if shapes, brackets or followers will be asked for.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn new(stride: usize, raw_len: u64, rich: bool) -> Result<Self, PredictorError> {
        let mut bytes = Vec::new();
        usize::try_from(raw_len)
            .ok()
            .and_then(|len| bytes.try_reserve_exact(len).ok())
            .ok_or(PredictorError::Setup(NO_ROOM))?;
        Ok(Self {
            bytes,
            records: None,
            place: 0,
            rich,
            last8: 0,
            word: 0,
            previous: [0; 3],
            stride,
            shape: 0,
            word_start: 0,
            line_start: 0,
            line_above: 0,
            followed_byte: vec![0; 1 << 8],
            followed_pair: vec![0; 1 << 16],
            open: Vec::new(),
        })
    }

    /// A copy that goes on by itself, with the same room.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn fork(&self) -> Result<Self, PredictorError> {
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(self.bytes.capacity())
            .map_err(|_| PredictorError::Setup(NO_ROOM))?;
        bytes.extend_from_slice(&self.bytes);
        Ok(Self {
            bytes,
            records: self.records.clone(),
            followed_byte: self.followed_byte.clone(),
            followed_pair: self.followed_pair.clone(),
            open: self.open.clone(),
            ..*self
        })
    }

    /// Becomes equal to another, whose memory it does not share.
    pub fn copy_from(&mut self, other: &Self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        let mut open = std::mem::take(&mut self.open);
        let mut followed_byte = std::mem::take(&mut self.followed_byte);
        let mut followed_pair = std::mem::take(&mut self.followed_pair);
        bytes.clone_from(&other.bytes);
        open.clone_from(&other.open);
        followed_byte.clone_from(&other.followed_byte);
        followed_pair.clone_from(&other.followed_pair);
        *self = Self {
            bytes,
            records: other.records.clone(),
            followed_byte,
            followed_pair,
            open,
            ..*other
        };
    }

    /// Place in the record of the byte to come.
    pub fn place(&self) -> usize {
        self.place
    }

    pub fn push(&mut self, byte: u8) {
        if self.rich {
            self.push_rich(byte);
        }
        let lower = byte.to_ascii_lowercase();
        if lower.is_ascii_lowercase() || byte >= 128 {
            if self.word == 0 {
                self.word_start = self.bytes.len();
            }
            self.word = mix(self.word, u64::from(lower) + 1);
        } else if self.word != 0 {
            self.previous = [self.word, self.previous[0], self.previous[1]];
            self.word = 0;
        }
        self.bytes.push(byte);
        if let Some(records) = &self.records {
            self.place += 1;
            if self.place == records.stride() {
                self.place = 0;
            }
        }
        self.last8 = self.last8 << 8 | u64::from(byte);
        if byte == b'\n' {
            self.line_above = self.line_start;
            self.line_start = self.bytes.len();
        }
    }

    /// Whether a byte can be taken back.
    pub fn can_undo(&self) -> bool {
        !self.rich
    }

    /// What [`History::undo`] needs to take the next byte back.
    pub fn mark(&self) -> Mark {
        Mark {
            last8: self.last8,
            word: self.word,
            previous: self.previous,
            word_start: self.word_start,
            line_start: self.line_start,
            line_above: self.line_above,
        }
    }

    /// Takes back the byte that was pushed after `mark`.
    pub fn undo(&mut self, mark: Mark) {
        debug_assert!(self.can_undo());
        self.bytes.pop();
        if let Some(records) = &self.records {
            self.place = self.place.checked_sub(1).unwrap_or(records.stride() - 1);
        }
        self.last8 = mark.last8;
        self.word = mark.word;
        self.previous = mark.previous;
        self.word_start = mark.word_start;
        self.line_start = mark.line_start;
        self.line_above = mark.line_above;
    }

    /// Takes back all bytes but the first `length`, where `mark` was made.
    pub fn undo_to(&mut self, mark: Mark, length: usize) {
        debug_assert!(self.can_undo() && self.records.is_none());
        self.bytes.truncate(length + 1);
        if self.bytes.len() > length {
            self.undo(mark);
        }
    }

    /// Begins anew behind some zeros: no word, no line and no bracket of those before is open.
    pub fn restart(&mut self) {
        for _ in 0..size_of_val(&self.last8) {
            self.push(0);
        }
        self.word = 0;
        self.previous = [0; 3];
        self.shape = 0;
        self.open.clear();
        self.line_start = self.bytes.len();
        self.line_above = self.bytes.len();
    }

    /// What only the high levels ask for.
    fn push_rich(&mut self, byte: u8) {
        let followed = &mut self.followed_byte[(self.last8 & 0xff) as usize];
        *followed = *followed << 8 | u32::from(byte);
        let followed = &mut self.followed_pair[(self.last8 & 0xffff) as usize];
        *followed = *followed << 8 | u32::from(byte);
        self.shape = self.shape << 4 | class(byte);
        match class(byte) {
            9 if self.open.len() == DEEPEST => self.open.clear(),
            9 => self.open.push(byte),
            10 => {
                self.open.pop();
            }
            _ => {}
        }
    }

    /// The byte at a distance, 1 for the last; 0 where there is none.
    pub fn back(&self, distance: usize) -> u64 {
        match self.bytes.len().checked_sub(distance) {
            Some(place) if distance > 0 => u64::from(self.bytes[place]),
            _ => 0,
        }
    }

    /// Bytes since the line began.
    pub fn column(&self) -> usize {
        self.bytes.len() - self.line_start
    }

    /// The byte above in the line before, 0 where that line has ended.
    pub fn above(&self) -> u64 {
        self.above_at(0)
    }

    /// The byte above, `offset` places to the right.
    pub fn above_at(&self, offset: isize) -> u64 {
        let place = (self.line_above + self.column()).checked_add_signed(offset);
        match place {
            Some(place) if place < self.line_start => u64::from(self.bytes[place]),
            _ => 0,
        }
    }

    /// The n-th byte of the current line, 0 where there is none yet.
    pub fn line_byte(&self, n: usize) -> u64 {
        self.bytes
            .get(self.line_start + n)
            .map_or(0, |&byte| u64::from(byte))
    }

    /// Bytes of the current word, 0 between words.
    pub fn word_length(&self) -> usize {
        if self.word == 0 {
            0
        } else {
            self.bytes.len() - self.word_start
        }
    }

    /// What followed the last byte before, with it (kind 0) or longer without it (1); the same of the
    /// last two bytes (2), or longer with the last byte alone (3).
    pub fn indirect(&self, kind: u32) -> u64 {
        let (byte, pair) = (self.last8 & 0xff, self.last8 & 0xffff);
        let after_byte = u64::from(self.followed_byte[byte as usize]);
        let after_pair = u64::from(self.followed_pair[pair as usize]);
        match kind {
            0 => after_byte & 0xffff | byte << 16,
            1 => after_byte & 0xff_ffff,
            2 => after_pair & 0xffff | pair << 16,
            _ => after_pair & 0xff_ffff | byte << 24,
        }
    }

    /// The two innermost open brackets.
    pub fn nest(&self) -> u64 {
        self.open
            .iter()
            .rev()
            .take(2)
            .fold(1, |nest, &byte| nest << 8 | u64::from(byte))
    }
}
