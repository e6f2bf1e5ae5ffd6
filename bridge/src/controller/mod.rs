//! The controller's judgement: session, lease, watchdog and envelope. No sockets, no clock, no driver: bytes and the
//! time come in, bytes and orders to the motors come out.

mod arrivals;
mod commands;
mod health;
mod homing;
mod publish;
mod requests;
mod sensing;
mod sessions;
mod spec;

pub use commands::{CommandVerdict, DroppedCommand};
pub use requests::Request;
pub use spec::{ControllerSpec, HomingSpec, TrackingSpec};

use crate::clock::after;
use crate::envelope::{SafeTargets, SafetyEnvelope};
use crate::fault::{Fault, FaultSet};
use crate::health::HealthMonitor;
use crate::kinematics::describe;
use crate::message::RobotDescription;
use crate::security::Sender;
use crate::setting::SettingError;
use crate::watchdog::{Mode, Watchdog};
use crate::wire::{Body, encode};
use arrivals::Arrivals;
use giraffe_robots::{HoldAt, Nanos};
use homing::Homing;
use sensing::Tracking;

/// Share of the usual effort while holding.
const HOLD_EFFORT: f32 = 0.7;
/// Share of the usual effort while relaxing.
const RELAX_EFFORT: f32 = 0.3;
/// Speed at which targets creep to the measured angles while relaxing.
const RELAX_SPEED_RAD_PER_SEC: f32 = 0.5;
/// So many failures in a row are a fault.
const FAILURES_IN_A_ROW: u32 = 3;

/// What the motors are to do now.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// Follow commands.
    Follow(SafeTargets),
    /// Go home.
    Home(SafeTargets),
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
            Order::Follow(targets) | Order::Home(targets) | Order::Hold(targets) | Order::Relax(targets) => {
                Some(targets)
            }
            Order::Off => None,
        }
    }
}

/// The commander in charge.
#[derive(Debug, Clone)]
struct Session {
    sid: u64,
    /// Who opened it: nobody else commands in it.
    sender: Sender,
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
    /// What the envelope was given: time, and the state that said where the hand was.
    dt: Option<f32>,
    q_seq: Option<u64>,
}

/// Counted since the session began. `applied + superseded + unfollowed + rejected + gap`, and one that waits, is the
/// highest `seq` that came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Accepted commands.
    pub accepted: u64,
    /// Accepted, and given to the motors as far as is safe.
    pub applied: u64,
    /// Accepted, but replaced by a newer one before they were applied.
    pub superseded: u64,
    /// Accepted, but not applied because the hand did not follow, or no longer.
    pub unfollowed: u64,
    /// Commands of this session that came and were dropped; repetitions are not counted again.
    pub rejected: u64,
    /// Numbers below the highest `seq` that never came.
    pub gap: u64,
    /// Dropped as old, repeated or out of turn.
    pub stale: u64,
    /// Dropped as malformed or foreign.
    pub bad: u64,
    /// Dropped because their sender may not command, or is not the one who opened the session.
    pub unauthorised: u64,
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
    arrivals: Arrivals,
    counters: Counters,
    health: HealthMonitor,
    last_health: Option<Nanos>,
    tracking: Tracking,
    homing: Option<Homing>,
    loop_us: Option<u64>,
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
    /// `seq` of the last state that said so, 0 if none did yet.
    state_seq: u64,
}

impl ServerCore {
    /// A controller whose motors are off.
    ///
    /// # Errors
    /// When a limit or timer makes no sense.
    pub fn new(spec: ControllerSpec, now: Nanos) -> Result<Self, SettingError> {
        spec.check()?;
        let envelope = SafetyEnvelope::new(spec.envelope.clone(), &spec.robot.home_rad)?;
        let joint_count = spec.robot.joint_count();
        Ok(Self {
            description: describe(&spec.robot),
            watchdog: Watchdog::new(spec.watchdog, now),
            envelope,
            faults: FaultSet::default(),
            session: None,
            session_count: 0,
            pending: None,
            applied: Applied::default(),
            arrivals: Arrivals::default(),
            counters: Counters::default(),
            health: HealthMonitor::new(spec.servos, spec.envelope.names.clone()),
            last_health: None,
            tracking: Tracking::new(joint_count),
            homing: None,
            loop_us: None,
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

    fn hardware_fault(&mut self, fault: Fault, detail: &str, now: Nanos) {
        if !self.faults.holds(fault) {
            tracing::error!(fault = fault.name(), detail, "motors are released");
        }
        self.faults.raise(fault);
        self.watchdog.fault(now);
        self.drop_pending();
        self.why = format!("{}: {detail}", fault.name());
    }

    /// Latches a fault that does not take torque off.
    fn latch_and_hold(&mut self, fault: Fault, detail: &str, now: Nanos) {
        let why = format!("{}: {detail}", fault.name());
        let is_new = !self.faults.holds(fault);
        self.faults.raise(fault);
        self.hold_for(why.clone(), now);
        if is_new {
            tracing::error!(fault = fault.name(), detail, mode = self.mode().name(), "fault");
            self.why = why;
        }
    }

    /// A command that waits will not be applied any more.
    fn drop_pending(&mut self) {
        self.counters.unfollowed += u64::from(self.pending.take().is_some());
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
            Mode::Homing => self.go_home(now),
            Mode::Ready => Order::Hold(self.envelope.hold(1.0)),
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
            self.end_what_nobody_watches(now);
            return;
        }
        self.drop_pending();
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
                self.applied = Applied {
                    seq: pending.seq,
                    age_us,
                    clip: targets.clipped_joints(),
                    dt: Some(elapsed_secs),
                    q_seq: (measured.state_seq != 0).then_some(measured.state_seq),
                };
                self.counters.applied += 1;
                self.tracking.banded_joints = targets.banded_joints();
                Order::Follow(targets)
            }
            Err(unusable) => {
                // Commands and measurements are checked when they come in, so this is a mistake of ours.
                self.counters.unfollowed += 1;
                self.hardware_fault(Fault::Internal, &unusable.to_string(), now);
                Order::Off
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
        self.drop_pending();
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

    /// How long the last turn of the loop took, µs.
    pub fn on_turn(&mut self, turn_us: u64) {
        self.loop_us = Some(turn_us);
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
