//! Requests on `ctl`: PROTOCOL.md sections 3 and 4.

use super::ServerCore;
use super::link::OddInARow;
use crate::driver::Calibrated;
use crate::fault::{Fault, FaultSet};
use crate::handshake::Objection;
use crate::message::{Granted, Pong, Refusal, Reset, TOLD_TO_STOP};
use crate::security::Sender;
use crate::watchdog::Mode;
use crate::wire::{Head, VERSION, decode, decode_head};
use giraffe_robots::Nanos;

/// What is to be done about a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Nothing: it was no message.
    Dropped,
    /// Send this.
    Reply(Vec<u8>),
    /// It was a ping: send this pong, then publish state and pose once more.
    Pong(Vec<u8>),
    /// Have the driver start this episode, then call [`ServerCore::on_reset_done`] or
    /// [`ServerCore::on_reset_failed`].
    Reset {
        /// Request to answer.
        re: u64,
        /// Opaque parameters.
        episode: Vec<u8>,
    },
    /// Have the driver do what [`ServerCore::on_tick`] orders now, then call [`ServerCore::on_settled`]: what is answered has
    /// happened.
    Settle {
        /// Request to answer.
        re: u64,
    },
    /// There shall be no torque: have the driver take it off and end the servos' alarms, then call [`ServerCore::on_alarms_cleared`].
    ClearAlarms {
        /// Request to answer.
        re: u64,
    },
}

impl ServerCore {
    /// Takes in a message of the `ctl` socket.
    pub fn on_ctl(&mut self, sender: &Sender, bytes: &[u8], now: Nanos) -> Request {
        self.let_time_pass(now);
        let Ok(head) = decode_head(bytes) else {
            self.link.counters.bad += 1;
            return Request::Dropped;
        };
        if head.v != VERSION {
            self.link.counters.bad += 1;
            let detail = format!("version {} asked, spoken here: {VERSION}", head.v);
            return Request::Reply(match head.t.as_str() {
                "hello" => self.reject(head.seq, Objection::new("VERSION", detail), now),
                _ => self.refusal(head.seq, "VERSION", &detail, now),
            });
        }
        let is_commander = self.link.is_commander(sender, head.sid);
        if is_commander {
            self.link.renew_lease(self.lease_from(now));
        }
        match head.t.as_str() {
            "hello" => Request::Reply(self.on_hello(sender, bytes, &head, now)),
            "ping" => {
                let sid = self.sid();
                let pong = Pong { re: head.seq, t0: head.ts, t1: now.0, t2: now.0 };
                Request::Pong(self.link.reply(sid, now, &pong))
            }
            "stop" => {
                self.safety.watchdog.stop(now);
                self.link.drop_pending();
                if self.mode() == Mode::Off {
                    self.safety.why = TOLD_TO_STOP.to_owned();
                }
                Request::Settle { re: head.seq }
            }
            "estop" => {
                self.emergency_stop(now);
                Request::Settle { re: head.seq }
            }
            "arm" | "home" | "hold" | "reset" | "clear_fault" | "bye" if !is_commander => {
                let detail = format!("session {} is not in force, or not yours; say hello first", head.sid);
                Request::Reply(self.refusal(head.seq, "NOT_COMMANDER", &detail, now))
            }
            "clear_fault" if self.body.health.has_alarms() && !self.mode().has_torque() => {
                Request::ClearAlarms { re: head.seq }
            }
            "arm" => {
                let armed = self.arm(now);
                Request::Reply(self.answer(head.seq, armed, now))
            }
            "home" => {
                let begun = self.home(now);
                Request::Reply(self.answer(head.seq, begun, now))
            }
            "hold" => {
                self.hold_for("told to hold".to_owned(), now);
                Request::Settle { re: head.seq }
            }
            "clear_fault" => {
                self.clear_faults(now);
                Request::Settle { re: head.seq }
            }
            "bye" => {
                self.end_session("the commander said goodbye", now);
                Request::Settle { re: head.seq }
            }
            "reset" => self.on_reset(bytes, &head, now),
            other => {
                let detail = format!("there is no request `{other}`");
                Request::Reply(self.refusal(head.seq, "UNKNOWN_TYPE", &detail, now))
            }
        }
    }

    fn emergency_stop(&mut self, now: Nanos) {
        if !self.safety.faults.holds(Fault::Estop) {
            tracing::error!("emergency stop: motors are to be released");
        }
        self.safety.faults.raise(Fault::Estop);
        self.safety.watchdog.estop(now);
        self.link.drop_pending();
        self.safety.why = "emergency stop".to_owned();
    }

    fn answer(&mut self, re: u64, done: Result<(), Objection>, now: Nanos) -> Vec<u8> {
        match done {
            Ok(()) => self.granted(re, now),
            Err(Objection { code, detail }) => self.refusal(re, &code, &detail, now),
        }
    }

    /// The driver did, or failed to do, what was asked for. Returns the reply.
    pub fn on_settled(&mut self, re: u64, now: Nanos) -> Vec<u8> {
        if self.is_releasing() {
            let detail = format!("{}; it is tried again; if the hand must be safe now, cut its power", self.safety.why);
            return self.refusal(re, "NOT_RELEASED", &detail, now);
        }
        self.granted(re, now)
    }

    fn arm(&mut self, now: Nanos) -> Result<(), Objection> {
        let before = self.mode();
        self.may_move()?;
        self.safety.watchdog.arm(now).map_err(|detail| Objection::new("NOT_READY", detail))?;
        if before == Mode::Active {
            return Ok(());
        }
        if !before.has_torque()
            && let Some(measured) = &self.body.measured
        {
            self.safety.envelope.start_at(&measured.q);
        }
        self.safety.begin_motion();
        self.body.tracking.forget();
        if !self.is_lockstep() {
            self.episode.world_stands = false;
        }
        tracing::info!(from = before.name(), "armed");
        Ok(())
    }

    /// Whether nothing speaks against torque.
    pub(super) fn may_move(&self) -> Result<(), Objection> {
        if let Calibrated::Missing { detail } = &self.spec.calibration {
            return Err(Objection::new("NOT_CALIBRATED", detail.clone()));
        }
        let latched = self.safety.faults.latched();
        if !latched.is_empty() {
            return Err(Objection::new("FAULT_LATCHED", format!("{latched}; clear_fault first")));
        }
        let Some(measured) = self.body.measured.as_ref().filter(|_| self.body.can_be_read()) else {
            return Err(Objection::new("NOT_READY", "the hand cannot be read"));
        };
        match self.safety.stands_outside(measured, self.spec.start_tol_rad) {
            Some(detail) if !self.mode().has_torque() => Err(Objection::new("NOT_READY", detail)),
            _ => Ok(()),
        }
    }

    /// Clears what is latched, unless its cause is still there.
    pub(super) fn clear_faults(&mut self, now: Nanos) {
        let mut left = FaultSet::default();
        let far_off = self.is_any_far_off();
        let stays = |fault: &Fault| self.safety.faults.holds(*fault) && self.body.has_cause_of(*fault, far_off);
        Fault::ALL.into_iter().filter(stays).for_each(|fault| left.raise(fault));
        self.link.odd = OddInARow::default();
        self.safety.clear(left, now);
    }

    fn on_reset(&mut self, bytes: &[u8], head: &Head, now: Nanos) -> Request {
        if !self.spec.rehearsal {
            let detail = "this hand is not simulated: there are no episodes to start";
            return Request::Reply(self.refusal(head.seq, "UNSUPPORTED", detail, now));
        }
        if matches!(self.mode(), Mode::Fault | Mode::Estop) {
            let detail = format!("the mode is `{}`; clear_fault first", self.mode().name());
            return Request::Reply(self.refusal(head.seq, "FAULT_LATCHED", &detail, now));
        }
        match decode::<Reset>(bytes) {
            Ok((_, reset)) => Request::Reset { re: head.seq, episode: reset.episode },
            Err(error) => Request::Reply(self.refusal(head.seq, "MALFORMED", &error.to_string(), now)),
        }
    }

    pub(super) fn refusal(&mut self, re: u64, code: &str, detail: &str, now: Nanos) -> Vec<u8> {
        let sid = self.sid();
        self.link.reply(sid, now, &Refusal { re, code: code.to_owned(), detail: detail.to_owned() })
    }

    pub(super) fn granted(&mut self, re: u64, now: Nanos) -> Vec<u8> {
        let sid = self.sid();
        let granted = Granted { re, mode: self.published_mode().name().to_owned(), fault: self.safety.faults.bits() };
        self.link.reply(sid, now, &granted)
    }
}
