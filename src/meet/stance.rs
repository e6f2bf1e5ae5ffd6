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
pub(super) const AGREEING: f32 = 0.5;
/// Fingers beside one another whose closing cancels but for less than this share close against one another: they make a
/// gripper, whose palm looks where they point.
const CANCELLED: f32 = 0.5;

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
    let fingers: Vec<Vector3<f32>> = chains.iter().map(|chain| unit(tips[chain.tip].coords - base(chain))).collect();
    // Across the finger: what bends comes back, too.
    let across = |(chain, finger): (&Chain, &Vector3<f32>)| {
        let way = closed_tips[chain.tip] - tips[chain.tip];
        unit(way - finger * way.dot(finger))
    };
    let closing = chains.iter().zip(&fingers).map(across).collect();
    Directions { fingers, closing }
}

/// The mean of those that agree with the one that most agree with.
pub(super) fn consensus(directions: &[Vector3<f32>]) -> Option<Vector3<f32>> {
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
        let parallel = fingers.iter().zip(&closing).filter(|(finger, _)| finger.dot(&along) > AGREEING);
        let (count, sum) = parallel.fold((0.0, Vector3::zeros()), |(count, sum), (_, own)| (count + 1.0, sum + own));
        let against = count > 1.0 && sum.norm() < CANCELLED * count;
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

#[cfg(test)]
mod tests {
    use super::*;
    use giraffe_robots::{ROBOTS, load_robot};
    use nalgebra::Point3;

    #[test]
    fn the_palms_of_the_catalogue_look_up() {
        for entry in ROBOTS {
            let stance = Stance::of(&load_robot(entry.name).expect("a built-in hand")).expect("it has fingers");
            assert!(stance.tilt_degrees < LEVEL_DEGREES, "{}: {stance:?}", entry.name);
            assert!(stance.fingers[0] > 0.7, "{}: {stance:?}", entry.name);
        }
    }

    /// Three fingers that point up and close against one another, or two that close the same way.
    fn claw(name: &str, sides: &[f32]) -> String {
        let fingers: String = sides
            .iter()
            .enumerate()
            .map(|(index, degrees)| {
                format!(
                    r#"<link name="l{index}"><collision><origin xyz="0 0 0.04"/><geometry><box size="0.01 0.01 0.08"/>
                    </geometry></collision></link><joint name="j{index}" type="revolute"><parent link="palm"/>
                    <child link="l{index}"/><origin xyz="0 0 0" rpy="0 0 {}"/><axis xyz="0 1 0"/>
                    <limit lower="0" upper="1.2" effort="1" velocity="3"/></joint>"#,
                    degrees.to_radians()
                )
            })
            .collect();
        format!(
            r#"<robot name="{name}"><link name="palm"><collision><geometry><box size="0.1 0.1 0.02"/></geometry></collision>
            </link>{fingers}</robot>"#
        )
    }

    #[test]
    fn the_palm_of_a_gripper_looks_where_its_fingers_point_and_that_of_a_hand_where_they_close_to() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // None says how it stands, so each was laid palm up as it was read.
        for (name, sides, fingers) in [
            ("three", &[0.0, 120.0, 240.0][..], Vector3::z()),
            ("two", &[0.0, 180.0], Vector3::z()),
            ("barrett", &[0.0, 0.0, 180.0], Vector3::z()),
            ("hand", &[0.0, 5.0, -5.0], Vector3::x()),
        ] {
            let path = folder.path().join(format!("{name}.urdf"));
            std::fs::write(&path, claw(name, sides)).expect("written");
            let robot = load_robot(&path.to_string_lossy()).expect("a hand");
            let stance = Stance::of(&robot).expect("it has fingers");
            assert!(stance.tilt_degrees < 3.0, "{name}: {stance:?}");
            assert!(Vector3::from(stance.fingers).dot(&fingers) > 0.99, "{name}: {stance:?}");
        }
    }

    #[test]
    fn a_hand_that_was_turned_is_turned_back() {
        let robot = load_robot("leap-right").expect("a built-in hand");
        let was = Stance::of(&robot).expect("it has fingers");
        for turn in [Vector3::x() * 1.6, Vector3::y() * -1.4, Vector3::new(2.0, 1.0, -1.5)] {
            let turned = moved(&robot, &Isometry3::new(Vector3::new(0.1, -0.2, 0.3), turn));
            let found = Stance::of(&turned).expect("it has fingers");
            let expected = UnitQuaternion::new(turn) * Vector3::from(was.normal);
            assert!((Vector3::from(found.normal) - expected).norm() < 1e-3, "{found:?} {expected}");
            let up = moved(&turned, &Isometry3::from_parts(Default::default(), found.upturn()));
            let level = Stance::of(&up).expect("it has fingers");
            assert!(level.tilt_degrees < 0.1 && level.fingers[0] > 0.9, "{level:?}");
        }
    }

    #[test]
    fn a_hand_in_another_frame_has_its_fingertips_masses_and_shapes_there() {
        let robot = load_robot("shadow-right").expect("a built-in hand");
        let frame = Isometry3::new(Vector3::new(0.1, -0.2, 0.3), Vector3::new(0.4, -1.0, 0.2));
        let (angles, tips) = robot.test_vector();
        let other = moved(&robot, &frame);
        for (here, there) in other.fingertip_positions(&angles).iter().zip(&tips) {
            assert!((here - frame * there).norm() < 1e-5, "{here} {there}");
        }
        let centers = |robot: &RobotModel| -> Vec<Point3<f32>> {
            let poses = robot.forward_kinematics(&angles);
            robot.bodies.iter().zip(poses).map(|(body, pose)| pose * body.center_of_mass_m).collect()
        };
        for (index, (here, there)) in centers(&other).iter().zip(centers(&robot)).enumerate() {
            // The base has no mass, and its frame stays where it is: it is the palm's.
            let expected = if index == 0 { frame * robot.bodies[0].center_of_mass_m } else { frame * there };
            assert!((here - expected).norm() < 1e-5, "{index}: {here} {expected}");
        }
        let home = other.palm_from_object_home.translation.vector;
        let expected = frame * Point3::from(robot.palm_from_object_home.translation.vector);
        assert!((home - expected.coords).norm() < 1e-6 && other.palm_from_object_home.rotation.angle() < 1e-6);
    }
}
