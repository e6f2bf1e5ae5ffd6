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
    "plugin",
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

/// Attributes that are read here or have no meaning outside MuJoCo's solver, by element.
const KNOWN: &[(&str, &[&str])] = &[
    ("body", &["name", "childclass", "pos", "quat", "axisangle", "euler", "xyaxes", "zaxis", "user"]),
    ("frame", &["name", "childclass", "pos", "quat", "axisangle", "euler", "xyaxes", "zaxis"]),
    ("inertial", &["pos", "quat", "axisangle", "euler", "xyaxes", "zaxis", "mass", "diaginertia", "fullinertia"]),
    (
        "joint",
        &[
            "name",
            "class",
            "type",
            "pos",
            "axis",
            "range",
            "limited",
            "damping",
            "armature",
            "frictionloss",
            "ref",
            "actuatorfrcrange",
            "actuatorfrclimited",
            "group",
            "user",
            "solreflimit",
            "solimplimit",
            "solreffriction",
            "solimpfriction",
            "margin",
            "joint",
            "coef",
            "joint1",
            "joint2",
            "polycoef",
            "active",
            "solref",
            "solimp",
        ],
    ),
    (
        "geom",
        &[
            "name",
            "class",
            "type",
            "size",
            "pos",
            "quat",
            "axisangle",
            "euler",
            "xyaxes",
            "zaxis",
            "fromto",
            "friction",
            "mass",
            "density",
            "contype",
            "conaffinity",
            "mesh",
            "group",
            "rgba",
            "material",
            "user",
            "solref",
            "solimp",
            "solmix",
            "condim",
            "priority",
            "margin",
            "gap",
            "shellinertia",
        ],
    ),
    ("position", ACTUATOR),
    ("general", ACTUATOR),
    ("motor", ACTUATOR),
    ("exclude", &["name", "body1", "body2"]),
];

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
    "inheritrange",
    "gaintype",
    "biastype",
    "gainprm",
    "biasprm",
    "dyntype",
    "dynprm",
    "group",
    "user",
];

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
            } else if tag == "option" && section.attributes().next().is_some() {
                let place = self.source.place_of(section);
                self.notes.ignored(&place, "<option>", "", "time steps and solver are giraffe's own");
            } else if !["compiler", "option"].contains(&tag) {
                self.unread(section, "unknown to giraffe");
            }
        }
        Ok(())
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
            self.attributes(node)?;
            self.elements(node)?;
        }
        Ok(())
    }

    fn attributes(&mut self, node: Node) -> Result<(), DescriptionError> {
        let tag = node.tag_name().name();
        let known = KNOWN.iter().find(|(element, _)| *element == tag).map(|(_, known)| known);
        for attribute in node.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            let of_geometry = tag != "mesh" || !["normal", "face", "texcoord"].contains(&name);
            if let Some((_, least, most)) = NUMBERS.iter().find(|(known, ..)| *known == name && of_geometry)
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
            if known.is_some_and(|known| !known.contains(&name)) {
                let place = self.source.place_of(node);
                let owner = node.attribute("name").or(node.parent_element().and_then(|up| up.attribute("class")));
                let what = format!("attribute `{name}` of <{tag}>");
                self.notes.ignored(&place, what, owner.unwrap_or_default(), "not read");
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
                "texturedir",
                "assetdir",
                "eulerseq",
                "strippath",
                "inertiafromgeom",
                "coordinate",
                "discardvisual",
                "convexhull",
                "fusestatic",
                "alignfree",
                "usethread",
            ];
            for attribute in node.attributes().filter(|attribute| !READ.contains(&attribute.name())) {
                let place = self.source.place_of(*node);
                self.notes.ignored(&place, format!("attribute `{}` of <compiler>", attribute.name()), "", "not read");
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
