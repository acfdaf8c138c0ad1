//! A plane of a block out of its bytes.

use llmzip_coders::rans::{self, DecodeTable, Table};

use super::super::classes::{CLASSES, pieces, runs_by, ungroup_by};
use super::super::model::{Choice, PlaneModel, byte, read_length, take, unpack};
use super::{BAD, CONSTANT, OWN, Place, RAW, SHARED, ZSTD};
use crate::segment::PredictorError;
use crate::simd::Level;

/// Decodes a plane of `len` symbols, at least one. Stored ones are not copied: the slice that is
/// returned is of `data` or of `buffer`.
pub fn decode<'a>(
    data: &mut &'a [u8],
    len: usize,
    place: Place<'_>,
    model: Option<&PlaneModel>,
    buffer: &'a mut Vec<u8>,
    grouped: &mut Vec<u8>,
    simd: Level,
) -> Result<&'a [u8], PredictorError> {
    let method = byte(data)?;
    if method == RAW {
        return take(data, len);
    }
    buffer.resize(len, 0);
    match method {
        CONSTANT => buffer.fill(byte(data)?),
        OWN => {
            let table = DecodeTable::from(&Table::read(data)?);
            let mut decoder = rans::Decoder::new(coded(data)?, simd)?;
            decoder.run(&table, buffer)?;
            decoder.finish()?;
        }
        SHARED => shared(data, place, model.ok_or(BAD)?, buffer, grouped, simd)?,
        ZSTD => {
            let frame = coded(data)?;
            let got = zstd_safe::decompress(&mut buffer[..], frame).map_err(|_| BAD)?;
            if got != len {
                return Err(BAD);
            }
        }
        _ => return Err(BAD),
    }
    Ok(buffer)
}

fn coded<'a>(data: &mut &'a [u8]) -> Result<&'a [u8], PredictorError> {
    let len = read_length(data)?;
    take(data, len)
}

fn shared(
    data: &mut &[u8],
    place: Place<'_>,
    model: &PlaneModel,
    buffer: &mut [u8],
    grouped: &mut Vec<u8>,
    simd: Level,
) -> Result<(), PredictorError> {
    match &model.choice {
        Choice::One => {
            let mut decoder = rans::Decoder::new(coded(data)?, simd)?;
            decoder.run(&model.decode[0], buffer)?;
            decoder.finish()?;
        }
        Choice::Rows => {
            let count = pieces(place.row, place.column, buffer.len()).count();
            let classes = unpack(data, count)?;
            let mut decoder = rans::Decoder::new(coded(data)?, simd)?;
            let mut rest = &mut buffer[..];
            for (piece, class) in pieces(place.row, place.column, rest.len()).zip(classes) {
                let table = model.decode.get(usize::from(class)).ok_or(BAD)?;
                let (symbols, after) = rest.split_at_mut(piece);
                decoder.run(table, symbols)?;
                rest = after;
            }
            decoder.finish()?;
        }
        Choice::Columns(columns) => {
            let runs = columns.runs(place.column, buffer.len());
            grouped.resize(buffer.len(), 0);
            decode_runs(data, &runs, &model.decode, grouped, simd)?;
            columns.ungroup(place.column, &runs, grouped, buffer);
        }
        Choice::Given(classes) => {
            let runs = runs_by(classes, place.given);
            grouped.resize(buffer.len(), 0);
            decode_runs(data, &runs, &model.decode, grouped, simd)?;
            ungroup_by(classes, place.given, grouped, buffer);
        }
    }
    Ok(())
}

fn decode_runs(
    data: &mut &[u8],
    runs: &[usize; CLASSES],
    tables: &[DecodeTable],
    grouped: &mut [u8],
    simd: Level,
) -> Result<(), PredictorError> {
    let mut decoder = rans::Decoder::new(coded(data)?, simd)?;
    let mut rest = grouped;
    for (&run, table) in runs.iter().zip(tables) {
        let (symbols, after) = rest.split_at_mut(run);
        decoder.run(table, symbols)?;
        rest = after;
    }
    decoder.finish()?;
    Ok(())
}
