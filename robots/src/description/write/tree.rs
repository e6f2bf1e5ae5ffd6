//! In which order the bodies of a hand stand in a file, and what they are called there.

use crate::model::RobotModel;

/// The bodies that hang at this one, in their order.
pub(super) fn children(robot: &RobotModel, body: usize) -> impl Iterator<Item = usize> {
    (0..robot.bodies.len()).filter(move |child| robot.bodies[*child].parent == Some(body))
}

/// All bodies as they stand in the file: each before those that hang at it.
pub(super) fn file_order(robot: &RobotModel) -> Vec<usize> {
    let (mut order, mut open) = (Vec::with_capacity(robot.bodies.len()), vec![0]);
    while let Some(body) = open.pop() {
        order.push(body);
        let mut below: Vec<usize> = children(robot, body).collect();
        below.reverse();
        open.extend(below);
    }
    order
}

/// The name of each body. In MJCF `world` is what the hand hangs at.
pub(super) fn body_names(robot: &RobotModel) -> Vec<String> {
    let named = |name: &String| if name == "world" { "world_mount".to_owned() } else { name.clone() };
    robot.bodies.iter().map(|body| named(&body.name)).collect()
}
