//! What two descriptions must share for a policy of the one to be at home in the other.

use crate::model::RobotModel;
use nalgebra::Isometry3;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Identity of the hand as a policy knows it: names and order of the joints, axes, limits, link geometry,
/// fingertips. Not the wiring (ids, signs, zeros): a policy speaks of joint angles, and calibrating the zero of
/// one's own servos must not make a stranger of the hand.
pub(super) fn kinematics(robot: &RobotModel) -> String {
    let mut text = String::from("kinematics 1, micrometre, microradian\n");
    for joint in &robot.joints {
        let (axis, anchor, limits) = (joint.axis.into_inner(), joint.anchor_m.coords, joint.position_limits_rad);
        let numbers = micro(axis.iter().chain(anchor.iter()).chain([&limits.lower, &limits.upper]));
        line(&mut text, format_args!("joint {} {} {numbers}", joint.name, joint.body));
    }
    for body in &robot.bodies {
        let pose = pose(&body.parent_from_body);
        line(&mut text, format_args!("body {:?} {:?} {pose}", body.parent, body.joint));
    }
    for coupling in &robot.couplings {
        let numbers = micro([&coupling.ratio, &coupling.offset_rad]);
        line(&mut text, format_args!("coupling {} {} {numbers}", coupling.leader, coupling.follower));
    }
    for tip in &robot.fingertips {
        line(&mut text, format_args!("fingertip {} {} {}", tip.name, tip.body, micro(tip.point_m.iter())));
    }
    short_hash(&text)
}

/// Identity of what moves and touches: masses, servos, shapes, friction, excluded contacts.
pub(super) fn dynamics(robot: &RobotModel) -> String {
    let mut text = String::from("dynamics 1\n");
    for body in &robot.bodies {
        let moments = body.principal_inertia_kg_m2.iter().chain([&body.mass_kg]);
        let frame = Isometry3::from_parts(body.center_of_mass_m.coords.into(), body.body_from_principal);
        line(&mut text, format_args!("body {} {}", exact(moments), pose(&frame)));
        for geom in &body.geoms {
            let (pose, friction) = (pose(&geom.body_from_geom), exact([&geom.friction]));
            line(&mut text, format_args!("geom {:?} {:?} {friction} {pose}", geom.shape, geom.region));
        }
    }
    for joint in &robot.joints {
        let servo = exact([
            &joint.velocity_limit_rad_per_sec,
            &joint.effort_limit_newton_m,
            &joint.stiffness_newton_m_per_rad,
            &joint.damping_newton_m_secs_per_rad,
            &joint.friction_loss_newton_m,
            &joint.armature_kg_m2,
        ]);
        line(&mut text, format_args!("servo {servo}"));
    }
    line(&mut text, format_args!("excludes {:?}", robot.contact_excludes));
    short_hash(&text)
}

fn line(text: &mut String, content: std::fmt::Arguments) {
    writeln!(text, "{content}").expect("writing to a string cannot fail");
}

/// Position and rotation in millionths. A quaternion and its negative are the same rotation: its first number that
/// is not zero is written as positive.
fn pose(pose: &Isometry3<f32>) -> String {
    let rotation: Vec<i64> =
        [pose.rotation.w, pose.rotation.i, pose.rotation.j, pose.rotation.k].map(millionths).into();
    let sign = rotation.iter().find(|number| **number != 0).map_or(1, |number| number.signum());
    let rotation = join(rotation.iter().map(|number| (sign * number).to_string()));
    format!("{} {rotation}", micro(pose.translation.vector.iter()))
}

fn micro<'n>(numbers: impl IntoIterator<Item = &'n f32>) -> String {
    join(numbers.into_iter().map(|number| millionths(*number).to_string()))
}

/// A whole number: blind to the last bits, and to the sign of zero.
fn millionths(number: f32) -> i64 {
    (f64::from(number) * 1e6).round() as i64
}

fn exact<'n>(numbers: impl IntoIterator<Item = &'n f32>) -> String {
    join(numbers.into_iter().map(|number| format!("{number:e}")))
}

fn join(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(" ")
}

/// The first 16 hexadecimal digits of the SHA-256.
fn short_hash(text: &str) -> String {
    Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
