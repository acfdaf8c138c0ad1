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
    /// Column and the byte above, for lines.
    Column,
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
            ..Self::default()
        }
    }

    pub fn push(&mut self, byte: u8) {
        self.bytes.push(byte);
        self.last8 = self.last8 << 8 | u64::from(byte);
        let lower = byte.to_ascii_lowercase();
        if lower.is_ascii_lowercase() || byte >= 128 {
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
