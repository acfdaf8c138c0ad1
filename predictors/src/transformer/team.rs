//! Threads that do the same work on parts of the data, and meet where one needs what others made.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError, RwLock};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::segment::PredictorError;

/// Why locks are not poisoned.
pub const SOUND: &str = "no thread of the team panicked";

/// How often a thread looks before it lets others have the processor, which is where it looks on: for
/// some ten microseconds, which most meetings take.
const LOOKS: usize = 1 << 9;
/// How often it looks that way before it sleeps: for some hundred microseconds, about what it takes to be
/// woken.
const YIELDS: usize = 1 << 8;

/// Where all threads wait until the last has come.
#[derive(Debug, Default)]
struct Meeting {
    size: usize,
    here: AtomicUsize,
    round: AtomicUsize,
    broken: AtomicBool,
    bed: Mutex<()>,
    bell: Condvar,
}

/// Lets the others go on, to a panic of their own, when a thread panics.
struct Guard<'a>(&'a Meeting);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.broken.store(true, Ordering::Release);
            self.0.wake();
        }
    }
}

impl Meeting {
    fn wake(&self) {
        // Who is about to sleep has the lock, and looks once more with it.
        drop(self.bed.lock());
        self.bell.notify_all();
    }

    fn wait(&self) {
        let round = self.round.load(Ordering::Acquire);
        if self.here.fetch_add(1, Ordering::AcqRel) + 1 == self.size {
            self.here.store(0, Ordering::Relaxed);
            self.round.store(round + 1, Ordering::Release);
            self.wake();
            return;
        }
        let over = || {
            assert!(
                !self.broken.load(Ordering::Acquire),
                "another thread failed"
            );
            self.round.load(Ordering::Acquire) != round
        };
        for _ in 0..LOOKS {
            if over() {
                return;
            }
            std::hint::spin_loop();
        }
        for _ in 0..YIELDS {
            if over() {
                return;
            }
            std::thread::yield_now();
        }
        let mut asleep = self.bed.lock().expect(SOUND);
        while !over() {
            asleep = self.bell.wait(asleep).expect(SOUND);
        }
    }
}

/// Values of every thread, for the others to read after the next meeting. Two sets, in turn: a
/// thread that is ahead writes into the one that nobody reads any more.
#[derive(Debug)]
struct Exchange<T>([Vec<RwLock<Vec<T>>>; 2]);

impl<T> Exchange<T> {
    fn new(size: usize) -> Self {
        let slots = || (0..size).map(|_| RwLock::default()).collect();
        Self([slots(), slots()])
    }
}

/// What the threads of a team have in common.
#[derive(Debug)]
struct Common {
    meeting: Meeting,
    narrow: Exchange<i32>,
    wide: Exchange<i64>,
}

/// A thread's place in its team.
#[derive(Debug)]
pub struct Place<'a> {
    pub id: usize,
    of: usize,
    /// Whether the threads share the columns of the same rows; else each has rows of its own.
    by_columns: bool,
    common: &'a Common,
    rounds: usize,
}

/// Integers that [`Place::gather`] exchanges.
pub trait Value: Copy {
    #[doc(hidden)]
    fn slots<'a>(place: &Place<'a>) -> &'a [Vec<RwLock<Vec<Self>>>; 2];
}

impl Value for i32 {
    fn slots<'a>(place: &Place<'a>) -> &'a [Vec<RwLock<Vec<Self>>>; 2] {
        &place.common.narrow.0
    }
}

impl Value for i64 {
    fn slots<'a>(place: &Place<'a>) -> &'a [Vec<RwLock<Vec<Self>>>; 2] {
        &place.common.wide.0
    }
}

impl Place<'_> {
    /// The share of the thread `id` of `count` things in each row.
    fn share_of(&self, id: usize, count: usize) -> Range<usize> {
        if !self.by_columns {
            return 0..count;
        }
        count * id / self.of..count * (id + 1) / self.of
    }

    /// This thread's share of `count` things in each row.
    pub fn share(&self, count: usize) -> Range<usize> {
        self.share_of(self.id, count)
    }

    /// Waits until all threads are here, where each has rows of its own.
    pub fn meet_for_rows(&self) {
        if self.of > 1 && !self.by_columns {
            self.common.meeting.wait();
        }
    }

    /// Completes rows of `width` values, of which each thread has made the `columns` of its share of
    /// `count` things.
    pub fn gather<T: Value>(
        &mut self,
        rows: &mut [T],
        width: usize,
        count: usize,
        columns: impl Fn(Range<usize>) -> Range<usize>,
    ) {
        if self.of == 1 || !self.by_columns {
            return;
        }
        let slots = &T::slots(self)[self.rounds % 2];
        self.rounds += 1;
        {
            let mut mine = slots[self.id].write().expect(SOUND);
            let columns = columns(self.share(count));
            mine.clear();
            for row in rows.chunks_exact(width) {
                mine.extend_from_slice(&row[columns.clone()]);
            }
        }
        self.common.meeting.wait();
        for id in (0..self.of).filter(|&id| id != self.id) {
            let columns = columns(self.share_of(id, count));
            let theirs = slots[id].read().expect(SOUND);
            let rows = rows.chunks_exact_mut(width);
            for (row, theirs) in rows.zip(theirs.chunks_exact(columns.len().max(1))) {
                row[columns.clone()].copy_from_slice(theirs);
            }
        }
    }
}

/// Threads that wait for work, all of which do it together.
///
/// They stay from one piece of work to the next: to start threads for every token takes longer than what
/// they gain, and the system puts new ones where their parent is.
#[derive(Debug)]
pub struct Team {
    size: usize,
    /// Made when first asked for, by the process with this number: a fork has none of its parent's threads.
    pool: Mutex<Option<(u32, ThreadPool)>>,
}

impl Team {
    /// A team of `size` threads, one where it is 0.
    #[must_use]
    pub fn new(size: usize) -> Self {
        Self {
            size: size.max(1),
            pool: Mutex::new(None),
        }
    }

    /// How many threads there are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Has all threads do the work, which they share by columns or by rows; what each returns, in their
    /// order. One piece of work after another: who comes while there is one waits.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] where the threads cannot be had; then no work was done.
    pub fn run<R: Send>(
        &self,
        by_columns: bool,
        work: impl Fn(Place<'_>) -> R + Sync,
    ) -> Result<Vec<R>, PredictorError> {
        let size = self.size;
        let meeting = Meeting {
            size,
            ..Meeting::default()
        };
        let common = Common {
            meeting,
            narrow: Exchange::new(size),
            wide: Exchange::new(size),
        };
        let work = |id| {
            let _guard = Guard(&common.meeting);
            work(Place {
                id,
                of: size,
                by_columns,
                common: &common,
                rounds: 0,
            })
        };
        if size == 1 {
            return Ok(vec![work(0)]);
        }
        // A panic of the work leaves the threads as they were.
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let process = std::process::id();
        if let Some(of_parent) = pool.take_if(|(of, _)| *of != process) {
            // Its threads are the parent's: there is nobody here to end them.
            std::mem::forget(of_parent);
        }
        if pool.is_none() {
            let made = ThreadPoolBuilder::new().num_threads(size).build();
            let made = made.map_err(|_| {
                PredictorError::Setup("the system gives no more threads; ask for fewer with -T")
            })?;
            *pool = Some((process, made));
        }
        let (_, pool) = pool.as_ref().expect("was made");
        Ok(pool.broadcast(|place| work(place.index())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_share_columns_all_have_whole_rows_in_the_end() {
        for size in [1, 2, 3, 7] {
            for count in [1, 2, 5, 20] {
                let rows = Team::new(size).run(true, |mut place| {
                    let (mut wide, mut narrow) = (vec![0_i64; 3 * 2 * count], vec![0; count]);
                    for round in 0..50 {
                        for i in place.share(count) {
                            for row in 0..3 {
                                wide[(row * count + i) * 2] = (round * row + i) as i64;
                                wide[(row * count + i) * 2 + 1] = -1;
                            }
                            narrow[i] = (round + i) as i32;
                        }
                        place.gather(&mut wide, 2 * count, count, |s| 2 * s.start..2 * s.end);
                        place.gather(&mut narrow, count, count, |share| share);
                        assert!((0..count).all(|i| narrow[i] == (round + i) as i32));
                    }
                    wide
                });
                let rows = rows.unwrap();
                assert_eq!(rows.len(), size);
                for wide in &rows {
                    for (i, pair) in wide.chunks_exact(2).enumerate() {
                        let (row, i) = (i / count, i % count);
                        assert_eq!(pair, [(49 * row + i) as i64, -1]);
                    }
                }
            }
        }
    }

    #[test]
    fn threads_with_rows_of_their_own_meet() {
        let done = AtomicUsize::new(0);
        let seen = Team::new(5).run(false, |place| {
            assert_eq!(place.share(9), 0..9);
            done.fetch_add(1, Ordering::Relaxed);
            place.meet_for_rows();
            done.load(Ordering::Relaxed)
        });
        assert_eq!(seen.unwrap(), [5; 5]);
    }

    #[test]
    fn a_panic_of_one_thread_is_one_of_all() {
        let team = Team::new(3);
        for bad in 0..3 {
            let result = std::panic::catch_unwind(|| {
                team.run(false, |place| {
                    assert!(place.id != bad, "as it should");
                    place.meet_for_rows();
                })
            });
            assert!(result.is_err());
        }
    }
}
