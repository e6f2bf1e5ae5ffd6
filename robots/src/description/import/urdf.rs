//! Reads a URDF file. A parser of our own on the XML tree, since messages name lines.

use super::inertia::Mass;
use super::mesh::Mesh;
use super::mjcf::{free_name, numbers_problem};
use super::raw::{Placement, RawBody, RawCoupling, RawGeom, RawHand, RawJoint, RawMass, RawServo};
use super::report::Notes;
use super::source::Source;
use super::{UNLIMITED_RAD, tree};
use crate::description::{DescriptionError, Place};
use crate::model::GeomShape;
use crate::names::did_you_mean;
use nalgebra::{Isometry3, Matrix3, Point3, Translation3, Unit, UnitQuaternion, Vector3};
use roxmltree::{Document, Node};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Sliding friction of shapes: URDF has none.
const FRICTION: f64 = 0.7;
/// Rotor inertia: URDF has none. Between Shadow's 0.0002 and LEAP's 0.0015 kg m2.
const ARMATURE: f64 = 5e-4;
/// Torque limits above this, N m, and speeds above that, rad/s, are placeholders: no joint of a hand has them.
const PLACEHOLDER_TORQUE: f64 = 50.0;
const PLACEHOLDER_SPEED: f64 = 100.0;

/// Elements without meaning for how a hand moves, or for simulators of their own.
const UNREAD: &[&str] =
    &["material", "transmission", "gazebo", "sensor", "ros2_control", "plugin", "mujoco", "verbose"];

/// Reads a file.
pub(super) fn read(path: &Path, notes: &mut Notes) -> Result<RawHand, DescriptionError> {
    let source = Source::plain(path)?;
    let document = source.document()?;
    let mut reader = Reader { path, source: &source, document: &document, notes, meshes: BTreeMap::new() };
    reader.hand()
}

struct Reader<'r> {
    path: &'r Path,
    source: &'r Source,
    document: &'r Document<'r>,
    notes: &'r mut Notes,
    meshes: BTreeMap<String, Result<Mesh, String>>,
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
        self.survey()?;
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
            hand.bodies.push(RawBody { name, place, parent, parent_from_body, joints, mass, geoms });
        }
        if hand.bodies[0].name == "world" {
            hand.placement = Placement::Said(UnitQuaternion::identity());
        }
        let (file, assumed) = (hand.file.clone(), "URDF has no");
        let done = format!("{FRICTION} for every shape");
        self.notes.assumed(&file, format!("{assumed} friction of surfaces"), "", done);
        self.notes.assumed(&file, format!("{assumed} rotor inertia"), "", format!("{ARMATURE} kg m2 at every joint"));
        let done = format!("servos reach their torque limit {} rad from their target", super::servo::TORQUE_AT_RAD);
        self.notes.assumed(&file, format!("{assumed} stiffness of servos"), "", done);
        Ok(hand)
    }

    /// What has no meaning here, and what would be misread.
    fn survey(&mut self) -> Result<(), DescriptionError> {
        let document = self.document;
        for node in document.root_element().children().filter(Node::is_element) {
            let tag = node.tag_name().name();
            if node.tag_name().namespace().is_some_and(|space| space.contains("xacro")) {
                return Err(self.error(node, "this is xacro: expand it first (xacro hand.urdf.xacro > hand.urdf)"));
            }
            if !["link", "joint"].contains(&tag) {
                let done = if UNREAD.contains(&tag) { "nothing here needs it" } else { "unknown to giraffe" };
                let name = node.attribute("name").unwrap_or_default().to_owned();
                let place = self.place(node);
                self.notes.ignored(&place, format!("<{tag}>"), &name, done);
            }
        }
        Ok(())
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
        for tag in ["safety_controller", "calibration"] {
            if elements(edge.node, tag).next().is_some() {
                self.notes.ignored(&place, format!("<{tag}> of joint"), &edge.name, "not read");
            }
        }
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
            limits_rad = ends.map(|end| end.unwrap_or(0.0));
            let [lower, upper] = limits_rad;
            if lower > upper {
                return Err(self.error(edge.node, format!("its lower limit {lower} is above its upper limit {upper}")));
            }
            if upper - lower <= 0.0 {
                self.notes.approximated(&place, "joint with a single angle", &edge.name, "fixed there");
            }
        } else {
            self.notes.assumed(&place, "joint without limits", &edge.name, "half a turn to each side");
        }
        let mut positive = |attribute: &str, what: &str, most: f64| -> Result<Option<f64>, DescriptionError> {
            let value = self.number(limit, attribute)?;
            if value.is_some_and(|value| value < 0.0) {
                return Err(self.error(edge.node, format!("{what} cannot be negative")));
            }
            if value.is_some_and(|value| value == 0.0 || value > most) {
                let what = format!("{what} of 0 or above {most}, of joint");
                self.notes.ignored(&place, what, &edge.name, "taken for a placeholder");
            }
            Ok(value.filter(|value| *value > 0.0 && *value <= most))
        };
        let effort = positive("effort", "torque limit", PLACEHOLDER_TORQUE)?;
        let velocity = positive("velocity", "speed limit", PLACEHOLDER_SPEED)?;
        Ok((limits_rad, RawServo { stiffness: None, effort, damping: 0.0 }, velocity))
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
        let offset_rad = self.number(mimic, "offset")?.unwrap_or(0.0);
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
        tree::check_mass(mass, &self.source.place_of(link), name, self.notes).map(RawMass::Known)
    }

    fn geoms(
        &mut self,
        link: Node,
        body: &str,
        taken: &mut BTreeSet<String>,
    ) -> Result<Vec<RawGeom>, DescriptionError> {
        if elements(link, "visual").next().is_some() {
            let place = self.place(link);
            self.notes.ignored(&place, "visual shapes", "", "they touch nothing");
        }
        let mut geoms = Vec::new();
        for collision in elements(link, "collision") {
            let origin = self.origin(collision)?;
            let shape = elements(collision, "geometry").next();
            let shape = shape.and_then(|geometry| geometry.children().find(Node::is_element));
            let Some(shape) = shape else { return Err(self.error(link, "a <collision> of it has no shape")) };
            let Some((shape, at)) = self.shape(shape, body)? else { continue };
            let wanted = collision.attribute("name").map_or_else(|| format!("{body}_shape"), str::to_owned);
            geoms.push(RawGeom {
                name: free_name(&wanted, taken),
                shape,
                body_from_geom: origin * Translation3::from(at),
                friction: FRICTION,
                collision_bits: (1, 1),
            });
        }
        Ok(geoms)
    }

    /// A shape and where its middle stands.
    fn shape(&mut self, node: Node, body: &str) -> Result<Option<(GeomShape, Vector3<f64>)>, DescriptionError> {
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
            "mesh" => {
                let scale = Vector3::from(self.three(node, "scale", [1.0; 3])?);
                let file = node.attribute("filename").unwrap_or_default();
                return Ok(match self.mesh(file) {
                    Ok(mesh) => {
                        self.notes.approximated(&place, "collision mesh of link", body, "its bounding box");
                        Some(mesh.placed(&Isometry3::identity(), scale).bounding_box())
                    }
                    Err(reason) => {
                        let done = format!("{reason}; left out: it touches nothing");
                        self.notes.ignored(&place, "collision mesh of link", body, done);
                        None
                    }
                });
            }
            other => {
                self.notes.ignored(&place, format!("<{other}> of link"), body, "left out: it touches nothing");
                return Ok(None);
            }
        };
        Ok(Some((shape, Vector3::zeros())))
    }

    fn mesh(&mut self, file: &str) -> Result<Mesh, String> {
        if let Some(known) = self.meshes.get(file) {
            return known.clone();
        }
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let read = Mesh::read(&mesh_path(file, folder));
        self.meshes.insert(file.to_owned(), read.clone());
        read
    }

    /// The `<origin>` of an element.
    fn origin(&self, node: Node) -> Result<Isometry3<f64>, DescriptionError> {
        let Some(origin) = elements(node, "origin").next() else { return Ok(Isometry3::identity()) };
        let [x, y, z] = self.three(origin, "xyz", [0.0; 3])?;
        let [roll, pitch, yaw] = self.three(origin, "rpy", [0.0; 3])?;
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

/// Where a mesh is: ROS's `package://` is looked for in the folders above the file.
fn mesh_path(file: &str, folder: &Path) -> PathBuf {
    if let Some(path) = file.strip_prefix("file://") {
        return PathBuf::from(path);
    }
    let Some(in_package) = file.strip_prefix("package://") else { return folder.join(file) };
    let without_name = in_package.split_once('/').map_or(in_package, |(_, rest)| rest);
    let absolute = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let found = absolute
        .ancestors()
        .take(5)
        .flat_map(|above| [above.join(in_package), above.join(without_name)])
        .find(|path| path.is_file());
    found.unwrap_or_else(|| folder.join(without_name))
}
