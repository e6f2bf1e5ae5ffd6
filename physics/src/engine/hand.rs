//! The hand: one fixed palm, and each finger as a multibody of its own.
//!
//! The palm does not move, so the fingers are independent chains. As one multibody they would share one dense
//! mass matrix and cost five times as much; so each chain gets a fixed root at the palm's pose. Fingers on a wrist that
//! moves hang on the wrist's chain; fingers with joints coupled to each other share one.

use super::sets::Sets;
use super::settings::{self, Surface};
use super::{Motor, care, contact, convert, groups, object, shape, tree};
use crate::parameters::{JointParameters, WorldParameters, scaled};
use crate::scene::SceneModel;
use giraffe_robots::{BodyModel, GeomModel, JointCoupling, Limits, Region, RobotModel};
use nalgebra::{Isometry3, UnitQuaternion, Vector3};
use rapier3d::prelude::*;

/// A servo's place in the engine.
pub(super) struct HandJoint {
    handle: MultibodyJointHandle,
    /// Seconds of one part of a physics step.
    part_secs: f32,
    /// Whether the hand asks for care: its springs act at the end of a part of a step.
    brisk: bool,
}

/// Where in a part of a step a servo's spring is evaluated: 1 at its end, as rapier does, 0.5 in its middle. At the end
/// every servo is late by half a part: 1.6 mrad rms off MuJoCo at parts of 12.5 ms, where 0.7 has 0.9 and 0.5 has 0.8
/// (`giraffe bench physics`). In the very middle nothing is late, but a spring too stiff for the step would ring for ever;
/// beyond it that dies out.
const SPRING_AT: f32 = 0.7;

/// [`SPRING_AT`], or the end where a hand is brisk.
fn spring_at(brisk: bool) -> f32 {
    if brisk { 1.0 } else { SPRING_AT }
}

/// The damping that makes a motor's spring act where `spring_at` says. rapier's motor gives k (target - q - h v) - d v,
/// with q at the start of a part of h seconds and v at its end; k (target - q - s h v) is that with d = (s - 1) h k.
fn spring_damping(stiffness_newton_m_per_rad: f32, part_secs: f32, spring_at: f32) -> f32 {
    (spring_at - 1.0) * part_secs * stiffness_newton_m_per_rad
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
        let at_rad = link.joint.coords()[JointAxis::AngX as usize];
        let limits = link.joint.data.limits[JointAxis::AngX as usize];
        let own = &mut link.joint.data.motors[JointAxis::AngX as usize];
        own.target_pos = motor.target_rad;
        own.stiffness = motor.stiffness_newton_m_per_rad;
        own.target_vel = motor.target_rad_per_sec;
        if self.brisk {
            // What flings its own link within a step asks for no more speed than its stops leave room for.
            let to_limits = [limits.min - at_rad, limits.max - at_rad].map(|rad| rad / self.part_secs);
            own.target_vel = own.target_vel.max(to_limits[0]).min(to_limits[1]);
        }
        own.damping = motor.damping_newton_m_secs_per_rad
            + spring_damping(motor.stiffness_newton_m_per_rad, self.part_secs, spring_at(self.brisk));
        own.max_force = motor.limit_newton_m;
    }

    /// Makes of the servo a spring toward its target, as it is built.
    pub fn set_spring(&self, joints: &mut MultibodyJointSet, stiffness_newton_m_per_rad: f32, limit_newton_m: f32) {
        let (multibody, link) = joints.get_mut(self.handle).expect("joints live as long as their world");
        let link = multibody.link_mut(link).expect("a link of this joint");
        let own = &mut link.joint.data.motors[JointAxis::AngX as usize];
        own.stiffness = stiffness_newton_m_per_rad;
        own.target_vel = 0.0;
        own.damping = spring_damping(stiffness_newton_m_per_rad, self.part_secs, spring_at(self.brisk));
        own.max_force = limit_newton_m;
    }

    /// Moves the stops.
    pub fn set_limits(&self, joints: &mut MultibodyJointSet, limits: &Limits) {
        let (multibody, link) = joints.get_mut(self.handle).expect("joints live as long as their world");
        let link = multibody.link_mut(link).expect("a link of this joint");
        let own = &mut link.joint.data.limits[JointAxis::AngX as usize];
        (own.min, own.max) = (limits.lower, limits.upper);
    }

    /// Tells the servo that parts of physics steps are so long from now on, so that its spring acts where it did in each.
    pub fn set_part_secs(&mut self, joints: &mut MultibodyJointSet, part_secs: f32) {
        let before_secs = std::mem::replace(&mut self.part_secs, part_secs);
        let (multibody, link) = joints.get_mut(self.handle).expect("joints live as long as their world");
        let link = multibody.link_mut(link).expect("a link of this joint");
        let own = &mut link.joint.data.motors[JointAxis::AngX as usize];
        let damping = |part_secs| spring_damping(own.stiffness, part_secs, spring_at(self.brisk));
        own.damping += damping(part_secs) - damping(before_secs);
    }

    /// Gives the joint a speed, rad/s.
    #[cfg(test)]
    pub fn fling(&self, joints: &mut MultibodyJointSet, rad_per_sec: f32) {
        let (multibody, link) = joints.get_mut(self.handle).expect("joints live as long as their world");
        let dof = multibody.link(link).expect("a link of this joint").assembly_id();
        multibody.generalized_velocity_mut()[dof] = rad_per_sec;
    }

    pub fn position(&self, joints: &MultibodyJointSet) -> f32 {
        let (multibody, link) = joints.get(self.handle).expect("joints live as long as their world");
        let link = multibody.link(link).expect("a link of this joint");
        link.joint().coords()[JointAxis::AngX as usize]
    }

    /// The chain that this joint is in, and the place of the link that it moves.
    pub fn link<'a>(&self, joints: &'a MultibodyJointSet) -> Option<(&'a Multibody, usize)> {
        joints.get(self.handle)
    }

    /// The link that this joint moves.
    pub fn link_body(&self, joints: &MultibodyJointSet) -> RigidBodyHandle {
        let (multibody, link) = joints.get(self.handle).expect("joints live as long as their world");
        multibody.link(link).expect("a link of this joint").rigid_body_handle()
    }

    pub fn velocity(&self, joints: &MultibodyJointSet) -> f32 {
        let (multibody, link) = joints.get(self.handle).expect("joints live as long as their world");
        let link = multibody.link(link).expect("a link of this joint");
        multibody.joint_velocity(link)[0]
    }
}

/// Inserts palm and fingers, at the given joint angles (rad, canonical order), with targets at those angles. Returns the
/// joints and the shapes, each in the order of the description.
pub(super) fn insert(
    physics: &mut Sets,
    scene: &SceneModel,
    parameters: &WorldParameters,
    positions_rad: &[f32],
) -> (Vec<HandJoint>, Vec<ColliderHandle>) {
    let robot = scene.robot();
    let (bodies, geoms) = insert_bodies(physics, scene, parameters);
    let joints = insert_joints(physics, scene, parameters, &bodies);
    set_joint_terms(physics, &joints, &parameters.joints);
    for coupling in &robot.couplings {
        couple(physics, &joints, coupling);
    }
    place(physics, &joints, positions_rad);
    (joints, geoms)
}

/// One rigid body for each body of the description with what is welded to it: for those that are welded to another, the
/// handle of that one. And all shapes.
fn insert_bodies(
    physics: &mut Sets,
    scene: &SceneModel,
    parameters: &WorldParameters,
) -> (Vec<RigidBodyHandle>, Vec<ColliderHandle>) {
    let robot = scene.robot();
    let hooks =
        if care::of_scene(scene).of_links() { ActiveHooks::MODIFY_SOLVER_CONTACTS } else { ActiveHooks::empty() };
    let palm_from_body = robot.forward_kinematics(&vec![0.0; robot.joint_count()]);
    let filters = groups::of_bodies(robot);
    let units = tree::units(robot);
    let mut handles: Vec<RigidBodyHandle> = Vec::with_capacity(robot.bodies.len());
    let mut geoms = Vec::new();
    for (index, body) in robot.bodies.iter().enumerate() {
        let unit = units[index];
        let handle = if unit == index {
            let at = convert::pose(&palm_from_body[index]);
            let mass = || mass_properties(robot, &units, &palm_from_body, index, parameters);
            physics.bodies.insert(match body.joint {
                Some(_) => settings::free_body(at, mass()),
                None => settings::fixed_body(at),
            })
        } else {
            handles[unit]
        };
        let unit_from_body = palm_from_body[unit].inv_mul(&palm_from_body[index]);
        for geom in &body.geoms {
            let at = if unit == index { geom.body_from_geom } else { unit_from_body * geom.body_from_geom };
            let collider = geom_collider(geom, parameters, &at, filters[index]);
            let hooks = collider.active_hooks | hooks;
            geoms.push(physics.insert_collider(collider.active_hooks(hooks), handle));
        }
        handles.push(handle);
    }
    (handles, geoms)
}

/// Mass properties of a body together with all that is welded to it, in its own frame.
fn mass_properties(
    robot: &RobotModel,
    units: &[usize],
    palm_from_body: &[Isometry3<f32>],
    unit: usize,
    parameters: &WorldParameters,
) -> MassProperties {
    let scale = parameters.hand.link_mass_scale;
    let of = |body: &BodyModel| {
        MassProperties::with_principal_inertia_frame(
            convert::vector(&body.center_of_mass_m.coords),
            body.mass_kg * scale,
            convert::vector(&(body.principal_inertia_kg_m2 * scale)),
            convert::rotation(&body.body_from_principal),
        )
    };
    let welded_on = (unit + 1..robot.bodies.len()).filter(|&body| units[body] == unit);
    welded_on.fold(of(&robot.bodies[unit]), |sum, body| {
        let unit_from_body = palm_from_body[unit].inv_mul(&palm_from_body[body]);
        sum + of(&robot.bodies[body]).transform_by(&convert::pose(&unit_from_body))
    })
}

/// The hinges, in canonical order. What hangs on the base starts a multibody of its own.
fn insert_joints(
    physics: &mut Sets,
    scene: &SceneModel,
    parameters: &WorldParameters,
    bodies: &[RigidBodyHandle],
) -> Vec<HandJoint> {
    let (robot, care) = (scene.robot(), care::of_scene(scene));
    let palm_from_body = robot.forward_kinematics(&vec![0.0; robot.joint_count()]);
    let units = tree::units(robot);
    let chains = tree::chains(robot);
    let integration = &physics.integration_parameters;
    let part_secs = integration.dt / integration.num_solver_iterations as f32;
    let mut roots: Vec<Option<RigidBodyHandle>> = vec![None; robot.bodies.len()];
    let mut joints: Vec<Option<HandJoint>> = robot.joints.iter().map(|_| None).collect();
    for (index, body) in robot.bodies.iter().enumerate() {
        let (Some(joint), Some(parent)) = (body.joint, body.parent) else { continue };
        let carrier = units[parent];
        let (carrier, carrier_from_body) = if robot.bodies[carrier].joint.is_some() {
            (bodies[carrier], palm_from_body[carrier].inv_mul(&palm_from_body[index]))
        } else {
            let root =
                roots[chains[index]].get_or_insert_with(|| physics.bodies.insert(settings::fixed_body(Pose::IDENTITY)));
            (*root, palm_from_body[index])
        };
        let hinge = hinge(robot, joint, parameters, &carrier_from_body, (part_secs, care.brisk));
        let inserted = physics.multibody_joints.insert(carrier, bodies[index], hinge, true);
        joints[joint] =
            Some(HandJoint { handle: inserted.expect("a tree has no loops"), part_secs, brisk: care.brisk });
    }
    joints.into_iter().map(|joint| joint.expect("every joint moves a body")).collect()
}

fn geom_collider(
    geom: &GeomModel,
    parameters: &WorldParameters,
    at: &Isometry3<f32>,
    groups: InteractionGroups,
) -> ColliderBuilder {
    let scale = if geom.region == Region::Tip { parameters.hand.tip_size_scale } else { 1.0 };
    let surface = Surface {
        friction: parameters.contact.friction(geom.region),
        restitution: parameters.contact.restitution,
        groups,
        mark: contact::mark(geom.region),
    };
    shape::collider(&scaled(&geom.shape, scale), at, &surface)
}

/// A hinge whose free axis is rapier's x, with a force-based position servo unless it follows another joint.
fn hinge(
    robot: &RobotModel,
    joint: usize,
    parameters: &WorldParameters,
    carrier_from_body: &Isometry3<f32>,
    (part_secs, brisk): (f32, bool),
) -> GenericJoint {
    let model = &robot.joints[joint];
    let turn = UnitQuaternion::rotation_between(&Vector3::x(), &model.axis)
        .unwrap_or_else(|| UnitQuaternion::from_axis_angle(&Vector3::y_axis(), std::f32::consts::PI));
    let body_from_hinge = Isometry3::from_parts(model.anchor_m.coords.into(), turn);
    let frames = [carrier_from_body * body_from_hinge, body_from_hinge].map(|frame| convert::pose(&frame));
    let limits = parameters.joint_limits_rad(robot, joint);
    let limits = JointLimits { min: limits.lower, max: limits.upper, impulse: 0.0 };
    let own = &parameters.joints[joint];
    let stiffness = own.stiffness_newton_m_per_rad;
    let servo = JointMotor {
        target_pos: 0.0,
        target_vel: 0.0,
        stiffness,
        damping: spring_damping(stiffness, part_secs, spring_at(brisk)),
        max_force: own.effort_limit_newton_m,
        impulse: 0.0,
        model: MotorModel::ForceBased,
    };
    let follows = robot.couplings.iter().any(|coupling| coupling.follower == joint);
    settings::hinge(frames, limits, (!follows).then_some(servo))
}

/// Makes one joint follow another. Both are in one multibody: `tree::chains` saw to that.
fn couple(physics: &mut Sets, joints: &[HandJoint], coupling: &JointCoupling) {
    let link_of = |physics: &Sets, joint: usize| {
        let (_, link) = physics.multibody_joints.get(joints[joint].handle).expect("joints live as long as their world");
        link
    };
    let (leader, follower) = (link_of(physics, coupling.leader), link_of(physics, coupling.follower));
    let (multibody, _) =
        physics.multibody_joints.get_mut(joints[coupling.leader].handle).expect("joints live as long as their world");
    multibody.add_dof_coupling(MultibodyDofCoupling {
        link1: leader,
        dof1: 0,
        axis1: JointAxis::AngX as usize,
        link2: follower,
        dof2: 0,
        axis2: JointAxis::AngX as usize,
        coeff: coupling.ratio,
        offset: coupling.offset_rad,
    });
}

/// Damping, armature and dry friction belong to the degree of freedom, not to the motor: the torque limit of the
/// servo must not cap them.
fn set_joint_terms(physics: &mut Sets, joints: &[HandJoint], parameters: &[JointParameters]) {
    for (joint, parameters) in joints.iter().zip(parameters) {
        let (multibody, link) =
            physics.multibody_joints.get_mut(joint.handle).expect("joints live as long as their world");
        let dof = multibody.link(link).expect("a link of this joint").assembly_id();
        multibody.damping_mut()[dof] = parameters.damping_newton_m_secs_per_rad;
        multibody.armature_mut()[dof] = parameters.armature_kg_m2;
        multibody.frictions_mut()[dof] = parameters.friction_loss_newton_m;
    }
}

/// Gives one joint, and its servo if it has one, what `to` says of it.
pub(super) fn change_joint(
    physics: &mut Sets,
    robot: &RobotModel,
    joints: &[HandJoint],
    to: &WorldParameters,
    joint: usize,
) {
    set_joint_terms(physics, &joints[joint..=joint], &to.joints[joint..=joint]);
    let joint_set = &mut physics.multibody_joints;
    joints[joint].set_limits(joint_set, &to.joint_limits_rad(robot, joint));
    if !robot.couplings.iter().any(|coupling| coupling.follower == joint) {
        let own = &to.joints[joint];
        joints[joint].set_spring(joint_set, own.stiffness_newton_m_per_rad, own.effort_limit_newton_m);
    }
}

/// Gives the links the masses that `to` says.
pub(super) fn change_masses(physics: &mut Sets, robot: &RobotModel, joints: &[HandJoint], to: &WorldParameters) {
    let palm_from_body = robot.forward_kinematics(&vec![0.0; robot.joint_count()]);
    let units = tree::units(robot);
    for (index, body) in robot.bodies.iter().enumerate() {
        if let Some(joint) = body.joint {
            let mass = mass_properties(robot, &units, &palm_from_body, index, to);
            object::weigh(physics, joints[joint].link_body(&physics.multibody_joints), mass);
        }
    }
}

/// Moves every finger from angle zero to its start and lets the servos hold there.
fn place(physics: &mut Sets, joints: &[HandJoint], positions_rad: &[f32]) {
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
