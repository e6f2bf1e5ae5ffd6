//! `giraffe measure-skills`: what policies do to an object if one after the other is let act, and the folder of a set of
//! skills that is planned by it.

mod recorder;

use super::named_run::NamedRun;
use crate::run::COMMIT;
use crate::run::behavior::Behavior as _;
use crate::run::config::{Parts, RunConfig};
use crate::run::episode::Pilot;
use crate::run::evaluate::TrainedPolicy;
use crate::run::folder::CONFIG_FILE;
use crate::run::hand::{self, HAND_FILE};
use crate::run::setting;
use crate::run::skills::chooser::Choosing;
use crate::run::skills::effects::{Dwell, Terms};
use crate::run::skills::goals::{level_frame, quarter_turn_axis};
use crate::run::skills::orientations::{Orientations, WAY_COUNT, Way};
use crate::run::skills::plan::{Plan, Situation};
use crate::run::skills::set::{
    Measured, READS_A_GOAL, SkillEntry, SkillSet, SkillsFile, check_dwell, check_name, reads_goal,
};
use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use giraffe_physics::{EpisodeSampler as _, HandSim};
use giraffe_policy::Policy;
use giraffe_randomization::NONE;
use giraffe_robots::{SeedTree, Task, dial_values, put_in_place};
use rayon::prelude::*;
use recorder::Recorder;
use serde::Serialize;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Of a task that does not say how near is near enough, rad: Dactyl's (OpenAI 2018).
const USUAL_TOLERANCE_RAD: f32 = 0.4;

/// Which skills are measured, and how.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct SkillsOptions {
    /// A skill: the folder of a run or a policy file, with the name it shall have; one --skill for each.
    #[arg(long = "skill", value_name = "NAME=RUN", required = true)]
    pub skills: Vec<NamedRun>,
    /// The task they are for: its goals are the orientations of a cube that lies flat.
    #[arg(long, default_value = "reorient-faces")]
    pub task: String,
    /// Folder of the set.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Number of episodes.
    #[arg(long, default_value_t = 100, value_parser = crate::typed::count)]
    pub episodes: usize,
    /// Seed of the worlds, which are of those of training, and of what is chosen by chance.
    #[arg(long, default_value_t = 1, value_parser = crate::typed::seed)]
    pub seed: u64,
    /// How long a skill acts before another may, s; at least 0.5.
    #[arg(long, value_name = "SECS", default_value_t = 0.5, value_parser = crate::typed::real)]
    pub dwell: f64,
    /// A plan is for reaching a goal within about so long, s.
    #[arg(long, value_name = "SECS", default_value_t = 15.0, value_parser = crate::typed::real)]
    pub horizon: f64,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct SkillsReport {
    /// The folder that was made.
    pub folder: PathBuf,
    /// The task.
    pub task: String,
    /// How long a skill acted at a time, s.
    pub dwell_secs: f64,
    /// Episodes.
    pub episodes: usize,
    /// Each skill.
    pub skills: Vec<SkillReport>,
    /// Share of goals that a plan reaches in about the time it is made for, by what was measured: of all turns that may have to
    /// be done, from all situations that were met.
    pub planned_share: f64,
}

/// What one skill did.
#[derive(Debug, Clone, Serialize)]
pub struct SkillReport {
    /// Its name.
    pub name: String,
    /// How often it acted for a dwell.
    pub dwells: usize,
    /// In how many of these the object was lost.
    pub lost: usize,
    /// How it turned the object while it went on from dwell to dwell, about the x, y and z axis of the frame that goals lie
    /// flat in, rad/s, mean.
    pub rate_rad_per_sec: [f64; 3],
    /// Standard deviation from dwell to dwell.
    pub deviation_rad_per_sec: [f64; 3],
}

/// Measures, and makes the folder of the set. Nothing when it was stopped: then there is no folder.
///
/// # Errors
/// When a policy cannot be loaded, they do not fit each other, the task has no goals to plan for, or the disk refuses.
pub fn measure_skills(settings: &[String], options: &SkillsOptions, stop: &AtomicBool) -> Result<Option<SkillsReport>> {
    check(options)?;
    let load = |named: &NamedRun| -> Result<TrainedPolicy> {
        let trained = TrainedPolicy::load(&named.path, &[]);
        let trained = trained.with_context(|| format!("loading {}", named.path.display()))?;
        let is_set = trained.policy.skills().is_some();
        ensure!(!is_set, "{} is a set of skills itself: a skill is one policy", named.path.display());
        Ok(trained)
    };
    let trained: Vec<TrainedPolicy> = options.skills.iter().map(load).collect::<Result<_>>()?;
    let mut config = TrainedPolicy::load(&options.skills[0].path, settings)?.config;
    if !setting::names(settings, "task") {
        config.task.clone_from(&options.task);
    }
    // Those of the task that the first skill was trained for are no numbers of this one.
    config.dials = RunConfig::read(None, settings)?.dials;
    let parts = config.parts()?;
    for (named, trained) in options.skills.iter().zip(&trained) {
        trained.check_fit(parts.scene.robot()).with_context(|| named.path.display().to_string())?;
    }
    let set = SkillSet::to_measure(
        file_of(options, &trained, &parts, tolerance_of(parts.task, &config)?)?,
        policies(&trained),
    )?;
    let (terms, sampler) =
        (set.file().terms()?, parts.sampler(&config.randomization, &NONE, SeedTree::new(options.seed)));
    let mut dwells = Vec::new();
    let lived: Vec<Vec<Dwell>> = (0..options.episodes as u64)
        .into_par_iter()
        .map(|world| {
            let mut recorder = Recorder::new(&terms, set.dwell_steps());
            let mut sim = HandSim::new(Arc::clone(&parts.scene), sampler.plan(world, 0));
            let flown = Pilot::of(&set, &parts, false).fly_observed(&mut sim, &mut recorder, stop);
            flown.with_context(|| format!("episode in world {world}"))?;
            Ok(recorder.finish())
        })
        .collect::<Result<_>>()?;
    if stop.load(Ordering::Relaxed) {
        return Ok(None);
    }
    lived.into_iter().for_each(|episode| dwells.extend(episode));
    let names: Vec<&str> = options.skills.iter().map(|named| named.name.as_str()).collect();
    if let Some(never) = (0..names.len()).find(|skill| dwells.iter().all(|dwell| dwell.skill != *skill)) {
        bail!(
            "{} never acted for a whole dwell in {} episodes: measure more (--episodes)",
            names[never],
            options.episodes
        );
    }
    let report = report_of(options, &parts, &terms, &dwells);
    write(&set, &dwells, &config, &parts, &options.out)?;
    Ok(Some(report))
}

/// What can be wrong before anything is read.
fn check(options: &SkillsOptions) -> Result<()> {
    ensure!(options.episodes > 0, "--episodes 0: expected at least one");
    options.skills.iter().try_for_each(|named| check_name(&named.name))?;
    check_dwell(options.dwell).context("--dwell")?;
    let holds_something = fs::read_dir(&options.out).is_ok_and(|mut entries| entries.next().is_some());
    ensure!(!holds_something, "{} is not empty; choose another folder with --out", options.out.display());
    ensure!(!options.out.is_file(), "{} is a file; choose a folder with --out", options.out.display());
    Ok(())
}

/// Within what an orientation counts as passed, rad: as the task counts it.
fn tolerance_of(task: &dyn Task, config: &RunConfig) -> Result<f32> {
    let values = dial_values(task.name(), task.dials(), &config.dials)?;
    let at = task.dials().iter().position(|dial| dial.name == "tolerance_rad");
    let tolerance_rad = at.and_then(|at| values.get(at).copied()).unwrap_or(USUAL_TOLERANCE_RAD);
    ensure!(
        tolerance_rad < 0.7,
        "dials.tolerance_rad = {tolerance_rad}: a plan is for goals that are reached within less than 0.7 rad, not quite halfway \
         from one orientation to the next"
    );
    Ok(tolerance_rad)
}

/// A set holds policies, so that its folder is whole.
fn policies(trained: &[TrainedPolicy]) -> Vec<Policy> {
    trained.iter().flat_map(|trained| trained.policy.policies().to_vec()).collect()
}

fn file_of(
    options: &SkillsOptions,
    trained: &[TrainedPolicy],
    parts: &Parts,
    tolerance_rad: f32,
) -> Result<SkillsFile> {
    let frame = level_frame(parts.task, parts.scene.robot(), parts.scene.object())?;
    let entry = |(named, trained): (&NamedRun, &TrainedPolicy)| -> Result<SkillEntry> {
        let policy = &trained.policy.policies()[0];
        let (name, fingerprint) = (named.name.clone(), policy.fingerprint()?);
        let mut turns_about = None;
        if policy.manifest().observation.terms().iter().any(reads_goal) {
            let task = trained.parts()?.task;
            let axis = quarter_turn_axis(task, parts.scene.robot(), parts.scene.object(), &frame);
            turns_about = Some(axis.with_context(|| format!("{name}: {READS_A_GOAL}"))?.into());
        }
        Ok(SkillEntry { policy: format!("{name}.bin"), name, fingerprint, turns_about })
    };
    Ok(SkillsFile {
        task: parts.task.name().to_owned(),
        object: parts.scene.object().name.to_owned(),
        chooser: Choosing::Random,
        seed: options.seed,
        dwell_secs: options.dwell,
        horizon_secs: options.horizon,
        measured: Measured {
            dwell_secs: options.dwell,
            tolerance_rad,
            palm_from_level: frame.coords.into(),
            episodes: options.episodes,
            seed: options.seed,
            commit: COMMIT.to_owned(),
        },
        skills: options.skills.iter().zip(trained).map(entry).collect::<Result<_>>()?,
    })
}

fn report_of(options: &SkillsOptions, parts: &Parts, terms: &Terms, dwells: &[Dwell]) -> SkillsReport {
    let orientations = Orientations::new(terms.palm_from_level);
    let skill = |(skill, named): (usize, &NamedRun)| {
        let own: Vec<&Dwell> = dwells.iter().filter(|dwell| dwell.skill == skill).collect();
        let going_on = own.iter().filter(|dwell| dwell.kept && dwell.previous == Some(skill));
        let rates: Vec<[f64; 3]> = going_on
            .map(|dwell| {
                let turn_rad = dwell.whole_turn_rad(&orientations);
                std::array::from_fn(|axis| f64::from(turn_rad[axis]) / terms.dwell_secs)
            })
            .collect();
        let count = rates.len().max(1) as f64;
        let mean = std::array::from_fn(|axis| rates.iter().map(|rate| rate[axis]).sum::<f64>() / count);
        let variance = |axis: usize| rates.iter().map(|rate| (rate[axis] - mean[axis]).powi(2)).sum::<f64>() / count;
        SkillReport {
            name: named.name.clone(),
            dwells: own.len(),
            lost: own.iter().filter(|dwell| !dwell.kept).count(),
            rate_rad_per_sec: mean,
            deviation_rad_per_sec: std::array::from_fn(|axis| variance(axis).sqrt()),
        }
    };
    SkillsReport {
        folder: options.out.clone(),
        task: parts.task.name().to_owned(),
        dwell_secs: options.dwell,
        episodes: options.episodes,
        skills: options.skills.iter().enumerate().map(skill).collect(),
        planned_share: planned_share(options, terms, dwells),
    }
}

fn planned_share(options: &SkillsOptions, terms: &Terms, dwells: &[Dwell]) -> f64 {
    let plan = Plan::search(dwells, terms, options.skills.len(), options.horizon);
    let of_dwell = |dwell: &Dwell| {
        let situation = Situation { off_rad: dwell.off_rad, previous: dwell.previous, moved: dwell.moved };
        let turns = (1..WAY_COUNT).filter_map(Way::numbered);
        turns.map(|turn| plan.chance(turn, &situation)).sum::<f64>() / (WAY_COUNT - 1) as f64
    };
    dwells.iter().map(of_dwell).sum::<f64>() / dwells.len() as f64
}

/// Makes the folder: whole, or not at all.
fn write(set: &SkillSet, dwells: &[Dwell], config: &RunConfig, parts: &Parts, out: &Path) -> Result<()> {
    let name = out.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.with_context(|| format!("{} is no name of a folder", out.display()))?;
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).with_context(|| format!("making the folder {}", parent.display()))?;
    let partial = Partial(parent.join(format!(".{name}.partial")));
    let _ = fs::remove_dir_all(&partial.0);
    fs::create_dir(&partial.0).with_context(|| format!("making the folder {}", out.display()))?;
    set.write(dwells, &partial.0)?;
    let hand_bytes = hand::to_bytes(parts.scene.robot())?;
    for (name, bytes) in [(CONFIG_FILE, config.to_toml()?.as_bytes()), (HAND_FILE, &hand_bytes)] {
        fs::write(partial.0.join(name), bytes).with_context(|| format!("writing {name} into {}", out.display()))?;
    }
    if out.is_dir() && fs::remove_dir(out).is_err() {
        bail!("{} was filled meanwhile; choose another folder with --out", out.display());
    }
    put_in_place(&partial.0, out).with_context(|| format!("making the folder {}", out.display()))
}

/// A folder that is gone again unless it was given its name.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// As printed.
pub fn text(report: &SkillsReport) -> String {
    let mut text = String::from("skill            dwells  lost  turns about x, y, z, rad/s (standard deviation)\n");
    for skill in &report.skills {
        let axis =
            |axis: usize| format!("{:6.2} ({:.2})", skill.rate_rad_per_sec[axis], skill.deviation_rad_per_sec[axis]);
        let (name, dwells, lost) = (&skill.name, skill.dwells, skill.lost);
        let _ = writeln!(text, "{name:<15} {dwells:>7} {lost:>5}  {}  {}  {}", axis(0), axis(1), axis(2));
    }
    let share = 100.0 * report.planned_share;
    let _ = writeln!(text, "by what was measured a plan reaches {share:.0} % of the other orientations in its time");
    text
}
