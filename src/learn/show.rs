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
    /// Control steps of this session.
    pub session_steps: u64,
    /// Its seconds.
    pub session_secs: f64,
    /// What the task measures.
    pub measures: &'r [Measure],
    /// Its latest episodes, as far as all that began together have had time to end.
    pub score: &'r Score,
    /// Its latest episodes, as they ended: those that fail first come first.
    pub ended: &'r Score,
    /// Worlds: in each an episode goes on.
    pub world_count: usize,
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
