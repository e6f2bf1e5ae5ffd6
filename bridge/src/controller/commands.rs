//! Commands: the rules of PROTOCOL.md section 5, in their order.

use super::{FAILURES_IN_A_ROW, Pending, ServerCore};
use crate::fault::Fault;
use crate::message::{Command, Role};
use crate::security::Sender;
use crate::watchdog::Mode;
use crate::wire::{Head, WireError, decode};
use giraffe_robots::Nanos;

/// What became of a command.
#[derive(Debug, Clone, PartialEq)]
pub enum CommandVerdict {
    /// It will be applied at the next tick, unless a newer one comes first.
    Accepted,
    /// It was dropped.
    Dropped(DroppedCommand),
}

/// Why a command was dropped.
#[derive(Debug, Clone, PartialEq)]
pub struct DroppedCommand {
    /// Its `seq`, 0 if unknown.
    pub seq: u64,
    /// Code of the protocol.
    pub code: &'static str,
    /// In words.
    pub detail: String,
    /// Whether its session is the one in force, so that its sender is owed an answer in lock-step.
    pub from_commander: bool,
}

impl ServerCore {
    /// Takes in a message of the `cmd` socket. What an observer sends there is not even decoded.
    pub fn on_cmd(&mut self, sender: &Sender, bytes: &[u8], now: Nanos) -> CommandVerdict {
        self.let_time_pass(now);
        let checked = match sender.role() {
            Role::Commander => self.check_command(sender, bytes, now),
            Role::Observer => {
                let detail = format!("`{}` is an observer and may not command", sender.name());
                Err(DroppedCommand { seq: 0, code: "NOT_AUTHORIZED", detail, from_commander: false })
            }
        };
        match checked {
            Ok(pending) => {
                self.arrivals.note(pending.0.seq);
                self.accept(pending, now);
                self.counters.gap = self.arrivals.missing();
                CommandVerdict::Accepted
            }
            Err(drop) => {
                if drop.from_commander && self.arrivals.note(drop.seq) {
                    self.counters.rejected += 1;
                }
                self.counters.gap = self.arrivals.missing();
                self.count(&drop, now);
                CommandVerdict::Dropped(drop)
            }
        }
    }

    fn check_command(&self, sender: &Sender, bytes: &[u8], now: Nanos) -> Result<(Head, Command), DroppedCommand> {
        let (head, command) = decode::<Command>(bytes).map_err(|error| {
            let code = if matches!(error, WireError::Version { .. }) { "VERSION" } else { "MALFORMED" };
            DroppedCommand { seq: 0, code, detail: error.to_string(), from_commander: false }
        })?;
        let Some(session) = self.session.as_ref().filter(|session| session.sid == head.sid) else {
            let detail = format!("session {} is not in force", head.sid);
            return Err(DroppedCommand { seq: head.seq, code: "SESSION", detail, from_commander: false });
        };
        // Everybody who reads `state` knows the number of the session: it proves nothing.
        if !session.sender.is_same_as(sender) {
            let detail = format!("`{}` did not open this session, `{}` did", sender.name(), session.sender.name());
            return Err(DroppedCommand { seq: head.seq, code: "NOT_COMMANDER", detail, from_commander: false });
        }
        let drop = |code, detail| Err(DroppedCommand { seq: head.seq, code, detail, from_commander: true });
        if head.seq <= session.last_seq {
            return drop("SEQUENCE", format!("seq {} after {}", head.seq, session.last_seq));
        }
        let count = self.spec.robot.joint_count();
        if command.q.len() != count {
            return drop("SHAPE", format!("{} targets for {count} joints", command.q.len()));
        }
        if let Some(joint) = command.q.iter().position(|target| !target.is_finite()) {
            let name = &self.spec.robot.joints[joint].name;
            return drop("NOT_FINITE", format!("target of joint `{name}` is not a finite number"));
        }
        if command.episode != self.episode {
            return drop("EPISODE", format!("episode {}, present is {}", command.episode, self.episode));
        }
        if session.lockstep {
            if command.tick != self.tick + 1 {
                return drop("TICK", format!("tick {}, next is {}", command.tick, self.tick + 1));
            }
            if self.mode() != Mode::Active {
                return drop("NOT_ACTIVE", format!("the mode is `{}`: {}", self.mode().name(), self.why));
            }
        } else if let Err(detail) = self.check_age(&command, session.last_state_seq, now) {
            return drop("STALE", detail);
        }
        Ok((head, command))
    }

    fn check_age(&self, command: &Command, last_state_seq: u64, now: Nanos) -> Result<(), String> {
        // States are numbered from 1: a command from before the first state comes from nothing.
        let last_state_seq = last_state_seq.max(1);
        if command.state_seq < last_state_seq || command.state_seq > self.state_seq {
            return Err(format!("state_seq {}, expected {last_state_seq} to {}", command.state_seq, self.state_seq));
        }
        let age_secs = now.secs_since(Nanos(command.t_state));
        if age_secs < 0.0 || age_secs > self.spec.max_age_secs {
            let most = self.spec.max_age_secs;
            return Err(format!("computed from a state {age_secs:.3} s old, at most {most:.3} s are allowed"));
        }
        Ok(())
    }

    fn accept(&mut self, (head, command): (Head, Command), now: Nanos) {
        if let Some(session) = &mut self.session {
            session.last_seq = head.seq;
            session.last_state_seq = command.state_seq;
        }
        self.renew_lease(now);
        self.counters.accepted += 1;
        self.not_finite_in_a_row = 0;
        self.shape_in_a_row = 0;
        let tolerance = self.spec.start_tol_rad;
        let near_start = self
            .start_rad()
            .is_some_and(|start| start.iter().zip(&command.q).all(|(at, wanted)| (at - wanted).abs() <= tolerance));
        let before = self.mode();
        // A latched fault keeps the hand held however fresh commands are: `hold_for` made that hold final.
        self.watchdog.command(now, near_start);
        if self.mode() == Mode::Active {
            if before != Mode::Active {
                self.faults.clear_passing();
                tracing::info!("commands are back in time");
            }
            if self.pending.is_some() {
                self.counters.superseded += 1;
            }
            self.pending = Some(Pending { q: command.q, seq: head.seq, t_state: command.t_state });
        } else {
            self.counters.unfollowed += 1;
        }
    }

    fn count(&mut self, drop: &DroppedCommand, now: Nanos) {
        match drop.code {
            "NOT_AUTHORIZED" | "NOT_COMMANDER" => self.counters.unauthorised += 1,
            "MALFORMED" | "VERSION" | "SESSION" => self.counters.bad += 1,
            "SHAPE" => {
                self.counters.bad += 1;
                self.shape_in_a_row += 1;
                if self.shape_in_a_row == FAILURES_IN_A_ROW {
                    self.command_fault(Fault::CommandShape, drop, now);
                }
            }
            "NOT_FINITE" => {
                self.counters.bad += 1;
                self.not_finite_in_a_row += 1;
                if self.not_finite_in_a_row == FAILURES_IN_A_ROW {
                    self.command_fault(Fault::CommandNotFinite, drop, now);
                }
            }
            other => {
                self.counters.stale += 1;
                let fault = if other == "SEQUENCE" { Fault::CommandSequence } else { Fault::CommandStale };
                self.faults.raise(fault);
            }
        }
        tracing::debug!(seq = drop.seq, code = drop.code, detail = drop.detail, "command dropped");
    }

    fn command_fault(&mut self, fault: Fault, drop: &DroppedCommand, now: Nanos) {
        self.faults.raise(fault);
        self.hold_for(format!("{}: {FAILURES_IN_A_ROW} commands in a row: {}", fault.name(), drop.detail), now);
    }
}
