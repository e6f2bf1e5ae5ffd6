//! Servos for joints of which a file says less than a servo needs.

use super::raw::{RawHand, RawJoint};
use super::report::Notes;
use crate::description::DescriptionError;

/// A servo whose stiffness nobody says reaches its torque limit this far from its target, rad. Public models of hands
/// stand at 0.07 (LEAP) to 1 (Shadow).
pub(super) const TORQUE_AT_RAD: f64 = 0.1;
/// Torque limits above this, N m, are placeholders: no joint of a hand has them.
pub(super) const PLACEHOLDER_TORQUE: f64 = 50.0;
/// Torque limit where nothing is said of any joint, N m.
const TORQUE_NEWTON_M: f64 = 0.5;
/// Damping per stiffness where neither joint nor servo has any, s. Public models: 0.05 (Shadow) to 0.1 (Allegro).
const DAMPING_SECS: f64 = 0.05;

/// Damping per stiffness below this, s, damps nothing: what moves rings for seconds.
const LEAST_DAMPING_SECS: f64 = 1e-3;

/// A joint that its whole torque turns more slowly than this, rad/s, has a placeholder for damping.
const SLOW_RAD_PER_SEC: f64 = 0.5;
/// More of its torque than this goes to no joint's dry friction; the part given to one where the file says so. LEAP's
/// and Shadow's lose a tenth.
const MOST_FRICTION_SHARE: f64 = 0.7;
const FRICTION_SHARE: f64 = 0.1;

/// Gives every joint a stiffness, a torque limit and damping; followers those of the joint they follow.
pub(super) fn complete(hand: &mut RawHand, notes: &mut Notes) -> Result<(), DescriptionError> {
    let followers: Vec<String> = hand.couplings.iter().map(|coupling| coupling.follower.clone()).collect();
    let leads = |joint: &RawJoint| !followers.contains(&joint.name) && !joint.is_locked();
    let known = |value: fn(&RawJoint) -> Option<f64>| {
        let joints = hand.bodies.iter().flat_map(|body| &body.joints).filter(|joint| leads(joint));
        median(joints.filter_map(value).filter(|value| value.is_finite()).collect())
    };
    let (stiffness, effort) = (known(|joint| joint.servo.stiffness), known(|joint| joint.servo.effort));
    for joint in hand.bodies.iter_mut().flat_map(|body| &mut body.joints) {
        if followers.contains(&joint.name) || joint.is_locked() {
            continue;
        }
        if !joint.servo.is_driven() {
            let found = if stiffness.or(effort).is_some() { "the median of the others" } else { "0.5 N m, 5 N m/rad" };
            notes.assumed(&joint.place, "joint without a servo", &joint.name, format!("given one: {found}"));
            joint.servo.stiffness = stiffness;
            joint.servo.effort = effort;
            joint.servo.guessed = true;
        }
        complete_one(joint, notes)?;
    }
    for coupling in &hand.couplings {
        let joints = || hand.bodies.iter().flat_map(|body| &body.joints);
        let Some(servo) = joints().find(|joint| joint.name == coupling.leader).map(|joint| joint.servo) else {
            continue;
        };
        let mut all = hand.bodies.iter_mut().flat_map(|body| &mut body.joints);
        if let Some(follower) = all.find(|joint| joint.name == coupling.follower) {
            follower.servo = servo;
            follower.servo.damping = 0.0;
        }
    }
    Ok(())
}

fn complete_one(joint: &mut RawJoint, notes: &mut Notes) -> Result<(), DescriptionError> {
    let RawJoint { name, place, limits_rad: [lower, upper], .. } = joint;
    let range = *upper - *lower;
    let (stiffness, effort) = match (joint.servo.stiffness, joint.servo.effort) {
        (Some(stiffness), Some(effort)) if effort.is_infinite() => {
            let done = if stiffness * range <= PLACEHOLDER_TORQUE {
                "that of the whole range away from the target, which is never reached".to_owned()
            } else {
                format!("{PLACEHOLDER_TORQUE} N m")
            };
            notes.assumed(place, "no torque limit (`forcerange`) of joint", name, done);
            (stiffness, (stiffness * range).min(PLACEHOLDER_TORQUE))
        }
        (Some(stiffness), Some(effort)) => (stiffness, effort),
        (Some(stiffness), None) => (stiffness, (stiffness * range).min(PLACEHOLDER_TORQUE)),
        (None, effort) => {
            let effort = match effort.filter(|effort| effort.is_finite()) {
                Some(effort) => effort,
                None => {
                    notes.assumed(place, "unknown torque of joint", name, format!("{TORQUE_NEWTON_M} N m"));
                    joint.servo.guessed = true;
                    TORQUE_NEWTON_M
                }
            };
            (effort / TORQUE_AT_RAD, effort)
        }
    };
    for (what, value) in [("stiffness", stiffness), ("torque limit", effort)] {
        let single = value as f32;
        if !single.is_normal() || single < 0.0 {
            return Err(place.clone().error(format!("joint `{name}`: {what} {value}; it must be a positive number")));
        }
    }
    let assumed = joint.servo.stiffness.is_none();
    if assumed {
        believe(joint, stiffness, effort, notes);
    }
    let RawJoint { name, place, .. } = joint;
    joint.servo.stiffness = Some(stiffness);
    joint.servo.effort = Some(effort);
    let damping = joint.damping + joint.servo.damping;
    if !assumed && damping > 0.0 && damping < LEAST_DAMPING_SECS * stiffness {
        let done = format!("read as it is; the joint rings. {DAMPING_SECS} s times the stiffness is usual");
        notes.warned(place, "damping of hardly anything beside the stiffness of its servo, of joint", name, done);
    }
    if joint.damping + joint.servo.damping <= 0.0 {
        let done = format!("{DAMPING_SECS} s times the stiffness of its servo");
        notes.assumed(place, "no damping of joint", name, done);
        joint.servo.damping = DAMPING_SECS * stiffness;
    }
    Ok(())
}

/// Leaves out damping and friction that cannot be meant, of a joint of which nobody says how stiff its servo is.
fn believe(joint: &mut RawJoint, stiffness: f64, effort: f64, notes: &mut Notes) {
    let RawJoint { name, place, .. } = joint;
    let usual = format!("{DAMPING_SECS} s times that stiffness");
    let damping = joint.damping + joint.servo.damping;
    // Written beside no stiffness, it says nothing about one that was assumed.
    if damping > 0.0 && damping < LEAST_DAMPING_SECS * stiffness {
        let what = "damping of hardly anything beside the stiffness assumed of its servo, of joint";
        notes.approximated(place, what, name, usual);
        (joint.damping, joint.servo.damping) = (0.0, DAMPING_SECS * stiffness);
    } else if damping * SLOW_RAD_PER_SEC > effort {
        let what = format!("damping at which its torque turns it slower than {SLOW_RAD_PER_SEC} rad/s, of joint");
        notes.approximated(place, what, name, usual);
        (joint.damping, joint.servo.damping) = (0.0, DAMPING_SECS * stiffness);
    }
    if joint.friction_loss > MOST_FRICTION_SHARE * effort {
        let done = format!("{FRICTION_SHARE} of its torque");
        notes.approximated(place, "dry friction that takes most of its torque, of joint", name, done);
        joint.friction_loss = FRICTION_SHARE * effort;
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
