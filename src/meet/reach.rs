//! Which fingertips can reach the object where it starts, by trying joint angles.

use super::solid::{Solid, inner_radius_m};
use super::stance::joints_to;
use giraffe_robots::{FingertipModel, RobotModel};
use nalgebra::{Isometry3, Point3};
use serde::Serialize;

/// Angles that are tried for every finger.
const TRIES: usize = 2000;
/// A point on a fingertip that comes so close to the object's surface reaches it, m: half the width of a fingertip.
const REACH_M: f32 = 0.008;

/// How far one fingertip is from the object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reach {
    /// Name of the fingertip.
    pub name: String,
    /// Name of its body.
    pub body: String,
    /// Where it is in the resting pose, palm frame, m.
    pub home_m: [f32; 3],
    /// Distance from the object's surface in the resting pose, m; negative inside.
    pub home_distance_m: f32,
    /// The least distance that its joints can bring it to, m; zero where it can go inside.
    pub least_distance_m: f32,
    /// Whether that is near enough to touch the object.
    pub reaches: bool,
}

/// Tries it for every fingertip, with an object of a shape where `palm_from_object` has it. The same every time.
pub fn reach(robot: &RobotModel, object: Solid) -> Vec<Reach> {
    let at_home = robot.fingertip_positions(&robot.home_rad);
    let of_tip = |(index, tip): (usize, &FingertipModel)| {
        let home_m = at_home[index];
        let nearest = nearest(robot, index, &object).min(object.distance(&home_m));
        Reach {
            name: tip.name.clone(),
            body: robot.bodies[tip.body].name.clone(),
            home_m: home_m.coords.into(),
            home_distance_m: object.distance(&home_m),
            least_distance_m: nearest.max(0.0),
            reaches: nearest <= REACH_M,
        }
    };
    robot.fingertips.iter().enumerate().map(of_tip).collect()
}

fn nearest(robot: &RobotModel, tip: usize, object: &Solid) -> f32 {
    let joints = joints_to(robot, robot.fingertips[tip].body);
    let mut angles = robot.home_rad.clone();
    let mut least = f32::INFINITY;
    // Deeper than this nothing is learned.
    let deep_m = -0.5 * inner_radius_m(&object.shape);
    for index in 1..=TRIES {
        for (dimension, &joint) in joints.iter().enumerate() {
            let limits = robot.joints[joint].position_limits_rad;
            angles[joint] = limits.lower + spread(index, dimension) * (limits.upper - limits.lower);
        }
        robot.couple(&mut angles);
        least = least.min(object.distance(&tip_position(robot, tip, &angles)));
        if least < deep_m {
            break;
        }
    }
    least
}

/// Where one fingertip is, palm frame, without the rest of the hand.
pub(super) fn tip_position(robot: &RobotModel, tip: usize, angles: &[f32]) -> Point3<f32> {
    let tip = &robot.fingertips[tip];
    let way = std::iter::successors(Some(tip.body), |body| robot.bodies[*body].parent);
    way.fold(tip.point_m, |point, index| {
        let body = &robot.bodies[index];
        let turn = body.joint.map_or_else(Isometry3::identity, |joint| robot.joints[joint].rotation(angles[joint]));
        body.parent_from_body * (turn * point)
    })
}

/// Numbers between 0 and 1 that fill a space of several dimensions evenly (Halton 1960). No randomness is needed to try
/// many angles.
pub(super) fn spread(index: usize, dimension: usize) -> f32 {
    const BASES: [usize; 12] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];
    let base = BASES[dimension % BASES.len()];
    let (mut rest, mut digit, mut sum) = (index, 1.0, 0.0);
    while rest > 0 {
        digit /= base as f64;
        sum += digit * (rest % base) as f64;
        rest /= base;
    }
    sum as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use giraffe_robots::{find_object, load_robot};

    #[test]
    fn every_finger_of_leap_reaches_the_cube_in_its_palm_and_none_one_a_metre_away() {
        let robot = load_robot("leap-right").expect("a built-in hand");
        let shape = find_object("cube-70mm").expect("in the catalogue").shape;
        let at = |palm_from_shape| reach(&robot, Solid { shape, palm_from_shape });
        let near = at(robot.palm_from_object_home);
        assert!(near.len() == 4 && near.iter().all(|tip| tip.reaches), "{near:#?}");
        assert!(near.iter().all(|tip| tip.least_distance_m <= tip.home_distance_m.max(0.0)), "{near:#?}");
        let far = at(Isometry3::translation(1.0, 0.0, 0.0));
        assert!(far.iter().all(|tip| !tip.reaches && tip.least_distance_m > 0.7), "{far:#?}");
    }

    #[test]
    fn a_fingertip_alone_stands_where_the_whole_hand_has_it() {
        let robot = load_robot("shadow-right").expect("a built-in hand");
        let (angles, tips) = robot.test_vector();
        for (index, expected) in tips.iter().enumerate() {
            let found = tip_position(&robot, index, &angles);
            assert!((found - expected).norm() < 1e-6, "{index}: {found} {expected}");
        }
    }

    #[test]
    fn tries_fill_their_space_evenly() {
        for (index, expected) in [(1, 0.5), (2, 0.25), (3, 0.75), (4, 0.125)] {
            assert!((spread(index, 0) - expected).abs() < 1e-6, "{index}");
        }
        let in_corner = (1..=900).filter(|index| spread(*index, 0) < 0.5 && spread(*index, 1) < 1.0 / 3.0).count();
        assert!((140..=160).contains(&in_corner), "{in_corner}");
    }
}
