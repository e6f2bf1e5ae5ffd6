//! How a policy is run on a hand, and where that is written down.

use crate::keys::PolicyKeys;
use crate::typed;
use clap::Args;
use giraffe_bridge::DEFAULT_ENDPOINT;
use std::path::PathBuf;

/// How a policy is run on a hand behind the bridge.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct DeployOptions {
    /// Base endpoint of the controller.
    #[arg(long = "connect", value_name = "CONNECT", default_value = DEFAULT_ENDPOINT)]
    pub endpoint: String,
    /// Needed for a controller on another machine.
    #[command(flatten)]
    pub security: PolicyKeys,
    /// Number of episodes.
    #[arg(long, default_value_t = 20, value_parser = typed::count)]
    pub episodes: usize,
    /// In real time, as on a real hand. Without it in lock-step, which only simulated controllers grant.
    #[arg(long)]
    pub real_time: bool,
    /// Run every episode in this process too, with the same parameters, and compare bits. Needs giraffe's own
    /// simulated controller, in lock-step.
    #[arg(long, conflicts_with = "real_time")]
    pub paired: bool,
    /// Have the controller bring the hand to its home pose, slowly, before each episode: policies start from there.
    #[arg(long, requires = "real_time")]
    pub home: bool,
    /// Wait at least so long for a slow simulator, in seconds: for an answer, for an episode to begin, for each control
    /// period in lock-step. (Otherwise 1 s, 60 s, 10 s. A real hand that is not heard for 0.3 s is lost all the same.)
    #[arg(long, value_name = "SECS", default_value_t = 0.0, value_parser = typed::patience)]
    pub patience: f64,
    /// Reset the recurrent state before every step.
    #[arg(long)]
    pub memoryless: bool,
    /// When the link is lost, shake hands again for so long, s, and go on with the next episode. A hand that somebody stopped is
    /// left alone.
    #[arg(long, value_name = "SECS", value_parser = typed::secs)]
    pub reconnect: Option<f64>,
    /// Seed of the first episode.
    #[arg(long, default_value_t = 1, value_parser = typed::seed)]
    pub seed: u64,
    /// Where everything is written down, if anywhere.
    #[arg(skip)]
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
    /// What stands in `config.toml` of the run, if there is one.
    pub config: Option<Vec<u8>>,
}

/// How a deployment is called.
pub(crate) fn mode_name(real_time: bool) -> &'static str {
    if real_time { "real time" } else { "lock-step" }
}
