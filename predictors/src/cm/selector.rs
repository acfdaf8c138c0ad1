//! Contexts that pick weight vectors and curves, as opposed to those of the bit histories.

use super::grey::View;

/// A context that picks a weight vector of one table of the mixer's first layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selector {
    /// Bits of the current byte behind a leading one.
    Partial,
    /// The last byte.
    Byte1,
    /// The byte before the last.
    Byte2,
    /// The byte before those.
    Byte3,
    /// How many contexts were seen before, the bit position and the match length.
    Hits,
    /// Classes of the last three bytes.
    Shape,
    /// Column and the upper half of the byte above.
    Column,
    /// Byte that the first match model expects, and the bit position.
    Expected,
    /// Length of the current word, class of the last byte, bit position.
    WordLength,
    /// Match lengths of the second and third match model.
    Matches,
    /// The 8 nearest pixels.
    Pixels,
    /// 12 pixels in a wider ring.
    PixelsFar,
    /// Of a grey pixel's neighbourhood.
    Grey(View),
    /// The n-th external input's own selector, with its number of contexts.
    External(usize, usize),
    /// Place in the record.
    Place,
    /// Place in the record and the bits of the current byte.
    PlaceBits,
}

impl Selector {
    /// Whether the context is the same for all bits of a byte.
    #[must_use]
    pub fn keeps_for_a_byte(self) -> bool {
        matches!(
            self,
            Self::Byte1
                | Self::Byte2
                | Self::Byte3
                | Self::Shape
                | Self::Column
                | Self::Place
                | Self::Grey(View::Pair | View::Place | View::Levels | View::Texture | View::Sum)
        )
    }

    /// Number of contexts.
    #[must_use]
    pub fn contexts(self) -> usize {
        match self {
            Self::Partial
            | Self::Byte1
            | Self::Byte2
            | Self::Byte3
            | Self::Matches
            | Self::Pixels => 256,
            Self::Hits => 1024,
            Self::Shape | Self::Column | Self::PixelsFar => 4096,
            Self::Expected => 257 * 8,
            Self::WordLength => 16 * 16 * 8,
            Self::Grey(view) => view.contexts(),
            Self::External(_, contexts) => contexts,
            Self::Place => 256,
            Self::PlaceBits => 4096,
        }
    }
}

/// Context of a curve of the last stage, joined to the bits of the current byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// Nothing else.
    Order0,
    /// The last byte.
    Order1,
    /// Hash of the last two bytes.
    Order2,
    /// Place in a grey image; the prediction and the energy around; shades of the pixels around.
    Place,
    Prediction,
    Shades,
    /// The n-th external input's own selector, with its number of contexts.
    External(usize, usize),
    /// Place in the record.
    Field,
}

impl Curve {
    /// Number of contexts.
    #[must_use]
    pub fn contexts(self) -> usize {
        match self {
            Self::Order0 => 1 << 8,
            Self::Order1
            | Self::Order2
            | Self::Place
            | Self::Prediction
            | Self::Shades
            | Self::Field => 1 << 16,
            Self::External(_, contexts) => contexts << 8,
        }
    }
}
