//! The only place that names rapier: one world with a hand and an object, stepped.
//!
//! Everything a game engine would leave to defaults is set here on purpose (`settings`): force-based motors with torque
//! limits, the friction rule, contact softness, the length unit, no sleeping, no continuous collision detection.

mod band;
mod care;
mod change;
mod contact;
mod convert;
mod dispatch;
mod groups;
mod hand;
mod levers;
mod object;
#[cfg(test)]
mod patched;
mod round;
mod sets;
mod settings;
mod shape;
#[cfg(test)]
mod stops;
mod swap;
mod tree;

use crate::parameters::{ObjectParameters, ObjectPush, WorldParameters};
use crate::scene::SceneModel;
pub(crate) use band::Band;
pub(crate) use change::HeldObject;
pub use contact::{ContactSummary, ContactTotals};
use giraffe_robots::{EpisodeStart, GeomShape, ObjectPose};
use hand::HandJoint;
use levers::Levers;
use rapier3d::prelude::*;
use sets::{Scratch, Sets};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Position, orientation and velocities of the object in the palm frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ObjectState {
    pub pose: ObjectPose,
    /// Of the centre of mass, m/s.
    pub linear_velocity: [f32; 3],
    /// rad/s.
    pub angular_velocity: [f32; 3],
}

/// What one servo does during a physics step:
/// torque = stiffness * (target - angle) + damping * (target velocity - velocity), up to the limit either way.
///
/// It is evaluated later in the step than it is set (implicitly; see `hand`), so that it may be as stiff as it likes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Motor {
    /// In the joint's true frame.
    pub target_rad: f32,
    pub stiffness_newton_m_per_rad: f32,
    pub target_rad_per_sec: f32,
    pub damping_newton_m_secs_per_rad: f32,
    pub limit_newton_m: f32,
}

/// One simulated world. The palm frame is rapier's world frame.
pub(crate) struct World {
    physics: Sets,
    joints: Vec<HandJoint>,
    /// Of a hand that asks for it.
    levers: Option<Levers>,
    /// How often a shape has become another.
    shape_revision: u32,
    /// The hand's shapes, in the order of the description.
    geoms: Vec<ColliderHandle>,
    object: RigidBodyHandle,
    bands: Vec<Band>,
    /// Links with a force from a band.
    pulled: Vec<RigidBodyHandle>,
    /// See [`Broken`].
    broken: bool,
}

/// The engine gave up in the middle of a step: this world is of no more use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken;

impl World {
    /// Builds the hand and the object of a scene with the given parameters, at the given start. Joints that follow
    /// another start where that one puts them.
    pub fn build(scene: &SceneModel, parameters: &WorldParameters, start: &EpisodeStart) -> Self {
        let robot = scene.robot();
        let finger_count = tree::root_count(robot);
        let body_count = tree::moving_count(robot) + finger_count + 1;
        let collider_count = robot.bodies.iter().map(|body| body.geoms.len()).sum::<usize>() + 1;
        let integration = settings::integration(scene, &parameters.contact);
        let mut physics = Sets::new(integration, body_count, collider_count, finger_count);
        let positions_rad = parameters.start_positions_rad(scene.robot(), start);
        let (joints, geoms) = hand::insert(&mut physics, scene, parameters, &positions_rad);
        let object = object::insert(&mut physics, scene, parameters, &start.palm_from_object);
        let levers =
            care::of_scene(scene).of_links().then(|| Levers::of(scene.robot(), &joints, &physics.multibody_joints));
        let mut world = Self {
            physics,
            joints,
            levers,
            shape_revision: 0,
            geoms,
            object,
            bands: Vec::new(),
            pulled: Vec::new(),
            broken: false,
        };
        world.set_gravity(parameters.gravity_m_per_sec2);
        world
    }

    /// Gravity in the palm frame, m/s2.
    pub fn set_gravity(&mut self, gravity: [f32; 3]) {
        self.physics.gravity = Vector::from(gravity);
    }

    /// Sets the target of one servo, rad in the joint's true frame.
    pub fn set_target(&mut self, joint: usize, target_rad: f32) {
        self.joints[joint].set_target(&mut self.physics.multibody_joints, target_rad);
    }

    /// Sets the whole law of one servo, until it is set again.
    pub fn set_motor(&mut self, joint: usize, motor: &Motor) {
        self.joints[joint].set_motor(&mut self.physics.multibody_joints, motor);
    }

    /// Adds momentum to the object at its centre of mass, N s.
    pub fn push_object(&mut self, newton_secs: [f32; 3]) {
        self.physics.bodies[self.object].apply_impulse(Vector::from(newton_secs), true);
    }

    /// Pushes the object, until it is told otherwise.
    pub fn set_object_push(&mut self, push: &ObjectPush) {
        let body = &mut self.physics.bodies[self.object];
        body.reset_forces(true);
        body.reset_torques(true);
        let inertia = body.mass_properties().effective_angular_inertia();
        body.add_force(Vector::from(push.m_per_sec2) * body.mass(), true);
        body.add_torque(inertia * Vector::from(push.rad_per_sec2), true);
    }

    /// Puts another object in the place of this one, `lifted` along a direction out of the hand (see `swap`), with
    /// friction against each shape of the hand times `friction_ratio`.
    pub fn swap_object(
        &mut self,
        shape: &GeomShape,
        parameters: &ObjectParameters,
        friction_ratio: f32,
        restitution: f32,
        up: [f32; 3],
    ) {
        let up = Vector::from(up);
        // The next step says so.
        let _ = self.attempt(|world| {
            swap::replace(&mut world.physics, world.object, shape, parameters, restitution, up);
            for (_, collider) in world.physics.colliders.iter_mut() {
                let friction = collider.friction();
                collider.set_friction(friction * friction_ratio);
            }
        });
    }

    /// Has the engine do something. It panics where it meets what is not a number, or what is farther than it can reckon:
    /// what is left of this world is never looked at again.
    fn attempt(&mut self, what: impl FnOnce(&mut Self)) -> Result<(), Broken> {
        if self.broken {
            return Err(Broken);
        }
        IS_STEPPING.set(true);
        let done = catch_unwind(AssertUnwindSafe(|| what(self)));
        IS_STEPPING.set(false);
        if done.is_err() {
            self.broken = true;
            SCRATCH.set(Scratch::new());
        }
        done.map_err(|_| Broken)
    }

    /// The bands that pull from now on.
    pub fn set_bands<'a>(&mut self, bands: impl Iterator<Item = &'a Band>) {
        self.bands.clear();
        self.bands.extend(bands.cloned());
    }

    fn pull_bands(&mut self) {
        for link in self.pulled.drain(..) {
            self.physics.bodies[link].reset_forces(true);
            self.physics.bodies[link].reset_torques(true);
        }
        for band in &self.bands {
            self.pulled.extend(band.pull(&mut self.physics, &self.joints));
        }
    }

    /// How long physics steps are from now on, s.
    pub fn set_step_secs(&mut self, step_secs: f32) {
        let integration = &mut self.physics.integration_parameters;
        integration.dt = step_secs;
        let part_secs = step_secs / integration.num_solver_iterations as f32;
        for joint in &mut self.joints {
            joint.set_part_secs(&mut self.physics.multibody_joints, part_secs);
        }
    }

    /// One physics step.
    ///
    /// # Errors
    /// When the engine gave up, now or before.
    pub fn step(&mut self) -> Result<(), Broken> {
        self.attempt(|world| {
            world.pull_bands();
            step(&mut world.physics, world.levers.as_ref());
        })
    }

    /// True joint angles, rad.
    pub fn joint_positions(&self, out: &mut [f32]) {
        for (joint, out) in self.joints.iter().zip(out) {
            *out = joint.position(&self.physics.multibody_joints);
        }
    }

    /// True joint velocities, rad/s.
    pub fn joint_velocities(&self, out: &mut [f32]) {
        for (joint, out) in self.joints.iter().zip(out) {
            *out = joint.velocity(&self.physics.multibody_joints);
        }
    }

    /// Where the object is and how it moves.
    pub fn object(&self) -> ObjectState {
        let body = &self.physics.bodies[self.object];
        ObjectState {
            pose: convert::object_pose(body.position()),
            linear_velocity: body.linvel().to_array(),
            angular_velocity: body.angvel().to_array(),
        }
    }

    /// Where the hand's shapes are, in the order of the description.
    #[cfg(test)]
    pub fn palm_from_shapes(&self) -> Vec<nalgebra::Isometry3<f32>> {
        let of = |handle: &ColliderHandle| {
            let collider = &self.physics.colliders[*handle];
            let body = &self.physics.bodies[collider.parent().expect("shapes are on bodies")];
            let body_from_collider = collider.position_wrt_parent().copied().unwrap_or(Pose::IDENTITY);
            let at = convert::object_pose(&(*body.position() * body_from_collider));
            nalgebra::Isometry3::from_parts(at.position_m.into(), at.palm_from_object)
        };
        self.geoms.iter().map(of).collect()
    }

    /// Gives one joint a speed, rad/s.
    #[cfg(test)]
    pub fn fling(&mut self, joint: usize, rad_per_sec: f32) {
        self.joints[joint].fling(&mut self.physics.multibody_joints, rad_per_sec);
    }

    /// What the object touched in the last step, by region of the hand.
    pub fn object_contacts(&self) -> ContactSummary {
        contact::summarize(&self.physics, self.object)
    }
}

thread_local! {
    /// All worlds of a thread share it, so that it stays in the processor's nearest memory from world to world.
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::new());
}

thread_local! {
    static IS_STEPPING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is in the middle of a physics step, or of a change to a world. A panic there is caught, and ends one episode: a panic hook that
/// asks need not say anything.
pub fn is_stepping() -> bool {
    IS_STEPPING.get()
}

fn step(physics: &mut Sets, levers: Option<&Levers>) {
    let hooks: &dyn PhysicsHooks = levers.map_or(&(), |levers| levers);
    SCRATCH.with_borrow_mut(|scratch| scratch.step(physics, hooks));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::PhysicsSettings;
    use giraffe_robots::{OBJECTS, load_robot};
    use std::sync::Arc;

    fn world() -> World {
        let robot = Arc::new(load_robot("leap-right").expect("a built-in hand"));
        let start =
            EpisodeStart { joint_positions_rad: robot.home_rad.clone(), palm_from_object: robot.palm_from_object_home };
        let scene = SceneModel::new(robot, OBJECTS[0].clone(), PhysicsSettings::default());
        World::build(&scene, &WorldParameters::nominal(&scene), &start)
    }

    fn angles(world: &World) -> Vec<u32> {
        let mut angles = vec![0.0; world.joints.len()];
        world.joint_positions(&mut angles);
        angles.into_iter().map(f32::to_bits).collect()
    }

    /// rapier panics where a link of a finger is made fixed.
    #[test]
    fn a_world_whose_engine_panics_is_broken_for_good_and_its_neighbours_are_as_they_would_have_been() {
        let (mut alone, mut neighbour, mut broken) = (world(), world(), world());
        let link = broken.joints[0].link_body(&broken.physics.multibody_joints);
        broken.physics.bodies[link].set_body_type(RigidBodyType::Fixed, true);
        for _ in 0..5 {
            assert_eq!(alone.step(), Ok(()));
        }
        for _ in 0..5 {
            assert_eq!(broken.step(), Err(Broken));
            assert!(!is_stepping(), "the panic is over");
            assert_eq!(neighbour.step(), Ok(()));
        }
        assert_eq!(angles(&neighbour), angles(&alone));
    }
}
