//! The controller's loop: sockets, a driver and a clock around [`ServerCore`].
//!
//! Free-running, it turns at the driver's own rate whatever arrives or does not. In a lock-step session it does
//! nothing but answer: one command, one control period.

use crate::clock::{Clock, after};
use crate::controller::{CommandVerdict, ControllerSpec, Counters, Order, Request, ServerCore};
use crate::driver::{DriverError, HandDriver, Rehearsal};
use crate::error::BridgeError;
use crate::security::{Sender, ServerSecurity};
use crate::transport::{Endpoints, Incoming, ServerSockets};
use crate::trial::Trial;
use crate::watchdog::Mode;
use giraffe_robots::{Nanos, SignalFrame, SignalLayout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Longest wait before the stop flag is looked at, ms.
const WAIT_MS: i64 = 20;
/// So often a release is tried before the loop gives up, at the end.
const RELEASE_ATTEMPTS: u32 = 4;
/// From one of these to the next, s: a port that is gone, or a servo that restarts, needs a moment. All of them fit into the
/// second in which a controller ends.
const RELEASE_AGAIN_SECS: f64 = 0.2;

/// A turn that is due waits until so many requests and so many commands were looked at, so that those of the commander,
/// whose turn comes among those of all who send, get through however late the loop is.
const LEAST_PER_TURN: usize = 8;
/// But no longer than this part of a period, however much work they are.
const LATE_BY: f64 = 0.25;
/// Listening takes at most this part of a period between two turns. A loop that never rests is no longer woken in time on a
/// busy machine.
const LISTENS_FOR: f64 = 0.5;

/// What motors do when the controller ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitAction {
    /// Torque off: an object in the hand falls.
    Release,
    /// The servos keep their last targets, with less effort, and nobody watches them.
    KeepHolding,
}

/// A controller for one hand.
pub struct BridgeServer {
    core: ServerCore,
    driver: Box<dyn HandDriver>,
    sockets: ServerSockets,
    clock: Arc<dyn Clock>,
    frame: SignalFrame,
    /// What goes wrong because somebody asked for that.
    trial: Option<Trial>,
    exit: ExitAction,
    /// Whether a state was published for pings since the last turn.
    has_answered_pings: bool,
    /// How long messages were looked at since the last turn.
    listened: Nanos,
    ended: bool,
}

impl BridgeServer {
    /// Binds the four sockets of `endpoint`, for this machine only. Moves nothing. What the driver can do (rate,
    /// episodes, object) replaces what `spec` says of it.
    ///
    /// # Errors
    /// When the endpoint is taken, can be reached from other machines or makes no sense; when a limit or timer
    /// makes no sense.
    pub fn bind(
        endpoint: &str,
        spec: ControllerSpec,
        exit: ExitAction,
        driver: Box<dyn HandDriver>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, BridgeError> {
        Self::bind_secured(endpoint, &ServerSecurity::LocalOnly, spec, exit, driver, clock)
    }

    /// The same with keys: any address may be bound, and every socket is encrypted.
    ///
    /// # Errors
    /// As with [`BridgeServer::bind`], and when keys are there but cannot be used: nothing is bound in clear text
    /// instead.
    pub fn bind_secured(
        endpoint: &str,
        security: &ServerSecurity,
        mut spec: ControllerSpec,
        exit: ExitAction,
        mut driver: Box<dyn HandDriver>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, BridgeError> {
        spec.loop_period_secs = f64::from(driver.loop_period_secs());
        spec.rehearsal = driver.rehearsal().is_some();
        spec.object_pose = driver.has_object();
        spec.object = driver.object().map(|object| object.name);
        spec.calibration = driver.calibration();
        spec.notes = driver.notes();
        let (layout, tracked) = (SignalLayout::of(&spec.robot, 0), spec.object_pose);
        let core = ServerCore::new(spec, clock.now())?;
        let has_keys = !matches!(security, ServerSecurity::LocalOnly);
        let sockets = ServerSockets::bind(&Endpoints::parse(endpoint, has_keys)?, security, tracked, &clock)?;
        Ok(Self {
            core,
            driver,
            sockets,
            clock,
            frame: SignalFrame::new(layout),
            trial: None,
            exit,
            has_answered_pings: false,
            listened: Nanos(0),
            ended: false,
        })
    }

    /// Counted in the session in force.
    pub fn counters(&self) -> Counters {
        self.core.counters()
    }

    /// Messages dropped because the key of their sender had been taken off the allow-list.
    pub fn unlisted_count(&self) -> u64 {
        self.sockets.unlisted_count()
    }

    /// Serves until `stop` is set, then leaves the motors in the configured safe action, within a second.
    ///
    /// # Errors
    /// When the hand could not be released at the end. Everything else is a fault of the protocol and keeps the
    /// loop going.
    pub fn run(&mut self, stop: &AtomicBool) -> Result<(), BridgeError> {
        self.sense();
        let mut next_turn = self.clock.now();
        while !stop.load(Ordering::Relaxed) {
            if self.core.is_lockstep() {
                self.sockets.wait(WAIT_MS);
                self.serve(after(self.clock.now(), 1e-3 * WAIT_MS as f64));
                if self.core.is_releasing() {
                    let _ = self.release();
                }
                next_turn = self.clock.now();
            } else {
                self.wait_until(next_turn);
                let left = Nanos(self.listens_for().0 - self.listened.0);
                self.serve(next_turn.min(Nanos(self.clock.now().0.saturating_add(left.0))));
                if self.clock.now() >= next_turn && !self.core.is_lockstep() {
                    self.turn();
                    next_turn = self.after_turn(next_turn);
                }
            }
        }
        self.end()
    }

    /// Waits for a message until `deadline`; near it, sleeps, since polling knows only whole milliseconds.
    fn wait_until(&self, deadline: Nanos) {
        let left_ms = (deadline.0 - self.clock.now().0) / 1_000_000;
        match left_ms {
            1.. if self.listened < self.listens_for() => self.sockets.wait(left_ms.min(WAIT_MS)),
            _ => self.clock.sleep_until(deadline),
        }
    }

    fn after_turn(&mut self, due: Nanos) -> Nanos {
        let period_secs = self.core.spec().loop_period_secs;
        let now = self.clock.now();
        let next = after(due, period_secs);
        if now <= next {
            return next;
        }
        self.core.on_overrun();
        // Missed turns are not made up for.
        now
    }

    /// One turn of the free-running loop.
    fn turn(&mut self) {
        let start = self.clock.now();
        let order = self.core.on_tick(start);
        self.execute(&order);
        if !self.core.world_stands() {
            self.advance(self.core.spec().loop_period_secs as f32);
        }
        self.sense();
        self.publish();
        (self.has_answered_pings, self.listened) = (false, Nanos(0));
        let turn_us = (self.clock.now().0 - start.0) / 1000;
        self.core.on_turn(u64::try_from(turn_us).unwrap_or(0));
    }

    fn execute(&mut self, order: &Order) {
        let Some(targets) = order.targets() else {
            let _ = self.release();
            return;
        };
        match self.driver.command(targets) {
            Ok(()) => self.core.on_command_done(),
            Err(error) => {
                self.core.on_command_failed(&error.to_string(), self.clock.now());
                let _ = self.release();
            }
        }
    }

    /// Takes torque off, and lets it be known whether that happened. The next turn does it again.
    ///
    /// # Errors
    /// When not every servo confirmed it.
    fn release(&mut self) -> Result<(), DriverError> {
        let refuses = self.trial.as_mut().and_then(Trial::grip);
        if let Err(error) = self.driver.release().and_then(|()| refuses.map_or(Ok(()), Err)) {
            self.core.on_release_failed(&error.to_string(), self.clock.now());
            return Err(error);
        }
        let unready = self.driver.make_ready().err().map(|error| error.to_string());
        self.core.on_released(unready.as_deref(), self.clock.now());
        Ok(())
    }

    /// Has the driver do at once what a request asked for, and answers with what came of it.
    fn settle(&mut self, re: u64) -> Vec<u8> {
        let order = self.core.on_tick(self.clock.now());
        self.execute(&order);
        self.core.on_settled(re, self.clock.now())
    }

    fn advance(&mut self, secs: f32) {
        if let Some(simulator) = self.driver.rehearsal()
            && let Err(error) = simulator.advance(secs)
        {
            self.core.on_command_failed(&error.to_string(), self.clock.now());
        }
    }

    fn sense(&mut self) {
        let now = self.clock.now();
        self.frame.begin(now);
        // A trial is over with the session that asked for it.
        self.trial = self.trial.take().filter(|trial| trial.sid() == self.core.sid());
        match self.driver.sense(&mut self.frame) {
            Ok(()) => {
                if let Some(trial) = &mut self.trial {
                    trial.alter(&mut self.frame);
                }
                self.core.on_sensed(&self.frame, now);
            }
            Err(error) => self.core.on_sense_failed(&error.to_string(), now),
        }
        self.core.on_health(self.driver.health(), now);
    }

    /// Ends what the servos' own protection tripped on. Torque is off, and is taken off once more to be sure.
    fn clear_alarms(&mut self, re: u64) -> Vec<u8> {
        let done = self.release().and_then(|()| self.driver.clear_alarms());
        self.core.on_alarms_cleared(re, done.map_err(|error| error.to_string()), self.clock.now())
    }

    fn publish(&mut self) {
        let now = self.clock.now();
        if let Some(bytes) = self.core.state_message(now) {
            self.sockets.publish_state(&bytes);
            if let Some(object) = self.driver.object() {
                self.sockets.publish_pose(&self.core.pose_message(&object, now));
            }
        }
    }

    /// How long messages may be looked at between two turns.
    fn listens_for(&self) -> Nanos {
        Nanos::from_secs(LISTENS_FOR * self.core.spec().loop_period_secs)
    }

    /// Takes requests and commands by turns, until none waits or the next turn is `due`. Who floods one socket delays
    /// neither the other nor the turn.
    fn serve(&mut self, due: Nanos) {
        let start = self.clock.now();
        let late = after(due.max(start), LATE_BY * self.core.spec().loop_period_secs);
        let mut is_state_wanted = false;
        for round in 0.. {
            let served = [self.serve_request(&mut is_state_wanted), self.serve_command()];
            let now = self.clock.now();
            if served == [false; 2] || now >= late || (now >= due && round + 1 >= LEAST_PER_TURN) {
                break;
            }
        }
        self.listened.0 += self.clock.now().0 - start.0;
        // One answers many pings. Where the next turn publishes anyway, one between two turns will do, so that who asks for
        // states without end floods nobody who reads them.
        if is_state_wanted && (self.core.is_lockstep() || !std::mem::replace(&mut self.has_answered_pings, true)) {
            self.publish();
        }
    }

    /// Answers the next request, if one waits. `is_state_wanted`: by whoever sent a ping.
    fn serve_request(&mut self, is_state_wanted: &mut bool) -> bool {
        let Some(Incoming { peer, sender, bytes }) = self.sockets.request() else { return false };
        let reply = match self.core.on_ctl(&sender, &bytes, self.clock.now()) {
            Request::Dropped => return true,
            Request::Reply(reply) => reply,
            Request::Pong(reply) => {
                *is_state_wanted = true;
                reply
            }
            Request::Settle { re } => self.settle(re),
            Request::ClearAlarms { re } => self.clear_alarms(re),
            Request::Reset { re, episode } => self.reset(re, &episode),
        };
        self.sockets.reply(&peer, &reply);
        true
    }

    /// Carries out a reset; state and pose are published before the reply is handed over.
    fn reset(&mut self, re: u64, episode: &[u8]) -> Vec<u8> {
        let started = self.start_episode(episode);
        let object = self.driver.object();
        let now = self.clock.now();
        let reply = match started {
            Ok(targets_rad) => self.core.on_reset_done(re, &targets_rad, &self.frame, object.as_ref(), now),
            Err(error) => Err(self.core.on_reset_failed(re, &error.reason, now)),
        };
        match reply {
            Ok(reply) => {
                if let Some(bytes) = self.core.state_message(now) {
                    self.sockets.publish_state(&bytes);
                }
                if let Some(object) = object {
                    self.sockets.publish_pose(&self.core.pose_message(&object, now));
                }
                reply
            }
            Err(reply) => {
                let _ = self.release();
                reply
            }
        }
    }

    fn start_episode(&mut self, episode: &[u8]) -> Result<Vec<f32>, DriverError> {
        let simulator =
            self.driver.rehearsal().ok_or_else(|| DriverError::new("starting an episode", "not a simulated hand"))?;
        let trial = Trial::read(episode, &self.core.spec().robot, self.core.sid())?;
        let targets_rad = simulator.reset(episode)?;
        self.frame.clear();
        self.frame.begin(Nanos(0));
        self.driver.sense(&mut self.frame)?;
        self.trial = trial;
        if let Some(trial) = &mut self.trial {
            trial.alter(&mut self.frame);
        }
        Ok(targets_rad)
    }

    /// Checks the next command, if one waits. Free-running, the newest acceptable one is applied at the next turn; in
    /// lock-step each is one control period.
    fn serve_command(&mut self) -> bool {
        let Some(Incoming { sender, bytes, .. }) = self.sockets.command() else { return false };
        let (now, is_lockstep) = (self.clock.now(), self.core.is_lockstep());
        let verdict = self.judge(&sender, &bytes, now);
        if is_lockstep {
            self.answer_lockstep(&verdict, now);
        }
        true
    }

    /// What becomes of a command, over a link that a simulator may let lose it.
    fn judge(&mut self, sender: &Sender, bytes: &[u8], now: Nanos) -> CommandVerdict {
        let Self { core, driver, .. } = self;
        core.on_cmd_over(|| driver.rehearsal().is_some_and(Rehearsal::loses_command), sender, bytes, now)
    }

    /// Each command that is accepted is one control period, also one that a simulated link loses.
    fn answer_lockstep(&mut self, verdict: &CommandVerdict, now: Nanos) {
        match verdict {
            CommandVerdict::Accepted | CommandVerdict::Lost => {
                let order = self.core.on_tick(now);
                self.execute(&order);
                self.advance(self.core.spec().envelope.period_secs);
                self.sense();
                self.publish();
            }
            CommandVerdict::Dropped(dropped) => {
                if dropped.from_commander
                    && let Some(bytes) = self.core.refused_message(dropped, now)
                {
                    self.sockets.publish_state(&bytes);
                }
            }
        }
    }

    fn end(&mut self) -> Result<(), BridgeError> {
        if self.ended {
            return Ok(());
        }
        self.ended = true;
        let keep = self.exit == ExitAction::KeepHolding && self.core.mode().has_torque();
        let now = self.clock.now();
        self.core.on_shutdown(!keep, now);
        let mut done = Ok(());
        if keep && self.core.mode() != Mode::Off {
            if let Some(targets) = self.core.on_tick(now).targets() {
                done = self.driver.command(targets);
            }
        } else {
            done = self.release();
            for _ in 1..RELEASE_ATTEMPTS {
                if done.is_ok() {
                    break;
                }
                self.clock.sleep_until(after(self.clock.now(), RELEASE_AGAIN_SECS));
                done = self.release();
            }
        }
        if let Some(bytes) = self.core.state_message(self.clock.now()) {
            self.sockets.publish_state(&bytes);
        }
        self.sockets.flush_at_close();
        Ok(done?)
    }
}

impl Drop for BridgeServer {
    /// Also when a thread panics, the motors are left in the safe action.
    fn drop(&mut self) {
        let _ = self.end();
    }
}
