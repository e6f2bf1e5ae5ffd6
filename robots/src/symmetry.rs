//! In which orientations an object looks the same.

use crate::model::GeomShape;
use nalgebra::{UnitQuaternion, Vector3};
use serde::{Deserialize, Serialize};
use std::f32::consts::{FRAC_PI_2, PI, TAU};

/// The rotations that leave an object's form as it is, colours aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Symmetry {
    /// None but the identity.
    Nothing,
    /// Half turns about x, y and z: a box with three different sides. 4 orientations.
    Cuboid,
    /// A straight body along z over a regular polygon: 2 n orientations, for n = 4 a box with two equal sides.
    Prism {
        /// Sides of the polygon, n.
        side_count: u32,
    },
    /// A cube: 24 orientations.
    Cube,
    /// Every turn about z, and upside down: a cylinder, a capsule.
    Cylinder,
    /// Every rotation.
    Sphere,
}

/// Sides nearer to each other than this share count as equal.
const EQUAL: f32 = 1e-3;

impl Symmetry {
    /// That of a shape. A box with two equal sides counts as a prism only where they lie across z, and as a cuboid
    /// otherwise: fewer orientations are still all alike.
    pub fn of(shape: &GeomShape) -> Self {
        match *shape {
            GeomShape::Box { half_extents_m: [x, y, z] } => {
                let equal = |a: f32, b: f32| (a - b).abs() <= EQUAL * a.max(b);
                match (equal(x, y), equal(y, z)) {
                    (true, true) => Symmetry::Cube,
                    (true, false) => Symmetry::Prism { side_count: 4 },
                    _ => Symmetry::Cuboid,
                }
            }
            GeomShape::Sphere { .. } => Symmetry::Sphere,
            GeomShape::Capsule { .. } | GeomShape::Cylinder { .. } => Symmetry::Cylinder,
            GeomShape::Prism { side_count, .. } => Symmetry::Prism { side_count },
        }
    }

    /// The rotations of a finite group, the identity first. Of a cylinder: the identity and upside down, of a sphere the
    /// identity, each to be completed by a turn (see [`Folding::fold`]).
    pub fn rotations(self) -> Vec<UnitQuaternion<f32>> {
        let about = |axis: Vector3<f32>, angle_rad: f32| UnitQuaternion::from_scaled_axis(axis * angle_rad);
        let upside_down = about(Vector3::x(), PI);
        match self {
            Symmetry::Nothing | Symmetry::Sphere => vec![UnitQuaternion::identity()],
            Symmetry::Cuboid => {
                vec![UnitQuaternion::identity(), upside_down, about(Vector3::y(), PI), about(Vector3::z(), PI)]
            }
            Symmetry::Cylinder => vec![UnitQuaternion::identity(), upside_down],
            Symmetry::Prism { side_count } => {
                let turn = |side: u32| about(Vector3::z(), TAU * side as f32 / side_count.max(1) as f32);
                let turns = (0..side_count.max(1)).map(turn);
                turns.flat_map(|turn| [turn, turn * upside_down]).collect()
            }
            Symmetry::Cube => {
                // Which face is up (six ways), then four quarter turns.
                let faces = [
                    UnitQuaternion::identity(),
                    about(Vector3::x(), FRAC_PI_2),
                    about(Vector3::x(), PI),
                    about(Vector3::x(), -FRAC_PI_2),
                    about(Vector3::y(), FRAC_PI_2),
                    about(Vector3::y(), -FRAC_PI_2),
                ];
                let turn = |quarter: u32| about(Vector3::z(), FRAC_PI_2 * quarter as f32);
                faces.into_iter().flat_map(|face| (0..4).map(move |quarter| face * turn(quarter))).collect()
            }
        }
    }
}

/// Finds among orientations that look alike the one that is meant. Keeps the group's rotations at hand.
#[derive(Debug, Clone)]
pub struct Folding {
    symmetry: Symmetry,
    rotations: Vec<UnitQuaternion<f32>>,
}

impl Folding {
    /// For objects of this symmetry.
    pub fn new(symmetry: Symmetry) -> Self {
        Self { symmetry, rotations: symmetry.rotations() }
    }

    /// Of all orientations in which the object looks the same as in `palm_from_object`, the one turned least from
    /// `reference`. Of equals the first counts.
    pub fn fold(&self, palm_from_object: &UnitQuaternion<f32>, reference: &UnitQuaternion<f32>) -> UnitQuaternion<f32> {
        if self.symmetry == Symmetry::Sphere {
            return *reference;
        }
        let mut best = (*palm_from_object, f32::NEG_INFINITY);
        for rotation in &self.rotations {
            let mut candidate = palm_from_object * rotation;
            if self.symmetry == Symmetry::Cylinder {
                candidate = turned_about_z_towards(&candidate, reference);
            }
            // The cosine of half the angle between them.
            let likeness = reference.coords.dot(&candidate.coords).abs();
            // Rounding must not decide between equals.
            if likeness > best.1 + 1e-6 {
                best = (candidate, likeness);
            }
        }
        best.0
    }
}

/// `rotation`, turned about its own z axis so that it comes nearest to `reference`.
fn turned_about_z_towards(rotation: &UnitQuaternion<f32>, reference: &UnitQuaternion<f32>) -> UnitQuaternion<f32> {
    // w of (rotation^-1 reference) rotated by -angle about z is greatest at this angle.
    let between = rotation.inverse() * reference;
    let angle_rad = 2.0 * between.k.atan2(between.w);
    rotation * UnitQuaternion::from_axis_angle(&Vector3::z_axis(), angle_rad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [Symmetry; 7] = [
        Symmetry::Nothing,
        Symmetry::Cuboid,
        Symmetry::Prism { side_count: 4 },
        Symmetry::Prism { side_count: 8 },
        Symmetry::Cube,
        Symmetry::Cylinder,
        Symmetry::Sphere,
    ];

    fn rotation() -> impl Strategy<Value = UnitQuaternion<f32>> {
        prop::array::uniform3(-3.0_f32..3.0).prop_map(|v| UnitQuaternion::from_scaled_axis(Vector3::from(v)))
    }

    #[test]
    fn groups_have_as_many_members_as_geometry_says_and_are_closed() {
        for (symmetry, count) in [
            (Symmetry::Cuboid, 4),
            (Symmetry::Prism { side_count: 8 }, 16),
            (Symmetry::Cube, 24),
            (Symmetry::Nothing, 1),
        ] {
            let members = symmetry.rotations();
            assert_eq!(members.len(), count);
            let known = |q: &UnitQuaternion<f32>| members.iter().filter(|own| own.angle_to(q) < 1e-3).count();
            for (a, b) in members.iter().flat_map(|a| members.iter().map(move |b| (a, b))) {
                assert_eq!(known(&(a * b)), 1, "{symmetry:?}");
            }
        }
    }

    #[test]
    fn shapes_have_the_symmetry_of_their_form() {
        let of = |half_extents_m| Symmetry::of(&GeomShape::Box { half_extents_m });
        assert_eq!(of([0.035; 3]), Symmetry::Cube);
        assert_eq!(of([0.03, 0.03, 0.04]), Symmetry::Prism { side_count: 4 });
        assert_eq!(of([0.03, 0.04, 0.04]), Symmetry::Cuboid);
        assert_eq!(of([0.025, 0.03, 0.045]), Symmetry::Cuboid);
    }

    proptest! {
        #[test]
        fn orientations_that_look_alike_fold_to_the_same_one(q in rotation(), pick in 0_usize..24, turn_rad in -3.0_f32..3.0) {
            let identity = UnitQuaternion::identity();
            for symmetry in ALL {
                let members = symmetry.rotations();
                let mut alike = q * members[pick % members.len()];
                if symmetry == Symmetry::Cylinder {
                    alike *= UnitQuaternion::from_axis_angle(&Vector3::z_axis(), turn_rad);
                }
                let folding = Folding::new(symmetry);
                let (one, other) = (folding.fold(&q, &identity), folding.fold(&alike, &identity));
                // Where two are equally near, rounding may choose either: then they are as near.
                prop_assert!((one.angle() - other.angle()).abs() < 2e-2, "{symmetry:?} {} {}", one.angle(), other.angle());
                prop_assert!(one.angle() <= q.angle() + 1e-2, "{symmetry:?}");
            }
        }
    }

    #[test]
    fn a_cube_on_its_side_looks_like_one_that_lies_flat() {
        let tipped = UnitQuaternion::from_axis_angle(&Vector3::y_axis(), FRAC_PI_2 + 0.2);
        let folded = Folding::new(Symmetry::Cube).fold(&tipped, &UnitQuaternion::identity());
        assert!((folded.angle() - 0.2).abs() < 1e-3, "{}", folded.angle());
    }
}
