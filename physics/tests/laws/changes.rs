//! A world whose physics change is, from then on, a world with the new physics; and one that changes to what it is stays.

use crate::machines::{Clock, GRAVITY, Machine, Plate, half_height_m, hinge};
use crate::support;
use giraffe_physics::{
    Disturbance, EpisodePlan, EpisodeSampler, FingerTie, HandWorlds, ObjectParameters, ObjectSwap, PhysicsSettings,
    SceneModel, TimedDisturbance, WorldChange, WorldParameters, WorldsSettings,
};
use giraffe_robots::{NamedLimits, SeedTree, Signal, StepBatch, WorldBatch, find_object, load_robot, tasks::TASKS};
use std::sync::Arc;

fn at(step: u32, disturbance: Disturbance) -> TimedDisturbance {
    TimedDisturbance { step, disturbance }
}

fn change(parameters: &WorldParameters, over_secs: f32, sampled: &[(u32, f32)]) -> Disturbance {
    let change = WorldChange { parameters: parameters.clone(), over_secs, sampled: sampled.to_vec() };
    Disturbance::Change(Box::new(change))
}

/// A plan with every effect that there is.
fn everything(scene: &SceneModel) -> EpisodePlan {
    let mut plan = support::plan(scene);
    plan.sampled = vec![1.0, 2.0];
    plan.noise_seed = 9;
    let world = &mut plan.parameters;
    for joint in &mut world.joints {
        joint.zero_offset_rad = 0.02;
        joint.position_bias_rad = 0.01;
        joint.target_bias_rad = -0.01;
        joint.dead_band_rad = 0.005;
        joint.backlash_rad = 0.01;
        joint.torque_speed_slope = 0.8;
        joint.adversary_share = 0.1;
        (joint.lower_limit_shift_rad, joint.upper_limit_shift_rad) = (0.01, -0.02);
    }
    (world.hand.link_mass_scale, world.hand.tip_size_scale) = (1.2, 1.1);
    (world.object.size_scale, world.object.inertia_scale, world.object.stretch) = (0.9, 1.1, 1.05);
    world.object.center_of_mass_m = [0.002, -0.003, 0.001];
    world.contact.restitution = 0.1;
    world.gravity_m_per_sec2 = [1.0, 0.5, -9.7];
    world.sensing.position_noise_rad = 0.02;
    world.sensing.position_resolution_rad = 0.0015;
    world.sensing.position_delay_secs = 0.03;
    world.sensing.position_dropout = 0.2;
    world.actuation.delay_secs = 0.04;
    world.actuation.jitter_secs = 0.03;
    world.actuation.noise_rad = 0.01;
    world.actuation.gain_noise = 0.1;
    world.actuation.dropout = 0.2;
    world.actuation.broken_chance = 0.05;
    world.tracking.refresh_secs = 0.1;
    world.tracking.delay_secs = 0.04;
    world.tracking.position_noise_m = 0.003;
    world.tracking.rotation_noise_rad = 0.02;
    (world.tracking.position_bias_m, world.tracking.rotation_bias_rad) = ([0.001; 3], [0.01; 3]);
    (world.tracking.dropout, world.tracking.injection) = (0.4, 0.4);
    (world.forces.rate_hz, world.forces.acceleration_m_per_sec2) = (3.0, 1.0);
    world.forces.angular_acceleration_rad_per_sec2 = 10.0;
    world.adversary.push_m_per_sec2 = 0.3;
    world.clock.step_jitter = 0.15;
    (world.link.dropout, world.link.burst_rate_hz, world.link.burst_secs) = (0.2, 3.0, 0.1);
    plan
}

/// Of the sixteen joints these two speak for all: one leans on its lower stop, the other on its upper.
const LOW: usize = 5;
const HIGH: usize = 1;

/// All that is true and all that is sensed during some control steps, as bits.
fn bits(scene: &Arc<SceneModel>, plan: EpisodePlan, step_count: usize) -> Vec<u32> {
    let mut machine = Machine::new(Arc::clone(scene), plan);
    let mut centres = scene.robot().home_rad.clone();
    let limits = |joint: usize| scene.robot().joints[joint].position_limits_rad;
    (centres[LOW], centres[HIGH]) = (limits(LOW).lower, limits(HIGH).upper);
    let mut bits = Vec::new();
    for step in 0..step_count {
        let targets = centres.iter().enumerate().map(|(joint, centre)| {
            let sway = (0.4 * step as f32 + joint as f32).sin();
            centre + 0.3 * sway
        });
        machine.step(&targets.collect::<Vec<_>>());
        for signal in Signal::ALL {
            for frame in [machine.sim.truth(), &machine.sensed] {
                bits.extend(frame.read(signal).unwrap_or(&[]).iter().map(|value| value.to_bits()));
            }
        }
    }
    bits
}

#[test]
fn a_change_to_what_holds_already_is_no_change_to_the_last_bit() {
    let scene = support::scene();
    let mut calm = everything(&scene);
    let new = ObjectParameters { mass_kg: 0.2, size_scale: 1.1, ..calm.parameters.object };
    let swap =
        ObjectSwap { object: Some("cylinder".to_owned()), parameters: new, friction_scale: 0.7, sampled: Vec::new() };
    let tie = FingerTie { fingers: [0, 1], rest_length_m: 0.02, stiffness_newton_per_m: 60.0, duration_secs: 2.0 };
    calm.disturbances = vec![
        at(5, Disturbance::FingerTie(tie)),
        at(10, Disturbance::GravityTilt { radians: 0.2, axis: [0.0, 1.0, 0.0], duration_secs: 1.0 }),
        at(15, Disturbance::JointJam { joint: 4, duration_secs: 1.0 }),
        at(18, Disturbance::SignalLoss { duration_secs: 0.3 }),
        at(40, Disturbance::ObjectSwap(swap)),
    ];
    let undisturbed = bits(&scene, calm.clone(), 70);
    for (step, over_secs) in
        [(0, 0.0), (0, 5.0), (12, 0.0), (17, 0.0), (17, 0.6), (30, 0.05), (33, 1.5), (50, 0.0), (50, 0.5)]
    {
        let mut plan = calm.clone();
        let mut holds = plan.parameters.clone();
        if step > 40 {
            holds.object = new;
        }
        plan.disturbances.push(at(step, change(&holds, over_secs, &[(1, 2.0)])));
        assert!(bits(&scene, plan, 70) == undisturbed, "at step {step} over {over_secs} s");
    }
}

/// Where the numbers are among the bytes that parameters are written as: behind these marks, four bytes each.
fn number_places(written: &[u8]) -> Vec<usize> {
    let mut places = Vec::new();
    let mut at = 0;
    while at < written.len() {
        at += match written[at] {
            0xca => {
                places.push(at + 1);
                5
            }
            0x90..=0x9f => 1,
            0xdc => 3,
            other => panic!("parameters are written as nested arrays of numbers, not with {other:#x}"),
        };
    }
    places
}

/// Every number of some parameters.
fn numbers(parameters: &WorldParameters) -> Vec<f32> {
    let written = rmp_serde::to_vec(parameters).expect("plain numbers");
    let read = |place: usize| written[place..place + 4].try_into().map(f32::from_be_bytes).expect("four bytes");
    number_places(&written).into_iter().map(read).collect()
}

/// The same parameters but for one number, which `change` makes another.
fn with_number(parameters: &WorldParameters, index: usize, change: impl Fn(f32) -> f32) -> WorldParameters {
    let mut written = rmp_serde::to_vec(parameters).expect("plain numbers");
    let place = number_places(&written)[index];
    let changed = change(numbers(parameters)[index]);
    written[place..place + 4].copy_from_slice(&changed.to_be_bytes());
    rmp_serde::from_slice(&written).expect("as it was written")
}

const JOINT_NUMBERS: usize = 14;
/// Indices of the numbers of a joint, each once, and of all that is not a joint's.
fn number_indices(parameters: &WorldParameters) -> impl Iterator<Item = usize> {
    let joints = JOINT_NUMBERS * parameters.joints.len();
    // The last number of a joint is about its upper stop.
    let upper = JOINT_NUMBERS * HIGH + JOINT_NUMBERS - 1;
    (JOINT_NUMBERS * LOW..JOINT_NUMBERS * LOW + JOINT_NUMBERS - 1)
        .chain([upper])
        .chain(joints..numbers(parameters).len())
}

/// Starts that are the same whatever is built: joints within their stops, wherever those are, and the object above the hand,
/// so that one that grows needs no lift.
fn in_the_open(mut plan: EpisodePlan, scene: &SceneModel) -> EpisodePlan {
    let starts = scene.robot().joints.iter().enumerate().map(|(joint, model)| {
        let limits = model.position_limits_rad;
        match joint {
            LOW => limits.lower + 0.3,
            HIGH => limits.upper - 0.05,
            _ => 0.7 * limits.lower + 0.3 * limits.upper,
        }
    });
    plan.start.joint_positions_rad = starts.collect();
    plan.start.palm_from_object.translation.vector.z += 0.1;
    plan
}

/// A world that is built with `before` and changes to `after` before anything happens.
fn changed(scene: &Arc<SceneModel>, plan: &EpisodePlan, before: &WorldParameters, after: &WorldParameters) -> Vec<u32> {
    let changes = vec![at(0, change(after, 0.0, &[]))];
    bits(scene, EpisodePlan { parameters: before.clone(), disturbances: changes, ..plan.clone() }, 30)
}

/// A world that is built with these parameters.
fn built(scene: &Arc<SceneModel>, plan: &EpisodePlan, parameters: &WorldParameters) -> Vec<u32> {
    bits(scene, EpisodePlan { parameters: parameters.clone(), ..plan.clone() }, 30)
}

#[test]
fn a_world_that_changes_at_once_moves_like_one_that_was_built_so_in_every_number() {
    let scene = support::scene();
    let plan = in_the_open(everything(&scene), &scene);
    let undisturbed = bits(&scene, plan.clone(), 30);
    for index in number_indices(&plan.parameters) {
        let other = with_number(&plan.parameters, index, |number| 1.5 * number);
        let as_built = built(&scene, &plan, &other);
        assert!(as_built != undisturbed, "number {index} says nothing");
        assert!(changed(&scene, &plan, &plan.parameters, &other) == as_built, "number {index} becomes another");
        assert!(changed(&scene, &plan, &other, &plan.parameters) == undisturbed, "number {index} becomes what it was");
    }
}

#[test]
fn an_effect_that_begins_or_ends_is_as_if_it_had_always_been_there_or_never() {
    let scene = support::scene();
    let plan = in_the_open(everything(&scene), &scene);
    let nominal = WorldParameters::nominal(&scene);
    let worlds = [(&nominal, &plan.parameters), (&plan.parameters, &nominal)];
    for (world, other) in worlds {
        let undisturbed = built(&scene, &plan, world);
        assert!(changed(&scene, &plan, other, world) == undisturbed, "all together");
        for index in number_indices(world) {
            let switched = with_number(world, index, |_| numbers(other)[index]);
            let as_built = built(&scene, &plan, &switched);
            assert!(changed(&scene, &plan, world, &switched) == as_built, "number {index} becomes another");
            assert!(changed(&scene, &plan, &switched, world) == undisturbed, "number {index} becomes what it was");
        }
    }
}

/// Joints that follow others, and an object that is a union of boxes.
#[test]
fn a_hand_with_coupled_joints_changes_as_a_whole_too() {
    let robot = Arc::new(load_robot("shadow-right").expect("a built-in hand"));
    let object = find_object("octagonal-prism").expect("a built-in object").clone();
    let scene = Arc::new(SceneModel::new(robot, object, PhysicsSettings::default()));
    let plan = in_the_open(everything(&scene), &scene);
    let nominal = WorldParameters::nominal(&scene);
    for (before, after) in [(&nominal, &plan.parameters), (&plan.parameters, &nominal)] {
        assert!(changed(&scene, &plan, before, after) == built(&scene, &plan, after));
    }
}

#[test]
fn halfway_through_a_change_every_number_is_halfway_and_at_its_end_what_was_asked_for() {
    let scene = support::scene();
    let mut plan = everything(&scene);
    let nominal = WorldParameters::nominal(&scene);
    plan.disturbances = vec![at(3, change(&nominal, 1.0, &[(1, 4.0)]))];
    let (from, to) = (numbers(&plan.parameters), numbers(&nominal));
    let mut machine = Machine::new(Arc::clone(&scene), plan);
    let home = scene.robot().home_rad.clone();
    let sampled = |machine: &Machine| machine.truth(Signal::WorldParameters);
    (0..3).for_each(|_| machine.step(&home));
    assert_eq!((numbers(machine.sim.parameters()), sampled(&machine)), (from.clone(), vec![1.0, 2.0]));
    // 1 s is twenty steps.
    (3..13).for_each(|_| machine.step(&home));
    for ((half, from), to) in numbers(machine.sim.parameters()).iter().zip(&from).zip(&to) {
        assert!((half - 0.5 * (from + to)).abs() <= 1e-6 * (from.abs() + to.abs()), "{from} to {to}: {half}");
    }
    assert_eq!(sampled(&machine), [1.0, 3.0]);
    (13..23).for_each(|_| machine.step(&home));
    assert_eq!((numbers(machine.sim.parameters()), sampled(&machine)), (to.clone(), vec![1.0, 4.0]));
    (23..30).for_each(|_| machine.step(&home));
    assert_eq!(numbers(machine.sim.parameters()), to);
}

#[test]
fn a_change_of_what_is_sensed_leaves_what_is_true_as_it_was() {
    let scene = support::scene();
    let truth = |changed: bool| {
        let mut plan = everything(&scene);
        let mut other = plan.parameters.clone();
        (other.sensing, other.tracking) = (Default::default(), Default::default());
        if changed {
            plan.disturbances = vec![at(4, change(&other, 0.5, &[]))];
        }
        let mut machine = Machine::new(Arc::clone(&scene), plan);
        let home = scene.robot().home_rad.clone();
        let step = |_| {
            machine.step(&home);
            (machine.truth(Signal::JointPosition), machine.truth(Signal::ObjectPosition), machine.sensed_angle())
        };
        (0..40).map(step).collect::<Vec<_>>()
    };
    let (calm, changed) = (truth(false), truth(true));
    assert!(calm.iter().zip(&changed).all(|(calm, changed)| (&calm.0, &calm.1) == (&changed.0, &changed.1)));
    assert!(calm[30].2.to_bits() != changed[30].2.to_bits(), "what is sensed is another");
}

/// F = m g, while m goes from the first to the second.
#[test]
fn an_object_that_grows_heavier_weighs_what_it_weighs_at_each_moment() {
    let mut machine = Plate::default().build(Clock::training(), |plan| {
        let mut heavy = plan.parameters.clone();
        heavy.object.mass_kg = 0.3;
        plan.parameters.object.mass_kg = 0.1;
        plan.disturbances = vec![at(10, change(&heavy, 4.0, &[]))];
    });
    machine.hold(0.0, 0.5);
    for quarter in 0..=5 {
        let mass_kg = 0.1 + 0.2 * (0.25 * quarter as f32).min(1.0);
        let error = machine.sim.object_contact_force_newton() / (mass_kg * GRAVITY) - 1.0;
        println!("LAW change mass {mass_kg} kg: {error:.2e}");
        assert!(error.abs() < 0.01, "{mass_kg} kg: {error}");
        machine.hold(0.0, 1.0);
    }
}

#[test]
fn an_object_that_grows_at_once_or_bit_by_bit_stands_on_the_plate_with_its_own_height() {
    for over_secs in [0.0, 1.0] {
        for (size, stretch) in [(1.3, 1.0), (0.7, 1.0), (1.0, 1.3), (1.2, 0.8)] {
            let mut machine = Plate::default().build(Clock::training(), |plan| {
                let mut other = plan.parameters.clone();
                (other.object.size_scale, other.object.stretch) = (size, stretch);
                plan.disturbances = vec![at(10, change(&other, over_secs, &[]))];
            });
            machine.hold(0.0, 0.5);
            let mut fastest = 0.0_f32;
            for _ in 0..40 {
                machine.step(&[0.0]);
                fastest = fastest.max(machine.object_velocity().norm());
            }
            let height = size * stretch * half_height_m(&machine.scene.object().shape);
            assert!((machine.object_m().z - height).abs() < 1e-3, "{:?}, expected {height}", machine.object_m());
            assert!(machine.object_m().xy().norm() < 2e-3, "went aside: {:?}", machine.object_m());
            // What shrinks falls; what grows is pushed no faster than by its growth, here at most 10.5 mm in a second.
            let most = if size * stretch < 1.0 { 0.5 } else { 0.05 };
            assert!(fastest < most, "{fastest} m/s over {over_secs} s");
        }
    }
}

#[test]
fn an_object_that_grows_or_shrinks_in_a_hand_is_not_thrown_out_of_it() {
    let scene = support::scene();
    // At once it is lifted, by 5 cm at most, and falls back from there. Bit by bit the fingers give way to it.
    for (over_secs, most) in [(0.0, (2.0 * GRAVITY * 0.05).sqrt()), (0.5, 0.4)] {
        for size in [0.85, 1.15] {
            let mut plan = support::plan(&scene);
            let mut other = plan.parameters.clone();
            other.object.size_scale = size;
            plan.disturbances = vec![at(20, change(&other, over_secs, &[]))];
            let mut machine = Machine::new(Arc::clone(&scene), plan);
            let home = scene.robot().home_rad.clone();
            (0..20).for_each(|_| machine.step(&home));
            for _ in 20..60 {
                machine.step(&home);
                let speed = machine.object_velocity().norm();
                assert!(speed < most, "x{size} over {over_secs} s: {speed} m/s");
            }
            let moved = (machine.object_m() - scene.robot().palm_from_object_home.translation.vector).norm();
            assert!(moved < 0.05, "x{size} over {over_secs} s: went {moved} m");
        }
    }
}

/// On a slope an object gains g (sin a - mu cos a) t; it stuck before.
#[test]
fn a_plate_that_becomes_slippery_lets_go_of_what_rests_on_it() {
    let (radians, friction) = (0.4_f32, 0.1);
    for over_secs in [0.0, 0.2] {
        let tilt = Disturbance::GravityTilt { radians, axis: [0.0, 1.0, 0.0], duration_secs: 10.0 };
        let mut machine = Plate::default().build(Clock::training(), |plan| {
            plan.parameters.contact.palm_friction = 0.6;
            let mut slippery = plan.parameters.clone();
            slippery.contact.palm_friction = friction;
            plan.disturbances = vec![at(0, tilt.clone()), at(20, change(&slippery, over_secs, &[]))];
        });
        machine.hold(0.0, 1.0);
        assert!(machine.object_velocity().norm() < 2e-3, "it sticks: {:?}", machine.object_velocity());
        machine.hold(0.0, 0.3);
        let before = machine.object_velocity().x;
        machine.hold(0.0, 0.5);
        let gained = machine.object_velocity().x - before;
        let expected = GRAVITY * (radians.sin() - friction * radians.cos()) * 0.5;
        println!("LAW change friction over {over_secs} s: {:.2e}", gained / expected - 1.0);
        assert!((gained / expected - 1.0).abs() < 0.03, "gained {gained} m/s, expected {expected}");
    }
}

/// What a swap made of the friction stays: 0.5 times what the parameters say.
#[test]
fn the_friction_of_a_swapped_object_stays_a_share_of_what_changes() {
    let slides = |friction: f32| {
        let tilt = Disturbance::GravityTilt { radians: 0.4, axis: [0.0, 1.0, 0.0], duration_secs: 10.0 };
        let mut machine = Plate::default().build(Clock::training(), |plan| {
            let parameters = plan.parameters.object;
            let swap = ObjectSwap { object: None, parameters, friction_scale: 0.5, sampled: Vec::new() };
            plan.parameters.contact.palm_friction = 1.2;
            let mut other = plan.parameters.clone();
            other.contact.palm_friction = friction;
            let swap = Disturbance::ObjectSwap(swap);
            plan.disturbances = vec![at(0, swap), at(5, tilt.clone()), at(15, change(&other, 0.0, &[]))];
        });
        machine.hold(0.0, 2.0);
        machine.object_velocity().norm() > 0.01
    };
    // tan 0.4 rad = 0.42.
    assert!(slides(0.7) && !slides(1.0));
}

#[test]
fn a_swap_in_the_middle_of_a_change_ends_what_it_says_of_the_object_and_nothing_else() {
    let mut machine = hinge(Clock::training(), |plan| {
        plan.sampled = vec![1.0, 1.0];
        let mut other = plan.parameters.clone();
        (other.object.mass_kg, other.contact.palm_friction) = (0.5, plan.parameters.contact.palm_friction + 1.0);
        let parameters = ObjectParameters { mass_kg: 0.25, ..plan.parameters.object };
        let swap = ObjectSwap { object: None, parameters, friction_scale: 1.0, sampled: vec![(0, 7.0)] };
        plan.disturbances =
            vec![at(0, change(&other, 1.0, &[(0, 3.0), (1, 3.0)])), at(5, Disturbance::ObjectSwap(swap))];
    });
    let friction = machine.sim.parameters().contact.palm_friction;
    (0..10).for_each(|_| machine.step(&[0.0]));
    let now = machine.sim.parameters();
    assert!((now.object.mass_kg - 0.25).abs() < 1e-6 && (now.contact.palm_friction - friction - 0.5).abs() < 1e-6);
    assert_eq!(machine.truth(Signal::WorldParameters), [7.0, 2.0]);
    (10..25).for_each(|_| machine.step(&[0.0]));
    let now = machine.sim.parameters();
    assert!((now.object.mass_kg - 0.25).abs() < 1e-6 && (now.contact.palm_friction - friction - 1.0).abs() < 1e-6);
    assert_eq!(machine.truth(Signal::WorldParameters), [7.0, 3.0]);
}

#[test]
fn a_palm_that_is_tilted_stays_tilted_while_gravity_changes() {
    let mut machine = hinge(Clock::training(), |plan| {
        plan.parameters.gravity_m_per_sec2 = [0.0, 0.0, -GRAVITY];
        let mut moon = plan.parameters.clone();
        moon.gravity_m_per_sec2 = [0.0, 0.0, -1.62];
        let axis = [0.0, 1.0, 0.0];
        let tilt = Disturbance::GravityTilt { radians: std::f32::consts::FRAC_PI_2, axis, duration_secs: 0.5 };
        plan.disturbances = vec![at(2, tilt), at(6, change(&moon, 0.0, &[]))];
    });
    for step in 0..20 {
        machine.step(&[0.0]);
        let expected = match step {
            0..2 => [0.0, 0.0, -GRAVITY],
            2..6 => [GRAVITY, 0.0, 0.0],
            6..12 => [1.62, 0.0, 0.0],
            _ => [0.0, 0.0, -1.62],
        };
        let found = machine.truth(Signal::Gravity);
        assert!(found.iter().zip(expected).all(|(found, axis)| (found - axis).abs() < 1e-5), "{found:?} at {step}");
    }
}

/// At rest k e = m g r cos a, with k the servo's stiffness and m the mass of the link.
#[test]
fn a_servo_that_weakens_and_a_link_that_grows_heavier_settle_where_they_balance() {
    use crate::machines::{LINK_CENTER_M, LINK_MASS_KG};
    let mut machine = hinge(Clock::training(), |plan| {
        plan.parameters.gravity_m_per_sec2 = [0.0, 0.0, -GRAVITY];
        plan.parameters.joints[0].damping_newton_m_secs_per_rad = 0.2;
        let mut weak = plan.parameters.clone();
        weak.joints[0].stiffness_newton_m_per_rad *= 0.5;
        let mut heavy = weak.clone();
        heavy.hand.link_mass_scale = 1.5;
        plan.disturbances = vec![at(60, change(&weak, 0.5, &[])), at(120, change(&heavy, 0.0, &[]))];
    });
    let stiffness = machine.scene.robot().joints[0].stiffness_newton_m_per_rad;
    for (share, mass) in [(1.0, 1.0), (0.5, 1.0), (0.5, 1.5)] {
        machine.hold(0.0, 3.0);
        let moment = mass * LINK_MASS_KG * GRAVITY * LINK_CENTER_M * machine.angle().cos();
        let error = share * stiffness * machine.angle() / moment - 1.0;
        println!("LAW change stiffness x{share} mass x{mass}: {error:.2e}");
        assert!(error.abs() < 2e-3, "{} rad", machine.angle());
    }
}

#[test]
fn a_larger_chance_of_dead_servos_kills_some_and_a_smaller_one_brings_them_back() {
    let scene = support::scene();
    let mut plan = support::plan(&scene);
    plan.start.palm_from_object.translation.vector.x = 5.0;
    plan.parameters.gravity_m_per_sec2 = [0.0; 3];
    let sound = plan.parameters.clone();
    let mut broken = sound.clone();
    broken.actuation.broken_chance = 1.0;
    plan.disturbances = vec![at(20, change(&broken, 0.0, &[])), at(60, change(&sound, 0.0, &[]))];
    let mut machine = Machine::new(Arc::clone(&scene), plan);
    let home = scene.robot().home_rad.clone();
    let moved: Vec<f32> = home.iter().map(|angle| angle + 0.2).collect();
    let astray = |machine: &Machine, targets: &[f32]| {
        let angles = machine.truth(Signal::JointPosition);
        angles.iter().zip(targets).filter(|(angle, target)| (*angle - *target).abs() > 0.1).count()
    };
    (0..20).for_each(|_| machine.step(&home));
    assert_eq!(astray(&machine, &home), 0);
    (20..60).for_each(|_| machine.step(&moved));
    assert_eq!(astray(&machine, &moved), 2, "two of a hand at most");
    (60..100).for_each(|_| machine.step(&moved));
    assert_eq!(astray(&machine, &moved), 0);
}

/// Two of a second's plans, in the middle of which something else holds.
struct Changing(support::PlainSampler);

impl EpisodeSampler for Changing {
    fn parameters(&self) -> Vec<NamedLimits> {
        Vec::new()
    }

    fn plan(&self, world: u64, episode: u64) -> EpisodePlan {
        let mut plan = self.0.plan(world, episode);
        let mut other = everything(&self.0.0).parameters;
        other.joints[3].stiffness_newton_m_per_rad *= 0.6;
        plan.disturbances = vec![at(10, change(&other, 1.0, &[])), at(45, change(&plan.parameters, 0.0, &[]))];
        plan
    }
}

#[test]
fn worlds_continue_from_a_checkpoint_in_the_middle_of_a_change_bit_for_bit() {
    let begin = || {
        let scene = support::scene();
        let sampler = Box::new(Changing(support::PlainSampler(scene.clone(), SeedTree::new(1))));
        let settings = WorldsSettings { world_count: 3, thread_count: 1, staggered: false };
        let mut worlds = HandWorlds::new(scene, TASKS[0], sampler, settings).expect("worlds");
        let mut batch = StepBatch::new(worlds.world_count(), worlds.schema().critic_width());
        worlds.reset_all(&mut batch);
        (worlds, batch)
    };
    let actions: Vec<f32> = (0..3 * 16).map(|index| (index as f32).sin()).collect();
    let (mut first, mut batch) = begin();
    for steps in [17, 23, 30] {
        (0..steps).for_each(|_| first.step(&actions, &mut batch));
        let (mut again, mut batch_again) = begin();
        again.restore(&first.save(), &mut batch_again).expect("saved worlds");
        assert_eq!(batch.observations, batch_again.observations);
        first.step(&actions, &mut batch);
        again.step(&actions, &mut batch_again);
        assert_eq!(batch.observations, batch_again.observations);
    }
}
