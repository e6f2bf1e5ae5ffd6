//! Reads somebody else's MJCF: everything that has a sensible meaning for a hand, with a note where it has another.

mod actuator;
mod angles;
mod equality;
mod geom;
mod members;
mod survey;

pub(super) use survey::numbers_problem;

use super::inertia::Mass;
use super::raw::{Placement, RawBody, RawGeom, RawHand, RawJoint, RawMass, RawServo};
use super::report::Notes;
use super::source::Source;
use super::units;
use super::weigh;
use super::{Reading, UNLIMITED_RAD};
use crate::description::{DescriptionError, Place};
use geom::GeomReader;
use mjcf_rs::Model;
use mjcf_rs::body::{Body, InertiaSpec, Inertial, Joint, JointType};
use mjcf_rs::compiler::InertiaFromGeom;
use mjcf_rs::types::Tristate;
use nalgebra::{Isometry3, Matrix3, Point3, Quaternion, Translation3, Unit, UnitQuaternion, Vector3};
use roxmltree::{Document, Node};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A hand that hangs at the world is brought to its middle from farther than this, m.
const FAR_FROM_PALM_M: f64 = 0.25;
/// Attributes that turn a body.
const ROTATIONS: [&str; 5] = ["quat", "axisangle", "euler", "xyaxes", "zaxis"];

/// Reads a file.
pub(super) fn read(path: &Path, reading: &Reading, notes: &mut Notes) -> Result<RawHand, DescriptionError> {
    let source = Source::with_includes(path)?;
    let document = source.document()?;
    let found = document.root_element().tag_name().name();
    if found != "mujoco" {
        return Err(source
            .place_of(document.root_element())
            .error(format!("expected a <mujoco> file, found <{found}>")));
    }
    let blanks = survey::survey(&source, &document, notes)?;
    let text = source.without(&blanks);
    let parse = |text: &str| {
        Model::from_str(text, path.parent().unwrap_or(Path::new("")))
            .map_err(|error| source.whole().error(error.to_string()))
    };
    let mut model = parse(&text)?;
    let mut limit_correction = 1.0;
    match angles::unit(&source, &document, &model, notes) {
        Some(angles::Unit::WholeFile(angle)) => model = parse(&angles::with_unit(&text, &document, angle))?,
        Some(angles::Unit::Limits(factor)) => limit_correction = factor,
        None => {}
    }
    let nodes = body_nodes(&document);
    if nodes.len() + 1 != model.bodies.len() {
        return Err(source.whole().error("its bodies are arranged in a way that is not understood"));
    }
    let world_geoms = world_geoms(&document);
    if world_geoms.len() != model.bodies[0].body.geoms.len() {
        return Err(source.whole().error("the shapes of its world are arranged in a way that is not understood"));
    }
    let mut reader = Reader {
        reading,
        path,
        source: &source,
        document: &document,
        model: &model,
        nodes,
        world_geoms,
        limit_correction,
        notes,
    };
    reader.hand()
}

/// One `<body>` and what belongs to it, in the order of the file: that of the parser's bodies.
struct BodyNodes<'d> {
    body: Node<'d, 'd>,
    joints: Vec<Node<'d, 'd>>,
    geoms: Vec<Node<'d, 'd>>,
}

fn body_nodes<'d>(document: &'d Document<'d>) -> Vec<BodyNodes<'d>> {
    let mut found = Vec::new();
    for world in document.root_element().children().filter(|node| node.has_tag_name("worldbody")) {
        collect(world, None, &mut found);
    }
    found
}

/// Depth is bounded by what was checked of the text.
fn collect<'d>(above: Node<'d, 'd>, owner: Option<usize>, found: &mut Vec<BodyNodes<'d>>) {
    for node in above.children().filter(Node::is_element) {
        match (node.tag_name().name(), owner) {
            ("body", _) => {
                found.push(BodyNodes { body: node, joints: Vec::new(), geoms: Vec::new() });
                collect(node, Some(found.len() - 1), found);
            }
            ("frame", _) => collect(node, owner, found),
            ("joint" | "freejoint", Some(owner)) if above.has_tag_name("body") => found[owner].joints.push(node),
            ("geom", Some(owner)) => found[owner].geoms.push(node),
            _ => {}
        }
    }
}

/// Shapes of the world, those in frames included.
fn world_geoms<'d>(document: &'d Document<'d>) -> Vec<Node<'d, 'd>> {
    let of_world = |node: &Node| {
        let mut above = node.ancestors().skip(1).skip_while(|above| above.has_tag_name("frame"));
        node.has_tag_name("geom") && above.next().is_some_and(|above| above.has_tag_name("worldbody"))
    };
    document.descendants().filter(of_world).collect()
}

struct Reader<'r> {
    path: &'r Path,
    reading: &'r Reading,
    source: &'r Source,
    document: &'r Document<'r>,
    model: &'r Model,
    nodes: Vec<BodyNodes<'r>>,
    /// Shapes of the world, in the order of the file: that of the parser's.
    world_geoms: Vec<Node<'r, 'r>>,
    /// What limits are multiplied by, for a file that says another unit than it has.
    limit_correction: f64,
    notes: &'r mut Notes,
}

impl Reader<'_> {
    /// Body `index` of the file; the parser's number 0 is the world.
    fn body(&self, index: usize) -> &Body {
        &self.model.bodies[index + 1].body
    }

    fn parent(&self, index: usize) -> Option<usize> {
        self.model.bodies[index + 1].parent.and_then(|parent| parent.checked_sub(1))
    }

    fn place(&self, node: Node) -> Place {
        self.source.place_of(node)
    }

    fn hand(&mut self) -> Result<RawHand, DescriptionError> {
        let names = self.body_names()?;
        let members = members::find(self.source, self.document, self.model, &self.nodes, &names, self.notes)?;
        let mut geoms = GeomReader::new(self.path, self.source, self.model, self.reading);
        let mut bodies = Vec::with_capacity(members.bodies.len() + 1);
        let mut joint_names = BTreeSet::new();
        let mut geom_names = self.given_names("geom")?;
        if let Some(palm) = &members.palm {
            bodies.push(self.palm(palm, &names, &mut geoms, &mut geom_names)?);
        }
        let above = bodies.len();
        for &index in &members.bodies {
            let (model, nodes) = (self.model, &self.nodes[index].geoms);
            let read = geoms.body(&names[index], &model.bodies[index + 1].body, nodes, self.notes)?;
            let geoms = named(read.geoms, &names[index], &mut geom_names);
            let mass = self.mass(index, &names[index], read.mass)?;
            let joints = self.joints(index, &names[index], &mut joint_names)?;
            let floats = self.body(index).joints.iter().any(|joint| joint.type_ != JointType::Hinge);
            let parent = match self.parent(index) {
                Some(parent) => members.bodies.iter().position(|member| *member == parent).map(|at| at + above),
                None => (above > 0).then_some(0),
            };
            bodies.push(RawBody {
                name: names[index].clone(),
                place: self.place(self.nodes[index].body),
                parent,
                parent_from_body: isometry(&self.body(index).pose),
                joints,
                mass,
                geoms,
                floats,
            });
        }
        let placement = self.placement(&members, &mut bodies);
        let home_rad = self.home();
        let couplings = self.equalities(&mut bodies)?;
        let excludes = self.excludes(&bodies, members.palm.is_some());
        let mut hand = RawHand { file: self.source.whole(), bodies, couplings, excludes, home_rad, placement };
        actuator::drive(&mut hand, self.source, self.document, self.model, self.notes)?;
        Ok(hand)
    }

    /// The world, as the palm of a hand.
    fn palm(
        &mut self,
        shapes: &[usize],
        names: &[String],
        geoms: &mut GeomReader,
        geom_names: &mut BTreeSet<String>,
    ) -> Result<RawBody, DescriptionError> {
        let name = free_name("palm", &mut names.iter().cloned().collect());
        let nodes: Vec<Node> = shapes.iter().filter_map(|index| self.world_geoms.get(*index).copied()).collect();
        let mut world = self.model.bodies[0].body.clone();
        let mut index = 0;
        world.geoms.retain(|_| {
            index += 1;
            shapes.contains(&(index - 1))
        });
        let read = geoms.body(&name, &world, &nodes, self.notes)?;
        Ok(RawBody {
            place: nodes.first().map_or_else(|| self.source.whole(), |node| self.place(*node)),
            parent: None,
            parent_from_body: Isometry3::identity(),
            joints: Vec::new(),
            mass: RawMass::Unknown,
            geoms: named(read.geoms, &name, geom_names),
            floats: false,
            name,
        })
    }

    /// How the root stands. Where it stands is dropped, unless it is the world and the hand is far from its middle.
    fn placement(&self, members: &members::Members, bodies: &mut [RawBody]) -> Placement {
        if members.palm.is_some() {
            let hanging: Vec<Vector3<f64>> = bodies[1..]
                .iter()
                .filter(|body| body.parent == Some(0))
                .map(|body| body.parent_from_body.translation.vector)
                .collect();
            let middle = hanging.iter().sum::<Vector3<f64>>() / hanging.len().max(1) as f64;
            if middle.norm() > FAR_FROM_PALM_M {
                let shift = Translation3::from(-middle);
                for geom in &mut bodies[0].geoms {
                    geom.body_from_geom = shift * geom.body_from_geom;
                }
                for body in bodies[1..].iter_mut().filter(|body| body.parent == Some(0)) {
                    body.parent_from_body = shift * body.parent_from_body;
                }
            }
            return Placement::Drawn;
        }
        let rotation = bodies[0].parent_from_body.rotation;
        bodies[0].parent_from_body = Isometry3::identity();
        let node = members.bodies.first().map(|index| self.nodes[*index].body);
        let turns = |node: &Node| ROTATIONS.iter().any(|attribute| node.has_attribute(*attribute));
        let is_said = node.is_some_and(|node| node.ancestors().any(|node| turns(&node)));
        if is_said { Placement::Said(rotation) } else { Placement::Drawn }
    }

    /// Every body has a name of its own.
    fn body_names(&mut self) -> Result<Vec<String>, DescriptionError> {
        let mut taken = self.given_names("body")?;
        let mut names = Vec::with_capacity(self.nodes.len());
        for index in 0..self.nodes.len() {
            let name = match self.body(index).name.clone().filter(|name| !name.is_empty()) {
                Some(name) => name,
                None => {
                    let name = free_name(&format!("body_{}", index + 1), &mut taken);
                    let place = self.place(self.nodes[index].body);
                    self.notes.assumed(&place, "bodies without a name", &name, "named by their number");
                    name
                }
            };
            names.push(name);
        }
        Ok(names)
    }

    /// The names of all bodies, or geoms; an error if one is given twice.
    fn given_names(&self, tag: &str) -> Result<BTreeSet<String>, DescriptionError> {
        let mut names = BTreeSet::new();
        let of_world = self.world_geoms.iter().copied().filter(|_| tag == "geom");
        let nodes = self.nodes.iter().flat_map(|nodes| match tag {
            "body" => vec![nodes.body],
            _ => nodes.geoms.clone(),
        });
        for node in of_world.chain(nodes) {
            if let Some(name) = node.attribute("name").filter(|name| !name.is_empty())
                && !names.insert(name.to_owned())
            {
                return Err(self.place(node).error(format!("<{tag}> `{name}`: this name is used twice")));
            }
        }
        Ok(names)
    }

    fn mass(&mut self, index: usize, name: &str, of_geoms: Option<Mass>) -> Result<RawMass, DescriptionError> {
        let by_geoms = self.model.compiler.inertia_from_geom == InertiaFromGeom::True;
        let body = &self.model.bodies[index + 1].body;
        let mass = match &body.inertial {
            Some(inertial) if !by_geoms => inertia(inertial),
            _ => match of_geoms {
                Some(mass) => mass,
                None => return Ok(RawMass::Unknown),
            },
        };
        let place = self.place(self.nodes[index].body);
        weigh::check(mass, &place, name, self.notes)
    }

    fn joints(
        &mut self,
        index: usize,
        body: &str,
        taken: &mut BTreeSet<String>,
    ) -> Result<Vec<RawJoint>, DescriptionError> {
        let nodes = self.nodes[index].joints.clone();
        let sources = &self.model.bodies[index + 1].body.joints;
        let mut joints = Vec::new();
        for (node, joint) in nodes.into_iter().zip(sources) {
            let place = self.place(node);
            let name = match joint.name.clone().filter(|name| !name.is_empty()) {
                Some(name) if !taken.insert(name.clone()) => {
                    return Err(place.error(format!("<joint> `{name}`: this name is used twice")));
                }
                Some(name) => name,
                None => free_name(&format!("{body}_joint"), taken),
            };
            let kind = match joint.type_ {
                JointType::Hinge => {
                    joints.push(self.hinge(node, joint, name)?);
                    continue;
                }
                JointType::Free => "free joint",
                JointType::Slide => "slide joint",
                JointType::Ball => "ball joint",
            };
            self.notes.approximated(&place, kind, &name, "fixed where it stands: joints of a hand are hinges");
        }
        Ok(joints)
    }

    fn hinge(&mut self, node: Node, joint: &Joint, name: String) -> Result<RawJoint, DescriptionError> {
        let place = self.place(node);
        let wrong = |problem: String| Err(place.clone().error(format!("<joint> `{name}`: {problem}")));
        let axis = Vector3::from(joint.axis);
        let Some(axis) = Unit::try_new(axis, 1e-9) else {
            return wrong("`axis` is all zeros, which is no direction".to_owned());
        };
        for (what, value) in
            [("damping", joint.damping), ("armature", joint.armature), ("frictionloss", joint.frictionloss)]
        {
            if value < 0.0 {
                return wrong(format!("`{what}` {value}; it cannot be negative"));
            }
        }
        let limited = match joint.limited {
            Tristate::True => true,
            Tristate::False => false,
            Tristate::Auto => self.model.compiler.autolimits,
        };
        let limits_rad = match joint.range.filter(|_| limited) {
            Some([lower, upper]) if lower > upper => {
                return wrong(format!("`range` {lower} {upper}: the lower limit comes first and is the smaller"));
            }
            Some(range) => {
                units::within_a_turn(range.map(|end| end * self.limit_correction), &place, &name, self.notes)
            }
            None => {
                self.notes.assumed(&place, "joint without limits", &name, "half a turn to each side");
                UNLIMITED_RAD
            }
        };
        if joint.stiffness != 0.0 {
            self.notes.ignored(&place, "spring of joint", &name, "joints have servos, not springs");
        }
        Ok(RawJoint {
            axis,
            anchor_m: Point3::from(joint.pos),
            limits_rad,
            reference_rad: joint.ref_ * self.limit_correction,
            damping: joint.damping,
            friction_loss: joint.frictionloss,
            armature: joint.armature,
            velocity_limit: None,
            servo: RawServo::default(),
            name,
            place,
        })
    }

    /// Angles of the keyframe `home`, by joint.
    fn home(&mut self) -> Option<BTreeMap<String, f64>> {
        let home = self.model.keyframes.iter().find(|key| key.name.as_deref() == Some("home"))?;
        let place =
            self.document.descendants().find(|node| node.has_tag_name("key") && node.attribute("name") == Some("home"));
        let place = place.map_or_else(|| self.source.whole(), |node| self.source.place_of(node));
        let mut angles = BTreeMap::new();
        let mut at = 0;
        for entry in &self.model.bodies {
            for joint in &entry.body.joints {
                if let (JointType::Hinge, Some(name), Some(angle)) = (joint.type_, &joint.name, home.qpos.get(at)) {
                    angles.insert(name.clone(), *angle);
                }
                at += match joint.type_ {
                    JointType::Hinge | JointType::Slide => 1,
                    JointType::Ball => 4,
                    JointType::Free => 7,
                };
            }
        }
        if at != home.qpos.len() {
            let found = format!("{} numbers in the key `home` instead of {at}", home.qpos.len());
            self.notes.ignored(&place, found, "", "the resting pose is taken from the limits");
            return None;
        }
        Some(angles)
    }

    fn excludes(&mut self, bodies: &[RawBody], world_is_palm: bool) -> Vec<(usize, usize)> {
        let world = |name: &str| (world_is_palm && name == "world").then_some(0);
        let index_of = |name: &str| bodies.iter().position(|body| body.name == name).or_else(|| world(name));
        let excludes = &self.model.contact.excludes;
        excludes.iter().filter_map(|pair| Some((index_of(&pair.body1)?, index_of(&pair.body2)?))).collect()
    }
}

/// `name`, or with a number behind it where it is taken.
pub(super) fn free_name(name: &str, taken: &mut BTreeSet<String>) -> String {
    let numbered = (2..).map(|number| format!("{name}_{number}"));
    let free = std::iter::once(name.to_owned()).chain(numbered).find(|name| !taken.contains(name));
    let free = free.unwrap_or_else(|| name.to_owned());
    taken.insert(free.clone());
    free
}

fn named(geoms: Vec<RawGeom>, body: &str, taken: &mut BTreeSet<String>) -> Vec<RawGeom> {
    let name = |geom: RawGeom| match geom.name.is_empty() {
        true => RawGeom { name: free_name(&format!("{body}_shape"), taken), ..geom },
        false => geom,
    };
    geoms.into_iter().map(name).collect()
}

fn inertia(inertial: &Inertial) -> Mass {
    let frame = isometry(&inertial.pose);
    match inertial.inertia {
        InertiaSpec::Diagonal([a, b, c]) => Mass::diagonal(inertial.mass, &frame, Vector3::new(a, b, c)),
        InertiaSpec::Full([xx, yy, zz, xy, xz, yz]) => {
            let tensor = Matrix3::new(xx, xy, xz, xy, yy, yz, xz, yz, zz);
            Mass { kg: inertial.mass, center_m: Point3::origin(), tensor }.moved(&frame)
        }
    }
}

pub(super) fn isometry(pose: &mjcf_rs::Pose) -> Isometry3<f64> {
    let (position, rotation) = (pose.translation, pose.rotation);
    let translation = Translation3::new(position.x, position.y, position.z);
    let quaternion = Quaternion::new(rotation.w, rotation.x, rotation.y, rotation.z);
    Isometry3::from_parts(translation, UnitQuaternion::from_quaternion(quaternion))
}
