//! Finds the table in a segment: the template, then what each cell becomes.

use std::ops::Range;

use super::Schema;
use super::choose::{Choice, Numbers};
use super::column::Column;
use super::facts::Facts;
use super::guess::{FEWEST, guess};
use super::template::{Cell, Inside, Template, line_end};
use super::time::Pattern;

/// The most lines of a head or of a tail.
const MOST_LINES: usize = 4;

/// Gives the body and the cells of each line between two offsets that fits.
fn each_row(
    segment: &[u8],
    template: &Template,
    part: Range<usize>,
    mut row: impl FnMut(&[u8], &[Range<usize>]),
) {
    let fits = |_: Range<usize>, fits: Option<(&[u8], &[Range<usize>])>| {
        if let Some((body, cells)) = fits {
            row(body, cells);
        }
    };
    each_line(segment, template, part, fits);
}

/// Gives each line between two offsets, with its body and its cells where it fits.
fn each_line(
    segment: &[u8],
    template: &Template,
    part: Range<usize>,
    mut take: impl FnMut(Range<usize>, Option<(&[u8], &[Range<usize>])>),
) {
    let mut cells = Vec::new();
    let mut at = part.start;
    while at < part.end {
        let end = line_end(segment, at);
        let line = &segment[at..end];
        // The last line may have no end.
        let open = (!line.ends_with(b"\n")).then_some(line);
        match template.body(line).or(open) {
            Some(body) if template.split(body, &mut cells) => take(at..end, Some((body, &cells))),
            _ => take(at..end, None),
        }
        at = end;
    }
}

/// What the values of a cell begin and end with.
struct Affixes {
    /// The first value, the lengths of what others have in common with it.
    value: Vec<u8>,
    prefix: usize,
    suffix: usize,
    shortest: usize,
    longest: usize,
}

impl Affixes {
    fn new(value: &[u8]) -> Self {
        Self {
            value: value.to_vec(),
            prefix: value.len(),
            suffix: value.len(),
            shortest: value.len(),
            longest: value.len(),
        }
    }

    fn add(&mut self, value: &[u8]) {
        self.shortest = self.shortest.min(value.len());
        self.longest = self.longest.max(value.len());
        let own = self.value[..self.prefix].iter().zip(value);
        self.prefix = own.take_while(|(a, b)| a == b).count();
        let own = self.value[self.value.len() - self.suffix..].iter().rev();
        self.suffix = own
            .zip(value.iter().rev())
            .take_while(|(a, b)| a == b)
            .count();
    }

    /// Puts the affixes into a cell, which has no columns where all values are the same.
    fn apply(&self, cell: &mut Cell) {
        if self.prefix == self.shortest && self.shortest == self.longest {
            cell.prefix = self.value.clone();
            cell.inside = Inside::Pattern(Pattern {
                literals: vec![Vec::new()],
                widths: Vec::new(),
            });
            return;
        }
        // Digits stay, for they are parts of numbers.
        let prefix = &self.value[..self.prefix];
        let prefix = prefix.split(u8::is_ascii_digit).next().unwrap_or(prefix);
        let suffix = &self.value[self.value.len() - self.suffix..];
        let letters = suffix.rsplit(u8::is_ascii_digit).next().unwrap_or(suffix);
        let suffix = zone(suffix).unwrap_or(letters);
        let most = self.shortest - prefix.len();
        cell.prefix = prefix.to_vec();
        cell.suffix = suffix[suffix.len().saturating_sub(most)..].to_vec();
    }
}

/// The offset of a time zone at the end, such as `+01:00`, with what follows it.
fn zone(suffix: &[u8]) -> Option<&[u8]> {
    let sign = suffix
        .iter()
        .rposition(|byte| matches!(byte, b'+' | b'-'))?;
    let digits = |byte: &u8| if byte.is_ascii_digit() { b'0' } else { *byte };
    let shape: Vec<u8> = suffix[sign + 1..].iter().take(5).map(digits).collect();
    let zone = suffix[sign..].len() <= 7 && (shape == b"00:00" || shape.starts_with(b"0000"));
    // A year is no offset.
    (zone && suffix[..sign].last().is_some_and(u8::is_ascii_digit)).then_some(&suffix[sign..])
}

/// What a first look at all lines tells.
struct Survey {
    affixes: Vec<Affixes>,
    /// Where the first row lies.
    first: Range<usize>,
    /// Where the last row ends.
    end: usize,
    misfits: usize,
    /// Misfits before the first row, and after the last.
    before: usize,
    after: usize,
}

fn survey(segment: &[u8], template: &Template) -> Option<Survey> {
    let mut survey = Survey {
        affixes: Vec::new(),
        first: 0..0,
        end: 0,
        misfits: 0,
        before: 0,
        after: 0,
    };
    let mut rows = 0;
    let line = |range: Range<usize>, fits: Option<(&[u8], &[Range<usize>])>| {
        let Some((body, cells)) = fits else {
            survey.misfits += 1;
            survey.before += usize::from(rows == 0);
            survey.after += 1;
            return;
        };
        rows += 1;
        survey.end = range.end;
        survey.after = 0;
        let values = cells.iter().map(|cell| &body[cell.clone()]);
        match rows {
            1 => survey.first = range,
            2 => survey.affixes = values.map(Affixes::new).collect(),
            _ => {
                for (affixes, value) in survey.affixes.iter_mut().zip(values) {
                    affixes.add(value);
                }
            }
        }
    };
    each_line(segment, template, 0..segment.len(), line);
    let lines = rows + survey.misfits;
    (rows >= FEWEST && survey.misfits * 8 <= lines).then_some(survey)
}

/// Takes a row into the facts about its cells.
fn learn(template: &Template, facts: &mut [Facts], body: &[u8], cells: &[Range<usize>]) {
    for ((cell, range), facts) in template.cells.iter().zip(cells).zip(facts) {
        if let (Inside::Whole, Some(value)) = (&cell.inside, cell.strip(&body[range.clone()])) {
            facts.add(value);
        }
    }
}

/// Whether the first row holds the columns' titles, by what the other rows are; so is one that has not
/// what they have in common.
fn is_titles(template: &Template, facts: &[Facts], body: &[u8], cells: &[Range<usize>]) -> bool {
    let (mut new, mut few) = (0, 0);
    for ((cell, range), facts) in template.cells.iter().zip(cells).zip(facts) {
        let Some(value) = cell.strip(&body[range.clone()]) else {
            return true;
        };
        match cell.inside {
            Inside::Pattern(_) if !value.is_empty() => return true,
            Inside::Pattern(_) | Inside::Binary(_) => {}
            Inside::Whole if facts.is_of_another_kind(value) => return true,
            Inside::Whole => {
                let is_new = facts.is_new(value);
                few += usize::from(is_new.is_some());
                new += usize::from(is_new == Some(true));
            }
        }
    }
    new * 2 > few
}

/// Makes the columns of a template's cells, and parts of those cells that become several.
fn columns(template: &mut Template, numbers: &[Numbers], facts: &[Facts]) -> Vec<Column> {
    let mut columns = Vec::new();
    for ((cell, numbers), facts) in template.cells.iter_mut().zip(numbers).zip(facts) {
        if cell.inside != Inside::Whole {
            continue;
        }
        match numbers.choose(facts) {
            Choice::Whole(column) => columns.push(column),
            Choice::Parts(pattern, parts) => {
                cell.inside = Inside::Pattern(pattern);
                columns.extend(parts);
            }
        }
    }
    columns
}

pub(super) fn find(segment: &[u8]) -> Option<Schema> {
    let mut template = guess(segment)?;
    let survey = survey(segment, &template)?;
    for (cell, affixes) in template.cells.iter_mut().zip(&survey.affixes) {
        affixes.apply(cell);
    }
    // Facts come without the first row, which may hold titles.
    let mut facts = vec![Facts::new(template.cells.len()); template.cells.len()];
    let rest = survey.first.end..survey.end;
    let row = |body: &[u8], cells: &[Range<usize>]| {
        learn(&template, &mut facts, body, cells);
    };
    each_row(segment, &template, rest, row);
    let mut titles = false;
    let row = |body: &[u8], cells: &[Range<usize>]| {
        titles = is_titles(&template, &facts, body, cells);
        if !titles {
            learn(&template, &mut facts, body, cells);
        }
    };
    each_row(segment, &template, survey.first.clone(), row);
    let start = if titles {
        survey.first.end
    } else {
        survey.first.start
    };
    let cells = facts.len();
    let mut numbers: Vec<Numbers> = facts
        .iter()
        .map(|facts| Numbers::new(facts, cells))
        .collect();
    if numbers.iter().any(Numbers::are_wanted) {
        let add = |body: &[u8], cells: &[Range<usize>]| {
            for ((cell, range), numbers) in template.cells.iter().zip(cells).zip(&mut numbers) {
                if numbers.are_wanted()
                    && let Some(value) = cell.strip(&body[range.clone()])
                {
                    numbers.add(value);
                }
            }
        };
        each_row(segment, &template, start..survey.end, add);
    }
    let mut columns = columns(&mut template, &numbers, &facts);
    if columns.iter().all(|column| *column == Column::Text) {
        return None;
    }
    if columns.iter().all(|column| column.width() == 0) {
        // A record has a field.
        let number = columns.iter_mut().find_map(|column| match column {
            Column::Number(number) => Some(number),
            _ => None,
        });
        number?.limit = 1;
    }
    // Misfits at both ends are kept as they are where they are few.
    let (mut misfits, mut head, mut tail) = (survey.misfits, 0, segment.len());
    let mut exceptions = false;
    if survey.before <= MOST_LINES {
        misfits -= survey.before;
        head = start;
    } else {
        exceptions = titles;
    }
    if survey.after <= MOST_LINES {
        misfits -= survey.after;
        tail = survey.end;
    }
    exceptions |= misfits > 0;
    let open = survey.end == segment.len() && !segment.ends_with(b"\n");
    let ends = (segment[..head].to_vec(), segment[tail..].to_vec());
    Schema::new(template, columns, ends, exceptions, open)
}
