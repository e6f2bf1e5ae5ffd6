//! Servos for joints of which a file says less than a servo needs.

use super::raw::{RawHand, RawJoint};
use super::report::Notes;
use crate::description::DescriptionError;

/// A servo whose stiffness nobody says reaches its torque limit this far from its target, rad. Public models of hands
/// stand at 0.07 (LEAP) to 1 (Shadow).
pub(super) const TORQUE_AT_RAD: f64 = 0.1;
/// Torque limit where nothing is said of any joint, N m.
const TORQUE_NEWTON_M: f64 = 0.5;
/// Damping per stiffness where neither joint nor servo has any, s. Public models: 0.05 (Shadow) to 0.1 (Allegro).
const DAMPING_SECS: f64 = 0.05;

/// Damping per stiffness below this, s, damps nothing: what moves rings for seconds.
const LEAST_DAMPING_SECS: f64 = 1e-3;

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
            let done = "that of the whole range away from the target, which is never reached";
            notes.assumed(place, "no torque limit (`forcerange`) of joint", name, done);
            (stiffness, stiffness * range)
        }
        (Some(stiffness), Some(effort)) => (stiffness, effort),
        (Some(stiffness), None) => (stiffness, stiffness * range),
        (None, effort) => {
            let effort = match effort.filter(|effort| effort.is_finite()) {
                Some(effort) => effort,
                None => {
                    notes.assumed(place, "unknown torque of joint", name, format!("{TORQUE_NEWTON_M} N m"));
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
    joint.servo.stiffness = Some(stiffness);
    joint.servo.effort = Some(effort);
    let damping = joint.damping + joint.servo.damping;
    if damping > 0.0 && damping < LEAST_DAMPING_SECS * stiffness {
        if assumed {
            // Written beside no stiffness, it says nothing about one that was assumed.
            let done = format!("{DAMPING_SECS} s times that stiffness");
            notes.approximated(
                place,
                "damping of hardly anything beside the stiffness assumed of its servo, of joint",
                name,
                done,
            );
            (joint.damping, joint.servo.damping) = (0.0, DAMPING_SECS * stiffness);
        } else {
            let done = format!("read as it is; the joint rings. {DAMPING_SECS} s times the stiffness is usual");
            notes.warned(place, "damping of hardly anything beside the stiffness of its servo, of joint", name, done);
        }
    }
    if joint.damping + joint.servo.damping <= 0.0 {
        let done = format!("{DAMPING_SECS} s times the stiffness of its servo");
        notes.assumed(place, "no damping of joint", name, done);
        joint.servo.damping = DAMPING_SECS * stiffness;
    }
    Ok(())
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
