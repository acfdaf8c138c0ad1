//! In which order the fields of a record are coded, and what each is predicted from.

use std::sync::Arc;

use super::ranks::{Pool, rank};
use crate::circuit::structure::{Sample, chow_liu};
use crate::circuit::tree::Tree;
use crate::cm::records::{RANKS, Records};
use crate::segment::PredictorError;
use crate::varint;

const DAMAGED: PredictorError = PredictorError::Corrupt("the layout of a table is damaged");

/// A field of a record: one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The value is below `1 << bits`; 1 to 8.
    pub bits: u8,
    /// The number of values, 2 to 256.
    pub values: u16,
    /// Whether the field may be a variable of the circuit; where not, it goes with the one before it.
    pub leading: bool,
}

/// Takes the parents of variables off the front of `data`.
///
/// # Errors
/// [`PredictorError::Corrupt`] where there are none.
pub fn parents(variables: usize, data: &mut &[u8]) -> Result<Vec<Option<usize>>, PredictorError> {
    let mut parents = Vec::new();
    for _ in 0..variables {
        let parent = varint::take(data).ok_or(DAMAGED)?;
        let parent = usize::try_from(parent).map_err(|_| DAMAGED)?;
        parents.push(parent.checked_sub(1));
    }
    Ok(parents)
}

/// How records are coded.
#[derive(Debug)]
pub struct Layout {
    /// Fields in the order in which they are coded.
    pub order: Vec<usize>,
    pub fields: Vec<Field>,
    /// The circuit's variables are the leading fields.
    pub tree: Arc<Tree>,
    /// For each variable its place in the order, and its number of values.
    pub places: Vec<usize>,
    pub values: Vec<usize>,
    /// For each place whether it is a variable.
    pub is_variable: Vec<bool>,
    pub ranks: Vec<Vec<u32>>,
}

impl Layout {
    /// Looks at all records of a segment, each as long as `fields`, the first of which is leading.
    #[must_use]
    pub fn find(fields: &[Field], records: &[u8]) -> Self {
        let stride = fields.len();
        let leading: Vec<usize> = (0..stride).filter(|&f| fields[f].leading).collect();
        let values: Vec<usize> = leading
            .iter()
            .map(|&f| usize::from(fields[f].values))
            .collect();
        let tree = chow_liu(&Sample {
            rows: records.len() / stride,
            values: &values,
            get: &|row, variable| usize::from(records[row * stride + leading[variable]]),
        });
        let mut layout = Self::new(fields, tree);
        let pool = Pool::new(records, &layout.order);
        layout.ranks = (0..stride)
            .map(|place| rank(&pool, place, fields[layout.order[place]].values))
            .collect();
        layout
    }

    fn new(fields: &[Field], tree: Tree) -> Self {
        let leading: Vec<usize> = (0..fields.len()).filter(|&f| fields[f].leading).collect();
        let mut order = Vec::new();
        let mut places = vec![0; leading.len()];
        let mut is_variable = Vec::new();
        for &variable in tree.order() {
            let first = leading[usize::from(variable)];
            places[usize::from(variable)] = order.len();
            let more = fields[first + 1..]
                .iter()
                .take_while(|field| !field.leading);
            let end = first + 1 + more.count();
            order.extend(first..end);
            is_variable.extend((first..end).map(|field| field == first));
        }
        Self {
            order,
            fields: fields.to_vec(),
            values: leading
                .iter()
                .map(|&f| usize::from(fields[f].values))
                .collect(),
            tree: Arc::new(tree),
            places,
            is_variable,
            ranks: Vec::new(),
        }
    }

    /// What contexts are made of.
    #[must_use]
    pub fn records(&self) -> Records {
        Records::new(&self.ranks)
    }

    /// Appends the layout's bytes; FORMAT.md, 12.3.
    pub fn write(&self, out: &mut Vec<u8>) {
        for variable in 0..self.tree.len() {
            let parent = self.tree.parent(variable).map_or(0, |parent| parent + 1);
            varint::write(parent as u64, out);
        }
        for ranks in &self.ranks {
            out.push(ranks.len() as u8);
            ranks
                .iter()
                .for_each(|&distance| varint::write(u64::from(distance), out));
        }
    }

    /// Takes the layout of records of `fields` off the front of `data`.
    ///
    /// # Errors
    /// [`PredictorError::Corrupt`] where there is none.
    pub fn read(fields: &[Field], data: &mut &[u8]) -> Result<Self, PredictorError> {
        if !fields.first().is_some_and(|field| field.leading) {
            return Err(DAMAGED);
        }
        let variables = fields.iter().filter(|field| field.leading).count();
        let mut layout = Self::new(fields, Tree::new(&parents(variables, data)?)?);
        for place in 0..fields.len() {
            let count = usize::from(*data.split_off_first().ok_or(DAMAGED)?);
            if count > RANKS {
                return Err(DAMAGED);
            }
            let mut ranks = Vec::new();
            for _ in 0..count {
                let distance = varint::take(data).ok_or(DAMAGED)?;
                let near = 1..=place as u64;
                let above = [1, 2].map(|n| n * fields.len() as u64);
                if !near.contains(&distance) && !above.contains(&distance) {
                    return Err(DAMAGED);
                }
                ranks.push(distance as u32);
            }
            layout.ranks.push(ranks);
        }
        Ok(layout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_comes_back_and_broken_ones_do_not() {
        let field = |bits, leading| Field {
            bits,
            values: 1 << bits,
            leading,
        };
        let fields = [
            field(2, true),
            field(3, true),
            field(8, false),
            field(1, true),
        ];
        let records: Vec<u8> = (0..4000_u32)
            .flat_map(|row| {
                let x = row.wrapping_mul(2_654_435_761) >> 20;
                [x & 3, (x >> 2) & 7, (x >> 2) & 7, x >> 1 & 1]
            })
            .map(|v| v as u8)
            .collect();
        let layout = Layout::find(&fields, &records);
        assert_eq!(layout.order.len(), 4);
        let place = layout.order.iter().position(|&f| f == 2).unwrap();
        assert_eq!(layout.order[place - 1], 1);
        assert_eq!(layout.ranks[place][0], 1, "it repeats the byte before");
        let mut bytes = Vec::new();
        layout.write(&mut bytes);
        let back = Layout::read(&fields, &mut &bytes[..]).unwrap();
        assert_eq!((&back.order, &back.ranks), (&layout.order, &layout.ranks));
        for end in 0..bytes.len() {
            assert!(Layout::read(&fields, &mut &bytes[..end]).is_err());
        }
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 0x55;
            let _ = Layout::read(&fields, &mut &broken[..]);
        }
    }
}
