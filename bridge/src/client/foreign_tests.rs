//! Against a controller somebody else wrote: it has no envelope, thinks long, and its tracker can be covered.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::{BridgeClient, ClientConfig, ObjectWatch};
use crate::clock::{Clock, MonotonicClock};
use crate::controller::{ControllerSpec, Request, ServerCore};
use crate::driver::{HandDriver, Rehearsal};
use crate::drivers::ScriptedDriver;
use crate::message::{Command, NO_ENVELOPE, Pose, Welcome};
use crate::security::ServerSecurity;
use crate::transport::{Endpoints, Incoming, ServerSockets};
use crate::wire::{decode, encode};
use giraffe_robots::{Hand, HandError, RobotModel, Signal, SignalFrame, SignalLayout, load_robot};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

fn hand() -> RobotModel {
    load_robot("leap-right").unwrap()
}

fn frame_of_hand() -> SignalFrame {
    SignalFrame::new(SignalLayout::of(&hand(), 0))
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(MonotonicClock::start())
}

fn await_that(mut holds: impl FnMut() -> bool) {
    let clock = clock();
    while !holds() {
        assert!(clock.now().as_secs() < 10.0, "it never came to pass");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

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

impl Foreign {
    fn start() -> Self {
        Self::start_slow(0)
    }

    /// Thinks about every hello for so many turns, and publishes as usual meanwhile.
    fn start_slow(hello_turns: u32) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("giraffe-foreign-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let endpoint = format!("ipc://{}", std::env::temp_dir().join(name).display());
        let (came, mode) = (Arc::<Mutex<Vec<Vec<f32>>>>::default(), Arc::<Mutex<String>>::default());
        let (sees, stop) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
        let endpoints = Endpoints::parse(&endpoint, false).unwrap();
        let mut sockets = ServerSockets::bind(&endpoints, &ServerSecurity::LocalOnly, true, &clock()).unwrap();
        let shared = Shared { came: came.clone(), sees: sees.clone(), mode: mode.clone(), stop: stop.clone() };
        let thread = Some(std::thread::spawn(move || serve(&mut sockets, &shared, hello_turns)));
        Self { endpoint, came, sees, mode, stop, thread }
    }

    fn client(&self, needs_object_pose: bool) -> BridgeClient {
        let config = ClientConfig { needs_object_pose, ..ClientConfig::new(self.endpoint.clone(), &hand()) };
        BridgeClient::connect(config, clock(), Arc::new(AtomicBool::new(false))).unwrap()
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
        let base = self.endpoint.trim_start_matches("ipc://");
        for socket in ["ctl", "cmd", "state", "pose"] {
            // Whoever bound it may have taken it away already.
            let _ = std::fs::remove_file(format!("{base}-{socket}"));
        }
    }
}

struct Shared {
    came: Arc<Mutex<Vec<Vec<f32>>>>,
    sees: Arc<AtomicBool>,
    mode: Arc<Mutex<String>>,
    stop: Arc<AtomicBool>,
}

fn serve(sockets: &mut ServerSockets, shared: &Shared, hello_turns: u32) {
    let Shared { came, sees, mode, stop } = shared;
    let (mut waiting, mut patience) = (Vec::new(), hello_turns);
    let clock = clock();
    let spec = ControllerSpec { loop_period_secs: 1e-3 * TURN_MS as f64, ..ControllerSpec::of(&hand()) };
    let mut core = ServerCore::new(spec, clock.now()).unwrap();
    let mut hand = ScriptedDriver::new(&hand());
    let mut frame = frame_of_hand();
    let mut turns = 0;
    while !stop.load(Ordering::Relaxed) {
        sockets.wait(TURN_MS);
        while let Some(request) = sockets.request() {
            waiting.push(request);
        }
        patience = if waiting.is_empty() { patience } else { patience.saturating_sub(1) };
        for Incoming { peer, sender, bytes } in waiting.drain(..if patience == 0 { waiting.len() } else { 0 }) {
            match core.on_ctl(&sender, &bytes, clock.now()) {
                Request::Reply(reply) | Request::Pong(reply) => sockets.reply(&peer, &without_envelope(reply)),
                Request::Settle { re } => sockets.reply(&peer, &core.on_settled(re, clock.now())),
                _ => {}
            }
        }
        while let Some(Incoming { sender, bytes, .. }) = sockets.command() {
            core.on_cmd(&sender, &bytes, clock.now());
            if let Ok((_, command)) = decode::<Command>(&bytes) {
                came.lock().unwrap().push(command.q);
            }
        }
        match core.on_tick(clock.now()).targets() {
            Some(targets) => hand.command(targets).unwrap(),
            None => {
                hand.release().unwrap();
                core.on_released(None, clock.now());
            }
        }
        hand.advance(1e-3 * TURN_MS as f32).unwrap();
        frame.begin(clock.now());
        hand.sense(&mut frame).unwrap();
        core.on_sensed(&frame, clock.now());
        *mode.lock().unwrap() = core.mode().name().to_owned();
        sockets.publish_state(&core.state_message(clock.now()).unwrap());
        turns += 1;
        if sees.load(Ordering::Relaxed) {
            sockets.publish_pose(&tracked(turns));
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
    encode(
        0,
        seq,
        -5,
        &Pose { episode: 0, tick: 0, t_meas: -77, object, frame, p, q_xyzw, valid: true, truth: false, seen: None },
    )
}

#[test]
fn a_controller_without_an_envelope_gets_only_safe_targets_from_this_side() {
    let controller = Foreign::start();
    let mut client = controller.client(false);
    let robot = hand();
    let names: Vec<&str> = robot.joints.iter().map(|joint| joint.name.as_str()).collect();
    assert_eq!(client.local_envelope().unwrap().names, names);
    assert!(client.terms().notes.iter().any(|note| note.contains("no envelope")), "{:?}", client.terms().notes);
    client.arm().unwrap();
    let mut frame = frame_of_hand();
    for step in 0..16 {
        let far = if step % 8 < 4 { 50.0 } else { -50.0 };
        client.exchange(&vec![far; robot.joint_count()], &mut frame).unwrap();
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
    let mut frame = frame_of_hand();
    client.exchange(&hand().home_rad, &mut frame).unwrap();
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
    let mut frame = frame_of_hand();
    let mut last: Option<Vec<f32>> = None;
    for _ in 0..10 {
        client.exchange(&hand().home_rad, &mut frame).unwrap();
        assert_eq!(frame.read(Signal::ObjectPosition).unwrap(), [0.01, -0.02, 0.11]);
        let age_secs = frame.now().secs_since(frame.stamp(Signal::ObjectRotation).unwrap());
        assert!((0.0..=0.1).contains(&age_secs), "{age_secs}");
        let rotation = frame.read(Signal::ObjectRotation).unwrap().to_vec();
        let along = last.map_or(1.0, |last| last.iter().zip(&rotation).map(|(a, b)| a * b).sum::<f32>());
        assert!(along > 0.5, "the sign does not flip: {rotation:?}");
        last = Some(rotation);
    }
    controller.sees.store(false, Ordering::Relaxed);
    let error = (0..40).find_map(|_| client.exchange(&hand().home_rad, &mut frame).err()).expect("it is noticed");
    assert!(matches!(error, HandError::Stopped { .. }) && error.to_string().contains("POSE_LOST"), "{error}");
    await_that(|| *controller.mode.lock().unwrap() == "hold");
    assert_eq!(client.object_pose(), None);
}

#[test]
fn an_object_is_seen_then_lost_for_so_long_then_seen_again_and_before_all_that_never_watched() {
    let controller = Foreign::start();
    controller.sees.store(false, Ordering::Relaxed);
    let mut client = controller.client(false);
    client.arm().unwrap();
    let mut frame = frame_of_hand();
    let mut step = |client: &mut BridgeClient| client.exchange(&hand().home_rad, &mut frame).unwrap();
    (0..4).for_each(|_| drop(step(&mut client)));
    assert_eq!(client.object_watch(), ObjectWatch::default(), "nobody ever spoke");

    let seen_now = |client: &BridgeClient| {
        let watch = client.object_watch();
        watch.pose.is_some() && watch.unseen_secs.is_some_and(|secs| secs < 0.1)
    };
    for _ in 0..2 {
        controller.sees.store(true, Ordering::Relaxed);
        (0..4).for_each(|_| drop(step(&mut client)));
        assert!(seen_now(&client), "{:?}", client.object_watch());
        controller.sees.store(false, Ordering::Relaxed);
        let covered = clock();
        while covered.now().as_secs() < 0.4 {
            step(&mut client);
        }
        let ObjectWatch { pose, unseen_secs } = client.object_watch();
        let (secs, at_most) = (unseen_secs.unwrap(), covered.now().as_secs() + 0.1);
        // One pose may still have been under way when it was covered.
        assert!(pose.is_none() && (0.3..=at_most).contains(&secs), "{pose:?} {secs}");
    }
}

#[test]
fn a_policy_that_does_not_read_the_object_goes_on_without() {
    let controller = Foreign::start();
    controller.sees.store(false, Ordering::Relaxed);
    let mut client = controller.client(false);
    client.arm().unwrap();
    let mut frame = frame_of_hand();
    for _ in 0..8 {
        client.exchange(&hand().home_rad, &mut frame).unwrap();
    }
    assert_eq!(frame.read(Signal::ObjectPosition), None);
}
