//! What kernels of all levels have in common: which run and which words a step is for.

use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};

use super::{Decode, STEP_BYTES};
use crate::rans::LANES;
use crate::rans::decode::DecodeTable;

/// A step of one level and one kind of table. All but `table` need the level's features.
pub trait Kernel {
    type Table: 'static;
    type States;

    /// The table, if it is of the kind.
    fn table(table: &DecodeTable) -> Option<&Self::Table>;

    unsafe fn load(states: &[u32; LANES]) -> Self::States;

    unsafe fn store(states: Self::States, to: &mut [u32; LANES]);

    /// Moves all lanes, symbols of which go to the [`LANES`] bytes at `out`; the bytes of words used, of
    /// [`STEP_BYTES`] that can be read.
    unsafe fn step(
        table: &Self::Table,
        states: &mut Self::States,
        words: *const u8,
        out: *mut u8,
    ) -> usize;

    /// As `step`, of the first `count` lanes, 1 to [`LANES`].
    unsafe fn part(
        table: &Self::Table,
        states: &mut Self::States,
        words: *const u8,
        out: *mut u8,
        count: usize,
    ) -> usize;
}

impl<'r> Decode<'_, '_, 'r, '_> {
    /// The table of the next step, and how many whole steps have it and the words that they may take;
    /// `None` where this kernel cannot go on.
    #[inline(always)]
    fn next<K: Kernel>(&mut self) -> Option<(&'r K::Table, usize)> {
        let table = K::table(self.at.table()?)?;
        let words = self.words.len() / STEP_BYTES;
        if words == 0 {
            None
        } else if self.lanes < LANES {
            Some((table, 0))
        } else {
            Some((table, words.min(self.at.left() / LANES)))
        }
    }

    /// A step that is not whole.
    #[inline(always)]
    unsafe fn part<K: Kernel>(&mut self, table: &K::Table, states: &mut K::States) {
        let count = self.lanes.min(self.at.left());
        let out = self.at.take(count);
        assert!(self.words.len() >= STEP_BYTES);
        // Safety: as asserted; `out` has `count` bytes.
        let used = unsafe { K::part(table, states, self.words.as_ptr(), out.as_mut_ptr(), count) };
        *self.words = &self.words[used..];
    }
}

/// Bytes that are fetched in a step: more than the 128 that two planes of its symbols become, so that
/// it is done before they are.
const FETCHED: usize = 256;

/// Memory to fetch in a number of steps.
struct Fetch {
    from: *const u8,
    step: usize,
}

impl Fetch {
    #[inline(always)]
    fn new(job: &mut Decode<'_, '_, '_, '_>, steps: usize) -> Self {
        let memory = job.at.fetch(steps * FETCHED);
        Self {
            from: memory.as_ptr(),
            // Where there is nothing, one place again and again.
            step: if memory.is_empty() { 0 } else { FETCHED },
        }
    }

    #[inline(always)]
    fn step(&mut self) {
        for line in 0..FETCHED / 64 {
            // Safety: a hint, which heeds no bounds.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(self.from.wrapping_add(64 * line).cast()) };
        }
        self.from = self.from.wrapping_add(self.step);
    }
}

/// Decodes as far as one kernel can.
///
/// # Safety
/// The machine has the kernel's features.
#[inline(always)]
pub unsafe fn one<K: Kernel>(job: &mut Decode<'_, '_, '_, '_>) {
    // Safety: whole steps are as many as there are symbols and words for.
    unsafe {
        let mut states = K::load(job.states);
        while let Some((table, steps)) = job.next::<K>() {
            if steps == 0 {
                job.part::<K>(table, &mut states);
                continue;
            }
            let mut fetch = Fetch::new(job, steps);
            let mut out = job.at.take(steps * LANES).as_mut_ptr();
            let mut used = 0;
            for _ in 0..steps {
                used += K::step(table, &mut states, job.words.as_ptr().add(used), out);
                out = out.add(LANES);
                fetch.step();
            }
            *job.words = &job.words[used..];
        }
        K::store(states, job.states);
    }
}

/// Decodes two streams as far as one kernel can.
///
/// # Safety
/// As that of [`one`].
#[inline(always)]
pub unsafe fn two<K: Kernel>(jobs: &mut [Decode<'_, '_, '_, '_>; 2]) {
    let [a, b] = jobs;
    // Safety: as in `one`.
    unsafe {
        let mut states_a = K::load(a.states);
        let mut states_b = K::load(b.states);
        while let (Some((table_a, steps_a)), Some((table_b, steps_b))) =
            (a.next::<K>(), b.next::<K>())
        {
            let steps = steps_a.min(steps_b);
            if steps == 0 {
                if steps_a == 0 {
                    a.part::<K>(table_a, &mut states_a);
                }
                if steps_b == 0 {
                    b.part::<K>(table_b, &mut states_b);
                }
                continue;
            }
            let (mut fetch_a, mut fetch_b) = (Fetch::new(a, steps), Fetch::new(b, steps));
            let mut out_a = a.at.take(steps * LANES).as_mut_ptr();
            let mut out_b = b.at.take(steps * LANES).as_mut_ptr();
            let (words_a, words_b) = (a.words.as_ptr(), b.words.as_ptr());
            let (mut used_a, mut used_b) = (0, 0);
            for _ in 0..steps {
                used_a += K::step(table_a, &mut states_a, words_a.add(used_a), out_a);
                used_b += K::step(table_b, &mut states_b, words_b.add(used_b), out_b);
                out_a = out_a.add(LANES);
                out_b = out_b.add(LANES);
                fetch_a.step();
                fetch_b.step();
            }
            *a.words = &a.words[used_a..];
            *b.words = &b.words[used_b..];
        }
        K::store(states_a, a.states);
        K::store(states_b, b.states);
    }
}
