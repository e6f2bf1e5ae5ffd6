//! An object at rest: it stays, and it weighs what it weighs.

use crate::machines::{
    Clock, GRAVITY, HINGE_INERTIA_KG_M2, LINK_CENTER_M, LINK_MASS_KG, PRESS_ARM_M, Plate, press, sphere,
};
use crate::support;
use giraffe_physics::HandSim;
use giraffe_robots::{Region, Signal};
use nalgebra::Isometry3;
use std::sync::Arc;

#[test]
fn a_cube_in_the_palm_comes_to_rest_and_stays() {
    let scene = support::scene();
    let mut sim = HandSim::new(Arc::clone(&scene), support::plan(&scene));
    let mut sensed = support::frame(&scene);
    let home = scene.robot().home_rad.clone();
    support::hold(&mut sim, &mut sensed, &home, 60);
    let settled = sim.object_pose();
    support::hold(&mut sim, &mut sensed, &home, 200);
    let later = sim.object_pose();
    let crept = (later.position_m - settled.position_m).norm();
    println!("LAW creep in the palm: {crept:.2e} m in 10 s");
    assert!(crept < 2e-3, "crept {crept} m in 10 s");
    assert!(later.palm_from_object.angle_to(&settled.palm_from_object) < 0.05);
    let velocity = sim.truth().read(Signal::ObjectLinearVelocity).expect("written");
    assert!(velocity.iter().all(|v| v.abs() < 1e-2), "{velocity:?}");
}

/// N = m g (Newton's third law).
#[test]
fn a_resting_object_presses_with_its_weight() {
    let (round, link) = (Plate { object: sphere(), ..Plate::default() }, Plate { on_hinge: true, ..Plate::default() });
    for (name, plate) in [("cube", &Plate::default()), ("sphere", &round), ("cube on a link", &link)] {
        for clock in [Clock::FINE, Clock::training()] {
            for (mass_kg, size_scale) in [(0.02, 1.0), (0.108, 0.5), (0.108, 1.0), (0.108, 2.0), (1.0, 1.0)] {
                let mut machine = plate.build(clock, |plan| {
                    plan.parameters.object.mass_kg = mass_kg;
                    plan.parameters.object.size_scale = size_scale;
                    plan.start.palm_from_object.translation.z *= size_scale;
                });
                machine.hold(0.0, 2.0);
                let error = machine.sim.object_contact_force_newton() / (mass_kg * GRAVITY) - 1.0;
                println!("LAW weight {name} {mass_kg} kg x{size_scale} dt {}: {error:.2e}", clock.part_secs());
                assert!(error.abs() < 0.01, "{error} of the weight of {mass_kg} kg, {name} x{size_scale}");
            }
        }
    }
}

/// Lever: the servo's torque is the sum of weight times arm, so a spring sags by that over its stiffness.
#[test]
fn an_object_on_a_link_loads_the_servo_with_its_weight_times_its_arm() {
    let (arm_m, stiffness) = (0.2, 100.0);
    let plate = Plate { on_hinge: true, region: Region::Link, ..Plate::default() };
    for clock in [Clock::FINE, Clock::training()] {
        let sag = |mass_kg: f32| {
            let mut machine = plate.build(clock, |plan| {
                plan.parameters.joints[0].armature_kg_m2 = HINGE_INERTIA_KG_M2;
                plan.parameters.joints[0].stiffness_newton_m_per_rad = stiffness;
                plan.parameters.joints[0].damping_newton_m_secs_per_rad = 1.0;
                plan.parameters.contact.link_friction = 2.0;
                plan.parameters.object.mass_kg = mass_kg;
                plan.start.palm_from_object = Isometry3::translation(arm_m, 0.0, 0.035);
            });
            machine.hold(0.0, 3.0);
            machine.angle()
        };
        for mass_kg in [0.05, 0.3] {
            let expected = GRAVITY * (LINK_MASS_KG * LINK_CENTER_M + mass_kg * arm_m) / stiffness;
            let error = sag(mass_kg) / expected - 1.0;
            println!("LAW lever {mass_kg} kg dt {}: {error:.2e}", clock.part_secs());
            assert!(
                error.abs() < 0.01,
                "{error} of {expected} rad under {mass_kg} kg, steps of {} s",
                clock.part_secs()
            );
        }
    }
}

/// Lever again: force = torque / arm, on both sides of what is squeezed.
#[test]
fn a_link_squeezes_an_object_with_the_torque_of_its_servo_over_the_arm() {
    for clock in [Clock::FINE, Clock::training()] {
        for torque in [0.02, 0.2, 1.0] {
            let mut machine = press(clock, |plan| {
                plan.parameters.joints[0].effort_limit_newton_m = torque;
                plan.parameters.joints[0].damping_newton_m_secs_per_rad = 0.1;
            });
            machine.hold(20.0, 2.0);
            let contacts = machine.sim.object_contacts();
            for (side, touch) in [("link", contacts.link), ("base", contacts.palm)] {
                let error = touch.normal_force_newton / (torque / PRESS_ARM_M) - 1.0;
                println!(
                    "LAW squeeze {torque} N m {side} dt {}: {error:.2e}, {:.2e} m deep",
                    clock.part_secs(),
                    touch.deepest_penetration_m
                );
                assert!(
                    error.abs() < 0.01,
                    "{error} of {torque} N m over the arm, at the {side}, dt {}",
                    clock.part_secs()
                );
            }
        }
    }
}
