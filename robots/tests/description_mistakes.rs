//! Every mistake in a description is one clear message with its place, never a panic.
#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "tests: a panic is the report, and exact numbers are meant")]

use giraffe_robots::{DescriptionError, load_robot};
use proptest::prelude::*;
use std::fs;

const HAND: &str = include_str!("../descriptions/leap-right/hand.xml");
const ROBOT: &str = include_str!("../descriptions/leap-right/robot.toml");

fn load(hand_xml: &[u8], robot_toml: &[u8]) -> Result<(), DescriptionError> {
    let folder = tempfile::Builder::new().prefix("my-hand").tempdir().unwrap();
    fs::write(folder.path().join("hand.xml"), hand_xml).unwrap();
    fs::write(folder.path().join("robot.toml"), robot_toml).unwrap();
    load_robot(folder.path().to_str().unwrap()).map(|_| ())
}

/// `text` with the first `from` replaced, and the line it stood on.
fn edit(text: &str, from: &str, to: &str) -> (String, usize) {
    let at = text.find(from).unwrap_or_else(|| panic!("`{from}` is in the file"));
    (text.replacen(from, to, 1), 1 + text[..at].matches('\n').count())
}

/// What is said about `hand.xml` after an edit. It must name the line of the edit, give or take a line break
/// inside the element.
fn about_hand(from: &str, to: &str) -> String {
    let (text, line) = edit(HAND, from, to);
    let said = load(text.as_bytes(), ROBOT.as_bytes()).unwrap_err().to_string();
    let lines = [line - 1, line].map(|line| format!("hand.xml:{line}: "));
    assert!(lines.iter().any(|place| said.contains(place)), "{said} (edited line {line})");
    said
}

/// What is said about `hand.xml` after an edit whose line cannot be named.
fn about_whole_hand(from: &str, to: &str) -> String {
    load(edit(HAND, from, to).0.as_bytes(), ROBOT.as_bytes()).unwrap_err().to_string()
}

fn about_robot(from: &str, to: &str) -> String {
    let (text, line) = edit(ROBOT, from, to);
    let said = load(HAND.as_bytes(), text.as_bytes()).unwrap_err().to_string();
    assert!(said.contains(&format!("robot.toml:{line}: ")), "{said} (edited line {line})");
    said
}

#[track_caller]
fn says(message: String, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

#[test]
fn the_files_themselves_load_from_a_folder_of_any_name() {
    load(HAND.as_bytes(), ROBOT.as_bytes()).unwrap();
}

#[test]
fn an_unknown_robot_is_answered_with_the_nearest_name() {
    says(load_robot("leap-rihgt").unwrap_err().to_string(), &["did you mean `leap-right`?", "path of a folder"]);
}

#[test]
fn a_folder_without_files_is_answered_with_the_missing_file() {
    let folder = tempfile::tempdir().unwrap();
    says(load_robot(folder.path().to_str().unwrap()).unwrap_err().to_string(), &["hand.xml", "robot.toml"]);
}

#[test]
fn a_file_above_a_mebibyte_is_not_read() {
    let huge = vec![b' '; (1 << 20) + 1];
    says(load(&huge, ROBOT.as_bytes()).unwrap_err().to_string(), &["hand.xml", "larger than 1048576 bytes"]);
    says(load(HAND.as_bytes(), &huge).unwrap_err().to_string(), &["robot.toml", "larger"]);
}

#[test]
fn of_a_file_of_a_hundred_megabytes_no_more_than_a_mebibyte_is_read() {
    let folder = tempfile::tempdir().unwrap();
    fs::File::create(folder.path().join("hand.xml")).unwrap().set_len(100_000_000).unwrap();
    fs::write(folder.path().join("robot.toml"), ROBOT).unwrap();
    let said = load_robot(folder.path().to_str().unwrap()).unwrap_err().to_string();
    says(said, &["hand.xml", "larger than 1048576 bytes"]);
}

#[test]
fn a_file_that_is_not_text_is_refused() {
    says(load(&[0xff, 0xfe, 0x00], ROBOT.as_bytes()).unwrap_err().to_string(), &["hand.xml", "UTF-8"]);
}

#[test]
fn a_file_that_is_not_xml_is_refused_with_its_line() {
    says(load(b"<mujoco>\n<worldbody></mujoco>", b"").unwrap_err().to_string(), &["hand.xml:2", "not XML"]);
    says(load(b"", b"").unwrap_err().to_string(), &["hand.xml", "not XML"]);
    says(load(b"<robot/>", b"").unwrap_err().to_string(), &["expected a <mujoco> file, found <robot>"]);
}

#[test]
fn nesting_deeper_than_any_hand_is_refused() {
    let nested = |depth: usize| {
        let text = format!("<mujoco><worldbody>{}{}", "<body>".repeat(depth), "</body>".repeat(depth));
        load(format!("{text}</worldbody></mujoco>").as_bytes(), b"").unwrap_err().to_string()
    };
    for depth in [100, 60_000] {
        says(nested(depth), &["hand.xml:1: elements are nested deeper than 64"]);
    }
    says(nested(50), &["a <body> has no name"]);
    let veiled = "<body><![CDATA[></body>]]><!--></body>--><?a ></body>?>".repeat(10_000);
    let said = load(format!("<mujoco><worldbody>{veiled}").as_bytes(), b"").unwrap_err().to_string();
    says(said, &["elements are nested deeper than 64"]);
}

#[test]
fn what_giraffe_would_drop_in_silence_is_refused() {
    says(about_hand("<contact>", "<tendon/><contact>"), &["<tendon> in <mujoco> is not read"]);
    says(about_hand("mass=\"0.237\"", "masss=\"0.237\""), &["`masss` of <inertial>", "did you mean `mass`?"]);
    says(about_hand("frictionloss=\"0.02\"", "actuatorfrcrange=\"-1 1\""), &["write the torque limit as `forcerange`"]);
    says(about_hand("<worldbody>", "<worldbody><geom/>"), &["<geom> in <worldbody> is not read"]);
    says(about_hand("<option", "<include file=\"x\"/><option"), &["a description is one file"]);
}

#[test]
fn a_number_that_is_none_is_refused() {
    says(about_hand("mass=\"0.044\"", "mass=\"NaN\""), &["`mass` of <inertial> holds `NaN`"]);
    says(about_hand("0.124 -0.0305", "0.124 -inf"), &["`pos` of <body> holds `-inf`"]);
    says(about_hand("0.124 -0.0305", "0.124 -0,0305"), &["`-0,0305`, which is not a finite number"]);
    says(about_hand("pos=\"0.124 -0.0305", "pos=\"0.124"), &["`pos` of <body> holds 2 numbers instead of 3"]);
}

#[test]
fn an_axis_or_quaternion_of_zeros_is_refused() {
    says(about_hand("quat=\"0 1 0 -0.175\"", "quat=\"0 0 0 0\""), &["no direction"]);
    says(about_hand("axis=\"0 0 -1\"", "axis=\"0 0 0\""), &["no direction"]);
}

#[test]
fn masses_and_inertias_that_no_body_has_are_refused() {
    says(about_hand_of_body("mass=\"0.044\"", "mass=\"0\""), &["`index_knuckle`: mass 0 kg"]);
    says(about_hand_of_body("mass=\"0.044\"", "mass=\"-0.044\""), &["mass -0.044 kg"]);
    says(about_hand_of_body("1.74972e-05 1.61504e-05", "1.74972e-05 -1.6e-05"), &["moments are positive"]);
    says(about_hand_of_body("1.74972e-05 1.61504e-05", "1.74972e-03 1.61504e-05"), &["the other two's sum"]);
}

/// The place is that of the <body>, a few lines above its <inertial>.
fn about_hand_of_body(from: &str, to: &str) -> String {
    let said = about_whole_hand(from, to);
    let (_, body) = edit(HAND, "<body name=\"index_knuckle\"", "");
    assert!(said.contains(&format!("hand.xml:{body}: ")), "{said}");
    said
}

#[test]
fn a_moving_body_without_inertia_is_refused() {
    let start = HAND.find("<inertial pos=\"-0.022516").unwrap();
    let end = start + HAND[start..].find("/>").unwrap() + 2;
    let without = format!("{}{}", &HAND[..start], &HAND[end..]);
    says(
        load(without.as_bytes(), ROBOT.as_bytes()).unwrap_err().to_string(),
        &["index_knuckle", "needs an <inertial>"],
    );
}

#[test]
fn a_range_upside_down_is_refused() {
    says(about_whole_hand("range=\"-0.314 2.23\"", "range=\"2.23 -0.314\""), &["index_mcp_forward", "2.23 -0.314"]);
}

#[test]
fn a_joint_that_is_no_hinge_or_has_no_limits_is_refused() {
    says(about_hand("<joint name=\"index_pip\"", "<joint type=\"slide\" name=\"index_pip\""), &["index_pip", "hinge"]);
    says(about_whole_hand("<joint range=\"-0.314 2.23\"/>", ""), &["index_mcp_forward", "no `range`"]);
}

#[test]
fn an_unsupported_shape_is_refused() {
    let edited = about_hand("<geom name=\"index_tip\"", "<geom type=\"ellipsoid\" name=\"index_tip\"");
    says(edited, &["<geom> `index_tip`", "`ellipsoid` is not supported", "box, capsule, cylinder or sphere"]);
    says(about_hand("0.002 0.025 0.005", "0.002 0.025"), &["mount_rail", "3 positive numbers"]);
    says(about_hand("<geom name=\"index_tip\"", "<geom friction=\"-1\" name=\"index_tip\""), &["friction -1"]);
}

#[test]
fn a_class_that_nobody_declares_is_refused() {
    says(about_hand("class=\"finger_pip\"/>\n          ", "class=\"finger_pipp\"/>\n          "), &["`finger_pipp`"]);
}

#[test]
fn a_servo_that_cannot_be_is_refused() {
    let servo = "<position name=\"index_pip\" joint=\"index_pip\" class=\"hand\"/>";
    says(about_whole_hand(servo, ""), &["index_pip", "exactly one <position> actuator"]);
    says(about_whole_hand(servo, &servo.repeat(2)), &["exactly one <position> actuator"]);
    says(about_hand(servo, "<motor joint=\"index_pip\"/>"), &["servos are <position> actuators"]);
    says(about_hand(servo, &servo.replace("/>", " kp=\"0\"/>")), &["`kp`"]);
    says(about_hand(servo, &servo.replace("/>", " forcerange=\"-1 2\"/>")), &["as large in both directions"]);
}

#[test]
fn names_must_be_there_and_be_unique() {
    says(about_whole_hand("name=\"middle_pip\"", "name=\"index_pip\""), &["`index_pip`: this name is used twice"]);
    says(about_whole_hand("<geom name=\"index_tip\" ", "<geom "), &["a <geom> has no name"]);
}

#[test]
fn the_root_must_be_the_palm_frame() {
    says(about_hand("<body name=\"mount\"", "<body pos=\"0 0 1\" name=\"mount\""), &["the root is the palm frame"]);
    says(about_whole_hand("<worldbody>", "<worldbody><body name=\"b\"/>"), &["holds 2 bodies"]);
}

#[test]
fn the_resting_pose_must_be_there_and_within_limits() {
    says(about_whole_hand("<key name=\"home\"", "<key name=\"hom\""), &["no <key name=\"home\""]);
    says(about_whole_hand("qpos=\"0.8 0 0.8 0.8", "qpos=\"0.8 0 0.8"), &["15 angles for 16 joints"]);
    says(about_whole_hand("qpos=\"0.8 0 0.8", "qpos=\"0.8 2 0.8"), &["2 rad for `index_mcp_side`", "-1.047 to 1.047"]);
}

#[test]
fn an_excluded_pair_must_name_bodies() {
    says(about_hand("body2=\"index_knuckle\"", "body2=\"index\""), &["the body `index`, which is not there"]);
}

#[test]
fn an_unknown_key_of_robot_toml_is_refused() {
    says(about_robot("period_secs = 0.05", "period_sec = 0.05"), &["unknown field `period_sec`"]);
    says(about_robot("id = 3, ", "id = 3, torque = 1, "), &["unknown field `torque`"]);
    says(about_robot("hold = \"last_target\"", "hold = \"tightly\""), &["tightly"]);
    assert!(load(HAND.as_bytes(), b"joints = [").is_err());
}

#[test]
fn every_joint_of_the_hand_must_be_listed_once() {
    let row = ROBOT.lines().find(|line| line.contains("\"ring_dip\"")).unwrap();
    let missing = load(HAND.as_bytes(), ROBOT.replacen(row, "", 1).as_bytes()).unwrap_err().to_string();
    says(missing, &["robot.toml: `joints` lacks `ring_dip`"]);
    says(about_robot("\"ring_dip\"", "\"ring_dop\""), &["no joint `ring_dop`", "did you mean `ring_dip`?"]);
    says(about_robot("\"ring_dip\"", "\"ring_pip\""), &["joint `ring_pip` is listed twice"]);
    says(about_robot("id = 11,", "id = 10,"), &["device id 10 is used twice"]);
}

#[test]
fn numbers_of_robot_toml_must_make_sense() {
    says(about_robot("id = 3, sign = 1", "id = 3, sign = 2"), &["`sign` is 2"]);
    says(about_robot("8.48 },\n    { name = \"index_pip\"", "nan },\n    { name = \"index_pip\""), &["velocity_limit"]);
}

#[test]
fn control_and_safety_must_be_possible() {
    says(about_robot_section("[control]", "period_secs = 0.05", "period_secs = 0"), &["`period_secs` is 0"]);
    says(
        about_robot_section("[safety]", "tracking_band_rad = 0.5", "tracking_band_rad = -1"),
        &["`tracking_band_rad`"],
    );
    let short = about_robot_section("[safety]", "hold_after_secs = 0.15", "hold_after_secs = 0.01");
    says(short, &["hold between commands"]);
    let last = "hold = \"last_target\"";
    for (servos, named) in [
        ("peak_current_a = 0.2", "servos.peak_current_a"),
        ("hold_from_celsius = 50", "servos.hold_from_celsius"),
        ("continuous_current_a = nan", "servos.continuous_current_a"),
        ("least_effort = 0", "servos.least_effort"),
        ("supply_v = { lower = 6, upper = 5 }", "servos.supply_v.upper"),
    ] {
        let all = format!("{last}\nservos = {{ {servos} }}");
        says(about_robot_section("[safety]", last, &all), &[named]);
    }
    let constant = "torque_constant_newton_m_per_a = 0.366";
    for (from, to, named) in [
        (constant, "torque_constant_newton_m_per_a = -0.366", "servos.torque_constant_newton_m_per_a"),
        (constant, "torque_constant_newton_m_per_a = nan", "servos.torque_constant_newton_m_per_a"),
        ("model = \"XC330-M288\"", "model = \" \"", "servos.model"),
    ] {
        says(about_robot_section("[servos]", from, to), &[named]);
    }
    says(about_robot_section("[object_home]", "[0.1, 0.0, 0.05]", "[0.1, inf, 0.05]"), &["must be finite"]);
}

/// The place is the heading of the section.
fn about_robot_section(heading: &str, from: &str, to: &str) -> String {
    let said = load(HAND.as_bytes(), edit(ROBOT, from, to).0.as_bytes()).unwrap_err().to_string();
    let (_, line) = edit(ROBOT, heading, "");
    assert!(said.contains(&format!("robot.toml:{line}: ")), "{said}");
    said
}

#[test]
fn regions_and_fingertips_must_name_what_is_there() {
    says(about_robot_section("[regions]", "\"ring_tip\"", "\"ring_top\""), &["no geom `ring_top`", "`ring_tip`?"]);
    says(about_robot_section("[regions]", "\"mount\"", "\"mont\""), &["no body `mont`"]);
    says(about_robot("body = \"ring_distal\"", "body = \"ring\""), &["no body `ring`"]);
    says(about_robot("{ name = \"ring\", body", "{ name = \"index\", body"), &["fingertip `index` is listed twice"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_file_is_read_or_refused_but_never_panics(at in 0.0..1.0f64, length in 0usize..40, put in prop::collection::vec(any::<char>(), 0..=6)) {
        for (text, is_hand) in [(HAND, true), (ROBOT, false)] {
            let start = (at * text.len() as f64) as usize;
            let end = (start + length).min(text.len());
            let damaged = [&text.as_bytes()[..start], String::from_iter(&put).as_bytes(), &text.as_bytes()[end..]].concat();
            let read = if is_hand { load(&damaged, ROBOT.as_bytes()) } else { load(HAND.as_bytes(), &damaged) };
            if let Err(error) = read {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }
}
