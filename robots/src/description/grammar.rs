//! The part of MJCF that giraffe reads, as a table, and the check that a file stays within it.
//!
//! A hand file may say nothing that giraffe would silently drop: an attribute that is not in [`GRAMMAR`] is an
//! error with its line, so that what MuJoCo makes of the file and what giraffe makes of it are the same hand.

use super::error::{DescriptionError, Place};
use crate::names::did_you_mean;
use roxmltree::{Document, Node};
use std::collections::BTreeSet;

/// What an attribute's value must be.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Value {
    /// Any text.
    Text,
    /// The name of a `<default class="...">` of the file.
    Class,
    /// Between so many and so many finite numbers.
    Numbers(usize, usize),
    /// Finite numbers that are not all zero: an axis or a quaternion.
    NotAllZero(usize),
    /// Read by MuJoCo only, without meaning here.
    MujocoOnly,
}

use Value::{Class, MujocoOnly, NotAllZero, Numbers, Text};

/// One element: its attributes and the elements it may hold.
struct Element {
    /// Its tag; `parent/tag` where the same tag means something else in that parent.
    tag: &'static str,
    attributes: &'static [(&'static str, Value)],
    children: &'static [&'static str],
}

/// Deeper than any hand.
const MAX_DEPTH: usize = 64;

const GRAMMAR: &[Element] = &[
    Element {
        tag: "mujoco",
        attributes: &[("model", Text)],
        children: &["compiler", "option", "default", "worldbody", "contact", "equality", "actuator", "keyframe"],
    },
    Element { tag: "compiler", attributes: &[("angle", Text), ("autolimits", MujocoOnly)], children: &[] },
    Element { tag: "option", attributes: &[("timestep", MujocoOnly), ("integrator", MujocoOnly)], children: &[] },
    Element { tag: "default", attributes: &[("class", Text)], children: &["default", "joint", "geom", "position"] },
    Element { tag: "worldbody", attributes: &[], children: &["body"] },
    Element {
        tag: "body",
        attributes: &[("name", Text), ("childclass", Class), ("pos", Numbers(3, 3)), ("quat", NotAllZero(4))],
        children: &["inertial", "joint", "geom", "body"],
    },
    Element {
        tag: "inertial",
        attributes: &[
            ("pos", Numbers(3, 3)),
            ("quat", NotAllZero(4)),
            ("mass", Numbers(1, 1)),
            ("diaginertia", Numbers(3, 3)),
        ],
        children: &[],
    },
    Element {
        tag: "joint",
        attributes: &[
            ("name", Text),
            ("class", Class),
            ("type", Text),
            ("pos", Numbers(3, 3)),
            ("axis", NotAllZero(3)),
            ("range", Numbers(2, 2)),
            ("damping", Numbers(1, 1)),
            ("armature", Numbers(1, 1)),
            ("frictionloss", Numbers(1, 1)),
        ],
        children: &[],
    },
    Element {
        tag: "geom",
        attributes: &[
            ("name", Text),
            ("class", Class),
            ("type", Text),
            ("size", Numbers(1, 3)),
            ("pos", Numbers(3, 3)),
            ("quat", NotAllZero(4)),
            ("friction", Numbers(1, 3)),
            ("group", MujocoOnly),
            ("rgba", MujocoOnly),
            ("solref", MujocoOnly),
            ("solimp", MujocoOnly),
        ],
        children: &[],
    },
    Element { tag: "contact", attributes: &[], children: &["exclude"] },
    Element { tag: "exclude", attributes: &[("name", Text), ("body1", Text), ("body2", Text)], children: &[] },
    Element { tag: "equality", attributes: &[], children: &["joint"] },
    Element {
        tag: "equality/joint",
        attributes: &[
            ("name", Text),
            ("joint1", Text),
            ("joint2", Text),
            ("polycoef", Numbers(5, 5)),
            ("solref", MujocoOnly),
            ("solimp", MujocoOnly),
        ],
        children: &[],
    },
    Element { tag: "actuator", attributes: &[], children: &["position"] },
    Element {
        tag: "position",
        attributes: &[
            ("name", Text),
            ("class", Class),
            ("joint", Text),
            ("kp", Numbers(1, 1)),
            ("forcerange", Numbers(2, 2)),
            ("inheritrange", MujocoOnly),
        ],
        children: &[],
    },
    Element { tag: "keyframe", attributes: &[], children: &["key"] },
    Element {
        tag: "key",
        attributes: &[("name", Text), ("qpos", Numbers(1, usize::MAX)), ("ctrl", MujocoOnly)],
        children: &[],
    },
];

/// Advice for what people bring along from other files.
const ADVICE: &[(&str, &str)] = &[
    ("actuatorfrcrange", "write the torque limit as `forcerange` of the <position> actuator"),
    ("kv", "add it to the joint's `damping`"),
    ("euler", "write it as `quat`"),
    ("axisangle", "write it as `quat`"),
    ("fullinertia", "write it as `diaginertia` with a `quat`"),
    ("fromto", "write `pos`, `quat` and `size`"),
    ("mesh", "shapes are boxes, capsules, cylinders and spheres"),
    ("asset", "shapes are boxes, capsules, cylinders and spheres"),
    ("include", "a description is one file"),
    ("motor", "servos are <position> actuators"),
    ("general", "servos are <position> actuators"),
];

/// A `<joint>` of `<equality>`, as written: `joint1 = polycoef[0] + polycoef[1] joint2 + polycoef[2] joint2^2 + ...`.
pub(super) struct JointEquality<'t> {
    pub(super) place: Place,
    pub(super) joint1: Option<&'t str>,
    pub(super) joint2: Option<&'t str>,
    /// Five finite numbers.
    pub(super) polycoef: Vec<f64>,
}

/// A parsed file that keeps to the grammar.
pub(super) struct HandDocument<'t> {
    file: String,
    document: Document<'t>,
}

impl<'t> HandDocument<'t> {
    /// Parses `text` and checks every element and attribute.
    pub(super) fn read(file: &str, text: &'t str) -> Result<Self, DescriptionError> {
        // Before anything else: the parsers recurse, and a hostile file could exhaust their stack.
        if let Some(line) = too_deep(text) {
            let place = Place { file: file.to_owned(), line: Some(line) };
            return Err(place.error(format!("elements are nested deeper than {MAX_DEPTH}")));
        }
        let document = Document::parse(text).map_err(|error| {
            let line = Some(error.pos().row as usize);
            Place { file: file.to_owned(), line }.error(format!("this is not XML: {error}"))
        })?;
        let document = Self { file: file.to_owned(), document };
        let root = document.document.root_element();
        if root.tag_name().name() != "mujoco" {
            let found = root.tag_name().name();
            return Err(document.place(root).error(format!("expected a <mujoco> file, found <{found}>")));
        }
        let mut classes = BTreeSet::from(["main"]);
        document.check(root, &mut classes)?;
        Ok(document)
    }

    /// The place of an element.
    fn place(&self, node: Node) -> Place {
        let line = self.document.text_pos_at(node.range().start).row as usize;
        Place { file: self.file.clone(), line: Some(line) }
    }

    /// The place of the first `<tag attribute="value">`, or of the file.
    pub(super) fn find(&self, tag: &str, attribute: &str, value: &str) -> Place {
        self.document
            .descendants()
            .filter(|node| !node.ancestors().any(|above| above.has_tag_name("default")))
            .find(|node| node.has_tag_name(tag) && node.attribute(attribute) == Some(value))
            .map_or_else(|| self.whole(), |node| self.place(node))
    }

    /// Every `<joint>` of `<equality>`, in the order of the file.
    pub(super) fn joint_equalities(&self) -> Vec<JointEquality<'_>> {
        self.document
            .descendants()
            .filter(|node| node.is_element() && node.parent_element().is_some_and(|up| up.has_tag_name("equality")))
            .map(|node| JointEquality {
                place: self.place(node),
                joint1: node.attribute("joint1"),
                joint2: node.attribute("joint2"),
                polycoef: node.attribute("polycoef").map_or_else(|| vec![0.0, 1.0, 0.0, 0.0, 0.0], numbers),
            })
            .collect()
    }

    /// The file, without a line.
    pub(super) fn whole(&self) -> Place {
        Place { file: self.file.clone(), line: None }
    }

    fn check<'d>(&'d self, node: Node<'d, 't>, classes: &mut BTreeSet<&'d str>) -> Result<(), DescriptionError> {
        let tag = node.tag_name().name();
        let element = element_of(node).expect("only known children are visited");
        self.check_attributes(node, element, classes)?;
        if tag == "default"
            && let Some(class) = node.attribute("class")
        {
            classes.insert(class);
        }
        // Classes are declared before they are used, whatever the order in the file.
        let children = || node.children().filter(Node::is_element);
        let (defaults, others): (Vec<_>, Vec<_>) = children().partition(|child| child.has_tag_name("default"));
        for child in defaults.into_iter().chain(others) {
            let name = child.tag_name().name();
            if !element.children.contains(&name) {
                return Err(self.place(child).error(format!("<{name}> in <{tag}> is not read{}", advice(name))));
            }
            self.check(child, classes)?;
        }
        Ok(())
    }

    fn check_attributes(
        &self,
        node: Node,
        element: &Element,
        classes: &BTreeSet<&str>,
    ) -> Result<(), DescriptionError> {
        for attribute in node.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            let names = || element.attributes.iter().map(|(name, _)| *name);
            let problem = match element.attributes.iter().find(|(known, _)| *known == name) {
                None => {
                    let meant = did_you_mean(name, names());
                    Some(format!("is not read{}", if meant.is_empty() { advice(name) } else { meant }))
                }
                Some((_, Class)) if !classes.contains(value) => {
                    Some(format!("names the class `{value}`, which no <default> declares"))
                }
                Some((_, Numbers(least, most))) => numbers_problem(value, *least, *most),
                Some((_, NotAllZero(count))) => numbers_problem(value, *count, *count).or_else(|| all_zero(value)),
                Some(_) => None,
            };
            if let Some(problem) = problem {
                let tag = node.tag_name().name();
                return Err(self.place(node).error(format!("attribute `{name}` of <{tag}> {problem}")));
            }
        }
        Ok(())
    }
}

/// What the grammar says about an element.
fn element_of(node: Node) -> Option<&'static Element> {
    let tag = node.tag_name().name();
    let of_parent = node.parent_element().map(|parent| format!("{}/{tag}", parent.tag_name().name()));
    let find = |wanted: &str| GRAMMAR.iter().find(|element| element.tag == wanted);
    of_parent.and_then(|wanted| find(&wanted)).or_else(|| find(tag))
}

/// The line at which elements are nested deeper than [`MAX_DEPTH`], if any. Counts tags, and leaves out what only looks
/// like tags: comments, character data, processing instructions.
pub(super) fn too_deep(text: &str) -> Option<usize> {
    const OPAQUE: [(&str, &str); 3] = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")];
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0usize);
    while let Some(next) = text[at..].find('<') {
        let open = at + next;
        if let Some((start, end)) = OPAQUE.iter().find(|(start, _)| text[open..].starts_with(start)) {
            let inside = open + start.len();
            at = text[inside..].find(end).map_or(text.len(), |length| inside + length);
            continue;
        }
        at = end_of_tag(bytes, open);
        match (bytes.get(open + 1), bytes[at - 1]) {
            (Some(b'/'), _) => depth = depth.saturating_sub(1),
            (_, b'/') => {}
            _ => depth += 1,
        }
        if depth > MAX_DEPTH {
            return Some(1 + bytes[..open].iter().filter(|byte| **byte == b'\n').count());
        }
    }
    None
}

/// The position of the `>` that ends the tag at `open`, or the end of the text.
fn end_of_tag(bytes: &[u8], open: usize) -> usize {
    let mut quote = None;
    for (at, byte) in bytes.iter().enumerate().skip(open + 1) {
        match (quote, byte) {
            (None, b'>') => return at,
            (None, b'"' | b'\'') => quote = Some(*byte),
            (Some(mark), byte) if mark == *byte => quote = None,
            _ => {}
        }
    }
    bytes.len()
}

fn advice(name: &str) -> String {
    ADVICE.iter().find(|(known, _)| *known == name).map(|(_, advice)| format!(": {advice}")).unwrap_or_default()
}

fn numbers_problem(value: &str, least: usize, most: usize) -> Option<String> {
    let words: Vec<&str> = value.split_ascii_whitespace().collect();
    if let Some(bad) = words.iter().find(|word| !word.parse::<f64>().is_ok_and(f64::is_finite)) {
        return Some(format!("holds `{bad}`, which is not a finite number"));
    }
    if words.len() < least || words.len() > most {
        let wanted = if least == most { format!("{least}") } else { format!("{least} to {most}") };
        return Some(format!("holds {} numbers instead of {wanted}", words.len()));
    }
    None
}

/// The numbers of an attribute that was checked.
fn numbers(value: &str) -> Vec<f64> {
    value.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect()
}

fn all_zero(value: &str) -> Option<String> {
    let zero = value.split_ascii_whitespace().all(|word| word.parse::<f64>().is_ok_and(|number| number.abs() < 1e-9));
    zero.then(|| "is all zeros, which is no direction".to_owned())
}
