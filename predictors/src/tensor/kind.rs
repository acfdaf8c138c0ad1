//! Element kinds: what a unit of a tensor is made of, and the planes it is split into.

/// Largest number of planes that a kind has.
pub const MAX_PLANES: usize = 8;

/// How a unit (an element, or a block of quantised elements) falls apart into planes of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// A little-endian float whose exponent starts below the sign: the upper eight exponent bits;
    /// the sign above the next seven bits; the rest byte by byte, highest first.
    Float,
    /// Bytes of a little-endian number, highest first.
    Bytes,
    /// Ranges of bytes, one plane each; lengths sum to the unit's.
    Ranges(&'static [usize]),
}

/// An element kind. Its number in the settings is its place in [`KINDS`].
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    pub name: &'static str,
    /// Bytes of a unit.
    pub unit: usize,
    pub split: Split,
    /// Elements of a unit.
    pub elements: usize,
}

const fn float(name: &'static str, unit: usize) -> Kind {
    Kind {
        name,
        unit,
        split: Split::Float,
        elements: 1,
    }
}

const fn bytes(name: &'static str, unit: usize) -> Kind {
    Kind {
        name,
        unit,
        split: Split::Bytes,
        elements: 1,
    }
}

const fn ranges(
    name: &'static str,
    unit: usize,
    elements: usize,
    ranges: &'static [usize],
) -> Kind {
    Kind {
        name,
        unit,
        split: Split::Ranges(ranges),
        elements,
    }
}

/// Every kind; the order is part of the format. Block layouts are those of ggml.
pub const KINDS: &[Kind] = &[
    bytes("u8", 1),
    float("f64", 8),
    float("f32", 4),
    bytes("f16", 2),
    float("bf16", 2),
    bytes("f8e4m3", 1),
    bytes("f8e5m2", 1),
    bytes("i64", 8),
    bytes("u64", 8),
    bytes("i32", 4),
    bytes("u32", 4),
    bytes("i16", 2),
    bytes("u16", 2),
    bytes("i8", 1),
    bytes("bool", 1),
    Kind {
        elements: 2,
        ..bytes("u4", 1)
    },
    // Scales are f16, low byte first.
    ranges("q4_0", 18, 32, &[1, 1, 16]),
    ranges("q4_1", 20, 32, &[1, 1, 1, 1, 16]),
    ranges("q5_0", 22, 32, &[1, 1, 4, 16]),
    ranges("q5_1", 24, 32, &[1, 1, 1, 1, 4, 16]),
    ranges("q8_0", 34, 32, &[1, 1, 32]),
    ranges("q2_k", 84, 256, &[16, 64, 1, 1, 1, 1]),
    ranges("q3_k", 110, 256, &[32, 64, 12, 1, 1]),
    ranges("q4_k", 144, 256, &[1, 1, 1, 1, 12, 128]),
    ranges("q5_k", 176, 256, &[1, 1, 1, 1, 12, 32, 128]),
    ranges("q6_k", 210, 256, &[128, 64, 16, 1, 1]),
    ranges("q8_k", 292, 256, &[1, 1, 1, 1, 256, 32]),
];

impl Kind {
    /// Whether a unit is a floating-point number.
    #[must_use]
    pub fn float(&self) -> bool {
        self.split == Split::Float || matches!(self.name, "f16" | "f8e4m3" | "f8e5m2")
    }

    /// Number of planes.
    #[must_use]
    pub fn planes(&self) -> usize {
        match self.split {
            Split::Float | Split::Bytes => self.unit,
            Split::Ranges(ranges) => ranges.len(),
        }
    }

    /// Bytes that a unit gives to a plane.
    #[must_use]
    pub fn width(&self, plane: usize) -> usize {
        match self.split {
            Split::Float | Split::Bytes => 1,
            Split::Ranges(ranges) => ranges[plane],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_fill_their_units() {
        for kind in KINDS {
            let sum: usize = (0..kind.planes()).map(|plane| kind.width(plane)).sum();
            assert_eq!(sum, kind.unit, "{}", kind.name);
            assert!(kind.planes() <= MAX_PLANES);
        }
    }
}
