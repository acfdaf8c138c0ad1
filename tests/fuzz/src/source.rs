//! Turns the bytes of an input into choices. Past its end everything is zero, so every input works.

/// The unread part of an input.
pub struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub fn u8(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        first
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes([self.u8(), self.u8()])
    }

    pub fn u32(&mut self) -> u32 {
        u32::from_le_bytes([self.u8(), self.u8(), self.u8(), self.u8()])
    }

    /// The next bytes, fewer at the end.
    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Damages coded bytes as the input says: a changed byte, a cut, a longer end.
    pub fn damage(&mut self, coded: &mut Vec<u8>) {
        let kind = self.u8();
        let at = usize::from(self.u16());
        let value = self.u8();
        match kind % 4 {
            0 | 1 if !coded.is_empty() => {
                let at = at % coded.len();
                coded[at] ^= value.max(1);
            }
            2 => coded.truncate(at % (coded.len() + 1)),
            _ => coded.extend(std::iter::repeat_n(value, at % 64 + 1)),
        }
    }
}
