//! What cannot be is one message with file and line; a damaged file never ends in a panic.

use super::mjcf::{CLAW, PAD};
use super::urdf::GRIP;
use super::{edit, place, says, try_read};
use proptest::prelude::*;
use std::fs;

/// What is said about the claw after an edit. It must name the line where `anchor` stands after it.
#[track_caller]
fn about_claw(anchor: &str, from: &str, to: &str, parts: &[&str]) {
    let text = edit(CLAW, from, to);
    let said = try_read(&[("claw.xml", &text)]).unwrap_err().to_string();
    says(&said, &[&place("claw.xml", &text, anchor)]);
    says(&said, parts);
}

#[track_caller]
fn about_grip(anchor: &str, from: &str, to: &str, parts: &[&str]) {
    let text = edit(GRIP, from, to);
    let said = try_read(&[("grip.urdf", &text)]).unwrap_err().to_string();
    says(&said, &[&place("grip.urdf", &text, anchor)]);
    says(&said, parts);
}

fn about(name: &str, text: &str) -> String {
    try_read(&[(name, text)]).unwrap_err().to_string()
}

#[test]
fn what_is_neither_mjcf_nor_urdf_is_refused() {
    says(&about("hand.xml", "<sdf version=\"1.6\"/>"), &["hand.xml:1", "<mujoco>", "<robot>", "found <sdf>"]);
    says(&about("hand.xml", "<mujoco>\n<worldbody></mujoco>"), &["hand.xml:2", "not XML"]);
    says(&about("hand.urdf", ""), &["hand.urdf", "not XML"]);
    let deep = format!("<mujoco><worldbody>{}", "<body>".repeat(60_000));
    says(&about("hand.xml", &deep), &["hand.xml:1", "nested"]);
    let huge = " ".repeat((1 << 20) + 1);
    says(&about("hand.xml", &huge), &["hand.xml", "larger than 1048576 bytes"]);
    let bytes = tempfile::tempdir().unwrap();
    let path = bytes.path().join("hand.xml");
    fs::write(&path, [0xff, 0xfe, 0x00]).unwrap();
    says(&giraffe_robots::read_robot_file(&path).unwrap_err().to_string(), &["hand.xml", "UTF-8"]);
}

#[test]
fn numbers_that_are_none_are_refused() {
    about_claw("mass=\"nan\"", "mass=\"0.05\"", "mass=\"nan\"", &["`mass` of <inertial>", "`nan`"]);
    about_claw(
        "<body name=\"a_near\"",
        "pos=\"0.06 0.02 0\"",
        "pos=\"0.06 0.02\"",
        &["`pos` of <body>", "2 numbers instead of 3"],
    );
    about_claw("1e999", "range=\"0 90\"", "range=\"0 1e999\"", &["`range` of <joint>", "`1e999`"]);
    about_grip("<mass value=\"inf\"", "value=\"0.03\"", "value=\"inf\"", &["`value`", "`inf`"]);
    about_grip("<origin xyz=\"-0.03 zero", "xyz=\"-0.03 0 0.01\"", "xyz=\"-0.03 zero 0.01\"", &["`xyz`", "`zero`"]);
}

#[test]
fn masses_that_no_body_has_are_refused() {
    about_claw("<body name=\"a_near\"", "mass=\"0.05\"", "mass=\"-1\"", &["`a_near`", "mass -1 kg"]);
    about_claw(
        "<body name=\"a_near\"",
        "diaginertia=\"5e-6",
        "diaginertia=\"-5e-6",
        &["`a_near`", "moments are positive"],
    );
    about_grip(
        "<link name=\"left_near\"",
        "<mass value=\"0.03\"/>",
        "<mass value=\"-0.03\"/>",
        &["`left_near`", "mass -0.03 kg"],
    );
    about_grip("<link name=\"left_near\"", "<mass value=\"0.03\"/>", "", &["`left_near`", "no mass"]);
}

#[test]
fn limits_upside_down_are_refused() {
    about_claw(
        "<joint name=\"a1\"",
        "<joint name=\"a1\"/>",
        "<joint name=\"a1\" range=\"90 0\"/>",
        &["`a1`", "lower limit"],
    );
    about_grip(
        "<joint name=\"left_1\"",
        "lower=\"0\" upper=\"1.5\"",
        "lower=\"2\" upper=\"1.5\"",
        &["`left_1`", "lower limit 2"],
    );
}

#[test]
fn a_file_without_hinges_is_refused() {
    let said = about("table.xml", "<mujoco><worldbody><body name=\"table\"/></worldbody></mujoco>");
    says(&said, &["table.xml: ", "no hinge"]);
    let slides = CLAW.replace("<joint axis", "<joint type=\"slide\" axis");
    says(&about("claw.xml", &slides), &["claw.xml: ", "no hinge"]);
    says(&about("table.urdf", "<robot name=\"t\"><link name=\"a\"/></robot>"), &["table.urdf: ", "no revolute joint"]);
    says(&about("nothing.urdf", "<robot name=\"t\"/>"), &["no revolute joint"]);
    let held = CLAW.replace("range=\"0 90\"", "range=\"10 10\"");
    says(&about("claw.xml", &held), &["no hinge that moves"]);
}

#[test]
fn links_with_two_parents_and_circles_are_refused() {
    about_grip(
        "<joint name=\"right_2\"",
        "<parent link=\"right_near\"/><child link=\"right_far\"/>",
        "<parent link=\"right_near\"/><child link=\"left_far\"/>",
        &["already hangs", "tree"],
    );
    about_grip(
        "<link name=\"base\"",
        "</robot>",
        "<joint name=\"back\" type=\"fixed\"><parent link=\"left_cap\"/><child link=\"base\"/></joint></robot>",
        &["`base`", "loop"],
    );
    let circle =
        "<equality><joint joint1=\"a1\" joint2=\"a2\"/><joint joint1=\"a2\" joint2=\"a1\"/></equality></mujoco>";
    about_claw("<equality>", "</mujoco>", circle, &["follows itself"]);
}

#[test]
fn names_must_lead_somewhere_and_be_unique() {
    about_grip(
        "<joint name=\"left_1\"",
        "<parent link=\"base\"/>",
        "<parent link=\"bass\"/>",
        &["`left_1`", "`bass`", "did you mean `base`?"],
    );
    about_grip(
        "<joint name=\"left_2\"",
        "<mimic joint=\"left_1\"",
        "<mimic joint=\"left_11\"",
        &["`left_11`", "did you mean `left_1`?"],
    );
    about_grip(
        "<link name=\"left_far\">\n    <collision><geometry><sphere",
        "<link name=\"left_cap\">",
        "<link name=\"left_far\">",
        &["used twice"],
    );
    about_grip(
        "<joint name=\"left_1\" type=\"revolute\">\n    <parent link=\"left_near\"",
        "<joint name=\"left_2\"",
        "<joint name=\"left_1\"",
        &["used twice"],
    );
    about_claw(
        "<body name=\"a_near\" pos=\"0.06 0 0\"",
        "name=\"a_far\"",
        "name=\"a_near\"",
        &["`a_near`", "used twice"],
    );
    about_claw(
        "<joint name=\"a1\"/>\n          <geom type=\"mesh\"",
        "name=\"a2\"",
        "name=\"a1\"",
        &["`a1`", "used twice"],
    );
    about_claw("<position name=\"pull_a1\"", "joint=\"a1\"", "joint=\"a9\"", &["`a9`", "not there"]);
    about_claw(
        "<position name=\"pull_a1\"",
        "class=\"claw\"/>\n    <position name=\"pull_a2\"",
        "class=\"clow\"/>\n    <position name=\"pull_a2\"",
        &["`clow`", "did you mean `claw`?"],
    );
}

#[test]
fn shapes_and_servos_that_cannot_be_are_refused() {
    about_claw(
        "size=\"0.04 0.04\"",
        "size=\"0.04 0.04 0.01\"",
        "size=\"0.04 0.04\"",
        &["`size`", "3 positive numbers"],
    );
    about_claw("size=\"-0.008\"", "size=\"0.008\"", "size=\"-0.008\"", &["positive numbers"]);
    about_claw(
        "<position name=\"pull_a1\"",
        "class=\"claw\"/>",
        "class=\"claw\" kp=\"-2\"/>",
        &["`pull_a1`", "positive"],
    );
    about_claw(
        "<position name=\"pull_a1\"",
        "class=\"claw\"/>",
        "class=\"claw\" forcerange=\"1 2\"/>",
        &["`pull_a1`", "pushes and pulls"],
    );
    about_claw("<position name=\"pull_a1\"", "class=\"claw\"/>", "class=\"claw\" gear=\"0\"/>", &["gear 0"]);
    about_claw(
        "<joint name=\"a1\"",
        "<joint name=\"a1\"/>",
        "<joint name=\"a1\" axis=\"0 0 0\"/>",
        &["`a1`", "no direction"],
    );
    about_claw(
        "<joint name=\"a1\"",
        "<joint name=\"a1\"/>",
        "<joint name=\"a1\" damping=\"-1\"/>",
        &["`a1`", "cannot be negative"],
    );
    about_grip(
        "<sphere radius=\"0\"",
        "<mesh filename=\"package://grip/meshes/far.stl\" scale=\"0.001 0.001 0.001\"/>",
        "<sphere radius=\"0\"/>",
        &["`left_far`", "`radius`"],
    );
    about_grip("<joint name=\"left_1\"", "type=\"revolute\"", "type=\"hinge\"", &["`left_1`", "`hinge`"]);
    about_grip("<joint name=\"left_1\"", "<axis xyz=\"2 0 0\"/>", "<axis xyz=\"0 0 0\"/>", &["no direction"]);
}

#[test]
fn lengths_in_millimetres_are_noticed() {
    about_claw(
        "<body name=\"a_near\"",
        "pos=\"0.06 0.02 0\"",
        "pos=\"60 20 0\"",
        &["`a_near`", "lengths are in metres"],
    );
}

#[test]
fn what_must_be_written_out_first_is_said_with_how() {
    about_claw(
        "<attach",
        "<inertial pos=\"0 0 0\"",
        "<attach model=\"m\" body=\"b\"/><inertial pos=\"0 0 0\"",
        &["<attach>", "mj_saveLastXML"],
    );
    let xacro =
        "<robot xmlns:xacro=\"http://www.ros.org/wiki/xacro\" name=\"x\">\n<xacro:include filename=\"a\"/></robot>";
    says(&about("hand.urdf", xacro), &["hand.urdf:2", "xacro", "expand"]);
}

#[test]
fn every_shortened_file_is_read_or_refused() {
    for (name, text) in [("claw.xml", CLAW), ("grip.urdf", GRIP)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        for end in (0..text.len()).step_by(17) {
            fs::write(&path, &text[..end]).unwrap();
            assert!(giraffe_robots::read_robot_file(&path).is_err(), "{name} ends at byte {end}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_file_is_read_or_refused_but_never_panics(at in 0.0..1.0f64, length in 0usize..40, put in prop::collection::vec(prop::char::range(' ', '~'), 0..=6)) {
        for (name, text) in [("claw.xml", CLAW), ("grip.urdf", GRIP)] {
            let start = (at * text.len() as f64) as usize;
            let end = (start + length).min(text.len());
            let damaged = [&text[..start], &String::from_iter(&put), &text[end..]].concat();
            if let Err(error) = try_read(&[(name, &damaged), ("parts/pad.obj", PAD)]) {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }

    #[test]
    fn odd_numbers_are_read_or_refused_but_never_panic(which in any::<prop::sample::Index>(), number in prop_oneof![
        Just("0"), Just("-1"), Just("1e-300"), Just("1e300"), Just("1e30"), Just("NaN"), Just("-0"), Just("1e-30"), Just("7")
    ]) {
        for (name, text) in [("claw.xml", CLAW), ("grip.urdf", GRIP)] {
            let starts: Vec<usize> = text
                .char_indices()
                .filter(|(at, c)| c.is_ascii_digit() && !text[..*at].ends_with(|c: char| c.is_ascii_alphanumeric() || ".-_".contains(c)))
                .map(|(at, _)| at)
                .collect();
            let start = *which.get(&starts);
            let length = text[start..].find(|c: char| !(c.is_ascii_digit() || ".e-".contains(c))).unwrap_or(0);
            let damaged = [&text[..start], number, &text[start + length..]].concat();
            if let Ok((robot, _)) = try_read(&[(name, &damaged)]) {
                let pose = robot.test_vector().1;
                prop_assert!(pose.iter().all(|point| point.iter().all(|number| number.is_finite())), "{damaged}");
            }
        }
    }
}
