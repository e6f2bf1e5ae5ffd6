//! A controller with real sockets, the driver, and an emulated bus: what a policy elsewhere gets of servos.

use super::Bench;
use super::calibration::valid;
use crate::controller::{LAYOUT, await_that, clock, endpoint, never};
use giraffe_bridge::drivers::dynamixel::{DynamixelDriver, DynamixelSettings};
use giraffe_bridge::{
    BridgeClient, BridgeError, BridgeServer, ClientConfig, ClientSecurity, ControllerSpec, ExitAction, Observer,
};
use giraffe_robots::{Hand, Signal, SignalFrame};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// Bit of a servo's Hardware Error Status.
const OVERLOAD: u8 = 1 << 5;
/// Slower than a real hand, because this machine may be busy.
const PERIOD_SECS: f32 = 0.1;

/// A bench whose hand is commanded at that pace.
fn slow_bench() -> Bench {
    let mut bench = Bench::new();
    bench.robot.control.period_secs = PERIOD_SECS;
    bench.robot.safety.hold_after_secs = 0.4;
    bench
}

/// A controller of the bench's servos, in a thread.
struct Served {
    endpoint: String,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<(), BridgeError>>>,
}

impl Served {
    fn start(bench: &Bench) -> Self {
        Self::with(bench, DynamixelSettings { slack_secs: 0.033, ..bench.settings() })
    }

    fn with(bench: &Bench, settings: DynamixelSettings) -> Self {
        let mut driver = DynamixelDriver::new(&bench.robot, settings, Some(valid()), clock()).unwrap();
        driver.connect().unwrap();
        let (endpoint, stop) = (endpoint(), never());
        let spec = ControllerSpec { lease_secs: 0.5, ..ControllerSpec::of(&bench.robot) };
        let mut server = BridgeServer::bind(&endpoint, spec, ExitAction::Release, Box::new(driver), clock()).unwrap();
        let flag = stop.clone();
        let thread = Some(std::thread::spawn(move || server.run(&flag)));
        Self { endpoint, stop, thread }
    }

    fn client(&self, bench: &Bench) -> BridgeClient {
        BridgeClient::connect(ClientConfig::new(self.endpoint.clone(), &bench.robot), clock(), never()).unwrap()
    }

    fn end(&mut self) -> Result<(), BridgeError> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("ended once").join().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if self.thread.is_some() {
            let _ = self.end();
        }
    }
}

/// Steps until the client is told that the hand stopped. Returns how.
fn stopped(client: &mut BridgeClient, targets: &[f32]) -> String {
    let mut frame = SignalFrame::new(LAYOUT);
    let error = (0..200).find_map(|_| client.exchange(targets, &mut frame).err());
    error.expect("the controller gives up").to_string()
}

#[test]
fn a_policy_elsewhere_moves_a_servo_and_the_end_takes_torque_off() {
    let bench = slow_bench();
    let mut served = Served::start(&bench);
    let mut client = served.client(&bench);
    let mut frame = SignalFrame::new(LAYOUT);
    client.observe(&mut frame).unwrap();
    assert!(!bench.servos.has_torque(2), "no torque before an arm");
    client.arm().unwrap();
    let mut targets = frame.read(Signal::JointTarget).unwrap().to_vec();
    for _ in 0..15 {
        targets[1] += 0.04;
        client.exchange(&targets, &mut frame).unwrap();
    }
    let at = frame.read(Signal::JointPosition).unwrap()[1];
    assert!(at > 0.3, "the finger went along: {at}");
    assert!(bench.servos.bus().servo(2).position_ticks > 2048.0 + 190.0);
    assert!((bench.servos.bus().servo(1).position_ticks - 2048.0).abs() < 3.0, "and no other");
    served.end().unwrap();
    assert!(!bench.servos.any_torque());
}

#[test]
fn a_servo_that_falls_silent_is_a_fault_of_the_hand_and_the_rest_lets_go() {
    let bench = slow_bench();
    let served = Served::start(&bench);
    let mut client = served.client(&bench);
    let mut frame = SignalFrame::new(LAYOUT);
    client.observe(&mut frame).unwrap();
    client.arm().unwrap();
    let targets = frame.read(Signal::JointTarget).unwrap().to_vec();
    client.exchange(&targets, &mut frame).unwrap();
    assert!(bench.servos.has_torque(2));
    bench.servos.bus().servo(3).faults.absent = true;
    let told = stopped(&mut client, &targets);
    assert!(told.contains("SENSOR_STALE") && told.contains("servo 3"), "{told}");
    await_that(|| !bench.servos.has_torque(2));
}

#[test]
fn a_servo_that_does_not_confirm_a_stop_is_named_and_let_go_when_it_is_back() {
    let bench = slow_bench();
    let served = Served::start(&bench);
    let mut client = served.client(&bench);
    client.arm().unwrap();
    await_that(|| bench.servos.has_torque(3));
    bench.servos.bus().servo(3).faults.absent = true;
    let mut onlooker = Observer::connect(&served.endpoint, &ClientSecurity::LocalOnly, clock(), never()).unwrap();
    let refused = onlooker.stop().expect_err("servo 3 may push").to_string();
    assert!(refused.contains("NOT_RELEASED") && refused.contains("servo 3"), "{refused}");
    assert!(!bench.servos.has_torque(1) && !bench.servos.has_torque(2), "the others let go");
    assert_eq!(onlooker.await_state(5.0).unwrap().1.mode, "releasing");
    bench.servos.bus().servo(3).faults.absent = false;
    await_that(|| onlooker.await_state(5.0).unwrap().1.mode == "fault");
    assert!(!bench.servos.any_torque());
    assert_eq!(onlooker.stop().unwrap().mode, "fault");
}

#[test]
fn an_unplugged_hand_is_a_fault_that_names_the_port() {
    let mut bench = slow_bench();
    let served = Served::start(&bench);
    let mut client = served.client(&bench);
    let mut frame = SignalFrame::new(LAYOUT);
    client.observe(&mut frame).unwrap();
    client.arm().unwrap();
    let targets = frame.read(Signal::JointTarget).unwrap().to_vec();
    client.exchange(&targets, &mut frame).unwrap();
    let port = bench.servos.port().display().to_string();
    bench.servos.unplug();
    let told = stopped(&mut client, &targets);
    assert!(told.contains(&port), "{told}");
    // Plugged in again, the servos have stopped by themselves meanwhile, or the driver finds them and takes torque off.
    bench.servos.plug().unwrap();
    await_that(|| !bench.servos.any_torque());
}

#[test]
fn a_cable_that_breaks_with_a_servo_on_it_leaves_the_others_without_torque_when_it_is_mended() {
    let mut bench = slow_bench();
    let served = Served::start(&bench);
    let mut client = served.client(&bench);
    // A busy machine may have missed an answer.
    await_that(|| client.arm().is_ok() || (client.clear_faults().is_ok() && client.arm().is_ok()));
    await_that(|| (1..=3).all(|id| bench.servos.has_torque(id)));
    bench.servos.unplug();
    bench.servos.bus().servo(3).faults.absent = true;
    let mut onlooker = Observer::connect(&served.endpoint, &ClientSecurity::LocalOnly, clock(), never()).unwrap();
    await_that(|| onlooker.await_state(5.0).unwrap().1.mode == "releasing");
    bench.servos.plug().unwrap();
    await_that(|| !bench.servos.has_torque(1) && !bench.servos.has_torque(2));
    let refused = onlooker.stop().expect_err("nobody knows of servo 3").to_string();
    assert!(refused.contains("servo 3") && !refused.contains("1 ("), "{refused}");
    bench.servos.bus().servo(3).faults.absent = false;
    await_that(|| onlooker.await_state(5.0).unwrap().1.mode == "fault");
    assert!(!bench.servos.any_torque());
}

#[test]
fn a_policy_is_told_of_servos_that_are_not_as_strong_as_it_was_trained_with() {
    let bench = slow_bench();
    let settings = DynamixelSettings { slack_secs: 0.033, current_ma: Some(175), ..bench.settings() };
    let served = Served::with(&bench, settings);
    let client = served.client(&bench);
    let told = client.terms().notes.iter().any(|note| note.contains("50 % of the torque"));
    assert!(told, "{:?}", client.terms().notes);
}

#[test]
fn an_overloaded_servo_ends_all_motion_until_faults_are_cleared_and_it_has_restarted() {
    let bench = slow_bench();
    let served = Served::start(&bench);
    let mut client = served.client(&bench);
    let mut frame = SignalFrame::new(LAYOUT);
    client.observe(&mut frame).unwrap();
    client.arm().unwrap();
    let targets = frame.read(Signal::JointTarget).unwrap().to_vec();
    client.exchange(&targets, &mut frame).unwrap();
    // The servo's own protection trips: it has let go by itself.
    bench.servos.bus().servo(2).trip(OVERLOAD);
    let told = stopped(&mut client, &targets);
    assert!(told.contains("OVERLOAD") && told.contains("servo 2"), "{told}");
    await_that(|| !bench.servos.any_torque());
    let refused = client.arm().unwrap_err().to_string();
    assert!(refused.contains("FAULT_LATCHED"), "{refused}");
    client.clear_faults().unwrap();
    client.observe(&mut frame).unwrap();
    client.arm().unwrap();
    client.exchange(&targets, &mut frame).unwrap();
    await_that(|| bench.servos.has_torque(2));
}
