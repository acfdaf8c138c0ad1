//! Training a circuit on a whole file, to be used for others like it.

use super::pack::{CircuitPack, Kind, MOST_WEIGHTS, pixels, shape, variables, write};
use super::stack;
use crate::circuit::any::STATES;
use crate::circuit::expect::Data;
use crate::circuit::learn::{Course, Learner};
use crate::circuit::parameters::Shape;
use crate::circuit::structure::{Sample, chow_liu};
use crate::circuit::weights::Weights;
use crate::segment::PredictorError;
use crate::simd;
use crate::table::Schema;

/// How to train.
#[derive(Debug, Clone, Copy)]
pub struct Training {
    /// States of each latent: 4, 8, 16 or 32.
    pub states: usize,
    /// How often each row is looked at.
    pub passes: usize,
    /// How many threads work at a time.
    pub threads: usize,
}

/// Rows of a mini-batch: more are quicker, fewer learn more from few rows.
const BATCH: std::ops::RangeInclusive<usize> = 128..=1024;
/// Mini-batches of a pass that are aimed at.
const BATCHES: usize = 64;
const SHARE: [f32; 2] = [0.5, 0.03];

/// What a circuit is trained on.
struct Content {
    kind: Kind,
    fields: Vec<super::layout::Field>,
    records: Vec<u8>,
}

fn content(data: &[u8]) -> Result<Content, PredictorError> {
    const NOTHING: PredictorError =
        PredictorError::Usage("neither a table of text nor a stack of equal records of bytes");
    if let Some(stack) = stack::find(data) {
        let stack::Stack { lead, stride } = stack;
        let body = &data[lead.min(data.len())..];
        return Ok(Content {
            kind: Kind::Stack { lead, stride },
            fields: pixels(stride),
            records: body[..body.len() / stride * stride].to_vec(),
        });
    }
    let schema = Schema::find(data).ok_or(NOTHING)?.with_exceptions();
    let rows = schema.split(data)?;
    let records = rows.records.chunks_exact(schema.fields().len());
    Ok(Content {
        fields: variables(&schema),
        records: records
            .filter(|record| record[0] == 0)
            .flat_map(|record| &record[1..])
            .copied()
            .collect(),
        kind: Kind::Table(Box::new(schema)),
    })
}

/// Trains a circuit on `data`, a table or a stack of records; returns the bytes of its pack. `progress`
/// hears of each pass, and ends the training by saying no.
///
/// # Errors
/// [`PredictorError::Usage`] where the data is neither, or too large for a circuit of so many states, and
/// where `progress` said no.
pub fn train(
    data: &[u8],
    training: Training,
    progress: &mut (dyn FnMut(usize) -> bool + Send),
) -> Result<Vec<u8>, PredictorError> {
    let content = content(data)?;
    let stride = content.fields.len();
    let rows = content.records.len() / stride;
    if rows == 0 {
        return Err(PredictorError::Usage("there is no whole row to learn from"));
    }
    let values: Vec<usize> = content
        .fields
        .iter()
        .map(|f| usize::from(f.values))
        .collect();
    let all: usize = values.iter().sum();
    if (stride * training.states + all) * training.states > MOST_WEIGHTS {
        return Err(PredictorError::Usage("too many columns for a circuit"));
    }
    let tree = chow_liu(&Sample {
        rows,
        values: &values,
        get: &|row, variable| usize::from(content.records[row * stride + variable]),
    });
    let job = Run {
        shape: shape(&content.fields, tree.clone()),
        records: &content.records,
        training,
        rows,
    };
    let weights = match training.states {
        4 => job.weights::<4>(progress)?,
        8 => job.weights::<8>(progress)?,
        16 => job.weights::<16>(progress)?,
        32 => job.weights::<32>(progress)?,
        _ => return Err(PredictorError::Usage("a circuit has 4, 8, 16 or 32 states")),
    };
    debug_assert!(STATES.contains(&training.states));
    let pack = write(&content.kind, training.states, &tree, &weights);
    // What was made can be taken up.
    CircuitPack::read(&pack)?;
    Ok(pack)
}

struct Run<'a> {
    shape: Shape,
    records: &'a [u8],
    training: Training,
    rows: usize,
}

impl Run<'_> {
    fn weights<const M: usize>(
        &self,
        progress: &mut (dyn FnMut(usize) -> bool + Send),
    ) -> Result<Vec<u8>, PredictorError> {
        let stride = self.shape.variables();
        let places: Vec<usize> = (0..stride).collect();
        let data = Data {
            values: self.records,
            stride,
            places: &places,
        };
        let level = simd::active().map_err(PredictorError::Setup)?;
        let mut learner = Learner::<M>::new(level, self.shape.clone(), data, self.rows);
        let course = Course {
            passes: self.training.passes,
            batch: (self.rows / BATCHES).clamp(*BATCH.start(), *BATCH.end()),
            share: SHARE,
        };
        let threads = self.training.threads.max(1);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|_| PredictorError::Setup("threads cannot be started"))?;
        let all = pool.install(|| learner.learn_with(data, self.rows, course, threads, progress));
        if !all {
            return Err(PredictorError::Usage("the training was ended"));
        }
        Ok(Weights::new(&self.shape, &learner.parameters).write(&self.shape))
    }
}
