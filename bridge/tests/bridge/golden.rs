//! The bytes of every message, fixed. Authors of other implementations test against the same file.

use crate::hand::{hello_of, small_hand};
use giraffe_bridge::ControllerSpec;
use giraffe_bridge::message::{
    Arm, Bye, ClearFault, Command, Estop, Granted, Hold, Home, Ping, Pong, Pose, Refusal, Refused, Reject, Reset,
    Started, State, Stop, TrackerPose, WithHead,
};
use giraffe_bridge::wire::{Body, Head, VERSION, decode, encode};

const GOLDEN: &str = include_str!("../../golden/messages.txt");
const SID: u64 = 0x4123_4567_89ab_cdef;
const SEQ: u64 = 7;
const TS: i64 = 1_234_567_890_123;

fn state() -> State {
    State {
        episode: 2,
        tick: 41,
        t_meas: 2_050_000_000,
        q: vec![0.1, -0.2, 1.5],
        dq: vec![0.0, -0.0, 12.5],
        q_target: vec![0.125, -0.25, 1.0],
        cmd_seq: 300,
        cmd_age_us: 12_345,
        clip: 0b101,
        mode: "active".to_owned(),
        fault: 0,
        why: String::new(),
        rx_stale: 1,
        rx_bad: 2,
        overruns: 3,
        refused: None,
        rx_applied: None,
        rx_superseded: None,
        rx_rejected: None,
        rx_gap: None,
        dt: None,
        q_seq: None,
        cur: None,
        temp: None,
        volt: None,
        loop_us: None,
    }
}

/// With every key that a state may have.
fn full_state() -> State {
    State {
        refused: Some(Refused { seq: 300, code: "TICK".to_owned(), detail: "tick 9, next is 42".to_owned() }),
        rx_applied: Some(250),
        rx_superseded: Some(30),
        rx_rejected: Some(15),
        rx_gap: Some(5),
        dt: Some(0.05),
        q_seq: Some(98),
        cur: Some(vec![Some(0.25), None, Some(-0.125)]),
        temp: Some(vec![Some(41.0), Some(42.5), None]),
        volt: Some(vec![Some(5.0), Some(5.0), Some(4.875)]),
        loop_us: Some(812),
        ..state()
    }
}

fn pose() -> Pose {
    Pose {
        episode: 2,
        tick: 41,
        t_meas: 2_050_000_000,
        object: "cube-70mm".to_owned(),
        frame: "palm".to_owned(),
        p: [0.01, -0.02, 0.11],
        q_xyzw: [0.5, -0.5, 0.5, 0.5],
        valid: true,
        truth: true,
        seen: None,
    }
}

/// With what a simulator's tracker says beside the truth.
fn full_pose() -> Pose {
    let seen = TrackerPose { p: [0.0125, -0.0225, 0.1125], q_xyzw: [-0.5, 0.5, 0.5, 0.5], t_meas: 2_000_000_000 };
    Pose { seen: Some(seen), ..pose() }
}

fn with_head<B: Body>(body: B) -> WithHead<B> {
    WithHead { head: Head { v: VERSION, t: B::TYPE.to_owned(), sid: SID, seq: 99, ts: TS }, body }
}

/// Name and bytes of every message; and every message must come back from its bytes.
fn messages() -> Vec<(&'static str, Vec<u8>)> {
    fn message<B: Body + PartialEq + std::fmt::Debug>(name: &'static str, body: B) -> (&'static str, Vec<u8>) {
        let bytes = encode(SID, SEQ, TS, &body);
        let (head, back) = decode::<B>(&bytes).unwrap();
        assert_eq!((head.v, head.t.as_str(), head.sid, head.seq, head.ts), (1, B::TYPE, SID, SEQ, TS));
        assert_eq!(back, body);
        (name, bytes)
    }
    let mut rig = crate::hand::Rig::new(ControllerSpec {
        software: "controller 1".to_owned(),
        rehearsal: true,
        object: Some("cube-70mm".to_owned()),
        ..ControllerSpec::of(&small_hand())
    });
    let mut hello = hello_of(&small_hand(), &["rehearsal", "lockstep"]);
    hello.object = Some("cube-70mm".to_owned());
    let mut welcome = rig.hello(&hello).unwrap();
    // Sines may differ in the last bit between machines; golden bytes may not.
    for tips in [&mut hello.test_vector.tips, &mut welcome.test_vector.tips] {
        tips.insert("finger".to_owned(), [0.0625, 0.03125, -0.015625]);
        tips.insert("thumb".to_owned(), [-0.03, 0.1, 0.05]);
    }
    for poses in [&mut hello.test_poses, &mut welcome.test_poses] {
        for tips in poses.as_mut().unwrap().values_mut().map(|pose| &mut pose.tips) {
            tips.insert("finger".to_owned(), [0.09375, 0.03125, -0.0625]);
            tips.insert("thumb".to_owned(), [-0.03, 0.125, 0.05]);
        }
    }
    welcome.calibration = Some("bench-7".to_owned());
    let text = |text: &str| text.to_owned();
    let refused = Some(Refused { seq: 300, code: text("TICK"), detail: text("tick 9, next is 42") });
    vec![
        message("hello", hello),
        message("welcome", welcome),
        message("reject", Reject { re: 1, code: text("LEASE_HELD"), detail: text("another commands") }),
        message("ping", Ping {}),
        message("pong", Pong { re: 4, t0: -1, t1: 5_000_000_000, t2: 5_000_000_100 }),
        message("reset", Reset { episode: vec![0x81, 0xa4, b's', b'e', b'e', b'd', 0x07] }),
        message("started", Started { re: 5, episode: 2, state: with_head(state()), pose: Some(with_head(pose())) }),
        message("arm", Arm {}),
        message("home", Home {}),
        message("hold", Hold {}),
        message("stop", Stop {}),
        message("estop", Estop {}),
        message("clear_fault", ClearFault {}),
        message("bye", Bye {}),
        message("ok", Granted { re: 6, mode: text("active"), fault: 0 }),
        message("error", Refusal { re: 6, code: text("NOT_READY"), detail: text("stream first") }),
        message("cmd", Command { episode: 2, tick: 42, state_seq: 99, t_state: TS, q: vec![0.1, -0.25, 1e-42] }),
        message("state", state()),
        message("state-refused", State { refused, ..state() }),
        message("state-full", full_state()),
        message("pose", pose()),
        message("pose-full", full_pose()),
    ]
}

#[test]
fn the_bytes_of_every_message_are_those_of_the_golden_file() {
    let lines: Vec<String> = messages()
        .into_iter()
        .map(|(name, bytes)| {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{name} {hex}")
        })
        .collect();
    let golden: Vec<&str> = GOLDEN.lines().filter(|line| !line.starts_with('#')).collect();
    for (line, golden) in lines.iter().zip(&golden) {
        assert_eq!(line, golden);
    }
    assert_eq!(lines.len(), golden.len(), "messages in the file:\n{}", lines.join("\n"));
}
