//! Commands: the rules of PROTOCOL.md section 5, in their order.

use super::link::Pending;
use super::{FAILURES_IN_A_ROW, ServerCore};
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
    /// It would have been accepted, and a link that is simulated lost it: the controller never heard of it.
    Lost,
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
        self.on_cmd_over(|| false, sender, bytes, now)
    }

    /// The same over a link that may lose commands, as a simulator says: asked of each that would be accepted. One that is
    /// lost is not counted, ends no silence and renews no lease; the number that is missing is found when the next one comes.
    pub fn on_cmd_over(
        &mut self,
        loses: impl FnOnce() -> bool,
        sender: &Sender,
        bytes: &[u8],
        now: Nanos,
    ) -> CommandVerdict {
        self.let_time_pass(now);
        let checked = match sender.role() {
            Role::Commander => self.check_command(sender, bytes, now),
            Role::Observer => {
                let detail = format!("`{}` is an observer and may not command", sender.name());
                Err(DroppedCommand { seq: 0, code: "NOT_AUTHORIZED", detail, from_commander: false })
            }
        };
        match checked {
            Ok(_) if loses() => CommandVerdict::Lost,
            Ok((head, command)) => {
                self.accept(&head, command, now);
                CommandVerdict::Accepted
            }
            Err(dropped) => {
                self.link.note_dropped(&dropped);
                self.take_drop(&dropped, now);
                CommandVerdict::Dropped(dropped)
            }
        }
    }

    fn check_command(&self, sender: &Sender, bytes: &[u8], now: Nanos) -> Result<(Head, Command), DroppedCommand> {
        let (head, command) = decode::<Command>(bytes).map_err(|error| {
            let code = if matches!(error, WireError::Version { .. }) { "VERSION" } else { "MALFORMED" };
            DroppedCommand { seq: 0, code, detail: error.to_string(), from_commander: false }
        })?;
        let Some(session) = self.link.session.as_ref().filter(|session| session.sid == head.sid) else {
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
        if command.episode != self.episode.number {
            return drop("EPISODE", format!("episode {}, present is {}", command.episode, self.episode.number));
        }
        if session.lockstep {
            if command.tick != self.episode.tick + 1 {
                return drop("TICK", format!("tick {}, next is {}", command.tick, self.episode.tick + 1));
            }
            if self.mode() != Mode::Active {
                return drop("NOT_ACTIVE", format!("the mode is `{}`: {}", self.mode().name(), self.safety.why));
            }
        } else if let Err(detail) = self.check_age(&command, session.last_state_seq, now) {
            return drop("STALE", detail);
        }
        Ok((head, command))
    }

    fn check_age(&self, command: &Command, last_state_seq: u64, now: Nanos) -> Result<(), String> {
        // States are numbered from 1: a command from before the first state comes from nothing.
        let last_state_seq = last_state_seq.max(1);
        if command.state_seq < last_state_seq || command.state_seq > self.link.seqs.state {
            let newest = self.link.seqs.state;
            return Err(format!("state_seq {}, expected {last_state_seq} to {newest}", command.state_seq));
        }
        let age_secs = now.secs_since(Nanos(command.t_state));
        if age_secs < 0.0 || age_secs > self.spec.max_age_secs {
            let most = self.spec.max_age_secs;
            return Err(format!("computed from a state {age_secs:.3} s old, at most {most:.3} s are allowed"));
        }
        Ok(())
    }

    fn accept(&mut self, head: &Head, command: Command, now: Nanos) {
        self.link.note_accepted(head.seq, command.state_seq, self.lease_from(now));
        let tolerance = self.spec.start_tol_rad;
        let start = self.safety.start_rad(self.body.measured.as_ref());
        let near_start = start
            .is_some_and(|start| start.iter().zip(&command.q).all(|(at, wanted)| (at - wanted).abs() <= tolerance));
        let before = self.mode();
        // A latched fault keeps the hand held however fresh commands are: `hold_for` made that hold final.
        self.safety.watchdog.command(now, near_start);
        if self.mode() == Mode::Active {
            if before != Mode::Active {
                self.safety.faults.clear_passing();
                tracing::info!("commands are back in time");
            }
            self.link.put_pending(Pending { q: command.q, seq: head.seq, t_state: command.t_state });
        } else {
            self.link.counters.unfollowed += 1;
        }
    }

    /// Counts what was dropped, by its reason, and raises the fault that follows from it.
    fn take_drop(&mut self, dropped: &DroppedCommand, now: Nanos) {
        let link = &mut self.link;
        match dropped.code {
            "NOT_AUTHORIZED" | "NOT_COMMANDER" => link.counters.unauthorised += 1,
            "MALFORMED" | "VERSION" | "SESSION" => link.counters.bad += 1,
            "SHAPE" => {
                link.counters.bad += 1;
                link.odd.shape += 1;
                if link.odd.shape == FAILURES_IN_A_ROW {
                    self.command_fault(Fault::CommandShape, dropped, now);
                }
            }
            "NOT_FINITE" => {
                link.counters.bad += 1;
                link.odd.not_finite += 1;
                if link.odd.not_finite == FAILURES_IN_A_ROW {
                    self.command_fault(Fault::CommandNotFinite, dropped, now);
                }
            }
            other => {
                link.counters.stale += 1;
                let fault = if other == "SEQUENCE" { Fault::CommandSequence } else { Fault::CommandStale };
                self.safety.faults.raise(fault);
            }
        }
        tracing::debug!(seq = dropped.seq, code = dropped.code, detail = dropped.detail, "command dropped");
    }

    fn command_fault(&mut self, fault: Fault, dropped: &DroppedCommand, now: Nanos) {
        self.safety.faults.raise(fault);
        self.hold_for(format!("{}: {FAILURES_IN_A_ROW} commands in a row: {}", fault.name(), dropped.detail), now);
    }
}
