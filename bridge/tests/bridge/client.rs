//! The policy's end: a controller without an envelope, a tracker that comes and goes, going home.

use crate::controller::{Controller, LAYOUT, Way, await_that, clock, endpoint, never};
use crate::hand::small_hand;
use giraffe_bridge::drivers::ScriptedDriver;
use giraffe_bridge::message::{NO_ENVELOPE, Pose, Welcome};
use giraffe_bridge::wire::{decode, encode};
use giraffe_bridge::{BridgeClient, ClientConfig, ControllerSpec, HandDriver, Rehearsal, Request, Sender, ServerCore};
use giraffe_robots::{Hand, HandError, Signal, SignalFrame};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

const TURN_MS: i64 = 10;

/// A controller somebody else wrote: it says that it has no envelope, and has a tracker that can be covered.
struct Foreign {
    endpoint: String,
    /// Targets as they came.
    came: Arc<Mutex<Vec<Vec<f32>>>>,
    sees: Arc<AtomicBool>,
    mode: Arc<Mutex<String>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

struct Sockets {
    ctl: zmq::Socket,
    cmd: zmq::Socket,
    state: zmq::Socket,
    pose: zmq::Socket,
}

impl Sockets {
    fn bind(endpoint: &str) -> Self {
        let port: u16 = endpoint.rsplit(':').next().unwrap().parse().unwrap();
        let context = zmq::Context::new();
        let socket = |kind, offset| {
            let socket = context.socket(kind).unwrap();
            socket.set_linger(0).unwrap();
            socket.bind(&format!("tcp://127.0.0.1:{}", port + offset)).unwrap();
            socket
        };
        Self {
            ctl: socket(zmq::ROUTER, 0),
            cmd: socket(zmq::PULL, 1),
            state: socket(zmq::PUB, 2),
            pose: socket(zmq::PUB, 3),
        }
    }
}

impl Foreign {
    fn start() -> Self {
        Self::start_slow(0)
    }

    /// Thinks about every hello for so many turns, and publishes as usual meanwhile.
    fn start_slow(hello_turns: u32) -> Self {
        let endpoint = endpoint();
        let (came, mode) = (Arc::<Mutex<Vec<Vec<f32>>>>::default(), Arc::<Mutex<String>>::default());
        let (sees, stop) = (Arc::new(AtomicBool::new(true)), never());
        let sockets = Sockets::bind(&endpoint);
        let shared = Shared { came: came.clone(), sees: sees.clone(), mode: mode.clone(), stop: stop.clone() };
        let thread = Some(std::thread::spawn(move || serve(&sockets, &shared, hello_turns)));
        Self { endpoint, came, sees, mode, stop, thread }
    }

    fn client(&self, needs_object_pose: bool) -> BridgeClient {
        let config = ClientConfig { needs_object_pose, ..ClientConfig::new(self.endpoint.clone(), &small_hand()) };
        BridgeClient::connect(config, clock(), never()).unwrap()
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

struct Shared {
    came: Arc<Mutex<Vec<Vec<f32>>>>,
    sees: Arc<AtomicBool>,
    mode: Arc<Mutex<String>>,
    stop: Arc<AtomicBool>,
}

fn serve(sockets: &Sockets, shared: &Shared, hello_turns: u32) {
    let Shared { came, sees, mode, stop } = shared;
    let (mut waiting, mut patience) = (Vec::new(), hello_turns);
    let clock = clock();
    let spec = ControllerSpec { loop_period_secs: 1e-3 * TURN_MS as f64, ..ControllerSpec::of(&small_hand()) };
    let mut core = ServerCore::new(spec, clock.now()).unwrap();
    let mut hand = ScriptedDriver::new(&small_hand());
    let mut frame = SignalFrame::new(LAYOUT);
    let mut turns = 0;
    while !stop.load(Ordering::Relaxed) {
        sockets.ctl.poll(zmq::POLLIN, TURN_MS).unwrap();
        while let Ok(parts) = sockets.ctl.recv_multipart(zmq::DONTWAIT) {
            waiting.push(parts);
        }
        patience = if waiting.is_empty() { patience } else { patience.saturating_sub(1) };
        for parts in waiting.drain(..if patience == 0 { waiting.len() } else { 0 }) {
            if let Request::Reply(reply) | Request::ReplyAndPublish(reply) =
                core.on_ctl(&Sender::local(), &parts[1], clock.now())
            {
                sockets.ctl.send_multipart([&parts[0], &without_envelope(reply)], 0).unwrap();
            }
        }
        while let Ok(bytes) = sockets.cmd.recv_bytes(zmq::DONTWAIT) {
            core.on_cmd(&Sender::local(), &bytes, clock.now());
            if let Ok((_, command)) = decode::<giraffe_bridge::message::Command>(&bytes) {
                came.lock().unwrap().push(command.q);
            }
        }
        match core.on_tick(clock.now()).targets() {
            Some(targets) => hand.command(targets).unwrap(),
            None => hand.release().unwrap(),
        }
        hand.advance(1e-3 * TURN_MS as f32).unwrap();
        frame.begin(clock.now());
        hand.sense(&mut frame).unwrap();
        core.on_sensed(&frame, clock.now());
        *mode.lock().unwrap() = core.mode().name().to_owned();
        sockets.state.send(core.state_message(clock.now()).unwrap(), 0).unwrap();
        turns += 1;
        if sees.load(Ordering::Relaxed) {
            sockets.pose.send(tracked(turns), 0).unwrap();
        }
    }
}

/// The welcome of a controller that passes targets on as they are.
fn without_envelope(reply: Vec<u8>) -> Vec<u8> {
    match decode::<Welcome>(&reply) {
        Ok((head, mut welcome)) => {
            welcome.grants.push(NO_ENVELOPE.to_owned());
            encode(head.sid, head.seq, head.ts, &welcome)
        }
        Err(_) => reply,
    }
}

/// What a tracker with a clock of its own says; every other quaternion has the other sign.
fn tracked(seq: u64) -> Vec<u8> {
    let half = 0.005 * seq as f32;
    let sign = if seq.is_multiple_of(2) { 1.0 } else { -1.0 };
    let q_xyzw = [0.0, 0.0, sign * half.sin(), sign * half.cos()];
    let (object, frame) = ("cube-70mm".to_owned(), "palm".to_owned());
    let p = [0.01, -0.02, 0.11];
    encode(0, seq, -5, &Pose { episode: 0, tick: 0, t_meas: -77, object, frame, p, q_xyzw, valid: true, truth: false })
}

#[test]
fn a_controller_without_an_envelope_gets_only_safe_targets_from_this_side() {
    let controller = Foreign::start();
    let mut client = controller.client(false);
    let robot = small_hand();
    assert_eq!(client.local_envelope().unwrap().names, ["finger_side", "finger_bend", "thumb_bend"]);
    assert!(client.terms().notes.iter().any(|note| note.contains("no envelope")), "{:?}", client.terms().notes);
    client.arm().unwrap();
    let mut frame = SignalFrame::new(LAYOUT);
    for step in 0..16 {
        let far = if step % 8 < 4 { 50.0 } else { -50.0 };
        client.exchange(&[far, far, 0.2], &mut frame).unwrap();
    }
    let came = controller.came.lock().unwrap();
    assert!(came.len() > 20);
    for (index, q) in came.iter().enumerate() {
        for (joint, model) in robot.joints.iter().enumerate() {
            assert!(model.position_limits_rad.contains(q[joint]), "{q:?}");
            let step = index.checked_sub(1).map_or(0.0, |before| (q[joint] - came[before][joint]).abs());
            assert!(step <= 3.0 * 0.05 + 1e-5, "a step of {step} rad");
        }
    }
    let travelled = came.iter().map(|q| q[0]).fold(0.0, f32::max);
    assert!(travelled > 0.2, "and it moves: {travelled}");
}

#[test]
fn states_from_before_the_session_are_not_taken_for_its_own() {
    let controller = Foreign::start_slow(20);
    let mut client = controller.client(false);
    client.arm().unwrap();
    let mut frame = SignalFrame::new(LAYOUT);
    client.exchange(&[0.0, 0.4, 0.2], &mut frame).unwrap();
}

#[test]
fn a_controller_with_an_envelope_is_left_to_it() {
    let controller = Controller::start(&small_hand(), false);
    let client = controller.client(&small_hand(), Way::Plain).unwrap();
    assert!(client.local_envelope().is_none() && client.terms().notes.is_empty());
}

#[test]
fn a_policy_that_reads_the_object_holds_when_nobody_sees_it_any_more() {
    let controller = Foreign::start();
    controller.sees.store(false, Ordering::Relaxed);
    let mut client = controller.client(true);
    let refused = client.arm().unwrap_err();
    assert!(matches!(&refused, HandError::Refused { code, .. } if code == "POSE_LOST"), "{refused}");
    controller.sees.store(true, Ordering::Relaxed);
    await_that(|| client.arm().is_ok());
    let mut frame = SignalFrame::new(LAYOUT);
    let mut last: Option<Vec<f32>> = None;
    for _ in 0..10 {
        client.exchange(&[0.0, 0.4, 0.2], &mut frame).unwrap();
        assert_eq!(frame.read(Signal::ObjectPosition).unwrap(), [0.01, -0.02, 0.11]);
        let age_secs = frame.now().secs_since(frame.stamp(Signal::ObjectRotation).unwrap());
        assert!((0.0..=0.1).contains(&age_secs), "{age_secs}");
        let rotation = frame.read(Signal::ObjectRotation).unwrap().to_vec();
        let along = last.map_or(1.0, |last| last.iter().zip(&rotation).map(|(a, b)| a * b).sum::<f32>());
        assert!(along > 0.5, "the sign does not flip: {rotation:?}");
        last = Some(rotation);
    }
    controller.sees.store(false, Ordering::Relaxed);
    let error = (0..40).find_map(|_| client.exchange(&[0.0, 0.4, 0.2], &mut frame).err()).expect("it is noticed");
    assert!(matches!(error, HandError::Stopped { .. }) && error.to_string().contains("POSE_LOST"), "{error}");
    await_that(|| *controller.mode.lock().unwrap() == "hold");
    assert_eq!(client.object_pose(), None);
}

#[test]
fn a_policy_that_does_not_read_the_object_goes_on_without() {
    let controller = Foreign::start();
    controller.sees.store(false, Ordering::Relaxed);
    let mut client = controller.client(false);
    client.arm().unwrap();
    let mut frame = SignalFrame::new(LAYOUT);
    for _ in 0..8 {
        client.exchange(&[0.0, 0.4, 0.2], &mut frame).unwrap();
    }
    assert_eq!(frame.read(Signal::ObjectPosition), None);
}

#[test]
fn a_hand_goes_home_when_asked_and_can_be_armed_at_once() {
    let controller = Controller::start(&small_hand(), false);
    let mut client = controller.client(&small_hand(), Way::Plain).unwrap();
    client.arm().unwrap();
    let mut frame = SignalFrame::new(LAYOUT);
    let mut targets = client_targets(&mut client, &mut frame);
    for _ in 0..8 {
        targets[0] += 0.05;
        client.exchange(&targets, &mut frame).unwrap();
    }
    let refused = client.home().unwrap_err();
    assert!(
        matches!(&refused, HandError::Refused { code, .. } if code == "NOT_READY"),
        "not while it follows: {refused}"
    );
    client.hold().unwrap();
    client.home().unwrap();
    await_that(|| controller.last_told() == Some((small_hand().home_rad, 1.0)));
    client.arm().unwrap();
    client.observe(&mut frame).unwrap();
    let at = frame.read(Signal::JointPosition).unwrap();
    assert!(at.iter().zip(&small_hand().home_rad).all(|(at, home)| (at - home).abs() < 0.1), "{at:?}");
}

fn client_targets(client: &mut BridgeClient, frame: &mut SignalFrame) -> Vec<f32> {
    client.observe(frame).unwrap();
    frame.read(Signal::JointTarget).unwrap().to_vec()
}

#[test]
fn a_simulated_hand_in_lock_step_has_no_way_home() {
    let controller = Controller::start(&small_hand(), true);
    let mut client = controller.client(&small_hand(), Way::LockStep).unwrap();
    let refused = client.home().unwrap_err();
    assert!(matches!(&refused, HandError::Refused { code, .. } if code == "UNSUPPORTED"), "{refused}");
}

#[test]
fn what_was_sent_adds_up_and_clocks_are_compared() {
    let controller = Controller::start(&small_hand(), false);
    let mut client = controller.client(&small_hand(), Way::Plain).unwrap();
    client.arm().unwrap();
    let mut frame = SignalFrame::new(LAYOUT);
    let targets = client_targets(&mut client, &mut frame);
    for _ in 0..25 {
        client.exchange(&targets, &mut frame).unwrap();
    }
    let report = client.report();
    let arrived =
        report.commands_applied + report.commands_superseded + report.commands_rejected + report.commands_lost;
    // The last one may still be under way, or wait for its turn.
    assert!(report.commands_sent - arrived <= 2, "{report:?}");
    assert!(report.commands_applied >= 15 && report.commands_lost == 0, "{report:?}");
    let round_trip_ns = report.round_trip_ns.expect("a ping came back");
    assert!(round_trip_ns > 0 && round_trip_ns < 1_000_000_000, "{report:?}");
    assert!(report.clock_offset_ns.is_some());
}
