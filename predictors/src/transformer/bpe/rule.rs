//! Where byte-level tokenizers cut a text before they merge bytes: the rules by name.
//!
//! The rules are those of the models' own `tokenizer.json`, written there as regular expressions with
//! lookahead; here they are scanners that read each character a bounded number of times. Classes are
//! Unicode's general categories. A byte that begins no character of UTF-8 counts as a symbol.

use unicode_general_category::{GeneralCategory as Category, get_general_category};

/// How a text is cut into pieces; merges never cross from one piece into the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Contractions, words, numbers and symbols, each with a space before it; then spaces.
    Gpt2,
    /// As `Gpt2`, after every digit was cut off on its own.
    Smollm,
    /// Words with any one sign before them, numbers of up to three digits, lines' ends.
    Llama3,
    /// As `Llama3` with single digits.
    Qwen2,
    /// As `Qwen2`, without contractions, and words are cut before a capital.
    Tekken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Upper,
    Lower,
    Caseless,
    Mark,
    Number,
    Newline,
    Space,
    Symbol,
}

impl Class {
    fn of(character: char) -> Self {
        if matches!(character, '\r' | '\n') {
            return Self::Newline;
        }
        if character.is_whitespace() {
            return Self::Space;
        }
        match get_general_category(character) {
            Category::UppercaseLetter | Category::TitlecaseLetter => Self::Upper,
            Category::LowercaseLetter => Self::Lower,
            Category::ModifierLetter | Category::OtherLetter => Self::Caseless,
            Category::NonspacingMark | Category::SpacingMark | Category::EnclosingMark => {
                Self::Mark
            }
            Category::DecimalNumber | Category::LetterNumber | Category::OtherNumber => {
                Self::Number
            }
            _ => Self::Symbol,
        }
    }

    fn is_letter(self) -> bool {
        matches!(self, Self::Upper | Self::Lower | Self::Caseless)
    }

    fn is_space(self) -> bool {
        matches!(self, Self::Newline | Self::Space)
    }

    /// Neither a space, nor a letter, nor a number.
    fn is_other(self) -> bool {
        matches!(self, Self::Mark | Self::Symbol)
    }

    /// What may stand before the letters of a word, and belong to it.
    fn may_lead(self) -> bool {
        matches!(self, Self::Space) || self.is_other()
    }

    fn begins_word(self) -> bool {
        matches!(self, Self::Upper | Self::Caseless | Self::Mark)
    }

    fn ends_word(self) -> bool {
        matches!(self, Self::Lower | Self::Caseless | Self::Mark)
    }
}

/// The first character of `text`: its class and its bytes. None at the end.
fn first(text: &[u8]) -> Option<(Class, usize)> {
    let byte = *text.first()?;
    if byte < 0x80 {
        return Some((Class::of(char::from(byte)), 1));
    }
    let valid = |length| {
        text.get(..length)
            .and_then(|part| std::str::from_utf8(part).ok())
    };
    let found = [2, 3, 4].into_iter().find_map(valid);
    Some(match found.and_then(|part| part.chars().next()) {
        Some(character) => (Class::of(character), character.len_utf8()),
        None => (Class::Symbol, 1),
    })
}

/// Bytes of the characters from the start of `text` on that are of a wanted class, `most` at most.
fn run(text: &[u8], most: usize, wanted: impl Fn(Class) -> bool) -> usize {
    let mut length = 0;
    for _ in 0..most {
        match first(&text[length..]) {
            Some((class, width)) if wanted(class) => length += width,
            _ => break,
        }
    }
    length
}

const ALL: usize = usize::MAX;
const CONTRACTIONS: [&[u8]; 7] = [b"s", b"t", b"re", b"ve", b"m", b"ll", b"d"];

fn contraction(text: &[u8], any_case: bool) -> Option<usize> {
    let rest = text.strip_prefix(b"'")?;
    let same = |end: &&[u8]| match rest.get(..end.len()) {
        Some(part) if any_case => part.eq_ignore_ascii_case(end),
        part => part == Some(*end),
    };
    CONTRACTIONS
        .iter()
        .find(|end| same(end))
        .map(|end| 1 + end.len())
}

/// `lead` bytes, and the run of wanted characters behind them if there is one.
fn led(text: &[u8], lead: usize, wanted: impl Fn(Class) -> bool) -> Option<usize> {
    let length = run(&text[lead..], ALL, wanted);
    (length > 0).then_some(lead + length)
}

/// Spaces, of which the last one is left to a word that follows.
fn spaces(text: &[u8]) -> usize {
    let length = run(text, ALL, Class::is_space);
    if length == text.len() {
        return length;
    }
    let last = text[..length].utf8_chunks().last();
    let last = last.and_then(|chunk| chunk.valid().chars().next_back());
    let width = last.map_or(length, char::len_utf8);
    if width == length {
        length
    } else {
        length - width
    }
}

/// Spaces up to the last of the line ends among them.
fn lines(text: &[u8]) -> Option<usize> {
    let length = run(text, ALL, Class::is_space);
    let last = text[..length]
        .iter()
        .rposition(|byte| matches!(byte, b'\r' | b'\n'))?;
    Some(last + 1)
}

fn gpt2(text: &[u8]) -> usize {
    let lead = usize::from(text[0] == b' ');
    contraction(text, false)
        .or_else(|| led(text, lead, Class::is_letter))
        .or_else(|| led(text, lead, |class| class == Class::Number))
        .or_else(|| led(text, lead, Class::is_other))
        .unwrap_or_else(|| spaces(text))
}

/// What llama3, qwen2 and tekken share behind words.
fn no_word(text: &[u8], digits: usize, ends: &[u8]) -> usize {
    let number = run(text, digits, |class| class == Class::Number);
    if number > 0 {
        return number;
    }
    let lead = usize::from(text[0] == b' ');
    if let Some(length) = led(text, lead, Class::is_other) {
        let more = text[length..].iter().take_while(|byte| ends.contains(byte));
        return length + more.count();
    }
    lines(text).unwrap_or_else(|| spaces(text))
}

fn llama3(text: &[u8], digits: usize) -> usize {
    let lead = run(text, 1, Class::may_lead);
    contraction(text, true)
        .or_else(|| led(text, lead, Class::is_letter))
        .unwrap_or_else(|| no_word(text, digits, b"\r\n"))
}

/// A word behind `lead` bytes: capitals, then at least one small letter.
fn small_end(text: &[u8], lead: usize) -> Option<usize> {
    let capitals = run(&text[lead..], ALL, Class::begins_word);
    let small = run(&text[lead + capitals..], ALL, Class::ends_word);
    if small > 0 {
        return Some(lead + capitals + small);
    }
    // Some characters are both: the last of them ends the word.
    let (mut at, mut end) = (lead, None);
    while at < lead + capitals {
        let (class, width) = first(&text[at..])?;
        at += width;
        if class.ends_word() {
            end = Some(at);
        }
    }
    end
}

fn tekken(text: &[u8]) -> usize {
    let lead = run(text, 1, Class::may_lead);
    small_end(text, lead)
        .or_else(|| small_end(text, 0))
        .or_else(|| led(text, lead, Class::begins_word))
        .unwrap_or_else(|| no_word(text, 1, b"\r\n/"))
}

impl Rule {
    /// The rule that a pack calls `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "gpt2" => Self::Gpt2,
            "smollm" => Self::Smollm,
            "llama3" => Self::Llama3,
            "qwen2" => Self::Qwen2,
            "tekken" => Self::Tekken,
            _ => return None,
        })
    }

    /// Shows the pieces of `text` in order; none is empty, and together they are `text`.
    pub fn split<'text>(self, text: &'text [u8], mut piece: impl FnMut(&'text [u8])) {
        let mut scan = |mut text: &'text [u8], next: fn(&[u8]) -> usize| {
            while !text.is_empty() {
                let (head, rest) = text.split_at(next(text));
                piece(head);
                text = rest;
            }
        };
        match self {
            Self::Gpt2 => scan(text, gpt2),
            Self::Llama3 => scan(text, |text| llama3(text, 3)),
            Self::Qwen2 => scan(text, |text| llama3(text, 1)),
            Self::Tekken => scan(text, tekken),
            Self::Smollm => {
                let mut rest = text;
                while !rest.is_empty() {
                    let length = run(rest, ALL, |class| class != Class::Number);
                    let digit = run(&rest[length..], 1, |class| class == Class::Number);
                    scan(&rest[..length], gpt2);
                    scan(&rest[length..length + digit], gpt2);
                    rest = &rest[length + digit..];
                }
            }
        }
    }
}
