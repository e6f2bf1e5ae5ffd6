//! A rubber band pulls with its law, on what it is tied to, for as long as it is there.

use crate::machines::{Clock, HINGE_INERTIA_KG_M2, LINK_LENGTH_M, Machine, PAIR_APART_M, limp, pair};
use crate::support;
use giraffe_physics::{Disturbance, EpisodePlan, FingerTie, HandSim, PhysicsSettings, SceneModel, TimedDisturbance};
use giraffe_robots::{OBJECTS, Signal, load_robot};
use nalgebra::Isometry3;
use std::sync::Arc;

const STIFFNESS: f32 = 30.0;
const REST_M: f32 = 0.03;

fn band(stiffness_newton_per_m: f32, rest_length_m: f32, duration_secs: f32) -> FingerTie {
    FingerTie { fingers: [0, 1], rest_length_m, stiffness_newton_per_m, duration_secs }
}

fn tied(tie: FingerTie) -> Vec<TimedDisturbance> {
    vec![TimedDisturbance { step: 0, disturbance: Disturbance::FingerTie(tie) }]
}

fn angles(machine: &Machine) -> [f32; 2] {
    let [a, b] = machine.truth(Signal::JointPosition)[..] else { panic!("two joints") };
    [a, b]
}

/// Length of the band between the tips of two links at these angles, m.
fn length_m([a, b]: [f32; 2]) -> f32 {
    let across = PAIR_APART_M + LINK_LENGTH_M * (b.sin() - a.sin());
    across.hypot(LINK_LENGTH_M * (b.cos() - a.cos()))
}

/// At rest the servo's spring, k_s a, balances the band's moment, k (l - l0) r cos a, on either side alike.
#[test]
fn a_rubber_band_pulls_two_fingers_together_until_their_servos_balance_it_and_then_lets_go() {
    for clock in [Clock::FINE, Clock::training()] {
        let mut machine = pair(clock, |plan| {
            plan.parameters.joints.iter_mut().for_each(|joint| joint.damping_newton_m_secs_per_rad = 0.2);
            plan.disturbances = tied(band(STIFFNESS, REST_M, 2.0));
        });
        let servo = machine.scene.robot().joints[0].stiffness_newton_m_per_rad;
        machine.hold(0.0, 2.0);
        let [a, b] = angles(&machine);
        assert!(a > 0.05 && (a + b).abs() < 1e-5, "mirrored: {a} {b} rad");
        let newton = STIFFNESS * (length_m([a, b]) - REST_M);
        let error = newton * LINK_LENGTH_M * a.cos() / (servo * a) - 1.0;
        println!("LAW band balance dt {}: {error:.2e}", clock.part_secs());
        assert!(error.abs() < 2e-3, "{newton} N at {a} rad");
        machine.hold(0.0, 2.0);
        assert!(angles(&machine)[0].abs() < 1e-3, "let go: {:?}", angles(&machine));
    }
}

/// Kinetic energy I (wa^2 + wb^2) / 2 and that of the band, k (l - l0)^2 / 2, add up to what the band had.
#[test]
fn two_free_fingers_on_a_band_neither_gain_nor_lose_energy() {
    let mut machine = pair(Clock::FINE, |plan| {
        limp(plan);
        plan.start.joint_positions_rad = vec![-0.1, 0.3];
        plan.disturbances = tied(band(STIFFNESS, REST_M, 60.0));
    });
    let energy = |machine: &Machine| {
        let speeds = machine.truth(Signal::JointVelocity);
        let kinetic: f32 = speeds.iter().map(|speed| 0.5 * HINGE_INERTIA_KG_M2 * speed * speed).sum();
        let stretch = (length_m(angles(machine)) - REST_M).max(0.0);
        kinetic + 0.5 * STIFFNESS * stretch * stretch
    };
    let start = energy(&machine);
    let (mut least, mut most) = (start, start);
    for _ in 0..400 {
        machine.step(&[0.0; 2]);
        least = least.min(energy(&machine));
        most = most.max(energy(&machine));
    }
    println!("LAW band energy: {:.2e} to {:.2e}", least / start - 1.0, most / start - 1.0);
    assert!(least / start > 0.97 && most / start < 1.03, "{start} J became {least} to {most} J");
}

/// What is equal and opposite gives both fingers the same moment: of two that are alike the angles add up to what they did.
#[test]
fn a_band_pulls_both_ends_alike() {
    let mut machine = pair(Clock::training(), |plan| {
        limp(plan);
        plan.disturbances = tied(band(STIFFNESS, REST_M, 60.0));
    });
    let mut closest = f32::INFINITY;
    for _ in 0..100 {
        machine.step(&[0.0; 2]);
        let [a, b] = angles(&machine);
        assert!((a + b).abs() < 1e-4, "{a} and {b} rad");
        closest = closest.min(length_m([a, b]));
    }
    assert!(closest < REST_M, "they came together: {closest} m");
}

#[test]
fn a_band_that_is_not_stretched_does_nothing_to_the_bit() {
    let run = |disturbances: Vec<TimedDisturbance>| {
        let mut machine = pair(Clock::training(), |plan| plan.disturbances = disturbances.clone());
        (0..20)
            .map(|step| {
                machine.step(&[0.01 * step as f32, 0.0]);
                angles(&machine)
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(run(Vec::new()), run(tied(band(1e3, 0.2, 60.0))));
}

#[test]
fn a_band_stiffer_than_a_step_can_bear_still_comes_to_rest() {
    let mut machine = pair(Clock::training(), |plan| {
        plan.parameters.joints.iter_mut().for_each(|joint| joint.damping_newton_m_secs_per_rad = 0.05);
        plan.disturbances = tied(band(1e4, REST_M, 60.0));
    });
    machine.hold(0.0, 5.0);
    let before = angles(&machine);
    machine.hold(0.0, 0.5);
    let after = angles(&machine);
    assert!((before[0] - after[0]).abs() < 1e-3, "{before:?} {after:?}");
    assert!(length_m(after) < 0.08, "{} m", length_m(after));
}

fn bare_hand(name: &str, change: impl Fn(&mut EpisodePlan)) -> Machine {
    let robot = Arc::new(load_robot(name).expect("a built-in hand"));
    let scene = Arc::new(SceneModel::new(robot, OBJECTS[0].clone(), PhysicsSettings::default()));
    let mut plan = support::plan(&scene);
    plan.start.palm_from_object = Isometry3::translation(5.0, 0.0, 0.0);
    change(&mut plan);
    Machine { sim: HandSim::new(Arc::clone(&scene), plan), sensed: support::frame(&scene), scene }
}

#[test]
fn two_tied_fingers_of_every_built_in_hand_come_together_and_part_again() {
    for name in ["leap-right", "leap-left", "allegro-right", "shadow-right"] {
        let mut machine = bare_hand(name, |plan| plan.disturbances = tied(band(300.0, 0.01, 2.0)));
        let home = machine.scene.robot().home_rad.clone();
        let apart = |machine: &Machine| {
            let tips = machine.scene.robot().fingertip_positions(&machine.truth(Signal::JointPosition));
            (tips[0] - tips[1]).norm()
        };
        let start_m = apart(&machine);
        (0..40).for_each(|_| machine.step(&home));
        let tied_m = apart(&machine);
        (0..40).for_each(|_| machine.step(&home));
        let free_m = apart(&machine);
        println!("LAW tie {name}: {start_m} m, {tied_m} m, {free_m} m");
        assert!(tied_m < start_m - 0.003, "{name}: from {start_m} to {tied_m} m");
        assert!(free_m > tied_m + 0.002, "{name}: from {tied_m} to {free_m} m");
    }
}
