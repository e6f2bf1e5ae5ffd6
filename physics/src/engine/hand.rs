//! The hand: one fixed palm, and each finger as a multibody of its own.
//!
//! The palm does not move, so the fingers are independent chains. As one multibody they would share one dense
//! mass matrix and cost five times as much; so each chain gets a fixed root at the palm's pose.

use super::{Motor, contact, convert, groups, shape};
use crate::parameters::{JointParameters, WorldParameters};
use crate::scene::SceneModel;
use giraffe_robots::{BodyModel, GeomModel, JointModel, Region, RobotModel};
use nalgebra::{Isometry3, UnitQuaternion, Vector3};
use rapier3d::prelude::*;

/// A servo's place in the engine.
pub(super) struct HandJoint {
    handle: MultibodyJointHandle,
}

impl HandJoint {
    pub fn set_target(&self, joints: &mut MultibodyJointSet, target_rad: f32) {
        let (multibody, link) = joints.get_mut(self.handle).expect("joints live as long as their world");
        let link = multibody.link_mut(link).expect("a link of this joint");
        link.joint.data.motors[JointAxis::AngX as usize].target_pos = target_rad;
    }

    /// Sets the largest torque of the servo, N m, from the next step on.
    pub fn set_motor(&self, joints: &mut MultibodyJointSet, motor: &Motor) {
        let (multibody, link) = joints.get_mut(self.handle).expect("joints live as long as their world");
        let link = multibody.link_mut(link).expect("a link of this joint");
        let own = &mut link.joint.data.motors[JointAxis::AngX as usize];
        own.target_pos = motor.target_rad;
        own.stiffness = motor.stiffness_newton_m_per_rad;
        own.target_vel = motor.target_rad_per_sec;
        own.damping = motor.damping_newton_m_secs_per_rad;
        own.max_force = motor.limit_newton_m;
    }

    pub fn position(&self, joints: &MultibodyJointSet) -> f32 {
        let (multibody, link) = joints.get(self.handle).expect("joints live as long as their world");
        let link = multibody.link(link).expect("a link of this joint");
        link.joint().coords()[3]
    }

    pub fn velocity(&self, joints: &MultibodyJointSet) -> f32 {
        let (multibody, link) = joints.get(self.handle).expect("joints live as long as their world");
        let link = multibody.link(link).expect("a link of this joint");
        multibody.joint_velocity(link)[0]
    }
}

/// Inserts palm and fingers, at the given joint angles (rad, canonical order), with targets at those angles.
pub(super) fn insert(
    physics: &mut PhysicsWorld,
    scene: &SceneModel,
    parameters: &WorldParameters,
    positions_rad: &[f32],
) -> Vec<HandJoint> {
    let robot = scene.robot();
    let zero = vec![0.0; robot.joint_count()];
    let palm_from_body = robot.forward_kinematics(&zero);
    let mut bodies: Vec<Option<RigidBodyHandle>> = vec![None; robot.bodies.len()];
    let mut joints: Vec<Option<HandJoint>> = robot.joints.iter().map(|_| None).collect();
    for (index, body) in robot.bodies.iter().enumerate() {
        let fixed = body.joint.is_none() && body.parent.is_none_or(|parent| bodies[parent].is_none());
        if fixed {
            insert_fixed(physics, scene, parameters, index, &palm_from_body[index]);
            continue;
        }
        let handle = physics.insert_body(link(body, parameters, &palm_from_body[index]));
        insert_geoms(physics, scene, parameters, index, Some(handle), &Isometry3::identity());
        bodies[index] = Some(handle);
        let parent = body.parent.expect("only the base has no parent, and the base is fixed");
        let (root, parent_from_body) = match bodies[parent] {
            Some(parent) => (parent, body.parent_from_body),
            // A finger starts: its own fixed root, at the palm.
            None => (physics.insert_body(RigidBodyBuilder::fixed()), palm_from_body[index]),
        };
        let data = match body.joint {
            Some(joint) => hinge(&robot.joints[joint], &parameters.joints[joint], &parent_from_body),
            None => weld(&parent_from_body),
        };
        let handle = physics.multibody_joints.insert(root, handle, data, true).expect("a tree has no loops");
        if let Some(joint) = body.joint {
            joints[joint] = Some(HandJoint { handle });
        }
    }
    let joints: Vec<HandJoint> = joints.into_iter().map(|joint| joint.expect("every joint moves a body")).collect();
    set_joint_terms(physics, &joints, &parameters.joints);
    place(physics, &joints, positions_rad);
    joints
}

/// A body that never moves: its shapes belong to the world.
fn insert_fixed(
    physics: &mut PhysicsWorld,
    scene: &SceneModel,
    parameters: &WorldParameters,
    body: usize,
    palm_from_body: &Isometry3<f32>,
) {
    if scene.robot().bodies[body].geoms.is_empty() {
        return;
    }
    let handle = physics.insert_body(RigidBodyBuilder::fixed().pose(convert::pose(palm_from_body)));
    insert_geoms(physics, scene, parameters, body, Some(handle), &Isometry3::identity());
}

fn link(body: &BodyModel, parameters: &WorldParameters, palm_from_body: &Isometry3<f32>) -> RigidBodyBuilder {
    let scale = parameters.hand.link_mass_scale;
    let mass = MassProperties::with_principal_inertia_frame(
        convert::vector(&body.center_of_mass_m.coords),
        body.mass_kg * scale,
        convert::vector(&(body.principal_inertia_kg_m2 * scale)),
        convert::rotation(&body.body_from_principal),
    );
    RigidBodyBuilder::dynamic().pose(convert::pose(palm_from_body)).additional_mass_properties(mass).can_sleep(false)
}

fn insert_geoms(
    physics: &mut PhysicsWorld,
    scene: &SceneModel,
    parameters: &WorldParameters,
    body: usize,
    handle: Option<RigidBodyHandle>,
    parent_from_body: &Isometry3<f32>,
) {
    let robot: &RobotModel = scene.robot();
    let filter = groups::of_body(robot, body);
    for geom in &robot.bodies[body].geoms {
        let at = parent_from_body * geom.body_from_geom;
        let collider = geom_collider(geom, parameters, &at).collision_groups(filter);
        physics.insert_collider(collider, handle);
    }
}

/// The collider of one shape. The object's own friction is zero and the rule takes the larger of the two, so a
/// hand shape's coefficient *is* the pair's.
fn geom_collider(geom: &GeomModel, parameters: &WorldParameters, at: &Isometry3<f32>) -> ColliderBuilder {
    let scale = if geom.region == Region::Tip { parameters.hand.tip_size_scale } else { 1.0 };
    shape::collider(&geom.shape, scale, at)
        .density(0.0)
        .user_data(contact::mark(geom.region))
        .friction(parameters.contact.friction(geom.region))
        .friction_combine_rule(CoefficientCombineRule::Max)
        .restitution(parameters.contact.restitution)
        .restitution_combine_rule(CoefficientCombineRule::Max)
}

/// A hinge whose free axis is rapier's x, with a force-based position servo.
fn hinge(joint: &JointModel, parameters: &JointParameters, parent_from_body: &Isometry3<f32>) -> GenericJoint {
    let turn = UnitQuaternion::rotation_between(&Vector3::x(), &joint.axis)
        .unwrap_or_else(|| UnitQuaternion::from_axis_angle(&Vector3::y_axis(), std::f32::consts::PI));
    let body_from_hinge = Isometry3::from_parts(joint.anchor_m.coords.into(), turn);
    let limits = joint.position_limits_rad;
    GenericJointBuilder::new(JointAxesMask::LOCKED_REVOLUTE_AXES)
        .local_frame1(convert::pose(&(parent_from_body * body_from_hinge)))
        .local_frame2(convert::pose(&body_from_hinge))
        .limits(JointAxis::AngX, [limits.lower, limits.upper])
        .motor_model(JointAxis::AngX, MotorModel::ForceBased)
        .motor_position(JointAxis::AngX, 0.0, parameters.stiffness_newton_m_per_rad, 0.0)
        .motor_max_force(JointAxis::AngX, parameters.effort_limit_newton_m)
        .contacts_enabled(false)
        .build()
}

fn weld(parent_from_body: &Isometry3<f32>) -> GenericJoint {
    GenericJointBuilder::new(JointAxesMask::LOCKED_FIXED_AXES)
        .local_frame1(convert::pose(parent_from_body))
        .contacts_enabled(false)
        .build()
}

/// Damping, armature and dry friction belong to the degree of freedom, not to the motor: the torque limit of the
/// servo must not cap them.
fn set_joint_terms(physics: &mut PhysicsWorld, joints: &[HandJoint], parameters: &[JointParameters]) {
    for (joint, parameters) in joints.iter().zip(parameters) {
        let (multibody, link) =
            physics.multibody_joints.get_mut(joint.handle).expect("joints live as long as their world");
        let dof = multibody.link(link).expect("a link of this joint").assembly_id();
        multibody.damping_mut()[dof] = parameters.damping_newton_m_secs_per_rad;
        multibody.armature_mut()[dof] = parameters.armature_kg_m2;
        multibody.frictions_mut()[dof] = parameters.friction_loss_newton_m;
    }
}

/// Moves every finger from angle zero to its start and lets the servos hold there.
fn place(physics: &mut PhysicsWorld, joints: &[HandJoint], positions_rad: &[f32]) {
    for (joint, &position_rad) in joints.iter().zip(positions_rad) {
        let (multibody, link) =
            physics.multibody_joints.get_mut(joint.handle).expect("joints live as long as their world");
        let mut displacement = vec![0.0; multibody.ndofs()];
        displacement[multibody.link(link).expect("a link of this joint").assembly_id()] = position_rad;
        multibody.apply_displacements(&displacement);
    }
    for (joint, &position_rad) in joints.iter().zip(positions_rad) {
        joint.set_target(&mut physics.multibody_joints, position_rad);
        let (multibody, _) =
            physics.multibody_joints.get_mut(joint.handle).expect("joints live as long as their world");
        multibody.forward_kinematics(&physics.bodies, false);
        multibody.update_rigid_bodies(&mut physics.bodies, true);
    }
}
