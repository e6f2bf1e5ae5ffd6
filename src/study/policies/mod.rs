//! `giraffe compare-policies`: several trained policies on the same worlds.
//!
//! The worlds of a test set depend on the seed, the test set and the settings given here alone, never on what a run was
//! trained with. So every policy meets the same worlds, and a policy's numbers do not change with the company it is in.

mod document;
mod picture;
mod test_set;

pub use document::{markdown, table};
pub use test_set::TestSet;

use crate::run::COMMIT;
use crate::run::config::{Parts, RunConfig, check_threads};
use crate::run::episode::EpisodeResult;
use crate::run::evaluate::{TrainedPolicy, episode_secs, run_episodes, unseen_seeds};
use crate::run::hand::{differences, in_words};
use crate::run::score::Score;
use crate::run::setting;
use crate::run::statistics::{Estimate, mean, median, wilson};
use crate::study::named_run::{NamedRun, names};
use crate::typed;
use anyhow::{Context, Result, bail};
use clap::Args;
use giraffe_robots::{Measure, MeasureKind, RobotModel, whole_file};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is compared on what.
#[derive(Debug, Clone, Args)]
pub struct PoliciesOptions {
    /// A run's folder or a policy file, with its name in the report; several with one name are summed up together.
    #[arg(long = "policy", value_name = "NAME=RUN", required = true)]
    pub policies: Vec<NamedRun>,
    /// A test set: a preset (`none` is nominal physics), a scenario, or PRESET+SCENARIO; may be given many times
    /// [default: none and wide].
    // See `TestSet::find`.
    #[arg(long = "test", value_name = "NAME", default_values = ["none", "wide"], hide_default_value = true)]
    pub test_sets: Vec<String>,
    /// Episodes of each policy on each test set.
    #[arg(long, default_value_t = 200, value_parser = typed::count)]
    pub episodes: usize,
    /// Seed of the worlds. Never the same worlds as in training, whatever the number.
    #[arg(long, default_value_t = 1, value_parser = typed::seed)]
    pub seed: u64,
    /// Folder of the report: report.md, report.json, policies.svg.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Reset the recurrent state before every step.
    #[arg(long)]
    pub memoryless: bool,
    /// Threads; 0 for one per core. Never changes a result.
    #[arg(long = "threads", value_name = "THREADS", default_value_t = 0, value_parser = typed::count)]
    pub thread_count: usize,
}

/// Everything that was measured.
#[derive(Debug, Clone, Serialize)]
pub struct PoliciesReport {
    /// The hand.
    pub robot: String,
    /// The object.
    pub object: String,
    /// The task.
    pub task: String,
    /// Seed of the worlds.
    pub seed: u64,
    /// Episodes of each run on each test set.
    pub episodes: usize,
    /// Seconds of an episode in which nothing drops.
    pub episode_secs: f64,
    /// Whether the recurrent state was wiped before every step.
    pub memoryless: bool,
    /// What was changed from the defaults, as `key=value`.
    pub settings: Vec<String>,
    /// Commit of the program that measured.
    pub commit: String,
    /// Somebody said stop: the test sets that were not finished are left out.
    #[serde(skip_serializing_if = "is_false")]
    pub stopped: bool,
    /// What the task measures, for tables and pictures.
    #[serde(skip)]
    pub measures: &'static [Measure],
    /// One for each test set.
    pub test_sets: Vec<TestSetReport>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// What came of one test set.
#[derive(Debug, Clone, Serialize)]
pub struct TestSetReport {
    /// Its name.
    pub name: String,
    /// What its worlds are.
    pub worlds: String,
    /// One for each name of policies.
    pub groups: Vec<GroupReport>,
}

/// The policies that share a name, on one test set.
#[derive(Debug, Clone, Serialize)]
pub struct GroupReport {
    /// Their name.
    pub name: String,
    /// Every measure of the task, the headline first.
    pub measures: Vec<GroupMeasure>,
    /// Every run.
    pub runs: Vec<RunReport>,
}

/// One measure over all runs of a name on one test set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupMeasure {
    /// Its name.
    pub name: &'static str,
    /// Mean over runs and worlds, with the 95 % interval for these very policies: how much it would move with other worlds.
    /// It does not say how much it would move with other training seeds: see `lowest` and `highest`. `null` where no
    /// episode said anything. Of a fraction the interval is as wide as if there were one run: the runs meet the same
    /// worlds.
    pub estimate: Option<Estimate>,
    /// Median of the runs' means.
    pub median: Option<f64>,
    /// Lowest of the runs' means.
    pub lowest: Option<f64>,
    /// Highest of the runs' means.
    pub highest: Option<f64>,
}

/// One run on one test set.
#[derive(Debug, Clone, Serialize)]
pub struct RunReport {
    /// Its folder.
    pub run: String,
    /// Its score.
    pub score: Score,
}

/// Measures in worlds of these `settings` (hand, object, ranges, as `key=value`), and writes `report.md`, `report.json` and
/// `policies.svg`.
///
/// # Errors
/// When a policy cannot be loaded or does not fit the hand, a test set is unknown, or the disk refuses. Nothing when it
/// was stopped before a test set was finished; of those that were finished there is a report.
pub fn compare_policies(
    settings: &[String],
    options: &PoliciesOptions,
    stop: &AtomicBool,
) -> Result<Option<PoliciesReport>> {
    let load = |named: &NamedRun| {
        TrainedPolicy::load(&named.path, &[]).with_context(|| format!("loading {}", named.path.display()))
    };
    let trained: Vec<TrainedPolicy> = options.policies.iter().map(load).collect::<Result<_>>()?;
    let config = common_config(settings, &options.policies, &trained)?;
    let sets: Vec<TestSet> =
        options.test_sets.iter().map(|name| TestSet::find(name, &config.randomization)).collect::<Result<_>>()?;
    let parts = config.parts()?;
    for (named, trained) in options.policies.iter().zip(&trained) {
        let fits = trained.check_fit(parts.scene.robot()).and_then(|()| trained.check_goals(&parts));
        fits.with_context(|| named.path.display().to_string())?;
    }
    check_threads("--threads", options.thread_count)?;
    // Before an hour of measuring, not after.
    std::fs::create_dir_all(&options.out).with_context(|| format!("making the folder {}", options.out.display()))?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.thread_count).build().context("starting threads")?;
    let mut test_sets = Vec::new();
    for set in &sets {
        let measured = pool.install(|| measure(options, &trained, &parts, set, stop))?;
        if stop.load(Ordering::Relaxed) {
            break;
        }
        test_sets.push(measured);
    }
    let stopped = test_sets.len() < sets.len();
    if test_sets.is_empty() {
        return Ok(None);
    }
    let report = PoliciesReport {
        robot: parts.scene.robot().name.clone(),
        object: parts.scene.object().name.to_owned(),
        task: parts.task.name().to_owned(),
        seed: options.seed,
        episodes: options.episodes,
        episode_secs: episode_secs(parts.task, parts.scene.robot()),
        memoryless: options.memoryless,
        settings: settings.to_vec(),
        commit: COMMIT.to_owned(),
        stopped,
        measures: parts.task.measures(),
        test_sets,
    };
    write(&report, options)?;
    Ok(Some(report))
}

fn write(report: &PoliciesReport, options: &PoliciesOptions) -> Result<()> {
    picture::draw(report, &options.out.join(picture::FILE))?;
    let json = serde_json::to_string_pretty(report).context("writing JSON")?;
    for (name, text) in [("report.md", markdown(report)), ("report.json", json + "\n")] {
        let path = options.out.join(name);
        whole_file(&path, text.as_bytes()).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// The worlds' configuration: hand, object, task and physics are those of all policies, unless a setting says otherwise;
/// the ranges are the defaults with the settings, whatever the policies were trained with.
fn common_config(settings: &[String], policies: &[NamedRun], trained: &[TrainedPolicy]) -> Result<RunConfig> {
    let Some(first) = trained.first() else { bail!("no policies: give at least one with --policy NAME=RUN") };
    let mut config = RunConfig::read(None, settings)?;
    config.task.clone_from(&first.config.task);
    let mut shared = |key: &str, of: &dyn Fn(&RunConfig) -> String, take: &dyn Fn(&mut RunConfig)| -> Result<()> {
        if setting::names(settings, key) {
            return Ok(());
        }
        let differs = trained.iter().position(|other| of(&other.config) != of(&first.config));
        if let Some(other) = differs {
            let (one, two) = (&policies[0].path, &policies[other].path);
            bail!(
                "{} was trained with {key} {}, {} with {}: they need one test set; choose it with --set {key}...",
                one.display(),
                of(&first.config),
                two.display(),
                of(&trained[other].config)
            );
        }
        take(&mut config);
        Ok(())
    };
    shared("object", &|config| config.object.clone(), &|config| config.object.clone_from(&first.config.object))?;
    shared("physics", &|config| format!("{:?}", config.physics), &|config| config.physics = first.config.physics)?;
    if !setting::names(settings, "robot") {
        let same = share_hand(policies, trained)?;
        (config.robot, config.own_hand) = (same.robot.clone(), same.own_hand.clone());
    }
    if let Some(other) = trained.iter().position(|other| other.config.task != first.config.task) {
        let (one, two) = (&first.config.task, &trained[other].config.task);
        bail!("{} was trained for {two}, not {one}: compare policies of one task", policies[other].path.display());
    }
    Ok(config)
}

/// The configuration whose hand is that of all policies: the same hand, wherever its file lay when each was trained.
fn share_hand<'t>(policies: &[NamedRun], trained: &'t [TrainedPolicy]) -> Result<&'t RunConfig> {
    let first = &trained[0].config;
    let one = first.hand()?.0;
    for (named, other) in policies.iter().zip(trained).skip(1) {
        let two = other.config.hand()?.0;
        let identity = |robot: &RobotModel| (robot.kinematics_fingerprint.clone(), robot.dynamics_fingerprint.clone());
        if identity(&one) != identity(&two) {
            bail!(
                "{} was trained with robot {}, {} with {}, which is another hand ({}): they need one test set; choose it with \
                 --set robot=...",
                policies[0].path.display(),
                first.robot,
                named.path.display(),
                other.config.robot,
                in_words(&differences(&one, &two))
            );
        }
    }
    // One that has kept its hand, if there is one.
    Ok(trained.iter().map(|trained| &trained.config).find(|config| config.own_hand.is_some()).unwrap_or(first))
}

fn measure(
    options: &PoliciesOptions,
    trained: &[TrainedPolicy],
    parts: &Parts,
    set: &TestSet,
    stop: &AtomicBool,
) -> Result<TestSetReport> {
    let sampler = parts.sampler(&set.randomization, set.scenario, unseen_seeds(options.seed));
    let mut results = Vec::new();
    for (named, trained) in options.policies.iter().zip(trained) {
        let of_run = run_episodes(&trained.policy, parts, &sampler, options.episodes, options.memoryless, stop)?;
        tracing::info!("{}: {} ({}) is done", set.name, named.name, named.folder());
        results.push((named, of_run));
    }
    let group = |name: &str| {
        let members: Vec<&(&NamedRun, Vec<EpisodeResult>)> =
            results.iter().filter(|(named, _)| named.name == name).collect();
        GroupReport::of(name, parts.task.measures(), &members)
    };
    let groups = names(&options.policies).into_iter().map(group).collect();
    Ok(TestSetReport { name: set.name.clone(), worlds: set.worlds(), groups })
}

impl GroupReport {
    fn of(name: &str, measures: &'static [Measure], members: &[&(&NamedRun, Vec<EpisodeResult>)]) -> Self {
        let runs: Vec<RunReport> = members
            .iter()
            .map(|(named, results)| RunReport { run: named.folder(), score: Score::of_episodes(measures, results) })
            .collect();
        let results: Vec<&[EpisodeResult]> = members.iter().map(|(_, results)| results.as_slice()).collect();
        let of_measure = |(index, measure): (usize, &'static Measure)| {
            let of_runs: Vec<f64> =
                runs.iter().filter_map(|run| run.score.measure(measure.name)).map(|mean| mean.value).collect();
            GroupMeasure {
                name: measure.name,
                estimate: over_worlds(measure.kind, index, &results),
                median: median(&of_runs),
                lowest: of_runs.iter().copied().reduce(f64::min),
                highest: of_runs.iter().copied().reduce(f64::max),
            }
        };
        Self { name: name.to_owned(), measures: measures.iter().enumerate().map(of_measure).collect(), runs }
    }
}

/// One measure, world by world the mean over runs: what is left varies with the worlds.
fn over_worlds(kind: MeasureKind, index: usize, runs: &[&[EpisodeResult]]) -> Option<Estimate> {
    let world_count = runs.iter().map(|results| results.len()).max().unwrap_or(0);
    let of_world = |world: usize| -> Option<f64> {
        let of_run = |results: &&[EpisodeResult]| {
            let result = results.get(world).filter(|result| result.counts())?;
            result.trial.measures.get(index).copied().flatten()
        };
        let values: Vec<f64> = runs.iter().filter_map(of_run).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let means: Vec<f64> = (0..world_count).filter_map(of_world).collect();
    match kind {
        MeasureKind::Mean | MeasureKind::Count => mean(&means),
        MeasureKind::Fraction if means.is_empty() => None,
        MeasureKind::Fraction => Some(wilson(means.iter().sum::<f64>() / means.len() as f64, means.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use giraffe_robots::{Better, Outcome, TrialResult};

    static MEASURES: [Measure; 2] = [
        Measure { name: "rate_hz", title: "rate", unit: "Hz", kind: MeasureKind::Mean, better: Better::Higher },
        Measure { name: "kept_fraction", title: "kept", unit: "", kind: MeasureKind::Fraction, better: Better::Higher },
    ];

    #[test]
    fn a_group_has_the_median_and_the_spread_of_its_runs_and_an_interval_over_worlds() {
        let named: NamedRun = "wide=runs/wide-1".parse().expect("a name and a folder");
        let run = |rates: [f64; 4]| {
            let result = |rate: f64| {
                let measures = vec![Some(rate), Some(if rate < 0.2 { 0.0 } else { 1.0 })];
                let trial = TrialResult { outcome: Outcome::TimeUp, measures, step_count: 400 };
                EpisodeResult { trial, cut: false, clipped_count: 0, missed_tick_count: 0 }
            };
            (&named, rates.map(result).to_vec())
        };
        let runs = [run([0.1, 0.3, 0.5, 0.7]), run([0.3, 0.3, 0.3, 0.3]), run([0.5, 0.3, 0.1, 0.9])];
        let group = GroupReport::of("wide", &MEASURES, &runs.iter().collect::<Vec<_>>());
        let near = |a: Option<f64>, b: f64| assert!((a.expect("a number") - b).abs() < 1e-9, "{a:?} is not {b}");
        let [rate, kept] = &group.measures[..] else { panic!("two measures") };
        near(rate.median, 0.4);
        near(rate.lowest, 0.3);
        near(rate.highest, 0.45);
        // Means over runs, world by world: 0.3, 0.3, 0.3 and 1.9 / 3.
        let over_worlds = mean(&[0.3, 0.3, 0.3, 1.9 / 3.0]).expect("worlds");
        near(rate.estimate.map(|mean| mean.value), over_worlds.value);
        near(rate.estimate.and_then(|mean| mean.ci95).map(|ends| ends[0]), over_worlds.ci95.expect("four")[0]);
        let expected = wilson(10.0 / 12.0, 4);
        near(kept.estimate.map(|mean| mean.value), expected.value);
        near(kept.estimate.and_then(|mean| mean.ci95).map(|ends| ends[0]), expected.ci95.expect("four")[0]);
        assert_eq!(group.runs.len(), 3);
    }

    #[test]
    fn policies_without_an_episode_have_no_numbers() {
        let named: NamedRun = "wide=runs/wide-1".parse().expect("a name and a folder");
        let group = GroupReport::of("wide", &MEASURES, &[&(&named, Vec::new())]);
        assert!(group.measures.iter().all(|measure| measure.estimate.is_none() && measure.median.is_none()));
    }
}
