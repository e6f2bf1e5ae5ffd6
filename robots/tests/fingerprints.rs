//! What makes a hand another hand, and what does not.
#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "tests: a panic is the report, and exact numbers are meant")]

use giraffe_robots::load_robot;
use std::fs;

const HAND: &str = include_str!("../descriptions/leap-right/hand.xml");
const ROBOT: &str = include_str!("../descriptions/leap-right/robot.toml");

/// Kinematics and dynamics fingerprints after replacing `from` by `to` in either file.
fn after(from: &str, to: &str) -> (String, String) {
    assert!(HAND.contains(from) || ROBOT.contains(from), "{from}");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("hand.xml"), HAND.replacen(from, to, 1)).unwrap();
    fs::write(folder.path().join("robot.toml"), ROBOT.replacen(from, to, 1)).unwrap();
    fs::write(folder.path().join("README.md"), "Anything.").unwrap();
    let robot = load_robot(folder.path().to_str().unwrap()).unwrap();
    (robot.kinematics_fingerprint, robot.dynamics_fingerprint)
}

fn original() -> (String, String) {
    let robot = load_robot("leap-right").unwrap();
    (robot.kinematics_fingerprint, robot.dynamics_fingerprint)
}

#[test]
fn fingerprints_are_sixteen_hexadecimal_digits_and_survive_a_second_reading() {
    for fingerprint in [original().0, original().1] {
        assert_eq!(fingerprint.len(), 16);
        assert!(fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
    assert_eq!(original(), after("LEAP right hand", "Another comment"));
}

#[test]
fn order_names_limits_axes_links_and_fingertips_are_kinematics() {
    for (from, to) in [
        ("range=\"-0.314 2.23\"", "range=\"-0.314 2.22\""),
        ("axis=\"0 0 -1\"", "axis=\"0 0 1\""),
        ("pos=\"0 -0.0361 0.0002\"", "pos=\"0 -0.0371 0.0002\""),
        ("point_m = [0.0, -0.05, 0.015]", "point_m = [0.0, -0.04, 0.015]"),
    ] {
        let (kinematics, dynamics) = after(from, to);
        assert_ne!(kinematics, original().0, "{from}");
        assert_eq!(dynamics, original().1, "{from}");
    }
    let mut rows: Vec<&str> = ROBOT.lines().collect();
    let first = rows.iter().position(|line| line.contains("index_mcp_side")).unwrap();
    rows.swap(first, first + 1);
    assert_ne!(after(ROBOT, &rows.join("\n")).0, original().0, "order");
}

#[test]
fn masses_servos_shapes_and_friction_are_dynamics() {
    for (from, to) in [
        ("mass=\"0.044\"", "mass=\"0.045\""),
        ("kp=\"3\"", "kp=\"2\""),
        ("damping=\"0.2\"", "damping=\"0.1\""),
        ("friction=\"0.7\"", "friction=\"0.8\""),
        ("size=\"0.01 0.012 0.016\"", "size=\"0.01 0.012 0.015\""),
        ("velocity_limit_rad_per_sec = 8.48", "velocity_limit_rad_per_sec = 8.4"),
    ] {
        let (kinematics, dynamics) = after(from, to);
        assert_eq!(kinematics, original().0, "{from}");
        assert_ne!(dynamics, original().1, "{from}");
    }
}

#[test]
fn wiring_home_and_safety_are_neither() {
    for (from, to) in [
        ("zero_rad = 3.14159265", "zero_rad = 3.2"),
        ("tracking_band_rad = 0.5", "tracking_band_rad = 0.4"),
        ("position_m = [0.1, 0.0, 0.05]", "position_m = [0.1, 0.0, 0.06]"),
        ("qpos=\"0.8 0", "qpos=\"0.7 0"),
    ] {
        assert_eq!(after(from, to), original(), "{from}");
    }
}

#[test]
fn a_last_bit_or_the_sign_of_a_quaternion_is_no_other_hand() {
    assert_eq!(after("quat=\"0 0 0 1\"", "quat=\"0 0 0 -1\"").0, original().0);
    assert_eq!(after("pos=\"0 -0.0361 0.0002\"", "pos=\"0 -0.03610000001 0.0002\"").0, original().0);
}
