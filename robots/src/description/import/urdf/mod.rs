//! Reads a URDF file. A parser of our own on the XML tree, since messages name lines.

mod shapes;
mod survey;
mod units;

use super::inertia::Mass;
use super::meshes::Meshes;
use super::mjcf::numbers_problem;
use super::raw::{Placement, RawBody, RawCoupling, RawHand, RawJoint, RawMass, RawServo};
use super::report::Notes;
use super::servo::PLACEHOLDER_TORQUE;
use super::source::Source;
use super::units::within_a_turn;
use super::{Reading, UNLIMITED_RAD, weigh};
use crate::description::{DescriptionError, Place};
use crate::names::did_you_mean;
use nalgebra::{Isometry3, Matrix3, Point3, Translation3, Unit, UnitQuaternion, Vector3};
use roxmltree::{Document, Node};
use shapes::FRICTION;
use std::collections::BTreeSet;
use std::path::Path;
use units::Units;

/// Rotor inertia: URDF has none. Between Shadow's 0.0002 and LEAP's 0.0015 kg m2.
const ARMATURE: f64 = 5e-4;
/// Speeds above this, rad/s, are placeholders: no joint of a hand has them.
const PLACEHOLDER_SPEED: f64 = 100.0;
/// And so is a speed below this, rad/s: a finger would need a minute to close.
const STANDSTILL_SPEED: f64 = 0.02;
/// Limits of a joint that has none because nobody set them, rad.
const QUARTER_RAD: [f64; 2] = [-std::f64::consts::FRAC_PI_2, std::f64::consts::FRAC_PI_2];

/// Reads a file.
pub(super) fn read(path: &Path, reading: &Reading, notes: &mut Notes) -> Result<RawHand, DescriptionError> {
    let source = Source::plain(path)?;
    let document = source.document()?;
    let (meshes, units) = (Meshes::new(path, reading.mesh_shapes), Units::default());
    let mut reader = Reader { source: &source, document: &document, reading, notes, meshes, units };
    reader.hand()
}

struct Reader<'r> {
    source: &'r Source,
    document: &'r Document<'r>,
    reading: &'r Reading,
    notes: &'r mut Notes,
    meshes: Meshes,
    units: Units,
}

/// A `<joint>`, as the tree needs it.
struct Edge<'d> {
    node: Node<'d, 'd>,
    name: String,
    kind: &'d str,
    parent: usize,
    child: usize,
}

impl<'r> Reader<'r> {
    fn place(&self, node: Node) -> Place {
        self.source.place_of(node)
    }

    fn error(&self, node: Node, problem: impl Into<String>) -> DescriptionError {
        let name = node.attribute("name").map(|name| format!(" `{name}`")).unwrap_or_default();
        self.place(node).error(format!("<{}>{name}: {}", node.tag_name().name(), problem.into()))
    }

    fn hand(&mut self) -> Result<RawHand, DescriptionError> {
        survey::survey(self.source, self.document, self.notes)?;
        self.units = units::of(self.source, self.document, self.notes);
        let document = self.document;
        let links: Vec<Node> = elements(document.root_element(), "link").collect();
        let names = self.names(&links)?;
        let edges = self.edges(&names)?;
        let order = self.order(&links, &edges)?;
        let mut geom_names = BTreeSet::new();
        let mut hand = RawHand {
            file: self.source.whole(),
            bodies: Vec::new(),
            couplings: Vec::new(),
            excludes: Vec::new(),
            home_rad: None,
            placement: Placement::Unknown,
        };
        for &link in &order {
            let edge = edges.iter().find(|edge| edge.child == link);
            let parent = edge.and_then(|edge| order.iter().position(|index| *index == edge.parent));
            let (parent_from_body, joints) = match edge {
                Some(edge) => (self.origin(edge.node)?, self.joint(edge, &mut hand.couplings)?),
                None => (Isometry3::identity(), Vec::new()),
            };
            let mass = self.mass(links[link], &names[link])?;
            let geoms = self.geoms(links[link], &names[link], &mut geom_names)?;
            let (name, place) = (names[link].clone(), self.place(links[link]));
            let floats = edge.is_some_and(|edge| ["prismatic", "floating", "planar"].contains(&edge.kind));
            hand.bodies.push(RawBody { name, place, parent, parent_from_body, joints, mass, geoms, floats });
        }
        self.nail(&mut hand);
        let (file, assumed) = (hand.file.clone(), "URDF has no");
        let done = format!("{FRICTION} for every shape");
        self.notes.assumed(&file, format!("{assumed} friction of surfaces"), "", done);
        self.notes.assumed(&file, format!("{assumed} rotor inertia"), "", format!("{ARMATURE} kg m2 at every joint"));
        let done = format!("servos reach their torque limit {} rad from their target", super::servo::TORQUE_AT_RAD);
        self.notes.assumed(&file, format!("{assumed} stiffness of servos"), "", done);
        Ok(hand)
    }

    /// A link `world` nails a robot down in ROS; where up is, it says only if the hand is turned against it.
    fn nail(&mut self, hand: &mut RawHand) {
        let below: Vec<usize> = (1..hand.bodies.len()).filter(|index| hand.bodies[*index].parent == Some(0)).collect();
        let world = &hand.bodies[0];
        if world.name != "world" {
            return;
        }
        let turned = |index: &usize| {
            let body = &hand.bodies[*index];
            body.joints.is_empty() && body.parent_from_body.rotation.angle() > 1e-6
        };
        if below.iter().any(turned) {
            hand.placement = Placement::Said(UnitQuaternion::identity());
            return;
        }
        let is_bare = world.geoms.is_empty() && matches!(world.mass, RawMass::Unknown);
        let nailed = below.len() == 1 && hand.bodies[1].joints.is_empty() && is_bare;
        if nailed {
            let done = "it only nails the hand down: its joint has no rpy, so where up is remains open";
            self.notes.ignored(&world.place, "link", "world", done);
            hand.bodies.remove(0);
            for body in &mut hand.bodies {
                body.parent = body.parent.and_then(|parent| parent.checked_sub(1));
            }
            hand.bodies[0].parent_from_body = Isometry3::identity();
            hand.bodies[0].floats = false;
        }
    }

    fn names(&self, links: &[Node]) -> Result<Vec<String>, DescriptionError> {
        if links.len() > super::MAX_BODIES * 4 {
            return Err(self.source.whole().error(format!("{} links; this is no hand", links.len())));
        }
        let mut names: Vec<String> = Vec::new();
        for link in links {
            let Some(name) = link.attribute("name").filter(|name| !name.is_empty()) else {
                return Err(self.error(*link, "it has no name"));
            };
            if names.iter().any(|other| other == name) {
                return Err(self.error(*link, "this name is used twice"));
            }
            names.push(name.to_owned());
        }
        Ok(names)
    }

    fn edges(&self, links: &[String]) -> Result<Vec<Edge<'r>>, DescriptionError> {
        let mut edges: Vec<Edge> = Vec::new();
        for node in elements(self.document.root_element(), "joint") {
            let name = node.attribute("name").filter(|name| !name.is_empty());
            let Some(name) = name else { return Err(self.error(node, "it has no name")) };
            if edges.iter().any(|edge| edge.name == name) {
                return Err(self.error(node, "this name is used twice"));
            }
            let end = |tag: &str| {
                let link = elements(node, tag).next().and_then(|end| end.attribute("link"));
                let Some(link) = link else {
                    return Err(self.error(node, format!("it names no <{tag} link=\"...\"/>")));
                };
                links.iter().position(|name| name == link).ok_or_else(|| {
                    let meant = did_you_mean(link, links.iter().map(String::as_str));
                    self.error(node, format!("its {tag} is the link `{link}`, which is not there{meant}"))
                })
            };
            let (parent, child) = (end("parent")?, end("child")?);
            if edges.iter().any(|edge| edge.child == child) {
                let problem = format!("the link `{}` already hangs at another joint: a hand is a tree", links[child]);
                return Err(self.error(node, problem));
            }
            let Some(kind) = node.attribute("type") else { return Err(self.error(node, "it has no type")) };
            edges.push(Edge { node, name: name.to_owned(), kind, parent, child });
        }
        Ok(edges)
    }

    /// The links of the hand, parents first: the tree with most hinges.
    fn order(&mut self, links: &[Node], edges: &[Edge]) -> Result<Vec<usize>, DescriptionError> {
        let roots = (0..links.len()).filter(|link| edges.iter().all(|edge| edge.child != *link));
        let grow = |root: usize| {
            let mut order = Vec::new();
            let mut open = vec![root];
            while let Some(link) = open.pop() {
                order.push(link);
                // The last one in is the first one out: fingers in the order of the file.
                open.extend(edges.iter().rev().filter(|edge| edge.parent == link).map(|edge| edge.child));
            }
            order
        };
        let hinges = |order: &[usize]| {
            let turns = |edge: &&Edge| ["revolute", "continuous"].contains(&edge.kind) && order.contains(&edge.child);
            edges.iter().filter(turns).count()
        };
        let mut trees: Vec<Vec<usize>> = roots.map(grow).collect();
        let in_trees: usize = trees.iter().map(Vec::len).sum();
        if in_trees < links.len() {
            let in_loop = (0..links.len()).find(|link| trees.iter().all(|tree| !tree.contains(link)));
            let node = links[in_loop.unwrap_or_default()];
            return Err(self.error(node, "it hangs at itself, in a loop: a hand is a tree"));
        }
        let best = (0..trees.len()).max_by_key(|index| (hinges(&trees[*index]), usize::MAX - index));
        let Some(best) = best.filter(|best| hinges(&trees[*best]) > 0) else {
            return Err(self.source.whole().error("there is no revolute joint: a hand has at least one"));
        };
        for (_, tree) in trees.iter().enumerate().filter(|(index, _)| *index != best) {
            let place = self.source.place_of(links[tree[0]]);
            let name = links[tree[0]].attribute("name").unwrap_or_default();
            self.notes.ignored(&place, "links beside the hand", name, "the tree with most hinges is the hand");
        }
        Ok(trees.swap_remove(best))
    }

    fn joint(&mut self, edge: &Edge, couplings: &mut Vec<RawCoupling>) -> Result<Vec<RawJoint>, DescriptionError> {
        let place = self.place(edge.node);
        match edge.kind {
            "fixed" => return Ok(Vec::new()),
            "revolute" | "continuous" => {}
            "prismatic" | "floating" | "planar" => {
                let what = format!("{} joint", edge.kind);
                self.notes.approximated(&place, what, &edge.name, "fixed at zero: joints of a hand are hinges");
                return Ok(Vec::new());
            }
            other => return Err(self.error(edge.node, format!("type `{other}`, which URDF does not have"))),
        }
        let axis = match elements(edge.node, "axis").next() {
            Some(axis) => Vector3::from(self.three(axis, "xyz", [1.0, 0.0, 0.0])?),
            None => Vector3::x(),
        };
        let Some(axis) = Unit::try_new(axis, 1e-9) else {
            let stays = |limit: Node| {
                ["lower", "upper"].iter().all(|end| self.number(limit, end).is_ok_and(|end| end.unwrap_or(0.0) == 0.0))
            };
            if elements(edge.node, "limit").next().is_some_and(stays) {
                self.notes.approximated(&place, "joint without an axis and without a range", &edge.name, "fixed");
                return Ok(Vec::new());
            }
            return Err(self.error(edge.node, "its axis is all zeros, which is no direction"));
        };
        let (limits_rad, servo, velocity_limit) = self.limits(edge)?;
        let dynamics = elements(edge.node, "dynamics").next();
        let term = |name: &str| dynamics.map_or(Ok(0.0), |node| self.number(node, name).map(|n| n.unwrap_or(0.0)));
        let (damping, friction_loss) = (term("damping")?, term("friction")?);
        if damping < 0.0 || friction_loss < 0.0 {
            return Err(self.error(edge.node, "damping and friction cannot be negative"));
        }
        self.mimic(edge, couplings)?;
        Ok(vec![RawJoint {
            name: edge.name.clone(),
            place,
            axis,
            anchor_m: Point3::origin(),
            limits_rad,
            reference_rad: 0.0,
            damping,
            friction_loss,
            armature: ARMATURE,
            velocity_limit,
            servo,
        }])
    }

    fn limits(&mut self, edge: &Edge) -> Result<([f64; 2], RawServo, Option<f64>), DescriptionError> {
        let place = self.place(edge.node);
        let Some(limit) = elements(edge.node, "limit").next() else {
            self.notes.assumed(&place, "joint without limits", &edge.name, "half a turn to each side");
            return Ok((UNLIMITED_RAD, RawServo::default(), None));
        };
        let mut limits_rad = UNLIMITED_RAD;
        if edge.kind == "revolute" {
            let ends = [self.number(limit, "lower")?, self.number(limit, "upper")?];
            let [lower, upper] = ends.map(|end| end.unwrap_or(0.0));
            if lower > upper {
                return Err(self.error(edge.node, format!("its lower limit {lower} is above its upper limit {upper}")));
            }
            limits_rad =
                within_a_turn([lower, upper].map(|end| end * self.units.rad_per_limit), &place, &edge.name, self.notes);
            if self.units.are_not_set && lower == 0.0 && upper == 0.0 {
                let done = "not set: a quarter turn to each side; write limits into the file";
                self.notes.warned(
                    &place,
                    "limits of 0 to 0, as of most joints of the file, of joint",
                    &edge.name,
                    done,
                );
                limits_rad = QUARTER_RAD;
            } else if upper - lower <= 0.0 {
                self.notes.approximated(&place, "joint with a single angle", &edge.name, "fixed there");
            }
        } else {
            self.notes.assumed(&place, "joint without limits", &edge.name, "half a turn to each side");
        }
        let mut positive =
            |attribute: &str, what: &str, [least, most]: [f64; 2]| -> Result<Option<f64>, DescriptionError> {
                let value = self.number(limit, attribute)?;
                if value.is_some_and(|value| value < 0.0) {
                    return Err(self.error(edge.node, format!("{what} cannot be negative")));
                }
                if value.is_some_and(|value| value <= least || value > most) {
                    let low = if least > 0.0 { format!("below {least}") } else { "of 0".to_owned() };
                    let what = format!("{what} {low} or above {most}, of joint");
                    self.notes.ignored(&place, what, &edge.name, "taken for a placeholder");
                }
                Ok(value.filter(|value| *value > least && *value <= most))
            };
        let effort = positive("effort", "torque limit", [0.0, PLACEHOLDER_TORQUE])?;
        let velocity = positive("velocity", "speed limit", [STANDSTILL_SPEED, PLACEHOLDER_SPEED])?;
        Ok((limits_rad, RawServo { stiffness: None, effort, damping: 0.0, guessed: false }, velocity))
    }

    fn mimic(&mut self, edge: &Edge, couplings: &mut Vec<RawCoupling>) -> Result<(), DescriptionError> {
        let Some(mimic) = elements(edge.node, "mimic").next() else { return Ok(()) };
        let Some(leader) = mimic.attribute("joint") else {
            return Err(self.error(edge.node, "its <mimic> names no joint"));
        };
        let joints = || elements(self.document.root_element(), "joint").filter_map(|node| node.attribute("name"));
        if leader == edge.name || !joints().any(|name| name == leader) {
            let meant = did_you_mean(leader, joints());
            let problem = format!("its <mimic> names the joint `{leader}`, which it cannot follow{meant}");
            return Err(self.error(edge.node, problem));
        }
        let ratio = self.number(mimic, "multiplier")?.unwrap_or(1.0);
        let offset_rad = self.number(mimic, "offset")?.unwrap_or(0.0) * self.units.rad_per_limit;
        let (place, leader, follower) = (self.place(mimic), leader.to_owned(), edge.name.clone());
        couplings.push(RawCoupling { place, leader, follower, ratio, offset_rad });
        Ok(())
    }

    fn mass(&mut self, link: Node, name: &str) -> Result<RawMass, DescriptionError> {
        let Some(inertial) = elements(link, "inertial").next() else { return Ok(RawMass::Unknown) };
        let frame = self.origin(inertial)?;
        let kg = match elements(inertial, "mass").next() {
            Some(mass) => self.number(mass, "value")?,
            None => None,
        };
        let Some(kg) = kg else { return Err(self.error(link, "its <inertial> has no mass")) };
        let node = elements(inertial, "inertia").next();
        let mut tensor = [0.0; 6];
        for (number, name) in tensor.iter_mut().zip(["ixx", "iyy", "izz", "ixy", "ixz", "iyz"]) {
            *number = node.map_or(Ok(None), |node| self.number(node, name))?.unwrap_or(0.0);
        }
        let [xx, yy, zz, xy, xz, yz] = tensor;
        let tensor = Matrix3::new(xx, xy, xz, xy, yy, yz, xz, yz, zz);
        let mass = Mass { kg, center_m: Point3::origin(), tensor }.moved(&frame);
        weigh::check(mass, &self.source.place_of(link), name, self.notes)
    }

    /// The `<origin>` of an element.
    fn origin(&self, node: Node) -> Result<Isometry3<f64>, DescriptionError> {
        let Some(origin) = elements(node, "origin").next() else { return Ok(Isometry3::identity()) };
        let [x, y, z] = self.three(origin, "xyz", [0.0; 3])?;
        let [roll, pitch, yaw] = self.three(origin, "rpy", [0.0; 3])?.map(|angle| angle * self.units.rad_per_rpy);
        let turn = UnitQuaternion::from_euler_angles(roll, pitch, yaw);
        Ok(Isometry3::from_parts(Translation3::new(x, y, z), turn))
    }

    fn three(&self, node: Node, name: &str, otherwise: [f64; 3]) -> Result<[f64; 3], DescriptionError> {
        let Some(value) = node.attribute(name) else { return Ok(otherwise) };
        if let Some(problem) = numbers_problem(value, 3, 3) {
            return Err(self.error(node, format!("`{name}` {problem}")));
        }
        let mut numbers = value.split_ascii_whitespace().filter_map(|word| word.parse::<f64>().ok());
        Ok(otherwise.map(|missing| numbers.next().unwrap_or(missing)))
    }

    fn number(&self, node: Node, name: &str) -> Result<Option<f64>, DescriptionError> {
        let Some(value) = node.attribute(name) else { return Ok(None) };
        match numbers_problem(value, 1, 1) {
            Some(problem) => Err(self.error(node, format!("`{name}` {problem}"))),
            None => Ok(value.trim().parse().ok()),
        }
    }
}

fn elements<'d>(node: Node<'d, 'd>, tag: &str) -> impl Iterator<Item = Node<'d, 'd>> {
    node.children().filter(move |child| child.has_tag_name(tag))
}
