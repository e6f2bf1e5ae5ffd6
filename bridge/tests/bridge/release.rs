//! Torque that does not come off, or late: nobody is told that it is off before it is.

use crate::controller::{LAYOUT, await_that, clock, endpoint, never};
use crate::hand::small_hand;
use giraffe_bridge::drivers::ScriptedDriver;
use giraffe_bridge::{
    BridgeClient, BridgeServer, ClientConfig, ClientSecurity, Clock, ControllerSpec, DriverError, ExitAction, Fault,
    FaultSet, HandDriver, Observer, SafeTargets,
};
use giraffe_robots::{Hand, Nanos, SignalFrame};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Servos that may not let go.
#[derive(Clone, Default)]
struct Grip {
    /// Whether they push.
    pushes: Arc<AtomicBool>,
    /// So many releases fail.
    fails: Arc<AtomicU32>,
    /// And each takes so long, ms.
    takes_ms: Arc<AtomicU32>,
    releases: Arc<AtomicU32>,
}

struct Gripping {
    hand: ScriptedDriver,
    grip: Grip,
}

impl HandDriver for Gripping {
    fn loop_period_secs(&self) -> f32 {
        self.hand.loop_period_secs()
    }

    fn sense(&mut self, frame: &mut SignalFrame) -> Result<(), DriverError> {
        self.hand.sense(frame)
    }

    fn command(&mut self, targets: &SafeTargets) -> Result<(), DriverError> {
        self.grip.pushes.store(true, Ordering::SeqCst);
        self.hand.command(targets)
    }

    fn release(&mut self) -> Result<(), DriverError> {
        std::thread::sleep(Duration::from_millis(self.grip.takes_ms.load(Ordering::SeqCst).into()));
        self.grip.releases.fetch_add(1, Ordering::SeqCst);
        let one_less = |left: u32| if left == u32::MAX { Some(left) } else { left.checked_sub(1) };
        if self.grip.fails.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
            return Err(DriverError::new("taking torque off", "not confirmed by servo 3 (thumb): no answer"));
        }
        self.grip.pushes.store(false, Ordering::SeqCst);
        self.hand.release()
    }
}

/// A controller of such servos, a policy that it follows, and an onlooker.
struct Scene {
    grip: Grip,
    onlooker: Observer,
    /// Keeps its session.
    _client: BridgeClient,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<bool>>,
}

impl Scene {
    fn moving() -> Self {
        let (robot, at, stop, grip) = (small_hand(), endpoint(), never(), Grip::default());
        let driver = Gripping { hand: ScriptedDriver::new(&robot), grip: grip.clone() };
        let spec = ControllerSpec::of(&robot);
        let mut server = BridgeServer::bind(&at, spec, ExitAction::Release, Box::new(driver), clock()).unwrap();
        let flag = stop.clone();
        let thread = Some(std::thread::spawn(move || server.run(&flag).is_ok()));
        let mut client = BridgeClient::connect(ClientConfig::new(at.clone(), &robot), clock(), never()).unwrap();
        client.arm().unwrap();
        let mut frame = SignalFrame::new(LAYOUT);
        client.exchange(&robot.home_rad, &mut frame).unwrap();
        let onlooker = Observer::connect(&at, &ClientSecurity::LocalOnly, clock(), never()).unwrap();
        await_that(|| grip.pushes.load(Ordering::SeqCst));
        Self { grip, onlooker, _client: client, stop, thread }
    }

    fn pushes(&self) -> bool {
        self.grip.pushes.load(Ordering::SeqCst)
    }

    /// Reads states until one has this mode. None before may promise what is not so.
    fn await_mode(&mut self, wanted: &str) -> u64 {
        let clock = clock();
        loop {
            // A state may lie in the socket for a while: who pushes now has pushed when it was written.
            let (_, state) = self.onlooker.await_state(2.0).unwrap();
            let promises = matches!(state.mode.as_str(), "off" | "fault" | "estop");
            assert!(!promises || !self.pushes(), "mode `{}` while servos push", state.mode);
            if state.mode == wanted {
                return state.fault;
            }
            assert!(clock.now().as_secs() < 20.0, "mode `{}` instead of `{wanted}`", state.mode);
        }
    }

    fn end(&mut self) -> bool {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("ended once").join().unwrap()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.grip.fails.store(0, Ordering::SeqCst);
        if self.thread.is_some() {
            self.end();
        }
    }
}

#[test]
fn a_stop_is_answered_when_torque_is_off_however_long_that_takes() {
    for (takes_ms, emergency) in [(0, false), (0, true), (300, false), (300, true)] {
        let mut scene = Scene::moving();
        scene.grip.takes_ms.store(takes_ms, Ordering::SeqCst);
        let granted = if emergency { scene.onlooker.emergency_stop() } else { scene.onlooker.stop() }.unwrap();
        assert!(!scene.pushes(), "answered after {takes_ms} ms");
        assert_eq!(granted.mode, if emergency { "estop" } else { "off" });
    }
}

#[test]
fn servos_that_do_not_let_go_are_named_said_to_push_and_told_again_every_turn() {
    for emergency in [false, true] {
        let mut scene = Scene::moving();
        scene.grip.fails.store(u32::MAX, Ordering::SeqCst);
        let refused = if emergency { scene.onlooker.emergency_stop() } else { scene.onlooker.stop() };
        let refused = refused.expect_err("torque is on").to_string();
        assert!(refused.contains("NOT_RELEASED") && refused.contains("servo 3"), "{refused}");
        let faults = FaultSet::from_bits(scene.await_mode("releasing"));
        assert!(faults.holds(Fault::BusError), "{faults}");
        let before = scene.grip.releases.load(Ordering::SeqCst);
        await_that(|| scene.grip.releases.load(Ordering::SeqCst) > before + 5);
        assert!(scene.pushes());
        scene.grip.fails.store(0, Ordering::SeqCst);
        let faults = FaultSet::from_bits(scene.await_mode(if emergency { "estop" } else { "fault" }));
        assert!(faults.holds(Fault::BusError), "it stays latched: {faults}");
        assert!(!scene.pushes());
        scene.onlooker.stop().unwrap();
    }
}

#[test]
fn a_release_that_fails_once_is_told_as_failed_and_then_done() {
    let mut scene = Scene::moving();
    scene.grip.fails.store(1, Ordering::SeqCst);
    let refused = scene.onlooker.stop().expect_err("not at once").to_string();
    assert!(refused.contains("servo 3"), "{refused}");
    scene.await_mode("fault");
    assert!(!scene.pushes());
    assert_eq!(scene.onlooker.stop().unwrap().mode, "fault");
}

#[test]
fn a_controller_that_ends_with_torque_on_says_so_to_the_last() {
    let mut scene = Scene::moving();
    scene.grip.fails.store(u32::MAX, Ordering::SeqCst);
    assert!(!scene.end(), "it ends with an error");
    let mut last = None;
    // What was under way arrives; nothing comes after it.
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(20));
        last = scene.onlooker.newest_state().map(|(_, state)| state).or(last);
    }
    let last = last.expect("a last state");
    assert_eq!(last.mode, "releasing", "{}", last.why);
    assert!(last.why.contains("servo 3"), "{}", last.why);
}

/// Time that passes only where somebody waits for it.
#[derive(Default)]
struct Waited(Mutex<i64>);

impl Clock for Waited {
    fn now(&self) -> Nanos {
        Nanos(*self.0.lock().unwrap())
    }

    fn sleep_until(&self, deadline: Nanos) {
        let mut now = self.0.lock().unwrap();
        *now = deadline.0.max(*now);
    }
}

/// Servos that cannot be reached for a while: a port that is looked for now and then.
struct Away {
    hand: ScriptedDriver,
    clock: Arc<Waited>,
    back_secs: f64,
}

impl HandDriver for Away {
    fn loop_period_secs(&self) -> f32 {
        self.hand.loop_period_secs()
    }

    fn sense(&mut self, frame: &mut SignalFrame) -> Result<(), DriverError> {
        self.hand.sense(frame)
    }

    fn command(&mut self, targets: &SafeTargets) -> Result<(), DriverError> {
        self.hand.command(targets)
    }

    fn release(&mut self) -> Result<(), DriverError> {
        match self.clock.now().as_secs() < self.back_secs {
            true => Err(DriverError::new("using port x", "it is gone")),
            false => self.hand.release(),
        }
    }
}

#[test]
fn a_controller_that_ends_gives_servos_a_moment_to_let_go_and_no_more_than_a_second() {
    for (back_secs, is_released) in [(0.0, true), (0.5, true), (5.0, false)] {
        let (robot, clock) = (small_hand(), Arc::new(Waited::default()));
        let driver = Away { hand: ScriptedDriver::new(&robot), clock: Arc::clone(&clock), back_secs };
        let spec = ControllerSpec::of(&robot);
        let mut server =
            BridgeServer::bind(&endpoint(), spec, ExitAction::Release, Box::new(driver), clock.clone()).unwrap();
        let ended = server.run(&AtomicBool::new(true));
        assert_eq!(ended.is_ok(), is_released, "back after {back_secs} s: {ended:?}");
        assert!(clock.now().as_secs() < 1.0, "{:?}", clock.now());
    }
}
