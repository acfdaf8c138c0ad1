//! Records, bit by bit: a circuit that learns from those before, in the mixer of `cm`.

use std::sync::Arc;

use super::layout::Layout;
use crate::bits::Bits;
use crate::circuit::expect::Data;
use crate::circuit::learn::{Course, Learner};
use crate::circuit::parameters::Shape;
use crate::circuit::quantised::{Belief, Circuit, NIBBLE};
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
/// How it learns.
const PASSES: usize = 3;
const MOST_BATCH: usize = 256;
const SHARE: [f32; 2] = [0.5, 0.03];

/// Mass that every value has besides the circuit's.
const EVEN_MASS: u64 = 64;

/// The most numbers that a circuit has; FORMAT.md, 12.4.
pub const MOST_NUMBERS: usize = 1 << 20;

/// Numbers of a circuit of `states` states.
#[must_use]
pub fn numbers(layout: &Layout, states: usize) -> usize {
    let values: usize = layout.values.iter().sum();
    (layout.values.len() * states + values) * states
}

/// Codes the records of one segment, one after the other.
pub struct Rows<const M: usize> {
    layout: Arc<Layout>,
    model: Box<Model<5, 2>>,
    shape: Shape,
    places: Vec<usize>,
    learner: Option<Learner<M>>,
    circuit: Option<Circuit<M>>,
    belief: Belief<M>,
    /// Records so far, their fields in the order in which they are coded.
    seen: Vec<u8>,
    count: usize,
    /// How many records there are before the circuit learns next.
    next_course: usize,
    simd: Level,
}

impl<const M: usize> Rows<M> {
    /// For up to `rows` records.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn new(level: u8, layout: Arc<Layout>, rows: usize) -> Result<Self, PredictorError> {
        let bytes = rows.saturating_mul(layout.order.len());
        let mut model = Model::new(Plan::records(level), bytes as u64, &EXTERNALS)?;
        model.set_records(Arc::new(layout.records()));
        let shape = Shape::new(layout.tree.clone(), &layout.values);
        Ok(Self {
            places: layout.places.clone(),
            model: Box::new(model),
            learner: None,
            circuit: None,
            belief: Belief::new(&shape),
            seen: room(bytes)?,
            count: 0,
            next_course: FIRST_COURSE,
            simd: simd::active().map_err(PredictorError::Setup)?,
            shape,
            layout,
        })
    }

    /// Codes a record, its fields in the order of the file; a decoder's is filled in.
    pub fn code(&mut self, record: &mut [u8], bits: &mut impl Bits) {
        if self.count == self.next_course {
            self.learn();
        }
        simd::run(
            self.simd,
            Code {
                rows: self,
                record,
                bits,
            },
        );
        self.count += 1;
    }

    fn learn(&mut self) {
        let data = Data {
            values: &self.seen,
            stride: self.layout.order.len(),
            places: &self.places,
        };
        let learner = self
            .learner
            .get_or_insert_with(|| Learner::new(self.simd, self.shape.clone(), data, self.count));
        learner.learn(
            data,
            self.count,
            Course {
                passes: PASSES,
                batch: (self.count / 4).min(MOST_BATCH),
                share: SHARE,
            },
        );
        self.circuit = Some(Circuit::new(&self.shape, &learner.parameters));
        self.next_course = self.count * GROWTH.0 / GROWTH.1;
    }
}

struct Code<'a, const M: usize, B> {
    rows: &'a mut Rows<M>,
    record: &'a mut [u8],
    bits: &'a mut B,
}

impl<const M: usize, B: Bits> Job for Code<'_, M, B> {
    type Output = ();

    #[inline(always)]
    fn run<K: Kernels>(self) {
        let rows = self.rows;
        let layout = &rows.layout;
        let mut variable = 0;
        for (place, &field) in layout.order.iter().enumerate() {
            let width = usize::from(layout.fields[field].bits);
            let mut asked = None;
            if let Some(circuit) = &rows.circuit
                && layout.is_variable[place]
            {
                rows.belief.visit(circuit, variable);
                variable += 1;
                asked = Some(Asked::new(circuit, &rows.belief, width));
            }
            let value = usize::from(self.record[field]);
            let value = field_bits::<K, M>(&mut rows.model, asked, width, value, self.bits);
            if let Some(circuit) = &rows.circuit
                && layout.is_variable[place]
            {
                rows.belief.observe(circuit, value);
            }
            self.record[field] = value as u8;
            rows.seen.push(value as u8);
        }
    }
}

/// What a circuit says of a field's bits, from the top one on.
pub struct Asked<'a, const M: usize> {
    circuit: &'a Circuit<M>,
    belief: &'a Belief<M>,
    /// Sums of the masses before each value, or each group of values while the upper nibble lasts.
    before: [u64; NIBBLE + 1],
    from: usize,
    to: usize,
}

impl<'a, const M: usize> Asked<'a, M> {
    /// Of the variable that `belief` has gone to, whose values have `width` bits.
    #[inline(always)]
    pub fn new(circuit: &'a Circuit<M>, belief: &'a Belief<M>, width: usize) -> Self {
        let (masses, upper) = if width > 4 {
            (belief.group_masses(circuit), width - 4)
        } else {
            (belief.masses(circuit, 0), width)
        };
        let mut asked = Self {
            circuit,
            belief,
            before: [0; NIBBLE + 1],
            from: 0,
            to: 1 << upper,
        };
        asked.sum(masses);
        asked
    }

    #[inline(always)]
    fn sum(&mut self, masses: [u32; NIBBLE]) {
        for (i, mass) in masses.into_iter().enumerate() {
            self.before[i + 1] = self.before[i] + u64::from(mass);
        }
    }

    /// Masses of a one and a zero as the next bit, neither 0.
    #[inline(always)]
    pub fn masses(&self) -> (u64, u64) {
        let middle = usize::midpoint(self.from, self.to);
        let zeros = self.before[middle] - self.before[self.from];
        let ones = self.before[self.to] - self.before[middle];
        (ones + EVEN_MASS, zeros + EVEN_MASS)
    }

    /// Takes the bit; `lower` says that the lower nibble begins after it.
    #[inline(always)]
    pub fn take(&mut self, bit: bool, lower: bool) {
        let middle = usize::midpoint(self.from, self.to);
        if bit {
            self.from = middle;
        } else {
            self.to = middle;
        }
        if lower {
            let masses = self.belief.masses(self.circuit, self.from);
            self.sum(masses);
            (self.from, self.to) = (0, NIBBLE);
        }
    }
}

/// Codes a field of `width` bits.
#[inline(always)]
fn field_bits<K: Kernels, const M: usize>(
    model: &mut Model<5, 2>,
    mut asked: Option<Asked<'_, M>>,
    width: usize,
    wanted: usize,
    bits: &mut impl Bits,
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
            asked.take(bit, position == 4);
        }
        value = value << 1 | usize::from(bit);
    }
    value
}
