//! The hand as it is: where its joints are, whether they follow, how its servos are, and on which way home it is.

use super::ControllerSpec;
use super::FAILURES_IN_A_ROW;
use super::homing::Homing;
use super::sensing::{Measured, Tracking};
use crate::driver::ServoHealth;
use crate::fault::Fault;
use crate::health::{Ailment, HealthMonitor};
use giraffe_robots::{Nanos, Signal, SignalFrame};

/// The hand as it is.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) measured: Option<Measured>,
    sense_failures: u32,
    /// The last attempt to move it failed.
    pub(super) bus_failing: bool,
    pub(super) tracking: Tracking,
    pub(super) health: HealthMonitor,
    last_health: Option<Nanos>,
    pub(super) homing: Option<Homing>,
    /// How long the last turn of the loop took, µs.
    pub(super) loop_us: Option<u64>,
    pub(super) overruns: u64,
}

impl Body {
    /// Nothing is known yet.
    pub(super) fn new(spec: &ControllerSpec) -> Self {
        Self {
            measured: None,
            sense_failures: 0,
            bus_failing: false,
            tracking: Tracking::new(spec.robot.joint_count()),
            health: HealthMonitor::new(spec.servos, spec.envelope.names.clone()),
            last_health: None,
            homing: None,
            loop_us: None,
            overruns: 0,
        }
    }

    /// Whether every joint was read, and the last time that was tried.
    pub(super) fn can_be_read(&self) -> bool {
        self.measured.is_some() && self.sense_failures == 0
    }

    /// Takes in what was just sensed of so many joints.
    ///
    /// # Errors
    /// When an angle or a velocity is missing, or not a finite number; nothing is changed then.
    pub(super) fn take_measurement(&mut self, frame: &SignalFrame, joint_count: usize) -> Result<(), ()> {
        let q = frame.read(Signal::JointPosition).ok_or(())?;
        let dq = frame.read(Signal::JointVelocity).ok_or(())?;
        let count = joint_count;
        if q.len() != count || dq.len() != count || !q.iter().chain(dq).all(|value| value.is_finite()) {
            return Err(());
        }
        let stamp = frame.stamp(Signal::JointPosition).unwrap_or(frame.now());
        self.measured = Some(Measured { q: q.to_vec(), dq: dq.to_vec(), stamp, state_seq: 0 });
        Ok(())
    }

    /// It was read.
    pub(super) fn note_sensed(&mut self) {
        self.sense_failures = 0;
    }

    /// It could not be read. Whether that is a fault by now.
    pub(super) fn note_sense_failure(&mut self) -> bool {
        self.sense_failures += 1;
        self.sense_failures >= FAILURES_IN_A_ROW
    }

    /// Takes in what the servos last said of themselves, and says what is wrong. `period_secs`: of lock-step, in which
    /// each call is one control period.
    pub(super) fn take_health(
        &mut self,
        health: Option<&ServoHealth>,
        lockstep_period_secs: Option<f32>,
        now: Nanos,
    ) -> Vec<Ailment> {
        let elapsed_secs = match (self.last_health.replace(now), lockstep_period_secs) {
            (Some(last), None) => now.secs_since(last) as f32,
            (Some(_), Some(period_secs)) => period_secs,
            (None, _) => 0.0,
        };
        self.health.update(health, elapsed_secs)
    }

    /// Whether the cause of a latched fault is still there. `is_any_far_off`: whether a joint is pushed and stands far
    /// from its target.
    pub(super) fn has_cause_of(&self, fault: Fault, is_any_far_off: bool) -> bool {
        match fault {
            Fault::SensorStale => self.sense_failures > 0,
            Fault::BusError => self.bus_failing || self.health.has_cause_of(fault),
            Fault::LimitHard => self.tracking.stands_beyond(),
            Fault::Tracking => is_any_far_off,
            Fault::OverTemperature | Fault::Overload | Fault::Voltage => self.health.has_cause_of(fault),
            _ => false,
        }
    }
}
