//! Tables of text: rows become records of small integers, and texts.
//!
//! [`Schema::find`] looks for a table: lines of cells between delimiters, or objects of JSON, one a line.
//! A [`Schema`] holds all that rows have in common, so that what is left of a row is a record of bytes
//! below known limits, one or a few a column, and texts for columns that nothing better suits. Whatever
//! does not fit is an exception: its line is a text. Rows come back byte for byte.

mod choose;
mod column;
pub(crate) mod cost;
mod elements;
mod facts;
mod find;
mod guess;
mod number;
mod numbers;
mod rows;
mod template;
#[cfg(test)]
mod tests;
mod time;
mod values;
mod wire;

pub use elements::Elements;
pub use rows::{Rows, Texts};

use crate::segment::PredictorError;
use column::Column;
use template::{Inside, Template};

/// The most fields of a record.
const MOST_FIELDS: usize = 1 << 14;

/// One byte of a row's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The number of the column, from 0 in the order of the record; the rows' kind is a column, too.
    pub column: u16,
    /// The value is below `1 << bits`; 1 to 8.
    pub bits: u8,
    /// The number of values, 2 to 256.
    pub values: u16,
    /// Whether it is the first field of its column.
    pub leading: bool,
    /// Whether the column's values are ordered.
    pub numeric: bool,
}

/// All that restores the rows of a table from their records and texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    template: Template,
    columns: Vec<Column>,
    /// Lines before the first row.
    head: Vec<u8>,
    /// Lines after the last row.
    tail: Vec<u8>,
    /// Whether the record begins with the row's kind.
    exceptions: bool,
    /// Whether the last row has no line end.
    open: bool,
    // From here on what follows from the above.
    fields: Vec<Field>,
    /// Literal bytes before each column, and after the last.
    literals: Vec<Vec<u8>>,
    texts: usize,
}

impl Schema {
    /// Checks and completes a schema; `None` where it has too many fields.
    fn new(
        template: Template,
        columns: Vec<Column>,
        (head, tail): (Vec<u8>, Vec<u8>),
        exceptions: bool,
        open: bool,
    ) -> Option<Self> {
        if columns.len() > MOST_FIELDS {
            return None;
        }
        let texts = columns.iter().filter(|column| **column == Column::Text);
        let mut schema = Self {
            texts: 1 + texts.count(),
            literals: literals(&template),
            template,
            columns,
            head,
            tail,
            exceptions,
            open,
            fields: Vec::new(),
        };
        schema.number();
        (schema.fields.len() <= MOST_FIELDS).then_some(schema)
    }

    /// Lists the fields.
    fn number(&mut self) {
        let mut fields = Vec::new();
        let mut number = 0;
        if self.exceptions {
            fields.push(Field {
                column: 0,
                bits: 1,
                values: 2,
                leading: true,
                numeric: false,
            });
            number = 1;
        }
        for column in self.columns.iter().filter(|column| column.width() > 0) {
            column.fields(number, &mut fields);
            number += 1;
        }
        self.fields = fields;
    }

    /// Looks at a whole segment, of up to 64 MiB. `None` where it is no table: fewer than 16 rows, more
    /// than a line in 8 does not fit, or all columns would be texts.
    #[must_use]
    pub fn find(segment: &[u8]) -> Option<Self> {
        find::find(segment)
    }

    /// Looks at a whole segment that is rows of numbers in binary, `cells` numbers each, behind `lead`
    /// bytes of something else; what is no whole row comes behind them. `None` where there are fewer than
    /// 16 rows, or a column's numbers are 10^18 or more in magnitude.
    #[must_use]
    pub fn of_numbers(segment: &[u8], lead: usize, cells: &[Elements]) -> Option<Self> {
        numbers::find(segment, lead, cells)
    }

    /// The same for data that it was not made from: every record begins with the row's kind, there are
    /// neither lines before the rows nor after them, and a last row without a line end is an exception.
    #[must_use]
    pub fn with_exceptions(mut self) -> Self {
        self.exceptions = true;
        self.open = false;
        self.head.clear();
        self.tail.clear();
        self.number();
        self
    }

    /// Whether a record's first field is the row's kind: 0 for a row that fits, 1 for an exception, whose
    /// other fields are 0 and are not needed to restore it.
    #[must_use]
    pub fn has_exceptions(&self) -> bool {
        self.exceptions
    }

    /// Bytes before the first row, which no record stands for.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Bytes after the last row, which no record stands for.
    #[must_use]
    pub fn tail(&self) -> &[u8] {
        &self.tail
    }

    /// Appends the schema's bytes; FORMAT.md, "Schema".
    pub fn write(&self, out: &mut Vec<u8>) {
        wire::write(self, out);
    }

    /// The schema of bytes that [`Schema::write`] made.
    ///
    /// # Errors
    /// [`PredictorError::Corrupt`] where it cannot have made them.
    pub fn read(bytes: &[u8]) -> Result<Self, PredictorError> {
        Self::read_within(bytes, usize::MAX)
    }

    /// The same, where the numbers of all dictionaries are at most `most` bytes as they are written.
    ///
    /// # Errors
    /// As those of [`Schema::read`].
    pub fn read_within(bytes: &[u8], most: usize) -> Result<Self, PredictorError> {
        wire::read(bytes, most).ok_or(PredictorError::Corrupt("a table's schema is damaged"))
    }

    /// The fields of a record, in the order of the file.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// For each field of [`Schema::fields`] but the row's kind the number of its cell in a line, from 0;
    /// several columns may be parts of one cell.
    #[must_use]
    pub fn cells(&self) -> Vec<usize> {
        let cells = self.template.cells.iter().enumerate();
        let cells = cells.flat_map(|(cell, of)| std::iter::repeat_n(cell, of.columns()));
        let pairs = cells.zip(&self.columns);
        pairs
            .flat_map(|(cell, column)| std::iter::repeat_n(cell, column.width()))
            .collect()
    }

    /// What stands between the cells of a line; `None` where they are no text, or JSON.
    #[must_use]
    pub fn delimiter(&self) -> Option<u8> {
        match self.template.rule {
            template::Rule::Delimiter(delimiter) => Some(delimiter),
            _ => None,
        }
    }

    /// For each stream of texts from the second one on the number of its cell in a line, from 0.
    #[must_use]
    pub fn text_cells(&self) -> Vec<usize> {
        let cells = self.template.cells.iter().enumerate();
        let cells = cells.flat_map(|(cell, of)| std::iter::repeat_n(cell, of.columns()));
        let texts = cells.zip(&self.columns);
        let texts = texts.filter(|(_, column)| **column == Column::Text);
        texts.map(|(cell, _)| cell).collect()
    }

    /// The number of text streams: 0 is that of exceptions, then there is one a text column.
    #[must_use]
    pub fn texts(&self) -> usize {
        self.texts
    }

    /// Splits data into [`Schema::head`], rows and [`Schema::tail`].
    ///
    /// # Errors
    /// [`PredictorError::Usage`] where the data does not begin with the head and end with the tail, or
    /// rows do not fit and [`Schema::has_exceptions`] says no.
    pub fn split(&self, data: &[u8]) -> Result<Rows, PredictorError> {
        rows::split(self, data)
    }

    /// Appends the bytes of a row. `record` holds its fields; those of an exception but the first do not
    /// matter. `texts` gives what the row takes of the streams, and knows the row before: rows come in
    /// order. `last` says that it is the last row of the data that was split.
    ///
    /// # Errors
    /// [`PredictorError::Corrupt`] where no row has this record, or a text ends; `out` may have grown.
    /// [`PredictorError::Usage`] where the record's length is not that of [`Schema::fields`].
    pub fn join(
        &self,
        record: &[u8],
        texts: &mut Texts,
        last: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), PredictorError> {
        rows::join(self, record, texts, last, out)
    }

    /// A line about each cell, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = format!(
            "{:?}, ends in {:?}, {} fields, {} texts, exceptions {}, open {}, head {} bytes, tail {} bytes\n",
            self.template.rule,
            String::from_utf8_lossy(self.template.end()),
            self.fields.len(),
            self.texts,
            self.exceptions,
            self.open,
            self.head.len(),
            self.tail.len()
        );
        let show = |bytes: &[u8]| format!("{:?}", String::from_utf8_lossy(bytes));
        for (literal, column) in self.literals.iter().zip(&self.columns) {
            text += &format!("  {} ", show(literal));
            text += &match column {
                Column::Text => String::from("text"),
                Column::Dictionary(dictionary) => format!(
                    "dictionary of {} strings, {} numbers {:?}",
                    dictionary.strings,
                    dictionary.numbers.len(),
                    dictionary.form
                ),
                Column::Number(number) => format!(
                    "number {:?} {:?} base {} limit {} strings {} fields {}",
                    number.form,
                    number.mode,
                    number.base,
                    number.limit,
                    number.strings.len(),
                    column.width()
                ),
            };
            text.push('\n');
        }
        text
    }
}

/// The literal bytes before each column of a template's rows, and after the last.
fn literals(template: &Template) -> Vec<Vec<u8>> {
    let mut literals = Vec::new();
    let mut open = Vec::new();
    for (piece, cell) in template.pieces.iter().zip(&template.cells) {
        open.extend_from_slice(piece);
        open.extend_from_slice(&cell.prefix);
        match &cell.inside {
            Inside::Whole | Inside::Binary(_) => literals.push(std::mem::take(&mut open)),
            Inside::Pattern(pattern) => {
                for (at, literal) in pattern.literals.iter().enumerate() {
                    open.extend_from_slice(literal);
                    if at < pattern.widths.len() {
                        literals.push(std::mem::take(&mut open));
                    }
                }
            }
        }
        open.extend_from_slice(&cell.suffix);
    }
    open.extend_from_slice(template.pieces.last().map_or(&[], |piece| piece));
    literals.push(open);
    literals
}
