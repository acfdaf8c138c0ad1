//! Finds the table in rows of numbers in binary: what each column becomes.

use super::Schema;
use super::choose::Numbers;
use super::elements::Elements;
use super::facts::Facts;
use super::guess::FEWEST;
use super::template::{MOST_CELLS, Template};

/// Gives each row's cells with their numbers.
fn each_cell(rows: &[u8], row: usize, cells: &[Elements], mut take: impl FnMut(usize, &[u8])) {
    for mut rest in rows.chunks_exact(row) {
        for (number, elements) in cells.iter().enumerate() {
            if let Some(cell) = rest.split_off(..usize::from(elements.bytes)) {
                take(number, cell);
            }
        }
    }
}

pub(super) fn find(segment: &[u8], lead: usize, cells: &[Elements]) -> Option<Schema> {
    if !(1..=MOST_CELLS).contains(&cells.len()) {
        return None;
    }
    let row: usize = cells.iter().map(|cell| usize::from(cell.bytes)).sum();
    let (head, rows) = segment.split_at_checked(lead)?;
    if rows.len() / row < FEWEST {
        return None;
    }
    let (rows, tail) = rows.split_at(rows.len() / row * row);
    let mut facts = vec![Facts::new(cells.len()); cells.len()];
    each_cell(rows, row, cells, |number, cell| facts[number].add(cell));
    let columns = facts.iter().zip(cells);
    let mut numbers: Vec<Numbers> = columns
        .map(|(facts, elements)| Numbers::binary(facts, cells.len(), *elements))
        .collect();
    each_cell(rows, row, cells, |number, cell| numbers[number].add(cell));
    let columns = numbers.iter().zip(&facts).zip(cells);
    let columns = columns.map(|((numbers, facts), elements)| numbers.number(facts, *elements));
    let columns: Option<Vec<_>> = columns.collect();
    let columns = columns.filter(|columns| columns.iter().any(|column| column.width() > 0))?;
    let ends = (head.to_vec(), tail.to_vec());
    Schema::new(Template::binary(cells), columns, ends, false, false)
}
