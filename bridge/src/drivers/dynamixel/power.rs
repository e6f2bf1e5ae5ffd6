//! Torque on and off, servos that restart, a port that comes back.

use super::registers::{
    BUS_WATCHDOG, GOAL_CURRENT, GOAL_POSITION, HARDWARE_ERROR, IDENTITY, PRESENT, Register, TEMPERATURE_LIMIT,
    TORQUE_ENABLE, WATCHDOG_TRIPPED, bytes, unsigned,
};
use super::{DynamixelDriver, Torque, setup};
use crate::clock::{Clock, after};
use crate::driver::DriverError;
use giraffe_robots::Nanos;

/// Turns of the loop that giving torque may take: nine transactions, once per arm.
const ENGAGE_TURNS: f64 = 3.0;
/// Turns of the loop that taking torque off may take, where it does not work at once.
const RELEASE_TURNS: f64 = 2.0;
/// Time between two attempts to find the port again, or to set up a servo that would not be, s.
const RETRY_SECS: f64 = 1.0;
/// So often the port is looked for, until somebody clears faults.
const RECONNECT_ATTEMPTS: u32 = 60;
/// How long a servo may take to restart, s.
const RESTART_SECS: f64 = 2.0;
/// How much cooler than its limit a servo must be to restart, degrees Celsius.
const COOLED_CELSIUS: f32 = 5.0;

/// Looking for a port that was gone.
#[derive(Debug, Default)]
pub(super) struct Reconnection {
    attempts: u32,
    /// When to try again: the port, or a servo that could not be set up.
    next: Nanos,
}

impl DynamixelDriver {
    /// Finds the port again if it is gone.
    pub(super) fn reconnect(&mut self) -> Result<(), DriverError> {
        if self.bus.as_ref().is_some_and(|bus| !bus.is_gone()) {
            return Ok(());
        }
        self.bus = None;
        self.ready.fill(false);
        let port = self.settings.port.display();
        let attempted = format!("using port {port}");
        if self.reconnection.attempts >= RECONNECT_ATTEMPTS {
            let reason = format!(
                "it was gone and did not come back in {RECONNECT_ATTEMPTS} attempts; clear faults to look again"
            );
            return Err(DriverError::new(attempted, reason));
        }
        let now = self.clock.now();
        if now < self.reconnection.next {
            return Err(DriverError::new(attempted, "it is gone; looking for it once a second"));
        }
        self.reconnection.next = after(now, RETRY_SECS);
        self.reconnection.attempts += 1;
        self.connect()?;
        self.reconnection.attempts = 0;
        self.reconnection.next = Nanos(0);
        Ok(())
    }

    /// Takes torque off every servo and hears from each that it has none.
    pub(super) fn power_down(&mut self) -> Result<(), DriverError> {
        self.torque = Torque::Unknown;
        let ids = self.ids.clone();
        let off = vec![vec![0]; ids.len()];
        let bus = self.bus_for(RELEASE_TURNS)?;
        bus.sync_write(&ids, TORQUE_ENABLE, &off)?;
        if bus.sync_read(&ids, TORQUE_ENABLE).is_ok_and(|all| all.iter().all(|(data, _)| data == &[0])) {
            // Also ends what a Bus Watchdog has locked.
            bus.sync_write(&ids, BUS_WATCHDOG, &off)?;
            self.torque = Torque::Off;
            self.suspicious = false;
            return Ok(());
        }
        // One by one, so that one servo that does not answer keeps no other under torque.
        let mut failed: Vec<String> = Vec::new();
        for (joint, id) in ids.into_iter().enumerate() {
            let bus = self.bus_for(RELEASE_TURNS / self.wires.len() as f64)?;
            if let Err(error) = bus.write(id, TORQUE_ENABLE, &[0]) {
                failed.push(format!("{id} ({}): {}", self.names[joint], error.reason));
            }
        }
        // Where all of them confirmed it after all, the next call finds them so.
        let reason = if failed.is_empty() {
            "not every servo has confirmed it yet".to_owned()
        } else {
            format!("not confirmed by servo {}", failed.join(", servo "))
        };
        Err(DriverError::new("taking torque off", reason))
    }

    /// Sets up every servo that is not. Torque is off.
    pub(super) fn set_up_all(&mut self) -> Result<(), DriverError> {
        if self.ready.iter().all(|ready| *ready) {
            return Ok(());
        }
        let now = self.clock.now();
        if now < self.reconnection.next {
            return Err(DriverError::new("setting up the servos", "the last attempt failed; the next is in a second"));
        }
        self.reconnection.next = after(now, RETRY_SECS);
        for joint in 0..self.ids.len() {
            if !self.ready[joint] {
                self.set_up(joint)?;
            }
        }
        self.reconnection.next = Nanos(0);
        Ok(())
    }

    fn set_up(&mut self, joint: usize) -> Result<(), DriverError> {
        let Some(bus) = &mut self.bus else {
            return Err(DriverError::new("setting up the servos", "the bus is not connected"));
        };
        setup::set_up(bus, &self.names[joint], self.ids[joint], &self.settings)?;
        self.current_ma[joint] = self.settings.goal_current_ma;
        self.ready[joint] = true;
        Ok(())
    }

    /// Gives torque where the joints stand, so that nothing jumps: goals are the present positions, read just now, and
    /// currents are as wanted, before the first servo has torque. Then the servos' own watchdog is set.
    pub(super) fn engage(&mut self, effort_scales: &[f32]) -> Result<(), DriverError> {
        self.torque = Torque::Unknown;
        let (ids, count) = (self.ids.clone(), self.ids.len());
        let currents = self.currents(effort_scales);
        let current_bytes: Vec<_> = currents.iter().map(|ma| bytes(GOAL_CURRENT, u32::from(*ma))).collect();
        let watchdog = vec![vec![self.settings.bus_watchdog]; count];
        let bus = self.bus_for(ENGAGE_TURNS)?;
        let present: Vec<Vec<u8>> =
            bus.sync_read(&ids, PRESENT)?.into_iter().map(|(data, _)| data[6..10].to_vec()).collect();
        for (register, wanted) in [
            (GOAL_POSITION, present),
            (GOAL_CURRENT, current_bytes),
            (TORQUE_ENABLE, vec![vec![1]; count]),
            (BUS_WATCHDOG, watchdog),
        ] {
            bus.sync_write(&ids, register, &wanted)?;
            let found = bus.sync_read(&ids, register)?;
            let odd = (0..count).find(|joint| found[*joint].0 != wanted[*joint]);
            if let Some(joint) = odd {
                let (expected, found) = (unsigned(&wanted[joint]), unsigned(&found[joint].0));
                return Err(self.odd(joint, register, expected, found));
            }
        }
        self.current_ma = currents;
        self.torque = Torque::On;
        self.suspicious = false;
        Ok(())
    }

    fn odd(&mut self, joint: usize, register: Register, expected: u32, found: u32) -> DriverError {
        // Whatever made it so: set up from the beginning.
        self.ready[joint] = false;
        let reason = format!("{} is {found}, expected {expected}", register.name);
        DriverError::new(format!("giving torque to servo {} ({})", self.ids[joint], self.names[joint]), reason)
    }

    /// Refuses to go on after a silence in which the servos' own watchdogs stopped them: their goals are locked, and a
    /// sync write is not told so.
    pub(super) fn check_watchdog(&mut self) -> Result<(), DriverError> {
        let limit_secs = 0.02 * f64::from(self.settings.bus_watchdog);
        let now = self.clock.now();
        let Some(bus) = &self.bus else { return Ok(()) };
        let silent_secs = now.secs_since(bus.last_instruction());
        if silent_secs < limit_secs {
            return Ok(());
        }
        let reason = format!(
            "the bus was silent for {:.0} ms; servos stop by themselves after {:.0} ms (Bus Watchdog)",
            silent_secs * 1e3,
            limit_secs * 1e3
        );
        self.torque = Torque::Unknown;
        Err(DriverError::new("moving the servos", reason))
    }

    /// After a failure while there was torque: whoever restarted meanwhile has forgotten everything.
    pub(super) fn check_torque(&mut self) -> Result<(), DriverError> {
        if !self.suspicious || self.torque != Torque::On {
            return Ok(());
        }
        let ids = self.ids.clone();
        let Some(bus) = &mut self.bus else { return Ok(()) };
        let torque = bus.sync_read(&ids, TORQUE_ENABLE)?;
        let watchdog = bus.sync_read(&ids, BUS_WATCHDOG)?;
        let lost = |joint: &usize| {
            let alarmed = self.monitor.health.alarms.iter().any(|alarm| alarm.joint == *joint);
            let stopped = unsigned(&watchdog[*joint].0) == WATCHDOG_TRIPPED;
            (torque[*joint].0 != [1] && !alarmed) || stopped
        };
        if let Some(joint) = (0..ids.len()).find(lost) {
            self.ready[joint] = false;
            let attempted = format!("reading servo {} ({})", ids[joint], self.names[joint]);
            return Err(DriverError::new(
                attempted,
                "it lost its torque: it restarted, or its Bus Watchdog stopped it",
            ));
        }
        self.suspicious = false;
        Ok(())
    }

    /// Restarts the servos that protect themselves, once what they protect themselves from is over. The only way out of
    /// a shutdown; takes up to two seconds, with torque off.
    pub(super) fn restart_alarmed(&mut self) -> Result<(), DriverError> {
        self.reconnection = Reconnection::default();
        self.reconnect()?;
        if self.torque != Torque::Off {
            self.power_down()?;
        }
        let mut alarmed: Vec<usize> = self.monitor.health.alarms.iter().map(|alarm| alarm.joint).collect();
        alarmed.dedup();
        alarmed.iter().try_for_each(|joint| self.check_cause(*joint))?;
        for joint in &alarmed {
            self.ready[*joint] = false;
            let id = self.ids[*joint];
            let bus = self.slow_bus()?;
            bus.reboot(id)?;
        }
        alarmed.iter().try_for_each(|joint| self.await_restart(*joint))?;
        self.set_up_all()
    }

    /// Refuses to restart a servo that would trip again.
    fn check_cause(&mut self, joint: usize) -> Result<(), DriverError> {
        let (id, name) = (self.ids[joint], self.names[joint].clone());
        self.slow_bus()?;
        let Some(bus) = &mut self.bus else { return Ok(()) };
        let limit = unsigned(&bus.read(id, TEMPERATURE_LIMIT)?.0) as f32;
        self.monitor.read_supply(bus, joint, id)?;
        let celsius = self.monitor.health.temperature_celsius[joint];
        if celsius > limit - COOLED_CELSIUS {
            let reason =
                format!("it is at {celsius} degrees Celsius; it restarts at {} or less", limit - COOLED_CELSIUS);
            return Err(DriverError::new(format!("restarting servo {id} ({name})"), reason));
        }
        Ok(())
    }

    fn await_restart(&mut self, joint: usize) -> Result<(), DriverError> {
        let until = after(self.clock.now(), RESTART_SECS);
        let id = self.ids[joint];
        loop {
            let there = self.slow_bus()?.read(id, IDENTITY);
            match there {
                Ok(_) => break,
                Err(error) if self.clock.now() >= until => return Err(error),
                Err(_) => self.clock.sleep_until(after(self.clock.now(), 0.02)),
            }
        }
        self.slow_bus()?;
        let Some(bus) = &mut self.bus else { return Ok(()) };
        self.monitor.read_error(bus, joint, id)?;
        match self.monitor.health.alarms.iter().find(|alarm| alarm.joint == joint) {
            Some(alarm) => {
                let attempted = format!("restarting servo {id} ({}), {}", self.names[joint], HARDWARE_ERROR.name);
                Err(DriverError::new(attempted, format!("it tripped again: {}", alarm.detail)))
            }
            None => Ok(()),
        }
    }

    /// The bus, with time for one transaction of a servo that is slow to answer.
    fn slow_bus(&mut self) -> Result<&mut super::Bus, DriverError> {
        let Some(bus) = &mut self.bus else {
            return Err(DriverError::new("restarting servos", "the bus is not connected"));
        };
        bus.allow(0.06, 0.03);
        Ok(bus)
    }
}
