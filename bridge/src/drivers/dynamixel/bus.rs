//! Transactions on the servo bus: bounded in time and number, with an error that names the servo.

use super::port::BoundedPort;
use super::registers::{Register, TORQUE_ENABLE};
use super::timing::QUIET_SECS;
use crate::clock::{Clock, after};
use crate::driver::DriverError;
use giraffe_robots::Nanos;
use rustypot::{DynamixelProtocolHandler, StatusError, SyncReadError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How often a transaction is tried, first time included.
const ATTEMPTS: u32 = 3;
/// So often "torque off" is said where nobody can be asked yet whether it was heard.
const BLIND_REPEATS: u32 = 3;
/// Longest that saying it may take, s.
const BLIND_SECS: f64 = 0.05;
/// So many fast sync reads fail, while plain ones succeed, until only plain ones are used.
const FAST_FAILURES: u32 = 3;

/// What a servo answered, and whether it set the alert bit.
pub(super) type Answer = (Vec<u8>, bool);

/// The servo bus behind one port.
pub(super) struct Bus {
    port: BoundedPort,
    path: PathBuf,
    protocol: DynamixelProtocolHandler,
    clock: Arc<dyn Clock>,
    /// All that is under way ends by then.
    deadline: Nanos,
    /// Longest one attempt may take, s.
    attempt_secs: f64,
    fast_failures: u32,
    last_instruction: Nanos,
}

impl Bus {
    /// Opens the port. Says nothing on it.
    ///
    /// # Errors
    /// When the port cannot be opened.
    pub(super) fn open(path: &Path, baud: u32, clock: Arc<dyn Clock>) -> Result<Self, DriverError> {
        Ok(Self {
            port: BoundedPort::open(path, baud, Arc::clone(&clock))?,
            path: path.to_owned(),
            protocol: DynamixelProtocolHandler::v2(),
            deadline: Nanos(0),
            attempt_secs: 0.0,
            fast_failures: 0,
            last_instruction: clock.now(),
            clock,
        })
    }

    /// Opens the port and tells `ids` to let go, before anything is asked of anybody: servos may still push for a program that
    /// died, and whatever else is wrong with them, those that hear this stop. Whether they did is to be asked afterwards.
    ///
    /// # Errors
    /// When the port cannot be opened, or nothing can be said on it.
    pub(super) fn open_and_let_go(
        path: &Path,
        baud: u32,
        ids: &[u8],
        clock: Arc<dyn Clock>,
    ) -> Result<Self, DriverError> {
        let mut bus = Self::open(path, baud, clock)?;
        bus.let_go_unheard(ids)?;
        Ok(bus)
    }

    /// Tells servos to let go, several times, and waits for no answer.
    ///
    /// # Errors
    /// When nothing can be said on the port.
    pub(super) fn let_go_unheard(&mut self, ids: &[u8]) -> Result<(), DriverError> {
        if ids.is_empty() {
            return Ok(());
        }
        self.allow(BLIND_SECS, BLIND_SECS);
        (0..BLIND_REPEATS).try_for_each(|_| self.sync_write(ids, TORQUE_ENABLE, &vec![vec![0]; ids.len()]))
    }

    /// Whether answers of several servos may be asked for in one packet.
    pub(super) fn allow_fast_reads(&mut self, allow: bool) {
        self.fast_failures = if allow { 0 } else { FAST_FAILURES };
    }

    /// Everything until the next call of this ends within `secs`, each attempt within `attempt_secs`.
    pub(super) fn allow(&mut self, secs: f64, attempt_secs: f64) {
        self.deadline = after(self.clock.now(), secs);
        self.attempt_secs = attempt_secs;
    }

    /// Seconds left of what was allowed.
    pub(super) fn left_secs(&self) -> f64 {
        self.deadline.secs_since(self.clock.now())
    }

    /// When something was last said on the bus.
    pub(super) fn last_instruction(&self) -> Nanos {
        self.last_instruction
    }

    /// Whether the port itself is gone.
    pub(super) fn is_gone(&self) -> bool {
        self.port.gone().is_some()
    }

    /// Reads a register of one servo.
    ///
    /// # Errors
    /// When it does not answer properly; names it.
    pub(super) fn read(&mut self, id: u8, register: Register) -> Result<Answer, DriverError> {
        let attempted = || format!("reading {} of servo {id}", register.name);
        let read = |bus: &mut Self| {
            let (data, status) = bus.protocol.read_with_error(&mut bus.port, id, register.address, register.length)?;
            answer(data, status, register)
        };
        self.try_often(attempted, |bus, _| read(bus))
    }

    /// Writes a register of one servo, which confirms.
    ///
    /// # Errors
    /// When it does not answer, or refuses.
    pub(super) fn write(&mut self, id: u8, register: Register, data: &[u8]) -> Result<(), DriverError> {
        let attempted = || format!("writing {} of servo {id}", register.name);
        self.try_often(attempted, |bus, _| {
            let status = bus.protocol.write_with_error(&mut bus.port, id, register.address, data)?;
            check(status)
        })
    }

    /// Restarts one servo.
    ///
    /// # Errors
    /// When it does not answer.
    pub(super) fn reboot(&mut self, id: u8) -> Result<(), DriverError> {
        self.try_often(
            || format!("restarting servo {id}"),
            |bus, _| match bus.protocol.reboot(&mut bus.port, id)? {
                true => Ok(()),
                false => Err("it does not answer".into()),
            },
        )
    }

    /// Reads a register of many servos, in their order.
    ///
    /// # Errors
    /// When one of them does not answer properly; names it.
    pub(super) fn sync_read(&mut self, ids: &[u8], register: Register) -> Result<Vec<Answer>, DriverError> {
        let attempted = || format!("reading {} of {} servos", register.name, ids.len());
        self.try_often(attempted, |bus, attempt| {
            // A fast answer with a stuffed or broken byte is asked for again the plain way.
            let fast = bus.fast_failures < FAST_FAILURES && attempt == 0;
            bus.protocol.set_fast_sync_read(fast);
            let read = bus.protocol.sync_read_with_error(&mut bus.port, ids, register.address, register.length);
            match (&read, fast) {
                (Ok(_), true) => bus.fast_failures = 0,
                // Only where the plain way works does it say something of the fast one.
                (Ok(_), false) if attempt > 0 => bus.fast_failures += 1,
                _ => {}
            }
            // A packet of many that breaks off says nothing of who broke it off.
            let read = if fast { read.map_err(|error| unnamed(error.as_ref())) } else { read };
            read?.into_iter().map(|(data, status)| answer(data, status, register)).collect()
        })
    }

    /// Writes a register of many servos. None of them confirms.
    ///
    /// # Errors
    /// When the port cannot be written.
    pub(super) fn sync_write(&mut self, ids: &[u8], register: Register, data: &[Vec<u8>]) -> Result<(), DriverError> {
        let attempted = || format!("writing {} of {} servos", register.name, ids.len());
        self.try_often(attempted, |bus, _| bus.protocol.sync_write(&mut bus.port, ids, register.address, data))
    }

    /// Tries up to three times within what is allowed.
    fn try_often<T>(
        &mut self,
        attempted: impl Fn() -> String,
        mut transaction: impl FnMut(&mut Self, u32) -> Result<T, Box<dyn std::error::Error>>,
    ) -> Result<T, DriverError> {
        let mut reason = "no time was left for it".to_owned();
        let mut attempt = 0;
        while attempt < ATTEMPTS && self.left_secs() > 0.0 && !self.is_gone() {
            let now = self.clock.now();
            self.port.until(after(now, self.attempt_secs.min(self.left_secs())));
            self.last_instruction = now;
            match transaction(self, attempt) {
                Ok(done) => return Ok(done),
                Err(error) => {
                    reason = in_words(error.as_ref());
                    // Else each question could go on getting the answer to the one before.
                    self.port.until(self.deadline);
                    self.port.settle(QUIET_SECS);
                }
            }
            attempt += 1;
        }
        if let Some(gone) = self.port.gone() {
            let port = self.path.display();
            reason = format!("port {port} is gone ({gone}): plug it in again and clear faults");
        } else if attempt > 0 {
            reason = format!("{reason} ({attempt} attempts)");
        }
        Err(DriverError::new(attempted(), reason))
    }
}

fn answer(data: Vec<u8>, status: StatusError, register: Register) -> Result<Answer, Box<dyn std::error::Error>> {
    check(status)?;
    if data.len() != usize::from(register.length) {
        return Err(format!("{} bytes came, expected {}", data.len(), register.length).into());
    }
    Ok((data, status.v2_alert()))
}

/// Refuses a status with an error number in it. The alert bit alone is no refusal.
fn check(status: StatusError) -> Result<(), Box<dyn std::error::Error>> {
    let reason = match status.v2_instruction_error() {
        0 => return Ok(()),
        1 => "it failed",
        2 => "the instruction is unknown to it",
        3 => "the instruction came broken",
        4 => "the value is out of range, or its Bus Watchdog has locked its goals",
        5 => "the value has the wrong length",
        6 => "the value is beyond a limit in its EEPROM",
        7 => "it may not be written: EEPROM with torque on, or read only",
        _ => "for a reason this driver does not know",
    };
    Err(format!("refused with error {}: {reason}", status.v2_instruction_error()).into())
}

/// The cause of a failure without the servo it is said to be of.
fn unnamed(error: &(dyn std::error::Error + 'static)) -> Box<dyn std::error::Error> {
    let cause =
        error.downcast_ref::<SyncReadError>().map_or_else(|| in_words(error), |read| in_words(read.cause.as_ref()));
    format!("one answer of all of them: {cause}").into()
}

fn in_words(error: &(dyn std::error::Error + 'static)) -> String {
    match error.downcast_ref::<SyncReadError>() {
        Some(SyncReadError { id, cause }) => format!("servo {id}: {}", in_words(cause.as_ref())),
        None => {
            let text = error.to_string();
            let silent = text == "Timeout error" || error.downcast_ref::<std::io::Error>().is_some_and(is_timeout);
            if silent { "no answer in time".to_owned() } else { text }
        }
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::TimedOut | std::io::ErrorKind::UnexpectedEof)
}
