//! The bytes of a schema; FORMAT.md, "Schema".

use super::Schema;
use super::column::{Column, Dictionary, Form, MODES, MOST_STRINGS, MOST_VALUES, Mode, Number};
use super::elements::Elements;
use super::number::Format;
use super::template::{Cell, Inside, MOST_CELLS, Rule, Template};
use super::time::{ORDERS, Pattern, Time};
use super::values::Values;
use crate::varint;

// Flags of a schema.
const JSON: u8 = 1;
const RETURNS: u8 = 2;
const EXCEPTIONS: u8 = 4;
const OPEN: u8 = 8;
/// The last line of the tail has no line end.
const OPEN_TAIL: u8 = 16;
/// Rows are numbers in binary.
const BINARY: u8 = 32;

// Flags of a cell.
const PREFIX: u8 = 1;
const SUFFIX: u8 = 2;
const PATTERN: u8 = 4;

// Flags of a number's format, beside the mode in the lowest two bits.
const TIME: u8 = 4;
const ZEROS: u8 = 8;
const PADDED: u8 = 16;

// Kinds of columns.
const TEXT: u8 = 0;
const DICTIONARY: u8 = 1;
const NUMBER: u8 = 2;

/// The most groups of a pattern.
const MOST_GROUPS: u64 = 32;
/// Numbers of a schema lie between this and its negative.
const GREATEST: u64 = 1 << 62;

/// Two streams: what is coded in few bits each, and lines of text.
struct Writer {
    codes: Vec<u8>,
    lines: Vec<u8>,
}

impl Writer {
    fn count(&mut self, count: usize) {
        varint::write(count as u64, &mut self.codes);
    }

    fn signed(&mut self, value: i64) {
        varint::write((value << 1 ^ value >> 63) as u64, &mut self.codes);
    }

    fn line(&mut self, line: &[u8]) {
        self.lines.extend_from_slice(line);
        self.lines.push(b'\n');
    }

    fn pattern(&mut self, pattern: &Pattern) {
        self.count(pattern.widths.len());
        self.codes.extend_from_slice(&pattern.widths);
        pattern
            .literals
            .iter()
            .for_each(|literal| self.line(literal));
    }

    fn format(&mut self, format: Format, flags: u8) {
        let zeros = if format.zeros { ZEROS } else { 0 };
        let padded = if format.width > 0 { PADDED } else { 0 };
        self.codes.push(flags | zeros | padded);
        self.codes.extend_from_slice(&[format.scale, format.keep]);
        if format.width > 0 {
            self.codes.push(format.width);
        }
    }

    fn column(&mut self, column: &Column) {
        match column {
            Column::Text => self.codes.push(TEXT),
            Column::Dictionary(dictionary) => {
                self.codes.push(DICTIONARY);
                self.count(dictionary.strings);
                self.count(dictionary.numbers.len());
                let strings = dictionary.values.iter().take(dictionary.strings);
                strings.for_each(|string| self.line(string));
                let mut before = None;
                if let Some(Form::Decimal(format)) = dictionary.form {
                    self.format(format, 0);
                }
                for &number in &dictionary.numbers {
                    match before {
                        None => self.signed(number),
                        Some(before) => {
                            // Between them are less than 2 to the power of 63.
                            let more = number.wrapping_sub(before).wrapping_sub(1);
                            varint::write(more as u64, &mut self.codes);
                        }
                    }
                    before = Some(number);
                }
            }
            Column::Number(number) => {
                self.codes.push(NUMBER);
                let mode = MODES.iter().position(|mode| *mode == number.mode);
                let mode = mode.unwrap_or(0) as u8;
                match &number.form {
                    Form::Decimal(format) => self.format(*format, mode),
                    Form::Binary(_) => self.codes.push(mode),
                    Form::Time(time) => {
                        let (pattern, order) = time.parts();
                        self.codes.extend_from_slice(&[mode | TIME, order as u8]);
                        self.pattern(pattern);
                    }
                }
                if number.mode != Mode::Signed {
                    self.signed(number.base);
                }
                if number.mode != Mode::Plain {
                    self.signed(number.start);
                }
                varint::write(number.limit, &mut self.codes);
                self.count(number.strings.len());
                number.strings.iter().for_each(|string| self.line(string));
            }
        }
    }
}

pub(super) fn write(schema: &Schema, out: &mut Vec<u8>) {
    let template = &schema.template;
    let mut writer = Writer {
        codes: Vec::new(),
        lines: Vec::new(),
    };
    let lines = |bytes: &[u8]| bytes.split_inclusive(|byte| *byte == b'\n').count();
    let open_tail = schema.tail.last().is_some_and(|byte| *byte != b'\n');
    let flags = [
        (template.rule == Rule::Json, JSON),
        (template.returns, RETURNS),
        (schema.exceptions, EXCEPTIONS),
        (schema.open, OPEN),
        (open_tail, OPEN_TAIL),
        (template.rule == Rule::Binary, BINARY),
    ];
    let flags = flags.iter().map(|(is, flag)| if *is { *flag } else { 0 });
    writer.codes.push(flags.sum());
    if let Rule::Delimiter(delimiter) = template.rule {
        writer.codes.push(delimiter);
    }
    writer.count(template.cells.len());
    writer.count(lines(&schema.head));
    writer.count(lines(&schema.tail));
    writer.lines.extend_from_slice(&schema.head);
    writer.lines.extend_from_slice(&schema.tail);
    if open_tail {
        writer.lines.push(b'\n');
    }
    if template.rule == Rule::Json {
        template.pieces.iter().for_each(|piece| writer.line(piece));
    }
    let mut columns = schema.columns.iter();
    for cell in &template.cells {
        if let Inside::Binary(elements) = cell.inside {
            writer.codes.push(elements.byte());
            columns.by_ref().take(1).for_each(|own| writer.column(own));
            continue;
        }
        let pattern = matches!(cell.inside, Inside::Pattern(_));
        let flags = [
            (!cell.prefix.is_empty(), PREFIX),
            (!cell.suffix.is_empty(), SUFFIX),
            (pattern, PATTERN),
        ];
        let flags = flags.iter().map(|(is, flag)| if *is { *flag } else { 0 });
        writer.codes.push(flags.sum());
        for affix in [&cell.prefix, &cell.suffix] {
            if !affix.is_empty() {
                writer.line(affix);
            }
        }
        if let Inside::Pattern(pattern) = &cell.inside {
            writer.pattern(pattern);
        }
        for column in columns.by_ref().take(cell.columns()) {
            writer.column(column);
        }
    }
    varint::write(writer.codes.len() as u64, out);
    out.extend_from_slice(&writer.codes);
    out.extend_from_slice(&writer.lines);
}

struct Reader<'a> {
    codes: &'a [u8],
    lines: &'a [u8],
    /// Bytes that numbers of dictionaries may still have.
    left: usize,
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        self.codes.split_off_first().copied()
    }

    fn count(&mut self, most: u64) -> Option<usize> {
        let count = varint::take(&mut self.codes)?;
        (count <= most).then_some(count as usize)
    }

    fn signed(&mut self) -> Option<i64> {
        let coded = varint::take(&mut self.codes)? as i64;
        Some(coded >> 1 ^ -(coded & 1))
    }

    fn line(&mut self) -> Option<&'a [u8]> {
        let end = self.lines.iter().position(|byte| *byte == b'\n')?;
        self.lines.split_off(..=end)?.strip_suffix(b"\n")
    }

    fn lines(&mut self, count: usize) -> Option<Values> {
        let mut values = Values::default();
        for _ in 0..count {
            values.push(self.line()?);
        }
        Some(values)
    }

    fn pattern(&mut self) -> Option<Pattern> {
        let groups = self.count(MOST_GROUPS)?;
        let widths = self.codes.split_off(..groups)?.to_vec();
        let literals = self.lines(groups + 1)?.iter().map(<[u8]>::to_vec).collect();
        Some(Pattern { literals, widths })
    }

    fn format(&mut self, flags: u8) -> Option<Format> {
        let format = Format {
            scale: self.byte()?,
            keep: self.byte()?,
            width: if flags & PADDED != 0 { self.byte()? } else { 0 },
            zeros: flags & ZEROS != 0,
        };
        let padded = (flags & PADDED != 0) == (format.width > 0);
        (format.is_sound() && padded).then_some(format)
    }

    /// A cell in binary and its column.
    fn binary(&mut self) -> Option<(Elements, Column)> {
        let elements = Elements::of_byte(self.byte()?)?;
        let column = self.column(Some(elements))?;
        let whole = |value: &[u8]| value.len() == usize::from(elements.bytes);
        let sound = match &column {
            Column::Text => false,
            // Numbers that do not fit have no bytes.
            Column::Dictionary(dictionary) => dictionary.values.iter().all(whole),
            Column::Number(number) => number.strings.len() == 0,
        };
        sound.then_some((elements, column))
    }

    /// A column; its numbers are in binary where there are `elements`.
    fn column(&mut self, elements: Option<Elements>) -> Option<Column> {
        let binary = elements.map(Form::Binary);
        match self.byte()? {
            TEXT => Some(Column::Text),
            DICTIONARY => {
                let strings = self.count(MOST_VALUES as u64)?;
                let count = self.count((MOST_VALUES - strings) as u64)?;
                let strings = self.lines(strings)?;
                let mut numbers = Vec::new();
                // Strings have line feeds between them, and numbers in binary any bytes.
                if strings.len() > 0 && binary.is_some() {
                    return None;
                }
                let mut form = binary;
                if count > 0 {
                    if form.is_none() {
                        let flags = self.byte()?;
                        if flags & !(ZEROS | PADDED) != 0 {
                            return None;
                        }
                        form = Some(Form::Decimal(self.format(flags)?));
                    }
                    let mut number = self.signed()?;
                    numbers.push(number);
                    for _ in 1..count {
                        let more = i64::try_from(varint::take(&mut self.codes)?).ok()?;
                        number = number.checked_add(more)?.checked_add(1)?;
                        numbers.push(number);
                    }
                }
                let dictionary = Dictionary::new(&strings, form, numbers);
                let written = dictionary.values.bytes() - strings.bytes();
                self.left = self.left.checked_sub(written)?;
                (dictionary.values.len() > 1).then_some(Column::Dictionary(dictionary))
            }
            NUMBER => {
                let flags = self.byte()?;
                let mode = *MODES.get(usize::from(flags & 3))?;
                let form = if let Some(binary) = binary {
                    (flags & !3 == 0).then_some(())?;
                    binary
                } else if flags & TIME != 0 {
                    let order = *ORDERS.get(usize::from(self.byte()?))?;
                    let pattern = self.pattern()?;
                    (flags & !(3 | TIME) == 0).then_some(())?;
                    Form::Time(Time::new(pattern, order)?)
                } else {
                    (flags & !(3 | ZEROS | PADDED) == 0).then_some(())?;
                    Form::Decimal(self.format(flags)?)
                };
                let base = if mode == Mode::Signed {
                    0
                } else {
                    self.signed()?
                };
                let start = if mode == Mode::Plain {
                    0
                } else {
                    self.signed()?
                };
                let limit = varint::take(&mut self.codes)?;
                let strings = self.count(MOST_STRINGS as u64)?;
                let strings = self.lines(strings)?;
                Some(Column::Number(Number {
                    form,
                    mode,
                    base,
                    start,
                    limit,
                    strings,
                }))
            }
            _ => None,
        }
    }

    /// The next `count` lines with their ends.
    fn block(&mut self, count: usize) -> Option<Vec<u8>> {
        let mut block = Vec::new();
        for _ in 0..count {
            block.extend_from_slice(self.line()?);
            block.push(b'\n');
        }
        Some(block)
    }
}

pub(super) fn read(mut bytes: &[u8], most: usize) -> Option<Schema> {
    let length = varint::take(&mut bytes)?;
    let codes = bytes.split_off(..usize::try_from(length).ok()?)?;
    let mut reader = Reader {
        codes,
        lines: bytes,
        left: most,
    };
    let flags = reader.byte()?;
    (flags & !(JSON | RETURNS | EXCEPTIONS | OPEN | OPEN_TAIL | BINARY) == 0).then_some(())?;
    let binary = flags & BINARY != 0;
    (!binary || flags & !(BINARY | OPEN_TAIL) == 0).then_some(())?;
    let json = flags & JSON != 0;
    let rule = if json {
        Rule::Json
    } else if binary {
        Rule::Binary
    } else {
        Rule::Delimiter(reader.byte()?)
    };
    let count = reader.count(MOST_CELLS as u64)?;
    let (head, tail) = (reader.count(GREATEST)?, reader.count(GREATEST)?);
    let head = reader.block(head)?;
    let mut tail = reader.block(tail)?;
    if flags & OPEN_TAIL != 0 {
        tail.pop()?;
    }
    let returns = flags & RETURNS != 0;
    let mut template = match rule {
        Rule::Delimiter(delimiter) => Template::delimited(delimiter, count, returns),
        Rule::Binary => Template::of(rule, vec![Vec::new(); count + 1], returns),
        Rule::Json => {
            let pieces = reader.lines(count + 1)?;
            Template::of(rule, pieces.iter().map(<[u8]>::to_vec).collect(), returns)
        }
    };
    let mut columns = Vec::new();
    for cell in &mut template.cells {
        if binary {
            let (elements, column) = reader.binary()?;
            cell.inside = Inside::Binary(elements);
            columns.push(column);
            continue;
        }
        let flags = reader.byte()?;
        (flags & !(PREFIX | SUFFIX | PATTERN) == 0).then_some(())?;
        let mut read = Cell::new();
        if flags & PREFIX != 0 {
            read.prefix = reader.line()?.to_vec();
        }
        if flags & SUFFIX != 0 {
            read.suffix = reader.line()?.to_vec();
        }
        if flags & PATTERN != 0 {
            read.inside = Inside::Pattern(reader.pattern()?);
        }
        for _ in 0..read.columns() {
            columns.push(reader.column(None)?);
        }
        *cell = read;
    }
    let empty = reader.codes.is_empty() && reader.lines.is_empty();
    let exceptions = flags & EXCEPTIONS != 0;
    let open = flags & OPEN != 0;
    empty
        .then(|| Schema::new(template, columns, (head, tail), exceptions, open))
        .flatten()
}
