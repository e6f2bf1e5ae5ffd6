//! Mass properties: of shapes and meshes, put together, and brought to principal axes.

use crate::model::GeomShape;
use nalgebra::{Isometry3, Matrix3, Point3, SymmetricEigen, UnitQuaternion, Vector3};
use std::f64::consts::PI;

/// Mass, centre of mass and inertia of a rigid body.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Mass {
    pub(super) kg: f64,
    /// In the body's frame.
    pub(super) center_m: Point3<f64>,
    /// About the centre of mass, along the body's axes, kg m2.
    pub(super) tensor: Matrix3<f64>,
}

/// Principal moments and their axes.
pub(super) struct Principal {
    pub(super) moments: Vector3<f64>,
    pub(super) body_from_axes: UnitQuaternion<f64>,
}

impl Mass {
    pub(super) const ZERO: Self = Self {
        kg: 0.0,
        center_m: Point3::new(0.0, 0.0, 0.0),
        tensor: Matrix3::new(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    };

    /// A mass whose principal axes stand at `body_from_axes`.
    pub(super) fn diagonal(kg: f64, body_from_axes: &Isometry3<f64>, moments: Vector3<f64>) -> Self {
        let turn = body_from_axes.rotation.to_rotation_matrix();
        let tensor = turn.matrix() * Matrix3::from_diagonal(&moments) * turn.matrix().transpose();
        Self { kg, center_m: body_from_axes.translation.vector.into(), tensor }
    }

    /// The same mass seen from another frame.
    pub(super) fn moved(&self, to_from_here: &Isometry3<f64>) -> Self {
        let turn = to_from_here.rotation.to_rotation_matrix();
        Self {
            kg: self.kg,
            center_m: to_from_here * self.center_m,
            tensor: turn.matrix() * self.tensor * turn.matrix().transpose(),
        }
    }

    /// This mass and another, both in the same frame, as one body.
    pub(super) fn and(&self, other: &Self) -> Self {
        let kg = self.kg + other.kg;
        if kg <= 0.0 {
            return *self;
        }
        let center = (self.center_m.coords * self.kg + other.center_m.coords * other.kg) / kg;
        let about = |mass: &Self| mass.tensor + steiner(mass.kg, mass.center_m.coords - center);
        Self { kg, center_m: center.into(), tensor: about(self) + about(other) }
    }

    /// A part of it, everywhere as dense.
    pub(super) fn scaled(&self, factor: f64) -> Self {
        Self { kg: self.kg * factor, center_m: self.center_m, tensor: self.tensor * factor }
    }

    /// Principal moments and axes, or `None` if the numbers have none.
    pub(super) fn principal(&self) -> Option<Principal> {
        const SWEEPS: usize = 200;
        let symmetric = (self.tensor + self.tensor.transpose()) / 2.0;
        // Moments of fingers are of order 1e-6: the solver's notion of zero is relative to one.
        let scale = symmetric.amax();
        if !scale.is_finite() || scale <= 0.0 {
            return None;
        }
        let eigen = SymmetricEigen::try_new(symmetric / scale, 1e-14, SWEEPS)?;
        let mut axes = eigen.eigenvectors;
        if axes.determinant() < 0.0 {
            axes.column_mut(2).neg_mut();
        }
        let turn = nalgebra::Rotation3::from_matrix_unchecked(axes);
        Some(Principal {
            moments: eigen.eigenvalues * scale,
            body_from_axes: UnitQuaternion::from_rotation_matrix(&turn),
        })
    }

    /// A shape of even density with this mass, in the frame of `body_from_shape`.
    pub(super) fn of_shape(shape: &GeomShape, kg: f64, body_from_shape: &Isometry3<f64>) -> Self {
        Self::diagonal(kg, body_from_shape, unit_moments(shape) * kg)
    }
}

/// What a point mass adds about a point `offset` away.
fn steiner(kg: f64, offset: Vector3<f64>) -> Matrix3<f64> {
    (Matrix3::identity() * offset.norm_squared() - offset * offset.transpose()) * kg
}

/// Volume of a shape, m3.
pub(super) fn volume(shape: &GeomShape) -> f64 {
    match *shape {
        GeomShape::Box { half_extents_m: [x, y, z] } => 8.0 * f64::from(x) * f64::from(y) * f64::from(z),
        GeomShape::Sphere { radius_m } => 4.0 / 3.0 * PI * f64::from(radius_m).powi(3),
        GeomShape::Cylinder { half_length_m, radius_m } => {
            2.0 * PI * f64::from(radius_m).powi(2) * f64::from(half_length_m)
        }
        GeomShape::Capsule { half_length_m, radius_m } => {
            let r = f64::from(radius_m);
            PI * r * r * (2.0 * f64::from(half_length_m) + 4.0 / 3.0 * r)
        }
        GeomShape::Prism { side_count, half_length_m, radius_m } => {
            let sides = f64::from(side_count);
            let area = 0.5 * sides * f64::from(radius_m).powi(2) * (2.0 * PI / sides).sin();
            2.0 * area * f64::from(half_length_m)
        }
    }
}

/// Moments per kilogram about the shape's own axes.
fn unit_moments(shape: &GeomShape) -> Vector3<f64> {
    let round = |r: f64, h: f64| {
        let across = r * r / 4.0 + h * h / 3.0;
        Vector3::new(across, across, r * r / 2.0)
    };
    match *shape {
        GeomShape::Box { half_extents_m } => {
            let [x, y, z] = half_extents_m.map(|half| f64::from(half) * f64::from(half));
            Vector3::new(y + z, x + z, x + y) / 3.0
        }
        GeomShape::Sphere { radius_m } => Vector3::repeat(0.4 * f64::from(radius_m).powi(2)),
        // A prism is taken as the cylinder through its corners: its moments differ by less than its mass is known.
        GeomShape::Cylinder { half_length_m, radius_m } | GeomShape::Prism { half_length_m, radius_m, .. } => {
            round(f64::from(radius_m), f64::from(half_length_m))
        }
        GeomShape::Capsule { half_length_m, radius_m } => {
            let (r, h) = (f64::from(radius_m), f64::from(half_length_m));
            let (middle, caps) = (2.0 * h, 4.0 / 3.0 * r);
            let share = middle / (middle + caps);
            // Two half balls, each 3/8 r above its flat side, and moved out by h.
            let cap_across = 0.4 * r * r + h * h + 0.75 * r * h;
            let along = share * r * r / 2.0 + (1.0 - share) * 0.4 * r * r;
            let across = share * (r * r / 4.0 + h * h / 3.0) + (1.0 - share) * cap_across;
            Vector3::new(across, across, along)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "exact numbers are meant")]
    use super::*;

    #[test]
    fn two_halves_of_a_box_are_the_box() {
        let half = GeomShape::Box { half_extents_m: [0.5, 1.0, 2.0] };
        let left = Mass::of_shape(&half, 3.0, &Isometry3::translation(-0.5, 0.0, 0.0));
        let right = Mass::of_shape(&half, 3.0, &Isometry3::translation(0.5, 0.0, 0.0));
        let whole = Mass::of_shape(&GeomShape::Box { half_extents_m: [1.0, 1.0, 2.0] }, 6.0, &Isometry3::identity());
        let both = left.and(&right);
        assert!((both.tensor - whole.tensor).norm() < 1e-12 && (both.kg - 6.0).abs() < 1e-12);
        assert!(both.center_m.coords.norm() < 1e-12);
    }

    #[test]
    fn a_capsule_without_length_is_a_ball() {
        let ball = Mass::of_shape(&GeomShape::Sphere { radius_m: 0.5 }, 2.0, &Isometry3::identity());
        let capsule = GeomShape::Capsule { half_length_m: 0.0, radius_m: 0.5 };
        let capsule = Mass::of_shape(&capsule, 2.0, &Isometry3::identity());
        assert!((ball.tensor - capsule.tensor).norm() < 1e-12);
    }

    #[test]
    fn principal_axes_give_the_tensor_back() {
        let tensor = Matrix3::new(3.0, 0.2, -0.1, 0.2, 2.0, 0.3, -0.1, 0.3, 4.0) * 1e-6;
        let mass = Mass { kg: 0.1, center_m: Point3::new(0.1, 0.2, 0.3), tensor };
        let found = mass.principal().expect("it is positive definite");
        let frame = Isometry3::from_parts(mass.center_m.coords.into(), found.body_from_axes);
        let back = Mass::diagonal(0.1, &frame, found.moments);
        assert!((back.tensor - tensor).norm() < 1e-15, "{}", back.tensor);
        assert!(Mass::ZERO.principal().is_none());
    }
}
