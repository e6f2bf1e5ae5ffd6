//! Forces that nobody explains and a network that meddles act on the world, and nobody is told.

use crate::machines::{Clock, Machine, hinge};
use crate::support;
use giraffe_physics::HandSim;
use giraffe_robots::Signal;
use nalgebra::{Isometry3, Vector3};
use std::sync::Arc;

const PERIOD_SECS: f32 = 0.05;

/// A free object under random forces, per control step: its velocity and its spin.
fn jostled(mass_kg: f32, rate_hz: f32, half_life_secs: f32) -> Vec<(Vector3<f32>, Vector3<f32>)> {
    let mut machine = hinge(Clock::training(), |plan| {
        plan.parameters.object.mass_kg = mass_kg;
        plan.parameters.forces.acceleration_m_per_sec2 = 2.0;
        plan.parameters.forces.angular_acceleration_rad_per_sec2 = 20.0;
        (plan.parameters.forces.rate_hz, plan.parameters.forces.half_life_secs) = (rate_hz, half_life_secs);
    });
    let step = |_| {
        machine.step(&[0.0]);
        (machine.object_velocity(), machine.object_spin())
    };
    (0..100).map(step).collect()
}

#[test]
fn a_random_force_moves_and_turns_light_and_heavy_objects_alike() {
    let (light, heavy) = (jostled(0.05, 2.0, 1.0), jostled(0.5, 2.0, 1.0));
    for ((v1, w1), (v2, w2)) in light.iter().zip(&heavy) {
        assert!((v1 - v2).norm() < 1e-3 * (1.0 + v1.norm()), "{v1:?} {v2:?}");
        assert!((w1 - w2).norm() < 1e-2 * (1.0 + w1.norm()), "{w1:?} {w2:?}");
    }
    let fastest = light.iter().map(|(v, _)| v.norm()).fold(0.0, f32::max);
    let spins = light.iter().map(|(_, w)| w.norm()).fold(0.0, f32::max);
    assert!(fastest > 0.5 && spins > 5.0, "{fastest} m/s, {spins} rad/s");
}

/// Between two strikes a force shrinks by 2^(-t / half-life), and so does what it adds to the velocity in a step.
#[test]
fn a_random_force_fades_by_its_half_life() {
    let half_life_secs = 0.4;
    let seen = jostled(0.1, 0.3, half_life_secs);
    let gains: Vec<f32> = seen.windows(2).map(|pair| (pair[1].0 - pair[0].0).norm()).collect();
    let strike = gains.iter().position(|gain| *gain > 0.02).expect("one strikes within 5 s");
    let expected = 0.5_f32.powf(PERIOD_SECS / half_life_secs);
    for pair in gains[strike..strike + 6].windows(2) {
        assert!((pair[1] / pair[0] - expected).abs() < 0.01, "{gains:?} instead of x{expected} per step");
    }
}

fn hand(change: impl Fn(&mut giraffe_physics::EpisodePlan)) -> Machine {
    let scene = support::scene();
    let mut plan = support::plan(&scene);
    plan.start.palm_from_object = Isometry3::translation(5.0, 0.0, 0.0);
    plan.parameters.gravity_m_per_sec2 = [0.0; 3];
    change(&mut plan);
    Machine { sim: HandSim::new(Arc::clone(&scene), plan), sensed: support::frame(&scene), scene }
}

/// Where the joints of a hand come to rest, whose adversary has this share.
fn rest(share: f32, joint: Option<usize>) -> Vec<f32> {
    let mut machine = hand(|plan| {
        for (index, own) in plan.parameters.joints.iter_mut().enumerate() {
            own.adversary_share = if joint.is_none_or(|joint| joint == index) { share } else { 0.0 };
            own.friction_loss_newton_m = 0.0;
        }
    });
    let home = machine.scene.robot().home_rad.clone();
    for _ in 0..60 {
        machine.step(&home);
        let told =
            [machine.truth(Signal::JointTarget), machine.sensed.read(Signal::JointTarget).expect("sensed").to_vec()];
        assert_eq!(told, [home.clone(), home.clone()], "nobody is told");
    }
    machine.truth(Signal::JointPosition)
}

#[test]
fn an_adversary_moves_the_joints_that_it_has_a_share_of_and_no_others() {
    let (calm, whole, one) = (rest(0.0, None), rest(0.2, None), rest(0.2, Some(5)));
    let moved = |to: &[f32]| to.iter().zip(&calm).map(|(a, b)| (a - b).abs()).collect::<Vec<_>>();
    assert!(moved(&whole).iter().filter(|moved| **moved > 0.02).count() > 8, "{:?}", moved(&whole));
    for (joint, moved) in moved(&one).into_iter().enumerate() {
        assert!(if joint == 5 { moved > 0.01 } else { moved < 0.01 }, "joint {joint} moved by {moved} rad");
    }
}

#[test]
fn an_adversary_never_asks_for_what_is_beyond_a_limit() {
    let mut machine = hand(|plan| {
        plan.parameters.joints.iter_mut().for_each(|joint| joint.adversary_share = 1.0);
    });
    let targets: Vec<f32> = machine.scene.robot().joints.iter().map(|joint| joint.position_limits_rad.upper).collect();
    for _ in 0..60 {
        machine.step(&targets);
        for (angle, joint) in machine.truth(Signal::JointPosition).iter().zip(&machine.scene.robot().joints) {
            let limits = joint.position_limits_rad;
            assert!((limits.lower - 0.1..limits.upper + 0.1).contains(angle), "{} at {angle} rad", joint.name);
        }
    }
}

#[test]
fn the_push_of_an_adversary_is_within_what_it_may() {
    let most = 1.5;
    let mut machine = hand(|plan| plan.parameters.adversary.push_m_per_sec2 = most);
    let home = machine.scene.robot().home_rad.clone();
    let mut before = machine.object_velocity();
    let mut largest = 0.0_f32;
    for _ in 0..60 {
        machine.step(&home);
        let gained = (machine.object_velocity() - before) / PERIOD_SECS;
        before = machine.object_velocity();
        assert!(gained.amax() < most + 1e-3, "{gained:?} m/s2");
        largest = largest.max(gained.amax());
    }
    assert!(largest > 0.1, "{largest} m/s2");
}
