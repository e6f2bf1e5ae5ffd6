//! How a hand stands: wrists, links called `world`, and what is said about it.

use super::make::{LIMIT, closes_from_up_degrees, hand, mjcf, palm, servos, urdf, urdf_joint, urdf_open};
use super::{edit, read, reports};
use giraffe_robots::ImportAction::{Assumed, Ignored, Warned};
use giraffe_robots::{ImportReport, Region, RobotModel};

/// The hand on a forearm, with a wrist of this range and axis.
fn with_wrist(range: [&str; 2], axis: &str) -> String {
    let limit = format!("<limit lower=\"{}\" upper=\"{}\" effort=\"2\" velocity=\"5\"/>", range[0], range[1]);
    let wrist = urdf_joint("wrist", "forearm", "palm", "0 0 0", &limit)
        .replace("<axis xyz=\"0 -1 0\"/>", &format!("<axis xyz=\"{axis}\"/>"));
    urdf_open(LIMIT) + "<link name=\"forearm\"/>" + &wrist + "</robot>"
}

fn stands(text: &str) -> (RobotModel, ImportReport) {
    read(&[(if text.starts_with("<robot") { "hand.urdf" } else { "hand.xml" }, text)])
}

#[test]
fn a_wrist_does_not_turn_a_palm_whatever_its_range() {
    let (plain, _) = stands(&urdf());
    assert!(closes_from_up_degrees(&plain) < 1.0);
    let ranges = [["-1.1", "0.6"], ["-0.7", "0.7"], ["-1.5", "0"], ["0", "1.2"], ["-0.2", "2"]];
    for range in ranges {
        for axis in ["0 -1 0", "0 1 0", "1 0 0", "0 0 1"] {
            let (robot, report) = stands(&with_wrist(range, axis));
            let angle = closes_from_up_degrees(&robot);
            assert!(angle < 1.0, "wrist {range:?} about {axis}: {angle}\n{report}");
            assert_eq!(robot.home_rad[0], 0.0, "a wrist rests straight");
            // The palm moves with the wrist and is the palm all the same.
            assert_eq!(robot.bodies[1].geoms[0].region, Region::Palm);
        }
    }
}

#[test]
fn two_joints_of_a_wrist_do_not_turn_a_palm_either() {
    let second = "<limit lower=\"-0.2\" upper=\"0.9\" effort=\"2\" velocity=\"5\"/>";
    let text = edit(
        &with_wrist(["-1.1", "0.6"], "0 -1 0"),
        "</robot>",
        &format!("<link name=\"elbow\"/>{}</robot>", urdf_joint("roll", "elbow", "forearm", "0 0 0", second)),
    );
    let (robot, _) = stands(&text);
    assert!(closes_from_up_degrees(&robot) < 1.0);
    assert_eq!(robot.home_rad[..2], [0.0, 0.0]);
}

#[test]
fn a_wrist_of_an_mjcf_hand_does_not_count_either() {
    for range in ["-1.1 0.6", "-0.7 0.7", "0 1.2"] {
        let wrist = format!("<joint name=\"wrist\" axis=\"0 -1 0\" range=\"{range}\"/><inertial");
        let text = palm("").replacen("<inertial", &wrist, 1);
        let text = mjcf(&format!("<body name=\"forearm\">{text}</body>"), &servos());
        let (robot, report) = stands(&text);
        assert!(closes_from_up_degrees(&robot) < 1.0, "{range}");
        reports(&report, Assumed, &["how the hand stands", "0 degrees from vertical"]);
    }
}

fn world(rpy: &str) -> String {
    let joint = format!(
        "<link name=\"world\"/><joint name=\"nail\" type=\"fixed\"><parent link=\"world\"/><child link=\"palm\"/>{rpy}</joint></robot>"
    );
    edit(&urdf(), "</robot>", &joint)
}

/// The hand drawn upright: its fingers stand along z.
fn upright(text: &str) -> String {
    let shape = "<origin xyz=\"-0.02 0 0\"/><geometry><box size=\"0.1 0.09 0.02\"/>";
    let turned = "<origin xyz=\"0 0 -0.02\"/><geometry><box size=\"0.09 0.02 0.1\"/>";
    edit(text, shape, turned)
        .replace(
            "<origin xyz=\"0.04 0.03 0\"/><axis xyz=\"0 -1 0\"/>",
            "<origin xyz=\"0.03 0 0.04\"/><axis xyz=\"-1 0 0\"/>",
        )
        .replace("<origin xyz=\"0.04 0 0\"/><axis xyz=\"0 -1 0\"/>", "<origin xyz=\"0 0 0.04\"/><axis xyz=\"-1 0 0\"/>")
        .replace(
            "<origin xyz=\"0.04 -0.03 0\"/><axis xyz=\"0 -1 0\"/>",
            "<origin xyz=\"-0.03 0 0.04\"/><axis xyz=\"-1 0 0\"/>",
        )
        .replace(
            "<origin xyz=\"0.045 0 0\"/><axis xyz=\"0 -1 0\"/>",
            "<origin xyz=\"0 0 0.045\"/><axis xyz=\"-1 0 0\"/>",
        )
        .replace(
            "<collision><origin xyz=\"0.02 0 0\"/><geometry><box size=\"0.04 0.016 0.016\"/>",
            "<collision><origin xyz=\"0 0 0.02\"/><geometry><box size=\"0.016 0.016 0.04\"/>",
        )
}

#[test]
fn a_link_called_world_that_only_nails_the_hand_down_changes_nothing() {
    for nail in ["", "<origin xyz=\"0 0 0.3\"/>", "<origin xyz=\"0 0 0\" rpy=\"0 0 0\"/>"] {
        for text in [world(nail), upright(&world(nail))] {
            let without = text.replace("<link name=\"world\"/>", "");
            let at = without.find("<joint name=\"nail\"").unwrap();
            let end = at + without[at..].find("</joint>").unwrap() + "</joint>".len();
            let without = [&without[..at], &without[end..]].concat();
            let ((with, report), (without, _)) = (stands(&text), stands(&without));
            assert_eq!(with, without, "{nail}");
            assert!(closes_from_up_degrees(&with) < 1.0);
            reports(&report, Ignored, &["`world`", "only nails the hand down"]);
        }
    }
}

#[test]
fn a_hand_that_is_turned_against_the_world_stays_as_it_is_placed_and_that_is_said() {
    let turned = |rpy: &str| stands(&world(&format!("<origin rpy=\"{rpy}\"/>")));
    let (robot, report) = turned("0 -1.5707963 0");
    assert!(robot.fingertip_positions(&[0.0; 6])[0].z > 0.1, "fingers stand up");
    reports(&report, Warned, &["how the hand stands", "as the file places it", "90 degrees from vertical"]);
    let (robot, report) = turned("3.1415927 0 0");
    assert!(closes_from_up_degrees(&robot) > 179.0);
    reports(&report, Warned, &["180 degrees from vertical"]);
    let (_, report) = turned("0.35 0 0");
    reports(&report, Assumed, &["as the file places it", "20 degrees from vertical"]);
    let (_, report) = turned("0 0 1.2");
    reports(&report, Assumed, &["as the file places it", "0 degrees from vertical"]);
    assert_eq!(report.warnings().count(), 0, "{report}");
}

#[test]
fn an_mjcf_hand_that_is_turned_stays_so_and_that_is_said_in_degrees() {
    for (turn, degrees) in [
        ("euler=\"0 -1.5708 0\"", 90),
        ("euler=\"3.14159 0 0\"", 180),
        ("quat=\"0 1 0 0\"", 180),
        ("axisangle=\"1 0 0 0.7\"", 40),
        ("zaxis=\"0 -1 0\"", 90),
    ] {
        let (robot, report) = stands(&hand(turn));
        let said = format!("{degrees} degrees from vertical");
        reports(&report, Warned, &["how the hand stands", "as the file places it", &said]);
        let up = robot.fingertip_positions(&[0.3; 6])[0].z - robot.fingertip_positions(&[0.0; 6])[0].z;
        assert!(degrees < 90 || up < 0.02, "{turn}");
    }
    let (_, report) = stands(&hand("euler=\"0.3 0 0\""));
    reports(&report, Assumed, &["how the hand stands", "17 degrees from vertical"]);
    let (_, report) = stands(&hand(""));
    reports(&report, Assumed, &["how the hand stands", "as the file draws it", "0 degrees from vertical"]);
}

#[test]
fn an_mjcf_hand_that_is_drawn_upright_without_a_word_is_laid_on_its_back_with_a_warning() {
    let nested = format!("<body name=\"mount\">{}</body>", palm("euler=\"0 -1.5708 0\""));
    let (robot, report) = stands(&mjcf(&nested, &servos()));
    assert!(closes_from_up_degrees(&robot) < 1.0);
    reports(&report, Warned, &["how the hand stands", "90 degrees from vertical", "laid on its back"]);
    let said = nested.replacen("<body name=\"mount\">", "<body name=\"mount\" quat=\"1 0 0 0\">", 1);
    let (robot, report) = stands(&mjcf(&said, &servos()));
    assert!(robot.fingertip_positions(&[0.0; 6])[0].z > 0.1, "fingers stand up");
    reports(&report, Warned, &["as the file places it", "90 degrees from vertical"]);
}

#[test]
fn a_thumb_does_not_tilt_the_palm() {
    // A finger beside the palm that closes across it.
    let thumb = "<link name=\"ta\"><collision><origin xyz=\"0.02 0 0\"/><geometry><box size=\"0.04 0.016 0.016\"/></geometry>\
        </collision></link><joint name=\"t\" type=\"revolute\"><parent link=\"palm\"/><child link=\"ta\"/>\
        <origin xyz=\"0 -0.06 0\"/><axis xyz=\"0 0 1\"/><limit lower=\"0\" upper=\"1.2\" effort=\"0.5\" velocity=\"5\"/></joint></robot>";
    let (robot, _) = stands(&edit(&urdf(), "</robot>", thumb));
    assert_eq!(robot.fingertips.len(), 4);
    assert!(closes_from_up_degrees(&robot) < 1.0, "{}", closes_from_up_degrees(&robot));
}

/// Three fingers around a palm, 120 degrees from one another, that close toward its middle.
/// Three fingers around a palm that lean outward by this, rad.
fn gripper(lean: f64) -> String {
    let finger = |index: i32| {
        let yaw = f64::from(index) * 2.0943951;
        format!(
            "<link name=\"f{index}\"><collision><origin xyz=\"0 0 0.03\"/><geometry><box size=\"0.01 0.01 0.06\"/></geometry>\
             </collision></link><link name=\"m{index}\"/>\
             <joint name=\"m{index}\" type=\"fixed\"><parent link=\"palm\"/><child link=\"m{index}\"/><origin rpy=\"0 0 {yaw}\"/></joint>\
             <joint name=\"g{index}\" type=\"revolute\"><parent link=\"m{index}\"/><child link=\"f{index}\"/>\
             <origin xyz=\"0.04 0 0.01\" rpy=\"0 {lean} 0\"/><axis xyz=\"0 -1 0\"/>{LIMIT}</joint>"
        )
    };
    let palm = "<collision><geometry><cylinder radius=\"0.05\" length=\"0.02\"/></geometry></collision>";
    format!("<robot name=\"g\"><link name=\"palm\">{palm}</link>{}{}{}</robot>", finger(0), finger(1), finger(2))
}

#[test]
fn the_palm_of_a_gripper_faces_where_its_fingers_point() {
    for lean in [0.0, 1.2] {
        let (robot, report) = stands(&gripper(lean));
        reports(&report, Assumed, &["how the hand stands", "now 0 degrees"]);
        let tips = robot.fingertip_positions(&[0.0; 3]);
        let mean = tips.iter().map(|tip| tip.coords).sum::<nalgebra::Vector3<f32>>() / 3.0;
        assert!(mean.z > 0.02 && mean.x.hypot(mean.y) < 1e-3, "{mean}");
    }
}

#[test]
fn a_hand_that_does_not_say_how_its_fingers_close_is_warned_of() {
    let text = urdf().replace("lower=\"-0.2\" upper=\"1.5\"", "lower=\"-1.5\" upper=\"1.5\"");
    reports(&stands(&text).1, Warned, &["how the hand stands", "cannot be told"]);
}

#[test]
fn fingers_that_lie_flat_around_a_palm_close_upward() {
    // Beyond a quarter turn they point away from where they close to.
    let (robot, _) = stands(&gripper(1.8));
    let [open, closed] = [0.0, 0.3].map(|angle_rad| robot.fingertip_positions(&[angle_rad; 3])[0].z);
    assert!(closed > open + 0.01, "tips rise from {open} to {closed} m");
}
