//! A set of skills as a folder: `skills.toml`, the policies it names, and what they were measured to do.
//!
//! ```text
//! skills.toml    which skills, for which task, and how one is chosen; written by `giraffe measure-skills`
//! random.toml    the same with a choice by chance: the control
//! effects.csv    what every skill did, dwell by dwell
//! NAME.bin       the policy of a skill
//! config.toml    the worlds it was measured in, as in the folder of a run
//! hand.json      the hand
//! ```

use super::chooser::{Chooser, Choosing};
use super::effects::{Dwell, Terms, from_csv, to_csv};
use super::plan::Plan;
use crate::run::folder::sha256_hex;
use anyhow::{Context, Result, bail, ensure};
use giraffe_policy::Policy;
use giraffe_robots::{Audience, ObservationTerm, SignalLayout, Source, rotation_from_xyzw};
use nalgebra::{UnitQuaternion, Vector3};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The set itself, in its folder.
pub const SKILLS_FILE: &str = "skills.toml";
/// The same with choices by chance.
pub const RANDOM_FILE: &str = "random.toml";
/// What was measured.
pub const EFFECTS_FILE: &str = "effects.csv";
/// A skill acts for at least so long, s: its memory is empty when it begins, and a gait needs time.
pub const LEAST_DWELL_SECS: f64 = 0.5;
/// A plan for longer than this, s, takes long to find, and nobody waits so long for a goal.
const MOST_HORIZON_SECS: f64 = 60.0;
/// As many skills as there may be.
const MOST_SKILLS: usize = 16;
/// While effects are measured a skill goes on with this chance out of 100 at the end of its dwell: a few dwells in a row, as when
/// a plan needs more than one, and every change of skill often enough.
const MEASURING_STAYS_PERCENT: u64 = 60;

/// `skills.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkillsFile {
    /// The task it is for: one whose goals are orientations.
    pub task: String,
    /// The object it was measured with: a cube.
    pub object: String,
    /// How skills are chosen.
    pub chooser: Choosing,
    /// Of choices by chance.
    #[serde(default)]
    pub seed: u64,
    /// How long a skill acts before another may, s.
    pub dwell_secs: f64,
    /// The plan is for reaching a goal within about so long, s.
    pub horizon_secs: f64,
    /// What stands in `effects.csv`.
    pub measured: Measured,
    /// The skills, at least one.
    #[serde(default)]
    pub skills: Vec<SkillEntry>,
}

/// What is the same for every line of `effects.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// How long a skill acted, s.
    pub dwell_secs: f64,
    /// Within this an orientation counted as passed, rad.
    pub tolerance_rad: f32,
    /// The frame about whose axes the object was to lie flat, in the palm's: quaternion x, y, z, w.
    pub palm_from_level: [f32; 4],
    /// Episodes.
    pub episodes: usize,
    /// Seed of their worlds, which are of those of training.
    pub seed: u64,
    /// The commit of the program that measured.
    pub commit: String,
}

/// One skill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkillEntry {
    /// What it is called.
    pub name: String,
    /// Its file, beside this one.
    pub policy: String,
    /// Fingerprint of the policy whose effect was measured.
    pub fingerprint: String,
    /// Of a skill that reads a goal: the axis in the frame goals lie flat in about which it was trained to make quarter turns. It
    /// is told one after the other of these, not the goal of the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turns_about: Option<[f32; 3]>,
}

/// A set of skills, ready to act.
#[derive(Debug, Clone)]
pub struct SkillSet {
    file: SkillsFile,
    policies: Vec<Policy>,
    /// Nothing while effects are measured.
    plan: Option<Arc<Plan>>,
    measuring: bool,
    fingerprint: String,
}

/// The file of the set at a path: the path itself, or `skills.toml` in a folder. Nothing where the path is that of something
/// else, such as the folder of a run.
pub fn skills_file_at(path: &Path) -> Option<PathBuf> {
    if path.is_dir() {
        return Some(path.join(SKILLS_FILE)).filter(|file| file.is_file());
    }
    path.extension().is_some_and(|ending| ending == "toml").then(|| path.to_owned())
}

impl SkillSet {
    /// Reads a set.
    ///
    /// # Errors
    /// When there is none, it is damaged, or its parts do not fit each other.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading the skills {}", path.display()))?;
        let about = || format!("the skills {}", path.display());
        let file: SkillsFile = toml::from_str(&text).map_err(|error| {
            // One line: the parser puts the place of a mistake on a line of its own.
            anyhow::anyhow!("{}: {}", about(), error.to_string().split_whitespace().collect::<Vec<_>>().join(" "))
        })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        file.check().with_context(about)?;
        let read = |entry: &SkillEntry| Policy::load(&folder.join(&entry.policy));
        let policies = file.skills.iter().map(read).collect::<Result<Vec<_>, _>>().with_context(about)?;
        file.check_policies(&policies).with_context(about)?;
        let effects = folder.join(EFFECTS_FILE);
        let csv = std::fs::read_to_string(&effects)
            .with_context(|| format!("reading what the skills do, {}", effects.display()))?;
        let names: Vec<&str> = file.skills.iter().map(|entry| entry.name.as_str()).collect();
        let dwells = from_csv(&csv, &names).with_context(|| effects.display().to_string())?;
        if let Some(never) = (0..names.len()).find(|skill| dwells.iter().all(|dwell| dwell.skill != *skill)) {
            bail!("{}: the skill {} never acts there; measure the skills anew", effects.display(), names[never]);
        }
        let terms = file.terms().with_context(about)?;
        let plan = match file.chooser {
            Choosing::Planner => Some(Arc::new(Plan::search(&dwells, &terms, names.len(), file.horizon_secs))),
            Choosing::Random => None,
        };
        let fingerprint = sha256_hex(toml::to_string(&file).context("writing down the skills")? + &csv);
        Ok(Self { file, policies, plan, measuring: false, fingerprint })
    }

    /// A set whose skills are to be measured: chosen by chance, most of them for some dwells in a row.
    ///
    /// # Errors
    /// When its parts do not fit each other.
    pub fn to_measure(file: SkillsFile, policies: Vec<Policy>) -> Result<Self> {
        file.check()?;
        file.check_policies(&policies)?;
        file.terms()?;
        Ok(Self { file, policies, plan: None, measuring: true, fingerprint: String::new() })
    }

    /// Writes what was measured into a folder: everything but `config.toml` and `hand.json`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, dwells: &[Dwell], folder: &Path) -> Result<()> {
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            std::fs::write(&path, bytes).with_context(|| format!("writing {}", path.display()))
        };
        let names: Vec<&str> = self.file.skills.iter().map(|entry| entry.name.as_str()).collect();
        for (entry, policy) in self.file.skills.iter().zip(&self.policies) {
            policy.save(&folder.join(&entry.policy))?;
        }
        write(EFFECTS_FILE, to_csv(dwells, &names).as_bytes())?;
        for (name, chooser) in [(SKILLS_FILE, Choosing::Planner), (RANDOM_FILE, Choosing::Random)] {
            let file = SkillsFile { chooser, ..self.file.clone() };
            write(name, toml::to_string(&file).context("writing down the skills")?.as_bytes())?;
        }
        Ok(())
    }

    /// What stands in `skills.toml`.
    pub fn file(&self) -> &SkillsFile {
        &self.file
    }

    /// The policies, in the order of the file.
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// Identity of everything that decides what it does.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Whether it chooses by the object and the goal, and so has to see them.
    pub fn is_planned(&self) -> bool {
        self.plan.is_some()
    }

    /// Who chooses, at the start of an episode.
    pub fn chooser(&self) -> Chooser {
        let (terms, count) = (self.file.level_terms(), self.policies.len());
        let steps = self.dwell_steps();
        let chooser = match &self.plan {
            Some(plan) => Chooser::planned(Arc::clone(plan), &terms, count, steps),
            None => {
                let stays_percent = if self.measuring { MEASURING_STAYS_PERCENT } else { 0 };
                Chooser::by_chance(self.file.seed, stays_percent, &terms, count, steps)
            }
        };
        let axes = self.file.skills.iter().map(|entry| entry.turns_about.map(Vector3::from));
        chooser.told(axes.collect(), terms.tolerance_rad)
    }

    /// Control steps of a dwell.
    pub fn dwell_steps(&self) -> u32 {
        let period_secs = self.policies[0].manifest().context.control_period_secs;
        ((self.file.dwell_secs / period_secs).round() as u32).max(1)
    }
}

/// Of a skill whose goals nobody knows how to choose.
pub const READS_A_GOAL: &str = "it reads a goal, so it has to say about which axis it was trained to make quarter turns (turns_about); \
                                `giraffe measure-skills` finds out for a run whose task asks for quarter turns about one axis";

/// Whether the actor reads a goal by this term.
pub fn reads_goal(term: &ObservationTerm) -> bool {
    term.audience == Audience::ActorAndCritic && term.signal.definition().source == Source::Task
}

impl SkillsFile {
    /// The terms of the measurement.
    ///
    /// # Errors
    /// When its frame is none.
    pub fn terms(&self) -> Result<Terms> {
        let frame = rotation_from_xyzw(self.measured.palm_from_level);
        frame.context("measured.palm_from_level is no rotation: expected a unit quaternion x, y, z, w")?;
        Ok(self.level_terms())
    }

    /// The same, where the frame is known to be one.
    fn level_terms(&self) -> Terms {
        let Measured { dwell_secs, tolerance_rad, palm_from_level, .. } = self.measured;
        let palm_from_level = rotation_from_xyzw(palm_from_level).unwrap_or_else(UnitQuaternion::identity);
        Terms { dwell_secs, tolerance_rad, palm_from_level }
    }

    fn check(&self) -> Result<()> {
        if self.skills.is_empty() {
            bail!(
                "it names no skill: there is nothing to choose from. Expected at least one [[skills]] with name, policy and \
                 fingerprint; `giraffe measure-skills` measures policies and writes them down"
            );
        }
        ensure!(self.skills.len() <= MOST_SKILLS, "{} skills: expected at most {MOST_SKILLS}", self.skills.len());
        for (index, entry) in self.skills.iter().enumerate() {
            check_name(&entry.name)?;
            let is_twice = self.skills[..index].iter().any(|other| other.name == entry.name);
            ensure!(!is_twice, "two skills are called {}: give each a name of its own", entry.name);
        }
        check_dwell(self.dwell_secs)?;
        ensure!(
            self.horizon_secs > self.dwell_secs && self.horizon_secs <= MOST_HORIZON_SECS,
            "a horizon of {} s: expected more than a dwell, {} s, and at most {MOST_HORIZON_SECS}",
            self.horizon_secs,
            self.dwell_secs
        );
        ensure!(
            (self.dwell_secs - self.measured.dwell_secs).abs() < 1e-9,
            "dwell_secs = {}, but what the skills do was measured over {} s: measure them anew with --dwell {}",
            self.dwell_secs,
            self.measured.dwell_secs,
            self.dwell_secs
        );
        Ok(())
    }

    /// Whether the policies are those that were measured, and move the same hand in the same rhythm.
    fn check_policies(&self, policies: &[Policy]) -> Result<()> {
        let Some(first) = policies.first() else { return Ok(()) };
        let layout = |policy: &Policy| SignalLayout { parameter_count: 0, ..policy.manifest().observation.layout() };
        for (entry, policy) in self.skills.iter().zip(policies) {
            let (one, other) = (&first.manifest().context, &policy.manifest().context);
            ensure!(
                one.kinematics_fingerprint == other.kinematics_fingerprint && layout(first) == layout(policy),
                "{} was made for another hand ({}) than {} ({}): the skills of a set move one hand",
                entry.name,
                other.robot,
                self.skills[0].name,
                one.robot
            );
            ensure!(
                (one.control_period_secs / other.control_period_secs - 1.0).abs() < 0.01,
                "{} acts every {} s, {} every {} s: the skills of a set act in one rhythm",
                entry.name,
                other.control_period_secs,
                self.skills[0].name,
                one.control_period_secs
            );
            let reads_goal = policy.manifest().observation.terms().iter().any(reads_goal);
            ensure!(
                reads_goal == entry.turns_about.is_some(),
                "{}: {}",
                entry.name,
                if reads_goal {
                    READS_A_GOAL
                } else {
                    "it reads no goal, so there is nothing it turns about: leave turns_about out"
                }
            );
            ensure!(
                policy.fingerprint()? == entry.fingerprint,
                "{} is another policy than the one that was measured; measure the skills anew with `giraffe measure-skills`",
                entry.policy
            );
        }
        Ok(())
    }
}

/// Whether a skill can be called so: it stands in tables, and is the name of a file.
///
/// # Errors
/// Says what a name is.
pub fn check_name(name: &str) -> Result<()> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    ensure!(
        !name.is_empty() && name.chars().all(is_plain) && !name.starts_with('.'),
        "a skill cannot be called `{name}`: expected letters, digits, -, _ and dots"
    );
    Ok(())
}

/// Whether a skill may act for so long at a time.
///
/// # Errors
/// Says for how long.
pub fn check_dwell(secs: f64) -> Result<()> {
    ensure!(
        secs.is_finite() && secs >= LEAST_DWELL_SECS,
        "a dwell of {secs} s: expected at least {LEAST_DWELL_SECS}, since the memory of a skill is empty when it begins"
    );
    Ok(())
}
