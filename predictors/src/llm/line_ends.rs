//! Text that was broken into lines of some width, as the model reads it: without those line ends.
//!
//! A line end that only stands where a line was full says nothing; a space is put in its place, and what the
//! model has to predict is plain prose. Whether a run of spaces is a line end is decided once the word behind
//! it is known, where the line would be longer than the width with it: nearly always a yes. After the
//! end-of-line coding of Skibiński, Grabowski and Deorowicz, "Revisiting dictionary-based compression" (2005),
//! which decides from the line's length alone.

use crate::bits::Bits;
use crate::cm::counter::{self, counter};
use crate::cm::tables::Tables;
use crate::segment::PredictorError;

/// Contexts of the decision: by how much the line would be longer than the width, the last for all above.
pub const EXCESSES: usize = 32;

/// Largest count of a decision's counter.
const LIMIT: u32 = 255;

/// Most spaces that a line end can take the place of.
pub const MOST_SPACES: usize = 2;

const PAST: PredictorError = PredictorError::Corrupt("a line goes on past its block");

/// What words are made of.
pub fn is_word(byte: u8) -> bool {
    byte > b' '
}

/// Whether a byte begins a character, of UTF-8 or of one byte: a column of a line.
pub fn is_column(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

/// Columns of a word.
pub fn columns(word: &[u8]) -> usize {
    word.iter().filter(|&&byte| is_column(byte)).count()
}

/// The line that raw bytes have come to.
#[derive(Clone, Copy, Default)]
pub struct Line {
    /// Columns so far, and how many of the first ones are spaces.
    pub column: usize,
    pub indent: usize,
    /// The last byte, 0 at the beginning.
    pub last: u8,
}

impl Line {
    pub fn pass(&mut self, raw: &[u8]) {
        for &byte in raw {
            if byte == b'\n' {
                self.column = 0;
                self.indent = 0;
            } else {
                self.indent += usize::from(byte == b' ' && self.column == self.indent);
                self.column += usize::from(is_column(byte));
            }
            self.last = byte;
        }
    }
}

/// What a segment knows of its lines.
#[derive(Clone)]
pub struct LineEnds {
    pub line: Line,
    counters: [u32; EXCESSES],
}

impl LineEnds {
    pub fn new() -> Self {
        Self {
            line: Line::default(),
            counters: [counter(1 << 21, 0); EXCESSES],
        }
    }

    fn decide(&mut self, excess: usize, is_end: bool, bits: &mut impl Bits) -> bool {
        let counter = &mut self.counters[excess.min(EXCESSES) - 1];
        let is_end = bits.code(is_end, counter::p32(*counter));
        counter::update(Tables::get(), counter, u32::from(is_end), LIMIT);
        is_end
    }
}

/// How a block's lines were broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wrap {
    /// Columns that a line may have, at least 1.
    pub width: usize,
    /// Whether lines end with a carriage return and a line feed.
    pub crlf: bool,
}

/// Makes a block's raw bytes of the text that the model reads.
pub struct Unfolding {
    wrap: Wrap,
    /// Raw bytes of the block, and how many are known.
    length: usize,
    known: usize,
    /// A run of spaces behind a word that may be a line end, and, for an encoder, whether it is.
    spaces: usize,
    is_end: bool,
    /// The word behind that.
    word: Vec<u8>,
    follows_word: bool,
}

impl Unfolding {
    pub fn new(wrap: Wrap, length: usize) -> Self {
        Self {
            wrap,
            length,
            known: 0,
            spaces: 0,
            is_end: false,
            word: Vec::new(),
            follows_word: false,
        }
    }

    /// Raw bytes that are known.
    pub fn known(&self) -> usize {
        self.known
    }

    /// Whether the text has all that the block's raw bytes are made of.
    pub fn is_whole(&self) -> bool {
        self.known + self.spaces + self.word.len() == self.length
    }

    /// Takes the text's next byte, `is_end` whether a line end stood where it, a space, begins a run; adds what
    /// is known then of the raw bytes to `raw`.
    ///
    /// # Errors
    /// [`PredictorError::Corrupt`] where there is more than the block's length.
    pub fn step(
        &mut self,
        ends: &mut LineEnds,
        byte: u8,
        is_end: bool,
        bits: &mut impl Bits,
        raw: &mut Vec<u8>,
    ) -> Result<(), PredictorError> {
        if self.spaces > 0 {
            if is_word(byte) {
                self.word.push(byte);
                return self.check();
            }
            if self.word.is_empty() {
                if byte == b' ' && self.spaces < MOST_SPACES {
                    self.spaces += 1;
                    return self.check();
                }
                self.follows_word = false;
            } else {
                let Line { column, .. } = ends.line;
                let excess = (column + 1 + columns(&self.word)).saturating_sub(self.wrap.width);
                if excess > 0 && ends.decide(excess, self.is_end, bits) {
                    self.end_line(ends, raw)?;
                }
                self.follows_word = true;
            }
            self.flush(ends, raw)?;
        }
        if byte == b' ' && self.follows_word {
            self.spaces = 1;
            self.is_end = is_end;
            return self.check();
        }
        if byte == b'\n' && self.wrap.crlf && ends.line.last != b'\r' {
            self.put(ends, b"\r", raw)?;
        }
        self.follows_word = is_word(byte);
        self.put(ends, &[byte], raw)
    }

    /// Ends the block: what might be a line end is none.
    ///
    /// # Errors
    /// As those of `step`.
    pub fn end(&mut self, ends: &mut LineEnds, raw: &mut Vec<u8>) -> Result<(), PredictorError> {
        self.flush(ends, raw)
    }

    /// The line end that stands for the spaces, with the indentation of the line before.
    fn end_line(&mut self, ends: &mut LineEnds, raw: &mut Vec<u8>) -> Result<(), PredictorError> {
        self.spaces = 0;
        let indent = ends.line.indent;
        if indent > self.length {
            return Err(PAST);
        }
        let end: &[u8] = if self.wrap.crlf { b"\r\n" } else { b"\n" };
        self.put(ends, end, raw)?;
        self.put(ends, &vec![b' '; indent], raw)
    }

    fn flush(&mut self, ends: &mut LineEnds, raw: &mut Vec<u8>) -> Result<(), PredictorError> {
        let spaces = std::mem::take(&mut self.spaces);
        self.put(ends, &[b' '; MOST_SPACES][..spaces], raw)?;
        let word = std::mem::take(&mut self.word);
        self.put(ends, &word, raw)
    }

    fn put(
        &mut self,
        ends: &mut LineEnds,
        bytes: &[u8],
        raw: &mut Vec<u8>,
    ) -> Result<(), PredictorError> {
        self.known += bytes.len();
        self.check()?;
        ends.line.pass(bytes);
        raw.extend_from_slice(bytes);
        Ok(())
    }

    fn check(&self) -> Result<(), PredictorError> {
        if self.known + self.spaces + self.word.len() > self.length {
            return Err(PAST);
        }
        Ok(())
    }
}
