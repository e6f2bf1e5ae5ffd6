//! Torque on and off, servos that restart, a port that comes back.

use super::bus::Bus;
use super::registers::{
    BUS_WATCHDOG, GOAL_CURRENT, GOAL_POSITION, HARDWARE_ERROR, IDENTITY, PRESENT, Register, TEMPERATURE_LIMIT,
    TORQUE_ENABLE, WATCHDOG_TRIPPED, unsigned,
};
use super::timing::{QUIET_SECS, WATCHDOG_UNIT_SECS};
use super::{DynamixelDriver, setup};
use crate::clock::after;
use crate::driver::DriverError;
use giraffe_robots::Nanos;
use std::sync::Arc;

/// Turns of the loop that giving torque may take: nine transactions, once per arm.
const ENGAGE_TURNS: f64 = 3.0;
/// Time between two attempts to find the port again, s. Opening one that is not there costs nothing.
const PORT_RETRY_SECS: f64 = 0.15;
/// Time between two attempts to find out about servos and set them up, s: the loop waits meanwhile.
const SETUP_RETRY_SECS: f64 = 1.0;
/// How long a servo may take to answer a question while it restarts, s.
const SLOW_SECS: f64 = 0.03;
/// How long a servo may take to restart, s.
const RESTART_SECS: f64 = 2.0;
/// How much cooler than its limit a servo must be to restart, degrees Celsius.
const COOLED_CELSIUS: f32 = 5.0;

/// Whether servos have torque.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Torque {
    /// Every servo has confirmed that it has none.
    Off,
    /// Every servo has confirmed that it has.
    On,
    /// An earlier life of this program, or something that failed, may have left it on.
    Unknown,
}

/// Something that is tried again now and then only. Whoever asks meanwhile is told why it did not work.
#[derive(Debug, Default)]
pub(super) struct Retry {
    next: Nanos,
    cause: Option<DriverError>,
}

impl Retry {
    /// The cause of the last failure, until it is time to try again.
    fn refuse_before(&self, now: Nanos) -> Result<(), DriverError> {
        match &self.cause {
            Some(cause) if now < self.next => Err(cause.clone()),
            _ => Ok(()),
        }
    }

    /// Remembers how an attempt ended, and for how long that is all there is to say.
    fn note(&mut self, done: Result<(), DriverError>, now: Nanos, wait_secs: f64) -> Result<(), DriverError> {
        self.next = after(now, wait_secs);
        self.cause = done.as_ref().err().cloned();
        done
    }

    /// The cause of the last failure in words, or what is said where there was none.
    pub(super) fn why(&self, otherwise: &str) -> String {
        self.cause
            .as_ref()
            .map_or_else(|| otherwise.to_owned(), |cause| format!("{}: {}", cause.attempted, cause.reason))
    }
}

impl DynamixelDriver {
    /// Opens the port. The first that is said on it is "torque off".
    pub(super) fn open_port(&mut self) -> Result<(), DriverError> {
        let clock = Arc::clone(&self.clock);
        let bus = Bus::open_and_let_go(&self.settings.port, self.settings.baud, &self.ids, clock)?;
        self.take_port(bus)
    }

    /// Finds the port again if it is gone, for as long as it takes: servos may push.
    pub(super) fn reopen(&mut self) -> Result<(), DriverError> {
        if self.bus.as_ref().is_some_and(|bus| !bus.is_gone()) {
            return Ok(());
        }
        self.bus = None;
        self.identity = None;
        self.ready.fill(false);
        self.port_retry.refuse_before(self.clock.now())?;
        let done = self.open_port();
        self.port_retry.note(done, self.clock.now(), PORT_RETRY_SECS)
    }

    /// Takes torque off every servo and hears from each that it has none.
    pub(super) fn power_down(&mut self) -> Result<(), DriverError> {
        self.torque = Torque::Unknown;
        let ids = self.ids.clone();
        let off = vec![vec![0]; ids.len()];
        let bus = self.bus_for(self.timing.sense_secs)?;
        bus.sync_write(&ids, TORQUE_ENABLE, &off)?;
        if !bus.sync_read(&ids, TORQUE_ENABLE).is_ok_and(|all| all.iter().all(|(data, _)| data == &[0])) {
            self.power_down_one_by_one()?;
        }
        // Also ends what a Bus Watchdog has locked.
        self.bus_for(self.timing.command_secs)?.sync_write(&ids, BUS_WATCHDOG, &off)?;
        self.torque = Torque::Off;
        self.suspicious = false;
        Ok(())
    }

    /// One by one, so that one servo that does not answer keeps no other under torque, nor is named in its place. Each has the
    /// time that an answer takes through USB.
    fn power_down_one_by_one(&mut self) -> Result<(), DriverError> {
        let mut failed: Vec<String> = Vec::new();
        for joint in 0..self.ids.len() {
            if let Err(error) = self.power_down_one(joint) {
                failed.push(format!("{} ({}): {}", self.ids[joint], self.name(joint), error.reason));
            }
        }
        if failed.is_empty() {
            return Ok(());
        }
        let reason = format!("not confirmed by servo {}", failed.join(", servo "));
        Err(DriverError::new("taking torque off", reason))
    }

    /// Hears from one servo that it has no torque; tells it once more if it has.
    fn power_down_one(&mut self, joint: usize) -> Result<(), DriverError> {
        if self.has_torque(joint)? {
            let id = self.ids[joint];
            self.bus_for_one()?.write(id, TORQUE_ENABLE, &[0])?;
            if self.has_torque(joint)? {
                return Err(DriverError::new("taking torque off", format!("{} stays on", TORQUE_ENABLE.name)));
            }
        }
        Ok(())
    }

    fn has_torque(&mut self, joint: usize) -> Result<bool, DriverError> {
        let id = self.ids[joint];
        Ok(self.bus_for_one()?.read(id, TORQUE_ENABLE)?.0 != [0])
    }

    /// The bus, with the time for one question to one servo.
    fn bus_for_one(&mut self) -> Result<&mut Bus, DriverError> {
        let single_secs = self.timing.single_secs;
        let Some(bus) = &mut self.bus else {
            return Err(DriverError::new("taking torque off", "the port is gone"));
        };
        bus.allow(single_secs + QUIET_SECS, single_secs);
        Ok(bus)
    }

    /// Finds out who is there, if that is not known, and sets up every servo that is not. Torque is off.
    pub(super) fn set_up_again(&mut self) -> Result<(), DriverError> {
        if self.identity.is_some() && self.ready.iter().all(|ready| *ready) {
            return Ok(());
        }
        if self.torque != Torque::Off {
            let reason = "not every servo has confirmed that it has no torque";
            return Err(DriverError::new("setting up the servos", reason));
        }
        self.setup_retry.refuse_before(self.clock.now())?;
        let done = self.set_up_all();
        self.setup_retry.note(done, self.clock.now(), SETUP_RETRY_SECS)
    }

    fn set_up_all(&mut self) -> Result<(), DriverError> {
        if self.identity.is_none() {
            self.find_out()?;
        }
        for joint in 0..self.ids.len() {
            if !self.ready[joint] {
                self.set_up(joint)?;
            }
        }
        Ok(())
    }

    fn set_up(&mut self, joint: usize) -> Result<(), DriverError> {
        let (id, name) = (self.ids[joint], self.name(joint).to_owned());
        let Some(bus) = &mut self.bus else {
            return Err(DriverError::new("setting up the servos", "the bus is not connected"));
        };
        setup::set_up(bus, &name, id, self.strengths[joint], self.timing)?;
        self.ready[joint] = true;
        Ok(())
    }

    /// Gives torque where the joints stand, so that nothing jumps: goals are the present positions, read just now, and
    /// currents are as wanted, and the servos' own watchdog is set, before the first servo has torque: whenever this program
    /// dies, what has torque stops by itself.
    pub(super) fn engage(&mut self, effort_scales: &[f32]) -> Result<(), DriverError> {
        self.torque = Torque::Unknown;
        let (ids, count) = (self.ids.clone(), self.ids.len());
        let currents = self.currents(effort_scales);
        let watchdog = vec![vec![self.settings.bus_watchdog]; count];
        let bus = self.bus_for(ENGAGE_TURNS * self.timing.period_secs)?;
        let present: Vec<Vec<u8>> =
            bus.sync_read(&ids, PRESENT)?.into_iter().map(|(data, _)| data[6..10].to_vec()).collect();
        for (register, wanted) in [
            (GOAL_POSITION, present),
            (GOAL_CURRENT, currents),
            (BUS_WATCHDOG, watchdog),
            (TORQUE_ENABLE, vec![vec![1]; count]),
        ] {
            bus.sync_write(&ids, register, &wanted)?;
            let found = bus.sync_read(&ids, register)?;
            let odd = (0..count).find(|joint| found[*joint].0 != wanted[*joint]);
            if let Some(joint) = odd {
                let (expected, found) = (unsigned(&wanted[joint]), unsigned(&found[joint].0));
                return Err(self.odd(joint, register, expected, found));
            }
        }
        self.torque = Torque::On;
        self.suspicious = false;
        Ok(())
    }

    fn odd(&mut self, joint: usize, register: Register, expected: u32, found: u32) -> DriverError {
        // Whatever made it so: set up from the beginning.
        self.ready[joint] = false;
        let reason = format!("{} is {found}, expected {expected}", register.name);
        DriverError::new(format!("giving torque to servo {} ({})", self.ids[joint], self.name(joint)), reason)
    }

    /// Refuses to go on after a silence in which the servos' own watchdogs stopped them: their goals are locked, and a
    /// sync write is not told so.
    pub(super) fn check_watchdog(&mut self) -> Result<(), DriverError> {
        let limit_secs = WATCHDOG_UNIT_SECS * f64::from(self.settings.bus_watchdog);
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
            let attempted = format!("reading servo {} ({})", ids[joint], self.name(joint));
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
        (self.port_retry, self.setup_retry) = (Retry::default(), Retry::default());
        self.reopen()?;
        if self.torque != Torque::Off {
            self.power_down()?;
        }
        if self.identity.is_none() {
            self.find_out()?;
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
        let (id, name) = (self.ids[joint], self.name(joint).to_owned());
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
                let attempted = format!("restarting servo {id} ({}), {}", self.name(joint), HARDWARE_ERROR.name);
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
        let attempt_secs = SLOW_SECS.max(self.timing.single_secs);
        bus.allow(2.0 * attempt_secs, attempt_secs);
        Ok(bus)
    }
}
