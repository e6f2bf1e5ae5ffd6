//! The policy's end over a real link: going home, and books that balance.

use crate::controller::{Controller, LAYOUT, Way, await_that};
use crate::hand::small_hand;
use giraffe_bridge::BridgeClient;
use giraffe_robots::{Hand, HandError, Signal, SignalFrame};

fn client_targets(client: &mut BridgeClient, frame: &mut SignalFrame) -> Vec<f32> {
    client.observe(frame).unwrap();
    frame.read(Signal::JointTarget).unwrap().to_vec()
}

#[test]
fn a_controller_with_an_envelope_is_left_to_it() {
    let controller = Controller::start(&small_hand(), false);
    let client = controller.client(&small_hand(), Way::Plain).unwrap();
    assert!(client.local_envelope().is_none() && client.terms().notes.is_empty());
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
