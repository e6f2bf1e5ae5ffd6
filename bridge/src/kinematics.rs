//! The hand as both sides can see it: joint axes and fingertips in the palm frame, with every joint at zero.
//! This needs no agreement about bodies and frames, so that two programs with different engines can compare.

use crate::message::{ByName, JointDescription, RobotDescription, TestVector, TipDescription};
use giraffe_robots::RobotModel;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// Tolerated difference of each component of a unit axis.
const AXIS_TOLERANCE: f32 = 1e-3;
/// Tolerated difference of an end of a joint's range, rad.
const RANGE_TOLERANCE_RAD: f32 = 1e-3;
/// Tolerated difference of each component of a point, m.
const POINT_TOLERANCE_M: f32 = 0.5e-3;
/// Tolerated distance of a fingertip in the test pose, m.
const TIP_TOLERANCE_M: f32 = 1e-3;

/// The hand `robot`, as sent in a handshake.
pub fn describe(robot: &RobotModel) -> RobotDescription {
    let palm_from_body = robot.forward_kinematics(&vec![0.0; robot.joint_count()]);
    let joints = robot.joints.iter().map(|joint| {
        let pose = &palm_from_body[joint.body];
        let axis = pose.rotation * joint.axis.into_inner();
        let on_axis = (pose * joint.anchor_m).coords;
        let foot = on_axis - axis * axis.dot(&on_axis);
        let description = JointDescription {
            parent: carrier(robot, robot.bodies[joint.body].parent),
            axis: axis.into(),
            point: foot.into(),
            lower: joint.position_limits_rad.lower,
            upper: joint.position_limits_rad.upper,
        };
        (joint.name.clone(), description)
    });
    let tips = robot.fingertips.iter().map(|tip| {
        let point = palm_from_body[tip.body] * tip.point_m;
        (tip.name.clone(), TipDescription { joint: carrier(robot, Some(tip.body)), point: point.coords.into() })
    });
    let (joints, tips) = (joints.collect(), tips.collect());
    RobotDescription {
        name: robot.name.clone(),
        desc_hash: description_hash(&joints, &tips),
        dynamics_hash: robot.dynamics_fingerprint.clone(),
        joints,
        tips,
    }
}

/// Name of the joint nearest to `body` on the way to the palm, itself included.
fn carrier(robot: &RobotModel, mut body: Option<usize>) -> String {
    while let Some(index) = body {
        if let Some(joint) = robot.bodies[index].joint {
            return robot.joints[joint].name.clone();
        }
        body = robot.bodies[index].parent;
    }
    String::new()
}

/// SHA-256 of the canonical text of PROTOCOL.md section 4, in hex.
pub fn description_hash(joints: &ByName<JointDescription>, tips: &ByName<TipDescription>) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(canonical_text(joints, tips).as_bytes()) {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

fn canonical_text(joints: &ByName<JointDescription>, tips: &ByName<TipDescription>) -> String {
    let or_dash = |name: &str| if name.is_empty() { "-".to_owned() } else { name.to_owned() };
    // `round` goes half away from zero; as an integer there is no -0.
    let rounded = |value: f32, per_unit: f64| (f64::from(value) * per_unit).round() as i64;
    let mut text = String::from("hand-link-kinematics-1\n");
    for (name, joint) in joints {
        let _ = write!(text, "joint {name} {}", or_dash(&joint.parent));
        let axis = joint.axis.iter().map(|&value| rounded(value, 1e4));
        let point = joint.point.iter().map(|&value| rounded(value, 1e5));
        let range = [joint.lower, joint.upper].map(|value| rounded(value, 1e4));
        for number in axis.chain(point).chain(range) {
            let _ = write!(text, " {number}");
        }
        text.push('\n');
    }
    for (name, tip) in tips {
        let _ = write!(text, "tip {name} {}", or_dash(&tip.joint));
        for value in tip.point {
            let _ = write!(text, " {}", rounded(value, 1e5));
        }
        text.push('\n');
    }
    text
}

/// A pose in which no two joints stand alike, and where `robot` has its fingertips then.
pub fn test_vector(robot: &RobotModel) -> TestVector {
    let q = robot.joints.iter().enumerate().map(|(index, joint)| {
        // Multiples of the golden ratio's fraction spread evenly and never repeat.
        let fraction = 0.2 + 0.6 * (0.618_034 * (index as f32 + 1.0)).fract();
        let range = joint.position_limits_rad;
        (joint.name.clone(), range.lower + fraction * (range.upper - range.lower))
    });
    let q = q.collect();
    let tips = tips_at(robot, &q).unwrap_or_default();
    TestVector { q, tips }
}

/// Where `robot` has its fingertips at angles `q`; `None` if an angle is missing.
pub fn tips_at(robot: &RobotModel, q: &ByName<f32>) -> Option<ByName<[f32; 3]>> {
    let angles_rad: Option<Vec<f32>> = robot.joints.iter().map(|joint| q.get(&joint.name).copied()).collect();
    let points = robot.fingertip_positions(&angles_rad?);
    let named = robot.fingertips.iter().zip(points).map(|(tip, point)| (tip.name.clone(), point.coords.into()));
    Some(named.collect())
}

/// Compares two descriptions, and says in words what the first difference is. `theirs` is named "the other side's".
///
/// # Errors
/// The joint or tip, the field, both values.
pub fn compare(ours: &RobotDescription, theirs: &RobotDescription) -> Result<(), String> {
    same_names("joints", &ours.joints, &theirs.joints)?;
    same_names("fingertips", &ours.tips, &theirs.tips)?;
    for (name, own) in &ours.joints {
        let other = &theirs.joints[name];
        let at = |field: &str| format!("{field} of joint `{name}`");
        same_text(&at("parent"), &own.parent, &other.parent)?;
        near(&at("axis"), &own.axis, &other.axis, AXIS_TOLERANCE)?;
        near(&at("point"), &own.point, &other.point, POINT_TOLERANCE_M)?;
        near(&at("lower"), &[own.lower], &[other.lower], RANGE_TOLERANCE_RAD)?;
        near(&at("upper"), &[own.upper], &[other.upper], RANGE_TOLERANCE_RAD)?;
    }
    for (name, own) in &ours.tips {
        let other = &theirs.tips[name];
        same_text(&format!("joint of tip `{name}`"), &own.joint, &other.joint)?;
        near(&format!("point of tip `{name}`"), &own.point, &other.point, POINT_TOLERANCE_M)?;
    }
    Ok(())
}

/// Compares fingertips in the test pose.
///
/// # Errors
/// Which tip, and how far apart.
pub fn compare_tips(ours: &ByName<[f32; 3]>, theirs: &ByName<[f32; 3]>) -> Result<(), String> {
    same_names("fingertips of the test vector", ours, theirs)?;
    for (name, own) in ours {
        let other = theirs[name];
        let distance_m = own.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt();
        // Written so that NaN fails.
        if distance_m.is_nan() || distance_m > TIP_TOLERANCE_M {
            return Err(format!(
                "test_vector: tip `{name}` is {:.1} mm apart (here {own:?}, the other side {other:?}); zeros, signs \
                 or link lengths differ",
                distance_m * 1e3
            ));
        }
    }
    Ok(())
}

fn same_names<A, B>(what: &str, ours: &ByName<A>, theirs: &ByName<B>) -> Result<(), String> {
    let missing: Vec<&str> = ours.keys().filter(|name| !theirs.contains_key(*name)).map(String::as_str).collect();
    let extra: Vec<&str> = theirs.keys().filter(|name| !ours.contains_key(*name)).map(String::as_str).collect();
    if missing.is_empty() && extra.is_empty() {
        return Ok(());
    }
    Err(format!("{what}: the other side lacks {missing:?} and has {extra:?} too many"))
}

fn same_text(what: &str, ours: &str, theirs: &str) -> Result<(), String> {
    if ours == theirs { Ok(()) } else { Err(format!("{what}: here `{ours}`, the other side `{theirs}`")) }
}

fn near(what: &str, ours: &[f32], theirs: &[f32], tolerance: f32) -> Result<(), String> {
    // Written so that NaN is far from everything.
    if ours.iter().zip(theirs).all(|(a, b)| (a - b).abs() <= tolerance) {
        return Ok(());
    }
    Err(format!("{what}: here {ours:?}, the other side {theirs:?} (tolerance {tolerance})"))
}
