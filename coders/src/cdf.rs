//! Cumulative distributions in fixed point: how likely each symbol of an alphabet is.
//!
//! A distribution over `n` symbols is `n + 1` integers that start at 0, end at `2^precision` and
//! strictly increase. Symbol `s` owns `cumulative[s]..cumulative[s + 1]`, so that no symbol is
//! impossible and the coder in [`crate::range`] can code every one.

use std::fmt;

/// The largest precision: a total of `2^31` still fits the coder's arithmetic and a `u32`.
pub const MAX_PRECISION: u32 = 31;

/// Why numbers are no cumulative distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CdfError {
    /// The precision is not in `1..=31`.
    Precision,
    /// There is no symbol.
    Empty,
    /// There are more symbols than units of mass.
    TooManySymbols,
    /// The first value is not 0.
    Start,
    /// The last value is not `2^precision`.
    End,
    /// This symbol has no mass: its end is not above its start.
    NoMass(usize),
}

impl fmt::Display for CdfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Precision => write!(f, "precision is not in 1..={MAX_PRECISION}"),
            Self::Empty => f.write_str("a distribution needs at least one symbol"),
            Self::TooManySymbols => f.write_str("more symbols than units of mass"),
            Self::Start => f.write_str("cumulative masses do not start at 0"),
            Self::End => f.write_str("cumulative masses do not end at 2^precision"),
            Self::NoMass(symbol) => write!(f, "symbol {symbol} has no mass"),
        }
    }
}

impl std::error::Error for CdfError {}

/// A validated cumulative distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cdf {
    cumulative: Vec<u32>,
    precision: u32,
}

impl Cdf {
    /// Checks `cumulative`, which has one value more than there are symbols.
    ///
    /// # Errors
    /// [`CdfError`] names the first rule that the values break.
    pub fn new(cumulative: Vec<u32>, precision: u32) -> Result<Self, CdfError> {
        if !(1..=MAX_PRECISION).contains(&precision) {
            return Err(CdfError::Precision);
        }
        let (Some(&first), Some(&last)) = (cumulative.first(), cumulative.last()) else {
            return Err(CdfError::Empty);
        };
        if cumulative.len() < 2 {
            return Err(CdfError::Empty);
        }
        if first != 0 {
            return Err(CdfError::Start);
        }
        if last != 1 << precision {
            return Err(CdfError::End);
        }
        if let Some(symbol) = cumulative.windows(2).position(|pair| pair[0] >= pair[1]) {
            return Err(CdfError::NoMass(symbol));
        }
        Ok(Self {
            cumulative,
            precision,
        })
    }

    /// Builds the distribution closest in shape to `weights` (counts, probabilities in any unit).
    ///
    /// Every symbol gets one unit of mass, and the rest is shared out by cumulative weight:
    /// `cumulative[s] = s + floor((2^precision - n) * (weights[0] + … + weights[s - 1]) / total)`.
    /// The sum is thereby exact and the result the same on every machine. Weights that are all
    /// zero say nothing and count as all one.
    ///
    /// # Errors
    /// [`CdfError::Precision`], [`CdfError::Empty`] or [`CdfError::TooManySymbols`].
    pub fn from_weights(weights: &[u32], precision: u32) -> Result<Self, CdfError> {
        let mut cdf = Self {
            cumulative: Vec::with_capacity(weights.len() + 1),
            precision: 0,
        };
        cdf.assign(weights, precision)?;
        Ok(cdf)
    }

    /// As [`Cdf::from_weights`], in the memory of this one: for models that change at each symbol.
    ///
    /// # Errors
    /// As [`Cdf::from_weights`]; this distribution is then as it was.
    pub fn assign(&mut self, weights: &[u32], precision: u32) -> Result<(), CdfError> {
        if !(1..=MAX_PRECISION).contains(&precision) {
            return Err(CdfError::Precision);
        }
        if weights.is_empty() {
            return Err(CdfError::Empty);
        }
        let symbols = weights.len() as u64;
        let Some(shared) = (1_u64 << precision).checked_sub(symbols) else {
            return Err(CdfError::TooManySymbols);
        };
        let total: u64 = weights.iter().copied().map(u64::from).sum();
        let mut sum = 0_u64;
        let cumulative = (0_u64..).zip(std::iter::once(&0).chain(weights));
        let out = &mut self.cumulative;
        out.clear();
        if total == 0 {
            out.extend((0..=symbols).map(|s| (s + shared * s / symbols) as u32));
        } else if shared.checked_mul(total).is_some() {
            out.extend(cumulative.map(|(s, &weight)| {
                sum += u64::from(weight);
                (s + shared * sum / total) as u32
            }));
        } else {
            out.extend(cumulative.map(|(s, &weight)| {
                sum += u64::from(weight);
                let share = u128::from(shared) * u128::from(sum) / u128::from(total);
                s as u32 + share as u32
            }));
        }
        self.precision = precision;
        Ok(())
    }

    /// Bits of the total mass, 1 to 31.
    #[must_use]
    pub fn precision(&self) -> u32 {
        self.precision
    }

    /// Number of symbols, at least 1.
    #[must_use]
    pub fn symbols(&self) -> usize {
        self.cumulative.len() - 1
    }

    /// Where the mass of `symbol` starts and how much there is.
    ///
    /// # Panics
    /// When the alphabet has no such symbol.
    #[must_use]
    #[inline]
    pub fn slot(&self, symbol: usize) -> (u32, u32) {
        let start = self.cumulative[symbol];
        (start, self.cumulative[symbol + 1] - start)
    }

    /// The symbol whose mass holds `point`, which counts units of mass from 0; the last symbol
    /// where `point` lies past all mass.
    #[must_use]
    #[inline]
    pub fn find(&self, point: u32) -> usize {
        let ends = &self.cumulative[1..self.cumulative.len() - 1];
        ends.partition_point(|&end| end <= point)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_distribution_is_refused() {
        let cases: [(&[u32], u32, CdfError); 9] = [
            (&[0, 4], 0, CdfError::Precision),
            (&[0, 4], 32, CdfError::Precision),
            (&[], 2, CdfError::Empty),
            (&[4], 2, CdfError::Empty),
            (&[1, 4], 2, CdfError::Start),
            (&[0, 3], 2, CdfError::End),
            (&[0, 5], 2, CdfError::End),
            (&[0, 2, 2, 4], 2, CdfError::NoMass(1)),
            (&[0, 3, 2, 4], 2, CdfError::NoMass(1)),
        ];
        for (values, precision, error) in cases {
            assert_eq!(
                Cdf::new(values.to_vec(), precision),
                Err(error),
                "{values:?}"
            );
        }
    }

    #[test]
    fn weights_that_do_not_fit_are_refused_and_change_nothing() {
        let mut cdf = Cdf::from_weights(&[1, 2], 4).unwrap();
        let before = cdf.clone();
        assert_eq!(cdf.assign(&[], 4), Err(CdfError::Empty));
        assert_eq!(cdf.assign(&[1; 17], 4), Err(CdfError::TooManySymbols));
        assert_eq!(cdf.assign(&[1], 0), Err(CdfError::Precision));
        assert_eq!(cdf.assign(&[1], 32), Err(CdfError::Precision));
        assert_eq!(cdf, before);
    }

    #[test]
    fn zero_weights_count_as_all_one() {
        for symbols in [1, 2, 3, 255] {
            let zeros = Cdf::from_weights(&vec![0; symbols], 12).unwrap();
            assert_eq!(zeros, Cdf::from_weights(&vec![1; symbols], 12).unwrap());
        }
    }

    #[test]
    fn a_full_alphabet_has_one_unit_each() {
        let cdf = Cdf::from_weights(&[u32::MAX, 0, 9, 1], 2).unwrap();
        assert_eq!(cdf, Cdf::new(vec![0, 1, 2, 3, 4], 2).unwrap());
    }

    #[test]
    fn one_weight_takes_all_that_the_others_leave() {
        let mut weights = [0; 50_000];
        weights[123] = u32::MAX;
        let cdf = Cdf::from_weights(&weights, 24).unwrap();
        assert_eq!(cdf.slot(122), (122, 1));
        assert_eq!(cdf.slot(123), (123, (1 << 24) - 49_999));
        assert_eq!(cdf.slot(49_999), ((1 << 24) - 1, 1));
    }

    proptest! {
        #[test]
        fn weights_give_a_valid_distribution_near_their_shares(
            weights in prop::collection::vec(prop_oneof![any::<u32>(), 0_u32..4], 1..400),
            precision in 9..=MAX_PRECISION,
        ) {
            let cdf = Cdf::from_weights(&weights, precision).unwrap();
            prop_assert_eq!(&Cdf::new(cdf.cumulative.clone(), precision).unwrap(), &cdf);
            let total: u64 = weights.iter().copied().map(u64::from).sum();
            let shared = (1_u64 << precision) - weights.len() as u64;
            for (symbol, &weight) in weights.iter().enumerate() {
                let (start, mass) = cdf.slot(symbol);
                if total > 0 {
                    let share = (u128::from(shared) * u128::from(weight) / u128::from(total)) as u32;
                    prop_assert!((share + 1..=share + 2).contains(&mass), "{mass} for {share}");
                }
                prop_assert_eq!(cdf.find(start), symbol);
                prop_assert_eq!(cdf.find(start + (mass - 1)), symbol);
            }
        }
    }
}
