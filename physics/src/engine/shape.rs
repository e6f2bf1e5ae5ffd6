//! Shapes of a description as rapier's colliders.

use super::convert;
use giraffe_robots::GeomShape;
use nalgebra::{Isometry3, UnitQuaternion, Vector3};
use rapier3d::prelude::*;
use std::f32::consts::{FRAC_PI_2, TAU};

/// A collider of this shape, `scale` times as large, at `body_from_shape` in its body.
pub(super) fn collider(shape: &GeomShape, scale: f32, body_from_shape: &Isometry3<f32>) -> ColliderBuilder {
    let builder = match *shape {
        GeomShape::Box { half_extents_m: [x, y, z] } => ColliderBuilder::cuboid(x * scale, y * scale, z * scale),
        GeomShape::Capsule { half_length_m, radius_m } => {
            ColliderBuilder::capsule_z(half_length_m * scale, radius_m * scale)
        }
        GeomShape::Sphere { radius_m } => ColliderBuilder::ball(radius_m * scale),
        GeomShape::Cylinder { half_length_m, radius_m } => {
            // rapier's cylinders stand along y.
            let z_from_y = UnitQuaternion::from_axis_angle(&Vector3::x_axis(), FRAC_PI_2);
            let at = body_from_shape * z_from_y;
            return ColliderBuilder::cylinder(half_length_m * scale, radius_m * scale).position(convert::pose(&at));
        }
        GeomShape::Prism { side_count, half_length_m, radius_m } => {
            let corners = prism_corners(side_count, half_length_m * scale, radius_m * scale);
            ColliderBuilder::convex_hull(&corners).expect("three or more corners on a circle, above and below")
        }
    };
    builder.position(convert::pose(body_from_shape))
}

fn prism_corners(side_count: u32, half_length_m: f32, radius_m: f32) -> Vec<Vector> {
    let around = (0..side_count).map(|corner| TAU * corner as f32 / side_count as f32);
    around
        .flat_map(|turn| {
            [-half_length_m, half_length_m].map(|z| Vector::new(radius_m * turn.cos(), radius_m * turn.sin(), z))
        })
        .collect()
}
