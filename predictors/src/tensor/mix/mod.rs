//! Planes by context mixing: adaptive counters of several contexts, mixed bit by bit.
//!
//! FORMAT.md, "MIX". Scales of rows and columns as contexts as measured for llmzip; the mixer is
//! that of `cm`.

mod engine;
mod field;
mod fine;
mod scale;
mod shape;
#[cfg(test)]
mod tests;

use llmzip_coders::binary::{Decoder as BitDecoder, Encoder as BitEncoder};
use llmzip_coders::rans;

use super::kind::{Kind, Split};
use super::model::{byte, write_length};
use super::train::entropy;
use crate::segment::PredictorError;
use crate::simd::{self, Job, Kernels, Level};
use engine::Coder;
use fine::Fine;
use scale::Scale;
use shape::Shape;

/// Longer rows are not treated as rows.
const LONGEST_ROW: usize = 1 << 20;
/// Fewer symbols of a plane are not worth the start of a model.
const FEWEST: usize = 1 << 14;
/// Symbols of a trial, at most.
const TRIAL: usize = 3 << 15;

/// Bytes that the models of a segment take at most, those of an open chunk and those before it.
pub fn memory(row: usize) -> u64 {
    const COUNTERS: u64 = 28 << 20;
    const COLUMN: u64 = 32;
    2 * (COUNTERS + COLUMN * row.min(LONGEST_ROW) as u64)
}

/// What the symbols of a plane mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Magnitudes on a logarithmic scale below `sign` bits, an octave in `2^octave` steps.
    Scale { signed: bool, octave: u32 },
    /// Sign and upper seven bits of the mantissa of floats; plane 0 has their exponents.
    Fine,
}

/// The role of a plane that can be mixed. Planes of changes have none.
pub fn role(kind: &Kind, plane: usize) -> Option<Role> {
    match (kind.split, kind.name, plane) {
        (Split::Float, _, 0) => Some(Role::Scale {
            signed: false,
            octave: 0,
        }),
        (Split::Float, _, 1) => Some(Role::Fine),
        (_, "f16" | "f8e5m2", 0) => Some(Role::Scale {
            signed: true,
            octave: 2,
        }),
        (_, "f8e4m3", 0) => Some(Role::Scale {
            signed: true,
            octave: 3,
        }),
        _ => None,
    }
}

/// What a model starts from; stands in the segment's model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    Scale(Box<Shape>, bool, u32),
    Fine { top: u8, mixed: u32 },
}

impl Start {
    /// For a plane with this histogram; `first` is that of plane 0.
    fn of(role: Role, own: &[u32; 256], first: &[u32; 256]) -> Self {
        match role {
            Role::Scale { signed, octave } => Self::Scale(Box::new(Shape::of(own)), signed, octave),
            Role::Fine => {
                let mut low = [0; 16];
                for (symbol, &n) in own.iter().enumerate() {
                    low[symbol & 15] += n;
                }
                let flat = entropy(&low) >= u64::from(low.iter().sum::<u32>()) * (4 * 256 - 4);
                Self::Fine {
                    top: Shape::of(first).top(0xff),
                    mixed: if flat { 3 } else { 7 },
                }
            }
        }
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Scale(shape, ..) => shape.write(out),
            Self::Fine { top, mixed } => out.extend_from_slice(&[*top, *mixed as u8]),
        }
    }

    /// Of plane `plane` of `kind`.
    pub fn read(kind: &Kind, plane: usize, data: &mut &[u8]) -> Result<Self, PredictorError> {
        match role(kind, plane) {
            Some(Role::Scale { signed, octave }) => {
                Ok(Self::Scale(Box::new(Shape::read(data)?), signed, octave))
            }
            Some(Role::Fine) => {
                let (top, mixed) = (byte(data)?, byte(data)?);
                if !(1..=7).contains(&mixed) {
                    return Err(BAD);
                }
                Ok(Self::Fine {
                    top,
                    mixed: u32::from(mixed),
                })
            }
            None => Err(BAD),
        }
    }
}

/// What mixing plane `plane` would start from, if a trial says that it saves at least one part in
/// 1,000 of the plane over `other`, which gives the coded bytes of symbols from some column on.
pub fn try_plane(
    kind: &Kind,
    plane: usize,
    planes: &[Vec<u8>],
    row: usize,
    level: Level,
    other: impl Fn(&[u8], usize) -> usize,
) -> Option<Start> {
    let role = role(kind, plane)?;
    let (symbols, first) = (&planes[plane], &planes[0]);
    if symbols.len() < FEWEST {
        return None;
    }
    let own = rans::histogram(symbols);
    if own.iter().filter(|&&n| n > 0).count() < 2 {
        return None;
    }
    let start = Start::of(role, &own, &rans::histogram(first));
    let taken = symbols.len().min(TRIAL);
    let from = (symbols.len() - taken) / 2;
    let column = |at: usize| at.checked_rem(row).unwrap_or(0);
    // Counted is what comes after the model had time to learn, but for planes that are short.
    let counted = from + taken.saturating_sub(TRIAL / 2);
    let counted = if taken < TRIAL { from } else { counted };
    let mut mix = Mix::new(&start, row);
    if from < counted {
        mix.bits(
            &symbols[from..counted],
            &first[from..counted],
            column(from),
            level,
        );
    }
    let end = from + taken;
    let rest = &symbols[counted..end];
    let coded = mix.bits(rest, &first[counted..end], column(counted), level);
    (coded.len() + rest.len() / 1000 < other(rest, column(counted))).then_some(start)
}

const BAD: PredictorError = PredictorError::Corrupt("a plane of a tensor is damaged");

/// The adaptive model of one plane.
#[derive(Clone)]
pub enum Mix {
    Scale(Box<Scale>),
    Fine(Box<Fine>),
}

impl Mix {
    /// `row` is the symbols of a row, 0 where there are none.
    pub fn new(start: &Start, row: usize) -> Self {
        let row = if row > LONGEST_ROW { 1 } else { row.max(1) };
        match start {
            Start::Scale(shape, signed, octave) => {
                Self::Scale(Box::new(Scale::new(shape, *signed, *octave, row)))
            }
            &Start::Fine { top, mixed } => Self::Fine(Box::new(Fine::new(top, mixed, row))),
        }
    }

    /// Codes a plane of a block onto `out`; `column` is that of the first symbol, `first` has the
    /// block's plane 0.
    pub fn encode(
        &mut self,
        symbols: &[u8],
        first: &[u8],
        column: usize,
        level: Level,
        out: &mut Vec<u8>,
    ) {
        let coded = self.bits(symbols, first, column, level);
        write_length(coded.len(), out);
        out.extend_from_slice(&coded);
    }

    fn bits(&mut self, symbols: &[u8], first: &[u8], column: usize, level: Level) -> Vec<u8> {
        let mut coder = Writer {
            coder: BitEncoder::new(),
            symbols,
        };
        self.pass(&mut coder, symbols.len(), first, column, level);
        coder.coder.finish()
    }

    /// Decodes what [`Mix::encode`] coded, but for its length, as long as `out`.
    pub fn decode(
        &mut self,
        stream: &[u8],
        first: &[u8],
        column: usize,
        level: Level,
        out: &mut [u8],
    ) -> Result<(), PredictorError> {
        let mut coder = Reader {
            coder: BitDecoder::new(stream.to_vec()),
            out,
        };
        let len = coder.out.len();
        self.pass(&mut coder, len, first, column, level);
        Ok(coder.coder.finish()?)
    }

    fn pass(
        &mut self,
        coder: &mut impl Coder,
        len: usize,
        first: &[u8],
        column: usize,
        level: Level,
    ) {
        let pass = Pass {
            mix: self,
            coder,
            first,
            column,
            len,
        };
        simd::run(level, pass);
    }
}

struct Writer<'a> {
    coder: BitEncoder,
    symbols: &'a [u8],
}

impl Coder for Writer<'_> {
    #[inline(always)]
    fn bit(&mut self, at: usize, p: u32, test: impl Fn(u8) -> bool) -> bool {
        let bit = test(self.symbols[at]);
        self.coder.encode(bit, p);
        bit
    }

    #[inline(always)]
    fn put(&mut self, _: usize, _: u8) {}
}

struct Reader<'a> {
    coder: BitDecoder,
    out: &'a mut [u8],
}

impl Coder for Reader<'_> {
    #[inline(always)]
    fn bit(&mut self, _: usize, p: u32, _: impl Fn(u8) -> bool) -> bool {
        self.coder.decode(p)
    }

    #[inline(always)]
    fn put(&mut self, at: usize, symbol: u8) {
        self.out[at] = symbol;
    }
}

struct Pass<'a, C> {
    mix: &'a mut Mix,
    coder: &'a mut C,
    first: &'a [u8],
    column: usize,
    len: usize,
}

impl<C: Coder> Job for Pass<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernels>(self) {
        match self.mix {
            Mix::Scale(model) => model.run::<K, C>(self.coder, self.column, self.len),
            Mix::Fine(model) => model.run::<K, C>(self.coder, self.first, self.column),
        }
    }
}
