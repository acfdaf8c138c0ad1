//! Circuits that were trained before, as files: what rows they are for, their tree and weights.

use std::sync::Arc;

use super::layout::{Field, parents};
use crate::circuit::any::AnyCircuit;
use crate::circuit::parameters::Shape;
use crate::circuit::tree::{MOST, Tree};
use crate::segment::PredictorError;
use crate::table::Schema;
use crate::varint;

/// The first bytes of a pack, and the version of what follows.
pub const MAGIC: &[u8; 8] = b"\xf6LZCIRC\n";
const VERSION: u8 = 1;

/// The most numbers of a pack's circuit.
pub const MOST_WEIGHTS: usize = 1 << 26;

const DAMAGED: PredictorError = PredictorError::Corrupt("the circuit is cut off or damaged");

/// What the rows of a pack's circuit are.
pub enum Kind {
    /// Lines of a table, by a schema that allows for exceptions.
    Table(Box<Schema>),
    /// Runs of `stride` bytes, the first of which begins at byte `lead` of the content.
    Stack { lead: usize, stride: usize },
}

/// A trained circuit. Every field of a record is a variable.
pub struct CircuitPack {
    pub kind: Kind,
    pub fields: Vec<Field>,
    /// Variables in the order in which they are coded.
    pub order: Vec<usize>,
    pub circuit: AnyCircuit,
}

/// The fields of a schema's records without the row's kind, each a variable.
#[must_use]
pub fn variables(schema: &Schema) -> Vec<Field> {
    let kind = usize::from(schema.has_exceptions());
    let own = schema.fields()[kind..].iter();
    own.map(|field| Field {
        bits: field.bits,
        values: 1 << field.bits,
        leading: true,
    })
    .collect()
}

/// The pixels of a record of a stack.
#[must_use]
pub fn pixels(stride: usize) -> Vec<Field> {
    let pixel = Field {
        bits: 8,
        values: 256,
        leading: true,
    };
    vec![pixel; stride]
}

/// The shape of a circuit over these fields.
#[must_use]
pub fn shape(fields: &[Field], tree: Tree) -> Shape {
    let values: Vec<usize> = fields
        .iter()
        .map(|field| usize::from(field.values))
        .collect();
    Shape::new(Arc::new(tree), &values)
}

/// The bytes of a pack; FORMAT.md, 13.
#[must_use]
pub fn write(kind: &Kind, states: usize, tree: &Tree, weights: &[u8]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.push(VERSION);
    out.push(states as u8);
    match kind {
        Kind::Table(schema) => {
            out.push(1);
            let mut bytes = Vec::new();
            schema.write(&mut bytes);
            varint::write(bytes.len() as u64, &mut out);
            out.extend_from_slice(&bytes);
        }
        Kind::Stack { lead, stride } => {
            out.push(2);
            varint::write(*lead as u64, &mut out);
            varint::write(*stride as u64, &mut out);
        }
    }
    for variable in 0..tree.len() {
        let parent = tree.parent(variable).map_or(0, |parent| parent + 1);
        varint::write(parent as u64, &mut out);
    }
    out.extend_from_slice(weights);
    let check = crc32fast::hash(&out);
    out.extend_from_slice(&check.to_le_bytes());
    out
}

impl CircuitPack {
    /// Takes up the bytes of a pack.
    ///
    /// # Errors
    /// [`PredictorError::Corrupt`] where they are damaged, [`PredictorError::Unsupported`] for a later
    /// version.
    pub fn read(pack: &[u8]) -> Result<Self, PredictorError> {
        let (pack, check) = pack.split_last_chunk::<4>().ok_or(DAMAGED)?;
        let mut rest = pack.strip_prefix(MAGIC).ok_or(DAMAGED)?;
        let byte = |rest: &mut &[u8]| rest.split_off_first().copied().ok_or(DAMAGED);
        if byte(&mut rest)? != VERSION {
            return Err(PredictorError::Unsupported("version of a circuit"));
        }
        if crc32fast::hash(pack).to_le_bytes() != *check {
            return Err(DAMAGED);
        }
        let states = usize::from(byte(&mut rest)?);
        let kind = byte(&mut rest)?;
        let number = |rest: &mut &[u8]| {
            let number = varint::take(rest).and_then(|n| usize::try_from(n).ok());
            number.ok_or(DAMAGED)
        };
        let (kind, fields) = match kind {
            1 => {
                let length = number(&mut rest)?;
                let schema = Schema::read(rest.split_off(..length).ok_or(DAMAGED)?)?;
                if !schema.has_exceptions() {
                    return Err(DAMAGED);
                }
                let fields = variables(&schema);
                (Kind::Table(Box::new(schema)), fields)
            }
            2 => {
                let (lead, stride) = (number(&mut rest)?, number(&mut rest)?);
                if stride == 0 || stride > MOST || lead > 1 << 16 {
                    return Err(DAMAGED);
                }
                (Kind::Stack { lead, stride }, pixels(stride))
            }
            _ => return Err(PredictorError::Unsupported("kind of circuit")),
        };
        if fields.is_empty() {
            return Err(DAMAGED);
        }
        let tree = Tree::new(&parents(fields.len(), &mut rest)?)?;
        let order = tree.order().iter().map(|&v| usize::from(v)).collect();
        let shape = shape(&fields, tree);
        if (fields.len() * states + shape.all_values()) * states > MOST_WEIGHTS {
            return Err(DAMAGED);
        }
        Ok(Self {
            circuit: AnyCircuit::read(states, &shape, rest)?,
            kind,
            fields,
            order,
        })
    }

    /// Bytes of a record of a stack.
    #[must_use]
    pub fn stride(&self) -> Option<usize> {
        match self.kind {
            Kind::Table(_) => None,
            Kind::Stack { stride, .. } => Some(stride),
        }
    }

    /// Bytes of memory that it takes, about.
    #[must_use]
    pub fn memory(&self) -> u64 {
        let states = self.circuit.states();
        let values: usize = self
            .fields
            .iter()
            .map(|f| usize::from(f.values).max(16))
            .sum();
        // Levels, 16-bit probabilities, and sums of groups.
        ((self.fields.len() * (states + 64) + 2 * values) * states * 3) as u64
    }
}
