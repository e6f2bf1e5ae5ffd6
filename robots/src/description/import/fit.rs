//! The primitive of least volume that encloses a cloud of points.

use super::inertia::{Mass, volume};
use super::mesh::MIN_HALF_EXTENT_M;
use super::shape::z_onto;
use crate::model::GeomShape;
use nalgebra::{Isometry3, Matrix3, Point3, UnitQuaternion, Vector3};

/// Directions in which the farthest points are looked for, to try turns on few points.
const DIRECTIONS: usize = 128;
/// Steps of the search for the middle of the smallest ball or circle, while turns are tried and for the one that is kept:
/// in the end its radius is found within about one percent.
const FEW_STEPS: usize = 24;
const STEPS: usize = 300;
/// Turns are tried in steps from the first to the last of these, rad, each half of the one before.
const TURN_RAD: [f64; 2] = [0.4, 0.006];

/// A shape and where it stands.
type Fit = (GeomShape, Isometry3<f64>);

/// Of the boxes, balls, capsules and cylinders that enclose all points, however turned, about the smallest.
pub(super) fn least_volume(points: &[Point3<f64>]) -> (GeomShape, Isometry3<f64>) {
    let few = farthest(points);
    let starts = [UnitQuaternion::identity(), principal_axes(&few)];
    let mut best = ball(&few, points);
    let mut keep = |fit: Fit| {
        if volume(&fit.0) < volume(&best.0) {
            best = fit;
        }
    };
    for start in starts {
        let turn = search(start, |turn| volume(&boxed(&few, turn).0));
        keep(boxed(points, &turn));
        for axis in 0..3 {
            let along = z_onto(&(turn * Vector3::ith(axis, 1.0)));
            for around in [capsule, cylinder] {
                let turn = search(along, |turn| volume(&around(&few, &few, turn, FEW_STEPS).0));
                keep(around(&few, points, &turn, STEPS));
            }
        }
    }
    best
}

/// The points that are farthest in any of many directions: nothing of a convex hull that counts is missing.
fn farthest(points: &[Point3<f64>]) -> Vec<Point3<f64>> {
    let golden = std::f64::consts::PI * (3.0 - 5.0_f64.sqrt());
    let mut chosen: Vec<usize> = (0..DIRECTIONS)
        .filter_map(|index| {
            let z = 1.0 - (2.0 * index as f64 + 1.0) / DIRECTIONS as f64;
            let (across, angle) = ((1.0 - z * z).sqrt(), golden * index as f64);
            let direction = Vector3::new(across * angle.cos(), across * angle.sin(), z);
            let mut best: Option<(usize, f64)> = None;
            for (at, point) in points.iter().enumerate() {
                let reach = point.coords.dot(&direction);
                if best.is_none_or(|(_, most)| reach > most) {
                    best = Some((at, reach));
                }
            }
            best.map(|(at, _)| at)
        })
        .collect();
    chosen.sort_unstable();
    chosen.dedup();
    chosen.into_iter().map(|index| points[index]).collect()
}

fn principal_axes(points: &[Point3<f64>]) -> UnitQuaternion<f64> {
    let middle = points.iter().map(|point| point.coords).sum::<Vector3<f64>>() / points.len().max(1) as f64;
    let spread: Matrix3<f64> =
        points.iter().map(|point| (point.coords - middle) * (point.coords - middle).transpose()).sum();
    let cloud = Mass { kg: 1.0, center_m: middle.into(), tensor: spread };
    cloud.principal().map_or_else(UnitQuaternion::identity, |found| found.body_from_axes)
}

/// Turns about the axes as long as that makes something smaller.
fn search(start: UnitQuaternion<f64>, size: impl Fn(&UnitQuaternion<f64>) -> f64) -> UnitQuaternion<f64> {
    let (mut best, mut least) = (start, size(&start));
    let mut step = TURN_RAD[0];
    while step > TURN_RAD[1] {
        let mut better = false;
        for axis in [Vector3::x_axis(), Vector3::y_axis(), Vector3::z_axis()] {
            for angle in [step, -step] {
                let tried = best * UnitQuaternion::from_axis_angle(&axis, angle);
                let found = size(&tried);
                if found < least * (1.0 - 1e-6) {
                    (best, least, better) = (tried, found, true);
                }
            }
        }
        if !better {
            step /= 2.0;
        }
    }
    best
}

fn at_least(half: f64) -> f32 {
    half.max(MIN_HALF_EXTENT_M) as f32
}

fn boxed(points: &[Point3<f64>], turn: &UnitQuaternion<f64>) -> Fit {
    let back = turn.inverse();
    let (mut low, mut high) = (Vector3::repeat(f64::INFINITY), Vector3::repeat(f64::NEG_INFINITY));
    for point in points {
        let local = back * point.coords;
        (low, high) = (low.inf(&local), high.sup(&local));
    }
    let half = (high - low) / 2.0;
    let middle = turn * ((low + high) / 2.0);
    let shape = GeomShape::Box { half_extents_m: half.map(at_least).into() };
    (shape, Isometry3::from_parts(middle.into(), *turn))
}

/// The middle of about the smallest ball around points: again and again a little toward the farthest one.
fn middle(points: &[Vector3<f64>], steps: usize) -> Vector3<f64> {
    let mut middle = points.iter().sum::<Vector3<f64>>() / points.len().max(1) as f64;
    for step in 0..steps {
        let apart = |point: &&Vector3<f64>| (*point - middle).norm_squared();
        if let Some(farthest) = points.iter().max_by(|a, b| apart(a).total_cmp(&apart(b))) {
            middle += (farthest - middle) / (step + 2) as f64;
        }
    }
    middle
}

fn ball(few: &[Point3<f64>], points: &[Point3<f64>]) -> Fit {
    let few: Vec<Vector3<f64>> = few.iter().map(|point| point.coords).collect();
    let middle = middle(&few, STEPS);
    let radius = points.iter().map(|point| (point.coords - middle).norm()).fold(0.0, f64::max);
    (GeomShape::Sphere { radius_m: at_least(radius) }, Isometry3::translation(middle.x, middle.y, middle.z))
}

/// Where the axis along z of a turned frame goes through the points, and how far they are from it: their places along it
/// and across.
fn about_axis(
    few: &[Point3<f64>],
    points: &[Point3<f64>],
    turn: &UnitQuaternion<f64>,
    steps: usize,
) -> (Vector3<f64>, Vec<[f64; 2]>) {
    let back = turn.inverse();
    let flat: Vec<Vector3<f64>> =
        few.iter().map(|point| (back * point.coords).component_mul(&Vector3::new(1.0, 1.0, 0.0))).collect();
    let middle = middle(&flat, steps);
    let place = |point: &Point3<f64>| {
        let local = back * point.coords - middle;
        [local.z, local.x.hypot(local.y)]
    };
    (middle, points.iter().map(place).collect())
}

fn cylinder(few: &[Point3<f64>], points: &[Point3<f64>], turn: &UnitQuaternion<f64>, steps: usize) -> Fit {
    let (middle, places) = about_axis(few, points, turn, steps);
    let radius = places.iter().map(|[_, across]| *across).fold(0.0, f64::max);
    let low = places.iter().map(|[along, _]| *along).fold(f64::INFINITY, f64::min);
    let high = places.iter().map(|[along, _]| *along).fold(f64::NEG_INFINITY, f64::max);
    let center = turn * (middle + Vector3::z() * ((low + high) / 2.0));
    let shape = GeomShape::Cylinder { half_length_m: at_least((high - low) / 2.0), radius_m: at_least(radius) };
    (shape, Isometry3::from_parts(center.into(), *turn))
}

fn capsule(few: &[Point3<f64>], points: &[Point3<f64>], turn: &UnitQuaternion<f64>, steps: usize) -> Fit {
    let (middle, places) = about_axis(few, points, turn, steps);
    let radius = places.iter().map(|[_, across]| *across).fold(0.0, f64::max);
    // The round ends reach farther near the axis than at its side.
    let end = |across: f64| (radius * radius - across * across).max(0.0).sqrt();
    let low = places.iter().map(|[along, across]| along + end(*across)).fold(f64::INFINITY, f64::min);
    let high = places.iter().map(|[along, across]| along - end(*across)).fold(f64::NEG_INFINITY, f64::max);
    let center = turn * (middle + Vector3::z() * ((low + high) / 2.0));
    let shape = GeomShape::Capsule { half_length_m: at_least((high - low) / 2.0), radius_m: at_least(radius) };
    (shape, Isometry3::from_parts(center.into(), *turn))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turned() -> Isometry3<f64> {
        Isometry3::new(Vector3::new(0.01, -0.02, 0.03), Vector3::new(0.4, 0.7, -0.3))
    }

    /// Points on a surface of revolution about z: radius by height.
    fn lathe(outline: &[[f64; 2]]) -> Vec<Point3<f64>> {
        let rings = outline.iter().flat_map(|[z, radius]| {
            (0..24).map(move |step| {
                let angle = f64::from(step) * std::f64::consts::TAU / 24.0;
                turned() * Point3::new(radius * angle.cos(), radius * angle.sin(), *z)
            })
        });
        rings.collect()
    }

    /// How far a point is outside, m.
    fn outside((shape, at): &Fit, point: &Point3<f64>) -> f64 {
        let p = at.inverse() * point;
        match *shape {
            GeomShape::Box { half_extents_m } => {
                (p.coords.abs() - Vector3::from(half_extents_m).cast()).sup(&Vector3::zeros()).norm()
            }
            GeomShape::Sphere { radius_m } => p.coords.norm() - f64::from(radius_m),
            GeomShape::Capsule { half_length_m, radius_m } => {
                let along = (p.z.abs() - f64::from(half_length_m)).max(0.0);
                Vector3::new(p.x, p.y, along).norm() - f64::from(radius_m)
            }
            GeomShape::Cylinder { half_length_m, radius_m } | GeomShape::Prism { half_length_m, radius_m, .. } => {
                (p.x.hypot(p.y) - f64::from(radius_m)).max(p.z.abs() - f64::from(half_length_m))
            }
        }
    }

    fn fit(points: &[Point3<f64>]) -> GeomShape {
        let fit = least_volume(points);
        let worst = points.iter().map(|point| outside(&fit, point)).fold(0.0, f64::max);
        assert!(worst < 1e-6, "{worst} m outside of {fit:?}");
        fit.0
    }

    #[test]
    fn a_turned_block_is_that_block() {
        let corners =
            [-1.0, 1.0].map(|x| [-1.0, 1.0].map(|y| [-1.0, 1.0].map(|z| Point3::new(0.01 * x, 0.02 * y, 0.035 * z))));
        let corners: Vec<Point3<f64>> =
            corners.into_iter().flatten().flatten().map(|corner| turned() * corner).collect();
        let GeomShape::Box { half_extents_m } = fit(&corners) else { panic!("{:?}", fit(&corners)) };
        let (mut found, expected) = (half_extents_m, [0.01, 0.02, 0.035]);
        found.sort_by(f32::total_cmp);
        assert!(found.iter().zip(expected).all(|(a, b)| (a / b - 1.0).abs() < 0.03), "{found:?}");
    }

    #[test]
    fn a_rod_with_round_ends_is_a_capsule_and_one_with_flat_ends_a_cylinder() {
        let round: Vec<[f64; 2]> = (0..=16)
            .map(|step| (f64::from(step) / 16.0 - 0.5) * std::f64::consts::PI)
            .map(|angle| [0.01 * angle.sin() + 0.02 * angle.signum(), 0.01 * angle.cos()])
            .collect();
        let GeomShape::Capsule { half_length_m, radius_m } = fit(&lathe(&round)) else {
            panic!("{:?}", fit(&lathe(&round)))
        };
        assert!((radius_m - 0.01).abs() < 4e-4 && (half_length_m - 0.02).abs() < 1e-3, "{radius_m} {half_length_m}");
        let flat = lathe(&[[-0.02, 0.01], [0.02, 0.01]]);
        let GeomShape::Cylinder { half_length_m, radius_m } = fit(&flat) else { panic!("{:?}", fit(&flat)) };
        assert!((radius_m - 0.01).abs() < 4e-4 && (half_length_m - 0.02).abs() < 1e-3, "{radius_m} {half_length_m}");
    }

    #[test]
    fn a_ball_is_a_ball_and_a_single_point_has_some_size() {
        let ball: Vec<[f64; 2]> = (0..=24)
            .map(|step| (f64::from(step) / 24.0 - 0.5) * std::f64::consts::PI)
            .map(|angle| [0.012 * angle.sin(), 0.012 * angle.cos()])
            .collect();
        let volume = volume(&fit(&lathe(&ball)));
        assert!(volume < 1.15 * 4.0 / 3.0 * std::f64::consts::PI * 0.012_f64.powi(3), "{volume}");
        fit(&[Point3::new(1.0, 2.0, 3.0)]);
    }
}
