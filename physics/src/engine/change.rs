//! Other physics for a world that lives. What stays as it is is not touched, so that not even a last bit moves.

use super::{World, dispatch, hand, settings, shape, swap};
use crate::parameters::{WorldParameters, scaled};
use crate::scene::SceneModel;
use giraffe_robots::{GeomShape, Region, RobotModel};
use rapier3d::prelude::*;

/// The object that is in the hand, before its parameters make something of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeldObject {
    pub shape: GeomShape,
    /// Of its friction against each region, times what the parameters say.
    pub friction_scale: f32,
    /// Where to it is lifted if it grows into the hand, unit vector; none to leave it to the contacts.
    pub lift_along: Option<[f32; 3]>,
}

impl World {
    /// Makes of a world with the first parameters one with the second. Where the engine gives up, the next step says so.
    pub fn change(&mut self, scene: &SceneModel, from_to: [&WorldParameters; 2], held: &HeldObject) {
        let _ = self.attempt(|world| world.become_another(scene, from_to, held));
    }

    fn become_another(&mut self, scene: &SceneModel, [from, to]: [&WorldParameters; 2], held: &HeldObject) {
        let robot = scene.robot();
        let changed = (0..self.joints.len()).filter(|&joint| from.joints[joint] != to.joints[joint]);
        changed.for_each(|joint| hand::change_joint(&mut self.physics, robot, &self.joints, to, joint));
        let differs = |part: fn(&WorldParameters) -> f32| part(from).to_bits() != part(to).to_bits();
        if differs(|parameters| parameters.hand.link_mass_scale) {
            hand::change_masses(&mut self.physics, robot, &self.joints, to);
        }
        if differs(|parameters| parameters.hand.tip_size_scale) {
            self.change_tips(robot, to.hand.tip_size_scale);
            self.forget_shapes();
        }
        if from.object != to.object {
            let up = held.lift_along.map(Vector::from);
            swap::reshape(&mut self.physics, self.object, &held.shape, &to.object, up);
            if from.object.formed(&held.shape) != to.object.formed(&held.shape) {
                self.forget_shapes();
            }
        }
        if from.contact != to.contact {
            self.change_surfaces(robot, to, held.friction_scale);
            let softness = settings::softness(&to.contact);
            let integration = &mut self.physics.integration_parameters;
            (integration.contact_softness, integration.static_contact_softness) = (softness, softness);
        }
    }

    /// Lets contacts be found anew, after a shape has become another.
    fn forget_shapes(&mut self) {
        self.shape_revision += 1;
        let dispatcher = dispatch::Dispatcher { revision: self.shape_revision };
        self.physics.narrow_phase.set_query_dispatcher(dispatcher);
    }

    fn change_tips(&mut self, robot: &RobotModel, scale: f32) {
        for (handle, geom) in self.geoms.iter().zip(robot.bodies.iter().flat_map(|body| &body.geoms)) {
            if geom.region == Region::Tip {
                self.physics.colliders[*handle].set_shape(shape::form(&scaled(&geom.shape, scale)));
            }
        }
    }

    fn change_surfaces(&mut self, robot: &RobotModel, to: &WorldParameters, friction_scale: f32) {
        let regions = robot.bodies.iter().flat_map(|body| &body.geoms).map(|geom| geom.region);
        for (handle, region) in self.geoms.iter().zip(regions) {
            self.physics.colliders[*handle].set_friction(to.contact.friction(region) * friction_scale);
        }
        for (_, collider) in self.physics.colliders.iter_mut() {
            collider.set_restitution(to.contact.restitution);
            find_contacts_anew(collider);
        }
    }
}

/// Contacts that barely moved are not found anew, and keep the friction, the restitution and the centre of mass that they
/// were found with. A shape that was set, even to what it is, makes rapier look again.
pub(super) fn find_contacts_anew(collider: &mut Collider) {
    let own = collider.shared_shape().clone();
    collider.set_shape(own);
}
