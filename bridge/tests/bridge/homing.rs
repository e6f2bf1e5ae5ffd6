//! The controller goes home by itself: slowly, to the end, and only while somebody waits for it.

use crate::hand::{Rig, hello_of, sensed, small_hand};
use giraffe_bridge::message::{Arm, Bye, Estop, Granted, Hold, Home, Ping, Refusal, Reset, Stop};
use giraffe_bridge::{ControllerSpec, Fault, Mode, Order, Request};
use giraffe_robots::Nanos;

const TURN_SECS: f64 = 0.01;

/// A hand that stands elsewhere, without torque, with a commander.
fn away(q: [f32; 3]) -> Rig {
    let mut rig = Rig::plain();
    rig.hello(&hello_of(&small_hand(), &["homing"])).unwrap();
    rig.q = q.to_vec();
    rig.core.on_sensed(&sensed(&rig.q, rig.now), rig.now);
    rig
}

/// One turn: an order, joints that follow it with a lag, and a word of the commander if it is not silent.
fn turn(rig: &mut Rig, silent: bool) -> Order {
    rig.wait(TURN_SECS);
    if !silent {
        rig.ask(&Ping {});
    }
    let order = rig.tick();
    if let Some(targets) = order.targets() {
        for (at, target) in rig.q.iter_mut().zip(targets.positions_rad()) {
            *at += 0.12 * (target - *at);
        }
    }
    rig.core.on_sensed(&sensed(&rig.q, rig.now), rig.now);
    order
}

fn positions(order: &Order) -> Vec<f32> {
    order.targets().expect("torque is on").positions_rad().to_vec()
}

#[test]
fn the_way_home_is_slow_smooth_and_ends_ready() {
    let mut rig = away([0.8, 1.7, -0.3]);
    let granted: Granted = rig.ask_for(&Home {});
    assert_eq!(granted.mode, "homing");
    let (mut last, mut last_speed) = (rig.q.clone(), [0.0f32; 3]);
    let mut fastest = 0.0f32;
    let mut turns = 0;
    while rig.core.mode() == Mode::Homing {
        let order = turn(&mut rig, false);
        let now = positions(&order);
        for joint in 0..3 {
            let speed = (now[joint] - last[joint]) / TURN_SECS as f32;
            assert!(speed.abs() <= 0.5 * 1.01, "{speed} rad/s");
            assert!((speed - last_speed[joint]).abs() < 0.05, "no jerk: {speed} after {}", last_speed[joint]);
            last_speed[joint] = speed;
            fastest = fastest.max(speed.abs());
        }
        let efforts = order.targets().unwrap().effort_scales();
        assert!(efforts.iter().all(|&effort| (effort - 0.6).abs() < 1e-6), "{efforts:?}");
        last = now;
        turns += 1;
        assert!(turns < 1000, "it arrives");
    }
    assert!(fastest > 0.45, "and does not dawdle: {fastest} rad/s");
    assert_eq!(rig.core.mode(), Mode::Ready);
    let home = small_hand().home_rad;
    assert_eq!(positions(&turn(&mut rig, false)), home);
    assert!(rig.q.iter().zip(&home).all(|(at, goal)| (at - goal).abs() <= 0.1));
    // From there an arm takes effect at once.
    let granted: Granted = rig.ask_for(&Arm {});
    assert_eq!(granted.mode, "active");
}

#[test]
fn home_is_reached_from_every_mode_but_those_where_it_must_not() {
    for (prepare, allowed) in [
        ((|_| {}) as fn(&mut Rig), true),
        (|rig| rig.activate_here(), false),
        (
            |rig| {
                rig.activate_here();
                let _: Granted = rig.ask_for(&Hold {});
            },
            true,
        ),
        (
            |rig| {
                rig.activate_here();
                rig.idle(2.4);
                assert_eq!(rig.core.mode(), Mode::Relax);
            },
            true,
        ),
        (
            |rig| {
                let _: Granted = rig.ask_for(&Estop {});
            },
            false,
        ),
    ] {
        let mut rig = away([0.3, 0.9, 0.0]);
        prepare(&mut rig);
        let before = rig.core.mode();
        let answer = rig.ask(&Home {});
        assert_eq!(rig.core.mode() == Mode::Homing, allowed, "from {before:?}: {answer:?}");
        if allowed {
            let started_at = rig.core.mode();
            for _ in 0..600 {
                turn(&mut rig, false);
            }
            assert_eq!((started_at, rig.core.mode()), (Mode::Homing, Mode::Ready), "from {before:?}");
            let _: Granted = rig.ask_for(&Home {});
            assert_eq!(rig.core.mode(), Mode::Homing, "and once more from there");
        }
    }
}

#[test]
fn nothing_jumps_when_a_held_hand_goes_home() {
    let mut rig = away([0.3, 0.9, 0.0]);
    rig.activate_here();
    rig.command(&[0.36, 0.9, 0.0]);
    let held = positions(&rig.tick());
    let _: Granted = rig.ask_for(&Hold {});
    let _: Granted = rig.ask_for(&Home {});
    let first = positions(&turn(&mut rig, false));
    assert!(first.iter().zip(&held).all(|(a, b)| (a - b).abs() < 0.002), "{first:?} after {held:?}");
}

#[test]
fn a_joint_that_does_not_come_is_named_and_the_hand_held() {
    let mut rig = away([0.0, 0.4, 0.45]);
    let _: Granted = rig.ask_for(&Home {});
    let mut secs = 0.0;
    while rig.core.mode() == Mode::Homing {
        // The thumb is stuck.
        rig.wait(TURN_SECS);
        rig.ask(&Ping {});
        rig.tick();
        rig.core.on_sensed(&sensed(&[0.0, 0.4, 0.45], rig.now), rig.now);
        secs += TURN_SECS;
        assert!(secs < 5.0);
    }
    assert!(matches!(rig.tick(), Order::Hold(_)));
    assert!(rig.core.faults().holds(Fault::Tracking));
    let (_, state) = rig.state();
    assert!(state.why.contains("thumb_bend") && state.why.contains("0.25"), "{}", state.why);
}

#[test]
fn a_blocked_joint_is_found_out_before_the_end_of_a_long_way() {
    let mut rig = away([0.0, 2.0, 0.2]);
    let _: Granted = rig.ask_for(&Home {});
    for _ in 0..600 {
        rig.wait(TURN_SECS);
        rig.ask(&Ping {});
        let order = rig.tick();
        let lead = positions(&order)[1] - 2.0;
        assert!(lead.abs() <= 0.5 + 1e-5, "the band holds on the way home too: {lead}");
        rig.core.on_sensed(&sensed(&[0.0, 2.0, 0.2], rig.now), rig.now);
        if rig.core.mode() != Mode::Homing {
            break;
        }
    }
    assert_eq!(rig.core.mode(), Mode::Hold);
    assert!(rig.core.faults().holds(Fault::Tracking));
}

#[test]
fn a_commander_who_goes_silent_ends_it_and_the_hand_goes_the_way_of_silence() {
    let mut rig = away([0.8, 1.7, -0.3]);
    let _: Granted = rig.ask_for(&Home {});
    let mut silent_secs = 0.0;
    while rig.core.mode() == Mode::Homing {
        turn(&mut rig, true);
        silent_secs += TURN_SECS;
        assert!(silent_secs < 2.1, "the lease is two seconds");
    }
    assert!(silent_secs > 1.9 && rig.core.faults().holds(Fault::LeaseLost));
    assert_eq!(rig.core.mode(), Mode::Hold);
    rig.idle(2.5);
    assert_eq!(rig.core.mode(), Mode::Relax);
    rig.idle(31.0);
    assert_eq!(rig.tick(), Order::Off);
}

#[test]
fn a_hand_that_came_home_is_not_held_for_ever_for_nobody() {
    let mut rig = away([0.1, 0.5, 0.2]);
    let _: Granted = rig.ask_for(&Home {});
    while rig.core.mode() == Mode::Homing {
        turn(&mut rig, false);
    }
    for _ in 0..500 {
        turn(&mut rig, false);
    }
    assert_eq!(rig.core.mode(), Mode::Ready, "while somebody is there");
    rig.idle(2.1);
    assert_eq!(rig.core.mode(), Mode::Hold);
    rig.idle(33.0);
    assert_eq!(rig.tick(), Order::Off);
}

#[test]
fn hold_stop_estop_goodbye_and_faults_end_it_at_once() {
    let start = || {
        let mut rig = away([0.8, 1.7, -0.3]);
        let _: Granted = rig.ask_for(&Home {});
        for _ in 0..50 {
            turn(&mut rig, false);
        }
        assert_eq!(rig.core.mode(), Mode::Homing);
        rig
    };
    type End = fn(&mut Rig);
    let ends: [(End, Mode); 6] = [
        (|rig| drop(rig.ask(&Hold {})), Mode::Hold),
        (|rig| drop(rig.ask(&Bye {})), Mode::Hold),
        (|rig| drop(rig.ask(&Stop {})), Mode::Off),
        (|rig| drop(rig.ask(&Estop {})), Mode::Estop),
        (|rig| rig.core.on_command_failed("the port is gone", rig.now), Mode::Fault),
        (|rig| (0..3).for_each(|_| rig.core.on_sense_failed("no answer", rig.now)), Mode::Fault),
    ];
    for (end, mode) in ends {
        let mut rig = start();
        end(&mut rig);
        assert_eq!(rig.core.mode(), mode);
        let held = rig.tick();
        turn(&mut rig, true);
        let still = rig.tick();
        if let (Some(held), Some(still)) = (held.targets(), still.targets()) {
            assert_eq!(held.positions_rad(), still.positions_rad());
        }
    }
}

#[test]
fn a_late_loop_does_not_make_the_hand_hurry() {
    let mut rig = away([0.8, 1.7, -0.3]);
    let _: Granted = rig.ask_for(&Home {});
    let mut last = rig.q.clone();
    for step in 0..60 {
        rig.wait(if step % 7 == 0 { 0.9 } else { TURN_SECS });
        rig.ask(&Ping {});
        let now = positions(&rig.tick());
        // Half a rad per second, and never more than one control period of it at once.
        assert!(now.iter().zip(&last).all(|(a, b)| (a - b).abs() <= 0.5 * 0.05 + 1e-5));
        last = now;
        rig.core.on_sensed(&sensed(&last, rig.now), rig.now);
    }
}

#[test]
fn limits_of_the_session_bound_the_way_and_the_goal() {
    let mut rig = Rig::plain();
    let mut hello = hello_of(&small_hand(), &["homing"]);
    let bend = hello.limits.get_mut("finger_bend").unwrap();
    (bend.lower, bend.velocity) = (0.5, 0.2);
    rig.hello(&hello).unwrap();
    rig.q = vec![0.0, 1.0, 0.2];
    rig.core.on_sensed(&sensed(&rig.q, rig.now), rig.now);
    let _: Granted = rig.ask_for(&Home {});
    let mut last = 1.0f32;
    while rig.core.mode() == Mode::Homing {
        let at = positions(&turn(&mut rig, false))[1];
        assert!((at - last).abs() <= 0.2 * 0.0101 + 1e-6);
        last = at;
    }
    assert_eq!(rig.core.mode(), Mode::Ready);
    assert!((last - 0.5).abs() < 1e-6, "as near to home as the session lets it: {last}");
}

#[test]
fn who_may_ask_and_where_it_is_not_known() {
    let mut rig = away([0.3, 0.9, 0.0]);
    let commander = std::mem::replace(&mut rig.sid, 77);
    let refusal: Refusal = rig.ask_for(&Home {});
    assert_eq!(refusal.code, "NOT_COMMANDER");
    rig.sid = commander;
    let mut simulated = Rig::simulated();
    let welcome = simulated.hello(&hello_of(&small_hand(), &["rehearsal", "lockstep", "homing"])).unwrap();
    assert_eq!(welcome.grants, ["rehearsal", "lockstep"]);
    let refusal: Refusal = simulated.ask_for(&Home {});
    assert_eq!(refusal.code, "UNSUPPORTED");
    let mut rig = Rig::plain();
    rig.q = vec![0.0, 2.3, 0.2];
    rig.hello(&hello_of(&small_hand(), &["homing"])).unwrap();
    rig.idle(0.01);
    let refusal: Refusal = rig.ask_for(&Home {});
    assert!(refusal.code == "NOT_READY" && refusal.detail.contains("finger_bend"), "{}", refusal.detail);
}

#[test]
fn a_reset_ends_the_way_home_of_a_simulated_hand() {
    let mut rig = Rig::new(ControllerSpec { rehearsal: true, ..ControllerSpec::of(&small_hand()) });
    let welcome = rig.hello(&hello_of(&small_hand(), &["rehearsal", "homing"])).unwrap();
    assert_eq!(welcome.grants, ["rehearsal", "homing"]);
    let _: Granted = rig.ask_for(&Home {});
    assert!(!rig.core.world_stands());
    let Request::Reset { re, .. } = rig.ask(&Reset { episode: vec![0x80] }) else { panic!() };
    let q = vec![0.5, 1.0, 0.0];
    rig.core.on_reset_done(re, &q, &sensed(&q, Nanos(0)), None, rig.now).unwrap();
    assert_eq!(positions(&rig.tick()), q);
    assert_eq!(rig.core.mode(), Mode::Ready);
}
