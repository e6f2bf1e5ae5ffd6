//! Joints that run at their stops as fast as hands can, in steps as long as can be asked for.
//!
//! A stop takes part in every step, however far away it is: what bounds a joint's speed is the way that is left, over the step
//! (`physics/third_party/rapier3d/README.md`). So there is no distance from which on a stop counts, and none that a longer step
//! could jump.

use super::*;
use crate::scene::PhysicsSettings;
use giraffe_robots::{Limits, OBJECTS, find_object, load_robot};
use nalgebra::Vector3;
use std::sync::Arc;

/// Bound of the row `physics.step_jitter`.
const MOST_JITTER: f32 = 0.5;
/// Stops give way by thousandths.
const GIVES_WAY_RAD: f32 = 0.005;
/// A LEAP hand's joints turn at 8.48 rad/s without a load.
const LEAP_RAD_PER_SEC: f32 = 8.5;

fn scene(robot: &str, substep_count: u32) -> SceneModel {
    let robot = Arc::new(load_robot(robot).expect("a built-in hand"));
    let object = find_object(OBJECTS[0].name).expect("in the list").clone();
    SceneModel::new(robot, object, PhysicsSettings { substep_count, ..PhysicsSettings::default() })
}

/// A hand at home without torque and without weight, but for one joint, which begins at this angle. Nothing is in it.
fn hand(scene: &SceneModel, joint: usize, from_rad: f32) -> World {
    let robot = scene.robot();
    let mut start =
        EpisodeStart { joint_positions_rad: robot.home_rad.clone(), palm_from_object: robot.palm_from_object_home };
    start.joint_positions_rad[joint] = from_rad;
    start.palm_from_object.translation.vector += Vector3::new(5.0, 0.0, 0.0);
    let mut parameters = WorldParameters::nominal(scene);
    parameters.gravity_m_per_sec2 = [0.0; 3];
    for joint in &mut parameters.joints {
        // Nothing that slows a joint down before its stop does.
        (joint.effort_limit_newton_m, joint.friction_loss_newton_m) = (1e-9, 0.0);
        joint.damping_newton_m_secs_per_rad = 0.0;
    }
    World::build(scene, &parameters, &start)
}

/// Flings a joint at one of its stops, which are these, from a way off that takes `steps` steps. By how much a joint of the
/// hand is beyond a stop then and later, at most, and how near the joint came to its own stop, rad.
fn fling(scene: &SceneModel, joint: usize, rad_per_sec: f32, step_secs: f32, steps: f32) -> (f32, f32) {
    let robot = scene.robot();
    let limits = |joint: usize| robot.joints[joint].position_limits_rad;
    let Limits { lower, upper } = limits(joint);
    let way_rad = (rad_per_sec.abs() * step_secs * steps).min(0.9 * (upper - lower));
    let from_rad = if rad_per_sec > 0.0 { upper - way_rad } else { lower + way_rad };
    let mut world = hand(scene, joint, from_rad);
    let mut angles = vec![0.0; robot.joint_count()];
    // Until the first step a root counts as free.
    world.step().expect("a sound world");
    world.set_step_secs(step_secs);
    world.fling(joint, rad_per_sec);
    let (mut beyond_rad, mut left_rad) = (f32::NEG_INFINITY, f32::INFINITY);
    for _ in 0..12 {
        world.step().expect("a sound world");
        world.joint_positions(&mut angles);
        for (joint, at) in angles.iter().enumerate() {
            let Limits { lower, upper } = limits(joint);
            beyond_rad = beyond_rad.max(lower - at).max(at - upper);
        }
        let at = angles[joint];
        left_rad = left_rad.min(if rad_per_sec > 0.0 { upper - at } else { at - lower });
    }
    (beyond_rad, left_rad)
}

#[test]
fn a_joint_as_fast_as_it_can_be_is_stopped_at_its_stop_in_steps_of_any_length() {
    for name in ["leap-right", "leap-left", "allegro-right", "shadow-right"] {
        for substep_count in [1, 2] {
            let scene = scene(name, substep_count);
            let robot = scene.robot();
            let nominal_secs = scene.substep_secs();
            let (mut flung, mut arrived) = (0, 0);
            for step_secs in [1.0 - MOST_JITTER, 1.0, 1.0 + MOST_JITTER].map(|share| share * nominal_secs) {
                for joint in robot.actuated_joints() {
                    let own = robot.joints[joint].velocity_limit_rad_per_sec;
                    let own = if own.is_finite() { own } else { LEAP_RAD_PER_SEC };
                    for rad_per_sec in [LEAP_RAD_PER_SEC, -LEAP_RAD_PER_SEC, own, -own] {
                        // Within a step, and in the middle of the third.
                        for steps in [0.9, 2.5] {
                            let (beyond, left) = fling(&scene, joint, rad_per_sec, step_secs, steps);
                            let at = format!("{name}, joint {joint} at {rad_per_sec} rad/s, steps of {step_secs} s");
                            assert!(beyond < GIVES_WAY_RAD, "{at}: {beyond} rad beyond a stop");
                            flung += 1;
                            arrived += usize::from(left < 0.1);
                        }
                    }
                }
            }
            // Others run into a neighbour first, or give what they have to the links before them.
            assert!(3 * arrived > flung, "{name}: {arrived} of {flung} came to their stops");
        }
    }
}
