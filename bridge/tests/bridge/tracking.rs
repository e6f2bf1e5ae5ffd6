//! A hand that does not do as told is held.

use crate::hand::{PERIOD_SECS, Rig, hello_of, sensed, small_hand};
use giraffe_bridge::drivers::ScriptedDriver;
use giraffe_bridge::message::{Arm, ClearFault, Granted, Refusal, Reset};
use giraffe_bridge::{ControllerSpec, Fault, HandDriver, Mode, Order, Rehearsal, Request};
use giraffe_robots::{Nanos, Signal, SignalFrame, SignalLayout};

fn active() -> Rig {
    let mut rig = Rig::plain();
    rig.activate();
    rig
}

/// Pushes the second joint toward `goal`, one small step per control period, while it does not move.
fn push(rig: &mut Rig, goal: f32, secs: f64) {
    for _ in 0..(secs / PERIOD_SECS).round() as u32 {
        let mut q = rig.state().1.q_target;
        q[1] += (goal - q[1]).clamp(-0.06, 0.06);
        rig.command(&q);
        rig.idle(PERIOD_SECS);
    }
}

#[test]
fn a_target_held_against_the_band_for_over_a_second_holds_the_hand() {
    let mut rig = active();
    // Eight periods until the band (0.5 rad) is reached, then a second.
    push(&mut rig, 1.9, 1.2);
    assert_eq!(rig.core.mode(), Mode::Active);
    push(&mut rig, 1.9, 0.5);
    assert_eq!(rig.core.mode(), Mode::Hold);
    assert!(rig.core.faults().holds(Fault::Tracking));
    let (_, state) = rig.state();
    assert!(state.why.contains("finger_bend") && state.why.contains("TRACKING"), "{}", state.why);
    let refusal: Refusal = rig.ask_for(&Arm {});
    assert_eq!(refusal.code, "FAULT_LATCHED");
    let _: Granted = rig.ask_for(&ClearFault {});
    assert!(rig.core.faults().is_empty());
}

#[test]
fn pressing_on_something_inside_the_band_is_what_hands_are_for() {
    let mut rig = active();
    push(&mut rig, 0.85, 20.0);
    assert_eq!((rig.core.mode(), rig.core.faults().is_empty()), (Mode::Active, true));
}

#[test]
fn a_push_that_is_given_up_in_time_is_forgotten() {
    let mut rig = active();
    for _ in 0..6 {
        push(&mut rig, 1.9, 1.2);
        push(&mut rig, 0.4, 0.8);
    }
    assert_eq!(rig.core.mode(), Mode::Active);
}

#[test]
fn a_joint_that_is_pulled_away_from_its_target_is_noticed_too() {
    let mut rig = active();
    for turn in 0..40 {
        let q = [0.0, 0.4, 0.2];
        rig.command(&q);
        rig.q[2] = 1.2;
        rig.idle(PERIOD_SECS);
        if rig.core.mode() != Mode::Active {
            assert!(turn > 15 && turn < 30, "{turn}");
            assert!(rig.core.faults().holds(Fault::Tracking));
            return;
        }
    }
    panic!("a rad away for two seconds");
}

#[test]
fn in_lock_step_it_takes_a_second_of_control_periods_whatever_the_clock_says() {
    for gap_secs in [1e-6, 1e-3, 100.0] {
        let mut rig = Rig::simulated();
        rig.hello(&hello_of(&small_hand(), &["rehearsal", "lockstep"])).unwrap();
        let Request::Reset { re, .. } = rig.ask(&Reset { episode: vec![0x80] }) else { panic!() };
        let q = rig.q.clone();
        rig.core.on_reset_done(re, &q, &sensed(&q, Nanos(0)), None, rig.now).unwrap();
        let _: Granted = rig.ask_for(&Arm {});
        let mut periods = 0;
        while rig.core.mode() == Mode::Active {
            rig.wait(gap_secs);
            let mut wanted = rig.state().1.q_target;
            wanted[1] += 0.1;
            rig.command(&wanted);
            rig.tick();
            rig.core.on_sensed(&sensed(&q, rig.now), rig.now);
            periods += 1;
            assert!(periods < 100);
        }
        // Four or five to the band, by a last bit; then a second.
        assert!((24..=26).contains(&periods), "{periods}");
    }
}

#[test]
fn a_joint_far_outside_its_range_holds_the_hand_but_one_odd_reading_does_not() {
    let mut rig = active();
    let odd = sensed(&[0.0, 2.3, 0.2], rig.now);
    let good = sensed(&[0.0, 0.4, 0.2], rig.now);
    for _ in 0..10 {
        rig.core.on_sensed(&odd, rig.now);
        rig.core.on_sensed(&odd, rig.now);
        rig.core.on_sensed(&good, rig.now);
    }
    // Less than the margin, for as long as it likes.
    for _ in 0..50 {
        rig.core.on_sensed(&sensed(&[0.0, 2.19, 0.2], rig.now), rig.now);
    }
    assert_eq!(rig.core.mode(), Mode::Active);
    (0..3).for_each(|_| rig.core.on_sensed(&odd, rig.now));
    assert!(matches!(rig.tick(), Order::Hold(_)));
    assert!(rig.core.faults().holds(Fault::LimitHard));
    assert!(rig.state().1.why.contains("finger_bend"));
    let granted: Granted = rig.ask_for(&ClearFault {});
    assert_ne!(granted.fault, 0, "it still stands there");
    rig.core.on_sensed(&good, rig.now);
    let granted: Granted = rig.ask_for(&ClearFault {});
    assert_eq!(granted.fault, 0);
}

#[test]
fn without_torque_a_finger_may_be_bent_anywhere() {
    let mut rig = Rig::plain();
    rig.q = vec![0.0, 2.6, 0.2];
    rig.idle(1.0);
    assert!(rig.core.faults().is_empty());
}

#[test]
fn a_scripted_hand_that_is_hurried_about_never_trips() {
    let mut rig = Rig::new(ControllerSpec { rehearsal: true, ..ControllerSpec::of(&small_hand()) });
    let mut hand = ScriptedDriver::new(&small_hand());
    rig.activate();
    let mut frame = SignalFrame::new(SignalLayout { joint_count: 3, action_count: 3, ..SignalLayout::default() });
    for turn in 0..6000u32 {
        rig.wait(0.01);
        if turn % 5 == 0 {
            // From one end of every range to the other and back, as fast as the envelope lets it.
            let far = turn / 100 % 2 == 0;
            let q = if far { [0.95, 1.95, 1.45] } else { [-0.95, -0.25, -0.45] };
            rig.command(&q);
        }
        let order = rig.tick();
        hand.command(order.targets().expect("it follows")).unwrap();
        hand.advance(0.01).unwrap();
        frame.begin(rig.now);
        hand.sense(&mut frame).unwrap();
        rig.q = frame.read(Signal::JointPosition).unwrap().to_vec();
        rig.core.on_sensed(&frame, rig.now);
        assert_eq!(rig.core.mode(), Mode::Active, "turn {turn}: {}", rig.core.faults());
    }
}
