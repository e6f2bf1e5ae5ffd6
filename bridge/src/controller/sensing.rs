//! What the driver says: angles, failures; and whether the hand does as it is told.

use super::{FAILURES_IN_A_ROW, Measured, ServerCore};
use crate::fault::Fault;
use crate::watchdog::Mode;
use giraffe_robots::{Nanos, Signal, SignalFrame};

/// A joint found further than this many tracking bands from its target does not follow. Targets are kept within one
/// band whenever they are commanded; the rest is what a joint may be pushed between two commands.
const FAR_BANDS: f32 = 1.1;

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
}

impl ServerCore {
    /// Takes in what was just sensed; one turn of the loop or one control period is over.
    pub fn on_sensed(&mut self, frame: &SignalFrame, now: Nanos) {
        if self.take_measurement(frame).is_err() {
            self.on_sense_failed("a joint's angle or velocity is missing or not a finite number", now);
            return;
        }
        self.sense_failures = 0;
        self.tick += 1;
        self.watch_tracking(now);
    }

    pub(super) fn take_measurement(&mut self, frame: &SignalFrame) -> Result<(), ()> {
        let q = frame.read(Signal::JointPosition).ok_or(())?;
        let dq = frame.read(Signal::JointVelocity).ok_or(())?;
        let count = self.spec.robot.joint_count();
        if q.len() != count || dq.len() != count || !q.iter().chain(dq).all(|value| value.is_finite()) {
            return Err(());
        }
        let stamp = frame.stamp(Signal::JointPosition).unwrap_or(frame.now());
        self.measured = Some(Measured { q: q.to_vec(), dq: dq.to_vec(), stamp, state_seq: 0 });
        Ok(())
    }

    /// The driver could not read the hand.
    pub fn on_sense_failed(&mut self, detail: &str, now: Nanos) {
        self.sense_failures += 1;
        if self.sense_failures >= FAILURES_IN_A_ROW {
            self.hardware_fault(Fault::SensorStale, detail, now);
        }
    }

    /// The driver could not move the hand.
    pub fn on_command_failed(&mut self, detail: &str, now: Nanos) {
        self.bus_failing = true;
        self.hardware_fault(Fault::BusError, detail, now);
    }

    /// The driver did as told.
    pub fn on_command_done(&mut self) {
        self.bus_failing = false;
    }

    /// The loop came late.
    pub fn on_overrun(&mut self) {
        self.overruns += 1;
        self.faults.raise(Fault::LoopOverrun);
    }

    /// Holds a hand whose joints do not follow, or stand where none should be.
    fn watch_tracking(&mut self, now: Nanos) {
        let period_secs = f64::from(self.spec.envelope.period_secs);
        // A loop that was late says nothing of the hand; and lock-step has a time of its own.
        let elapsed_secs = match self.tracking.last.replace(now) {
            Some(last) if !self.is_lockstep() => now.secs_since(last).clamp(0.0, period_secs),
            Some(_) => period_secs,
            None => 0.0,
        };
        if let Some(joint) = self.beyond_range() {
            let Some(measured) = &self.measured else { return };
            let (at, model) = (measured.q[joint], &self.spec.robot.joints[joint]);
            let range = model.position_limits_rad;
            let detail = format!(
                "joint `{}` stands at {at:.2} rad, outside its range [{:.2}, {:.2}]",
                model.name, range.lower, range.upper
            );
            self.latch_and_hold(Fault::LimitHard, &detail, now);
        }
        if let Some(joint) = self.pushes_too_long(elapsed_secs) {
            let name = &self.spec.robot.joints[joint].name;
            let at = self.measured.as_ref().map_or(0.0, |measured| measured.q[joint]);
            let detail = format!(
                "joint `{name}` stands at {at:.2} rad and does not follow its target {:.2} rad for {:.1} s",
                self.envelope.held_rad()[joint],
                self.spec.tracking.against_band_secs
            );
            self.latch_and_hold(Fault::Tracking, &detail, now);
            self.tracking.against_secs.fill(0.0);
        }
    }

    /// A joint that was found beyond its range several times in a row, while torque is on. Once may be a reading
    /// gone wrong.
    fn beyond_range(&mut self) -> Option<usize> {
        let has_torque = self.mode().has_torque();
        let measured = self.measured.as_ref()?;
        let mut found = None;
        for (joint, count) in self.tracking.beyond_in_a_row.iter_mut().enumerate() {
            let range = self.spec.robot.joints[joint].position_limits_rad;
            let beyond = (range.lower - measured.q[joint]).max(measured.q[joint] - range.upper);
            *count = if beyond > self.spec.tracking.beyond_range_rad { *count + 1 } else { 0 };
            if has_torque && *count >= FAILURES_IN_A_ROW && found.is_none() {
                found = Some(joint);
            }
        }
        found
    }

    /// A joint that has been wanted, or found, outside the tracking band for too long.
    fn pushes_too_long(&mut self, elapsed_secs: f64) -> Option<usize> {
        let moves = matches!(self.mode(), Mode::Active | Mode::Homing);
        let mut found = None;
        for joint in 0..self.tracking.against_secs.len() {
            let against = moves && (self.tracking.banded_joints >> joint & 1 == 1 || self.is_far_off(joint));
            let secs = &mut self.tracking.against_secs[joint];
            *secs = if against { *secs + elapsed_secs } else { 0.0 };
            if *secs > self.spec.tracking.against_band_secs && found.is_none() {
                found = Some(joint);
            }
        }
        found
    }

    fn is_far_off(&self, joint: usize) -> bool {
        let band = self.spec.envelope.tracking_band_rad;
        let error = self.measured.as_ref().map_or(0.0, |measured| self.envelope.held_rad()[joint] - measured.q[joint]);
        error.abs() > FAR_BANDS * band
    }

    /// Whether a joint stands where none should be, as last measured.
    pub(super) fn stands_beyond(&self) -> bool {
        self.tracking.beyond_in_a_row.iter().any(|&count| count > 0)
    }

    /// Whether a joint is pushed and stands far from its target.
    pub(super) fn is_any_far_off(&self) -> bool {
        self.mode().has_torque() && (0..self.tracking.against_secs.len()).any(|joint| self.is_far_off(joint))
    }
}
