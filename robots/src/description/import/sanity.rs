//! What can be read as it is and can hardly be meant: said aloud, and left as it is.

use super::raw::RawHand;
use super::report::Notes;
use super::tree::Tree;
use nalgebra::{Point3, Vector3};

/// More torque than this, N m, no joint of a finger has.
const STRONG_NEWTON_M: f64 = 10.0;
const GRAVITY: f64 = 9.81;

/// Looks a hand over.
pub(super) fn look(hand: &RawHand, tree: &Tree, notes: &mut Notes) {
    touch(hand, tree, notes);
    let carriers = tree.carriers();
    let open = tree.poses(|joint| 0.0_f64.clamp(joint.limits_rad[0], joint.limits_rad[1]));
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
        let axis = open[index].rotation * joint.axis.into_inner();
        let weight = load(tree, &open, index, &axis, &(open[index] * joint.anchor_m));
        if weight > effort {
            let done = format!("read as it is; to hold what hangs at it needs {weight:.2e} N m");
            notes.warned(&joint.place, "torque too small for its own weight, of joint", &joint.name, done);
        }
    }
}

/// The largest torque about a joint's axis that the weight of what hangs at it can have, however the hand is turned.
fn load(tree: &Tree, poses: &[nalgebra::Isometry3<f64>], joint: usize, axis: &Vector3<f64>, at: &Point3<f64>) -> f64 {
    let hangs =
        |link: usize| std::iter::successors(Some(link), |at| tree.links[*at].parent).any(|above| above == joint);
    let moment: Vector3<f64> = (0..tree.links.len())
        .filter(|link| hangs(*link))
        .map(|link| (poses[link] * tree.links[link].mass.center_m - at) * tree.links[link].mass.kg)
        .sum();
    GRAVITY * (moment - axis * moment.dot(axis)).norm()
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
    if tree.links.iter().filter(|link| !link.moves).all(|link| link.geoms.is_empty()) && tree.carriers().is_empty() {
        notes.warned(&hand.file, "a palm without a shape", "", "an object falls through it: give it one");
    }
}
