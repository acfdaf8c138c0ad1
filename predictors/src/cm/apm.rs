//! Adaptive probability map, the last stage of refinement (SSE).
//!
//! After Mahoney's APM (paq8): for each context a curve over the incoming stretch value, kept at
//! 32 points one nat apart and interpolated; the nearer point moves towards the bit.

use super::tables::Tables;
use crate::simd::prefetch;

const POINTS: usize = 32;
const STEP_LOG: u32 = 11;
/// The points lie at odd multiples of half a nat, so that a curve fills one cache line.
const REACH: i32 = (POINTS as i32 - 1) << (STEP_LOG - 1);

/// Probabilities in units of `2^-16`, on one cache line.
#[derive(Clone)]
#[repr(align(64))]
struct Curve([u16; POINTS]);

pub struct Apm {
    curves: Vec<Curve>,
    /// Curve and point that the last refinement was nearest to.
    nearest: (usize, usize),
    rate: u32,
}

impl Apm {
    /// `contexts` curves that start as the identity; a point moves by `2^-rate` of its error.
    pub fn new(tables: &Tables, contexts: usize, rate: u32) -> Self {
        let identity = Curve(std::array::from_fn(|i| {
            (tables.squash(((i as i32) << STEP_LOG) - REACH) >> 16) as u16
        }));
        Self {
            curves: vec![identity; contexts],
            nearest: (0, 0),
            rate,
        }
    }

    /// Asks for the memory of `context` and of its neighbour that differs in the lowest bit.
    #[inline(always)]
    pub fn prefetch(&self, context: usize) {
        prefetch(&self.curves, context & !1);
        prefetch(&self.curves, context | 1);
    }

    /// Refines a stretch value; returns a probability in units of `2^-32`.
    #[inline(always)]
    pub fn refine(&mut self, stretch: i32, context: usize) -> u32 {
        let position = (stretch.clamp(-REACH, REACH - 1) + REACH) as usize;
        // The clamp keeps `low` below the last point; the mask tells the compiler so.
        let low = (position >> STEP_LOG) & (POINTS - 1);
        let weight = (position & ((1 << STEP_LOG) - 1)) as u32;
        self.nearest = (context, low + (weight >> (STEP_LOG - 1)) as usize);
        let curve = &self.curves[context].0;
        let (a, b) = (
            u32::from(curve[low]),
            u32::from(curve[(low + 1) & (POINTS - 1)]),
        );
        (a * ((1 << STEP_LOG) - weight) + b * weight) << (16 - STEP_LOG)
    }

    /// Learns from the bit that [`Apm::refine`] was last asked about.
    #[inline(always)]
    pub fn update(&mut self, bit: u32) {
        let (context, point) = self.nearest;
        let point = &mut self.curves[context].0[point & (POINTS - 1)];
        let target = (bit as i32) * 65535;
        let error = target - i32::from(*point);
        *point = (i32::from(*point) + ((error + (1 << (self.rate - 1))) >> self.rate)) as u16;
    }
}
