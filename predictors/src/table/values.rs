//! Lists of cells, and where a cell stands in one.

/// Cells one after another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Values {
    blob: Vec<u8>,
    ends: Vec<u32>,
}

impl Values {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of all values.
    pub fn bytes(&self) -> usize {
        self.blob.len()
    }

    pub fn get(&self, number: usize) -> Option<&[u8]> {
        let end = *self.ends.get(number)? as usize;
        let start = number
            .checked_sub(1)
            .map_or(0, |before| self.ends[before] as usize);
        self.blob.get(start..end)
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).filter_map(|number| self.get(number))
    }

    /// Appends what `write` appends to the bytes.
    pub fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.blob);
        self.ends.push(self.blob.len() as u32);
    }

    pub fn push(&mut self, value: &[u8]) {
        self.push_with(|blob| blob.extend_from_slice(value));
    }
}

impl<'a> FromIterator<&'a [u8]> for Values {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(cells: I) -> Self {
        let mut values = Self::default();
        cells.into_iter().for_each(|cell| values.push(cell));
        values
    }
}

/// The most places that are looked at for a cell: more say that the table is of no use.
const PROBES: usize = 64;

/// Different values and their numbers. Where few places are looked at, a value may be taken for a new one.
#[derive(Debug, Clone)]
pub(super) struct Lookup {
    pub values: Values,
    /// Number + 1 of each value of one byte: columns of letters are common.
    letters: Box<[u32; 256]>,
    hashes: Vec<u32>,
    /// Number + 1 of a value, 0 where there is none; a power of two of them.
    slots: Vec<u32>,
    /// The most places that are looked at.
    probes: usize,
}

/// What became of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Added {
    Old(usize),
    New,
    /// Too many fell on one place.
    Full,
}

impl Lookup {
    pub fn new() -> Self {
        Self {
            values: Values::default(),
            letters: Box::new([0; 256]),
            hashes: Vec::new(),
            slots: vec![0; 64],
            probes: PROBES,
        }
    }

    /// A table in which each of the values is found; they differ.
    pub fn of(values: &Values) -> Self {
        let mut lookup = Self::new();
        lookup.probes = usize::MAX;
        for value in values.iter() {
            if lookup.add(value) != Added::New {
                // Keeps the numbers as they are.
                lookup.values.push(value);
                lookup.hashes.push(hash(value));
            }
        }
        lookup
    }

    /// The number of a value.
    pub fn find(&self, cell: &[u8]) -> Option<usize> {
        if let [byte] = cell {
            return (self.letters[usize::from(*byte)] as usize).checked_sub(1);
        }
        self.place(hash(cell), cell).ok()
    }

    /// The number of a cell, or the free slot where it would be, if any.
    fn place(&self, hash: u32, cell: &[u8]) -> Result<usize, Option<usize>> {
        let mask = self.slots.len() - 1;
        for step in 0..self.probes.min(self.slots.len()) {
            let slot = (hash as usize + step) & mask;
            let Some(number) = (self.slots[slot] as usize).checked_sub(1) else {
                return Err(Some(slot));
            };
            if self.hashes[number] == hash && self.values.get(number) == Some(cell) {
                return Ok(number);
            }
        }
        Err(None)
    }

    /// Adds a value where it is new.
    pub fn add(&mut self, cell: &[u8]) -> Added {
        if let [byte] = cell
            && let Some(number) = (self.letters[usize::from(*byte)] as usize).checked_sub(1)
        {
            return Added::Old(number);
        }
        let hash = hash(cell);
        match self.place(hash, cell) {
            Ok(number) => Added::Old(number),
            Err(None) => Added::Full,
            Err(Some(slot)) => {
                self.values.push(cell);
                self.hashes.push(hash);
                self.slots[slot] = self.hashes.len() as u32;
                if let [byte] = cell {
                    self.letters[usize::from(*byte)] = self.hashes.len() as u32;
                }
                if self.hashes.len() * 2 > self.slots.len() {
                    self.grow();
                }
                Added::New
            }
        }
    }

    fn grow(&mut self) {
        let size = self.slots.len() * 2;
        self.slots.clear();
        self.slots.resize(size, 0);
        for (number, hash) in self.hashes.iter().enumerate() {
            let mut steps = (0..size).map(|step| (*hash as usize + step) & (size - 1));
            if let Some(slot) = steps.find(|slot| self.slots[*slot] == 0) {
                self.slots[slot] = number as u32 + 1;
            }
        }
    }
}

fn hash(cell: &[u8]) -> u32 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = cell.as_chunks::<8>();
    let mut hash = cell.len() as u64;
    let mut take = |word: u64| {
        hash = (hash ^ word).wrapping_mul(FACTOR);
        hash ^= hash >> 32;
    };
    for word in words {
        take(u64::from_le_bytes(*word));
    }
    if !rest.is_empty() {
        take(
            rest.iter()
                .fold(0, |word, byte| word << 8 | u64::from(*byte)),
        );
    }
    (hash.wrapping_mul(FACTOR) >> 32) as u32
}
