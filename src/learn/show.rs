//! Who is told how training goes.

use super::budget::Budget;
use super::metrics::timing::Split;
use crate::run::folder::RunProgress;
use crate::run::score::Score;
use giraffe_robots::Measure;

/// How a run stands after an iteration.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'r> {
    /// When it ends.
    pub budget: Budget,
    /// How far it has come.
    pub progress: &'r RunProgress,
    /// What the task measures.
    pub measures: &'r [Measure],
    /// Its latest episodes.
    pub score: &'r Score,
    /// Entropy of ranges that grow by themselves, nats per dimension.
    pub entropy_nats: Option<f64>,
    /// Where the time of this session went.
    pub split: Split,
}

/// Somebody who is told: a terminal, a notebook, nobody.
pub trait Show {
    /// How things stand.
    fn show(&mut self, standing: &Standing<'_>);

    /// Something that may be going wrong.
    fn warn(&mut self, text: &str);
}
