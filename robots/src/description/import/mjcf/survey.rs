//! Goes over a foreign MJCF file before it is read: numbers that are none, classes that are not there, and everything
//! giraffe has no use for.

use super::super::report::Notes;
use super::super::source::Source;
use crate::description::DescriptionError;
use crate::names::did_you_mean;
use roxmltree::{Document, Node};
use std::collections::BTreeSet;
use std::ops::Range;

/// Attributes that hold numbers, and how many.
const NUMBERS: &[(&str, usize, usize)] = &[
    ("actuatorfrcrange", 2, 2),
    ("armature", 1, 1),
    ("axis", 3, 3),
    ("axisangle", 4, 4),
    ("biasprm", 1, 10),
    ("coef", 1, 1),
    ("conaffinity", 1, 1),
    ("contype", 1, 1),
    ("ctrlrange", 2, 2),
    ("damping", 1, 3),
    ("density", 1, 1),
    ("diaginertia", 3, 3),
    ("euler", 3, 3),
    ("forcerange", 2, 2),
    ("friction", 1, 5),
    ("frictionloss", 1, 1),
    ("fromto", 6, 6),
    ("fullinertia", 6, 6),
    ("gainprm", 1, 10),
    ("gear", 1, 6),
    ("kp", 1, 1),
    ("kv", 1, 2),
    ("mass", 1, 1),
    ("polycoef", 1, 5),
    ("pos", 3, 3),
    ("qpos", 1, usize::MAX),
    ("quat", 4, 4),
    ("range", 2, 2),
    ("ref", 1, 1),
    ("refpos", 3, 3),
    ("refquat", 4, 4),
    ("scale", 3, 3),
    ("size", 1, 3),
    ("springref", 1, 1),
    ("stiffness", 1, 2),
    ("vertex", 3, usize::MAX),
    ("xyaxes", 6, 6),
    ("zaxis", 3, 3),
];

/// Attributes that hold one of a few words, by element.
const WORDS: &[(&str, &str, &[&str])] = &[
    ("joint", "type", &["hinge", "slide", "ball", "free"]),
    ("geom", "type", &["plane", "hfield", "sphere", "capsule", "ellipsoid", "cylinder", "box", "mesh", "sdf"]),
];

/// Sections of which numbers are read.
const SECTIONS: &[&str] = &["default", "asset", "worldbody", "contact", "actuator", "equality", "tendon", "keyframe"];

/// Elements that say nothing about how a hand moves: left out without a word each, in one entry together.
const DECORATION: &[&str] = &[
    "camera",
    "light",
    "material",
    "texture",
    "skin",
    "visual",
    "statistic",
    "sensor",
    "custom",
    "site",
    "size",
    "hfield",
    "extension",
    "rangefinder",
];

/// Elements that say something about how a hand moves, and are not read.
const UNREAD: &[(&str, &str)] = &[
    ("pair", "which shapes touch is decided by bodies"),
    ("plugin", "plugins are not read"),
    ("spatial", "tendons over sites are not read"),
    ("composite", "left out"),
    ("flexcomp", "left out"),
    ("deformable", "left out"),
    ("flex", "left out"),
];

/// Elements that make bodies out of other files or by repetition.
const UNREADABLE: &[&str] = &["attach", "replicate"];

/// Attributes that turn and place.
const POSE: &[&str] = &["pos", "quat", "axisangle", "euler", "xyaxes", "zaxis"];
const ACTUATOR: &[&str] = &[
    "name",
    "class",
    "joint",
    "tendon",
    "kp",
    "kv",
    "gear",
    "forcerange",
    "forcelimited",
    "ctrlrange",
    "ctrllimited",
    "gaintype",
    "biastype",
    "gainprm",
    "biasprm",
];

/// The attributes that are read, by element; `parent/element` where the same element is another there. What is not here
/// is not read.
const READ: &[(&str, &[&[&str]])] = &[
    ("mujoco", &[&["model"]]),
    ("default", &[&["class"]]),
    ("worldbody", &[]),
    ("body", &[&["name", "childclass"], POSE]),
    ("frame", &[&["name", "childclass"], POSE]),
    ("inertial", &[&["mass", "diaginertia", "fullinertia"], POSE]),
    (
        "joint",
        &[
            &["name", "class", "type", "pos", "axis", "range", "limited", "damping", "armature", "frictionloss", "ref"],
            &["stiffness", "actuatorfrcrange", "actuatorfrclimited"],
        ],
    ),
    ("freejoint", &[&["name", "class"]]),
    (
        "geom",
        &[
            &[
                "name",
                "class",
                "type",
                "size",
                "fromto",
                "friction",
                "mass",
                "density",
                "contype",
                "conaffinity",
                "mesh",
            ],
            POSE,
        ],
    ),
    ("asset/mesh", &[&["name", "class", "file", "scale", "refpos", "refquat", "vertex", "inertia"]]),
    ("default/mesh", &[&["scale", "refpos", "refquat", "inertia"]]),
    ("position", &[ACTUATOR]),
    ("general", &[ACTUATOR]),
    ("motor", &[ACTUATOR]),
    ("intvelocity", &[ACTUATOR]),
    ("actuator/velocity", &[ACTUATOR]),
    ("actuator/damper", &[ACTUATOR]),
    ("exclude", &[&["name", "body1", "body2"]]),
    ("equality/joint", &[&["name", "class", "joint1", "joint2", "polycoef", "active"]]),
    ("equality/connect", &[&["name", "class", "body1", "body2", "site1", "site2", "active"]]),
    ("equality/weld", &[&["name", "class", "body1", "body2", "site1", "site2", "active"]]),
    ("equality/tendon", &[&["name", "class", "tendon1", "tendon2", "active"]]),
    ("fixed", &[&["name", "class"]]),
    ("fixed/joint", &[&["joint", "coef"]]),
    ("key", &[&["name", "qpos"]]),
    ("contact", &[]),
    ("asset", &[]),
    ("actuator", &[]),
    ("equality", &[]),
    ("tendon", &[]),
    ("keyframe", &[]),
];

/// Attributes that say nothing about how a hand moves: left out in one entry together.
const LOOKS: &[&str] = &["rgba", "material", "group", "user", "texcoord", "normal", "smoothnormal"];

/// What an element means that is read under a name of its own in its parent, if any.
fn read_attributes(node: Node) -> Option<&'static [&'static [&'static str]]> {
    let tag = node.tag_name().name();
    let find = |wanted: &str| READ.iter().find(|(element, _)| *element == wanted).map(|(_, known)| *known);
    let above = node.parent_element().map(|above| format!("{}/{tag}", above.tag_name().name()));
    above.and_then(|wanted| find(&wanted)).or_else(|| find(tag))
}

/// Whether elements of this name are blanked before the file is parsed.
pub(super) fn is_left_out(tag: &str) -> bool {
    DECORATION.contains(&tag) || UNREAD.iter().any(|(unread, _)| *unread == tag)
}

/// Checks a file; returns the ranges of its text that say nothing about how a hand moves.
pub(super) fn survey(
    source: &Source,
    document: &Document,
    notes: &mut Notes,
) -> Result<Vec<Range<usize>>, DescriptionError> {
    let mut surveyor = Surveyor { source, notes, blanks: Vec::new(), classes: classes(document) };
    surveyor.visit(document.root_element())?;
    surveyor.compiler(document)?;
    Ok(surveyor.blanks)
}

struct Surveyor<'s> {
    source: &'s Source,
    notes: &'s mut Notes,
    blanks: Vec<Range<usize>>,
    classes: BTreeSet<String>,
}

fn classes(document: &Document) -> BTreeSet<String> {
    let defaults = document.descendants().filter(|node| node.has_tag_name("default"));
    defaults.filter_map(|node| node.attribute("class")).chain(["main"]).map(str::to_owned).collect()
}

impl Surveyor<'_> {
    fn error(&self, node: Node, problem: impl Into<String>) -> DescriptionError {
        self.source.place_of(node).error(problem)
    }

    fn visit(&mut self, root: Node) -> Result<(), DescriptionError> {
        for section in root.children().filter(Node::is_element) {
            let tag = section.tag_name().name();
            if DECORATION.contains(&tag) {
                self.leave_out(section);
            } else if SECTIONS.contains(&tag) {
                self.elements(section)?;
            } else if tag == "option" {
                self.option(section);
            } else if tag != "compiler" {
                self.unread(section, "unknown to giraffe");
            }
        }
        Ok(())
    }

    fn option(&mut self, section: Node) {
        let place = self.source.place_of(section);
        let elements =
            section.children().filter(Node::is_element).map(|child| format!("<{}>", child.tag_name().name()));
        let all: Vec<String> =
            section.attributes().map(|attribute| format!("`{}`", attribute.name())).chain(elements).collect();
        if !all.is_empty() {
            let what = format!("<option> {}", all.join(", "));
            self.notes.ignored(&place, what, "", "time steps, solver and surroundings are giraffe's own");
        }
        let numbers = |text: &str| text.split_ascii_whitespace().filter_map(|word| word.parse::<f64>().ok()).collect();
        let gravity: Option<Vec<f64>> = section.attribute("gravity").map(numbers);
        if let Some(&[x, y, z]) = gravity.as_deref()
            && (z >= 0.0 || x.hypot(y) > 0.1 * z.abs())
        {
            let what = format!("gravity {x} {y} {z}");
            self.notes.warned(&place, what, "", "gravity is 9.81 m/s2 along -z");
        }
        self.blanks.push(section.range());
    }

    /// Everything below a section; depth is bounded by what was checked of the text.
    fn elements(&mut self, above: Node) -> Result<(), DescriptionError> {
        for node in above.children().filter(Node::is_element) {
            let tag = node.tag_name().name();
            if DECORATION.contains(&tag) {
                self.leave_out(node);
                continue;
            }
            if let Some((_, done)) = UNREAD.iter().find(|(known, _)| *known == tag) {
                self.unread(node, done);
                continue;
            }
            let is_model = tag == "model" && above.has_tag_name("asset");
            if UNREADABLE.contains(&tag) || is_model {
                let problem = "is not read: load the file in MuJoCo and save it whole (mj_saveLastXML), then read that";
                return Err(self.error(node, format!("<{tag}> {problem}")));
            }
            let Some(known) = read_attributes(node) else {
                // Actuators count in their order: those that pull no joint are passed by where servos are read.
                if above.has_tag_name("actuator") {
                    self.bare(node);
                } else {
                    self.unread(node, "nothing here uses it");
                }
                continue;
            };
            self.attributes(node, known)?;
            self.elements(node)?;
        }
        Ok(())
    }

    /// An actuator of which only the name is read.
    fn bare(&mut self, node: Node) {
        let tag = node.tag_name().name();
        let named = ["name", "joint", "tendon"].into_iter().find_map(|key| node.attribute(key));
        let place = self.source.place_of(node);
        self.notes.ignored(&place, format!("<{tag}> actuators"), named.unwrap_or_default(), "servos hold an angle");
        let attributes = node.attributes().filter(|attribute| attribute.name() != "name");
        self.blanks.extend(attributes.map(|attribute| attribute.range()));
        self.blanks.extend(node.children().filter(Node::is_element).map(|child| child.range()));
    }

    fn attributes(&mut self, node: Node, known: &[&[&str]]) -> Result<(), DescriptionError> {
        let tag = node.tag_name().name();
        for attribute in node.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            if LOOKS.contains(&name) {
                let what = "looks and groups (`rgba`, `material`, `group`, `user` and the like)";
                self.notes.ignored(&self.source.place_of(node), what, "", "nothing here needs them");
                self.blanks.push(attribute.range());
                continue;
            }
            if !known.iter().any(|known| known.contains(&name)) {
                let place = self.source.place_of(node);
                let owner = ["name", "joint"].into_iter().find_map(|key| node.attribute(key));
                let owner =
                    owner.or(node.parent_element().and_then(|up| up.attribute("class").or(up.attribute("name"))));
                let what = format!("attribute `{name}` of <{tag}>");
                self.notes.ignored(&place, what, owner.unwrap_or_default(), "not read");
                self.blanks.push(attribute.range());
                continue;
            }
            let words = WORDS.iter().find(|(element, key, _)| *element == tag && *key == name);
            if let Some((_, _, words)) = words.filter(|(_, _, words)| !words.contains(&value)) {
                let problem = format!("attribute `{name}` of <{tag}> is `{value}`; MJCF has {}", words.join(", "));
                return Err(self.error(node, problem));
            }
            if let Some((_, least, most)) = NUMBERS.iter().find(|(known, ..)| *known == name)
                && let Some(problem) = numbers_problem(value, *least, *most)
            {
                return Err(self.error(node, format!("attribute `{name}` of <{tag}> {problem}")));
            }
            if ["class", "childclass"].contains(&name) && tag != "default" && !self.classes.contains(value) {
                let meant = did_you_mean(value, self.classes.iter().map(String::as_str));
                let problem =
                    format!("`{name}` of <{tag}> names the class `{value}`, which no <default> declares{meant}");
                return Err(self.error(node, problem));
            }
        }
        Ok(())
    }

    fn unread(&mut self, node: Node, done: &str) {
        let place = self.source.place_of(node);
        let name = node.attribute("name").unwrap_or_default();
        self.notes.ignored(&place, format!("<{}>", node.tag_name().name()), name, done);
        self.blanks.push(node.range());
    }

    fn leave_out(&mut self, node: Node) {
        let place = self.source.place_of(node);
        let what = "cameras, lights, materials, sensors, sites and the like";
        self.notes.ignored(&place, what, "", "nothing here needs them");
        self.blanks.push(node.range());
    }

    /// What the parser would misread.
    fn compiler(&mut self, document: &Document) -> Result<(), DescriptionError> {
        let sections: Vec<Node> = document.root_element().children().filter(Node::is_element).collect();
        let turned = |node: &Node| node.attribute("euler").or(node.attribute("axisangle")).is_some();
        for (index, node) in sections.iter().enumerate().filter(|(_, node)| node.has_tag_name("compiler")) {
            let order = node.attribute("eulerseq").unwrap_or("xyz");
            if order.len() != 3 || !order.chars().all(|axis| "xyzXYZ".contains(axis)) {
                return Err(self.error(*node, format!("`eulerseq` is `{order}`; it must be three of x, y, z, X, Y, Z")));
            }
            let before = sections[..index].iter().filter(|section| section.has_tag_name("default"));
            if before.flat_map(Node::descendants).any(|node| turned(&node)) {
                return Err(self.error(*node, "<compiler> must come before a <default> that holds angles"));
            }
            const READ: &[&str] = &[
                "angle",
                "autolimits",
                "meshdir",
                "assetdir",
                "eulerseq",
                "strippath",
                "inertiafromgeom",
                "exactmeshinertia",
                // Files that say anything but `local` are refused where they are parsed.
                "coordinate",
            ];
            for attribute in node.attributes().filter(|attribute| !READ.contains(&attribute.name())) {
                let place = self.source.place_of(*node);
                self.notes.ignored(&place, format!("attribute `{}` of <compiler>", attribute.name()), "", "not read");
                self.blanks.push(attribute.range());
            }
        }
        Ok(())
    }
}

/// What is wrong with a list of numbers.
pub(in super::super) fn numbers_problem(value: &str, least: usize, most: usize) -> Option<String> {
    let mut count = 0;
    for word in value.split_ascii_whitespace() {
        if !word.parse::<f64>().is_ok_and(f64::is_finite) {
            return Some(format!("holds `{word}`, which is not a finite number"));
        }
        count += 1;
    }
    let wanted = if least == most { format!("{least}") } else { format!("{least} to {most}") };
    (count < least || count > most).then(|| format!("holds {count} numbers instead of {wanted}"))
}
