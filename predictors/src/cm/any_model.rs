//! A model of any plan: the sizes that the inner loops are compiled for, behind one type.

use super::mixer::External;
use super::model::Model;
use super::plan::Plan;
use crate::segment::PredictorError;

/// One variant for each pair of counts of selectors and curves that plans have; a lean one is compiled
/// for `LS` selectors and `LA` curves, and so on. `Grey` is that of lean plans for grey images.
pub enum Any<
    const LS: usize,
    const LA: usize,
    const GS: usize,
    const GA: usize,
    const RS: usize,
    const RA: usize,
> {
    Lean(Box<Model<LS, LA>>),
    Grey(Box<Model<GS, GA>>),
    Rich(Box<Model<RS, RA>>),
}

/// A model without external inputs.
pub type AnyModel = Any<3, 1, 6, 2, 10, 3>;
/// A model with two external inputs that have selectors, and a curve of the first one's; never of grey
/// images.
pub type AnyJoined = Any<5, 2, 5, 2, 12, 4>;
/// A model of grey images with one external input that has a selector.
pub type AnyGrey = Any<7, 2, 7, 2, 11, 3>;

impl<
    const LS: usize,
    const LA: usize,
    const GS: usize,
    const GA: usize,
    const RS: usize,
    const RA: usize,
> Any<LS, LA, GS, GA, RS, RA>
{
    /// A model of a plan with these external inputs.
    ///
    /// # Errors
    /// As [`Model::new`].
    ///
    /// # Panics
    /// If no variant fits the plan; a test makes every plan.
    pub fn new(plan: Plan, raw_len: u64, externals: &[External]) -> Result<Self, PredictorError> {
        Ok(if plan.curves.len() == RA {
            Self::Rich(Box::new(Model::new(plan, raw_len, externals)?))
        } else if plan.templates.is_empty() {
            Self::Lean(Box::new(Model::new(plan, raw_len, externals)?))
        } else {
            Self::Grey(Box::new(Model::new(plan, raw_len, externals)?))
        })
    }

    /// A copy that goes on by itself.
    ///
    /// # Errors
    /// [`PredictorError::Setup`] when there is not enough memory.
    pub fn fork(&self) -> Result<Self, PredictorError> {
        Ok(match self {
            Self::Lean(model) => Self::Lean(Box::new(model.fork()?)),
            Self::Grey(model) => Self::Grey(Box::new(model.fork()?)),
            Self::Rich(model) => Self::Rich(Box::new(model.fork()?)),
        })
    }

    /// As [`Model::copy_from`].
    ///
    /// # Panics
    /// As there.
    pub fn copy_from(&mut self, other: &Self) {
        match (self, other) {
            (Self::Lean(own), Self::Lean(other)) => own.copy_from(other),
            (Self::Grey(own), Self::Grey(other)) => own.copy_from(other),
            (Self::Rich(own), Self::Rich(other)) => own.copy_from(other),
            _ => unreachable!("models of one plan"),
        }
    }
}

/// Runs `$body` with `$model` bound to the model inside.
macro_rules! with_model {
    ($any:expr, $model:ident => $body:expr) => {
        match $any {
            $crate::cm::any_model::Any::Lean($model) => $body,
            $crate::cm::any_model::Any::Grey($model) => $body,
            $crate::cm::any_model::Any::Rich($model) => $body,
        }
    };
}

pub(crate) use with_model;
