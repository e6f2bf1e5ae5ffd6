//! Requests on `ctl`: PROTOCOL.md sections 3 and 4.

use super::{Applied, Counters, ServerCore, Session};
use crate::clock::after;
use crate::fault::{Fault, FaultSet};
use crate::handshake::{Objection, Terms, judge_hello};
use crate::message::{
    Granted, Hello, JointLimits, LOCKSTEP, OBJECT_POSE, Pong, REHEARSAL, Refusal, Reject, Reset, Role, TestVector,
    Welcome,
};
use crate::security::Sender;
use crate::watchdog::Mode;
use crate::wire::{Head, VERSION, decode, decode_head};
use giraffe_robots::{HoldAt, Nanos};

/// What is to be done about a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Nothing: it was no message.
    Dropped,
    /// Send this.
    Reply(Vec<u8>),
    /// Send this, then publish state and pose once more.
    ReplyAndPublish(Vec<u8>),
    /// Have the driver start this episode, then call [`ServerCore::on_reset_done`] or
    /// [`ServerCore::on_reset_failed`].
    Reset {
        /// Request to answer.
        re: u64,
        /// Opaque parameters.
        episode: Vec<u8>,
    },
}

impl ServerCore {
    /// Takes in a message of the `ctl` socket.
    pub fn on_ctl(&mut self, sender: &Sender, bytes: &[u8], now: Nanos) -> Request {
        self.let_time_pass(now);
        let Ok(head) = decode_head(bytes) else {
            self.counters.bad += 1;
            return Request::Dropped;
        };
        if head.v != VERSION {
            self.counters.bad += 1;
            let detail = format!("version {} asked, spoken here: {VERSION}", head.v);
            return Request::Reply(match head.t.as_str() {
                "hello" => self.reject(head.seq, Objection::new("VERSION", detail), now),
                _ => self.refusal(head.seq, "VERSION", &detail, now),
            });
        }
        // The number of the session is no secret; who opened it is proved by the link.
        let is_commander = sender.role() == Role::Commander
            && self.session.as_ref().is_some_and(|open| open.sid == head.sid && open.sender.is_same_as(sender));
        if is_commander {
            self.renew_lease(now);
        }
        match head.t.as_str() {
            "hello" => Request::Reply(self.on_hello(sender, bytes, &head, now)),
            "ping" => {
                let sid = self.sid();
                let pong = Pong { re: head.seq, t0: head.ts, t1: now.0, t2: now.0 };
                Request::ReplyAndPublish(self.ctl_bytes(sid, now, &pong))
            }
            "stop" => {
                self.watchdog.stop(now);
                self.pending = None;
                if self.mode() == Mode::Off {
                    self.why = "told to stop".to_owned();
                }
                Request::Reply(self.granted(head.seq, now))
            }
            "estop" => {
                self.faults.raise(Fault::Estop);
                self.watchdog.estop(now);
                self.pending = None;
                self.why = "emergency stop".to_owned();
                tracing::error!("emergency stop: motors are released");
                Request::Reply(self.granted(head.seq, now))
            }
            "arm" | "hold" | "reset" | "clear_fault" | "bye" if !is_commander => {
                let detail = format!("session {} is not in force, or not yours; say hello first", head.sid);
                Request::Reply(self.refusal(head.seq, "NOT_COMMANDER", &detail, now))
            }
            "arm" | "hold" | "clear_fault" | "bye" => Request::Reply(self.on_commander(&head, now)),
            "reset" => self.on_reset(bytes, &head, now),
            other => {
                let detail = format!("there is no request `{other}`");
                Request::Reply(self.refusal(head.seq, "UNKNOWN_TYPE", &detail, now))
            }
        }
    }

    fn on_commander(&mut self, head: &Head, now: Nanos) -> Vec<u8> {
        match head.t.as_str() {
            "arm" => {
                if let Err(Objection { code, detail }) = self.arm(now) {
                    return self.refusal(head.seq, &code, &detail, now);
                }
            }
            "hold" => self.hold_for("told to hold".to_owned(), now),
            "clear_fault" => self.clear_faults(now),
            _ => self.end_session("the commander said goodbye", now),
        }
        self.granted(head.seq, now)
    }

    fn arm(&mut self, now: Nanos) -> Result<(), Objection> {
        let latched = self.faults.latched();
        if !latched.is_empty() {
            return Err(Objection::new("FAULT_LATCHED", format!("{latched}; clear_fault first")));
        }
        let before = self.mode();
        if self.measured.is_none() || self.sense_failures > 0 {
            return Err(Objection::new("NOT_READY", "the hand cannot be read"));
        }
        if !before.has_torque()
            && let Some(detail) = self.stands_outside()
        {
            return Err(Objection::new("NOT_READY", detail));
        }
        self.watchdog.arm(now).map_err(|detail| Objection::new("NOT_READY", detail))?;
        if before == Mode::Active {
            return Ok(());
        }
        if !before.has_torque()
            && let Some(measured) = &self.measured
        {
            self.envelope.start_at(&measured.q);
        }
        self.last_filter = None;
        self.faults.clear_passing();
        if !self.is_lockstep() {
            self.world_stands = false;
        }
        tracing::info!(from = before.name(), "armed");
        Ok(())
    }

    /// A joint that stands so far outside its limits that torque would make it jump.
    fn stands_outside(&self) -> Option<String> {
        let measured = self.measured.as_ref()?;
        let spec = self.envelope.spec();
        let joints = spec.names.iter().zip(&spec.limits).zip(&measured.q);
        joints.into_iter().find_map(|((name, limits), &at)| {
            let beyond = (limits.lower - at).max(at - limits.upper);
            (beyond > self.spec.start_tol_rad).then(|| {
                format!("joint `{name}` stands at {at:.3} rad, outside [{:.3}, {:.3}]", limits.lower, limits.upper)
            })
        })
    }

    /// Clears what is latched, unless its cause is still there.
    fn clear_faults(&mut self, now: Nanos) {
        let mut left = FaultSet::default();
        if self.sense_failures > 0 && self.faults.holds(Fault::SensorStale) {
            left.raise(Fault::SensorStale);
        }
        if self.bus_failing && self.faults.holds(Fault::BusError) {
            left.raise(Fault::BusError);
        }
        self.faults = left;
        self.not_finite_in_a_row = 0;
        self.shape_in_a_row = 0;
        if left.is_empty() {
            self.watchdog.clear(now);
            self.why = "faults were cleared, not armed yet".to_owned();
        }
    }

    fn end_session(&mut self, why: &str, now: Nanos) {
        self.watchdog.suspend(false);
        self.hold_for(why.to_owned(), now);
        self.watchdog.forget_commands();
        self.session = None;
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

    fn on_hello(&mut self, sender: &Sender, bytes: &[u8], head: &Head, now: Nanos) -> Vec<u8> {
        let hello = match decode::<Hello>(bytes) {
            Ok((_, hello)) => hello,
            Err(error) => return self.reject(head.seq, Objection::new("MALFORMED", error.to_string()), now),
        };
        match self.open(sender, &hello, now) {
            Ok((terms, grants)) => self.welcome(head.seq, &hello, terms, grants, now),
            Err(objection) => self.reject(head.seq, objection, now),
        }
    }

    fn open(&mut self, sender: &Sender, hello: &Hello, now: Nanos) -> Result<(Terms, Vec<String>), Objection> {
        if hello.role == Role::Commander && sender.role() != Role::Commander {
            let detail = format!("`{}` is an observer in the allow-list and may not command", sender.name());
            return Err(Objection::new("NOT_AUTHORIZED", detail));
        }
        let terms = judge_hello(hello, &self.spec.robot, &self.description, &self.spec.envelope)?;
        let offered = |feature: &&String| match feature.as_str() {
            REHEARSAL | LOCKSTEP => self.spec.rehearsal,
            OBJECT_POSE => self.spec.object_pose,
            _ => false,
        };
        let grants: Vec<String> = hello.wants.iter().filter(offered).cloned().collect();
        if hello.role == Role::Commander {
            self.take_over(sender, hello, &terms.limits, grants.iter().any(|grant| grant == LOCKSTEP), now)?;
        }
        Ok((terms, grants))
    }

    fn take_over(
        &mut self,
        sender: &Sender,
        hello: &Hello,
        limits: &[JointLimits],
        lockstep: bool,
        now: Nanos,
    ) -> Result<(), Objection> {
        if let Some(session) = &self.session {
            if now <= session.lease_until {
                let left = session.lease_until.secs_since(now);
                let detail = format!("`{}` commands this hand; its lease runs {left:.1} s more", session.software);
                return Err(Objection::new("LEASE_HELD", detail));
            }
            self.end_session("another commander took over", now);
            self.faults.raise(Fault::LeaseLost);
        }
        self.relimit(limits)?;
        self.session_count += 1;
        self.session = Some(Session {
            sid: session_number(self.spec.session_seed, self.session_count),
            sender: sender.clone(),
            software: hello.software.clone(),
            lease_until: after(now, self.spec.lease_secs),
            lockstep,
            last_seq: 0,
            last_state_seq: 0,
        });
        let own_ms = self.spec.watchdog.hold_after_secs * 1e3;
        let period_ms = f64::from(self.spec.envelope.period_secs) * 1e3;
        let wanted_ms = if hello.watchdog_ms == 0 { own_ms } else { hello.watchdog_ms as f64 };
        self.watchdog.set_hold_after(wanted_ms.max(period_ms).min(own_ms) * 1e-3);
        self.watchdog.suspend(lockstep);
        self.watchdog.forget_commands();
        self.pending = None;
        self.applied = Applied::default();
        self.counters = Counters::default();
        self.not_finite_in_a_row = 0;
        self.shape_in_a_row = 0;
        if lockstep {
            self.world_stands = true;
        }
        let (name, software, policy) = (sender.name(), &hello.software, &hello.policy.name);
        tracing::info!(name, software, policy, lockstep, "new commander");
        Ok(())
    }

    /// Puts limits in force, unless that would make a hand that is held jump.
    fn relimit(&mut self, limits: &[JointLimits]) -> Result<(), Objection> {
        if self.mode().has_torque() {
            let names = &self.spec.envelope.names;
            let held = self.envelope.held_rad();
            for ((name, limits), &at) in names.iter().zip(limits).zip(held) {
                if at < limits.lower || at > limits.upper {
                    let (lower, upper) = (limits.lower, limits.upper);
                    let detail = format!("joint `{name}` is held at {at:.3} rad, outside [{lower:.3}, {upper:.3}]");
                    return Err(Objection::new("LIMITS", detail));
                }
            }
        }
        self.envelope.relimit(limits.to_vec()).map_err(|error| Objection::new("LIMITS", error.to_string()))
    }

    fn welcome(&mut self, re: u64, hello: &Hello, terms: Terms, grants: Vec<String>, now: Nanos) -> Vec<u8> {
        let ms = |secs: f64| (secs * 1e3).round() as u64;
        let timers = *self.watchdog.spec();
        let names = self.spec.envelope.names.clone();
        let Terms { limits, test_vector: TestVector { q, tips }, notes } = terms;
        let welcome = Welcome {
            re,
            software: self.spec.software.clone(),
            robot: self.description.clone(),
            test_vector: TestVector { q, tips },
            limits: names.iter().cloned().zip(limits).collect(),
            joints: names,
            policy_hz: hello.policy_hz,
            state_hz: 1.0 / self.spec.loop_period_secs,
            lease_ms: ms(self.spec.lease_secs),
            max_age_ms: ms(self.spec.max_age_secs),
            hold_ms: ms(timers.hold_after_secs),
            relax_ms: ms(timers.relax_after_secs),
            off_ms: ms(timers.off_after_secs),
            rearm_ms: ms(timers.rearm_after_secs),
            stream_ms: ms(timers.stream_secs),
            start_tol: self.spec.start_tol_rad,
            safe_action: match self.spec.hold {
                HoldAt::LastTarget => "last_target".to_owned(),
                HoldAt::Measured => "measured".to_owned(),
            },
            grants,
            notes,
            mode: self.mode().name().to_owned(),
            fault: self.faults.bits(),
        };
        let sid = self.sid();
        self.ctl_bytes(sid, now, &welcome)
    }

    fn reject(&mut self, re: u64, objection: Objection, now: Nanos) -> Vec<u8> {
        tracing::warn!(code = objection.code, detail = objection.detail, "commander refused");
        self.ctl_bytes(0, now, &Reject { re, code: objection.code, detail: objection.detail })
    }

    pub(super) fn refusal(&mut self, re: u64, code: &str, detail: &str, now: Nanos) -> Vec<u8> {
        let sid = self.sid();
        self.ctl_bytes(sid, now, &Refusal { re, code: code.to_owned(), detail: detail.to_owned() })
    }

    fn granted(&mut self, re: u64, now: Nanos) -> Vec<u8> {
        let sid = self.sid();
        let granted = Granted { re, mode: self.mode().name().to_owned(), fault: self.faults.bits() };
        self.ctl_bytes(sid, now, &granted)
    }
}

/// A number that is never 0 and does not repeat within or (given different seeds) between lives of a controller.
fn session_number(seed: u64, count: u64) -> u64 {
    let low = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(count);
    (low & ((1 << 62) - 1)) | 1 << 62
}
