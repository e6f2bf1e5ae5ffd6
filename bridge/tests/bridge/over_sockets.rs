//! What a bad network and dying programs do to a hand, over real sockets.

use crate::controller::{Controller, LAYOUT, Way, await_that, clock, endpoint, never};
use crate::hand::small_hand;
use crate::proxy::{ALL, CMD, CTL, From, Proxy, STATE};
use giraffe_bridge::drivers::ScriptedDriver;
use giraffe_bridge::{
    BridgeClient, BridgeServer, ClientConfig, ClientSecurity, ControllerSpec, DriverError, ExitAction, Fault, FaultSet,
    HandDriver, Observer, SafeTargets,
};
use giraffe_robots::{Hand, HandError, Signal, SignalFrame};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A controller, a network that can fail, and a policy that moves one finger.
struct Scene {
    controller: Controller,
    network: Proxy,
    client: BridgeClient,
    frame: SignalFrame,
    targets: Vec<f32>,
}

impl Scene {
    fn moving() -> Self {
        let controller = Controller::start(&small_hand(), false);
        let network = Proxy::between(endpoint(), &controller.endpoint);
        let config = ClientConfig::new(network.endpoint.clone(), &small_hand());
        let mut client = BridgeClient::connect(config, clock(), never()).unwrap();
        client.arm().unwrap();
        let mut frame = SignalFrame::new(LAYOUT);
        client.observe(&mut frame).unwrap();
        let targets = frame.read(Signal::JointTarget).unwrap().to_vec();
        let mut scene = Self { controller, network, client, frame, targets };
        for _ in 0..5 {
            scene.step().unwrap();
        }
        scene
    }

    fn step(&mut self) -> Result<(), HandError> {
        self.targets[0] += 0.01;
        self.client.exchange(&self.targets, &mut self.frame).map(|_| ())
    }

    /// Goes on until something is wrong, and says what and after how many seconds.
    fn until_it_fails(&mut self) -> (HandError, f64) {
        let clock = clock();
        for _ in 0..100 {
            if let Err(error) = self.step() {
                return (error, clock.now().as_secs());
            }
        }
        panic!("nothing was noticed in 100 control periods");
    }

    fn is_held(&self) -> bool {
        self.controller.last_told().is_some_and(|(_, effort)| effort < 1.0)
    }

    /// The hand is held where it was last led to, and stays there.
    fn holds_still(&self) {
        await_that(|| self.is_held());
        let told = || self.controller.told.lock().unwrap().clone();
        let led_to = told().iter().rev().flatten().find(|(_, effort)| *effort >= 1.0).cloned().unwrap().0;
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(self.controller.last_told().unwrap().0, led_to, "nothing moves after the loss");
    }
}

#[test]
fn states_of_the_time_before_a_session_and_early_ones_of_it_confuse_nobody() {
    let controller = Controller::start(&small_hand(), false);
    let network = Proxy::between(endpoint(), &controller.endpoint);
    network.hold_back_large(From::Policy, &[CTL]);
    let config = ClientConfig::new(network.endpoint.clone(), &small_hand());
    let connecting = std::thread::spawn(move || BridgeClient::connect(config, clock(), never()));
    await_that(|| network.holds_back(From::Policy, CTL));
    // States flow that belong to no session; then those of the session come before its welcome does.
    std::thread::sleep(Duration::from_millis(100));
    network.hold_back(From::Controller, &[CTL]);
    network.release(From::Policy, &[CTL]);
    std::thread::sleep(Duration::from_millis(100));
    network.release(From::Controller, &[CTL]);
    let mut client = connecting.join().unwrap().unwrap();
    client.arm().unwrap();
}

#[test]
fn a_network_that_carries_nothing_any_more_is_noticed_at_both_ends() {
    let mut scene = Scene::moving();
    for whose in [From::Policy, From::Controller] {
        scene.network.stall(whose, &ALL);
    }
    let (error, secs) = scene.until_it_fails();
    assert!(matches!(error, HandError::Silent { .. }), "{error}");
    assert!(error.to_string().contains("link is lost"), "{error}");
    assert!(secs < 2.0, "noticed after {secs} s");
    scene.holds_still();
}

#[test]
fn a_policy_that_is_not_heard_is_told_that_the_hand_holds() {
    let mut scene = Scene::moving();
    scene.network.stall(From::Policy, &[CMD, CTL]);
    let (error, _) = scene.until_it_fails();
    assert!(matches!(&error, HandError::LinkLost { reason } if reason.contains("LINK_LOST")), "{error}");
    scene.holds_still();
}

#[test]
fn a_policy_that_hears_nothing_stops_and_so_does_the_hand() {
    let mut scene = Scene::moving();
    scene.network.stall(From::Controller, &[STATE, CTL]);
    let (error, secs) = scene.until_it_fails();
    assert!(matches!(error, HandError::Silent { .. }), "{error}");
    assert!(secs < 2.0, "noticed after {secs} s");
    scene.holds_still();
}

#[test]
fn commands_that_the_network_kept_for_a_second_move_nothing_when_they_come() {
    let mut scene = Scene::moving();
    scene.network.hold_back(From::Policy, &[CMD]);
    let before = scene.client.report();
    for _ in 0..8 {
        scene.step().unwrap();
    }
    let sent = scene.client.report().commands_sent - before.commands_sent;
    assert_eq!(sent, 8, "the network takes everything");
    await_that(|| scene.is_held());
    std::thread::sleep(Duration::from_secs(1));
    let held = scene.controller.last_told().unwrap();
    scene.network.release(From::Policy, &[CMD]);
    await_that(|| {
        scene.client.observe(&mut scene.frame).unwrap();
        scene.client.report().dropped_as_stale == before.dropped_as_stale + sent
    });
    assert_eq!(scene.controller.last_told().unwrap(), held, "nothing of the burst was applied");
}

#[test]
fn a_policy_that_left_does_not_come_back_with_what_it_said_to_an_earlier_controller() {
    let mut scene = Scene::moving();
    // The controller ends while commands of its time are under way, and another one begins at its place.
    scene.network.hold_back(From::Policy, &[CMD]);
    for _ in 0..3 {
        scene.step().unwrap();
    }
    let at = scene.controller.endpoint.clone();
    scene.controller.end().unwrap();
    let (error, _) = scene.until_it_fails();
    assert!(error.to_string().contains("ending") || matches!(error, HandError::Silent { .. }), "{error}");
    let next = Controller::start_at(at, &small_hand(), false, 2);
    scene.network.release(From::Policy, &ALL);
    let first = scene.client.terms().clone();
    assert!(scene.client.exchange(&scene.targets, &mut scene.frame).is_err(), "the old session stays over");
    assert_eq!(next.last_told(), None, "no torque from a session that is over");
    let mut client = next.client(&small_hand(), Way::Plain).unwrap();
    client.arm().unwrap();
    await_that(|| next.last_told().is_some());
    assert_ne!(first.software, "", "the terms of the first session are still known");
}

#[test]
fn a_reader_that_never_reads_takes_nothing_from_the_others() {
    let mut scene = Scene::moving();
    // Another program is connected to the states and takes none of them.
    let stuck = Proxy::between(endpoint(), &scene.controller.endpoint);
    stuck.stall(From::Controller, &[STATE]);
    let config = ClientConfig { connect_timeout_secs: 0.5, ..ClientConfig::new(stuck.endpoint.clone(), &small_hand()) };
    let watcher = std::thread::spawn(move || BridgeClient::connect(config, clock(), never()).map(|_| ()));
    let before = scene.client.report();
    for _ in 0..30 {
        scene.step().unwrap();
    }
    let after = scene.client.report();
    assert!(after.states_received > before.states_received + 60, "{before:?} {after:?}");
    assert!(after.states_lost - before.states_lost <= 3, "{before:?} {after:?}");
    assert!(watcher.join().unwrap().is_err(), "the hand has a commander");
}

/// A driver that breaks after so many turns.
struct Breaking {
    hand: ScriptedDriver,
    turns_left: u32,
    released: Arc<AtomicU32>,
}

impl HandDriver for Breaking {
    fn loop_period_secs(&self) -> f32 {
        0.01
    }

    fn sense(&mut self, frame: &mut SignalFrame) -> Result<(), DriverError> {
        assert!(self.turns_left > 0, "a mistake in a driver");
        self.turns_left -= 1;
        self.hand.sense(frame)
    }

    fn command(&mut self, targets: &SafeTargets) -> Result<(), DriverError> {
        self.hand.command(targets)
    }

    fn release(&mut self) -> Result<(), DriverError> {
        self.released.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

#[test]
fn a_mistake_in_a_driver_ends_the_controller_with_torque_off() {
    let released = Arc::new(AtomicU32::new(0));
    let driver = Breaking { hand: ScriptedDriver::new(&small_hand()), turns_left: 20, released: released.clone() };
    let spec = ControllerSpec::of(&small_hand());
    let mut server = BridgeServer::bind(&endpoint(), spec, ExitAction::Release, Box::new(driver), clock()).unwrap();
    let before_end = released.clone();
    let ended = std::thread::spawn(move || {
        let _ = server.run(&never());
        before_end.load(Ordering::SeqCst)
    });
    assert!(ended.join().is_err(), "the mistake is not hidden");
    // Once for each turn without a commander, and once more at the end.
    assert_eq!(released.load(Ordering::SeqCst), 20 + 1);
}

#[test]
fn an_onlooker_reads_what_the_hand_does_and_can_stop_it() {
    let mut scene = Scene::moving();
    let at = scene.controller.endpoint.clone();
    let mut onlooker = Observer::connect(&at, &ClientSecurity::LocalOnly, clock(), never()).unwrap();
    let (head, state) = onlooker.await_state(2.0).unwrap();
    assert_ne!(head.sid, 0, "the session is the policy's");
    assert_eq!(state.mode, "active");
    scene.step().unwrap();
    let granted = onlooker.emergency_stop().unwrap();
    assert_eq!(granted.mode, "estop");
    assert!(FaultSet::from_bits(granted.fault).holds(Fault::Estop));
    let (error, _) = scene.until_it_fails();
    assert!(error.to_string().contains("emergency stop"), "{error}");
    await_that(|| scene.controller.last_told().is_none());
}

#[test]
fn a_policy_may_act_on_every_state_as_it_comes() {
    let mut scene = Scene::moving();
    let before = scene.client.report();
    for _ in 0..40 {
        scene.client.next_state(&mut scene.frame, 1.0).unwrap();
        scene.targets[0] += 0.001;
        assert!(scene.client.command(&scene.targets).unwrap());
    }
    let after = scene.client.report();
    assert_eq!(after.commands_sent - before.commands_sent, 40);
    assert!(scene.client.command(&[f32::NAN, 0.0, 0.0]).is_err());
    await_that(|| scene.controller.last_told().unwrap().0[0] > scene.targets[0] - 0.01);
}
