//! What a tracker, or somebody in the place of a controller, can do to a policy.

use crate::controller::endpoint;
use crate::processes::{Career, Process};
use crate::scene::{MOST_KIB, Over, Scene, alone};
use crate::zmtp::{Stranger, frame};
use giraffe_bridge::message::{POSE_FRAME, Pose};
use giraffe_bridge::wire::{MAX_MESSAGE_BYTES, encode};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A second of commands.
const STEPS: u32 = 20;

/// A policy as a process.
fn policy(endpoint: &str) -> Process {
    Process::start("processes::a_policy_that_is_told_its_endpoint", &[endpoint, &STEPS.to_string()])
}

/// Listens in the place of a socket and does something to everybody who comes, one after another.
fn serves(port: u16, kind: &str, over: &AtomicBool, mut does: impl FnMut(&mut Stranger) -> bool) {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    listener.set_nonblocking(true).unwrap();
    while !over.load(Ordering::Relaxed) {
        let Ok((stream, _)) = listener.accept() else {
            std::thread::sleep(Duration::from_millis(2));
            continue;
        };
        stream.set_nonblocking(false).unwrap();
        let Ok(mut peer) = Stranger::meet(stream, kind) else { continue };
        while !over.load(Ordering::Relaxed) && does(&mut peer) {}
    }
}

/// What a tracker says, `count` times.
fn poses(first: u64, count: u64) -> Vec<u8> {
    let pose = |seq: u64| Pose {
        episode: 0,
        tick: 0,
        t_meas: i64::try_from(seq).unwrap() * 100_000,
        object: "cube-70mm".to_owned(),
        frame: POSE_FRAME.to_owned(),
        p: [0.01, 0.0, 0.1],
        q_xyzw: [0.0, 0.0, 0.0, 1.0],
        valid: true,
        truth: false,
        seen: None,
    };
    (first..first + count).flat_map(|seq| frame(&encode(0, seq, 0, &pose(seq)), false)).collect()
}

/// A policy that commands a hand while somebody in the tracker's place does this; then the hand is held.
fn under_a_tracker(mut does: impl FnMut(&mut Stranger, &AtomicBool) -> bool + Send) -> Career {
    let mut scene = Scene::start(false);
    scene.leave();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (port, over, ends) = (scene.port(3), &over, Over(&over));
        let tracking = scope.spawn(move || serves(port, "PUB", over, |peer| does(peer, over)));
        scene.controller.report();
        let mut policy = policy(&scene.endpoint);
        let career = policy.career();
        policy.end();
        scene.holds();
        scene.has_not_grown();
        drop(ends);
        tracking.join().unwrap();
        assert!(career.grown_kib <= MOST_KIB, "{career:?}");
        assert_eq!(career.steps, STEPS);
        career
    })
}

#[test]
fn a_tracker_at_ten_thousand_poses_a_second_delays_no_command() {
    let mut seq = 1;
    let career = under_a_tracker(|peer, over| {
        let said = peer.write(&poses(seq, 10), || over.load(Ordering::Relaxed));
        seq += 10;
        std::thread::sleep(Duration::from_millis(1));
        said
    });
    assert!(career.seen > STEPS / 2, "and it is believed: {career:?}");
    assert!(career.states_lost <= 20, "{career:?}");
}

#[test]
fn a_tracker_that_never_ends_a_message_nor_pauses_takes_no_memory_of_a_policy() {
    let all = [frame(&[0x5a; 1000], true).repeat(64), frame(&vec![0x91; MAX_MESSAGE_BYTES], false), poses(1, 1000)];
    for bytes in all {
        under_a_tracker(|peer, over| {
            std::thread::sleep(Duration::from_millis(1));
            peer.write(&bytes, || over.load(Ordering::Relaxed))
        });
    }
}

#[test]
fn somebody_in_the_place_of_a_controller_neither_keeps_a_policy_nor_fills_its_memory() {
    let garbage = [frame(&vec![0x91; MAX_MESSAGE_BYTES], false), frame(&[0xc1; 40], false)].concat();
    for bytes in [garbage, frame(&[0x5a; 1000], true).repeat(64)] {
        let (_alone, endpoint) = (alone(), endpoint());
        let base: u16 = endpoint.rsplit_once(':').unwrap().1.parse().unwrap();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let (over, bytes, ends) = (&over, &bytes, Over(&over));
            for (offset, kind) in [(0, "ROUTER"), (1, "PULL"), (2, "PUB"), (3, "PUB")] {
                let port = base + offset;
                let pours = move |peer: &mut Stranger| match kind {
                    "PULL" => peer.swallow(),
                    _ => {
                        std::thread::sleep(Duration::from_millis(1));
                        peer.write(bytes, || over.load(Ordering::Relaxed))
                    }
                };
                scope.spawn(move || serves(port, kind, over, pours));
            }
            let mut policy = policy(&endpoint);
            let career = policy.career();
            drop(ends);
            policy.end();
            assert_eq!(career.steps, 0, "nobody welcomed it");
            assert!(career.secs < 4.0, "it gave up in time: {career:?}");
            assert!(career.grown_kib <= MOST_KIB, "{career:?}");
        });
    }
}
