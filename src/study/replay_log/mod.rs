//! `giraffe replay FILE.mcap`: a deployment again, from its log.
//!
//! What the hand answered comes from the log; what the policy reads, says and wants is computed anew by the loop that
//! every deployment runs, and compared with the log bit by bit. Then the controller's envelope is computed anew, too.
//!
//! Everything is computed from states, poses and resets alone: a number altered in `/obs` is one difference, one altered
//! in a state spreads as it would have.

mod document;
mod hand;
mod picture;

pub use document::text;

use crate::run::behavior::Behavior;
use crate::run::episode::Pilot;
use crate::run::evaluate::TrainedPolicy;
use crate::run::folder::POLICY_FILE;
use crate::run::score::Score;
use crate::run::shipped::POLICIES;
use crate::run::skills::set::SKILLS_FILE;
use anyhow::{Context, Result, bail};
use giraffe_bridge::EnvelopeSpec;
use giraffe_bridge::log::{EnvelopeCheck, EventKind, Logged, LoggedDeployment, LoggedEpisode, check_envelope, read};
use giraffe_bridge::message::{JointLimits, NO_ENVELOPE, Welcome};
use giraffe_robots::{Measure, Outcome, Task, TrialResult, find_object, find_task_with};
use hand::Places;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const DROPPED: &str = "records before it are missing in the log: the disk or the processor could not keep up";

/// What is replayed, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogReplayOptions {
    /// The log.
    pub log: PathBuf,
    /// Folder of the run, policy file or shipped policy; else the run in whose folder the log lies, or a shipped policy.
    pub policy: Option<PathBuf>,
    /// Folder for a picture of each joint.
    pub out: Option<PathBuf>,
}

/// What became of it.
#[derive(Debug, Clone, Serialize)]
pub struct LogReplayReport {
    /// The log.
    pub log: PathBuf,
    /// Why it is not whole, if it is not.
    pub cut: Option<String>,
    /// Records that are missing because the writer could not keep up.
    pub dropped_records: u64,
    /// Fingerprint of the policy, in the log and here.
    pub policy: String,
    /// `lock-step` or `real time`.
    pub mode: String,
    /// What the log says came of the episodes that were whole and watched, as the deployment itself reports it; `None` where
    /// there were none.
    pub score: Option<Score>,
    /// What its measures are called.
    #[serde(skip)]
    pub measures: &'static [Measure],
    /// How often the hand was lost and reached again.
    pub reconnections: usize,
    /// Episodes in the log, whole or not.
    pub episodes: usize,
    /// Control steps in the log.
    pub steps: u64,
    /// What the policy read.
    pub observations: Check,
    /// What it said.
    pub actions: Check,
    /// What it wanted, as sent.
    pub targets: Check,
    /// What the controller's envelope made of it.
    pub applied: EnvelopeCheck,
    /// Whether everything that could be checked is equal, bit for bit, and there was something.
    pub equal: bool,
    /// What was written.
    pub files: Vec<PathBuf>,
}

/// One channel, compared.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Check {
    /// Vectors that were compared.
    pub checked: u64,
    /// Of these, how many differed.
    pub different: u64,
    /// Vectors that could not be compared, by reason.
    pub unchecked: BTreeMap<String, u64>,
    /// The first difference.
    pub first: Option<Difference>,
}

/// Where the log says otherwise than its replay.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Episode of the deployment, from 0.
    pub episode: u64,
    /// Step of the episode, from 0.
    pub step: u64,
    /// Place in the vector, from 0, in the order of the policy.
    pub index: usize,
    /// What is there: a column of the observation or a joint.
    pub name: String,
    /// In the log; null: no finite number.
    pub logged: f32,
    /// Now; null: no finite number.
    pub replayed: f32,
}

impl LogReplayReport {
    /// Whether anything at all could be compared.
    pub fn is_compared(&self) -> bool {
        self.observations.checked + self.actions.checked + self.targets.checked + self.applied.checked > 0
    }
}

impl Check {
    /// Compares one vector, at `(episode, step)`.
    fn compare(&mut self, at: (u64, u64), logged: &[f32], replayed: &[f32], names: &[String]) {
        self.checked += 1;
        // A number that is not finite has no bits in JSON: any is as good as another.
        let same = |a: f32, b: f32| a.to_bits() == b.to_bits() || !(a.is_finite() || b.is_finite());
        let length = logged.len().max(replayed.len());
        let number = |values: &[f32], index: usize| values.get(index).copied().unwrap_or(f32::NAN);
        let differing = (0..length).find(|index| {
            let both = *index < logged.len() && *index < replayed.len();
            !(both && same(logged[*index], replayed[*index]))
        });
        let Some(index) = differing else { return };
        self.different += 1;
        self.first.get_or_insert_with(|| Difference {
            episode: at.0,
            step: at.1,
            index,
            name: names.get(index).cloned().unwrap_or_default(),
            logged: number(logged, index),
            replayed: number(replayed, index),
        });
    }

    fn leave_out(&mut self, reason: &str, count: u64) {
        if count > 0 {
            *self.unchecked.entry(reason.to_owned()).or_default() += count;
        }
    }
}

/// Replays a log.
///
/// # Errors
/// When it cannot be read, is no log of a deployment, or was written with another policy.
pub fn replay_log(options: &LogReplayOptions) -> Result<LogReplayReport> {
    let log = read(&options.log)?;
    let trained = TrainedPolicy::load(&policy_of(options, &log)?, &[])?;
    let policy = &trained.policy;
    let fingerprint = check_policy(&log, policy)?;
    let welcome = terms(&log)?;
    let mode = log.text("giraffe.deployment", "mode").unwrap_or("").to_owned();
    let memoryless = log.text("giraffe.deployment", "memoryless") == Some("true");
    let places = Places::of(policy, &welcome)?;
    let task = find_task_with(&task_of(&log, policy), &trained.config.dials)?;
    // What was set at the deployment is in the log alone.
    let logged_steps = log.text("giraffe.deployment", "episode_steps").and_then(|text| text.parse().ok());
    let step_limit = logged_steps.unwrap_or_else(|| task.episode_step_count());
    let (robot, _) = trained.config.hand()?;
    let object = find_object(policy.object())?;
    let mut pilot = Pilot::new(policy, task, &robot, object, memoryless).lasting(step_limit);
    let limited = welcome.grants.iter().any(|grant| grant == NO_ENVELOPE);
    let mut checks = hand::Checks::new(policy, limited);
    let episodes = log.episodes();
    for episode in &episodes {
        checks.replay(&mut pilot, episode, &robot, &places);
    }
    let applied = if limited { no_envelope(&log) } else { check_applied(&log, &welcome, mode == "lock-step")? };
    let hand::Checks { observations, actions, targets, .. } = checks;
    let different = observations.different + actions.different + targets.different + applied.different;
    let checked = observations.checked + actions.checked + targets.checked + applied.checked;
    let mut report = LogReplayReport {
        log: options.log.clone(),
        cut: log.cut.clone(),
        dropped_records: log.events(EventKind::LogDropped).map(|event| event.number).sum(),
        policy: fingerprint,
        mode,
        score: score_of(task, &episodes),
        measures: task.measures(),
        reconnections: log.events(EventKind::Reconnected).count(),
        episodes: episodes.len(),
        steps: episodes.iter().map(|episode| episode.steps.len() as u64).sum(),
        observations,
        actions,
        targets,
        applied,
        equal: different == 0 && checked > 0,
        files: Vec::new(),
    };
    if let Some(out) = &options.out {
        report.files = picture::draw(&log, &welcome.joints, out)?;
    }
    Ok(report)
}

/// The score of the deployment, from what was written down at the end of each episode.
fn score_of(task: &dyn Task, episodes: &[LoggedEpisode]) -> Option<Score> {
    let result = |episode: &LoggedEpisode| -> Option<TrialResult> {
        let summary = episode.summary.as_ref()?;
        // Of one that was cut there is no outcome.
        let outcome = Outcome::named(&summary.outcome)?;
        let value = |name: &str| summary.measures.iter().find(|measure| measure.name == name)?.value;
        let measures = task.measures().iter().map(|measure| value(measure.name)).collect();
        let step_count = u32::try_from(episode.steps.len()).unwrap_or(u32::MAX);
        (!summary.measures.is_empty()).then_some(TrialResult { outcome, measures, step_count })
    };
    let results: Vec<TrialResult> = episodes.iter().filter_map(result).collect();
    (!results.is_empty()).then(|| Score::of(task.measures(), &results))
}

/// The policy asked for, or that of the run in whose folder the log lies, or the shipped one that wrote it.
fn policy_of(options: &LogReplayOptions, log: &LoggedDeployment) -> Result<PathBuf> {
    if let Some(policy) = &options.policy {
        return Ok(policy.clone());
    }
    let full = std::path::absolute(&options.log).context("finding the folder of the log")?;
    let is_one = |run: &&Path| [POLICY_FILE, SKILLS_FILE].iter().any(|file| run.join(file).is_file());
    if let Some(run) = full.parent().and_then(Path::parent).filter(is_one) {
        return Ok(run.to_owned());
    }
    for shipped in POLICIES {
        if Some(shipped.policy()?.fingerprint()?.as_str()) == log.text("giraffe.policy", "fingerprint") {
            return Ok(PathBuf::from(shipped.name));
        }
    }
    bail!(
        "{}: which policy wrote it? It does not lie in the folder of a run, and none of the shipped policies did; say --policy RUN",
        options.log.display()
    )
}

/// The task that was deployed: that of the policy, but for a set of skills, which may be asked for another.
fn task_of(log: &LoggedDeployment, policy: &dyn Behavior) -> String {
    log.text("giraffe.policy", "task").unwrap_or(policy.task()).to_owned()
}

fn check_policy(log: &LoggedDeployment, policy: &dyn Behavior) -> Result<String> {
    let here = policy.fingerprint()?;
    let there = log.text("giraffe.policy", "fingerprint").unwrap_or("");
    if here != there {
        let short = |text: &str| text.chars().take(16).collect::<String>();
        bail!(
            "the log was written with another policy: fingerprint {}…, this one has {}…; give the run it was deployed \
             from with --policy (a run that was trained on has another policy than before)",
            short(there),
            short(&here)
        );
    }
    Ok(here)
}

fn terms(log: &LoggedDeployment) -> Result<Welcome> {
    let json = log.text("giraffe.welcome", "json").context("the log holds no terms of a controller")?;
    serde_json::from_str(json).context("reading the controller's terms in the log")
}

fn no_envelope(log: &LoggedDeployment) -> EnvelopeCheck {
    let commands = log.entries.iter().filter(|entry| matches!(entry.logged, Logged::Command { .. })).count() as u64;
    let reason = "the controller has no envelope".to_owned();
    EnvelopeCheck { unchecked: BTreeMap::from([(reason, commands)]), ..EnvelopeCheck::default() }
}

fn check_applied(log: &LoggedDeployment, welcome: &Welcome, lockstep: bool) -> Result<EnvelopeCheck> {
    let number = |key: &str| -> Result<f32> {
        let text = log.text("giraffe.robot", key).with_context(|| format!("the log does not say the hand's {key}"))?;
        Ok(text.parse::<f64>().with_context(|| format!("reading {key} in the log"))? as f32)
    };
    let limits: Option<Vec<JointLimits>> =
        welcome.joints.iter().map(|name| welcome.limits.get(name).copied()).collect();
    let spec = EnvelopeSpec {
        names: welcome.joints.clone(),
        limits: limits.context("the terms in the log lack the limits of a joint")?,
        tracking_band_rad: number("tracking_band_rad")?,
        period_secs: number("control_period_secs")?,
    };
    Ok(check_envelope(&log.entries, &spec, lockstep)?)
}
