//! The object: one free body of even density.

use super::{convert, groups, shape};
use crate::parameters::WorldParameters;
use crate::scene::SceneModel;
use giraffe_robots::GeomShape;
use nalgebra::Isometry3;
use rapier3d::prelude::*;

pub(super) fn insert(
    physics: &mut PhysicsWorld,
    scene: &SceneModel,
    parameters: &WorldParameters,
    palm_from_object: &Isometry3<f32>,
) -> RigidBodyHandle {
    let object = &parameters.object;
    let model_shape = &scene.object().shape;
    let mass = MassProperties::new(
        Vector::from(object.center_of_mass_m),
        object.mass_kg,
        Vector::from(even_inertia(model_shape, object.size_scale, object.mass_kg)),
    );
    let body = RigidBodyBuilder::dynamic()
        .pose(convert::pose(palm_from_object))
        .additional_mass_properties(mass)
        .can_sleep(false);
    let collider = shape::collider(model_shape, object.size_scale, &Isometry3::identity())
        .density(0.0)
        .friction(0.0)
        .friction_combine_rule(CoefficientCombineRule::Max)
        .restitution(parameters.contact.restitution)
        .restitution_combine_rule(CoefficientCombineRule::Max)
        .collision_groups(groups::of_object());
    let handle = physics.insert(body, collider).0;
    // Otherwise the mass is unknown until the first step, and a push before it would do nothing.
    physics.bodies[handle].recompute_mass_properties_from_colliders(&physics.colliders);
    handle
}

/// Principal moments of a solid of even density about its centre, kg m2.
fn even_inertia(shape: &GeomShape, scale: f32, mass_kg: f32) -> [f32; 3] {
    match *shape {
        GeomShape::Box { half_extents_m: half } => {
            let [x, y, z] = half.map(|h| (h * scale).powi(2));
            [y + z, x + z, x + y].map(|sum| mass_kg * sum / 3.0)
        }
        GeomShape::Sphere { radius_m } => [0.4 * mass_kg * (radius_m * scale).powi(2); 3],
        GeomShape::Capsule { half_length_m, radius_m } => {
            // Taken as a cylinder as long as the whole capsule: close enough for an object's inertia.
            let radius2 = (radius_m * scale).powi(2);
            let length2 = (2.0 * (half_length_m + radius_m) * scale).powi(2);
            let across = mass_kg * (3.0 * radius2 + length2) / 12.0;
            [across, across, 0.5 * mass_kg * radius2]
        }
        GeomShape::Cylinder { half_length_m, radius_m } => {
            let radius2 = (radius_m * scale).powi(2);
            prism_inertia(mass_kg, 0.25 * radius2, half_length_m * scale)
        }
        GeomShape::Prism { side_count, half_length_m, radius_m } => {
            // Mean of x^2 over a regular polygon: R^2 (2 + cos(2 pi / n)) / 12.
            let turn = std::f32::consts::TAU / side_count as f32;
            let radius2 = (radius_m * scale).powi(2);
            prism_inertia(mass_kg, radius2 * (2.0 + turn.cos()) / 12.0, half_length_m * scale)
        }
    }
}

/// Moments of a straight body along z whose cross-section has the mean square distance `mean_x2` from the y axis and
/// as much from the x axis.
fn prism_inertia(mass_kg: f32, mean_x2: f32, half_length_m: f32) -> [f32; 3] {
    let across = mass_kg * (mean_x2 + half_length_m * half_length_m / 3.0);
    [across, across, 2.0 * mass_kg * mean_x2]
}
