//! Any hand, written in giraffe's own form, is that hand.

use super::mjcf::{CLAW, claw};
use super::urdf::{GRIP, grip};
use super::{edit, needs, says};
use giraffe_robots::{
    ImportReport, Limits, ROBOTS, RobotModel, ServoKind, ServoLimits, load_robot, load_robot_with_report,
    read_robot_file, strict_folder,
};
use nalgebra::Isometry3;
use std::fs;
use std::process::Command;
use tempfile::TempDir;

fn written(robot: &RobotModel, report: &ImportReport) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in strict_folder(robot, report).files() {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn back(folder: &TempDir) -> RobotModel {
    let (robot, report) = load_robot_with_report(folder.path().to_str().unwrap()).unwrap_or_else(|e| panic!("{e}"));
    assert!(report.is_empty(), "{report}");
    robot
}

#[track_caller]
fn near(a: f32, b: f32) {
    assert!((a - b).abs() <= 3e-6 * a.abs().max(b.abs()).max(1e-6), "{a} and {b}");
}

#[track_caller]
fn same_pose(a: &Isometry3<f32>, b: &Isometry3<f32>) {
    let apart = (a.translation.vector - b.translation.vector).norm();
    assert!(apart < 1e-7 && a.rotation.coords.dot(&b.rotation.coords).abs() > 1.0 - 1e-6, "{a} and {b}");
}

/// Every field, names and orders included.
#[track_caller]
fn same_hand(a: &RobotModel, b: &RobotModel) {
    for (a, b) in a.bodies.iter().zip(&b.bodies) {
        assert_eq!((&a.name, a.parent, a.joint, a.geoms.len()), (&b.name, b.parent, b.joint, b.geoms.len()));
        same_pose(&a.parent_from_body, &b.parent_from_body);
        near(a.mass_kg, b.mass_kg);
        assert!((a.center_of_mass_m - b.center_of_mass_m).norm() < 1e-7, "{}", a.name);
        for (a, b) in a.principal_inertia_kg_m2.iter().zip(&b.principal_inertia_kg_m2) {
            assert!((a - b).abs() <= 1e-5 * a, "{a} and {b}");
        }
        assert!(a.body_from_principal.angle_to(&b.body_from_principal) < 1e-3, "{}", a.name);
        for (a, b) in a.geoms.iter().zip(&b.geoms) {
            assert_eq!((&a.name, a.shape, a.region, a.friction), (&b.name, b.shape, b.region, b.friction));
            same_pose(&a.body_from_geom, &b.body_from_geom);
        }
    }
    for (a, b) in a.joints.iter().zip(&b.joints) {
        assert_eq!((&a.name, a.body, a.device), (&b.name, b.body, b.device));
        assert_eq!(a.position_limits_rad, b.position_limits_rad, "{}", a.name);
        assert!((a.axis.into_inner() - b.axis.into_inner()).norm() < 1e-6 && (a.anchor_m - b.anchor_m).norm() < 1e-7);
        near(a.velocity_limit_rad_per_sec, b.velocity_limit_rad_per_sec);
        near(a.effort_limit_newton_m, b.effort_limit_newton_m);
        near(a.stiffness_newton_m_per_rad, b.stiffness_newton_m_per_rad);
        near(a.damping_newton_m_secs_per_rad, b.damping_newton_m_secs_per_rad);
        near(a.friction_loss_newton_m, b.friction_loss_newton_m);
        near(a.armature_kg_m2, b.armature_kg_m2);
    }
    assert_eq!((a.bodies.len(), a.joint_count()), (b.bodies.len(), b.joint_count()));
    assert_eq!((&a.couplings, &a.fingertips, &a.home_rad), (&b.couplings, &b.fingertips, &b.home_rad));
    assert_eq!((&a.contact_excludes, a.control, a.safety), (&b.contact_excludes, b.control, b.safety));
    assert_eq!(a.servos, b.servos);
    assert_eq!(a.palm_from_object_home, b.palm_from_object_home);
}

#[test]
fn every_built_in_hand_is_written_as_it_is() {
    for entry in ROBOTS {
        let robot = load_robot(entry.name).unwrap();
        let again = back(&written(&robot, &ImportReport::default()));
        same_hand(&robot, &again);
        assert_eq!(again.kinematics_fingerprint, robot.kinematics_fingerprint, "{}", entry.name);
        assert_eq!(again.dynamics_fingerprint, robot.dynamics_fingerprint, "{}", entry.name);
    }
}

#[test]
fn a_hand_of_others_is_written_as_it_was_read_and_every_liberty_with_it() {
    for (robot, report) in [claw(CLAW), grip(GRIP)] {
        let folder = written(&robot, &report);
        same_hand(&robot, &back(&folder));
        let readme = fs::read_to_string(folder.path().join("README.md")).unwrap();
        says(&readme, &[&robot.name, report.source.as_deref().unwrap()]);
        for entry in &report.entries {
            says(&readme, &[&entry.found, &entry.done]);
        }
    }
}

#[test]
fn a_hand_that_was_written_is_written_the_same_again() {
    let (robot, report) = claw(CLAW);
    let first = written(&robot, &report);
    let (file, _) = read_robot_file(&first.path().join("hand.xml")).unwrap();
    let second = strict_folder(&RobotModel { name: robot.name.clone(), ..file }, &ImportReport::default());
    assert_eq!(second.hand_xml, fs::read_to_string(first.path().join("hand.xml")).unwrap());
    assert_eq!(second.robot_toml, fs::read_to_string(first.path().join("robot.toml")).unwrap());
}

#[test]
fn what_was_searched_for_is_written() {
    let (mut robot, report) = claw(CLAW);
    robot.home_rad = vec![0.25, 0.5, 0.75, 1.0];
    robot.palm_from_object_home = Isometry3::translation(0.03, -0.001, 0.0625);
    robot.safety.servos =
        ServoLimits { peak_secs: 4.5, supply_v: Limits { lower: 4.0, upper: 12.5 }, ..robot.safety.servos };
    robot.servos = Some(ServoKind { model: "XL330 \"light\"".to_owned(), torque_constant_newton_m_per_a: 0.354 });
    same_hand(&robot, &back(&written(&robot, &report)));
}

#[test]
fn names_that_xml_and_toml_write_otherwise_stay_as_they_are() {
    let text = edit(CLAW, "<joint name=\"a1\"/>", "<joint name=\"a&amp;1 &lt;&quot;é\"/>");
    let text = edit(&text, "joint=\"a1\" class", "joint=\"a&amp;1 &lt;&quot;é\" class");
    let text = edit(&text, "body name=\"a_far\"", "body name=\"a -- far\\\"");
    let (robot, report) = claw(&text);
    assert_eq!(robot.joints[0].name, "a&1 <\"é");
    let folder = written(&RobotModel { name: "claw --- two--".to_owned(), ..robot.clone() }, &report);
    same_hand(&robot, &back(&folder));
}

/// Where MuJoCo puts the bodies, and what they weigh.
const ASK_MUJOCO: &str = "
import sys, mujoco
model = mujoco.MjModel.from_xml_path(sys.argv[1])
data = mujoco.MjData(model)
for line in sys.stdin:
    name, angle = line.rstrip('\\n').split('\\t')
    data.qpos[model.joint(name).qposadr[0]] = float(angle)
mujoco.mj_kinematics(model, data)
for index in range(1, model.nbody):
    print(model.body(index).name, model.body_mass[index], *data.xpos[index], sep='\\t')
";

#[test]
fn mujoco_reads_what_was_written_as_the_same_hand_where_it_is_installed() {
    let Some(python) = needs::python("mujoco", "MuJoCo reads what was written as the same hand") else { return };
    let built_in = ROBOTS.iter().map(|entry| (load_robot(entry.name).unwrap(), ImportReport::default()));
    for (robot, report) in built_in.chain([claw(CLAW), grip(GRIP)]) {
        let folder = written(&robot, &report);
        let (pose_rad, _) = robot.test_vector();
        let asked: String =
            robot.joints.iter().zip(&pose_rad).map(|(joint, angle)| format!("{}\t{angle}\n", joint.name)).collect();
        fs::write(folder.path().join("pose"), asked).unwrap();
        let pose = fs::File::open(folder.path().join("pose")).unwrap();
        let mut script = Command::new(&python);
        let answer = script.args(["-c", ASK_MUJOCO]).arg(folder.path().join("hand.xml")).stdin(pose).output().unwrap();
        assert!(answer.status.success(), "{}: {}", robot.name, String::from_utf8_lossy(&answer.stderr));
        let answer = String::from_utf8(answer.stdout).unwrap();
        let poses = robot.forward_kinematics(&pose_rad);
        assert_eq!(answer.lines().count(), robot.bodies.len());
        for (line, (body, pose)) in answer.lines().zip(robot.bodies.iter().zip(poses)) {
            let words: Vec<&str> = line.split('\t').collect();
            assert_eq!(words[0], body.name);
            let number = |index: usize| words[index].parse::<f32>().unwrap();
            // MuJoCo weighs the shapes of what is given no mass.
            assert!(body.mass_kg == 0.0 || (number(1) - body.mass_kg).abs() < 1e-6, "{line}");
            let at = nalgebra::Vector3::new(number(2), number(3), number(4));
            assert!((at - pose.translation.vector).norm() < 1e-5, "{}: {line}", robot.name);
        }
    }
}
