//! Joints that follow others: who leads, how far, and within which limits.

use super::raw::{RawCoupling, RawHand, RawJoint, RawServo};
use super::report::Notes;
use crate::description::{DescriptionError, Place};

/// The joint at the head of a chain of couplings, and how far `joint` turns per angle of it.
pub(super) fn leader_of(couplings: &[RawCoupling], joint: &str) -> (String, f64) {
    let (mut name, mut ratio) = (joint.to_owned(), 1.0);
    // A circle ends too: it is refused later.
    for _ in 0..=couplings.len() {
        match couplings.iter().find(|coupling| coupling.follower == name) {
            Some(coupling) => {
                ratio *= coupling.ratio;
                name.clone_from(&coupling.leader);
            }
            None => break,
        }
    }
    (name, ratio)
}

/// Leaves couplings in which every leader has, or will be given, a servo of its own, and every follower one leader.
pub(super) fn resolve(hand: &mut RawHand, notes: &mut Notes) -> Result<(), DescriptionError> {
    weld_what_cannot_move(hand, notes);
    turn_toward_servos(hand, notes)?;
    refuse_circles(hand)?;
    shorten_chains(hand);
    keep_within_limits(hand, notes);
    Ok(())
}

fn joint<'h>(hand: &'h RawHand, name: &str) -> Option<&'h RawJoint> {
    hand.bodies.iter().flat_map(|body| &body.joints).find(|joint| joint.name == name)
}

fn joint_mut<'h>(hand: &'h mut RawHand, name: &str) -> Option<&'h mut RawJoint> {
    hand.bodies.iter_mut().flat_map(|body| &mut body.joints).find(|joint| joint.name == name)
}

/// Couplings of which one side stands still.
fn weld_what_cannot_move(hand: &mut RawHand, notes: &mut Notes) {
    let couplings = std::mem::take(&mut hand.couplings);
    for coupling in couplings {
        let held = |name: &str| joint(hand, name).filter(|joint| joint.is_locked()).map(|joint| joint.limits_rad[0]);
        let (leader, follower) = (held(&coupling.leader), held(&coupling.follower));
        let place = coupling.place.clone();
        match (leader, follower) {
            (_, Some(_)) => {
                notes.ignored(&place, "coupling of a joint that is fixed", &coupling.follower, "not read");
            }
            (Some(leader_rad), None) => {
                fix(hand, &coupling.follower, coupling.offset_rad + coupling.ratio * leader_rad);
                notes.approximated(&place, "joint that follows a fixed one", &coupling.follower, "fixed too");
            }
            (None, None) if coupling.ratio.abs() < 1e-6 => {
                fix(hand, &coupling.follower, coupling.offset_rad);
                notes.approximated(&place, "joint that follows with ratio 0", &coupling.follower, "fixed");
            }
            (None, None) => hand.couplings.push(coupling),
        }
    }
}

/// Holds a joint at an angle.
pub(super) fn fix(hand: &mut RawHand, name: &str, angle_rad: f64) {
    if let Some(joint) = joint_mut(hand, name) {
        joint.limits_rad = [angle_rad, angle_rad];
    }
}

/// The side with a servo leads; of two servos that of the follower is left out.
fn turn_toward_servos(hand: &mut RawHand, notes: &mut Notes) -> Result<(), DescriptionError> {
    for index in 0..hand.couplings.len() {
        let RawCoupling { place, leader, follower, ratio, offset_rad } = &hand.couplings[index];
        let (place, ratio, offset_rad) = (place.clone(), *ratio, *offset_rad);
        let (leader, follower) = (leader.clone(), follower.clone());
        for name in [&leader, &follower] {
            if joint(hand, name).is_none() {
                return Err(place.error(format!("a coupling names the joint `{name}`, which is no hinge of the hand")));
            }
        }
        let has_servo = |name: &str| joint(hand, name).is_some_and(|joint| joint.servo.is_driven());
        let follows_elsewhere = |name: &str| {
            hand.couplings.iter().enumerate().any(|(other, coupling)| other != index && coupling.follower == name)
        };
        match (has_servo(&leader), has_servo(&follower)) {
            (false, true) if !follows_elsewhere(&leader) => {
                hand.couplings[index] = RawCoupling {
                    place,
                    leader: follower,
                    follower: leader,
                    ratio: 1.0 / ratio,
                    offset_rad: -offset_rad / ratio,
                };
            }
            (_, true) => {
                notes.ignored(&place, "servo of joint", &follower, format!("it follows `{leader}`"));
                if let Some(joint) = joint_mut(hand, &follower) {
                    joint.servo = RawServo::default();
                }
            }
            (_, false) => {}
        }
    }
    Ok(())
}

fn refuse_circles(hand: &RawHand) -> Result<(), DescriptionError> {
    for (index, coupling) in hand.couplings.iter().enumerate() {
        let wrong = |problem: String| Err(Place::clone(&coupling.place).error(problem));
        let follower = &coupling.follower;
        if hand.couplings[..index].iter().any(|other| other.follower == *follower) {
            return wrong(format!("joint `{follower}` follows two joints; it can follow one"));
        }
        let (top, _) = leader_of(&hand.couplings, follower);
        if hand.couplings.iter().any(|other| other.follower == top) {
            return wrong(format!("joint `{follower}` follows itself"));
        }
    }
    Ok(())
}

/// Followers of followers follow the first leader.
fn shorten_chains(hand: &mut RawHand) {
    for _ in 0..hand.couplings.len() {
        let links: Vec<(String, String, f64, f64)> =
            hand.couplings.iter().map(|c| (c.follower.clone(), c.leader.clone(), c.ratio, c.offset_rad)).collect();
        for coupling in &mut hand.couplings {
            if let Some((_, top, ratio, offset_rad)) = links.iter().find(|link| link.0 == coupling.leader) {
                coupling.leader.clone_from(top);
                coupling.offset_rad += coupling.ratio * offset_rad;
                coupling.ratio *= ratio;
            }
        }
    }
}

/// A leader goes only where its followers can.
fn keep_within_limits(hand: &mut RawHand, notes: &mut Notes) {
    for index in 0..hand.couplings.len() {
        let coupling = &hand.couplings[index];
        let (place, follower) = (coupling.place.clone(), coupling.follower.clone());
        let (Some(followed), Some(led)) = (joint(hand, &coupling.leader), joint(hand, &follower)) else { continue };
        let [was_lower, was_upper] = followed.limits_rad;
        let ends = led.limits_rad.map(|limit| (limit - coupling.offset_rad) / coupling.ratio);
        let (lower, upper) = (was_lower.max(ends[0].min(ends[1])), was_upper.min(ends[0].max(ends[1])));
        let leader = coupling.leader.clone();
        if lower >= upper {
            let ends = [was_lower, was_upper].map(|end| coupling.offset_rad + coupling.ratio * end);
            let done = format!("those of `{follower}` are what it is turned to");
            let what =
                format!("limits that have nothing in common with those of `{leader}`, which it follows, of joint");
            notes.warned(&place, what, &follower, done);
            if let Some(joint) = joint_mut(hand, &follower) {
                joint.limits_rad = [ends[0].min(ends[1]), ends[0].max(ends[1])];
            }
            continue;
        }
        if lower > was_lower + 1e-6 || upper < was_upper - 1e-6 {
            notes.approximated(&place, "limits of joint", &leader, format!("narrowed to what `{follower}` can follow"));
            if let Some(joint) = joint_mut(hand, &leader) {
                joint.limits_rad = [lower, upper];
            }
        }
    }
}
