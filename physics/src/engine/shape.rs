//! Shapes of a description as rapier's colliders.

use super::convert;
use giraffe_robots::GeomShape;
use nalgebra::{Isometry3, UnitQuaternion, Vector3};
use rapier3d::prelude::*;
use std::f32::consts::{FRAC_PI_2, PI, TAU};

/// A collider of this shape, `scale` times as large, at `body_from_shape` in its body.
pub(super) fn collider(shape: &GeomShape, scale: f32, body_from_shape: &Isometry3<f32>) -> ColliderBuilder {
    let builder = builder(shape, scale, body_from_shape);
    match shape {
        // Contact pairs that a hook looks at are never recycled. There is no hook, but what rolls by less than the
        // distance of recycling should not roll on points from before either.
        GeomShape::Sphere { .. } | GeomShape::Cylinder { .. } => {
            builder.active_hooks(ActiveHooks::FILTER_CONTACT_PAIRS)
        }
        _ => builder,
    }
}

fn builder(shape: &GeomShape, scale: f32, body_from_shape: &Isometry3<f32>) -> ColliderBuilder {
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
            prism(side_count, half_length_m * scale, radius_m * scale)
        }
    };
    builder.position(convert::pose(body_from_shape))
}

/// A prism with an even number of sides is the union of boxes that each reach from one side to the one across. So its
/// contacts are those of boxes: rapier looks at four corners of a face at most, and stands a prism on half its base.
fn prism(side_count: u32, half_length_m: f32, radius_m: f32) -> ColliderBuilder {
    if side_count % 2 == 1 {
        let corners = prism_corners(side_count, half_length_m, radius_m);
        return ColliderBuilder::convex_hull(&corners).expect("three or more corners on a circle, above and below");
    }
    let half_turn = PI / side_count as f32;
    let (half_side_m, apothem_m) = (radius_m * half_turn.sin(), radius_m * half_turn.cos());
    let pair_count = if side_count == 4 { 1 } else { side_count / 2 };
    let boxes = (0..pair_count).map(|pair| {
        let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), half_turn * (2 * pair + 1) as f32);
        let at = convert::pose(&nalgebra::convert(turn));
        (at, SharedShape::cuboid(apothem_m, half_side_m, half_length_m))
    });
    ColliderBuilder::compound(boxes.collect())
}

fn prism_corners(side_count: u32, half_length_m: f32, radius_m: f32) -> Vec<Vector> {
    let around = (0..side_count).map(|corner| TAU * corner as f32 / side_count as f32);
    around
        .flat_map(|turn| {
            [-half_length_m, half_length_m].map(|z| Vector::new(radius_m * turn.cos(), radius_m * turn.sin(), z))
        })
        .collect()
}
