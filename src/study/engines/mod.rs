//! `giraffe compare-engines`: the same hand in rapier and in MuJoCo, and what differs.
//!
//! Every experiment is a [`rollout::Rollout`]: a plan and targets. [`lab::Lab`] runs it in either engine, rapier in this
//! process and MuJoCo in Python (`physics/compare_engines/`), and gives back the same kind of trace. To add an
//! experiment: a function that makes rollouts and reads traces, and its table in `document`.

pub mod contact;
pub mod coverage;
mod document;
pub mod episodes;
pub mod grip;
pub mod joints;
pub mod lab;
mod pictures;
pub mod rollout;
pub mod worker;

use crate::run::config::RunConfig;
use crate::say;
use crate::study::python;
use crate::typed;
use anyhow::{Context, Result};
use clap::Args;
use contact::{FRICTIONS, Rest, Slip, Squeeze};
use coverage::{Comparison, Measured};
use episodes::{EpisodeStatistics, Variant};
use giraffe_physics::PhysicsSettings;
use giraffe_robots::{Task, hand_xml};
use joints::JointResponse;
use lab::Lab;
use rollout::{Engine, MujocoOptions, Setup};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use worker::Versions;

/// How engines are compared, and how long it may take.
#[derive(Debug, Clone, Args)]
pub struct EnginesOptions {
    /// Folder of the report: report.md, report.json, pictures, and the small scenes that were used.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The Python that has MuJoCo [default: $GIRAFFE_PYTHON, or python3].
    #[arg(long, value_name = "PATH")]
    pub python: Option<String>,
    /// Episodes of each of the three variants: undisturbed, pushed, tilted.
    #[arg(long, default_value_t = 100, value_parser = typed::count)]
    pub episodes: usize,
    /// A few short episodes, to see that it works: nothing to be quoted.
    #[arg(long)]
    pub quick: bool,
}

/// What a try runs.
const QUICK_EPISODES: usize = 4;
const QUICK_STEPS: usize = 40;

/// Everything that was measured.
#[derive(Debug, Clone, Serialize)]
pub struct EnginesReport {
    /// The hand.
    pub robot: String,
    /// The object.
    pub object: String,
    /// What ran on MuJoCo's side.
    pub versions: Versions,
    /// rapier as training uses it.
    pub training_physics: PhysicsSettings,
    /// Whether this was only a try.
    pub quick: bool,
    /// Joints and servos alone.
    pub joint_response: JointResponse,
    /// The object at rest.
    pub rest: Vec<Rest>,
    /// The slab on the plate.
    pub slip: Vec<Slip>,
    /// The cube between two fingers.
    pub squeeze: Vec<Squeeze>,
    /// Random episodes.
    pub episodes: Vec<EpisodeStatistics>,
    /// Random episodes at the training step against MuJoCo at 2 ms.
    pub comparisons: Vec<Comparison>,
}

impl EnginesReport {
    /// Where the engines differ, in a few lines.
    pub fn summary(&self) -> String {
        document::summary(&self.comparisons).trim().to_owned()
    }
}

/// What all joint angles are measured against.
pub const FINE_MUJOCO: Engine = mujoco(100);

/// The reference, but with a true cone of friction instead of a pyramid.
const ELLIPTIC_MUJOCO: Engine =
    Engine::Mujoco { substeps: 25, integrator: "implicitfast", options: MujocoOptions::ELLIPTIC };

/// MuJoCo with so many physics steps per control step, as the hand's file has it.
pub const fn mujoco(substeps: u32) -> Engine {
    Engine::Mujoco { substeps, integrator: "implicitfast", options: MujocoOptions::USUAL }
}

/// rapier at its fastest: contacts and joints once per 25 ms.
pub fn coarse_rapier() -> Engine {
    Engine::Rapier(PhysicsSettings { substep_count: 2, solver_iteration_count: 1, inner_iteration_count: 16 })
}

impl Engine {
    /// Name for people: engine, physics step, and what is not as the hand's file has it.
    pub fn label(&self, period_secs: f32) -> String {
        let step = millis(self.step_secs(period_secs));
        match self {
            Engine::Rapier(PhysicsSettings { solver_iteration_count: 1, .. }) => format!("rapier {step} ms"),
            Engine::Rapier(settings) => {
                let parts = f64::from(settings.solver_iteration_count);
                format!("rapier {step} ms in parts of {} ms", millis(self.step_secs(period_secs) / parts))
            }
            Engine::Mujoco { integrator, options, .. } => {
                let integrator = if *integrator == "implicitfast" { String::new() } else { format!(", {integrator}") };
                format!("MuJoCo {step} ms{integrator}{}", options.label())
            }
        }
    }
}

/// Milliseconds with at most three decimals and no tail of zeros.
fn millis(secs: f64) -> String {
    format!("{:.3}", 1e3 * secs).trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Hand, object and task of a configuration.
///
/// # Errors
/// When there is no such hand, object or task.
pub fn setup(config: &RunConfig) -> Result<(Setup, &'static dyn Task)> {
    let parts = config.parts()?;
    let setup = Setup {
        hand_xml: hand_xml(&config.robot)?,
        robot: Arc::clone(parts.scene.robot()),
        object: parts.scene.object().clone(),
        with_object: true,
        physics: config.physics,
    };
    Ok((setup, parts.task))
}

/// Runs every experiment in both engines, with the hand, the object, the task and the physics of `config`, and writes
/// report and pictures.
///
/// # Errors
/// When Python or MuJoCo is missing, hand or object do not exist, an engine fails, or the folder cannot be written.
pub fn compare_engines(config: &RunConfig, options: &EnginesOptions, stop: &AtomicBool) -> Result<EnginesReport> {
    let (setup, task) = setup(config)?;
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let mut lab = Lab::open(&python::program(options.python.as_deref()), workers, stop)?;
    let out = &options.out;
    std::fs::create_dir_all(out).with_context(|| format!("creating {}", out.display()))?;
    let tell = |text: &str| say::note(text);
    let contact_engines = contact_engines(&setup, options.quick);
    tell("joint response to scripted targets");
    let joint_response = joints::joint_response(&mut lab, &setup, &joint_engines(&setup, options.quick))?;
    tell("object at rest in the palm");
    let rest = contact::rest(&mut lab, &setup, &contact_engines, if options.quick { 1.0 } else { 10.0 })?;
    tell("slip on a tilted plate");
    let frictions = if options.quick { &FRICTIONS[..1] } else { &FRICTIONS[..] };
    let slip = contact::slip(&mut lab, &setup, out, &contact_engines, frictions)?;
    tell("squeeze between two fingers");
    let squeeze = contact::squeeze(&mut lab, &setup, out, &contact_engines)?;
    let mut report = EnginesReport {
        robot: setup.robot.name.clone(),
        object: setup.object.name.to_owned(),
        versions: lab.versions().clone(),
        training_physics: setup.physics,
        quick: options.quick,
        joint_response,
        rest,
        slip,
        squeeze,
        episodes: Vec::new(),
        comparisons: Vec::new(),
    };
    let variants: &[&'static str] = if options.quick { &["none"] } else { &["none", "push", "tilt"] };
    for name in variants {
        // Whoever stops it early keeps what there is.
        write(&report, out)?;
        random_episodes(&mut lab, &setup, task, name, options, &mut report)?;
    }
    write(&report, out)?;
    Ok(report)
}

fn joint_engines(setup: &Setup, quick: bool) -> Vec<Engine> {
    if quick { vec![setup.training_step(), mujoco(3)] } else { joints::engines(setup) }
}

fn contact_engines(setup: &Setup, quick: bool) -> Vec<Engine> {
    let reference = mujoco(25);
    if quick {
        return vec![setup.training_step(), reference];
    }
    vec![
        setup.training_step(),
        coarse_rapier(),
        setup.rapier_with(4),
        setup.rapier_with(10),
        reference,
        ELLIPTIC_MUJOCO,
    ]
}

fn random_episodes(
    lab: &mut Lab,
    setup: &Setup,
    task: &'static dyn Task,
    name: &'static str,
    options: &EnginesOptions,
    report: &mut EnginesReport,
) -> Result<()> {
    let quick = options.quick;
    let (count, steps) =
        if quick { (QUICK_EPISODES, QUICK_STEPS) } else { (options.episodes, task.episode_step_count() as usize) };
    // As many again for what is found in these.
    let mut variant = episodes::variant(lab, setup, task, name, 2 * count, steps)?;
    let others = Variant { name, rollouts: variant.rollouts.split_off(count) };
    let run = |lab: &mut Lab, engine: &Engine, variant: &Variant| -> Result<EpisodeStatistics> {
        say::note(format_args!("{name}: {count} episodes in {}", engine.label(setup.robot.control.period_secs)));
        episodes::measure(lab, setup, task, engine, variant)
    };
    let measured = |lab: &mut Lab, variant: Variant| -> Result<Measured> {
        let mujoco = run(lab, &mujoco(25), &variant)?;
        let ours = run(lab, &setup.training_step(), &variant)?;
        Ok(Measured { variant, ours, mujoco })
    };
    let searched = measured(lab, variant)?;
    let held_out = measured(lab, others)?;
    report.episodes.extend([searched.mujoco.clone(), searched.ours.clone()]);
    if !quick {
        for engine in [coarse_rapier(), setup.rapier_with(4), setup.rapier_with(10), ELLIPTIC_MUJOCO] {
            report.episodes.push(run(lab, &engine, &searched.variant)?);
        }
    }
    let tell = |text: &str| say::note(text);
    report.comparisons.extend(coverage::compare(lab, setup, task, &searched, &held_out, &tell)?);
    Ok(())
}

fn write(report: &EnginesReport, out: &Path) -> Result<()> {
    pictures::draw_all(report, out)?;
    let file = |name: &str, text: String| {
        let path = out.join(name);
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    };
    file("report.json", serde_json::to_string_pretty(report).context("writing JSON")?)?;
    file("report.md", document::markdown(report))
}
