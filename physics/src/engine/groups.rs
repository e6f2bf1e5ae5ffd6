//! Who may touch whom.
//!
//! Each body of the hand has a bit of its own, the object has the last one. A pair of bodies listed in the
//! description's contact excludes, and every parent with its child, never collide.

use giraffe_robots::RobotModel;
use rapier3d::prelude::{Group, InteractionGroups, InteractionTestMode};

/// Bits of rapier's collision groups.
const GROUP_COUNT: usize = 32;

/// Groups of the object: it touches everything.
pub(super) fn of_object() -> InteractionGroups {
    InteractionGroups::new(bit(GROUP_COUNT - 1), Group::ALL, InteractionTestMode::And)
}

/// Groups of one body of the hand. Bodies welded to the base count as the base.
pub(super) fn of_body(robot: &RobotModel, body: usize) -> InteractionGroups {
    let own = moving_ancestor(robot, body);
    let mut filter = Group::ALL;
    filter.remove(bit(own));
    for other in 0..robot.bodies.len() {
        let other_own = moving_ancestor(robot, other);
        let adjacent = moving_parent(robot, own) == Some(other_own) || moving_parent(robot, other_own) == Some(own);
        let pair = (body.min(other), body.max(other));
        if adjacent || robot.contact_excludes.contains(&pair) {
            filter.remove(bit(other_own));
        }
    }
    InteractionGroups::new(bit(own), filter, InteractionTestMode::And)
}

/// The body itself if a joint moves it, or else the nearest ancestor that moves, or the base.
fn moving_ancestor(robot: &RobotModel, body: usize) -> usize {
    match (robot.bodies[body].joint, robot.bodies[body].parent) {
        (None, Some(parent)) => moving_ancestor(robot, parent),
        _ => body,
    }
}

fn moving_parent(robot: &RobotModel, body: usize) -> Option<usize> {
    robot.bodies[body].parent.map(|parent| moving_ancestor(robot, parent))
}

/// Hands with more bodies than bits share the last hand bit: they are then filtered together, never missed.
fn bit(index: usize) -> Group {
    let shared = if index == GROUP_COUNT - 1 { index } else { index.min(GROUP_COUNT - 2) };
    Group::from_bits_retain(1 << shared)
}
