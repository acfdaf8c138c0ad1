//! A context mixer outside of archives: what bytes cost it, what it expects, copies that go on alone.
//!
//! It makes the predictions that the predictor `cm` codes with. Costs are floats, for reports: no archive
//! depends on them.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::any_model::{AnyModel, with_model};
use super::codec::{parse, primer};
use super::model::Model;
use super::plan::Plan;
use crate::bits::probability;
use crate::draw;
use crate::segment::PredictorError;
use crate::simd::{self, Job, Kernels, Level};

/// A certain byte, in the units of draws: no sum of them exceeds 64 bits.
const DRAWN: f64 = (1_u64 << 62) as f64;

/// Bits of a byte whose bits had these probabilities together.
fn bits(probability: f64) -> f64 {
    // Eight bits of at least 2^-32 each are far from what a double cannot hold.
    -probability.log2()
}

/// What a report says of one byte.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Bits that it costs.
    pub cost: f64,
    /// Which of [`ContextMixer::input_names`] did most for it; `None` where none did anything.
    pub carrier: Option<usize>,
    /// The bytes that were likeliest, with their probabilities, the likeliest first.
    pub likeliest: Vec<(u8, f64)>,
}

/// A context mixer that reads bytes.
pub struct ContextMixer {
    pub(super) model: AnyModel,
    pub(super) simd: Level,
    left: u64,
}

impl ContextMixer {
    /// With settings of predictor `cm`, for at most `room` bytes. Levels from 7 on have read the primer
    /// if the settings are for text.
    ///
    /// # Errors
    /// [`PredictorError::Unsupported`] for other settings, [`PredictorError::Setup`] when there is not
    /// enough memory.
    pub fn new(settings: &[u8], room: u64) -> Result<Self, PredictorError> {
        let (level, content) = parse(settings)?;
        let simd = simd::active().map_err(PredictorError::Setup)?;
        let plan = Plan::new(level, content);
        let primer = primer(&plan);
        let most = room.saturating_add(primer.len() as u64);
        let mut mixer = Self {
            model: AnyModel::new(plan, most, &[])?,
            simd,
            left: most,
        };
        mixer.read(primer)?;
        Ok(mixer)
    }

    /// A copy that goes on by itself.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn fork(&self) -> Result<Self, PredictorError> {
        Ok(Self {
            model: self.model.fork()?,
            ..*self
        })
    }

    /// Becomes equal to the one that this is a fork of, in the memory that it has.
    fn copy_from(&mut self, other: &Self) {
        self.model.copy_from(&other.model);
        self.left = other.left;
    }

    /// Bytes that it can still read.
    #[must_use]
    pub fn room(&self) -> u64 {
        self.left
    }

    fn take(&mut self, bytes: usize) -> Result<(), PredictorError> {
        let left = self.left.checked_sub(bytes as u64);
        self.left = left.ok_or(PredictorError::Usage("no room for as many bytes"))?;
        Ok(())
    }

    /// Learns bytes; returns the bits that they cost.
    ///
    /// # Errors
    /// [`PredictorError::Usage`] where there is no room for them.
    pub fn read(&mut self, data: &[u8]) -> Result<f64, PredictorError> {
        self.cost(data, &mut |_| {})
    }

    /// Learns bytes; returns the bits that each costs.
    ///
    /// # Errors
    /// As [`ContextMixer::read`].
    pub fn costs(&mut self, data: &[u8]) -> Result<Vec<f32>, PredictorError> {
        let mut costs = Vec::with_capacity(data.len());
        self.cost(data, &mut |cost| costs.push(cost as f32))?;
        Ok(costs)
    }

    fn cost(&mut self, data: &[u8], each: &mut dyn FnMut(f64)) -> Result<f64, PredictorError> {
        self.take(data.len())?;
        let mut sum = 0.0;
        self.listen(data, 0, None, &mut |told| {
            sum += told.cost;
            each(told.cost);
        });
        Ok(sum)
    }

    /// Learns bytes, and tells of each; returns the `count` likeliest bytes behind them.
    fn listen(
        &mut self,
        data: &[u8],
        count: usize,
        shares: Option<&mut [f64]>,
        each: &mut dyn FnMut(Told),
    ) -> Vec<(u8, f64)> {
        let simd = self.simd;
        with_model!(&mut self.model, model => simd::run(simd, Listen {
            model, data, count, shares, each,
        }))
    }

    /// What each of some documents costs in bits, read after what this one has read, which stays as it is.
    ///
    /// # Errors
    /// [`PredictorError::Usage`] where there is no room for one of them, [`PredictorError::Setup`] when
    /// there is not enough memory.
    ///
    /// # Panics
    /// If a thread does.
    pub fn costs_of(
        &self,
        documents: &[&[u8]],
        threads: usize,
    ) -> Result<Vec<f64>, PredictorError> {
        let next = AtomicUsize::new(0);
        let work = || {
            let (mut found, mut own) = (Vec::new(), None);
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(document) = documents.get(number) else {
                    return Ok(found);
                };
                let own = match &mut own {
                    Some(own) => own,
                    none => none.insert(self.fork()?),
                };
                found.push((number, own.read(document)?));
                own.copy_from(self);
            }
        };
        let threads = threads.clamp(1, documents.len().max(1));
        let found: Result<Vec<_>, PredictorError> = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut found = vec![work()];
            found.extend(
                others
                    .into_iter()
                    .map(|other| other.join().expect("no panic")),
            );
            found.into_iter().collect()
        });
        let mut costs = vec![0.0; documents.len()];
        for (number, cost) in found?.into_iter().flatten() {
            costs[number] = cost;
        }
        Ok(costs)
    }

    /// Learns bytes and tells of each what it cost, what did most for it, and the `count` likeliest ones.
    ///
    /// # Errors
    /// As [`ContextMixer::read`].
    pub fn tell(&mut self, data: &[u8], count: usize) -> Result<Vec<Told>, PredictorError> {
        self.take(data.len())?;
        let mut shares = vec![0.0; self.input_names().len()];
        let mut all = Vec::with_capacity(data.len());
        self.listen(data, count, Some(&mut shares), &mut |told| all.push(told));
        Ok(all)
    }

    /// Names of what predicts: contexts, match models, pixels.
    #[must_use]
    pub fn input_names(&self) -> Vec<String> {
        with_model!(&self.model, model => model.input_names())
    }

    /// The likeliest next bytes with their probabilities, the likeliest first: `count` of them, or none
    /// where bytes are pixels.
    pub fn likeliest(&mut self, count: usize) -> Vec<(u8, f64)> {
        self.listen(&[], count, None, &mut |_| {})
    }

    /// The next byte that 64 random bits fall on, at a temperature in thousandths, see
    /// [`draw::pick`]; nothing is learnt. `None` where bytes are pixels.
    pub fn pick(&mut self, temperature: u32, draw: u64) -> Option<u8> {
        let all = self.likeliest(256);
        // Products of whole numbers and of powers of two, so that they are the same everywhere.
        let weights: Vec<u64> = all.iter().map(|entry| (entry.1 * DRAWN) as u64).collect();
        let found = all.get(draw::pick(&weights, temperature, draw))?;
        Some(found.0)
    }

    /// Goes on as if what came before were gone, but for what was learnt from it.
    ///
    /// # Errors
    /// [`PredictorError::Usage`] where there is no room: it takes eight bytes.
    pub fn restart(&mut self) -> Result<(), PredictorError> {
        self.take(8)?;
        with_model!(&mut self.model, model => model.restart());
        Ok(())
    }
}

/// One job for all that is asked, since every place that predicts is compiled for each plan and level.
struct Listen<'a, const S: usize, const A: usize> {
    model: &'a mut Model<S, A>,
    data: &'a [u8],
    count: usize,
    shares: Option<&'a mut [f64]>,
    each: &'a mut dyn FnMut(Told),
}

impl<const S: usize, const A: usize> Job for Listen<'_, S, A> {
    type Output = Vec<(u8, f64)>;

    #[inline(always)]
    fn run<K: Kernels>(self) -> Vec<(u8, f64)> {
        let Self {
            model,
            data,
            count,
            mut shares,
            each,
        } = self;
        let mut data = data.iter();
        loop {
            let likeliest = model.likeliest::<K>(count);
            let Some(&byte) = data.next() else {
                return likeliest;
            };
            let mut together = 1.0;
            if let Some(shares) = &mut shares {
                shares.fill(0.0);
            }
            for shift in (0..8).rev() {
                let bit = byte >> shift & 1 == 1;
                together *= probability(bit, model.predict::<K>());
                if let Some(shares) = &mut shares {
                    model.add_shares(bit, shares);
                }
                model.update::<K>(bit);
            }
            let shares = shares.as_deref().unwrap_or_default().iter().enumerate();
            let most = shares.max_by(|a, b| a.1.total_cmp(b.1));
            each(Told {
                cost: bits(together),
                carrier: most.filter(|most| *most.1 > 0.0).map(|most| most.0),
                likeliest,
            });
        }
    }
}
