//! What is behind a controller: motors, or a simulator that stands in for them.

use crate::envelope::SafeTargets;
use giraffe_robots::{ObjectPose, SignalFrame};
use thiserror::Error;

/// A hand could not be read or moved.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("driver: {attempted}: {reason}")]
pub struct DriverError {
    /// What was being done, with the motor's id if there is one.
    pub attempted: String,
    /// What happened, and what to do about it.
    pub reason: String,
}

impl DriverError {
    /// `attempted` failed for `reason`.
    pub fn new(attempted: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { attempted: attempted.into(), reason: reason.into() }
    }
}

/// Moves and reads one hand. Called from one thread, once per turn of the controller's loop, in the order
/// [`HandDriver::command`] or [`HandDriver::release`], then (simulators) [`Rehearsal::advance`], then
/// [`HandDriver::sense`]. Joint order is the canonical one of the [`giraffe_robots::RobotModel`].
///
/// Constructors have no effect on motors. A driver bounds its own waiting: a call returns well within
/// [`HandDriver::loop_period_secs`], or fails.
pub trait HandDriver: Send {
    /// Seconds between two turns of the controller's loop while free-running: the servo rate. At most the control
    /// period. A simulator whose world can only move by whole control periods says the control period.
    fn loop_period_secs(&self) -> f32;

    /// Writes what is measured: `JointPosition` and `JointVelocity` always, with [`SignalFrame::write_at`] if the
    /// measurement is older than `frame.now()`. A simulator may call [`SignalFrame::begin`] with its own time first.
    ///
    /// # Errors
    /// When a joint could not be read. Never writes made-up values. After three failures in a row the controller
    /// releases the motors.
    fn sense(&mut self, frame: &mut SignalFrame) -> Result<(), DriverError>;

    /// Gives every servo its target, as a step, torque on, with at most `targets.effort_scale()` of its usual effort.
    ///
    /// # Errors
    /// When a servo could not be reached. The controller then releases the motors.
    fn command(&mut self, targets: &SafeTargets) -> Result<(), DriverError>;

    /// Takes torque off every servo. Must be safe to call again and again.
    ///
    /// # Errors
    /// When a servo could not be reached; called again at the next turn.
    fn release(&mut self) -> Result<(), DriverError>;

    /// The object as a tracker, or a simulator, sees it now; `None` if this driver knows of no object.
    fn object(&mut self) -> Option<TrackedObject> {
        None
    }

    /// Whether [`HandDriver::object`] will ever say anything.
    fn has_object(&self) -> bool {
        false
    }

    /// Simulators only: episodes and time.
    fn rehearsal(&mut self) -> Option<&mut dyn Rehearsal> {
        None
    }
}

/// What only a simulated hand can do. A driver that has this may be driven in lock-step.
pub trait Rehearsal {
    /// Puts hand and object where an episode starts. `episode`: one msgpack map whose keys this protocol does not
    /// know; everything random in the episode is derived from it. Returns the targets then in force, rad.
    ///
    /// # Errors
    /// When the parameters are not understood or out of range; names them.
    fn reset(&mut self, episode: &[u8]) -> Result<Vec<f32>, DriverError>;

    /// Lets time pass: `secs` is one control period in lock-step, [`HandDriver::loop_period_secs`] otherwise.
    ///
    /// # Errors
    /// When the simulation broke down.
    fn advance(&mut self, secs: f32) -> Result<(), DriverError>;
}

/// The object, as somebody sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackedObject {
    /// Name, as in `giraffe_robots::OBJECTS`.
    pub name: String,
    /// Pose in the palm frame.
    pub pose: ObjectPose,
    /// Seen now, not the last known.
    pub valid: bool,
    /// A simulator's truth, for scoring only.
    pub truth: bool,
}
