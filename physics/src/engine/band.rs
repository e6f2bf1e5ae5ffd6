//! Rubber bands between links, as forces from outside.

use super::hand::HandJoint;
use super::sets::Sets;
use super::tree;
use giraffe_robots::RobotModel;
use nalgebra::Point3;
use rapier3d::na::DVector;
use rapier3d::prelude::*;

/// A band between two points of a hand.
#[derive(Debug, Clone)]
pub(crate) struct Band {
    ends: [End; 2],
    rest_length_m: f32,
    stiffness_newton_per_m: f32,
}

/// Where a band is fixed: to what a joint moves, or else to the palm.
#[derive(Debug, Clone)]
struct End {
    joint: Option<usize>,
    /// In the frame of the joint's link, or the palm.
    point_m: Point3<f32>,
}

/// A point of the hand as it is now.
struct Place {
    link: Option<RigidBodyHandle>,
    at: Vector,
}

impl Band {
    /// A band between two fingertips of a description, which has them.
    pub fn between(robot: &RobotModel, fingers: [usize; 2], rest_length_m: f32, stiffness_newton_per_m: f32) -> Self {
        let units = tree::units(robot);
        let palm_from_body = robot.forward_kinematics(&vec![0.0; robot.joint_count()]);
        let end = |finger: usize| {
            let tip = &robot.fingertips[finger];
            let unit = units[tip.body];
            let joint = robot.bodies[unit].joint;
            let palm_from_tip = palm_from_body[tip.body] * tip.point_m;
            let point_m = joint.map_or(palm_from_tip, |_| palm_from_body[unit].inverse() * palm_from_tip);
            End { joint, point_m }
        };
        Self { ends: fingers.map(end), rest_length_m, stiffness_newton_per_m }
    }

    /// Pulls its two ends together for the next physics step, if it is stretched. Returns the links it pulled at.
    ///
    /// The force holds for a whole step. Two ends of inverse mass w (their common one, along the band) would swing up by
    /// themselves where stiffness * step^2 * w exceeds 4 (symplectic Euler); beyond 1 the band counts as less stiff.
    pub(super) fn pull(&self, physics: &mut Sets, joints: &[HandJoint]) -> impl Iterator<Item = RigidBodyHandle> {
        let places = [0, 1].map(|end| self.ends[end].place(physics, joints));
        let apart = places[1].at - places[0].at;
        let length = apart.length();
        let stretch = length - self.rest_length_m;
        if stretch > 0.0 && length > f32::EPSILON {
            let along = apart / length;
            let dt = physics.integration_parameters.dt;
            let ease: f32 = self.ends.iter().zip(&places).map(|(end, at)| end.ease(physics, joints, at, along)).sum();
            let most = 1.0 / (dt * dt * ease).max(f32::MIN_POSITIVE);
            let newton = self.stiffness_newton_per_m.min(most) * stretch;
            for (place, side) in places.iter().zip([1.0, -1.0]) {
                place.push(physics, along * (side * newton));
            }
        }
        places.into_iter().filter_map(|place| place.link)
    }
}

impl End {
    fn place(&self, physics: &Sets, joints: &[HandJoint]) -> Place {
        let point = Vector::new(self.point_m.x, self.point_m.y, self.point_m.z);
        let Some(joint) = self.joint else { return Place { link: None, at: point } };
        let handle = joints[joint].link_body(&physics.multibody_joints);
        Place { link: Some(handle), at: *physics.bodies[handle].position() * point }
    }

    /// How readily this end gives way along a direction: its inverse mass there, 1/kg, which is n^T J M^-1 J^T n with the
    /// mass matrix of the last step. Zero before the first.
    fn ease(&self, physics: &Sets, joints: &[HandJoint], place: &Place, along: Vector) -> f32 {
        let (Some(joint), Some(link)) = (self.joint, place.link) else { return 0.0 };
        let Some((multibody, id)) = joints[joint].link(&physics.multibody_joints) else { return 0.0 };
        let turn = (place.at - center_of_mass(&physics.bodies[link])).cross(along);
        let wrench = [along.x, along.y, along.z, turn.x, turn.y, turn.z];
        let jacobian = multibody.body_jacobian(id);
        let torques = DVector::from_fn(multibody.ndofs(), |dof, _| {
            jacobian.column(dof).iter().zip(wrench).map(|(part, of)| part * of).sum::<f32>()
        });
        let mut gains = torques.clone();
        multibody.solve_augmented_mass(&mut gains.rows_mut(0, torques.len()));
        torques.dot(&gains).max(0.0)
    }
}

impl Place {
    fn push(&self, physics: &mut Sets, force: Vector) {
        if let Some(link) = self.link {
            let body = &mut physics.bodies[link];
            let arm = self.at - center_of_mass(body);
            body.add_force(force, true);
            body.add_torque(arm.cross(force), true);
        }
    }
}

fn center_of_mass(body: &RigidBody) -> Vector {
    *body.position() * body.local_center_of_mass()
}
