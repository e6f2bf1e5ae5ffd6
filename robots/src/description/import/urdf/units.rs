//! A URDF file in degrees: URDF has radians only, and some files have degrees all the same.

use super::super::report::Notes;
use super::super::source::Source;
use super::super::units::{are_degrees, is_beyond_a_turn};
use roxmltree::{Document, Node};
use std::f64::consts::PI;

/// What angles of the file are multiplied by.
pub(super) struct Units {
    pub(super) rad_per_limit: f64,
    pub(super) rad_per_rpy: f64,
    /// Whether limits of 0 to 0 were never set: programs that draw write them so.
    pub(super) are_not_set: bool,
}

impl Default for Units {
    fn default() -> Self {
        Self { rad_per_limit: 1.0, rad_per_rpy: 1.0, are_not_set: false }
    }
}

/// The units of a file, with a warning where they are not URDF's.
pub(super) fn of(source: &Source, document: &Document, notes: &mut Notes) -> Units {
    let mut units = Units::default();
    let number = |node: Node, key: &str| node.attribute(key).and_then(|text| text.trim().parse::<f64>().ok());
    let limited = || {
        let joints = document.root_element().children().filter(|node| node.attribute("type") == Some("revolute"));
        joints.filter_map(|joint| joint.children().find(|node| node.has_tag_name("limit")))
    };
    let ends = |limit: Node| ["lower", "upper"].map(|key| number(limit, key).unwrap_or(0.0));
    let limits: Vec<[f64; 2]> = limited().map(ends).collect();
    let unset = limits.iter().filter(|ends| ends[0] == 0.0 && ends[1] == 0.0).count();
    units.are_not_set = 2 * unset >= limits.len();
    if are_degrees(&limits)
        && let Some(first) = limited().find(|limit| ends(*limit).into_iter().any(is_beyond_a_turn))
    {
        units.rad_per_limit = PI / 180.0;
        let [lower, upper] = ends(first);
        let joint = first.parent_element().and_then(|joint| joint.attribute("name")).unwrap_or_default();
        let done = "limits of all joints are read as degrees: no hand turns so far; URDF has radians, write them so";
        notes.warned(&source.place_of(first), format!("limits of {lower} to {upper} rad, of joint"), joint, done);
    }
    let origins = document.descendants().filter(|node| node.has_tag_name("origin"));
    let beyond = origins
        .filter_map(|node| Some((node, node.attribute("rpy")?)))
        .find(|(_, rpy)| rpy.split_ascii_whitespace().filter_map(|word| word.parse().ok()).any(is_beyond_a_turn));
    if let Some((origin, rpy)) = beyond {
        units.rad_per_rpy = PI / 180.0;
        let done = "every rpy of the file is read as degrees; URDF has radians, write them so";
        notes.warned(&source.place_of(origin), format!("rpy of {rpy} rad, beyond a whole turn"), "", done);
    }
    units
}
