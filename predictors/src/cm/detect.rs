//! Content detection: which set of contexts a segment is coded with.
//!
//! Only an encoder looks; what it finds is stored in the segment's settings.

use super::detect_grey::{found, stated};

/// What a segment looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Words and lines.
    Text,
    /// Records of fixed length, numbers: anything else.
    Binary,
    /// Rows of one-bit pixels.
    Bilevel,
    /// Machine code.
    Executable,
    /// Rows of grey pixels of a byte each, maybe in many images of one size.
    Grey,
}

/// Class and, where there is one, the distance in bytes from a record or row to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    pub class: Class,
    pub stride: u16,
    /// Pixels of an image, where there are several and this is known, else 0.
    pub plane: u32,
    /// Place of the first pixel.
    pub offset: u32,
}

impl Content {
    /// Anything but images.
    #[must_use]
    pub const fn new(class: Class, stride: u16) -> Self {
        Self {
            class,
            stride,
            plane: 0,
            offset: 0,
        }
    }
}

/// Bytes that detection looks at.
const SAMPLE: usize = 1 << 18;
/// Longest record or row in bytes.
const LONGEST: usize = 1024;

/// Looks at the first bytes of a segment.
#[must_use]
pub(crate) fn detect(data: &[u8]) -> Content {
    let data = &data[..data.len().min(SAMPLE)];
    if let Some(content) = stated(data) {
        return content;
    }
    if is_text(data) {
        let spaces = data.iter().filter(|&&b| matches!(b, b' ' | b'\n')).count();
        let wordless = data.len() >= 4096 && spaces * 64 < data.len();
        let image = if wordless { found(data) } else { None };
        return image.unwrap_or(Content::new(Class::Text, 0));
    }
    let stride = find_stride(data);
    let class = if is_executable(data) {
        Class::Executable
    } else if stride > 4 && is_bilevel(data, stride) {
        Class::Bilevel
    } else if let Some(content) = found(data) {
        return content;
    } else {
        Class::Binary
    };
    Content::new(class, stride as u16)
}

/// Few control characters, and mostly ASCII or well-formed UTF-8.
pub(crate) fn is_text(data: &[u8]) -> bool {
    let odd = data
        .iter()
        .filter(|&&b| b < 32 && !matches!(b, b'\t' | b'\n' | b'\r' | 12 | 27) || b == 127)
        .count();
    let high = data.iter().filter(|&&b| b >= 128).count();
    if odd * 64 > data.len() {
        return false;
    }
    high * 4 <= data.len() || std::str::from_utf8(&data[..data.len() - data.len().min(4)]).is_ok()
}

/// A program's first bytes, or many of the byte pairs that start x86-64 instructions.
fn is_executable(data: &[u8]) -> bool {
    const MAGIC: [&[u8]; 4] = [
        b"\x7fELF",
        b"MZ\x90\0",
        b"\xcf\xfa\xed\xfe",
        b"\xca\xfe\xba\xbe\0\0\0",
    ];
    let instructions = data
        .windows(2)
        .filter(|pair| {
            matches!(
                pair,
                [0x48, 0x89 | 0x8b | 0x8d | 0x83 | 0x85] | [0x0f, 0x80..=0x8f]
            )
        })
        .count();
    MAGIC.iter().any(|magic| data.starts_with(magic)) || instructions * 100 > data.len().max(1)
}

/// The distance at which most bytes repeat, other than as runs; 0 when none stands out.
fn find_stride(data: &[u8]) -> usize {
    let longest = LONGEST.min(data.len() / 8);
    // Bytes that differ from their neighbour: a run repeats at any distance and tells nothing.
    let places: Vec<usize> = (longest + 1..data.len())
        .filter(|&i| data[i] != data[i - 1])
        .step_by(3)
        .take(1 << 13)
        .collect();
    // By distance, the longest first; a byte holds the counts of this many places.
    let mut score = vec![0_u32; longest];
    for some in places.chunks(255) {
        let mut repeats = vec![0_u8; longest];
        for &i in some {
            let (last, before) = (data[i], data[i - 1]);
            let pairs = data[i - longest - 1..i - 1]
                .iter()
                .zip(&data[i - longest..i]);
            for (count, (&x, &y)) in repeats.iter_mut().zip(pairs) {
                *count += u8::from(x == before) & u8::from(y == last);
            }
        }
        for (sum, count) in score.iter_mut().zip(repeats) {
            *sum += u32::from(count);
        }
    }
    score.push(0);
    score.reverse();
    score.iter_mut().take(2).for_each(|count| *count = 0);
    let most = score.iter().copied().max().unwrap_or(0);
    if most as usize * 16 < places.len() || most == 0 {
        return 0;
    }
    // Multiples of a record's length repeat as well as it does.
    score
        .iter()
        .position(|&count| count * 8 >= most * 7)
        .unwrap_or(0)
}

/// Mostly white or black bytes; in the others few changes from pixel to pixel, as bytes that are numbers
/// have more, and few bits that differ from the row above.
fn is_bilevel(data: &[u8], stride: usize) -> bool {
    let plain = data.iter().filter(|&&b| b == 0 || b == 255).count();
    let (mut edges, mut flips, mut changes) = (0_u32, 0_u32, 0_u32);
    for i in stride..data.len() {
        if data[i] != 0 && data[i] != 255 {
            edges += 1;
            flips += (data[i] ^ data[i - stride]).count_ones();
            changes += ((data[i] ^ data[i] >> 1) & 0x7f).count_ones();
        }
    }
    plain * 2 > data.len() && edges > 0 && flips < 3 * edges && changes * 2 < 5 * edges
}
