//! Worlds that are not as the description says: stops elsewhere, dead servos, a clock that is not even, objects of other
//! proportions.

use giraffe_physics::{EpisodePlan, HandSim, LEAST_RANGE_RAD, PhysicsSettings, SceneModel, WorldParameters};
use giraffe_robots::{EpisodeStart, Hand, Signal, SignalFrame, SignalLayout, find_object, load_robot};
use nalgebra::Vector3;
use std::sync::Arc;

fn scene(robot: &str, object: &str) -> Arc<SceneModel> {
    let robot = Arc::new(load_robot(robot).expect("a built-in hand"));
    let object = find_object(object).expect("in the list").clone();
    Arc::new(SceneModel::new(robot, object, PhysicsSettings::default()))
}

/// A hand at home with the object far away, where it falls freely.
fn alone(scene: &Arc<SceneModel>, change: impl FnOnce(&mut WorldParameters)) -> HandSim {
    let robot = scene.robot();
    let mut parameters = WorldParameters::nominal(scene);
    change(&mut parameters);
    let mut palm_from_object = robot.palm_from_object_home;
    palm_from_object.translation.vector += Vector3::new(5.0, 0.0, 0.0);
    let start = EpisodeStart { joint_positions_rad: robot.home_rad.clone(), palm_from_object };
    let plan = EpisodePlan { parameters, start, disturbances: Vec::new(), sampled: Vec::new(), noise_seed: 7 };
    assert_eq!(plan.check(), Ok(()));
    HandSim::new(Arc::clone(scene), plan)
}

fn read<const N: usize>(sim: &HandSim, signal: Signal) -> [f32; N] {
    sim.truth().read(signal).expect("written").try_into().expect("of this width")
}

fn angles(sim: &HandSim) -> Vec<f32> {
    sim.truth().read(Signal::JointPosition).expect("written").to_vec()
}

fn hold(sim: &mut HandSim, targets_rad: &[f32], step_count: u32) {
    let mut sensed = SignalFrame::new(SignalLayout::of(sim.model(), 0));
    for _ in 0..step_count {
        sim.exchange(targets_rad, &mut sensed).expect("a finite world");
    }
}

#[test]
fn stops_never_cross_and_a_joint_keeps_a_little_room() {
    for robot in ["leap-right", "shadow-right"] {
        let scene = scene(robot, "cube-70mm");
        let robot = scene.robot();
        for (lower, upper) in [(0.5, -0.5), (0.5, 0.5), (-0.5, -0.5), (-0.5, 0.5), (3.0, -3.0), (0.0, -0.4)] {
            let mut parameters = WorldParameters::nominal(&scene);
            for joint in &mut parameters.joints {
                (joint.lower_limit_shift_rad, joint.upper_limit_shift_rad) = (lower, upper);
            }
            for (joint, model) in robot.joints.iter().enumerate() {
                let (limits, nominal) = (parameters.joint_limits_rad(robot, joint), model.position_limits_rad);
                assert!(limits.upper - limits.lower > LEAST_RANGE_RAD - 1e-5, "{}: {limits:?}", model.name);
                if robot.couplings.iter().any(|coupling| coupling.follower == joint) {
                    assert_eq!(limits, nominal, "{}", model.name);
                } else if nominal.upper + upper - nominal.lower - lower > LEAST_RANGE_RAD {
                    assert!((limits.lower - nominal.lower - lower).abs() < 1e-6, "{}", model.name);
                    assert!((limits.upper - nominal.upper - upper).abs() < 1e-6, "{}", model.name);
                }
            }
        }
        let nominal = WorldParameters::nominal(&scene);
        for (joint, model) in robot.joints.iter().enumerate() {
            assert_eq!(nominal.joint_limits_rad(robot, joint), model.position_limits_rad);
        }
    }
}

#[test]
fn a_joint_stops_where_the_stop_was_moved() {
    let scene = scene("leap-right", "cube-70mm");
    for shift_rad in [-0.2, 0.2] {
        let mut sim = alone(&scene, |world| {
            world.joints.iter_mut().for_each(|joint| joint.lower_limit_shift_rad = shift_rad);
        });
        let robot = Arc::clone(scene.robot());
        let targets: Vec<f32> = robot.joints.iter().map(|joint| joint.position_limits_rad.lower - 1.0).collect();
        hold(&mut sim, &targets, 60);
        // Index finger, forward: nothing else is in its way.
        let joint = robot.joints.iter().position(|joint| joint.position_limits_rad.lower < -0.3).expect("one");
        let stop = robot.joints[joint].position_limits_rad.lower + shift_rad;
        let at = angles(&sim)[joint];
        assert!((at - stop).abs() < 0.02, "{}: at {at}, stop {stop}", robot.joints[joint].name);
    }
}

#[test]
fn a_hand_that_would_start_beyond_a_stop_starts_at_it() {
    for robot in ["leap-right", "shadow-right"] {
        let scene = scene(robot, "cube-70mm");
        let robot = scene.robot();
        let beyond = |joint: usize| {
            let model = &robot.joints[joint];
            robot.home_rad[joint] - model.position_limits_rad.lower + 0.1
        };
        let sim = alone(&scene, |world| {
            for (index, joint) in world.joints.iter_mut().enumerate() {
                joint.lower_limit_shift_rad = beyond(index);
            }
        });
        let mut limits = (0..robot.joint_count()).map(|joint| sim.plan().parameters.joint_limits_rad(robot, joint));
        let followers: Vec<usize> = robot.couplings.iter().map(|coupling| coupling.follower).collect();
        for (joint, at) in angles(&sim).into_iter().enumerate() {
            let limits = limits.next().expect("one per joint");
            assert!(limits.lower - 1e-5 <= at && at <= limits.upper + 1e-5, "{at} in {limits:?}");
            assert!(followers.contains(&joint) || at > robot.home_rad[joint] + 0.04, "it had to move");
        }
    }
}

#[test]
fn a_dead_servo_gives_no_torque_and_two_at_most_are_dead() {
    let scene = scene("leap-right", "cube-70mm");
    let targets: Vec<f32> = scene.robot().home_rad.iter().map(|home| home + 0.3).collect();
    let mut sound = alone(&scene, |world| world.gravity_m_per_sec2 = [0.0; 3]);
    let mut broken = alone(&scene, |world| {
        (world.gravity_m_per_sec2, world.actuation.broken_chance) = ([0.0; 3], 1.0);
    });
    hold(&mut sound, &targets, 40);
    hold(&mut broken, &targets, 40);
    let moved = |sim: &HandSim| -> usize {
        angles(sim).iter().zip(&scene.robot().home_rad).filter(|(at, home)| (*at - *home).abs() > 0.2).count()
    };
    let (all, most) = (moved(&sound), moved(&broken));
    assert_eq!(all - most, 2, "{most} of {all} joints followed");
}

#[test]
fn on_an_uneven_clock_things_fall_as_fast_in_the_mean_and_the_same_again() {
    let scene = scene("leap-right", "cube-70mm");
    let fall = |jitter: f32, step_count: u32| {
        // Ten times less than on Earth: the engine stops at 40 m/s.
        let mut sim = alone(&scene, |world| {
            (world.clock.step_jitter, world.gravity_m_per_sec2) = (jitter, [0.0, 0.0, -1.0]);
        });
        hold(&mut sim, &scene.robot().home_rad, step_count);
        let [_, _, speed] = read::<3>(&sim, Signal::ObjectLinearVelocity);
        (speed, angles(&sim))
    };
    let ((even, _), (uneven, at)) = (fall(0.0, 200), fall(0.3, 200));
    // 200 steps of a mean with a deviation of 0.3 / sqrt(3) each: 1.2 % of the sum.
    assert!((uneven / even - 1.0).abs() < 0.04 && (uneven - even).abs() > 1e-3, "{uneven} m/s, evenly {even} m/s");
    let (again, at_again) = fall(0.3, 200);
    assert!(again.to_bits() == uneven.to_bits() && at == at_again);
    let home = &scene.robot().home_rad;
    let rest = |at: &[f32]| at.iter().zip(home).map(|(at, home)| (at - home).abs()).fold(0.0, f32::max);
    let (_, evenly) = fall(0.0, 200);
    assert!(
        (rest(&at) - rest(&evenly)).abs() < 2e-3,
        "a hand at rest does not notice: {} {}",
        rest(&at),
        rest(&evenly)
    );
}

#[test]
fn inertia_slows_a_turn_and_not_a_fall() {
    let scene = scene("leap-right", "cube-70mm");
    let speeds = |scale: f32| {
        let mut plan = alone(&scene, |world| world.object.inertia_scale = scale).plan().clone();
        plan.start.palm_from_object = scene.robot().palm_from_object_home;
        // Over the edge of the palm, so that it tumbles.
        plan.start.palm_from_object.translation.vector += Vector3::new(0.0, 0.05, 0.0);
        let mut sim = HandSim::new(Arc::clone(&scene), plan);
        hold(&mut sim, &scene.robot().home_rad, 6);
        Vector3::from(read::<3>(&sim, Signal::ObjectAngularVelocity)).norm()
    };
    let (light, even, hollow) = (speeds(0.3), speeds(1.0), speeds(2.5));
    assert!(light > 1.1 * even && even > 1.1 * hollow, "{light} {even} {hollow} rad/s");
}
