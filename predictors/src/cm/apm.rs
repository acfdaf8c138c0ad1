//! Adaptive probability map, the last stage of refinement (SSE).
//!
//! After Mahoney's APM (paq8): for each context a curve over the incoming stretch value, kept at
//! 32 points one nat apart and interpolated; the nearer point moves towards the bit.

use memmap2::MmapMut;

use super::tables::Tables;
use crate::segment::PredictorError;
use crate::simd::prefetch;
use crate::zeros::{copied, zeros};

const POINTS: usize = 32;
/// Bytes of a curve: one cache line.
const CURVE: usize = 2 * POINTS;
const STEP_LOG: u32 = 11;
/// The points lie at odd multiples of half a nat, so that a curve fills one cache line.
const REACH: i32 = (POINTS as i32 - 1) << (STEP_LOG - 1);

pub struct Apm {
    /// Curves of probabilities in units of `2^-16`, each joined to its first value by an exclusive
    /// or: those never used are zeros, and their memory is never touched.
    points: MmapMut,
    first: [u16; POINTS],
    /// Byte of the point that the last refinement was nearest to, and its probability.
    nearest: usize,
    nearest_p: u32,
    rate: u32,
}

impl Apm {
    /// `contexts` curves that start as the identity; a point moves by `2^-rate` of its error.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn new(tables: &Tables, contexts: usize, rate: u32) -> Result<Self, PredictorError> {
        Ok(Self {
            points: zeros(contexts * CURVE)?,
            first: std::array::from_fn(|i| {
                (tables.squash(((i as i32) << STEP_LOG) - REACH) >> 16) as u16
            }),
            nearest: 0,
            nearest_p: 0,
            rate,
        })
    }

    /// A copy that goes on by itself.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn fork(&self) -> Result<Self, PredictorError> {
        Ok(Self {
            points: copied(&self.points)?,
            ..*self
        })
    }

    /// Becomes equal to another of the same size, whose memory it does not share.
    pub fn copy_from(&mut self, other: &Self) {
        self.points.copy_from_slice(&other.points);
        self.nearest = other.nearest;
        self.nearest_p = other.nearest_p;
    }

    /// Asks for the memory of `context` and of its neighbour that differs in the lowest bit.
    #[inline(always)]
    pub fn prefetch(&self, context: usize) {
        prefetch(&self.points, (context & !1) * CURVE);
        prefetch(&self.points, (context | 1) * CURVE);
    }

    /// Refines a stretch value; returns a probability in units of `2^-32`.
    #[inline(always)]
    pub fn refine(&mut self, stretch: i32, context: usize) -> u32 {
        let position = (stretch.clamp(-REACH, REACH - 1) + REACH) as usize;
        let low = position >> STEP_LOG;
        let weight = (position & ((1 << STEP_LOG) - 1)) as u32;
        let place = context * CURVE + 2 * low;
        let pair = &self.points[place..place + 4];
        let point = |at: usize| u16::from_le_bytes([pair[at], pair[at + 1]]);
        let a = u32::from(point(0) ^ self.first[low & (POINTS - 1)]);
        let b = u32::from(point(2) ^ self.first[(low + 1) & (POINTS - 1)]);
        let beyond = weight >> (STEP_LOG - 1) != 0;
        self.nearest = place + 2 * usize::from(beyond);
        self.nearest_p = if beyond { b } else { a };
        (a * ((1 << STEP_LOG) - weight) + b * weight) << (16 - STEP_LOG)
    }

    /// Learns from the bit that [`Apm::refine`] was last asked about.
    #[inline(always)]
    pub fn update(&mut self, bit: u32) {
        let p = self.nearest_p as i32;
        let error = (bit as i32) * 65535 - p;
        let new = p + ((error + (1 << (self.rate - 1))) >> self.rate);
        let change = ((p ^ new) as u16).to_le_bytes();
        let point = &mut self.points[self.nearest..self.nearest + 2];
        point[0] ^= change[0];
        point[1] ^= change[1];
    }
}
