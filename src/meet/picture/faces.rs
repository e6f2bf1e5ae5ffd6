//! Shapes as flat faces.

use giraffe_physics::SceneView;
use giraffe_robots::{GeomShape, Region};
use nalgebra::{Isometry3, Point3, Vector3};
use std::f32::consts::{PI, TAU};

/// Sides of what is round.
const SIDES: usize = 16;
/// Rings of half a ball.
const RINGS: usize = 4;
/// Faces are cut into pieces about so large, m, so that sorting them by distance sorts what they belong to.
const TILE_M: f32 = 0.02;

/// What a face belongs to, which decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Palm,
    Link,
    Tip,
    Object,
}

impl Part {
    pub(super) const ALL: [Part; 4] = [Part::Palm, Part::Link, Part::Tip, Part::Object];

    pub(super) fn name(self) -> &'static str {
        match self {
            Part::Palm => "palm",
            Part::Link => "link",
            Part::Tip => "fingertip",
            Part::Object => "object",
        }
    }

    /// Red, green, blue, in full light; told apart by colour-blind people (Okabe and Ito, 2008).
    pub(super) fn color(self) -> [u8; 3] {
        match self {
            Part::Palm => [132, 141, 151],
            Part::Link => [196, 203, 210],
            Part::Tip => [86, 180, 233],
            Part::Object => [230, 159, 0],
        }
    }
}

/// A flat piece of a surface, palm frame.
#[derive(Debug, Clone)]
pub(super) struct Face {
    pub(super) corners: Vec<Point3<f32>>,
    /// Outward, length 1.
    pub(super) normal: Vector3<f32>,
    pub(super) part: Part,
    /// Which link and which of its shapes; none for the object.
    pub(super) of: Option<(usize, usize)>,
}

/// The faces of every shape of a scene.
pub(super) fn faces(view: &SceneView) -> Vec<Face> {
    let mut all = Vec::new();
    for (link, (shapes, pose)) in view.shapes.links.iter().zip(&view.poses.palm_from_links).enumerate() {
        for (index, placed) in shapes.shapes.iter().enumerate() {
            let part = match placed.region {
                Region::Palm => Part::Palm,
                Region::Link => Part::Link,
                Region::Tip => Part::Tip,
            };
            add(&mut all, &placed.shape, &(pose * placed.link_from_shape), part, Some((link, index)));
        }
    }
    if let Some(pose) = &view.poses.palm_from_object {
        add(&mut all, &view.shapes.object, pose, Part::Object, None);
    }
    all
}

fn add(all: &mut Vec<Face>, shape: &GeomShape, pose: &Isometry3<f32>, part: Part, of: Option<(usize, usize)>) {
    for corners in outlines(shape) {
        for piece in tiles(corners) {
            let corners: Vec<Point3<f32>> = piece.iter().map(|corner| pose * corner).collect();
            // Every shape is convex around its own origin: outward is away from there.
            let normal = newell(&corners);
            let out = corners[0] - Point3::from(pose.translation.vector);
            let normal = if normal.dot(&out) < 0.0 { -normal } else { normal };
            if let Some(normal) = normal.try_normalize(1e-12) {
                all.push(Face { corners, normal, part, of });
            }
        }
    }
}

/// Twice the area along the normal of a polygon (Newell).
fn newell(corners: &[Point3<f32>]) -> Vector3<f32> {
    let next = corners.iter().cycle().skip(1);
    corners.iter().zip(next).map(|(a, b)| a.coords.cross(&b.coords)).sum()
}

/// Large quadrilaterals in pieces; everything else as it is.
fn tiles(corners: Vec<Point3<f32>>) -> Vec<Vec<Point3<f32>>> {
    let [a, b, c, d] = corners[..] else { return vec![corners] };
    let count = |one: f32, other: f32| ((one.max(other) / TILE_M).ceil() as usize).clamp(1, 12);
    let (columns, rows) = (count((b - a).norm(), (c - d).norm()), count((d - a).norm(), (c - b).norm()));
    let at = |column: usize, row: usize| {
        let (s, t) = (column as f32 / columns as f32, row as f32 / rows as f32);
        let (low, high) = (a + (b - a) * s, d + (c - d) * s);
        low + (high - low) * t
    };
    let piece = |column, row| vec![at(column, row), at(column + 1, row), at(column + 1, row + 1), at(column, row + 1)];
    (0..columns).flat_map(|column| (0..rows).map(move |row| piece(column, row))).collect()
}

/// The faces of a shape in its own frame.
fn outlines(shape: &GeomShape) -> Vec<Vec<Point3<f32>>> {
    match *shape {
        GeomShape::Box { half_extents_m } => cuboid(half_extents_m),
        GeomShape::Sphere { radius_m } => turned(&pill(0.0, radius_m), SIDES),
        GeomShape::Capsule { half_length_m, radius_m } => turned(&pill(half_length_m, radius_m), SIDES),
        GeomShape::Cylinder { half_length_m, radius_m } => turned(&can(half_length_m, radius_m), SIDES),
        GeomShape::Prism { side_count, half_length_m, radius_m } => {
            turned(&can(half_length_m, radius_m), side_count as usize)
        }
    }
}

fn cuboid([x, y, z]: [f32; 3]) -> Vec<Vec<Point3<f32>>> {
    let face = |axis: usize, sign: f32| {
        let corner = |(s, t): (f32, f32)| {
            let mut numbers = [0.0; 3];
            (numbers[axis], numbers[(axis + 1) % 3], numbers[(axis + 2) % 3]) = (sign, s, t);
            Point3::new(numbers[0] * x, numbers[1] * y, numbers[2] * z)
        };
        [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)].map(corner).to_vec()
    };
    (0..3).flat_map(|axis| [face(axis, -1.0), face(axis, 1.0)]).collect()
}

/// Half an outline, from the lower end to the upper: distance from the z axis, and height.
fn can(half_length_m: f32, radius_m: f32) -> Vec<[f32; 2]> {
    vec![[0.0, -half_length_m], [radius_m, -half_length_m], [radius_m, half_length_m], [0.0, half_length_m]]
}

fn pill(half_length_m: f32, radius_m: f32) -> Vec<[f32; 2]> {
    let ring = |index: usize| {
        let angle = PI * (index as f32 / (2 * RINGS) as f32 - 0.5);
        [radius_m * angle.cos(), radius_m * angle.sin()]
    };
    let lower = (0..=RINGS).map(ring).map(|[across, z]| [across, z - half_length_m]);
    let upper = (RINGS..=2 * RINGS).map(ring).map(|[across, z]| [across, z + half_length_m]);
    // A ball has its widest ring once.
    lower.chain(upper.skip(usize::from(half_length_m <= 0.0))).collect()
}

/// What half an outline makes when it is turned about the z axis in so many steps.
fn turned(outline: &[[f32; 2]], sides: usize) -> Vec<Vec<Point3<f32>>> {
    let at = |[across, z]: [f32; 2], side: usize| {
        let angle = TAU * side as f32 / sides as f32;
        Point3::new(across * angle.cos(), across * angle.sin(), z)
    };
    let on_axis = |[across, _]: [f32; 2]| across < 1e-9;
    let mut faces = Vec::new();
    for pair in outline.windows(2) {
        let (low, high) = (pair[0], pair[1]);
        for side in 0..sides {
            let mut face = vec![at(low, side)];
            if !on_axis(low) {
                face.push(at(low, side + 1));
            }
            face.push(at(high, side + 1));
            if !on_axis(high) {
                face.push(at(high, side));
            }
            faces.push(face);
        }
    }
    faces
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The volume that faces enclose (divergence theorem), m3.
    fn volume(shape: &GeomShape) -> f32 {
        let mut all = Vec::new();
        let pose = Isometry3::new(Vector3::new(0.3, -0.2, 0.1), Vector3::new(0.4, -0.7, 0.2));
        add(&mut all, shape, &pose, Part::Link, None);
        let of_face = |face: &Face| {
            let area = 0.5 * newell(&face.corners).norm();
            area * face.normal.dot(&(face.corners[0] - Point3::from(pose.translation.vector))) / 3.0
        };
        all.iter().map(of_face).sum()
    }

    #[test]
    fn faces_enclose_the_shape_they_are_of() {
        let (r, h) = (0.02_f32, 0.03_f32);
        let ball = 4.0 / 3.0 * PI * r.powi(3);
        let hexagon = 3.0 * 3.0_f32.sqrt() / 2.0 * r * r;
        for (shape, expected, least) in [
            (GeomShape::Box { half_extents_m: [0.01, 0.02, 0.03] }, 8.0 * 6e-6, 0.9999),
            (GeomShape::Prism { side_count: 6, half_length_m: h, radius_m: r }, hexagon * 2.0 * h, 0.9999),
            (GeomShape::Cylinder { half_length_m: h, radius_m: r }, PI * r * r * 2.0 * h, 0.95),
            (GeomShape::Sphere { radius_m: r }, ball, 0.9),
            (GeomShape::Capsule { half_length_m: h, radius_m: r }, ball + PI * r * r * 2.0 * h, 0.9),
        ] {
            let share = volume(&shape) / expected;
            assert!(share > least && share < 1.0001, "{shape:?}: {share}");
        }
    }
}
