//! Contact points of cylinders and capsules.
//!
//! The engine's own way (`contact_manifold_pfm_pfm`), with three differences that a round object at rest needs:
//!
//! - Points are found anew every step. The engine keeps them while two shapes turn by less than one degree against each
//!   other; on a round surface they are by then where it touched before, behind the direction in which it rolls, and
//!   the weight standing on them drives it on: a cylinder on a level plate gathers speed by itself.
//! - A cap that lies flat is carried by four points that do not wander about its rim from step to step.
//! - A normal within a degree of a face's is the face's, and a cylinder touches along the line that looks along the
//!   normal: where shapes overlap, normal and points of the search (EPA) are off by that much.

use rapier3d::geometry::{ContactManifold, TrackedContact};
use rapier3d::math::{Pose, Real, Vector};
use rapier3d::parry::query::details::contact_support_map_support_map_with_params;
use rapier3d::parry::query::gjk::{GJKResult, VoronoiSimplex};
use rapier3d::parry::shape::{
    Cuboid, Cylinder, PackedFeatureId, PolygonalFeature, PolygonalFeatureMap, Shape, ShapeType,
};

/// Cosine of the angle, 1.5 degrees, within which a normal is taken for a face's.
const COS_OF_FLAT: Real = 0.999_66;
/// A point of the search counts beside those of the faces only if it lies this much deeper, m.
const DEEPER_M: Real = 2e-5;

/// Whether contact of this shape is found here.
pub(super) fn is_round(shape: &dyn Shape) -> bool {
    matches!(shape.shape_type(), ShapeType::Cylinder | ShapeType::Capsule)
}

/// One shape of a pair, its skin, and what is known about its faces.
struct Side<'a> {
    map: &'a dyn PolygonalFeatureMap,
    skin_m: Real,
    cylinder: Option<&'a Cylinder>,
    cuboid: Option<&'a Cuboid>,
}

impl<'a> Side<'a> {
    fn new(shape: &'a dyn Shape) -> Option<Self> {
        let (map, skin_m) = shape.as_polygonal_feature_map()?;
        Some(Self { map, skin_m, cylinder: shape.as_cylinder(), cuboid: shape.as_cuboid() })
    }

    /// The normal of the face, if any, that `normal` is hardly different from.
    fn face_normal(&self, normal: Vector) -> Option<Vector> {
        let along = |axis: Vector| {
            let cos = normal.dot(axis);
            (cos.abs() > COS_OF_FLAT).then(|| axis * cos.signum())
        };
        match (self.cuboid, self.cylinder) {
            (Some(_), _) => along(Vector::X).or_else(|| along(Vector::Y)).or_else(|| along(Vector::Z)),
            (_, Some(_)) => along(Vector::Y),
            _ => None,
        }
    }

    /// The face, edge or corner that looks along `normal`, near `point`.
    fn feature(&self, normal: Vector, point: Vector) -> PolygonalFeature {
        let mut feature = PolygonalFeature::default();
        match self.cylinder {
            // A direction that is the same at every step gives the same four points of the rim.
            Some(cylinder) if normal.y.abs() > COS_OF_FLAT => {
                cylinder.local_support_feature(Vector::new(0.1, normal.y.signum(), 0.0), &mut feature);
            }
            // On the curved side the line that looks along the normal; the point is less exact.
            Some(cylinder) if normal.y.abs() < 0.5 => cylinder.local_support_feature(normal, &mut feature),
            _ => self.map.local_support_feature_toward(normal, point, &mut feature),
        }
        feature
    }
}

/// Finds the contact points of two shapes. `None` if one of them is not made of faces, edges and corners.
pub(super) fn contacts(
    pos12: &Pose,
    shape1: &dyn Shape,
    shape2: &dyn Shape,
    prediction: Real,
    manifold: &mut ContactManifold,
) -> Option<()> {
    let (side1, side2) = (Side::new(shape1)?, Side::new(shape2)?);
    let before = std::mem::take(&mut manifold.points);
    let found = contact_support_map_support_map_with_params(
        pos12,
        side1.map,
        side2.map,
        prediction + side1.skin_m + side2.skin_m,
        &mut VoronoiSimplex::new(),
        manifold.local_n1.try_normalize(),
    );
    match found {
        GJKResult::ClosestPoints(p1, p2, normal) => fill(pos12, &side1, &side2, [p1, p2], normal, manifold),
        // Where to begin the next search.
        GJKResult::NoIntersection(normal) => manifold.local_n1 = normal,
        _ => manifold.local_n1 = Vector::ZERO,
    }
    manifold.match_contacts(&before);
    Some(())
}

/// Fills the manifold from the closest points (both in the first shape's frame) and the normal.
fn fill(
    pos12: &Pose,
    side1: &Side,
    side2: &Side,
    [p1, p2]: [Vector; 2],
    normal: Vector,
    manifold: &mut ContactManifold,
) {
    let pos21 = pos12.inverse();
    let from_second = || side2.face_normal(pos21.rotation * -normal).map(|normal| pos12.rotation * -normal);
    let normal1 = side1.face_normal(normal).or_else(from_second).unwrap_or(normal);
    let normal2 = pos21.rotation * -normal1;
    let p2_in_2 = pos21 * p2;
    let (feature1, feature2) = (side1.feature(normal1, p1), side2.feature(normal2, p2_in_2));
    PolygonalFeature::contacts(pos12, &pos21, normal1, normal2, &feature1, &feature2, manifold, false);
    let apart_m = (p2 - p1).dot(normal1);
    let nearest_m = manifold.points.iter().map(|point| point.dist).fold(Real::MAX, Real::min);
    if manifold.points.len() < 2 || apart_m < nearest_m - DEEPER_M {
        let unknown = PackedFeatureId::UNKNOWN;
        manifold.points.push(TrackedContact::new(p1, p2_in_2, unknown, unknown, apart_m));
    }
    for point in &mut manifold.points {
        point.local_p1 += normal1 * side1.skin_m;
        point.local_p2 += normal2 * side2.skin_m;
        point.dist -= side1.skin_m + side2.skin_m;
    }
    manifold.local_n1 = normal1;
    manifold.local_n2 = normal2;
}
