//! Numbers that cannot be meant as they are written, and ranges of which the narrower holds.

use super::make::{LIMIT, PALM_SHAPE, fingers, hand, mjcf, palm, servos, urdf, urdf_open};
use super::{body, edit, joint, place, read, reports, says, try_read};
use giraffe_robots::ImportAction::{Approximated, Assumed, Ignored, Warned};
use giraffe_robots::{ImportReport, Limits, RobotModel};
use std::f32::consts::PI;

fn xml(text: &str) -> (RobotModel, ImportReport) {
    read(&[("hand.xml", text)])
}

fn urdf_of(text: &str) -> (RobotModel, ImportReport) {
    read(&[("hand.urdf", text)])
}

/// The hand with another actuator on `i1`.
fn with_servo(actuator: &str) -> (RobotModel, ImportReport) {
    let text = edit(&servos(), "<position joint=\"i1\" kp=\"2\" kv=\"0.1\" forcerange=\"-0.5 0.5\"/>", actuator);
    xml(&mjcf(&palm(""), &text))
}

#[track_caller]
fn limits(robot: &RobotModel, name: &str, expected: [f32; 2]) {
    let Limits { lower, upper } = robot.joints[joint(robot, name)].position_limits_rad;
    assert!((lower - expected[0]).abs() < 1e-4 && (upper - expected[1]).abs() < 1e-4, "{name}: {lower} to {upper}");
}

#[test]
fn the_narrower_of_joint_and_control_range_holds_and_is_said() {
    let narrow = "<position name=\"pull\" joint=\"i1\" kp=\"2\" ctrllimited=\"true\" ctrlrange=\"0 0.5\"/>";
    let (robot, report) = with_servo(narrow);
    limits(&robot, "i1", [0.0, 0.5]);
    limits(&robot, "i2", [-0.2, 1.5]);
    reports(&report, Approximated, &["`ctrlrange` narrower", "`pull`", "narrowed"]);

    let (robot, report) = with_servo(&narrow.replace("0 0.5", "-0.2 2.5"));
    limits(&robot, "i1", [-0.2, 1.5]);
    reports(&report, Approximated, &["`ctrlrange` wider", "`pull`", "left out"]);

    let (robot, report) = with_servo(&narrow.replace("0 0.5", "-1 1"));
    limits(&robot, "i1", [-0.2, 1.0]);
    reports(&report, Approximated, &["`ctrlrange` narrower", "`pull`"]);
    reports(&report, Approximated, &["`ctrlrange` wider", "`pull`"]);
}

#[test]
fn a_control_range_counts_in_angles_of_the_joint() {
    // The actuator turns twice as far as the joint.
    let (robot, _) = with_servo("<position joint=\"i1\" kp=\"2\" gear=\"2\" ctrlrange=\"0 1\"/>");
    limits(&robot, "i1", [0.0, 0.5]);
    let (robot, _) = with_servo("<position joint=\"i1\" kp=\"2\" gear=\"-1\" ctrlrange=\"-1 0.1\"/>");
    limits(&robot, "i1", [-0.1, 1.0]);
    // Told 1, this one goes to (2 * 1 - 1) / 4.
    let general =
        "<general joint=\"i1\" biastype=\"affine\" gainprm=\"2\" biasprm=\"-1 -4 -0.1\" ctrlrange=\"0.5 1.5\"/>";
    limits(&with_servo(general).0, "i1", [0.0, 0.5]);
    // The torque that a motor is told is no angle.
    let (robot, report) = with_servo("<motor joint=\"i1\" ctrlrange=\"-0.3 0.3\"/>");
    limits(&robot, "i1", [-0.2, 1.5]);
    assert!(report.entries.iter().all(|entry| !entry.found.contains("`ctrlrange`")), "{report}");
}

#[test]
fn a_control_range_that_does_not_count_or_cannot_be_changes_nothing() {
    let (robot, report) = with_servo("<position joint=\"i1\" kp=\"2\" ctrllimited=\"false\" ctrlrange=\"0 0.5\"/>");
    limits(&robot, "i1", [-0.2, 1.5]);
    assert!(report.entries.iter().all(|entry| !entry.found.contains("`ctrlrange`")), "{report}");
    // Written with fewer digits it is the same range.
    let (_, report) = with_servo("<position joint=\"i1\" kp=\"2\" ctrlrange=\"-0.2 1.499\"/>");
    assert!(report.entries.iter().all(|entry| !entry.found.contains("`ctrlrange`")), "{report}");
    let (robot, report) = with_servo("<position joint=\"i1\" kp=\"2\" ctrlrange=\"3 4\"/>");
    limits(&robot, "i1", [-0.2, 1.5]);
    reports(&report, Warned, &["`ctrlrange` of 3.000 to 4.000 rad", "keeps its own"]);
}

#[test]
fn a_tendons_control_range_narrows_the_joint_that_leads() {
    let tendon = "<tendon><fixed name=\"both\"><joint joint=\"i1\" coef=\"1\"/><joint joint=\"i2\" coef=\"1\"/></fixed></tendon></mujoco>";
    let text = edit(&hand(""), "</mujoco>", tendon);
    let text = edit(&text, "<position joint=\"i2\" kp=\"2\" kv=\"0.1\" forcerange=\"-0.5 0.5\"/>", "");
    let text = edit(&text, "<position joint=\"i1\" kp=\"2\"", "<position tendon=\"both\" ctrlrange=\"0 1\" kp=\"2\"");
    // Per rad of the leader the tendon gets 2 rad longer.
    limits(&xml(&text).0, "i1", [0.0, 0.5]);
}

#[test]
fn torque_limits_of_one_direction_are_read_with_a_note() {
    for (range, torque) in [("0 0.5", 0.5), ("-0.4 0", 0.4), ("0 1.74", 1.74)] {
        let (robot, report) = xml(&hand("").replace("-0.5 0.5", range));
        assert!(robot.joints.iter().all(|joint| (joint.effort_limit_newton_m - torque).abs() < 1e-6), "{range}");
        reports(&report, Approximated, &["torque limits of one direction only", "`i1`, `i2`, `j1` and 3 more"]);
    }
    let (robot, report) = with_servo("<motor joint=\"i1\" ctrlrange=\"0 0.3\"/>");
    assert!((robot.joints[0].effort_limit_newton_m - 0.3).abs() < 1e-6);
    reports(&report, Approximated, &["torque limits of one direction only", "`i1`"]);
    let (robot, report) = with_servo("<position joint=\"i1\" kp=\"2\" forcerange=\"0 0\"/>");
    assert!((robot.joints[0].effort_limit_newton_m - 2.0 * 1.7).abs() < 1e-5);
    reports(&report, Ignored, &["torque limits of 0 to 0", "placeholder"]);
    let said = try_read(&[("hand.xml", &hand("").replace("-0.5 0.5", "0.1 0.5"))]).unwrap_err().to_string();
    says(&said, &["hand.xml:", "0.1 to 0.5 N m", "pushes and pulls"]);
}

#[test]
fn a_torque_range_that_is_switched_off_limits_nothing() {
    let off = |word: &str| {
        let attribute = format!("actuatorfrcrange=\"-0.1 0.1\" {word} range=\"-0.2 1.5\"");
        xml(&hand("").replacen("range=\"-0.2 1.5\"", &attribute, 1))
    };
    assert!((off("").0.joints[0].effort_limit_newton_m - 0.1).abs() < 1e-6);
    let (robot, report) = off("actuatorfrclimited=\"false\"");
    assert!((robot.joints[0].effort_limit_newton_m - 0.5).abs() < 1e-6);
    reports(&report, Ignored, &["switched off", "`i1`"]);
}

#[test]
fn limits_in_degrees_are_read_as_degrees_with_a_warning_that_names_line_and_remedy() {
    let text = urdf_open("<limit lower=\"-10\" upper=\"90\" effort=\"0.5\" velocity=\"5\"/>") + "</robot>";
    let (robot, report) = urdf_of(&text);
    limits(&robot, "i1", [-10.0 * PI / 180.0, PI / 2.0]);
    reports(&report, Warned, &[&place("hand.urdf", &text, "<limit"), "90 rad", "`i1`", "degrees", "write them"]);

    let text = hand("").replace("range=\"-0.2 1.5\"", "range=\"-10 90\"");
    let (robot, report) = xml(&text);
    limits(&robot, "k2", [-10.0 * PI / 180.0, PI / 2.0]);
    reports(&report, Warned, &[&place("hand.xml", &text, "<joint"), "90 rad", "angle=\"degree\""]);
}

#[test]
fn other_angles_of_a_file_decide_whether_all_of_it_is_in_degrees() {
    // A turn of 20 that is no turn in radians says that all angles are degrees.
    let all = hand("euler=\"20 0 0\"").replace("range=\"-0.2 1.5\"", "range=\"-10 90\"");
    reports(&xml(&all).1, Assumed, &["how the hand stands", "20 degrees from vertical"]);
    // One of 0.35 is as good in radians.
    let limits_only = hand("euler=\"0.35 0 0\"").replace("range=\"-0.2 1.5\"", "range=\"-10 90\"");
    let (robot, report) = xml(&limits_only);
    limits(&robot, "i1", [-10.0 * PI / 180.0, PI / 2.0]);
    reports(&report, Assumed, &["how the hand stands", "20 degrees from vertical"]);
}

#[test]
fn a_file_that_forgot_to_say_radian_is_read_in_radians_with_a_warning() {
    let text = hand("").replace(" angle=\"radian\"", "");
    let (robot, report) = xml(&text);
    limits(&robot, "i1", [-0.2, 1.5]);
    reports(&report, Warned, &["does not say angle=\"radian\"", "<compiler angle=\"radian\"/>"]);
    let none = hand("").replace("<compiler angle=\"radian\"/>", "");
    limits(&xml(&none).0, "k1", [-0.2, 1.5]);
    // A file in degrees that are degrees is not touched.
    let degrees = hand("").replace("radian", "degree").replace("range=\"-0.2 1.5\"", "range=\"-10 90\"");
    let (robot, report) = xml(&degrees);
    limits(&robot, "i1", [-10.0 * PI / 180.0, PI / 2.0]);
    assert_eq!(report.warnings().count(), 0, "{report}");
}

#[test]
fn one_limit_beyond_a_turn_is_half_a_turn_with_a_warning() {
    let text = edit(&urdf(), LIMIT, "<limit lower=\"-1000\" upper=\"1000\" effort=\"0.5\" velocity=\"5\"/>");
    let (robot, report) = urdf_of(&text);
    limits(&robot, "i1", [-PI, PI]);
    limits(&robot, "i2", [-0.2, 1.5]);
    reports(&report, Warned, &["-1000 to 1000 rad", "`i1`", "half a turn"]);
    let (_, report) = xml(&hand("").replacen("range=\"-0.2 1.5\"", "range=\"0 90\"", 1));
    reports(&report, Warned, &["0 to 90 rad", "`i1`", "degrees"]);
}

#[test]
fn turns_in_degrees_are_noticed() {
    let text = edit(&urdf(), "<origin xyz=\"0.04 0.03 0\"/>", "<origin xyz=\"0.04 0.03 0\" rpy=\"0 0 90\"/>");
    let (robot, report) = urdf_of(&text);
    reports(&report, Warned, &["rpy of 0 0 90 rad", "degrees"]);
    let turn = |name: &str| robot.bodies[body(&robot, name)].parent_from_body.rotation;
    let turn = turn("ia").angle_to(&turn("ja"));
    assert!((turn - PI / 2.0).abs() < 1e-3, "{turn}");
}

#[test]
fn limits_that_nobody_set_are_a_quarter_turn_with_a_warning() {
    let unset = urdf_open("<limit lower=\"0\" upper=\"0\" effort=\"0\" velocity=\"0\"/>") + "</robot>";
    let (robot, report) = urdf_of(&unset);
    assert_eq!(robot.joint_count(), 6);
    limits(&robot, "i1", [-PI / 2.0, PI / 2.0]);
    reports(&report, Warned, &["limits of 0 to 0", "`i1`", "not set"]);
    // Among others that are set, such a joint stands still.
    let (robot, report) =
        urdf_of(&edit(&urdf(), LIMIT, "<limit lower=\"0\" upper=\"0\" effort=\"1\" velocity=\"1\"/>"));
    assert_eq!(robot.joint_count(), 5);
    reports(&report, Approximated, &["single angle `i1`"]);
}

fn dynamics(text: &str) -> (RobotModel, ImportReport) {
    urdf_of(&urdf().replace(LIMIT, &format!("{LIMIT}<dynamics {text}/>")))
}

#[test]
fn damping_that_means_nothing_beside_an_assumed_stiffness_is_completed_and_said() {
    for damping in ["0.001", "1e-6", "0.0049"] {
        let (robot, report) = dynamics(&format!("damping=\"{damping}\""));
        // 0.5 N m at 0.1 rad are 5 N m/rad.
        assert!((robot.joints[0].damping_newton_m_secs_per_rad - 0.25).abs() < 1e-6, "{damping}");
        reports(&report, Approximated, &["damping of hardly anything", "`i1`, `i2`, `j1` and 3 more", "0.05 s"]);
    }
    let (robot, report) = dynamics("damping=\"0.05\"");
    assert_eq!(robot.joints[0].damping_newton_m_secs_per_rad, 0.05);
    assert!(report.entries.iter().all(|entry| !entry.found.contains("damping")), "{report}");
    // Where the file says how stiff the servo is, both are its own.
    let (robot, report) = xml(&hand("").replace("kv=\"0.1\"", "kv=\"0.001\""));
    assert!((robot.joints[0].damping_newton_m_secs_per_rad - 0.001).abs() < 1e-7);
    reports(&report, Warned, &["damping of hardly anything", "rings"]);
}

#[test]
fn damping_and_friction_that_stop_a_joint_are_placeholders() {
    let (robot, report) = dynamics("damping=\"2\" friction=\"1\"");
    assert!((robot.joints[0].damping_newton_m_secs_per_rad - 0.25).abs() < 1e-6);
    assert!((robot.joints[0].friction_loss_newton_m - 0.05).abs() < 1e-6);
    reports(&report, Approximated, &["slower than 0.5 rad/s", "`i1`"]);
    reports(&report, Approximated, &["dry friction that takes most", "0.1 of its torque"]);
}

#[test]
fn torques_and_speeds_that_are_placeholders_are_said_and_replaced() {
    for (effort, velocity) in [("0", "0"), ("1000", "1000"), ("100", "0.001")] {
        let limit = format!("<limit lower=\"-0.2\" upper=\"1.5\" effort=\"{effort}\" velocity=\"{velocity}\"/>");
        let (robot, report) = urdf_of(&(urdf_open(&limit) + "</robot>"));
        assert_eq!((robot.joints[0].effort_limit_newton_m, robot.joints[0].velocity_limit_rad_per_sec), (0.5, 8.0));
        reports(&report, Ignored, &["torque limit of 0 or above 50", "`i1`", "placeholder"]);
        reports(&report, Ignored, &["speed limit below 0.02 or above 100", "`i1`", "placeholder"]);
    }
    let (robot, report) = with_servo("<position joint=\"i1\" kp=\"10000\" forcerange=\"-1000 1000\"/>");
    assert_eq!(robot.joints[0].effort_limit_newton_m, 50.0);
    reports(&report, Ignored, &["torque limit above 50 N m", "`i1`"]);
    reports(&report, Warned, &["torque above 10 N m", "`i1`"]);
    let weak = urdf().replace("effort=\"0.5\"", "effort=\"0.0001\"");
    reports(&urdf_of(&weak).1, Warned, &["torque too small for its own weight", "`i1`"]);
}

#[test]
fn an_assumed_torque_holds_what_hangs_at_the_joint() {
    let heavy =
        urdf().replace("effort=\"0.5\"", "effort=\"0\"").replace("<mass value=\"0.02\"/>", "<mass value=\"0.9\"/>");
    // One differs, so that somebody seems to have weighed them.
    let at = heavy.rfind("<mass value=\"0.9\"/>").unwrap();
    let heavy = [&heavy[..at], "<mass value=\"0.8\"/>", &heavy[at + "<mass value=\"0.9\"/>".len()..]].concat();
    let (robot, report) = urdf_of(&heavy);
    // Two links of 0.9 kg, 20 and 65 mm from the hinge.
    let needed = 3.0 * 9.81 * 0.9 * (0.02 + 0.065);
    assert!((robot.joints[0].effort_limit_newton_m - needed).abs() < 1e-3, "{}", robot.joints[0].effort_limit_newton_m);
    reports(&report, Assumed, &["torque too small for its own weight", "`i1`"]);
}

fn with_mass(kg: &str, moment: &str) -> (RobotModel, ImportReport) {
    let own = "<mass value=\"0.02\"/><inertia ixx=\"1e-5\" iyy=\"1e-5\" izz=\"1e-5\"";
    let token = format!("<mass value=\"{kg}\"/><inertia ixx=\"{moment}\" iyy=\"{moment}\" izz=\"{moment}\"");
    urdf_of(&urdf().replace(own, &token))
}

/// Moments of the box of a link, of `kg`, the smallest first.
fn box_moments(kg: f32) -> [f32; 2] {
    let (along, across) = (0.04_f32.powi(2), 0.016_f32.powi(2));
    [kg / 12.0 * 2.0 * across, kg / 12.0 * (along + across)]
}

#[track_caller]
fn spread_as_the_box(robot: &RobotModel, kg: f32) {
    let link = &robot.bodies[body(robot, "ib")];
    assert!((link.mass_kg - kg).abs() < 1e-6 * kg.max(1e-3), "{} kg", link.mass_kg);
    let (least, most) = (link.principal_inertia_kg_m2.min(), link.principal_inertia_kg_m2.max());
    let expected = box_moments(kg);
    assert!((least / expected[0] - 1.0).abs() < 1e-3 && (most / expected[1] - 1.0).abs() < 1e-3, "{least} {most}");
}

#[test]
fn moments_that_a_body_of_its_mass_cannot_have_are_those_of_its_shapes() {
    for moment in ["1", "1e-9", "0.1"] {
        let (robot, report) = with_mass("0.02", moment);
        spread_as_the_box(&robot, 0.02);
        reports(&report, Approximated, &["that a body of its mass and size cannot have", "`ia`"]);
    }
    let (robot, report) = with_mass("0.02", "0");
    spread_as_the_box(&robot, 0.02);
    reports(&report, Approximated, &["mass without inertia", "`ia`"]);
    let flat = urdf().replace("izz=\"1e-5\"", "izz=\"0\"");
    reports(&urdf_of(&flat).1, Approximated, &["moment of inertia of 0", "`ia`"]);
    let (robot, report) = with_mass("0.02", "1e-5");
    assert!(robot.bodies[body(&robot, "ib")].principal_inertia_kg_m2.iter().all(|moment| (moment - 1e-5).abs() < 1e-9));
    assert!(report.entries.iter().all(|entry| !entry.found.contains("moment")), "{report}");
}

#[test]
fn masses_that_nobody_weighed_are_replaced_and_said() {
    let of_box = 1000.0 * 0.04 * 0.016 * 0.016;
    for (kg, moment) in [("0", "0"), ("1", "1"), ("0.5", "1e-3")] {
        let (robot, report) = with_mass(kg, moment);
        spread_as_the_box(&robot, of_box);
        reports(&report, Warned, &["mass of ", "`ia`", "shapes at 1000 kg/m3"]);
    }
    let (robot, report) = with_mass("1e-9", "1e-12");
    assert!((robot.bodies[body(&robot, "ib")].mass_kg - 1e-3).abs() < 1e-7);
    reports(&report, Assumed, &["lighter than 10 mg", "`ia`", "1 g"]);
    let text = urdf().replacen("<mass value=\"0.02\"/>", "<mass value=\"20\"/>", 1);
    reports(&urdf_of(&text).1, Warned, &["heavier than 1 kg", "`ia`"]);
}

#[test]
fn limits_with_nothing_in_common_are_what_the_coupling_makes_of_them() {
    let mimic = format!("{}<mimic joint=\"i1\" multiplier=\"-1\" offset=\"-1\"/>", LIMIT.replace("-0.2", "0.5"));
    let at = urdf();
    let at = edit(
        &at,
        &format!("<origin xyz=\"0.045 0 0\"/><axis xyz=\"0 -1 0\"/>{LIMIT}"),
        &format!("<origin xyz=\"0.045 0 0\"/><axis xyz=\"0 -1 0\"/>{mimic}"),
    );
    let (robot, report) = urdf_of(&at);
    limits(&robot, "i1", [-0.2, 1.5]);
    limits(&robot, "i2", [-2.5, -0.8]);
    reports(&report, Warned, &["nothing in common", "`i1`", "`i2`"]);
}

#[test]
fn mass_by_the_shapes_counts_visual_ones_beside_an_inertial_too() {
    let seen = "<geom type=\"box\" size=\"0.02 0.008 0.008\" pos=\"0.02 0 0\" contype=\"0\" conaffinity=\"0\" density=\"500\"/>";
    let text = hand("").replace("<joint name=\"i2\"", &format!("{seen}<joint name=\"i2\""));
    let link = |text: &str| {
        let (robot, _) = xml(text);
        robot.bodies[body(&robot, "ib")].mass_kg
    };
    let of_box = 0.04 * 0.016 * 0.016;
    assert!((link(&text) - 0.02).abs() < 1e-7);
    let by_geoms = text.replace("<compiler ", "<compiler inertiafromgeom=\"true\" ");
    assert!((link(&by_geoms) - 1500.0 * of_box).abs() < 1e-7, "{}", link(&by_geoms));
    let world = format!("{PALM_SHAPE}{}", fingers());
    let alone = mjcf(&world, &servos()).replace("<compiler ", "<compiler inertiafromgeom=\"true\" ");
    assert!((link(&alone) - 1000.0 * of_box).abs() < 1e-7);
}

#[test]
fn damping_that_drives_is_read_with_the_other_sign() {
    let general =
        "<general name=\"g\" joint=\"i1\" biastype=\"affine\" gainprm=\"7\" biasprm=\"0 -7 0.9\" forcerange=\"-1 1\"/>";
    let (robot, report) = with_servo(general);
    assert!((robot.joints[0].damping_newton_m_secs_per_rad - 0.9).abs() < 1e-6);
    reports(&report, Warned, &["`biasprm` that drives", "0.9", "`g`"]);
}

#[test]
fn a_joint_with_an_assumed_torque_is_given_what_its_follower_needs_too() {
    // Of two fingers the second follows the first, twice as far; no torque is said. 0.3 kg 0.2 m away are 0.59 N m.
    let finger = |name: &str, y: f64, kg: f64, reach: f64, more: &str| {
        format!(
            "<link name=\"{name}\"><inertial><origin xyz=\"{reach} 0 0\"/><mass value=\"{kg}\"/>\
             <inertia ixx=\"1e-4\" iyy=\"1e-4\" izz=\"1e-4\" ixy=\"0\" ixz=\"0\" iyz=\"0\"/></inertial>\
             <collision><origin xyz=\"0.1 0 0\"/><geometry><box size=\"0.2 0.02 0.02\"/></geometry></collision></link>\
             <joint name=\"j_{name}\" type=\"revolute\"><parent link=\"palm\"/><child link=\"{name}\"/>\
             <origin xyz=\"0.05 {y} 0\"/><axis xyz=\"0 -1 0\"/><limit lower=\"0\" upper=\"1.5\" effort=\"0\" velocity=\"3\"/>\
             {more}</joint>"
        )
    };
    let mimic = "<mimic joint=\"j_a\" multiplier=\"2\"/>";
    let text = format!(
        "<robot name=\"two\"><link name=\"palm\"><collision><geometry><box size=\"0.1 0.1 0.02\"/></geometry></collision>\
         </link>{}{}</robot>",
        finger("a", 0.03, 0.01, 0.1, ""),
        finger("b", -0.03, 0.3, 0.2, mimic)
    );
    let (robot, report) = urdf_of(&text);
    let needed = 3.0 * 9.81 * (0.01 * 0.1 + 2.0 * 0.3 * 0.2);
    for name in ["j_a", "j_b"] {
        let effort = robot.joints[joint(&robot, name)].effort_limit_newton_m;
        assert!((effort - needed).abs() < 1e-3, "{name}: {effort} N m, {needed} N m hold it three times");
    }
    let said: Vec<_> =
        report.entries.iter().filter(|entry| entry.found.contains("too small for its own weight")).collect();
    assert!(said.len() == 1 && said[0].found.contains("`j_a`") && !said[0].found.contains("`j_b`"), "{report}");
}
