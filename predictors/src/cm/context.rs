//! What a context is made of: the state of the text so far and the hashes taken from it.

/// Odd multipliers of the hashes: fractions of the golden ratio and of sqrt(2), sqrt(3).
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
const SPREAD: u64 = 0x6a09_e667_f3bc_c909;

/// One context of the bit histories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// The last n bytes, n up to 8.
    Order(u32),
    /// The last 8 bytes under a mask.
    Masked(u64),
    /// Letters of the current word and the byte before them.
    Word,
    /// Current word and the word before.
    WordPrevious,
    /// Current word and the word before the previous one.
    WordSkip,
    /// Current word and two words before.
    WordTwo,
    /// Current word, the word before and the last two bytes of the line above.
    WordGap,
    /// The last n words and the bytes between them, without the current one.
    Words(u32),
    /// Current word with the first byte of the line, or its indent.
    WordLine,
    /// Column and the byte above, for lines.
    Column,
    /// The bytes around the place above, in lines, and the last byte.
    LineAbove,
    /// First bytes of the line and the column.
    LineStart,
    /// What followed the last byte(s) before: the last n bytes looked up among recent history.
    Indirect(u32),
    /// Classes of the last n bytes (letter, digit, space, punctuation...), 4 bits each.
    Shape(u32),
    /// Shape and the last byte.
    ShapeByte(u32),
    /// Brackets or quotes that stand open, and the last byte.
    Nest,
    /// The current word without its first n letters' order: length and last letters.
    WordEnd,
    /// Bytes at these distances, in strides plus bytes, and as many of the last bytes.
    Above(&'static [(u8, i8)], u32),
    /// Above with the position within the stride.
    Place(&'static [(u8, i8)], u32),
    /// What the byte would be if it went on as in the two records above.
    Trend(u32),
}

/// State of the text so far, from which contexts are taken.
#[derive(Default)]
pub struct History {
    /// Bytes so far.
    pub bytes: Vec<u8>,
    /// The last 8 bytes, the latest lowest.
    pub last8: u64,
    pub word: u64,
    pub previous: [u64; 3],
    pub line_start: usize,
    pub line_above: usize,
    /// Classes of the last 16 bytes, 4 bits each.
    shape: u64,
    /// Hash of the words before the current one, oldest forgotten.
    gaps: [u64; 4],
    word_start: usize,
    /// Last bytes that followed each byte, and each pair of bytes (hashed).
    followed1: Vec<u32>,
    followed2: Vec<u32>,
    nest: u64,
    nest_depth: Vec<u8>,
    pub stride: usize,
}

fn mix(hash: u64, value: u64) -> u64 {
    let h = (hash ^ value).wrapping_add(value << 32).wrapping_mul(GOLDEN);
    h ^ (h >> 29)
}

impl History {
    pub fn new(stride: usize) -> Self {
        Self {
            stride,
            followed1: vec![0; 256],
            followed2: vec![0; 1 << 16],
            ..Self::default()
        }
    }

    pub fn push(&mut self, byte: u8) {
        self.bytes.push(byte);
        let (one, two) = ((self.last8 & 0xff) as usize, (self.last8 & 0xffff) as usize);
        self.followed1[one] = self.followed1[one] << 8 | u32::from(byte);
        self.followed2[two] = self.followed2[two] << 8 | u32::from(byte);
        let class = match byte {
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
        };
        self.shape = self.shape << 4 | class;
        match byte {
            b'(' | b'[' | b'{' | b'<' => self.nest_depth.push(byte),
            b')' | b']' | b'}' | b'>' => {
                self.nest_depth.pop();
            }
            _ => {}
        }
        if self.nest_depth.len() > 64 {
            self.nest_depth.clear();
        }
        self.nest = self.nest_depth.iter().rev().take(2).fold(1, |n, &b| n << 8 | u64::from(b));
        self.last8 = self.last8 << 8 | u64::from(byte);
        let lower = byte.to_ascii_lowercase();
        if lower.is_ascii_lowercase() || byte >= 128 {
            if self.word == 0 {
                self.word_start = self.bytes.len() - 1;
            }
            self.word = mix(self.word, u64::from(lower) + 1);
        } else if self.word != 0 {
            self.previous = [self.word, self.previous[0], self.previous[1]];
            self.word = 0;
        }
        if byte == b'\n' {
            self.line_above = self.line_start;
            self.line_start = self.bytes.len();
        }
    }

    pub fn back(&self, distance: usize) -> u64 {
        let n = self.bytes.len();
        if distance == 0 || distance > n { 0 } else { u64::from(self.bytes[n - distance]) }
    }

    pub fn above(&self) -> u64 {
        let column = self.bytes.len() - self.line_start;
        let at = self.line_above + column;
        if at < self.line_start { u64::from(self.bytes[at]) } else { 0 }
    }

    /// The n-th byte of the current line, 0 where there is none yet.
    fn line_byte(&self, n: usize) -> u64 {
        self.bytes.get(self.line_start + n).map_or(0, |&b| u64::from(b))
    }

    pub fn shape(&self) -> usize {
        (self.shape & 0xfff) as usize
    }

    pub fn column(&self) -> usize {
        self.bytes.len() - self.line_start
    }

    pub fn word_length(&self) -> usize {
        if self.word == 0 { 0 } else { self.bytes.len() - self.word_start }
    }

    fn gather(&self, places: &[(u8, i8)], n: u32, start: u64) -> u64 {
        let last = if n == 0 { 0 } else { self.last8 & (u64::MAX >> (64 - 8 * n)) };
        places.iter().fold(mix(start, last), |hash, &(strides, offset)| {
            let distance = i64::from(strides) * self.stride as i64 - i64::from(offset);
            mix(hash, if distance > 0 { self.back(distance as usize) } else { 0 })
        })
    }

    /// Hash of one context, salted with its number.
    pub fn hash(&self, context: Context, number: usize) -> u32 {
        let value = match context {
            Context::Order(n) => {
                if n == 0 { 0 } else { self.last8 & (u64::MAX >> (64 - 8 * n)) }
            }
            Context::Masked(mask) => self.last8 & mask,
            Context::Word => mix(self.word, self.last8 & 0xff),
            Context::WordPrevious => mix(mix(self.word, self.last8 & 0xff), self.previous[0]),
            Context::WordSkip => mix(mix(self.word, self.last8 & 0xff), self.previous[1]),
            Context::WordTwo => mix(mix(mix(self.word, self.last8 & 0xff), self.previous[0]), self.previous[1]),
            Context::WordGap => mix(mix(self.word, self.previous[0]), self.above() | 256),
            Context::Words(n) => self.previous[..n as usize].iter().fold(mix(self.last8 & 0xff, u64::from(self.word != 0)), |h, &w| mix(h, w)),
            Context::WordLine => mix(self.word, self.line_byte(0) | 1 << 8),
            Context::LineAbove => {
                let column = self.bytes.len() - self.line_start;
                let at = |offset: usize| {
                    let place = (self.line_above + column + offset).wrapping_sub(1);
                    if place < self.line_start { u64::from(self.bytes[place]) } else { 0 }
                };
                at(0) | at(1) << 8 | at(2) << 16 | (self.last8 & 0xff) << 24
            }
            Context::LineStart => self.line_byte(0) | self.line_byte(1) << 8 | ((self.bytes.len() - self.line_start).min(255) as u64) << 16,
            Context::Indirect(n) => {
                let (one, two) = ((self.last8 & 0xff) as usize, (self.last8 & 0xffff) as usize);
                match n {
                    0 => u64::from(self.followed1[one] & 0xffff) | (one as u64) << 16,
                    1 => u64::from(self.followed1[one] & 0xff_ffff),
                    2 => u64::from(self.followed2[two] & 0xffff) | (two as u64) << 16,
                    _ => u64::from(self.followed2[two] & 0xff_ffff) | (one as u64) << 24,
                }
            }
            Context::Shape(n) => self.shape & (u64::MAX >> (64 - 4 * n)),
            Context::ShapeByte(n) => mix(self.last8 & 0xff, self.shape & (u64::MAX >> (64 - 4 * n))),
            Context::Nest => mix(self.nest, self.last8 & 0xffff),
            Context::WordEnd => mix(self.last8 & 0xff_ffff, (self.bytes.len() - self.word_start.min(self.bytes.len())).min(15) as u64 * u64::from(self.word != 0)),
            Context::Column => {
                let column = (self.bytes.len() - self.line_start).min(255) as u64;
                column << 8 | self.above() | (self.last8 & 0xff) << 16
            }
            Context::Above(places, n) => self.gather(places, n, 0),
            Context::Place(places, n) => {
                let column = if self.stride == 0 { 0 } else { self.bytes.len() % self.stride };
                self.gather(places, n, column as u64 + 1)
            }
            Context::Trend(n) => {
                let (a, b) = (self.back(self.stride), self.back(2 * self.stride));
                self.gather(&[], n, (2 * a).wrapping_sub(b) & 0xff)
            }
        };
        let salted = value.wrapping_mul(GOLDEN) ^ (number as u64 + 1).wrapping_mul(SPREAD);
        (salted.wrapping_mul(GOLDEN) >> 32) as u32 ^ (salted >> 40) as u32
    }
}
