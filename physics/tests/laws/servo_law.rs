//! A servo is a spring with a torque limit, a joint rubs and damps: I q'' = clamp(k (target - q)) - d q' +- friction.
//! Every term is seen alone, by what it does to one link on one hinge, and all together on a whole hand.

use crate::machines::{Clock, GRAVITY, HINGE_INERTIA_KG_M2, LINK_CENTER_M, LINK_MASS_KG, Machine, hinge, limp};
use crate::support;
use giraffe_physics::{EpisodePlan, HandSim, JointParameters, SceneModel};
use std::f32::consts::TAU;
use std::sync::Arc;

/// Far enough for any servo to be at its torque limit.
const OUT_OF_REACH_RAD: f32 = 25.0;
/// Torque of gravity about the hinge of a level link, N m.
const LEVEL_TORQUE: f32 = LINK_MASS_KG * GRAVITY * LINK_CENTER_M;

/// One weightless link whose joint has these numbers.
fn link(clock: Clock, change: impl Fn(&mut JointParameters)) -> Machine {
    hinge(clock, |plan| change(&mut plan.parameters.joints[0]))
}

fn clocks() -> [Clock; 2] {
    [Clock::FINE, Clock::training()]
}

/// k (q - target) = m g L cos q.
#[test]
fn a_spring_sags_by_the_torque_of_gravity_over_its_stiffness() {
    for clock in clocks() {
        for stiffness in [0.5, 3.0, 30.0] {
            let mut machine = hinge(clock, |plan| {
                plan.parameters.gravity_m_per_sec2 = [0.0, 0.0, -GRAVITY];
                plan.parameters.joints[0].stiffness_newton_m_per_rad = stiffness;
                plan.parameters.joints[0].damping_newton_m_secs_per_rad = 0.1;
            });
            machine.hold(0.0, 4.0);
            let sag = machine.angle();
            let error = sag / (LEVEL_TORQUE * sag.cos() / stiffness) - 1.0;
            println!("LAW sag k {stiffness} dt {}: {error:.2e}", clock.part_secs());
            assert!(error.abs() < 2e-3, "sags by {sag} rad, {error} off, k = {stiffness}, dt = {}", clock.part_secs());
        }
    }
}

/// q = torque t^2 / (2 I), by semi-implicit Euler torque t (t + dt) / (2 I).
#[test]
fn a_saturated_servo_accelerates_the_link_with_its_torque_limit() {
    for clock in clocks() {
        for (limit, armature) in [(0.01, 0.0), (0.1, 0.01), (1.0, 0.05)] {
            let mut machine = link(clock, |joint| {
                joint.effort_limit_newton_m = limit;
                joint.armature_kg_m2 = armature;
            });
            machine.hold(OUT_OF_REACH_RAD, 0.4);
            let secs = machine.secs();
            let expected = limit * secs * (secs + clock.part_secs()) / (2.0 * (HINGE_INERTIA_KG_M2 + armature));
            let error = machine.angle() / expected - 1.0;
            println!("LAW saturated {limit} N m dt {}: {error:.2e}", clock.part_secs());
            assert!(error.abs() < 2e-3, "{} rad, expected {expected}, dt = {}", machine.angle(), clock.part_secs());
        }
    }
}

/// Steady speed = torque limit / damping.
#[test]
fn damping_bounds_the_speed_of_a_saturated_servo() {
    for clock in clocks() {
        let mut machine = link(clock, |joint| {
            joint.effort_limit_newton_m = 0.2;
            joint.damping_newton_m_secs_per_rad = 0.05;
        });
        machine.hold(OUT_OF_REACH_RAD, 0.5);
        let error = machine.speed() / (0.2 / 0.05) - 1.0;
        println!("LAW terminal speed dt {}: {error:.2e}", clock.part_secs());
        assert!(error.abs() < 2e-3, "{} rad/s, dt = {}", machine.speed(), clock.part_secs());
    }
}

/// Dry friction (Coulomb): nothing moves under a smaller torque; a larger one has the difference left to accelerate.
#[test]
fn dry_friction_holds_the_torques_below_it_and_takes_itself_from_those_above() {
    for clock in clocks() {
        let torque = 0.05;
        let turned = |friction: f32| {
            let mut machine = link(clock, |joint| {
                joint.effort_limit_newton_m = torque;
                joint.friction_loss_newton_m = friction;
                joint.armature_kg_m2 = 0.01;
            });
            machine.hold(OUT_OF_REACH_RAD, 1.0);
            machine.angle()
        };
        let held = turned(1.02 * torque);
        println!("LAW dry friction holds dt {}: {held:.2e} rad", clock.part_secs());
        assert!(held.abs() < 1e-4, "crept {held} rad in 1 s, dt = {}", clock.part_secs());
        for friction in [0.0, 0.02, 0.045] {
            let expected = (torque - friction) * (1.0 + clock.part_secs()) / (2.0 * (HINGE_INERTIA_KG_M2 + 0.01));
            let error = turned(friction) / expected - 1.0;
            println!("LAW dry friction leaves {friction} dt {}: {error:.2e}", clock.part_secs());
            assert!(
                error.abs() < 2e-3,
                "{error} of {expected} rad with friction {friction}, dt = {}",
                clock.part_secs()
            );
        }
    }
}

/// A level link that only friction holds up.
#[test]
fn dry_friction_carries_a_link_against_gravity_or_does_not() {
    for clock in clocks() {
        let fallen = |friction: f32| {
            let mut machine = hinge(clock, |plan| {
                limp(plan);
                plan.parameters.gravity_m_per_sec2 = [0.0, 0.0, -GRAVITY];
                plan.parameters.joints[0].friction_loss_newton_m = friction;
            });
            machine.hold(0.0, 2.0);
            machine.angle()
        };
        let (held, slipped) = (fallen(1.05 * LEVEL_TORQUE), fallen(0.95 * LEVEL_TORQUE));
        println!("LAW friction against gravity dt {}: {held:.2e} rad, {slipped:.2e} rad", clock.part_secs());
        assert!(held.abs() < 1e-3, "sank by {held} rad in 2 s, dt = {}", clock.part_secs());
        assert!(slipped > 0.1, "stayed at {slipped} rad, dt = {}", clock.part_secs());
    }
}

/// q = 1 - (b e^(-a t) - a e^(-b t)) / (b - a), where a and b solve I s^2 - d s + k = 0 (over-damped oscillator).
fn over_damped_step(inertia: f32, damping: f32, stiffness: f32, secs: f32) -> f32 {
    let root = (damping * damping - 4.0 * inertia * stiffness).sqrt();
    let (a, b) = ((damping - root) / (2.0 * inertia), (damping + root) / (2.0 * inertia));
    1.0 - (b * (-a * secs).exp() - a * (-b * secs).exp()) / (b - a)
}

/// Where in a step the engine evaluates a servo's spring: 0.5 would be its middle, 1 its end.
const SPRING_AT: f32 = 0.7;

/// The same oscillator after `steps` steps with the damping at the end of each and the spring at [`SPRING_AT`]:
/// v' = (v + h k (1 - q) / I) / (1 + h d / I + s h^2 k / I), q' = q + h v'.
fn implicit_step(inertia: f32, damping: f32, stiffness: f32, step_secs: f32, steps: u32) -> f32 {
    let (mut angle, mut speed) = (0.0, 0.0);
    let slowed = 1.0 + step_secs * (damping + SPRING_AT * step_secs * stiffness) / inertia;
    for _ in 0..steps {
        speed = (speed + step_secs * stiffness * (1.0 - angle) / inertia) / slowed;
        angle += step_secs * speed;
    }
    angle
}

/// The numbers of a LEAP servo. At the training step the fast beginning of the jump is a little off, by exactly what the
/// difference equation is off.
#[test]
fn a_damped_servo_follows_a_jump_as_its_differential_equation_says() {
    let (armature, damping, stiffness) = (1.5e-3, 0.2, 3.0);
    let inertia = HINGE_INERTIA_KG_M2 + armature;
    for clock in [Clock::FINE, Clock::training()] {
        let mut machine = link(clock, |joint| {
            joint.armature_kg_m2 = armature;
            joint.damping_newton_m_secs_per_rad = damping;
            joint.stiffness_newton_m_per_rad = stiffness;
        });
        let (mut worst, mut worst_discrete) = (0.0_f32, 0.0_f32);
        while machine.secs() < 0.6 {
            machine.step(&[0.2]);
            let angle = machine.angle() / 0.2;
            let steps = (machine.secs() / clock.part_secs()).round() as u32;
            let discrete = implicit_step(inertia, damping, stiffness, clock.part_secs(), steps);
            worst = worst.max((angle - over_damped_step(inertia, damping, stiffness, machine.secs())).abs());
            worst_discrete = worst_discrete.max((angle - discrete).abs());
        }
        println!("LAW step response dt {}: {worst:.2e}, {worst_discrete:.2e} of the jump", clock.part_secs());
        assert!(worst_discrete < 1e-5, "{worst_discrete} of the jump, dt = {}", clock.part_secs());
        let allowed = if clock.part_secs() > 0.001 { 0.03 } else { 0.005 };
        assert!(worst < allowed, "{worst} of the jump, dt = {}", clock.part_secs());
        machine.hold(0.2, 2.0);
        assert!((machine.angle() - 0.2).abs() < 1e-5, "ends at {}", machine.angle());
    }
}

/// T = 2 pi sqrt(I / k). Only at fine steps: the implicit spring of the training step damps what swings this fast.
#[test]
fn an_undamped_servo_swings_with_the_period_of_a_torsion_pendulum() {
    let armature = 0.02;
    let mut machine = link(Clock::FINE, |joint| joint.armature_kg_m2 = armature);
    let mut crossings = Vec::new();
    let mut before = machine.angle() - 0.3;
    while crossings.len() < 6 && machine.secs() < 20.0 {
        let then = machine.secs();
        machine.step(&[0.3]);
        let now = machine.angle() - 0.3;
        if before < 0.0 && now >= 0.0 {
            crossings.push(then + (machine.secs() - then) * before / (before - now));
        }
        before = now;
    }
    let measured = (crossings[5] - crossings[0]) / 5.0;
    let expected = TAU * ((HINGE_INERTIA_KG_M2 + armature) / 3.0).sqrt();
    println!("LAW torsion pendulum: {:.2e}", measured / expected - 1.0);
    assert!((measured / expected - 1.0).abs() < 2e-3, "{measured} s, expected {expected} s");
}

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
fn gravity_torque_is_balanced_by_spring_torque_in_every_joint_of_a_hand() {
    // At rest stiffness * error must equal the gravity torque, whatever the stiffness: same torque twice.
    let scene = support::scene();
    let torque = |factor: f32| -> Vec<f32> {
        let error = errors(&scene, |plan| {
            plan.parameters.joints.iter_mut().for_each(|joint| joint.stiffness_newton_m_per_rad *= factor);
        });
        error.iter().zip(&scene.robot().joints).map(|(e, j)| e * j.stiffness_newton_m_per_rad * factor).collect()
    };
    let (soft, stiff) = (torque(2.0), torque(8.0));
    assert!(soft.iter().any(|torque| torque.abs() > 5e-3), "some joint bears weight: {soft:?}");
    for (a, b) in soft.iter().zip(stiff) {
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
