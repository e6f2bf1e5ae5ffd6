//! `giraffe bench physics`: how fast the whole environment is, against bare MuJoCo that is no less exact.
//!
//! MuJoCo takes part at its best: with the integrator, the number of physics steps, the friction cone, the solver and the
//! limits of the solver that are fastest among those no less exact than ours (`exactness` says in what). Every number of
//! steps is tried, and `candidate` lists the settings of the solver.

mod candidate;
mod cores;
mod environment;
mod exactness;
mod opponent;
mod search;
mod table;

use super::spread::{Spread, go_on};
use crate::run::config::RunConfig;
use crate::say;
use crate::study::engines::lab::Lab;
use crate::study::engines::rollout::{MujocoOptions, Setup};
use crate::study::engines::setup;
use crate::study::engines::worker::Versions;
use crate::study::python;
use crate::typed;
use anyhow::Result;
use candidate::INTEGRATORS;
use clap::Args;
pub use cores::{RobotSpeed, TwoCores, WorldsSpeed};
use environment::{Environment, WORLDS};
use exactness::Yardstick;
pub use exactness::{Demand, Exactness};
use giraffe_physics::PhysicsSettings;
pub use opponent::OpponentResult;
use opponent::{Opponent, Track, Trials, fastest};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

/// How many worlds a memory measurement builds.
const MEMORY_WORLDS: usize = 4096;
/// Seconds of a trial of MuJoCo's speed, before it is known who takes part in the rounds.
const TRIAL_SECS: f64 = 0.15;

/// What is measured, and for how long.
#[derive(Debug, Args)]
pub struct PhysicsBenchOptions {
    /// How often every measurement is repeated; medians are reported.
    #[arg(long, default_value_t = 5, value_parser = typed::count)]
    pub repeats: usize,
    /// Seconds of one measurement.
    #[arg(long, default_value_t = 2.0, value_parser = typed::real)]
    pub secs: f64,
    /// Do not build 4,096 worlds to see how much memory one takes.
    #[arg(long)]
    pub skip_memory: bool,
    /// Do not measure the other hands.
    #[arg(long)]
    pub skip_robots: bool,
    /// Do not measure how speed depends on the number of worlds.
    #[arg(long)]
    pub skip_scaling: bool,
    /// The Python that has MuJoCo [default: $GIRAFFE_PYTHON, or python3].
    #[arg(long, value_name = "PATH")]
    pub python: Option<String>,
}

/// The result. Rates are of one thread. What needs MuJoCo is `null` without it.
#[derive(Debug, Serialize)]
pub struct PhysicsBench {
    /// The whole environment step (randomized physics, sensing, observation, reward, resets), median.
    pub control_steps_per_sec_per_core: f64,
    /// Bare `mj_step` with the fastest settings that are no less exact than ours in everything, median.
    pub mujoco_control_steps_per_sec_per_core: Option<f64>,
    /// Ours over MuJoCo's at those settings, median over the rounds.
    pub ratio_equal_error: Option<f64>,
    /// The same if the force between hand and object may be anything.
    pub ratio_equal_motion: Option<f64>,
    /// The same if contact may be anything: joints of the hand alone are no less exact.
    pub ratio_equal_joint_error: Option<f64>,
    /// Joint error of the training step against MuJoCo at 0.5 ms, rms, rad.
    pub joint_error_rms_rad: Option<f64>,
    /// All errors of the training step.
    pub exactness: Option<Exactness>,
    /// Rate of two threads over one, median; `null` on one core.
    pub cores2_speedup: Option<f64>,
    /// MuJoCo's physics step, s.
    pub mujoco_step_secs: Option<f64>,
    /// MuJoCo's joint error at this step, rms, rad.
    pub mujoco_joint_error: Option<f64>,
    /// MuJoCo's integrator.
    pub mujoco_integrator: Option<&'static str>,
    /// MuJoCo's other settings.
    pub mujoco_options: Option<MujocoOptions>,
    /// All errors of MuJoCo.
    pub mujoco_exactness: Option<Exactness>,
    /// Our physics step, s.
    pub step_secs: f64,
    /// Everything else about our physics.
    pub physics: PhysicsSettings,
    /// The hand.
    pub robot: String,
    /// The object.
    pub object: String,
    /// What ran on MuJoCo's side.
    pub versions: Option<Versions>,
    /// Spread of our rate over the rounds.
    pub control_steps_per_sec: Spread,
    /// Spread of the ratio over the rounds.
    pub ratio: Option<Spread>,
    /// Two threads and one, with their spreads.
    pub cores2: Option<TwoCores>,
    /// MuJoCo as it took part in the rounds, the fastest first.
    pub opponents: Vec<OpponentResult>,
    /// One thread with few worlds and with many; empty where it was not measured.
    pub by_world_count: Vec<WorldsSpeed>,
    /// Every hand with the same object, alternating with the first.
    pub robots: BTreeMap<String, RobotSpeed>,
    /// Resident memory of one of 4,096 worlds; `null` where it was not measured.
    pub bytes_per_world: Option<f64>,
}

/// MuJoCo's side, and how exact ours is.
struct Rivals<'l> {
    lab: Lab<'l>,
    track: Track,
    ours: Exactness,
    opponents: Vec<Opponent>,
}

/// Measures the physics of `config`, with its hand and its object.
///
/// # Errors
/// When hand or object do not exist, or an engine fails. A missing MuJoCo is no error: what needs it stays empty.
pub fn bench_physics(config: &RunConfig, options: &PhysicsBenchOptions, stop: &AtomicBool) -> Result<PhysicsBench> {
    let (setup, _) = setup(config)?;
    let lab = Lab::open(&python::program(options.python.as_deref()), 1, stop);
    let without = |error| say::note(format_args!("without MuJoCo there is no comparison: {error:#}"));
    let lab = lab.map_err(without).ok();
    // First, while nothing else has asked for memory.
    let bytes_per_world = if options.skip_memory { None } else { environment::bytes_per_world(&setup, MEMORY_WORLDS)? };
    let mut rivals = lab.map(|lab| Rivals::new(lab, &setup, options, stop)).transpose()?;
    let rates = rounds(&setup, rivals.as_mut(), options, stop)?;
    let opponents = rivals.as_ref().map_or_else(Vec::new, |rivals| rivals.results(&setup, &rates));
    let ratio = |demand| fastest(&opponents, demand).map(|opponent| opponent.ratio.median);
    let best = fastest(&opponents, Demand::Everything);
    let cores2 = cores::two_cores(&setup, options, stop)?;
    let rate = Spread::of(&rates);
    let ours = rivals.as_ref().map(|rivals| rivals.ours);
    Ok(PhysicsBench {
        control_steps_per_sec_per_core: rate.median,
        mujoco_control_steps_per_sec_per_core: best.map(|best| best.control_steps_per_sec.median),
        ratio_equal_error: ratio(Demand::Everything),
        ratio_equal_motion: ratio(Demand::Motion),
        ratio_equal_joint_error: ratio(Demand::Joints),
        joint_error_rms_rad: ours.map(|ours| ours.joint_rms_rad),
        exactness: ours,
        cores2_speedup: cores2.map(|cores2| cores2.speedup.median),
        mujoco_step_secs: best.map(|best| best.step_secs),
        mujoco_joint_error: best.map(|best| best.exactness.joint_rms_rad),
        mujoco_integrator: best.map(|best| best.integrator),
        mujoco_options: best.map(|best| best.options),
        mujoco_exactness: best.map(|best| best.exactness),
        step_secs: setup.training_step().step_secs(setup.robot.control.period_secs),
        physics: setup.physics,
        robot: setup.robot.name.clone(),
        object: setup.object.name.to_owned(),
        versions: rivals.as_ref().map(|rivals| rivals.lab.versions().clone()),
        control_steps_per_sec: rate,
        ratio: best.map(|best| best.ratio),
        cores2,
        by_world_count: if options.skip_scaling {
            Vec::new()
        } else {
            cores::by_worlds(&setup, &cores::WORLD_COUNTS, bytes_per_world, options, stop)?
        },
        robots: if options.skip_robots { BTreeMap::new() } else { cores::by_robots(config, options, stop)? },
        bytes_per_world,
        opponents,
    })
}

impl<'l> Rivals<'l> {
    /// Looks for MuJoCo at its best.
    fn new(mut lab: Lab<'l>, setup: &Setup, options: &PhysicsBenchOptions, stop: &AtomicBool) -> Result<Self> {
        say::note("how exact this is against MuJoCo at 0.5 ms");
        let yardstick = Yardstick::new(&mut lab, setup)?;
        let ours = yardstick.exactness(&mut lab, &setup.training_step(), None)?;
        let mut track = Track::new(&mut lab, setup)?;
        say::note("MuJoCo's fastest settings that are no less exact: a quarter of an hour or more");
        let known = lab.versions().integrators.clone();
        let integrators = INTEGRATORS.into_iter().filter(|name| known.iter().any(|known| known == name));
        let secs = TRIAL_SECS.min(options.secs);
        let mut trials = Trials { lab: &mut lab, setup, track: &mut track, yardstick: &yardstick, secs, stop };
        let chosen = search::best(&mut trials, &integrators.collect::<Vec<_>>(), &ours)?;
        let opponents = chosen.into_iter().map(|candidate| Opponent::new(&mut lab, &yardstick, candidate));
        let opponents = opponents.collect::<Result<_>>()?;
        Ok(Self { lab, track, ours, opponents })
    }

    /// One round.
    fn measure(&mut self, setup: &Setup, secs: f64) -> Result<()> {
        let Self { lab, track, opponents, .. } = self;
        opponents.iter_mut().try_for_each(|opponent| opponent.measure(track, lab.worker(), setup, secs))
    }

    /// Who is fastest beside us first: rates by themselves may be of other moments of a machine whose speed changes.
    fn results(&self, setup: &Setup, rates: &[f64]) -> Vec<OpponentResult> {
        let mut results: Vec<_> =
            self.opponents.iter().map(|opponent| opponent.result(setup, &self.ours, rates)).collect();
        results.sort_by(|a, b| a.ratio.median.total_cmp(&b.ratio.median));
        results
    }
}

/// Rounds in which we and every opponent take turns: our rates.
fn rounds(
    setup: &Setup,
    mut rivals: Option<&mut Rivals<'_>>,
    options: &PhysicsBenchOptions,
    stop: &AtomicBool,
) -> Result<Vec<f64>> {
    let mut environment = Environment::new(setup, WORLDS, 1)?;
    let mut rates = Vec::new();
    for round in 1..=options.repeats {
        go_on(stop)?;
        let theirs = rivals.as_ref().map(|rivals| format!(", then MuJoCo in {} ways", rivals.opponents.len()));
        let theirs = theirs.unwrap_or_default();
        say::note(format_args!("round {round} of {}: the environment{theirs}", options.repeats));
        rates.push(environment.rate(options.secs));
        if let Some(rivals) = &mut rivals {
            rivals.measure(setup, options.secs)?;
        }
    }
    Ok(rates)
}
