//! Who may touch whom.
//!
//! What moves as one, a *unit*, has a bit of its own among rapier's 32: the base with all that is welded to it, and each
//! body with a joint together with what is welded to that. The object has the last bit and touches everything. Units
//! that touch each other at a joint never collide, nor do units of which the description excludes a pair of bodies.
//!
//! A hand of more than 31 units has too few bits: from the tips on, units share the bit of the unit they hang on. So
//! they lose contacts within their own finger (or, beyond 30 fingers, with the base); never with the object.

use giraffe_robots::RobotModel;
use rapier3d::prelude::{Group, InteractionGroups, InteractionTestMode};

/// Bits of rapier's collision groups.
const GROUP_COUNT: usize = 32;
const OBJECT_BIT: usize = GROUP_COUNT - 1;

/// Groups of the object: it touches everything.
pub(super) fn of_object() -> InteractionGroups {
    InteractionGroups::new(bit(OBJECT_BIT), Group::ALL, InteractionTestMode::And)
}

/// Groups of every body of the hand.
pub(super) fn of_bodies(robot: &RobotModel) -> Vec<InteractionGroups> {
    let bits = unit_bits(robot);
    let mut filters = [Group::ALL; GROUP_COUNT];
    let mut part = |a: usize, b: usize| {
        filters[a].remove(bit(b));
        filters[b].remove(bit(a));
    };
    for (body, model) in robot.bodies.iter().enumerate() {
        part(bits[body], bits[body]);
        if let Some(parent) = model.parent {
            part(bits[body], bits[parent]);
        }
    }
    for &(a, b) in &robot.contact_excludes {
        part(bits[a], bits[b]);
    }
    let groups = |&own: &usize| InteractionGroups::new(bit(own), filters[own], InteractionTestMode::And);
    bits.iter().map(groups).collect()
}

/// The bit of every body's unit. Units near the base come first, so that it is tips that share, each with its own
/// finger, where bits run out.
fn unit_bits(robot: &RobotModel) -> Vec<usize> {
    let depths = depths(robot);
    let mut order: Vec<usize> = (0..robot.bodies.len()).collect();
    order.sort_by_key(|&body| depths[body]);
    let mut bits = vec![0; robot.bodies.len()];
    let mut next = 0;
    for body in order {
        let model = &robot.bodies[body];
        let shares = model.joint.is_none() || next == OBJECT_BIT;
        bits[body] = match model.parent.filter(|_| shares) {
            Some(parent) => bits[parent],
            None => {
                next += 1;
                next - 1
            }
        };
    }
    bits
}

/// How many bodies each body has between itself and the ground.
fn depths(robot: &RobotModel) -> Vec<usize> {
    let mut depths: Vec<usize> = Vec::with_capacity(robot.bodies.len());
    for body in &robot.bodies {
        depths.push(body.parent.map_or(0, |parent| depths[parent] + 1));
    }
    depths
}

fn bit(index: usize) -> Group {
    Group::from_bits_retain(1 << index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use giraffe_robots::load_robot;

    /// `chains` fingers of `links` bodies each on one base.
    fn fingers(chains: usize, links: usize) -> RobotModel {
        let mut robot = load_robot("leap-right").expect("the built-in hand");
        let mut base = robot.bodies[0].clone();
        base.parent = None;
        let mut body = robot.bodies.iter().find(|body| body.joint.is_some()).expect("a finger").clone();
        let joint = robot.joints[0].clone();
        robot.bodies = vec![base];
        robot.joints.clear();
        robot.contact_excludes.clear();
        for _ in 0..chains {
            body.parent = Some(0);
            for _ in 0..links {
                body.joint = Some(robot.joints.len());
                robot.joints.push(joint.clone());
                robot.bodies.push(body.clone());
                body.parent = Some(robot.bodies.len() - 1);
            }
        }
        robot
    }

    #[test]
    fn every_body_touches_the_object_however_many_there_are() {
        for (chains, links) in [(5, 5), (6, 5), (5, 12), (40, 1)] {
            let groups = of_bodies(&fingers(chains, links));
            assert!(groups.iter().all(|body| body.test(of_object())), "{chains} fingers of {links}");
        }
    }

    #[test]
    fn bodies_of_thirty_joints_touch_all_but_themselves_and_their_neighbours() {
        let robot = fingers(6, 5);
        let groups = of_bodies(&robot);
        for a in 0..groups.len() {
            for b in 0..groups.len() {
                let next = robot.bodies[a].parent == Some(b) || robot.bodies[b].parent == Some(a) || a == b;
                assert_eq!(groups[a].test(groups[b]), !next, "{a} and {b}");
            }
        }
    }

    #[test]
    fn in_a_hand_of_too_many_bodies_every_finger_still_touches_the_others_and_the_base() {
        let robot = fingers(5, 12);
        let groups = of_bodies(&robot);
        let finger = |body: usize| (body - 1) / 12;
        for a in 2..groups.len() {
            let first_link = a % 12 == 1;
            assert_eq!(groups[a].test(groups[0]), !first_link, "{a} and the base");
            for b in 1..groups.len() {
                assert!(finger(a) == finger(b) || groups[a].test(groups[b]), "{a} and {b}");
            }
        }
    }

    #[test]
    fn an_excluded_pair_does_not_collide_and_others_of_its_bodies_do() {
        let mut robot = fingers(3, 3);
        robot.contact_excludes = vec![(3, 6)];
        let groups = of_bodies(&robot);
        assert!(!groups[3].test(groups[6]) && !groups[6].test(groups[3]));
        assert!(groups[3].test(groups[9]) && groups[6].test(groups[9]));
    }

    #[test]
    fn what_is_welded_on_counts_as_what_carries_it() {
        let mut robot = fingers(2, 2);
        let mut pad = robot.bodies[2].clone();
        pad.joint = None;
        pad.parent = Some(2);
        robot.bodies.push(pad);
        let groups = of_bodies(&robot);
        let pad = robot.bodies.len() - 1;
        assert!(!groups[pad].test(groups[2]), "the tip it is welded to");
        assert!(!groups[pad].test(groups[1]), "the neighbour of that tip");
        assert!(groups[pad].test(groups[4]), "the tip of the other finger");
    }
}
