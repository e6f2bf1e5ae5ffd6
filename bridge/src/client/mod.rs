//! The policy's end of the link: a [`giraffe_robots::Hand`] that lives in another process.

mod admission;
mod arming;
mod clocks;
mod config;
#[cfg(test)]
mod foreign_tests;
mod heard;
mod homing;
mod link;
mod local;
mod newest;
mod object;
mod observer;
mod paced;
mod pose;
#[cfg(test)]
mod receive_tests;
mod replies;
mod stepping;
mod tap;

pub use config::ClientConfig;
pub use link::LinkReport;
pub use object::ObjectWatch;
pub use observer::Observer;
pub use tap::{LinkTap, SensedPose, write_sensed};

use crate::clock::{Clock, after};
use crate::envelope::EnvelopeSpec;
use crate::handshake::{Objection, check_object, check_welcome, hello};
use crate::message::{
    Bye, ClearFault, Estop, Granted, HOMING, Hello, Hold, LOCKSTEP, OBJECT_POSE, Ping, REHEARSAL, Reset, Started, Stop,
    Welcome,
};
use crate::security::ClientSecurity;
use crate::transport::{ClientSockets, Endpoints, TransportError};
use crate::wire::Body;
use admission::Admission;
use giraffe_robots::{HandError, Nanos, ObjectPose, Seen};
use link::{CONNECT_MS, Link};
use local::LocalEnvelope;
use replies::{Reply, refusal};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What may be done about a simulator that takes its time.
const IF_SLOW: &str = "; if the simulator is only slow, wait longer with --patience";
/// While waiting for the first state, so often a ping asks for one, s.
const PING_SECS: f64 = 0.05;

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
        let mut link = Link::new(&config.endpoint, sockets, admission, clock, stop, joint_count, lockstep);
        link.if_slow = IF_SLOW;
        link.newest.object.expect(config.object.clone());
        let deadline = after(link.now(), config.connect_secs());
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
        let hello = Hello { object: self.config.object.clone(), ..hello };
        let reply: Reply<(u64, Welcome)> = self.link.request_until(attempted, &hello, deadline)?;
        let mut welcome = match reply {
            Reply::Refused(objection) => return Err(refusal(attempted, objection)),
            Reply::Granted((sid, welcome)) => {
                // From here on a `bye` is owed, whatever we think of the welcome.
                self.link.session.sid = sid;
                welcome
            }
        };
        for note in &welcome.notes {
            tracing::warn!(controller = welcome.software, note, "note of the controller");
        }
        self.places = check_welcome(&welcome, &self.config.robot, &needs)
            .and_then(|places| check_object(self.config.object.as_deref(), welcome.object.as_deref()).map(|()| places))
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
        self.link.heard.begin();
        loop {
            if self.link.newest.state.is_some()
                && (self.link.newest.object.pose.is_some() || !self.has_feature(OBJECT_POSE))
            {
                return Ok(());
            }
            let now = self.link.now();
            if now >= deadline {
                let heard = self.link.heard.words(self.has_feature(OBJECT_POSE));
                let advice = format!(
                    "the controller answered, but publishes no state of this session (and pose, if it grants \
                     object_pose): {heard}; see `First state` in PROTOCOL.md"
                );
                return Err(self.link.silent(attempted, self.config.connect_secs(), &advice));
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
        self.link.newest.object_watch(self.link.now())
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
        self.link.newest.state.as_ref().map_or(0, |state| state.body.episode)
    }

    /// Starts a rehearsal episode: simulated hands only. `episode` is one msgpack map that the controller
    /// understands. Afterwards [`BridgeClient::arm`] takes effect at once.
    ///
    /// # Errors
    /// When the controller refuses the parameters, or does not answer.
    pub fn reset_episode(&mut self, episode: &[u8]) -> Result<(), HandError> {
        let attempted = "starting an episode";
        let deadline = after(self.link.now(), self.config.reset_secs());
        let reset = Reset { episode: episode.to_vec() };
        let started: Started = match self.link.request_until(attempted, &reset, deadline)? {
            Reply::Granted((_, started)) => started,
            Reply::Refused(objection) => return Err(refusal(attempted, objection)),
        };
        self.link
            .newest
            .check_shape(&started.state.body)
            .map_err(|detail| refusal(attempted, Objection::new("MALFORMED", detail)))?;
        if started.state.head.sid != self.link.session.sid || started.state.body.episode != started.episode {
            let detail = "the state in `started` belongs to another session or episode".to_owned();
            return Err(refusal(attempted, Objection::new("MALFORMED", detail)));
        }
        self.link.begin(started.state, started.pose);
        self.begin_anew();
        Ok(())
    }

    fn begin_anew(&mut self) {
        self.due = None;
        if let Some(envelope) = &mut self.link.envelope {
            envelope.forget();
        }
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

    /// Ends the session, if there is one, and does not look back: what is asked for afterwards is refused.
    pub fn leave(&mut self) {
        if self.link.session.sid != 0 && self.link.session.over.is_none() {
            self.link.send(&Bye {});
            self.link.sockets.flush_at_close();
            self.link.session.over = Some("we said goodbye".to_owned());
        }
    }

    /// Why the hand does not follow, in the controller's own words; empty while it does.
    pub fn why(&self) -> &str {
        self.link.newest.state.as_ref().map_or("", |state| &state.body.why)
    }

    fn ask_plainly<B: Body>(&mut self, attempted: &str, body: &B) -> Result<(), HandError> {
        match self.ask(attempted, body)? {
            Reply::Granted(_) => Ok(()),
            Reply::Refused(objection) => Err(refusal(attempted, objection)),
        }
    }

    fn ask<B: Body>(&mut self, attempted: &str, body: &B) -> Result<Reply<(u64, Granted)>, HandError> {
        let deadline = after(self.link.now(), self.config.reply_secs());
        self.link.request_until(attempted, body, deadline)
    }
}

impl Drop for BridgeClient {
    fn drop(&mut self) {
        self.leave();
    }
}
