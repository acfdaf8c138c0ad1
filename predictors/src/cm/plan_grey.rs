//! What is used for grey images; FORMAT.md, section 8.2.

use super::context::Context::{self, *};
use super::grey::{Template, View};
use super::neighbourhood::Term::{self, *};
use super::selector::Selector;

pub const GREY: &[Context] = &[
    Around(&[(W, 0), (N, 0), (Nw, 0)]),
    Around(&[(W, 0), (N, 0), (Nw, 0), (Ne, 0)]),
    Around(&[(W, 0), (Ww, 0)]),
    Around(&[(N, 0), (Nn, 0)]),
    Around(&[(N, 0), (Ne, 0)]),
    Around(&[(X, 0), (Y, 0), (W, 4)]),
    Around(&[(X, 0), (Y, 0), (N, 4)]),
    Around(&[(Bright, 0)]),
    Around(&[(Shades, 0)]),
    Around(&[(Shades, 0), (W, 2), (N, 2)]),
    Around(&[(Corrected, 0), (Energy, 0)]),
    Around(&[(X, 0), (Y, 0), (W, 6), (N, 6), (Ne, 6)]),
    Around(&[(W, 3), (N, 3), (Nw, 4), (Ne, 4), (Ww, 4), (Nn, 4)]),
];

pub const RICH_GREY: &[Context] = &[
    Around(&[(W, 0), (N, 0), (Nw, 0)]),
    Around(&[(W, 0), (N, 0), (Nw, 0), (Ne, 0)]),
    Around(&[(W, 0), (N, 0), (Nw, 0), (Ne, 0), (Ww, 0), (Nn, 0)]),
    Around(&[(W, 0), (Ww, 0)]),
    Around(&[(N, 0), (Nn, 0)]),
    Around(&[(N, 0), (Ne, 0)]),
    Around(&[(N, 0), (Ne, 0), (Nne, 0)]),
    Around(&[(Nw, 0), (Ne, 0)]),
    Around(&[(X, 0), (Y, 0)]),
    Around(&[(X, 0), (Y, 0), (W, 4)]),
    Around(&[(X, 0), (Y, 0), (N, 4)]),
    Around(&[(X, 0), (Y, 0), (W, 6), (N, 6), (Ne, 6)]),
    Around(&[(X, 0), (Y, 0), (Shades, 0)]),
    Around(&[(Bright, 0)]),
    Around(&[(Shades, 0)]),
    Around(&[(Shades, 0), (W, 0)]),
    Around(&[(Shades, 0), (W, 2), (N, 2)]),
    Around(&[(Bright, 0), (W, 3), (N, 3)]),
    Around(&[(Corrected, 0), (Energy, 0)]),
    Around(&[(Corrected, 0), (W, 0)]),
    Around(&[(Adjusted, 0), (Energy, 0), (W, 5)]),
    Around(&[(Before, 0), (W, 3), (N, 3)]),
    Around(&[(W, 3), (N, 3), (Nw, 4), (Ne, 4), (Ww, 4), (Nn, 4)]),
    Around(&[
        (W, 4),
        (N, 4),
        (Nw, 4),
        (Ne, 4),
        (Ww, 5),
        (Nn, 5),
        (Nne, 5),
        (Nee, 5),
    ]),
];

const fn template(prediction: Term, row: Term, shift: u32, bits: u32) -> Template {
    Template {
        prediction,
        row,
        shift,
        bits,
    }
}

/// Lean plans use the first eight.
pub const TEMPLATES: &[Template] = &[
    template(Corrected, Energy, 0, 4),
    template(Median, Energy, 0, 4),
    template(Blended, Texture, 0, 8),
    template(Adjusted, Errors, 0, 4),
    template(N, Energy, 0, 4),
    template(W, Texture, 0, 8),
    template(Ne, Energy, 0, 4),
    template(Falling, Energy, 0, 4),
    template(Nw, Energy, 0, 4),
    template(Ww, Energy, 0, 4),
    template(W, N, 2, 6),
    template(N, W, 2, 6),
    template(Corrected, W, 2, 6),
    template(Corrected, N, 2, 6),
    template(Before, Energy, 0, 4),
    template(Blended, Errors, 0, 4),
];

pub const LEAN_GREY: &[Selector] = &[
    Selector::Partial,
    Selector::Grey(View::Energy),
    Selector::Hits,
    Selector::Grey(View::Pair),
    Selector::Grey(View::Levels),
    Selector::Grey(View::Place),
];

pub const RICH_GREY_SELECTORS: &[Selector] = &[
    Selector::Partial,
    Selector::Grey(View::Energy),
    Selector::Hits,
    Selector::Grey(View::Pair),
    Selector::Grey(View::Levels),
    Selector::Grey(View::Place),
    Selector::Grey(View::Interval),
    Selector::Grey(View::Texture),
    Selector::Byte1,
    Selector::Grey(View::Sum),
];
