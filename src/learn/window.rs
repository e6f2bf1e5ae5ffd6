//! How the latest training episodes went: saved with every checkpoint.

use crate::run::score::Score;
use giraffe_robots::{EpisodeReport, Measure, TrialResult};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// How many of the latest episodes are summarised.
const WINDOW: usize = 256;

/// The latest finished training episodes of full length.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Window {
    latest: VecDeque<TrialResult>,
}

impl Window {
    /// Adds finished episodes. Each world's first one, cut short on purpose, is left out.
    pub fn extend(&mut self, reports: Vec<EpisodeReport>) {
        let whole = reports.into_iter().filter(|report| report.episode > 0);
        self.latest.extend(whole.map(|report| TrialResult {
            outcome: report.outcome,
            measures: report.measures,
            step_count: report.step_count,
        }));
        let surplus = self.latest.len().saturating_sub(WINDOW);
        self.latest.drain(..surplus);
    }

    /// The score of these episodes, exploration included.
    pub fn score(&self, measures: &[Measure]) -> Score {
        Score::of(measures, &self.latest)
    }
}
