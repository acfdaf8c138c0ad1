//! Stacks of equally sized records of bytes: idx files, and arrays of NumPy.

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
    let found = idx(data).or_else(|| npy(data))?;
    (2..=LONGEST).contains(&found.stride).then_some(found)
}

/// The format of the MNIST files: zeros, the kind of number (8: bytes), how many sides, the sides.
fn idx(data: &[u8]) -> Option<Stack> {
    let [0, 0, 8, sides @ 2..=4] = *data.first_chunk::<4>()? else {
        return None;
    };
    let lead = 4 + 4 * usize::from(sides);
    let (sides, _) = data.get(4..lead)?.as_chunks::<4>();
    let sides = sides.iter().map(|side| u32::from_be_bytes(*side) as usize);
    let stride = sides.skip(1).try_fold(1_usize, usize::checked_mul)?;
    Some(Stack { lead, stride })
}

/// An array of bytes in C order with two sides or more.
fn npy(data: &[u8]) -> Option<Stack> {
    let rest = data.strip_prefix(b"\x93NUMPY")?;
    let (length, from) = match rest.first()? {
        1 => (
            usize::from(u16::from_le_bytes(*rest.get(2..)?.first_chunk()?)),
            10,
        ),
        _ => (
            u32::from_le_bytes(*rest.get(2..)?.first_chunk()?) as usize,
            12,
        ),
    };
    let lead = from + length;
    let header = std::str::from_utf8(data.get(from..lead)?).ok()?;
    let value = |key: &str| Some(header.split_once(key)?.1.trim_start_matches([' ', ':']));
    let bytes = ["'|u1'", "'<u1'", "'|b1'"];
    if !bytes
        .iter()
        .any(|kind| value("'descr'").is_some_and(|v| v.starts_with(kind)))
        || !value("'fortran_order'")?.starts_with("False")
    {
        return None;
    }
    let shape = value("'shape'")?.strip_prefix('(')?.split_once(')')?.0;
    let sides: Option<Vec<usize>> = shape
        .split(',')
        .map(str::trim)
        .filter(|side| !side.is_empty())
        .map(|side| side.parse().ok())
        .collect();
    let sides = sides.filter(|sides| sides.len() >= 2)?;
    let stride = sides[1..]
        .iter()
        .copied()
        .try_fold(1_usize, usize::checked_mul)?;
    Some(Stack { lead, stride })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read() {
        let idx = b"\0\0\x08\x03\0\0\0\x05\0\0\0\x1c\0\0\0\x1crest";
        let found = Stack {
            lead: 16,
            stride: 784,
        };
        assert_eq!(find(idx), Some(found));
        let mut npy = b"\x93NUMPY\x01\0\x46\0".to_vec();
        npy.extend(b"{'descr': '|u1', 'fortran_order': False, 'shape': (60, 8, 9), }       \n");
        assert_eq!(
            find(&npy),
            Some(Stack {
                lead: 80,
                stride: 72
            })
        );
        for end in 0..idx.len() - 4 {
            assert_eq!(find(&idx[..end]), None);
        }
        for end in 0..npy.len() - 1 {
            assert_eq!(find(&npy[..end]), None);
        }
        assert_eq!(
            find(b"\0\0\x08\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
            None
        );
    }
}
