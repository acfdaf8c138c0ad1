//! Questions to the circuit of a pack, and rows from text and back.
//!
//! Rows are codes, a byte a variable in the order of [`CircuitPack::fields`], one row after another.
//! `missing` has a byte for each, other than 0 where the code is not known and is not looked at, or is
//! empty where all are known.

use super::pack::{CircuitPack, Kind};
use crate::circuit::any::AnyCircuit;
use crate::circuit::exact::{Exact, Random, Row};
use crate::segment::PredictorError;
use crate::table::Texts;
use crate::zeros::{filled, room};

const LENGTH: PredictorError = PredictorError::Usage("rows of another length than the circuit's");
const VALUE: PredictorError = PredictorError::Usage("a variable has no such value");

const MEMORY: PredictorError =
    PredictorError::Setup("not enough memory for the answer; ask for fewer rows at a time");

macro_rules! with_exact {
    ($pack:expr, $exact:ident => $body:expr) => {
        match &$pack.circuit {
            AnyCircuit::S4(own) => {
                let $exact = Exact::new(&own.circuit);
                $body
            }
            AnyCircuit::S8(own) => {
                let $exact = Exact::new(&own.circuit);
                $body
            }
            AnyCircuit::S16(own) => {
                let $exact = Exact::new(&own.circuit);
                $body
            }
            AnyCircuit::S32(own) => {
                let $exact = Exact::new(&own.circuit);
                $body
            }
        }
    };
}

impl CircuitPack {
    /// Number of variables, the length of a row.
    #[must_use]
    pub fn variables(&self) -> usize {
        self.fields.len()
    }

    /// Checks rows and takes them apart.
    fn rows<'a>(&self, codes: &'a [u8], missing: &'a [u8]) -> Result<Vec<Row<'a>>, PredictorError> {
        let width = self.variables();
        if !codes.len().is_multiple_of(width)
            || (!missing.is_empty() && missing.len() != codes.len())
        {
            return Err(LENGTH);
        }
        let mut rows = room(codes.len() / width).map_err(|_| MEMORY)?;
        for (number, values) in codes.chunks_exact(width).enumerate() {
            let from = number * width;
            let row = Row {
                values,
                missing: missing.get(from..from + width).unwrap_or(&[]),
            };
            for (variable, field) in self.fields.iter().enumerate() {
                if row
                    .known(variable)
                    .is_some_and(|value| value >= usize::from(field.values))
                {
                    return Err(VALUE);
                }
            }
            rows.push(row);
        }
        Ok(rows)
    }

    /// The natural logarithm of the probability of what is known of each row; 0 where nothing is.
    ///
    /// # Errors
    /// [`PredictorError::Usage`] for rows of another length and codes that a variable does not have.
    pub fn log_prob(&self, codes: &[u8], missing: &[u8]) -> Result<Vec<f64>, PredictorError> {
        let rows = self.rows(codes, missing)?;
        Ok(with_exact!(self, exact => {
            let mut room = exact.room();
            rows.iter().map(|&row| exact.log_prob(row, &mut room)).collect()
        }))
    }

    /// For each variable, row by row, the probability of each of its values given what is known of the
    /// row; of a known value 1.
    ///
    /// # Errors
    /// As [`CircuitPack::log_prob`]; [`PredictorError::Setup`] when there is not enough memory.
    pub fn marginals(&self, codes: &[u8], missing: &[u8]) -> Result<Vec<Vec<f64>>, PredictorError> {
        let rows = self.rows(codes, missing)?;
        let all = self.fields.iter();
        let mut all = all
            .map(|field| room(rows.len() * usize::from(field.values)))
            .collect::<Result<Vec<Vec<f64>>, _>>()
            .map_err(|_| MEMORY)?;
        with_exact!(self, exact => {
            let mut room = exact.room();
            for &row in &rows {
                exact.marginals(row, &mut room, |variable, p| all[variable].extend_from_slice(p));
            }
        });
        Ok(all)
    }

    /// `count` rows, what is missing drawn given what is known: of one row, or of `count`, of each in turn.
    /// One generator, splitmix64, goes on from row to row, so that a seed gives the same rows everywhere,
    /// and fewer of them are the first ones of more.
    ///
    /// # Errors
    /// As [`CircuitPack::log_prob`], and for any other number of rows; [`PredictorError::Setup`] when there
    /// is not enough memory.
    pub fn sample(
        &self,
        count: usize,
        codes: &[u8],
        missing: &[u8],
        seed: u64,
    ) -> Result<Vec<u8>, PredictorError> {
        let rows = self.rows(codes, missing)?;
        if rows.len() != 1 && rows.len() != count {
            return Err(PredictorError::Usage(
                "samples go on from one row, or each from its own",
            ));
        }
        let width = self.variables();
        let bytes = count.checked_mul(width).ok_or(LENGTH)?;
        let mut out = filled(bytes, 0_u8).map_err(|_| MEMORY)?;
        with_exact!(self, exact => {
            let mut random = Random::new(seed);
            let mut room = exact.room();
            for (number, out) in out.chunks_exact_mut(width).enumerate() {
                let row = rows[number % rows.len()];
                if number < rows.len() {
                    exact.condition(row, &mut room);
                }
                exact.sample(row, &mut room, &mut random, out);
            }
        });
        Ok(out)
    }

    /// For each variable the number of its cell in a line of the table, from 0; of a stack its own.
    #[must_use]
    pub fn cells(&self) -> Vec<usize> {
        match &self.kind {
            Kind::Table(schema) => schema.cells(),
            Kind::Stack { stride, .. } => (0..*stride).collect(),
        }
    }

    /// Rows of lines of a table, and the numbers of the lines, from 0, that are none; records of a stack
    /// are rows as they are, all of them. A number that the table has as the change since the line before
    /// is one here, too.
    ///
    /// # Errors
    /// [`PredictorError::Usage`] where a stack's bytes are no whole records.
    pub fn encode(&self, text: &[u8]) -> Result<(Vec<u8>, Vec<usize>), PredictorError> {
        match &self.kind {
            Kind::Table(schema) => {
                let records = schema.split(text)?.records;
                let (mut rows, mut misfits) = (Vec::new(), Vec::new());
                for (line, record) in records.chunks_exact(schema.fields().len()).enumerate() {
                    match record {
                        [0, row @ ..] => rows.extend_from_slice(row),
                        _ => misfits.push(line),
                    }
                }
                Ok((rows, misfits))
            }
            Kind::Stack { stride, .. } if text.len().is_multiple_of(*stride) => {
                Ok((text.to_vec(), Vec::new()))
            }
            Kind::Stack { .. } => Err(LENGTH),
        }
    }

    /// The lines of rows of a table, and the numbers of the rows, from 0, that no line has; of a stack the
    /// rows as they are. Cells that are no variables, but texts, are empty.
    ///
    /// # Errors
    /// [`PredictorError::Usage`] for rows of another length.
    pub fn decode(&self, codes: &[u8]) -> Result<(Vec<u8>, Vec<usize>), PredictorError> {
        let width = self.variables();
        if !codes.len().is_multiple_of(width) {
            return Err(LENGTH);
        }
        let Kind::Table(schema) = &self.kind else {
            return Ok((codes.to_vec(), Vec::new()));
        };
        let empty = vec![b"\n".to_vec(); schema.texts()];
        let mut texts = Texts::new(schema, Vec::new());
        let (mut lines, mut misfits) = (Vec::new(), Vec::new());
        let mut record = vec![0; 1 + width];
        for (number, row) in codes.chunks_exact(width).enumerate() {
            record[1..].copy_from_slice(row);
            // What the next row must know comes of whole rows alone.
            let (before, start) = (texts.clone(), lines.len());
            texts.refill(empty.clone());
            match schema.join(&record, &mut texts, false, &mut lines) {
                Ok(()) => {}
                Err(PredictorError::Corrupt(_)) => {
                    texts = before;
                    lines.truncate(start);
                    misfits.push(number);
                }
                Err(error) => return Err(error),
            }
        }
        Ok((lines, misfits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pc::{Training, train};
    use crate::segment::find;

    fn pack(data: &[u8], states: usize) -> CircuitPack {
        let training = Training {
            states,
            passes: 20,
            threads: 1,
        };
        CircuitPack::read(&train(data, training, &mut |_| true).unwrap()).unwrap()
    }

    /// A table whose second column follows the first, and the third in part.
    fn table(rows: u32) -> Vec<u8> {
        let mut text = String::from("colour,shape,size,n\n");
        let mut state = 9_u32;
        for row in 0..rows {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let colour = (state >> 20) as usize % 3;
            let shape = if state >> 29 == 0 { 2 } else { colour };
            let size = (colour + (state >> 26 & 1) as usize) % 3;
            text += &format!(
                "{},{},{},{}\n",
                ["red", "green", "blue"][colour],
                ["round", "flat", "long"][shape],
                ["S", "M", "L"][size],
                1000 + row
            );
        }
        text.into_bytes()
    }

    #[test]
    fn all_rows_of_a_table_come_to_one() {
        for states in [4, 8, 16, 32] {
            let pack = pack(&table(2000), states);
            let values: Vec<usize> = pack.fields.iter().map(|f| usize::from(f.values)).collect();
            assert_eq!(pack.cells(), [0, 1, 2, 3][..values.len()]);
            let count: usize = values.iter().product();
            let mut rows = Vec::new();
            for mut number in 0..count {
                for size in &values {
                    rows.push((number % size) as u8);
                    number /= size;
                }
            }
            let log = pack.log_prob(&rows, &[]).unwrap();
            let sum: f64 = log.iter().map(|log| log.exp()).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{sum}");
            let all = vec![1; rows.len()];
            assert!(
                pack.log_prob(&rows, &all)
                    .unwrap()
                    .iter()
                    .all(|&p| p == 0.0)
            );
            // Of a variable, its marginal given another is a quotient of probabilities.
            let width = values.len();
            let mut missing = vec![1; width];
            missing[0] = 0;
            let marginals = pack.marginals(&rows[..width], &missing).unwrap();
            let given = pack.log_prob(&rows[..width], &missing).unwrap()[0];
            missing[1] = 0;
            for (value, p) in marginals[1].iter().enumerate() {
                let mut row = rows[..width].to_vec();
                row[1] = value as u8;
                let joint = pack.log_prob(&row, &missing).unwrap()[0];
                assert!((p - (joint - given).exp()).abs() < 1e-12);
            }
            assert_eq!((marginals[0][0], marginals[0].len()), (1.0, values[0]));
        }
    }

    #[test]
    fn what_the_table_has_is_known() {
        let pack = pack(&table(4000), 8);
        let (rows, misfits) = pack.encode(b"red,round,S,1000\nred,long,S,1001\n").unwrap();
        assert!(misfits.is_empty());
        let width = pack.variables();
        let mut missing = vec![0; width];
        missing[1] = 1;
        let marginals = pack.marginals(&rows[..width], &missing).unwrap();
        let [round, long] = [1, width + 1].map(|at| marginals[1][usize::from(rows[at])]);
        // One in eight is long whatever its colour.
        assert!(
            (round - 7.0 / 8.0).abs() < 0.03 && (long - 1.0 / 8.0).abs() < 0.03,
            "{round} {long}"
        );
        let drawn = pack.sample(2000, &rows[..width], &missing, 3).unwrap();
        let rounds = drawn.chunks(width).filter(|row| row[1] == rows[1]).count();
        assert!((1680..1820).contains(&rounds), "{rounds}");
        assert!(drawn.chunks(width).all(|row| row[0] == rows[0]));
        let again = pack.sample(100, &rows[..width], &missing, 3).unwrap();
        assert_eq!(again, drawn[..again.len()]);
        assert_ne!(
            again,
            pack.sample(100, &rows[..width], &missing, 4).unwrap()
        );
        // A row for each sample.
        let missing = [vec![1; width], vec![0; width]].concat();
        let two = pack.sample(2, &rows, &missing, 0).unwrap();
        assert_eq!(two[width..], rows[width..]);
    }

    #[test]
    fn probabilities_are_what_rows_cost() {
        let data = table(3000);
        let pack = pack(&data, 16);
        let mut lines = data[data.iter().position(|&b| b == b'\n').unwrap() + 1..].to_vec();
        // Also rows that the circuit was not trained on.
        for n in 0..120 {
            let row = ["red,flat,L", "blue,round,M", "green,flat,S"][n % 3];
            lines.extend(format!("{row},{}\n", 4000 + n).bytes());
        }
        let (rows, misfits) = pack.encode(&lines).unwrap();
        let bits: f64 = pack.log_prob(&rows, &[]).unwrap().iter().sum::<f64>() / -2_f64.ln();
        let mut encoder = (find("circuit", 1).unwrap().encoder)(&[], lines.len() as u64).unwrap();
        encoder.set_circuit(std::sync::Arc::new(pack)).unwrap();
        encoder.write(&lines).unwrap();
        let coded = encoder.finish_chunk().unwrap().len() as f64 * 8.0;
        assert!(misfits.is_empty() && bits > 10_000.0);
        // Kinds of rows take some.
        assert!(
            (coded - bits).abs() < 0.02 * coded + 400.0,
            "{coded} {bits}"
        );
    }

    #[test]
    fn lines_and_rows_go_there_and_back() {
        let data = table(500);
        let pack = pack(&data, 4);
        let text = b"red,flat,L,1000\nno row\nblue,round,S,1001\ngreen,flat,S,1002";
        let (rows, misfits) = pack.encode(text).unwrap();
        assert_eq!(misfits, [1, 3]);
        let (lines, none) = pack.decode(&rows).unwrap();
        assert_eq!(
            (lines, none),
            (b"red,flat,L,1000\nblue,round,S,1001\n".to_vec(), vec![])
        );
        let mut rows = [&rows[..], &rows].concat();
        rows[1] = 3;
        let (lines, misfits) = pack.decode(&rows).unwrap();
        assert_eq!(misfits, [0]);
        assert_eq!(lines.iter().filter(|&&b| b == b'\n').count(), 3);
        assert_eq!(pack.encode(&lines).unwrap().1, [0; 0]);
    }

    #[test]
    fn records_of_a_stack_are_rows() {
        let mut data = b"\0\0\x08\x02\0\0\x02\0\0\0\0\x03".to_vec();
        data.extend((0..512_u32).flat_map(|n| [n as u8 & 3, n as u8 & 3, 200]));
        let pack = pack(&data, 4);
        let records = &data[12..];
        assert_eq!(pack.encode(records).unwrap(), (records.to_vec(), vec![]));
        assert_eq!(pack.decode(records).unwrap(), (records.to_vec(), vec![]));
        assert!(pack.encode(&records[1..]).is_err() && pack.decode(&records[1..]).is_err());
        let marginals = pack.marginals(&[2, 0, 0], &[0, 1, 1]).unwrap();
        assert!(marginals[1][2] > 0.9 && marginals[2][200] > 0.9);
        assert_eq!(pack.cells(), [0, 1, 2]);
    }

    #[test]
    fn what_cannot_be_asked_is_refused() {
        let pack = pack(&table(500), 4);
        let width = pack.variables();
        let row = vec![0; width];
        let known = vec![0; width];
        assert!(pack.log_prob(&[], &[]).unwrap().is_empty());
        for (codes, missing) in [
            (&row[1..], &[][..]),
            (&row, &known[1..]),
            (&[255].repeat(width), &known),
        ] {
            assert!(pack.log_prob(codes, missing).is_err());
            assert!(pack.marginals(codes, missing).is_err());
            assert!(pack.sample(1, codes, missing, 0).is_err());
        }
        // What is missing is not looked at.
        assert!(
            pack.log_prob(&[255].repeat(width), &[1].repeat(width))
                .is_ok()
        );
        assert!(pack.sample(3, &row.repeat(2), &[], 0).is_err());
        assert!(pack.sample(usize::MAX, &row, &[], 0).is_err());
        assert!(pack.sample(0, &row, &[], 0).unwrap().is_empty());
    }
}
