//! One object in the place of another, or another form for the same.

use super::sets::Sets;
use super::{object, shape};
use crate::parameters::ObjectParameters;
use giraffe_robots::GeomShape;
use rapier3d::parry::query::{DefaultQueryDispatcher, QueryDispatcher};
use rapier3d::prelude::*;

/// Overlap that needs no lift, m: contacts are never exact.
const TOUCH_M: f32 = 0.000_3;
/// Farther than this an object is not lifted, m.
const MOST_LIFT_M: f32 = 0.05;
/// How often it is looked whether a lift was enough.
const LOOKS: usize = 60;

/// Gives the object another shape and mass, and lifts it along `up` (unit vector) out of the hand.
pub(super) fn replace(
    physics: &mut Sets,
    body: RigidBodyHandle,
    shape: &GeomShape,
    parameters: &ObjectParameters,
    restitution: f32,
    up: Vector,
) {
    let allowed_m = overlap_m(physics, body, Vector::ZERO).max(TOUCH_M);
    let old: Vec<ColliderHandle> = physics.bodies[body].colliders().to_vec();
    for collider in old {
        physics.remove_collider(collider);
    }
    physics.insert_collider(object::collider(shape, parameters, restitution), body);
    object::weigh(physics, body, object::mass(shape, parameters));
    let lift_m = enough_lift_m(physics, body, up, allowed_m);
    lift(physics, body, up * lift_m);
}

/// Gives an object of this shape other parameters, and lifts it along `up` (unit vector, if any) where it grew into the hand.
pub(super) fn reshape(
    physics: &mut Sets,
    body: RigidBodyHandle,
    shape: &GeomShape,
    parameters: &ObjectParameters,
    up: Option<Vector>,
) {
    let allowed_m = up.map(|_| overlap_m(physics, body, Vector::ZERO).max(TOUCH_M));
    let form = shape::form(&parameters.formed(shape));
    for &collider in physics.bodies[body].colliders() {
        physics.colliders[collider].set_shape(form.clone());
    }
    object::weigh(physics, body, object::mass(shape, parameters));
    let Some((up, allowed_m)) = up.zip(allowed_m) else { return };
    let lift_m = enough_lift_m(physics, body, up, allowed_m);
    if lift_m > 0.0 {
        lift(physics, body, up * lift_m);
    }
}

fn lift(physics: &mut Sets, body: RigidBodyHandle, shift: Vector) {
    let own = &mut physics.bodies[body];
    let mut at = *own.position();
    at.translation += shift;
    own.set_position(at, true);
}

/// The least lift after which the object overlaps the hand by no more than `allowed_m`; or else the one with the least
/// overlap.
fn enough_lift_m(physics: &Sets, body: RigidBodyHandle, up: Vector, allowed_m: f32) -> f32 {
    let (mut lift_m, mut best_m, mut least_m) = (0.0, 0.0, f32::INFINITY);
    for _ in 0..LOOKS {
        let overlap_m = overlap_m(physics, body, up * lift_m);
        if overlap_m < least_m {
            (best_m, least_m) = (lift_m, overlap_m);
        }
        if overlap_m <= allowed_m || lift_m >= MOST_LIFT_M {
            break;
        }
        // A surface that slopes takes several such steps.
        lift_m += (overlap_m - allowed_m).max(TOUCH_M);
    }
    best_m
}

/// How deep the object overlaps the hand at the deepest place, if it were shifted, m. Zero where it touches nothing.
fn overlap_m(physics: &Sets, body: RigidBodyHandle, shift: Vector) -> f32 {
    let own = &physics.bodies[body];
    let mut deepest_m = 0.0_f32;
    for &handle in own.colliders() {
        let collider = &physics.colliders[handle];
        let body_from_collider = collider.position_wrt_parent().copied().unwrap_or(Pose::IDENTITY);
        let mut at = *own.position() * body_from_collider;
        at.translation += shift;
        let others = physics.colliders.iter().filter(|(_, other)| other.parent() != Some(body));
        for (_, other) in others {
            let Some(parent) = other.parent() else { continue };
            let other_from_parent = other.position_wrt_parent().copied().unwrap_or(Pose::IDENTITY);
            let other_at = *physics.bodies[parent].position() * other_from_parent;
            let contact = DefaultQueryDispatcher.contact(&at.inv_mul(&other_at), collider.shape(), other.shape(), 0.0);
            if let Ok(Some(contact)) = contact {
                deepest_m = deepest_m.max(-contact.dist);
            }
        }
    }
    deepest_m
}
