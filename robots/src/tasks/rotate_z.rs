//! `rotate-z`: keep turning the object about the vertical, from joint angles alone.
//!
//! Reward and action are those of the measured prototype in the spirit of HORA (Qi et al. 2022, section 3.3) and
//! LEAP_Hand_Sim (Shaw et al. 2023): a clipped rate of turn, penalties on sliding, posture and haste, small
//! increments. A clipped rate matters: with a larger one a policy learns to fling the object.

use crate::action::ActionSchema;
use crate::frame::SignalFrame;
use crate::model::RobotModel;
use crate::object::ObjectPose;
use crate::observation::{Audience, Encoding, ObservationTerm};
use crate::seed::StreamRng;
use crate::signal::Signal;
use crate::task::{EpisodeStart, Outcome, Progress, RewardTerms, Task};
use nalgebra::{Translation3, UnitQuaternion, Vector3};
use rand::RngExt;

/// Turn the object about the vertical.
#[derive(Debug, Clone, Copy)]
pub struct RotateZ;

/// Farther than this from its start, m, the object counts as dropped.
pub const DROP_DISTANCE_M: f32 = 0.10;
/// An object whose centre is lower than this in the palm frame, m, has fallen past the hand. In the LEAP palm the 70 mm
/// cube rests with its centre at 0.015 to 0.04 m.
pub const PALM_HEIGHT_M: f32 = -0.03;
/// Largest change of a target per control step, rad (1.2 rad/s at 20 Hz).
const MAX_RAD_PER_STEP: f32 = 0.06;
/// Targets stay this close to the sensed angle, so that a blocked finger does not wind up.
const TRACKING_BAND_RAD: f32 = 0.4;
/// Rates of turn beyond this earn nothing more, rad/s.
const RATE_CLIP_RAD_PER_SEC: f32 = 0.5;
/// The rate is that of the latest steps together, 0.4 s: what the object trembles under exploration cancels out, and
/// turning slowly and snapping back fast is paid for the nothing it is. Clipped step by step, trembling costs more than
/// turning earns (if turning back costs in full), or rocking is paid for (if it does not).
const RATE_WINDOW_STEPS: usize = 8;
/// Turning back costs up to this rate, rad/s.
const BACKWARD_CLIP_RAD_PER_SEC: f32 = 1.0;
/// Within this of its home, horizontally, m, the object may wander freely.
const FREE_DRIFT_M: f32 = 0.025;
/// Control steps of an episode: 20 s at 20 Hz.
const EPISODE_STEPS: u32 = 400;
/// Joint angles start this far from home, rad (uniform).
const START_JOINT_SPREAD_RAD: f32 = 0.1;
/// The object starts this far from its home position in the horizontal plane, m (uniform).
const START_OBJECT_SPREAD_M: f32 = 0.01;
/// All rewards are scaled by this, so that returns are of order one.
const REWARD_SCALE: f32 = 0.1;

impl Task for RotateZ {
    fn name(&self) -> &'static str {
        "rotate-z"
    }

    fn doc(&self) -> &'static str {
        "turn the object about the vertical, as fast as is safe, from joint angles alone"
    }

    fn episode_step_count(&self) -> u32 {
        EPISODE_STEPS
    }

    fn observation(&self, _robot: &RobotModel) -> Vec<ObservationTerm> {
        let term = |signal, encoding, history, audience| ObservationTerm {
            signal,
            encoding,
            history,
            max_age_secs: 0.0,
            audience,
        };
        use Audience::{ActorAndCritic, CriticOnly};
        let joint = |signal| {
            let mut joint = term(signal, Encoding::JointRange, 3, ActorAndCritic);
            // On a real link the newest joint state may be one control period old.
            joint.max_age_secs = 0.1;
            joint
        };
        vec![
            joint(Signal::JointPosition),
            joint(Signal::JointTarget),
            term(Signal::JointPosition, Encoding::JointRange, 1, CriticOnly),
            term(Signal::JointVelocity, Encoding::Divide(2.0), 1, CriticOnly),
            term(Signal::ObjectPosition, Encoding::Divide(0.05), 1, CriticOnly),
            term(Signal::ObjectRotation, Encoding::Rotation6, 1, CriticOnly),
            term(Signal::ObjectLinearVelocity, Encoding::Divide(0.2), 1, CriticOnly),
            term(Signal::ObjectAngularVelocity, Encoding::Divide(2.0), 1, CriticOnly),
            term(Signal::Gravity, Encoding::Divide(9.81), 1, CriticOnly),
            term(Signal::WorldParameters, Encoding::ByBounds, 1, CriticOnly),
        ]
    }

    fn action(&self, robot: &RobotModel) -> ActionSchema {
        ActionSchema::increments(robot, MAX_RAD_PER_STEP, TRACKING_BAND_RAD)
    }

    fn start(&self, robot: &RobotModel, rng: &mut StreamRng) -> EpisodeStart {
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

    fn advance(&self, progress: &mut Progress, pose: &ObjectPose) -> Outcome {
        progress.step_count += 1;
        let far = (pose.position_m - progress.start.position_m).norm() > DROP_DISTANCE_M;
        if far || pose.position_m.z < PALM_HEIGHT_M {
            progress.dropped = true;
        }
        if progress.dropped {
            return Outcome::Dropped;
        }
        let turned_rad = twist_about_z_rad(&progress.previous, pose);
        progress.rotation_rad += f64::from(turned_rad);
        progress.recent_turns_rad.push_back(turned_rad);
        if progress.recent_turns_rad.len() > RATE_WINDOW_STEPS {
            progress.recent_turns_rad.pop_front();
        }
        progress.previous = *pose;
        Outcome::Running
    }

    fn rewards(&self, robot: &RobotModel, progress: &Progress, outcome: Outcome, truth: &SignalFrame) -> RewardTerms {
        let read = |signal| truth.read(signal).unwrap_or(&[]);
        let squares = |values: &[f32]| values.iter().map(|v| v * v).sum::<f32>();
        let window_secs = RATE_WINDOW_STEPS as f32 * robot.control.period_secs;
        let rate = progress.recent_turns_rad.iter().sum::<f32>() / window_secs;
        let sliding = squares(read(Signal::ObjectLinearVelocity)).sqrt();
        let targets = read(Signal::JointTarget);
        let posture: f32 =
            read(Signal::JointPosition).iter().zip(&robot.home_rad).map(|(q, home)| (q - home).powi(2)).sum();
        let haste: f32 =
            targets.iter().zip(&progress.previous_targets_rad).map(|(now, then)| (now - then).powi(2)).sum();
        let dropped = if outcome == Outcome::Dropped { 1.0 } else { 0.0 };
        let terms = [
            ("rotation", 1.25 * rate.clamp(-BACKWARD_CLIP_RAD_PER_SEC, RATE_CLIP_RAD_PER_SEC)),
            ("sliding", -0.3 * sliding.min(10.0)),
            ("posture", -0.02 * posture),
            ("target_change", -0.5 * haste),
            ("joint_speed", -0.0005 * squares(read(Signal::JointVelocity)).min(1e4)),
            ("drift", -10.0 * (drift_m(robot, &progress.previous) - FREE_DRIFT_M).max(0.0)),
            ("drop", -20.0 * dropped),
        ];
        RewardTerms(terms.into_iter().map(|(name, value)| (name, REWARD_SCALE * value)).collect())
    }
}

/// Horizontal distance of the object from its home, m.
fn drift_m(robot: &RobotModel, pose: &ObjectPose) -> f32 {
    (pose.position_m - robot.palm_from_object_home.translation.vector).xy().norm()
}

/// How far the object turned about the vertical between two poses, rad in (-pi, pi]: the twist of the
/// swing-twist decomposition of the relative rotation. Unlike a difference of Euler yaws it stays defined when
/// the object tumbles.
fn twist_about_z_rad(from: &ObjectPose, to: &ObjectPose) -> f32 {
    let step = to.palm_from_object * from.palm_from_object.inverse();
    let angle = 2.0 * step.k.atan2(step.w);
    if angle > std::f32::consts::PI {
        angle - std::f32::consts::TAU
    } else if angle <= -std::f32::consts::PI {
        angle + std::f32::consts::TAU
    } else {
        angle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pose(x: f32, z: f32, yaw_rad: f32) -> ObjectPose {
        ObjectPose {
            position_m: Vector3::new(x, 0.0, z),
            palm_from_object: UnitQuaternion::from_axis_angle(&Vector3::z_axis(), yaw_rad),
        }
    }

    #[test]
    fn rotation_adds_up_over_many_turns_and_back() {
        let mut progress = Progress::new(pose(0.1, 0.05, 3.0));
        for step in 1..=100 {
            RotateZ.advance(&mut progress, &pose(0.1, 0.05, 3.0 + 0.2 * step as f32));
        }
        assert!((progress.rotation_rad - 20.0).abs() < 1e-3, "{}", progress.rotation_rad);
        for step in (0..100).rev() {
            RotateZ.advance(&mut progress, &pose(0.1, 0.05, 3.0 + 0.2 * step as f32));
        }
        assert!(progress.rotation_rad.abs() < 1e-3, "{}", progress.rotation_rad);
    }

    #[test]
    fn nothing_counts_after_a_drop() {
        let mut progress = Progress::new(pose(0.1, 0.05, 0.0));
        assert_eq!(RotateZ.advance(&mut progress, &pose(0.1, 0.05, 0.3)), Outcome::Running);
        assert_eq!(RotateZ.advance(&mut progress, &pose(0.21, 0.05, 0.6)), Outcome::Dropped);
        assert_eq!(RotateZ.advance(&mut progress, &pose(0.1, 0.05, 0.9)), Outcome::Dropped);
        assert!((progress.rotation_rad - 0.3).abs() < 1e-6);
    }

    #[test]
    fn below_the_palm_is_a_drop_even_when_near() {
        let mut progress = Progress::new(pose(0.1, 0.03, 0.0));
        assert_eq!(RotateZ.advance(&mut progress, &pose(0.1, -0.04, 0.0)), Outcome::Dropped);
    }

    #[test]
    fn turning_slowly_and_snapping_back_is_not_paid() {
        let robot = crate::load_robot("leap-right").expect("the built-in hand");
        let truth = SignalFrame::new(crate::SignalLayout::of(&robot, 0));
        let paid = |yaws_rad: &[f32]| -> f32 {
            let mut progress = Progress::new(pose(0.1, 0.05, 0.0));
            let step = |yaw_rad: &f32| {
                let outcome = RotateZ.advance(&mut progress, &pose(0.1, 0.05, *yaw_rad));
                RotateZ.rewards(&robot, &progress, outcome, &truth).total()
            };
            yaws_rad.iter().map(step).sum()
        };
        // 0.4 rad/s forward for seven steps, then all the way back in one, at 2.8 rad/s.
        let rocking: Vec<f32> = (1..=80).map(|step| 0.02 * (step % 8) as f32).collect();
        let turning: Vec<f32> = (1..=80).map(|step| 0.02 * step as f32).collect();
        assert!(paid(&turning) > 3.0, "{}", paid(&turning));
        let after_the_first_swing = paid(&rocking) - paid(&rocking[..RATE_WINDOW_STEPS]);
        assert!(after_the_first_swing < 1e-3, "{after_the_first_swing}");
    }
}
