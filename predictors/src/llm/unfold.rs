//! An encoder's choice of the line ends that a block's text does without; see [`line_ends`](super::line_ends).

use super::line_ends::{EXCESSES, Line, LineEnds, MOST_SPACES, Unfolding, Wrap, columns, is_word};
use super::state::Known;
use crate::table::cost::learned;

/// Widths that are tried.
const WIDTHS: std::ops::Range<usize> = 16..256;

/// Bits that a line end costs a model that has to predict it, and what has to be saved at least. The model
/// predicts the words behind it better without it, too.
const END_BITS: u64 = 2;
const LEAST_SAVED: u64 = 16;

/// A block without the line ends that stand where lines were full.
pub struct Unfolded {
    pub wrap: Wrap,
    pub text: Vec<u8>,
    /// For each byte of the text whether it begins spaces that stand for a line end.
    pub ends: Vec<bool>,
}

/// A place where the line could have ended: its spaces, or the line end with the indentation behind it.
struct Place {
    start: usize,
    stop: usize,
    /// Columns that the line would have with the next word.
    reach: usize,
    is_end: bool,
}

/// The block's text without line ends, `line` being where the segment's lines stand before it; `None` where its
/// lines do not look as if they were broken at some width.
pub fn unfold(raw: &[u8], line: Line) -> Option<Unfolded> {
    let crlf = ends_with_both(raw, line);
    let places = places(raw, line, crlf);
    let width = width(&places)?;
    let wrap = Wrap { width, crlf };
    [two_after_sentences(raw), false]
        .into_iter()
        .map(|doubled| with_spaces(raw, &places, wrap, doubled))
        .find(|unfolded| gives(unfolded, raw, line))
}

/// Whether carriage returns and line feeds come together alone.
fn ends_with_both(raw: &[u8], line: Line) -> bool {
    let mut last = line.last;
    let mut found = false;
    for &byte in raw {
        if byte == b'\n' {
            if last != b'\r' {
                return false;
            }
            found = true;
        }
        last = byte;
    }
    found
}

/// Where lines end or could have, with a word before and a whole one behind.
fn places(raw: &[u8], mut line: Line, crlf: bool) -> Vec<Place> {
    let mut places = Vec::new();
    let mut at = 0;
    while at < raw.len() {
        let rest = &raw[at..];
        let end = if crlf { &b"\r\n"[..] } else { b"\n" };
        let is_end = rest.starts_with(end);
        let skipped = if is_end { end.len() } else { 0 };
        let spaces = rest[skipped..].iter().take_while(|&&b| b == b' ').count();
        let fits = if is_end {
            // A hyphen may have divided a word.
            spaces == line.indent && line.last != b'-'
        } else {
            (1..=MOST_SPACES).contains(&spaces)
        };
        let length = if is_end {
            skipped + spaces
        } else {
            spaces.max(1)
        };
        if fits && at > 0 && is_word(line.last) {
            let behind = &rest[length..];
            let word = behind.iter().take_while(|&&b| is_word(b)).count();
            if word > 0 && word < behind.len() {
                places.push(Place {
                    start: at,
                    stop: at + length,
                    reach: line.column + 1 + columns(&behind[..word]),
                    is_end,
                });
            }
        }
        line.pass(&rest[..length]);
        at += length;
    }
    places
}

/// The width at which line ends are told best, where that saves anything.
fn width(places: &[Place]) -> Option<usize> {
    // By reach: spaces, line ends.
    let most = WIDTHS.end + EXCESSES;
    let mut counts = vec![[0_u64; 2]; most];
    for place in places {
        counts[place.reach.min(most - 1)][usize::from(place.is_end)] += 1;
    }
    let saved = |&width: &usize| {
        let (single, above) = counts[width + 1..].split_at(EXCESSES - 1);
        let above = above
            .iter()
            .fold([0; 2], |sum, count| [sum[0] + count[0], sum[1] + count[1]]);
        let classes = single.iter().chain([&above]);
        let cost: u64 = classes
            .clone()
            .map(|count| learned(count.iter().copied()))
            .sum();
        let ends: u64 = classes.map(|count| count[1]).sum();
        (END_BITS * ends).saturating_sub(cost)
    };
    let best = WIDTHS.rev().max_by_key(saved)?;
    (saved(&best) >= LEAST_SAVED).then_some(best)
}

/// Whether two spaces are usual behind a sentence that does not end its line.
fn two_after_sentences(raw: &[u8]) -> bool {
    let count = |spaces: &[u8]| {
        let windows = raw.windows(spaces.len() + 2);
        windows
            .filter(|w| {
                ends_sentence(&w[..1]) && w[1..].starts_with(spaces) && is_word(w[w.len() - 1])
            })
            .count()
    };
    count(b"  ") > count(b" ")
}

/// Whether a sentence ends with these bytes.
fn ends_sentence(before: &[u8]) -> bool {
    let quoted = before.strip_suffix(b"\"").or(before.strip_suffix(b"'"));
    let before = quoted.or(before.strip_suffix(b")")).unwrap_or(before);
    matches!(before.last(), Some(b'.' | b'!' | b'?' | b':'))
}

fn with_spaces(raw: &[u8], places: &[Place], wrap: Wrap, doubled: bool) -> Unfolded {
    let mut unfolded = Unfolded {
        wrap,
        text: Vec::with_capacity(raw.len()),
        ends: Vec::with_capacity(raw.len()),
    };
    let mut at = 0;
    for place in places {
        if place.is_end && place.reach > wrap.width {
            unfolded.keep(&raw[at..place.start]);
            unfolded.ends.push(true);
            unfolded.text.push(b' ');
            if doubled && ends_sentence(&raw[..place.start]) {
                unfolded.keep(b" ");
            }
            at = place.stop;
        }
    }
    unfolded.keep(&raw[at..]);
    unfolded
}

impl Unfolded {
    fn keep(&mut self, raw: &[u8]) {
        for &byte in raw {
            if byte == b'\n' && self.wrap.crlf {
                // The carriage return before it, which is not there only where the block begins between both.
                self.text.pop_if(|last| *last == b'\r');
                self.ends.truncate(self.text.len());
            }
            self.text.push(byte);
            self.ends.push(false);
        }
    }
}

/// Whether a decoder makes these raw bytes of the text.
fn gives(unfolded: &Unfolded, raw: &[u8], line: Line) -> bool {
    let mut block = Unfolding::new(unfolded.wrap, raw.len());
    let mut ends = LineEnds::new();
    ends.line = line;
    let mut found = Vec::with_capacity(raw.len());
    for (&byte, &is_end) in unfolded.text.iter().zip(&unfolded.ends) {
        let more = !block.is_whole()
            && block
                .step(&mut ends, byte, is_end, &mut Known, &mut found)
                .is_ok();
        if !more {
            return false;
        }
    }
    block.is_whole() && block.end(&mut ends, &mut found).is_ok() && found == raw
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::segment::PredictorError;

    /// Words in lines that are as long as `width` lets them be, paragraphs of `indent` spaces more than the last.
    pub fn prose(width: usize, end: &str, indent: usize, between: &str) -> String {
        let words = "So it is said that a mixer weighs what many models of the text believe, é. ";
        let (mut text, mut state) = (String::new(), 1_u32);
        for paragraph in 0..12 {
            let margin = " ".repeat(indent * (paragraph % 3));
            let mut line = margin.clone();
            for number in 0..90 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let word = words.split(' ').nth((state >> 16) as usize % 16).unwrap();
                let new = line.len() == margin.len();
                if !new && line.chars().count() + 1 + word.chars().count() > width {
                    text += line.trim_end();
                    text += end;
                    line = margin.clone() + word;
                } else if number > 0 && !new {
                    line += if line.ends_with('.') { between } else { " " };
                    line += word;
                } else {
                    line += word;
                }
            }
            text += line.trim_end();
            text += end;
            text += end;
        }
        text
    }

    #[test]
    fn lines_of_prose_are_joined() {
        for (width, end, indent, between) in [
            (60, "\n", 0, " "),
            (72, "\r\n", 0, "  "),
            (40, "\n", 4, "  "),
            (200, "\r\n", 2, " "),
        ] {
            let raw = prose(width, end, indent, between);
            let unfolded = unfold(raw.as_bytes(), Line::default()).unwrap();
            let joined = unfolded.ends.iter().filter(|&&is_end| is_end).count();
            let lines = raw.matches(end).count() - 2 * 12;
            assert!(joined * 10 > lines * 9, "{joined} of {lines} at {width}");
            assert_eq!(unfolded.wrap.crlf, end == "\r\n");
            assert!(
                unfolded.wrap.width.abs_diff(width) <= 2,
                "{:?}",
                unfolded.wrap
            );
            assert!(!unfolded.text.contains(&b'\r'));
            // The longest line is a paragraph.
            let longest = unfolded.text.split(|&b| b == b'\n').map(<[u8]>::len).max();
            assert!(longest.unwrap() > 2 * width);
        }
    }

    #[test]
    fn a_block_may_begin_and_end_anywhere() {
        let raw = prose(50, "\r\n", 3, "  ").into_bytes();
        let mut found = 0;
        for cut in 1000..1200 {
            let mut line = Line::default();
            line.pass(&raw[..cut]);
            // Those that give other bytes than the raw ones would not be returned.
            found += usize::from(unfold(&raw[cut..cut + 2000], line).is_some());
        }
        assert_eq!(found, 200);
    }

    #[test]
    fn what_is_not_wrapped_is_left_alone() {
        let code = "    if (a < b) {\n        c = d;\n    }\n".repeat(90);
        let list: String = (0..200_usize)
            .map(|number| format!("- {}\n", "item ".repeat(number * number % 11 + 1)))
            .collect();
        let long = "a line that goes on and on without an end ".repeat(90);
        for raw in [code, list, long, String::new(), "\n".repeat(900)] {
            assert!(unfold(raw.as_bytes(), Line::default()).is_none(), "{raw}");
        }
    }

    /// Says what it is told to.
    struct Told(u32);

    impl crate::bits::Bits for Told {
        fn code(&mut self, _: bool, p: u32) -> bool {
            assert!(p > 0);
            self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            self.0 >> 31 == 1
        }
    }

    #[test]
    fn any_text_gives_no_more_than_the_block() {
        for seed in 0..3000 {
            let (mut ends, mut raw, mut told) = (LineEnds::new(), Vec::new(), Told(seed));
            let wrap = Wrap {
                width: 1 + seed as usize % 9,
                crlf: seed % 2 == 0,
            };
            let length = 1 + seed as usize % 61;
            let mut block = Unfolding::new(wrap, length);
            let mut whole = block.is_whole();
            while !whole {
                let byte = b"   \n\ra\xc3\xa9"[(told.0 >> 20) as usize % 8];
                let stepped = block.step(&mut ends, byte, false, &mut told, &mut raw);
                assert!(raw.len() <= length);
                if let Err(error) = stepped {
                    assert!(matches!(error, PredictorError::Corrupt(_)));
                    break;
                }
                whole = block.is_whole();
            }
            if whole {
                block.end(&mut ends, &mut raw).unwrap();
                assert_eq!(raw.len(), length);
                let mut line = Line::default();
                line.pass(&raw);
                assert_eq!(line.column, ends.line.column);
            }
        }
    }

    #[test]
    fn spaces_are_doubled_only_where_the_text_does_so() {
        let one = prose(60, "\n", 0, " ");
        assert!(!two_after_sentences(one.as_bytes()));
        let two = prose(60, "\n", 0, "  ");
        assert!(two_after_sentences(two.as_bytes()));
        let unfolded = unfold(two.as_bytes(), Line::default()).unwrap();
        let text = String::from_utf8(unfolded.text).unwrap();
        assert!(text.matches(".  ").count() > text.matches(". ").count() * 9 / 10);
        for (before, is) in [
            ("a.", true),
            ("a?\"", true),
            ("(a.)", true),
            ("a", false),
            (")", false),
        ] {
            assert_eq!(ends_sentence(before.as_bytes()), is, "{before}");
        }
    }
}
