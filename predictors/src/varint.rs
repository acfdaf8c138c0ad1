//! LEB128: seven bits a byte, the lowest first; the top bit says that more follow.

/// The most bytes that a value takes.
pub const MAX: usize = 10;

/// Appends `value` in its shortest form.
pub fn write(mut value: u64, out: &mut Vec<u8>) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Bytes that [`write()`] takes.
pub fn len(value: u64) -> usize {
    (value.checked_ilog2().unwrap_or(0) / 7 + 1) as usize
}

/// Takes a value of at most 63 bits in its shortest form off the front; `None` where there is none.
pub fn take(data: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let byte = *data.split_off_first()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return (byte > 0 || shift == 0).then_some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_in_their_shortest_form_alone() {
        for value in (0..63).flat_map(|bits| [(1_u64 << bits) - 1, 1 << bits]) {
            let mut coded = Vec::new();
            write(value, &mut coded);
            assert_eq!(len(value), coded.len());
            assert_eq!(take(&mut &coded[..]), Some(value));
            assert_eq!(take(&mut &coded[..coded.len() - 1]), None);
            *coded.last_mut().unwrap() |= 0x80;
            coded.push(0);
            assert_eq!(take(&mut &coded[..]), None);
        }
        assert_eq!(take(&mut &[0xff; 12][..]), None);
    }
}
