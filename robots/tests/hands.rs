//! What holds for every built-in hand, and what is particular to each of the newer ones.
#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "tests: a panic is the report, and exact numbers are meant")]

#[path = "../../tests/support/needs.rs"]
mod needs;

use giraffe_robots::description::mirror;
use giraffe_robots::{Limits, ROBOTS, Region, RobotModel, load_robot};
use nalgebra::{Isometry3, Point3, Quaternion, Translation3, UnitQuaternion, Vector3};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn all() -> impl Iterator<Item = RobotModel> {
    ROBOTS.iter().map(|entry| load_robot(entry.name).unwrap())
}

fn descriptions() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("descriptions")
}

#[test]
fn every_folder_of_descriptions_is_a_built_in_hand() {
    let folders: BTreeSet<String> = std::fs::read_dir(descriptions())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(folders, ROBOTS.iter().map(|entry| entry.folder.to_owned()).collect());
    for folder in folders {
        assert!(descriptions().join(&folder).join("README.md").is_file(), "{folder} says where its figures come from");
    }
}

#[test]
fn every_hand_has_mass_where_it_moves_and_servos_that_can_move_it() {
    for robot in all() {
        for body in &robot.bodies {
            let moves = body.joint.is_some();
            assert!(!moves || body.mass_kg > 0.0, "{}: {}", robot.name, body.name);
            assert!(!moves || body.principal_inertia_kg_m2.min() > 0.0, "{}: {}", robot.name, body.name);
        }
        for joint in &robot.joints {
            let Limits { lower, upper } = joint.position_limits_rad;
            assert!(lower < upper && lower > -3.2 && upper < 3.2, "{}: {}", robot.name, joint.name);
            assert!(joint.effort_limit_newton_m > 0.0 && joint.stiffness_newton_m_per_rad > 0.0);
            assert!(joint.damping_newton_m_secs_per_rad > 0.0 && joint.velocity_limit_rad_per_sec > 0.0);
        }
    }
}

#[test]
fn every_hand_rests_within_its_limits_and_keeps_to_its_couplings() {
    for robot in all() {
        for (joint, angle) in robot.joints.iter().zip(&robot.home_rad) {
            assert!(joint.position_limits_rad.contains(*angle), "{}: {} at {angle}", robot.name, joint.name);
        }
        let mut coupled = robot.home_rad.clone();
        robot.couple(&mut coupled);
        assert_eq!(coupled, robot.home_rad, "{}", robot.name);
    }
}

#[test]
fn names_and_device_ids_of_every_hand_are_unique() {
    for robot in all() {
        let names: BTreeSet<&str> = robot.joints.iter().map(|joint| joint.name.as_str()).collect();
        assert_eq!(names.len(), robot.joint_count(), "{}", robot.name);
        let ids: Vec<u8> = robot.joints.iter().filter_map(|joint| joint.device).map(|device| device.id).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{}", robot.name);
    }
    let (kinematics, dynamics): (BTreeSet<String>, BTreeSet<String>) =
        all().map(|robot| (robot.kinematics_fingerprint, robot.dynamics_fingerprint)).unzip();
    assert_eq!(kinematics.len(), ROBOTS.len(), "a policy of one hand is at home in no other");
    assert_eq!(dynamics.len(), ROBOTS.len());
}

#[test]
fn every_hand_lies_palm_up_with_its_fingers_along_x() {
    for robot in all() {
        let flat: Vec<f32> = robot.joints.iter().map(|joint| joint.position_limits_rad.clamp(0.0)).collect();
        let closed: Vec<f32> = robot
            .joints
            .iter()
            .zip(&flat)
            .map(|(joint, flat)| {
                let closes = ["_mcp_forward", "_pip", "_dip"].iter().any(|end| joint.name.ends_with(end));
                if closes && !joint.name.starts_with("thumb") { flat + 0.5 } else { *flat }
            })
            .collect();
        let (open, closed) = (robot.fingertip_positions(&flat), robot.fingertip_positions(&closed));
        let side = if robot.name.ends_with("left") { -1.0 } else { 1.0 };
        for (tip, (open, closed)) in robot.fingertips.iter().zip(open.iter().zip(&closed)) {
            if tip.name == "thumb" {
                continue;
            }
            let name = format!("{}: {}", robot.name, tip.name);
            assert!(open.x > 0.15, "{name}: {open}");
            assert!(closed.z > open.z + 0.03 && closed.x < open.x - 0.01, "{name}: {open} to {closed}");
        }
        let y = |finger: &str| open[robot.fingertips.iter().position(|tip| tip.name == finger).unwrap()].y * side;
        assert!(y("index") < y("middle") && y("middle") < y("ring") && y("thumb") < y("middle"), "{}", robot.name);
    }
}

#[test]
fn the_object_starts_above_the_palm_within_reach_of_the_fingers() {
    for robot in all() {
        let object = robot.palm_from_object_home.translation.vector;
        assert!(object.z > 0.02 && object.z < 0.1, "{}", robot.name);
        for tip in robot.fingertip_positions(&robot.home_rad) {
            assert!((tip.coords - object).norm() < 0.13, "{}: {tip}", robot.name);
        }
    }
}

#[test]
fn regions_of_every_hand_are_told_apart() {
    for robot in all() {
        let count = |region| robot.bodies.iter().flat_map(|body| &body.geoms).filter(|g| g.region == region).count();
        assert_eq!(count(Region::Tip), robot.fingertips.len(), "{}", robot.name);
        assert!(count(Region::Link) > 0 && count(Region::Palm) > 0, "{}", robot.name);
    }
}

#[test]
fn the_shadow_hand_has_its_wrist_locked_unless_asked() {
    let (locked, free) = (load_robot("shadow-right").unwrap(), load_robot("shadow-right-wrist").unwrap());
    assert_eq!((locked.joint_count(), locked.actuated_joints().len()), (22, 18));
    assert_eq!((free.joint_count(), free.actuated_joints().len()), (24, 20));
    assert_eq!(
        free.joints[..2].iter().map(|joint| joint.name.as_str()).collect::<Vec<_>>(),
        ["wrist_side", "wrist_forward"]
    );
    let fingers_rad = locked.test_vector().0;
    let whole_rad = [&free.home_rad[..2], &fingers_rad].concat();
    for (a, b) in locked.fingertip_positions(&fingers_rad).iter().zip(free.fingertip_positions(&whole_rad)) {
        assert!((a - b).norm() < 1e-6, "{a} and {b}");
    }
    // Five chains, each of its own, hang on what does not move.
    let still = |body: usize| {
        std::iter::successors(Some(body), |b| locked.bodies[*b].parent).all(|b| locked.bodies[b].joint.is_none())
    };
    let chains = locked.bodies.iter().filter(|body| body.joint.is_some() && body.parent.is_some_and(still)).count();
    assert_eq!(chains, 5);
}

#[test]
fn the_last_joint_of_each_shadow_finger_follows_the_one_before() {
    for robot in ["shadow-right", "shadow-right-wrist"].map(|name| load_robot(name).unwrap()) {
        let name = |joint: usize| robot.joints[joint].name.as_str();
        let pairs: Vec<[&str; 2]> = robot.couplings.iter().map(|c| [name(c.leader), name(c.follower)]).collect();
        let expected = ["index", "middle", "ring", "little"].map(|f| [format!("{f}_pip"), format!("{f}_dip")]);
        assert_eq!(pairs, expected);
        for coupling in &robot.couplings {
            assert_eq!((coupling.ratio, coupling.offset_rad), (1.0, 0.0));
            let [leader, follower] = [coupling.leader, coupling.follower].map(|joint| &robot.joints[joint]);
            assert_eq!(leader.stiffness_newton_m_per_rad, follower.stiffness_newton_m_per_rad);
        }
    }
}

#[test]
fn the_left_hand_is_what_the_derivation_makes_of_the_right_one() {
    let read = |file: &str| std::fs::read_to_string(descriptions().join(file)).unwrap();
    let derived = mirror("leap-right", &read("leap-right/hand.xml"), &read("leap-right/robot.toml"), "leap-left");
    let hint = "run the example `mirror`";
    let (hand_xml, robot_toml) = derived.unwrap();
    assert!(hand_xml == read("leap-left/hand.xml"), "{hint}");
    assert!(robot_toml == read("leap-left/robot.toml"), "{hint}");
}

#[test]
fn the_mirror_image_of_the_mirror_image_is_the_hand() {
    let read = |file: &str| std::fs::read_to_string(descriptions().join(file)).unwrap();
    for folder in ["leap-right", "allegro-right", "shadow-right"] {
        let (xml, toml) = (read(&format!("{folder}/hand.xml")), read(&format!("{folder}/robot.toml")));
        let (left_xml, left_toml) = mirror(folder, &xml, &toml, "left").unwrap();
        let again = mirror("left", &left_xml, &left_toml, folder).unwrap().0;
        let body = |text: &str| text[text.find("<mujoco").unwrap()..].to_owned();
        assert_eq!(body(&again), body(&xml), "{folder}");
        assert_ne!(body(&left_xml), body(&xml), "{folder}");
    }
}

#[test]
fn a_hand_whose_axes_are_left_to_a_default_is_not_mirrored_wrongly() {
    let read = |file: &str| std::fs::read_to_string(descriptions().join("leap-right").join(file)).unwrap();
    let without = read("hand.xml").replacen(" axis=\"0 0 -1\"", "", 1);
    let said = mirror("leap-right", &without, &read("robot.toml"), "leap-left").unwrap_err().to_string();
    assert!(said.contains("give every joint an `axis`"), "{said}");
}

/// A pose as a mirror in the xz plane shows it.
fn reflected(pose: &Isometry3<f32>) -> Isometry3<f32> {
    let (at, turn) = (pose.translation.vector, pose.rotation);
    let turn = UnitQuaternion::from_quaternion(Quaternion::new(turn.w, -turn.i, turn.j, -turn.k));
    Isometry3::from_parts(Translation3::from(Vector3::new(at.x, -at.y, at.z)), turn)
}

proptest! {
    #[test]
    fn the_same_angles_put_the_left_hand_where_a_mirror_shows_the_right_one(
        fractions in prop::array::uniform16(0.0..=1.0f32),
    ) {
        let (right, left) = (load_robot("leap-right").unwrap(), load_robot("leap-left").unwrap());
        let angle = |(joint, fraction): (&giraffe_robots::JointModel, f32)| {
            let Limits { lower, upper } = joint.position_limits_rad;
            lower + fraction * (upper - lower)
        };
        let pose_rad: Vec<f32> = right.joints.iter().zip(fractions).map(angle).collect();
        for (a, b) in right.forward_kinematics(&pose_rad).iter().zip(left.forward_kinematics(&pose_rad)) {
            let image = reflected(a);
            prop_assert!((image.translation.vector - b.translation.vector).norm() < 1e-5);
            prop_assert!(image.rotation.angle_to(&b.rotation) < 1e-3);
        }
        for (a, b) in right.fingertip_positions(&pose_rad).iter().zip(left.fingertip_positions(&pose_rad)) {
            prop_assert!((Point3::new(a.x, -a.y, a.z) - b).norm() < 1e-5);
        }
    }
}

/// Fingertips of each hand at its test vector, as MuJoCo 4.0.0 puts them on the same file (`check_mujoco.py`).
const MUJOCO_FINGERTIPS_M: &[(&str, &str, [f32; 3])] = &[
    ("allegro-right", "index", [0.133374, -0.053035, 0.079195]),
    ("allegro-right", "middle", [0.112002, 0.022574, 0.084815]),
    ("allegro-right", "ring", [0.146046, 0.044883, 0.080095]),
    ("allegro-right", "thumb", [0.0786, -0.081133, 0.063084]),
    ("shadow-right", "index", [0.123013, -0.031614, 0.049288]),
    ("shadow-right", "middle", [0.105491, -0.012125, 0.058623]),
    ("shadow-right", "ring", [0.130344, 0.010077, 0.048673]),
    ("shadow-right", "little", [0.103621, 0.022232, 0.056905]),
    ("shadow-right", "thumb", [0.07498, -0.067546, 0.062363]),
    ("shadow-right-wrist", "index", [0.150057, -0.004364, 0.017767]),
    ("shadow-right-wrist", "thumb", [0.092323, -0.054614, 0.049098]),
];

#[test]
fn fingertips_stand_where_mujoco_puts_them() {
    for (robot, finger, expected) in MUJOCO_FINGERTIPS_M {
        let robot = load_robot(robot).unwrap();
        let tip = robot.fingertips.iter().position(|tip| tip.name == *finger).unwrap();
        let found = robot.test_vector().1[tip];
        assert!((found - Point3::from(*expected)).norm() < 1e-5, "{} {finger}: {found}", robot.name);
    }
}

#[test]
fn mujoco_agrees_on_every_hand_where_it_is_installed() {
    let Some(python) = needs::python("mujoco", "MuJoCo agrees on every hand") else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("check_mujoco.py");
    let mut check = Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = String::new();
    for (entry, robot) in ROBOTS.iter().zip(all()) {
        let name = entry.name;
        lines += &format!("{name} folder {}\n", entry.folder);
        let (pose_rad, fingertips_m) = robot.test_vector();
        for (joint, angle) in robot.joints.iter().zip(pose_rad) {
            lines += &format!("{name} joint {} {angle}\n", joint.name);
        }
        for coupling in &robot.couplings {
            let [follower, leader] = [coupling.follower, coupling.leader].map(|joint| &robot.joints[joint].name);
            lines += &format!("{name} coupling {follower} {leader} {} {}\n", coupling.ratio, coupling.offset_rad);
        }
        for (tip, at) in robot.fingertips.iter().zip(fingertips_m) {
            let (body, point) = (&robot.bodies[tip.body].name, tip.point_m);
            lines += &format!("{name} fingertip {} {body} {} {} {}", tip.name, point.x, point.y, point.z);
            lines += &format!(" {} {} {}\n", at.x, at.y, at.z);
        }
    }
    check.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    assert!(check.wait().unwrap().success(), "what differs stands above");
}
