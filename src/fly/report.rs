//! What comes of a deployment, as printed and as written to JSON.

use super::options::mode_name;
use crate::run::episode::EpisodeResult;
use crate::run::score::Score;
use giraffe_bridge::log::LogSummary;
use giraffe_robots::Task;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// What came of it. Everything is of whole episodes: one that was cut counts nowhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    /// The score of the episodes in which somebody watched the object; `None` where nobody did.
    pub score: Option<Score>,
    /// Episodes that were run in this process too, and how many of them were equal in every bit.
    pub paired: Option<Paired>,
    /// Joints whose target the controller's envelope altered, over all steps.
    pub clipped_count: u64,
    /// Control periods missed.
    pub missed_tick_count: u64,
    /// Control steps done.
    pub control_steps: u64,
    /// `lock-step` or `real time`.
    pub mode: String,
    /// Why the hand was not followed to the last episode: the link was lost, or somebody stopped it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_early: Option<String>,
    /// Joints that stood at one and the same angle for a whole episode while their targets moved, and in how many episodes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub frozen_joints: BTreeMap<String, usize>,
    /// When the hand was lost and reached again; the episode that went on then counts nowhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reconnections: Vec<Reconnection>,
    /// The log that was written. Not in reports: two deployments of the same seed have the same report.
    #[serde(skip)]
    pub log: Option<LogSummary>,
}

/// Episodes over the wire against the same episodes in this process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paired {
    /// Compared.
    pub episodes: usize,
    /// Equal in every bit of every target, angle and pose.
    pub equal: usize,
    /// The first setting that is another one in the controller, if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

impl Paired {
    /// Whether all are equal, and there were some.
    pub fn is_equal(&self) -> bool {
        self.episodes > 0 && self.equal == self.episodes
    }
}

impl fmt::Display for Paired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { episodes, equal, cause } = self;
        if *episodes == 0 {
            return f.write_str("no episode was compared with the same one in this process");
        }
        write!(f, "{equal} of {episodes} episodes equal bit for bit to the same ones in this process")?;
        match cause.as_ref().filter(|_| !self.is_equal()) {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

/// A hand that was lost and reached again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reconnection {
    /// The episode that was lost with it, from 0.
    pub episode: u64,
    /// How it was lost.
    pub why: String,
    /// How long it took to shake hands again, s.
    pub secs: f64,
}

/// How an episode is called wherever it is shown: its number in the deployment, from 0, as in logs and their replays, and the
/// seed that a simulator gets. The controller counts resets besides, which is its own business.
#[derive(Debug, Clone, Copy)]
pub(super) struct EpisodeName {
    /// Its number.
    pub(super) index: u64,
    /// Its seed.
    pub(super) seed: u64,
}

impl fmt::Display for EpisodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "episode {} (seed {})", self.index, self.seed)
    }
}

impl Deployment {
    /// What a person should know of joints that were never seen to move.
    pub fn frozen_words(&self) -> Option<String> {
        let most = self.frozen_joints.values().max()?;
        let names: Vec<&str> = self.frozen_joints.keys().map(String::as_str).collect();
        Some(format!(
            "warning: {} of the hand stood at one and the same angle, to the last bit, for a whole episode (in {most} of them) \
             while the targets moved: {}; does the controller read its joints anew for every state?",
            if names.len() == 1 { "a joint" } else { "joints" },
            names.join(", ")
        ))
    }

    /// The sum of some episodes.
    pub(super) fn of(results: &[EpisodeResult], paired: Option<Paired>, task: &dyn Task, real_time: bool) -> Self {
        let score = Score::of_episodes(task.measures(), results);
        let whole = || results.iter().filter(|result| !result.cut);
        Self {
            score: (score.episodes > 0).then_some(score),
            paired,
            clipped_count: whole().map(|result| result.clipped_count).sum(),
            missed_tick_count: whole().map(|result| result.missed_tick_count).sum(),
            control_steps: whole().map(|result| u64::from(result.trial.step_count)).sum(),
            mode: mode_name(real_time).to_owned(),
            ended_early: None,
            frozen_joints: BTreeMap::new(),
            reconnections: Vec::new(),
            log: None,
        }
    }
}
