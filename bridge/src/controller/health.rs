//! What the servos say of themselves, and what follows from it.

use super::ServerCore;
use crate::driver::ServoHealth;
use crate::health::Remedy;
use giraffe_robots::Nanos;

impl ServerCore {
    /// Takes in what the servos last said of themselves, once per turn of the loop; `None` if they cannot say.
    pub fn on_health(&mut self, health: Option<&ServoHealth>, now: Nanos) {
        let lockstep_period_secs = self.is_lockstep().then_some(self.spec.envelope.period_secs);
        let ailments = self.body.take_health(health, lockstep_period_secs, now);
        self.safety.envelope.derate(&self.body.health.effort_scales());
        for ailment in ailments {
            match ailment.remedy {
                Remedy::Release => self.hardware_fault(ailment.fault, &ailment.detail, now),
                Remedy::Hold => self.latch_and_hold(ailment.fault, &ailment.detail, now),
            }
        }
    }

    /// The driver ended the servos' alarms, with torque off, or could not. Returns the reply to request `re`.
    ///
    /// # Errors
    /// Never; a driver that failed leaves its fault latched, as the reply says.
    pub fn on_alarms_cleared(&mut self, re: u64, done: Result<(), String>, now: Nanos) -> Vec<u8> {
        match done {
            Ok(()) => self.body.health.forget_alarms(),
            Err(detail) => tracing::error!(detail, "the servos' alarms could not be ended"),
        }
        self.clear_faults(now);
        self.on_settled(re, now)
    }
}
