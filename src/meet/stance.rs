//! How a hand stands: where its fingers point and close to, whatever its file calls up.

use giraffe_robots::RobotModel;
use nalgebra::{Isometry3, Matrix3, Rotation3, UnitQuaternion, Vector3};
use serde::Serialize;

/// A palm tilted by more than this, degrees, is worth a warning.
pub const LEVEL_DEGREES: f32 = 30.0;
/// How far the joints of a finger are closed to see where it closes to, rad.
const CLOSING_RAD: f32 = 0.3;
/// A joint whose range is as wide to both sides, but for this share, spreads fingers and does not close them.
const SPREAD_SHARE: f32 = 0.2;
/// Fingers whose directions are within 60 degrees of each other agree.
const AGREEING: f32 = 0.5;
/// Fingers that close against one another, within 45 degrees, make a gripper: its palm looks where they point.
const OPPOSED: f32 = -0.7;

/// How a hand stands, in its palm frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Stance {
    /// Out of the palm, length 1.
    pub normal: [f32; 3],
    /// Where the fingers point, length 1.
    pub fingers: [f32; 3],
    /// Angle between the first and the vertical, against gravity, degrees.
    pub tilt_degrees: f32,
}

/// The joints that move one fingertip.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chain {
    /// Which fingertip.
    pub(super) tip: usize,
    /// Joints from the palm outward, those it shares with most others (a wrist) left out. Followers are among them.
    pub(super) joints: Vec<usize>,
}

/// One chain per fingertip.
pub(super) fn chains(robot: &RobotModel) -> Vec<Chain> {
    let all: Vec<Vec<usize>> = robot.fingertips.iter().map(|tip| joints_to(robot, tip.body)).collect();
    let users = |joint: usize| all.iter().filter(|joints| joints.contains(&joint)).count();
    let is_wrist = |joint: usize| all.len() > 1 && 2 * users(joint) > all.len();
    let chain = |(tip, joints): (usize, &Vec<usize>)| Chain {
        tip,
        joints: joints.iter().copied().filter(|joint| !is_wrist(*joint)).collect(),
    };
    all.iter().enumerate().map(chain).collect()
}

/// Every joint between the palm and a body, from the palm outward.
pub(super) fn joints_to(robot: &RobotModel, body: usize) -> Vec<usize> {
    let way = std::iter::successors(Some(body), |body| robot.bodies[*body].parent);
    let mut joints: Vec<usize> = way.filter_map(|body| robot.bodies[body].joint).collect();
    joints.reverse();
    joints
}

/// Every joint at zero, or as near as it comes.
pub(super) fn open(robot: &RobotModel) -> Vec<f32> {
    let mut angles: Vec<f32> = robot.joints.iter().map(|joint| joint.position_limits_rad.clamp(0.0)).collect();
    robot.couple(&mut angles);
    angles
}

/// Where a joint closes to from where it is open, rad; none for one that spreads.
pub(super) fn closing_end(robot: &RobotModel, joint: usize) -> Option<f32> {
    let limits = robot.joints[joint].position_limits_rad;
    let (sum, range) = (limits.upper + limits.lower, limits.upper - limits.lower);
    let closes = sum.abs() > SPREAD_SHARE * range;
    closes.then_some(if sum > 0.0 { limits.upper } else { limits.lower })
}

/// Where every finger points and closes to, palm frame, length 1 or nothing at all.
pub(super) struct Directions {
    pub(super) fingers: Vec<Vector3<f32>>,
    pub(super) closing: Vec<Vector3<f32>>,
}

pub(super) fn directions(robot: &RobotModel, chains: &[Chain]) -> Directions {
    let opened = open(robot);
    let mut closed = opened.clone();
    for &joint in chains.iter().flat_map(|chain| &chain.joints) {
        if let Some(end) = closing_end(robot, joint) {
            closed[joint] = opened[joint] + (end - opened[joint]).clamp(-CLOSING_RAD, CLOSING_RAD);
        }
    }
    robot.couple(&mut closed);
    let (tips, closed_tips) = (robot.fingertip_positions(&opened), robot.fingertip_positions(&closed));
    let bodies = robot.forward_kinematics(&opened);
    let base = |chain: &Chain| {
        let joint = chain.joints.first().map(|joint| &robot.joints[*joint]);
        joint.map_or_else(Vector3::zeros, |joint| (bodies[joint.body] * joint.anchor_m).coords)
    };
    let unit = |vector: Vector3<f32>| vector.try_normalize(1e-6).unwrap_or_default();
    Directions {
        fingers: chains.iter().map(|chain| unit(tips[chain.tip].coords - base(chain))).collect(),
        closing: chains.iter().map(|chain| unit(closed_tips[chain.tip] - tips[chain.tip])).collect(),
    }
}

/// The mean of those that agree with the one that most agree with.
fn consensus(directions: &[Vector3<f32>]) -> Option<Vector3<f32>> {
    let support = |one: &Vector3<f32>| directions.iter().map(|other| one.dot(other).max(0.0)).sum::<f32>();
    let best = directions.iter().max_by(|a, b| support(a).total_cmp(&support(b)))?;
    let agreeing = directions.iter().filter(|other| best.dot(other) > AGREEING);
    agreeing.sum::<Vector3<f32>>().try_normalize(1e-6)
}

impl Stance {
    /// How a hand stands, if its fingers tell.
    pub fn of(robot: &RobotModel) -> Option<Self> {
        let Directions { fingers, closing } = directions(robot, &chains(robot));
        let along = consensus(&fingers)?;
        let closes = consensus(&closing)?;
        let against = fingers
            .iter()
            .zip(&closing)
            .any(|(finger, closing)| closing.dot(&closes) < OPPOSED && finger.dot(&along) > AGREEING);
        let normal = if against { Some(along) } else { (closes - along * closes.dot(&along)).try_normalize(0.3) };
        let normal = normal.unwrap_or(closes);
        let tilt_degrees = normal.z.clamp(-1.0, 1.0).acos().to_degrees();
        Some(Self { normal: normal.into(), fingers: along.into(), tilt_degrees })
    }

    /// The turn after which the palm looks up and the fingers, as far as they are level, point along x.
    pub fn upturn(&self) -> UnitQuaternion<f32> {
        let (z, along) = (Vector3::from(self.normal), Vector3::from(self.fingers));
        match (along - z * along.dot(&z)).try_normalize(0.3) {
            Some(x) => {
                let axes = Matrix3::from_rows(&[x.transpose(), z.cross(&x).transpose(), z.transpose()]);
                UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(axes))
            }
            None => UnitQuaternion::rotation_between(&z, &Vector3::z())
                .unwrap_or_else(|| UnitQuaternion::from_axis_angle(&Vector3::x_axis(), std::f32::consts::PI)),
        }
    }
}

/// The same hand in another palm frame: everything that is fixed to the palm stands elsewhere in it.
#[must_use]
pub fn moved(robot: &RobotModel, palm_from_old: &Isometry3<f32>) -> RobotModel {
    let mut moved = robot.clone();
    for (index, body) in moved.bodies.iter_mut().enumerate() {
        match body.parent {
            Some(0) => body.parent_from_body = palm_from_old * body.parent_from_body,
            None if index == 0 => {
                body.center_of_mass_m = palm_from_old * body.center_of_mass_m;
                body.body_from_principal = palm_from_old.rotation * body.body_from_principal;
                for geom in &mut body.geoms {
                    geom.body_from_geom = palm_from_old * geom.body_from_geom;
                }
            }
            _ => {}
        }
    }
    for tip in moved.fingertips.iter_mut().filter(|tip| tip.body == 0) {
        tip.point_m = palm_from_old * tip.point_m;
    }
    // Where an object starts, not how it is turned: that is up to the task.
    let home = palm_from_old * nalgebra::Point3::from(moved.palm_from_object_home.translation.vector);
    moved.palm_from_object_home = Isometry3::translation(home.x, home.y, home.z);
    moved
}
