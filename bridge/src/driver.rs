//! What is behind a controller: motors, or a simulator that stands in for them.

use crate::envelope::SafeTargets;
use crate::fault::Fault;
use giraffe_robots::{Nanos, ObjectPose, SignalFrame};
use serde::{Deserialize, Serialize};
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

/// What servos say of themselves besides their angles, as last read. Joint order of the
/// [`giraffe_robots::RobotModel`]; a list is empty where servos do not say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ServoHealth {
    /// Current drawn, A, with its sign.
    pub current_a: Vec<f32>,
    /// Temperature, degrees Celsius.
    pub temperature_celsius: Vec<f32>,
    /// Supply voltage, V.
    pub voltage_v: Vec<f32>,
    /// What the servos' own protection has tripped on.
    pub alarms: Vec<ServoAlarm>,
}

/// A servo protects itself.
#[derive(Debug, Clone, PartialEq)]
pub struct ServoAlarm {
    /// Which joint.
    pub joint: usize,
    /// From what: `OVERLOAD`, `OVERTEMP`, `VOLTAGE`, or `BUS_ERROR` for anything else.
    pub fault: Fault,
    /// In words, with the servo's id.
    pub detail: String,
}

/// A servo, as it says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServoIdentity {
    /// Id on the bus.
    pub id: u8,
    /// Name of its model.
    pub model: String,
    /// Version of its firmware.
    pub firmware: u8,
}

/// A servo bus, as far as it can be told from another one. Servos have no serial number, so two hands of the same
/// kind differ only by their USB adapter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BusIdentity {
    /// Port it was at.
    pub port: String,
    /// Serial number of the USB adapter; empty if it has none.
    #[serde(default)]
    pub adapter_serial: String,
    /// Its servos, in joint order.
    #[serde(default)]
    pub servos: Vec<ServoIdentity>,
}

/// Whether zeros and signs of the joints were checked on this very hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Calibrated {
    /// There is nothing to check: a simulated hand.
    NotNeeded,
    /// Nobody checked, or somebody checked another hand; says what to do. Arming is refused.
    Missing {
        /// In words.
        detail: String,
    },
    /// Checked.
    Valid {
        /// Identity of the calibration, for logs.
        id: String,
    },
}

/// Moves and reads one hand. Called from one thread, once per turn of the controller's loop, in the order
/// [`HandDriver::command`], or [`HandDriver::release`] and once that is done [`HandDriver::make_ready`], then (simulators)
/// [`Rehearsal::advance`], then [`HandDriver::sense`]. Joint order is the canonical one of the
/// [`giraffe_robots::RobotModel`].
///
/// Whatever opens a driver has at most one effect on motors: it takes torque off. A driver bounds its own waiting: a call returns well within
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

    /// Gives every servo its target, as a step, torque on, with at most its share of `targets.effort_scales()` of its usual
    /// effort.
    ///
    /// # Errors
    /// When a servo could not be reached. The controller then releases the motors.
    fn command(&mut self, targets: &SafeTargets) -> Result<(), DriverError>;

    /// Takes torque off every servo, and hears from each that it has none: who asked for it is told so then. Must be safe to
    /// call again and again.
    ///
    /// # Errors
    /// When not every servo confirmed it, naming those; called again at the next turn.
    fn release(&mut self) -> Result<(), DriverError>;

    /// Has the hand set up for motion, with torque off: called after each release that succeeded. Does nothing where nothing
    /// is left to do.
    ///
    /// # Errors
    /// Says what keeps the hand from moving, the same until it is tried anew. That torque is off stays true.
    fn make_ready(&mut self) -> Result<(), DriverError> {
        Ok(())
    }

    /// What people should know before they move this hand, a sentence each; policies are told at the handshake.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// What the servos say of themselves, as last read; `None` if they cannot say. Read at the driver's own pace.
    fn health(&mut self) -> Option<&ServoHealth> {
        None
    }

    /// Ends what the servos' own protection tripped on (for some by a reboot). Called with torque off, when the
    /// commander clears faults; afterwards [`HandDriver::health`] says no more of alarms that are over.
    ///
    /// # Errors
    /// When a servo could not be reached.
    fn clear_alarms(&mut self) -> Result<(), DriverError> {
        Ok(())
    }

    /// Whether this hand was calibrated.
    fn calibration(&self) -> Calibrated {
        Calibrated::NotNeeded
    }

    /// The servos behind it, as a calibration file remembers them; `None` if it has none.
    fn identity(&self) -> Option<BusIdentity> {
        None
    }

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

    /// Whether the link that this simulator stands at the end of loses a command that came now and would be accepted. The
    /// answer is one for a control period, however often it is asked.
    fn loses_command(&mut self) -> bool {
        false
    }

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
    /// Beside a simulator's truth: what its tracker says, and how long before the last measurement of the joints that was
    /// so.
    pub seen: Option<(ObjectPose, Nanos)>,
}
