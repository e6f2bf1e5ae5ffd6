//! `giraffe replay`: one episode of a run again, exactly: what was planned for it, and what a policy makes of it.
//!
//! An episode of an evaluation is lived through again bit for bit: same plan, same policy. Of a training episode the plan
//! is the same; what is lived through is what the run's policy does with it *now*, without exploring, and to the full
//! length (training cuts the first episode of each world short when `worlds.staggered`).

mod document;
mod picture;

pub use document::text;

use crate::learn::episode_log;
use crate::run::COMMIT;
use crate::run::behavior::{AnyPolicy, Behavior};
use crate::run::config::{Parts, RunConfig};
use crate::run::dosed::dosed_name;
use crate::run::episode::{Pilot, StepObserver, StepView};
use crate::run::evaluate::{TrainedPolicy, unseen_seeds};
use crate::run::folder::{CONFIG_FILE, POLICY_FILE, RunFolder};
use crate::run::shipped::PolicySource;
use crate::run::skills::set::skills_file_at;
use anyhow::{Context, Result, bail, ensure};
use giraffe_physics::{EpisodePlan, EpisodeSampler, HandSim};
use giraffe_randomization::{AdrRanges, CurriculumRanges, DosedScenario, NONE, Side, find_parameter};
use giraffe_robots::{Measure, ObjectPose, Outcome, Seen, Signal};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Which episodes are meant.
#[derive(Clone, Copy)]
pub enum Episodes {
    /// Those that the run was trained in.
    Training,
    /// Those of `giraffe evaluate`.
    Evaluation {
        /// As with `evaluate --seed`.
        seed: u64,
        /// What happens during each.
        scenario: DosedScenario,
    },
}

/// One episode.
#[derive(Clone)]
pub struct ReplayOptions {
    /// The run's folder, or the name of a shipped policy; for an episode of an evaluation a policy file will do.
    pub run: PathBuf,
    /// Of which kind.
    pub episodes: Episodes,
    /// The world.
    pub world: u64,
    /// The episode in that world. Evaluations have one, 0.
    pub episode: u64,
    /// For an evaluation: settings of the run that were changed, as `key=value`.
    pub settings: Vec<String>,
    /// Whether the recurrent state is wiped before every step.
    pub memoryless: bool,
    /// Whether a policy lives through it.
    pub live: bool,
    /// Folder for `episode.svg`, `episode.csv` and `plan.json`.
    pub out: Option<PathBuf>,
}

/// What was planned and what came of it.
#[derive(Debug, Clone, Serialize)]
pub struct ReplayReport {
    /// The run's folder.
    pub run: String,
    /// `training` or `evaluation`.
    pub kind: &'static str,
    /// Seed: of the run, or of the evaluation.
    pub seed: u64,
    /// The world.
    pub world: u64,
    /// The episode in that world.
    pub episode: u64,
    /// What happens, by name.
    pub scenario: String,
    /// What the task measures, for words and pictures.
    #[serde(skip)]
    pub measures: &'static [Measure],
    /// Where ranges grow by themselves: how they were.
    pub ranges: Option<RangesThen>,
    /// In a curriculum: at which level it was planned.
    pub curriculum: Option<LevelThen>,
    /// Every parameter that varies.
    pub parameters: Vec<DrawnParameter>,
    /// Seconds of a control step.
    pub period_secs: f64,
    /// Everything random about it.
    pub plan: EpisodePlan,
    /// What the policy made of it.
    pub outcome: Option<ReplayOutcome>,
    /// What was written.
    pub files: Vec<PathBuf>,
}

/// The ranges that a training episode was planned with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RangesThen {
    /// How often any boundary had moved.
    pub move_count: u64,
    /// The boundary that was tested, if one was: row or group, and which end.
    pub tested: Option<(String, Side)>,
}

/// The level of a curriculum that a training episode was planned at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LevelThen {
    /// Which number moves.
    pub scalar: String,
    /// 0 is the easiest.
    pub level: usize,
    /// The number at this level.
    pub value: f32,
}

/// One parameter of an episode.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DrawnParameter {
    /// Its name.
    pub name: String,
    /// What was drawn; where every joint has its own value, their common or mean one.
    pub value: f32,
    /// Unit, `x` for a factor.
    pub unit: String,
    /// The value of a nominal world.
    pub nominal: f32,
}

/// What a policy made of an episode.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReplayOutcome {
    /// How it ended.
    pub outcome: Outcome,
    /// The task's measures, the headline first; null for what this episode says nothing about.
    pub measures: Vec<(&'static str, Option<f64>)>,
    /// Control steps lived through.
    pub step_count: u32,
    /// Seconds lived through.
    pub secs: f64,
    /// Step by step; in the CSV, not in the report.
    #[serde(skip)]
    pub steps: Vec<Step>,
}

/// One control step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Seconds since the start, at its end.
    pub secs: f64,
    /// The task's measures so far.
    pub measures: Vec<Option<f64>>,
    /// The goal that was pursued, signal by signal.
    pub goals: Vec<(Signal, Vec<f32>)>,
    /// Where the object is.
    pub pose: ObjectPose,
    /// What the policy asked for, rad.
    pub targets_rad: Vec<f32>,
    /// What the encoders say, rad.
    pub sensed_rad: Vec<f32>,
}

/// Plans the episode again, lives through it if asked to, and writes the files.
///
/// # Errors
/// When the run cannot be read or never had that episode.
pub fn replay(options: &ReplayOptions, stop: &AtomicBool) -> Result<ReplayReport> {
    let found = find(options)?;
    let Found { parts, columns, plan, policy, ranges, curriculum } = found;
    let lived = policy.as_ref().filter(|_| options.live).map(|policy| live(options, policy, &parts, &plan, stop));
    let (seed, kind, scenario) = match options.episodes {
        Episodes::Training => (parts.seeds.root(), "training", NONE.name.to_owned()),
        Episodes::Evaluation { seed, scenario } => (seed, "evaluation", dosed_name(&scenario)),
    };
    let mut report = ReplayReport {
        run: options.run.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        kind,
        seed,
        world: options.world,
        episode: options.episode,
        scenario,
        measures: parts.task.measures(),
        parameters: columns.iter().zip(&plan.sampled).map(|(name, value)| drawn(name, *value)).collect(),
        period_secs: f64::from(parts.scene.robot().control.period_secs),
        plan,
        ranges,
        curriculum,
        outcome: lived.transpose()?,
        files: Vec::new(),
    };
    if let Some(out) = &options.out {
        let joints: Vec<&str> = parts.scene.robot().joints.iter().map(|joint| joint.name.as_str()).collect();
        report.files = write(&report, &joints, out)?;
    }
    Ok(report)
}

fn drawn(name: &str, value: f32) -> DrawnParameter {
    let row = find_parameter(name);
    DrawnParameter {
        name: name.to_owned(),
        value,
        unit: row.as_ref().map_or_else(|_| String::new(), |row| row.unit.to_owned()),
        nominal: row.map_or(f32::NAN, |row| row.nominal),
    }
}

/// An episode and who lives through it.
struct Found {
    parts: Parts,
    columns: Vec<String>,
    plan: EpisodePlan,
    policy: Option<AnyPolicy>,
    ranges: Option<RangesThen>,
    curriculum: Option<LevelThen>,
}

fn find(options: &ReplayOptions) -> Result<Found> {
    let (world, episode) = (options.world, options.episode);
    let columns = |sampler: &dyn EpisodeSampler| sampler.parameters().into_iter().map(|column| column.name).collect();
    if let Episodes::Evaluation { seed, scenario } = options.episodes {
        let trained = TrainedPolicy::load(&options.run, &options.settings)?;
        let parts = trained.parts()?;
        let sampler = parts.sampler(&trained.config.randomization, scenario, unseen_seeds(seed));
        let plan = sampler.plan(world, episode);
        let policy = Some(trained.policy);
        return Ok(Found { columns: columns(&sampler), plan, policy, ranges: None, curriculum: None, parts });
    }
    if let Some(skills) = skills_file_at(&options.run) {
        bail!(
            "{} is a set of skills: it was measured, not trained in worlds of its own; leave out --training",
            skills.display()
        );
    }
    let (config, policy) = trained_run(&options.run)?;
    let count = config.worlds.world_count;
    if world >= count as u64 {
        bail!("world {world}: this run was trained in {count} worlds, 0 to {}", count - 1);
    }
    let parts = config.parts()?;
    if let Some(trained) = &policy {
        trained.parts()?;
        warn_of_another_program(&trained.policy);
    }
    let policy = policy.map(|trained| trained.policy);
    if config.curriculum.is_some() {
        let (sampler, level) = level_then(&options.run, &config, &parts, world, episode)?;
        let plan = sampler.plan(world, episode);
        // The task as it was, not as it shall be in the end.
        let task = sampler.task(&plan).unwrap_or(parts.task);
        let (parts, curriculum) = (Parts { task, ..parts }, Some(level));
        return Ok(Found { columns: columns(&sampler), plan, policy, ranges: None, curriculum, parts });
    }
    if !config.randomization.adr.enabled {
        let sampler = parts.sampler(&config.randomization, &NONE, parts.seeds);
        let plan = sampler.plan(world, episode);
        return Ok(Found { columns: columns(&sampler), plan, policy, ranges: None, curriculum: None, parts });
    }
    let (sampler, ranges) = ranges_then(&options.run, &config, &parts, world, episode)?;
    let plan = sampler.plan(world, episode);
    Ok(Found { columns: columns(&sampler), plan, policy, ranges: Some(ranges), curriculum: None, parts })
}

/// The curriculum at the level at which a training episode was planned.
fn level_then(
    run: &Path,
    config: &RunConfig,
    parts: &Parts,
    world: u64,
    episode: u64,
) -> Result<(CurriculumRanges, LevelThen)> {
    let mut sampler = parts.curriculum(config)?;
    let (levels, _) = episode_log::reaches_at(run, vec![0.0], world, episode)?;
    let level = levels.first().copied().unwrap_or(0.0).round() as usize;
    sampler.set_level(level)?;
    let scalar = config.curriculum.as_ref().map_or_else(String::new, |curriculum| curriculum.scalar.clone());
    let value = sampler.monitor().report().value;
    Ok((sampler, LevelThen { scalar, level, value }))
}

/// What a run was trained by, and the policy it has, if it has one already.
fn trained_run(run: &Path) -> Result<(RunConfig, Option<TrainedPolicy>)> {
    if let Ok(PolicySource::Shipped(shipped)) = PolicySource::find(run) {
        let config = shipped.config(&[])?;
        ensure!(
            !config.randomization.adr.enabled && config.curriculum.is_none(),
            "{} is shipped without the history of its ranges or of its curriculum, which moved: its training episodes cannot be planned again; train \
             it anew with `giraffe train --recipe {}` and replay that run",
            shipped.name,
            shipped.name
        );
        return Ok((config, Some(TrainedPolicy::load(run, &[])?)));
    }
    let folder = RunFolder::open(run)?;
    let config = RunConfig::read(Some(&folder.file(CONFIG_FILE)), &[])?;
    let policy = folder.file(POLICY_FILE).is_file().then(|| TrainedPolicy::load(run, &[])).transpose()?;
    Ok((config, policy))
}

/// The ranges as they were when a training episode was planned.
fn ranges_then(
    run: &Path,
    config: &RunConfig,
    parts: &Parts,
    world: u64,
    episode: u64,
) -> Result<(AdrRanges, RangesThen)> {
    let (randomization, scene) = (&config.randomization, Arc::clone(&parts.scene));
    let (ranges, world_count) = (randomization.resolved(), config.worlds.world_count);
    let mut sampler = AdrRanges::new(parts.seeds, scene, parts.task, &ranges, &randomization.adr, world_count)?;
    let start = sampler.monitor().report().sides.iter().map(|side| side.reach).collect();
    let (reaches, move_count) = episode_log::reaches_at(run, start, world, episode)?;
    sampler.set_reaches(&reaches)?;
    let tested = sampler.tested(world, episode).map(|(group, side)| (group.to_owned(), side));
    Ok((sampler, RangesThen { move_count, tested }))
}

fn warn_of_another_program(policy: &dyn Behavior) {
    let (then, now) = (policy.commit(), COMMIT);
    if then != now {
        tracing::warn!(
            "this run was trained by commit {then}, this program is {now}; only where the table of parameters is the same \
             is the plan, too"
        );
    }
}

fn live(
    options: &ReplayOptions,
    policy: &dyn Behavior,
    parts: &Parts,
    plan: &EpisodePlan,
    stop: &AtomicBool,
) -> Result<ReplayOutcome> {
    let mut sim = HandSim::new(Arc::clone(&parts.scene), plan.clone());
    let period_secs = f64::from(parts.scene.robot().control.period_secs);
    let mut recorder = Steps { period_secs, steps: Vec::new() };
    let result = Pilot::of(policy, parts, options.memoryless)
        .fly_observed(&mut sim, &mut recorder, stop)
        .with_context(|| format!("episode {} in world {}", options.episode, options.world))?
        .trial;
    Ok(ReplayOutcome {
        outcome: result.outcome,
        measures: parts.task.measures().iter().map(|measure| measure.name).zip(result.measures).collect(),
        step_count: result.step_count,
        secs: f64::from(result.step_count) * period_secs,
        steps: recorder.steps,
    })
}

/// Takes down an episode step by step.
struct Steps {
    period_secs: f64,
    steps: Vec<Step>,
}

impl StepObserver for Steps {
    fn stepped(&mut self, view: &StepView<'_>) {
        let Seen::Pose(pose) = view.seen else { return };
        let goal = |signal: Signal| Some((signal, view.sensed.read(signal)?.to_vec()));
        self.steps.push(Step {
            secs: f64::from(view.referee.step_count()) * self.period_secs,
            measures: view.referee.result().measures,
            goals: Signal::goals().filter_map(goal).collect(),
            pose: *pose,
            targets_rad: view.targets_rad.to_vec(),
            sensed_rad: view.sensed.read(Signal::JointPosition).unwrap_or(&[]).to_vec(),
        });
    }
}

fn write(report: &ReplayReport, joints: &[&str], out: &Path) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(out).with_context(|| format!("making the folder {}", out.display()))?;
    let mut files = Vec::new();
    let mut text = |name: &str, text: String| -> Result<()> {
        let path = out.join(name);
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        files.push(path);
        Ok(())
    };
    text("plan.json", serde_json::to_string_pretty(&report.plan).context("writing JSON")? + "\n")?;
    if let Some(outcome) = &report.outcome {
        text("episode.csv", document::csv(&outcome.steps, report.measures, joints))?;
        let path = out.join("episode.svg");
        picture::draw(report, outcome, &path)?;
        files.push(path);
    }
    Ok(files)
}
