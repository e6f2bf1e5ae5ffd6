//! What nothing drives and nothing damps keeps its energy; what only loses never gains.

use crate::machines::{Clock, GRAVITY, Machine, chain, limp};
use crate::support;
use giraffe_physics::{HandSim, WorldParameters};
use giraffe_robots::{OBJECTS, RobotModel, Signal, load_robot};
use nalgebra::{Isometry3, Vector3};
use std::sync::Arc;

/// Kinetic and potential energy of a hand, J, from joint angles and speeds alone: links move as the description's own
/// kinematics says, so the engine's bookkeeping is not asked.
fn energy(robot: &RobotModel, parameters: &WorldParameters, angles: &[f32], speeds: &[f32]) -> f32 {
    // Central difference over this much time: the error of single precision and of curvature are both below 1e-4.
    const AROUND_SECS: f32 = 1e-3;
    let at = |secs: f32| {
        let moved: Vec<f32> = angles.iter().zip(speeds).map(|(angle, speed)| angle + secs * speed).collect();
        robot.forward_kinematics(&moved)
    };
    let (before, now, after) = (at(-AROUND_SECS), at(0.0), at(AROUND_SECS));
    let gravity = Vector3::from(parameters.gravity_m_per_sec2);
    let mut joules = 0.0;
    for (index, body) in robot.bodies.iter().enumerate().skip(1) {
        let mass = body.mass_kg * parameters.hand.link_mass_scale;
        let velocity =
            (after[index] * body.center_of_mass_m - before[index] * body.center_of_mass_m) / (2.0 * AROUND_SECS);
        let turn = (before[index].rotation.inverse() * after[index].rotation).scaled_axis() / (2.0 * AROUND_SECS);
        let spin = body.body_from_principal.inverse() * turn;
        let inertia = body.principal_inertia_kg_m2 * parameters.hand.link_mass_scale;
        joules += 0.5 * (mass * velocity.norm_squared() + inertia.component_mul(&spin).dot(&spin));
        joules -= mass * gravity.dot(&(now[index] * body.center_of_mass_m).coords);
    }
    let rotors = parameters.joints.iter().zip(speeds).map(|(joint, speed)| 0.5 * joint.armature_kg_m2 * speed * speed);
    joules + rotors.sum::<f32>()
}

/// Energies after every control step of a limp hand, J; the first is that of the start.
fn energies(machine: &mut Machine, secs: f32) -> Vec<f32> {
    let now = |machine: &Machine| {
        let (angles, speeds) = (machine.truth(Signal::JointPosition), machine.truth(Signal::JointVelocity));
        energy(machine.scene.robot(), &machine.sim.plan().parameters, &angles, &speeds)
    };
    let targets = vec![0.0; machine.scene.robot().joint_count()];
    let mut all = vec![now(machine)];
    while machine.secs() < secs {
        machine.step(&targets);
        all.push(now(machine));
    }
    all
}

fn most(joules: &[f32]) -> f32 {
    joules.iter().copied().fold(f32::NEG_INFINITY, f32::max)
}

fn least(joules: &[f32]) -> f32 {
    joules.iter().copied().fold(f32::INFINITY, f32::min)
}

/// Conservation of energy in a double pendulum that swings wide, where inertial couplings are at work. What is off is of
/// first order in the step, and a loss: 25 ms steps damp a swing like this one within seconds.
#[test]
fn a_free_double_pendulum_keeps_its_energy() {
    let finer = Clock::new(0.001, 10);
    for (clock, lost, gained) in [(finer, 0.01, 0.01), (Clock::training(), 1.0, 1e-3)] {
        let mut machine = chain(2, clock, |plan| {
            limp(plan);
            plan.parameters.gravity_m_per_sec2 = [GRAVITY, 0.0, 0.0];
            plan.start.joint_positions_rad = vec![1.2, 0.8];
        });
        let joules = energies(&mut machine, 3.0);
        let hanging = -0.1 * GRAVITY * (0.1 + 0.3);
        let at_stake = joules[0] - hanging;
        let (up, down) = ((most(&joules) - joules[0]) / at_stake, (joules[0] - least(&joules)) / at_stake);
        println!("LAW double pendulum dt {}: +{up:.2e} -{down:.2e} of what it swings with", clock.part_secs());
        assert!(up < gained && down < lost, "+{up} -{down} of the energy of its swing, dt {}", clock.part_secs());
    }
}

/// A LEAP hand without servos, damping and friction falls, swings and knocks against its limits: it may only lose.
#[test]
fn a_limp_hand_never_has_more_energy_than_at_the_start() {
    let robot = load_robot("leap-right").expect("the built-in hand");
    for (clock, tolerance) in [(Clock::FINE, 1e-3), (Clock::training(), 1e-3)] {
        let scene = clock.scene(robot.clone(), OBJECTS[0].clone());
        for gravity in [[0.0, 0.0, -GRAVITY], [0.0, GRAVITY, 0.0], [-GRAVITY, 0.0, 0.0]] {
            let mut plan = support::plan(&scene);
            limp(&mut plan);
            plan.parameters.gravity_m_per_sec2 = gravity;
            plan.start.palm_from_object = Isometry3::translation(5.0, 0.0, 0.0);
            for joint in &mut plan.parameters.joints {
                joint.damping_newton_m_secs_per_rad = 0.0;
                joint.friction_loss_newton_m = 0.0;
                joint.armature_kg_m2 *= 0.1;
            }
            let sim = HandSim::new(Arc::clone(&scene), plan);
            let mut machine = Machine { sim, sensed: support::frame(&scene), scene: Arc::clone(&scene) };
            let joules = energies(&mut machine, 2.0);
            let at_stake = joules[0] - least(&joules);
            let up = (most(&joules) - joules[0]) / at_stake;
            println!("LAW limp hand dt {} {gravity:?}: +{up:.2e} of {at_stake:.2e} J", clock.part_secs());
            assert!(at_stake > 0.01, "nothing fell: {at_stake} J");
            assert!(up < tolerance, "+{up} of {at_stake} J, dt {}", clock.part_secs());
        }
    }
}
