//! Small scenes with a known answer: an object at rest, on a slope, between two fingers.

use super::lab::Lab;
use super::rollout::{Engine, ObjectSample, Rollout, Setup, Trace};
use anyhow::{Context, Result};
use giraffe_physics::{Disturbance, GRAVITY_M_PER_SEC2, TimedDisturbance};
use giraffe_robots::{GeomShape, OBJECTS, ObjectModel, hand_xml, load_robot};
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;

const PLATE: [(&str, &str); 2] = [
    ("hand.xml", include_str!("../../../physics/compare_engines/scenes/plate/hand.xml")),
    ("robot.toml", include_str!("../../../physics/compare_engines/scenes/plate/robot.toml")),
];
const GRIPPER: [(&str, &str); 2] = [
    ("hand.xml", include_str!("../../../physics/compare_engines/scenes/gripper/hand.xml")),
    ("robot.toml", include_str!("../../../physics/compare_engines/scenes/gripper/robot.toml")),
];

/// Friction coefficients of the plate.
pub const FRICTIONS: [f32; 3] = [0.3, 0.7, 1.0];
/// Targets of both fingers of the gripper, rad: at a stiffness of 1 N m/rad also the torque, N m, up to the limit of 0.2.
const SQUEEZE_TARGETS_RAD: [f32; 4] = [0.05, 0.1, 0.15, 0.4];
const SQUEEZE_STIFFNESS_NEWTON_M_PER_RAD: f64 = 1.0;
const SQUEEZE_TORQUE_LIMIT_NEWTON_M: f64 = 0.2;
const SQUEEZE_LEVER_M: f64 = 0.1;
/// Faster than this, m/s, is creeping at least: soft friction gives way before it breaks.
const CREEPING_M_PER_SEC: f64 = 0.01;
/// Faster than this, m/s, is sliding.
const SLIDING_M_PER_SEC: f64 = 0.1;
/// How far about the friction angle gravity is turned slowly, degrees.
const RAMP_DEGREES: f32 = 6.0;
const RAMP_DEGREES_PER_SEC: f32 = 1.0;

/// An object that lies in the hand and is left alone.
#[derive(Debug, Clone, Serialize)]
pub struct Rest {
    /// Engine and step.
    pub engine: String,
    /// Physics step, s.
    pub step_secs: f64,
    /// How far the object moved within 10 s, after 5 s to settle, m.
    pub creep_m: f64,
    /// How far it turned meanwhile, rad.
    pub turned_rad: f64,
    /// Mean of the deepest overlap with the hand, m.
    pub penetration_m: f64,
    /// Mean sum of the normal forces, N.
    pub normal_force_newton: f64,
    /// Whether it still lies in the hand.
    pub stayed: bool,
    /// Distance from where it settled: `(s, m)`.
    #[serde(skip)]
    pub curve: Vec<(f64, f64)>,
}

/// When an object on a plate starts to slide.
#[derive(Debug, Clone, Serialize)]
pub struct Slip {
    /// Engine and step.
    pub engine: String,
    /// Physics step, s.
    pub step_secs: f64,
    /// Friction coefficient.
    pub friction: f32,
    /// atan(friction), degrees.
    pub theory_degrees: f64,
    /// Where it slid; nothing when it did not up to 6 degrees beyond. What it takes to get to speed is taken off.
    pub slip_degrees: Option<f64>,
    /// Where it was faster than 10 mm/s.
    pub creep_degrees: Option<f64>,
}

impl Slip {
    /// How far it is from atan(friction), degrees; six where it did not slide at all.
    pub fn error_degrees(&self) -> f64 {
        self.slip_degrees.map_or(f64::from(RAMP_DEGREES), |slip| (slip - self.theory_degrees).abs())
    }
}

/// A cube between two fingers.
#[derive(Debug, Clone, Serialize)]
pub struct Squeeze {
    /// Engine and step.
    pub engine: String,
    /// Physics step, s.
    pub step_secs: f64,
    /// Torque of each servo, from its law at the angle where the finger stands, N m.
    pub torque_newton_m: f64,
    /// Torque over lever arm, N.
    pub expected_newton: f64,
    /// Normal force of each finger, N.
    pub force_newton: f64,
    /// Deepest overlap, m.
    pub penetration_m: f64,
}

/// The object at rest in the palm.
///
/// # Errors
/// When an engine fails.
pub fn rest(lab: &mut Lab, setup: &Setup, engines: &[Engine], measured_secs: f64) -> Result<Vec<Rest>> {
    const SETTLING_SECS: f64 = 5.0;
    let period_secs = f64::from(setup.robot.control.period_secs);
    let settling = (SETTLING_SECS / period_secs).round() as usize;
    let steps = settling + (measured_secs / period_secs).round() as usize;
    let rollout = Rollout { plan: setup.plan(), targets_rad: vec![setup.robot.home_rad.clone(); steps] };
    each(lab, setup, engines, &rollout, |engine, trace| {
        let settled = trace.object.get(settling.saturating_sub(1)..).unwrap_or(&[]);
        let (first, last) = (settled.first(), settled.last());
        let mean =
            |number: fn(&ObjectSample) -> f64| settled.iter().map(number).sum::<f64>() / settled.len().max(1) as f64;
        let between = |f: &dyn Fn(&ObjectSample, &ObjectSample) -> f32| {
            first.zip(last).map_or(f64::NAN, |(first, last)| f64::from(f(first, last)))
        };
        let away = |sample: &ObjectSample| {
            first.map_or(0.0, |first| f64::from((sample.pose.position_m - first.pose.position_m).norm()))
        };
        Rest {
            engine: engine.label(setup.robot.control.period_secs),
            step_secs: engine.step_secs(setup.robot.control.period_secs),
            creep_m: between(&|a, b| (b.pose.position_m - a.pose.position_m).norm()),
            turned_rad: between(&|a, b| a.pose.palm_from_object.angle_to(&b.pose.palm_from_object)),
            penetration_m: mean(|sample| sample.penetration_m),
            normal_force_newton: mean(|sample| sample.normal_force_newton),
            stayed: !trace.diverged && trace.object.len() == steps,
            curve: settled.iter().enumerate().map(|(i, sample)| (i as f64 * period_secs, away(sample))).collect(),
        }
    })
}

/// A slab on a plate while gravity turns, ready to be run.
pub struct Slope {
    friction: f32,
    setup: Setup,
    rollout: Rollout,
    /// Of gravity, in every control step.
    degrees: Vec<f32>,
}

impl Slope {
    /// Of this friction. The plate is written into `folder`, where it stays.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn new(like: &Setup, folder: &Path, friction: f32) -> Result<Self> {
        let slab = ObjectModel {
            shape: GeomShape::Box { half_extents_m: [0.035, 0.035, 0.0175] },
            friction,
            ..OBJECTS[0].clone()
        };
        let setup = scene(like, folder, &format!("plate-{friction}"), &PLATE, &friction.to_string(), slab)?;
        let period_secs = setup.robot.control.period_secs;
        let degrees = ramp(friction.atan().to_degrees(), period_secs);
        let mut plan = setup.plan();
        plan.disturbances = (0..).zip(&degrees).map(|(step, degrees)| tilt(step, *degrees, period_secs)).collect();
        let rollout = Rollout { plan, targets_rad: vec![setup.robot.home_rad.clone(); degrees.len()] };
        Ok(Self { friction, setup, rollout, degrees })
    }

    /// Where it slips in each engine.
    ///
    /// # Errors
    /// When an engine fails.
    pub fn slip(&self, lab: &mut Lab, engines: &[Engine]) -> Result<Vec<Slip>> {
        each(lab, &self.setup, engines, &self.rollout, |engine, trace| self.read(engine, trace))
    }

    fn read(&self, engine: &Engine, trace: &Trace) -> Slip {
        let period_secs = self.setup.robot.control.period_secs;
        // While it is put down it may move.
        let tilted = || self.degrees.iter().zip(&trace.object).skip_while(|(degrees, _)| **degrees <= 0.0);
        let faster_than = |limit: f64| {
            let found = tilted().find(|(_, sample)| sample.speed_m_per_sec > limit);
            found.map(|(degrees, _)| f64::from(*degrees))
        };
        Slip {
            engine: engine.label(period_secs),
            step_secs: engine.step_secs(period_secs),
            friction: self.friction,
            theory_degrees: f64::from(self.friction.atan().to_degrees()),
            slip_degrees: faster_than(SLIDING_M_PER_SEC).map(|degrees| degrees - getting_to_speed(degrees)),
            creep_degrees: faster_than(CREEPING_M_PER_SEC),
        }
    }
}

/// A slab on plates of several frictions.
///
/// # Errors
/// When an engine fails.
pub fn slip(lab: &mut Lab, like: &Setup, folder: &Path, engines: &[Engine], frictions: &[f32]) -> Result<Vec<Slip>> {
    let mut rows = Vec::new();
    for &friction in frictions {
        rows.extend(Slope::new(like, folder, friction)?.slip(lab, engines)?);
    }
    Ok(rows)
}

/// Degrees that gravity turns while the slab gets from rest to sliding speed: what pulls it beyond friction grows as
/// g w t / cos(angle) for a rate w, so its speed is g w t^2 / (2 cos(angle)).
fn getting_to_speed(degrees: f64) -> f64 {
    let rate = f64::from(RAMP_DEGREES_PER_SEC).to_radians();
    let gravity = f64::from(GRAVITY_M_PER_SEC2);
    let secs = (2.0 * SLIDING_M_PER_SEC * degrees.to_radians().cos() / (gravity * rate)).sqrt();
    secs * f64::from(RAMP_DEGREES_PER_SEC)
}

/// Degrees of tilt in every control step: 1 s flat, 2 s up to a little below `center`, then slowly past it.
fn ramp(center_degrees: f32, period_secs: f32) -> Vec<f32> {
    let steps = |secs: f32| (secs / period_secs).round() as usize;
    let below = center_degrees - RAMP_DEGREES;
    let (flat, fast, slow) = (steps(1.0), steps(2.0), steps(2.0 * RAMP_DEGREES / RAMP_DEGREES_PER_SEC));
    let rise = (1..=fast).map(|step| below * step as f32 / fast as f32);
    let turn = (1..=slow).map(|step| below + RAMP_DEGREES_PER_SEC * period_secs * step as f32);
    std::iter::repeat_n(0.0, flat).chain(rise).chain(turn).collect()
}

fn tilt(step: u32, degrees: f32, period_secs: f32) -> TimedDisturbance {
    let disturbance =
        Disturbance::GravityTilt { radians: degrees.to_radians(), axis: [0.0, 1.0, 0.0], duration_secs: period_secs };
    TimedDisturbance { step, disturbance }
}

/// A cube between two fingers, without gravity.
///
/// # Errors
/// When an engine fails.
pub fn squeeze(lab: &mut Lab, like: &Setup, folder: &Path, engines: &[Engine]) -> Result<Vec<Squeeze>> {
    const STEPS: usize = 80;
    const MEASURED_STEPS: usize = 20;
    let setup = scene(like, folder, "gripper", &GRIPPER, "", OBJECTS[0].clone())?;
    let period_secs = setup.robot.control.period_secs;
    let mut rows = Vec::new();
    for target_rad in SQUEEZE_TARGETS_RAD {
        let mut plan = setup.plan();
        plan.parameters.gravity_m_per_sec2 = [0.0; 3];
        plan.start.joint_positions_rad = vec![-0.03; 2];
        let rollout = Rollout { plan, targets_rad: vec![vec![target_rad; 2]; STEPS] };
        rows.extend(each(lab, &setup, engines, &rollout, |engine, trace| {
            let from = trace.object.len().saturating_sub(MEASURED_STEPS);
            let samples = &trace.object[from..];
            let count = samples.len().max(1) as f64;
            let mean = |number: fn(&ObjectSample) -> f64| samples.iter().map(number).sum::<f64>() / count;
            let angles = trace.joints_rad[from..].iter().flatten();
            let angle_rad = angles.sum::<f64>() / (2.0 * count);
            let torque_newton_m = (SQUEEZE_STIFFNESS_NEWTON_M_PER_RAD * (f64::from(target_rad) - angle_rad))
                .min(SQUEEZE_TORQUE_LIMIT_NEWTON_M);
            Squeeze {
                engine: engine.label(period_secs),
                step_secs: engine.step_secs(period_secs),
                torque_newton_m,
                expected_newton: torque_newton_m / SQUEEZE_LEVER_M,
                force_newton: 0.5 * mean(|sample| sample.normal_force_newton),
                penetration_m: mean(|sample| sample.penetration_m),
            }
        })?);
    }
    Ok(rows)
}

/// Runs one rollout in every engine.
fn each<T>(
    lab: &mut Lab,
    setup: &Setup,
    engines: &[Engine],
    rollout: &Rollout,
    row: impl Fn(&Engine, &Trace) -> T,
) -> Result<Vec<T>> {
    engines
        .iter()
        .map(|engine| {
            let traces = lab.run(setup, engine, std::slice::from_ref(rollout))?;
            Ok(row(engine, traces.first().context("one rollout gives one trace")?))
        })
        .collect()
}

/// Writes a small scene into the folder of the report, where a reader finds it, and loads it from there.
fn scene(
    like: &Setup,
    folder: &Path,
    name: &str,
    files: &[(&str, &str)],
    friction: &str,
    object: ObjectModel,
) -> Result<Setup> {
    let path = folder.join("scenes").join(name);
    std::fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
    for (file, text) in files {
        let file = path.join(file);
        let text = text.replace("friction=\"FRICTION\"", &format!("friction=\"{friction}\""));
        std::fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
    }
    let name = path.to_string_lossy();
    let robot = Arc::new(load_robot(&name)?);
    Ok(Setup { hand_xml: hand_xml(&name)?, robot, object, with_object: true, physics: like.physics })
}
