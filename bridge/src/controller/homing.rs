//! Going home: the controller's own motion, by minimum jerk. PROTOCOL.md section 6.

use super::safety::{Applied, HOLD_EFFORT};
use super::{Order, ServerCore};
use crate::envelope::Pace;
use crate::fault::Fault;
use crate::handshake::Objection;
use crate::minimum_jerk::{MinimumJerk, PEAK_ACCELERATION, PEAK_SPEED};
use crate::watchdog::Mode;
use giraffe_robots::{Limits, Nanos};

/// Share of the usual effort on the way.
const HOMING_EFFORT: f32 = 0.6;
/// Also where a joint is moved by others, and its target pulled along by the tracking band, that goes no faster than
/// this many times the speed of homing: the rest is for rounding.
const SPEED_SLACK: f32 = 1.02;
/// The shortest way takes so long, s.
const SHORTEST_SECS: f32 = 0.5;
/// A way home.
#[derive(Debug, Clone)]
pub(super) struct Homing {
    motion: MinimumJerk,
    /// How far along in time. A loop that came late does not make the hand hurry.
    progress_secs: f64,
    last: Nanos,
}

impl Homing {
    fn duration_secs(&self) -> f64 {
        f64::from(self.motion.duration_secs())
    }
}

impl ServerCore {
    /// Begins to go home.
    pub(super) fn home(&mut self, now: Nanos) -> Result<(), Objection> {
        if self.is_lockstep() {
            let detail = "in lock-step the hand moves only by commands; a reset puts it where an episode starts";
            return Err(Objection::new("UNSUPPORTED", detail));
        }
        match self.mode() {
            Mode::Homing => return Ok(()),
            Mode::Active => return Err(Objection::new("NOT_READY", "the hand follows commands; hold it first")),
            _ => self.may_move()?,
        }
        if !self.mode().has_torque()
            && let Some(measured) = &self.body.measured
        {
            self.safety.envelope.start_at(&measured.q);
        }
        let homing = self.way_home(now);
        tracing::info!(secs = homing.duration_secs(), "going home");
        self.body.homing = Some(homing);
        self.body.tracking.forget();
        self.safety.applied = Applied::default();
        self.safety.begin_motion();
        self.safety.watchdog.home(now);
        self.safety.why = "going home".to_owned();
        self.episode.world_stands = false;
        Ok(())
    }

    /// From the targets in force, so that nothing jumps, and slow enough for every joint and limit.
    fn way_home(&self, now: Nanos) -> Homing {
        let limits = &self.safety.envelope.spec().limits;
        let start_rad = self.safety.envelope.held_rad().to_vec();
        let mut goal_rad = self.spec.robot.home_rad.clone();
        let mut duration_secs = SHORTEST_SECS;
        for (joint, limits) in limits.iter().enumerate() {
            goal_rad[joint] = Limits { lower: limits.lower, upper: limits.upper }.clamp(goal_rad[joint]);
            let way = (goal_rad[joint] - start_rad[joint]).abs();
            let speed = self.spec.homing.speed_rad_per_sec.min(limits.velocity);
            let by_acceleration = (PEAK_ACCELERATION * way / limits.acceleration).sqrt();
            duration_secs = duration_secs.max(PEAK_SPEED * way / speed).max(by_acceleration);
        }
        Homing { motion: MinimumJerk::lasting(start_rad, goal_rad, duration_secs), progress_secs: 0.0, last: now }
    }

    /// One turn of the loop on the way.
    pub(super) fn go_home(&mut self, now: Nanos) -> Order {
        let period_secs = f64::from(self.spec.envelope.period_secs);
        let (Some(homing), Some(measured)) = (&mut self.body.homing, &self.body.measured) else {
            self.hold_for("there is no way home".to_owned(), now);
            return Order::Hold(self.safety.envelope.hold(HOLD_EFFORT));
        };
        let elapsed_secs = now.secs_since(homing.last).clamp(0.0, period_secs);
        homing.last = now;
        homing.progress_secs += elapsed_secs;
        let wanted_rad = homing.motion.at(homing.progress_secs as f32);
        let most_rad_per_sec = SPEED_SLACK * self.spec.homing.speed_rad_per_sec;
        let pace = Pace { most_rad_per_sec, effort_scale: HOMING_EFFORT };
        match self.safety.envelope.filter_with(&wanted_rad, &measured.q, elapsed_secs as f32, pace) {
            Ok(targets) => {
                self.body.tracking.banded_joints = targets.banded_joints();
                if homing.progress_secs >= homing.duration_secs() {
                    self.arrive(now);
                }
                match self.mode() {
                    Mode::Homing => Order::Home(targets),
                    Mode::Ready => Order::Hold(targets),
                    _ => Order::Hold(self.safety.envelope.hold(HOLD_EFFORT)),
                }
            }
            Err(unusable) => {
                // Measurements are checked when they come in, so this is a mistake of ours.
                self.hardware_fault(Fault::Internal, &unusable.to_string(), now);
                Order::Off
            }
        }
    }

    /// The way is over: is the hand there?
    fn arrive(&mut self, now: Nanos) {
        let (Some(homing), Some(measured)) = (&self.body.homing, &self.body.measured) else { return };
        let away = |joint: usize| (measured.q[joint] - homing.motion.goal_rad()[joint]).abs();
        let far = (0..measured.q.len()).filter(|&joint| away(joint) > self.spec.start_tol_rad);
        let furthest = far.max_by(|&a, &b| away(a).total_cmp(&away(b)));
        let Some(joint) = furthest else {
            self.body.homing = None;
            self.safety.watchdog.ready(now);
            self.safety.why = "home, not armed yet".to_owned();
            tracing::info!("home");
            return;
        };
        if homing.progress_secs > homing.duration_secs() + self.spec.homing.patience_secs {
            let name = &self.spec.robot.joints[joint].name;
            let detail = format!("joint `{name}` did not come home: {:.2} rad are left", away(joint));
            self.body.homing = None;
            self.latch_and_hold(Fault::Tracking, &detail, now);
        }
    }
}
