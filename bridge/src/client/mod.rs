//! The policy's end of the link: a [`Hand`] that lives in another process.

mod admission;
mod clocks;
#[cfg(test)]
mod foreign_tests;
mod homing;
mod link;
mod local;
mod object;
mod observer;
mod paced;
mod pose;
mod tap;

pub use link::LinkReport;
pub use object::ObjectWatch;
pub use observer::Observer;
pub use tap::{LinkTap, SensedPose, write_sensed};

use crate::clock::{Clock, after};
use crate::envelope::EnvelopeSpec;
use crate::fault::Fault;
use crate::handshake::{Objection, hello, judge_welcome};
use crate::message::{
    Arm, Bye, ClearFault, Estop, Granted, HOMING, Hold, LOCKSTEP, OBJECT_POSE, Ping, PolicyIdentity, REHEARSAL, Reset,
    Started, Stop, Welcome,
};
use crate::security::ClientSecurity;
use crate::transport::{ClientSockets, Endpoints, TransportError};
use crate::wire::Body;
use admission::Admission;
use giraffe_robots::{Commanded, Hand, HandError, Nanos, ObjectPose, POSE_HOLD_SECS, RobotModel, Seen, SignalFrame};
use link::{CONNECT_MS, Link, Reply, SILENCE_SECS, WAIT_MS, refusal};
use local::LocalEnvelope;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A reply to a simple request takes no longer, s.
const REPLY_SECS: f64 = 1.0;
/// Building a simulated world takes no longer, s.
const RESET_SECS: f64 = 60.0;
/// One control period of a simulated hand takes no longer, s.
const STEP_SECS: f64 = 10.0;
/// While waiting for the first state, so often a ping asks for one, s.
const PING_SECS: f64 = 0.05;
/// Streaming before an arm is given up, s.
const ARM_SECS: f64 = 3.0;

/// What to connect to, and as whom.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Base endpoint, such as [`crate::DEFAULT_ENDPOINT`].
    pub endpoint: String,
    /// The hand the policy was made for.
    pub robot: RobotModel,
    /// The policy, for the controller's logs.
    pub policy: PolicyIdentity,
    /// Name and version of this program, for the controller's logs.
    pub software: String,
    /// Insist on episodes: the hand is simulated.
    pub rehearsal: bool,
    /// Insist on lock-step (needs `rehearsal`).
    pub lockstep: bool,
    /// The policy reads where the object is: when that is not known any more the hand is held.
    pub needs_object_pose: bool,
    /// Nobody answering is an error after so long, s.
    pub connect_timeout_secs: f64,
    /// Our keys and the controller's; without them only a controller on this machine can be reached.
    pub security: ClientSecurity,
}

impl ClientConfig {
    /// For the hand `robot` at `endpoint`; real time, no rehearsal, three seconds of patience.
    pub fn new(endpoint: impl Into<String>, robot: &RobotModel) -> Self {
        Self {
            endpoint: endpoint.into(),
            robot: robot.clone(),
            policy: PolicyIdentity::default(),
            software: concat!("giraffe ", env!("CARGO_PKG_VERSION")).to_owned(),
            rehearsal: false,
            lockstep: false,
            needs_object_pose: false,
            connect_timeout_secs: 3.0,
            security: ClientSecurity::LocalOnly,
        }
    }
}

/// A hand at the other end of the link. Says `bye` when dropped.
pub struct BridgeClient {
    config: ClientConfig,
    link: Link,
    terms: Option<Welcome>,
    /// For each joint of our hand, its place in the arrays of the wire.
    places: Vec<usize>,
    held_since: Option<Nanos>,
    rearmed: bool,
    due: Option<Nanos>,
}

impl BridgeClient {
    /// Says hello and waits until the first state (and pose) of the session has come. Moves nothing.
    /// `stop`: once set, everything returns soon.
    ///
    /// # Errors
    /// When nobody answers in time; when the controller refuses, or its hand is not ours: says which joint and what.
    pub fn connect(config: ClientConfig, clock: Arc<dyn Clock>, stop: Arc<AtomicBool>) -> Result<Self, HandError> {
        let refused = |error: TransportError| HandError::Refused {
            attempted: format!("connecting to {}", config.endpoint),
            code: "ENDPOINT".to_owned(),
            detail: error.to_string(),
        };
        let has_keys = !matches!(config.security, ClientSecurity::LocalOnly);
        let endpoints = Endpoints::parse(&config.endpoint, has_keys).map_err(refused)?;
        let sockets = ClientSockets::connect(&endpoints, &config.security).map_err(refused)?;
        let (joint_count, lockstep) = (config.robot.joint_count(), config.lockstep);
        let admission = Admission::new(has_keys);
        let link = Link::new(&config.endpoint, sockets, admission, clock, stop, joint_count, lockstep);
        let deadline = after(link.now(), config.connect_timeout_secs);
        let mut client =
            Self { config, link, terms: None, places: Vec::new(), held_since: None, rearmed: false, due: None };
        client.say_hello(deadline)?;
        client.await_first_state(deadline)?;
        Ok(client)
    }

    fn say_hello(&mut self, deadline: Nanos) -> Result<(), HandError> {
        let attempted = "saying hello";
        let mut needs = Vec::new();
        if self.config.rehearsal || self.config.lockstep {
            needs.push(REHEARSAL.to_owned());
        }
        if self.config.lockstep {
            needs.push(LOCKSTEP.to_owned());
        }
        // Wanted even where not needed: a simulated hand then starts each episode anew, in real time too.
        let last = if self.config.lockstep { LOCKSTEP } else { HOMING };
        let wants = [REHEARSAL, OBJECT_POSE, last].map(str::to_owned).to_vec();
        let robot = &self.config.robot;
        let policy_hz = 1.0 / f64::from(robot.control.period_secs);
        let (policy, software) = (self.config.policy.clone(), self.config.software.clone());
        let hello = hello(robot, policy, software, policy_hz, 0, wants);
        let reply: Reply<(u64, Welcome)> = self.link.request_until(attempted, &hello, deadline)?;
        let mut welcome = match reply {
            Reply::Refused(objection) => return Err(refusal(attempted, objection)),
            Reply::Granted((sid, welcome)) => {
                // From here on a `bye` is owed, whatever we think of the welcome.
                self.link.sid = sid;
                welcome
            }
        };
        for note in &welcome.notes {
            tracing::warn!(controller = welcome.software, note, "note of the controller");
        }
        self.places = judge_welcome(&welcome, &self.config.robot, &needs)
            .map_err(|objection| refusal("checking the controller's welcome", objection))?;
        self.link.envelope = LocalEnvelope::for_terms(&welcome, &self.config.robot).map_err(|error| {
            refusal("checking the controller's limits", Objection::new("LIMITS", error.to_string()))
        })?;
        if self.link.envelope.is_some() {
            let note = "the controller has no envelope: targets are kept to the limits on this side";
            tracing::warn!(controller = welcome.software, "{note}");
            welcome.notes.push(note.to_owned());
        }
        self.terms = Some(welcome);
        Ok(())
    }

    /// A subscription takes effect some time after it is made; pings make the controller repeat itself until then.
    fn await_first_state(&mut self, deadline: Nanos) -> Result<(), HandError> {
        let attempted = "waiting for the first state";
        let mut next_ping = self.link.now();
        loop {
            if self.link.state.is_some() && (self.link.object.newest.is_some() || !self.has_feature(OBJECT_POSE)) {
                return Ok(());
            }
            let now = self.link.now();
            if now >= deadline {
                let advice = "the controller answered, but publishes no state of this session (and pose, if it \
                              grants object_pose); see `First state` in PROTOCOL.md";
                return Err(self.link.silent(attempted, self.config.connect_timeout_secs, advice));
            }
            if now >= next_ping {
                self.link.send(&Ping {});
                next_ping = after(now, PING_SECS);
            }
            self.link.pause(CONNECT_MS)?;
        }
    }

    fn has_feature(&self, feature: &str) -> bool {
        self.terms.as_ref().is_some_and(|terms| terms.grants.iter().any(|grant| grant == feature))
    }

    /// What the controller agreed to.
    ///
    /// # Panics
    /// Never: there is no client without a welcome.
    pub fn terms(&self) -> &Welcome {
        self.terms.as_ref().expect("connect returns only welcomed clients")
    }

    /// Has somebody listen to everything that goes over the link from now on, beginning with the newest state and pose.
    pub fn listen(&mut self, tap: Box<dyn LinkTap>) {
        self.link.listen(tap);
    }

    /// Counted since the connection.
    pub fn report(&self) -> LinkReport {
        self.link.report
    }

    /// Where the object is, as the `pose` stream last said: the truth if the hand is simulated, otherwise what a
    /// tracker sees. `None` if nobody says, or it is not seen now.
    pub fn object_pose(&self) -> Option<ObjectPose> {
        self.object_watch().pose
    }

    /// What is seen of the object: where it is, or for how long nobody has seen it, or that nobody watches.
    pub fn object_watch(&self) -> ObjectWatch {
        self.link.object_watch()
    }

    /// The same in the terms of a task.
    pub fn seen(&self) -> Seen {
        let ObjectWatch { pose, unseen_secs } = self.object_watch();
        match (pose, unseen_secs) {
            (Some(pose), _) => Seen::Pose(pose),
            (None, Some(secs)) => Seen::Lost { secs },
            (None, None) => Seen::Never,
        }
    }

    /// What this side keeps targets to, if the controller has no envelope of its own. Joints in the controller's order.
    pub fn local_envelope(&self) -> Option<&EnvelopeSpec> {
        self.link.envelope.as_ref().map(LocalEnvelope::spec)
    }

    /// Number of the rehearsal episode the last state belongs to.
    pub fn episode(&self) -> u64 {
        self.link.state.as_ref().map_or(0, |state| state.body.episode)
    }

    /// Starts a rehearsal episode: simulated hands only. `episode` is one msgpack map that the controller
    /// understands. Afterwards [`BridgeClient::arm`] takes effect at once.
    ///
    /// # Errors
    /// When the controller refuses the parameters, or does not answer.
    pub fn reset_episode(&mut self, episode: &[u8]) -> Result<(), HandError> {
        let attempted = "starting an episode";
        let deadline = after(self.link.now(), RESET_SECS);
        let reset = Reset { episode: episode.to_vec() };
        let started: Started = match self.link.request_until(attempted, &reset, deadline)? {
            Reply::Granted((_, started)) => started,
            Reply::Refused(objection) => return Err(refusal(attempted, objection)),
        };
        self.link
            .check_shape(&started.state.body)
            .map_err(|detail| refusal(attempted, Objection::new("MALFORMED", detail)))?;
        if started.state.head.sid != self.link.sid || started.state.body.episode != started.episode {
            let detail = "the state in `started` belongs to another session or episode".to_owned();
            return Err(refusal(attempted, Objection::new("MALFORMED", detail)));
        }
        self.link.begin(started.state, started.pose);
        self.begin_anew();
        Ok(())
    }

    /// Makes the hand follow from the next [`Hand::exchange`] on. From a position the controller did not choose,
    /// commands to stay there are streamed first (half a second). Recurrent state must be reset afterwards.
    ///
    /// # Errors
    /// When the controller refuses (`FAULT_LATCHED`, `NOT_READY`) or does not answer.
    pub fn arm(&mut self) -> Result<(), HandError> {
        let attempted = "arming";
        self.link.receive();
        self.check_pose(attempted)?;
        let deadline = after(self.link.now(), ARM_SECS);
        let must_stream = !self.link.lockstep && !matches!(self.link.mode(), "ready" | "active");
        if must_stream {
            self.stream_position(deadline)?;
        }
        loop {
            match self.ask(attempted, &Arm {})? {
                Reply::Granted(_) => break,
                Reply::Refused(objection) if must_stream && objection.code == "NOT_READY" => {
                    if self.link.now() >= deadline {
                        return Err(refusal(attempted, objection));
                    }
                    self.stream_once()?;
                }
                Reply::Refused(objection) => return Err(refusal(attempted, objection)),
            }
        }
        self.rearmed = true;
        self.held_since = None;
        self.begin_anew();
        if self.link.lockstep {
            // Nothing is published before the first command.
            if let Some(state) = &mut self.link.state {
                state.body.mode = "active".to_owned();
            }
            return Ok(());
        }
        self.await_active()
    }

    fn begin_anew(&mut self) {
        self.due = None;
        if let Some(envelope) = &mut self.link.envelope {
            envelope.forget();
        }
    }

    /// A policy that reads where the object is must not go on without knowing.
    fn check_pose(&self, attempted: &str) -> Result<(), HandError> {
        if !self.config.needs_object_pose || self.link.believed_pose().is_some() {
            return Ok(());
        }
        let detail = format!(
            "the policy reads where the object is, and no tracker has said so for {:.0} ms ({} poses were not believed)",
            POSE_HOLD_SECS * 1e3,
            self.link.object.rejected()
        );
        Err(refusal(attempted, Objection::new(Fault::PoseLost.name(), detail)))
    }

    /// Holds the hand when the object is lost.
    fn watch_pose(&mut self) -> Result<(), HandError> {
        let Err(error) = self.check_pose("following") else { return Ok(()) };
        self.hold()?;
        Err(HandError::Stopped { reason: error.to_string() })
    }

    fn await_active(&mut self) -> Result<(), HandError> {
        let deadline = after(self.link.now(), SILENCE_SECS);
        loop {
            if self.link.mode() == "active" {
                return Ok(());
            }
            if self.link.now() >= deadline {
                return Err(HandError::Stopped { reason: format!("armed, but {}", self.link.why()) });
            }
            self.link.pause(CONNECT_MS)?;
        }
    }

    fn stream_position(&mut self, deadline: Nanos) -> Result<(), HandError> {
        let enough = after(self.link.now(), self.terms().stream_ms as f64 * 1e-3);
        while self.link.now() < enough.min(deadline) {
            self.stream_once()?;
        }
        Ok(())
    }

    /// One command to stay, and one control period.
    fn stream_once(&mut self) -> Result<(), HandError> {
        self.link.receive();
        self.link.check_link("streaming before an arm")?;
        let Some(state) = &self.link.state else { return Ok(()) };
        // Without torque `q_target` repeats the measured angles.
        let targets = state.body.q_target.clone();
        let targets = self.link.limit(targets);
        self.link.send_command(targets);
        let next = after(self.link.now(), f64::from(self.config.robot.control.period_secs));
        self.link.pause_until(next)
    }

    /// Holds the hand where it is, until armed anew.
    ///
    /// # Errors
    /// When the controller refuses or does not answer.
    pub fn hold(&mut self) -> Result<(), HandError> {
        self.ask_plainly("holding", &Hold {})
    }

    /// Takes torque off.
    ///
    /// # Errors
    /// When the controller does not answer.
    pub fn stop(&mut self) -> Result<(), HandError> {
        self.ask_plainly("stopping", &Stop {})
    }

    /// Takes torque off and keeps it off until faults are cleared.
    ///
    /// # Errors
    /// When the controller does not answer.
    pub fn emergency_stop(&mut self) -> Result<(), HandError> {
        self.ask_plainly("emergency stop", &Estop {})
    }

    /// Clears latched faults whose cause is gone.
    ///
    /// # Errors
    /// When the controller refuses or does not answer.
    pub fn clear_faults(&mut self) -> Result<(), HandError> {
        self.ask_plainly("clearing faults", &ClearFault {})
    }

    /// Ends the session. The controller holds, then relaxes the hand.
    pub fn bye(self) {
        drop(self);
    }

    fn ask_plainly<B: Body>(&mut self, attempted: &str, body: &B) -> Result<(), HandError> {
        match self.ask(attempted, body)? {
            Reply::Granted(_) => Ok(()),
            Reply::Refused(objection) => Err(refusal(attempted, objection)),
        }
    }

    fn ask<B: Body>(&mut self, attempted: &str, body: &B) -> Result<Reply<(u64, Granted)>, HandError> {
        let deadline = after(self.link.now(), REPLY_SECS);
        self.link.request_until(attempted, body, deadline)
    }

    fn in_wire_order(&self, targets_rad: &[f32]) -> Result<Vec<f32>, HandError> {
        let mut wire = vec![0.0; self.places.len()];
        if targets_rad.len() != wire.len() {
            let detail = format!("{} targets for {} joints", targets_rad.len(), wire.len());
            return Err(refusal("commanding", Objection::new("SHAPE", detail)));
        }
        for (joint, &place) in self.places.iter().enumerate() {
            if !targets_rad[joint].is_finite() {
                let name = &self.config.robot.joints[joint].name;
                return Err(HandError::NotFinite { what: format!("target of joint `{name}`") });
            }
            wire[place] = targets_rad[joint];
        }
        Ok(wire)
    }

    fn in_own_order(&self, wire: &[f32]) -> Vec<f32> {
        self.places.iter().map(|&place| wire[place]).collect()
    }

    fn exchange_lockstep(&mut self, wire: Vec<f32>) -> Result<(), HandError> {
        let attempted = "one control period in lock-step";
        let Some(before) = &self.link.state else { return Ok(()) };
        let (episode, tick) = (before.body.episode, before.body.tick.saturating_add(1));
        let start = self.link.now();
        // A fresh connection may take a moment before it accepts commands.
        while !self.link.send_command(wire.clone()) {
            if self.link.now().secs_since(start) > REPLY_SECS {
                return Err(self.link.silent(attempted, REPLY_SECS, "nobody takes commands at the `cmd` socket"));
            }
            self.link.pause(CONNECT_MS)?;
        }
        loop {
            if let Some(state) = &self.link.state {
                if let Some(refused) = state.body.refused.as_ref().filter(|refused| refused.seq == self.link.cmd_seq) {
                    return Err(refusal(attempted, Objection::new(refused.code.clone(), refused.detail.clone())));
                }
                let pose_came = match &self.link.object.newest {
                    Some(pose) if self.has_feature(OBJECT_POSE) => {
                        (pose.body.episode, pose.body.tick) == (episode, tick)
                    }
                    _ => true,
                };
                if (state.body.episode, state.body.tick) == (episode, tick) && pose_came {
                    return Ok(());
                }
            }
            self.link.check_link(attempted)?;
            if self.link.now().secs_since(start) > STEP_SECS {
                return Err(self.link.silent(attempted, STEP_SECS, "the controller does not answer commands any more"));
            }
            self.link.pause(WAIT_MS)?;
        }
    }

    /// Sends now, then waits for the next tick of our own timer. Returns how many ticks had been missed.
    fn exchange_in_time(&mut self, wire: Vec<f32>) -> Result<u32, HandError> {
        let period = Nanos::from_secs(f64::from(self.config.robot.control.period_secs)).0;
        let now = self.link.now();
        let due = self.due.unwrap_or(now);
        let missed = ((now.0 - due.0) / period).max(0);
        self.link.check_stop()?;
        self.link.send_command(wire);
        self.link.compare_clocks();
        let next = Nanos(due.0 + (missed + 1) * period);
        self.due = Some(next);
        self.link.pause_until(next)?;
        self.link.check_link("waiting for a state")?;
        let missed = u32::try_from(missed).unwrap_or(u32::MAX);
        self.link.report.missed_ticks += u64::from(missed);
        Ok(missed)
    }

    /// Whether the hand still follows. A short hold that our next command will end counts as following.
    fn check_following(&mut self) -> Result<(), HandError> {
        let now = self.link.now();
        if self.link.mode() == "active" {
            self.held_since = None;
            return Ok(());
        }
        let faults = self.link.faults();
        let by_silence = self.link.mode() == "hold" && faults.holds(Fault::LinkLost) && faults.latched().is_empty();
        let since = *self.held_since.get_or_insert(now);
        let patience_secs = self.terms().rearm_ms as f64 * 1e-3;
        if by_silence && !self.link.lockstep && now.secs_since(since) < patience_secs {
            return Ok(());
        }
        Err(HandError::Stopped { reason: self.link.why() })
    }

    fn write(&mut self, sensed: &mut SignalFrame) {
        let Some(state) = &self.link.state else { return };
        let hand_now = Nanos(state.body.t_meas);
        // The truth of a simulator is not for the policy.
        let seen = self.link.told_pose().map(|seen| SensedPose {
            position_m: seen.pose.position_m.into(),
            rotation_xyzw: seen.pose.palm_from_object.coords.into(),
            stamp: Nanos(hand_now.0.saturating_sub(Nanos::from_secs(seen.age_secs).0)),
        });
        write_sensed(&state.body, seen.as_ref(), &self.places, sensed);
        if let Some(seen) = seen {
            self.link.tell(|tap, now| tap.sensed_pose(&seen, now));
        }
    }
}

impl Hand for BridgeClient {
    fn model(&self) -> &RobotModel {
        &self.config.robot
    }

    fn observe(&mut self, sensed: &mut SignalFrame) -> Result<(), HandError> {
        self.link.receive();
        self.link.check_link("observing")?;
        self.write(sensed);
        // Who observes begins anew, with fresh recurrent state: the arming before it is no news to them.
        self.rearmed = false;
        Ok(())
    }

    fn exchange(&mut self, targets_rad: &[f32], sensed: &mut SignalFrame) -> Result<Commanded, HandError> {
        let wire = self.in_wire_order(targets_rad)?;
        let wire = self.link.limit(wire);
        let missed_tick_count = if self.link.lockstep {
            self.exchange_lockstep(wire)?;
            0
        } else {
            self.exchange_in_time(wire)?
        };
        self.check_following()?;
        self.watch_pose()?;
        self.write(sensed);
        let (applied_rad, clip, applied_seq) = match &self.link.state {
            Some(state) => (self.in_own_order(&state.body.q_target), state.body.clip, state.body.cmd_seq),
            None => (Vec::new(), 0, 0),
        };
        let rearmed = std::mem::take(&mut self.rearmed);
        let clipped_joint_count = clip.count_ones();
        Ok(Commanded { applied_rad, clipped_joint_count, missed_tick_count, rearmed, applied_seq })
    }
}

impl Drop for BridgeClient {
    fn drop(&mut self) {
        if self.link.sid != 0 && self.link.session_over.is_none() {
            self.link.send(&Bye {});
            self.link.sockets.flush_at_close();
        }
    }
}
