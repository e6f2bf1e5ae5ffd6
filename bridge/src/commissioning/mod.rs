//! A hand's first day: moves one joint after the other by a little, has somebody look, and finds out which servo moves
//! which joint, which way.
//!
//! Torque is on only while a joint moves, and off while a question is asked. Whatever is unexpected ends with torque off.
//! Nothing here knows a servo: any [`HandDriver`] will do.

mod findings;
mod witness;

pub use findings::{Correction, Findings, JointFinding};
pub use witness::{AssumeYes, Question, Sighting, TerminalWitness, Witness};

use crate::calibration::JointWire;
use crate::clock::{Clock, after};
use crate::driver::{DriverError, HandDriver};
use crate::envelope::{EnvelopeSpec, SafetyEnvelope};
use crate::message::JointLimits;
use crate::minimum_jerk::{MinimumJerk, minimum_jerk};
use crate::setting::SettingError;
use giraffe_robots::{Nanos, RobotModel, Signal, SignalFrame, SignalLayout};
use std::sync::atomic::{AtomicBool, Ordering};
use thiserror::Error;

/// So often a release is tried at the end.
const RELEASE_ATTEMPTS: u32 = 5;
/// From one of these to the next, s: a port that is gone, or a servo that restarts, needs a moment.
const RELEASE_AGAIN_SECS: f64 = 0.2;
/// So often the hand may fail to be read or moved, in a row.
const ATTEMPTS: u32 = 3;
/// The envelope allows this much more than the motion asks for.
const ENVELOPE_MARGIN: f32 = 2.0;

/// How joints are moved, and what is expected of them.
#[derive(Debug, Clone, PartialEq)]
pub struct WiggleSpec {
    /// How far each joint moves, rad: to one side and back.
    pub amplitude_rad: f32,
    /// How fast at most, rad/s.
    pub peak_rad_per_sec: f32,
    /// How long it stays there, s, before it is measured.
    pub settle_secs: f32,
    /// Least share of the way that the joint must follow.
    pub follow_share: f32,
    /// How far any other joint may move meanwhile, rad.
    pub stray_rad: f32,
    /// The hand lies flat, every joint at zero: take the zeros from there.
    pub flat: bool,
}

impl Default for WiggleSpec {
    fn default() -> Self {
        let (amplitude_rad, peak_rad_per_sec) = (0.05, 0.2);
        Self { amplitude_rad, peak_rad_per_sec, settle_secs: 0.3, follow_share: 0.5, stray_rad: 0.02, flat: false }
    }
}

impl WiggleSpec {
    fn check(&self) -> Result<(), CommissioningError> {
        let values = [
            ("the amplitude (rad)", self.amplitude_rad, 0.02, 0.2),
            ("the peak speed (rad/s)", self.peak_rad_per_sec, 0.01, 1.0),
            ("the time to settle (s)", self.settle_secs, 0.01, 5.0),
            ("the share to follow", self.follow_share, 0.1, 1.0),
            ("how far other joints may move (rad)", self.stray_rad, 0.001, 0.1),
        ];
        match values.into_iter().find(|(_, found, lowest, highest)| !(lowest..=highest).contains(&found)) {
            Some((what, found, lowest, highest)) => {
                Err(CommissioningError::Setting { what, found, expected: format!("{lowest} to {highest}") })
            }
            None => Ok(()),
        }
    }
}

/// Why nothing could be found out. Torque is off in any case, except after [`CommissioningError::NotReleased`].
#[derive(Debug, Error)]
pub enum CommissioningError {
    /// A setting makes no sense.
    #[error("{what} is {found}; expected {expected}")]
    Setting {
        /// Which.
        what: &'static str,
        /// What was found.
        found: f32,
        /// What would be right.
        expected: String,
    },
    /// The hand could not be read or moved.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// A target was refused.
    #[error("the safety envelope: {0}")]
    Envelope(String),
    /// Somebody said stop.
    #[error("stopped; torque is off")]
    Stopped,
    /// The joint did not move as asked.
    #[error(
        "joint `{joint}` (servo {id}) moved {moved_rad:.3} rad where {asked_rad:.3} were asked: is it blocked, at the \
         end of its range, or without supply? Torque is off"
    )]
    DidNotFollow {
        /// Name.
        joint: String,
        /// Servo.
        id: u8,
        /// Asked, rad.
        asked_rad: f32,
        /// Measured, rad.
        moved_rad: f32,
    },
    /// Another joint moved along.
    #[error(
        "joint `{other}` moved {moved_rad:.3} rad while only `{joint}` (servo {id}) was asked to: do two servos share an \
         id, or do fingers touch? Torque is off"
    )]
    Strayed {
        /// The one that was to move.
        joint: String,
        /// Its servo.
        id: u8,
        /// The one that moved.
        other: String,
        /// Measured, rad.
        moved_rad: f32,
    },
    /// Nobody saw anything move.
    #[error("servo {id} reported that it moved, and nothing was seen to move: is its horn loose?")]
    NothingSeen {
        /// Servo.
        id: u8,
    },
    /// One joint was seen to be moved by two servos.
    #[error("joint `{joint}` was seen to move with servo {first} and with servo {second}: look again")]
    SeenTwice {
        /// Name.
        joint: String,
        /// One servo.
        first: u8,
        /// The other.
        second: u8,
    },
    /// A zero is too far off.
    #[error(
        "joint `{joint}` (servo {id}) stands {offset_rad:.3} rad from its described zero with the hand flat; at most \
         {most_rad} is a matter of calibration: mount its horn again"
    )]
    ZeroTooFar {
        /// Name.
        joint: String,
        /// Servo.
        id: u8,
        /// Found, rad.
        offset_rad: f32,
        /// Accepted, rad.
        most_rad: f32,
    },
    /// The answer could not be read.
    #[error("asking what was seen: {0}")]
    Witness(String),
    /// The end, and torque could not be taken off.
    #[error("{why}; and torque could NOT be taken off: {source}. Cut the supply of the hand")]
    NotReleased {
        /// What happened before.
        why: String,
        /// What the driver says.
        source: DriverError,
    },
}

impl From<SettingError> for CommissioningError {
    fn from(error: SettingError) -> Self {
        Self::Envelope(error.to_string())
    }
}

/// Moves every joint of `robot` once and asks `witness` about it. `wires`: how the driver thinks that they are wired.
///
/// # Errors
/// When anything is not as expected; torque is off then.
pub fn wiggle(
    driver: &mut dyn HandDriver,
    robot: &RobotModel,
    wires: &[JointWire],
    spec: &WiggleSpec,
    witness: &mut dyn Witness,
    clock: &dyn Clock,
    stop: &AtomicBool,
) -> Result<Findings, CommissioningError> {
    spec.check()?;
    let wait = || clock.sleep_until(after(clock.now(), RELEASE_AGAIN_SECS));
    try_often(|| driver.release(), wait)
        .map_err(|source| CommissioningError::NotReleased { why: "nothing was moved".to_owned(), source })?;
    driver.make_ready()?;
    let frame = SignalFrame::new(SignalLayout::of(robot, 0));
    let mut mover = Mover { driver, robot, spec, clock, stop, frame };
    let found = mover.all_joints(wires, witness);
    let mut released = mover.driver.release();
    for _ in 1..RELEASE_ATTEMPTS {
        if released.is_ok() {
            break;
        }
        wait();
        released = mover.driver.release();
    }
    match (found, released) {
        (found, Ok(())) => found,
        (found, Err(source)) => {
            let why = found.err().map_or_else(|| "every joint was moved".to_owned(), |error| error.to_string());
            Err(CommissioningError::NotReleased { why, source })
        }
    }
}

/// A servo bus may lose a packet now and then.
fn try_often(mut attempt: impl FnMut() -> Result<(), DriverError>, wait: impl Fn()) -> Result<(), DriverError> {
    for _ in 1..ATTEMPTS {
        if attempt().is_ok() {
            return Ok(());
        }
        wait();
    }
    attempt()
}

/// A hand and what it is moved with.
struct Mover<'b> {
    driver: &'b mut dyn HandDriver,
    robot: &'b RobotModel,
    spec: &'b WiggleSpec,
    clock: &'b dyn Clock,
    stop: &'b AtomicBool,
    frame: SignalFrame,
}

impl Mover<'_> {
    fn all_joints(&mut self, wires: &[JointWire], witness: &mut dyn Witness) -> Result<Findings, CommissioningError> {
        let flat_rad = self.sense()?;
        let mut joints = Vec::new();
        for (joint, wire) in wires.iter().enumerate() {
            let start_rad = self.sense()?;
            let (asked_rad, moved_rad) = self.one_joint(joint, wire.id, &start_rad)?;
            let question = Question { robot: self.robot, joint, asked_rad, start_rad: &start_rad, id: wire.id };
            let sighting = witness.saw(&question)?;
            if sighting == Sighting::Nothing {
                return Err(CommissioningError::NothingSeen { id: wire.id });
            }
            joints.push(JointFinding { joint, wire: *wire, asked_rad, moved_rad, sighting });
        }
        let zeros = self.spec.flat.then_some(flat_rad);
        Findings::of(self.robot, joints, zeros.as_deref())
    }

    /// Moves one joint to a side and back, others held. Returns how far it was asked to move and moved, rad.
    fn one_joint(&mut self, joint: usize, id: u8, start_rad: &[f32]) -> Result<(f32, f32), CommissioningError> {
        let range = self.robot.joints[joint].position_limits_rad;
        let toward_middle = if start_rad[joint] < 0.5 * (range.lower + range.upper) { 1.0 } else { -1.0 };
        let asked_rad = toward_middle * self.spec.amplitude_rad;
        let mut aside_rad = start_rad.to_vec();
        aside_rad[joint] += asked_rad;
        let mut envelope = self.envelope(start_rad)?;
        let peak = self.spec.peak_rad_per_sec;
        let there_rad = self.go(&mut envelope, &minimum_jerk(start_rad, &aside_rad, peak), start_rad)?;
        self.check(joint, id, asked_rad, start_rad, &there_rad)?;
        self.go(&mut envelope, &minimum_jerk(&aside_rad, start_rad, peak), &there_rad)?;
        self.let_go()?;
        Ok((asked_rad, there_rad[joint] - start_rad[joint]))
    }

    /// Takes torque off, and has the hand ready for the next motion.
    fn let_go(&mut self) -> Result<(), DriverError> {
        let clock = self.clock;
        try_often(|| self.driver.release(), || clock.sleep_until(after(clock.now(), RELEASE_AGAIN_SECS)))?;
        self.driver.make_ready()
    }

    /// An envelope around the pose: before the calibration, the described ranges mean nothing yet.
    fn envelope(&self, start_rad: &[f32]) -> Result<SafetyEnvelope, CommissioningError> {
        let reach = ENVELOPE_MARGIN * self.spec.amplitude_rad;
        let described = EnvelopeSpec::of(self.robot);
        let limits = start_rad.iter().zip(&described.limits).map(|(start, limits)| JointLimits {
            lower: start - reach,
            upper: start + reach,
            velocity: limits.velocity.min(ENVELOPE_MARGIN * self.spec.peak_rad_per_sec),
            acceleration: limits.acceleration,
        });
        let spec = EnvelopeSpec { limits: limits.collect(), ..described };
        Ok(SafetyEnvelope::new(spec, start_rad)?)
    }

    /// Follows a motion and settles at its end. Returns where the hand then stands, rad.
    fn go(
        &mut self,
        envelope: &mut SafetyEnvelope,
        motion: &MinimumJerk,
        measured_rad: &[f32],
    ) -> Result<Vec<f32>, CommissioningError> {
        let period_secs = self.driver.loop_period_secs();
        let turns = ((motion.duration_secs() + self.spec.settle_secs) / period_secs).ceil() as u32;
        let mut measured_rad = measured_rad.to_vec();
        let mut next: Nanos = self.clock.now();
        for turn in 1..=turns {
            if self.stop.load(Ordering::Relaxed) {
                return Err(CommissioningError::Stopped);
            }
            let wanted_rad = motion.at(turn as f32 * period_secs);
            let targets = envelope
                .filter(&wanted_rad, &measured_rad, period_secs)
                .map_err(|unusable| CommissioningError::Envelope(unusable.to_string()))?;
            try_often(|| self.driver.command(&targets), || ())?;
            if let Some(simulator) = self.driver.rehearsal() {
                simulator.advance(period_secs)?;
            }
            next = after(next, f64::from(period_secs)).max(self.clock.now());
            self.clock.sleep_until(next);
            measured_rad = self.sense()?;
        }
        Ok(measured_rad)
    }

    /// Reads all joints, rad. One that cannot be read now and then is tried again.
    fn sense(&mut self) -> Result<Vec<f32>, CommissioningError> {
        self.frame.begin(self.clock.now());
        try_often(|| self.driver.sense(&mut self.frame), || ())?;
        if let Some(alarm) = self.driver.health().and_then(|health| health.alarms.first()) {
            return Err(DriverError::new("moving one joint after the other", alarm.detail.clone()).into());
        }
        let measured = self.frame.read(Signal::JointPosition).map(<[f32]>::to_vec);
        measured.ok_or_else(|| DriverError::new("reading the joints", "the driver wrote no angles").into())
    }

    fn check(
        &self,
        joint: usize,
        id: u8,
        asked_rad: f32,
        start_rad: &[f32],
        there_rad: &[f32],
    ) -> Result<(), CommissioningError> {
        let name = |joint: usize| self.robot.joints[joint].name.clone();
        let moved = |joint: usize| there_rad[joint] - start_rad[joint];
        // Less also where it moved the wrong way.
        if moved(joint) / asked_rad < self.spec.follow_share {
            return Err(CommissioningError::DidNotFollow {
                joint: name(joint),
                id,
                asked_rad,
                moved_rad: moved(joint),
            });
        }
        let strays = |other: &usize| *other != joint && moved(*other).abs() > self.spec.stray_rad;
        match (0..start_rad.len()).find(strays) {
            Some(other) => {
                let (joint, other, moved_rad) = (name(joint), name(other), moved(other));
                Err(CommissioningError::Strayed { joint, id, other, moved_rad })
            }
            None => Ok(()),
        }
    }
}
