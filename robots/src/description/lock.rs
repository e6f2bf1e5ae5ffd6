//! Welds the joints that `robot.toml` locks.

use super::mjcf::HandFile;
use super::settings::{JointRow, Settings};
use crate::model::rotation_about;

/// Welds every locked joint at its angle of the resting pose and takes it off the lists of joints. What is locked was
/// checked before.
pub(super) fn lock(hand: &mut HandFile, settings: &mut Settings) {
    for name in std::mem::take(&mut settings.locked_joints) {
        let name = name.into_inner();
        settings.joints.retain(|row| {
            let JointRow { name: own, .. } = row.get_ref();
            *own != name
        });
        let hinge = hand.hinges.iter().position(|hinge| hinge.name == name).expect("every locked joint is a hinge");
        weld(hand, hinge);
    }
}

fn weld(hand: &mut HandFile, index: usize) {
    let hinge = hand.hinges.remove(index);
    let angle_rad = hand.home_rad.remove(index);
    let moved = &mut hand.bodies[hinge.body];
    moved.parent_from_body *= rotation_about(&hinge.axis, hinge.anchor_m, angle_rad);
    moved.joint = None;
    let after = |joint: usize| if joint > index { joint - 1 } else { joint };
    for body in &mut hand.bodies {
        body.joint = body.joint.map(after);
    }
    for coupling in &mut hand.couplings {
        (coupling.leader, coupling.follower) = (after(coupling.leader), after(coupling.follower));
    }
}
