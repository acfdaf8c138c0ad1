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

pub struct Apm {
    /// Curves of probabilities in units of `2^-16`, each joined to its first value by an exclusive
    /// or: those never used are zeros, and their memory is never touched.
    points: Vec<u16>,
    first: [u16; POINTS],
    /// Where the curves start, so that each fills one cache line.
    start: usize,
    /// Point that the last refinement was nearest to, and its probability.
    nearest: usize,
    nearest_p: u32,
    rate: u32,
}

impl Apm {
    /// `contexts` curves that start as the identity; a point moves by `2^-rate` of its error.
    pub fn new(tables: &Tables, contexts: usize, rate: u32) -> Self {
        let points = vec![0_u16; (contexts + 1) * POINTS];
        Self {
            start: points.as_ptr().align_offset(64).min(POINTS),
            points,
            first: std::array::from_fn(|i| {
                (tables.squash(((i as i32) << STEP_LOG) - REACH) >> 16) as u16
            }),
            nearest: 0,
            nearest_p: 0,
            rate,
        }
    }

    /// Asks for the memory of `context` and of its neighbour that differs in the lowest bit.
    #[inline(always)]
    pub fn prefetch(&self, context: usize) {
        prefetch(&self.points, self.start + (context & !1) * POINTS);
        prefetch(&self.points, self.start + (context | 1) * POINTS);
    }

    /// Refines a stretch value; returns a probability in units of `2^-32`.
    #[inline(always)]
    pub fn refine(&mut self, stretch: i32, context: usize) -> u32 {
        let position = (stretch.clamp(-REACH, REACH - 1) + REACH) as usize;
        let low = position >> STEP_LOG;
        let weight = (position & ((1 << STEP_LOG) - 1)) as u32;
        let place = self.start + context * POINTS + low;
        let pair = &self.points[place..place + 2];
        let a = u32::from(pair[0] ^ self.first[low & (POINTS - 1)]);
        let b = u32::from(pair[1] ^ self.first[(low + 1) & (POINTS - 1)]);
        let beyond = weight >> (STEP_LOG - 1) != 0;
        self.nearest = place + usize::from(beyond);
        self.nearest_p = if beyond { b } else { a };
        (a * ((1 << STEP_LOG) - weight) + b * weight) << (16 - STEP_LOG)
    }

    /// Learns from the bit that [`Apm::refine`] was last asked about.
    #[inline(always)]
    pub fn update(&mut self, bit: u32) {
        let p = self.nearest_p as i32;
        let error = (bit as i32) * 65535 - p;
        let new = p + ((error + (1 << (self.rate - 1))) >> self.rate);
        self.points[self.nearest] ^= (p ^ new) as u16;
    }
}
