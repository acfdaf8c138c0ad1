//! Stacks of equally sized records of bytes: idx files, and arrays of NumPy.

use crate::array_header::ArrayHeader;

/// Where records are in a file: the first one's offset, and their length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stack {
    pub lead: usize,
    pub stride: usize,
}

/// The most bytes of a record.
const LONGEST: usize = 1 << 14;

/// Looks at a file's first bytes.
#[must_use]
pub fn find(data: &[u8]) -> Option<Stack> {
    let ArrayHeader { offset, sides, .. } = ArrayHeader::of_bytes(data)?;
    let (_, record) = sides
        .split_first()
        .filter(|(_, record)| !record.is_empty())?;
    let mut sides = record.iter().copied();
    let stride = sides.try_fold(1_usize, usize::checked_mul)?;
    (2..=LONGEST).contains(&stride).then_some(Stack {
        lead: offset,
        stride,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_all_sides_but_the_first() {
        let idx = |sides: &[u32]| {
            let mut data = vec![0, 0, 8, sides.len() as u8];
            data.extend(sides.iter().flat_map(|side| side.to_be_bytes()));
            data
        };
        let found = |lead, stride| Some(Stack { lead, stride });
        assert_eq!(find(&idx(&[5, 28, 28])), found(16, 784));
        assert_eq!(find(&idx(&[5, 7])), found(12, 7));
        assert_eq!(find(&idx(&[5, 2, 3, 4])), found(20, 24));
        for sides in [&[5][..], &[5, 1], &[5, 1 << 15], &[u32::MAX; 3], &[5, 0, 9]] {
            assert_eq!(find(&idx(sides)), None, "{sides:?}");
        }
    }
}
