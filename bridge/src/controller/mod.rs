//! The controller's judgement: session, lease, watchdog and envelope. No sockets, no clock, no driver: bytes and the
//! time come in, bytes and orders to the motors come out.

mod arrivals;
mod body;
mod commands;
mod health;
mod homing;
mod link;
mod publish;
mod requests;
mod safety;
mod sensing;
mod sessions;
mod spec;

pub use commands::{CommandVerdict, DroppedCommand};
pub use link::Counters;
pub use requests::Request;
pub use spec::{ControllerSpec, HomingSpec, TrackingSpec};

use crate::clock::after;
use crate::envelope::SafeTargets;
use crate::fault::{Fault, FaultSet};
use crate::kinematics::describe;
use crate::message::RobotDescription;
use crate::setting::SettingError;
use crate::watchdog::Mode;
use body::Body;
use giraffe_robots::Nanos;
use link::Link;
use safety::{HOLD_EFFORT, Safety};

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

/// Which episode it is, of a simulated hand, and which turn of the loop or control period of it.
#[derive(Debug, Clone, Copy)]
struct Episode {
    number: u64,
    tick: u64,
    /// Whether the world does not go on by itself now.
    world_stands: bool,
}

/// The controller's judgement.
#[derive(Debug)]
pub struct ServerCore {
    spec: ControllerSpec,
    description: RobotDescription,
    /// Who commands.
    link: Link,
    /// The hand as it is.
    body: Body,
    /// What may reach the motors.
    safety: Safety,
    episode: Episode,
}

impl ServerCore {
    /// A controller whose motors are off.
    ///
    /// # Errors
    /// When a limit or timer makes no sense.
    pub fn new(spec: ControllerSpec, now: Nanos) -> Result<Self, SettingError> {
        spec.check()?;
        Ok(Self {
            description: describe(&spec.robot),
            link: Link::default(),
            body: Body::new(&spec),
            safety: Safety::new(&spec, now)?,
            episode: Episode { number: 0, tick: 0, world_stands: spec.rehearsal },
            spec,
        })
    }

    /// What the motors do.
    pub fn mode(&self) -> Mode {
        self.safety.mode()
    }

    /// Faults.
    pub fn faults(&self) -> FaultSet {
        self.safety.faults
    }

    /// Counted since the session began.
    pub fn counters(&self) -> Counters {
        self.link.counters
    }

    /// Number of the session in force, 0 if none.
    pub fn sid(&self) -> u64 {
        self.link.sid()
    }

    /// Whether the session in force runs in lock-step.
    pub fn is_lockstep(&self) -> bool {
        self.link.is_lockstep()
    }

    /// Whether a simulated world must not advance by itself now.
    pub fn world_stands(&self) -> bool {
        self.episode.world_stands
    }

    /// What it is set up for.
    pub fn spec(&self) -> &ControllerSpec {
        &self.spec
    }

    fn hardware_fault(&mut self, fault: Fault, detail: &str, now: Nanos) {
        self.safety.release_for(fault, detail, now);
        self.link.drop_pending();
    }

    /// Latches a fault that does not take torque off.
    fn latch_and_hold(&mut self, fault: Fault, detail: &str, now: Nanos) {
        let why = format!("{}: {detail}", fault.name());
        let is_new = !self.safety.faults.holds(fault);
        self.safety.faults.raise(fault);
        self.hold_for(why.clone(), now);
        if is_new {
            tracing::error!(fault = fault.name(), detail, mode = self.mode().name(), "fault");
            self.safety.why = why;
        }
    }

    /// Stops following until armed anew.
    fn hold_for(&mut self, why: String, now: Nanos) {
        self.safety.hold(why, self.body.measured.as_ref(), now);
        self.link.drop_pending();
    }

    /// Lets time pass and says what the motors are to do. Always answers with something safe.
    pub fn on_tick(&mut self, now: Nanos) -> Order {
        let order = self.order(now);
        if order.targets().is_some() {
            // Before the driver hears of it: half of the servos may have torque when it fails.
            self.safety.released = false;
        }
        order
    }

    fn order(&mut self, now: Nanos) -> Order {
        self.let_time_pass(now);
        let mode = self.mode();
        if mode != Mode::Relax {
            self.safety.forget_creeping();
        }
        match mode {
            Mode::Active => self.follow(now),
            Mode::Homing => self.go_home(now),
            Mode::Ready => Order::Hold(self.safety.envelope.hold(1.0)),
            Mode::Hold => Order::Hold(self.safety.envelope.hold(HOLD_EFFORT)),
            Mode::Relax => Order::Relax(self.safety.creep(self.body.measured.as_ref(), now)),
            Mode::Off | Mode::Fault | Mode::Estop | Mode::Releasing => Order::Off,
        }
    }

    /// What is said of the motors: no torque only where the driver has confirmed that there is none.
    pub fn published_mode(&self) -> Mode {
        self.safety.published_mode()
    }

    /// Moves the watchdog, and sees to what that changes.
    fn let_time_pass(&mut self, now: Nanos) {
        if self.safety.let_time_pass(self.body.measured.as_ref(), now) {
            self.link.drop_pending();
        } else {
            self.end_what_nobody_watches(now);
        }
    }

    fn follow(&mut self, now: Nanos) -> Order {
        let (Some(pending), Some(measured)) = (self.link.pending.take(), &self.body.measured) else {
            return Order::Follow(self.safety.envelope.again());
        };
        match self.safety.follow(&pending, measured, self.link.is_lockstep(), now) {
            Ok(targets) => {
                self.link.counters.applied += 1;
                self.body.tracking.banded_joints = targets.banded_joints();
                Order::Follow(targets)
            }
            Err(unusable) => {
                // Commands and measurements are checked when they come in, so this is a mistake of ours.
                self.link.counters.unfollowed += 1;
                self.hardware_fault(Fault::Internal, &unusable.to_string(), now);
                Order::Off
            }
        }
    }

    /// Until when a commander who is heard of now keeps the hand.
    fn lease_from(&self, now: Nanos) -> Nanos {
        after(now, self.spec.lease_secs)
    }

    /// How long the last turn of the loop took, µs.
    pub fn on_turn(&mut self, turn_us: u64) {
        self.body.loop_us = Some(turn_us);
    }

    /// The controller is about to end, with or without torque. The last state to publish, when that is done, belongs to no
    /// session.
    pub fn on_shutdown(&mut self, release: bool, now: Nanos) {
        if release {
            self.safety.watchdog.stop(now);
        } else {
            self.safety.watchdog.hold(now);
        }
        self.link.session = None;
        self.safety.why = "the controller is ending".to_owned();
    }
}
