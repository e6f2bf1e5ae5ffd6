//! What may reach the motors now: watchdog and envelope, and the faults that speak against it. PROTOCOL.md section 6.

use super::ControllerSpec;
use super::link::Pending;
use super::sensing::Measured;
use crate::envelope::{SafeTargets, SafetyEnvelope, Unusable};
use crate::fault::{Fault, FaultSet};
use crate::setting::SettingError;
use crate::watchdog::{Mode, Watchdog};
use giraffe_robots::{HoldAt, Nanos};

/// Share of the usual effort while holding.
pub(super) const HOLD_EFFORT: f32 = 0.7;
/// Share of the usual effort while relaxing.
const RELAX_EFFORT: f32 = 0.3;
/// Speed at which targets creep to the measured angles while relaxing.
const RELAX_SPEED_RAD_PER_SEC: f32 = 0.5;

/// What `q_target` comes from.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Applied {
    pub(super) seq: u64,
    pub(super) age_us: u64,
    pub(super) clip: u64,
    /// What the envelope was given: time, and the state that said where the hand was.
    pub(super) dt: Option<f32>,
    pub(super) q_seq: Option<u64>,
}

/// What may reach the motors, and why nothing else.
#[derive(Debug)]
pub(super) struct Safety {
    pub(super) watchdog: Watchdog,
    pub(super) envelope: SafetyEnvelope,
    pub(super) faults: FaultSet,
    /// Why the hand does not follow, for people.
    pub(super) why: String,
    pub(super) applied: Applied,
    /// The driver has heard of every servo that it has no torque, and none was given since. At the start nobody knows.
    pub(super) released: bool,
    last_filter: Option<Nanos>,
    last_relax: Option<Nanos>,
    hold_at: HoldAt,
    /// How fast the description lets targets move.
    target_velocity_rad_per_sec: f32,
}

impl Safety {
    /// Torque off.
    pub(super) fn new(spec: &ControllerSpec, now: Nanos) -> Result<Self, SettingError> {
        Ok(Self {
            watchdog: Watchdog::new(spec.watchdog, now),
            envelope: SafetyEnvelope::new(spec.envelope.clone(), &spec.robot.home_rad)?,
            faults: FaultSet::default(),
            why: "not armed yet".to_owned(),
            applied: Applied::default(),
            released: false,
            last_filter: None,
            last_relax: None,
            hold_at: spec.hold,
            target_velocity_rad_per_sec: spec.robot.safety.target_velocity_rad_per_sec,
        })
    }

    /// What the motors do.
    pub(super) fn mode(&self) -> Mode {
        self.watchdog.mode()
    }

    /// What is said of the motors.
    pub(super) fn published_mode(&self) -> Mode {
        match self.mode() {
            mode if mode.has_torque() || self.released => mode,
            _ => Mode::Releasing,
        }
    }

    /// Takes torque off for what the hardware did. What waits to be applied is the caller's to drop.
    pub(super) fn release_for(&mut self, fault: Fault, detail: &str, now: Nanos) {
        if !self.faults.holds(fault) {
            tracing::error!(fault = fault.name(), detail, "motors are released");
        }
        self.faults.raise(fault);
        self.watchdog.fault(now);
        self.why = format!("{}: {detail}", fault.name());
    }

    /// Stops following until armed anew; `measured`: where the hand is. What waits to be applied is the caller's to drop.
    pub(super) fn hold(&mut self, why: String, measured: Option<&Measured>, now: Nanos) {
        let before = self.mode();
        self.watchdog.hold(now);
        if before == Mode::Active {
            self.begin_hold(measured);
        }
        if before != self.mode() {
            tracing::warn!(from = before.name(), to = self.mode().name(), why, "told to hold");
            self.why = why;
        }
    }

    /// Moves the watchdog. Whether that changed the mode; what waits to be applied is then the caller's to drop.
    pub(super) fn let_time_pass(&mut self, measured: Option<&Measured>, now: Nanos) -> bool {
        let before = self.mode();
        self.watchdog.tick(now);
        let mode = self.mode();
        if mode == before {
            return false;
        }
        if before == Mode::Active {
            self.faults.raise(Fault::LinkLost);
            let silence_ms = (self.watchdog.spec().hold_after_secs * 1e3).round();
            self.why = format!("no acceptable command for {silence_ms} ms");
            self.begin_hold(measured);
        }
        tracing::warn!(from = before.name(), to = mode.name(), why = self.why, "commands stopped");
        true
    }

    /// Chooses what is held.
    fn begin_hold(&mut self, measured: Option<&Measured>) {
        if self.hold_at == HoldAt::Measured
            && let Some(measured) = measured
        {
            // Give way by at most the usual travel of one control period; relaxing does the rest.
            let period_secs = self.envelope.spec().period_secs;
            self.envelope.relax(&measured.q, self.target_velocity_rad_per_sec, period_secs, HOLD_EFFORT);
        }
    }

    /// Targets of a command, as far as they are safe. In lock-step each command is one control period.
    ///
    /// # Errors
    /// When they, or the measured angles, are none.
    pub(super) fn follow(
        &mut self,
        pending: &Pending,
        measured: &Measured,
        lockstep: bool,
        now: Nanos,
    ) -> Result<SafeTargets, Unusable> {
        let elapsed_secs = match self.last_filter {
            Some(last) if !lockstep => now.secs_since(last) as f32,
            _ => self.envelope.spec().period_secs,
        };
        let targets = self.envelope.filter(&pending.q, &measured.q, elapsed_secs)?;
        self.last_filter = Some(now);
        let age_us = if lockstep { 0 } else { u64::try_from((now.0 - pending.t_state) / 1000).unwrap_or(0) };
        self.applied = Applied {
            seq: pending.seq,
            age_us,
            clip: targets.clipped_joints(),
            dt: Some(elapsed_secs),
            q_seq: (measured.state_seq != 0).then_some(measured.state_seq),
        };
        Ok(targets)
    }

    /// Gives way toward where the hand is.
    pub(super) fn creep(&mut self, measured: Option<&Measured>, now: Nanos) -> SafeTargets {
        let elapsed_secs = self.last_relax.map_or(0.0, |last| now.secs_since(last) as f32);
        self.last_relax = Some(now);
        let angles = measured.map_or(&[][..], |measured| &measured.q);
        self.envelope.relax(angles, RELAX_SPEED_RAD_PER_SEC, elapsed_secs, RELAX_EFFORT)
    }

    /// Any creeping is over.
    pub(super) fn forget_creeping(&mut self) {
        self.last_relax = None;
    }

    /// A motion begins: the next command is a whole control period after the last, and what passes has passed.
    pub(super) fn begin_motion(&mut self) {
        self.last_filter = None;
        self.faults.clear_passing();
    }

    /// An episode begins at `targets_rad`.
    pub(super) fn begin_episode(&mut self, targets_rad: &[f32], now: Nanos) {
        self.envelope.start_at(targets_rad);
        self.last_filter = None;
        self.applied = Applied::default();
        self.watchdog.ready(now);
        self.why = "the episode is ready, not armed yet".to_owned();
    }

    /// A new commander, who keeps silent for at most `hold_after_secs`: nothing of what was commanded counts any more.
    pub(super) fn begin_session(&mut self, hold_after_secs: f64, lockstep: bool) {
        self.watchdog.set_hold_after(hold_after_secs);
        self.watchdog.suspend(lockstep);
        self.watchdog.forget_commands();
        self.applied = Applied::default();
    }

    /// Clears what is latched, but for `left`, whose causes are still there.
    pub(super) fn clear(&mut self, left: FaultSet, now: Nanos) {
        self.faults = left;
        if left.is_empty() {
            self.watchdog.clear(now);
            self.why = "faults were cleared, not armed yet".to_owned();
        } else {
            self.why = format!("{left}: the cause is still there");
        }
    }

    /// Where the hand would start from: the targets held, or the measured angles where there is no torque.
    pub(super) fn start_rad<'s>(&'s self, measured: Option<&'s Measured>) -> Option<&'s [f32]> {
        if self.mode().has_torque() {
            Some(self.envelope.held_rad())
        } else {
            measured.map(|measured| measured.q.as_slice())
        }
    }

    /// A joint that stands more than `most_rad` outside its limits, so that torque would make it jump; in words.
    pub(super) fn stands_outside(&self, measured: &Measured, most_rad: f32) -> Option<String> {
        let spec = self.envelope.spec();
        let joints = spec.names.iter().zip(&spec.limits).zip(&measured.q);
        joints.into_iter().find_map(|((name, limits), &at)| {
            let beyond = (limits.lower - at).max(at - limits.upper);
            (beyond > most_rad).then(|| {
                format!("joint `{name}` stands at {at:.3} rad, outside [{:.3}, {:.3}]", limits.lower, limits.upper)
            })
        })
    }
}
