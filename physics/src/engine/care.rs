//! Hands that ask for more care than others, by their description alone.
//!
//! Files from everywhere say strange things: servos of 6 N m on links of 6 g, fingers two tenths of a millimetre apart. The
//! engine takes both as they are, and joins what cannot move to what moves too fast. Such hands get stops that never
//! sleep, springs that act at the end of a step, and contacts between their own links that may not ask for what no joint
//! can do (see `levers`). Other hands are computed as ever.

use super::levers::{LEAST_LEVER_M, lever_m};
use super::{convert, groups, shape, tree};
use crate::scene::{Care, SceneModel};
use giraffe_robots::{GeomModel, RobotModel};
use rapier3d::parry::query::contact;
use rapier3d::prelude::*;

/// What the hand of a scene asks for. It is looked at once.
pub(super) fn of_scene(scene: &SceneModel) -> Care {
    scene.care(|| of_hand(scene.robot(), scene.substep_secs()))
}

/// Looks at a hand whose physics steps have this length.
fn of_hand(robot: &RobotModel, step_secs: f32) -> Care {
    let farthest = (0..robot.joints.len()).map(|joint| flung_rad(robot, joint, step_secs)).fold(0.0, f32::max);
    Care { brisk: farthest > BRISK_RAD, crowded: is_crowded(robot) }
}

/// Farther than this a servo at its limit moves its bare link in a physics step in no hand that was computed well before
/// there was such care (LEAP 0.02, Allegro 0.07, Shadow 1.1 rad).
const BRISK_RAD: f32 = 1.5;

/// Farther from its target no servo is in use, rad.
const LARGEST_ERROR_RAD: f32 = 1.0;

/// How far a servo at its torque limit turns its own link from rest in a step, rad: t^2 effort / (2 inertia + t damping),
/// which is right at its two ends, where only inertia or only damping resists.
fn flung_rad(robot: &RobotModel, joint: usize, step_secs: f32) -> f32 {
    let model = &robot.joints[joint];
    let body = &robot.bodies[model.body];
    let arm_m = (body.center_of_mass_m - model.anchor_m).cross(&model.axis);
    let axis = body.body_from_principal.inverse_transform_vector(&model.axis);
    let own = axis.component_mul(&axis).dot(&body.principal_inertia_kg_m2);
    let inertia = own + body.mass_kg * arm_m.norm_squared() + model.armature_kg_m2;
    // Some have a limit that they never reach, since targets do not leap.
    let effort = model.effort_limit_newton_m.min(model.stiffness_newton_m_per_rad * LARGEST_ERROR_RAD);
    effort * step_secs * step_secs / (2.0 * inertia + model.damping_newton_m_secs_per_rad * step_secs)
}

/// Poses in which links are looked at.
const POSES: usize = 64;
/// Links nearer than this may touch, m: contacts are solved from 2 mm on, and fingertips grow.
const NEAR_M: f32 = 0.003;
/// In a hand that is not crowded, fewer of the points where links nearly touch than this are without a lever.
const LEAST_SHARE: f32 = 0.02;

/// A shape of the hand: of which body, as the engine has it, and no point of it is farther from its middle than this.
struct Solid<'r> {
    body: usize,
    geom: &'r GeomModel,
    form: SharedShape,
    reach_m: f32,
}

impl<'r> Solid<'r> {
    fn new(body: usize, geom: &'r GeomModel) -> Self {
        let form = shape::form(&geom.shape);
        let around = form.compute_local_bounding_sphere();
        Self { body, geom, reach_m: around.radius + around.center.length(), form }
    }
}

fn is_crowded(robot: &RobotModel) -> bool {
    let solids: Vec<Solid<'_>> = robot
        .bodies
        .iter()
        .enumerate()
        .flat_map(|(body, model)| model.geoms.iter().map(move |geom| Solid::new(body, geom)))
        .collect();
    let pairs = pairs_that_may_touch(robot, &solids);
    let above: Vec<Vec<usize>> = (0..robot.bodies.len()).map(|body| joints_above(robot, body)).collect();
    let (mut near, mut without) = (0_u32, 0_u32);
    for pose in 0..POSES {
        let palm_from_body = robot.forward_kinematics(&angles_rad(robot, pose));
        let at = |solid: &Solid<'_>| convert::pose(&(palm_from_body[solid.body] * solid.geom.body_from_geom));
        let palm_from_solid: Vec<Pose> = solids.iter().map(at).collect();
        let hinge = |joint: usize| {
            let (model, palm_from_link) = (&robot.joints[joint], &palm_from_body[robot.joints[joint].body]);
            let anchor = palm_from_link * model.anchor_m;
            (convert::vector(&(palm_from_link * model.axis.into_inner())), convert::vector(&anchor.coords))
        };
        for &[one, other] in &pairs {
            let (at1, at2) = (&palm_from_solid[one], &palm_from_solid[other]);
            let [one, other] = [&solids[one], &solids[other]];
            if (at1.translation - at2.translation).length() > one.reach_m + other.reach_m + NEAR_M {
                continue;
            }
            let Ok(Some(found)) = contact(at1, &*one.form, at2, &*other.form, NEAR_M) else { continue };
            near += 1;
            let sides = [&above[one.body][..], &above[other.body]];
            without += u32::from(lever_m(sides, found.point1, found.normal1, hinge) < LEAST_LEVER_M);
        }
    }
    without as f32 > LEAST_SHARE * near as f32
}

/// Home, and poses spread over all joints' ranges by the golden ratio, each joint with a beat of its own.
fn angles_rad(robot: &RobotModel, pose: usize) -> Vec<f32> {
    if pose == 0 {
        return robot.home_rad.clone();
    }
    let spread = |joint: usize| (0.618_034 * ((pose * (2 * joint + 1)) as f32 + 0.37 * joint as f32)).fract();
    let mut angles: Vec<f32> = robot
        .joints
        .iter()
        .enumerate()
        .map(|(joint, model)| {
            let limits = model.position_limits_rad;
            limits.lower + spread(joint) * (limits.upper - limits.lower)
        })
        .collect();
    robot.couple(&mut angles);
    angles
}

/// Indices of the solids of each pair.
fn pairs_that_may_touch(robot: &RobotModel, solids: &[Solid<'_>]) -> Vec<[usize; 2]> {
    let (filters, units) = (groups::of_bodies(robot), tree::units(robot));
    let may_touch = |one: usize, other: usize| {
        let [one, other] = [solids[one].body, solids[other].body];
        units[one] != units[other] && filters[one].test(filters[other])
    };
    let all = (0..solids.len()).flat_map(|one| (one + 1..solids.len()).map(move |other| [one, other]));
    all.filter(|&[one, other]| may_touch(one, other)).collect()
}

/// The joints between a body and the palm.
pub(super) fn joints_above(robot: &RobotModel, body: usize) -> Vec<usize> {
    let mut found = Vec::new();
    let mut next = Some(body);
    while let Some(index) = next {
        found.extend(robot.bodies[index].joint);
        next = robot.bodies[index].parent;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use giraffe_robots::{GeomShape, Limits, load_robot};
    use nalgebra::{Isometry3, Point3, Vector3};

    #[test]
    fn no_hand_that_was_computed_well_before_asks_for_care() {
        for name in ["leap-right", "leap-left", "allegro-right", "shadow-right"] {
            let robot = load_robot(name).expect("a built-in hand");
            assert_eq!(of_hand(&robot, 0.025), Care::default(), "{name}");
        }
    }

    /// Three fingers of one hinge each, across y.
    fn fingers(pitch_m: f32, change: impl Fn(&mut RobotModel)) -> RobotModel {
        let mut robot = load_robot("leap-right").expect("a built-in hand");
        let finger = robot.bodies.iter().find(|body| body.joint.is_some()).expect("a finger").clone();
        let mut geom = finger.geoms[0].clone();
        geom.shape = GeomShape::Box { half_extents_m: [0.03, 0.008, 0.008] };
        geom.body_from_geom = Isometry3::translation(0.03, 0.0, 0.0);
        let mut joint = robot.joints[0].clone();
        (joint.axis, joint.anchor_m) = (-Vector3::y_axis(), Point3::origin());
        joint.position_limits_rad = Limits { lower: 0.0, upper: 1.5 };
        robot.bodies.truncate(1);
        (robot.joints, robot.couplings, robot.contact_excludes) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..3_u8 {
            let mut body = finger.clone();
            (body.parent, body.joint) = (Some(0), Some(robot.joints.len()));
            body.parent_from_body = Isometry3::translation(0.1, pitch_m * f32::from(number), 0.0);
            body.geoms = vec![geom.clone()];
            joint.body = robot.bodies.len();
            robot.bodies.push(body);
            robot.joints.push(joint.clone());
        }
        robot.home_rad = vec![0.0; 3];
        change(&mut robot);
        robot
    }

    #[test]
    fn fingers_side_by_side_that_only_bend_are_crowded_and_those_with_room_are_not() {
        assert!(of_hand(&fingers(0.016_2, |_| ()), 0.025).crowded);
        assert!(!of_hand(&fingers(0.025, |_| ()), 0.025).crowded);
    }

    #[test]
    fn a_strong_servo_on_a_light_link_is_brisk_until_damping_or_a_rotor_holds_it() {
        let strong = |robot: &mut RobotModel| {
            for joint in &mut robot.joints {
                (joint.effort_limit_newton_m, joint.armature_kg_m2) = (6.0, 0.0);
                joint.stiffness_newton_m_per_rad = 60.0;
                joint.damping_newton_m_secs_per_rad = 0.001;
            }
            robot.bodies.iter_mut().for_each(|body| body.mass_kg = 0.006);
        };
        let with = |change: fn(&mut giraffe_robots::JointModel)| {
            let robot = fingers(0.025, |robot| {
                strong(robot);
                robot.joints.iter_mut().for_each(change);
            });
            of_hand(&robot, 0.025).brisk
        };
        assert!(with(|_| ()));
        assert!(!with(|joint| joint.damping_newton_m_secs_per_rad = 0.2));
        assert!(!with(|joint| joint.armature_kg_m2 = 0.01));
    }
}
