//! Policies that are killed, stopped and woken while they move a hand: a hand that writes down what it is told.

use crate::support::{Controller, Process, TinyPolicy, giraffe, now, run_in};
use giraffe::fly::controller::free_ports;
use giraffe_bridge::drivers::ScriptedDriver;
use giraffe_bridge::{
    BridgeServer, Clock, ControllerSpec, DriverError, ExitAction, HandDriver, MonotonicClock, Rehearsal, SafeTargets,
};
use giraffe_robots::{RobotModel, SeedTree, SignalFrame, Stream, load_robot};
use rand::RngExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// The controller's own loop, s.
const TURN_SECS: f32 = 0.01;

/// One turn of the controller's loop: when, and what the servos were told.
#[derive(Debug, Clone)]
struct Turn {
    secs: f64,
    /// Targets and share of effort; `None` without torque.
    told: Option<(Vec<f32>, f32)>,
}

type Turns = Arc<Mutex<Vec<Turn>>>;

struct Watched {
    hand: ScriptedDriver,
    turns: Turns,
    clock: Arc<dyn Clock>,
    /// A servo does not let go.
    stuck: Arc<AtomicBool>,
}

impl Watched {
    fn write_down(&self, told: Option<(Vec<f32>, f32)>) {
        self.turns.lock().unwrap().push(Turn { secs: self.clock.now().as_secs(), told });
    }
}

impl HandDriver for Watched {
    fn loop_period_secs(&self) -> f32 {
        TURN_SECS
    }

    fn sense(&mut self, frame: &mut SignalFrame) -> Result<(), DriverError> {
        self.hand.advance(TURN_SECS)?;
        self.hand.sense(frame)
    }

    fn command(&mut self, targets: &SafeTargets) -> Result<(), DriverError> {
        self.write_down(Some((targets.positions_rad().to_vec(), targets.effort_scales()[0])));
        self.hand.command(targets)
    }

    fn release(&mut self) -> Result<(), DriverError> {
        if self.stuck.load(Ordering::SeqCst) {
            return Err(DriverError::new("taking torque off", "not confirmed by servo 3: no answer"));
        }
        self.write_down(None);
        self.hand.release()
    }
}

/// A hand behind a controller in this process.
struct Hand {
    endpoint: String,
    robot: RobotModel,
    turns: Turns,
    clock: Arc<dyn Clock>,
    stop: Arc<AtomicBool>,
    stuck: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Hand {
    fn begin() -> Self {
        let robot = load_robot("leap-right").unwrap();
        let clock: Arc<dyn Clock> = Arc::new(MonotonicClock::start());
        let (turns, stop, stuck) = (Turns::default(), Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let spec = ControllerSpec { lease_secs: 0.5, ..ControllerSpec::of(&robot) };
        let (endpoint, mut server) = (0..5)
            .find_map(|_| {
                let endpoint = format!("tcp://127.0.0.1:{}", free_ports(4).unwrap());
                let (turns, clock) = (turns.clone(), clock.clone());
                let (hand, stuck) = (ScriptedDriver::new(&robot), stuck.clone());
                let driver = Box::new(Watched { hand, turns, clock: clock.clone(), stuck });
                let server = BridgeServer::bind(&endpoint, spec.clone(), ExitAction::Release, driver, clock);
                Some((endpoint, server.ok()?))
            })
            .expect("four ports are free somewhere");
        let flag = stop.clone();
        let thread = Some(std::thread::spawn(move || server.run(&flag).unwrap()));
        Self { endpoint, robot, turns, clock, stop, stuck, thread }
    }

    /// A policy that moves it in real time, in a process of its own.
    fn policy(&self, tiny: &TinyPolicy) -> Process {
        let arguments = ["deploy", "run", "--real-time", "--episodes", "100000", "--connect", &self.endpoint];
        Process::start(&mut giraffe(arguments), tiny.home())
    }

    fn turn_count(&self) -> usize {
        self.turns.lock().unwrap().len()
    }

    /// Waits until one of the turns after the first `past` is as wanted.
    fn await_turn(&self, past: usize, what: &str, wanted: impl Fn(&Turn) -> bool) {
        let begun = now();
        while !self.turns.lock().unwrap()[past..].iter().any(&wanted) {
            assert!(begun.elapsed() < Duration::from_secs(30), "waited in vain for {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the hand follows a policy and has moved.
    fn await_motion(&self, past: usize) {
        self.await_turn(past, "a hand that follows", follows);
        let start = self.turns.lock().unwrap()[past..].iter().find_map(|turn| turn.told.clone()).unwrap().0;
        self.await_turn(past, "motion", |turn| follows(turn) && turn.told.as_ref().unwrap().0 != start);
    }

    /// No turn so far was unsafe: finite, inside, no faster than allowed.
    fn check_every_turn(&self) {
        let most = self.robot.safety.target_velocity_rad_per_sec * self.robot.control.period_secs + 1e-5;
        let turns = self.turns.lock().unwrap();
        for pair in turns.windows(2) {
            let Some((q, effort)) = &pair[1].told else { continue };
            assert!(*effort > 0.0 && *effort <= 1.0);
            for (joint, &at) in self.robot.joints.iter().zip(q) {
                assert!(at.is_finite() && joint.position_limits_rad.contains(at), "{} at {at}", joint.name);
            }
            if let Some((before, _)) = &pair[0].told {
                let step = before.iter().zip(q).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(step <= most, "a step of {step} rad, at most {most}");
            }
        }
    }

    /// After the loss of a policy at `lost_secs`: followed for no longer than the watchdog allows, and then held
    /// without the smallest motion until the hand gives way.
    fn check_hold_after(&self, past: usize, lost_secs: f64) {
        self.await_turn(past, "a hold", |turn| turn.told.as_ref().is_some_and(|(_, effort)| *effort < 1.0));
        std::thread::sleep(Duration::from_millis(300));
        let turns = self.turns.lock().unwrap()[past..].to_vec();
        let last = turns.iter().rposition(follows).expect("it followed");
        // The controller's thread may be kept waiting on a busy machine, but then it tells the servos nothing either.
        let late = turns[..=last].windows(2).map(|pair| pair[1].secs - pair[0].secs).fold(0.0, f64::max);
        let allowed = f64::from(self.robot.safety.hold_after_secs) + f64::from(TURN_SECS) + late + 0.05;
        let followed = turns[last].secs - lost_secs;
        assert!(followed <= allowed, "followed for {followed:.3} s after the loss, {allowed:.3} s are allowed");
        let led_to = &turns[last].told.as_ref().unwrap().0;
        let held = turns[last + 1..].iter().filter_map(|turn| turn.told.as_ref());
        held.for_each(|(q, _)| assert_eq!(q, led_to, "a hand that is held moves"));
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn follows(turn: &Turn) -> bool {
    turn.told.as_ref().is_some_and(|(_, effort)| *effort >= 1.0)
}

/// One policy lives, moves the hand for a while, and meets its end.
fn live_and_die(hand: &Hand, tiny: &TinyPolicy, signal: &str, millis: u64) {
    let past = hand.turn_count();
    let policy = hand.policy(tiny);
    hand.await_motion(past);
    std::thread::sleep(Duration::from_millis(millis));
    policy.signal(signal);
    let lost_secs = hand.clock.now().as_secs();
    hand.check_hold_after(past, lost_secs);
    if signal == "STOP" {
        // What it had said before and what it says when it wakes moves nothing: it must arm anew.
        let asleep = hand.turn_count();
        std::thread::sleep(Duration::from_millis(1200));
        policy.signal("CONT");
        std::thread::sleep(Duration::from_millis(500));
        let woken = hand.turns.lock().unwrap()[asleep..].iter().filter(|turn| follows(turn)).count();
        assert_eq!(woken, 0, "a hand that was held for long follows without an arm");
        policy.signal("KILL");
    }
    drop(policy);
    // The lease of the dead runs out.
    std::thread::sleep(Duration::from_millis(600));
}

#[test]
fn a_policy_that_is_killed_leaves_a_hand_that_holds() {
    let (tiny, hand) = (TinyPolicy::shared(), Hand::begin());
    live_and_die(&hand, &tiny, "KILL", 100);
    hand.check_every_turn();
}

#[test]
fn a_policy_that_sleeps_and_wakes_does_not_move_the_hand_again_by_itself() {
    let (tiny, hand) = (TinyPolicy::shared(), Hand::begin());
    live_and_die(&hand, &tiny, "STOP", 100);
    hand.check_every_turn();
}

#[test]
fn a_controller_ends_at_once_whoever_is_connected_and_whoever_died() {
    let tiny = TinyPolicy::shared();
    for (signal, dies) in [("INT", false), ("TERM", false), ("TERM", true)] {
        let controller = Controller::simulated();
        let arguments = ["deploy", "run", "--real-time", "--episodes", "100000", "--connect", &controller.endpoint];
        let mut policy = Process::start(&mut giraffe(arguments), tiny.home());
        std::thread::sleep(Duration::from_millis(700));
        assert!(policy.is_running());
        if dies {
            policy.signal("STOP");
        }
        let (code, secs) = controller.end(signal);
        assert_eq!(code, Some(0), "{signal}, peer stopped: {dies}");
        // A second is what is promised; a busy machine may take some more to notice that the process is gone.
        assert!(secs < 3.0, "{signal}, peer stopped: {dies}: it took {secs} s");
        policy.signal("KILL");
    }
}

#[test]
fn anybody_can_stop_a_hand_and_its_policy_is_told() {
    let (tiny, hand) = (TinyPolicy::shared(), Hand::begin());
    let past = hand.turn_count();
    let policy = hand.policy(&tiny);
    hand.await_motion(past);
    let stopped = run_in(tiny.home(), &["stop", &hand.endpoint, "--emergency", "--json"]).json();
    assert_eq!(stopped, serde_json::json!({ "confirmed": true, "mode": "estop", "faults": "ESTOP" }));
    let at = hand.turn_count();
    hand.await_turn(at, "torque off", |turn| turn.told.is_none());
    let finished = policy.finish();
    assert_eq!(finished.code, Some(1), "{finished:#?}");
    assert!(finished.stderr.contains("emergency stop"), "{finished:#?}");
    let nobody = run_in(tiny.home(), &["stop", "tcp://127.0.0.1:1"]);
    assert_eq!(nobody.code, Some(1), "{nobody:#?}");
    assert!(nobody.stderr.contains("NOT confirmed: cut its power"), "{nobody:#?}");
}

#[test]
fn a_stop_that_a_servo_does_not_confirm_tells_people_to_cut_its_power() {
    let (tiny, hand) = (TinyPolicy::shared(), Hand::begin());
    let past = hand.turn_count();
    let policy = hand.policy(&tiny);
    hand.await_motion(past);
    hand.stuck.store(true, Ordering::SeqCst);
    for emergency in [&[][..], &["--emergency"]] {
        let told = run_in(tiny.home(), &[&["stop", hand.endpoint.as_str(), "--json"], emergency].concat());
        assert_eq!(told.code, Some(1), "{told:#?}");
        assert!(told.stderr.contains("NOT confirmed: cut its power"), "{told:#?}");
        assert!(told.stdout.contains("\"confirmed\":false") && told.stdout.contains("servo 3"), "{told:#?}");
    }
    let at = hand.turn_count();
    hand.stuck.store(false, Ordering::SeqCst);
    hand.await_turn(at, "torque off", |turn| turn.told.is_none());
    policy.finish();
    assert_eq!(run_in(tiny.home(), &["stop", &hand.endpoint]).code, Some(0));
}

fn campaign(lives: u64) {
    let (tiny, hand) = (TinyPolicy::shared(), Hand::begin());
    let mut rng = SeedTree::new(20_261_124).stream(Stream::Toy, 0, 0);
    for life in 0..lives {
        let signal = ["KILL", "STOP", "TERM", "INT"][rng.random_range(0..4)];
        live_and_die(&hand, &tiny, signal, rng.random_range(0..400));
        hand.check_every_turn();
        println!("life {life} ended by {signal}: {} turns so far, all safe", hand.turn_count());
    }
}

#[test]
fn a_series_of_dying_policies_never_moves_the_hand_unsafely() {
    campaign(4);
}

#[test]
#[ignore = "some minutes"]
fn a_long_series_of_dying_policies_never_moves_the_hand_unsafely() {
    campaign(100);
}
