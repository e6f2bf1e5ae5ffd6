//! Joint response to scripted targets: how far each engine and step is from MuJoCo at 0.5 ms.

use super::lab::Lab;
use super::rollout::{Engine, MujocoOptions, Rollout, Setup, Trace};
use super::{FINE_MUJOCO, coarse_rapier, mujoco};
use anyhow::{Context, Result};
use giraffe_randomization::Distribution;
use giraffe_robots::{Limits, SeedTree, Stream};
use serde::Serialize;

/// Control steps of the script: 8 s at 20 Hz.
const SCRIPT_STEPS: usize = 160;
/// Control steps between two jumps.
const HOLD_STEPS: usize = 8;
/// Targets are this close to home, rad: a jump is twice as far at most.
const REACH_RAD: f32 = 0.6;

/// Joint response of both engines.
#[derive(Debug, Clone, Serialize)]
pub struct JointResponse {
    /// What all are measured against.
    pub reference: String,
    /// One per engine and step.
    pub errors: Vec<JointError>,
    /// Joint of the picture.
    pub shown_joint: String,
    /// Curves of that joint: name, and `(s, rad)`.
    #[serde(skip)]
    pub curves: Vec<(String, Vec<(f64, f64)>)>,
}

/// How far one engine at one step is from the reference.
#[derive(Debug, Clone, Serialize)]
pub struct JointError {
    /// Engine, step, and what else is special.
    pub engine: String,
    /// Whether it is rapier.
    pub is_rapier: bool,
    /// Physics step, s.
    pub step_secs: f64,
    /// Root of the mean square over joints and control steps, rad.
    pub rms_rad: f64,
    /// The same of the worst joint, rad.
    pub worst_joint_rms_rad: f64,
}

/// The engines that a full comparison tries.
pub fn engines(setup: &Setup) -> Vec<Engine> {
    let finer = [4, 10, 25].map(|substeps| setup.rapier_with(substeps));
    let steps = [25, 10, 5, 4, 3, 2].map(mujoco);
    let discrete =
        [5, 3, 2].map(|substeps| Engine::Mujoco { substeps, integrator: "discrete", options: MujocoOptions::USUAL });
    [setup.training_step(), coarse_rapier()].into_iter().chain(finer).chain(steps).chain(discrete).collect()
}

/// The script: every joint jumps to a new target every 0.4 s.
pub fn script(setup: &Setup) -> Rollout {
    let robot = &setup.robot;
    let mut rng = SeedTree::new(1).branch("joint response").stream(Stream::Toy, 0, 0);
    let reach = Distribution::Uniform { min: -REACH_RAD, max: REACH_RAD };
    let anywhere = Limits { lower: -REACH_RAD, upper: REACH_RAD };
    let mut targets = robot.home_rad.clone();
    let targets_rad = (0..SCRIPT_STEPS)
        .map(|step| {
            if step % HOLD_STEPS == 0 {
                for ((target, home), joint) in targets.iter_mut().zip(&robot.home_rad).zip(&robot.joints) {
                    *target = joint.position_limits_rad.clamp(home + reach.draw(anywhere, &mut rng));
                }
                robot.couple(&mut targets);
            }
            targets.clone()
        })
        .collect();
    Rollout { plan: setup.plan(), targets_rad }
}

/// The script, and how MuJoCo at 0.5 ms follows it.
pub struct ScriptedJoints {
    /// The hand alone.
    setup: Setup,
    script: Rollout,
    reference: Trace,
}

impl ScriptedJoints {
    /// Runs the reference.
    ///
    /// # Errors
    /// When MuJoCo fails.
    pub fn new(lab: &mut Lab, setup: &Setup) -> Result<Self> {
        let setup = setup.hand_alone();
        let script = script(&setup);
        let reference = run(lab, &setup, &script, &FINE_MUJOCO)?;
        Ok(Self { setup, script, reference })
    }

    /// How far an engine is from the reference.
    ///
    /// # Errors
    /// When the engine fails.
    pub fn error(&self, lab: &mut Lab, engine: &Engine) -> Result<JointError> {
        let trace = run(lab, &self.setup, &self.script, engine)?;
        Ok(error(&self.setup, engine, &trace, &self.reference))
    }
}

fn run(lab: &mut Lab, setup: &Setup, script: &Rollout, engine: &Engine) -> Result<Trace> {
    let mut traces = lab.run(setup, engine, std::slice::from_ref(script))?;
    traces.pop().context("one rollout gives one trace")
}

/// Runs the script in every engine.
///
/// # Errors
/// When an engine fails.
pub fn joint_response(lab: &mut Lab, setup: &Setup, engines: &[Engine]) -> Result<JointResponse> {
    let ScriptedJoints { setup, script, reference } = &ScriptedJoints::new(lab, setup)?;
    let period_secs = f64::from(setup.robot.control.period_secs);
    let shown = most_moved(reference);
    let curve = |trace: &Trace| -> Vec<(f64, f64)> {
        let at = |(step, joints): (usize, &Vec<f64>)| ((step + 1) as f64 * period_secs, joints[shown]);
        trace.joints_rad.iter().enumerate().map(at).collect()
    };
    let target = script.targets_rad.iter().enumerate().flat_map(|(step, targets)| {
        [step, step + 1].map(|edge| (edge as f64 * period_secs, f64::from(targets[shown])))
    });
    let mut curves = vec![("target".to_owned(), target.collect()), (label(setup, &FINE_MUJOCO), curve(reference))];
    let mut errors = Vec::new();
    for engine in engines {
        let trace = run(lab, setup, script, engine)?;
        if *engine == setup.training_step() {
            curves.push((label(setup, engine), curve(&trace)));
        }
        errors.push(error(setup, engine, &trace, reference));
    }
    Ok(JointResponse {
        reference: label(setup, &FINE_MUJOCO),
        errors,
        shown_joint: setup.robot.joints[shown].name.clone(),
        curves,
    })
}

fn label(setup: &Setup, engine: &Engine) -> String {
    engine.label(setup.robot.control.period_secs)
}

fn error(setup: &Setup, engine: &Engine, trace: &Trace, reference: &Trace) -> JointError {
    let joint_count = setup.robot.joint_count();
    let steps = reference.joints_rad.len().max(1) as f64;
    // A trace that ended early lost its numbers.
    let whole = !trace.diverged && trace.joints_rad.len() == reference.joints_rad.len();
    let mean_square = |joint: usize| {
        let pairs = trace.joints_rad.iter().zip(&reference.joints_rad);
        pairs.map(|(ours, theirs)| (ours[joint] - theirs[joint]).powi(2)).sum::<f64>() / steps
    };
    let squares: Vec<f64> = (0..joint_count).map(|joint| if whole { mean_square(joint) } else { f64::NAN }).collect();
    JointError {
        engine: label(setup, engine),
        is_rapier: matches!(engine, Engine::Rapier(_)),
        step_secs: engine.step_secs(setup.robot.control.period_secs),
        rms_rad: (squares.iter().sum::<f64>() / joint_count as f64).sqrt(),
        worst_joint_rms_rad: squares.iter().copied().fold(0.0, f64::max).sqrt(),
    }
}

/// The joint that travelled farthest.
fn most_moved(trace: &Trace) -> usize {
    let travel =
        |joint: usize| -> f64 { trace.joints_rad.windows(2).map(|pair| (pair[1][joint] - pair[0][joint]).abs()).sum() };
    let count = trace.joints_rad.first().map_or(0, Vec::len);
    (0..count).max_by(|a, b| travel(*a).total_cmp(&travel(*b))).unwrap_or(0)
}
