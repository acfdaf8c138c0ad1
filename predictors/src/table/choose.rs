//! Chooses what a cell of all rows becomes: the cheapest by estimated cost.

use super::column::{Column, Dictionary, Form, MODES, MOST_STRINGS, Mode, Number};
use super::cost::{Fields, entropy, learned, log2};
use super::elements::Elements;
use super::facts::Facts;
use super::number::{Format, whole};
use super::time::{ORDERS, Pattern, Time};
use super::values::{Added, Lookup, Values};

/// Rows whose numbers are kept to estimate costs, in all columns and in one.
const SAMPLES: usize = 1 << 21;
const SAMPLE: usize = 1 << 16;
/// Rows next to each other in the sample.
const RUN: u64 = 1 << 10;
/// Groups of digits up to this width have a count for each of their values.
const NARROW: u8 = 4;
/// The same where there are more than `WIDE` columns.
const NARROWER: u8 = 2;
const WIDE: usize = 64;
/// Columns of this many rows a value rather are dictionaries.
const OFTEN: u64 = 4;
/// Columns of this many rows a value need no numbers to be compared with.
const FREQUENT: u64 = 16;

/// Bits that tell where a value of a text ends.
const VALUE: u64 = 3;

/// What a cell becomes.
pub(super) enum Choice {
    Whole(Column),
    Parts(Pattern, Vec<Column>),
}

/// Numbers of a cell in one form, row by row.
struct Track {
    form: Form,
    /// Values that are none.
    strings: Lookup,
    least: i64,
    most: i64,
    least_rise: i64,
    most_rise: i64,
    first: Option<i64>,
    before: i64,
    sample: Vec<(i64, i64)>,
    failed: bool,
}

impl Track {
    fn new(form: Form) -> Self {
        Self {
            form,
            strings: Lookup::new(),
            least: i64::MAX,
            most: i64::MIN,
            least_rise: i64::MAX,
            most_rise: i64::MIN,
            first: None,
            before: 0,
            sample: Vec::new(),
            failed: false,
        }
    }

    fn add(&mut self, value: &[u8], sampled: bool) {
        if self.failed {
            return;
        }
        let Some(number) = self.form.parse(value) else {
            let full = self.strings.add(value) == Added::Full;
            self.failed = full || self.strings.values.len() > MOST_STRINGS;
            return;
        };
        self.least = self.least.min(number);
        self.most = self.most.max(number);
        if self.first.is_none() {
            self.first = Some(number);
        } else {
            // Numbers have at most 18 digits.
            let rise = number - self.before;
            self.least_rise = self.least_rise.min(rise);
            self.most_rise = self.most_rise.max(rise);
            if sampled {
                self.sample.push((number, self.before));
            }
        }
        self.before = number;
    }

    /// The column in its cheapest mode and its cost for so many rows.
    fn column(&self, rows: u64, text_bits: u64) -> Option<(u64, Number)> {
        let first = self
            .first
            .filter(|_| !self.failed && !self.sample.is_empty())?;
        let strings = self.strings.values.len() as u64;
        let choices = MODES.iter().filter_map(|&mode| {
            let (base, start) = match mode {
                Mode::Plain => (self.least, 0),
                Mode::Rising => (self.least_rise, first - self.least_rise),
                Mode::Signed => (0, first),
            };
            let ends = match mode {
                Mode::Plain => [self.least, self.most].map(|value| (value, 0)),
                _ => [self.least_rise, self.most_rise].map(|rise| (rise, 0)),
            };
            let codes = ends.map(|(value, before)| mode.code(base, value, before));
            let limit = codes[0]?.max(codes[1]?) + strings;
            let mut fields = Fields::new(limit);
            for (value, before) in &self.sample {
                fields.add(mode.code(base, *value, *before)? + strings);
            }
            let bytes = (self.strings.values.bytes() as u64 + strings) * text_bits / 256;
            let mut sorted: Vec<&[u8]> = self.strings.values.iter().collect();
            sorted.sort_unstable();
            let number = Number {
                form: self.form.clone(),
                mode,
                base,
                start,
                limit,
                strings: sorted.into_iter().collect(),
            };
            // Differences must be clearly cheaper: they do not tell the value.
            let cost = fields.cost(rows) + bytes;
            let plain = mode == Mode::Plain;
            Some((if plain { cost } else { cost / 8 * 9 + 64 }, number))
        });
        choices.min_by_key(|(cost, _)| *cost)
    }
}

/// One group of digits of a pattern.
struct Group {
    width: u8,
    /// By value, for narrow groups.
    counts: Vec<u64>,
    least: i64,
    most: i64,
    sample: Vec<i64>,
}

impl Group {
    fn new(width: u8, narrow: u8) -> Self {
        let narrow = width <= narrow;
        let size = if narrow {
            10_usize.pow(u32::from(width))
        } else {
            0
        };
        Self {
            width,
            counts: vec![0; size],
            least: i64::MAX,
            most: i64::MIN,
            sample: Vec::new(),
        }
    }

    fn add(&mut self, digits: &[u8], sampled: bool) -> bool {
        let Some(value) = whole(digits) else {
            return false;
        };
        self.least = self.least.min(value);
        self.most = self.most.max(value);
        if let Some(count) = self.counts.get_mut(value as usize) {
            *count += 1;
        } else if sampled {
            self.sample.push(value);
        }
        true
    }

    /// The group's column and cost.
    fn column(&self, rows: u64) -> (u64, Column) {
        let format = Format::digits(self.width);
        let different = self.counts.iter().filter(|count| **count > 0).count();
        let limit = (self.most - self.least) as u64;
        if (1..=256).contains(&different) {
            let numbers = (0..).zip(&self.counts).filter(|(_, count)| **count > 0);
            let numbers = numbers.map(|(value, _)| value).collect();
            let form = Some(Form::Decimal(format));
            let dictionary = Dictionary::new(&Values::default(), form, numbers);
            let cost = learned(self.counts.iter().copied()) + 2 * different as u64;
            return (cost, Column::Dictionary(dictionary));
        }
        let mut fields = Fields::new(limit);
        for (value, count) in (0..).zip(&self.counts) {
            for _ in 0..*count {
                fields.add((value - self.least) as u64);
            }
        }
        for value in &self.sample {
            fields.add((value - self.least) as u64);
        }
        let number = Number {
            form: Form::Decimal(format),
            mode: Mode::Plain,
            base: self.least,
            start: 0,
            limit,
            strings: Values::default(),
        };
        (fields.cost(rows), Column::Number(number))
    }
}

/// Numbers of a cell in all forms that may suit, gathered row by row.
pub(super) struct Numbers {
    tracks: Vec<Track>,
    pattern: Option<(Pattern, Vec<Group>)>,
    stride: u64,
    row: u64,
}

impl Numbers {
    fn none(facts: &Facts, cells: usize) -> Self {
        let sample = (SAMPLES / cells.max(1)).min(SAMPLE) as u64;
        Self {
            tracks: Vec::new(),
            pattern: None,
            stride: facts.rows / sample.max(RUN) + 1,
            row: 0,
        }
    }

    /// For one of so many cells in binary, of which the facts are known.
    pub fn binary(facts: &Facts, cells: usize, elements: Elements) -> Self {
        let mut numbers = Self::none(facts, cells);
        if !are_frequent(facts) {
            numbers.tracks.push(Track::new(Form::Binary(elements)));
        }
        numbers
    }

    /// For one of so many cells, of which the facts are known.
    pub fn new(facts: &Facts, cells: usize) -> Self {
        let narrow = if cells > WIDE { NARROWER } else { NARROW };
        let mut numbers = Self::none(facts, cells);
        if facts.different() == Some(1) || are_frequent(facts) {
            return numbers;
        }
        if let Some(format) = facts.format() {
            numbers.tracks.push(Track::new(Form::Decimal(format)));
        } else if let Some(pattern) = facts.pattern() {
            let times = ORDERS
                .iter()
                .filter_map(|order| Time::new(pattern.clone(), *order));
            numbers
                .tracks
                .extend(times.map(|time| Track::new(Form::Time(time))));
            if facts.pattern_fits_all() {
                let groups = pattern
                    .widths
                    .iter()
                    .map(|width| Group::new(*width, narrow));
                numbers.pattern = Some((pattern.clone(), groups.collect()));
            }
        }
        numbers
    }

    /// Whether there is anything to be gathered.
    pub fn are_wanted(&self) -> bool {
        !self.tracks.is_empty() || self.pattern.is_some()
    }

    /// Takes in the value of the next row.
    pub fn add(&mut self, value: &[u8]) {
        let sampled = (self.row / RUN).is_multiple_of(self.stride);
        self.row += 1;
        for track in &mut self.tracks {
            track.add(value, sampled);
        }
        if let Some((pattern, groups)) = &mut self.pattern
            && !pattern.groups(value, |number, digits| groups[number].add(digits, sampled))
        {
            self.pattern = None;
        }
    }

    /// The column that a cell in binary becomes; `None` where its numbers are too large.
    pub fn number(&self, facts: &Facts, elements: Elements) -> Option<Column> {
        let form = Form::Binary(elements);
        let dictionary = dictionary(facts, 0, Some(&form)).filter(|(_, found)| found.strings == 0);
        let dictionary = dictionary.map(|(cost, found)| (cost, Column::Dictionary(found)));
        let tracks = self.tracks.iter();
        let tracks = tracks.filter_map(|track| track.column(facts.rows, 0));
        let tracks = tracks.filter(|(_, number)| number.strings.len() == 0);
        // A column takes no more fields than the number has bytes.
        let tracks = tracks.map(|(cost, number)| (cost, Column::Number(number)));
        let fits = |column: &Column| column.width() <= usize::from(elements.bytes);
        let mut all = dictionary.into_iter().chain(tracks);
        let first = all.by_ref().next()?;
        let best = all.fold(first, |best, one| if one.0 < best.0 { one } else { best });
        Some(best.1).filter(fits)
    }

    /// What the cell becomes.
    pub fn choose(&self, facts: &Facts) -> Choice {
        let rows = facts.rows;
        let text_bits = facts.text_bits();
        let mut best = (text_cost(facts, text_bits), Choice::Whole(Column::Text));
        let mut offer = |cost, choice| {
            if cost < best.0 {
                best = (cost, choice);
            }
        };
        let form = facts.format().map(Form::Decimal);
        if let Some((cost, dictionary)) = dictionary(facts, text_bits, form.as_ref()) {
            offer(cost, Choice::Whole(Column::Dictionary(dictionary)));
        }
        for (cost, number) in self
            .tracks
            .iter()
            .filter_map(|track| track.column(rows, text_bits))
        {
            offer(cost, Choice::Whole(Column::Number(number)));
        }
        if let Some((pattern, groups)) = &self.pattern {
            let (costs, columns): (Vec<u64>, Vec<Column>) =
                groups.iter().map(|group| group.column(rows)).unzip();
            let (pattern, columns) = without_constants(pattern, columns);
            offer(costs.iter().sum(), Choice::Parts(pattern, columns));
        }
        best.1
    }
}

/// Makes literals of groups that have one value.
fn without_constants(pattern: &Pattern, columns: Vec<Column>) -> (Pattern, Vec<Column>) {
    let mut kept = Pattern {
        literals: vec![pattern.literals[0].clone()],
        widths: Vec::new(),
    };
    let mut left = Vec::new();
    for (at, column) in columns.into_iter().enumerate() {
        let after = &pattern.literals[at + 1];
        match &column {
            Column::Dictionary(dictionary) if dictionary.values.len() == 1 => {
                if let (Some(open), Some(value)) =
                    (kept.literals.last_mut(), dictionary.values.get(0))
                {
                    open.extend_from_slice(value);
                    open.extend_from_slice(after);
                }
            }
            _ => {
                kept.literals.push(after.clone());
                kept.widths.push(pattern.widths[at]);
                left.push(column);
            }
        }
    }
    (kept, left)
}

/// Whether so few values come so often that nothing but a dictionary is asked for.
fn are_frequent(facts: &Facts) -> bool {
    let different = facts.different();
    different.is_some_and(|n| n > 1 && n <= 256 && n * FREQUENT <= facts.rows)
}

/// Bits of all values as a text: those that were there before are copies.
fn text_cost(facts: &Facts, text_bits: u64) -> u64 {
    let new = facts.different_bytes * text_bits / 256;
    let copies = facts.different().map_or(0, |different| {
        let length = facts.bytes * text_bits / facts.rows.max(1);
        (facts.rows - different) * length.min(log2(different) + 4 * 256) / 256
    });
    new + copies + VALUE * facts.rows
}

/// The dictionary of all values and its cost, where they are known.
fn dictionary(facts: &Facts, text_bits: u64, form: Option<&Form>) -> Option<(u64, Dictionary)> {
    let values = &facts.lookup.as_ref()?.values;
    let different = values.len() as u64;
    let learning = learned(facts.counts.iter().copied()) - entropy(facts.counts.iter().copied());
    let mut strings: Vec<&[u8]> = Vec::new();
    let mut numbers = Vec::new();
    for value in values.iter() {
        match form.and_then(|form| form.parse(value)) {
            Some(number) => numbers.push(number),
            None => strings.push(value),
        }
    }
    strings.sort_unstable();
    strings.dedup();
    numbers.sort_unstable();
    numbers.dedup();
    let mut bits = strings
        .iter()
        .map(|string| string.len() as u64)
        .sum::<u64>()
        * text_bits
        / 256;
    bits += strings.len() as u64 * 2;
    if let [first, .., last] = numbers[..] {
        let count = numbers.len() as u64;
        bits += count * (log2((last - first) as u64 / count + 1) / 256 + 2);
    }
    let form = form.filter(|_| !numbers.is_empty()).cloned();
    let dictionary = Dictionary::new(&strings.into_iter().collect(), form, numbers);
    let cost = entropy(facts.counts.iter().copied()) + learning + bits;
    // It is worth something to other columns that values have names of their own.
    let few = different <= 256 && different * OFTEN <= facts.rows;
    let cost = if few { cost / 5 * 4 } else { cost };
    (different > 1).then_some((cost, dictionary))
}
