//! The README of a hand: where it comes from, what was done to read it, and what a person should correct.

use super::super::import::{ImportAction, ImportEntry, ImportReport};
use super::super::number::xml_number;
use crate::model::RobotModel;
use std::fmt::Write;

/// What no file of another program says well, and where it is said here.
const CHECK: &[(&str, &str)] = &[
    (
        "how the hand stands",
        "gravity is -z of the root body of `hand.xml`. To turn the hand, put its palm into a second body with a `quat`",
    ),
    ("resting pose", "the key `home` of `hand.xml`: an object must lie on it without being thrown off"),
    (
        "where the object starts",
        "`object_home` in `robot.toml`: above the palm, within reach of the fingertips, touching nothing",
    ),
    ("shapes", "few and convex; what touches the object matters, the fingertips most (`tip_geoms` in `robot.toml`)"),
    ("servos", "`kp`, `forcerange`, and `damping`, `armature` and `frictionloss` of each joint, best of all measured"),
    ("friction", "`friction` of each geom"),
    ("masses", "`mass` and `diaginertia` of each body: weigh what can be weighed"),
    ("wiring", "`device` of each joint in `robot.toml`: id, sign and zero. Without it no real hand can be served"),
    ("currents", "`[servos]` in `robot.toml`: their model, and the torque that a current is; see leap-right"),
    ("speed and safety", "`velocity_limit_rad_per_sec` and `[safety]` in `robot.toml`"),
];

/// The text.
pub(super) fn readme(robot: &RobotModel, report: &ImportReport) -> String {
    let mut text = format!("# {}\n\n", robot.name);
    match &report.source {
        Some(source) => line(&mut text, format_args!("Made by giraffe from `{source}`, in giraffe's own form.")),
        None => line(&mut text, format_args!("Written by giraffe in its own form.")),
    }
    text += "`hand.xml` is MJCF and loads in MuJoCo as it is. `robot.toml` adds what MJCF cannot say. Both are read \
             strictly:\nwhat is in them counts, and nothing is assumed. Editing this page changes no fingerprint.\n";
    let warnings: Vec<&ImportEntry> = entries(report, ImportAction::Warned).collect();
    if !warnings.is_empty() {
        text += "\n## Look at this first\n\n";
        list(&mut text, warnings.into_iter());
    }
    text += "\n## Every liberty that was taken\n\n";
    if report.is_empty() {
        text += "None: the file was in giraffe's own form.\n";
    }
    let kinds = [
        (ImportAction::Approximated, "Read as something near it:"),
        (ImportAction::Assumed, "Not said by the file, and chosen:"),
        (ImportAction::Ignored, "Not read:"),
    ];
    let kinds = kinds.into_iter().filter(|(action, _)| report.count(*action) > 0);
    for (index, (action, title)) in kinds.enumerate() {
        let gap = if index > 0 { "\n" } else { "" };
        line(&mut text, format_args!("{gap}{title}\n"));
        list(&mut text, entries(report, action));
    }
    text += "\n## What to check, and where\n\n| what | where |\n| --- | --- |\n";
    for (what, place) in CHECK {
        line(&mut text, format_args!("| {what} | {place} |"));
    }
    text += "\n## The hand\n\n";
    joints(&mut text, robot);
    text
}

fn line(text: &mut String, content: std::fmt::Arguments) {
    writeln!(text, "{content}").expect("writing to a string cannot fail");
}

fn entries(report: &ImportReport, action: ImportAction) -> impl Iterator<Item = &ImportEntry> {
    report.entries.iter().filter(move |entry| entry.action == action)
}

fn list<'e>(text: &mut String, entries: impl Iterator<Item = &'e ImportEntry>) {
    for entry in entries {
        let place = entry.line.map(|line| format!(":{line}")).unwrap_or_default();
        line(text, format_args!("- `{}{place}`: {}: {}", entry.file, entry.found, entry.done));
    }
}

fn joints(text: &mut String, robot: &RobotModel) {
    let kg: f32 = robot.bodies.iter().map(|body| body.mass_kg).sum();
    let (joints, servos) = (robot.joint_count(), robot.actuated_joints().len());
    let (bodies, geoms) = (robot.bodies.len(), robot.bodies.iter().map(|body| body.geoms.len()).sum::<usize>());
    line(
        text,
        format_args!(
            "{joints} joints, {servos} servos, {bodies} bodies of {kg:.3} kg together, {geoms} shapes, {} fingertips.\n",
            robot.fingertips.len()
        ),
    );
    *text += "| joint | range, rad | rests at, rad | stiffness, N m/rad | torque, N m | damping, N m s/rad | speed, rad/s |\n";
    *text += "| --- | --- | --- | --- | --- | --- | --- |\n";
    for (index, joint) in robot.joints.iter().enumerate() {
        let follows = robot.couplings.iter().find(|coupling| coupling.follower == index);
        let follows = follows.map(|coupling| format!(" (follows {})", robot.joints[coupling.leader].name));
        let (lower, upper) = (joint.position_limits_rad.lower, joint.position_limits_rad.upper);
        let [home, stiffness, torque, damping, speed] = [
            robot.home_rad[index],
            joint.stiffness_newton_m_per_rad,
            joint.effort_limit_newton_m,
            joint.damping_newton_m_secs_per_rad,
            joint.velocity_limit_rad_per_sec,
        ]
        .map(xml_number);
        line(
            text,
            format_args!(
                "| {}{} | {lower:.3} to {upper:.3} | {home} | {stiffness} | {torque} | {damping} | {speed} |",
                joint.name,
                follows.unwrap_or_default()
            ),
        );
    }
}
