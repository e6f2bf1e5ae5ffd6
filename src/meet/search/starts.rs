//! Starts that may be worth trying: fingers closed by some part of their range, the thumb opposed or closed as they are,
//! the object lowered onto what is below it anywhere between the heel of the palm and the fingertips.

use crate::meet::reach::{spread, tip_position};
use crate::meet::solid::{Solid, inner_radius_m, solids};
use crate::meet::stance::{AGREEING, Chain, Directions, Stance, chains, closing_end, consensus, directions, open};
use giraffe_physics::SceneModel;
use giraffe_robots::RobotModel;
use nalgebra::{Isometry3, Point3, Vector3};

/// Parts of the closing range that fingers are closed by.
const CLOSED: [f32; 6] = [0.05, 0.15, 0.25, 0.35, 0.5, 0.65];
/// Places along the fingers, m from where they begin, and across, m from the middle.
const ALONG_M: [f32; 8] = [-0.08, -0.06, -0.04, -0.02, 0.0, 0.02, 0.04, 0.065];
const ACROSS_M: [f32; 5] = [-0.03, -0.015, 0.0, 0.015, 0.03];
/// How far above what it touches first an object starts, m.
const GAP_M: f32 = 0.005;
/// Poses that are tried to oppose a thumb.
const THUMB_TRIES: usize = 160;
/// How far a thumb's tip is to stay from the object, m.
const THUMB_GAP_M: f32 = 0.006;

/// A resting pose, and where an object starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// Joint angles, rad, canonical order; they keep to the couplings.
    pub home_rad: Vec<f32>,
    /// The object's centre, palm frame, m.
    pub object_m: [f32; 3],
}

impl Start {
    /// The hand with this start as its own.
    #[must_use]
    pub fn applied(&self, robot: &RobotModel) -> RobotModel {
        let [x, y, z] = self.object_m;
        let home_rad = self.home_rad.clone();
        RobotModel { home_rad, palm_from_object_home: Isometry3::translation(x, y, z), ..robot.clone() }
    }
}

/// At most `count` starts, spread over all there are.
pub fn starts(scene: &SceneModel, count: usize) -> Vec<Start> {
    let robot = scene.robot();
    let fingers = Fingers::of(robot);
    let mut all = Vec::new();
    for closed in CLOSED {
        let pose = fingers.pose(robot, closed);
        let column = Column::of(robot, &pose, scene);
        for [x, y] in fingers.places() {
            let Some(z) = column.lowered(x, y) else { continue };
            let object_m = [x, y, z];
            all.push(Start { home_rad: pose.clone(), object_m });
            if let Some(home_rad) = fingers.opposed(robot, &pose, Point3::from(object_m), scene) {
                all.push(Start { home_rad, object_m });
            }
        }
    }
    // Spread over all families, the same every time.
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|index| (*index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20);
    order.truncate(count);
    order.into_iter().map(|index| all[index].clone()).collect()
}

/// The fingers of a hand, and those among them that close another way than most.
struct Fingers {
    chains: Vec<Chain>,
    is_thumb: Vec<bool>,
    /// Where most fingers begin, and where they point, level.
    base: Vector3<f32>,
    along: Vector3<f32>,
}

impl Fingers {
    fn of(robot: &RobotModel) -> Self {
        let chains = chains(robot);
        let Directions { closing, .. } = directions(robot, &chains);
        let stance = Stance::of(robot);
        let along = stance.map_or_else(Vector3::x, |stance| Vector3::from(stance.fingers));
        let level = Vector3::new(along.x, along.y, 0.0).try_normalize(0.3).unwrap_or_else(Vector3::x);
        let most = consensus(&closing).unwrap_or_default();
        let is_thumb: Vec<bool> = closing.iter().map(|own| chains.len() > 1 && own.dot(&most) < AGREEING).collect();
        let bodies = robot.forward_kinematics(&open(robot));
        let bases: Vec<Vector3<f32>> = chains
            .iter()
            .zip(&is_thumb)
            .filter(|(_, is_thumb)| !**is_thumb)
            .filter_map(|(chain, _)| chain.joints.first())
            .map(|joint| (bodies[robot.joints[*joint].body] * robot.joints[*joint].anchor_m).coords)
            .collect();
        let base = bases.iter().sum::<Vector3<f32>>() / bases.len().max(1) as f32;
        Self { chains, is_thumb, base, along: level }
    }

    /// Every finger closed by a part of its range.
    fn pose(&self, robot: &RobotModel, closed: f32) -> Vec<f32> {
        let mut angles = open(robot);
        for &joint in self.chains.iter().flat_map(|chain| &chain.joints) {
            if let Some(end) = closing_end(robot, joint) {
                angles[joint] += closed * (end - angles[joint]);
            }
        }
        kept_coupled(robot, angles)
    }

    /// Places for an object seen from above.
    fn places(&self) -> impl Iterator<Item = [f32; 2]> {
        let across = Vector3::z().cross(&self.along);
        ALONG_M.into_iter().flat_map(move |s| {
            ACROSS_M.into_iter().map(move |t| {
                let place = self.base + self.along * s + across * t;
                [place.x, place.y]
            })
        })
    }

    /// The same pose with every thumb's tip beside the object, across from the other fingertips. None without a thumb.
    fn opposed(&self, robot: &RobotModel, pose: &[f32], object_m: Point3<f32>, scene: &SceneModel) -> Option<Vec<f32>> {
        if !self.is_thumb.contains(&true) {
            return None;
        }
        let solid = Solid { shape: scene.object().shape, palm_from_shape: Isometry3::from(object_m.coords) };
        let tips = robot.fingertip_positions(pose);
        let others = self.chains.iter().zip(&self.is_thumb).filter(|(_, is_thumb)| !**is_thumb);
        let toward: Vector3<f32> = others.map(|(chain, _)| tips[chain.tip] - object_m).sum();
        let toward = Vector3::new(toward.x, toward.y, 0.0).try_normalize(1e-6)?;
        let mut angles = pose.to_vec();
        for (chain, _) in self.chains.iter().zip(&self.is_thumb).filter(|(_, is_thumb)| **is_thumb) {
            let cost = |angles: &[f32]| {
                let tip = tip_position(robot, chain.tip, angles);
                let aside = tip - object_m;
                let across = Vector3::new(aside.x, aside.y, 0.0).try_normalize(1e-6).map_or(1.0, |it| it.dot(&toward));
                let inside = inside_m(robot, chain, angles, &solid);
                (solid.distance(&tip) - THUMB_GAP_M).abs() / 0.01
                    + 1.0
                    + across
                    + (aside.z.abs() - 0.02).max(0.0) / 0.01
                    + inside / 0.004
            };
            angles = best_pose(robot, chain, angles, &cost);
        }
        Some(kept_coupled(robot, angles))
    }
}

/// Of evenly spread angles of one finger those that cost least.
fn best_pose(robot: &RobotModel, chain: &Chain, pose: Vec<f32>, cost: &dyn Fn(&[f32]) -> f32) -> Vec<f32> {
    let tried = (1..=THUMB_TRIES).map(|index| {
        let mut angles = pose.clone();
        for (dimension, &joint) in chain.joints.iter().enumerate() {
            let limits = robot.joints[joint].position_limits_rad;
            let share = 0.05 + 0.9 * spread(index, dimension);
            angles[joint] = limits.lower + share * (limits.upper - limits.lower);
        }
        kept_coupled(robot, angles)
    });
    let costs = tried.map(|angles| (cost(&angles), angles));
    costs.min_by(|a, b| a.0.total_cmp(&b.0)).map_or(pose, |(_, angles)| angles)
}

/// How far the shapes of a finger reach into the ball inside an object, m, at the worst.
fn inside_m(robot: &RobotModel, chain: &Chain, angles: &[f32], object: &Solid) -> f32 {
    let bodies = robot.forward_kinematics(angles);
    let center = Point3::from(object.palm_from_shape.translation.vector);
    let radius_m = inner_radius_m(&object.shape);
    let own: Vec<usize> = chain.joints.iter().map(|joint| robot.joints[*joint].body).collect();
    let shapes = solids(robot, &bodies).into_iter().filter(|(body, _)| own.contains(body));
    shapes.map(|(_, solid)| (radius_m - solid.distance(&center)).max(0.0)).fold(0.0, f32::max)
}

/// What an object is lowered onto.
struct Column {
    solids: Vec<Solid>,
    radius_m: f32,
    top_m: f32,
    bottom_m: f32,
}

impl Column {
    fn of(robot: &RobotModel, pose: &[f32], scene: &SceneModel) -> Self {
        let solids: Vec<Solid> =
            solids(robot, &robot.forward_kinematics(pose)).into_iter().map(|(_, solid)| solid).collect();
        let radius_m = inner_radius_m(&scene.object().shape);
        let top_m = solids.iter().map(Solid::top_m).fold(f32::NEG_INFINITY, f32::max) + radius_m;
        let bottom_m =
            solids.iter().map(|solid| solid.palm_from_shape.translation.vector.z).fold(f32::INFINITY, f32::min);
        Self { solids, radius_m, top_m, bottom_m }
    }

    /// The height at which a ball that is lowered here stops; none where it falls past the hand.
    fn lowered(&self, x: f32, y: f32) -> Option<f32> {
        const STEP_M: f32 = 0.0025;
        let free = |z: f32| self.solids.iter().all(|solid| solid.distance(&Point3::new(x, y, z)) >= self.radius_m);
        let mut z = self.top_m;
        while z > self.bottom_m {
            if !free(z - STEP_M) {
                return Some(z + GAP_M);
            }
            z -= STEP_M;
        }
        None
    }
}

/// The pose with every follower where its leader puts it, and leaders no farther than their followers can go.
pub(super) fn kept_coupled(robot: &RobotModel, mut angles: Vec<f32>) -> Vec<f32> {
    for coupling in &robot.couplings {
        let limits = robot.joints[coupling.follower].position_limits_rad;
        let wanted = coupling.follower_rad(angles[coupling.leader]);
        if !limits.contains(wanted) {
            let leader = (limits.clamp(wanted) - coupling.offset_rad) / coupling.ratio;
            angles[coupling.leader] = robot.joints[coupling.leader].position_limits_rad.clamp(leader);
        }
    }
    robot.couple(&mut angles);
    angles
}
