//! A servo is a spring with a torque limit: torque = clamp(stiffness * (target - angle)).
//!
//! Seen at rest: the finger stands where spring and gravity balance, so a stiffer servo sags less and a weak one
//! cannot lift; the wrong motor model (acceleration-based, unlimited) would show no difference.

mod support;

use giraffe_physics::{EpisodePlan, HandSim, SceneModel};
use std::sync::Arc;

/// Steady errors of all joints, rad, for a hand that holds home without an object near.
fn errors(scene: &Arc<SceneModel>, change: impl Fn(&mut EpisodePlan)) -> Vec<f32> {
    let mut plan = support::plan(scene);
    plan.start.palm_from_object.translation.x = 5.0;
    for joint in &mut plan.parameters.joints {
        joint.friction_loss_newton_m = 0.0;
    }
    change(&mut plan);
    let mut sim = HandSim::new(Arc::clone(scene), plan);
    let mut sensed = support::frame(scene);
    let home = scene.robot().home_rad.clone();
    support::hold(&mut sim, &mut sensed, &home, 100);
    let at = sim.truth().read(giraffe_robots::Signal::JointPosition).expect("written").to_vec();
    at.iter().zip(&home).map(|(q, target)| target - q).collect()
}

#[test]
fn sag_under_gravity_is_inversely_proportional_to_stiffness() {
    let scene = support::scene();
    let scale = |factor: f32| {
        move |plan: &mut EpisodePlan| {
            plan.parameters.joints.iter_mut().for_each(|joint| joint.stiffness_newton_m_per_rad *= factor);
        }
    };
    let (soft, stiff) = (errors(&scene, scale(1.0)), errors(&scene, scale(4.0)));
    let worst = (0..soft.len()).max_by(|&a, &b| soft[a].abs().total_cmp(&soft[b].abs())).expect("joints");
    assert!(soft[worst].abs() > 2e-3, "some finger sags: {soft:?}");
    let ratio = soft[worst] / stiff[worst];
    assert!((ratio - 4.0).abs() < 0.25, "ratio of sags {ratio}");
}

#[test]
fn gravity_torque_is_balanced_by_spring_torque() {
    // At rest stiffness * error must equal the gravity torque, whatever the stiffness: same torque twice.
    let scene = support::scene();
    let torque = |factor: f32| -> Vec<f32> {
        let error = errors(&scene, |plan| {
            plan.parameters.joints.iter_mut().for_each(|joint| joint.stiffness_newton_m_per_rad *= factor);
        });
        error.iter().zip(&scene.robot().joints).map(|(e, j)| e * j.stiffness_newton_m_per_rad * factor).collect()
    };
    for (a, b) in torque(2.0).iter().zip(torque(8.0)) {
        assert!((a - b).abs() < 6e-4, "{a} N m and {b} N m");
    }
}

#[test]
fn a_servo_never_pushes_beyond_its_torque_limit() {
    // Gravity five times as strong needs more than 0.001 N m to hold a finger: a servo limited to that lets it fall.
    let scene = support::scene();
    let fall = |limit: f32| {
        errors(&scene, |plan| {
            plan.parameters.gravity_m_per_sec2 = [0.0, 0.0, -49.05];
            plan.parameters.joints.iter_mut().for_each(|joint| joint.effort_limit_newton_m = limit);
        })
        .iter()
        .fold(0.0_f32, |worst, e| worst.max(e.abs()))
    };
    let (weak, strong) = (fall(1e-3), fall(10.0));
    assert!(weak > 0.3, "a weak servo falls: {weak} rad");
    assert!(strong < 0.2, "a strong one holds: {strong} rad");
}
