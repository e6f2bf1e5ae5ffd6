//! The object: one free body of even density.

use super::sets::Sets;
use super::settings::{self, Surface};
use super::{contact, convert, groups, shape};
use crate::parameters::{ObjectParameters, WorldParameters, stretched};
use crate::scene::SceneModel;
use giraffe_robots::GeomShape;
use nalgebra::Isometry3;
use rapier3d::prelude::*;

pub(super) fn insert(
    physics: &mut Sets,
    scene: &SceneModel,
    parameters: &WorldParameters,
    palm_from_object: &Isometry3<f32>,
) -> RigidBodyHandle {
    let shape = &scene.object().shape;
    let body = settings::free_body(convert::pose(palm_from_object), mass(shape, &parameters.object));
    let collider = collider(shape, &parameters.object, parameters.contact.restitution);
    let handle = physics.bodies.insert(body);
    physics.insert_collider(collider, handle);
    // Otherwise the mass is unknown until the first step, and a push before it would do nothing.
    physics.bodies[handle].recompute_mass_properties_from_colliders(&physics.colliders);
    handle
}

/// Mass, centre of mass and inertia of an object of this shape.
pub(super) fn mass(shape: &GeomShape, object: &ObjectParameters) -> MassProperties {
    let even = even_inertia(&stretched(shape, object.stretch), object.size_scale, object.mass_kg);
    MassProperties::new(
        Vector::from(object.center_of_mass_m),
        object.mass_kg,
        Vector::from(even) * object.inertia_scale,
    )
}

/// Gives a body a mass, at once.
pub(super) fn weigh(physics: &mut Sets, body: RigidBodyHandle, mass: MassProperties) {
    let own = &mut physics.bodies[body];
    own.set_additional_mass_properties(mass, true);
    own.recompute_mass_properties_from_colliders(&physics.colliders);
}

/// What of an object of this shape collides. Its own friction is zero: `settings` says why.
pub(super) fn collider(shape: &GeomShape, object: &ObjectParameters, restitution: f32) -> ColliderBuilder {
    let surface = Surface { friction: 0.0, restitution, groups: groups::of_object(), mark: contact::NOT_OF_HAND };
    shape::collider(&object.formed(shape), &Isometry3::identity(), &surface)
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
            // A cylinder between two half balls, weighed by volume; a half ball's centre is 3/8 r from its flat side.
            let (half, radius) = (half_length_m * scale, radius_m * scale);
            let cylinder_kg = mass_kg * half / (half + radius * 2.0 / 3.0);
            let ball_kg = mass_kg - cylinder_kg;
            let ball_across = 0.4 * radius * radius + half * half + 0.75 * half * radius;
            let [across, _, along] = prism_inertia(cylinder_kg, 0.25 * radius * radius, half);
            let across = across + ball_kg * ball_across;
            [across, across, along + 0.4 * ball_kg * radius * radius]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::scaled;

    fn holds(shape: &GeomShape, [x, y, z]: [f32; 3]) -> bool {
        let across = x.hypot(y);
        match *shape {
            GeomShape::Box { half_extents_m: half } => x.abs() < half[0] && y.abs() < half[1] && z.abs() < half[2],
            GeomShape::Sphere { radius_m } => across.hypot(z) < radius_m,
            GeomShape::Capsule { half_length_m, radius_m } => {
                across.hypot((z.abs() - half_length_m).max(0.0)) < radius_m
            }
            GeomShape::Cylinder { half_length_m, radius_m } => across < radius_m && z.abs() < half_length_m,
            GeomShape::Prism { side_count, half_length_m, radius_m } => {
                let half_turn = std::f32::consts::PI / side_count as f32;
                let inside = |side: u32| {
                    let (sin, cos) = (half_turn * (2 * side + 1) as f32).sin_cos();
                    x * cos + y * sin < radius_m * half_turn.cos()
                };
                z.abs() < half_length_m && (0..side_count).all(inside)
            }
        }
    }

    /// Moments of a solid of 1 kg, summed over a grid of `n` cubed points within 1 m of its centre.
    fn summed_inertia(shape: &GeomShape, n: i32) -> [f32; 3] {
        let at = |index: i32| (2 * index + 1 - n) as f32 / n as f32;
        let mut sums = [0.0_f64; 3];
        let mut count = 0;
        for (i, j) in (0..n).flat_map(|i| (0..n).map(move |j| (i, j))) {
            for point in (0..n).map(|k| [at(i), at(j), at(k)]).filter(|point| holds(shape, *point)) {
                let [x2, y2, z2] = point.map(|c| f64::from(c * c));
                count += 1;
                for (sum, term) in sums.iter_mut().zip([y2 + z2, x2 + z2, x2 + y2]) {
                    *sum += term;
                }
            }
        }
        sums.map(|sum| (sum / f64::from(count)) as f32)
    }

    #[test]
    fn the_inertia_of_every_shape_is_that_of_its_points() {
        let shapes = [
            GeomShape::Box { half_extents_m: [0.3, 0.5, 0.9] },
            GeomShape::Sphere { radius_m: 0.8 },
            GeomShape::Capsule { half_length_m: 0.5, radius_m: 0.4 },
            GeomShape::Cylinder { half_length_m: 0.9, radius_m: 0.4 },
            GeomShape::Prism { side_count: 3, half_length_m: 0.5, radius_m: 0.9 },
            GeomShape::Prism { side_count: 8, half_length_m: 0.4, radius_m: 0.9 },
        ];
        for shape in shapes {
            let (formula, summed) = (even_inertia(&shape, 1.0, 1.0), summed_inertia(&shape, 100));
            for (a, b) in formula.iter().zip(summed) {
                assert!((a / b - 1.0).abs() < 0.02, "{shape:?}: {formula:?}, summed {summed:?}");
            }
            // Twice the size and three times the mass: twelve times the inertia.
            let scaled = even_inertia(&shape, 2.0, 3.0);
            assert!(scaled.iter().zip(formula).all(|(a, b)| (a / (12.0 * b) - 1.0).abs() < 1e-5), "{shape:?}");
        }
    }

    #[test]
    fn a_stretched_object_is_longer_and_narrower_and_has_the_same_volume() {
        // But for a factor that the shape fixes.
        let volume = |shape: &GeomShape| match *shape {
            GeomShape::Box { half_extents_m: [x, y, z] } => x * y * z,
            GeomShape::Cylinder { half_length_m, radius_m } | GeomShape::Prism { half_length_m, radius_m, .. } => {
                half_length_m * radius_m * radius_m
            }
            _ => panic!("{shape:?} keeps its round ends"),
        };
        for shape in [
            GeomShape::Box { half_extents_m: [0.3, 0.4, 0.5] },
            GeomShape::Cylinder { half_length_m: 0.5, radius_m: 0.4 },
            GeomShape::Prism { side_count: 6, half_length_m: 0.5, radius_m: 0.4 },
        ] {
            let longer = stretched(&shape, 1.5);
            assert!((volume(&longer) / volume(&shape) - 1.0).abs() < 1e-5, "{longer:?}");
            for (shape, half_m) in [(&shape, 0.5), (&longer, 0.75)] {
                assert!(holds(shape, [0.0, 0.0, half_m - 0.01]) && !holds(shape, [0.0, 0.0, half_m + 0.01]));
            }
            assert_eq!(stretched(&shape, 1.0), shape);
        }
        let capsule = GeomShape::Capsule { half_length_m: 0.2, radius_m: 0.3 };
        assert_eq!(stretched(&capsule, 1.0), capsule);
        let GeomShape::Capsule { half_length_m, radius_m } = stretched(&capsule, 1.5) else {
            panic!("still a capsule")
        };
        assert!((half_length_m + radius_m - 0.75).abs() < 1e-6 && (radius_m - 0.3 / 1.5_f32.sqrt()).abs() < 1e-6);
        let flat = stretched(&capsule, 0.5);
        let radius_m = 0.3 * 2_f32.sqrt();
        assert_eq!(flat, GeomShape::Capsule { half_length_m: 0.0, radius_m: 0.3 / 0.5_f32.sqrt() });
        assert!(holds(&flat, [0.0, 0.0, radius_m - 0.01]), "no shorter than it is wide");
        let ball = GeomShape::Sphere { radius_m: 0.3 };
        assert_eq!(stretched(&ball, 1.7), ball);
    }

    #[test]
    fn what_collides_is_the_shape_that_is_weighed() {
        for object in giraffe_robots::OBJECTS {
            let surface =
                Surface { friction: 0.0, restitution: 0.0, groups: groups::of_object(), mark: contact::NOT_OF_HAND };
            let collider = shape::collider(&scaled(&object.shape, 1.5), &Isometry3::identity(), &surface).build();
            let mut inside = 0;
            for (i, j, k) in (0..8000).map(|n| (n % 20, n / 20 % 20, n / 400)) {
                let point = [i, j, k].map(|c: i32| (c as f32 - 9.37) * 0.0063);
                let collides = collider.shape().contains_point(collider.position(), Vector::from(point));
                let weighed = holds(&object.shape, point.map(|c| c / 1.5));
                assert_eq!(weighed, collides, "{} at {point:?}", object.name);
                inside += usize::from(weighed);
            }
            assert!(inside > 500, "{}", object.name);
        }
    }
}
