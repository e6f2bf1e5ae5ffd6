//! A hand made of arithmetic: each joint follows its target as a first-order lag, and an object turns along.

use crate::driver::{DriverError, HandDriver, Rehearsal, TrackedObject};
use crate::envelope::SafeTargets;
use giraffe_robots::{Nanos, ObjectPose, RobotModel, Signal, SignalFrame};
use nalgebra::{UnitQuaternion, Vector3};
use serde::{Deserialize, Serialize};

/// What it is said to hold if nobody says otherwise.
const OBJECT: &str = "cube-70mm";
/// Time constant of the joints, s.
const LAG_SECS: f64 = 0.08;
/// Turns of the loop per control period.
const TURNS_PER_PERIOD: f32 = 5.0;

/// What `reset` understands. Missing keys keep the defaults, others are not this hand's business: nothing is random in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScriptedEpisode {
    /// Start angles, rad, canonical order; empty: the resting pose.
    pub start_rad: Vec<f32>,
    /// Angle of the object about the vertical at the start, rad.
    pub object_yaw_rad: f32,
}

/// A hand made of arithmetic.
#[derive(Debug, Clone)]
pub struct ScriptedDriver {
    robot: RobotModel,
    position_rad: Vec<f64>,
    velocity_rad_per_sec: Vec<f64>,
    target_rad: Option<Vec<f32>>,
    object_yaw_rad: f64,
    elapsed: Nanos,
    in_episode: bool,
    object: String,
}

impl ScriptedDriver {
    /// The hand at rest in its home pose, torque off.
    pub fn new(robot: &RobotModel) -> Self {
        Self {
            position_rad: robot.home_rad.iter().map(|&angle| f64::from(angle)).collect(),
            velocity_rad_per_sec: vec![0.0; robot.joint_count()],
            target_rad: None,
            object_yaw_rad: 0.0,
            elapsed: Nanos(0),
            in_episode: false,
            object: OBJECT.to_owned(),
            robot: robot.clone(),
        }
    }

    /// The same hand, said to hold an object of this name: nothing about it depends on which.
    pub fn holding(mut self, object: Option<&str>) -> Self {
        if let Some(object) = object {
            object.clone_into(&mut self.object);
        }
        self
    }

    /// Targets the joints follow; `None` without torque.
    pub fn target_rad(&self) -> Option<&[f32]> {
        self.target_rad.as_deref()
    }
}

impl HandDriver for ScriptedDriver {
    fn loop_period_secs(&self) -> f32 {
        self.robot.control.period_secs / TURNS_PER_PERIOD
    }

    fn sense(&mut self, frame: &mut SignalFrame) -> Result<(), DriverError> {
        if self.in_episode {
            frame.begin(self.elapsed);
        }
        let narrow = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<_>>();
        frame.write(Signal::JointPosition, &narrow(&self.position_rad));
        frame.write(Signal::JointVelocity, &narrow(&self.velocity_rad_per_sec));
        Ok(())
    }

    fn command(&mut self, targets: &SafeTargets) -> Result<(), DriverError> {
        self.target_rad = Some(targets.positions_rad().to_vec());
        Ok(())
    }

    fn release(&mut self) -> Result<(), DriverError> {
        self.target_rad = None;
        Ok(())
    }

    fn object(&mut self) -> Option<TrackedObject> {
        let yaw = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), self.object_yaw_rad as f32);
        let pose = ObjectPose { position_m: Vector3::new(0.01, -0.02, 0.11), palm_from_object: yaw };
        Some(TrackedObject { name: self.object.clone(), pose, valid: true, truth: true, seen: None })
    }

    fn has_object(&self) -> bool {
        true
    }

    fn rehearsal(&mut self) -> Option<&mut dyn Rehearsal> {
        Some(self)
    }
}

impl Rehearsal for ScriptedDriver {
    fn reset(&mut self, episode: &[u8]) -> Result<Vec<f32>, DriverError> {
        let wrong = |reason: String| DriverError::new("starting an episode", reason);
        let episode: ScriptedEpisode = if episode.is_empty() {
            ScriptedEpisode::default()
        } else {
            rmp_serde::from_slice(episode).map_err(|error| wrong(error.to_string()))?
        };
        let start = if episode.start_rad.is_empty() { self.robot.home_rad.clone() } else { episode.start_rad };
        if start.len() != self.robot.joint_count() {
            return Err(wrong(format!(
                "`start_rad` has {} angles for {} joints",
                start.len(),
                self.robot.joint_count()
            )));
        }
        let outside =
            start.iter().zip(&self.robot.joints).find(|(at, joint)| !joint.position_limits_rad.contains(**at));
        if let Some((at, joint)) = outside {
            return Err(wrong(format!("`start_rad` puts joint `{}` at {at} rad, outside its range", joint.name)));
        }
        let object = std::mem::take(&mut self.object);
        *self = Self::new(&self.robot).holding(Some(&object));
        self.position_rad = start.iter().map(|&angle| f64::from(angle)).collect();
        self.object_yaw_rad = f64::from(episode.object_yaw_rad);
        self.in_episode = true;
        Ok(start)
    }

    fn advance(&mut self, secs: f32) -> Result<(), DriverError> {
        let secs = f64::from(secs);
        if let Some(target_rad) = &self.target_rad {
            let share = 1.0 - (-secs / LAG_SECS).exp();
            for (joint, &target) in target_rad.iter().enumerate() {
                let travel = share * (f64::from(target) - self.position_rad[joint]);
                self.position_rad[joint] += travel;
                self.velocity_rad_per_sec[joint] = travel / secs;
                self.object_yaw_rad += 0.1 * travel;
            }
        } else {
            self.velocity_rad_per_sec.fill(0.0);
        }
        self.elapsed = Nanos(self.elapsed.0 + Nanos::from_secs(secs).0);
        Ok(())
    }
}
