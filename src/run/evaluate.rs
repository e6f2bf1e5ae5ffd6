//! How well a policy does, over many episodes in simulated worlds it never saw.

use super::behavior::{AnyPolicy, Behavior};
use super::config::{Parts, RunConfig};
use super::episode::{EpisodeResult, Pilot};
use super::folder::{CONFIG_FILE, POLICY_FILE};
use super::hand::{self, HAND_FILE};
use super::setting;
use super::shipped::PolicySource;
use super::skills::goals::check_goals;
use super::skills::set::{SkillSet, skills_file_at};
use anyhow::{Context, Result, bail};
use giraffe_physics::{EpisodeSampler, HandSim};
use giraffe_policy::Policy;
use giraffe_randomization::FixedRanges;
use giraffe_robots::{Purpose, RobotModel, SeedTree, Task};
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A policy with the configuration of the run it came from.
pub struct TrainedPolicy {
    /// The policy, or the set of skills.
    pub policy: AnyPolicy,
    /// Where it came from.
    pub config: RunConfig,
    /// The hand it was trained on, where the run has kept it.
    pub trained_on: Option<Arc<RobotModel>>,
}

/// The configuration that stands beside a policy, where one does: in the folder of a run or of a set of skills.
pub fn config_file_of(path: &Path) -> Option<PathBuf> {
    let beside = match skills_file_at(path) {
        Some(file) => file.with_file_name(CONFIG_FILE),
        None => path.join(CONFIG_FILE),
    };
    beside.is_file().then_some(beside)
}

impl TrainedPolicy {
    /// Loads from the folder of a run or of a set of skills, from a policy file alone, or what is shipped under that name.
    ///
    /// # Errors
    /// When there is no policy, or it is damaged.
    pub fn load(said: &Path, settings: &[String]) -> Result<Self> {
        let path = match PolicySource::find(said)? {
            PolicySource::Path(path) => path,
            PolicySource::Shipped(shipped) => {
                let policy = AnyPolicy::One(Box::new(shipped.policy()?));
                let (config, trained_on) = (shipped.config(settings)?, shipped.hand()?);
                return Ok(Self { policy, config, trained_on: Some(Arc::new(trained_on)) }.in_its_scene(settings));
            }
        };
        let config_file = config_file_of(&path);
        if let Some(file) = skills_file_at(&path) {
            return Self::with_config(AnyPolicy::Skills(Box::new(SkillSet::load(&file)?)), config_file, settings);
        }
        let file = if path.is_dir() { path.join(POLICY_FILE) } else { path.clone() };
        if !file.is_file() {
            bail!(
                "{} holds no policy: expected the file {}; a run writes it at every checkpoint",
                path.display(),
                file.display()
            );
        }
        Self::with_config(AnyPolicy::One(Box::new(Policy::load(&file)?)), config_file, settings)
    }

    fn with_config(policy: AnyPolicy, config_file: Option<PathBuf>, settings: &[String]) -> Result<Self> {
        let mut config = RunConfig::read(config_file.as_deref(), settings)?;
        if config_file.is_none() && !setting::names(settings, "robot") {
            config.robot.clone_from(&policy.policies()[0].manifest().context.robot);
        }
        let trained_on = match (&config.own_hand, &config_file) {
            (Some(own), _) => Some(Arc::clone(own)),
            (None, Some(file)) => hand::read(&file.with_file_name(HAND_FILE))?.map(Arc::new),
            (None, None) => None,
        };
        Ok(Self { policy, config, trained_on }.in_its_scene(settings))
    }

    /// With the task and the object that the policy was made for, unless a setting says otherwise.
    fn in_its_scene(mut self, settings: &[String]) -> Self {
        let asked = |key: &str| setting::names(settings, key);
        // A set of skills reads no more than an orientation that is the goal: any task that has one will do.
        if self.policy.skills().is_none() || !asked("task") {
            self.policy.task().clone_into(&mut self.config.task);
        }
        if !asked("object") {
            self.policy.object().clone_into(&mut self.config.object);
        }
        self
    }

    /// The parts of the run, after checking that the policy was made for this hand. Says what has become of the file that
    /// the hand was read from.
    ///
    /// # Errors
    /// When the hand differs in its kinematics.
    pub fn parts(&self) -> Result<Parts> {
        if let Some(changed) = self.config.changed_hand() {
            tracing::warn!("{changed}");
        }
        let parts = self.config.parts()?;
        self.check_fit(parts.scene.robot())?;
        self.check_goals(&parts)?;
        Ok(parts)
    }

    /// Refuses a hand of other kinematics than the policy was made for; warns about other dynamics.
    ///
    /// # Errors
    /// Names the first difference.
    pub fn check_fit(&self, robot: &RobotModel) -> Result<()> {
        self.policy.policies().iter().try_for_each(|policy| check_fit(policy, self.trained_on.as_deref(), robot))
    }

    /// Refuses, for a set of skills, a task or an object that no plan is made for.
    ///
    /// # Errors
    /// Says what it needs.
    pub fn check_goals(&self, parts: &Parts) -> Result<()> {
        if self.policy.skills().is_some() {
            check_goals(parts.task, parts.scene.robot(), parts.scene.object())?;
        }
        Ok(())
    }
}

fn check_fit(policy: &Policy, trained_on: Option<&RobotModel>, robot: &RobotModel) -> Result<()> {
    let manifest = policy.manifest();
    let fields =
        || trained_on.map(|was| hand::in_words(&hand::differences(was, robot))).filter(|text| !text.is_empty());
    if manifest.context.kinematics_fingerprint != robot.kinematics_fingerprint {
        let trained: Vec<&str> = manifest.context.action.joints().iter().map(|joint| joint.name.as_str()).collect();
        let here: Vec<&str> = robot.joints.iter().map(|joint| joint.name.as_str()).collect();
        let difference = kinematic_difference(policy, robot)
            .or_else(fields)
            .unwrap_or_else(|| "an axis, a zero or the geometry of a link differs".to_owned());
        bail!(
            "this policy was made for {} ({} joints, kinematics {}), the hand here is {} ({} joints, kinematics {}): {}",
            manifest.context.robot,
            trained.len(),
            manifest.context.kinematics_fingerprint,
            robot.name,
            here.len(),
            robot.kinematics_fingerprint,
            difference
        );
    }
    if manifest.context.dynamics_fingerprint != robot.dynamics_fingerprint {
        let which = fields().map_or_else(String::new, |fields| format!(": {fields}"));
        tracing::warn!(
            "{} has other masses, gains or shapes than the hand this policy was trained on; it may do worse{which}",
            robot.name
        );
    }
    let period = f64::from(robot.control.period_secs);
    if (manifest.context.control_period_secs / period - 1.0).abs() > 0.01 {
        bail!(
            "this policy acts every {} s, {} is driven every {period} s; train one for this period",
            manifest.context.control_period_secs,
            robot.name
        );
    }
    Ok(())
}

fn kinematic_difference(policy: &Policy, robot: &RobotModel) -> Option<String> {
    let trained = policy.manifest().context.action.joints();
    for (index, joint) in trained.iter().enumerate() {
        let Some(here) = robot.joints.iter().find(|here| here.name == joint.name) else {
            return Some(format!("joint {} is missing here", joint.name));
        };
        if robot.joints.get(index).is_none_or(|here| here.name != joint.name) {
            return Some(format!("joint {} is at another place in the order", joint.name));
        }
        let limits = here.position_limits_rad;
        if limits != joint.limits {
            return Some(format!(
                "joint {} ranges over [{}, {}] rad here and over [{}, {}] rad in training",
                joint.name, limits.lower, limits.upper, joint.limits.lower, joint.limits.upper
            ));
        }
    }
    let extra = robot.joints.iter().find(|here| !trained.iter().any(|joint| joint.name == here.name))?;
    Some(format!("joint {} is unknown to the policy", extra.name))
}

/// What an evaluation draws its worlds from: never a world of training.
pub fn unseen_seeds(seed: u64) -> SeedTree {
    SeedTree::for_purpose(Purpose::Evaluation, seed)
}

/// Runs one episode in each of `count` worlds, in parallel. A world that loses its numbers is an episode that failed. Once
/// `stop` is set those that have not begun are left out, and the others are cut.
///
/// # Errors
/// When a policy cannot act.
pub fn run_episodes(
    behavior: &dyn Behavior,
    parts: &Parts,
    sampler: &FixedRanges,
    count: usize,
    memoryless: bool,
    stop: &AtomicBool,
) -> Result<Vec<EpisodeResult>> {
    (0..count as u64)
        .into_par_iter()
        .map_init(
            || Pilot::of(behavior, parts, memoryless),
            |pilot, world| {
                if stop.load(Ordering::Relaxed) {
                    return Ok(None);
                }
                let mut sim = HandSim::new(Arc::clone(&parts.scene), sampler.plan(world, 0));
                pilot.fly(&mut sim, stop).map(Some).with_context(|| format!("episode in world {world}"))
            },
        )
        .filter_map(Result::transpose)
        .collect()
}

/// Seconds of an episode in which nothing drops.
pub fn episode_secs(task: &dyn Task, robot: &RobotModel) -> f64 {
    f64::from(task.episode_step_count()) * f64::from(robot.control.period_secs)
}
