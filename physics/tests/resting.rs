//! An object at rest in the palm: it stays, it weighs what it weighs, and it slides when the palm tilts enough.

mod support;

use giraffe_physics::{Disturbance, EpisodePlan, HandSim, PhysicsSettings, SceneModel, TimedDisturbance};
use giraffe_robots::{GeomModel, GeomShape, OBJECTS, Region, Signal, load_robot};
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
    assert!(crept < 2e-3, "crept {crept} m in 10 s");
    assert!(later.palm_from_object.angle_to(&settled.palm_from_object) < 0.05);
    let velocity = sim.truth().read(Signal::ObjectLinearVelocity).expect("written");
    assert!(velocity.iter().all(|v| v.abs() < 1e-2), "{velocity:?}");
}

/// A hand that is a level plate, its top at height zero, and one finger far away.
fn plate() -> Arc<SceneModel> {
    let mut robot = load_robot("leap-right").expect("the built-in hand");
    let finger = robot.bodies.iter().position(|body| body.joint == Some(0)).expect("joint 0 moves a body");
    let mut mover = robot.bodies[finger].clone();
    mover.parent = Some(0);
    mover.parent_from_body.translation.vector.x = 10.0;
    let mut base = robot.bodies[0].clone();
    base.geoms = vec![GeomModel {
        name: "plate".to_owned(),
        shape: GeomShape::Box { half_extents_m: [0.5, 0.5, 0.05] },
        body_from_geom: Isometry3::translation(0.0, 0.0, -0.05),
        region: Region::Palm,
        friction: 0.5,
    }];
    robot.bodies = vec![base, mover];
    robot.joints.truncate(1);
    robot.joints[0].body = 1;
    robot.home_rad = vec![0.0];
    robot.fingertips.clear();
    robot.contact_excludes.clear();
    Arc::new(SceneModel::new(Arc::new(robot), OBJECTS[0].clone(), PhysicsSettings::default()))
}

fn on_the_plate(change: impl Fn(&mut EpisodePlan)) -> (Arc<SceneModel>, HandSim) {
    let scene = plate();
    let mut plan = support::plan(&scene);
    plan.start.palm_from_object = Isometry3::translation(0.0, 0.0, 0.035);
    change(&mut plan);
    (Arc::clone(&scene), HandSim::new(scene, plan))
}

#[test]
fn a_resting_object_presses_with_its_weight() {
    for mass_kg in [0.05, 0.108, 0.2] {
        let (scene, mut sim) = on_the_plate(|plan| plan.parameters.object.mass_kg = mass_kg);
        support::hold(&mut sim, &mut support::frame(&scene), &[0.0], 40);
        let force = sim.object_contact_force_newton();
        assert!((force / (mass_kg * 9.81) - 1.0).abs() < 0.01, "{force} N under {mass_kg} kg");
    }
}

#[test]
fn an_object_slides_exactly_where_the_tangent_of_the_slope_exceeds_the_friction_of_the_pair() {
    for friction in [0.2_f32, 0.4, 0.7] {
        for (slope, slides) in [(0.9 * friction, false), (1.1 * friction, true)] {
            let (scene, mut sim) = on_the_plate(|plan| {
                plan.parameters.contact.palm_friction = friction;
                let radians = slope.atan();
                plan.parameters.gravity_m_per_sec2 = [9.81 * radians.sin(), 0.0, -9.81 * radians.cos()];
            });
            let mut sensed = support::frame(&scene);
            support::hold(&mut sim, &mut sensed, &[0.0], 10);
            let before = sim.object_pose().position_m;
            support::hold(&mut sim, &mut sensed, &[0.0], 20);
            let slid_m = (sim.object_pose().position_m - before).norm();
            // Free of friction's grip it would go g (sin - mu cos) t^2 / 2, some centimetres and more.
            assert_eq!(slid_m > 5e-3, slides, "slid {slid_m} m on a slope of {slope} with friction {friction}");
        }
    }
}

#[test]
fn a_timed_tilt_starts_and_ends_when_it_says() {
    let (scene, mut sim) = on_the_plate(|plan| {
        plan.parameters.contact.palm_friction = 0.05;
        let tilt = Disturbance::GravityTilt { radians: 0.3, axis: [0.0, 1.0, 0.0], duration_secs: 0.5 };
        plan.disturbances = vec![TimedDisturbance { step: 5, disturbance: tilt }];
    });
    let mut sensed = support::frame(&scene);
    let mut tilted = Vec::new();
    for step in 0..20 {
        support::hold(&mut sim, &mut sensed, &[0.0], 1);
        let gravity = sim.truth().read(Signal::Gravity).expect("written");
        if gravity[0].abs() > 1e-3 {
            tilted.push(step);
        }
    }
    assert_eq!(tilted, (5..15).collect::<Vec<_>>());
}

#[test]
fn a_push_adds_its_momentum_from_the_very_first_step_on() {
    for step in [0, 3] {
        let (scene, mut sim) = on_the_plate(|plan| {
            plan.parameters.contact.palm_friction = 0.0;
            let push = Disturbance::ObjectImpulse { newton_secs: [0.0108, 0.0, 0.0] };
            plan.disturbances = vec![TimedDisturbance { step, disturbance: push }];
        });
        support::hold(&mut sim, &mut support::frame(&scene), &[0.0], step as usize + 1);
        let speed = sim.truth().read(Signal::ObjectLinearVelocity).expect("written")[0];
        assert!((speed - 0.1).abs() < 5e-3, "0.0108 N s on 0.108 kg at step {step} gave {speed} m/s");
    }
}
