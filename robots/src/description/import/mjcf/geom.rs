//! Shapes of a foreign MJCF file: collision shapes as giraffe's own, and what all shapes weigh.

use super::super::Reading;
use super::super::inertia::{self, Mass};
use super::super::mesh::Mesh;
use super::super::meshes::{IN_MILLIMETRES, MISSING, MeshProblem, Meshes, UNREADABLE};
use super::super::raw::RawGeom;
use super::super::report::Notes;
use super::super::shape;
use super::super::source::Source;
use super::isometry;
use crate::description::{DescriptionError, Place};
use crate::model::GeomShape;
use mjcf_rs::Model;
use mjcf_rs::assets::MeshInertia;
use mjcf_rs::body::{Body, Geom, GeomType};
use mjcf_rs::compiler::InertiaFromGeom;
use nalgebra::{Isometry3, Point3, Vector3};
use roxmltree::Node;
use std::collections::BTreeMap;
use std::path::Path;

/// MuJoCo's density of shapes that give none, kg/m3.
const DENSITY: f64 = 1000.0;

pub(super) struct GeomReader<'r> {
    path: &'r Path,
    source: &'r Source,
    model: &'r Model,
    reading: &'r Reading,
    meshes: Meshes,
    /// Meshes by their names in the file, scaled and in place.
    assets: BTreeMap<String, Result<Mesh, MeshProblem>>,
}

/// The shapes of one body.
pub(super) struct BodyGeoms {
    /// Collision shapes; nameless ones have an empty name.
    pub(super) geoms: Vec<RawGeom>,
    /// Mass of all shapes, visual ones included, if the body has no `<inertial>`; `None` if not all is known.
    pub(super) mass: Option<Mass>,
}

/// A shape at its place in the body.
struct Placed {
    shape: GeomShape,
    body_from_geom: Isometry3<f64>,
    /// Where the shape stands for a mesh.
    mesh: Option<(Mesh, Isometry3<f64>)>,
    /// Whether a mesh weighs exactly what it encloses.
    exact: bool,
}

impl<'r> GeomReader<'r> {
    pub(super) fn new(path: &'r Path, source: &'r Source, model: &'r Model, reading: &'r Reading) -> Self {
        let meshes = Meshes::new(path, reading.mesh_shapes);
        Self { path, source, model, reading, meshes, assets: BTreeMap::new() }
    }

    /// Shapes and mass of the body that is called `called`.
    pub(super) fn body(
        &mut self,
        called: &str,
        body: &Body,
        nodes: &[Node],
        notes: &mut Notes,
    ) -> Result<BodyGeoms, DescriptionError> {
        let (mut geoms, mut mass) = (Vec::new(), None);
        let mut weighed_all = true;
        let by_geoms = self.model.compiler.inertia_from_geom == InertiaFromGeom::True;
        // Asked for only where nothing else was found to touch with.
        let shown = self.reading.visuals.contains(called);
        for (geom, node) in body.geoms.iter().zip(nodes) {
            let place = self.source.place_of(*node);
            let name = geom.name.clone().unwrap_or_default();
            let visual = is_visual(geom) && !shown;
            if visual {
                notes.ignored(&place, "visual shapes", "", "they touch nothing");
                if body.inertial.is_some() && !by_geoms {
                    continue;
                }
            }
            let placed = self.place_geom(geom, &name, &place, visual, notes)?;
            match placed.as_ref().and_then(|placed| weigh(geom, placed)) {
                Some(own) => mass = Some(mass.map_or(own, |before: Mass| before.and(&own))),
                None => weighed_all &= is_weightless(geom),
            }
            let Some(placed) = placed.filter(|_| !visual) else { continue };
            let friction = geom.friction[0];
            if friction < 0.0 {
                return Err(place.error(format!("<geom> `{name}`: friction {friction}; it cannot be negative")));
            }
            let collision_bits = if shown { (1, 1) } else { (geom.contype, geom.conaffinity) };
            let (shape, body_from_geom) = (placed.shape, placed.body_from_geom);
            geoms.push(RawGeom { name, shape, body_from_geom, friction, collision_bits });
        }
        if let Some(node) = nodes.first().filter(|_| shown && !geoms.is_empty()) {
            let done = "its visual shapes are what touches";
            notes.warned(&self.source.place_of(*node), "no collision shape, of body", called, done);
        }
        Ok(BodyGeoms { geoms, mass: mass.filter(|mass| weighed_all && mass.kg > 0.0) })
    }

    fn place_geom(
        &mut self,
        geom: &Geom,
        name: &str,
        place: &Place,
        visual: bool,
        notes: &mut Notes,
    ) -> Result<Option<Placed>, DescriptionError> {
        let body_from_geom = isometry(&geom.pose);
        let called = if name.is_empty() { geom.mesh.as_deref().unwrap_or_default() } else { name };
        if let Some(mesh) = geom.mesh.clone().filter(|_| geom.hfield.is_none()) {
            return Ok(match self.mesh(&mesh) {
                Ok(found) => Some(self.fitted(
                    geom,
                    self.in_metres(found, called, place, notes),
                    body_from_geom,
                    called,
                    place,
                    visual,
                    notes,
                )),
                Err(problem) => {
                    self.miss(&problem, &mesh, place, visual, notes);
                    None
                }
            });
        }
        let (shape, body_from_geom) = match self.primitive(geom, &body_from_geom) {
            Ok(found) => found,
            Err(problem) => return Err(place.clone().error(format!("<geom> `{called}`: {problem}"))),
        };
        match shape {
            None => {
                let kind = format!("{:?}", geom.type_).to_lowercase();
                notes.ignored(place, format!("shape of type {kind}"), called, "left out: it touches nothing");
                Ok(None)
            }
            Some(shape) => {
                if geom.type_ == GeomType::Ellipsoid && !visual {
                    let done = "a capsule or a ball of about the same size";
                    notes.approximated(place, "ellipsoid", called, done);
                }
                Ok(Some(Placed { shape, body_from_geom, mesh: None, exact: true }))
            }
        }
    }

    fn in_metres(&self, mesh: Mesh, called: &str, place: &Place, notes: &mut Notes) -> Mesh {
        let (mesh, small) = mesh.in_metres();
        if small {
            notes.warned(place, "meshes of more than a metre, of shape", called, IN_MILLIMETRES);
        }
        mesh
    }

    /// Says that a mesh is not there.
    fn miss(&self, problem: &MeshProblem, mesh: &str, place: &Place, visual: bool, notes: &mut Notes) {
        let done = if visual { "they are not weighed" } else { "they touch nothing" };
        let file = self.model.assets.mesh(mesh).and_then(|asset| asset.file.as_deref()).unwrap_or(mesh);
        let (what, done) = match problem {
            MeshProblem::Missing => (MISSING, format!("{done}; looked in `meshdir` and in {}", self.meshes.places())),
            MeshProblem::Unreadable(reason) => (UNREADABLE, format!("{done}: {reason}")),
        };
        if visual {
            notes.ignored(place, what, file, done);
        } else {
            notes.warned(place, what, file, done);
        }
    }

    /// The shape around a mesh.
    #[allow(clippy::too_many_arguments, reason = "one geom, as its caller knows it")]
    fn fitted(
        &self,
        geom: &Geom,
        mesh: Mesh,
        body_from_geom: Isometry3<f64>,
        called: &str,
        place: &Place,
        visual: bool,
        notes: &mut Notes,
    ) -> Placed {
        let (shape, at, done) = self.meshes.around(&mesh);
        if !visual {
            let what = if geom.type_ == GeomType::Mesh { "collision mesh" } else { "shape fitted to a mesh" };
            notes.approximated(place, what, called, done);
        }
        let at = body_from_geom * at;
        let asset = geom.mesh.as_deref().and_then(|name| self.model.assets.mesh(name));
        let exact =
            self.model.compiler.exact_mesh_inertia || asset.is_some_and(|asset| asset.inertia == MeshInertia::Exact);
        Placed { shape, body_from_geom: at, mesh: Some((mesh, body_from_geom)), exact }
    }

    /// A mesh by its name, with its scale and reference pose.
    fn mesh(&mut self, name: &str) -> Result<Mesh, MeshProblem> {
        if let Some(known) = self.assets.get(name) {
            return known.clone();
        }
        let read = self.read_mesh(name);
        self.assets.insert(name.to_owned(), read.clone());
        read
    }

    fn read_mesh(&mut self, name: &str) -> Result<Mesh, MeshProblem> {
        let unreadable = |reason: String| MeshProblem::Unreadable(reason);
        let asset = self.model.assets.mesh(name);
        let asset = asset.ok_or_else(|| unreadable(format!("there is no mesh called `{name}`")))?;
        let corners = match (&asset.inline_vertices, &asset.file) {
            (Some(numbers), _) => {
                Mesh::of_corners(numbers).ok_or_else(|| unreadable("its corners cannot be understood".to_owned()))?
            }
            (None, Some(file)) => {
                let folder = self.path.parent().unwrap_or(Path::new(""));
                match self.model.resolve_mesh_file(asset, folder).filter(|path| path.is_file()) {
                    Some(path) => Mesh::read(&path).map_err(unreadable)?,
                    None => self.meshes.read(file)?,
                }
            }
            (None, None) => return Err(unreadable(format!("the mesh `{name}` names no file"))),
        };
        Ok(corners.placed(&isometry(&asset.refpose).inverse(), Vector3::from(asset.scale)))
    }

    /// A shape that needs no mesh. `None` for what giraffe has nothing near to.
    fn primitive(
        &self,
        geom: &Geom,
        body_from_geom: &Isometry3<f64>,
    ) -> Result<(Option<GeomShape>, Isometry3<f64>), String> {
        let (mut pose, mut size) = (*body_from_geom, geom.size);
        let count = match geom.type_ {
            GeomType::Box | GeomType::Ellipsoid => 3,
            GeomType::Capsule | GeomType::Cylinder => 2,
            GeomType::Sphere => 1,
            GeomType::Plane | GeomType::Hfield | GeomType::Mesh | GeomType::Sdf => return Ok((None, pose)),
        };
        if let Some([ax, ay, az, bx, by, bz]) = geom.fromto.filter(|_| count > 1) {
            let (from, to) = (Point3::new(ax, ay, az), Point3::new(bx, by, bz));
            let along = to - from;
            let turn = shape::z_onto(&along);
            pose = Isometry3::from_parts(nalgebra::center(&from, &to).coords.into(), turn);
            // `size` then holds the size across only.
            size = match count {
                2 => [size[0], along.norm() / 2.0, 0.0],
                _ => [size[0], if size[1] > 0.0 { size[1] } else { size[0] }, along.norm() / 2.0],
            };
        }
        if size[..count].iter().any(|size| *size <= 0.0 || !(*size as f32).is_normal()) {
            return Err(format!("`size` must hold {count} positive numbers, found {:?}", &size[..count]));
        }
        let [x, y, z] = size.map(|size| size as f32);
        let shape = match geom.type_ {
            GeomType::Box => GeomShape::Box { half_extents_m: [x, y, z] },
            GeomType::Capsule => GeomShape::Capsule { radius_m: x, half_length_m: y },
            GeomType::Cylinder => GeomShape::Cylinder { radius_m: x, half_length_m: y },
            GeomType::Ellipsoid => {
                let (shape, turn) = shape::ellipsoid(size);
                pose *= turn;
                shape
            }
            _ => GeomShape::Sphere { radius_m: x },
        };
        Ok((Some(shape), pose))
    }
}

/// Shapes for the eye only.
fn is_visual(geom: &Geom) -> bool {
    let named = geom.class.as_deref().is_some_and(|class| class.to_lowercase().contains("visual"));
    named || (geom.contype == 0 && geom.conaffinity == 0)
}

fn is_weightless(geom: &Geom) -> bool {
    geom.mass.or(geom.density).is_some_and(|number| number <= 0.0)
}

/// What a shape weighs, by its mass or density.
fn weigh(geom: &Geom, placed: &Placed) -> Option<Mass> {
    let density = geom.density.unwrap_or(DENSITY);
    let of_volume = |density: f64| match &placed.mesh {
        Some((mesh, pose)) => {
            let mass = if placed.exact { mesh.mass(density) } else { mesh.legacy_mass(density) };
            mass.map(|mass| mass.moved(pose))
        }
        None => {
            let kg = density * inertia::volume(&placed.shape);
            Some(Mass::of_shape(&placed.shape, kg, &placed.body_from_geom))
        }
    };
    let boxed = || Mass::of_shape(&placed.shape, DENSITY * inertia::volume(&placed.shape), &placed.body_from_geom);
    match geom.mass {
        Some(kg) => {
            let whole = of_volume(DENSITY).unwrap_or_else(boxed);
            (kg > 0.0 && whole.kg > 0.0).then(|| whole.scaled(kg / whole.kg))
        }
        None => of_volume(density).filter(|mass| mass.kg > 0.0),
    }
}
