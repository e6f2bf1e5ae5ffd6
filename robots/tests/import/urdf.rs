//! URDF files.

use super::{body, edit, joint, place, read, reports};
use giraffe_robots::ImportAction::{Approximated, Assumed, Ignored, Warned};
use giraffe_robots::{GeomShape, RobotModel};
use nalgebra::{Point3, Vector3};

/// Two fingers that stand up along z of the base and close toward -y; the second hinge of each follows the first.
pub const GRIP: &str = r#"<?xml version="1.0"?>
<robot name="grip">
  <material name="grey"/>
  <link name="base">
    <inertial><mass value="0.4"/><inertia ixx="1e-3" iyy="1e-3" izz="1e-3" ixy="0" ixz="0" iyz="0"/></inertial>
    <collision><origin xyz="0 0 -0.02"/><geometry><box size="0.08 0.03 0.04"/></geometry></collision>
  </link>
  <link name="left_near">
    <inertial>
      <origin xyz="0 0 0.02" rpy="0 0 0.5"/>
      <mass value="0.03"/><inertia ixx="8e-6" iyy="6e-6" izz="3e-6" ixy="0" ixz="0" iyz="0"/>
    </inertial>
    <visual><geometry><mesh filename="package://grip/meshes/near.stl"/></geometry></visual>
    <collision><origin xyz="0 0 0.02"/><geometry><cylinder radius="0.008" length="0.03"/></geometry></collision>
  </link>
  <link name="left_far">
    <inertial>
      <origin xyz="0 0 0.01"/>
      <mass value="0.01"/><inertia ixx="1e-6" iyy="1e-6" izz="5e-7" ixy="0" ixz="0" iyz="0"/>
    </inertial>
    <collision><geometry><mesh filename="package://grip/meshes/far.stl" scale="0.001 0.001 0.001"/></geometry></collision>
  </link>
  <link name="left_cap">
    <collision><geometry><sphere radius="0.006"/></geometry></collision>
  </link>
  <link name="right_near">
    <inertial>
      <origin xyz="0 0 0.02"/>
      <mass value="0.03"/><inertia ixx="8e-6" iyy="6e-6" izz="3e-6" ixy="1e-6" ixz="0" iyz="0"/>
    </inertial>
    <collision><origin xyz="0 0 0.02"/><geometry><box size="0.016 0.016 0.04"/></geometry></collision>
  </link>
  <link name="right_far">
    <collision><origin xyz="0 0 0.01"/><geometry><box size="0.014 0.014 0.02"/></geometry></collision>
  </link>
  <joint name="left_1" type="revolute">
    <parent link="base"/><child link="left_near"/>
    <origin xyz="-0.03 0 0.01"/><axis xyz="2 0 0"/>
    <limit lower="0" upper="1.5" effort="0.6" velocity="5"/><dynamics damping="0.05" friction="0.01"/>
  </joint>
  <joint name="left_2" type="revolute">
    <parent link="left_near"/><child link="left_far"/><origin xyz="0 0 0.045"/><axis xyz="1 0 0"/>
    <limit lower="0" upper="1.2" effort="0.6" velocity="5"/><mimic joint="left_1" multiplier="0.75" offset="0.05"/>
  </joint>
  <joint name="left_cap_weld" type="fixed"><parent link="left_far"/><child link="left_cap"/><origin xyz="0 0 0.025"/></joint>
  <joint name="right_1" type="revolute">
    <parent link="base"/><child link="right_near"/><origin xyz="0.03 0 0.01" rpy="0 0 0"/><axis xyz="1 0 0"/>
    <limit lower="0" upper="1.5" effort="1000" velocity="0"/>
  </joint>
  <joint name="right_2" type="continuous">
    <parent link="right_near"/><child link="right_far"/><origin xyz="0 0 0.045"/><axis xyz="1 0 0"/>
  </joint>
  <transmission name="t"/>
</robot>
"#;

pub fn grip(text: &str) -> (RobotModel, giraffe_robots::ImportReport) {
    read(&[("urdf/grip.urdf", text), ("meshes/far.stl", FAR)])
}

/// Text STL of a pad of 10 x 10 x 20 mm.
const FAR: &str = "solid far\nfacet normal 0 0 0\nouter loop\n\
    vertex -5 -5 0\nvertex 5 5 20\nvertex 5 -5 0\nendloop\nendfacet\nendsolid\n";

/// Says how the hand stands, so that poses can be compared.
fn standing() -> String {
    let world = "<link name=\"world\"/><joint name=\"mount\" type=\"fixed\"><parent link=\"world\"/><child link=\"base\"/>\
        <origin xyz=\"0 0 0.1\" rpy=\"0 0 1.5707963\"/></joint></robot>";
    edit(GRIP, "</robot>", world)
}

#[test]
fn joints_limits_and_dynamics_are_those_of_the_file() {
    let (robot, report) = grip(GRIP);
    let names: Vec<&str> = robot.joints.iter().map(|joint| joint.name.as_str()).collect();
    assert_eq!(names, ["left_1", "left_2", "right_1", "right_2"]);
    let first = &robot.joints[0];
    assert_eq!((first.position_limits_rad.lower, first.position_limits_rad.upper), (0.0, 1.5));
    assert_eq!((first.effort_limit_newton_m, first.velocity_limit_rad_per_sec), (0.6, 5.0));
    assert_eq!((first.damping_newton_m_secs_per_rad, first.friction_loss_newton_m), (0.05, 0.01));
    assert!((first.stiffness_newton_m_per_rad - 6.0).abs() < 1e-5);
    reports(&report, Assumed, &["stiffness", "0.1 rad"]);
    reports(&report, Assumed, &["friction of surfaces", "0.7"]);
    reports(&report, Ignored, &[&place("grip.urdf", GRIP, "<transmission"), "<transmission> `t`"]);
    reports(&report, Ignored, &["visual shapes"]);
}

#[test]
fn placeholders_and_gaps_are_filled_and_said() {
    let (robot, report) = grip(GRIP);
    let (given, bare) = (&robot.joints[0], &robot.joints[2]);
    assert_eq!(bare.effort_limit_newton_m, given.effort_limit_newton_m);
    assert_eq!(bare.velocity_limit_rad_per_sec, 8.0);
    assert!(bare.damping_newton_m_secs_per_rad > 0.0);
    reports(&report, Ignored, &["torque limit of 0 or above 50", "`right_1`", "placeholder"]);
    reports(&report, Assumed, &["joint without a servo `right_1`, `right_2`", "median"]);
    reports(&report, Assumed, &["no damping of joint `right_1`"]);
    reports(&report, Assumed, &["joint without limits `right_2`"]);
    reports(&report, Assumed, &["unknown mass of body", "`right_far`"]);
    let far = body(&robot, "right_far");
    assert!((robot.bodies[far].mass_kg - 1000.0 * 0.014 * 0.014 * 0.02).abs() < 1e-7);
}

#[test]
fn a_mimic_joint_follows() {
    let (robot, report) = grip(GRIP);
    let coupling = robot.couplings[0];
    assert_eq!((coupling.leader, coupling.follower), (0, 1));
    assert_eq!((coupling.ratio, coupling.offset_rad), (0.75, 0.05));
    reports(&report, Ignored, &["servo of joint `left_2`", "follows `left_1`"]);
    assert!((robot.home_rad[1] - (0.05 + 0.75 * robot.home_rad[0])).abs() < 1e-6);
}

#[test]
fn inertia_is_brought_to_its_principal_axes() {
    let (robot, _) = grip(GRIP);
    for (name, expected) in [("left_near", [8e-6, 6e-6, 3e-6]), ("right_near", [8.4142e-6, 5.5858e-6, 3e-6])] {
        let link = &robot.bodies[body(&robot, name)];
        let mut moments: Vec<f32> = link.principal_inertia_kg_m2.iter().copied().collect();
        moments.sort_by(|a, b| b.total_cmp(a));
        for (found, expected) in moments.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{name}: {moments:?}");
        }
    }
    // The axis of the largest moment is turned by 0.5 rad about z in the link's own frame.
    let link = &robot.bodies[body(&robot, "left_near")];
    let largest = (0..3).max_by(|a, b| link.principal_inertia_kg_m2[*a].total_cmp(&link.principal_inertia_kg_m2[*b]));
    let axis = link.body_from_principal * Vector3::ith(largest.unwrap(), 1.0);
    assert!((axis.dot(&Vector3::new(0.5_f32.cos(), 0.5_f32.sin(), 0.0)).abs() - 1.0).abs() < 1e-5, "{axis}");
}

#[test]
fn a_hand_that_does_not_say_how_it_stands_is_laid_on_its_back() {
    let (robot, report) = grip(GRIP);
    let tip = |pose: &[f32]| robot.fingertip_positions(pose)[0];
    let (open, closed) = (tip(&[0.0; 4]), tip(&[0.4, 0.3, 0.0, 0.0]));
    assert!(open.x > 0.08 && open.z.abs() < 0.02, "fingers point along x: {open}");
    assert!(closed.z > open.z + 0.02, "and close upwards: {closed}");
    reports(&report, Assumed, &["how the hand stands", "rpy", "`world`"]);
}

#[test]
fn a_link_called_world_says_how_the_hand_stands_if_the_hand_is_turned_against_it() {
    let (robot, report) = grip(&standing());
    assert_eq!(robot.bodies[0].name, "world");
    reports(&report, Warned, &["how the hand stands", "as the file places it", "90 degrees from vertical"]);
    let poses = robot.forward_kinematics(&[0.0, 0.05, 0.0, 0.0]);
    // A quarter turn about z brings x onto y, and -y onto x.
    let at = poses[body(&robot, "right_far")] * Point3::origin();
    assert!((at - Point3::new(0.0, 0.03, 0.155)).norm() < 1e-6, "{at}");
    let bent = robot.forward_kinematics(&[0.0, 0.0, std::f32::consts::FRAC_PI_2, 0.0]);
    let at = bent[body(&robot, "right_far")] * Point3::origin();
    assert!((at - Point3::new(0.045, 0.03, 0.11)).norm() < 1e-6, "{at}");
}

#[test]
fn meshes_of_packages_are_found_in_the_folders_above() {
    let (robot, report) = grip(GRIP);
    let far = &robot.bodies[body(&robot, "left_far")];
    let GeomShape::Box { half_extents_m } = far.geoms[0].shape else { panic!("{far:?}") };
    assert!((Vector3::from(half_extents_m) - Vector3::new(0.005, 0.005, 0.01)).norm() < 1e-7);
    assert_eq!(far.geoms[1].shape, GeomShape::Sphere { radius_m: 0.006 });
    reports(&report, Approximated, &["collision mesh of link `left_far`", "bounding box"]);
    let (_, report) = read(&[("grip.urdf", GRIP)]);
    reports(&report, Warned, &["mesh files that are not there", "grip/meshes/far.stl`", "looked in"]);
}

#[test]
fn joints_that_are_no_hinges_are_fixed() {
    let text =
        edit(GRIP, "<joint name=\"right_2\" type=\"continuous\">", "<joint name=\"right_2\" type=\"prismatic\">");
    let (robot, report) = grip(&text);
    assert_eq!(robot.joint_count(), 3);
    assert_eq!(robot.bodies[body(&robot, "right_near")].geoms.len(), 2);
    reports(&report, Approximated, &["prismatic joint `right_2`", "fixed at zero"]);
    assert!(robot.joints.iter().all(|own| own.name != "right_2") && joint(&robot, "right_1") == 2);
}
