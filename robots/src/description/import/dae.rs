//! Reads the corners of a COLLADA file (`.dae`), where its scene puts them. Of COLLADA nothing else is needed: faces,
//! materials, animations and the axis that is up, which URDF's programs pass by too.

use super::super::grammar::too_deep;
use nalgebra::{Matrix4, Point3, Unit, UnitQuaternion, Vector3};
use roxmltree::{Document, Node};

/// The corners in metres; `None` if the text is no COLLADA.
pub(super) fn corners(text: &str) -> Option<Vec<Point3<f64>>> {
    // Before anything else: the parser recurses, and a hostile file could exhaust its stack.
    if too_deep(text).is_some() {
        return None;
    }
    let document =
        Document::parse(text).ok().filter(|document| document.root_element().has_tag_name_like("COLLADA"))?;
    let unit =
        find(document.root_element(), "unit").and_then(|unit| unit.attribute("meter")?.trim().parse::<f64>().ok());
    let scale = Matrix4::new_scaling(unit.unwrap_or(1.0));
    let mut placed = Vec::new();
    for scene in document.descendants().filter(|node| node.has_tag_name_like("visual_scene")) {
        for node in children(scene, "node") {
            visit(&document, node, &scale, &mut placed)?;
        }
    }
    if placed.is_empty() {
        for geometry in document.descendants().filter(|node| node.has_tag_name_like("geometry")) {
            placed.extend(positions(geometry)?.iter().map(|point| scale.transform_point(point)));
        }
    }
    Some(placed)
}

/// COLLADA's elements have a namespace, which differs by version.
trait TagLike {
    fn has_tag_name_like(&self, tag: &str) -> bool;
}

impl TagLike for Node<'_, '_> {
    fn has_tag_name_like(&self, tag: &str) -> bool {
        self.is_element() && self.tag_name().name() == tag
    }
}

fn find<'d>(node: Node<'d, 'd>, tag: &'static str) -> Option<Node<'d, 'd>> {
    node.descendants().find(|node| node.has_tag_name_like(tag))
}

fn children<'d>(node: Node<'d, 'd>, tag: &'static str) -> impl Iterator<Item = Node<'d, 'd>> {
    node.children().filter(move |child| child.has_tag_name_like(tag))
}

fn numbers(text: &str) -> Option<Vec<f64>> {
    text.split_ascii_whitespace().map(|word| word.parse().ok()).collect()
}

/// Depth is bounded by what was checked of the text.
fn visit<'d>(
    document: &'d Document<'d>,
    node: Node<'d, 'd>,
    above: &Matrix4<f64>,
    placed: &mut Vec<Point3<f64>>,
) -> Option<()> {
    let mut at = *above;
    for child in node.children().filter(Node::is_element) {
        match child.tag_name().name() {
            "matrix" | "translate" | "rotate" | "scale" => at *= transform(child)?,
            "instance_geometry" => {
                let named = child.attribute("url")?.strip_prefix('#')?;
                let geometry = document
                    .descendants()
                    .find(|node| node.has_tag_name_like("geometry") && node.attribute("id") == Some(named))?;
                placed.extend(positions(geometry)?.iter().map(|point| at.transform_point(point)));
            }
            "node" => visit(document, child, &at, placed)?,
            _ => {}
        }
    }
    Some(())
}

fn transform(node: Node) -> Option<Matrix4<f64>> {
    let numbers = numbers(node.text()?)?;
    match (node.tag_name().name(), numbers.as_slice()) {
        ("matrix", rows) if rows.len() == 16 => Some(Matrix4::from_row_slice(rows)),
        ("translate", &[x, y, z]) => Some(Matrix4::new_translation(&Vector3::new(x, y, z))),
        ("scale", &[x, y, z]) => Some(Matrix4::new_nonuniform_scaling(&Vector3::new(x, y, z))),
        ("rotate", &[x, y, z, degrees]) => {
            let axis = Unit::try_new(Vector3::new(x, y, z), 1e-12)?;
            Some(UnitQuaternion::from_axis_angle(&axis, degrees.to_radians()).to_homogeneous())
        }
        _ => None,
    }
}

/// The corners of a geometry: the source that its `<vertices>` call their positions.
fn positions(geometry: Node) -> Option<Vec<Point3<f64>>> {
    let mut all = Vec::new();
    for mesh in children(geometry, "mesh") {
        let inputs = children(mesh, "vertices").flat_map(|vertices| children(vertices, "input"));
        let named = inputs.filter(|input| input.attribute("semantic") == Some("POSITION"));
        for source in named.filter_map(|input| input.attribute("source")?.strip_prefix('#')) {
            let source = children(mesh, "source").find(|node| node.attribute("id") == Some(source))?;
            let array = children(source, "float_array").next()?;
            all.extend(numbers(array.text()?)?.chunks_exact(3).map(|xyz| Point3::new(xyz[0], xyz[1], xyz[2])));
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests: a panic is the report")]
    use super::*;

    const BLOCK: &str = r##"<?xml version="1.0"?>
<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">
  <asset><unit name="millimeter" meter="0.001"/><up_axis>Z_UP</up_axis></asset>
  <library_geometries><geometry id="g"><mesh>
    <source id="p"><float_array id="a" count="6">0 0 0 10 20 30</float_array></source>
    <source id="n"><float_array id="b" count="3">0 0 1</float_array></source>
    <vertices id="v"><input semantic="POSITION" source="#p"/></vertices>
  </mesh></geometry></library_geometries>
  <library_visual_scenes><visual_scene id="s"><node>
    <translate>100 0 0</translate><rotate>0 0 1 90</rotate>
    <node><scale>2 1 1</scale><instance_geometry url="#g"/></node>
  </node></visual_scene></library_visual_scenes>
</COLLADA>"##;

    #[test]
    fn corners_stand_where_the_scene_puts_them_in_metres() {
        let corners = corners(BLOCK).unwrap();
        assert_eq!(corners.len(), 2);
        // Twice as far along x, turned onto y, moved along x.
        assert!((corners[0] - Point3::new(0.1, 0.0, 0.0)).norm() < 1e-12, "{}", corners[0]);
        assert!((corners[1] - Point3::new(0.08, 0.02, 0.03)).norm() < 1e-12, "{}", corners[1]);
    }

    #[test]
    fn without_a_scene_corners_stand_as_they_are_and_damage_is_no_mesh() {
        let scene = BLOCK.find("<library_visual_scenes>").unwrap();
        let bare = format!("{}</COLLADA>", &BLOCK[..scene]);
        assert!((corners(&bare).unwrap()[1] - Point3::new(0.01, 0.02, 0.03)).norm() < 1e-12);
        for damaged in
            [BLOCK.replace("10 20 30", "10 x 30"), BLOCK.replace("url=\"#g\"", "url=\"#h\""), BLOCK[..400].to_owned()]
        {
            assert!(corners(&damaged).is_none());
        }
        assert!(corners("<robot/>").is_none());
    }
}
