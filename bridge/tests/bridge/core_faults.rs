//! Whatever goes wrong with a command, the hand does what is safe.

use crate::hand::{PERIOD_SECS, Rig, code, hello_of, sensed, small_hand};
use giraffe_bridge::message::{Arm, Bye, ClearFault, Command, Estop, Granted, Hold, Ping, Refusal, Reset, State, Stop};
use giraffe_bridge::wire::{decode, encode};
use giraffe_bridge::{CommandVerdict, ControllerSpec, Fault, Mode, Order, Request};
use giraffe_robots::{HoldAt, Nanos, SafetySpec, Signal, SignalFrame, SignalLayout};

fn active() -> Rig {
    let mut rig = Rig::plain();
    rig.activate();
    rig
}

/// A lock-step session at the start of an armed episode.
fn lockstep() -> Rig {
    let mut rig = Rig::simulated();
    rig.hello(&hello_of(&small_hand(), &["rehearsal", "lockstep"])).unwrap();
    reset(&mut rig);
    let _: Granted = rig.ask_for(&Arm {});
    rig
}

fn reset(rig: &mut Rig) {
    let Request::Reset { re, episode } = rig.ask(&Reset { episode: vec![0x80] }) else {
        panic!("a reset is carried out")
    };
    assert_eq!(episode, [0x80]);
    let q = rig.q.clone();
    let frame = sensed(&q, Nanos(0));
    rig.core.on_reset_done(re, &q, &frame, None, rig.now).unwrap();
}

fn targets(order: &Order) -> Vec<f32> {
    order.targets().expect("torque is on").positions_rad().to_vec()
}

#[test]
fn a_fresh_command_is_followed_bit_for_bit() {
    let mut rig = active();
    let wanted = [0.05f32, 0.44, 0.17];
    assert_eq!(rig.command(&wanted), CommandVerdict::Accepted);
    let order = rig.tick();
    assert!(matches!(order, Order::Follow(_)));
    assert_eq!(targets(&order), wanted);
    let (_, state) = rig.state();
    assert_eq!((state.q_target, state.cmd_seq, state.clip), (wanted.to_vec(), rig.cmd_seq, 0));
}

#[test]
fn a_command_beyond_the_limits_is_followed_as_far_as_is_safe_and_says_so() {
    let mut rig = active();
    rig.command(&[0.05, 9.0, 0.2]);
    let order = rig.tick();
    assert!(targets(&order)[1] <= 0.4 + 3.0 * 0.05 + 1e-6);
    assert_eq!(rig.state().1.clip, 0b010);
}

#[test]
fn old_repeated_and_reordered_commands_are_dropped() {
    let mut rig = active();
    let command = rig.fresh(&[0.01, 0.4, 0.2]);
    assert_eq!(code(&rig.send(&command)), "accepted");
    rig.cmd_seq -= 1;
    assert_eq!(code(&rig.send(&command)), "SEQUENCE", "the same again");
    rig.cmd_seq -= 2;
    assert_eq!(code(&rig.send(&command)), "SEQUENCE", "an earlier one");
    rig.cmd_seq += 10;
    assert_eq!(code(&rig.send(&Command { state_seq: command.state_seq - 1, ..command.clone() })), "STALE");
    assert_eq!(code(&rig.send(&Command { state_seq: command.state_seq + 5, ..command.clone() })), "STALE");
    assert_eq!(code(&rig.send(&Command { t_state: rig.now.0 + 1_000_000, ..command.clone() })), "STALE");
    assert_eq!(code(&rig.send(&Command { episode: 3, ..command.clone() })), "EPISODE");
    rig.wait(0.126);
    assert_eq!(code(&rig.send(&command)), "STALE", "2.5 control periods are 125 ms");
    let (_, state) = rig.state();
    assert_eq!(state.rx_stale, 7);
}

#[test]
fn the_newest_of_several_commands_is_followed() {
    let mut rig = active();
    for step in 1..=4 {
        rig.command(&[0.01 * step as f32, 0.4, 0.2]);
    }
    assert_eq!(targets(&rig.tick())[0], 0.04);
    assert_eq!(rig.core.counters().superseded, 3);
    rig.wait(0.01);
    assert_eq!(targets(&rig.tick())[0], 0.04, "and held as a step");
}

#[test]
fn three_broken_numbers_in_a_row_hold_the_hand_until_cleared_and_armed() {
    for (q, fault, name) in [
        (vec![0.0, f32::NAN, 0.2], Fault::CommandNotFinite, "NOT_FINITE"),
        (vec![0.0, f32::INFINITY, 0.2], Fault::CommandNotFinite, "NOT_FINITE"),
        (vec![0.0, 0.4], Fault::CommandShape, "SHAPE"),
        (vec![], Fault::CommandShape, "SHAPE"),
    ] {
        let mut rig = active();
        for attempt in 1..=3 {
            assert_eq!(rig.core.mode(), Mode::Active, "attempt {attempt}");
            assert_eq!(code(&rig.command(&q)), name);
        }
        assert_eq!(rig.core.mode(), Mode::Hold);
        assert!(rig.core.faults().holds(fault));
        let good = rig.q.clone();
        rig.command(&good);
        assert_eq!(rig.core.mode(), Mode::Hold, "good commands do not end it");
        let refusal: Refusal = rig.ask_for(&Arm {});
        assert_eq!(refusal.code, "FAULT_LATCHED");
        let _: Granted = rig.ask_for(&ClearFault {});
        rig.stream(0.5);
        let _: Granted = rig.ask_for(&Arm {});
        assert_eq!(rig.core.mode(), Mode::Active);
        assert!(rig.core.faults().is_empty());
    }
}

#[test]
fn a_good_command_between_two_bad_ones_starts_the_count_anew() {
    let mut rig = active();
    for _ in 0..10 {
        rig.command(&[f32::NAN; 3]);
        rig.command(&[f32::NAN; 3]);
        let good = rig.q.clone();
        assert_eq!(code(&rig.command(&good)), "accepted");
    }
    assert_eq!(rig.core.mode(), Mode::Active);
}

#[test]
fn commands_of_another_session_are_foreign() {
    let mut rig = active();
    let command = rig.fresh(&[0.01, 0.4, 0.2]);
    rig.sid ^= 1;
    assert_eq!(code(&rig.send(&command)), "SESSION");
    assert_eq!(rig.core.counters().bad, 1);
}

#[test]
fn silence_holds_the_last_target_then_relaxes_then_lets_go() {
    let mut rig = active();
    rig.command(&[0.06, 0.4, 0.2]);
    let followed = targets(&rig.tick());
    let held = rig.idle(0.16);
    assert!(matches!(held, Order::Hold(_)));
    assert_eq!(targets(&held), followed);
    assert!(held.targets().unwrap().effort_scales().iter().all(|&effort| effort < 1.0));
    assert!(rig.core.faults().holds(Fault::LinkLost));
    let (_, state) = rig.state();
    assert!(state.why.contains("150 ms"), "{}", state.why);
    let relaxed = rig.idle(2.3);
    assert!(matches!(relaxed, Order::Relax(_)));
    assert!((targets(&relaxed)[0] - rig.q[0]).abs() < 1e-6, "gave way to where the finger is");
    assert_eq!(rig.idle(30.0), Order::Off);
}

#[test]
fn relaxing_is_slow() {
    let mut rig = active();
    rig.command(&[0.06, 0.4, 0.2]);
    rig.idle(2.15);
    rig.q = vec![-0.8, 0.4, 0.2];
    let mut last = 0.06f32;
    for _ in 0..100 {
        let order = rig.idle(0.01);
        let at = targets(&order)[0];
        assert!((at - last).abs() <= 0.5 * 0.021, "half a rad per second");
        last = at;
    }
    assert!(last < -0.3);
}

#[test]
fn a_hand_that_gives_way_holds_where_it_is() {
    let robot = small_hand();
    let safety = SafetySpec { hold: HoldAt::Measured, ..robot.safety };
    let robot = giraffe_robots::RobotModel { safety, ..robot };
    let mut rig = Rig::new(ControllerSpec::of(&robot));
    rig.activate();
    rig.command(&[0.06, 0.4, 0.2]);
    rig.tick();
    let held = rig.idle(0.2);
    assert!((targets(&held)[0] - rig.q[0]).abs() < 1e-6);
}

#[test]
fn a_short_silence_is_forgiven() {
    let mut rig = active();
    rig.idle(0.3);
    assert_eq!(rig.core.mode(), Mode::Hold);
    let good = rig.q.clone();
    rig.command(&good);
    assert!(matches!(rig.tick(), Order::Follow(_)));
    assert!(!rig.core.faults().holds(Fault::LinkLost));
}

#[test]
fn a_burst_delivered_late_moves_nothing() {
    // The policy was stopped for two seconds, or the network kept what it sent and let go of it all at once.
    let mut rig = active();
    let mut burst = Vec::new();
    for step in 1..=40 {
        let command = rig.fresh(&[0.002 * step as f32, 0.4, 0.2]);
        rig.cmd_seq += 1;
        burst.push(encode(rig.sid, rig.cmd_seq, rig.now.0, &command));
        rig.wait(PERIOD_SECS);
    }
    let before = targets(&rig.tick());
    let accepted = rig.core.counters().accepted;
    // All but the newest two are too old already; a moment later all are.
    rig.wait(0.2);
    for bytes in &burst {
        assert_eq!(code(&rig.core.on_cmd(&rig.sender, bytes, rig.now)), "STALE");
    }
    assert_eq!(rig.core.counters().accepted, accepted);
    assert_eq!(rig.core.counters().stale, 40);
    rig.idle(0.5);
    assert_eq!(targets(&rig.tick()), before);
    let refusal: Refusal = rig.ask_for(&Arm {});
    assert_eq!(refusal.code, "NOT_READY");
}

#[test]
fn arming_from_torque_off_needs_a_stream_near_the_hand() {
    let mut rig = Rig::plain();
    rig.hello(&hello_of(&small_hand(), &[])).unwrap();
    let refusal: Refusal = rig.ask_for(&Arm {});
    assert_eq!(refusal.code, "NOT_READY");
    for _ in 0..12 {
        rig.command(&[0.0, 0.4, 0.35]);
        rig.idle(PERIOD_SECS);
        assert_eq!(rig.core.mode(), Mode::Off, "streams are not followed");
    }
    let refusal: Refusal = rig.ask_for(&Arm {});
    assert!(refusal.detail.contains("for 0 ms"), "0.15 rad away is not near: {}", refusal.detail);
    rig.stream(0.5);
    let _: Granted = rig.ask_for(&Arm {});
    assert_eq!(targets(&rig.tick()), rig.q, "and starts from where the hand is");
}

#[test]
fn a_hand_that_stands_outside_its_range_is_not_armed() {
    let mut rig = Rig::plain();
    rig.q = vec![0.0, 2.3, 0.2];
    rig.hello(&hello_of(&small_hand(), &[])).unwrap();
    rig.idle(0.01);
    rig.stream(0.6);
    let refusal: Refusal = rig.ask_for(&Arm {});
    assert!(refusal.detail.contains("finger_bend"), "{}", refusal.detail);
}

#[test]
fn stop_and_estop_work_for_anybody() {
    let mut rig = active();
    rig.sid = 0;
    let granted: Granted = rig.ask_for(&Stop {});
    assert_eq!(granted.mode, "off");
    assert_eq!(rig.tick(), Order::Off);
    let granted: Granted = rig.ask_for(&Estop {});
    assert_eq!(granted.mode, "estop");
    let refusal: Refusal = rig.ask_for(&ClearFault {});
    assert_eq!(refusal.code, "NOT_COMMANDER");
    rig.sid = rig.core.sid();
    let refusal: Refusal = rig.ask_for(&Arm {});
    assert_eq!(refusal.code, "FAULT_LATCHED");
    let granted: Granted = rig.ask_for(&ClearFault {});
    assert_eq!(granted.mode, "off");
}

#[test]
fn a_goodbye_holds_the_hand_and_frees_the_lease() {
    let mut rig = active();
    let _: Granted = rig.ask_for(&Bye {});
    assert!(matches!(rig.tick(), Order::Hold(_)));
    assert_eq!(rig.core.sid(), 0);
    rig.hello(&hello_of(&small_hand(), &[])).unwrap();
    let refusal: Refusal = rig.ask_for(&Arm {});
    assert_eq!(refusal.code, "NOT_READY");
}

#[test]
fn unknown_requests_and_garbage_do_no_harm() {
    let mut rig = active();
    let mut bytes = encode(rig.sid, 99, 0, &Hold {});
    let name = bytes.windows(4).position(|window| window == b"hold").unwrap();
    bytes[name..name + 4].copy_from_slice(b"bold");
    let Request::Reply(reply) = rig.core.on_ctl(&rig.sender, &bytes, rig.now) else { panic!() };
    assert_eq!(decode::<Refusal>(&reply).unwrap().1.code, "UNKNOWN_TYPE");
    assert_eq!(rig.core.on_ctl(&rig.sender, &[1, 2, 3], rig.now), Request::Dropped);
    assert_eq!(code(&rig.core.on_cmd(&rig.sender, &[0xff; 70_000], rig.now)), "MALFORMED");
    assert_eq!(rig.core.mode(), Mode::Active);
}

#[test]
fn sensors_that_fail_three_times_release_the_hand_and_zeros_are_never_made_up() {
    let mut rig = active();
    let empty = SignalFrame::new(SignalLayout { joint_count: 3, action_count: 3, ..SignalLayout::default() });
    let mut broken = sensed(&rig.q, rig.now);
    broken.write(Signal::JointPosition, &[0.0, f32::NAN, 0.0]);
    rig.core.on_sensed(&empty, rig.now);
    rig.core.on_sensed(&broken, rig.now);
    assert_eq!(rig.core.mode(), Mode::Active);
    assert_eq!(rig.state().1.q, rig.q, "the last good values are repeated");
    rig.core.on_sense_failed("motor 7 does not answer", rig.now);
    assert_eq!(rig.tick(), Order::Off);
    let (_, state) = rig.state();
    assert!(state.why.contains("motor 7"), "{}", state.why);
    let granted: Granted = rig.ask_for(&ClearFault {});
    assert_eq!(granted.mode, "fault", "its cause is still there");
    rig.core.on_sensed(&sensed(&rig.q, rig.now), rig.now);
    let granted: Granted = rig.ask_for(&ClearFault {});
    assert_eq!((granted.mode.as_str(), granted.fault), ("off", 0));
}

#[test]
fn a_bus_that_fails_releases_the_hand() {
    let mut rig = active();
    rig.lets_go = false;
    rig.core.on_command_failed("write to motor 3 timed out", rig.now);
    assert_eq!(rig.tick(), Order::Off);
    assert!(rig.core.faults().holds(Fault::BusError));
    let refused: Refusal = rig.ask_for(&ClearFault {});
    assert!(refused.code == "NOT_RELEASED" && refused.detail.contains("servo 3"), "{refused:?}");
    rig.lets_go = true;
    let granted: Granted = rig.ask_for(&ClearFault {});
    assert_eq!(granted.mode, "fault", "it came back while it was asked");
    let granted: Granted = rig.ask_for(&ClearFault {});
    assert_eq!(granted.mode, "off");
}

#[test]
fn nothing_is_published_before_the_hand_was_sensed() {
    let now = Nanos(0);
    let mut core = giraffe_bridge::ServerCore::new(ControllerSpec::of(&small_hand()), now).unwrap();
    assert_eq!(core.state_message(now), None);
}

#[test]
fn timers_that_mean_nothing_are_refused() {
    for change in [
        |spec: &mut ControllerSpec| spec.watchdog.hold_after_secs = f64::NAN,
        |spec: &mut ControllerSpec| spec.watchdog.off_after_secs = -1.0,
        |spec: &mut ControllerSpec| spec.lease_secs = 0.0,
        |spec: &mut ControllerSpec| spec.max_age_secs = f64::INFINITY,
    ] {
        let mut spec = ControllerSpec::of(&small_hand());
        change(&mut spec);
        assert!(giraffe_bridge::ServerCore::new(spec, Nanos(0)).is_err());
    }
}

#[test]
fn lock_step_counts_ticks_and_knows_no_time() {
    let mut rig = lockstep();
    for tick in 1..=5 {
        rig.wait(1000.0);
        let wanted = [0.06 * tick as f32, 0.4, 0.2];
        assert_eq!(rig.command(&wanted), CommandVerdict::Accepted);
        let order = rig.tick();
        assert_eq!(targets(&order), wanted);
        rig.q = wanted.to_vec();
        rig.core.on_sensed(&sensed(&wanted, rig.now), rig.now);
        let (_, state) = rig.state();
        assert_eq!((state.tick, state.cmd_age_us, state.mode.as_str()), (tick, 0, "active"));
    }
}

#[test]
fn lock_step_commands_out_of_turn_are_answered_and_advance_nothing() {
    let mut rig = lockstep();
    let command = rig.fresh(&[0.01, 0.4, 0.2]);
    let verdict = rig.send(&Command { tick: 2, ..command.clone() });
    let CommandVerdict::Dropped(drop) = verdict else { panic!() };
    assert_eq!((drop.code, drop.from_commander), ("TICK", true));
    let bytes = rig.core.refused_message(&drop, rig.now).unwrap();
    let (_, state) = decode::<State>(&bytes).unwrap();
    let refused = state.refused.unwrap();
    assert_eq!((state.tick, refused.seq, refused.code.as_str()), (0, rig.cmd_seq, "TICK"));
    let _: Granted = rig.ask_for(&Hold {});
    assert_eq!(code(&rig.send(&command)), "NOT_ACTIVE");
}

#[test]
fn a_reset_is_ready_and_an_arm_then_takes_effect_at_once() {
    for wants in [&["rehearsal", "lockstep"][..], &["rehearsal"]] {
        let mut rig = Rig::simulated();
        rig.hello(&hello_of(&small_hand(), wants)).unwrap();
        reset(&mut rig);
        assert_eq!(rig.core.mode(), Mode::Ready);
        assert_eq!(targets(&rig.tick()), rig.q);
        assert!(rig.core.world_stands());
        let _: Granted = rig.ask_for(&Arm {});
        assert_eq!(rig.core.mode(), Mode::Active);
        assert_eq!(rig.core.world_stands(), wants.len() == 2);
        rig.idle(0.1);
        assert!(rig.core.is_lockstep() || rig.core.mode() == Mode::Active);
        reset(&mut rig);
        let (_, state) = rig.state();
        assert_eq!((state.episode, state.tick, state.cmd_seq), (2, 0, 0));
    }
}

#[test]
fn real_hands_have_no_episodes() {
    let mut rig = active();
    let refusal: Refusal = rig.ask_for(&Reset { episode: vec![0x80] });
    assert_eq!(refusal.code, "UNSUPPORTED");
}

#[test]
fn a_reset_that_fails_says_why_and_takes_torque_off() {
    let mut rig = lockstep();
    let Request::Reset { re, .. } = rig.ask(&Reset { episode: vec![0x80] }) else { panic!() };
    let reply = rig.core.on_reset_failed(re, "`mass_kg` is -1", rig.now);
    let (_, refusal) = decode::<Refusal>(&reply).unwrap();
    assert_eq!((refusal.re, refusal.code.as_str()), (re, "RESET_FAILED"));
    assert_eq!(rig.core.mode(), Mode::Off);
    let Request::Reset { re, .. } = rig.ask(&Reset { episode: vec![0x80] }) else { panic!() };
    let frame = sensed(&rig.q, Nanos(0));
    assert!(rig.core.on_reset_done(re, &[0.0, f32::NAN, 0.0], &frame, None, rig.now).is_err());
}

#[test]
fn a_ping_is_answered_with_the_clock_and_asks_to_publish() {
    let mut rig = active();
    let Request::Pong(bytes) = rig.ask(&Ping {}) else { panic!() };
    let (_, pong) = decode::<giraffe_bridge::message::Pong>(&bytes).unwrap();
    assert_eq!((pong.re, pong.t0, pong.t1), (rig.ctl_seq, rig.now.0, rig.now.0));
}
