//! What the motors do, as a state machine over time that is handed in. PROTOCOL.md section 6.

use crate::clock::after;
use giraffe_robots::{Nanos, SafetySpec};

/// What the motors do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// No torque.
    Off,
    /// The controller's own motion.
    Homing,
    /// Held at a known position.
    Ready,
    /// Following commands.
    Active,
    /// Held, effort reduced.
    Hold,
    /// Creeping to the measured angles.
    Relax,
    /// No torque: the hardware failed.
    Fault,
    /// No torque: somebody said so.
    Estop,
    /// Only as published: there shall be no torque, and not every servo has confirmed that it has none.
    Releasing,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Mode; 9] = [
        Mode::Off,
        Mode::Homing,
        Mode::Ready,
        Mode::Active,
        Mode::Hold,
        Mode::Relax,
        Mode::Fault,
        Mode::Estop,
        Mode::Releasing,
    ];

    /// The mode of this name on the wire.
    pub fn named(name: &str) -> Option<Mode> {
        Mode::ALL.into_iter().find(|mode| mode.name() == name)
    }

    /// As on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Off => "off",
            Mode::Homing => "homing",
            Mode::Ready => "ready",
            Mode::Active => "active",
            Mode::Hold => "hold",
            Mode::Relax => "relax",
            Mode::Fault => "fault",
            Mode::Estop => "estop",
            Mode::Releasing => "releasing",
        }
    }

    /// Whether the motors are to push. In [`Mode::Releasing`] they are not, and may.
    pub fn has_torque(self) -> bool {
        matches!(self, Mode::Homing | Mode::Ready | Mode::Active | Mode::Hold | Mode::Relax)
    }
}

/// Timers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WatchdogSpec {
    /// Seconds without an accepted command before a hold.
    pub hold_after_secs: f64,
    /// Seconds of hold before relaxing.
    pub relax_after_secs: f64,
    /// Seconds of relaxing before torque is off.
    pub off_after_secs: f64,
    /// A fresh command ends a hold only this long.
    pub rearm_after_secs: f64,
    /// Commands must have come for this long before an arm from a position the controller did not choose.
    pub stream_secs: f64,
}

impl WatchdogSpec {
    /// What the description of a hand asks for; the rest as in the protocol.
    pub fn of(safety: &SafetySpec) -> Self {
        Self {
            hold_after_secs: f64::from(safety.hold_after_secs),
            relax_after_secs: f64::from(safety.relax_after_secs),
            off_after_secs: f64::from(safety.off_after_secs),
            rearm_after_secs: 1.0,
            stream_secs: 0.5,
        }
    }
}

/// Why the hand is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HoldCause {
    Silence,
    /// Asked for, or a command fault: only an arm ends it.
    Latched,
}

/// The state machine.
#[derive(Debug, Clone)]
pub struct Watchdog {
    spec: WatchdogSpec,
    mode: Mode,
    entered: Nanos,
    cause: HoldCause,
    last_command: Option<Nanos>,
    stream_start: Option<Nanos>,
    suspended: bool,
}

impl Watchdog {
    /// Off.
    pub fn new(spec: WatchdogSpec, now: Nanos) -> Self {
        Self {
            spec,
            mode: Mode::Off,
            entered: now,
            cause: HoldCause::Latched,
            last_command: None,
            stream_start: None,
            suspended: false,
        }
    }

    /// What the motors do.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Timers in force.
    pub fn spec(&self) -> &WatchdogSpec {
        &self.spec
    }

    /// Another silence before a hold, for this session.
    pub fn set_hold_after(&mut self, secs: f64) {
        self.spec.hold_after_secs = secs;
    }

    /// Lock-step: no time passes without a command, so silence means nothing.
    pub fn suspend(&mut self, suspended: bool) {
        self.suspended = suspended;
    }

    fn enter(&mut self, mode: Mode, at: Nanos) {
        self.mode = mode;
        self.entered = at;
        if mode != Mode::Active {
            self.stream_start = None;
        }
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Nanos) {
        if self.suspended {
            return;
        }
        // Each transition happens when it was due, not when it was noticed: a process that was stopped for long
        // finds itself where a running one would be.
        loop {
            let (next, due) = match self.mode {
                Mode::Active => {
                    (Mode::Hold, after(self.last_command.unwrap_or(self.entered), self.spec.hold_after_secs))
                }
                Mode::Hold => (Mode::Relax, after(self.entered, self.spec.relax_after_secs)),
                Mode::Relax => (Mode::Off, after(self.entered, self.spec.off_after_secs)),
                _ => return,
            };
            if now <= due {
                return;
            }
            if next == Mode::Hold {
                self.cause = HoldCause::Silence;
            }
            self.enter(next, due);
        }
    }

    /// A command was accepted. `near_start`: it asks for (nearly) the position a motion would start from.
    pub fn command(&mut self, now: Nanos, near_start: bool) {
        self.tick(now);
        let gap = self.last_command.is_none_or(|last| now > after(last, self.spec.hold_after_secs));
        self.last_command = Some(now);
        if self.mode == Mode::Active {
            return;
        }
        let short = now <= after(self.entered, self.spec.rearm_after_secs);
        if self.mode == Mode::Hold && self.cause == HoldCause::Silence && short {
            self.enter(Mode::Active, now);
            return;
        }
        match (near_start, gap) {
            (false, _) => self.stream_start = None,
            (true, true) => self.stream_start = Some(now),
            (true, false) => {
                self.stream_start.get_or_insert(now);
            }
        }
    }

    /// Follow commands from now on.
    ///
    /// # Errors
    /// What is missing, in words.
    pub fn arm(&mut self, now: Nanos) -> Result<(), String> {
        self.tick(now);
        match self.mode {
            Mode::Active => return Ok(()),
            Mode::Ready => {}
            Mode::Off | Mode::Hold | Mode::Relax => self.streamed_enough(now)?,
            Mode::Homing | Mode::Fault | Mode::Estop | Mode::Releasing => {
                return Err(format!("the mode is `{}`", self.mode.name()));
            }
        }
        self.enter(Mode::Active, now);
        // The silence clock starts now, whether or not commands came before.
        self.last_command = Some(now);
        Ok(())
    }

    fn streamed_enough(&self, now: Nanos) -> Result<(), String> {
        let needed = self.spec.stream_secs;
        let ms = |secs: f64| (secs * 1e3).round();
        let silent = self.last_command.is_none_or(|last| now > after(last, self.spec.hold_after_secs));
        let streamed = match self.stream_start {
            Some(start) if !silent => now.secs_since(start),
            _ => 0.0,
        };
        if streamed >= needed {
            return Ok(());
        }
        Err(format!(
            "from mode `{}` commands near the present position must have been streaming for {} ms without a gap of \
             {} ms; they have for {} ms",
            self.mode.name(),
            ms(needed),
            ms(self.spec.hold_after_secs),
            ms(streamed)
        ))
    }

    /// The controller put the hand at a known position and holds it there.
    pub fn ready(&mut self, now: Nanos) {
        self.enter(Mode::Ready, now);
        self.last_command = None;
    }

    /// The controller moves the hand by itself.
    pub fn home(&mut self, now: Nanos) {
        self.enter(Mode::Homing, now);
    }

    /// Hold until armed anew. Where there is no torque there is nothing to hold.
    pub fn hold(&mut self, now: Nanos) {
        self.tick(now);
        if matches!(self.mode, Mode::Active | Mode::Ready | Mode::Homing | Mode::Hold) {
            self.cause = HoldCause::Latched;
            if self.mode != Mode::Hold {
                self.enter(Mode::Hold, now);
            }
        }
        self.stream_start = None;
    }

    /// Torque off.
    pub fn stop(&mut self, now: Nanos) {
        if !matches!(self.mode, Mode::Fault | Mode::Estop) {
            self.enter(Mode::Off, now);
        }
    }

    /// Torque off, because somebody said so.
    pub fn estop(&mut self, now: Nanos) {
        self.enter(Mode::Estop, now);
    }

    /// Torque off, because the hardware failed.
    pub fn fault(&mut self, now: Nanos) {
        if self.mode != Mode::Estop {
            self.enter(Mode::Fault, now);
        }
    }

    /// The causes of faults are gone.
    pub fn clear(&mut self, now: Nanos) {
        if matches!(self.mode, Mode::Fault | Mode::Estop) {
            self.enter(Mode::Off, now);
        }
    }

    /// A new session: commands of the old one count for nothing.
    pub fn forget_commands(&mut self) {
        self.stream_start = None;
        if self.mode != Mode::Active {
            self.last_command = None;
        }
    }
}
