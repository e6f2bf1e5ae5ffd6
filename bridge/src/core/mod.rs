//! The controller's judgement: session, lease, watchdog and envelope. No sockets, no clock, no driver: bytes and the
//! time come in, bytes and orders to the motors come out.

mod commands;
mod requests;

pub use commands::{CommandVerdict, Drop};
pub use requests::Request;

use crate::clock::after;
use crate::driver::TrackedObject;
use crate::envelope::{EnvelopeSpec, SafeTargets, SafetyEnvelope};
use crate::error::BridgeError;
use crate::fault::{Fault, FaultSet};
use crate::kinematics::describe;
use crate::message::{Pose, Refused, RobotDescription, Started, State, WithHead};
use crate::watchdog::{Mode, Watchdog, WatchdogSpec};
use crate::wire::{Body, Head, VERSION, encode};
use giraffe_robots::{HoldAt, Nanos, RobotModel, Signal, SignalFrame};

/// Share of the usual effort while holding.
const HOLD_EFFORT: f32 = 0.7;
/// Share of the usual effort while relaxing.
const RELAX_EFFORT: f32 = 0.3;
/// Speed at which targets creep to the measured angles while relaxing.
const RELAX_SPEED_RAD_PER_SEC: f32 = 0.5;
/// So many failures in a row are a fault.
const FAILURES_IN_A_ROW: u32 = 3;

/// What a controller is set up for.
#[derive(Debug, Clone)]
pub struct ControllerSpec {
    /// The hand behind it.
    pub robot: RobotModel,
    /// Limits.
    pub envelope: EnvelopeSpec,
    /// Timers.
    pub watchdog: WatchdogSpec,
    /// What is held when commands stop.
    pub hold: HoldAt,
    /// Silence after which another commander may take over, s.
    pub lease_secs: f64,
    /// Oldest state a command may be computed from, s.
    pub max_age_secs: f64,
    /// Commands before an arm stay this close to the start, rad.
    pub start_tol_rad: f32,
    /// Seconds of one turn of the loop while free-running.
    pub loop_period_secs: f64,
    /// Whether episodes and lock-step are offered: the hand is simulated.
    pub rehearsal: bool,
    /// Whether the object's pose is published.
    pub object_pose: bool,
    /// The first session's number is derived from this; a controller that starts anew must start elsewhere.
    pub session_seed: u64,
    /// Name and version, for logs.
    pub software: String,
}

impl ControllerSpec {
    /// What the description of `robot` asks for, the rest as in the protocol; a real hand without a tracker.
    pub fn of(robot: &RobotModel) -> Self {
        let period_secs = f64::from(robot.control.period_secs);
        Self {
            robot: robot.clone(),
            envelope: EnvelopeSpec::of(robot),
            watchdog: WatchdogSpec::of(&robot.safety),
            hold: robot.safety.hold,
            lease_secs: 2.0,
            max_age_secs: 2.5 * period_secs,
            start_tol_rad: 0.1,
            loop_period_secs: period_secs,
            rehearsal: false,
            object_pose: false,
            session_seed: 1,
            software: concat!("giraffe ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }

    fn check(&self) -> Result<(), BridgeError> {
        self.envelope.check()?;
        let w = &self.watchdog;
        let timers = [
            ("hold_after (s)", w.hold_after_secs),
            ("relax_after (s)", w.relax_after_secs),
            ("off_after (s)", w.off_after_secs),
            ("rearm_after (s)", w.rearm_after_secs),
            ("stream before an arm (s)", w.stream_secs),
            ("lease (s)", self.lease_secs),
            ("largest age of a state (s)", self.max_age_secs),
            ("start tolerance (rad)", f64::from(self.start_tol_rad)),
            ("period of the loop (s)", self.loop_period_secs),
        ];
        for (what, found) in timers {
            if !(found.is_finite() && found > 0.0 && found < 1e6) {
                let (what, found) = (what.to_owned(), found.to_string());
                return Err(BridgeError::Setting { what, found, expected: "positive, below a million" });
            }
        }
        Ok(())
    }
}

/// What the motors are to do now.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// Follow commands.
    Follow(SafeTargets),
    /// Stay.
    Hold(SafeTargets),
    /// Give way.
    Relax(SafeTargets),
    /// No torque.
    Off,
}

impl Order {
    /// Targets, unless torque is off.
    pub fn targets(&self) -> Option<&SafeTargets> {
        match self {
            Order::Follow(targets) | Order::Hold(targets) | Order::Relax(targets) => Some(targets),
            Order::Off => None,
        }
    }
}

/// The commander in charge.
#[derive(Debug, Clone)]
struct Session {
    sid: u64,
    software: String,
    lease_until: Nanos,
    lockstep: bool,
    last_seq: u64,
    last_state_seq: u64,
}

/// A command that was accepted and not yet applied.
#[derive(Debug, Clone)]
struct Pending {
    q: Vec<f32>,
    seq: u64,
    t_state: i64,
}

/// What `q_target` comes from.
#[derive(Debug, Clone, Copy, Default)]
struct Applied {
    seq: u64,
    age_us: u64,
    clip: u64,
}

/// Counted since the session began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Accepted commands.
    pub accepted: u64,
    /// Accepted, but replaced by a newer one before they were applied.
    pub superseded: u64,
    /// Dropped as old, repeated or out of turn.
    pub stale: u64,
    /// Dropped as malformed or foreign.
    pub bad: u64,
}

/// The controller's judgement.
#[derive(Debug)]
pub struct ServerCore {
    spec: ControllerSpec,
    description: RobotDescription,
    watchdog: Watchdog,
    envelope: SafetyEnvelope,
    faults: FaultSet,
    session: Option<Session>,
    session_count: u64,
    pending: Option<Pending>,
    applied: Applied,
    counters: Counters,
    overruns: u64,
    not_finite_in_a_row: u32,
    shape_in_a_row: u32,
    sense_failures: u32,
    bus_failing: bool,
    measured: Option<Measured>,
    last_filter: Option<Nanos>,
    last_relax: Option<Nanos>,
    episode: u64,
    tick: u64,
    world_stands: bool,
    why: String,
    ctl_seq: u64,
    state_seq: u64,
    pose_seq: u64,
}

/// What was sensed last.
#[derive(Debug, Clone)]
struct Measured {
    q: Vec<f32>,
    dq: Vec<f32>,
    stamp: Nanos,
}

impl ServerCore {
    /// A controller whose motors are off.
    ///
    /// # Errors
    /// When a limit or timer makes no sense.
    pub fn new(spec: ControllerSpec, now: Nanos) -> Result<Self, BridgeError> {
        spec.check()?;
        let envelope = SafetyEnvelope::new(spec.envelope.clone(), &spec.robot.home_rad)?;
        Ok(Self {
            description: describe(&spec.robot),
            watchdog: Watchdog::new(spec.watchdog, now),
            envelope,
            faults: FaultSet::default(),
            session: None,
            session_count: 0,
            pending: None,
            applied: Applied::default(),
            counters: Counters::default(),
            overruns: 0,
            not_finite_in_a_row: 0,
            shape_in_a_row: 0,
            sense_failures: 0,
            bus_failing: false,
            measured: None,
            last_filter: None,
            last_relax: None,
            episode: 0,
            tick: 0,
            world_stands: spec.rehearsal,
            why: "not armed yet".to_owned(),
            ctl_seq: 0,
            state_seq: 0,
            pose_seq: 0,
            spec,
        })
    }

    /// What the motors do.
    pub fn mode(&self) -> Mode {
        self.watchdog.mode()
    }

    /// Faults.
    pub fn faults(&self) -> FaultSet {
        self.faults
    }

    /// Counted since the session began.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Number of the session in force, 0 if none.
    pub fn sid(&self) -> u64 {
        self.session.as_ref().map_or(0, |session| session.sid)
    }

    /// Whether the session in force runs in lock-step.
    pub fn is_lockstep(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.lockstep)
    }

    /// Whether a simulated world must not advance by itself now.
    pub fn world_stands(&self) -> bool {
        self.world_stands
    }

    /// What it is set up for.
    pub fn spec(&self) -> &ControllerSpec {
        &self.spec
    }

    /// Takes in what was just sensed; one turn of the loop or one control period is over.
    pub fn on_sensed(&mut self, frame: &SignalFrame, now: Nanos) {
        if self.take_measurement(frame).is_err() {
            self.on_sense_failed("a joint's angle or velocity is missing or not a finite number", now);
            return;
        }
        self.sense_failures = 0;
        self.tick += 1;
    }

    fn take_measurement(&mut self, frame: &SignalFrame) -> Result<(), ()> {
        let q = frame.read(Signal::JointPosition).ok_or(())?;
        let dq = frame.read(Signal::JointVelocity).ok_or(())?;
        let count = self.spec.robot.joint_count();
        if q.len() != count || dq.len() != count || !q.iter().chain(dq).all(|value| value.is_finite()) {
            return Err(());
        }
        let stamp = frame.stamp(Signal::JointPosition).unwrap_or(frame.now());
        self.measured = Some(Measured { q: q.to_vec(), dq: dq.to_vec(), stamp });
        Ok(())
    }

    /// The driver could not read the hand.
    pub fn on_sense_failed(&mut self, detail: &str, now: Nanos) {
        self.sense_failures += 1;
        if self.sense_failures >= FAILURES_IN_A_ROW {
            self.hardware_fault(Fault::SensorStale, detail, now);
        }
    }

    /// The driver could not move the hand.
    pub fn on_command_failed(&mut self, detail: &str, now: Nanos) {
        self.bus_failing = true;
        self.hardware_fault(Fault::BusError, detail, now);
    }

    /// The driver did as told.
    pub fn on_command_done(&mut self) {
        self.bus_failing = false;
    }

    /// The loop came late.
    pub fn on_overrun(&mut self) {
        self.overruns += 1;
        self.faults.raise(Fault::LoopOverrun);
    }

    fn hardware_fault(&mut self, fault: Fault, detail: &str, now: Nanos) {
        if !self.faults.holds(fault) {
            tracing::error!(fault = fault.name(), detail, "motors are released");
        }
        self.faults.raise(fault);
        self.watchdog.fault(now);
        self.pending = None;
        self.why = format!("{}: {detail}", fault.name());
    }

    /// Lets time pass and says what the motors are to do. Always answers with something safe.
    pub fn on_tick(&mut self, now: Nanos) -> Order {
        self.let_time_pass(now);
        let mode = self.watchdog.mode();
        if mode != Mode::Relax {
            self.last_relax = None;
        }
        match mode {
            Mode::Active => self.follow(now),
            Mode::Ready | Mode::Homing => Order::Hold(self.envelope.hold(1.0)),
            Mode::Hold => Order::Hold(self.envelope.hold(HOLD_EFFORT)),
            Mode::Relax => Order::Relax(self.creep(now)),
            Mode::Off | Mode::Fault | Mode::Estop => Order::Off,
        }
    }

    /// Moves the watchdog and notes what that changed.
    fn let_time_pass(&mut self, now: Nanos) {
        let before = self.watchdog.mode();
        self.watchdog.tick(now);
        let mode = self.watchdog.mode();
        if mode == before {
            return;
        }
        self.pending = None;
        if before == Mode::Active {
            self.faults.raise(Fault::LinkLost);
            let silence_ms = (self.watchdog.spec().hold_after_secs * 1e3).round();
            self.why = format!("no acceptable command for {silence_ms} ms");
            self.begin_hold();
        }
        tracing::warn!(from = before.name(), to = mode.name(), why = self.why, "commands stopped");
    }

    /// Chooses what is held.
    fn begin_hold(&mut self) {
        if self.spec.hold == HoldAt::Measured
            && let Some(measured) = &self.measured
        {
            // Give way by at most the usual travel of one control period; relaxing does the rest.
            let period = self.spec.envelope.period_secs;
            let speed = self.spec.robot.safety.target_velocity_rad_per_sec;
            self.envelope.relax(&measured.q, speed, period, HOLD_EFFORT);
        }
    }

    fn follow(&mut self, now: Nanos) -> Order {
        let (Some(pending), Some(measured)) = (self.pending.take(), &self.measured) else {
            return Order::Follow(self.envelope.again());
        };
        let lockstep = self.is_lockstep();
        let elapsed_secs = match self.last_filter {
            Some(last) if !lockstep => now.secs_since(last) as f32,
            _ => self.spec.envelope.period_secs,
        };
        match self.envelope.filter(&pending.q, &measured.q, elapsed_secs) {
            Ok(targets) => {
                self.last_filter = Some(now);
                let age_us = if lockstep { 0 } else { u64::try_from((now.0 - pending.t_state) / 1000).unwrap_or(0) };
                self.applied = Applied { seq: pending.seq, age_us, clip: targets.clipped_joints() };
                Order::Follow(targets)
            }
            Err(unusable) => {
                // Commands and measurements are checked when they come in, so this is a mistake of ours.
                self.faults.raise(Fault::Internal);
                self.hold_for(format!("INTERNAL: {unusable}"), now);
                Order::Hold(self.envelope.hold(HOLD_EFFORT))
            }
        }
    }

    fn creep(&mut self, now: Nanos) -> SafeTargets {
        let elapsed_secs = self.last_relax.map_or(0.0, |last| now.secs_since(last) as f32);
        self.last_relax = Some(now);
        let measured = self.measured.as_ref().map_or(&[][..], |measured| &measured.q);
        self.envelope.relax(measured, RELAX_SPEED_RAD_PER_SEC, elapsed_secs, RELAX_EFFORT)
    }

    /// Stops following until armed anew.
    fn hold_for(&mut self, why: String, now: Nanos) {
        let before = self.watchdog.mode();
        self.watchdog.hold(now);
        self.pending = None;
        if before == Mode::Active {
            self.begin_hold();
        }
        if before != self.watchdog.mode() {
            tracing::warn!(from = before.name(), to = self.watchdog.mode().name(), why, "told to hold");
            self.why = why;
        }
    }

    /// Where the hand would start from: the targets held, or the measured angles where there is no torque.
    fn start_rad(&self) -> Option<&[f32]> {
        if self.watchdog.mode().has_torque() {
            Some(self.envelope.held_rad())
        } else {
            self.measured.as_ref().map(|measured| measured.q.as_slice())
        }
    }

    /// The state to publish; `None` before every joint was read once.
    pub fn state_message(&mut self, now: Nanos) -> Option<Vec<u8>> {
        self.state_bytes(None, now)
    }

    /// The state that answers a command that was not accepted in lock-step.
    pub fn refused_message(&mut self, drop: &Drop, now: Nanos) -> Option<Vec<u8>> {
        let refused = Refused { seq: drop.seq, code: drop.code.to_owned(), detail: drop.detail.clone() };
        self.state_bytes(Some(refused), now)
    }

    fn state_bytes(&mut self, refused: Option<Refused>, now: Nanos) -> Option<Vec<u8>> {
        let state = State { refused, ..self.state()? };
        self.state_seq += 1;
        Some(encode(self.sid(), self.state_seq, now.0, &state))
    }

    fn state(&self) -> Option<State> {
        let measured = self.measured.as_ref()?;
        let mode = self.watchdog.mode();
        let targets = if mode.has_torque() { self.envelope.held_rad() } else { &measured.q };
        Some(State {
            episode: self.episode,
            tick: self.tick,
            t_meas: measured.stamp.0,
            q: measured.q.clone(),
            dq: measured.dq.clone(),
            q_target: targets.to_vec(),
            cmd_seq: self.applied.seq,
            cmd_age_us: self.applied.age_us,
            clip: self.applied.clip,
            mode: mode.name().to_owned(),
            fault: self.faults.bits(),
            why: if mode == Mode::Active { String::new() } else { self.why.clone() },
            rx_stale: self.counters.stale,
            rx_bad: self.counters.bad,
            overruns: self.overruns,
            refused: None,
            dt: None,
            q_seq: None,
        })
    }

    /// The pose to publish.
    pub fn pose_message(&mut self, object: &TrackedObject, now: Nanos) -> Vec<u8> {
        self.pose_seq += 1;
        encode(self.sid(), self.pose_seq, now.0, &self.pose(object))
    }

    fn pose(&self, object: &TrackedObject) -> Pose {
        Pose {
            episode: self.episode,
            tick: self.tick,
            t_meas: self.measured.as_ref().map_or(0, |measured| measured.stamp.0),
            object: object.name.clone(),
            frame: "palm".to_owned(),
            p: object.pose.position_m.into(),
            q_xyzw: object.pose.palm_from_object.coords.into(),
            valid: object.valid,
            truth: object.truth,
        }
    }

    /// A reset was carried out: `targets_rad` are in force, `frame` is the first thing sensed. Returns the reply to
    /// request `re`, after which the state and pose are to be published.
    ///
    /// # Errors
    /// When the driver's numbers are no start; the reply to send instead.
    pub fn on_reset_done(
        &mut self,
        re: u64,
        targets_rad: &[f32],
        frame: &SignalFrame,
        object: Option<&TrackedObject>,
        now: Nanos,
    ) -> Result<Vec<u8>, Vec<u8>> {
        let count = self.spec.robot.joint_count();
        if targets_rad.len() != count || !targets_rad.iter().all(|value| value.is_finite()) {
            let detail = format!("the driver's start is not {count} finite angles");
            return Err(self.on_reset_failed(re, &detail, now));
        }
        if self.take_measurement(frame).is_err() {
            let detail = "the driver sensed no finite angles and velocities after the reset";
            return Err(self.on_reset_failed(re, detail, now));
        }
        self.envelope.start_at(targets_rad);
        self.sense_failures = 0;
        self.last_filter = None;
        self.pending = None;
        self.applied = Applied::default();
        self.episode += 1;
        self.tick = 0;
        self.world_stands = true;
        self.watchdog.ready(now);
        self.why = "the episode is ready, not armed yet".to_owned();
        Ok(self.started(re, object, now))
    }

    fn started(&mut self, re: u64, object: Option<&TrackedObject>, now: Nanos) -> Vec<u8> {
        let sid = self.sid();
        let state = self.state().expect("a measurement was just taken");
        let pose = object.map(|object| self.pose(object));
        // The numbers that the published copies will have.
        let state = WithHead { head: head::<State>(sid, self.state_seq + 1, now), body: state };
        let pose = pose.map(|body| WithHead { head: head::<Pose>(sid, self.pose_seq + 1, now), body });
        self.ctl_bytes(sid, now, &Started { re, episode: self.episode, state, pose })
    }

    /// A reset could not be carried out. Returns the reply.
    pub fn on_reset_failed(&mut self, re: u64, detail: &str, now: Nanos) -> Vec<u8> {
        self.watchdog.stop(now);
        self.why = format!("reset failed: {detail}");
        self.refusal(re, "RESET_FAILED", detail, now)
    }

    /// The controller is about to end. Returns the last state to publish: it belongs to no session.
    pub fn on_shutdown(&mut self, released: bool, now: Nanos) -> Option<Vec<u8>> {
        if released {
            self.watchdog.stop(now);
        } else {
            self.watchdog.hold(now);
        }
        self.session = None;
        self.why = "the controller is ending".to_owned();
        self.state_message(now)
    }

    fn ctl_bytes<B: Body>(&mut self, sid: u64, now: Nanos, body: &B) -> Vec<u8> {
        self.ctl_seq += 1;
        encode(sid, self.ctl_seq, now.0, body)
    }

    fn renew_lease(&mut self, now: Nanos) {
        let until = after(now, self.spec.lease_secs);
        if let Some(session) = &mut self.session {
            session.lease_until = until;
        }
    }
}

fn head<B: Body>(sid: u64, seq: u64, now: Nanos) -> Head {
    Head { v: VERSION, t: B::TYPE.to_owned(), sid, seq, ts: now.0 }
}
