//! A model of any plan: the sizes that the inner loops are compiled for, behind one type.

use super::mixer::External;
use super::model::Model;
use super::plan::Plan;
use crate::segment::PredictorError;

/// One variant for each pair of counts of selectors and curves that plans have.
pub enum AnyModel {
    Lean(Box<Model<3, 1>>),
    Rich(Box<Model<10, 3>>),
}

impl AnyModel {
    /// A model without external inputs.
    ///
    /// # Errors
    /// As [`Model::new`].
    ///
    /// # Panics
    /// If no variant fits the plan; a test makes every plan.
    pub fn new(plan: Plan, raw_len: u64) -> Result<Self, PredictorError> {
        let none: &[External] = &[];
        Ok(match (plan.selectors.len(), plan.curves.len()) {
            (3, 1) => Self::Lean(Box::new(Model::new(plan, raw_len, none)?)),
            (10, 3) => Self::Rich(Box::new(Model::new(plan, raw_len, none)?)),
            counts => panic!("no model is compiled for {counts:?} selectors and curves"),
        })
    }
}

/// Runs `$body` with `$model` bound to the model inside.
macro_rules! with_model {
    ($any:expr, $model:ident => $body:expr) => {
        match $any {
            $crate::cm::any_model::AnyModel::Lean($model) => $body,
            $crate::cm::any_model::AnyModel::Rich($model) => $body,
        }
    };
}

pub(crate) use with_model;
