//! Where the palm is: fused into the world, or beside what is no hand.

use super::make::{PALM_SHAPE, finger, fingers, hand, mjcf, palm, servos};
use super::{body, joint, place, read, reports};
use giraffe_robots::ImportAction::{Approximated, Ignored};
use giraffe_robots::{ImportReport, Region, RobotModel};

fn scene(world: &str) -> (RobotModel, ImportReport) {
    read(&[("hand.xml", &mjcf(world, &servos()))])
}

fn names(robot: &RobotModel) -> Vec<&str> {
    robot.bodies.iter().map(|body| body.name.as_str()).collect()
}

#[track_caller]
fn is_the_whole_hand(robot: &RobotModel) {
    let joints: Vec<&str> = robot.joints.iter().map(|joint| joint.name.as_str()).collect();
    assert_eq!(joints, ["i1", "i2", "j1", "j2", "k1", "k2"]);
    let (whole, _) = read(&[("hand.xml", &hand(""))]);
    let pose = whole.test_vector().0;
    for (ours, theirs) in robot.fingertip_positions(&pose).iter().zip(whole.fingertip_positions(&pose)) {
        assert!((ours - theirs).norm() < 1e-6, "{ours} and {theirs}");
    }
}

#[test]
fn fingers_that_hang_at_a_world_with_shapes_are_one_hand_on_a_fixed_palm() {
    let (robot, report) = scene(&format!("{PALM_SHAPE}\n{}", fingers()));
    is_the_whole_hand(&robot);
    assert_eq!(names(&robot), ["palm", "ia", "ib", "ja", "jb", "ka", "kb"]);
    let shape = &robot.bodies[0].geoms;
    assert!(shape.len() == 1 && shape[0].region == Region::Palm && robot.bodies[0].joint.is_none(), "{shape:?}");
    reports(&report, Approximated, &["hand without a palm of its own", "the world is the palm"]);
}

#[test]
fn what_stands_still_among_the_fingers_is_part_of_the_palm() {
    let knuckle = |name: &str, inside: &str| {
        format!("<body name=\"{name}\" pos=\"0 0 0\"><geom type=\"sphere\" size=\"0.01\"/>{inside}</body>\n")
    };
    let [i, j, k] = [("i", "0.04 0.03 0"), ("j", "0.04 0 0"), ("k", "0.04 -0.03 0")].map(|(name, at)| finger(name, at));
    // One body of the world carries two fingers, one carries one, and one none.
    let world = [knuckle("left", &(i + &j)), knuckle("right", &k), knuckle("rest", "")].concat();
    let (robot, _) = scene(&world);
    is_the_whole_hand(&robot);
    for name in ["left", "right", "rest"] {
        let own = &robot.bodies[body(&robot, name)];
        assert!(own.joint.is_none() && own.geoms[0].region == Region::Palm, "{own:?}");
    }
}

#[test]
fn floors_lights_and_things_to_grasp_are_no_part_of_a_fused_palm() {
    let world = format!(
        "<light pos=\"0 0 2\"/><geom name=\"floor\" type=\"plane\" size=\"1 1 0.1\"/>\n\
         <geom name=\"table\" type=\"box\" size=\"0.6 0.6 0.02\" pos=\"0 0 -0.1\"/>\n\
         <geom name=\"far\" type=\"box\" size=\"0.02 0.02 0.02\" pos=\"0 0 0.9\"/>\n{PALM_SHAPE}\n{}\
         <body name=\"cube\" pos=\"0.05 0 0.06\"><freejoint/><geom type=\"box\" size=\"0.03 0.03 0.03\"/></body>\n",
        fingers()
    );
    let text = mjcf(&world, &servos());
    let (robot, report) = read(&[("hand.xml", &text)]);
    is_the_whole_hand(&robot);
    assert_eq!(robot.bodies[0].geoms.len(), 1, "only the palm's own shape");
    assert!(!names(&robot).contains(&"cube"));
    reports(&report, Ignored, &["bodies beside the hand `cube`"]);
    reports(&report, Ignored, &[&place("hand.xml", &text, "<geom name=\"floor\""), "`floor`, `table`, `far`"]);
}

#[test]
fn a_fused_hand_far_from_the_worlds_middle_is_brought_there() {
    let shift = |world: &str| format!("<frame pos=\"0 0 0.8\">{world}</frame>\n");
    let (robot, _) = scene(&shift(&format!("{PALM_SHAPE}\n{}", fingers())));
    assert_eq!(robot.joint_count(), 6);
    let tips = robot.fingertip_positions(&[0.0; 6]);
    assert!(tips.iter().all(|tip| tip.z.abs() < 1e-6 && tip.x > 0.05), "{tips:?}");
    let apart = tips[0].y - tips[2].y;
    assert!((apart - 0.06).abs() < 1e-6, "{apart}");
}

#[test]
fn a_door_beside_a_fused_palm_is_no_finger() {
    let door = "<body name=\"door\" pos=\"0.2 0 0\"><geom type=\"box\" size=\"0.1 0.01 0.1\"/>\
        <joint name=\"hinge\" axis=\"0 0 1\" range=\"0 1.5\"/></body>\n";
    for servos in [servos(), String::new()] {
        let (robot, report) = read(&[("hand.xml", &mjcf(&format!("{PALM_SHAPE}\n{}{door}", fingers()), &servos))]);
        is_the_whole_hand(&robot);
        reports(&report, Ignored, &["bodies beside the hand `door`"]);
    }
}

#[test]
fn a_palm_of_its_own_stays_the_palm_whatever_the_world_has() {
    let door = "<body name=\"door\" pos=\"0.2 0 0\"><geom type=\"box\" size=\"0.1 0.01 0.1\"/>\
        <joint name=\"hinge\" axis=\"0 0 1\" range=\"0 1.5\"/></body>\n";
    let table = "<geom name=\"table\" type=\"box\" size=\"0.1 0.1 0.02\" pos=\"0 0 -0.1\"/>\n";
    let (robot, report) = scene(&format!("{table}{}{door}", palm("")));
    is_the_whole_hand(&robot);
    assert_eq!((robot.bodies[0].name.as_str(), robot.bodies[0].geoms.len()), ("palm", 1));
    reports(&report, Ignored, &["bodies beside the hand `door`"]);
    reports(&report, Ignored, &["shapes of the world"]);
}

#[test]
fn of_two_hands_in_one_scene_one_is_read() {
    let second = palm("pos=\"0 0.2 0\"");
    let second = ["palm", "ia", "ib", "ja", "jb", "ka", "kb", "i1", "i2", "j1", "j2", "k1", "k2"]
        .iter()
        .fold(second, |text, name| text.replace(&format!("\"{name}\""), &format!("\"{name}_left\"")));
    let (robot, report) = scene(&format!("{}{second}", palm("")));
    is_the_whole_hand(&robot);
    reports(&report, Ignored, &["bodies beside the hand `palm_left`"]);
}

#[test]
fn a_contact_excluded_with_a_fused_palm_is_excluded() {
    let text = mjcf(&format!("{PALM_SHAPE}\n{}", fingers()), &servos());
    let text = text.replace("</mujoco>", "<contact><exclude body1=\"world\" body2=\"ib\"/></contact></mujoco>");
    let (robot, _) = read(&[("hand.xml", &text)]);
    assert!(robot.contact_excludes.contains(&(0, body(&robot, "ib"))));
    assert!(!robot.contact_excludes.contains(&(0, body(&robot, "jb"))));
}

#[test]
fn a_base_that_flies_is_held_and_a_wrist_on_it_is_not() {
    let base = |inside: &str| {
        format!(
            "<body name=\"mount\"><joint name=\"x\" type=\"slide\"/><joint name=\"roll\" axis=\"1 0 0\" range=\"-3 3\"/>\
             <inertial pos=\"0 0 0\" mass=\"0.1\" diaginertia=\"1e-4 1e-4 1e-4\"/>\
             <geom type=\"sphere\" size=\"0.02\"/>{inside}</body>\n"
        )
    };
    let wristed = palm("").replace(
        "<body name=\"palm\" >",
        "<body name=\"palm\"><joint name=\"wrist\" axis=\"0 0 1\" range=\"-0.5 0.5\"/>",
    );
    let (robot, report) = scene(&base(&wristed));
    assert_eq!(robot.joint_count(), 7);
    assert_eq!(joint(&robot, "wrist"), 0);
    reports(&report, Approximated, &["base that flies `roll`"]);
}
