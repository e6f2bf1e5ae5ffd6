//! A file that says another unit of angles than it has: degrees where it says radians, or radians where it says nothing,
//! which means degrees.

use super::super::report::Notes;
use super::super::source::Source;
use super::super::units::{are_degrees, are_radians, is_beyond_a_turn};
use mjcf_rs::Model;
use mjcf_rs::body::JointType;
use roxmltree::{Document, Node};
use std::f64::consts::PI;

/// What to read otherwise than the file says.
pub(super) enum Unit {
    /// Every angle, in this unit, as `<compiler angle="...">` names it.
    WholeFile(&'static str),
    /// Limits and references of joints only: what to multiply them by.
    Limits(f64),
}

/// Whether the file has another unit than it says.
pub(super) fn unit(source: &Source, document: &Document, model: &Model, notes: &mut Notes) -> Option<Unit> {
    let hinges = || {
        let joints = model.bodies.iter().flat_map(|entry| &entry.body.joints);
        joints.filter(|joint| joint.type_ == JointType::Hinge)
    };
    let limits: Vec<[f64; 2]> = hinges().filter_map(|joint| joint.range).collect();
    let declared = model.compiler.angle_is_degree;
    let (angle, factor) = match declared {
        false if are_degrees(&limits) => ("degree", PI / 180.0),
        true if are_radians(&limits) => ("radian", 180.0 / PI),
        _ => return None,
    };
    let in_tree = |node: &Node| node.ancestors().any(|above| above.has_tag_name("worldbody"));
    let eulers: Vec<f64> = document
        .descendants()
        .filter(in_tree)
        .filter_map(|node| node.attribute("euler"))
        .flat_map(str::split_ascii_whitespace)
        .filter_map(|word| word.parse().ok())
        .collect();
    // The other angles of the file tell whether all of it is meant.
    let agree = match declared {
        false => eulers.iter().all(|angle| *angle == 0.0) || eulers.iter().any(|angle| is_beyond_a_turn(*angle)),
        true => eulers.iter().all(|angle| !is_beyond_a_turn(*angle)),
    };
    let (lower, upper) = limits
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(lower, upper), ends| (lower.min(ends[0]), upper.max(ends[1])));
    let first = document.descendants().find(|node| node.has_tag_name("joint") && node.has_attribute("range"));
    let place = first.map_or_else(|| source.whole(), |node| source.place_of(node));
    let said = match declared {
        false => format!("limits between {lower} and {upper} rad, in a file that says angle=\"radian\""),
        true => format!(
            "limits between {:.2} and {:.2} degrees, in a file that does not say angle=\"radian\"",
            lower.to_degrees(),
            upper.to_degrees()
        ),
    };
    let all = if agree { "all angles of the file are" } else { "limits of joints are" };
    let done = format!(
        "{all} read as {angle}s: no hand turns so; write <compiler angle=\"{angle}\"/> into the file if that is right"
    );
    notes.warned(&place, said, "", done);
    Some(if agree { Unit::WholeFile(angle) } else { Unit::Limits(factor) })
}

/// A text in which every `<compiler>` says this unit of angles.
pub(super) fn with_unit(text: &str, document: &Document, angle: &str) -> String {
    let mut text = text.to_owned();
    let compilers: Vec<Node> = document.descendants().filter(|node| node.has_tag_name("compiler")).collect();
    for node in compilers.iter().rev() {
        if let Some(said) = node.attribute_node("angle") {
            text.replace_range(said.range_value(), angle);
        }
    }
    if compilers.iter().all(|node| !node.has_attribute("angle")) {
        let root = document.root_element();
        if let Some(first) = root.first_child() {
            text.insert_str(first.range().start, &format!("<compiler angle=\"{angle}\"/>"));
        }
    }
    text
}
