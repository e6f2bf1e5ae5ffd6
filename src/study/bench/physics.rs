//! `giraffe bench physics`: how fast the whole environment is, against bare MuJoCo at equal joint error.

mod environment;
mod opponent;

use super::spread::{Spread, go_on};
use crate::run::config::RunConfig;
use crate::say;
use crate::study::engines::joints::joint_response;
use crate::study::engines::lab::Lab;
use crate::study::engines::rollout::{Engine, Setup};
use crate::study::engines::setup;
use crate::study::engines::worker::Versions;
use crate::study::python;
use crate::typed;
use anyhow::Result;
use clap::Args;
use environment::Environment;
use giraffe_physics::PhysicsSettings;
use giraffe_robots::ROBOTS;
use opponent::Opponent;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::AtomicBool;

/// How many worlds a memory measurement builds.
const MEMORY_WORLDS: usize = 4096;
/// The hand that others are compared with.
const REFERENCE_ROBOT: &str = "leap-right";

/// What is measured, and for how long.
#[derive(Debug, Clone, Args)]
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
    /// The Python that has MuJoCo [default: $GIRAFFE_PYTHON, or python3].
    #[arg(long, value_name = "PATH")]
    pub python: Option<String>,
}

/// The result. Rates are of one thread. What needs MuJoCo is `null` without it.
#[derive(Debug, Clone, Serialize)]
pub struct PhysicsBench {
    /// The whole environment step (randomized physics, sensing, observation, reward, resets), median.
    pub control_steps_per_sec_per_core: f64,
    /// Bare `mj_step` with the fastest integrator at its largest step of no greater joint error, median.
    pub mujoco_control_steps_per_sec_per_core: Option<f64>,
    /// Median over the rounds of ours over MuJoCo's.
    pub ratio_equal_error: Option<f64>,
    /// Joint error of the training step against MuJoCo at 0.5 ms, rms, rad.
    pub joint_error_rms_rad: Option<f64>,
    /// Rate of two threads over one; `null` on one core.
    pub cores2_speedup: Option<f64>,
    /// MuJoCo's physics step, s.
    pub mujoco_step_secs: Option<f64>,
    /// MuJoCo's joint error at this step, rms, rad.
    pub mujoco_joint_error: Option<f64>,
    /// MuJoCo's integrator.
    pub mujoco_integrator: Option<&'static str>,
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
    /// Spread of the speedup over the rounds.
    pub cores2: Option<Spread>,
    /// MuJoCo with each of its integrators, each at its largest step of no greater joint error.
    pub opponents: Vec<OpponentResult>,
    /// Every hand with the same object, alternating with the first.
    pub robots: BTreeMap<String, RobotSpeed>,
    /// Resident memory of one of 4,096 worlds; `null` where it was not measured.
    pub bytes_per_world: Option<f64>,
}

/// MuJoCo with one integrator.
#[derive(Debug, Clone, Serialize)]
pub struct OpponentResult {
    /// Its name.
    pub integrator: &'static str,
    /// Physics step, s.
    pub step_secs: f64,
    /// Joint error, rms, rad.
    pub joint_error_rms_rad: f64,
    /// Its rate.
    pub control_steps_per_sec: Spread,
    /// Our rate over its, round by round.
    pub ratio: Spread,
    /// How often it dropped the object, per 1000 control steps.
    pub drops_per_1000_steps: f64,
}

/// How fast one hand is.
#[derive(Debug, Clone, Serialize)]
pub struct RobotSpeed {
    /// Control steps per second of one thread.
    pub control_steps_per_sec: f64,
    /// Over that of `leap-right`, median of the rounds.
    pub relative_to_leap_right: f64,
}

/// Measures the physics of `config`, with its hand and its object.
///
/// # Errors
/// When hand or object do not exist, or an engine fails. A missing MuJoCo is no error: what needs it stays empty.
pub fn bench_physics(config: &RunConfig, options: &PhysicsBenchOptions, stop: &AtomicBool) -> Result<PhysicsBench> {
    let (setup, _) = setup(config)?;
    let lab = Lab::open(&python::program(options.python.as_deref()), 1, stop);
    let mut lab = match lab {
        Ok(lab) => Some(lab),
        Err(error) => {
            say::note(format_args!("without MuJoCo there is no comparison: {error:#}"));
            None
        }
    };
    // First, while nothing else has asked for memory.
    let bytes_per_world = if options.skip_memory { None } else { environment::bytes_per_world(&setup, MEMORY_WORLDS)? };
    let mut error_rad = None;
    let mut opponents = Vec::new();
    if let Some(lab) = &mut lab {
        say::note("joint errors against MuJoCo at 0.5 ms");
        let ours = joint_response(lab, &setup, &[setup.training_step()])?.errors[0].rms_rad;
        opponents = opponent::at_equal_error(lab, &setup, ours)?;
        error_rad = Some(ours);
    }
    let (ours, theirs) = rounds(&setup, lab.as_mut(), &mut opponents, options, stop)?;
    let results: Vec<OpponentResult> =
        opponents.iter().zip(&theirs).map(|(opponent, rates)| opponent.result(&ours, rates)).collect();
    let best = results.iter().max_by(|a, b| a.control_steps_per_sec.median.total_cmp(&b.control_steps_per_sec.median));
    let cores2 = cores2(&setup, options, stop)?;
    let rate = Spread::of(&ours);
    Ok(PhysicsBench {
        control_steps_per_sec_per_core: rate.median,
        mujoco_control_steps_per_sec_per_core: best.map(|best| best.control_steps_per_sec.median),
        ratio_equal_error: best.map(|best| best.ratio.median),
        joint_error_rms_rad: error_rad,
        cores2_speedup: cores2.map(|cores2| cores2.median),
        mujoco_step_secs: best.map(|best| best.step_secs),
        mujoco_joint_error: best.map(|best| best.joint_error_rms_rad),
        mujoco_integrator: best.map(|best| best.integrator),
        step_secs: setup.training_step().step_secs(setup.robot.control.period_secs),
        physics: setup.physics,
        robot: setup.robot.name.clone(),
        object: setup.object.name.to_owned(),
        versions: lab.as_ref().map(|lab| lab.versions().clone()),
        control_steps_per_sec: rate,
        ratio: best.map(|best| best.ratio),
        cores2,
        robots: if options.skip_robots { BTreeMap::new() } else { robots(config, options, stop)? },
        bytes_per_world,
        opponents: results,
    })
}

/// Rounds in which we and every opponent take turns: our rates, and the opponents' rates.
fn rounds(
    setup: &Setup,
    lab: Option<&mut Lab>,
    opponents: &mut [Opponent],
    options: &PhysicsBenchOptions,
    stop: &AtomicBool,
) -> Result<(Vec<f64>, Vec<Vec<f64>>)> {
    let mut environment = Environment::new(setup, 1)?;
    let (mut ours, mut theirs) = (Vec::new(), vec![Vec::new(); opponents.len()]);
    let mut worker = lab.map(Lab::worker);
    for round in 0..options.repeats {
        go_on(stop)?;
        say::note(format_args!(
            "round {} of {}: the environment, then MuJoCo with {} integrators",
            round + 1,
            options.repeats,
            opponents.len()
        ));
        ours.push(environment.rate(options.secs));
        if let Some(worker) = &mut worker {
            for (opponent, rates) in opponents.iter_mut().zip(&mut theirs) {
                rates.push(opponent.rate(worker, setup, options.secs)?);
            }
        }
    }
    Ok((ours, theirs))
}

/// Two threads over one, in turns.
fn cores2(setup: &Setup, options: &PhysicsBenchOptions, stop: &AtomicBool) -> Result<Option<Spread>> {
    if std::thread::available_parallelism().map_or(1, usize::from) < 2 {
        return Ok(None);
    }
    say::note("two threads against one");
    let (mut one, mut two) = (Environment::new(setup, 1)?, Environment::new(setup, 2)?);
    let (mut alone, mut together) = (Vec::new(), Vec::new());
    for _ in 0..options.repeats {
        go_on(stop)?;
        alone.push(one.rate(options.secs));
        together.push(two.rate(options.secs));
    }
    Ok(Some(Spread::of_ratios(&together, &alone)))
}

/// Every hand with the same object, each in turns with the reference.
fn robots(
    config: &RunConfig,
    options: &PhysicsBenchOptions,
    stop: &AtomicBool,
) -> Result<BTreeMap<String, RobotSpeed>> {
    let mut environments = ROBOTS
        .iter()
        .map(|robot| {
            let config = RunConfig { robot: robot.name.to_owned(), ..config.clone() };
            Ok((robot.name, Environment::new(&setup(&config)?.0, 1)?))
        })
        .collect::<Result<Vec<_>>>()?;
    let mut rates: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for _ in 0..options.repeats {
        go_on(stop)?;
        say::note("every hand in turns");
        for (name, environment) in &mut environments {
            rates.entry(name).or_default().push(environment.rate(0.5 * options.secs));
        }
    }
    let reference = rates.get(REFERENCE_ROBOT).cloned().unwrap_or_default();
    let speed = |rates: &[f64]| RobotSpeed {
        control_steps_per_sec: Spread::of(rates).median,
        relative_to_leap_right: Spread::of_ratios(rates, &reference).median,
    };
    Ok(rates.iter().map(|(name, rates)| ((*name).to_owned(), speed(rates))).collect())
}

impl PhysicsBench {
    /// The result for people.
    pub fn table(&self) -> String {
        let rate = self.control_steps_per_sec;
        let mut text = format!(
            "{} with {}, {:.3} ms steps, one thread, control steps per second (median, smallest, largest)\n\n{:<34}{:>9.0}{:>9.0}{:>9.0}\n",
            self.robot,
            self.object,
            1e3 * self.step_secs,
            "giraffe, whole environment step",
            rate.median,
            rate.min,
            rate.max
        );
        for opponent in &self.opponents {
            let name = format!("MuJoCo {}, {:.3} ms", opponent.integrator, 1e3 * opponent.step_secs);
            let rate = opponent.control_steps_per_sec;
            let _ = writeln!(
                text,
                "{name:<34}{:>9.0}{:>9.0}{:>9.0}  joint error {:.2} mrad, ratio {:.2}",
                rate.median,
                rate.min,
                rate.max,
                1e3 * opponent.joint_error_rms_rad,
                opponent.ratio.median
            );
        }
        text.push('\n');
        let mut line = |name: &str, value: Option<String>| {
            let _ = writeln!(text, "{name:<34}{:>9}", value.unwrap_or_else(|| "-".to_owned()));
        };
        line("ratio at equal joint error", self.ratio_equal_error.map(|ratio| format!("{ratio:.2}")));
        line("joint error, mrad rms", self.joint_error_rms_rad.map(|error| format!("{:.2}", 1e3 * error)));
        line("two threads over one", self.cores2_speedup.map(|speedup| format!("{speedup:.2}")));
        line("memory per world, KiB", self.bytes_per_world.map(|bytes| format!("{:.0}", bytes / 1024.0)));
        for (name, speed) in &self.robots {
            let value = format!("{:.0}", speed.control_steps_per_sec);
            line(&format!("{name}, {:.2} of {REFERENCE_ROBOT}", speed.relative_to_leap_right), Some(value));
        }
        text
    }
}

/// The engine of an opponent.
fn mujoco_engine(integrator: &'static str, substeps: u32) -> Engine {
    Engine::Mujoco { substeps, integrator, cone: None }
}
