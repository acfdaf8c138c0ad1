//! Vector kernels, each equal to its scalar twin bit for bit, chosen at run time.
//!
//! A [`Job`] is generic over the kernels; [`run`] compiles it once for each level, with that level's
//! CPU features on, and enters the right one. The crate's only place with `unsafe`: loads and stores
//! through pointers, hints to fetch memory, and the entry into code for a feature that was detected.

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod avx2;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod avx512;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod direct;
#[allow(unsafe_code)]
pub mod floats;
pub mod group;
#[cfg(target_arch = "aarch64")]
#[allow(unsafe_code)]
mod neon;
#[allow(unsafe_code)]
mod prefetch;
pub(crate) mod scalar;

pub use llmzip_coders::simd::{Level, active, available};
pub(crate) use prefetch::prefetch;

use crate::cm::tables::Tables;
use group::{GROUP, Group};

/// Mixer inputs and weights come in multiples of this, so that no kernel has a tail there.
pub(crate) const LANES: usize = 16;

/// Most estimates of a mixer's first layer.
pub(crate) const ESTIMATES: usize = 16;

/// Estimates come in groups of this: lanes behind the last are zeros.
pub(crate) const ESTIMATE_LANES: usize = 4;

/// What the context mixer computes for every bit; `scalar` defines each.
pub trait Kernels: Copy {
    /// For each vector, which starts at `starts[k]` in `weights` and is as long as `inputs`, the
    /// sum over inputs of `(input * (weight >> 16)) >> 9`, in 32-bit wrapping arithmetic, as a stretch
    /// value (`scalar::stretch_of`) to `estimates[k]`; the lanes from `S` to the end of its group become 0.
    fn dot<const S: usize>(
        inputs: &[i32],
        weights: &[i32],
        starts: &[usize; S],
        estimates: &mut [i32; ESTIMATES],
    );

    /// Moves each weight of each vector by `(input * errors[k]) >> 3`, kept within
    /// `±scalar::WEIGHT_LIMIT`. Vectors do not overlap.
    fn train<const S: usize>(
        inputs: &[i32],
        weights: &mut [i32],
        starts: &[usize; S],
        errors: &[i32; S],
    );

    /// As `dot`, of the first `lanes` estimates (whole `ESTIMATE_LANES`) with two vectors of as many weights.
    fn blend(
        estimates: &[i32; ESTIMATES],
        lanes: usize,
        weights: &[i32],
        starts: &[usize; 2],
    ) -> [i32; 2];

    /// As `train`, of the two vectors of `blend`.
    fn train_blend(
        estimates: &[i32; ESTIMATES],
        lanes: usize,
        weights: &mut [i32],
        starts: &[usize; 2],
        errors: &[i32; 2],
    );

    /// Writes two mixer inputs for each context at node `node` (1..=15): to `inputs`, whose other
    /// values are kept, the stretched probability, and, unless `distance` is empty, its distance from
    /// one half; zeros for an empty history. Both are whole `LANES` and hold all groups.
    /// Returns how many histories were not empty.
    fn context_inputs(
        tables: &Tables,
        groups: &mut [Group],
        node: usize,
        inputs: &mut [i32],
        distance: &mut [i32],
    ) -> usize;

    /// Moves eight counters towards `bit`, each as [`crate::cm::counter::update`] does.
    fn update_counters(tables: &Tables, counters: &mut [u32; GROUP], bit: u32, limit: u32);

    /// Moves each context's counter and bit history at node `node` towards `bit`.
    fn context_update(tables: &Tables, groups: &mut [Group], node: usize, bit: u32, limit: u32);
}

/// Checks the lengths that vector loads and stores of weights rely on.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[inline(always)]
fn check_vectors(inputs: &[i32], weights: &[i32], starts: &[usize]) {
    assert!(inputs.len().is_multiple_of(LANES) && inputs.len() <= weights.len());
    let last = weights.len() - inputs.len();
    assert!(starts.iter().all(|&start| start <= last));
}

/// As [`check_vectors`], of the second layer.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[inline(always)]
fn check_estimates(lanes: usize, weights: &[i32], starts: &[usize; 2]) {
    assert!(
        lanes.is_multiple_of(ESTIMATE_LANES)
            && lanes <= ESTIMATES
            && lanes <= weights.len()
            && starts[0].max(starts[1]) <= weights.len() - lanes
    );
}

/// Work to do with the kernels of one level.
pub trait Job {
    type Output;
    fn run<K: Kernels>(self) -> Self::Output;
}

/// Runs a job with the kernels of `level`.
#[inline]
pub fn run<J: Job>(level: Level, job: J) -> J::Output {
    match level {
        Level::Scalar => job.run::<scalar::Scalar>(),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => avx2::enter(job),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => avx512::enter(job),
        #[cfg(target_arch = "aarch64")]
        Level::Neon => neon::enter(job),
    }
}

#[cfg(test)]
mod tests;
