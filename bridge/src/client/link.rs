//! One side of the wire: sockets, numbering, and the newest of what came in. Knows nothing of targets and arming.

use super::admission::Admission;
use super::clocks::ClockEstimate;
use super::heard::Heard;
use super::local::LocalEnvelope;
use super::newest::Newest;
use super::replies::{Answers, ReadReply, Reply, not_the_reply, read_reply, refusal};
use super::tap::LinkTap;
use crate::clock::{Clock, after};
use crate::handshake::Objection;
use crate::message::{Command, Ping, Pong, Pose, State, WithHead};
use crate::transport::ClientSockets;
use crate::wire::{Body, Head, decode, encode};
use giraffe_robots::{HandError, Nanos};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Longest wait before the stop flag is looked at, ms.
pub(super) const WAIT_MS: i64 = 20;
/// So often it is tried again whether somebody is connected by now, ms.
pub(super) const CONNECT_MS: i64 = 5;
/// Free-running: without a state for so long the link is lost, s.
pub(super) const SILENCE_SECS: f64 = 0.3;
/// So many replies may wait for the request they answer.
const WAITING_REPLIES: usize = 64;
/// Taking in what waits ends after so long, however much more comes, s. It takes some microseconds to read a state, so that
/// this is longer than all that may wait in a queue take.
const RECEIVE_SECS: f64 = 10e-3;
/// But at least so many states and so many poses are taken in: a second's worth, so that the newest is one that is new.
pub(super) const LEAST_AT_A_TIME: usize = 200;
/// So many events of the connection are taken in at a time.
const EVENTS_AT_A_TIME: usize = 64;

/// Counted since the connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkReport {
    /// Commands handed to the link.
    pub commands_sent: u64,
    /// Commands the link would not take: nobody connected, or two waiting.
    pub commands_unsent: u64,
    /// States received.
    pub states_received: u64,
    /// States published but never received.
    pub states_lost: u64,
    /// Control periods that passed without a command.
    pub missed_ticks: u64,
    /// Commands the controller dropped as old or out of turn, as it last said.
    pub dropped_as_stale: u64,
    /// Commands given to the motors, as the controller last said; 0 if it does not say. Together with the next three
    /// and what is still under way this is `commands_sent`.
    pub commands_applied: u64,
    /// Commands accepted and not applied: a newer one came first, or the hand did not follow.
    pub commands_superseded: u64,
    /// Commands that came and were not accepted.
    pub commands_rejected: u64,
    /// Commands that never came.
    pub commands_lost: u64,
    /// Poses of the object that were not believed.
    pub poses_rejected: u64,
    /// Shortest round trip of the last pings, ns, without the controller's own time. For logs.
    pub round_trip_ns: Option<i64>,
    /// What the controller's clock showed more than ours in that round trip, ns. For logs.
    pub clock_offset_ns: Option<i64>,
}

/// The session with a controller, as this side knows it.
#[derive(Default)]
pub(super) struct Session {
    pub(super) lockstep: bool,
    /// Its number, 0 before the welcome.
    pub(super) sid: u64,
    /// Number of the last request.
    ctl_seq: u64,
    /// Number of the last command.
    pub(super) cmd_seq: u64,
    /// Why it is over: somebody else's state came after ours.
    pub(super) over: Option<String>,
}

/// Sockets, numbering, newest messages.
pub(super) struct Link {
    endpoint: String,
    pub(super) sockets: ClientSockets,
    admission: Admission,
    clock: Arc<dyn Clock>,
    stop: Arc<AtomicBool>,
    pub(super) session: Session,
    pub(super) newest: Newest,
    /// In the controller's place, if it has none.
    pub(super) envelope: Option<LocalEnvelope>,
    clocks: ClockEstimate,
    replies: VecDeque<Vec<u8>>,
    /// What else may be done about an answer that does not come.
    pub(super) if_slow: &'static str,
    /// What came since a wait began.
    pub(super) heard: Heard,
    /// What came since the last state that could be used: in real time one is waited for all the time.
    unused: Heard,
    pub(super) report: LinkReport,
    /// Who listens.
    tap: Option<Box<dyn LinkTap>>,
}

impl Link {
    pub(super) fn new(
        endpoint: &str,
        sockets: ClientSockets,
        admission: Admission,
        clock: Arc<dyn Clock>,
        stop: Arc<AtomicBool>,
        joint_count: usize,
        lockstep: bool,
    ) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            sockets,
            admission,
            newest: Newest::new(joint_count, clock.now()),
            clock,
            stop,
            session: Session { lockstep, ..Session::default() },
            envelope: None,
            clocks: ClockEstimate::default(),
            replies: VecDeque::new(),
            if_slow: "",
            heard: Heard::default(),
            unused: Heard::default(),
            report: LinkReport::default(),
            tap: None,
        }
    }

    pub(super) fn now(&self) -> Nanos {
        self.clock.now()
    }

    /// Sends a request, false if nobody is connected.
    pub(super) fn send<B: Body>(&mut self, body: &B) -> bool {
        self.session.ctl_seq += 1;
        let bytes = encode(self.session.sid, self.session.ctl_seq, self.now().0, body);
        self.sockets.request(&bytes)
    }

    /// Sends a request and waits for its reply of type `A`, or its refusal.
    pub(super) fn request_until<B: Body, A: Body + Answers>(
        &mut self,
        attempted: &str,
        body: &B,
        deadline: Nanos,
    ) -> Result<Reply<(u64, A)>, HandError> {
        let start = self.now();
        self.heard.begin();
        while !self.send(body) {
            self.check_admission(attempted)?;
            if self.now() >= deadline {
                let advice = "nobody listens there; start a controller (`giraffe serve`) or give its endpoint";
                return Err(self.silent(attempted, self.now().secs_since(start), advice));
            }
            self.pause(CONNECT_MS)?;
        }
        let seq = self.session.ctl_seq;
        loop {
            self.receive_replies();
            while let Some(bytes) = self.replies.pop_front() {
                if let Some(reply) = read_reply(&bytes, seq) {
                    self.tell_reply(B::TYPE, &reply);
                    return reply.map_err(|detail| refusal(attempted, Objection::new("MALFORMED", detail)));
                }
                self.heard.reply(not_the_reply(&bytes, seq));
            }
            self.check_admission(attempted)?;
            if self.now() >= deadline {
                let heard = self.heard.words(false);
                let slow = self.if_slow;
                let advice = format!(
                    "something listens there but does not answer ({heard}); is it a hand-link controller?{slow}"
                );
                return Err(self.silent(attempted, self.now().secs_since(start), &advice));
            }
            self.pause(WAIT_MS)?;
        }
    }

    /// Has somebody listen from now on; begins with the newest messages there are.
    pub(super) fn listen(&mut self, mut tap: Box<dyn LinkTap>) {
        let now = self.now();
        if let Some(WithHead { head, body }) = &self.newest.state {
            tap.state(&encode(head.sid, head.seq, head.ts, body), now);
        }
        if let Some(WithHead { head, body }) = &self.newest.object.pose {
            tap.pose(&encode(head.sid, head.seq, head.ts, body), now);
        }
        self.tap = Some(tap);
    }

    /// Tells whoever listens.
    pub(super) fn tell(&mut self, tell: impl FnOnce(&mut dyn LinkTap, Nanos)) {
        if let Some(tap) = &mut self.tap {
            tell(tap.as_mut(), self.clock.now());
        }
    }

    fn tell_reply<A>(&mut self, request: &str, reply: &ReadReply<A>) {
        self.tell(|tap, now| match reply {
            Ok(Reply::Granted(_)) => tap.request(request, None, now),
            Ok(Reply::Refused(objection)) => tap.request(request, Some(objection), now),
            Err(detail) => tap.request(request, Some(&Objection::new("MALFORMED", detail.clone())), now),
        });
    }

    /// Takes in the first state (and pose) of an episode.
    pub(super) fn begin(&mut self, state: WithHead<State>, pose: Option<WithHead<Pose>>) {
        self.tell(|tap, now| {
            tap.state(&encode(state.head.sid, state.head.seq, state.head.ts, &state.body), now);
            if let Some(WithHead { head, body }) = &pose {
                tap.pose(&encode(head.sid, head.seq, head.ts, body), now);
            }
        });
        let now = self.now();
        self.newest.take(state, now);
        self.newest.object.begin(pose, now);
    }

    /// Waits for whatever comes, at most `timeout_ms`, then takes it in.
    pub(super) fn pause(&mut self, timeout_ms: i64) -> Result<(), HandError> {
        self.check_stop()?;
        self.sockets.wait(timeout_ms);
        self.receive();
        Ok(())
    }

    /// Takes in what waits on `ctl`: pongs at once, the rest for whoever asked.
    fn receive_replies(&mut self) {
        for _ in 0..WAITING_REPLIES {
            let Some(bytes) = self.sockets.reply() else { return };
            if let Ok((_, pong)) = decode::<Pong>(&bytes) {
                let arrived = self.now();
                self.clocks.add(&pong, arrived);
                (self.report.round_trip_ns, self.report.clock_offset_ns) = self.clocks.best();
                continue;
            }
            self.replies.truncate(WAITING_REPLIES);
            self.replies.push_back(bytes);
        }
    }

    /// Now and then a ping, so that logs can compare clocks. Nothing else depends on it.
    pub(super) fn compare_clocks(&mut self) {
        if self.clocks.is_ping_due(self.now()) {
            self.send(&Ping {});
        }
        self.receive_replies();
        // Nobody asked for what is left.
        self.replies.clear();
    }

    /// Takes in whatever comes until `deadline`, so that nothing old piles up.
    pub(super) fn pause_until(&mut self, deadline: Nanos) -> Result<(), HandError> {
        while let left_ms @ 1.. = (deadline.0 - self.now().0) / 1_000_000 {
            self.pause(left_ms.min(WAIT_MS))?;
        }
        // Polling knows only whole milliseconds.
        self.clock.sleep_until(deadline);
        self.receive();
        Ok(())
    }

    /// Whether somebody wants everything to end.
    pub(super) fn check_stop(&self) -> Result<(), HandError> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(HandError::Stopped { reason: "interrupted".to_owned() });
        }
        Ok(())
    }

    pub(super) fn silent(&self, attempted: &str, waited_secs: f64, advice: &str) -> HandError {
        HandError::Silent {
            attempted: attempted.to_owned(),
            peer: self.endpoint.clone(),
            waited_secs,
            advice: advice.to_owned(),
        }
    }

    /// Whether the other end refused to let us in.
    pub(super) fn check_admission(&self, attempted: &str) -> Result<(), HandError> {
        self.admission.refusal().map_or(Ok(()), |objection| Err(refusal(attempted, objection.clone())))
    }

    /// Takes in what happened to the connection.
    pub(super) fn take_events(&mut self) {
        let now = self.now();
        for event in std::iter::from_fn(|| self.sockets.event()).take(EVENTS_AT_A_TIME) {
            self.admission.take(event, now);
        }
    }

    /// Takes in all states and poses that are waiting; the newest stay. By turns, and not for long: a tracker that never
    /// pauses delays neither the states nor the next command.
    pub(super) fn receive(&mut self) {
        self.take_events();
        let deadline = after(self.now(), RECEIVE_SECS);
        for round in 1.. {
            let came = [self.receive_state(), self.receive_pose()];
            if came == [false; 2] || (round >= LEAST_AT_A_TIME && self.now() >= deadline) {
                break;
            }
        }
        self.report.poses_rejected = self.newest.object.rejected();
    }

    /// Takes in the next state, if one waits.
    fn receive_state(&mut self) -> bool {
        let Some(bytes) = self.sockets.state() else { return false };
        let taken = match decode::<State>(&bytes) {
            Ok((head, body)) => self.take_state(head, body),
            Err(error) => {
                self.unused.state(Some(error.to_string()));
                self.heard.state(Some(error.to_string()));
                return true;
            }
        };
        let is_newest = taken.is_ok();
        match &taken {
            Ok(()) => self.unused.begin(),
            Err(why) => self.unused.state(Some(why.clone())),
        }
        self.heard.state(taken.err());
        self.tell(|tap, now| if is_newest { tap.state(&bytes, now) } else { tap.ignored(&bytes, now) });
        true
    }

    /// Takes in the next pose, if one waits.
    fn receive_pose(&mut self) -> bool {
        let Some(bytes) = self.sockets.pose() else { return false };
        let (head, body) = match decode::<Pose>(&bytes) {
            Ok(pose) => pose,
            Err(error) => {
                self.heard.pose(Some(error.to_string()));
                self.newest.object.reject();
                return true;
            }
        };
        // A tracker that is a process of its own knows of no session, and of no truth.
        let ours = self.session.sid != 0 && head.sid == self.session.sid;
        if ours || (head.sid == 0 && !body.truth) {
            self.tell(|tap, now| tap.pose(&bytes, now));
            let now = self.now();
            let odd = self.newest.object.take(WithHead { head, body }, ours, now);
            self.heard.pose(odd);
        } else {
            self.heard.pose(Some(format!("of session {}, ours is {}", head.sid, self.session.sid)));
        }
        true
    }

    /// If this state is a newer one of our session and hand, it is the newest now.
    ///
    /// # Errors
    /// Why it is not, in words.
    fn take_state(&mut self, head: Head, body: State) -> Result<(), String> {
        // Without a session no state is ours, not even one of a controller that has none either.
        if self.session.sid == 0 {
            return Err("there is no session yet".to_owned());
        }
        if head.sid != self.session.sid {
            // Before the first state of ours these are of the time before the session.
            if self.newest.state.is_some() {
                self.session.over = Some(if body.why.is_empty() { "another session".to_owned() } else { body.why });
            }
            return Err(format!("of session {}, ours is {}", head.sid, self.session.sid));
        }
        self.newest.check_shape(&body)?;
        let last_seq = self.newest.state.as_ref().map_or(head.seq.saturating_sub(1), |state| state.head.seq);
        if head.seq <= last_seq {
            return Err("its `seq` is not greater than that of the state before".to_owned());
        }
        self.report.states_received += 1;
        self.report.states_lost += head.seq - last_seq - 1;
        self.report.dropped_as_stale = body.rx_stale;
        self.report.commands_applied = body.rx_applied.unwrap_or(0);
        self.report.commands_superseded = body.rx_superseded.unwrap_or(0);
        self.report.commands_rejected = body.rx_rejected.unwrap_or(0);
        self.report.commands_lost = body.rx_gap.unwrap_or(0);
        let now = self.now();
        self.newest.take(WithHead { head, body }, now);
        Ok(())
    }

    /// Whether the other end is still there and still ours.
    pub(super) fn check_link(&self, attempted: &str) -> Result<(), HandError> {
        if let Some(why) = &self.session.over {
            return Err(HandError::LinkLost { reason: format!("the session is over: {why}") });
        }
        let silence_secs = self.now().secs_since(self.newest.arrived);
        if self.session.lockstep || silence_secs > SILENCE_SECS {
            self.check_admission(attempted)?;
        }
        if !self.session.lockstep && silence_secs > SILENCE_SECS {
            let heard = self.unused.words(false);
            let advice = format!("the link is lost ({heard}); the controller holds by itself");
            return Err(self.silent(attempted, silence_secs, &advice));
        }
        Ok(())
    }

    /// Sends targets in the order of the wire, computed from the last state.
    pub(super) fn send_command(&mut self, q: Vec<f32>) -> bool {
        let now = self.now();
        let Some(state) = &self.newest.state else { return false };
        let tick = if self.session.lockstep { state.body.tick.saturating_add(1) } else { 0 };
        let (state_seq, t_state) = (state.head.seq, state.head.ts);
        let command = Command { episode: state.body.episode, tick, state_seq, t_state, q };
        // What was not sent uses up no number, so that gaps are losses.
        let bytes = encode(self.session.sid, self.session.cmd_seq + 1, now.0, &command);
        let sent = self.sockets.command(&bytes);
        if sent {
            self.session.cmd_seq += 1;
            self.report.commands_sent += 1;
        } else {
            self.report.commands_unsent += 1;
        }
        self.tell(|tap, now| tap.command(&bytes, sent, now));
        sent
    }

    /// Targets as far as our own envelope lets them, if the controller has none.
    pub(super) fn limit(&mut self, q: Vec<f32>) -> Vec<f32> {
        let (now, lockstep) = (self.now(), self.session.lockstep);
        let (Some(envelope), Some(state)) = (&mut self.envelope, &self.newest.state) else { return q };
        let in_force = state.body.q_target.clone();
        envelope.filter(&q, &in_force, &state.body.q, lockstep, now).unwrap_or(in_force)
    }
}
