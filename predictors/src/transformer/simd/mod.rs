//! Kernels of the transformer, each equal to its scalar twin bit for bit.
//!
//! Products have kernels of their own for each level; what works value by value is written once and
//! compiled for each.

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod amx;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod avx2;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod avx512;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod nibbles_amx;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod nibbles_avx2;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod nibbles_avx512;
mod scalar;

pub use llmzip_coders::simd::Level;

use super::adapter::{add_probabilities, powers, shift};
use super::attention::{Normaliser, softmax};
use super::fixed::{NARROW, WIDE, gated, quantise, rms_norm};
use super::matrix::{add_to, narrow};
use super::pack::{Gains, Nibbles, PANEL, Panel, Rows};
use super::rotary;
use super::transposed::rows;
use crate::cm::tables::Tables;

/// The functions of one level.
#[derive(Clone, Copy)]
#[expect(clippy::type_complexity, reason = "a function's arguments, said once")]
pub struct Kernels {
    /// Puts rows of activations into the order that `products` takes.
    pub arrange: fn(&mut [i16]),
    /// Whether `products` gives sums of activations that are 2^15 larger, less the panel's excess.
    pub offset: bool,
    /// A panel, rows of activations; sums of all of the panel's rows for each.
    pub products: fn(Panel<'_>, &[i16], &mut [[i64; PANEL]]),
    /// As `products`, where weights are of four bits.
    pub nibbles: fn(Nibbles<'_>, &[i16], &mut [[i64; PANEL]]),
    /// Keys of whole panels, the size of a head, queries; dot products of each query with each key.
    pub scores: fn(&[i16], usize, &[i16], &mut [i32]),
    /// Values of whole blocks of positions, weights and shifts of each query; sums of each.
    pub values: fn(&[i16], &[i16], &[i32], &mut [[i32; PANEL]]),
    pub narrow: fn(&[i64], i32, &mut [i32]),
    pub add_to: fn(&[i64], i32, &mut [i64]),
    /// A norm's output as activations; the third but last is scratch.
    pub norm: fn(&[i64], &Gains, u64, &mut [i64], &mut [i16]) -> i32,
    /// A head of 16 fraction bits, rotated and made narrow.
    pub rotate: fn(&[i32], &[[i32; 2]], &mut [i64], &mut [i16]) -> i32,
    /// SiLU of gates times values as activations.
    pub gate: fn(&[i32], &[i32], &mut [i64], &mut [i16]) -> i32,
    pub quantise: fn(&[i64], i32, i32, &mut [i16]) -> i32,
    pub softmax: fn(&mut [i32], &[i32], &[i32], i32, &mut [i16], &mut [i32]) -> Normaliser,
    /// Powers of e of logits, relative to the highest, and their sum.
    pub powers: fn(&[i32], &mut [i32]) -> i64,
    /// Adds the probabilities that powers and the reciprocal of their sum make.
    pub add_probabilities: fn(&[i32], u32, &mut [i32]),
    /// Adds to logits.
    pub shift: fn(&[i32], &mut [i32]),
    /// Adds to sums a panel's rows, each times a number.
    pub rows: fn(Rows<'_>, &[i32; PANEL], &mut [i64]),
}

#[inline(always)]
fn norm(x: &[i64], gains: &Gains, eps: u64, scratch: &mut [i64], out: &mut [i16]) -> i32 {
    let fraction = rms_norm(x, &gains.values, gains.exponent, eps, scratch);
    quantise(scratch, fraction, WIDE, out)
}

#[inline(always)]
fn rotate(head: &[i32], turns: &[[i32; 2]], scratch: &mut [i64], out: &mut [i16]) -> i32 {
    rotary::rotate(head, turns, scratch);
    quantise(scratch, 16, NARROW, out)
}

#[inline(always)]
fn gate(gates: &[i32], up: &[i32], scratch: &mut [i64], out: &mut [i16]) -> i32 {
    gated(&Tables::get().squash, gates, up, scratch);
    quantise(scratch, 32, WIDE, out)
}

const SCALAR: Kernels = Kernels {
    arrange: |_| {},
    offset: false,
    products: scalar::products,
    nibbles: scalar::nibbles,
    scores: scalar::scores,
    values: scalar::values,
    narrow,
    add_to,
    norm,
    rotate,
    gate,
    quantise,
    softmax,
    powers,
    add_probabilities,
    shift,
    rows,
};

/// Safe functions that enter code for the features. The module that uses this names its constant
/// only after the features were detected.
#[cfg(target_arch = "x86_64")]
macro_rules! entered {
    ($features:literal, { $($name:ident($($arg:ident: $type:ty),*) $(-> $out:ty)? = $of:path;)* }) => {
        $(fn $name($($arg: $type),*) $(-> $out)? {
            #[target_feature(enable = $features)]
            fn inner($($arg: $type),*) $(-> $out)? {
                $of($($arg),*)
            }
            // Safety: `Kernels::of` detected the features before it gave this function away.
            unsafe { inner($($arg),*) }
        })*
    };
}

#[cfg(target_arch = "x86_64")]
macro_rules! kernels {
    ($features:literal, $offset:literal) => {
        use crate::transformer::attention::{self, Normaliser};
        use crate::transformer::pack::{Gains, Nibbles, PANEL, Panel};
        use crate::transformer::{adapter, fixed, matrix, pack, transposed};
        use crate::transformer::simd::{Kernels, entered};
        entered!($features, {
            enter_arrange(x: &mut [i16]) = arrange;
            enter_products(p: Panel<'_>, x: &[i16], out: &mut [[i64; PANEL]]) = products;
            enter_nibbles(p: Nibbles<'_>, x: &[i16], out: &mut [[i64; PANEL]]) = nibbles;
            enter_scores(k: &[i16], size: usize, q: &[i16], out: &mut [i32]) = scores;
            enter_values(v: &[i16], w: &[i16], s: &[i32], out: &mut [[i32; PANEL]]) = values;
            narrow(s: &[i64], shift: i32, out: &mut [i32]) = matrix::narrow;
            add_to(s: &[i64], shift: i32, out: &mut [i64]) = matrix::add_to;
            norm(x: &[i64], g: &Gains, eps: u64, t: &mut [i64], out: &mut [i16]) -> i32 = super::norm;
            rotate(h: &[i32], turns: &[[i32; 2]], t: &mut [i64], out: &mut [i16]) -> i32 = super::rotate;
            gate(g: &[i32], up: &[i32], t: &mut [i64], out: &mut [i16]) -> i32 = super::gate;
            quantise(v: &[i64], f: i32, width: i32, out: &mut [i16]) -> i32 = fixed::quantise;
            softmax(d: &mut [i32], k: &[i32], v: &[i32], f: i32, w: &mut [i16], s: &mut [i32])
                -> Normaliser = attention::softmax;
            powers(l: &[i32], out: &mut [i32]) -> i64 = adapter::powers;
            add_probabilities(p: &[i32], r: u32, sums: &mut [i32]) = adapter::add_probabilities;
            shift(s: &[i32], l: &mut [i32]) = adapter::shift;
            rows(r: pack::Rows<'_>, f: &[i32; PANEL], sums: &mut [i64]) = transposed::rows;
        });
        pub const KERNELS: Kernels = Kernels {
            arrange: enter_arrange,
            offset: $offset,
            products: enter_products,
            nibbles: enter_nibbles,
            scores: enter_scores,
            values: enter_values,
            narrow,
            add_to,
            norm,
            rotate,
            gate,
            quantise,
            softmax,
            powers,
            add_probabilities,
            shift,
            rows,
        };
    };
}
#[cfg(target_arch = "x86_64")]
use {entered, kernels};

impl Kernels {
    /// Those of `level`, or of the widest level below it that they need.
    ///
    /// # Panics
    /// When this machine lacks the level.
    pub fn of(level: Level) -> Self {
        assert!(level.detected());
        match level {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 if is_x86_feature_detected!("avx512vnni") => {
                if amx::detected() {
                    amx::KERNELS
                } else {
                    avx512::KERNELS
                }
            }
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 | Level::Avx512 => avx2::KERNELS,
            _ => SCALAR,
        }
    }

    /// All that this machine can run, for tests: AMX hides what AVX-512 has for those without it.
    #[cfg(test)]
    pub fn every() -> Vec<(&'static str, Self)> {
        let levels = llmzip_coders::simd::available().into_iter();
        let mut all: Vec<_> = levels
            .map(|(name, level)| (name, Self::of(level)))
            .collect();
        #[cfg(target_arch = "x86_64")]
        if amx::detected() {
            all.push(("avx512 without amx", avx512::KERNELS));
        }
        all
    }
}

#[cfg(test)]
mod tests;
