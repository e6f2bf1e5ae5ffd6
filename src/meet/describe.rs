//! What a hand is, whether it holds its object, and what a policy for a task reads, as tables.

use super::facts::Facts;
use super::hold::{HOLD_SECS, HoldShare, HomeCheck, check_home, hold_share};
use crate::run::config::{Parts, RunConfig};
use anyhow::Result;
use giraffe_physics::{EpisodePlan, EpisodeSampler, HandSim, SceneView};
use giraffe_randomization::NONE;
use giraffe_robots::{ImportReport, ObservationSchema, RobotModel};
use serde_json::json;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Text and JSON of a description.
pub struct Description {
    /// For people.
    pub text: String,
    /// For programs.
    pub json: serde_json::Value,
    /// What was not understood of somebody else's hand.
    pub import: ImportReport,
    /// What a person should know before training; nothing where all is well.
    pub warning: Option<String>,
    /// Hand and object as an episode starts.
    pub start: SceneView,
}

/// Describes the hand of a configuration, what it does at rest, and what its task makes a policy read. The share of
/// `hold_episodes` in which it keeps its object is measured where that is not zero. `None` when somebody said stop.
///
/// # Errors
/// When hand, object or task do not exist.
pub fn describe(config: &RunConfig, hold_episodes: usize, stop: &AtomicBool) -> Result<Option<Description>> {
    let parts = config.parts()?;
    let Some(check) = check_home(&parts, stop) else { return Ok(None) };
    let share = match hold_episodes {
        0 => None,
        count => match hold_share(&parts, count, stop) {
            None => return Ok(None),
            share => share,
        },
    };
    write_down(config, parts, check, share).map(Some)
}

fn write_down(config: &RunConfig, parts: Parts, check: HomeCheck, share: Option<HoldShare>) -> Result<Description> {
    let robot = parts.scene.robot();
    let sampler = parts.sampler(&config.randomization, &NONE, parts.seeds);
    let schema = ObservationSchema::new(parts.task.observation(robot), robot, sampler.parameters())?;
    let action = parts.task.action(robot);
    let object = parts.scene.object();
    let facts = Facts::of(&parts.scene);
    let mut text = robot_text(robot);
    let _ = write!(text, "\n{facts}{}", hold_text(&check, share.as_ref()));
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
        "facts": facts,
        "hold": check,
        "hold_share": share,
        "import": parts.import,
        "object": { "name": object.name, "mass_kg": object.mass_kg },
        "task": { "name": parts.task.name(), "doc": parts.task.doc(), "steps": parts.task.episode_step_count() },
        "action": action,
        "observation": { "schema": schema, "columns": schema.column_names(), "actor_width": schema.actor_width(),
            "critic_width": schema.critic_width(), "fingerprint": schema.actor_fingerprint() },
    });
    let start = HandSim::new(Arc::clone(&parts.scene), EpisodePlan::at_home(&parts.scene)).snapshot();
    Ok(Description { text, json, import: parts.import, warning: check.warning, start })
}

fn hold_text(check: &HomeCheck, share: Option<&HoldShare>) -> String {
    let HomeCheck { home, tried, lost, .. } = check;
    let mut text = match home.is_held() {
        true => {
            format!("at rest the object stays for {HOLD_SECS} s, {:.0} mm from where it starts", 1e3 * home.moved_m())
        }
        false => format!("at rest the object LEAVES the hand after {:.2} s", home.secs),
    };
    let _ = writeln!(text, "; of {tried} random starts {} keep it", tried - lost);
    if let Some(HoldShare { episodes, held, .. }) = share {
        let _ = writeln!(text, "over whole episodes of the task, nothing randomized, {held} of {episodes} keep it");
    }
    text
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
