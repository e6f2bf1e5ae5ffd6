//! Goes over a URDF file before it is read: everything giraffe has no use for, said one kind of thing at a time.

use super::super::report::Notes;
use super::super::source::Source;
use crate::description::DescriptionError;
use roxmltree::{Document, Node};

/// An element, the attributes of it that are read, and the elements in it that are.
struct Read {
    tag: &'static str,
    attributes: &'static [&'static str],
    children: &'static [&'static str],
}

const READ: &[Read] = &[
    Read { tag: "robot", attributes: &["name"], children: &["link", "joint"] },
    Read { tag: "link", attributes: &["name"], children: &["inertial", "visual", "collision"] },
    Read { tag: "inertial", attributes: &[], children: &["origin", "mass", "inertia"] },
    Read { tag: "origin", attributes: &["xyz", "rpy"], children: &[] },
    Read { tag: "mass", attributes: &["value"], children: &[] },
    Read { tag: "inertia", attributes: &["ixx", "iyy", "izz", "ixy", "ixz", "iyz"], children: &[] },
    Read { tag: "collision", attributes: &["name"], children: &["origin", "geometry"] },
    Read { tag: "geometry", attributes: &[], children: &["box", "sphere", "cylinder", "capsule", "mesh"] },
    Read { tag: "box", attributes: &["size"], children: &[] },
    Read { tag: "sphere", attributes: &["radius"], children: &[] },
    Read { tag: "cylinder", attributes: &["radius", "length"], children: &[] },
    Read { tag: "capsule", attributes: &["radius", "length"], children: &[] },
    Read { tag: "mesh", attributes: &["filename", "scale"], children: &[] },
    Read {
        tag: "joint",
        attributes: &["name", "type"],
        children: &["parent", "child", "origin", "axis", "limit", "dynamics", "mimic"],
    },
    Read { tag: "parent", attributes: &["link"], children: &[] },
    Read { tag: "child", attributes: &["link"], children: &[] },
    Read { tag: "axis", attributes: &["xyz"], children: &[] },
    Read { tag: "limit", attributes: &["lower", "upper", "effort", "velocity"], children: &[] },
    Read { tag: "dynamics", attributes: &["damping", "friction"], children: &[] },
    Read { tag: "mimic", attributes: &["joint", "multiplier", "offset"], children: &[] },
];

/// Elements without meaning for how a hand moves, or for simulators of their own.
const NOT_NEEDED: &[&str] =
    &["material", "transmission", "gazebo", "sensor", "ros2_control", "plugin", "mujoco", "verbose"];
/// Elements that close a chain of links.
const LOOPS: &[&str] = &["loop_joint", "loop", "linkage"];

/// Says what is not read, and refuses what would be misread.
pub(super) fn survey(source: &Source, document: &Document, notes: &mut Notes) -> Result<(), DescriptionError> {
    visit(source, document.root_element(), notes)
}

/// Depth is bounded by what was checked of the text; `<visual>` has an entry of its own where shapes are read.
fn visit(source: &Source, node: Node, notes: &mut Notes) -> Result<(), DescriptionError> {
    let tag = node.tag_name().name();
    let Some(read) = READ.iter().find(|read| read.tag == tag) else { return Ok(()) };
    let place = source.place_of(node);
    for attribute in node.attributes().filter(|attribute| !read.attributes.contains(&attribute.name())) {
        let what = format!("attribute `{}` of <{tag}>", attribute.name());
        notes.ignored(&place, what, owner(node), "not read");
    }
    for child in node.children().filter(Node::is_element) {
        let name = child.tag_name().name();
        let xacro = child.tag_name().namespace().is_some_and(|space| space.contains("xacro"));
        if xacro {
            let named = child.attribute("name").map(|name| format!(" `{name}`")).unwrap_or_default();
            let problem = "this is xacro: expand it first (xacro hand.urdf.xacro > hand.urdf)";
            return Err(source.place_of(child).error(format!("<{name}>{named}: {problem}")));
        }
        if read.children.contains(&name) {
            visit(source, child, notes)?;
        } else if LOOPS.contains(&name) {
            let done = "the loop is left open, and its joints move by servos of their own. A hand is a tree: write the linkage \
                        as joints with a <mimic> instead";
            notes.warned(
                &source.place_of(child),
                format!("<{name}>"),
                child.attribute("name").unwrap_or_default(),
                done,
            );
        } else if tag != "geometry" {
            unread(source, node, child, notes);
        }
    }
    Ok(())
}

fn unread(source: &Source, node: Node, child: Node, notes: &mut Notes) {
    let (tag, above) = (child.tag_name().name(), node.tag_name().name());
    let place = source.place_of(child);
    if above == "robot" {
        let done = if NOT_NEEDED.contains(&tag) { "nothing here needs it" } else { "unknown to giraffe" };
        notes.ignored(&place, format!("<{tag}>"), child.attribute("name").unwrap_or_default(), done);
    } else {
        notes.ignored(&place, format!("<{tag}> of {above}"), owner(node), "not read");
    }
}

/// The name of the link or joint that an element belongs to.
fn owner<'d>(node: Node<'d, 'd>) -> &'d str {
    let named = node.ancestors().filter(|above| ["link", "joint"].contains(&above.tag_name().name()));
    named.filter_map(|above| above.attribute("name")).next().unwrap_or_default()
}
