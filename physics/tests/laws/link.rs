//! A command that is lost on the link was never heard of by the controller. One that is lost behind it, on the bus, was.

use crate::machines::Machine;
use crate::support;
use giraffe_physics::{Disturbance, EpisodePlan, HandSim, TimedDisturbance, WorldChange};
use giraffe_robots::{Hand, Signal, SignalFrame};
use std::sync::Arc;

/// A plan of the LEAP hand in which a third of the commands are lost on the way.
fn lossy() -> EpisodePlan {
    let mut plan = support::plan(&support::scene());
    plan.parameters.link.dropout = 0.3;
    plan
}

fn read(frame: &SignalFrame, signal: Signal) -> Vec<f32> {
    frame.read(signal).expect("written at every step").to_vec()
}

/// Targets of a policy that moves every joint by this from what it is told is in force.
fn from_there(sensed: &SignalFrame, increment_rad: f32) -> Vec<f32> {
    read(sensed, Signal::JointTarget).iter().map(|target| target + increment_rad).collect()
}

#[test]
fn a_lost_command_leaves_the_reported_target_where_it_was_and_the_next_increment_starts_there() {
    let scene = support::scene();
    let (mut sim, mut sensed) = (HandSim::new(Arc::clone(&scene), lossy()), support::frame(&scene));
    sim.observe(&mut sensed).expect("simulated");
    let (mut arrived, mut seq) = (0, 0);
    for step in 0..200 {
        let before = read(&sensed, Signal::JointTarget);
        let asked = from_there(&sensed, 0.001);
        let done = sim.exchange(&asked, &mut sensed).expect("a finite world");
        let reported = read(&sensed, Signal::JointTarget);
        assert_eq!((&done.applied_rad, &read(sim.truth(), Signal::JointTarget)), (&reported, &reported));
        assert!(reported == asked || reported == before, "step {step}: neither what was asked for nor what was there");
        if reported == asked {
            (arrived, seq) = (arrived + 1, step + 1);
        }
        assert_eq!(done.applied_seq, seq, "the number of the last command that came");
    }
    assert!((120..160).contains(&arrived), "{arrived} of 200 came");
    let gone = read(&sensed, Signal::JointTarget)[0] - scene.robot().home_rad[0];
    assert!(
        (gone - 0.001 * arrived as f32).abs() < 1e-5,
        "{gone} rad after {arrived} increments: none counts that was lost"
    );
}

#[test]
fn a_command_that_is_lost_behind_the_controller_is_reported_all_the_same() {
    let scene = support::scene();
    let mut plan = lossy();
    (plan.parameters.actuation.dropout, plan.parameters.link.dropout) = (0.3, 0.0);
    let (mut sim, mut sensed) = (HandSim::new(Arc::clone(&scene), plan), support::frame(&scene));
    sim.observe(&mut sensed).expect("simulated");
    for step in 0..50 {
        let asked = from_there(&sensed, 0.001);
        let done = sim.exchange(&asked, &mut sensed).expect("a finite world");
        assert_eq!((&read(&sensed, Signal::JointTarget), done.applied_seq), (&asked, step + 1));
    }
}

/// Gravity is off and servos are quick: a joint is where its target was a step ago.
#[test]
fn the_hand_goes_on_towards_what_it_was_told_before() {
    let scene = support::scene();
    let mut plan = lossy();
    plan.parameters.gravity_m_per_sec2 = [0.0; 3];
    plan.start.palm_from_object.translation.vector.x += 5.0;
    let mut machine = Machine::new(Arc::clone(&scene), plan);
    let home = scene.robot().home_rad.clone();
    let (mut lost, mut last) = (0, home.clone());
    for step in 0..60 {
        let asked: Vec<f32> = home.iter().map(|home| home + if step % 2 == 0 { 0.2 } else { -0.2 }).collect();
        let before = machine.angle();
        machine.step(&asked);
        let reported = machine.truth(Signal::JointTarget);
        let towards = reported[0];
        assert!((machine.angle() - towards).abs() <= (before - towards).abs() + 1e-3, "step {step}: it goes elsewhere");
        lost += usize::from(reported == last && reported != asked);
        last = reported;
    }
    assert!((8..30).contains(&lost), "{lost} of 60");
}

/// What the computer next to the motors does that stands between link and hand.
#[test]
fn a_controller_of_somebody_else_that_never_hears_of_lost_commands_moves_the_hand_in_the_same_bits() {
    let scene = support::scene();
    let mut plan = lossy();
    (plan.parameters.link.burst_rate_hz, plan.parameters.link.burst_secs) = (1.0, 0.2);
    plan.parameters.sensing.position_noise_rad = 0.01;
    let mut other = plan.parameters.clone();
    other.link.dropout = 0.6;
    let change = Box::new(WorldChange { parameters: other, over_secs: 0.0, sampled: Vec::new() });
    plan.disturbances = vec![TimedDisturbance { step: 40, disturbance: Disturbance::Change(change) }];
    let bits = |sim: &HandSim, sensed: &SignalFrame| -> Vec<u32> {
        let frames = [sim.truth(), sensed].into_iter();
        let values =
            frames.flat_map(|frame| Signal::ALL.into_iter().flat_map(|signal| frame.read(signal).unwrap_or(&[])));
        values.map(|value| value.to_bits()).collect()
    };
    let [mut own, mut theirs] = [(); 2].map(|()| HandSim::new(Arc::clone(&scene), plan.clone()));
    let [mut sensed, mut sensed_there] = [(); 2].map(|()| support::frame(&scene));
    own.observe(&mut sensed).expect("simulated");
    theirs.observe(&mut sensed_there).expect("simulated");
    let mut in_force = read(&sensed_there, Signal::JointTarget);
    let mut lost = [0; 2];
    for step in 0..80 {
        let asked = from_there(&sensed, 0.002);
        own.exchange(&asked, &mut sensed).expect("a finite world");
        let asked = from_there(&sensed_there, 0.002);
        if theirs.loses_next_command() {
            assert!(theirs.loses_next_command(), "who asks again hears the same");
            lost[step / 40] += 1;
        } else {
            in_force = asked;
        }
        theirs.follow(&in_force, &mut sensed_there).expect("a finite world");
        assert!(bits(&own, &sensed) == bits(&theirs, &sensed_there), "step {step}");
    }
    assert!(lost[0] > 5 && lost[1] > lost[0], "the link becomes worse: {lost:?}");
}

/// A hand that nobody commands lives on; and what its link would have lost does not depend on who asked.
#[test]
fn who_never_asks_leaves_the_numbers_of_the_link_where_they_would_be() {
    let scene = support::scene();
    let losses = |asked_until: u32| {
        let (mut sim, mut sensed) = (HandSim::new(Arc::clone(&scene), lossy()), support::frame(&scene));
        let home = scene.robot().home_rad.clone();
        let step = |step: u32| {
            let lost = (step >= asked_until).then(|| sim.loses_next_command());
            sim.follow(&home, &mut sensed).expect("a finite world");
            lost
        };
        (0..40).map(step).collect::<Vec<_>>().split_off(20)
    };
    assert_eq!(losses(0), losses(20));
}
