//! What rules share: two peers, a hello that fits, sessions that begin and end.

use super::peer::{Answer, Limits, Peer};
use super::{CheckError, CheckOptions, Unmet};
use crate::clock::{Clock, after};
use crate::handshake::hello;
use crate::message::{
    Arm, Bye, Command, Granted, Hello, LOCKSTEP, PolicyIdentity, REHEARSAL, Reset, Started, State, Welcome,
};
use crate::security::ClientSecurity;
use crate::transport::Endpoints;
use crate::wire::Head;
use giraffe_robots::RobotModel;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Building a simulated world takes no longer, s.
const RESET_SECS: f64 = 5.0;
/// Streaming before an arm is given up, s.
const ARM_SECS: f64 = 3.0;
/// A state of a session comes by then, s.
pub(super) const STATE_SECS: f64 = 1.5;
/// A controller that somebody commands is waited for so long, s.
const BUSY_SECS: f64 = 3.0;
/// No rule takes longer, s, whatever a controller says of its timers; a slow simulator's takes so many times as long as
/// the patience asked for is longer than what a reply usually gets.
const RULE_SECS: f64 = 20.0;
/// What a controller says of its timers is waited for so long at most, s.
pub(super) const LONGEST_TIMER_SECS: f64 = 5.0;
/// What the check calls itself.
pub(super) const SOFTWARE: &str = concat!("giraffe check-controller ", env!("CARGO_PKG_VERSION"));

/// Two peers at one controller.
pub(super) struct Bench {
    endpoints: Endpoints,
    security: ClientSecurity,
    clock: Arc<dyn Clock>,
    limits: Limits,
    pub(super) robot: RobotModel,
    /// The one that commands.
    pub(super) a: Peer,
    /// Somebody else.
    pub(super) b: Peer,
    /// It runs in lock-step only, and refuses who does not want that.
    pub(super) lockstep_only: bool,
    software: String,
    /// An episode it understands, once one was found.
    episode: Option<Vec<u8>>,
}

impl Bench {
    /// Connects, and finds out whether a hello is answered at all.
    pub(super) fn open(
        options: &CheckOptions,
        clock: &Arc<dyn Clock>,
        stop: &Arc<AtomicBool>,
    ) -> Result<Self, CheckError> {
        let has_keys = !matches!(options.security, ClientSecurity::LocalOnly);
        let endpoints = Endpoints::parse(&options.endpoint, has_keys)?;
        let limits = Limits { stop: Arc::clone(stop), patience_secs: options.patience_secs };
        let peer = || Peer::connect(&endpoints, &options.security, Arc::clone(clock), limits.clone());
        let (a, b) = (peer()?, peer()?);
        let mut bench = Self {
            endpoints: endpoints.clone(),
            security: options.security.clone(),
            clock: Arc::clone(clock),
            limits: limits.clone(),
            robot: options.robot.clone(),
            a,
            b,
            lockstep_only: false,
            software: String::new(),
            episode: None,
        };
        let deadline = after(clock.now(), BUSY_SECS);
        bench.begin_rule();
        let refused = loop {
            let greeting = bench.hello(&[]);
            let answer = bench.a.ask(&greeting).map_err(|_| CheckError::Silent {
                endpoint: options.endpoint.clone(),
                waited_secs: bench.a.reply_secs(),
            })?;
            bench.take_welcome(&answer);
            match answer.refusal() {
                None => break None,
                Some((code, _)) if code == "UNSUPPORTED" && !bench.lockstep_only => bench.lockstep_only = true,
                Some((code, _)) if code == "LEASE_HELD" && !bench.a.is_over(deadline) => bench.a.listen(0.2),
                Some(refusal) => break Some(refusal),
            }
        };
        if let Some((code, detail)) = refused {
            let advice = match code.as_str() {
                "LEASE_HELD" => "end the other program, or wait for its lease to run out",
                _ => "say which hand it has with --robot",
            };
            let (endpoint, robot) = (options.endpoint.clone(), options.robot.name.clone());
            return Err(CheckError::Refused { endpoint, robot, code, detail, advice });
        }
        bench.leave();
        Ok(bench)
    }

    /// A hello that fits, wanting these features (and what the controller cannot do without).
    pub(super) fn hello(&self, wants: &[&str]) -> Hello {
        let always: &[&str] = if self.lockstep_only { &[REHEARSAL, LOCKSTEP] } else { &[] };
        let mut all: Vec<String> = always.iter().map(|&want| want.to_owned()).collect();
        all.extend(wants.iter().filter(|want| !always.contains(want)).map(|&want| want.to_owned()));
        let policy_hz = 1.0 / f64::from(self.robot.control.period_secs);
        hello(&self.robot, PolicyIdentity::default(), SOFTWARE.to_owned(), policy_hz, 0, all)
    }

    /// A rule begins: from now on no wait lasts longer than a rule may.
    pub(super) fn begin_rule(&mut self) {
        let limit = after(self.clock.now(), RULE_SECS * self.slowness());
        for peer in [&mut self.a, &mut self.b] {
            peer.limit = limit;
        }
    }

    /// How many times as long as usual everything may take.
    pub(super) fn slowness(&self) -> f64 {
        (self.limits.patience_secs / super::peer::REPLY_SECS).max(1.0)
    }

    /// Another peer, connected anew.
    pub(super) fn peer(&self) -> Result<Peer, Unmet> {
        let peer = Peer::connect(&self.endpoints, &self.security, Arc::clone(&self.clock), self.limits.clone());
        let mut peer = peer.map_err(|error| Unmet::Failed(error.to_string()))?;
        peer.limit = self.a.limit;
        Ok(peer)
    }

    /// Notes the session of a welcome.
    fn take_welcome(&mut self, answer: &Answer) {
        if answer.head.t != "welcome" {
            return;
        }
        self.a.sid = answer.head.sid;
        self.a.cmd_seq = 0;
        self.a.latest = None;
        if let Ok(welcome) = answer.body::<Welcome>() {
            self.software = welcome.software;
        }
    }

    /// Says a hello as the first peer.
    pub(super) fn greet(&mut self, hello: &Hello) -> Result<Answer, Unmet> {
        let answer = self.a.ask_of(0, hello)?;
        self.take_welcome(&answer);
        Ok(answer)
    }

    /// A session of the first peer with a state of it.
    pub(super) fn session(&mut self, wants: &[&str]) -> Result<Welcome, Unmet> {
        let hello = self.hello(wants);
        self.session_of(&hello)
    }

    /// The same, opened by this hello.
    pub(super) fn session_of(&mut self, hello: &Hello) -> Result<Welcome, Unmet> {
        let answer = self.greet(hello)?;
        let welcome = match answer.body::<Welcome>() {
            Ok(welcome) => welcome,
            Err(Unmet::Failed(what)) => return Err(Unmet::Skipped(format!("there is no session: {what}"))),
            Err(skipped) => return Err(skipped),
        };
        let count = self.robot.joint_count();
        self.a.await_state("the first state of the session", STATE_SECS, |_, state| fits(state, count))?;
        Ok(welcome)
    }

    /// A session in real time.
    pub(super) fn real_time_session(&mut self, wants: &[&str]) -> Result<Welcome, Unmet> {
        if self.lockstep_only {
            return Err(Unmet::Skipped("this controller runs in lock-step only".to_owned()));
        }
        self.session(wants)
    }

    /// A hand that follows: reset first if it is simulated, otherwise after a stream of commands to stay.
    pub(super) fn activate(&mut self) -> Result<Welcome, Unmet> {
        let welcome = self.real_time_session(&[REHEARSAL])?;
        if welcome.grants.iter().any(|grant| grant == REHEARSAL) {
            self.reset()?;
            self.a.ask(&Arm {})?.body::<Granted>()?;
        } else {
            self.stream_and_arm(&welcome)?;
        }
        self.a.await_state("mode `active` after `arm`", STATE_SECS, |_, state| state.mode == "active")?;
        Ok(welcome)
    }

    /// A hand that follows, in the way that this controller knows.
    pub(super) fn activate_somehow(&mut self) -> Result<Welcome, Unmet> {
        if !self.lockstep_only {
            return self.activate();
        }
        let welcome = self.activate_lockstep(&[])?;
        let stay = self.a.state()?.1.q_target.clone();
        self.step(stay)?;
        Ok(welcome)
    }

    /// A simulated hand in lock-step that follows.
    pub(super) fn activate_lockstep(&mut self, wants: &[&str]) -> Result<Welcome, Unmet> {
        let welcome = self.lockstep_session(wants)?;
        self.begin_lockstep(None)?;
        Ok(welcome)
    }

    /// A session in lock-step.
    pub(super) fn lockstep_session(&mut self, wants: &[&str]) -> Result<Welcome, Unmet> {
        let welcome = self.session(&[&[REHEARSAL, LOCKSTEP], wants].concat())?;
        if !welcome.grants.iter().any(|grant| grant == LOCKSTEP) {
            return Err(Unmet::Skipped("`lockstep` is not granted: this hand is not simulated".to_owned()));
        }
        Ok(welcome)
    }

    /// Starts an episode, this one or any, and arms; what was published by then is forgotten.
    pub(super) fn begin_lockstep(&mut self, episode: Option<&[u8]>) -> Result<(), Unmet> {
        match episode {
            Some(episode) => drop(
                self.reset_with(episode)?
                    .map_err(|refused| Unmet::Failed(format!("`reset` was refused: {refused}")))?,
            ),
            None => drop(self.reset()?),
        }
        self.a.ask(&Arm {})?.body::<Granted>()?;
        self.a.listen(0.05);
        self.a.forget();
        Ok(())
    }

    /// Starts an episode. What is in it is agreed elsewhere, so a few common ones are tried.
    pub(super) fn reset(&mut self) -> Result<Started, Unmet> {
        let guesses: [&[u8]; 3] = [b"\x81\xa4seed\x07", b"\x80", b""];
        let guesses = match &self.episode {
            Some(episode) => vec![episode.clone()],
            None => guesses.map(<[u8]>::to_vec).to_vec(),
        };
        let mut last = String::new();
        for episode in guesses {
            match self.reset_with(&episode)? {
                Ok(started) => {
                    self.episode = Some(episode);
                    return Ok(started);
                }
                Err(refused) => last = refused,
            }
        }
        Err(Unmet::Failed(format!("`reset` was refused: {last}")))
    }

    /// Starts this episode; the words of a refusal if it is refused.
    pub(super) fn reset_with(&mut self, episode: &[u8]) -> Result<Result<Started, String>, Unmet> {
        let request = self.a.request(&Reset { episode: episode.to_vec() });
        self.a.send(&request)?;
        let secs = RESET_SECS.max(self.limits.patience_secs);
        let Some(answer) = self.a.answer_within(secs) else {
            return Err(Unmet::Failed(format!("no reply to `reset` within {secs} s")));
        };
        if answer.head.t != "started" {
            return Ok(Err(answer.to_string()));
        }
        let started: Started = answer.body()?;
        self.a.await_state("the state of the reset", STATE_SECS, |_, state| {
            state.episode == started.episode && state.mode == "ready"
        })?;
        Ok(Ok(started))
    }

    /// Commands to stay until an arm is granted.
    pub(super) fn stream_and_arm(&mut self, welcome: &Welcome) -> Result<(), Unmet> {
        let deadline = after(self.a.now(), ARM_SECS);
        self.keep(welcome, timer_secs("stream_ms", welcome.stream_ms)? + 0.1)?;
        loop {
            let answer = self.a.ask(&Arm {})?;
            match answer.refusal() {
                None => return answer.body::<Granted>().map(|_| ()),
                Some((code, _)) if code == "NOT_READY" && !self.a.is_over(deadline) => self.keep(welcome, 0.1)?,
                Some(_) => return Err(Unmet::Failed(format!("`arm` after a stream of commands: {answer}"))),
            }
        }
    }

    /// Commands to stay, at the policy's rate.
    pub(super) fn keep(&mut self, welcome: &Welcome, secs: f64) -> Result<(), Unmet> {
        let deadline = after(self.a.now(), secs);
        while !self.a.is_over(deadline) {
            let command = self.stay()?;
            self.a.command(&command)?;
            self.a.listen(period_secs(welcome));
        }
        Ok(())
    }

    /// A command, computed from the newest state, to stay there.
    pub(super) fn stay(&mut self) -> Result<Command, Unmet> {
        self.a.pump();
        let (head, state) = self.a.state()?;
        Ok(command_from(head, state, state.q_target.clone()))
    }

    /// One command in lock-step and the state that answers it.
    pub(super) fn step(&mut self, q: Vec<f32>) -> Result<(Head, State), Unmet> {
        self.a.pump();
        let (head, state) = self.a.state()?;
        let command = Command { tick: state.tick.saturating_add(1), ..command_from(head, state, q) };
        self.step_with(&command)
    }

    /// The state that answers a command in lock-step.
    pub(super) fn step_with(&mut self, command: &Command) -> Result<(Head, State), Unmet> {
        self.a.forget();
        let seq = self.a.command(command)?;
        self.answer_to(seq, command)
    }

    /// Waits for the state that answers command `seq`, without asking for one.
    pub(super) fn answer_to(&mut self, seq: u64, command: &Command) -> Result<(Head, State), Unmet> {
        let sid = self.a.sid;
        let secs = STATE_SECS.max(self.limits.patience_secs);
        let deadline = after(self.a.now(), secs);
        loop {
            let answers = |(head, state): &&(Head, State)| {
                let refused = state.refused.as_ref().is_some_and(|refused| refused.seq == seq);
                head.sid == sid && (refused || (state.episode, state.tick) == (command.episode, command.tick))
            };
            if let Some(answer) = self.a.states.iter().find(answers) {
                return Ok(answer.clone());
            }
            if self.a.is_over(deadline) {
                let words = self.a.last_words();
                return Err(Unmet::Failed(format!("no state answers command {seq} within {secs} s; {words}")));
            }
            self.a.pause();
        }
    }

    /// Ends the session of a rule, so that the next begins without one.
    pub(super) fn leave(&mut self) {
        for peer in [&mut self.a, &mut self.b] {
            if peer.sid != 0 {
                let _ = peer.ask(&Bye {});
                peer.sid = 0;
            }
            peer.latest = None;
            peer.forget();
        }
    }

    /// Ends everything; what the controller calls itself.
    pub(super) fn end(mut self) -> String {
        self.leave();
        self.a.flush();
        std::mem::take(&mut self.software)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if self.a.sid != 0 {
            let bye = self.a.request(&Bye {});
            let _ = self.a.send(&bye);
            self.a.flush();
        }
    }
}

/// A control period as a controller says, within reason: it may say anything.
pub(super) fn period_secs(welcome: &Welcome) -> f64 {
    let hz = if welcome.policy_hz.is_finite() { welcome.policy_hz } else { 1.0 };
    1.0 / hz.clamp(1.0, 1000.0)
}

/// A timer of a controller in s, if it can be waited for.
pub(super) fn timer_secs(name: &str, timer_ms: u64) -> Result<f64, Unmet> {
    let secs = timer_ms as f64 * 1e-3;
    if secs <= LONGEST_TIMER_SECS {
        return Ok(secs);
    }
    Err(Unmet::Skipped(format!("`{name}` is {timer_ms} ms, too long to wait for")))
}

/// A free-running command computed from a state.
pub(super) fn command_from(head: &Head, state: &State, q: Vec<f32>) -> Command {
    Command { episode: state.episode, tick: 0, state_seq: head.seq, t_state: head.ts, q }
}

fn fits(state: &State, joint_count: usize) -> bool {
    [&state.q, &state.dq, &state.q_target].iter().all(|values| values.len() == joint_count)
}
