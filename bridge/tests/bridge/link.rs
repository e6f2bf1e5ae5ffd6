//! Both ends over real sockets on the loopback.

use crate::controller::{Controller, LAYOUT, Way, await_that, clock, endpoint, never};
use crate::hand::{shuffled_hand, small_hand};
use giraffe_bridge::drivers::{ScriptedDriver, ScriptedEpisode};
use giraffe_bridge::{
    BridgeClient, BridgeError, BridgeServer, ClientConfig, ControllerSpec, EnvelopeSpec, ExitAction, HandDriver,
    Rehearsal, SafetyEnvelope, TransportError,
};
use giraffe_robots::{Hand, HandError, Signal, SignalFrame};
use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::time::Duration;

fn episode(start_rad: &[f32]) -> Vec<u8> {
    rmp_serde::to_vec_named(&ScriptedEpisode { start_rad: start_rad.to_vec(), object_yaw_rad: 0.3 }).unwrap()
}

/// Targets of step `step`: a small walk that no limit touches.
fn walk(step: u32, previous: &[f32]) -> Vec<f32> {
    let joints = previous.iter().enumerate();
    joints.map(|(joint, at)| at + 0.05 * (0.7 * step as f32 + joint as f32).sin()).collect()
}

/// Everything sensed at one step, as bits.
fn bits(frame: &SignalFrame, applied: &[f32], pose: &giraffe_robots::ObjectPose) -> Vec<u32> {
    let mut bits: Vec<u32> = Vec::new();
    for signal in [Signal::JointPosition, Signal::JointVelocity, Signal::JointTarget] {
        bits.extend(frame.read(signal).unwrap().iter().map(|value| value.to_bits()));
    }
    bits.extend(applied.iter().map(|value| value.to_bits()));
    bits.extend(pose.position_m.iter().chain(pose.palm_from_object.coords.iter()).map(|value| value.to_bits()));
    bits.push((frame.stamp(Signal::JointPosition).unwrap().0 / 1000) as u32);
    bits
}

/// The same episode without a link: driver and envelope in this thread.
fn episode_in_process(start: &[f32], steps: u32) -> Vec<Vec<u32>> {
    let robot = small_hand();
    let mut hand = ScriptedDriver::new(&robot);
    let mut targets = hand.reset(&episode(start)).unwrap();
    let mut envelope = SafetyEnvelope::new(EnvelopeSpec::of(&robot), &targets).unwrap();
    let mut frame = SignalFrame::new(LAYOUT);
    hand.sense(&mut frame).unwrap();
    let rows = (0..steps).map(|step| {
        targets = walk(step, &targets);
        let measured = frame.read(Signal::JointPosition).unwrap().to_vec();
        let safe = envelope.filter(&targets, &measured, 0.05).unwrap();
        assert_eq!(safe.clipped_joints(), 0);
        hand.command(&safe).unwrap();
        hand.advance(0.05).unwrap();
        hand.sense(&mut frame).unwrap();
        frame.write(Signal::JointTarget, &targets);
        bits(&frame, &targets, &hand.object().unwrap().pose)
    });
    rows.collect()
}

fn episode_over_the_link(client: &mut BridgeClient, start: &[f32], steps: u32) -> Vec<Vec<u32>> {
    client.reset_episode(&episode(start)).unwrap();
    client.arm().unwrap();
    let mut frame = SignalFrame::new(LAYOUT);
    client.observe(&mut frame).unwrap();
    let mut targets = frame.read(Signal::JointTarget).unwrap().to_vec();
    assert_eq!(targets, start);
    let rows = (0..steps).map(|step| {
        targets = walk(step, &targets);
        let done = client.exchange(&targets, &mut frame).unwrap();
        assert!(!done.rearmed, "who observes begins anew");
        assert_eq!((done.clipped_joint_count, done.missed_tick_count), (0, 0));
        bits(&frame, &done.applied_rad, &client.object_pose().unwrap())
    });
    rows.collect()
}

#[test]
fn an_episode_in_lock_step_is_the_one_without_a_link_bit_for_bit() {
    let controller = Controller::start(&small_hand(), true);
    let mut client = controller.client(&small_hand(), Way::LockStep).unwrap();
    for (start, steps) in [([0.0, 0.4, 0.2], 20), ([0.3, 1.0, -0.1], 400), ([0.0, 0.4, 0.2], 20)] {
        let expected = episode_in_process(&start, steps);
        assert_eq!(episode_over_the_link(&mut client, &start, steps), expected);
    }
    assert_eq!(client.episode(), 3);
    assert_eq!(client.report().states_lost, 0, "however fast it goes");
    // Once more with a controller that lists its joints in another order.
    let shuffled = Controller::start(&shuffled_hand(), true);
    let mut client = shuffled.client(&small_hand(), Way::LockStep).unwrap();
    let start = [0.0, 0.4, 0.2];
    client.reset_episode(&episode(&[start[1], start[2], start[0]])).unwrap();
    client.arm().unwrap();
    let mut frame = SignalFrame::new(LAYOUT);
    let mut targets = start.to_vec();
    for (step, expected) in episode_in_process(&start, 20).iter().enumerate() {
        targets = walk(step as u32, &targets);
        let done = client.exchange(&targets, &mut frame).unwrap();
        let row = bits(&frame, &done.applied_rad, &client.object_pose().unwrap());
        assert_eq!(row[..12], expected[..12], "joint by joint the same");
    }
}

#[test]
fn lock_step_refuses_in_words_and_goes_on() {
    let controller = Controller::start(&small_hand(), true);
    let mut client = controller.client(&small_hand(), Way::LockStep).unwrap();
    let mut frame = SignalFrame::new(LAYOUT);
    let refused = client.exchange(&[0.0, 0.4, 0.2], &mut frame).unwrap_err();
    assert!(matches!(&refused, HandError::Refused { code, .. } if code == "NOT_ACTIVE"), "{refused}");
    let refused = client.reset_episode(&episode(&[0.0, 9.0, 0.2])).unwrap_err().to_string();
    assert!(refused.contains("RESET_FAILED") && refused.contains("finger_bend"), "{refused}");
    client.reset_episode(&episode(&[0.0, 0.4, 0.2])).unwrap();
    client.arm().unwrap();
    assert!(matches!(client.exchange(&[0.0, f32::NAN, 0.2], &mut frame), Err(HandError::NotFinite { .. })));
    client.exchange(&[0.0, 0.4, 0.2], &mut frame).unwrap();
    client.hold().unwrap();
    assert!(client.exchange(&[0.0, 0.4, 0.2], &mut frame).is_err());
    client.bye();
    controller.client(&small_hand(), Way::Plain).map(drop).unwrap();
}

#[test]
fn a_hand_in_real_time_follows_then_holds_when_its_commander_hangs() {
    let controller = Controller::start(&small_hand(), false);
    let mut client = controller.client(&small_hand(), Way::Plain).unwrap();
    assert_eq!(controller.last_told(), None, "no torque before an arm");
    let mut frame = SignalFrame::new(LAYOUT);
    client.observe(&mut frame).unwrap();
    client.arm().unwrap();
    let mut targets = frame.read(Signal::JointTarget).unwrap().to_vec();
    let start = targets[0];
    let mut rearmed = 0;
    for _ in 0..12 {
        targets[0] += 0.03;
        let done = client.exchange(&targets, &mut frame).unwrap();
        rearmed += u32::from(done.rearmed);
        assert_eq!(done.applied_rad.len(), 3);
    }
    assert_eq!(rearmed, 1);
    let at = frame.read(Signal::JointPosition).unwrap()[0];
    assert!(at > start + 0.1, "the finger went along: from {start} to {at}");
    assert_eq!(client.object_pose(), None, "nobody tracks an object here");

    // The commander hangs: its sockets stay open, it says nothing.
    let report = client.report();
    assert!(report.commands_sent >= 12 && report.states_received > 20, "{report:?}");
    std::mem::forget(client);
    await_that(|| controller.last_told().is_some_and(|(_, effort)| effort < 1.0));
    let held = controller.last_told().unwrap();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(controller.last_told().unwrap(), held, "held still");
    let last_followed = controller.told.lock().unwrap().iter().rev().flatten().find(|(_, e)| *e >= 1.0).cloned();
    assert_eq!(held.0, last_followed.unwrap().0, "at the last target");

    // Another may take over once the lease has run out.
    await_that(|| controller.client(&small_hand(), Way::Plain).is_ok());
}

#[test]
fn an_episode_in_real_time_waits_for_its_arm_and_then_runs() {
    let controller = Controller::start(&small_hand(), true);
    let mut client = controller.client(&small_hand(), Way::Rehearsal).unwrap();
    let start = [0.3f32, 1.0, -0.1];
    client.reset_episode(&episode(&start)).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    client.arm().unwrap();
    let mut frame = SignalFrame::new(LAYOUT);
    client.observe(&mut frame).unwrap();
    assert_eq!(frame.read(Signal::JointTarget).unwrap(), start);
    for _ in 0..6 {
        client.exchange(&[0.36, 1.0, -0.1], &mut frame).unwrap();
    }
    assert!(frame.read(Signal::JointPosition).unwrap()[0] > 0.33);
    assert!(client.object_pose().is_some());
    assert_eq!(frame.read(Signal::ObjectPosition), None, "the truth is not for the policy");
}

#[test]
fn a_controller_that_ends_lets_go_and_says_so() {
    let mut controller = Controller::start(&small_hand(), false);
    let mut client = controller.client(&small_hand(), Way::Plain).unwrap();
    client.arm().unwrap();
    let clock = clock();
    controller.end().unwrap();
    assert!(clock.now().as_secs() < 1.0);
    assert_eq!(controller.told.lock().unwrap().last().cloned(), Some(None), "torque is off");
    let mut frame = SignalFrame::new(LAYOUT);
    let error = (0..20).find_map(|_| client.exchange(&[0.0, 0.4, 0.2], &mut frame).err()).expect("it is noticed");
    assert!(error.to_string().contains("ending"), "{error}");
}

#[test]
fn an_interrupted_policy_returns_at_once() {
    let controller = Controller::start(&small_hand(), false);
    let stop = never();
    let config = ClientConfig::new(controller.endpoint.clone(), &small_hand());
    let mut client = BridgeClient::connect(config, clock(), stop.clone()).unwrap();
    stop.store(true, Ordering::Relaxed);
    let error = client.arm().unwrap_err();
    assert_eq!(error, HandError::Stopped { reason: "interrupted".to_owned() });
}

#[test]
fn nobody_there_is_an_error_that_says_where_and_what_to_do() {
    let config = ClientConfig { connect_timeout_secs: 0.2, ..ClientConfig::new(endpoint(), &small_hand()) };
    let at = config.endpoint.clone();
    let clock = clock();
    let error = BridgeClient::connect(config, clock.clone(), never()).map(drop).unwrap_err().to_string();
    assert!(error.contains(&at) && error.contains("giraffe serve"), "{error}");
    assert!(clock.now().as_secs() < 1.0);
    assert!(ClientConfig::new(at, &small_hand()).connect_timeout_secs <= 3.0);
}

#[test]
fn somebody_who_is_no_controller_is_told_from_nobody() {
    let at = endpoint();
    let port: u16 = at.rsplit(':').next().unwrap().parse().unwrap();
    let _deaf = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let config = ClientConfig { connect_timeout_secs: 0.2, ..ClientConfig::new(at, &small_hand()) };
    let error = BridgeClient::connect(config, clock(), never()).map(drop).unwrap_err();
    assert!(matches!(error, HandError::Silent { .. }), "{error}");
}

#[test]
fn another_hand_is_refused_in_words() {
    let controller = Controller::start(&small_hand(), true);
    let mut other = small_hand();
    other.joints[2].axis = -other.joints[2].axis;
    let error = controller.client(&other, Way::LockStep).map(drop).unwrap_err().to_string();
    assert!(error.contains("ROBOT_MISMATCH") && error.contains("thumb_bend") && error.contains("axis"), "{error}");
}

#[test]
fn real_hands_grant_no_rehearsal() {
    let controller = Controller::start(&small_hand(), false);
    let error = controller.client(&small_hand(), Way::Rehearsal).map(drop).unwrap_err().to_string();
    assert!(error.contains("rehearsal"), "{error}");
    // And the lease is free again.
    await_that(|| controller.client(&small_hand(), Way::Plain).is_ok());
}

fn bind(endpoint: &str) -> Result<BridgeServer, BridgeError> {
    let robot = small_hand();
    let driver = Box::new(ScriptedDriver::new(&robot));
    BridgeServer::bind(endpoint, ControllerSpec::of(&robot), ExitAction::Release, driver, clock())
}

#[test]
fn a_taken_port_is_named() {
    let controller = Controller::start(&small_hand(), true);
    let error = bind(&controller.endpoint).map(drop).unwrap_err();
    assert!(matches!(error, BridgeError::Transport(TransportError::AddressInUse { .. })), "{error}");
    assert!(error.to_string().contains(&controller.endpoint), "{error}");
    // The third of the four.
    let at = endpoint();
    let port: u16 = at.rsplit(':').next().unwrap().parse().unwrap();
    let _taken = TcpListener::bind(("127.0.0.1", port + 2)).unwrap();
    let error = bind(&at).map(drop).unwrap_err().to_string();
    assert!(error.contains(&format!("{}", port + 2)) && error.contains("`state`"), "{error}");
}

#[test]
fn what_other_machines_could_reach_is_not_bound_nor_connected_to() {
    for at in
        ["tcp://0.0.0.0:7401", "tcp://*:7401", "tcp://192.168.1.2:7401", "tcp://[::]:7401", "tcp://example.org:7401"]
    {
        let error = bind(at).map(drop).unwrap_err();
        assert!(matches!(error, BridgeError::Transport(TransportError::NotLoopback { .. })), "{at}: {error}");
        let config = ClientConfig::new(at, &small_hand());
        let error = BridgeClient::connect(config, clock(), never()).map(drop).unwrap_err().to_string();
        assert!(error.contains("clear text"), "{error}");
    }
    for at in ["udp://127.0.0.1:7401", "tcp://127.0.0.1", "tcp://127.0.0.1:x", "tcp://127.0.0.1:65533", "ipc://", ""] {
        assert!(
            matches!(bind(at).map(drop).unwrap_err(), BridgeError::Transport(TransportError::Endpoint { .. })),
            "{at}"
        );
    }
}

#[test]
fn ipc_works_and_a_taken_path_is_named() {
    let folder = std::env::temp_dir().join(format!("giraffe-bridge-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let at = format!("ipc://{}", folder.join("link").display());
    let stop = never();
    let mut server = bind(&at).unwrap();
    assert!(matches!(bind(&at).map(drop).unwrap_err(), BridgeError::Transport(TransportError::AddressInUse { .. })));
    let flag = stop.clone();
    let thread = std::thread::spawn(move || server.run(&flag));
    let config = ClientConfig { lockstep: true, ..ClientConfig::new(at, &small_hand()) };
    let mut client = BridgeClient::connect(config, clock(), never()).unwrap();
    client.reset_episode(&[]).unwrap();
    client.arm().unwrap();
    let mut frame = SignalFrame::new(LAYOUT);
    client.exchange(&[0.0, 0.45, 0.2], &mut frame).unwrap();
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
}
