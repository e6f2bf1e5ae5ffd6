//! What rapier keeps of one world, and what it only needs while it steps.

use super::dispatch::Dispatcher;
use rapier3d::dynamics::{CCDSolver, SoftBodySet};
use rapier3d::geometry::{BroadPhaseBvh, BvhOptimizationStrategy};
use rapier3d::prelude::*;

/// One world: what would be missing if it were not kept from step to step. Each of thousands of worlds has these, so
/// nothing is in them that any world of the thread could lend ([`Scratch`]), and they are no larger than they need be.
pub(super) struct Sets {
    pub gravity: Vector,
    pub integration_parameters: IntegrationParameters,
    pub islands: IslandManager,
    pub broad_phase: BroadPhaseBvh,
    pub narrow_phase: NarrowPhase,
    pub bodies: RigidBodySet,
    pub colliders: ColliderSet,
    pub multibody_joints: MultibodyJointSet,
}

impl Sets {
    /// Nothing, with room for so many bodies, colliders and fingers.
    pub fn new(
        integration_parameters: IntegrationParameters,
        body_count: usize,
        collider_count: usize,
        finger_count: usize,
    ) -> Self {
        Self {
            gravity: Vector::ZERO,
            integration_parameters,
            islands: IslandManager::new(),
            // The order of the tree matters to scenes of thousands of shapes that come and go.
            broad_phase: BroadPhaseBvh::with_optimization_strategy(BvhOptimizationStrategy::None),
            narrow_phase: NarrowPhase::with_query_dispatcher(Dispatcher { revision: 0 }),
            bodies: RigidBodySet::with_capacity(body_count),
            colliders: ColliderSet::with_capacity(collider_count),
            // One more: a link is a tree of its own until it is joined on.
            multibody_joints: MultibodyJointSet::with_capacity(finger_count + 1),
        }
    }

    pub fn insert_collider(&mut self, collider: ColliderBuilder, body: RigidBodyHandle) -> ColliderHandle {
        self.colliders.insert_with_parent(collider, body, &mut self.bodies)
    }

    pub fn remove_collider(&mut self, collider: ColliderHandle) {
        self.colliders.remove(collider, &mut self.islands, &mut self.bodies, &mut SoftBodySet::new(), true);
    }
}

/// What rapier notes down while it steps, and has no more use for afterwards; and the sets of what no world of ours has.
pub(super) struct Scratch {
    pipeline: PhysicsPipeline,
    impulse_joints: ImpulseJointSet,
    soft_bodies: SoftBodySet,
    ccd_solver: CCDSolver,
    /// Empty: they lend their buffers.
    broad_phase: BroadPhaseBvh,
    narrow_phase: NarrowPhase,
}

impl Scratch {
    pub fn new() -> Self {
        Self {
            pipeline: PhysicsPipeline::new(),
            impulse_joints: ImpulseJointSet::new(),
            soft_bodies: SoftBodySet::new(),
            ccd_solver: CCDSolver::new(),
            broad_phase: BroadPhaseBvh::new(),
            narrow_phase: NarrowPhase::new(),
        }
    }

    /// One physics step of any world.
    pub fn step(&mut self, sets: &mut Sets, hooks: &dyn PhysicsHooks) {
        self.swap_buffers(sets);
        self.pipeline.step(
            sets.gravity,
            &sets.integration_parameters,
            &mut sets.islands,
            &mut sets.broad_phase,
            &mut sets.narrow_phase,
            &mut sets.bodies,
            &mut sets.colliders,
            &mut self.impulse_joints,
            &mut sets.multibody_joints,
            &mut self.soft_bodies,
            &mut self.ccd_solver,
            hooks,
            &(),
        );
        self.swap_buffers(sets);
    }

    fn swap_buffers(&mut self, sets: &mut Sets) {
        self.broad_phase.swap_buffers(&mut sets.broad_phase);
        self.narrow_phase.swap_buffers(&mut sets.narrow_phase);
    }
}
