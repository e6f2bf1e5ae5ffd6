//! A link that hangs from its hinge swings with T = 2 pi sqrt(I / (m g L)) (1 + theta^2 / 16 + 11 theta^4 / 3072)
//! (Landau and Lifshitz, Mechanics, section 11, problem 1), whatever its mass.

use crate::machines::{Clock, GRAVITY, HINGE_INERTIA_KG_M2, LINK_CENTER_M, LINK_MASS_KG, Machine, hinge, limp};
use giraffe_physics::EpisodePlan;
use std::f32::consts::TAU;

/// A free link with gravity along its stretched direction, let go at `angle_rad`.
fn pendulum(clock: Clock, angle_rad: f32, change: impl Fn(&mut EpisodePlan)) -> Machine {
    hinge(clock, |plan| {
        limp(plan);
        plan.parameters.gravity_m_per_sec2 = [GRAVITY, 0.0, 0.0];
        plan.start.joint_positions_rad = vec![angle_rad];
        change(plan);
    })
}

/// Mean period over ten swings, s, from the moments at which the angle rises through zero.
fn measured_period_secs(mut machine: Machine) -> f32 {
    let mut crossings = Vec::new();
    let mut before = machine.angle();
    while crossings.len() < 11 {
        let then = machine.secs();
        machine.step(&[0.0]);
        let now = machine.angle();
        if before < 0.0 && now >= 0.0 {
            crossings.push(then + (machine.secs() - then) * before / (before - now));
        }
        before = now;
        assert!(machine.secs() < 60.0, "it does not swing");
    }
    (crossings[10] - crossings[0]) / 10.0
}

fn formula_secs(inertia_kg_m2: f32, angle_rad: f32) -> f32 {
    let small = TAU * (inertia_kg_m2 / (LINK_MASS_KG * GRAVITY * LINK_CENTER_M)).sqrt();
    small * (1.0 + angle_rad.powi(2) / 16.0 + 11.0 / 3072.0 * angle_rad.powi(4))
}

#[test]
fn a_hanging_link_swings_with_the_period_of_a_pendulum() {
    for angle_rad in [0.05_f32, 0.5, 1.0] {
        for (clock, tolerance) in [(Clock::FINE, 1e-3), (Clock::training(), 2e-3)] {
            let measured = measured_period_secs(pendulum(clock, angle_rad, |_| ()));
            let error = measured / formula_secs(HINGE_INERTIA_KG_M2, angle_rad) - 1.0;
            println!("LAW pendulum {angle_rad} rad dt {}: {error:.2e}", clock.part_secs());
            assert!(
                error.abs() < tolerance,
                "{error} of the period at {angle_rad} rad, steps of {} s",
                clock.part_secs()
            );
        }
    }
}

#[test]
fn a_rotor_slows_the_pendulum_by_its_inertia() {
    let armature = 2e-3;
    let measured =
        measured_period_secs(pendulum(Clock::FINE, 0.1, |plan| plan.parameters.joints[0].armature_kg_m2 = armature));
    let expected = formula_secs(HINGE_INERTIA_KG_M2 + armature, 0.1);
    println!("LAW pendulum armature: {:.2e}", measured / expected - 1.0);
    assert!((measured / expected - 1.0).abs() < 1e-3, "{measured} s, not {expected} s");
}

#[test]
fn the_period_does_not_depend_on_the_mass() {
    let of =
        |scale| measured_period_secs(pendulum(Clock::FINE, 0.3, |plan| plan.parameters.hand.link_mass_scale = scale));
    let (light, heavy) = (of(0.2), of(5.0));
    assert!((light / heavy - 1.0).abs() < 1e-4, "{light} s and {heavy} s");
}

#[test]
fn a_mirrored_start_gives_the_mirrored_motion() {
    let mut left = pendulum(Clock::training(), 0.7, |_| ());
    let mut right = pendulum(Clock::training(), -0.7, |_| ());
    for _ in 0..100 {
        left.step(&[0.0]);
        right.step(&[0.0]);
        assert!((left.angle() + right.angle()).abs() < 1e-5, "{} and {}", left.angle(), right.angle());
    }
}
