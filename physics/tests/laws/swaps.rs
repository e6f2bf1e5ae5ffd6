//! What is swapped for another object is that object from then on, where the first one was.

use crate::machines::{Clock, GRAVITY, Machine, Plate, half_height_m, hinge};
use giraffe_physics::{Disturbance, EpisodePlan, ObjectSwap, TimedDisturbance};
use giraffe_robots::{Signal, find_object};
use nalgebra::Vector3;

/// A swap for an object of this name, or the same shape.
fn swap(plan: &EpisodePlan, name: Option<&str>, size_scale: f32, mass_kg: f32) -> ObjectSwap {
    let mut parameters = plan.parameters.object;
    (parameters.mass_kg, parameters.size_scale, parameters.center_of_mass_m) = (mass_kg, size_scale, [0.0; 3]);
    ObjectSwap { object: name.map(str::to_owned), parameters, friction_scale: 1.0, sampled: Vec::new() }
}

fn at(step: u32, swap: ObjectSwap) -> Vec<TimedDisturbance> {
    vec![TimedDisturbance { step, disturbance: Disturbance::ObjectSwap(swap) }]
}

const SWAPS: [(Option<&str>, f32, f32); 6] = [
    (None, 1.0, 0.3),
    (None, 1.4, 0.05),
    (None, 0.6, 0.108),
    (Some("sphere"), 1.2, 0.2),
    (Some("cylinder"), 1.0, 0.097),
    (Some("octagonal-prism"), 1.5, 0.1),
];

/// A plate carries m g (Newton's second law at rest).
#[test]
fn a_swapped_object_weighs_what_the_plan_says() {
    for (name, size, mass_kg) in SWAPS {
        let mut machine = Plate::default().build(Clock::training(), |plan| {
            plan.disturbances = at(10, swap(plan, name, size, mass_kg));
        });
        machine.hold(0.0, 0.5);
        let before = machine.sim.object_contact_force_newton() / (0.108 * GRAVITY) - 1.0;
        machine.hold(0.0, 2.0);
        let after = machine.sim.object_contact_force_newton() / (mass_kg * GRAVITY) - 1.0;
        println!("LAW swap {name:?} x{size}: {before:.2e} before, {after:.2e} after");
        assert!(before.abs() < 5e-3 && after.abs() < 5e-3, "{name:?} of {mass_kg} kg: {before} {after}");
    }
}

#[test]
fn a_swapped_object_has_its_own_size_and_is_put_down_softly() {
    for (name, size, mass_kg) in SWAPS {
        let mut machine = Plate::default().build(Clock::training(), |plan| {
            plan.disturbances = at(10, swap(plan, name, size, mass_kg));
        });
        machine.hold(0.0, 0.5);
        let place = machine.object_m();
        let own = name.map_or(machine.scene.object().shape, |name| find_object(name).expect("in the catalogue").shape);
        let height = size * half_height_m(&own);
        let most = (2.0 * GRAVITY * (place.z - height).max(0.0)).sqrt() + 0.05;
        for _ in 0..40 {
            machine.step(&[0.0]);
            let speed = machine.object_velocity().norm();
            assert!(speed < most, "{name:?}: {speed} m/s, and falling gives {most} m/s");
        }
        let moved = machine.object_m() - place;
        assert!(moved.xy().norm() < 2e-3, "{name:?} went aside by {moved:?}");
        assert!((machine.object_m().z - height).abs() < 1e-3, "{name:?} lies at {:?}", machine.object_m());
    }
}

/// F = m a: after a swap an impulse gives what it gives to the new mass.
#[test]
fn a_swapped_object_flies_on_as_before_and_has_its_own_inertia() {
    let mut machine = hinge(Clock::training(), |plan| {
        plan.disturbances = vec![TimedDisturbance {
            step: 0,
            disturbance: Disturbance::ObjectImpulse { newton_secs: [0.0108, 0.0, 0.02] },
        }];
        plan.disturbances.extend(at(3, swap(plan, Some("sphere"), 2.0, 0.5)));
        let push = Disturbance::ObjectImpulse { newton_secs: [0.0, 0.1, 0.0] };
        plan.disturbances.push(TimedDisturbance { step: 6, disturbance: push });
    });
    (0..3).for_each(|_| machine.step(&[0.0]));
    let (velocity, place) = (machine.object_velocity(), machine.object_m());
    machine.step(&[0.0]);
    assert!((machine.object_velocity() - velocity).norm() < 1e-6, "{velocity:?} {:?}", machine.object_velocity());
    let expected = place + velocity * 0.05;
    assert!((machine.object_m() - expected).norm() < 1e-5, "{:?}", machine.object_m());
    (0..3).for_each(|_| machine.step(&[0.0]));
    let gained = machine.object_velocity() - velocity;
    assert!((gained - Vector3::new(0.0, 0.2, 0.0)).norm() < 1e-5, "0.1 N s on 0.5 kg gave {gained:?}");
}

/// Speed gained in 0.3 s on a slope, 0.3 s after an object came to have this friction: by a swap, or by birth.
fn slid(friction: f32, swapped_scale: Option<f32>) -> f32 {
    let tilt = Disturbance::GravityTilt { radians: 0.4, axis: [0.0, 1.0, 0.0], duration_secs: 10.0 };
    let mut machine = Plate::default().build(Clock::FINE, |plan| {
        plan.parameters.contact.palm_friction = friction;
        let start = TimedDisturbance { step: 0, disturbance: tilt.clone() };
        plan.disturbances = vec![start];
        if let Some(friction_scale) = swapped_scale {
            plan.disturbances.extend(at(40, ObjectSwap { friction_scale, ..swap(plan, None, 1.0, 0.2) }));
        }
    });
    if swapped_scale.is_some() {
        machine.hold(0.0, 0.2);
        assert!(machine.object_velocity().norm() < 1e-3, "it sticks: {:?}", machine.object_velocity());
    }
    machine.hold(0.0, 0.3);
    let before = machine.object_velocity().x;
    machine.hold(0.0, 0.3);
    machine.object_velocity().x - before
}

#[test]
fn a_swapped_object_slides_like_one_that_always_had_its_friction() {
    for scale in [0.3, 0.6] {
        let (swapped, born) = (slid(0.5, Some(scale)), slid(0.5 * scale, None));
        println!("LAW swap friction x{scale}: {swapped} m/s, {born} m/s");
        assert!((swapped / born - 1.0).abs() < 0.01 && born > 0.1, "gained {swapped} m/s instead of {born}");
    }
}

#[test]
fn a_swap_for_the_same_object_changes_next_to_nothing() {
    let run = |swapped: bool| {
        let mut machine = Plate::default().build(Clock::training(), |plan| {
            if swapped {
                plan.disturbances = at(10, swap(plan, None, 1.0, 0.108));
            }
        });
        machine.hold(0.0, 1.5);
        machine.object_m()
    };
    assert!((run(true) - run(false)).norm() < 1e-4, "{:?} {:?}", run(true), run(false));
}

#[test]
fn the_critic_reads_the_new_object_from_the_swap_on() {
    let mut machine = hinge(Clock::training(), |plan| {
        plan.sampled = vec![1.0, 2.0, 3.0];
        plan.disturbances = at(2, ObjectSwap { sampled: vec![(1, 0.7)], ..swap(plan, None, 1.0, 0.2) });
    });
    let columns = |machine: &Machine| machine.truth(Signal::WorldParameters);
    (0..2).for_each(|_| machine.step(&[0.0]));
    assert_eq!(columns(&machine), [1.0, 2.0, 3.0]);
    machine.step(&[0.0]);
    assert_eq!(columns(&machine), [1.0, 0.7, 3.0]);
    assert_eq!(machine.sim.plan().sampled, [1.0, 2.0, 3.0], "the plan stays what it was");
}
