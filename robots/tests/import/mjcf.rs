//! MJCF files with the features that public hands use.

use super::{body, edit, folder, joint, place, read, reports, says, try_read};
use giraffe_robots::ImportAction::{Approximated, Assumed, Ignored, Warned};
use giraffe_robots::{GeomShape, Region, RobotModel, load_robot, load_robot_with_report, read_robot_file};
use nalgebra::{Point3, Vector3};

/// Two fingers of two hinges each on an upturned palm, beside a cube on a floor.
pub const CLAW: &str = r#"<mujoco model="claw">
  <compiler angle="degree" meshdir="parts" autolimits="true"/>
  <option timestep="0.001"/>
  <default>
    <default class="claw">
      <joint axis="0 -1 0" damping="0.1" armature="0.001" frictionloss="0.01" range="0 90"/>
      <position kp="2" forcerange="-0.5 0.5"/>
      <geom friction="0.8"/>
      <default class="shown"><geom type="mesh" contype="0" conaffinity="0" group="2"/></default>
    </default>
  </default>
  <asset>
    <mesh name="shell" file="shell.stl"/>
    <mesh name="pad" file="pad.obj" scale="0.001 0.001 0.001"/>
  </asset>
  <worldbody>
    <light pos="0 0 2"/>
    <geom type="plane" size="1 1 0.1"/>
    <body name="cube" pos="0 0 1"><freejoint/><geom type="box" size="0.03 0.03 0.03"/></body>
    <body name="base" childclass="claw" pos="0 0 0.5" quat="0 1 0 0">
      <inertial pos="0 0 0" mass="0.3" diaginertia="1e-3 1e-3 1e-3"/>
      <geom class="shown" mesh="shell"/>
      <geom type="box" size="0.04 0.04 0.01"/>
      <site name="grip" pos="0 0 0.1"/>
      <body name="a_near" pos="0.06 0.02 0">
        <inertial pos="0.02 0 0" mass="0.05" diaginertia="5e-6 2e-5 2e-5"/>
        <joint name="a1"/>
        <geom type="capsule" fromto="0 0 0 0.04 0 0" size="0.008"/>
        <body name="a_far" pos="0.06 0 0">
          <inertial pos="0.01 0 0" mass="0.02" diaginertia="2e-6 4e-6 4e-6"/>
          <joint name="a2"/>
          <geom type="mesh" mesh="pad"/>
          <body name="a_tip" pos="0.03 0 0" euler="0 90 0">
            <geom type="sphere" size="0.008" mass="0.002"/>
          </body>
        </body>
      </body>
      <body name="b_near" pos="0.06 -0.02 0">
        <inertial pos="0.02 0 0" mass="0.05" diaginertia="5e-6 2e-5 2e-5"/>
        <joint name="b1"/>
        <geom type="cylinder" fromto="0 0 0 0.04 0 0" size="0.008"/>
        <body name="b_far" pos="0.06 0 0">
          <inertial pos="0.01 0 0" mass="0.02" fullinertia="2e-6 4e-6 4e-6 0 0 0"/>
          <joint name="b2"/>
          <geom type="ellipsoid" size="0.02 0.008 0.008" pos="0.02 0 0"/>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator>
    <position name="pull_a1" joint="a1" class="claw"/>
    <position name="pull_a2" joint="a2" class="claw"/>
    <position name="pull_b1" joint="b1" class="claw"/>
    <position name="pull_b2" joint="b2" class="claw"/>
  </actuator>
  <sensor><jointpos joint="a1"/></sensor>
</mujoco>
"#;

/// A box of 20 x 10 x 10 mm, in mm, that starts at its hinge.
pub const PAD: &str = "v 0 -5 -5\nv 20 5 5\nv 0 5 -5\nf 1 2 3\n";

/// The claw with its pad.
pub fn claw(text: &str) -> (RobotModel, giraffe_robots::ImportReport) {
    read(&[("claw.xml", text), ("parts/pad.obj", PAD)])
}

#[track_caller]
fn near(a: Point3<f32>, b: [f32; 3]) {
    assert!((a - Point3::from(b)).norm() < 1e-5, "{a} instead of {b:?}");
}

#[test]
fn joints_servos_and_links_are_those_of_the_file() {
    let (robot, _) = claw(CLAW);
    assert_eq!(robot.name, "claw");
    let names: Vec<&str> = robot.joints.iter().map(|joint| joint.name.as_str()).collect();
    assert_eq!(names, ["a1", "a2", "b1", "b2"]);
    for joint in &robot.joints {
        assert!((joint.position_limits_rad.upper - std::f32::consts::FRAC_PI_2).abs() < 1e-6);
        assert_eq!((joint.stiffness_newton_m_per_rad, joint.effort_limit_newton_m), (2.0, 0.5));
        assert_eq!((joint.damping_newton_m_secs_per_rad, joint.friction_loss_newton_m), (0.1, 0.01));
        assert_eq!((joint.armature_kg_m2, joint.device), (0.001, None));
    }
    let bodies: Vec<&str> = robot.bodies.iter().map(|body| body.name.as_str()).collect();
    assert_eq!(bodies, ["base", "a_near", "a_far", "b_near", "b_far"]);
    assert_eq!((robot.bodies[0].parent, robot.bodies[0].joint, robot.bodies[1].joint), (None, None, Some(0)));
}

#[test]
fn the_palm_frame_has_the_axes_of_the_world_and_stands_where_the_first_body_does() {
    let (robot, _) = claw(CLAW);
    assert_eq!(robot.bodies[0].parent_from_body, nalgebra::Isometry3::identity());
    let flat = robot.forward_kinematics(&[0.0; 4]);
    // The palm is turned over about x: what is at +y in the file is at -y in the world.
    near(flat[body(&robot, "a_far")] * Point3::origin(), [0.12, -0.02, 0.0]);
    let bent = robot.forward_kinematics(&[std::f32::consts::FRAC_PI_2, 0.0, 0.0, 0.0]);
    // About -y of the upside-down palm a finger that points along x turns toward -z.
    near(bent[body(&robot, "a_far")] * Point3::origin(), [0.06, -0.02, -0.06]);
}

#[test]
fn what_is_only_seen_or_stands_aside_is_ignored_and_said() {
    let (robot, report) = claw(CLAW);
    assert!(robot.bodies[0].geoms.len() == 1, "{:?}", robot.bodies[0].geoms);
    reports(&report, Ignored, &[&place("claw.xml", CLAW, "<geom class=\"shown"), "visual shapes"]);
    reports(&report, Ignored, &[&place("claw.xml", CLAW, "<body name=\"cube"), "`cube`", "most hinges"]);
    reports(&report, Ignored, &[&place("claw.xml", CLAW, "<geom type=\"plane"), "shapes of the world"]);
    reports(&report, Ignored, &["cameras, lights", "3 times"]);
    reports(&report, Ignored, &[&place("claw.xml", CLAW, "<option"), "<option>"]);
}

#[test]
fn a_collision_mesh_is_its_bounding_box_or_left_out_if_the_file_is_missing() {
    let (robot, report) = claw(CLAW);
    let pad = &robot.bodies[body(&robot, "a_far")].geoms[0];
    let GeomShape::Box { half_extents_m } = pad.shape else { panic!("{pad:?}") };
    assert!((Vector3::from(half_extents_m) - Vector3::new(0.01, 0.005, 0.005)).norm() < 1e-7, "{half_extents_m:?}");
    assert!((pad.body_from_geom.translation.vector - Vector3::new(0.01, 0.0, 0.0)).norm() < 1e-7);
    reports(
        &report,
        Approximated,
        &[&place("claw.xml", CLAW, "<geom type=\"mesh\" mesh"), "collision mesh `pad`", "bounding box"],
    );

    let (robot, report) = read(&[("claw.xml", CLAW)]);
    assert_eq!(robot.bodies[body(&robot, "a_far")].geoms.len(), 1, "only the welded tip is left");
    reports(&report, Warned, &["mesh files that are not there", "`pad.obj`", "touch nothing", "looked in"]);
}

#[test]
fn shapes_that_giraffe_has_none_of_are_the_nearest_it_has() {
    let (robot, report) = claw(CLAW);
    let shape = |name: &str| robot.bodies[body(&robot, name)].geoms[0].shape;
    assert_eq!(shape("a_near"), GeomShape::Capsule { half_length_m: 0.02, radius_m: 0.008 });
    assert_eq!(shape("b_near"), GeomShape::Cylinder { half_length_m: 0.02, radius_m: 0.008 });
    let GeomShape::Capsule { half_length_m, radius_m } = shape("b_far") else { panic!("{:?}", shape("b_far")) };
    assert!((radius_m - 0.008).abs() < 1e-6 && (half_length_m - 0.012).abs() < 1e-6);
    let along = robot.bodies[body(&robot, "b_far")].geoms[0].body_from_geom.rotation * Vector3::z();
    assert!((along.x.abs() - 1.0).abs() < 1e-6, "{along}");
    reports(&report, Approximated, &["ellipsoid", "capsule"]);
}

#[test]
fn a_welded_body_is_part_of_the_link_that_carries_it() {
    let (robot, _) = claw(CLAW);
    let far = &robot.bodies[body(&robot, "a_far")];
    assert!((far.mass_kg - 0.022).abs() < 1e-7);
    near(far.center_of_mass_m, [(0.02 * 0.01 + 0.002 * 0.03) / 0.022, 0.0, 0.0]);
    assert_eq!(far.geoms.len(), 2);
    assert!((far.geoms[1].body_from_geom.translation.vector - Vector3::new(0.03, 0.0, 0.0)).norm() < 1e-7);
}

#[test]
fn fingertips_regions_home_and_the_objects_place_are_assumed_and_said() {
    let (robot, report) = claw(CLAW);
    let tips: Vec<&str> = robot.fingertips.iter().map(|tip| tip.name.as_str()).collect();
    assert_eq!(tips, ["a_far", "b_far"]);
    // The sphere of the welded tip reaches to 38 mm.
    near(robot.fingertips[0].point_m, [0.038, 0.0, 0.0]);
    let region = |name: &str| robot.bodies[body(&robot, name)].geoms[0].region;
    assert_eq!([region("base"), region("a_near"), region("a_far")], [Region::Palm, Region::Link, Region::Tip]);
    assert!(
        robot.home_rad.iter().all(|angle| (angle - std::f32::consts::FRAC_PI_4).abs() < 1e-5),
        "{:?}",
        robot.home_rad
    );
    assert_eq!(robot.control.period_secs, 0.05);
    let object = robot.palm_from_object_home.translation.vector;
    assert!(object.z > 0.035 && object.z < 0.12 && object.x.abs() < 0.12 && object.y.abs() < 0.04, "{object}");
    for part in ["no fingertips", "no resting pose", "where an object starts", "speed of joint `a1`", "no robot.toml"] {
        reports(&report, Assumed, &[part]);
    }
}

#[test]
fn the_key_home_is_the_resting_pose() {
    // The cube's seven numbers come first.
    let key = "<keyframe><key name=\"home\" qpos=\"0 0 1 1 0 0 0 0.1 0.2 0.3 9\"/></keyframe></mujoco>";
    let (robot, report) = claw(&edit(CLAW, "</mujoco>", key));
    assert_eq!(robot.home_rad[..3], [0.1, 0.2, 0.3]);
    assert_eq!(robot.home_rad[3], robot.joints[3].position_limits_rad.upper);
    reports(&report, Approximated, &["`b2`", "beyond its limits"]);
    let (_, report) = claw(&edit(CLAW, "</mujoco>", &key.replace(" 9\"", "\"")));
    reports(&report, Ignored, &["10 numbers in the key `home` instead of 11"]);
}

#[test]
fn joints_on_one_tendon_turn_together_in_proportion_to_how_it_pulls() {
    let tendon = "<tendon><fixed name=\"both\"><joint joint=\"a1\" coef=\"1\"/><joint joint=\"a2\" coef=\"0.5\"/></fixed>\
        </tendon></mujoco>";
    let text = edit(&edit(CLAW, "</mujoco>", tendon), "joint=\"a1\" class", "tendon=\"both\" class");
    let text = edit(&text, "<position name=\"pull_a2\" joint=\"a2\" class=\"claw\"/>", "");
    let (robot, report) = claw(&text);
    let coupling = robot.couplings[0];
    assert_eq!((coupling.leader, coupling.follower), (joint(&robot, "a1"), joint(&robot, "a2")));
    assert_eq!((coupling.ratio, coupling.offset_rad), (0.5, 0.0));
    // Per rad of the leader the tendon moves by 1 + 0.5 * 0.5 rad, and so often its torque counts.
    let leader = &robot.joints[coupling.leader];
    assert!((leader.stiffness_newton_m_per_rad - 2.0 * 1.25 * 1.25).abs() < 1e-6);
    assert!((leader.effort_limit_newton_m - 0.5 * 1.25).abs() < 1e-6);
    assert_eq!(robot.actuated_joints(), [0, 2, 3]);
    let follower = &robot.joints[coupling.follower];
    assert_eq!(follower.stiffness_newton_m_per_rad, leader.stiffness_newton_m_per_rad);
    assert!((robot.home_rad[1] - robot.home_rad[0] / 2.0).abs() < 1e-6);
    reports(&report, Approximated, &["tendon", "`a2`", "turns with `a1`"]);
}

#[test]
fn of_two_coupled_joints_the_one_with_the_servo_leads() {
    // a1 = 0.1 + 0.5 a2, as MuJoCo reads it: joint1 follows.
    let equality = "<equality><joint joint1=\"a1\" joint2=\"a2\" polycoef=\"0.1 0.5 0 0 0\"/></equality></mujoco>";
    let text = edit(CLAW, "</mujoco>", equality);
    let without =
        |name: &str| edit(&text, &format!("<position name=\"pull_{name}\" joint=\"{name}\" class=\"claw\"/>"), "");
    let (robot, report) = claw(&without("a1"));
    let coupling = robot.couplings[0];
    assert_eq!((coupling.leader, coupling.follower, coupling.ratio, coupling.offset_rad), (1, 0, 0.5, 0.1));
    assert!(report.entries.iter().all(|entry| !entry.found.contains("limits of joint")), "{report}");
    let (robot, report) = claw(&without("a2"));
    let coupling = robot.couplings[0];
    assert_eq!((coupling.leader, coupling.follower, coupling.ratio), (0, 1, 2.0));
    assert!((coupling.offset_rad + 0.2).abs() < 1e-6);
    // The follower's 0 to 90 degrees leave the leader 0.1 rad to half of them and 0.1.
    let limits = robot.joints[0].position_limits_rad;
    assert!((limits.lower - 0.1).abs() < 1e-6 && (limits.upper - 0.885_398).abs() < 1e-5, "{limits:?}");
    reports(&report, Approximated, &["limits of joint `a1`", "`a2`"]);
}

#[test]
fn followers_of_followers_follow_the_first_leader() {
    let equality = "<equality><joint joint1=\"b1\" joint2=\"a2\" polycoef=\"0.2 0.5 0 0 0\"/>\
        <joint joint1=\"a2\" joint2=\"a1\" polycoef=\"0.1 0.5 0.3 0 0\"/></equality></mujoco>";
    let mut text = edit(CLAW, "</mujoco>", equality);
    for name in ["a2", "b1"] {
        text = edit(&text, &format!("<position name=\"pull_{name}\" joint=\"{name}\" class=\"claw\"/>"), "");
    }
    let (robot, report) = claw(&text);
    let of = |follower: usize| robot.couplings.iter().find(|coupling| coupling.follower == follower).unwrap();
    assert_eq!((of(1).leader, of(2).leader), (0, 0));
    assert!((of(2).ratio - 0.25).abs() < 1e-6 && (of(2).offset_rad - 0.25).abs() < 1e-6, "{:?}", of(2));
    reports(&report, Approximated, &["curved coupling", "`a2`", "linear part"]);
}

#[test]
fn general_actuators_with_an_affine_bias_and_gears_are_servos() {
    let text = edit(
        CLAW,
        "<position name=\"pull_a1\" joint=\"a1\" class=\"claw\"/>",
        "<general name=\"pull_a1\" joint=\"a1\" gear=\"2\" biastype=\"affine\" gainprm=\"0.01\" biasprm=\"0 -3 -0.1\" \
         forcerange=\"-0.4 0.6\"/>",
    );
    let (robot, report) = claw(&text);
    let joint = &robot.joints[0];
    assert!((joint.stiffness_newton_m_per_rad - 12.0).abs() < 1e-6);
    assert!((joint.effort_limit_newton_m - 0.8).abs() < 1e-6);
    assert!((joint.damping_newton_m_secs_per_rad - 0.5).abs() < 1e-6);
    reports(&report, Approximated, &["differ by direction", "`pull_a1`", "smaller"]);
    reports(&report, Approximated, &["`kv`", "joint's"]);
}

#[test]
fn joints_without_a_servo_are_given_one_and_it_is_said() {
    let motor = edit(
        CLAW,
        "<position name=\"pull_a1\" joint=\"a1\" class=\"claw\"/>",
        "<motor name=\"pull_a1\" joint=\"a1\" ctrlrange=\"-0.3 0.3\"/>",
    );
    let (robot, report) = claw(&motor);
    let joint = &robot.joints[0];
    assert!((joint.effort_limit_newton_m - 0.3).abs() < 1e-6 && (joint.stiffness_newton_m_per_rad - 3.0).abs() < 1e-6);
    reports(&report, Assumed, &["torque actuators `pull_a1`", "0.1 rad"]);

    let none = edit(CLAW, "<position name=\"pull_a1\" joint=\"a1\" class=\"claw\"/>", "");
    let (robot, report) = claw(&none);
    assert_eq!((robot.joints[0].stiffness_newton_m_per_rad, robot.joints[0].effort_limit_newton_m), (2.0, 0.5));
    reports(&report, Assumed, &["joint without a servo `a1`", "median"]);

    let unlimited = edit(CLAW, "<position kp=\"2\" forcerange=\"-0.5 0.5\"/>", "<position kp=\"2\"/>");
    let (robot, report) = claw(&unlimited);
    assert!((robot.joints[0].effort_limit_newton_m - std::f32::consts::PI).abs() < 1e-5);
    reports(&report, Assumed, &["no torque limit", "`a1`", "1 more"]);
    let by_joint = edit(&unlimited, "range=\"0 90\"/>", "range=\"0 90\" actuatorfrcrange=\"-0.25 0.25\"/>");
    assert_eq!(claw(&by_joint).0.joints[3].effort_limit_newton_m, 0.25);
}

#[test]
fn joints_that_are_no_hinges_are_fixed_where_they_stand() {
    let (robot, report) = claw(&edit(CLAW, "<joint name=\"a2\"/>", "<joint name=\"a2\" type=\"slide\"/>"));
    assert_eq!(robot.joint_count(), 3);
    assert_eq!(robot.fingertips[0].name, "a_near");
    assert!((robot.bodies[body(&robot, "a_near")].mass_kg - 0.072).abs() < 1e-6);
    reports(&report, Approximated, &[&place("claw.xml", CLAW, "<joint name=\"a2"), "slide joint `a2`", "hinges"]);
    reports(&report, Ignored, &["no hinges of the hand `pull_a2`"]);
    let (robot, report) = claw(&edit(CLAW, "<joint name=\"a2\"/>", "<joint name=\"a2\" range=\"30 30\"/>"));
    assert_eq!(robot.joint_count(), 3);
    let turned = robot.bodies[body(&robot, "a_near")].geoms[1].body_from_geom.rotation.angle();
    assert!((turned - 30.0_f32.to_radians()).abs() < 1e-5, "{turned}");
    assert!(report.entries.iter().all(|entry| entry.action != Assumed || !entry.found.contains("`a2`")), "{report}");
}

#[test]
fn a_body_with_two_hinges_is_two_links_and_moves_as_in_mujoco() {
    let two = "<joint name=\"a2\"/><joint name=\"a3\" axis=\"0 0 1\" pos=\"0.01 0 0\" ref=\"10\" range=\"-40 40\"/>";
    let (robot, report) = claw(&edit(CLAW, "<joint name=\"a2\"/>", two));
    assert_eq!(robot.joint_count(), 5);
    let (between, far) = (body(&robot, "a_far_turn_1"), body(&robot, "a_far"));
    assert_eq!(robot.bodies[far].parent, Some(between));
    assert!((robot.bodies[between].mass_kg + robot.bodies[far].mass_kg - 0.022).abs() < 1e-6);
    reports(&report, Approximated, &["several hinges", "`a_far`"]);
    // At its reference a joint does not turn; 80 degrees further it turns about its own point.
    let mut angles = vec![0.0; 5];
    angles[2] = 10.0_f32.to_radians();
    let at = |angles: &[f32]| robot.forward_kinematics(angles)[far] * Point3::new(0.03, 0.0, 0.0);
    near(at(&angles), [0.15, -0.02, 0.0]);
    angles[2] = 100.0_f32.to_radians();
    near(at(&angles), [0.13, -0.04, 0.0]);
}

#[test]
fn what_has_no_name_is_given_one() {
    let text = CLAW.replace("<body name=\"b_far\"", "<body").replace("<joint name=\"b2\"/>", "<joint/>");
    let text = edit(&text, "<position name=\"pull_b2\" joint=\"b2\" class=\"claw\"/>", "");
    let (robot, report) = claw(&text);
    assert_eq!((robot.bodies[4].name.as_str(), robot.joints[3].name.as_str()), ("body_7", "body_7_joint"));
    reports(&report, Assumed, &["bodies without a name `body_7`"]);
}

#[test]
fn mass_that_is_not_given_is_that_of_the_shapes() {
    let bare = edit(CLAW, "<inertial pos=\"0.02 0 0\" mass=\"0.05\" diaginertia=\"5e-6 2e-5 2e-5\"/>", "");
    let (robot, report) = claw(&bare);
    let volume = std::f32::consts::PI * 0.008 * 0.008 * (0.04 + 4.0 / 3.0 * 0.008);
    assert!((robot.bodies[1].mass_kg - 1000.0 * volume).abs() < 1e-6, "{}", robot.bodies[1].mass_kg);
    assert!(
        report.entries.iter().all(|entry| !entry.found.contains("mass of body")),
        "MuJoCo reckons so too: {report}"
    );
    // A mesh that is not there cannot be weighed: then the collision shapes are.
    let shown = edit(&bare, "<joint name=\"a1\"/>", "<joint name=\"a1\"/><geom class=\"shown\" mesh=\"shell\"/>");
    let (robot, report) = claw(&shown);
    assert!((robot.bodies[1].mass_kg - 1000.0 * volume).abs() < 1e-6);
    reports(&report, Assumed, &["unknown mass of body `a_near`", "collision shapes"]);
}

#[test]
fn shapes_whose_collision_bits_never_meet_are_excluded() {
    let (robot, _) = claw(CLAW);
    let pair = (body(&robot, "a_far"), body(&robot, "b_far"));
    assert!(!robot.contact_excludes.contains(&pair));
    let bits = edit(CLAW, "<geom friction=\"0.8\"/>", "<geom friction=\"0.8\" contype=\"1\" conaffinity=\"2\"/>");
    assert!(claw(&bits).0.contact_excludes.contains(&pair));
    let said = "<contact><exclude body1=\"b_far\" body2=\"a_tip\"/></contact></mujoco>";
    assert!(
        claw(&edit(CLAW, "</mujoco>", said)).0.contact_excludes.contains(&pair),
        "a welded body counts as its link"
    );
}

#[test]
fn shapes_that_overlap_at_rest_never_touch() {
    let long = edit(
        CLAW,
        "<geom type=\"capsule\" fromto=\"0 0 0 0.04 0 0\"",
        "<geom type=\"capsule\" fromto=\"0 0 0 0.04 -0.06 0\"",
    );
    let (robot, report) = claw(&long);
    assert!(robot.contact_excludes.contains(&(body(&robot, "a_near"), body(&robot, "b_near"))));
    reports(&report, Assumed, &["overlap in the resting pose", "a_near and b_near"]);
}

#[test]
fn included_files_are_read_in_place_and_named_in_what_is_said() {
    let (start, end) =
        (CLAW.find("      <body name=\"b_near\"").unwrap(), CLAW.find("    </body>\n  </worldbody>").unwrap());
    let main = format!("{}<include file=\"b.xml\"/>\n{}", &CLAW[..start], &CLAW[end..]);
    let included = format!("<mujocoinclude>\n{}</mujocoinclude>", &CLAW[start..end]);
    let (robot, report) = read(&[("claw.xml", &main), ("b.xml", &included), ("parts/pad.obj", PAD)]);
    let (whole, _) = claw(CLAW);
    assert_eq!(robot.kinematics_fingerprint, whole.kinematics_fingerprint);
    assert_eq!(robot.dynamics_fingerprint, whole.dynamics_fingerprint);
    reports(&report, Approximated, &["b.xml:9", "ellipsoid"]);
    let wrong = edit(&included, "<joint name=\"b2\"/>", "<joint name=\"b2\" range=\"2 1\"/>");
    let said = try_read(&[("claw.xml", &main), ("b.xml", &wrong)]).unwrap_err().to_string();
    says(&said, &["b.xml:8: <joint> `b2`", "lower limit"]);
    let said = try_read(&[("claw.xml", &main)]).unwrap_err().to_string();
    says(&said, &[&place("claw.xml", &main, "<include"), "`b.xml`", "not there"]);
    let circle = "<mujocoinclude><include file=\"claw.xml\"/></mujocoinclude>";
    says(&try_read(&[("claw.xml", &main), ("b.xml", circle)]).unwrap_err().to_string(), &["b.xml:1", "circle"]);
}

#[test]
fn the_same_file_is_the_same_hand_and_a_moved_joint_another() {
    let (one, two) = (claw(CLAW).0, claw(CLAW).0);
    assert_eq!(one, two);
    let (moved, _) = claw(&edit(CLAW, "pos=\"0.06 0 0\"", "pos=\"0.061 0 0\""));
    assert_ne!(one.kinematics_fingerprint, moved.kinematics_fingerprint);
}

#[test]
fn the_assumed_robot_toml_beside_the_file_gives_the_same_hand_and_edits_count() {
    let (robot, report) = claw(CLAW);
    let assumed = report.robot_toml.unwrap();
    let files = |toml: &str| {
        let (robot, report) = read(&[("claw.xml", CLAW), ("parts/pad.obj", PAD), ("robot.toml", toml)]);
        assert!(report.robot_toml.is_none() && report.entries.iter().all(|entry| entry.found != "no robot.toml"));
        robot
    };
    assert_eq!(files(&assumed), robot);
    let slower = files(&edit(&assumed, "period_secs = 0.0", "period_secs = 0.1"));
    assert!(slower.control.period_secs > 0.1);
}

#[test]
fn a_robot_toml_beside_the_file_is_read_strictly() {
    let assumed = claw(CLAW).1.robot_toml.unwrap();
    let refuse = |toml: &str| {
        try_read(&[("claw.xml", CLAW), ("parts/pad.obj", PAD), ("robot.toml", toml)]).unwrap_err().to_string()
    };
    says(&refuse(&edit(&assumed, "period_secs", "period_sec")), &["robot.toml", "period_sec"]);
    says(&refuse(&edit(&assumed, "body = \"a_far\"", "body = \"a_tip\"")), &["`a_tip`", "welded to `a_far`"]);
}

#[test]
fn giraffes_own_description_given_as_a_file_is_the_built_in_hand() {
    let own = [
        ("hand.xml", include_str!("../../descriptions/leap-right/hand.xml")),
        ("robot.toml", include_str!("../../descriptions/leap-right/robot.toml")),
    ];
    let (robot, report) = read(&own);
    let built_in = load_robot("leap-right").unwrap();
    assert!(report.is_empty(), "{report}");
    assert_eq!(robot.kinematics_fingerprint, built_in.kinematics_fingerprint);
    assert_eq!(robot.dynamics_fingerprint, built_in.dynamics_fingerprint);
}

#[test]
fn giraffes_own_hand_without_its_robot_toml_stands_and_weighs_the_same() {
    let (robot, _) = read(&[("leap.xml", include_str!("../../descriptions/leap-right/hand.xml"))]);
    let built_in = load_robot("leap-right").unwrap();
    let (pose_rad, _) = built_in.test_vector();
    let own_rad: Vec<f32> = robot.joints.iter().map(|own| pose_rad[joint(&built_in, &own.name)]).collect();
    let (ours, theirs) = (robot.forward_kinematics(&own_rad), built_in.forward_kinematics(&pose_rad));
    for (index, link) in built_in.bodies.iter().enumerate() {
        let own = body(&robot, &link.name);
        let difference = ours[own].inv_mul(&theirs[index]);
        assert!(difference.translation.vector.norm() < 1e-6 && difference.rotation.angle() < 1e-3, "{}", link.name);
        // What never moves needs no mass.
        let weighs = |body: &giraffe_robots::BodyModel| if body.joint.is_some() { body.mass_kg } else { 0.0 };
        assert!((weighs(&robot.bodies[own]) - weighs(link)).abs() < 1e-7, "{}", link.name);
    }
    for own in &robot.joints {
        let known = &built_in.joints[joint(&built_in, &own.name)];
        assert_eq!(own.position_limits_rad, known.position_limits_rad);
        assert_eq!(own.stiffness_newton_m_per_rad, known.stiffness_newton_m_per_rad);
    }
    // What is assumed is near what was chosen with care.
    let apart = robot.palm_from_object_home.translation.vector - built_in.palm_from_object_home.translation.vector;
    assert!(apart.norm() < 0.06, "{apart}");
    let home = joint(&robot, "index_pip");
    assert_eq!(robot.home_rad[home], 0.8);
}

#[test]
fn a_path_to_a_file_is_taken_wherever_a_name_is() {
    let folder = folder(&[("claw.xml", CLAW), ("parts/pad.obj", PAD)]);
    let path = folder.path().join("claw.xml");
    let (robot, report) = load_robot_with_report(path.to_str().unwrap()).unwrap();
    assert_eq!(robot, read_robot_file(&path).unwrap().0);
    assert!(!report.is_empty());
    assert!(load_robot_with_report("leap-right").unwrap().1.is_empty());
    let missing = folder.path().join("clow.xml");
    says(&load_robot(missing.to_str().unwrap()).unwrap_err().to_string(), &["clow.xml", "cannot read"]);
    says(&load_robot("hand.urdf").unwrap_err().to_string(), &["hand.urdf", "cannot read"]);
}

#[test]
fn sections_may_stand_in_any_order_as_in_mujoco() {
    let (start, end) = (CLAW.find("  <default>").unwrap(), CLAW.find("  <asset>").unwrap());
    let late = [&CLAW[..start], &CLAW[end..]].concat();
    let late = edit(&late, "</mujoco>", &format!("{}</mujoco>", &CLAW[start..end]));
    assert_eq!(claw(&late).0, claw(CLAW).0);
    let compiler = "<compiler angle=\"degree\" meshdir=\"parts\" autolimits=\"true\"/>";
    let late = edit(&edit(CLAW, compiler, ""), "</mujoco>", &format!("{compiler}</mujoco>"));
    assert_eq!(claw(&late).0, claw(CLAW).0);
}
