//! One end of a link that may say anything: raw bytes out, whatever comes in kept.

use super::Unmet;
use crate::clock::{Clock, after};
use crate::message::{Command, Ping, Pose, Refusal, Reject, State};
use crate::security::ClientSecurity;
use crate::transport::{ClientSockets, Endpoints, TransportError};
use crate::wire::{Body, Head, decode, decode_head, encode};
use giraffe_robots::Nanos;
use serde::Deserialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A reply takes no longer, s.
pub(super) const REPLY_SECS: f64 = 1.0;
/// A connection that was cut is there again by then, s.
const CONNECT_SECS: f64 = 2.0;
/// So often a ping asks for a state, s.
const PING_SECS: f64 = 0.05;
/// Longest single wait, ms.
const WAIT_MS: i64 = 5;
/// States and poses kept; a controller that floods us does not fill our memory.
const KEPT: usize = 20_000;
/// So many messages of one socket are taken in at a time, as many as may wait there: who never pauses does not keep us.
const AT_A_TIME: usize = 1000;
/// Complaints kept of one kind.
const COMPLAINTS: usize = 3;

/// How long this check waits, whatever the other end says or does.
#[derive(Clone)]
pub(super) struct Limits {
    /// Somebody wants everything to end.
    pub(super) stop: Arc<AtomicBool>,
    /// No answer is given up before so long, s: for a slow simulator.
    pub(super) patience_secs: f64,
}

/// A reply, as it came.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) head: Head,
    pub(super) bytes: Vec<u8>,
}

/// What every reply says.
#[derive(Deserialize)]
struct Re {
    re: u64,
}

impl Answer {
    /// The body, if it is of this type and complete.
    pub(super) fn body<B: Body>(&self) -> Result<B, Unmet> {
        if self.head.t != B::TYPE {
            return Err(Unmet::Failed(format!("expected `{}`, got {self}", B::TYPE)));
        }
        let decoded = decode::<B>(&self.bytes);
        decoded.map(|(_, body)| body).map_err(|error| Unmet::Failed(format!("the `{}`: {error}", B::TYPE)))
    }

    /// Code and words of a refusal.
    pub(super) fn refusal(&self) -> Option<(String, String)> {
        match self.head.t.as_str() {
            "reject" => decode::<Reject>(&self.bytes).ok().map(|(_, reject)| (reject.code, reject.detail)),
            "error" => decode::<Refusal>(&self.bytes).ok().map(|(_, error)| (error.code, error.detail)),
            _ => None,
        }
    }

    /// The words of a refusal of this type and one of these codes.
    pub(super) fn refused(&self, kind: &str, codes: &[&str]) -> Result<String, Unmet> {
        match self.refusal() {
            Some((code, detail)) if self.head.t == kind && codes.contains(&code.as_str()) => Ok(detail),
            _ => Err(Unmet::Failed(format!("expected `{kind}` {}, got {self}", codes.join(" or ")))),
        }
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.refusal() {
            Some((code, detail)) => write!(f, "`{}` {code}: {detail}", self.head.t),
            None => write!(f, "`{}`", self.head.t),
        }
    }
}

/// Four sockets, numbering, and all that came.
pub(super) struct Peer {
    sockets: ClientSockets,
    clock: Arc<dyn Clock>,
    limits: Limits,
    /// No wait lasts longer, whatever it waits for.
    pub(super) limit: Nanos,
    pub(super) sid: u64,
    pub(super) ctl_seq: u64,
    pub(super) cmd_seq: u64,
    last_reply_seq: u64,
    /// The newest state, whoever's session it is of.
    pub(super) latest: Option<(Head, State)>,
    pub(super) states: Vec<(Head, State)>,
    pub(super) poses: Vec<(Head, Pose)>,
    /// What was wrong with states and poses.
    pub(super) flaws: Vec<String>,
    /// What was wrong with replies: not asked for, out of order, no message at all.
    pub(super) strays: Vec<String>,
}

impl Peer {
    pub(super) fn connect(
        endpoints: &Endpoints,
        security: &ClientSecurity,
        clock: Arc<dyn Clock>,
        limits: Limits,
    ) -> Result<Self, TransportError> {
        let sockets = ClientSockets::connect(endpoints, security)?;
        Ok(Self {
            sockets,
            clock,
            limits,
            limit: Nanos(i64::MAX),
            sid: 0,
            ctl_seq: 0,
            cmd_seq: 0,
            last_reply_seq: 0,
            latest: None,
            states: Vec::new(),
            poses: Vec::new(),
            flaws: Vec::new(),
            strays: Vec::new(),
        })
    }

    pub(super) fn now(&self) -> Nanos {
        self.clock.now()
    }

    /// Whether a wait until `deadline` is over: it is that late, or nobody wants to wait any longer.
    pub(super) fn is_over(&self, deadline: Nanos) -> bool {
        self.now() >= deadline.min(self.limit) || self.limits.stop.load(Ordering::Relaxed)
    }

    /// So long is waited for what takes at most `secs` of a controller that is not slow.
    fn at_least(&self, secs: f64) -> f64 {
        secs.max(self.limits.patience_secs)
    }

    /// A reply is waited for so long, s.
    pub(super) fn reply_secs(&self) -> f64 {
        self.at_least(REPLY_SECS)
    }

    /// Bytes of a request of this session, numbered anew.
    pub(super) fn request<B: Body>(&mut self, body: &B) -> Vec<u8> {
        self.request_of(self.sid, body)
    }

    pub(super) fn request_of<B: Body>(&mut self, sid: u64, body: &B) -> Vec<u8> {
        self.ctl_seq += 1;
        encode(sid, self.ctl_seq, self.now().0, body)
    }

    /// Puts bytes on `ctl`, waiting for a connection if need be.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), Unmet> {
        let deadline = after(self.now(), CONNECT_SECS);
        while !self.sockets.request(bytes) {
            if self.is_over(deadline) {
                return Err(Unmet::Failed(format!("nobody is connected to `ctl` for {CONNECT_SECS} s")));
            }
            self.pause();
        }
        Ok(())
    }

    /// Puts bytes on `cmd`, waiting for a connection if need be.
    pub(super) fn send_cmd(&mut self, bytes: &[u8]) -> Result<(), Unmet> {
        let deadline = after(self.now(), CONNECT_SECS);
        while !self.sockets.command(bytes) {
            if self.is_over(deadline) {
                return Err(Unmet::Failed(format!("nobody takes commands at `cmd` for {CONNECT_SECS} s")));
            }
            self.pause();
        }
        Ok(())
    }

    /// The reply to the last request, if it comes in time.
    pub(super) fn answer_within(&mut self, secs: f64) -> Option<Answer> {
        let deadline = after(self.now(), secs);
        loop {
            for _ in 0..AT_A_TIME {
                let Some(bytes) = self.sockets.reply() else { break };
                if let Some(answer) = self.sort(bytes) {
                    return Some(answer);
                }
            }
            if self.is_over(deadline) {
                return None;
            }
            self.pause();
        }
    }

    /// Notes what is wrong with a reply; gives it back if it answers the last request.
    fn sort(&mut self, bytes: Vec<u8>) -> Option<Answer> {
        let Ok(head) = decode_head(&bytes) else {
            self.stray(format!("{} bytes on `ctl` that are no message", bytes.len()));
            return None;
        };
        if head.v != crate::wire::VERSION {
            self.stray(format!("a `{}` of version {}", head.t, head.v));
        }
        if head.seq <= self.last_reply_seq {
            self.stray(format!("a `{}` with seq {} after {}", head.t, head.seq, self.last_reply_seq));
        }
        self.last_reply_seq = head.seq;
        match rmp_serde::from_slice::<Re>(&bytes) {
            Ok(Re { re }) if re == self.ctl_seq => return Some(Answer { head, bytes }),
            Ok(Re { re }) => self.stray(format!("a `{}` to request {re}, asked was {}", head.t, self.ctl_seq)),
            Err(_) => self.stray(format!("a `{}` without `re`", head.t)),
        }
        None
    }

    fn stray(&mut self, what: String) {
        if self.strays.len() < COMPLAINTS {
            self.strays.push(what);
        }
    }

    /// Sends bytes as they are; their reply.
    pub(super) fn ask_bytes(&mut self, what: &str, bytes: &[u8]) -> Result<Answer, Unmet> {
        self.send(bytes)?;
        let secs = self.reply_secs();
        self.answer_within(secs).ok_or_else(|| Unmet::Failed(format!("no reply to {what} within {secs} s")))
    }

    /// Asks as this session.
    pub(super) fn ask<B: Body>(&mut self, body: &B) -> Result<Answer, Unmet> {
        self.ask_of(self.sid, body)
    }

    /// Asks as any session.
    pub(super) fn ask_of<B: Body>(&mut self, sid: u64, body: &B) -> Result<Answer, Unmet> {
        let bytes = self.request_of(sid, body);
        self.ask_bytes(&format!("`{}`", B::TYPE), &bytes)
    }

    /// Sends a command with the next number; that number.
    pub(super) fn command(&mut self, command: &Command) -> Result<u64, Unmet> {
        self.cmd_seq += 1;
        let bytes = encode(self.sid, self.cmd_seq, self.now().0, command);
        self.send_cmd(&bytes)?;
        Ok(self.cmd_seq)
    }

    /// A moment; whatever comes is taken in.
    pub(super) fn pause(&mut self) {
        self.sockets.wait(WAIT_MS);
        self.pump();
    }

    /// Waits and takes in what comes.
    pub(super) fn listen(&mut self, secs: f64) {
        let deadline = after(self.now(), secs);
        while !self.is_over(deadline) {
            self.sockets.wait(((deadline.0 - self.now().0) / 1_000_000).clamp(1, WAIT_MS));
            self.pump();
        }
        for _ in 0..AT_A_TIME {
            let Some(bytes) = self.sockets.reply() else { break };
            if let Some(answer) = self.sort(bytes) {
                self.stray(format!("a second reply, {answer}"));
            }
        }
    }

    /// Takes in all states and poses that are waiting.
    pub(super) fn pump(&mut self) {
        // News of the connection left unread would end every wait at once.
        std::iter::from_fn(|| self.sockets.event()).take(AT_A_TIME).for_each(drop);
        for _ in 0..AT_A_TIME {
            let Some(bytes) = self.sockets.state() else { break };
            match decode::<State>(&bytes) {
                Ok((head, state)) => {
                    if self.states.len() < KEPT {
                        self.states.push((head.clone(), state.clone()));
                    }
                    self.latest = Some((head, state));
                }
                Err(error) => self.flaw(format!("a state: {error}")),
            }
        }
        for _ in 0..AT_A_TIME {
            let Some(bytes) = self.sockets.pose() else { break };
            match decode::<Pose>(&bytes) {
                Ok(pose) if self.poses.len() < KEPT => self.poses.push(pose),
                Ok(_) => {}
                Err(error) => self.flaw(format!("a pose: {error}")),
            }
        }
    }

    fn flaw(&mut self, what: String) {
        if self.flaws.len() < COMPLAINTS {
            self.flaws.push(what);
        }
    }

    /// Forgets what came so far.
    pub(super) fn forget(&mut self) {
        self.pump();
        self.states.clear();
        self.poses.clear();
        self.flaws.clear();
    }

    /// The newest state of this session.
    pub(super) fn state(&self) -> Result<&(Head, State), Unmet> {
        match &self.latest {
            Some(latest) if latest.0.sid == self.sid => Ok(latest),
            _ => Err(Unmet::Failed("no state of this session has come".to_owned())),
        }
    }

    /// Waits for a state of this session, asking for one with pings.
    pub(super) fn await_state(
        &mut self,
        what: &str,
        secs: f64,
        is_it: impl Fn(&Head, &State) -> bool,
    ) -> Result<(Head, State), Unmet> {
        let secs = self.at_least(secs);
        let deadline = after(self.now(), secs);
        let mut next_ping = self.now();
        loop {
            self.pump();
            if let Ok((head, state)) = self.state()
                && is_it(head, state)
            {
                return Ok((head.clone(), state.clone()));
            }
            let now = self.now();
            if self.is_over(deadline) {
                return Err(Unmet::Failed(format!("{what}: not within {secs} s; {}", self.last_words())));
            }
            if now >= next_ping {
                let ping = self.request(&Ping {});
                self.send(&ping)?;
                // Only so that it does not count as unasked.
                let _ = self.answer_within(PING_SECS);
                next_ping = after(now, PING_SECS);
            } else {
                self.pause();
            }
        }
    }

    /// The last state, for complaints.
    pub(super) fn last_words(&self) -> String {
        let flaws = if self.flaws.is_empty() { String::new() } else { format!("; {}", self.flaws.join("; ")) };
        match &self.latest {
            Some((head, state)) => format!(
                "the last state (sid {}, seq {}) is in mode `{}`, fault {:#x}, cmd_seq {}, rx_bad {}, rx_stale {}: {}{flaws}",
                head.sid, head.seq, state.mode, state.fault, state.cmd_seq, state.rx_bad, state.rx_stale, state.why
            ),
            None => format!("no state came{flaws}"),
        }
    }

    /// Lets a last message leave before the sockets close.
    pub(super) fn flush(&self) {
        self.sockets.flush_at_close();
    }
}
