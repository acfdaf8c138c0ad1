//! An archive's index in one call, as FORMAT.md, "Index", lays it out. What is wrong with one is left
//! to the container's reader to say.

use crate::varint;

const SYNC: [u8; 4] = *b"\xe7IDX";
/// Bytes of a label at most.
const MAX_LABEL: usize = 4096;

/// A segment: bytes in the archive, bytes of content, label.
pub type Entry<'a> = (u64, u64, &'a str);

/// The entries of an index without its check; `None` where it is none.
#[must_use]
pub fn entries(mut index: &[u8]) -> Option<Vec<Entry<'_>>> {
    let data = &mut index;
    if data.split_off(..SYNC.len())? != SYNC {
        return None;
    }
    let count = usize::try_from(varint::take(data)?).ok()?;
    // An entry has three bytes at least.
    if count > data.len() / 3 {
        return None;
    }
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        let (length, raw_len) = (varint::take(data)?, varint::take(data)?);
        let label = usize::try_from(varint::take(data)?).ok()?;
        if label > MAX_LABEL {
            return None;
        }
        let label = std::str::from_utf8(data.split_off(..label)?).ok()?;
        entries.push((length, raw_len, label));
    }
    data.is_empty().then_some(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_comes_back_whole_or_not_at_all() {
        let label = "ü".repeat(60);
        let mut index = SYNC.to_vec();
        varint::write(2, &mut index);
        for (length, raw_len, label) in [(300, 1 << 40, ""), (1, 2, &label[..])] {
            varint::write(length, &mut index);
            varint::write(raw_len, &mut index);
            varint::write(label.len() as u64, &mut index);
            index.extend_from_slice(label.as_bytes());
        }
        let expected = vec![(300, 1 << 40, ""), (1, 2, &label[..])];
        assert_eq!(entries(&index), Some(expected));
        for end in 0..index.len() {
            assert_eq!(entries(&index[..end]), None, "{end}");
        }
        assert_eq!(entries(&[&index[..], &[0]].concat()), None);
        let last = index.len() - 1;
        index[last] = 0xff;
        assert_eq!(entries(&index), None);
        let mut many = SYNC.to_vec();
        varint::write(u64::MAX >> 1, &mut many);
        assert_eq!(entries(&many), None);
    }
}
