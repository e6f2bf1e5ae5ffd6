//! What a controller is set up for.

use crate::driver::Calibrated;
use crate::envelope::EnvelopeSpec;
use crate::message::SOFTWARE;
use crate::setting::SettingError;
use crate::watchdog::WatchdogSpec;
use giraffe_robots::{HoldAt, RobotModel, ServoLimits};

/// When a hand that does not do as told is held.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrackingSpec {
    /// A joint may be wanted further from its measured angle than the tracking band, or be found there, for so long, s.
    pub against_band_secs: f64,
    /// A measured angle may lie so far outside its range, rad. Twice what an arm puts up with: play, noise and a
    /// poor calibration stay below it, a slipped horn or a joint that was bent back does not.
    pub beyond_range_rad: f32,
}

impl Default for TrackingSpec {
    fn default() -> Self {
        Self { against_band_secs: 1.0, beyond_range_rad: 0.2 }
    }
}

/// How the hand goes home.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HomingSpec {
    /// Fastest a joint's target moves on the way, rad/s.
    pub speed_rad_per_sec: f32,
    /// How long after the way is over the joints may take to arrive, s.
    pub patience_secs: f64,
}

impl Default for HomingSpec {
    fn default() -> Self {
        Self { speed_rad_per_sec: 0.5, patience_secs: 2.0 }
    }
}

/// What a controller is set up for.
#[derive(Debug, Clone)]
pub struct ControllerSpec {
    /// The hand behind it.
    pub robot: RobotModel,
    /// Limits.
    pub envelope: EnvelopeSpec,
    /// Timers.
    pub watchdog: WatchdogSpec,
    /// What is held when commands stop.
    pub hold: HoldAt,
    /// Silence after which another commander may take over, s.
    pub lease_secs: f64,
    /// Oldest state a command may be computed from, s.
    pub max_age_secs: f64,
    /// Commands before an arm stay this close to the start, rad.
    pub start_tol_rad: f32,
    /// Seconds of one turn of the loop while free-running.
    pub loop_period_secs: f64,
    /// Whether episodes and lock-step are offered: the hand is simulated.
    pub rehearsal: bool,
    /// Whether the object's pose is published.
    pub object_pose: bool,
    /// Name of the object that is held, where that is known.
    pub object: Option<String>,
    /// Whether the hand was calibrated.
    pub calibration: Calibrated,
    /// What people should know before they move the hand: part of every welcome.
    pub notes: Vec<String>,
    /// What servos bear.
    pub servos: ServoLimits,
    /// When a hand that does not do as told is held.
    pub tracking: TrackingSpec,
    /// How the hand goes home.
    pub homing: HomingSpec,
    /// The first session's number is derived from this; a controller that starts anew must start elsewhere.
    pub session_seed: u64,
    /// Name and version, for logs.
    pub software: String,
}

impl ControllerSpec {
    /// What the description of `robot` asks for, the rest as in the protocol; a real hand without a tracker.
    pub fn of(robot: &RobotModel) -> Self {
        let period_secs = f64::from(robot.control.period_secs);
        Self {
            robot: robot.clone(),
            envelope: EnvelopeSpec::of(robot),
            watchdog: WatchdogSpec::of(&robot.safety),
            hold: robot.safety.hold,
            lease_secs: 2.0,
            max_age_secs: 2.5 * period_secs,
            start_tol_rad: 0.1,
            loop_period_secs: period_secs,
            rehearsal: false,
            object_pose: false,
            object: None,
            calibration: Calibrated::NotNeeded,
            notes: Vec::new(),
            servos: robot.safety.servos,
            tracking: TrackingSpec::default(),
            homing: HomingSpec::default(),
            session_seed: 1,
            software: SOFTWARE.to_owned(),
        }
    }

    pub(super) fn check(&self) -> Result<(), SettingError> {
        self.envelope.check()?;
        let w = &self.watchdog;
        let timers = [
            ("hold_after (s)", w.hold_after_secs),
            ("relax_after (s)", w.relax_after_secs),
            ("off_after (s)", w.off_after_secs),
            ("rearm_after (s)", w.rearm_after_secs),
            ("stream before an arm (s)", w.stream_secs),
            ("lease (s)", self.lease_secs),
            ("largest age of a state (s)", self.max_age_secs),
            ("start tolerance (rad)", f64::from(self.start_tol_rad)),
            ("period of the loop (s)", self.loop_period_secs),
            ("longest push against the tracking band (s)", self.tracking.against_band_secs),
            ("margin beyond a range (rad)", f64::from(self.tracking.beyond_range_rad)),
            ("speed of homing (rad/s)", f64::from(self.homing.speed_rad_per_sec)),
            ("patience of homing (s)", self.homing.patience_secs),
        ];
        for (what, found) in timers {
            if !(found.is_finite() && found > 0.0 && found < 1e6) {
                let (what, found) = (what.to_owned(), found.to_string());
                return Err(SettingError { what, found, expected: "positive, below a million" });
            }
        }
        if let Some((name, problem)) = self.servos.first_mistake() {
            let (what, found) = (format!("limit of servos `{name}`"), problem);
            return Err(SettingError { what, found, expected: "limits that rise" });
        }
        Ok(())
    }
}
