//! What a segment header says of a tensor, and what both sides derive from it.

use llmzip_coders::rans::LANES;

use super::delta;
use super::kind::{KINDS, Kind};
use super::model::row_symbols;
use super::plane::{Effort, Place};
use super::values::{self, Values};
use crate::segment::PredictorError;
use crate::simd::{self, Level};

/// Raw bytes of a block at most.
pub const BLOCK: usize = 1 << 18;
pub const NO_BASE: PredictorError = PredictorError::Usage("the base of a change is missing");
pub const BAD: PredictorError = PredictorError::Corrupt("a chunk of a tensor is damaged");
/// The chunk starts with the segment's model.
pub const HAS_MODEL: u8 = 1;

const CHANGE: u8 = 1;
const MATCHES: u8 = 2;
const VALUES: u8 = 3;

/// `level kind mode row:u32`: mode is 1 where the segment is coded as a change of a base, then an
/// offset of 8 bytes follows, which is for whoever finds the base, 2 where what comes again is
/// copied, and 3 where elements are numbers of values; row is the number of elements in a row, 0 where there are none.
#[derive(Clone, Copy)]
pub struct Settings {
    pub level: u8,
    pub kind: &'static Kind,
    pub delta: bool,
    pub matches: bool,
    pub values: bool,
    pub row: usize,
    pub simd: Level,
}

impl Settings {
    pub fn parse(settings: &[u8]) -> Result<Self, PredictorError> {
        let &[
            level @ 1..=9,
            kind,
            mode @ 0..=3,
            a,
            b,
            c,
            d,
            ref offset @ ..,
        ] = settings
        else {
            return Err(PredictorError::Unsupported("settings of tensor"));
        };
        let (delta, matches, values) = (mode == CHANGE, mode == MATCHES, mode == VALUES);
        if offset.len() != usize::from(delta) * 8 {
            return Err(PredictorError::Unsupported("settings of tensor"));
        }
        let kind = KINDS
            .get(usize::from(kind))
            .ok_or(PredictorError::Unsupported("element kind of tensor"))?;
        if delta && !delta::possible(kind) {
            return Err(PredictorError::Unsupported(
                "change of a tensor of this kind",
            ));
        }
        if values && !values::possible(kind) {
            return Err(PredictorError::Unsupported(
                "values of a tensor of this kind",
            ));
        }
        let row = u32::from_le_bytes([a, b, c, d]) as usize;
        let simd = simd::active().map_err(PredictorError::Setup)?;
        Ok(Self {
            level,
            kind,
            delta,
            matches,
            values,
            row,
            simd,
        })
    }

    /// The kind whose planes are coded.
    pub fn coded(self) -> Kind {
        if self.delta {
            delta::planes_of(self.kind)
        } else if self.values {
            *BYTES
        } else {
            *self.kind
        }
    }

    pub fn effort(self) -> Effort {
        match self.level {
            1 | 2 => Effort {
                worth: 64,
                rows: false,
                zstd: 0,
                mix: false,
                by_first: false,
                sample: 1 << 17,
                simd: self.simd,
            },
            3 => Effort {
                worth: 400,
                rows: true,
                zstd: 0,
                mix: false,
                by_first: false,
                sample: 1 << 17,
                simd: self.simd,
            },
            4..=6 => Effort {
                worth: 180,
                rows: true,
                zstd: 3,
                mix: false,
                by_first: false,
                sample: 1 << 16,
                simd: self.simd,
            },
            _ => Effort {
                worth: 4096,
                rows: true,
                zstd: 12,
                mix: self.level >= 8,
                by_first: self.level == 7,
                sample: 1 << 20,
                simd: self.simd,
            },
        }
    }
}

/// Elements of one byte, without fields.
const BYTES: &Kind = &KINDS[0];

/// Where a chunk falls into units: bytes of a unit that the chunk before began, whole units,
/// bytes of a unit that the chunk after ends.
pub struct Cut {
    pub head: usize,
    pub units: usize,
    pub tail: usize,
}

impl Cut {
    pub fn new(kind: &Kind, position: u64, len: usize) -> Self {
        let unit = kind.unit;
        let head = ((unit - (position % unit as u64) as usize) % unit).min(len);
        let units = (len - head) / unit;
        Self {
            head,
            units,
            tail: len - head - units * unit,
        }
    }
}

/// Units of each block but the last of a chunk that has so many: blocks are about equally long, so that
/// two at a time end together.
pub fn block_units(kind: &Kind, units: usize) -> usize {
    let most = BLOCK / kind.unit;
    let units = units.max(1);
    let blocks = units.div_ceil(most);
    most.min(units.div_ceil(blocks).next_multiple_of(LANES))
}

/// Column of the first symbol of plane `number` at unit `unit` of the segment, and what is given.
pub fn place(settings: Settings, number: usize, unit: u64, given: &[u8]) -> Place<'_> {
    let row = row_symbols(settings.kind, number, settings.row);
    let symbol = unit * settings.kind.width(number) as u64;
    Place {
        row,
        column: if row == 0 {
            0
        } else {
            (symbol % row as u64) as usize
        },
        given,
    }
}

/// Settings of a segment of elements of the kind `name` in rows of `row` elements, 0 for none, as a
/// change of what a base has at `base`; `None` where there is no such kind, or it has no changes.
#[must_use]
pub fn settings(level: u8, name: &str, row: u32, base: Option<u64>) -> Option<Vec<u8>> {
    let kind = KINDS.iter().position(|kind| kind.name == name)?;
    if base.is_some() && !delta::possible(&KINDS[kind]) {
        return None;
    }
    let mode = if base.is_some() { CHANGE } else { 0 };
    let mut settings = vec![level, kind as u8, mode];
    settings.extend_from_slice(&row.to_le_bytes());
    settings.extend(base.into_iter().flat_map(u64::to_le_bytes));
    Some(settings)
}

/// The same settings, but that what comes again is copied; `None` for those of a change, or of no tensor.
#[must_use]
pub fn with_matches(settings: &[u8]) -> Option<Vec<u8>> {
    let known = Settings::parse(settings).ok()?;
    let mut settings = settings.to_vec();
    settings[2] = MATCHES;
    (!known.delta).then_some(settings)
}

/// The same settings, but that elements are numbers of values; `None` where `data`, the whole segment, has
/// too many different ones, or not one whole, and for settings of a change, of no tensor, or of a kind
/// that has no values.
#[must_use]
pub fn with_values(settings: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let known = Settings::parse(settings).ok()?;
    if known.delta || !values::possible(known.kind) {
        return None;
    }
    Values::of(data, known.kind.unit)?;
    let mut settings = settings.to_vec();
    settings[2] = VALUES;
    Some(settings)
}

pub fn checked_base(settings: Settings, base: &[u8], len: u64) -> Result<Vec<u8>, PredictorError> {
    if settings.delta && base.len() as u64 == len {
        Ok(base.to_vec())
    } else {
        Err(PredictorError::Usage(
            "a base for a segment that is coded otherwise",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_about_equal() {
        let kind = |name| KINDS.iter().find(|kind| kind.name == name).unwrap();
        let (bf16, q4_0) = (kind("bf16"), kind("q4_0"));
        for (units, expected) in [
            (1, 64),
            (131_072, 131_072),
            (131_073, 65_600),
            (147_456, 73_728),
            (524_288, 131_072),
            (300_000, 100_032),
        ] {
            assert_eq!(block_units(bf16, units), expected);
        }
        // 64 more would be more than a block takes.
        assert_eq!(BLOCK / q4_0.unit, 14_563);
        assert_eq!(block_units(q4_0, 29_126), 14_563);
        assert_eq!(block_units(q4_0, 29_127), 9_728);
    }
}
