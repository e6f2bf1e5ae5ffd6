//! What `giraffe deploy` writes down: which policy, which hand, which terms, and every step.

use super::options::{DeployOptions, LogOptions, mode_name};
use crate::calendar::UtcTime;
use crate::run::COMMIT;
use crate::run::behavior::Behavior;
use crate::run::episode::{EpisodeResult, StepObserver};
use crate::run::folder::CONFIG_FILE;
use anyhow::{Context, Result};
use giraffe_bridge::Clock;
use giraffe_bridge::log::{
    DeploymentLog, EpisodeSummary, Event, EventKind, Goal, LogError, LogHandle, LogStart, MeasuredValue, Numbers,
    QUEUE_RECORDS, Record, Sections, exact,
};
use giraffe_bridge::message::Welcome;
use giraffe_robots::{RobotModel, Signal, SignalFrame, Task};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The folder of logs in the folder of a run, or here.
pub const LOGS_FOLDER: &str = "deployments";

/// The name of a log that nobody gave a name: `deployments/` in the folder of the run, or here if `policy` is none; then
/// the time in UTC, and how the hand is moved.
pub fn default_path(policy: &Path, real_time: bool) -> PathBuf {
    let folder = if policy.is_dir() { policy.join(LOGS_FOLDER) } else { PathBuf::from(LOGS_FOLDER) };
    let name = format!("{}-{}", UtcTime::now().in_file_names(), mode_name(real_time).replace(' ', "-"));
    let first = folder.join(format!("{name}.mcap"));
    let mut others = (2..).map(|n| folder.join(format!("{name}-{n}.mcap")));
    if first.exists() { others.find(|path| !path.exists()).unwrap_or(first) } else { first }
}

/// Who moves which hand.
pub struct LoggedPolicy<'d> {
    /// The policy.
    pub policy: &'d dyn Behavior,
    /// The task.
    pub task: &'static dyn Task,
    /// The hand, as the policy's side sees it.
    pub robot: &'d RobotModel,
    /// How.
    pub options: &'d DeployOptions,
}

/// Begins a log. `None`, with a warning, where it cannot be written and nobody asked for it by name.
///
/// # Errors
/// When it was asked for and cannot be written.
#[allow(clippy::disallowed_methods, reason = "the program may read the clock")]
pub fn begin_log(
    wanted: &LogOptions,
    logged: &LoggedPolicy<'_>,
    terms: &Welcome,
    clock: &Arc<dyn Clock>,
) -> Result<Option<DeploymentLog>> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let attachments = wanted.config.clone().map(|bytes| (CONFIG_FILE.to_owned(), "application/toml".to_owned(), bytes));
    let (sections, attachments) = (sections(wanted, logged, terms)?, attachments.into_iter().collect::<Vec<_>>());
    let create = |path: PathBuf| {
        DeploymentLog::create(LogStart {
            path,
            clock: Arc::clone(clock),
            wall_start_ns: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),
            joints: terms.joints.clone(),
            sections: sections.clone(),
            attachments: attachments.clone(),
            queue_records: QUEUE_RECORDS,
        })
    };
    let mut created = create(wanted.path.clone());
    // Another deployment may have taken a name that nobody asked for in the same second.
    for number in 2..MOST_AT_ONCE {
        if wanted.asked_for || !matches!(&created, Err(error) if is_taken(error)) {
            break;
        }
        created = create(numbered(&wanted.path, number));
    }
    match created {
        Ok(log) => Ok(Some(log)),
        Err(error) if wanted.asked_for => Err(error).context("the log asked for with --log"),
        Err(error) => {
            tracing::warn!("this deployment is not logged: {error}; choose a file with --log, or none with --no-log");
            Ok(None)
        }
    }
}

/// Deployments from one folder that begin within a second, at most.
const MOST_AT_ONCE: u32 = 100;

fn is_taken(error: &LogError) -> bool {
    matches!(error, LogError::File { source, .. } if source.kind() == ErrorKind::AlreadyExists)
}

/// The name of a log with a number behind it.
fn numbered(path: &Path, number: u32) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}-{number}.mcap"))
}

fn sections(wanted: &LogOptions, logged: &LoggedPolicy<'_>, terms: &Welcome) -> Result<Sections> {
    let LoggedPolicy { policy, task, robot, options } = logged;
    let section = |entries: &[(&str, String)]| -> BTreeMap<String, String> {
        entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
    };
    let welcome =
        String::from_utf8(exact(terms).context("writing down the terms")?).context("writing down the terms")?;
    Ok(Sections::from([
        (
            "giraffe.software".to_owned(),
            section(&[
                ("version", env!("CARGO_PKG_VERSION").to_owned()),
                ("commit", COMMIT.to_owned()),
                ("controller", terms.software.clone()),
            ]),
        ),
        (
            "giraffe.policy".to_owned(),
            section(&[
                ("fingerprint", policy.fingerprint()?),
                ("task", task.name().to_owned()),
                ("object", policy.object().to_owned()),
                ("observation_fingerprint", policy.observation_fingerprint()),
                ("trained_by_commit", policy.commit().to_owned()),
                ("control_steps", policy.control_steps().to_string()),
            ]),
        ),
        (
            "giraffe.robot".to_owned(),
            section(&[
                ("name", robot.name.clone()),
                ("kinematics_fingerprint", robot.kinematics_fingerprint.clone()),
                ("dynamics_fingerprint", robot.dynamics_fingerprint.clone()),
                ("control_period_secs", format!("{:?}", f64::from(robot.control.period_secs))),
                ("tracking_band_rad", format!("{:?}", f64::from(robot.safety.tracking_band_rad))),
            ]),
        ),
        (
            "giraffe.deployment".to_owned(),
            section(&[
                ("endpoint", options.endpoint.clone()),
                ("mode", mode_name(options.real_time).to_owned()),
                ("seed", options.seed.to_string()),
                ("episodes", options.episodes.to_string()),
                ("paired", options.paired.to_string()),
                ("memoryless", options.memoryless.to_string()),
                ("episode_steps", logged.task.episode_step_count().to_string()),
                ("settings", wanted.settings.join("\n")),
            ]),
        ),
        ("giraffe.welcome".to_owned(), section(&[("json", welcome)])),
    ]))
}

/// Writes down what a policy reads and says.
pub struct Recorder {
    log: LogHandle,
    task: &'static dyn Task,
    /// Of the first episode.
    seed: u64,
    /// Which episode of the deployment it is.
    episode: u64,
    step: u64,
    /// Which of the goals of the episode it is, and its values.
    goal: (u64, Option<Goal>),
}

impl Recorder {
    /// Into this log. `seed`: of the first episode; each has the next one.
    pub fn new(log: LogHandle, task: &'static dyn Task, seed: u64) -> Self {
        Self { log, task, seed, episode: 0, step: 0, goal: (0, None) }
    }

    /// What comes now is of this episode of the deployment, from 0.
    pub fn turn_to(&mut self, episode: u64) {
        self.episode = episode;
    }

    fn summary(&self, result: &EpisodeResult) -> EpisodeSummary {
        let outcome = if result.cut { "cut" } else { result.trial.outcome.name() };
        let pairs = self.task.measures().iter().zip(&result.trial.measures);
        let measures = pairs.map(|(measure, value)| MeasuredValue {
            name: measure.name.to_owned(),
            unit: measure.unit.to_owned(),
            value: *value,
        });
        EpisodeSummary { outcome: outcome.to_owned(), measures: measures.collect() }
    }

    fn event(&self, kind: EventKind, number: u64) {
        self.log.record(Record::Event(Event::new(kind, "").numbered(number)));
    }

    fn numbers(&self, values: &[f32]) -> Numbers {
        Numbers { episode: self.episode, step: self.step, state_seq: 0, values: values.to_vec() }
    }
}

impl StepObserver for Recorder {
    fn began(&mut self, _goal_seed: u64) {
        (self.step, self.goal) = (0, (0, None));
        let seed = format!("seed {}", self.seed.wrapping_add(self.episode));
        self.log.record(Record::Event(Event::new(EventKind::EpisodeStart, seed).numbered(self.episode)));
    }

    fn reset(&mut self) {
        self.event(EventKind::RecurrentReset, self.step);
    }

    fn aimed(&mut self, sensed: &SignalFrame) {
        let signals: Vec<Signal> = Signal::goals().collect();
        let goal = Goal::of(sensed, &signals);
        if goal.values.is_empty() {
            return;
        }
        let (number, last) = &mut self.goal;
        // How far away a goal is changes all the time: another one it is when what was asked for changes.
        let asked = |goal: &Goal| -> Vec<Vec<f32>> {
            let own = Signal::goals().filter(|signal| !signal.is_goal_error());
            own.filter_map(|signal| goal.values.get(signal.name()).cloned()).collect()
        };
        *number += u64::from(last.as_ref().is_some_and(|last| asked(last) != asked(&goal)));
        let goal = Goal { episode: self.episode, step: self.step, number: *number, ..goal };
        *last = Some(goal.clone());
        self.log.record(Record::Goal(goal));
    }

    fn observed(&mut self, observation: &[f32]) {
        self.log.record(Record::Observation(self.numbers(observation)));
    }

    fn acted(&mut self, actions: &[f32]) {
        self.log.record(Record::Action(self.numbers(actions)));
        self.step += 1;
    }

    fn rearmed(&mut self) {
        self.event(EventKind::Rearmed, self.step);
    }

    fn ended(&mut self, result: &EpisodeResult) {
        let event = Event::new(EventKind::EpisodeEnd, "").numbered(u64::from(result.trial.step_count));
        self.log.record(Record::Event(event.summed_up(self.summary(result))));
    }
}
