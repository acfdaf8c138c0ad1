//! Kernels of the transformer, each equal to its scalar twin bit for bit.
//!
//! Products have kernels of their own for each level; what works value by value is written once and
//! compiled for each.

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod avx2;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod avx512;
mod scalar;

pub use llmzip_coders::simd::Level;

use super::attention::{Normaliser, softmax};
use super::fixed::{NARROW, WIDE, gated, quantise, rms_norm};
use super::matrix::{add_to, narrow};
use super::pack::{Gains, PANEL};
use super::rotary;
use crate::cm::tables::Tables;

/// The functions of one level.
#[derive(Clone, Copy)]
#[expect(clippy::type_complexity, reason = "a function's arguments, said once")]
pub struct Kernels {
    /// Weights and scales of a panel, rows of activations; sums of all of the panel's rows for each.
    pub products: fn(&[u8], &[u8], &[i16], &mut [[i64; PANEL]]),
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
    products: scalar::products,
    scores: scalar::scores,
    values: scalar::values,
    narrow,
    add_to,
    norm,
    rotate,
    gate,
    quantise,
    softmax,
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
    ($features:literal) => {
        use crate::transformer::attention::{self, Normaliser};
        use crate::transformer::pack::{Gains, PANEL};
        use crate::transformer::{fixed, matrix};
        use crate::transformer::simd::{Kernels, entered};
        entered!($features, {
            enter_products(w: &[u8], s: &[u8], x: &[i16], out: &mut [[i64; PANEL]]) = products;
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
        });
        pub const KERNELS: Kernels = Kernels {
            products: enter_products,
            scores: enter_scores,
            values: enter_values,
            narrow,
            add_to,
            norm,
            rotate,
            gate,
            quantise,
            softmax,
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
            Level::Avx512 if is_x86_feature_detected!("avx512vnni") => avx512::KERNELS,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 | Level::Avx512 => avx2::KERNELS,
            _ => SCALAR,
        }
    }
}

#[cfg(test)]
mod tests;
