//! Planes of blocks out of their bytes: first what there is, then all streams at once.

use llmzip_coders::rans::{self, DecodeTable, Part, Table, Task};

use super::super::classes::{CLASSES, Columns, SLACK, pieces, runs_by, ungroup_by};
use super::super::model::{Choice, PlaneModel, byte, read_length, take, unpack};
use super::{BAD, CONSTANT, MIX, OWN, Place, RAW, SHARED, ZSTD};
use crate::segment::PredictorError;
use crate::simd::Level;

/// A plane of a block, not decoded yet: `'d` is its bytes', `'m` the model's.
pub struct Coded<'d, 'm> {
    /// Symbols, at least one.
    len: usize,
    method: Method<'d, 'm>,
}

enum Method<'d, 'm> {
    Raw(&'d [u8]),
    Constant(u8),
    Own(DecodeTable, &'d [u8]),
    Shared(Shared<'d, 'm>),
    Zstd(&'d [u8]),
    Mixed(&'d [u8]),
}

struct Shared<'d, 'm> {
    runs: Vec<Part<'m>>,
    stream: &'d [u8],
    order: Order<'m>,
}

/// What order the symbols of a stream are in.
enum Order<'m> {
    /// Their own.
    Plane,
    /// That of the classes of columns, of which the first symbol is in column `first`; the lengths of
    /// the classes' runs.
    Columns(&'m Columns, usize, [usize; CLASSES]),
    /// That of the classes of what is given with them.
    Given(&'m [u8; 256], &'m [u8]),
    /// That of the classes of what plane 0 of the block has; the lengths of the classes' runs.
    First(&'m [u8; 256], [usize; CLASSES]),
}

/// Memory of a plane, which keeps its size from one to the next.
#[derive(Default)]
pub struct Buffer {
    plane: Vec<u8>,
    /// The plane in the order of its classes.
    grouped: Vec<u8>,
}

impl<'d, 'm> Coded<'d, 'm> {
    /// Takes a plane of `len` symbols, at least one, off the front of `data`.
    pub fn take(
        data: &mut &'d [u8],
        len: usize,
        place: Place<'m>,
        model: Option<&'m PlaneModel>,
    ) -> Result<Self, PredictorError> {
        let method = match byte(data)? {
            RAW => Method::Raw(take(data, len)?),
            CONSTANT => Method::Constant(byte(data)?),
            OWN => Method::Own(DecodeTable::from(&Table::read(data)?), with_length(data)?),
            SHARED => Method::Shared(Shared::take(data, len, place, model.ok_or(BAD)?)?),
            ZSTD => Method::Zstd(with_length(data)?),
            MIX => Method::Mixed(with_length(data)?),
            _ => return Err(BAD),
        };
        Ok(Self { len, method })
    }

    /// The stream of a plane that is mixed.
    pub fn mixed(&self) -> Option<&'d [u8]> {
        match self.method {
            Method::Mixed(stream) => Some(stream),
            _ => None,
        }
    }

    /// The symbols, once [`decode`] was there; those of a mixed plane are whatever was written to them.
    pub fn symbols<'b>(&self, buffer: &'b Buffer) -> &'b [u8]
    where
        'd: 'b,
    {
        match self.method {
            Method::Raw(symbols) => symbols,
            _ => &buffer.plane[..self.len],
        }
    }

    /// Where the symbols of a mixed plane go.
    pub fn target<'b>(&self, buffer: &'b mut Buffer) -> &'b mut [u8] {
        room(&mut buffer.plane, self.len)
    }
}

/// The first `len` bytes, which hold anything.
fn room(buffer: &mut Vec<u8>, len: usize) -> &mut [u8] {
    if buffer.len() < len {
        buffer.resize(len, 0);
    }
    &mut buffer[..len]
}

fn with_length<'d>(data: &mut &'d [u8]) -> Result<&'d [u8], PredictorError> {
    let len = read_length(data)?;
    take(data, len)
}

impl<'d, 'm> Shared<'d, 'm> {
    fn take(
        data: &mut &'d [u8],
        len: usize,
        place: Place<'m>,
        model: &'m PlaneModel,
    ) -> Result<Self, PredictorError> {
        let table = |class: usize| model.decode.get(class).ok_or(BAD);
        let by_class = |runs: &[usize; CLASSES]| {
            let runs = runs.iter().zip(&model.decode);
            runs.map(|(&len, table)| Part { table, len }).collect()
        };
        let (runs, order) = match &model.choice {
            Choice::One => (
                vec![Part {
                    table: table(0)?,
                    len,
                }],
                Order::Plane,
            ),
            Choice::Rows => {
                let count = (place.column % place.row + len).div_ceil(place.row);
                let classes = unpack(data, count)?;
                let mut runs = Vec::with_capacity(count);
                for (len, class) in pieces(place.row, place.column, len).zip(classes) {
                    let table = table(usize::from(class))?;
                    runs.push(Part { table, len });
                }
                (runs, Order::Plane)
            }
            Choice::Columns(columns) => {
                let runs = columns.runs(place.column, len);
                let order = Order::Columns(columns, place.column, runs);
                (by_class(&runs), order)
            }
            Choice::Given(classes) => {
                let order = Order::Given(classes, place.given);
                (by_class(&runs_by(classes, place.given)), order)
            }
            Choice::First(classes) => {
                let mut runs = [0; CLASSES];
                for run in &mut runs[..model.decode.len()] {
                    *run = read_length(data)?;
                }
                if runs.iter().sum::<usize>() != len {
                    return Err(BAD);
                }
                (by_class(&runs), Order::First(classes, runs))
            }
        };
        Ok(Self {
            runs,
            stream: with_length(data)?,
            order,
        })
    }
}

/// Decodes planes, but for those that are mixed, each to its buffer: plane 0 of all blocks, and so on.
/// Streams are taken two at a time, in this order. `next`: for each block what is to be fetched
/// meanwhile.
pub fn decode(
    planes: &[Coded<'_, '_>],
    buffers: &mut [Buffer],
    simd: Level,
    next: &[[&[u8]; 2]],
) -> Result<(), PredictorError> {
    let own: Vec<_> = planes
        .iter()
        .map(|plane| match &plane.method {
            Method::Own(table, _) => Some([Part {
                table,
                len: plane.len,
            }]),
            _ => None,
        })
        .collect();
    let blocks = next.len();
    let mut tasks = Vec::with_capacity(planes.len());
    let mut next = next.iter().copied();
    for ((plane, buffer), own) in planes.iter().zip(&mut *buffers).zip(&own) {
        let symbols = &mut buffer.plane;
        match (&plane.method, own) {
            (Method::Constant(byte), _) => room(symbols, plane.len).fill(*byte),
            (Method::Zstd(frame), _) => {
                let symbols = room(symbols, plane.len);
                let got = zstd_safe::decompress(symbols, frame).map_err(|_| BAD)?;
                if got != plane.len {
                    return Err(BAD);
                }
            }
            (Method::Own(_, stream), Some(runs)) => tasks.push(Task {
                stream,
                runs,
                out: room(symbols, plane.len),
                next: next.next().unwrap_or_default(),
            }),
            (Method::Shared(shared), _) => {
                let out = match shared.order {
                    Order::Plane => room(symbols, plane.len),
                    Order::Columns(..) | Order::Given(..) | Order::First(..) => {
                        &mut room(&mut buffer.grouped, plane.len + SLACK)[..plane.len]
                    }
                };
                tasks.push(Task {
                    stream: shared.stream,
                    runs: &shared.runs,
                    out,
                    next: next.next().unwrap_or_default(),
                });
            }
            (Method::Raw(_) | Method::Own(..) | Method::Mixed(_), _) => {}
        }
    }
    rans::decode(tasks, simd)?;
    for (i, plane) in planes.iter().enumerate() {
        let (before, from_here) = buffers.split_at_mut(i);
        let buffer = &mut from_here[0];
        let Method::Shared(shared) = &plane.method else {
            continue;
        };
        if !matches!(shared.order, Order::Plane) {
            let symbols = room(&mut buffer.plane, plane.len);
            let grouped = &buffer.grouped[..plane.len + SLACK];
            match &shared.order {
                Order::Plane => {}
                Order::Columns(columns, first, runs) => {
                    columns.ungroup(*first, runs, grouped, symbols, simd);
                }
                Order::Given(classes, given) => ungroup_by(classes, given, grouped, symbols),
                Order::First(classes, runs) => {
                    let first = &planes[i % blocks];
                    if first.mixed().is_some() {
                        return Err(BAD);
                    }
                    let first = first.symbols(&before[i % blocks]);
                    if runs_by(classes, first) != *runs {
                        return Err(BAD);
                    }
                    ungroup_by(classes, first, grouped, symbols);
                }
            }
        }
    }
    Ok(())
}
