//! How the latest training episodes went: saved with every checkpoint.

use crate::run::episode::EpisodeResult;
use crate::run::evaluate::Score;
use giraffe_robots::EpisodeReport;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// How many of the latest episodes are summarised.
const WINDOW: usize = 256;

/// The latest finished training episodes of full length.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Window {
    latest: VecDeque<EpisodeReport>,
}

impl Window {
    /// Adds finished episodes. Each world's first one, cut short on purpose, is left out.
    pub fn extend(&mut self, reports: Vec<EpisodeReport>) {
        self.latest.extend(reports.into_iter().filter(|report| report.episode > 0));
        let surplus = self.latest.len().saturating_sub(WINDOW);
        self.latest.drain(..surplus);
    }

    /// The score of these episodes, exploration included.
    pub fn score(&self) -> Score {
        let duration_secs = self.latest.front().map_or(1.0, |report| f64::from(report.duration_secs));
        let results: Vec<EpisodeResult> = self
            .latest
            .iter()
            .map(|report| EpisodeResult {
                rotation_rad: f64::from(report.progress),
                dropped: report.dropped,
                step_count: report.step_count,
                watched: true,
                ..EpisodeResult::default()
            })
            .collect();
        Score::of(&results, duration_secs)
    }
}
