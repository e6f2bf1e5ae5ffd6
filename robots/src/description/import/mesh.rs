//! Reads the corners of a mesh file, for its bounding box and its mass: STL (binary and text), OBJ, and of COLLADA the
//! corners alone.

use super::dae;
use super::inertia::Mass;
use crate::model::GeomShape;
use nalgebra::{Isometry3, Matrix3, Point3, Vector3};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Larger mesh files are not read.
const MAX_MESH_BYTES: u64 = 64 << 20;
/// How the text begins that Git puts in place of a large file.
const LFS_POINTER: &[u8] = b"version https://git-lfs";
/// A mesh that reaches farther than this, m, has other units.
const MOST_HALF_EXTENT_M: f64 = 0.75;
/// A mesh flatter than this, m, is given this thickness.
pub(super) const MIN_HALF_EXTENT_M: f64 = 5e-4;

/// Triangles of a mesh.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Mesh {
    corners: Vec<Point3<f64>>,
    triangles: Vec<[usize; 3]>,
}

impl Mesh {
    /// A mesh of given corners, without faces.
    pub(super) fn of_corners(numbers: &[f64]) -> Option<Self> {
        let corners: Vec<_> = numbers.chunks_exact(3).map(|xyz| Point3::new(xyz[0], xyz[1], xyz[2])).collect();
        Self { corners, triangles: Vec::new() }.checked()
    }

    /// Reads a mesh file, or says why it cannot.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(|error| error.to_string())?;
        file.take(MAX_MESH_BYTES + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        if bytes.starts_with(LFS_POINTER) {
            return Err("these are Git's pointers to the files; fetch the files with `git lfs pull`".to_owned());
        }
        if bytes.len() as u64 > MAX_MESH_BYTES {
            return Err(format!("larger than {MAX_MESH_BYTES} bytes"));
        }
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
        let mesh = match ending.as_str() {
            "stl" => binary_stl(&bytes).or_else(|| text_stl(&bytes)),
            "obj" => obj(&bytes),
            "dae" => {
                let corners = std::str::from_utf8(&bytes).ok().and_then(dae::corners);
                corners.map(|corners| Self { corners, triangles: Vec::new() })
            }
            _ => return Err(format!("`.{ending}` is none of STL, OBJ and COLLADA; convert them")),
        };
        mesh.and_then(Self::checked).ok_or_else(|| format!("damaged, or no `.{ending}`"))
    }

    fn checked(self) -> Option<Self> {
        let finite = self.corners.iter().all(|corner| corner.iter().all(|number| number.is_finite()));
        let count = self.corners.len();
        let whole = self.triangles.iter().flatten().all(|index| *index < count);
        (count > 0 && finite && whole).then_some(self)
    }

    /// The mesh in metres, and whether it was taken for millimetres: no part of a hand is larger than a metre and a half.
    pub(super) fn in_metres(self) -> (Self, bool) {
        let (GeomShape::Box { half_extents_m }, _) = self.bounding_box() else { return (self, false) };
        if half_extents_m.into_iter().all(|half| f64::from(half) <= MOST_HALF_EXTENT_M) {
            return (self, false);
        }
        (self.placed(&Isometry3::identity(), Vector3::repeat(1e-3)), true)
    }

    /// Its corners.
    pub(super) fn corners(&self) -> &[Point3<f64>] {
        &self.corners
    }

    /// The mesh moved by `pose` and then stretched by `scale`.
    pub(super) fn placed(&self, pose: &Isometry3<f64>, scale: Vector3<f64>) -> Self {
        let corners = self.corners.iter().map(|corner| (pose * corner).coords.component_mul(&scale).into()).collect();
        Self { corners, triangles: self.triangles.clone() }
    }

    /// The bounding box along the axes of the mesh, and the position of its middle.
    pub(super) fn bounding_box(&self) -> (GeomShape, Vector3<f64>) {
        let (mut low, mut high) = (self.corners[0].coords, self.corners[0].coords);
        for corner in &self.corners {
            low = low.inf(&corner.coords);
            high = high.sup(&corner.coords);
        }
        let half = ((high - low) / 2.0).map(|half| half.max(MIN_HALF_EXTENT_M) as f32);
        (GeomShape::Box { half_extents_m: half.into() }, (low + high) / 2.0)
    }

    /// Mass of what the triangles enclose, at `density` kg/m3; `None` when they enclose nothing.
    pub(super) fn mass(&self, density: f64) -> Option<Mass> {
        let enclosed = self.moments(&Vector3::zeros(), false);
        let (GeomShape::Box { half_extents_m: [x, y, z] }, _) = self.bounding_box() else { return None };
        let boxed = 8.0 * f64::from(x) * f64::from(y) * f64::from(z);
        // Inside out, open, or with walls that cross: what comes out is no volume.
        let volume = enclosed.volume;
        if !volume.is_finite() || volume.abs() < 1e-3 * boxed || volume.abs() > boxed * 1.001 {
            return None;
        }
        let (kg, center) = (volume.abs() * density, enclosed.first / volume);
        let second = enclosed.second * volume.signum() * density - center * center.transpose() * kg;
        Some(Mass { kg, center_m: center.into(), tensor: inertia_of(&second) })
    }

    /// Mass as MuJoCo reckons it unless told otherwise (`inertia="legacy"`): the pyramids from the triangles to the
    /// middle all count as full, so that hollow and open meshes weigh more than they enclose.
    pub(super) fn legacy_mass(&self, density: f64) -> Option<Mass> {
        let (mut area, mut middle) = (0.0, Vector3::zeros());
        for [a, b, c] in self.corners_of_triangles() {
            let own = (b - a).cross(&(c - a)).norm() / 2.0;
            area += own;
            middle += (a + b + c) / 3.0 * own;
        }
        if !area.is_normal() {
            return None;
        }
        let middle = middle / area;
        let about_middle = self.moments(&middle, true);
        if !about_middle.volume.is_normal() {
            return None;
        }
        let center = middle + about_middle.first / about_middle.volume;
        let about_center = self.moments(&center, true);
        let tensor = inertia_of(&(about_center.second * density));
        let kg = about_center.volume * density;
        (kg.is_normal() && tensor.iter().all(|number| number.is_finite())).then_some(Mass {
            kg,
            center_m: center.into(),
            tensor,
        })
    }

    fn corners_of_triangles(&self) -> impl Iterator<Item = [Vector3<f64>; 3]> {
        self.triangles.iter().map(|triangle| triangle.map(|index| self.corners[index].coords))
    }

    /// Volume and its moments about a point: a sum over the tetrahedra between it and the triangles, those behind it
    /// counting as negative, or as positive too.
    fn moments(&self, about: &Vector3<f64>, all_positive: bool) -> Moments {
        let mut sum = Moments { volume: 0.0, first: Vector3::zeros(), second: Matrix3::zeros() };
        for corners in self.corners_of_triangles() {
            let [a, b, c] = corners.map(|corner| corner - about);
            let six = a.dot(&b.cross(&c));
            let six = if all_positive { six.abs() } else { six };
            let total = a + b + c;
            sum.volume += six / 6.0;
            sum.first += total * six / 24.0;
            let squares = a * a.transpose() + b * b.transpose() + c * c.transpose() + total * total.transpose();
            sum.second += squares * six / 120.0;
        }
        sum
    }
}

/// Integrals over a volume of 1, of the position, and of its square as a matrix.
struct Moments {
    volume: f64,
    first: Vector3<f64>,
    second: Matrix3<f64>,
}

/// The tensor of inertia for second moments.
fn inertia_of(second: &Matrix3<f64>) -> Matrix3<f64> {
    Matrix3::identity() * second.trace() - second
}

fn binary_stl(bytes: &[u8]) -> Option<Mesh> {
    const HEADER: usize = 84;
    const FACET: usize = 50;
    let count = u32::from_le_bytes(bytes.get(80..HEADER)?.try_into().ok()?) as usize;
    if bytes.len() < HEADER + count.checked_mul(FACET)? {
        return None;
    }
    let number = |at: usize| f64::from(f32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]));
    let mut mesh = Mesh::default();
    for facet in 0..count {
        let first = mesh.corners.len();
        for corner in 0..3 {
            let at = HEADER + facet * FACET + 12 + corner * 12;
            mesh.corners.push(Point3::new(number(at), number(at + 4), number(at + 8)));
        }
        mesh.triangles.push([first, first + 1, first + 2]);
    }
    Some(mesh)
}

fn text_stl(bytes: &[u8]) -> Option<Mesh> {
    let mut mesh = Mesh::default();
    for line in std::str::from_utf8(bytes).ok()?.lines() {
        if let Some(numbers) = line.trim_start().strip_prefix("vertex ") {
            mesh.corners.push(point(numbers)?);
        }
    }
    mesh.triangles = (0..mesh.corners.len() / 3).map(|face| [3 * face, 3 * face + 1, 3 * face + 2]).collect();
    Some(mesh)
}

fn obj(bytes: &[u8]) -> Option<Mesh> {
    let mut mesh = Mesh::default();
    for line in String::from_utf8_lossy(bytes).lines() {
        let line = line.trim_start();
        if let Some(numbers) = line.strip_prefix("v ") {
            mesh.corners.push(point(numbers)?);
        } else if let Some(face) = line.strip_prefix("f ") {
            let corner = |word: &str| obj_index(word.split('/').next()?, mesh.corners.len());
            let corners: Option<Vec<usize>> = face.split_ascii_whitespace().map(corner).collect();
            let corners = corners?;
            for fan in 2..corners.len() {
                mesh.triangles.push([corners[0], corners[fan - 1], corners[fan]]);
            }
        }
    }
    Some(mesh)
}

/// OBJ counts from 1, or backwards from -1.
fn obj_index(word: &str, count: usize) -> Option<usize> {
    match word.parse::<i64>().ok()? {
        0 => None,
        forward @ 1.. => usize::try_from(forward - 1).ok(),
        backward => count.checked_sub(usize::try_from(backward.checked_neg()?).ok()?),
    }
}

fn point(numbers: &str) -> Option<Point3<f64>> {
    let mut words = numbers.split_ascii_whitespace().map(|word| word.parse::<f64>().ok());
    Some(Point3::new(words.next()??, words.next()??, words.next()??))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::float_cmp, reason = "tests: a panic is the report")]
    use super::*;

    /// A box of 2 x 4 x 6 around (1, 2, 3), as OBJ with faces of four corners.
    const BOX: &str = "v 0 0 0\nv 2 0 0\nv 2 4 0\nv 0 4 0\nv 0 0 6\nv 2 0 6\nv 2 4 6\nv 0 4 6\n\
        f 4 3 2 1\nf 5 6 7 8\nf 1 2 6 5\nf 2 3 7 6\nf 3 4 8 7\nf 4 1 5 8\n";

    #[test]
    fn a_mesh_of_a_box_has_the_box_and_its_mass() {
        let mesh = obj(BOX.as_bytes()).unwrap().checked().unwrap();
        let (shape, middle) = mesh.bounding_box();
        assert_eq!(shape, GeomShape::Box { half_extents_m: [1.0, 2.0, 3.0] });
        assert_eq!(middle, Vector3::new(1.0, 2.0, 3.0));
        let expected = Mass::of_shape(&shape, 480.0, &Isometry3::translation(1.0, 2.0, 3.0));
        let found = mesh.mass(10.0).unwrap();
        assert!((found.kg - 480.0).abs() < 1e-9 && (found.tensor - expected.tensor).norm() < 1e-9, "{found:?}");
        assert!((found.center_m - expected.center_m).norm() < 1e-12);
        // A convex mesh weighs what it encloses, however it is reckoned.
        let legacy = mesh.legacy_mass(10.0).unwrap();
        assert!((legacy.kg - 480.0).abs() < 1e-9 && (legacy.tensor - expected.tensor).norm() < 1e-9, "{legacy:?}");
    }

    #[test]
    fn the_same_mesh_reads_the_same_as_stl() {
        let mesh = obj(BOX.as_bytes()).unwrap();
        let mut text = String::from("solid box\n");
        let mut binary = vec![0u8; 80];
        binary.extend((mesh.triangles.len() as u32).to_le_bytes());
        for triangle in &mesh.triangles {
            text.push_str("facet normal 0 0 0\nouter loop\n");
            binary.extend([0u8; 12]);
            for corner in triangle.map(|index| mesh.corners[index]) {
                text.push_str(&format!("  vertex {} {} {}\n", corner.x, corner.y, corner.z));
                corner.iter().for_each(|number| binary.extend((*number as f32).to_le_bytes()));
            }
            binary.extend([0u8; 2]);
            text.push_str("endloop\nendfacet\n");
        }
        for read in [text_stl(text.as_bytes()).unwrap(), binary_stl(&binary).unwrap()] {
            assert!((read.mass(1.0).unwrap().kg - 48.0).abs() < 1e-9);
            assert_eq!(read.bounding_box(), mesh.bounding_box());
        }
        assert!(binary_stl(&binary[..binary.len() - 1]).is_none() && binary_stl(&[]).is_none());
    }

    #[test]
    fn a_wall_within_weighs_in_mujocos_reckoning_only() {
        let hollow = format!("{BOX}v 0.5 1 1\nv 1.5 1 1\nv 1.5 3 1\nv 0.5 3 1\nf 9 10 11 12\nf 12 11 10 9\n");
        let mesh = obj(hollow.as_bytes()).unwrap().checked().unwrap();
        assert!((mesh.mass(1.0).unwrap().kg - 48.0).abs() < 1e-9);
        assert!(mesh.legacy_mass(1.0).unwrap().kg > 48.5);
    }

    #[test]
    fn faces_that_name_no_corner_are_refused() {
        assert!(obj(b"v 0 0 0\nf 1 2 3\n").unwrap().checked().is_none());
        assert!(obj(b"v 0 0 0\nf 0 1 1\n").is_none());
        assert!(obj(b"v 0 nan 0\n").unwrap().checked().is_none());
        assert!(obj(b"").unwrap().checked().is_none());
    }
}
