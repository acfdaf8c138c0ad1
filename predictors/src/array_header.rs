//! Headers of files that hold one array of whole numbers: idx (that of MNIST) and NumPy's .npy.

use crate::table::Elements;

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrayHeader {
    /// Where the array begins.
    pub offset: usize,
    /// Its sides, the slowest first.
    pub sides: Vec<usize>,
    pub elements: Elements,
}

impl ArrayHeader {
    /// The header of a file that begins with `data`; `None` where it is not one of an array of whole
    /// numbers in C order, the lowest byte of each first, or is cut off.
    #[must_use]
    pub fn read(data: &[u8]) -> Option<Self> {
        idx(data).or_else(|| npy(data))
    }

    /// The same of an array of bytes.
    #[must_use]
    pub fn of_bytes(data: &[u8]) -> Option<Self> {
        Self::read(data).filter(|header| header.elements == BYTES)
    }
}

const BYTES: Elements = Elements {
    bytes: 1,
    signed: false,
};

/// Two zeros, 8 for bytes, the number of sides, the sides in big-endian order.
fn idx(data: &[u8]) -> Option<ArrayHeader> {
    let &[0, 0, 8, count] = data.first_chunk::<4>()? else {
        return None;
    };
    let offset = 4 + 4 * usize::from(count);
    let (sides, _) = data.get(4..offset)?.as_chunks::<4>();
    let sides = sides.iter().map(|side| u32::from_be_bytes(*side) as usize);
    Some(ArrayHeader {
        offset,
        sides: sides.collect(),
        elements: BYTES,
    })
}

/// A header that is a dictionary in Python's syntax.
fn npy(data: &[u8]) -> Option<ArrayHeader> {
    let rest = data.strip_prefix(b"\x93NUMPY")?;
    let (start, length) = match *rest {
        [1, _, a, b, ..] => (10, usize::from(u16::from_le_bytes([a, b]))),
        [2 | 3, _, a, b, 0, 0, ..] => (12, usize::from(u16::from_le_bytes([a, b]))),
        _ => return None,
    };
    let header = std::str::from_utf8(data.get(start..start + length)?).ok()?;
    let header: String = header.chars().filter(|c| !c.is_whitespace()).collect();
    if !header.contains("'fortran_order':False") {
        return None;
    }
    let (_, name) = header.split_once("'descr':'")?;
    let (name, _) = name.split_once('\'')?;
    let elements = match name.strip_prefix(['|', '<']).unwrap_or(name) {
        // A boolean is a byte, too.
        "u1" | "uint8" | "b1" => BYTES,
        kind => {
            let bytes = kind.get(1..)?.parse().ok()?;
            let signed = kind.starts_with('i');
            // Bytes alone have no order; only the lowest first is told by `<`.
            let sound = name.starts_with(if bytes == 1 { '|' } else { '<' });
            (sound && (signed || kind.starts_with('u'))).then(|| Elements::new(bytes, signed))??
        }
    };
    let (_, tuple) = header.split_once("'shape':(")?;
    let (tuple, _) = tuple.split_once(')')?;
    let sides = tuple.split(',').filter(|side| !side.is_empty());
    Some(ArrayHeader {
        offset: start + length,
        sides: sides.map(str::parse).collect::<Result<_, _>>().ok()?,
        elements,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_or_cut_off() {
        let idx = b"\0\0\x08\x03\0\0\0\x05\0\0\0\x1c\0\0\0\x1crest";
        let mut npy = b"\x93NUMPY\x01\0\x46\0".to_vec();
        npy.extend(b"{'descr': '|u1', 'fortran_order': False, 'shape': (60, 8, 9), }       \n");
        for (data, offset, sides) in [(&idx[..], 16, [5, 28, 28]), (&npy, 80, [60, 8, 9])] {
            let wanted = ArrayHeader {
                offset,
                sides: sides.to_vec(),
                elements: BYTES,
            };
            assert_eq!(ArrayHeader::read(data), Some(wanted));
            for end in 0..offset {
                assert_eq!(ArrayHeader::read(&data[..end]), None, "{end}");
            }
        }
        let text = String::from_utf8(npy[10..].to_vec()).unwrap();
        for (from, to) in [
            ("|u1", ">i4"),
            ("|u1", "<f4"),
            ("|u1", "<i3"),
            ("False", "True"),
            ("(60,", "[60,"),
            ("8,", "x,"),
        ] {
            let mut other = npy[..10].to_vec();
            let line = text.trim_end().replace(from, to);
            other.extend(format!("{line:<69}\n").bytes());
            assert_eq!(ArrayHeader::read(&other), None, "{to}");
        }
        for name in ["<u1", "|b1"] {
            let mut other = npy[..10].to_vec();
            other.extend(text.replace("|u1", name).bytes());
            assert_eq!(ArrayHeader::read(&other), ArrayHeader::read(&npy));
        }
        for (name, bytes, signed) in [("|i1", 1, true), ("<u2", 2, false), ("<i8", 8, true)] {
            let mut other = npy[..10].to_vec();
            other.extend(text.replace("|u1", name).bytes());
            let header = ArrayHeader::read(&other).unwrap();
            assert_eq!(header.elements, Elements { bytes, signed });
            assert_eq!(ArrayHeader::of_bytes(&other), None);
        }
    }
}
