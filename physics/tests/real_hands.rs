//! What servos, encoders and trackers of real hands do, as a whole world shows it. What each of them computes is tested
//! next to its code.

mod support;

use giraffe_physics::{EpisodePlan, EpisodeSampler, HandSim, HandWorlds, JointParameters, SceneModel, WorldsSettings};
use giraffe_robots::{
    Hand, Limits, NamedLimits, SeedTree, Signal, SignalFrame, StepBatch, StreamRng, WorldBatch, tasks::TASKS,
};
use rand::{RngExt, SeedableRng};
use std::sync::Arc;

/// A hand that floats in space with nothing near and without dry friction: only servos move it.
fn weightless(scene: &SceneModel, change: impl Fn(&mut JointParameters)) -> EpisodePlan {
    let mut plan = support::plan(scene);
    plan.start.palm_from_object.translation.x = 5.0;
    plan.parameters.gravity_m_per_sec2 = [0.0; 3];
    for joint in &mut plan.parameters.joints {
        joint.friction_loss_newton_m = 0.0;
        change(joint);
    }
    plan
}

/// Damping with which no joint coasts on, N m s/rad.
const SLUGGISH: f32 = 0.6;

fn read(frame: &SignalFrame, signal: Signal) -> Vec<f32> {
    frame.read(signal).expect("written at every step").to_vec()
}

fn angles(sim: &HandSim) -> Vec<f32> {
    read(sim.truth(), Signal::JointPosition)
}

/// Middle and ring finger of the LEAP hand, which move side by side without touching anything.
const FREE: std::ops::Range<usize> = 4..12;

/// Where the free joints are after these targets (home, moved by so much) were held for 3 s each; and what is sensed.
fn visit(scene: &Arc<SceneModel>, plan: EpisodePlan, moves_rad: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let mut sim = HandSim::new(Arc::clone(scene), plan);
    let mut sensed = support::frame(scene);
    for step_rad in moves_rad {
        let mut targets = scene.robot().home_rad.clone();
        targets[FREE].iter_mut().for_each(|target| *target += step_rad);
        support::hold(&mut sim, &mut sensed, &targets, 60);
    }
    (angles(&sim)[FREE].to_vec(), read(&sensed, Signal::JointPosition)[FREE].to_vec())
}

#[track_caller]
fn assert_all_near(found: &[f32], home: &[f32], distance_rad: f32, tolerance_rad: f32) {
    for (found, home) in found.iter().zip(home) {
        assert!((found - home - distance_rad).abs() < tolerance_rad, "{} is not {distance_rad}", found - home);
    }
}

#[test]
fn a_joint_inside_the_dead_band_feels_no_torque_and_one_outside_is_brought_to_its_edge() {
    let scene = support::scene();
    let home = scene.robot().home_rad[FREE].to_vec();
    let plan = weightless(&scene, |joint| {
        joint.dead_band_rad = 0.05;
        joint.damping_newton_m_secs_per_rad = SLUGGISH;
    });
    let (inside, _) = visit(&scene, plan.clone(), &[0.04, -0.04]);
    assert_all_near(&inside, &home, 0.0, 1e-6);
    let (outside, sensed) = visit(&scene, plan, &[0.15]);
    assert_all_near(&outside, &home, 0.10, 2e-3);
    assert_all_near(&sensed, &outside, 0.0, 1e-6);
}

#[test]
fn backlash_lets_a_joint_rest_anywhere_within_its_play_unseen_by_the_encoder() {
    let scene = support::scene();
    let home = scene.robot().home_rad[FREE].to_vec();
    let plan = weightless(&scene, |joint| {
        joint.backlash_rad = 0.06;
        joint.damping_newton_m_secs_per_rad = SLUGGISH;
    });
    let (inside, sensed) = visit(&scene, plan.clone(), &[0.025]);
    assert_all_near(&inside, &home, 0.0, 1e-6);
    assert_all_near(&sensed, &home, 0.025, 1e-6);
    // Pushed from behind it lags by half the play; on the way back nothing happens until the play is crossed.
    let (pushed, sensed) = visit(&scene, plan.clone(), &[0.1]);
    assert_all_near(&pushed, &home, 0.07, 2e-3);
    assert_all_near(&sensed, &home, 0.1, 2e-3);
    let (slack, _) = visit(&scene, plan.clone(), &[0.1, 0.045]);
    assert_all_near(&slack, &pushed, 0.0, 2e-3);
    let (drawn_back, _) = visit(&scene, plan, &[0.1, 0.02]);
    assert_all_near(&drawn_back, &home, 0.05, 2e-3);
}

/// Final speed of the index finger's first flexing joint under full torque against nothing but its own damping, rad/s.
fn free_running_speed(slope: f32) -> f32 {
    let scene = support::scene();
    let damping = 0.05;
    let mut plan = weightless(&scene, |joint| {
        joint.damping_newton_m_secs_per_rad = damping;
        joint.effort_limit_newton_m = 0.2;
        joint.torque_speed_slope = slope;
    });
    let joint = scene.robot().joints.iter().position(|joint| joint.name == "index_mcp_forward").expect("a LEAP hand");
    let limits: Limits = scene.robot().joints[joint].position_limits_rad;
    plan.start.joint_positions_rad[joint] = limits.lower + 0.05;
    let mut targets = plan.start.joint_positions_rad.clone();
    targets[joint] = 10.0;
    let mut sim = HandSim::new(Arc::clone(&scene), plan);
    let mut sensed = support::frame(&scene);
    let mut fastest = 0.0_f32;
    while angles(&sim)[joint] < limits.upper - 0.6 && sim.step_count() < 100 {
        sim.exchange(&targets, &mut sensed).expect("a finite world");
        fastest = fastest.max(read(sim.truth(), Signal::JointVelocity)[joint]);
    }
    fastest
}

#[test]
fn torque_falls_with_speed_so_that_a_free_joint_settles_where_motor_and_damping_balance() {
    // 0.2 - slope * 0.2 / 8.48 * speed = 0.05 * speed.
    for slope in [0.0_f32, 1.0, 4.0] {
        let expected = 0.2 / (0.05 + slope * 0.2 / 8.48);
        let found = free_running_speed(slope);
        assert!((found / expected - 1.0).abs() < 0.05, "slope {slope}: {found} rad/s is not {expected}");
    }
}

#[test]
fn a_blocked_joint_has_its_full_torque_whatever_the_slope() {
    let scene = support::scene();
    let sag = |slope: f32| {
        let mut plan = weightless(&scene, |joint| joint.torque_speed_slope = slope);
        plan.parameters.gravity_m_per_sec2 = [0.0, 0.0, -9.81];
        visit(&scene, plan, &[0.0]).0
    };
    assert_all_near(&sag(0.0), &sag(4.0), 0.0, 1e-4);
}

#[test]
fn a_lost_reading_of_an_encoder_repeats_the_last_one() {
    let scene = support::scene();
    let mut plan = weightless(&scene, |_| {});
    plan.parameters.sensing.position_dropout = 0.5;
    let mut sim = HandSim::new(Arc::clone(&scene), plan);
    let mut sensed = support::frame(&scene);
    sim.observe(&mut sensed).expect("a finite world");
    let targets: Vec<f32> = scene.robot().home_rad.iter().map(|home| home + 0.3).collect();
    let mut repeated = 0;
    for _ in 0..12 {
        let before = read(&sensed, Signal::JointPosition);
        sim.exchange(&targets, &mut sensed).expect("a finite world");
        for ((now, then), truth) in read(&sensed, Signal::JointPosition).iter().zip(before).zip(angles(&sim)) {
            let is_repeated = now.to_bits() == then.to_bits();
            assert!(is_repeated || (now - truth).abs() < 1e-6, "{now} is neither {then} nor {truth}");
            repeated += u32::from(is_repeated);
        }
    }
    assert!((60..130).contains(&repeated), "half of 192: {repeated}");
}

#[test]
fn sensed_velocities_are_the_differences_of_sensed_angles() {
    let scene = support::scene();
    let mut plan = weightless(&scene, |joint| joint.zero_offset_rad = 0.1);
    plan.parameters.sensing.position_noise_rad = 0.01;
    let mut sim = HandSim::new(Arc::clone(&scene), plan);
    let mut sensed = support::frame(&scene);
    sim.observe(&mut sensed).expect("a finite world");
    assert!(read(&sensed, Signal::JointVelocity).iter().all(|speed| speed.abs() < 1e-9), "at rest");
    let targets: Vec<f32> = scene.robot().home_rad.iter().map(|home| home + 0.3).collect();
    for _ in 0..10 {
        let before = read(&sensed, Signal::JointPosition);
        sim.exchange(&targets, &mut sensed).expect("a finite world");
        let (now, speeds) = (read(&sensed, Signal::JointPosition), read(&sensed, Signal::JointVelocity));
        for joint in 0..now.len() {
            assert!((speeds[joint] - (now[joint] - before[joint]) / 0.05).abs() < 1e-3);
        }
    }
}

#[test]
fn the_pose_of_a_falling_object_is_refreshed_every_third_step_and_is_as_old_as_it_says() {
    let scene = support::scene();
    let mut plan = support::plan(&scene);
    plan.start.palm_from_object.translation.x = 5.0;
    plan.parameters.tracking.refresh_secs = 0.15;
    plan.parameters.tracking.delay_secs = 0.05;
    let mut sim = HandSim::new(Arc::clone(&scene), plan);
    let mut sensed = support::frame(&scene);
    sim.observe(&mut sensed).expect("a finite world");
    let mut truth = vec![read(sim.truth(), Signal::ObjectPosition)];
    let home = scene.robot().home_rad.clone();
    for step in 1..=20_usize {
        sim.exchange(&home, &mut sensed).expect("a finite world");
        truth.push(read(sim.truth(), Signal::ObjectPosition));
        // Pictures at steps 0, 3, 6, ..., known one step later.
        let picture = (step - 1) / 3 * 3;
        let stamp_secs = sensed.stamp(Signal::ObjectPosition).expect("written").as_secs();
        assert!((stamp_secs - picture as f64 * 0.05).abs() < 1e-6, "step {step}: {stamp_secs} s");
        let height = read(&sensed, Signal::ObjectPosition)[2];
        assert!((height - truth[picture][2]).abs() < 1e-6, "step {step}: {height} m");
    }
}

/// Nominal worlds with the task's starts, and a change.
struct Changed(Arc<SceneModel>, fn(&mut EpisodePlan));

impl EpisodeSampler for Changed {
    fn parameters(&self) -> Vec<NamedLimits> {
        Vec::new()
    }

    fn plan(&self, world: u64, episode: u64) -> EpisodePlan {
        let mut plan = support::PlainSampler(Arc::clone(&self.0), SeedTree::new(1)).plan(world, episode);
        (self.1)(&mut plan);
        plan
    }
}

/// Bits of everything that a policy and its critic see in 60 steps of random actions, and of the rewards.
fn seen(change: fn(&mut EpisodePlan)) -> Vec<u32> {
    let scene = support::scene();
    let sampler = Box::new(Changed(Arc::clone(&scene), change));
    let settings = WorldsSettings { world_count: 3, thread_count: 2, staggered: false };
    let mut worlds = HandWorlds::new(scene, TASKS[0], sampler, settings).expect("worlds");
    let mut batch = StepBatch::new(worlds.world_count(), worlds.schema().critic_width());
    worlds.reset_all(&mut batch);
    let mut rng = StreamRng::seed_from_u64(4);
    let mut bits = Vec::new();
    for _ in 0..60 {
        let actions: Vec<f32> = (0..3 * 16).map(|_| rng.random_range(-1.0..=1.0)).collect();
        worlds.step(&actions, &mut batch);
        bits.extend(batch.observations.iter().chain(&batch.rewards).map(|value| value.to_bits()));
    }
    bits
}

/// Every flaw at once, each of a noticeable size.
fn flawed(plan: &mut EpisodePlan) {
    for joint in &mut plan.parameters.joints {
        joint.position_bias_rad = 0.01;
        joint.target_bias_rad = -0.01;
        joint.dead_band_rad = 0.005;
        joint.backlash_rad = 0.01;
        joint.torque_speed_slope = 1.0;
    }
    plan.parameters.sensing.position_resolution_rad = 0.0015;
    plan.parameters.sensing.position_dropout = 0.05;
    plan.parameters.actuation.jitter_secs = 0.02;
    plan.parameters.actuation.noise_rad = 0.01;
    blurred(plan);
}

fn blurred(plan: &mut EpisodePlan) {
    let tracking = &mut plan.parameters.tracking;
    tracking.refresh_secs = 0.1;
    tracking.delay_secs = 0.03;
    tracking.position_noise_m = 0.01;
    tracking.rotation_noise_rad = 0.2;
    tracking.position_bias_m = [0.01; 3];
    tracking.rotation_bias_rad = [0.1; 3];
    tracking.dropout = 0.2;
}

#[test]
fn with_every_flaw_the_same_plan_gives_the_same_bits_and_another_noise_seed_does_not() {
    let reference = seen(flawed);
    assert_eq!(reference, seen(flawed));
    let reseeded = seen(|plan| {
        flawed(plan);
        plan.noise_seed += 1;
    });
    assert_ne!(reference, reseeded);
    assert_ne!(reference, seen(|_| {}));
}

#[test]
fn what_a_tracker_sees_never_reaches_a_policy_that_is_blind_nor_its_reward() {
    assert_eq!(seen(|_| {}), seen(blurred));
}

#[test]
fn the_worst_servos_and_sensors_leave_a_world_finite_and_its_joints_within_their_speed() {
    let scene = support::scene();
    let mut plan = support::plan(&scene);
    for joint in &mut plan.parameters.joints {
        joint.dead_band_rad = 0.2;
        joint.backlash_rad = 0.2;
        joint.torque_speed_slope = 10.0;
        joint.stiffness_newton_m_per_rad *= 10.0;
        joint.effort_limit_newton_m *= 10.0;
    }
    plan.parameters.actuation.jitter_secs = 0.1;
    plan.parameters.actuation.noise_rad = 0.5;
    plan.parameters.sensing.position_dropout = 0.9;
    let mut sim = HandSim::new(Arc::clone(&scene), plan);
    let mut sensed = support::frame(&scene);
    let mut rng = StreamRng::seed_from_u64(8);
    for _ in 0..400 {
        let targets: Vec<f32> = scene.robot().home_rad.iter().map(|home| home + rng.random_range(-1.0..=1.0)).collect();
        sim.exchange(&targets, &mut sensed).expect("a finite world");
        let fastest = read(sim.truth(), Signal::JointVelocity).iter().fold(0.0_f32, |most, v| most.max(v.abs()));
        assert!(fastest < 60.0, "{fastest} rad/s");
    }
}

#[test]
fn jitter_makes_joints_lag_behind_a_jump_of_their_targets() {
    let scene = support::scene();
    let moved = |jitter_secs: f32| {
        let mut plan = weightless(&scene, |_| {});
        plan.parameters.actuation.jitter_secs = jitter_secs;
        let mut sim = HandSim::new(Arc::clone(&scene), plan);
        let targets: Vec<f32> = scene.robot().home_rad.iter().map(|home| home + 0.1).collect();
        support::hold(&mut sim, &mut support::frame(&scene), &targets, 1);
        angles(&sim)[4] - scene.robot().home_rad[4]
    };
    let (at_once, late) = (moved(0.0), moved(0.1));
    assert!(at_once > 0.02 && late < 0.8 * at_once, "{at_once} and {late} rad");
}
