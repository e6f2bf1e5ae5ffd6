//! What tasks that turn an object in the hand have in common: how it starts, when it has fallen, and what unsteady hands cost.
//!
//! Reward and action are those of the measured prototype in the spirit of HORA (Qi et al. 2022, section 3.3) and
//! LEAP_Hand_Sim (Shaw et al. 2023).

use crate::action::ActionSchema;
use crate::dial::Dial;
use crate::frame::SignalFrame;
use crate::measure::{Better, Measure, MeasureKind};
use crate::model::RobotModel;
use crate::object::ObjectPose;
use crate::seed::StreamRng;
use crate::signal::Signal;
use crate::task::EpisodeStart;
use crate::term::{Audience, Encoding, ObservationTerm, WhenStale};
use nalgebra::{Translation3, UnitQuaternion, Vector3};
use rand::RngExt;
use std::collections::VecDeque;
use std::sync::Arc;

/// Farther than this from its start, m, the object counts as dropped.
pub(super) const DROP_DISTANCE_M: f32 = 0.10;
/// An object whose centre is lower than this in the palm frame, m, has fallen past the hand. In the LEAP palm the 70 mm
/// cube rests with its centre at 0.015 to 0.04 m.
pub(super) const PALM_HEIGHT_M: f32 = -0.03;
/// Largest change of a target per control step, rad (1.2 rad/s at 20 Hz).
const MAX_RAD_PER_STEP: f32 = 0.06;
/// Targets stay this close to the sensed angle, so that a blocked finger does not wind up.
const TRACKING_BAND_RAD: f32 = 0.4;
/// Rates are those of the latest steps together, 0.4 s: what the object trembles under exploration cancels out, and
/// turning slowly and snapping back fast is paid for the nothing it is. Clipped step by step, trembling costs more than
/// turning earns (if turning back costs in full), or rocking is paid for (if it does not).
const RATE_WINDOW_STEPS: usize = 8;
/// Within this of its home, horizontally, m, the object may wander freely.
const FREE_DRIFT_M: f32 = 0.025;
/// Joint angles start this far from home, rad (uniform).
const START_JOINT_SPREAD_RAD: f32 = 0.1;
/// The object starts this far from its home position in the horizontal plane, m (uniform).
const START_OBJECT_SPREAD_M: f32 = 0.01;
/// All rewards are scaled by this, so that returns are of order one.
pub(super) const REWARD_SCALE: f32 = 0.1;
/// A turn is paid by this, per rad/s.
pub(super) const RATE_WEIGHT: f32 = 1.25;
/// Reward of a drop, before scaling.
pub(super) const DROP_REWARD: f32 = -20.0;
/// An object's pose is read until it is so old, s: a tracker's delay, its refresh and two lost pictures.
const POSE_AGE_SECS: f32 = 0.5;

/// Whether the object was kept.
pub(super) const NO_DROP: Measure = Measure {
    name: "no_drop_fraction",
    title: "episodes without a drop",
    unit: "",
    kind: MeasureKind::Fraction,
    better: Better::Higher,
};

/// What a blind actor reads: joint angles and targets of three instants.
pub(super) fn joint_terms() -> Vec<ObservationTerm> {
    // On a real link the newest joint state may be one control period old.
    let joint =
        |signal| ObservationTerm::fresh(signal, Encoding::JointRange, 3, Audience::ActorAndCritic).up_to_secs_old(0.1);
    vec![joint(Signal::JointPosition), joint(Signal::JointTarget)]
}

/// What an actor that sees reads of the object, through the tracker's flaws: place, orientation folded by the symmetry of
/// a cube, how fast it turns.
pub(super) fn pose_terms() -> Vec<ObservationTerm> {
    let folded = Encoding::FoldedRotation6(crate::symmetry::Symmetry::Cube);
    vec![
        seen_term(Signal::ObjectPosition, Encoding::Divide(0.05)),
        seen_term(Signal::ObjectRotation, folded),
        seen_term(Signal::ObjectRotation, Encoding::Rate { over_secs: 0.1, divide: 2.0 }),
    ]
}

/// A term that is held when the tracker loses the object.
pub(super) fn seen_term(signal: Signal, encoding: Encoding) -> ObservationTerm {
    ObservationTerm::fresh(signal, encoding, 1, Audience::ActorAndCritic)
        .up_to_secs_old(POSE_AGE_SECS)
        .when_stale(WhenStale::Hold)
}

/// What the critic reads besides: the truth.
pub(super) fn true_terms() -> Vec<ObservationTerm> {
    let term = |signal, encoding| ObservationTerm::fresh(signal, encoding, 1, Audience::CriticOnly);
    vec![
        term(Signal::JointPosition, Encoding::JointRange),
        term(Signal::JointVelocity, Encoding::Divide(2.0)),
        term(Signal::ObjectPosition, Encoding::Divide(0.05)),
        term(Signal::ObjectRotation, Encoding::Rotation6),
        term(Signal::ObjectLinearVelocity, Encoding::Divide(0.2)),
        term(Signal::ObjectAngularVelocity, Encoding::Divide(2.0)),
        term(Signal::Gravity, Encoding::Divide(9.81)),
        term(Signal::WorldParameters, Encoding::ByBounds),
    ]
}

/// Small increments on the targets that were applied.
pub(super) fn increments(robot: &RobotModel) -> ActionSchema {
    ActionSchema::increments(robot, MAX_RAD_PER_STEP, TRACKING_BAND_RAD)
}

/// The hand near its home, the object above the palm, flat, turned anyhow about the vertical.
pub(super) fn start(robot: &RobotModel, rng: &mut StreamRng) -> EpisodeStart {
    let mut joint_positions_rad: Vec<f32> = robot
        .joints
        .iter()
        .zip(&robot.home_rad)
        .map(|(joint, home)| {
            let spread = rng.random_range(-START_JOINT_SPREAD_RAD..=START_JOINT_SPREAD_RAD);
            joint.position_limits_rad.clamp(home + spread)
        })
        .collect();
    robot.couple(&mut joint_positions_rad);
    let mut palm_from_object = robot.palm_from_object_home;
    let shift = |rng: &mut StreamRng| rng.random_range(-START_OBJECT_SPREAD_M..=START_OBJECT_SPREAD_M);
    let moved = palm_from_object.translation.vector + Vector3::new(shift(rng), shift(rng), 0.0);
    palm_from_object.translation = Translation3::from(moved);
    let yaw_rad = rng.random_range(-std::f32::consts::PI..=std::f32::consts::PI);
    palm_from_object.rotation = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), yaw_rad);
    EpisodeStart { joint_positions_rad, palm_from_object }
}

/// Whether an object that was first seen at `start` has fallen.
pub(super) fn has_fallen(start: &ObjectPose, now: &ObjectPose) -> bool {
    (now.position_m - start.position_m).norm() > DROP_DISTANCE_M || now.position_m.z < PALM_HEIGHT_M
}

/// What was gained in the latest [`RATE_WINDOW_STEPS`] steps, rad; oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct RateWindow(VecDeque<f32>);

impl RateWindow {
    /// Adds a step.
    pub(super) fn push(&mut self, gained_rad: f32) {
        self.0.push_back(gained_rad);
        if self.0.len() > RATE_WINDOW_STEPS {
            self.0.pop_front();
        }
    }

    /// Gained per second of the window, full or not, rad/s.
    pub(super) fn rate_rad_per_sec(&self, period_secs: f32) -> f32 {
        self.0.iter().sum::<f32>() / (RATE_WINDOW_STEPS as f32 * period_secs)
    }
}

/// How much of the costs counts.
pub(super) const COST_SHARE: Dial = Dial {
    name: "cost_share",
    doc: "of what unsteady hands usually cost (sliding, posture, haste, speed, drift), so much counts",
    usual: 1.0,
    least: 0.0,
    most: 3.0,
};

/// What unsteady hands cost, named and scaled; keeps the targets of the step before.
#[derive(Debug, Clone)]
pub(super) struct Costs {
    robot: Arc<RobotModel>,
    /// Of what they usually are.
    share: f32,
    previous_targets_rad: Vec<f32>,
}

impl Costs {
    /// Of this hand, and so much of them.
    pub(super) fn new(robot: Arc<RobotModel>, share: f32) -> Self {
        Self { robot, share, previous_targets_rad: Vec::new() }
    }

    /// The hand.
    pub(super) fn robot(&self) -> &RobotModel {
        &self.robot
    }

    /// Takes note of the first targets.
    pub(super) fn note_start(&mut self, truth: &SignalFrame) {
        self.previous_targets_rad = truth.read(Signal::JointTarget).unwrap_or(&[]).to_vec();
    }

    /// What the step cost, with the object where it is.
    pub(super) fn of_step(&mut self, pose: Option<&ObjectPose>, truth: &SignalFrame) -> [(&'static str, f32); 5] {
        let read = |signal| truth.read(signal).unwrap_or(&[]);
        let squares = |values: &[f32]| values.iter().map(|v| v * v).sum::<f32>();
        let sliding = squares(read(Signal::ObjectLinearVelocity)).sqrt();
        let targets = read(Signal::JointTarget);
        let posture: f32 =
            read(Signal::JointPosition).iter().zip(&self.robot.home_rad).map(|(q, home)| (q - home).powi(2)).sum();
        let haste: f32 = targets.iter().zip(&self.previous_targets_rad).map(|(now, then)| (now - then).powi(2)).sum();
        let home_m = self.robot.palm_from_object_home.translation.vector;
        let drift_m = pose.map_or(0.0, |pose| (pose.position_m - home_m).xy().norm());
        let terms = [
            ("sliding", -0.3 * sliding.min(10.0)),
            ("posture", -0.02 * posture),
            ("target_change", -0.5 * haste),
            ("joint_speed", -0.0005 * squares(read(Signal::JointVelocity)).min(1e4)),
            ("drift", -10.0 * (drift_m - FREE_DRIFT_M).max(0.0)),
        ];
        self.previous_targets_rad.clear();
        self.previous_targets_rad.extend_from_slice(targets);
        terms.map(|(name, value)| (name, REWARD_SCALE * self.share * value))
    }
}
