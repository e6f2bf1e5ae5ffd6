//! What a hand is and what a policy for a task reads, as tables.

use crate::run::config::RunConfig;
use anyhow::Result;
use giraffe_physics::EpisodeSampler;
use giraffe_randomization::NONE;
use giraffe_robots::{ImportReport, ObservationSchema, RobotModel};
use serde_json::json;
use std::fmt::Write as _;

/// Text and JSON of a description.
pub struct Description {
    /// For people.
    pub text: String,
    /// For programs.
    pub json: serde_json::Value,
    /// What was not understood of somebody else's hand.
    pub import: ImportReport,
}

/// Describes the hand of a configuration and what its task makes a policy read.
///
/// # Errors
/// When hand, object or task do not exist.
pub fn describe(config: &RunConfig) -> Result<Description> {
    let parts = config.parts()?;
    let robot = parts.scene.robot();
    let sampler = parts.sampler(&config.randomization, &NONE, parts.seeds);
    let schema = ObservationSchema::new(parts.task.observation(robot), robot, sampler.parameters())?;
    let action = parts.task.action(robot);
    let object = parts.scene.object();
    let mut text = robot_text(robot);
    let _ = writeln!(text, "\nobject {}: {}, {} kg", object.name, object.doc, object.mass_kg);
    let _ = writeln!(
        text,
        "task {}: {}\n  {} control steps of {} s; an action moves each target by at most {} rad\n",
        parts.task.name(),
        parts.task.doc(),
        parts.task.episode_step_count(),
        robot.control.period_secs,
        action.max_rad_per_step
    );
    let _ = writeln!(text, "{schema}");
    let json = json!({
        "robot": robot_json(robot),
        "import": parts.import,
        "object": { "name": object.name, "mass_kg": object.mass_kg },
        "task": { "name": parts.task.name(), "doc": parts.task.doc(), "steps": parts.task.episode_step_count() },
        "action": action,
        "observation": { "schema": schema, "columns": schema.column_names(), "actor_width": schema.actor_width(),
            "critic_width": schema.critic_width(), "fingerprint": schema.actor_fingerprint() },
    });
    Ok(Description { text, json, import: parts.import })
}

fn robot_text(robot: &RobotModel) -> String {
    let mut text = format!(
        "{}: {} joints, {} servos, {} bodies, control every {} s, kinematics {}, dynamics {}\n\n{:<22}{:>9}{:>9}{:>11}{:>9}{:>11}{:>9}{:>9}\n",
        robot.name,
        robot.joint_count(),
        robot.actuated_joints().len(),
        robot.bodies.len(),
        robot.control.period_secs,
        robot.kinematics_fingerprint,
        robot.dynamics_fingerprint,
        "joint",
        "lower",
        "upper",
        "stiffness",
        "damping",
        "effort",
        "home",
        "device"
    );
    let _ =
        writeln!(text, "{:<22}{:>9}{:>9}{:>11}{:>9}{:>11}{:>9}", "", "rad", "rad", "N m/rad", "N m s", "N m", "rad");
    for (index, (joint, home)) in robot.joints.iter().zip(&robot.home_rad).enumerate() {
        let device = match robot.couplings.iter().find(|coupling| coupling.follower == index) {
            Some(coupling) => format!("  follows {}", robot.joints[coupling.leader].name),
            None => joint.device.map_or_else(|| "-".to_owned(), |device| device.id.to_string()),
        };
        let _ = writeln!(
            text,
            "{:<22}{:>9.3}{:>9.3}{:>11.3}{:>9.3}{:>11.4}{:>9.2}{:>9}",
            joint.name,
            joint.position_limits_rad.lower,
            joint.position_limits_rad.upper,
            joint.stiffness_newton_m_per_rad,
            joint.damping_newton_m_secs_per_rad,
            joint.effort_limit_newton_m,
            home,
            device
        );
    }
    text
}

fn robot_json(robot: &RobotModel) -> serde_json::Value {
    let joints: Vec<_> = robot
        .joints
        .iter()
        .map(|joint| {
            json!({
                "name": joint.name,
                "position_limits_rad": joint.position_limits_rad,
                "velocity_limit_rad_per_sec": joint.velocity_limit_rad_per_sec,
                "effort_limit_newton_m": joint.effort_limit_newton_m,
                "stiffness_newton_m_per_rad": joint.stiffness_newton_m_per_rad,
                "damping_newton_m_secs_per_rad": joint.damping_newton_m_secs_per_rad,
                "device": joint.device,
            })
        })
        .collect();
    json!({
        "name": robot.name,
        "joints": joints,
        "couplings": robot.couplings,
        "home_rad": robot.home_rad,
        "control_period_secs": robot.control.period_secs,
        "kinematics_fingerprint": robot.kinematics_fingerprint,
        "dynamics_fingerprint": robot.dynamics_fingerprint,
    })
}
