//! Who is told how training goes.

use super::budget::Budget;
use super::metrics::timing::Split;
use super::window::Window;
use crate::run::folder::RunProgress;

/// How a run stands after an iteration.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'r> {
    /// When it ends.
    pub budget: Budget,
    /// How far it has come.
    pub progress: &'r RunProgress,
    /// Its latest episodes.
    pub window: &'r Window,
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
