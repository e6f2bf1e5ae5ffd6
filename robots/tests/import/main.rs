//! Somebody else's hand, as MJCF or URDF: what is read, what is said about the rest, and what is refused.
#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "tests: a panic is the report, and exact numbers are meant")]

mod liberties;
mod make;
mod meshes;
mod mistakes;
mod mjcf;
#[path = "../../../tests/support/needs.rs"]
mod needs;
mod numbers;
mod palms;
mod standing;
mod strict_folder;
mod urdf;

use giraffe_robots::{DescriptionError, ImportAction, ImportReport, RobotModel, read_robot_file};
use std::fs;
use tempfile::TempDir;

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// Reads the first of these files.
fn try_read(files: &[(&str, &str)]) -> Result<(RobotModel, ImportReport), DescriptionError> {
    let folder = folder(files);
    read_robot_file(&folder.path().join(files[0].0))
}

fn read(files: &[(&str, &str)]) -> (RobotModel, ImportReport) {
    try_read(files).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

/// Whether the report has an entry of this kind with all of `parts`.
#[track_caller]
fn reports(report: &ImportReport, action: ImportAction, parts: &[&str]) {
    let lines: Vec<String> =
        report.entries.iter().filter(|entry| entry.action == action).map(ToString::to_string).collect();
    assert!(
        lines.iter().any(|line| parts.iter().all(|part| line.contains(part))),
        "no {action} {parts:?} in\n{report}"
    );
}

/// `text` with the first `from` replaced.
#[track_caller]
fn edit(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "`{from}` is in the file");
    text.replacen(from, to, 1)
}

fn body(robot: &RobotModel, name: &str) -> usize {
    robot.bodies.iter().position(|body| body.name == name).unwrap_or_else(|| panic!("no body {name}"))
}

fn joint(robot: &RobotModel, name: &str) -> usize {
    robot.joints.iter().position(|joint| joint.name == name).unwrap_or_else(|| panic!("no joint {name}"))
}

/// The place in `text` where `anchor` stands first, as messages name it.
#[track_caller]
fn place(name: &str, text: &str, anchor: &str) -> String {
    let at = text.find(anchor).unwrap_or_else(|| panic!("`{anchor}` is in the file"));
    format!("{name}:{}: ", 1 + text[..at].matches('\n').count())
}
