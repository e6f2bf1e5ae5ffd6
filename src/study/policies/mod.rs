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
use crate::run::config::{Parts, RunConfig};
use crate::run::episode::EpisodeResult;
use crate::run::evaluate::{Score, TrainedPolicy, check_fit, episode_secs, run_episodes, unseen_seeds};
use crate::run::statistics::{Estimate, mean, median, wilson};
use crate::study::named_run::{NamedRun, names};
use anyhow::{Context, Result, bail};
use clap::Args;
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
    #[arg(long, default_value_t = 200)]
    pub episodes: usize,
    /// Seed of the worlds. Never the same worlds as in training, whatever the number.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Folder of the report: report.md, report.json, policies.svg.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Reset the recurrent state before every step.
    #[arg(long)]
    pub memoryless: bool,
    /// Threads; 0 for one per core. Never changes a result.
    #[arg(long = "threads", value_name = "THREADS", default_value_t = 0)]
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
    /// One for each test set.
    pub test_sets: Vec<TestSetReport>,
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
    /// Mean over runs and worlds of the net rotation divided by the full length of an episode; nothing counts after a
    /// drop.
    pub rotation_rate_rad_per_sec: f64,
    /// 95 % interval of that mean for these very policies: how much it would move with other worlds. It does not say how
    /// much it would move with other training seeds: see `lowest` and `highest`.
    pub ci95: [f64; 2],
    /// Median of the runs' rates.
    pub median_rad_per_sec: f64,
    /// Lowest of the runs' rates.
    pub lowest_rad_per_sec: f64,
    /// Highest of the runs' rates.
    pub highest_rad_per_sec: f64,
    /// Fraction of episodes with a drop, over all runs.
    pub drop_fraction: f64,
    /// 95 % interval of that fraction, as wide as if there were one run: the runs meet the same worlds.
    pub drop_ci95: [f64; 2],
    /// Every run.
    pub runs: Vec<RunReport>,
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
/// was stopped.
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
        check_fit(&trained.policy, parts.scene.robot()).with_context(|| named.path.display().to_string())?;
    }
    // Before an hour of measuring, not after.
    std::fs::create_dir_all(&options.out).with_context(|| format!("making the folder {}", options.out.display()))?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.thread_count).build().context("starting threads")?;
    let mut test_sets = Vec::new();
    for set in &sets {
        let measured = pool.install(|| measure(options, &trained, &parts, set, stop))?;
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        test_sets.push(measured);
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
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
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
        if settings.iter().any(|setting| setting.trim_start().starts_with(key)) {
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
    shared("robot", &|config| config.robot.clone(), &|config| config.robot.clone_from(&first.config.robot))?;
    shared("object", &|config| config.object.clone(), &|config| config.object.clone_from(&first.config.object))?;
    shared("physics", &|config| format!("{:?}", config.physics), &|config| config.physics = first.config.physics)?;
    if let Some(other) = trained.iter().position(|other| other.config.task != first.config.task) {
        let (one, two) = (&first.config.task, &trained[other].config.task);
        bail!("{} was trained for {two}, not {one}: compare policies of one task", policies[other].path.display());
    }
    Ok(config)
}

fn measure(
    options: &PoliciesOptions,
    trained: &[TrainedPolicy],
    parts: &Parts,
    set: &TestSet,
    stop: &AtomicBool,
) -> Result<TestSetReport> {
    let sampler = parts.sampler(&set.randomization, set.scenario, unseen_seeds(options.seed));
    let secs = episode_secs(parts.task, parts.scene.robot());
    let mut results = Vec::new();
    for (named, trained) in options.policies.iter().zip(trained) {
        let of_run = run_episodes(&trained.policy, parts, &sampler, options.episodes, options.memoryless, stop)?;
        tracing::info!("{}: {} ({}) is done", set.name, named.name, named.folder());
        results.push((named, of_run));
    }
    let group = |name: &str| {
        let members: Vec<&(&NamedRun, Vec<EpisodeResult>)> =
            results.iter().filter(|(named, _)| named.name == name).collect();
        GroupReport::of(name, &members, secs)
    };
    let groups = names(&options.policies).into_iter().map(group).collect();
    Ok(TestSetReport { name: set.name.clone(), worlds: set.worlds(), groups })
}

impl GroupReport {
    fn of(name: &str, members: &[&(&NamedRun, Vec<EpisodeResult>)], secs: f64) -> Self {
        let world_count = members.first().map_or(0, |(_, results)| results.len());
        let over_runs = |value: &dyn Fn(&EpisodeResult) -> f64| -> Vec<f64> {
            let of_world = |world: usize| members.iter().filter_map(move |(_, results)| results.get(world)).map(value);
            (0..world_count).map(|world| of_world(world).sum::<f64>() / members.len().max(1) as f64).collect()
        };
        let rate = mean(&over_runs(&|result| result.rotation_rate_rad_per_sec(secs)));
        let drops = over_runs(&|result| f64::from(u8::from(result.dropped)));
        let drops: Estimate = wilson(drops.iter().sum::<f64>() / world_count.max(1) as f64, world_count);
        let runs: Vec<RunReport> = members
            .iter()
            .map(|(named, results)| RunReport { run: named.folder(), score: Score::of(results, secs) })
            .collect();
        let rates: Vec<f64> = runs.iter().map(|run| run.score.rotation_rate_rad_per_sec).collect();
        Self {
            name: name.to_owned(),
            rotation_rate_rad_per_sec: rate.value,
            ci95: rate.ci95,
            median_rad_per_sec: median(&rates),
            lowest_rad_per_sec: rates.iter().copied().fold(f64::INFINITY, f64::min),
            highest_rad_per_sec: rates.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            drop_fraction: drops.value,
            drop_ci95: drops.ci95,
            runs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_the_median_and_the_spread_of_its_runs_and_an_interval_over_worlds() {
        let named: NamedRun = "wide=runs/wide-1".parse().expect("a name and a folder");
        let run = |rates: [f64; 4]| {
            let result =
                |rate: f64| EpisodeResult { rotation_rad: 20.0 * rate, dropped: rate < 0.2, ..Default::default() };
            (&named, rates.map(result).to_vec())
        };
        let runs = [run([0.1, 0.3, 0.5, 0.7]), run([0.3, 0.3, 0.3, 0.3]), run([0.5, 0.3, 0.1, 0.9])];
        let group = GroupReport::of("wide", &runs.iter().collect::<Vec<_>>(), 20.0);
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} is not {b}");
        near(group.median_rad_per_sec, 0.4);
        near(group.lowest_rad_per_sec, 0.3);
        near(group.highest_rad_per_sec, 0.45);
        // Means over runs, world by world: 0.3, 0.3, 0.3 and 1.9 / 3.
        let over_worlds = mean(&[0.3, 0.3, 0.3, 1.9 / 3.0]);
        near(group.rotation_rate_rad_per_sec, over_worlds.value);
        near(group.ci95[0], over_worlds.ci95[0]);
        near(group.drop_fraction, 2.0 / 12.0);
        near(group.drop_ci95[1], wilson(2.0 / 12.0, 4).ci95[1]);
        assert_eq!(group.runs.len(), 3);
    }
}
