//! What all rows of a table have in common, and where the cells of a row lie.

use std::ops::Range;

use super::elements::Elements;
use super::time::Pattern;

/// The most cells of a row.
pub(super) const MOST_CELLS: usize = 4096;

/// How the end of a cell is found. A row is put together without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Cells end before this byte, except within quotes; a line feed where there is one cell.
    Delimiter(u8),
    /// Cells are scalars of JSON, strings with their quotes.
    Json,
    /// Cells are numbers in binary, one after another; rows have no end of their own.
    Binary,
}

/// What a cell is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Inside {
    /// One column.
    Whole,
    /// A column a group of digits; none of them makes a constant.
    Pattern(Pattern),
    /// One column of numbers in binary.
    Binary(Elements),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    pub prefix: Vec<u8>,
    pub suffix: Vec<u8>,
    pub inside: Inside,
}

impl Cell {
    pub fn new() -> Self {
        Self {
            prefix: Vec::new(),
            suffix: Vec::new(),
            inside: Inside::Whole,
        }
    }

    /// How many columns it has.
    pub fn columns(&self) -> usize {
        match &self.inside {
            Inside::Whole | Inside::Binary(_) => 1,
            Inside::Pattern(pattern) => pattern.widths.len(),
        }
    }

    /// A cell's bytes without what all have in common.
    pub fn strip<'c>(&self, cell: &'c [u8]) -> Option<&'c [u8]> {
        let mut value = cell;
        if !self.prefix.is_empty() {
            value = value.strip_prefix(&self.prefix[..])?;
        }
        if !self.suffix.is_empty() {
            value = value.strip_suffix(&self.suffix[..])?;
        }
        Some(value)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    pub rule: Rule,
    /// Whether lines end in `\r\n`.
    pub returns: bool,
    /// What stands before each cell, and after the last without the line's end.
    pub pieces: Vec<Vec<u8>>,
    pub cells: Vec<Cell>,
}

impl Template {
    /// `count` cells between delimiters.
    pub fn delimited(delimiter: u8, count: usize, returns: bool) -> Self {
        let mut pieces = vec![vec![delimiter]; count + 1];
        pieces[0].clear();
        pieces[count].clear();
        Self::of(Rule::Delimiter(delimiter), pieces, returns)
    }

    pub fn of(rule: Rule, pieces: Vec<Vec<u8>>, returns: bool) -> Self {
        Self {
            rule,
            returns,
            cells: vec![Cell::new(); pieces.len() - 1],
            pieces,
        }
    }

    /// Rows of numbers in binary.
    pub fn binary(cells: &[Elements]) -> Self {
        let mut template = Self::of(Rule::Binary, vec![Vec::new(); cells.len() + 1], false);
        for (cell, elements) in template.cells.iter_mut().zip(cells) {
            cell.inside = Inside::Binary(*elements);
        }
        template
    }

    pub fn end(&self) -> &'static [u8] {
        match (self.rule, self.returns) {
            (Rule::Binary, _) => b"",
            (_, true) => b"\r\n",
            (_, false) => b"\n",
        }
    }

    /// Bytes of each row; `None` where that is not the same for all.
    fn row(&self) -> Option<usize> {
        let bytes = self.cells.iter().map(|cell| match cell.inside {
            Inside::Binary(elements) => Some(usize::from(elements.bytes)),
            _ => None,
        });
        bytes.sum()
    }

    /// Where the row ends that starts at `start`, or the data does.
    pub fn row_end(&self, data: &[u8], start: usize) -> usize {
        match (self.rule, self.row()) {
            (Rule::Binary, Some(row)) => data.len().min(start + row),
            _ => line_end(data, start),
        }
    }

    /// A line without its end; `None` where that is another one.
    pub fn body<'l>(&self, line: &'l [u8]) -> Option<&'l [u8]> {
        if self.rule == Rule::Binary {
            return (Some(line.len()) == self.row()).then_some(line);
        }
        match (line, self.returns) {
            ([body @ .., b'\r', b'\n'], true) => Some(body),
            ([.., b'\r', b'\n'], false) => None,
            ([body @ .., b'\n'], false) => Some(body),
            _ => None,
        }
    }

    /// Finds the cells of a line without its end; false where it does not fit.
    pub fn split(&self, line: &[u8], cells: &mut Vec<Range<usize>>) -> bool {
        cells.clear();
        match self.rule {
            Rule::Delimiter(delimiter) => {
                let most = self.cells.len();
                delimited(line, delimiter, most, |range| cells.push(range)) == most
            }
            Rule::Json => {
                let mut at = 0;
                for (number, piece) in self.pieces.iter().enumerate() {
                    if !line[at..].starts_with(piece) {
                        return false;
                    }
                    at += piece.len();
                    if number < self.cells.len() {
                        let Some(end) = scalar(line, at) else {
                            return false;
                        };
                        cells.push(at..end);
                        at = end;
                    }
                }
                at == line.len()
            }
            Rule::Binary => {
                let mut at = 0;
                for cell in &self.cells {
                    if let Inside::Binary(elements) = cell.inside {
                        let end = at + usize::from(elements.bytes);
                        cells.push(at..end);
                        at = end;
                    }
                }
                at == line.len()
            }
        }
    }
}

/// Where the line ends that starts at `start`.
pub(super) fn line_end(data: &[u8], start: usize) -> usize {
    let end = data[start..].iter().position(|byte| *byte == b'\n');
    end.map_or(data.len(), |length| start + length + 1)
}

/// Gives the cells of a line between delimiters; returns how many there are, `most` + 1 for more than `most`.
pub(super) fn delimited(
    line: &[u8],
    delimiter: u8,
    most: usize,
    mut cell: impl FnMut(Range<usize>),
) -> usize {
    let (mut at, mut count) = (0, 0);
    // Quotes that never close are looked for once a line: work stays linear.
    let mut closes = true;
    loop {
        count += 1;
        if count > most {
            return count;
        }
        let mut end = None;
        if closes && matches!(line.get(at), Some(b'"' | b' ')) {
            let rest = &line[at..];
            let blanks = rest.iter().take_while(|byte| **byte == b' ').count();
            if rest.get(blanks) == Some(&b'"') {
                match quoted(line, at + blanks + 1, delimiter) {
                    Quoted::Until(place) => end = Some(place),
                    Quoted::Not => {}
                    Quoted::Open => closes = false,
                }
            }
        }
        let end = end.unwrap_or_else(|| {
            let length = line[at..].iter().position(|byte| *byte == delimiter);
            length.map_or(line.len(), |length| at + length)
        });
        cell(at..end);
        if end == line.len() {
            return count;
        }
        at = end + 1;
    }
}

enum Quoted {
    /// The cell's end.
    Until(usize),
    /// Something else than the cell's end follows the closing quote.
    Not,
    /// There is no closing quote.
    Open,
}

/// Finds the end of a quoted cell from the byte after its first quote.
fn quoted(line: &[u8], mut at: usize, delimiter: u8) -> Quoted {
    while let Some(length) = line[at..].iter().position(|byte| *byte == b'"') {
        at += length + 1;
        match line.get(at) {
            None => return Quoted::Until(at),
            Some(byte) if *byte == delimiter => return Quoted::Until(at),
            Some(b'"') => at += 1,
            Some(_) => return Quoted::Not,
        }
    }
    Quoted::Open
}

/// Where the scalar ends that starts at `at`; `None` where a string does not end.
fn scalar(line: &[u8], mut at: usize) -> Option<usize> {
    if line.get(at) == Some(&b'"') {
        at += 1;
        loop {
            match line.get(at)? {
                b'"' => return Some(at + 1),
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
    }
    let rest = &line[at.min(line.len())..];
    let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t');
    Some(
        rest.iter()
            .position(ends)
            .map_or(line.len(), |length| at + length),
    )
}

/// The pieces between the scalars of a line of JSON; keys belong to the pieces.
pub(super) fn json(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut pieces = vec![Vec::new()];
    let mut at = 0;
    if !matches!(line.first(), Some(b'{' | b'[')) {
        return None;
    }
    while at < line.len() {
        let mut end = at + 1;
        let mut is_cell = false;
        if !matches!(
            line[at],
            b'{' | b'}' | b'[' | b']' | b',' | b':' | b' ' | b'\t'
        ) {
            end = scalar(line, at)?;
            let mut rest = line[end..].iter();
            let next = rest.find(|byte| !matches!(byte, b' ' | b'\t'));
            is_cell = line[at] != b'"' || next != Some(&b':');
        }
        if is_cell {
            pieces.push(Vec::new());
        } else if let Some(piece) = pieces.last_mut() {
            piece.extend_from_slice(&line[at..end]);
        }
        at = end;
    }
    let cells = pieces.len() - 1;
    (cells > 0 && cells <= MOST_CELLS).then_some(pieces)
}
