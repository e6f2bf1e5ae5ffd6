//! Shapes of a description as rapier's colliders.

use super::convert;
use super::settings::{self, Surface};
use giraffe_robots::GeomShape;
use nalgebra::{Isometry3, UnitQuaternion, Vector3};
use rapier3d::prelude::*;
use std::f32::consts::{FRAC_PI_2, PI, TAU};

/// A collider of this shape at `body_from_shape` in its body.
pub(super) fn collider(shape: &GeomShape, body_from_shape: &Isometry3<f32>, surface: &Surface) -> ColliderBuilder {
    let (form, at) = placed(shape, body_from_shape);
    let hooks = match shape {
        // Contact pairs that a hook looks at are never recycled. There is no hook, but what rolls by less than the
        // distance of recycling should not roll on points from before either.
        GeomShape::Sphere { .. } | GeomShape::Cylinder { .. } => ActiveHooks::FILTER_CONTACT_PAIRS,
        _ => ActiveHooks::empty(),
    };
    settings::collider(form, at, hooks, surface)
}

/// The shape as rapier has it, in its own frame there.
pub(super) fn form(shape: &GeomShape) -> SharedShape {
    placed(shape, &Isometry3::identity()).0
}

/// The shape as rapier has it, and where it is in its body.
fn placed(shape: &GeomShape, body_from_shape: &Isometry3<f32>) -> (SharedShape, Pose) {
    let form = match *shape {
        GeomShape::Box { half_extents_m: [x, y, z] } => SharedShape::cuboid(x, y, z),
        GeomShape::Capsule { half_length_m, radius_m } => SharedShape::capsule_z(half_length_m, radius_m),
        GeomShape::Sphere { radius_m } => SharedShape::ball(radius_m),
        GeomShape::Cylinder { half_length_m, radius_m } => {
            // rapier's cylinders stand along y.
            let z_from_y = UnitQuaternion::from_axis_angle(&Vector3::x_axis(), FRAC_PI_2);
            let at = body_from_shape * z_from_y;
            return (SharedShape::cylinder(half_length_m, radius_m), convert::pose(&at));
        }
        GeomShape::Prism { side_count, half_length_m, radius_m } => prism(side_count, half_length_m, radius_m),
    };
    (form, convert::pose(body_from_shape))
}

/// A prism with an even number of sides is the union of boxes that each reach from one side to the one across. So its
/// contacts are those of boxes: rapier looks at four corners of a face at most, and stands a prism on half its base.
fn prism(side_count: u32, half_length_m: f32, radius_m: f32) -> SharedShape {
    if side_count % 2 == 1 {
        let corners = prism_corners(side_count, half_length_m, radius_m);
        return SharedShape::convex_hull(&corners).expect("three or more corners on a circle, above and below");
    }
    let half_turn = PI / side_count as f32;
    let (half_side_m, apothem_m) = (radius_m * half_turn.sin(), radius_m * half_turn.cos());
    let pair_count = if side_count == 4 { 1 } else { side_count / 2 };
    let boxes = (0..pair_count).map(|pair| {
        let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), half_turn * (2 * pair + 1) as f32);
        let at = convert::pose(&nalgebra::convert(turn));
        (at, SharedShape::cuboid(apothem_m, half_side_m, half_length_m))
    });
    SharedShape::compound(boxes.collect())
}

fn prism_corners(side_count: u32, half_length_m: f32, radius_m: f32) -> Vec<Vector> {
    let around = (0..side_count).map(|corner| TAU * corner as f32 / side_count as f32);
    around
        .flat_map(|turn| {
            [-half_length_m, half_length_m].map(|z| Vector::new(radius_m * turn.cos(), radius_m * turn.sin(), z))
        })
        .collect()
}
