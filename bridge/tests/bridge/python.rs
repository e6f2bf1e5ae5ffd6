//! Policies, trackers and controllers in Python at the other end of the link.

use crate::controller::{Controller, LAYOUT, Way, await_that, clock, endpoint, never};
use crate::hand::small_hand;
use crate::needs::python;
use giraffe_bridge::ClientSecurity;
use giraffe_bridge::conformance::{CheckOptions, CheckReport, Verdict, check};
use giraffe_robots::{Hand, SignalFrame, load_robot};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Runs a script of the examples, if there is a Python that can.
fn script(name: &str) -> Option<Command> {
    let python = python("zmq, msgpack, mujoco, numpy, tomllib", name)?;
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/python").join(name));
    Some(command)
}

/// A script in the background, ended when dropped.
struct Running(Child);

impl Running {
    /// Starts it and waits until it says that it listens.
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("listening"), "{line}");
        Self(child)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_policy_in_python_moves_one_joint_of_a_hand_in_rust() {
    let Some(mut client) = script("policy_client.py") else { return };
    let robot = load_robot("leap-right").unwrap();
    let controller = Controller::start(&robot, false);
    let joint = robot.joints[0].name.as_str();
    let ended = client.args(["--connect", &controller.endpoint, "--seconds", "2", "--joint", joint]).output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    assert!(String::from_utf8_lossy(&ended.stdout).contains("moved"), "{ended:?}");
    let told = controller.told.lock().unwrap();
    let targets: Vec<&Vec<f32>> = told.iter().flatten().map(|(targets, _)| targets).collect();
    let travel = |joint: usize| {
        let angles = targets.iter().map(|targets| targets[joint]);
        angles.clone().fold(f32::MIN, f32::max) - angles.fold(f32::MAX, f32::min)
    };
    assert!((0.1..0.3).contains(&travel(0)), "joint `{joint}` was sent {} rad about", travel(0));
    for other in 1..robot.joint_count() {
        assert!(travel(other) < 0.01, "joint {other} was sent {} rad about", travel(other));
    }
}

#[test]
fn a_tracker_in_python_shows_a_policy_in_rust_where_the_object_is() {
    let Some(mut tracker) = script("pose_publisher.py") else { return };
    let controller = Controller::start(&small_hand(), false);
    tracker.args(["--bind", &controller.endpoint]);
    let _tracker = Running::start(tracker);
    let mut client = controller.client(&small_hand(), Way::Plain).unwrap();
    let mut frame = SignalFrame::new(LAYOUT);
    let mut seen = Vec::new();
    await_that(|| {
        client.observe(&mut frame).unwrap();
        // It is hidden for half a second in ten.
        seen.extend(client.object_pose());
        seen.len() >= 20
    });
    let (first, last) = (seen[0], seen[seen.len() - 1]);
    assert!((first.position_m.x - 0.1).abs() < 1e-6, "{first:?}");
    assert!(first.palm_from_object.angle_to(&last.palm_from_object) > 1e-3, "it turns");
}

#[test]
fn the_controller_in_python_keeps_every_rule_of_the_protocol() {
    let Some(report) = checked(&[]) else { return };
    let failed: Vec<_> = report.rules.iter().filter(|rule| rule.verdict != Verdict::Passed).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(report.count(Verdict::Passed) >= 60, "{report:#?}");
}

#[test]
fn the_controller_in_python_keeps_every_rule_in_lock_step_where_it_knows_nothing_else() {
    let Some(report) = checked(&["--lockstep"]) else { return };
    let failed: Vec<_> = report.rules.iter().filter(|rule| rule.verdict == Verdict::Failed).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(report.count(Verdict::Skipped), 12, "what needs a clock, or is asked under another name: {report:#?}");
    assert!(report.count(Verdict::Passed) >= 60, "{report:#?}");
}

/// What a check finds of the hand in MuJoCo.
fn checked(more: &[&str]) -> Option<CheckReport> {
    let mut controller = script("mujoco_hand.py")?;
    let endpoint = endpoint();
    controller.args(["--seed", "3", "--bind", &endpoint]).args(more);
    let _controller = Running::start(controller);
    let robot = load_robot("leap-right").unwrap();
    let options = CheckOptions {
        endpoint,
        security: ClientSecurity::LocalOnly,
        robot,
        active: true,
        only: Vec::new(),
        patience_secs: 0.0,
    };
    Some(check(&options, &clock(), &never()).unwrap())
}
