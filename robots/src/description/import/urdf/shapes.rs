//! Shapes of a URDF file: primitives as they are, meshes by what is around them.

use super::super::meshes::{IN_MILLIMETRES, MISSING, MeshProblem, UNREADABLE};
use super::super::mjcf::free_name;
use super::super::raw::RawGeom;
use super::{Reader, elements};
use crate::description::DescriptionError;
use crate::model::GeomShape;
use nalgebra::{Isometry3, Vector3};
use roxmltree::Node;
use std::collections::BTreeSet;

/// Sliding friction of shapes: URDF has none.
pub(super) const FRICTION: f64 = 0.7;

/// A shape, and its frame where it is described.
type Placed = (GeomShape, Isometry3<f64>);

impl Reader<'_> {
    /// What touches: collision shapes, or visual ones where that was asked for and there are no others.
    pub(super) fn geoms(
        &mut self,
        link: Node,
        body: &str,
        taken: &mut BTreeSet<String>,
    ) -> Result<Vec<RawGeom>, DescriptionError> {
        let geoms = self.geoms_of(link, "collision", body, taken)?;
        let has_visual = elements(link, "visual").next().is_some();
        let place = self.place(link);
        if geoms.is_empty() && has_visual && self.reading.visuals.contains(body) {
            let seen = self.geoms_of(link, "visual", body, taken)?;
            if !seen.is_empty() {
                let done = "its visual shapes are what touches";
                self.notes.warned(&place, "no collision shape, of link", body, done);
            }
            return Ok(seen);
        }
        if has_visual {
            self.notes.ignored(&place, "visual shapes", "", "they touch nothing");
        }
        Ok(geoms)
    }

    fn geoms_of(
        &mut self,
        link: Node,
        kind: &str,
        body: &str,
        taken: &mut BTreeSet<String>,
    ) -> Result<Vec<RawGeom>, DescriptionError> {
        let mut geoms = Vec::new();
        for element in link.children().filter(|child| child.has_tag_name(kind)) {
            let origin = self.origin(element)?;
            let shape = elements(element, "geometry").next();
            let mut shapes = shape.into_iter().flat_map(|geometry| geometry.children().filter(Node::is_element));
            let first = shapes.next();
            for more in shapes {
                let done = "URDF has one shape in a <geometry>; left out: write another <collision> for it";
                self.notes.ignored(&self.source.place_of(more), "a second shape in a <geometry> of", body, done);
            }
            let Some(shape) = first else { return Err(self.error(link, format!("a <{kind}> of it has no shape"))) };
            let Some((shape, at)) = self.shape(shape, kind, body)? else { continue };
            let wanted = element.attribute("name").filter(|name| !name.is_empty());
            let wanted = wanted.map_or_else(|| format!("{body}_shape"), str::to_owned);
            geoms.push(RawGeom {
                name: free_name(&wanted, taken),
                shape,
                body_from_geom: origin * at,
                friction: FRICTION,
                collision_bits: (1, 1),
            });
        }
        Ok(geoms)
    }

    fn shape(&mut self, node: Node, kind: &str, body: &str) -> Result<Option<Placed>, DescriptionError> {
        let place = self.place(node);
        let size = |name: &str| -> Result<f32, DescriptionError> {
            let value = self.number(node, name)?.unwrap_or(0.0);
            if value <= 0.0 || !(value as f32).is_normal() {
                return Err(self.error(node, format!("of link `{body}`: `{name}` must be a positive number")));
            }
            Ok(value as f32)
        };
        let shape = match node.tag_name().name() {
            "box" => {
                let edges = self.three(node, "size", [0.0; 3])?;
                if edges.iter().any(|edge| *edge <= 0.0 || !((*edge / 2.0) as f32).is_normal()) {
                    return Err(self.error(node, format!("of link `{body}`: `size` must hold 3 positive numbers")));
                }
                GeomShape::Box { half_extents_m: edges.map(|edge| (edge / 2.0) as f32) }
            }
            "sphere" => GeomShape::Sphere { radius_m: size("radius")? },
            "cylinder" => GeomShape::Cylinder { radius_m: size("radius")?, half_length_m: size("length")? / 2.0 },
            "capsule" => GeomShape::Capsule { radius_m: size("radius")?, half_length_m: size("length")? / 2.0 },
            "mesh" => return self.mesh(node, kind, body),
            other => {
                self.notes.ignored(&place, format!("<{other}> of link"), body, "left out: it touches nothing");
                return Ok(None);
            }
        };
        Ok(Some((shape, Isometry3::identity())))
    }

    fn mesh(&mut self, node: Node, kind: &str, body: &str) -> Result<Option<Placed>, DescriptionError> {
        let place = self.place(node);
        let scale = Vector3::from(self.three(node, "scale", [1.0; 3])?);
        let file = node.attribute("filename").unwrap_or_default();
        match self.meshes.read(file) {
            Ok(mesh) => {
                let (mesh, small) = mesh.placed(&Isometry3::identity(), scale).in_metres();
                if small {
                    self.notes.warned(
                        &place,
                        format!("{kind} meshes of more than a metre, of link"),
                        body,
                        IN_MILLIMETRES,
                    );
                }
                let (shape, at, done) = self.meshes.around(&mesh);
                self.notes.approximated(&place, format!("{kind} mesh of link"), body, done);
                Ok(Some((shape, at)))
            }
            Err(MeshProblem::Missing) => {
                let done = format!("they touch nothing; looked in {}", self.meshes.places());
                self.notes.warned(&place, MISSING, file, done);
                Ok(None)
            }
            Err(MeshProblem::Unreadable(reason)) => {
                self.notes.warned(&place, UNREADABLE, file, format!("they touch nothing: {reason}"));
                Ok(None)
            }
        }
    }
}
