//! The LEAP right hand is the hand that its makers and MuJoCo know.
#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "tests: a panic is the report, and exact numbers are meant")]

use giraffe_robots::{GeomShape, Region, RobotModel, load_robot};
use nalgebra::{Point3, Quaternion, UnitQuaternion};

fn leap() -> RobotModel {
    load_robot("leap-right").unwrap()
}

/// No two joints alike, so that any confusion of order or sign shows. Canonical order.
const POSE_RAD: [f32; 16] =
    [0.10, 0.50, 1.10, 0.70, -0.30, 1.20, 0.40, 1.45, 0.25, -0.20, 0.90, -0.15, 1.60, 0.35, -0.80, 1.05];

#[test]
fn fingertips_and_distal_links_stand_where_mujoco_puts_them() {
    let robot = leap();
    // MuJoCo 4.0.0 on hand.xml at POSE_RAD: point of robot.toml on each distal body; orientation of the body, wxyz.
    let expected = [
        ("index", [0.1685231, -0.0361064, 0.0490776], [-0.69467, 0.691995, 0.169632, 0.099002]),
        ("middle", [0.1231219, -0.002927, 0.0546399], [-0.619928, 0.560072, 0.273803, 0.476487]),
        ("ring", [0.2501434, 0.070986, -0.0434513], [-0.531873, 0.555979, -0.355809, -0.53047]),
        ("thumb", [0.0788498, -0.0318287, 0.1085541], [0.082855, 0.329749, -0.66075, 0.669187]),
    ];
    let (points, poses) = (robot.fingertip_positions(&POSE_RAD), robot.forward_kinematics(&POSE_RAD));
    for ((tip, point), (name, position, [w, x, y, z])) in robot.fingertips.iter().zip(points).zip(expected) {
        assert_eq!(tip.name, name);
        assert!((point - Point3::from(position)).norm() < 1e-5, "{name}: {point} instead of {position:?}");
        let turned = poses[tip.body].rotation.angle_to(&UnitQuaternion::from_quaternion(Quaternion::new(w, x, y, z)));
        assert!(turned < 1e-3, "{name} is turned by {turned} rad");
    }
}

#[test]
fn joints_are_in_the_order_of_leaps_own_servo_ids_with_leaps_own_limits() {
    // LEAP_Hand_API, leap_hand_utils.py, LEAPsim_limits: servo 0 to 15.
    let lower = [
        -1.047, -0.314, -0.506, -0.366, -1.047, -0.314, -0.506, -0.366, -1.047, -0.314, -0.506, -0.366, -0.349, -0.47,
        -1.20, -1.34,
    ];
    let upper =
        [1.047, 2.23, 1.885, 2.042, 1.047, 2.23, 1.885, 2.042, 1.047, 2.23, 1.885, 2.042, 2.094, 2.443, 1.90, 1.88];
    let robot = leap();
    assert_eq!(robot.joint_count(), 16);
    for (id, joint) in robot.joints.iter().enumerate() {
        assert_eq!(usize::from(joint.device.unwrap().id), id);
        assert_eq!([joint.position_limits_rad.lower, joint.position_limits_rad.upper], [lower[id], upper[id]], "{id}");
    }
    let names: Vec<&str> = robot.joints.iter().map(|joint| joint.name.as_str()).collect();
    assert_eq!(names[..5], ["index_mcp_side", "index_mcp_forward", "index_pip", "index_dip", "middle_mcp_side"]);
    assert_eq!(names[12..], ["thumb_cmc_side", "thumb_cmc_forward", "thumb_mcp", "thumb_ip"]);
}

#[test]
fn a_flat_hand_stands_at_pi_on_every_servo() {
    for joint in leap().joints {
        let device = joint.device.unwrap();
        assert_eq!((device.sign, device.zero_rad), (1.0, std::f32::consts::PI), "{}", joint.name);
    }
}

#[test]
fn closing_a_finger_lifts_its_tip_out_of_the_palm_plane_toward_the_wrist() {
    let robot = leap();
    let flat = robot.fingertip_positions(&[0.0; 16]);
    let mut forward = [0.0; 16];
    [1, 2, 3, 5, 6, 7, 9, 10, 11].iter().for_each(|id| forward[*id] = 0.5);
    let closed = robot.fingertip_positions(&forward);
    for finger in 0..3 {
        assert!(closed[finger].z > flat[finger].z + 0.03 && closed[finger].x < flat[finger].x - 0.02, "{finger}");
    }
}

#[test]
fn the_resting_pose_is_that_of_the_public_task_whatever_the_order() {
    let robot = leap();
    assert_eq!(robot.home_rad[..4], [0.0, 0.8, 0.8, 0.8]);
    assert_eq!(robot.home_rad[12..], [0.8, 0.8, 0.8, 0.0]);
}

#[test]
fn the_tree_is_one_fixed_palm_with_four_chains_of_four_hinges() {
    let robot = leap();
    assert_eq!((robot.bodies[0].parent, robot.bodies[0].joint), (None, None));
    for (index, body) in robot.bodies.iter().enumerate().skip(1) {
        assert!(body.parent.unwrap() < index, "parents come before children");
        assert_eq!(body.joint.is_some(), body.name != "palm");
        assert!(body.mass_kg > 0.0);
    }
    for (index, joint) in robot.joints.iter().enumerate() {
        assert_eq!(robot.bodies[joint.body].joint, Some(index));
    }
    let palm = robot.bodies.iter().position(|body| body.name == "palm").unwrap();
    assert_eq!(robot.bodies.iter().filter(|body| body.parent == Some(palm)).count(), 4);
    let total_kg: f32 = robot.bodies.iter().map(|body| body.mass_kg).sum();
    assert!((total_kg - 0.746).abs() < 1e-4, "{total_kg}");
}

#[test]
fn shapes_have_their_region_and_its_friction() {
    let robot = leap();
    let geoms = || robot.bodies.iter().flat_map(|body| &body.geoms);
    let count = |region| geoms().filter(|geom| geom.region == region).count();
    assert_eq!([count(Region::Tip), count(Region::Link), count(Region::Palm)], [4, 18, 12]);
    for geom in geoms() {
        assert_eq!(geom.friction, if geom.region == Region::Tip { 0.7 } else { 0.2 }, "{}", geom.name);
    }
    let tip = geoms().find(|geom| geom.name == "thumb_tip").unwrap();
    assert_eq!(tip.shape, GeomShape::Box { half_extents_m: [0.01, 0.012, 0.016] });
}

#[test]
fn excluded_pairs_are_mujocos_excludes_and_every_parent_with_its_child() {
    let robot = leap();
    let index = |name: &str| robot.bodies.iter().position(|body| body.name == name).unwrap();
    let excluded = |a: &str, b: &str| {
        let (a, b) = (index(a), index(b));
        robot.contact_excludes.contains(&(a.min(b), a.max(b)))
    };
    assert!(
        excluded("palm", "index_proximal") && excluded("index_middle", "index_distal") && excluded("mount", "palm")
    );
    assert!(!excluded("palm", "index_distal") && !excluded("index_distal", "thumb_distal"));
    assert!(robot.contact_excludes.iter().all(|(a, b)| a < b));
}

#[test]
fn the_policy_may_reverse_a_full_step_within_the_safety_envelope() {
    let robot = leap();
    let step_rad_per_sec = 0.06 / robot.control.period_secs;
    assert!(robot.safety.target_velocity_rad_per_sec >= step_rad_per_sec);
    let reversal = 2.0 * step_rad_per_sec / robot.control.period_secs;
    assert!(robot.safety.target_acceleration_rad_per_sec2 >= reversal, "{reversal} rad/s2");
}

#[test]
fn the_test_vector_is_a_pose_inside_the_limits_with_no_two_joints_alike() {
    let robot = leap();
    let (pose_rad, fingertips_m) = robot.test_vector();
    assert_eq!((pose_rad.len(), fingertips_m.len()), (16, 4));
    for (index, (joint, angle)) in robot.joints.iter().zip(&pose_rad).enumerate() {
        assert!(joint.position_limits_rad.contains(*angle));
        assert!(pose_rad[..index].iter().all(|other| (other - angle).abs() > 1e-3), "{} repeats", joint.name);
    }
    // Swapping any two neighbours, or flipping any sign, moves a fingertip by more than a tracker would excuse.
    for joint in 0..15 {
        let mut swapped = pose_rad.clone();
        swapped.swap(joint, joint + 1);
        assert!(farthest(&robot.fingertip_positions(&swapped), &fingertips_m) > 1e-3, "swap at {joint}");
        let mut flipped = pose_rad.clone();
        flipped[joint] = -flipped[joint];
        assert!(farthest(&robot.fingertip_positions(&flipped), &fingertips_m) > 1e-3, "sign of {joint}");
    }
}

fn farthest(a: &[Point3<f32>], b: &[Point3<f32>]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).norm()).fold(0.0, f32::max)
}

#[test]
fn the_torque_limit_is_that_of_600_milliamperes_by_the_one_torque_constant() {
    let robot = leap();
    let servos = robot.servos.as_ref().unwrap();
    assert_eq!(servos.model, "XC330-M288");
    for joint in &robot.joints {
        let amperes = joint.effort_limit_newton_m / servos.torque_constant_newton_m_per_a;
        assert!((amperes - 0.6).abs() < 1e-6, "{}: {amperes} A", joint.name);
    }
}
