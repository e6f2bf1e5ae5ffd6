//! What may happen to a world at a time during an episode, as plain numbers.

mod change;
mod swap;
mod tie;

use crate::parameters::{between_zero_and, within};
pub use change::WorldChange;
use giraffe_robots::RobotModel;
use nalgebra::{UnitQuaternion, UnitVector3, Vector3};
use serde::{Deserialize, Serialize};
pub use swap::ObjectSwap;
pub use tie::FingerTie;

/// Something that happens to a world at a time during an episode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disturbance {
    /// A push on the object at its centre of mass.
    ObjectImpulse {
        /// In the palm frame.
        newton_secs: [f32; 3],
    },
    /// The palm tilts about an axis and comes back.
    GravityTilt {
        /// How far, rad.
        radians: f32,
        /// Horizontal axis of the palm frame; need not have unit length.
        axis: [f32; 3],
        /// How long, s.
        duration_secs: f32,
    },
    /// A servo holds the angle it has and ignores its target.
    JointJam {
        /// Canonical index.
        joint: usize,
        /// How long, s.
        duration_secs: f32,
    },
    /// Joint angles freeze at their last sensed values.
    SignalLoss {
        /// How long, s.
        duration_secs: f32,
    },
    /// The policy's recurrent state is wiped (the world itself does not change).
    HiddenStateReset,
    /// The object is replaced by another.
    ObjectSwap(ObjectSwap),
    /// A rubber band around two fingers.
    FingerTie(FingerTie),
    /// Other physics from then on, at once or bit by bit.
    Change(Box<WorldChange>),
}

/// A disturbance and when it strikes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimedDisturbance {
    /// Control steps after the start of the episode: it acts during the step with this index.
    pub step: u32,
    /// What happens.
    pub disturbance: Disturbance,
}

/// Nothing lasts longer, s: eleven days.
const LONGEST_SECS: f32 = 1e6;
/// No number of an impulse or a tilt is larger. Far beyond what makes sense, and far from where numbers end.
const LARGEST: f32 = 1e3;

impl Disturbance {
    /// Whether it can be, in a plan for so many joints and with so many columns of sampled values. For plans from outside.
    ///
    /// # Errors
    /// Names what cannot be.
    pub fn check(&self, joint_count: usize, column_count: usize) -> Result<(), String> {
        match self {
            Self::ObjectImpulse { newton_secs } => within(LARGEST, "an impulse's newton_secs", newton_secs),
            Self::GravityTilt { radians, axis, duration_secs } => {
                within(LARGEST, "a tilt's radians", &[*radians])?;
                within(LARGEST, "a tilt's axis", axis)?;
                check_duration("a tilt's duration_secs", *duration_secs)
            }
            Self::JointJam { joint, duration_secs } => {
                check_jam(*joint, joint_count)?;
                check_duration("a jam's duration_secs", *duration_secs)
            }
            Self::SignalLoss { duration_secs } => check_duration("a signal loss's duration_secs", *duration_secs),
            Self::HiddenStateReset => Ok(()),
            Self::ObjectSwap(swap) => swap.check(column_count),
            Self::FingerTie(tie) => tie.check(),
            Self::Change(change) => change.check(joint_count, column_count),
        }
    }

    /// Whether this hand has every joint and finger that it names.
    ///
    /// # Errors
    /// Names what the hand does not have.
    pub fn check_fits(&self, robot: &RobotModel) -> Result<(), String> {
        match self {
            Self::JointJam { joint, .. } => check_jam(*joint, robot.joint_count()),
            Self::FingerTie(tie) => tie.check_fits(robot),
            Self::Change(change) => change.check_fits(robot),
            Self::ObjectImpulse { .. }
            | Self::GravityTilt { .. }
            | Self::SignalLoss { .. }
            | Self::HiddenStateReset
            | Self::ObjectSwap(_) => Ok(()),
        }
    }
}

/// Gravity as a palm feels it that is tilted by `radians` about `axis`, both in the palm frame. A zero axis tilts nothing.
pub fn tilted_gravity(gravity_m_per_sec2: [f32; 3], axis: [f32; 3], radians: f32) -> [f32; 3] {
    let turn = UnitVector3::try_new(Vector3::from(axis), 1e-9)
        .map_or_else(UnitQuaternion::identity, |axis| UnitQuaternion::from_axis_angle(&axis, -radians));
    (turn * Vector3::from(gravity_m_per_sec2)).into()
}

fn check_jam(joint: usize, joint_count: usize) -> Result<(), String> {
    if joint < joint_count {
        return Ok(());
    }
    Err(format!("a jam of joint {joint}, but there are {joint_count} joints"))
}

fn check_duration(name: &str, secs: f32) -> Result<(), String> {
    between_zero_and(LONGEST_SECS, name, secs)
}

/// Whether a disturbance can set these values, index and value each, in a plan with so many columns.
fn check_columns(name: &str, sampled: &[(u32, f32)], column_count: usize) -> Result<(), String> {
    match sampled.iter().find(|(column, value)| *column as usize >= column_count || !value.is_finite()) {
        Some((column, value)) => Err(format!(
            "{name} sets sampled value {column} to {value}; expected a finite number, and one of {column_count} values"
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
