//! Distances from points to shapes.

use giraffe_robots::{GeomShape, RobotModel};
use nalgebra::{Isometry3, Point3, Vector3};

/// A shape somewhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Solid {
    pub(super) shape: GeomShape,
    pub(super) palm_from_shape: Isometry3<f32>,
}

impl Solid {
    /// Distance of a point from its surface, m; negative inside, where it is at least as deep as this says.
    pub(super) fn distance(&self, point: &Point3<f32>) -> f32 {
        let local = self.palm_from_shape.inverse() * point;
        match self.shape {
            GeomShape::Box { half_extents_m } => beyond(&(local.coords.abs() - Vector3::from(half_extents_m))),
            GeomShape::Sphere { radius_m } => local.coords.norm() - radius_m,
            GeomShape::Capsule { half_length_m, radius_m } => {
                let along = local.z.clamp(-half_length_m, half_length_m);
                (local.coords - Vector3::new(0.0, 0.0, along)).norm() - radius_m
            }
            GeomShape::Cylinder { half_length_m, radius_m } => {
                let across = local.x.hypot(local.y) - radius_m;
                beyond(&Vector3::new(across, local.z.abs() - half_length_m, f32::NEG_INFINITY))
            }
            GeomShape::Prism { side_count, half_length_m, radius_m } => {
                // Beside an edge this is a little less than the distance.
                let apothem = radius_m * (std::f32::consts::PI / side_count as f32).cos();
                let facing = (0..side_count).map(|side| {
                    let angle = std::f32::consts::TAU * (side as f32 + 0.5) / side_count as f32;
                    local.x * angle.cos() + local.y * angle.sin() - apothem
                });
                let across = facing.fold(f32::NEG_INFINITY, f32::max);
                beyond(&Vector3::new(across, local.z.abs() - half_length_m, f32::NEG_INFINITY))
            }
        }
    }

    /// How far it reaches upward, palm frame, m.
    pub(super) fn top_m(&self) -> f32 {
        self.palm_from_shape.translation.vector.z + reach_along_z(&self.shape, &self.palm_from_shape)
    }
}

/// Length of what is positive, or the largest where nothing is: distance from a box, along whose axes these stand out.
fn beyond(out: &Vector3<f32>) -> f32 {
    let inside = out.max().min(0.0);
    out.sup(&Vector3::zeros()).norm() + inside
}

fn reach_along_z(shape: &GeomShape, palm_from_shape: &Isometry3<f32>) -> f32 {
    let up = palm_from_shape.rotation.inverse() * Vector3::z();
    let across = up.x.hypot(up.y);
    match *shape {
        GeomShape::Box { half_extents_m } => Vector3::from(half_extents_m).dot(&up.abs()),
        GeomShape::Sphere { radius_m } => radius_m,
        GeomShape::Capsule { half_length_m, radius_m } => half_length_m * up.z.abs() + radius_m,
        GeomShape::Cylinder { half_length_m, radius_m } | GeomShape::Prism { half_length_m, radius_m, .. } => {
            half_length_m * up.z.abs() + radius_m * across
        }
    }
}

/// Half of the smallest width of a shape, m.
pub(super) fn inner_radius_m(shape: &GeomShape) -> f32 {
    match *shape {
        GeomShape::Box { half_extents_m: [x, y, z] } => x.min(y).min(z),
        GeomShape::Sphere { radius_m } | GeomShape::Capsule { radius_m, .. } => radius_m,
        GeomShape::Cylinder { half_length_m, radius_m } => radius_m.min(half_length_m),
        GeomShape::Prism { side_count, half_length_m, radius_m } => {
            half_length_m.min(radius_m * (std::f32::consts::PI / side_count as f32).cos())
        }
    }
}

/// Every shape of a hand whose bodies stand so; with the body each belongs to.
pub(super) fn solids(robot: &RobotModel, palm_from_body: &[Isometry3<f32>]) -> Vec<(usize, Solid)> {
    let of_body = |(index, pose): (usize, &Isometry3<f32>)| {
        let pose = *pose;
        let geoms = robot.bodies[index].geoms.iter();
        geoms.map(move |geom| (index, Solid { shape: geom.shape, palm_from_shape: pose * geom.body_from_geom }))
    };
    palm_from_body.iter().enumerate().flat_map(of_body).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_origin(shape: GeomShape) -> Solid {
        Solid { shape, palm_from_shape: Isometry3::identity() }
    }

    #[test]
    fn distances_are_those_of_geometry() {
        let cube = GeomShape::Box { half_extents_m: [1.0, 2.0, 3.0] };
        let can = GeomShape::Cylinder { half_length_m: 2.0, radius_m: 1.0 };
        let pill = GeomShape::Capsule { half_length_m: 2.0, radius_m: 1.0 };
        let hexagon = GeomShape::Prism { side_count: 6, half_length_m: 2.0, radius_m: 1.0 };
        let flat = 3.0_f32.sqrt() / 2.0;
        for (shape, point, expected) in [
            (cube, [4.0, 6.0, 0.0], 5.0),
            (cube, [0.5, 0.0, 0.0], -0.5),
            (GeomShape::Sphere { radius_m: 1.0 }, [0.0, 0.0, 3.0], 2.0),
            (can, [4.0, 0.0, 6.0], 5.0),
            (can, [0.0, 0.0, 1.5], -0.5),
            (pill, [0.0, 3.0, 6.0], 4.0),
            (hexagon, [0.0, 2.0, 0.0], 2.0 - flat),
            (hexagon, [0.0, 0.0, 5.0], 3.0),
        ] {
            let found = at_origin(shape).distance(&Point3::from(point));
            assert!((found - expected).abs() < 1e-5, "{shape:?} {point:?}: {found}");
        }
    }

    #[test]
    fn a_turned_box_stands_higher() {
        let turn = Isometry3::rotation(Vector3::x() * std::f32::consts::FRAC_PI_4);
        let solid = Solid { shape: GeomShape::Box { half_extents_m: [1.0; 3] }, palm_from_shape: turn };
        assert!((solid.top_m() - 2.0_f32.sqrt()).abs() < 1e-5);
    }
}
