//! A controller in a thread, with a hand that writes down what it is told.

use giraffe_bridge::drivers::ScriptedDriver;
use giraffe_bridge::{
    BridgeClient, BridgeError, BridgeServer, ClientConfig, Clock, ControllerSpec, DriverError, ExitAction, HandDriver,
    MonotonicClock, Rehearsal, SafeTargets, TrackedObject,
};
use giraffe_robots::{HandError, RobotModel, SignalFrame, SignalLayout};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

pub const LAYOUT: SignalLayout =
    SignalLayout { joint_count: 3, action_count: 3, parameter_count: 0, fingertip_count: 0, object_joint_count: 0 };

/// A base endpoint whose four ports are free. Several tests, and several runs of all tests, ask at the same time: the
/// system gives the first port, since it does not give one to two at a time.
pub fn endpoint() -> String {
    static TAKEN: Mutex<Vec<u16>> = Mutex::new(Vec::new());
    let mut taken = TAKEN.lock().unwrap();
    loop {
        let base = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port().saturating_sub(3);
        let free = |port| !taken.contains(&port) && TcpListener::bind(("127.0.0.1", port)).is_ok();
        if base > 1024 && (base..base + 4).all(free) {
            taken.extend(base..base + 4);
            return format!("tcp://127.0.0.1:{base}");
        }
    }
}

pub fn clock() -> Arc<dyn Clock> {
    Arc::new(MonotonicClock::start())
}

pub fn never() -> Arc<AtomicBool> {
    Arc::new(AtomicBool::new(false))
}

/// What a driver was told: targets and effort, or `None` for a release.
pub type Told = Arc<Mutex<Vec<Option<(Vec<f32>, f32)>>>>;

/// A scripted hand that writes down what it is told.
pub struct Watched {
    pub hand: ScriptedDriver,
    pub told: Told,
    pub simulated: bool,
}

impl HandDriver for Watched {
    fn loop_period_secs(&self) -> f32 {
        0.01
    }

    fn sense(&mut self, frame: &mut SignalFrame) -> Result<(), DriverError> {
        if !self.simulated {
            // A real hand moves by itself.
            self.hand.advance(0.01)?;
        }
        self.hand.sense(frame)
    }

    fn command(&mut self, targets: &SafeTargets) -> Result<(), DriverError> {
        self.told.lock().unwrap().push(Some((targets.positions_rad().to_vec(), targets.effort_scales()[0])));
        self.hand.command(targets)
    }

    fn release(&mut self) -> Result<(), DriverError> {
        self.told.lock().unwrap().push(None);
        self.hand.release()
    }

    fn object(&mut self) -> Option<TrackedObject> {
        self.simulated.then(|| self.hand.object()).flatten()
    }

    fn has_object(&self) -> bool {
        self.simulated
    }

    fn rehearsal(&mut self) -> Option<&mut dyn Rehearsal> {
        if self.simulated { self.hand.rehearsal() } else { None }
    }
}

/// What a client insists on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Plain,
    Rehearsal,
    LockStep,
}

/// A controller in a thread.
pub struct Controller {
    pub endpoint: String,
    pub told: Told,
    pub stop: Arc<AtomicBool>,
    pub thread: Option<JoinHandle<Result<(), BridgeError>>>,
}

impl Controller {
    pub fn start(robot: &RobotModel, simulated: bool) -> Self {
        Self::start_at(endpoint(), robot, simulated, 1)
    }

    /// The life that numbers its sessions from `seed`.
    pub fn start_at(endpoint: String, robot: &RobotModel, simulated: bool, seed: u64) -> Self {
        let (told, stop) = (Told::default(), never());
        let driver = Watched { hand: ScriptedDriver::new(robot), told: told.clone(), simulated };
        let spec = ControllerSpec { lease_secs: 0.3, session_seed: seed, ..ControllerSpec::of(robot) };
        let mut server = BridgeServer::bind(&endpoint, spec, ExitAction::Release, Box::new(driver), clock()).unwrap();
        let flag = stop.clone();
        let thread = Some(std::thread::spawn(move || server.run(&flag)));
        Self { endpoint, told, stop, thread }
    }

    pub fn client(&self, robot: &RobotModel, way: Way) -> Result<BridgeClient, HandError> {
        let (lockstep, rehearsal) = (way == Way::LockStep, way != Way::Plain);
        let config = ClientConfig { lockstep, rehearsal, ..ClientConfig::new(self.endpoint.clone(), robot) };
        BridgeClient::connect(config, clock(), never())
    }

    pub fn end(&mut self) -> Result<(), BridgeError> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("ended once").join().unwrap()
    }

    pub fn last_told(&self) -> Option<(Vec<f32>, f32)> {
        self.told.lock().unwrap().last().cloned().flatten()
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        if self.thread.is_some() {
            let _ = self.end();
        }
    }
}

pub fn await_that(mut holds: impl FnMut() -> bool) {
    for _ in 0..300 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it never came to pass");
}
