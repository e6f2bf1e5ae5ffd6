//! The hand as both sides can see it: joint axes and fingertips in the palm frame, with every joint at zero.
//! This needs no agreement about bodies and frames, so that two programs with different engines can compare.

use crate::hex::hex;
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
/// Tolerated distance of a fingertip in the test pose of one joint, m: a zero that is 0.02 rad off shows from a lever
/// of 5 mm on.
const POSE_TOLERANCE_M: f32 = 0.1e-3;
/// Share of the way to the end of its range at which a joint stands in a test pose.
const POSE_FRACTION: f32 = 0.8;
/// Turn by which it is found out how far a joint moves a fingertip, rad.
const PROBE_RAD: f32 = 0.02;
/// Smaller differences of a zero explain nothing, rad.
const SMALLEST_SHIFT_RAD: f32 = 1e-3;

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
    hex(&Sha256::digest(canonical_text(joints, tips).as_bytes()))
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

/// For each joint of `robot` a pose in which it moves a fingertip far, so that its own zero and sign show: it and at
/// most one other joint stand elsewhere than at zero. Joints that a pose does not name stand at zero.
pub fn test_poses(robot: &RobotModel) -> ByName<TestVector> {
    let count = robot.joint_count();
    let bent = |joint: usize| {
        let range = robot.joints[joint].position_limits_rad;
        let end = if range.upper.abs() >= range.lower.abs() { range.upper } else { range.lower };
        range.clamp(POSE_FRACTION * end)
    };
    let pose_of = |joint: usize| {
        let with = |helper: usize| {
            let mut angles_rad = vec![0.0; count];
            (angles_rad[joint], angles_rad[helper]) = (bent(joint), bent(helper));
            let mut turned_rad = angles_rad.clone();
            turned_rad[joint] += PROBE_RAD;
            let (from, to) = (robot.fingertip_positions(&angles_rad), robot.fingertip_positions(&turned_rad));
            let reach = from.iter().zip(&to).map(|(a, b)| (a - b).norm()).fold(0.0, f32::max);
            (reach, helper)
        };
        // The joint itself stands for no helper. The first of equals, so that poses do not change by a last bit.
        let mut best = with(joint);
        for candidate in (0..count).map(with) {
            if candidate.0 > 1.01 * best.0 {
                best = candidate;
            }
        }
        [joint, best.1].map(|index| (robot.joints[index].name.clone(), bent(index)))
    };
    let poses = (0..count).map(|joint| {
        let q = ByName::from(pose_of(joint));
        let tips = tips_of_pose(robot, &q).unwrap_or_default();
        (robot.joints[joint].name.clone(), TestVector { q, tips })
    });
    poses.collect()
}

/// Angles of a test pose, canonical order; `None` if it names a joint that is none.
fn angles_of_pose(robot: &RobotModel, q: &ByName<f32>) -> Option<Vec<f32>> {
    let mut angles_rad = vec![0.0; robot.joint_count()];
    for (name, &angle) in q {
        let joint = robot.joints.iter().position(|joint| joint.name == *name)?;
        angles_rad[joint] = angle;
    }
    Some(angles_rad)
}

/// Where `robot` has its fingertips in a test pose; `None` if the pose names a joint that is none.
pub fn tips_of_pose(robot: &RobotModel, q: &ByName<f32>) -> Option<ByName<[f32; 3]>> {
    let points = robot.fingertip_positions(&angles_of_pose(robot, q)?);
    let named = robot.fingertips.iter().zip(points).map(|(tip, point)| (tip.name.clone(), point.coords.into()));
    Some(named.collect())
}

/// Compares the test poses of the other side with `robot`'s own kinematics.
///
/// # Errors
/// The joint, the tip, and how far apart.
pub fn compare_poses(robot: &RobotModel, theirs: &ByName<TestVector>) -> Result<(), String> {
    for joint in &robot.joints {
        let name = &joint.name;
        let pose = theirs.get(name).ok_or_else(|| format!("test_poses: there is none for joint `{name}`"))?;
        let own = tips_of_pose(robot, &pose.q)
            .ok_or_else(|| format!("test_poses: that of joint `{name}` names a joint that is none"))?;
        same_names(&format!("fingertips of the test pose of joint `{name}`"), &own, &pose.tips)?;
        for (tip, at) in &own {
            let distance_m = distance(at, &pose.tips[tip]);
            // Written so that NaN fails.
            if distance_m.is_nan() || distance_m > POSE_TOLERANCE_M {
                return Err(format!(
                    "test_poses: in that of joint `{name}` tip `{tip}` is {:.2} mm apart (tolerance {:.1} mm)",
                    distance_m * 1e3,
                    POSE_TOLERANCE_M * 1e3
                ));
            }
        }
    }
    Ok(())
}

/// Angles, canonical order, and where the other side has its fingertips then.
type PoseOf<'a> = (Vec<f32>, &'a ByName<[f32; 3]>);

/// The one joint whose zero or sign explains every fingertip of the other side's test poses, in words, if there is one.
pub fn explain(robot: &RobotModel, theirs: &ByName<TestVector>) -> Option<String> {
    let poses: Option<Vec<PoseOf<'_>>> =
        theirs.values().map(|pose| Some((angles_of_pose(robot, &pose.q)?, &pose.tips))).collect();
    let poses = poses.filter(|poses| !poses.is_empty())?;
    let fits = |change: &dyn Fn(&mut [f32])| {
        poses.iter().all(|(angles_rad, tips)| {
            let mut angles_rad = angles_rad.clone();
            change(&mut angles_rad);
            worst_distance(robot, &angles_rad, tips) <= POSE_TOLERANCE_M
        })
    };
    robot.joints.iter().enumerate().find_map(|(joint, model)| {
        if fits(&|angles_rad| angles_rad[joint] = -angles_rad[joint]) {
            return Some(format!("as if the sign of joint `{}` were the other way round", model.name));
        }
        let shift_rad = best_shift(robot, joint, &poses);
        let explains = shift_rad.abs() >= SMALLEST_SHIFT_RAD && fits(&|angles_rad| angles_rad[joint] += shift_rad);
        explains.then(|| format!("as if the zero of joint `{}` were {shift_rad:+.3} rad off", model.name))
    })
}

/// The turn of one joint that brings our fingertips nearest to theirs, in all poses together (least squares, improved
/// a few times).
fn best_shift(robot: &RobotModel, joint: usize, poses: &[PoseOf<'_>]) -> f32 {
    let mut shift_rad = 0.0f32;
    for _ in 0..4 {
        let (mut along, mut square) = (0.0f32, 0.0f32);
        for (angles_rad, theirs) in poses {
            let mut angles_rad = angles_rad.clone();
            angles_rad[joint] += shift_rad;
            let from = robot.fingertip_positions(&angles_rad);
            angles_rad[joint] += PROBE_RAD;
            let to = robot.fingertip_positions(&angles_rad);
            for ((tip, from), to) in robot.fingertips.iter().zip(&from).zip(&to) {
                let Some(&goal) = theirs.get(&tip.name) else { continue };
                let per_rad = (to - from) / PROBE_RAD;
                along += per_rad.dot(&(nalgebra::Vector3::from(goal) - from.coords));
                square += per_rad.norm_squared();
            }
        }
        // A joint that moves no fingertip explains nothing.
        shift_rad += if square > 1e-9 { along / square } else { 0.0 };
    }
    shift_rad
}

/// NaN, or a tip that is missing, is infinitely far.
fn worst_distance(robot: &RobotModel, angles_rad: &[f32], theirs: &ByName<[f32; 3]>) -> f32 {
    let points = robot.fingertip_positions(angles_rad);
    let each = robot.fingertips.iter().zip(points).map(|(tip, point)| {
        let far = theirs.get(&tip.name).map_or(f32::INFINITY, |other| distance(&point.coords.into(), other));
        if far.is_nan() { f32::INFINITY } else { far }
    });
    each.fold(0.0, f32::max)
}

fn distance(a: &[f32; 3], b: &[f32; 3]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt()
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
        let distance_m = distance(own, &other);
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
