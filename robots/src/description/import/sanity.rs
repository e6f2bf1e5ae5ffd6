//! What can be read as it is and can hardly be meant: said aloud, and left as it is.

use super::raw::{RawHand, RawJoint};
use super::report::Notes;
use super::tree::Tree;
use nalgebra::{Isometry3, Vector3};

/// More torque than this, N m, no joint of a finger has.
const STRONG_NEWTON_M: f64 = 10.0;
const GRAVITY: f64 = 9.81;
/// An assumed torque is at least so many times what holds the weight of what hangs at the joint.
const SPARE: f64 = 3.0;
/// A hand reaches less far than this, m, and has fewer fingers than so many.
const REACH_M: f64 = 0.6;
const FINGERS: usize = 8;

/// Looks a hand over.
pub(super) fn look(hand: &RawHand, tree: &Tree, notes: &mut Notes) {
    touch(hand, tree, notes);
    size(hand, tree, notes);
    let carriers = tree.carriers();
    let open = tree.poses(RawJoint::open_rad);
    for (index, link) in tree.links.iter().enumerate() {
        let Some(joint) = &link.joint else { continue };
        let effort = joint.servo.effort.unwrap_or(f64::INFINITY);
        if effort > STRONG_NEWTON_M && !tree.is_palm(&carriers, index) {
            let what = format!("torque above {STRONG_NEWTON_M} N m, of finger joint");
            notes.warned(
                &joint.place,
                what,
                &joint.name,
                "read as it is; no finger is so strong, and it will throw what it holds",
            );
        }
        if joint.friction_loss >= effort {
            let done = "read as it is; its servo cannot move it";
            notes.warned(&joint.place, "dry friction as large as its torque, of joint", &joint.name, done);
        }
        if load(tree, &open, index) > effort {
            let done = "read as it is; what hangs at it is heavier than its servo can hold";
            notes.warned(&joint.place, "torque too small for its own weight, of joint", &joint.name, done);
        }
    }
}

/// Gives servos whose torque was assumed what it takes to hold what hangs at them.
pub(super) fn strengthen(hand: &RawHand, tree: &mut Tree, notes: &mut Notes) {
    let open = tree.poses(RawJoint::open_rad);
    let mut needs: Vec<f64> = (0..tree.links.len()).map(|link| SPARE * load(tree, &open, link)).collect();
    let place = |name: &str| tree.links.iter().position(|link| link.joint.as_ref().is_some_and(|j| j.name == name));
    let couplings: Vec<(usize, usize, f64)> = hand
        .couplings
        .iter()
        .filter_map(|coupling| Some((place(&coupling.leader)?, place(&coupling.follower)?, coupling.ratio)))
        .collect();
    // A joint that follows has no servo: what it needs its leader has to give.
    for &(leader, follower, ratio) in &couplings {
        needs[leader] += ratio.abs() * needs[follower];
        needs[follower] = 0.0;
    }
    for (link, needed) in tree.links.iter_mut().zip(needs) {
        let Some(joint) = link.joint.as_mut().filter(|joint| joint.servo.guessed) else { continue };
        let effort = joint.servo.effort.unwrap_or(needed);
        if effort < needed {
            let more = needed / effort;
            joint.servo.effort = Some(needed);
            joint.servo.stiffness = joint.servo.stiffness.map(|stiffness| stiffness * more);
            joint.servo.damping *= more;
            let done = format!("{SPARE} times what it takes to hold what hangs at it");
            notes.assumed(&joint.place, "assumed torque too small for its own weight, of joint", &joint.name, done);
        }
    }
    // A joint that follows shows the servo of the one it follows.
    for (leader, follower, _) in couplings {
        let servo = tree.links[leader].joint.as_ref().map(|joint| joint.servo);
        if let (Some(servo), Some(joint)) = (servo, tree.links[follower].joint.as_mut()) {
            (joint.servo.effort, joint.servo.stiffness) = (servo.effort, servo.stiffness);
        }
    }
}

/// The largest torque about a joint's axis that the weight of what hangs at it can have, however the hand is turned.
fn load(tree: &Tree, poses: &[Isometry3<f64>], link: usize) -> f64 {
    let Some(joint) = &tree.links[link].joint else { return 0.0 };
    let (axis, at) = (poses[link].rotation * joint.axis.into_inner(), poses[link] * joint.anchor_m);
    let hangs =
        |other: usize| std::iter::successors(Some(other), |at| tree.links[*at].parent).any(|above| above == link);
    let moment: Vector3<f64> = (0..tree.links.len())
        .filter(|other| hangs(*other))
        .map(|other| (poses[other] * tree.links[other].mass.center_m - at) * tree.links[other].mass.kg)
        .sum();
    GRAVITY * (moment - axis * moment.dot(&axis)).norm()
}

/// A file of a whole robot, or of two hands.
fn size(hand: &RawHand, tree: &Tree, notes: &mut Notes) {
    let open = tree.poses(RawJoint::open_rad);
    let carriers = tree.carriers();
    let mut fingers: Vec<usize> = tree.ends().into_iter().map(|end| tree.first_of_finger(&carriers, end)).collect();
    let far = |(link, first): (usize, &usize)| {
        (open[link].translation.vector - open[*first].translation.vector).norm() > REACH_M
    };
    let is_long = tree.ends().into_iter().zip(&fingers).any(far);
    fingers.sort_unstable();
    fingers.dedup();
    if fingers.len() > FINGERS || is_long {
        let found = format!("{} fingers{}", fingers.len(), if is_long { ", longer than any hand's" } else { "" });
        let done = "read as one hand all the same; if it is a robot or a pair of hands, cut the file down to one hand";
        notes.warned(&hand.file, found, "", done);
    }
}

fn touch(hand: &RawHand, tree: &Tree, notes: &mut Notes) {
    if tree.links.iter().all(|link| link.geoms.is_empty()) {
        let done = "nothing of it can touch an object: give its links shapes";
        notes.warned(&hand.file, "a hand without any shape", "", done);
        return;
    }
    for link in tree.ends().into_iter().map(|end| &tree.links[end]).filter(|link| link.geoms.is_empty()) {
        notes.warned(&link.place, "fingertips without a shape", &link.name, "they touch nothing");
    }
    if tree.palm().into_iter().all(|link| tree.links[link].geoms.is_empty()) {
        notes.warned(&hand.file, "a palm without a shape", "", "an object falls through it: give it one");
    }
}
