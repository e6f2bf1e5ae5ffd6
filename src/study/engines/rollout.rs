//! The same episode in both engines: what is asked of them, and what they answer.

use super::worker::Worker;
use anyhow::{Context, Result};
use giraffe_physics::{Disturbance, EpisodePlan, HandSim, PhysicsSettings, SceneModel, tilted_gravity};
use giraffe_robots::{GeomShape, Hand, ObjectModel, ObjectPose, Region, RobotModel, Signal, SignalFrame, SignalLayout};
use nalgebra::{Quaternion, UnitQuaternion, Vector3};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::sync::Arc;

/// An object farther than this from its start is lost, m: nothing that follows is of interest.
const LOST_M: f32 = 0.2;

/// What both engines load.
#[derive(Clone)]
pub struct Setup {
    /// The text that MuJoCo loads.
    pub hand_xml: String,
    /// What giraffe read from the same text.
    pub robot: Arc<RobotModel>,
    /// The object.
    pub object: ObjectModel,
    /// Whether MuJoCo is given the object. Without it nothing of the hand touches anything, itself included: both
    /// engines then show the joints and their servos alone.
    pub with_object: bool,
    /// rapier as training uses it.
    pub physics: PhysicsSettings,
}

/// An engine and how finely it cuts time.
#[derive(Debug, Clone, PartialEq)]
pub enum Engine {
    /// In this process.
    Rapier(PhysicsSettings),
    /// In Python.
    Mujoco {
        /// Physics steps per control step.
        substeps: u32,
        /// Its integrator, by its own name.
        integrator: &'static str,
        /// Everything else that it can be told.
        options: MujocoOptions,
    },
}

/// Options of MuJoCo, by its own names. What is not named is as the hand's file has it, or as MuJoCo usually has it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MujocoOptions {
    /// Friction cone: `pyramidal` or `elliptic`.
    pub cone: Option<&'static str>,
    /// Solver: `newton`, `cg` or `pgs`.
    pub solver: Option<&'static str>,
    /// Most iterations of the solver in one physics step.
    pub iterations: Option<u32>,
    /// Most iterations of the line search in one of those (newton and cg).
    pub ls_iterations: Option<u32>,
    /// Improvement of the scaled cost below which the solver stops early.
    pub tolerance: Option<f64>,
}

impl MujocoOptions {
    /// As the file has it.
    pub const USUAL: Self = Self { cone: None, solver: None, iterations: None, ls_iterations: None, tolerance: None };
    /// A true cone of friction instead of a pyramid.
    pub const ELLIPTIC: Self = Self { cone: Some("elliptic"), ..Self::USUAL };

    /// What is not as usual, for people: each part begins with a comma.
    pub fn label(&self) -> String {
        let Self { cone, solver, iterations, ls_iterations, tolerance } = self;
        let cone = cone.map(|cone| format!(", {cone} cone"));
        let solver = solver.map(|solver| format!(", {solver}"));
        let iterations = iterations.map(|count| format!(", {count} iteration{}", if count == 1 { "" } else { "s" }));
        let line = ls_iterations.map(|count| format!(", {count} of the line search"));
        let tolerance = tolerance.map(|tolerance| format!(", tolerance {tolerance:e}"));
        [cone, solver, iterations, line, tolerance].into_iter().flatten().collect()
    }
}

/// One episode: everything that is random about it, and the targets of every control step, rad, canonical order.
#[derive(Debug, Clone)]
pub struct Rollout {
    /// Parameters (which only rapier reads, except for gravity), start, disturbances.
    pub plan: EpisodePlan,
    /// `[step][joint]`.
    pub targets_rad: Vec<Vec<f32>>,
}

/// What happened in one episode, at the end of each control step.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// `[step][joint]`, rad, canonical order.
    pub joints_rad: Vec<Vec<f64>>,
    /// The object.
    pub object: Vec<ObjectSample>,
    /// Whether the engine lost its numbers.
    pub diverged: bool,
}

/// The object at one instant.
#[derive(Debug, Clone, Copy)]
pub struct ObjectSample {
    /// Where it is.
    pub pose: ObjectPose,
    /// Speed of its centre of mass, m/s.
    pub speed_m_per_sec: f64,
    /// Points of contact with the hand that carry force.
    pub contact_points: u32,
    /// Sum of their normal forces, N.
    pub normal_force_newton: f64,
    /// Deepest overlap at these points, m.
    pub penetration_m: f64,
    /// How many of tips, links and palm touch it.
    pub touching_regions: u32,
    /// How many of the hand's shapes touch it.
    pub touching_shapes: u32,
}

/// A trace as the worker writes it.
#[derive(Deserialize)]
struct WrittenTrace {
    joints_rad: Vec<Vec<f64>>,
    object: Vec<[f64; 8]>,
    contacts: Vec<(u32, f64, f64, u32, u32)>,
    diverged: bool,
}

impl Engine {
    /// Seconds of one physics step of a hand with this control period.
    pub fn step_secs(&self, period_secs: f32) -> f64 {
        let substeps = match self {
            Engine::Rapier(settings) => settings.substep_count,
            Engine::Mujoco { substeps, .. } => *substeps,
        };
        f64::from(period_secs) / f64::from(substeps)
    }
}

impl Setup {
    /// Hand and object at rest: the hand at home, nothing random.
    pub fn plan(&self) -> EpisodePlan {
        EpisodePlan::at_home(&self.scene(self.physics))
    }

    /// rapier as training uses it.
    pub fn training_step(&self) -> Engine {
        Engine::Rapier(self.physics)
    }

    /// rapier as training uses it, but with so many physics steps per control step.
    pub fn rapier_with(&self, substep_count: u32) -> Engine {
        Engine::Rapier(PhysicsSettings { substep_count, ..self.physics })
    }

    /// What rapier simulates.
    pub fn scene(&self, settings: PhysicsSettings) -> Arc<SceneModel> {
        Arc::new(SceneModel::new(Arc::clone(&self.robot), self.object.clone(), settings))
    }

    /// The hand alone: no object within reach, and nothing of the hand touches anything.
    pub fn hand_alone(&self) -> Setup {
        let mut robot = RobotModel::clone(&self.robot);
        let count = robot.bodies.len();
        robot.contact_excludes = (0..count).flat_map(|a| (a..count).map(move |b| (a, b))).collect();
        robot.palm_from_object_home.translation = [10.0, 0.0, 10.0].into();
        Setup { robot: Arc::new(robot), with_object: false, ..self.clone() }
    }

    /// What `load` of the worker reads.
    pub fn load(&self, substeps: u32, integrator: &str, options: &MujocoOptions) -> Value {
        let joints: Vec<&str> = self.robot.joints.iter().map(|joint| joint.name.as_str()).collect();
        let geoms = self.robot.bodies.iter().flat_map(|body| &body.geoms);
        let regions: BTreeMap<&str, u8> = geoms.map(|geom| (geom.name.as_str(), region_code(geom.region))).collect();
        json!({
            "do": "load", "xml": self.hand_xml, "joints": joints, "regions": regions, "substeps": substeps,
            "period_secs": self.robot.control.period_secs, "integrator": integrator, "options": options,
            "contacts": self.with_object, "object": self.with_object.then(|| written_object(&self.object)),
        })
    }
}

fn region_code(region: Region) -> u8 {
    match region {
        Region::Tip => 0,
        Region::Link => 1,
        Region::Palm => 2,
    }
}

fn written_object(object: &ObjectModel) -> Value {
    let mut written = match object.shape {
        GeomShape::Box { half_extents_m } => json!({ "shape": "box", "size_m": half_extents_m }),
        GeomShape::Sphere { radius_m } => json!({ "shape": "sphere", "size_m": [radius_m, 0.0, 0.0] }),
        GeomShape::Capsule { half_length_m, radius_m } => {
            json!({ "shape": "capsule", "size_m": [radius_m, half_length_m, 0.0] })
        }
        GeomShape::Cylinder { half_length_m, radius_m } => {
            json!({ "shape": "cylinder", "size_m": [radius_m, half_length_m, 0.0] })
        }
        GeomShape::Prism { side_count, half_length_m, radius_m } => {
            let corner = |index: u32, z: f32| {
                let turn = TAU * f64::from(index) / f64::from(side_count);
                [f64::from(radius_m) * turn.cos(), f64::from(radius_m) * turn.sin(), f64::from(z)]
            };
            let points: Vec<[f64; 3]> =
                (0..side_count).flat_map(|i| [corner(i, -half_length_m), corner(i, half_length_m)]).collect();
            json!({ "shape": "hull", "points_m": points })
        }
    };
    written["mass_kg"] = json!(object.mass_kg);
    written["friction"] = json!(object.friction);
    written
}

/// Where an episode starts, as the worker reads it.
pub fn written_start(plan: &EpisodePlan) -> Value {
    let place = &plan.start.palm_from_object;
    let turn = place.rotation;
    json!({
        "joints_rad": plan.start.joint_positions_rad,
        "object_m": place.translation.vector.as_slice(),
        "object_wxyz": [turn.w, turn.i, turn.j, turn.k],
    })
}

/// Runs one episode in rapier.
///
/// # Errors
/// When the targets are not finite numbers.
pub fn in_rapier(setup: &Setup, scene: &Arc<SceneModel>, rollout: &Rollout) -> Result<Trace> {
    let mut sim = HandSim::new(Arc::clone(scene), rollout.plan.clone());
    let mut sensed = SignalFrame::new(SignalLayout::of(scene.robot(), 0));
    sim.observe(&mut sensed).context("reading the simulated hand")?;
    let start = sim.object_pose();
    let mut trace = Trace::default();
    for targets in &rollout.targets_rad {
        if sim.exchange(targets, &mut sensed).is_err() {
            trace.diverged = true;
            break;
        }
        let read = |signal| sim.truth().read(signal).unwrap_or(&[]);
        trace.joints_rad.push(read(Signal::JointPosition).iter().copied().map(f64::from).collect());
        if !setup.with_object {
            continue;
        }
        let contacts = sim.object_contacts();
        let total = contacts.total();
        let squares: f32 = read(Signal::ObjectLinearVelocity).iter().map(|v| v * v).sum();
        let regions = [contacts.tip, contacts.link, contacts.palm];
        trace.object.push(ObjectSample {
            pose: sim.object_pose(),
            speed_m_per_sec: f64::from(squares.sqrt()),
            contact_points: total.point_count,
            normal_force_newton: f64::from(total.normal_force_newton),
            penetration_m: f64::from(total.deepest_penetration_m),
            touching_regions: regions.iter().filter(|region| region.point_count > 0).count() as u32,
            touching_shapes: total.shape_count,
        });
        if (sim.object_pose().position_m - start.position_m).norm() > LOST_M {
            break;
        }
    }
    Ok(trace)
}

/// Runs one episode in MuJoCo, in the world that was loaded last.
///
/// # Errors
/// When the process fails.
pub fn in_mujoco(worker: &mut Worker, setup: &Setup, rollout: &Rollout) -> Result<Trace> {
    let period_secs = setup.robot.control.period_secs;
    let (gravity, impulses) = written_disturbances(&rollout.plan, rollout.targets_rad.len(), period_secs);
    let written: WrittenTrace = worker.ask(&json!({
        "do": "rollout", "start": written_start(&rollout.plan), "targets_rad": rollout.targets_rad,
        "gravity": gravity, "impulses": impulses, "record_joints": true, "stop_m": LOST_M,
    }))?;
    let sample = |(place, contact): (&[f64; 8], &(u32, f64, f64, u32, u32))| {
        let [x, y, z, w, i, j, k, speed] = *place;
        ObjectSample {
            pose: ObjectPose {
                position_m: Vector3::new(x, y, z).cast(),
                palm_from_object: UnitQuaternion::from_quaternion(Quaternion::new(w, i, j, k)).cast(),
            },
            speed_m_per_sec: speed,
            contact_points: contact.0,
            normal_force_newton: contact.1,
            penetration_m: contact.2,
            touching_regions: contact.3,
            touching_shapes: contact.4,
        }
    };
    let object = written.object.iter().zip(&written.contacts).map(sample).collect();
    Ok(Trace { joints_rad: written.joints_rad, object, diverged: written.diverged })
}

/// Gravity in every control step (one entry where it never changes), and pushes as `[step, x, y, z]`, N s.
fn written_disturbances(plan: &EpisodePlan, steps: usize, period_secs: f32) -> (Vec<[f32; 3]>, Vec<[f32; 4]>) {
    let upright = plan.parameters.gravity_m_per_sec2;
    let (mut gravity, mut impulses) = (vec![upright; steps.max(1)], Vec::new());
    for timed in &plan.disturbances {
        match timed.disturbance {
            Disturbance::ObjectImpulse { newton_secs: [x, y, z] } => impulses.push([timed.step as f32, x, y, z]),
            Disturbance::GravityTilt { radians, axis, duration_secs } => {
                let first = timed.step as usize;
                let last = first + (duration_secs / period_secs).round().max(1.0) as usize;
                let end = last.min(gravity.len());
                gravity[first.min(end)..end].fill(tilted_gravity(upright, axis, radians));
            }
            // Of the hand or of a policy: not part of any comparison.
            _ => {}
        }
    }
    if gravity.iter().flatten().zip(upright.iter().cycle()).all(|(now, upright)| (now - upright).abs() < 1e-9) {
        gravity.truncate(1);
    }
    (gravity, impulses)
}
