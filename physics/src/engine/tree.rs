//! What moves as one, and what hangs together.

use giraffe_robots::RobotModel;
use std::collections::BTreeSet;

/// For every body, the body whose motion it shares: itself if a joint moves it, or else what it is welded to.
pub(super) fn units(robot: &RobotModel) -> Vec<usize> {
    let mut units: Vec<usize> = Vec::with_capacity(robot.bodies.len());
    for (index, body) in robot.bodies.iter().enumerate() {
        let unit = match (body.joint, body.parent) {
            (None, Some(parent)) => units[parent],
            _ => index,
        };
        units.push(unit);
    }
    units
}

/// For every body, the first body of its chain. A chain is what hangs on the base by one joint, together with every
/// chain that one of its joints follows or leads: coupled joints must be in one multibody.
pub(super) fn chains(robot: &RobotModel) -> Vec<usize> {
    let units = units(robot);
    let mut chains: Vec<usize> = Vec::with_capacity(robot.bodies.len());
    for (index, body) in robot.bodies.iter().enumerate() {
        let carrier = body.parent.filter(|&parent| robot.bodies[units[parent]].joint.is_some());
        chains.push(carrier.map_or(index, |parent| chains[parent]));
    }
    for coupling in &robot.couplings {
        let [kept, merged] = [coupling.leader, coupling.follower].map(|joint| chains[robot.joints[joint].body]);
        chains.iter_mut().filter(|chain| **chain == merged).for_each(|chain| *chain = kept);
    }
    chains
}

/// How many bodies the engine has for a hand: what is welded together is one.
pub(super) fn moving_count(robot: &RobotModel) -> usize {
    units(robot).iter().enumerate().filter(|(index, unit)| index == *unit).count()
}

/// How many fixed roots the engine adds for it, one for each chain.
pub(super) fn root_count(robot: &RobotModel) -> usize {
    let jointed = robot.bodies.iter().zip(chains(robot)).filter(|(body, _)| body.joint.is_some());
    jointed.map(|(_, chain)| chain).collect::<BTreeSet<usize>>().len()
}
