//! The list of liberties is complete: what no code reads is in it.

use super::make::{hand, mjcf, palm, servos, urdf};
use super::{edit, place, read, reports};
use giraffe_robots::ImportAction::{Approximated, Ignored, Warned};
use giraffe_robots::{ImportReport, RobotModel};

fn xml(text: &str) -> (RobotModel, ImportReport) {
    read(&[("hand.xml", text)])
}

/// What is added to the hand in front of `anchor`.
fn before(anchor: &str, added: &str) -> String {
    edit(&hand(""), anchor, &format!("{added}{anchor}"))
}

#[test]
fn numbers_of_what_nothing_uses_are_not_held_against_a_file() {
    for unused in [
        "<default><default class=\"m\"><muscle scale=\"1000\"/></default></default>",
        "<default><default class=\"m\"><muscle timeconst=\"0.01 0.04\" range=\"0.75 1.05\" force=\"-1\" scale=\"200 1\"/></default></default>",
        "<default><adhesion gain=\"2\" ctrlrange=\"0 1 2\"/></default>",
        "<default><cylinder timeconst=\"1\" bias=\"0 0 0\" diameter=\"1 2\"/></default>",
        "<default><tendon range=\"0\" width=\"none\"/></default>",
        "<default><pair friction=\"1 1 1 1 1 1\" margin=\"x\"/></default>",
        "<default><equality solref=\"0.1\"/></default>",
        "<default><site size=\"0.1 0.1 0.1 0.1\"/></default>",
    ] {
        let text = before("</mujoco>", unused);
        let (robot, report) = xml(&text);
        assert_eq!(robot, xml(&hand("")).0, "{unused}");
        assert!(report.count(Ignored) > 0, "{unused}");
    }
    let text = before("</mujoco>", "<default><default class=\"m\"><muscle scale=\"1000\"/></default></default>");
    reports(&xml(&text).1, Ignored, &[&place("hand.xml", &text, "<muscle"), "<muscle>"]);
}

#[test]
fn every_attribute_that_no_code_reads_is_in_the_report() {
    let changed = |from: &str, to: &str| {
        let text = edit(&hand(""), from, to);
        (xml(&text).1, text)
    };
    for (from, to, said) in [
        ("<joint name=\"i1\"", "<joint name=\"i1\" springref=\"0.1\"", "`springref` of <joint> `i1`"),
        ("<joint name=\"i1\"", "<joint name=\"i1\" margin=\"0.01\"", "`margin` of <joint> `i1`"),
        ("<joint name=\"i1\"", "<joint name=\"i1\" solreflimit=\"0.02 1\"", "`solreflimit` of <joint> `i1`"),
        ("<joint name=\"i1\"", "<joint name=\"i1\" springdamper=\"0.1 1\"", "`springdamper` of <joint> `i1`"),
        ("<joint name=\"i1\"", "<joint name=\"i1\" actuatorgravcomp=\"true\"", "`actuatorgravcomp` of <joint> `i1`"),
        ("<body name=\"ia\"", "<body gravcomp=\"1\" name=\"ia\"", "`gravcomp` of <body> `ia`"),
        ("<body name=\"palm\"", "<body mocap=\"true\" name=\"palm\"", "`mocap` of <body> `palm`"),
        ("<geom type", "<geom name=\"g\" shellinertia=\"true\" type", "`shellinertia` of <geom> `g`"),
        ("<geom type", "<geom name=\"g\" margin=\"0.001\" type", "`margin` of <geom> `g`"),
        ("<geom type", "<geom name=\"g\" gap=\"0.001\" type", "`gap` of <geom> `g`"),
        ("<geom type", "<geom name=\"g\" condim=\"4\" type", "`condim` of <geom> `g`"),
        ("<geom type", "<geom name=\"g\" priority=\"1\" type", "`priority` of <geom> `g`"),
        ("<geom type", "<geom name=\"g\" solref=\"0.01 1\" type", "`solref` of <geom> `g`"),
        ("<geom type", "<geom name=\"g\" fluidshape=\"ellipsoid\" type", "`fluidshape` of <geom> `g`"),
        ("<geom type", "<geom rgba=\"1 0 0 1\" type", "looks and groups"),
        ("<position joint=\"i1\"", "<position dampratio=\"1\" joint=\"i1\"", "`dampratio` of <position> `i1`"),
        ("<position joint=\"i1\"", "<position timeconst=\"0.1\" joint=\"i1\"", "`timeconst` of <position> `i1`"),
        ("<position joint=\"i1\"", "<position inheritrange=\"1\" joint=\"i1\"", "`inheritrange` of <position> `i1`"),
        ("<position joint=\"i1\"", "<general dyntype=\"filter\" joint=\"i1\"", "`dyntype` of <general> `i1`"),
        ("<position joint=\"i1\"", "<general dynprm=\"0.1\" joint=\"i1\"", "`dynprm` of <general> `i1`"),
        ("<position joint=\"i1\"", "<general actdim=\"1\" joint=\"i1\"", "`actdim` of <general> `i1`"),
        ("<position joint=\"i1\"", "<intvelocity actrange=\"-1 1\" joint=\"i1\"", "`actrange` of <intvelocity> `i1`"),
        ("<compiler ", "<compiler settotalmass=\"2\" ", "`settotalmass` of <compiler>"),
        ("<compiler ", "<compiler balanceinertia=\"true\" ", "`balanceinertia` of <compiler>"),
        ("<compiler ", "<compiler boundmass=\"0.1\" ", "`boundmass` of <compiler>"),
        ("<compiler ", "<compiler inertiagrouprange=\"0 1\" ", "`inertiagrouprange` of <compiler>"),
        ("<compiler ", "<option timestep=\"0.001\" cone=\"elliptic\"/><compiler ", "<option> `timestep`, `cone`"),
    ] {
        let (report, _) = changed(from, to);
        reports(&report, Ignored, &[said]);
    }
    let (report, text) = changed("<joint name=\"i1\"", "<joint name=\"i1\" stiffness=\"0.1\"");
    reports(&report, Ignored, &[&place("hand.xml", &text, "<joint name=\"i1\""), "spring of joint `i1`"]);
}

#[test]
fn springs_of_tendons_and_what_else_stands_in_sections_is_in_the_report() {
    let tendon = "<tendon><fixed name=\"t\" stiffness=\"3\" springlength=\"0.1\" damping=\"1\" range=\"0 1\">\
        <joint joint=\"i1\" coef=\"1\"/><joint joint=\"i2\" coef=\"1\"/></fixed></tendon>";
    let (_, report) = xml(&before("</mujoco>", tendon));
    for attribute in ["stiffness", "springlength", "damping", "range"] {
        reports(&report, Ignored, &[&format!("`{attribute}` of <fixed> `t`")]);
    }
    let pair = "<contact><pair geom1=\"a\" geom2=\"b\"/></contact>";
    reports(&xml(&before("</mujoco>", pair)).1, Ignored, &["<pair>"]);
    let key = "<keyframe><key name=\"home\" qpos=\"0.1 0.1 0.1 0.1 0.1 0.1\" qvel=\"0 0 0 0 0 0\" ctrl=\"0 0 0 0 0 0\"/></keyframe>";
    let (robot, report) = xml(&before("</mujoco>", key));
    assert_eq!(robot.home_rad[0], 0.1);
    reports(&report, Ignored, &["`qvel` of <key> `home`"]);
    reports(&report, Ignored, &["`ctrl` of <key> `home`"]);
    let actuators =
        "<muscle name=\"m\" joint=\"i1\" force=\"3\"/><adhesion name=\"a\" body=\"ia\" gain=\"1\" ctrlrange=\"0 1\"/>";
    let (robot, report) = xml(&mjcf(&palm(""), &(actuators.to_owned() + &servos())));
    assert_eq!(robot, xml(&hand("")).0, "servos are still those of their joints");
    reports(&report, Ignored, &["<muscle> actuators `m`"]);
    reports(&report, Ignored, &["<adhesion> actuators `a`"]);
    let gravity = before("<compiler", "<option gravity=\"0 0 9.81\"/>");
    reports(&xml(&gravity).1, Warned, &["gravity 0 0 9.81", "-z"]);
}

#[test]
fn what_giraffe_reads_is_not_in_the_report() {
    let (_, report) = xml(&hand(""));
    assert_eq!(report.count(Ignored), 0, "{report}");
    let (_, report) = read(&[("hand.urdf", &urdf())]);
    assert_eq!(report.count(Ignored), 0, "{report}");
}

#[test]
fn unknown_elements_and_attributes_of_urdf_are_in_the_report() {
    let changed = |from: &str, to: &str| read(&[("hand.urdf", &edit(&urdf(), from, to))]).1;
    let limit = "effort=\"0.5\"";
    for (from, to, said) in [
        (limit, "effort=\"0.5\" acceleration=\"3\"", "`acceleration` of <limit> `i1`"),
        ("<axis", "<safety_controller k_velocity=\"1\"/><axis", "<safety_controller> of joint `i1`"),
        ("<axis", "<calibration rising=\"0\"/><axis", "<calibration> of joint `i1`"),
        ("<axis", "<dynamics damping=\"0.05\" spring_stiffness=\"1\"/><axis", "`spring_stiffness` of <dynamics> `i1`"),
        (
            "<link name=\"ia\">",
            "<link name=\"ia\"><contact><lateral_friction value=\"1\"/></contact>",
            "<contact> of link `ia`",
        ),
        ("<collision>", "<collision><verbose value=\"x\"/>", "<verbose> of collision `palm`"),
        ("<mass value=\"0.02\"/>", "<mass value=\"0.02\"/><com x=\"0\"/>", "<com> of inertial `ia`"),
        ("<robot name=\"m\">", "<robot name=\"m\" version=\"1.0\">", "`version` of <robot>"),
        ("</robot>", "<gazebo reference=\"ia\"><mu1>0.9</mu1></gazebo></robot>", "<gazebo>"),
        ("</robot>", "<transmission name=\"t\"/></robot>", "<transmission> `t`"),
        ("</robot>", "<group_state name=\"s\"/></robot>", "<group_state> `s`: unknown to giraffe"),
        ("</robot>", "<ros2_control name=\"c\"/></robot>", "<ros2_control> `c`"),
    ] {
        reports(&changed(from, to), Ignored, &[said]);
    }
    let report = changed("</robot>", "<loop_joint name=\"bar\" type=\"spherical\"/></robot>");
    reports(&report, Warned, &["<loop_joint> `bar`", "left open", "<mimic>"]);
}

#[test]
fn a_loop_is_left_open_and_what_to_do_instead_is_said() {
    for (tie, said) in [
        ("<connect body1=\"ib\" body2=\"jb\" anchor=\"0 0 0\"/>", "<connect> that closes a loop: `ib to jb`"),
        ("<weld body1=\"ib\" body2=\"jb\"/>", "<weld> that closes a loop: `ib to jb`"),
        ("<connect site1=\"a\" site2=\"b\"/>", "sites that closes a loop: `a to b`"),
    ] {
        let text = before("</mujoco>", &format!("<equality>{tie}</equality>"));
        let (robot, report) = xml(&text);
        assert_eq!(robot, xml(&hand("")).0);
        reports(
            &report,
            Warned,
            &[&place("hand.xml", &text, tie), said, "left open", "joints that follow one another"],
        );
    }
    let off = before(
        "</mujoco>",
        "<equality><connect body1=\"ib\" body2=\"jb\" anchor=\"0 0 0\" active=\"false\"/></equality>",
    );
    assert_eq!(xml(&off).1.warnings().count(), 0);
}

#[test]
fn of_a_linkage_the_longest_chain_is_the_finger() {
    let rod = "<body name=\"rod\" pos=\"0.01 0 0\"><inertial pos=\"0 0 0\" mass=\"0.002\" diaginertia=\"1e-7 1e-7 1e-7\"/>\
        <joint name=\"pin\" axis=\"0 -1 0\" range=\"-1 1\"/><geom type=\"sphere\" size=\"0.003\"/></body>";
    let text = edit(&hand(""), "<body name=\"ib\"", &format!("{rod}<body name=\"ib\""));
    let (robot, report) = xml(&text);
    let tips: Vec<&str> = robot.fingertips.iter().map(|tip| tip.name.as_str()).collect();
    assert_eq!(tips, ["ib", "jb", "kb"]);
    reports(&report, giraffe_robots::ImportAction::Assumed, &["ends beside a finger `rod`"]);
    reports(&report, Approximated, &["`kv`"]);
}

#[test]
fn words_that_mjcf_does_not_have_are_refused_with_their_line() {
    let text = edit(&hand(""), "<joint name=\"i1\"", "<joint type=\"revolute\" name=\"i1\"");
    let said = super::try_read(&[("hand.xml", &text)]).unwrap_err().to_string();
    super::says(&said, &[&place("hand.xml", &text, "<joint type"), "`revolute`", "hinge"]);
}
