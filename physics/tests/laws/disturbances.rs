//! What happens to a world at a time, happens at that time, for as long as it says, and to the amount it says.

use crate::machines::{Clock, GRAVITY, Machine, Plate, hinge};
use crate::support;
use giraffe_physics::{Disturbance, EpisodePlan, HandSim, TimedDisturbance};
use giraffe_robots::Signal;
use nalgebra::{Isometry3, Vector3};
use std::sync::Arc;

fn at(step: u32, disturbance: Disturbance) -> Vec<TimedDisturbance> {
    vec![TimedDisturbance { step, disturbance }]
}

/// m dv = J (Newton's second law), along the impulse and nowhere else; at the centre of mass it turns nothing.
#[test]
fn a_push_changes_momentum_by_exactly_its_impulse() {
    let impulse = [0.0108, -0.02, 0.005];
    for clock in [Clock::FINE, Clock::training()] {
        for (step, mass_kg, center) in [(0, 0.108, [0.0; 3]), (3, 0.02, [0.01, 0.0, -0.02]), (7, 1.0, [0.0; 3])] {
            let mut machine = hinge(clock, |plan| {
                plan.parameters.object.mass_kg = mass_kg;
                plan.parameters.object.center_of_mass_m = center;
                plan.disturbances = at(step, Disturbance::ObjectImpulse { newton_secs: impulse });
            });
            for _ in 0..step {
                machine.step(&[0.0]);
                assert_eq!(machine.object_velocity(), Vector3::zeros(), "nothing moves before the push");
            }
            for _ in 0..3 {
                machine.step(&[0.0]);
                let gained = mass_kg * machine.object_velocity();
                let error = (gained - Vector3::from(impulse)).norm() / Vector3::from(impulse).norm();
                assert!(error < 1e-5, "{gained:?} N s instead of {impulse:?}");
                assert!(machine.object_spin().norm() < 1e-5, "spins with {:?} rad/s", machine.object_spin());
            }
        }
    }
}

#[test]
fn a_push_on_an_object_on_a_plate_acts_from_the_very_first_step_on() {
    for step in [0, 3] {
        let mut machine = Plate::default().build(Clock::training(), |plan| {
            plan.parameters.contact.palm_friction = 0.0;
            plan.disturbances = at(step, Disturbance::ObjectImpulse { newton_secs: [0.0108, 0.0, 0.0] });
        });
        machine.hold(0.0, 0.05 * (step + 1) as f32);
        let speed = machine.object_velocity().x;
        assert!((speed - 0.1).abs() < 1e-3, "0.0108 N s on 0.108 kg at step {step} gave {speed} m/s");
    }
}

fn gravity(machine: &Machine) -> Vector3<f32> {
    Vector3::from_row_slice(&machine.truth(Signal::Gravity))
}

/// The palm turns by the angle about the axis, so gravity turns back by it: magnitude kept, angle exact.
#[test]
fn a_tilt_turns_gravity_by_its_angle_about_its_axis_and_comes_back() {
    for (radians, axis) in [(0.3_f32, [0.0, 1.0, 0.0]), (1.0, [2.0, 0.0, 0.0]), (0.5, [0.6, -0.8, 0.0])] {
        let mut machine = hinge(Clock::training(), |plan| {
            plan.parameters.gravity_m_per_sec2 = [0.0, 0.0, -GRAVITY];
            plan.disturbances = at(5, Disturbance::GravityTilt { radians, axis, duration_secs: 0.5 });
        });
        let down = Vector3::new(0.0, 0.0, -GRAVITY);
        for step in 0..20 {
            machine.step(&[0.0]);
            let now = gravity(&machine);
            if (5..15).contains(&step) {
                assert!((now.angle(&down) - radians).abs() < 1e-4, "{now:?} at step {step}");
                assert!((now.norm() - GRAVITY).abs() < 1e-5, "{now:?} at step {step}");
                assert!(now.dot(&Vector3::from(axis)).abs() < 1e-5, "turned about another axis: {now:?}");
            } else {
                assert_eq!(now, down, "at step {step}");
            }
        }
    }
}

/// On a smooth plate that tilts about y by a for a time, an object gains g sin(a) times that time, and keeps it.
#[test]
fn an_object_on_a_smooth_plate_gains_speed_while_the_plate_is_tilted_and_only_then() {
    let (radians, secs) = (0.1_f32, 0.5);
    for clock in [Clock::FINE, Clock::training()] {
        let mut machine = Plate::default().build(clock, |plan| {
            plan.parameters.contact.palm_friction = 0.0;
            let step = (0.25 / clock.period_secs).round() as u32;
            let tilt = Disturbance::GravityTilt { radians, axis: [0.0, 1.0, 0.0], duration_secs: secs };
            plan.disturbances = at(step, tilt);
        });
        machine.hold(0.0, 0.25);
        assert!(machine.object_velocity().x.abs() < 1e-6, "level until then");
        machine.hold(0.0, secs);
        let gained = machine.object_velocity().x;
        // The side of +x goes down, and there the object goes.
        let error = gained / (GRAVITY * radians.sin() * secs) - 1.0;
        println!("LAW tilt dt {}: {error:.2e}", clock.part_secs());
        assert!(error.abs() < 1e-3, "gained {gained} m/s");
        machine.hold(0.0, 0.25);
        assert!((machine.object_velocity().x - gained).abs() < 1e-4, "level again");
    }
}

#[test]
fn a_jammed_joint_holds_its_angle_while_the_others_follow() {
    let scene = support::scene();
    let mut plan = support::plan(&scene);
    plan.start.palm_from_object = Isometry3::translation(5.0, 0.0, 0.0);
    plan.parameters.gravity_m_per_sec2 = [0.0; 3];
    let (joint, free) = (5, 6);
    plan.disturbances = at(10, Disturbance::JointJam { joint, duration_secs: 1.0 });
    let mut machine = Machine { sim: HandSim::new(Arc::clone(&scene), plan), sensed: support::frame(&scene), scene };
    let home = machine.scene.robot().home_rad.clone();
    let targets: Vec<f32> = home.iter().map(|angle| angle + 0.2).collect();
    let moved = |machine: &Machine, joint: usize| machine.truth(Signal::JointPosition)[joint] - home[joint];
    for _ in 0..10 {
        machine.step(&home);
    }
    for _ in 10..30 {
        machine.step(&targets);
        // The neighbours that move pull at it, and a servo is a spring.
        assert!(moved(&machine, joint).abs() < 5e-3, "gave way by {} rad", moved(&machine, joint));
    }
    let dry = machine.scene.robot().joints[free].friction_loss_newton_m;
    let deaf_rad = 1.1 * dry / machine.scene.robot().joints[free].stiffness_newton_m_per_rad;
    assert!((moved(&machine, free) - 0.2).abs() < deaf_rad, "the free one moved by {} rad", moved(&machine, free));
    for _ in 30..50 {
        machine.step(&targets);
    }
    assert!((moved(&machine, joint) - 0.2).abs() < deaf_rad, "then it follows: {} rad", moved(&machine, joint));
}

#[test]
fn what_lasts_longer_than_steps_can_be_counted_lasts_to_the_end() {
    let duration_secs = f32::MAX;
    let mut machine = hinge(Clock::training(), |plan| {
        plan.parameters.gravity_m_per_sec2 = [0.0, 0.0, -GRAVITY];
        plan.parameters.joints[0].damping_newton_m_secs_per_rad = 0.2;
        let tilt = Disturbance::GravityTilt { radians: 0.3, axis: [0.0, 1.0, 0.0], duration_secs };
        let (jam, loss) =
            (Disturbance::JointJam { joint: 0, duration_secs }, Disturbance::SignalLoss { duration_secs });
        plan.disturbances = [tilt, jam, loss].into_iter().flat_map(|disturbance| at(3, disturbance)).collect();
    });
    (0..3).for_each(|_| machine.step(&[0.0]));
    let (angle, sensed) = (machine.angle(), machine.sensed_angle());
    for _ in 3..100 {
        machine.step(&[0.5]);
        assert!((gravity(&machine).angle(&Vector3::new(0.0, 0.0, -GRAVITY)) - 0.3).abs() < 1e-4, "tilted");
        assert!((machine.angle() - angle).abs() < 0.1, "jammed at {angle}, at {}", machine.angle());
        assert_eq!(machine.sensed_angle().to_bits(), sensed.to_bits(), "frozen");
    }
}

#[test]
fn a_signal_loss_freezes_what_is_sensed_for_as_long_as_it_says_and_not_what_moves() {
    let run = |change: fn(&mut EpisodePlan)| {
        let mut machine = hinge(Clock::training(), |plan| {
            plan.parameters.joints[0].damping_newton_m_secs_per_rad = 0.2;
            change(plan);
        });
        let step = |step: u8| {
            machine.step(&[0.1 * f32::from(step)]);
            (machine.angle(), machine.sensed_angle())
        };
        (0..20).map(step).collect::<Vec<_>>()
    };
    let clear = run(|_| ());
    let lost = run(|plan| plan.disturbances = at(6, Disturbance::SignalLoss { duration_secs: 0.2 }));
    for step in 0..20 {
        let seen = if (6..10).contains(&step) { 5 } else { step };
        assert_eq!(lost[step], (clear[step].0, clear[seen].1), "at step {step}");
    }
}
