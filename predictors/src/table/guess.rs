//! Guesses from a sample of lines what a table's rows look like.

use std::collections::BTreeMap;

use super::number::Shapes;
use super::template::{self, MOST_CELLS, Rule, Template};
use super::time::Pattern;

/// Where lines of the sample are taken from, and how many at each place.
const PLACES: usize = 16;
const LINES: usize = 32;
/// The longest line of a sample.
const LONGEST: usize = 1 << 16;
/// The fewest rows of a table.
pub(super) const FEWEST: usize = 16;
/// The most bytes around a number that is a line.
const AROUND: usize = 16;
/// Candidates, the least likely to stand within a cell first.
const DELIMITERS: [u8; 4] = *b"\t|;,";

/// The template that most lines of a sample fit, all of its cells as yet without affixes.
pub(super) fn guess(segment: &[u8]) -> Option<Template> {
    let lines = sample(segment);
    let returns = lines.iter().filter(|line| line.ends_with(b"\r\n")).count() * 2 > lines.len();
    let bodies: Vec<&[u8]> = lines
        .iter()
        .map(|line| line.strip_suffix(b"\n").unwrap_or(line))
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.is_empty())
        .collect();
    if bodies.len() < FEWEST {
        return None;
    }
    // Three in four, so that a short table may have a head and a tail.
    let enough = |count: usize| count * 4 >= bodies.len() * 3;
    let mut objects = BTreeMap::new();
    for pieces in bodies.iter().filter_map(|line| template::json(line)) {
        *objects.entry(pieces).or_insert(0) += 1;
    }
    if let Some((pieces, count)) = objects.into_iter().max_by_key(|(_, count)| *count)
        && enough(count)
    {
        return Some(Template::of(Rule::Json, pieces, returns));
    }
    let mut best: Option<(u8, usize, usize)> = None;
    for delimiter in DELIMITERS {
        let mut counts = BTreeMap::new();
        for line in &bodies {
            let count = template::delimited(line, delimiter, MOST_CELLS, |_| {});
            *counts.entry(count).or_insert(0) += 1;
        }
        counts.retain(|cells, count| (2..=MOST_CELLS).contains(cells) && enough(*count));
        if let Some((cells, count)) = counts.into_iter().max_by_key(|(_, count)| *count) {
            // Another one must be clearly better: cells that hold a decimal comma have one each.
            let better =
                best.is_none_or(|(_, most, lines)| cells > most * 2 || count * 49 > lines * 50);
            if better {
                best = Some((delimiter, cells, count));
            }
        }
    }
    if let Some((delimiter, cells, _)) = best {
        return Some(Template::delimited(delimiter, cells, returns));
    }
    let numbers = bodies.iter().filter(|line| is_number(line));
    enough(numbers.count()).then(|| Template::delimited(b'\n', 1, returns))
}

/// Whether a line is a number or has a pattern of digits, but for a few bytes around it.
fn is_number(line: &[u8]) -> bool {
    let start = line.iter().position(u8::is_ascii_digit);
    let end = line.iter().rposition(u8::is_ascii_digit);
    let (Some(start), Some(end)) = (start, end) else {
        return false;
    };
    let number = &line[start..=end];
    let around = line.len() - number.len();
    around <= AROUND && (Shapes::default().add(number) || Pattern::of(number).is_some())
}

/// Lines from all over the segment.
fn sample(segment: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut at = 0;
    for place in 0..PLACES {
        let start = segment.len() / PLACES * place;
        if start > at {
            at = next(segment, start).unwrap_or(start);
        }
        for _ in 0..LINES {
            let Some(end) = next(segment, at) else {
                break;
            };
            lines.push(&segment[at..end]);
            at = end;
        }
    }
    lines
}

/// Where the line ends; `None` where it is too long, or empty.
fn next(segment: &[u8], at: usize) -> Option<usize> {
    let rest = &segment[at..segment.len().min(at + LONGEST)];
    let end = rest.iter().position(|byte| *byte == b'\n');
    let last = at + rest.len() == segment.len() && !rest.is_empty();
    end.map(|end| at + end + 1)
        .or(last.then_some(segment.len()))
}
