//! How a policy is run on a hand, and where that is written down.

use crate::keys::PolicyKeys;
use std::path::PathBuf;

/// How a policy is run on a hand behind the bridge.
#[derive(Debug, Clone, PartialEq)]
pub struct DeployOptions {
    /// Base endpoint of the controller.
    pub endpoint: String,
    /// Keys, ours and the controller's.
    pub security: PolicyKeys,
    /// How many episodes.
    pub episodes: usize,
    /// In real time, as on a real hand, instead of in lock-step.
    pub real_time: bool,
    /// Give the controller each episode's parameters, run the same episode in this process too, and compare bits.
    pub paired: bool,
    /// Reset the recurrent state before every step.
    pub memoryless: bool,
    /// Have the controller bring the hand to its home pose, slowly, before each episode. Real hands, in real time.
    pub home: bool,
    /// Seed of the first episode.
    pub seed: u64,
    /// Where everything is written down, if anywhere.
    pub log: Option<LogOptions>,
}

/// Where a log goes, and what the caller knows that belongs into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogOptions {
    /// The file.
    pub path: PathBuf,
    /// Whether somebody asked for this file: then it must be written. Otherwise a warning will do.
    pub asked_for: bool,
    /// Settings as they were typed.
    pub settings: Vec<String>,
    /// `config.toml` of the run, if there is one.
    pub config: Option<PathBuf>,
}

/// How a deployment is called.
pub(crate) fn mode_name(real_time: bool) -> &'static str {
    if real_time { "real time" } else { "lock-step" }
}
