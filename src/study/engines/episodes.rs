//! Statistics of episodes in which the hand moves at random: the same starts, targets and disturbances in both engines.

use super::lab::Lab;
use super::rollout::{Engine, Rollout, Setup, Trace};
use crate::run::statistics::{Estimate, fraction, mean};
use anyhow::{Result, ensure};
use giraffe_physics::EpisodeSampler;
use giraffe_randomization::{Distribution, FixedRanges, RangeConfig, find_scenario};
use giraffe_robots::{Limits, ObjectPose, Outcome, Referee, SeedTree, Seen, Stream, Task, TrialScene};
use serde::Serialize;
use std::collections::BTreeMap;

/// Targets are drawn this close to home, rad.
pub const TARGET_SPREAD_RAD: f32 = 0.4;
/// Nobody can put an object where a finger is: starts that overlap by more are left out, m.
const START_OVERLAP_M: f64 = 0.002;
/// The starts that are drawn for every one that is used.
const SPARE_STARTS: usize = 3;

/// What is measured of an episode, with its unit.
pub const STATISTICS: [(&str, &str); 8] = [
    ("drop rate", "-"),
    ("object speed", "m/s"),
    ("contact points", "-"),
    ("regions touching", "-"),
    ("shapes touching", "-"),
    ("contact force", "N"),
    ("penetration", "mm"),
    ("task's headline", "its unit"),
];

/// Measured, and not compared: how many points a solver presses on where two flat faces meet is its own choice (up to
/// eight for two boxes in MuJoCo, up to four in rapier, and any three would do). How many shapes touch is not.
pub const NOT_COMPARED: &str = "contact points";

/// The numbers of one episode, in the order of [`STATISTICS`].
pub type EpisodeNumbers = [f64; STATISTICS.len()];

/// The statistics of one engine in one variant.
#[derive(Debug, Clone, Serialize)]
pub struct EpisodeStatistics {
    /// What happens during an episode: the name of a scenario.
    pub variant: String,
    /// Engine and step.
    pub engine: String,
    /// Physics step, s.
    pub step_secs: f64,
    /// Number of episodes.
    pub episodes: usize,
    /// By name, with 95 % intervals (Student's of means, Wilson's of the drop rate).
    pub statistics: BTreeMap<&'static str, Estimate>,
}

/// The episodes of one variant.
pub struct Variant {
    /// Name of the scenario; `none` where nothing happens.
    pub name: &'static str,
    /// One per episode.
    pub rollouts: Vec<Rollout>,
}

/// Draws `count` episodes of up to `steps` control steps.
///
/// # Errors
/// When there is no such scenario, MuJoCo fails, or the object overlaps the hand at too many starts.
pub fn variant(
    lab: &mut Lab,
    setup: &Setup,
    task: &'static dyn Task,
    name: &'static str,
    count: usize,
    steps: usize,
) -> Result<Variant> {
    let seeds = SeedTree::new(1).branch("engine comparison");
    let scene = setup.scene(setup.physics);
    let sampler = FixedRanges::new(seeds, scene, task, &RangeConfig::none()).with_scenario(find_scenario(name)?);
    let plans: Vec<_> = (0..(SPARE_STARTS * count) as u64).map(|world| sampler.plan(world, 0)).collect();
    let overlaps = lab.overlaps(setup, &plans)?;
    let free = (0..).zip(plans).zip(overlaps).filter(|(_, overlap_m)| *overlap_m < START_OVERLAP_M);
    let rollouts: Vec<Rollout> = free
        .take(count)
        .map(|((world, plan), _)| Rollout { plan, targets_rad: random_targets(setup, &seeds, world, steps) })
        .collect();
    ensure!(
        rollouts.len() == count,
        "{} with {}: the object overlaps the hand by more than 2 mm at {} of {} starts; this object does not fit",
        setup.robot.name,
        setup.object.name,
        SPARE_STARTS * count - rollouts.len(),
        SPARE_STARTS * count
    );
    Ok(Variant { name, rollouts })
}

/// Targets about home, new in every control step: `[step][joint]`, rad.
pub fn random_targets(setup: &Setup, seeds: &SeedTree, world: u64, steps: usize) -> Vec<Vec<f32>> {
    let robot = &setup.robot;
    let mut rng = seeds.stream(Stream::Toy, world, 0);
    let (min, max) = (-TARGET_SPREAD_RAD, TARGET_SPREAD_RAD);
    let spread = Distribution::Uniform { min, max };
    (0..steps)
        .map(|_| {
            let mut draw = |home: &f32| home + spread.draw(Limits { lower: min, upper: max }, &mut rng);
            let mut targets: Vec<f32> = robot.home_rad.iter().map(&mut draw).collect();
            for (target, joint) in targets.iter_mut().zip(&robot.joints) {
                *target = joint.position_limits_rad.clamp(*target);
            }
            robot.couple(&mut targets);
            targets
        })
        .collect()
}

/// Runs a variant in one engine.
///
/// # Errors
/// When the engine fails.
pub fn measure(
    lab: &mut Lab,
    setup: &Setup,
    task: &dyn Task,
    engine: &Engine,
    variant: &Variant,
) -> Result<EpisodeStatistics> {
    let traces = lab.run(setup, engine, &variant.rollouts)?;
    ensure!(!variant.rollouts.is_empty(), "{}: no episodes to measure", variant.name);
    let numbers: Vec<EpisodeNumbers> =
        traces.iter().zip(&variant.rollouts).map(|(trace, rollout)| of_episode(setup, task, trace, rollout)).collect();
    Ok(EpisodeStatistics {
        variant: variant.name.to_owned(),
        engine: engine.label(setup.robot.control.period_secs),
        step_secs: engine.step_secs(setup.robot.control.period_secs),
        episodes: numbers.len(),
        statistics: STATISTICS
            .iter()
            .enumerate()
            .filter_map(|(index, (name, _))| {
                let samples: Vec<f64> = numbers.iter().map(|episode| episode[index]).collect();
                Some((*name, if index == 0 { drop_rate(&samples) } else { mean(&samples) }?))
            })
            .collect(),
    })
}

fn drop_rate(dropped: &[f64]) -> Option<Estimate> {
    fraction(dropped.iter().filter(|dropped| **dropped > 0.5).count(), dropped.len())
}

/// Means up to the drop, if there is one; the task's own rule says when.
fn of_episode(setup: &Setup, task: &dyn Task, trace: &Trace, rollout: &Rollout) -> EpisodeNumbers {
    let start = &rollout.plan.start.palm_from_object;
    let pose = ObjectPose { position_m: start.translation.vector, palm_from_object: start.rotation };
    let scene = TrialScene::of_episode(&setup.robot, &setup.object, rollout.plan.noise_seed);
    let mut referee = Referee::begin(task, &scene, &Seen::Pose(pose), task.episode_step_count());
    let mut kept = 0;
    for sample in &trace.object {
        if referee.judge(&Seen::Pose(sample.pose)) == Some(Outcome::Failed) {
            break;
        }
        kept += 1;
    }
    let failed = referee.outcome() == Some(Outcome::Failed);
    let samples = &trace.object[..kept];
    let mean = |number: &dyn Fn(&super::rollout::ObjectSample) -> f64| {
        samples.iter().map(number).sum::<f64>() / samples.len().max(1) as f64
    };
    [
        f64::from(u8::from(failed || trace.diverged)),
        mean(&|sample| sample.speed_m_per_sec),
        mean(&|sample| f64::from(sample.contact_points)),
        mean(&|sample| f64::from(sample.touching_regions)),
        mean(&|sample| f64::from(sample.touching_shapes)),
        mean(&|sample| sample.normal_force_newton),
        mean(&|sample| 1e3 * sample.penetration_m),
        referee.result().headline().unwrap_or(0.0).abs(),
    ]
}
