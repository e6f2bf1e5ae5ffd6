//! What the driver says: angles, failures; and whether the hand does as it is told.

use super::{FAILURES_IN_A_ROW, ServerCore};
use crate::fault::Fault;
use crate::watchdog::Mode;
use giraffe_robots::{JointModel, Nanos, SignalFrame};

/// A joint found further than this many tracking bands from its target does not follow. Targets are kept within one
/// band whenever they are commanded; the rest is what a joint may be pushed between two commands.
const FAR_BANDS: f32 = 1.1;

/// What was sensed last.
#[derive(Debug, Clone)]
pub(super) struct Measured {
    pub(super) q: Vec<f32>,
    pub(super) dq: Vec<f32>,
    pub(super) stamp: Nanos,
    /// `seq` of the last state that said so, 0 if none did yet.
    pub(super) state_seq: u64,
}

/// Remembers how long joints have not done as told.
#[derive(Debug, Clone)]
pub(super) struct Tracking {
    against_secs: Vec<f64>,
    beyond_in_a_row: Vec<u32>,
    /// Joints the last target of which was wanted outside the band.
    pub(super) banded_joints: u64,
    last: Option<Nanos>,
}

impl Tracking {
    pub(super) fn new(joint_count: usize) -> Self {
        Self {
            against_secs: vec![0.0; joint_count],
            beyond_in_a_row: vec![0; joint_count],
            banded_joints: 0,
            last: None,
        }
    }

    /// The hand begins anew.
    pub(super) fn forget(&mut self) {
        self.against_secs.fill(0.0);
        self.beyond_in_a_row.fill(0);
        (self.banded_joints, self.last) = (0, None);
    }

    /// Time since the last look, s. A loop that was late says nothing of the hand; and lock-step has a time of its own.
    fn elapsed_secs(&mut self, lockstep: bool, period_secs: f64, now: Nanos) -> f64 {
        match self.last.replace(now) {
            Some(last) if !lockstep => now.secs_since(last).clamp(0.0, period_secs),
            Some(_) => period_secs,
            None => 0.0,
        }
    }

    /// A joint that was found more than `most_rad` beyond its range several times in a row, while torque is on. Once may
    /// be a reading gone wrong.
    fn beyond_range(&mut self, q: &[f32], joints: &[JointModel], most_rad: f32, has_torque: bool) -> Option<usize> {
        let mut found = None;
        for (joint, count) in self.beyond_in_a_row.iter_mut().enumerate() {
            let range = joints[joint].position_limits_rad;
            let beyond = (range.lower - q[joint]).max(q[joint] - range.upper);
            *count = if beyond > most_rad { *count + 1 } else { 0 };
            if has_torque && *count >= FAILURES_IN_A_ROW && found.is_none() {
                found = Some(joint);
            }
        }
        found
    }

    /// A joint that has been wanted, or found, outside the tracking band for more than `most_secs` of moving.
    fn pushes_too_long(
        &mut self,
        is_far_off: impl Fn(usize) -> bool,
        moves: bool,
        elapsed_secs: f64,
        most_secs: f64,
    ) -> Option<usize> {
        let mut found = None;
        for (joint, secs) in self.against_secs.iter_mut().enumerate() {
            let against = moves && (self.banded_joints >> joint & 1 == 1 || is_far_off(joint));
            *secs = if against { *secs + elapsed_secs } else { 0.0 };
            if *secs > most_secs && found.is_none() {
                found = Some(joint);
            }
        }
        found
    }

    /// Whether a joint stands where none should be, as last measured.
    pub(super) fn stands_beyond(&self) -> bool {
        self.beyond_in_a_row.iter().any(|&count| count > 0)
    }
}

impl ServerCore {
    /// Takes in what was just sensed; one turn of the loop or one control period is over.
    pub fn on_sensed(&mut self, frame: &SignalFrame, now: Nanos) {
        if self.body.take_measurement(frame, self.spec.robot.joint_count()).is_err() {
            self.on_sense_failed("a joint's angle or velocity is missing or not a finite number", now);
            return;
        }
        self.body.note_sensed();
        self.episode.tick += 1;
        self.watch_tracking(now);
    }

    /// The driver could not read the hand.
    pub fn on_sense_failed(&mut self, detail: &str, now: Nanos) {
        if self.body.note_sense_failure() {
            self.hardware_fault(Fault::SensorStale, detail, now);
        }
    }

    /// The driver could not move the hand.
    pub fn on_command_failed(&mut self, detail: &str, now: Nanos) {
        self.body.bus_failing = true;
        self.hardware_fault(Fault::BusError, detail, now);
    }

    /// The driver moved the hand as told.
    pub fn on_command_done(&mut self) {
        self.body.bus_failing = false;
    }

    /// The driver took torque off, and heard so from every servo. `unready`: what else keeps it from moving the hand.
    pub fn on_released(&mut self, unready: Option<&str>, now: Nanos) {
        self.safety.released = true;
        match unready {
            None => self.body.bus_failing = false,
            Some(detail) => self.on_command_failed(detail, now),
        }
    }

    /// The driver could not take torque off every servo; `detail` names them.
    pub fn on_release_failed(&mut self, detail: &str, now: Nanos) {
        self.safety.released = false;
        self.on_command_failed(detail, now);
        self.safety.why = format!("torque is NOT confirmed off: {detail}");
    }

    /// Whether there shall be no torque, and not every servo has confirmed that it has none.
    pub fn is_releasing(&self) -> bool {
        self.published_mode() == Mode::Releasing
    }

    /// The loop came late.
    pub fn on_overrun(&mut self) {
        self.body.overruns += 1;
        self.safety.faults.raise(Fault::LoopOverrun);
    }

    /// Holds a hand whose joints do not follow, or stand where none should be.
    fn watch_tracking(&mut self, now: Nanos) {
        let period_secs = f64::from(self.spec.envelope.period_secs);
        let elapsed_secs = self.body.tracking.elapsed_secs(self.link.is_lockstep(), period_secs, now);
        self.watch_ranges(now);
        self.watch_targets(elapsed_secs, now);
    }

    fn watch_ranges(&mut self, now: Nanos) {
        let Some(measured) = &self.body.measured else { return };
        let (joints, most_rad) = (&self.spec.robot.joints, self.spec.tracking.beyond_range_rad);
        let has_torque = self.safety.mode().has_torque();
        if let Some(joint) = self.body.tracking.beyond_range(&measured.q, joints, most_rad, has_torque) {
            let (at, model) = (measured.q[joint], &joints[joint]);
            let range = model.position_limits_rad;
            let detail = format!(
                "joint `{}` stands at {at:.2} rad, outside its range [{:.2}, {:.2}]",
                model.name, range.lower, range.upper
            );
            self.latch_and_hold(Fault::LimitHard, &detail, now);
        }
    }

    fn watch_targets(&mut self, elapsed_secs: f64, now: Nanos) {
        let Some(measured) = &self.body.measured else { return };
        let (held_rad, band_rad) = (self.safety.envelope.held_rad(), self.spec.envelope.tracking_band_rad);
        let far_off = |joint: usize| is_far_off(held_rad[joint], measured.q[joint], band_rad);
        let moves = matches!(self.safety.mode(), Mode::Active | Mode::Homing);
        let most_secs = self.spec.tracking.against_band_secs;
        if let Some(joint) = self.body.tracking.pushes_too_long(far_off, moves, elapsed_secs, most_secs) {
            let (name, at) = (&self.spec.robot.joints[joint].name, measured.q[joint]);
            let detail = format!(
                "joint `{name}` stands at {at:.2} rad and does not follow its target {:.2} rad for {most_secs:.1} s",
                held_rad[joint]
            );
            self.latch_and_hold(Fault::Tracking, &detail, now);
            self.body.tracking.against_secs.fill(0.0);
        }
    }

    /// Whether a joint is pushed and stands far from its target.
    pub(super) fn is_any_far_off(&self) -> bool {
        let Some(measured) = &self.body.measured else { return false };
        let (held_rad, band_rad) = (self.safety.envelope.held_rad(), self.spec.envelope.tracking_band_rad);
        let joints = held_rad.iter().zip(&measured.q);
        self.mode().has_torque() && joints.into_iter().any(|(&held, &at)| is_far_off(held, at, band_rad))
    }
}

/// Whether a joint at `at_rad` is pushed away from its target.
fn is_far_off(target_rad: f32, at_rad: f32, band_rad: f32) -> bool {
    (target_rad - at_rad).abs() > FAR_BANDS * band_rad
}
