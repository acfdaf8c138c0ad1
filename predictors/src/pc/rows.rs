//! Records, bit by bit: a circuit that learns from those before, in the mixer of `cm`.

use std::sync::Arc;

use super::asked::Asked;
use super::engine::{Engine, engine};
use super::layout::{Field, Layout};
use crate::bits::Bits;
use crate::cm::mixer::{External, ONE};
use crate::cm::model::Model;
use crate::cm::plan::{CIRCUIT_CONTEXTS, Plan};
use crate::log::stretch;
use crate::segment::PredictorError;
use crate::simd::{self, Job, Kernels, Level};
use crate::zeros::room;

/// The circuit's stretched probability, in the mixer.
const EXTERNALS: [External; 1] = [External {
    weight: 429_496_729,
    rate_shift: 0,
    selector: CIRCUIT_CONTEXTS,
}];
const _: () = assert!(EXTERNALS[0].weight as i64 == ONE as i64 * 2 / 5);

/// Records before which the circuit first learns; it learns again when there are 1.2 times as many.
const FIRST_COURSE: usize = 256;
const GROWTH: (usize, usize) = (6, 5);
/// The most numbers that a circuit has; FORMAT.md, 12.4.
pub const MOST_NUMBERS: usize = 1 << 20;

/// Numbers of a circuit of `states` states over the leading ones of these fields.
#[must_use]
pub fn numbers(fields: &[Field], states: usize) -> usize {
    let variables = fields.iter().filter(|field| field.leading);
    let values = variables.clone().map(|field| usize::from(field.values));
    (variables.count() * states + values.sum::<usize>()) * states
}

/// States of a level's circuit.
#[must_use]
pub fn states(level: u8) -> usize {
    match level {
        ..6 => 8,
        6 => 16,
        _ => 32,
    }
}

/// Codes the records of one segment, one after the other.
pub struct Rows {
    layout: Arc<Layout>,
    model: Box<Model<5, 2>>,
    circuit: Box<dyn Engine>,
    /// Records so far, their fields in the order in which they are coded.
    seen: Vec<u8>,
    count: usize,
    /// How many records there are before the circuit learns next.
    next_course: usize,
    simd: Level,
}

impl Rows {
    /// For up to `rows` records.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn new(level: u8, layout: Arc<Layout>, rows: usize) -> Result<Self, PredictorError> {
        let bytes = rows.saturating_mul(layout.order.len());
        let mut model = Model::new(Plan::records(level), bytes as u64, &EXTERNALS)?;
        model.set_records(Arc::new(layout.records()));
        let simd = simd::active().map_err(PredictorError::Setup)?;
        Ok(Self {
            model: Box::new(model),
            circuit: engine(states(level), &layout, simd),
            seen: room(bytes)?,
            count: 0,
            next_course: FIRST_COURSE,
            simd,
            layout,
        })
    }

    /// In which order fields are coded.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Codes a record, its fields in the order of the file; a decoder's is filled in.
    pub fn code(&mut self, record: &mut [u8], bits: &mut dyn Bits) {
        if self.count == self.next_course {
            self.circuit.learn(&self.seen, self.count);
            self.next_course = self.count * GROWTH.0 / GROWTH.1;
        }
        let job = Code {
            learnt: self.count >= FIRST_COURSE,
            rows: self,
            record,
            bits,
        };
        simd::run(job.rows.simd, job);
        self.count += 1;
    }
}

struct Code<'a> {
    rows: &'a mut Rows,
    learnt: bool,
    record: &'a mut [u8],
    bits: &'a mut dyn Bits,
}

impl Job for Code<'_> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernels>(self) {
        let rows = self.rows;
        let layout = &rows.layout;
        let mut variable = 0;
        for (place, &field) in layout.order.iter().enumerate() {
            let width = usize::from(layout.fields[field].bits);
            let mut asked = None;
            if self.learnt && layout.is_variable[place] {
                asked = Some(Asked::new(&rows.circuit.visit(variable), width));
                variable += 1;
            }
            let is_asked = asked.is_some();
            let wanted = usize::from(self.record[field]);
            let circuit = &*rows.circuit;
            let value = field_bits::<K>(&mut rows.model, circuit, asked, width, wanted, self.bits);
            if is_asked {
                rows.circuit.observe(value);
            }
            self.record[field] = value as u8;
            rows.seen.push(value as u8);
        }
    }
}

/// Codes a field of `width` bits.
#[inline(always)]
fn field_bits<K: Kernels>(
    model: &mut Model<5, 2>,
    circuit: &dyn Engine,
    mut asked: Option<Asked>,
    width: usize,
    wanted: usize,
    bits: &mut dyn Bits,
) -> usize {
    if width < 8 {
        model.skip(8 - width as u32);
    }
    let mut value = 0;
    for position in (0..width).rev() {
        let says = asked.as_ref().map_or(0, |asked| {
            let (ones, zeros) = asked.masses();
            stretch(ones, zeros)
        });
        let class = (i32::from(says) + 32768) as usize >> 11;
        model.set_external(0, says, class * 8 + position);
        let p = model.predict::<K>();
        let bit = bits.code(wanted >> position & 1 == 1, p);
        model.update::<K>(bit);
        if let Some(asked) = &mut asked {
            asked.take(bit);
            if position == 4 {
                asked.lower(&circuit.masses(asked.group()));
            }
        }
        value = value << 1 | usize::from(bit);
    }
    value
}
