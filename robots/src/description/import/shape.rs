//! Shapes that giraffe has none of, as the nearest one that it has.

use crate::model::GeomShape;
use nalgebra::{Isometry3, Point3, UnitQuaternion, Vector3};

/// An ellipsoid as a sphere or a capsule of about its volume, and the turn that brings z onto its longest axis.
pub(super) fn ellipsoid(radii: [f64; 3]) -> (GeomShape, UnitQuaternion<f64>) {
    let longest = (0..3).max_by(|a, b| radii[*a].total_cmp(&radii[*b])).unwrap_or(2);
    let across = (radii[(longest + 1) % 3] * radii[(longest + 2) % 3]).sqrt();
    let half_length = radii[longest] - across;
    // Within a tenth of round, or flat: a ball.
    if half_length < 0.1 * radii[longest] {
        let radius_m = (radii[0] * radii[1] * radii[2]).cbrt() as f32;
        return (GeomShape::Sphere { radius_m }, UnitQuaternion::identity());
    }
    let shape = GeomShape::Capsule { half_length_m: half_length as f32, radius_m: across as f32 };
    (shape, z_onto(&Vector3::ith(longest, 1.0)))
}

/// The rotation of least angle that brings z onto `direction`.
pub(super) fn z_onto(direction: &Vector3<f64>) -> UnitQuaternion<f64> {
    UnitQuaternion::rotation_between(&Vector3::z(), direction)
        .unwrap_or_else(|| UnitQuaternion::from_axis_angle(&Vector3::x_axis(), std::f64::consts::PI))
}

/// Half edges of the box around a shape, along the shape's axes.
pub(super) fn half_extents(shape: &GeomShape) -> Vector3<f64> {
    let round = |radius: f32, half_length: f32| Vector3::new(radius, radius, half_length).cast();
    match *shape {
        GeomShape::Box { half_extents_m } => Vector3::from(half_extents_m).cast(),
        GeomShape::Sphere { radius_m } => round(radius_m, radius_m),
        GeomShape::Capsule { half_length_m, radius_m } => round(radius_m, half_length_m + radius_m),
        GeomShape::Cylinder { half_length_m, radius_m } | GeomShape::Prism { half_length_m, radius_m, .. } => {
            round(radius_m, half_length_m)
        }
    }
}

/// A box that may be turned, for asking what touches what. Sharp shapes are exact, round ones a little too large.
pub(super) struct Solid {
    pose: Isometry3<f64>,
    half: Vector3<f64>,
}

impl Solid {
    pub(super) fn new(shape: &GeomShape, pose: Isometry3<f64>) -> Self {
        Self { pose, half: half_extents(shape) }
    }

    pub(super) fn center(&self) -> Point3<f64> {
        self.pose.translation.vector.into()
    }

    /// How far it reaches from its centre along a direction of length one.
    pub(super) fn reach(&self, direction: &Vector3<f64>) -> f64 {
        let local = self.pose.rotation.inverse() * direction;
        self.half.dot(&local.abs())
    }

    /// Distance of a point from it; zero inside.
    pub(super) fn distance(&self, point: &Point3<f64>) -> f64 {
        let local = self.pose.inverse() * point;
        (local.coords.abs() - self.half).sup(&Vector3::zeros()).norm()
    }

    /// Whether two overlap by more than `depth` along every axis that could separate them (separating axis theorem).
    pub(super) fn overlaps(&self, other: &Self, depth: f64) -> bool {
        let apart = other.center() - self.center();
        let axes = |solid: &Self| [0, 1, 2].map(|axis| solid.pose.rotation * Vector3::ith(axis, 1.0));
        let (own, others) = (axes(self), axes(other));
        let edges = own.iter().flat_map(|a| others.iter().map(move |b| a.cross(b)));
        let candidates = own.iter().chain(&others).copied().chain(edges);
        candidates
            .filter_map(|axis| axis.try_normalize(1e-6))
            .all(|axis| self.reach(&axis) + other.reach(&axis) - apart.dot(&axis).abs() > depth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_ellipsoid_is_a_capsule_along_its_longest_axis_and_a_round_one_a_ball() {
        let (shape, turn) = ellipsoid([0.03, 0.01, 0.01]);
        let GeomShape::Capsule { half_length_m, radius_m } = shape else { panic!("{shape:?}") };
        assert!((half_length_m - 0.02).abs() < 1e-6 && (radius_m - 0.01).abs() < 1e-6);
        assert!((turn * Vector3::z() - Vector3::x()).norm() < 1e-9);
        assert!(matches!(ellipsoid([0.01, 0.0101, 0.0099]).0, GeomShape::Sphere { .. }));
        assert!(matches!(ellipsoid([0.03, 0.03, 0.01]).0, GeomShape::Capsule { .. } | GeomShape::Sphere { .. }));
    }

    #[test]
    fn boxes_overlap_only_if_no_axis_separates_them() {
        let cube = GeomShape::Box { half_extents_m: [1.0; 3] };
        let at = |x: f64, y: f64, turn: f64| {
            let turn = UnitQuaternion::from_axis_angle(&Vector3::z_axis(), turn);
            Solid::new(&cube, Isometry3::from_parts(Vector3::new(x, y, 0.0).into(), turn))
        };
        assert!(at(0.0, 0.0, 0.0).overlaps(&at(1.9, 0.0, 0.0), 0.01));
        assert!(!at(0.0, 0.0, 0.0).overlaps(&at(1.9, 0.0, 0.0), 0.2));
        assert!(!at(0.0, 0.0, 0.0).overlaps(&at(2.1, 0.0, 0.0), 0.0));
        // A corner reaches farther than a face.
        assert!(at(0.0, 0.0, 0.0).overlaps(&at(2.3, 0.0, std::f64::consts::FRAC_PI_4), 0.0));
        assert!(!at(0.0, 0.0, 0.0).overlaps(&at(1.8, 1.8, std::f64::consts::FRAC_PI_4), 0.0));
        assert!((at(0.0, 0.0, 0.0).distance(&Point3::new(3.0, 0.0, 0.0)) - 2.0).abs() < 1e-12);
    }
}
