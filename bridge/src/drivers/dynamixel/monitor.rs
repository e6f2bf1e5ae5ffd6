//! What servos say of themselves: voltage and temperature in turn, errors at once.

use super::DynamixelDriver;
use super::bus::Bus;
use super::registers::{HARDWARE_ERROR, SUPPLY, VOLTAGE_UNIT_V, unsigned};
use super::timing::Timing;
use crate::clock::after;
use crate::driver::{DriverError, ServoAlarm, ServoHealth};
use crate::fault::Fault;
use giraffe_robots::Nanos;

/// So often each servo's voltage and temperature are read, s.
const EACH_SECS: f64 = 0.5;
/// Longest that one question about a servo may take while the hand is not moved, s.
const ATTEMPT_SECS: f64 = 0.03;

/// Bits of Hardware Error Status, what they are to the protocol, and in words.
const ERRORS: &[(u32, Fault, &str)] = &[
    (1 << 5, Fault::Overload, "overload"),
    (1 << 2, Fault::OverTemperature, "too hot"),
    (1 << 0, Fault::Voltage, "supply voltage out of range"),
    (1 << 3, Fault::BusError, "encoder error"),
    (1 << 4, Fault::BusError, "electrical shock, or too little power"),
];

/// What was read last, and what is read next.
#[derive(Debug, Default)]
pub(super) struct Monitor {
    pub health: ServoHealth,
    next: usize,
    due: Nanos,
    alerted: Vec<usize>,
}

impl Monitor {
    /// Reads everything of every servo, but for currents, which come with the angles.
    pub(super) fn read_all(&mut self, bus: &mut Bus, ids: &[u8], timing: Timing) -> Result<(), DriverError> {
        self.health = ServoHealth {
            current_a: Vec::new(),
            temperature_celsius: vec![0.0; ids.len()],
            voltage_v: vec![0.0; ids.len()],
            alarms: Vec::new(),
        };
        self.alerted.clear();
        let attempt_secs = ATTEMPT_SECS.max(timing.single_secs);
        for (joint, id) in ids.iter().enumerate() {
            bus.allow(3.0 * attempt_secs, attempt_secs);
            self.read_supply(bus, joint, *id)?;
            bus.allow(3.0 * attempt_secs, attempt_secs);
            self.read_error(bus, joint, *id)?;
        }
        Ok(())
    }

    /// A servo answered with or without the alert bit.
    pub(super) fn note_alert(&mut self, joint: usize, alert: bool) {
        let known = self.health.alarms.iter().any(|alarm| alarm.joint == joint);
        if alert && !known && !self.alerted.contains(&joint) {
            self.alerted.push(joint);
        }
    }

    /// Forgets the alarms of a joint.
    pub(super) fn forget(&mut self, joint: usize) {
        self.health.alarms.retain(|alarm| alarm.joint != joint);
    }

    pub(super) fn read_supply(&mut self, bus: &mut Bus, joint: usize, id: u8) -> Result<(), DriverError> {
        let (data, alert) = bus.read(id, SUPPLY)?;
        self.health.voltage_v[joint] = unsigned(&data[0..2]) as f32 * VOLTAGE_UNIT_V;
        self.health.temperature_celsius[joint] = f32::from(data[2]);
        self.note_alert(joint, alert);
        Ok(())
    }

    /// Reads what a servo has tripped on.
    pub(super) fn read_error(&mut self, bus: &mut Bus, joint: usize, id: u8) -> Result<(), DriverError> {
        let (data, alert) = bus.read(id, HARDWARE_ERROR)?;
        let bits = unsigned(&data);
        self.alerted.retain(|other| *other != joint);
        self.forget(joint);
        let known = ERRORS.iter().filter(|(bit, ..)| bits & bit != 0);
        let alarm = |fault, what: &str| ServoAlarm {
            joint,
            fault,
            detail: format!("servo {id}: {what} (Hardware Error Status {bits:#04x})"),
        };
        self.health.alarms.extend(known.map(|(_, fault, what)| alarm(*fault, what)));
        if self.health.alarms.iter().all(|alarm| alarm.joint != joint) && (bits != 0 || alert) {
            self.health.alarms.push(alarm(Fault::BusError, "alert for a reason this driver does not know"));
        }
        Ok(())
    }
}

impl DynamixelDriver {
    /// Uses what is left of sensing's share of the turn: first for a servo that sets its alert bit, then for the
    /// next one whose voltage and temperature are due. What fails is tried again; only the joints decide about faults.
    pub(super) fn watch_health(&mut self) {
        let now = self.clock.now();
        let Some(bus) = &mut self.bus else { return };
        if bus.left_secs() < self.timing.single_secs {
            return;
        }
        let done = if let Some(joint) = self.monitor.alerted.first().copied() {
            // To the end of the list, so that one that does not answer keeps no other waiting.
            self.monitor.alerted.rotate_left(1);
            self.monitor.read_error(bus, joint, self.ids[joint])
        } else if now >= self.monitor.due {
            let joint = self.monitor.next % self.ids.len();
            self.monitor.next = joint + 1;
            self.monitor.due = after(now, EACH_SECS / self.ids.len() as f64);
            self.monitor.read_supply(bus, joint, self.ids[joint])
        } else {
            Ok(())
        };
        if let Err(error) = done {
            tracing::debug!(%error, "a servo said nothing of itself");
        }
    }
}
