//! Reads `hand.xml`: bodies, hinges, shapes, servos, excluded contacts and the resting pose.

use super::coupling::{CouplingByName, read_couplings};
use super::error::DescriptionError;
use super::grammar::HandDocument;
use crate::model::{BodyModel, GeomModel, GeomShape, JointCoupling, Limits, Region};
use mjcf_rs::Model;
use mjcf_rs::body::{Body, Geom, GeomType, InertiaSpec, Inertial, Joint, JointType};
use mjcf_rs::extras::{Actuator, ActuatorKind, Keyframe};
use nalgebra::{Isometry3, Point3, Quaternion, Translation3, Unit, UnitQuaternion, Vector3};
use std::collections::BTreeSet;

/// What `hand.xml` says. Joints are in the order of the file; `BodyModel::joint` counts in that order.
pub(super) struct HandFile {
    pub(super) bodies: Vec<BodyModel>,
    pub(super) hinges: Vec<Hinge>,
    pub(super) couplings: Vec<JointCoupling>,
    pub(super) contact_excludes: Vec<(usize, usize)>,
    /// Angles of the keyframe `home`, rad, in the order of the file.
    pub(super) home_rad: Vec<f32>,
}

/// A hinge and its servo, as far as MJCF knows them.
pub(super) struct Hinge {
    pub(super) name: String,
    pub(super) body: usize,
    pub(super) axis: Unit<Vector3<f32>>,
    pub(super) anchor_m: Point3<f32>,
    pub(super) position_limits_rad: Limits,
    pub(super) effort_limit_newton_m: f32,
    pub(super) stiffness_newton_m_per_rad: f32,
    pub(super) damping_newton_m_secs_per_rad: f32,
    pub(super) friction_loss_newton_m: f32,
    pub(super) armature_kg_m2: f32,
}

/// Reads a hand from the text of `hand.xml`; `file` is what messages call it.
pub(super) fn read_hand(file: &str, text: &str) -> Result<HandFile, DescriptionError> {
    let document = HandDocument::read(file, text)?;
    // The grammar has no <include> and no assets, so no other file is touched.
    let model = Model::from_str(text, ".").map_err(|error| document.whole().error(error.to_string()))?;
    let joints = model.bodies.iter().flat_map(|entry| &entry.body.joints);
    let joints: Vec<&str> = joints.filter_map(|joint| joint.name.as_deref()).collect();
    let couplings = read_couplings(&document, &joints)?;
    let reader = Reader { document: &document, model: &model, couplings: &couplings };
    reader.check_names()?;
    let mut bodies = Vec::new();
    let mut hinges = Vec::new();
    for index in 0..reader.model.bodies.len() - 1 {
        let body = reader.body(index, &bodies)?;
        if let Some(joint) = reader.source(index).joints.first() {
            hinges.push(reader.hinge(index, joint)?);
        }
        bodies.push(body);
    }
    if hinges.is_empty() {
        return Err(document.whole().error("there is no joint: a hand has at least one"));
    }
    let contact_excludes = reader.contact_excludes(&bodies)?;
    let home_rad = reader.home(&hinges)?;
    let couplings = reader.couplings(&hinges, &home_rad)?;
    Ok(HandFile { bodies, hinges, couplings, contact_excludes, home_rad })
}

struct Reader<'t> {
    document: &'t HandDocument<'t>,
    model: &'t Model,
    couplings: &'t [CouplingByName],
}

impl Reader<'_> {
    /// Body `index` of ours; the parser's number 0 is the world.
    fn source(&self, index: usize) -> &Body {
        &self.model.bodies[index + 1].body
    }

    fn error(&self, tag: &str, name: &str, problem: impl Into<String>) -> DescriptionError {
        self.document.find(tag, "name", name).error(format!("<{tag}> `{name}`: {}", problem.into()))
    }

    /// One root; every body, joint and geom has a name of its own.
    fn check_names(&self) -> Result<(), DescriptionError> {
        let bodies = &self.model.bodies[1..];
        let roots: Vec<&Body> =
            bodies.iter().filter(|entry| entry.parent == Some(0)).map(|entry| &entry.body).collect();
        if roots.len() != 1 {
            let found = roots.len();
            return Err(self.document.whole().error(format!("<worldbody> holds {found} bodies; a hand has one root")));
        }
        let joints = bodies.iter().flat_map(|entry| &entry.body.joints);
        let geoms = bodies.iter().flat_map(|entry| &entry.body.geoms);
        self.check_unique("body", bodies.iter().map(|entry| entry.body.name.as_deref()))?;
        self.check_unique("joint", joints.map(|joint| joint.name.as_deref()))?;
        self.check_unique("geom", geoms.map(|geom| geom.name.as_deref()))
    }

    fn check_unique<'n>(
        &self,
        tag: &str,
        names: impl Iterator<Item = Option<&'n str>>,
    ) -> Result<(), DescriptionError> {
        let mut seen = BTreeSet::new();
        for name in names {
            let Some(name) = name else {
                return Err(self.document.whole().error(format!("a <{tag}> has no name; every one needs its own")));
            };
            if !seen.insert(name) {
                return Err(self.error(tag, name, "this name is used twice"));
            }
        }
        Ok(())
    }

    fn body(&self, index: usize, before: &[BodyModel]) -> Result<BodyModel, DescriptionError> {
        let source = self.source(index);
        let name = source.name.clone().unwrap_or_default();
        let parent = self.model.bodies[index + 1].parent.and_then(|parent| parent.checked_sub(1));
        let parent_from_body = isometry(&source.pose);
        if parent.is_none() && parent_from_body != Isometry3::identity() {
            return Err(self.error("body", &name, "the root is the palm frame: give it no `pos` and no `quat`"));
        }
        let joint = match source.joints.as_slice() {
            [] => None,
            [_] if parent.is_none() => return Err(self.error("body", &name, "the root is fixed: it has no joint")),
            [_] => Some(before.iter().filter(|body| body.joint.is_some()).count()),
            more => return Err(self.error("body", &name, format!("{} joints; a body has at most one", more.len()))),
        };
        let moves = joint.is_some() || ancestors(before, parent).any(|body| body.joint.is_some());
        let inertia = match &source.inertial {
            Some(inertial) => self.inertia(&name, inertial)?,
            None if moves => return Err(self.error("body", &name, "it moves, so it needs an <inertial>")),
            None => Inertia::default(),
        };
        let geoms = source.geoms.iter().map(|geom| self.geom(geom)).collect::<Result<_, _>>()?;
        Ok(BodyModel {
            name,
            parent,
            parent_from_body,
            joint,
            mass_kg: inertia.mass_kg,
            center_of_mass_m: inertia.body_from_principal.translation.vector.into(),
            principal_inertia_kg_m2: inertia.principal_kg_m2,
            body_from_principal: inertia.body_from_principal.rotation,
            geoms,
        })
    }

    fn inertia(&self, body: &str, inertial: &Inertial) -> Result<Inertia, DescriptionError> {
        let mass_kg = inertial.mass as f32;
        if mass_kg <= 0.0 {
            return Err(self.error("body", body, format!("mass {mass_kg} kg; a mass is positive")));
        }
        let InertiaSpec::Diagonal(diagonal) = inertial.inertia else {
            return Err(self.error("body", body, "write the inertia as `diaginertia` with a `quat`"));
        };
        let [a, b, c] = diagonal;
        if a <= 0.0 || b <= 0.0 || c <= 0.0 {
            return Err(self.error("body", body, format!("`diaginertia` {a} {b} {c}: moments are positive")));
        }
        if a + b < c || b + c < a || c + a < b {
            let problem = format!("`diaginertia` {a} {b} {c}: no rigid body has a moment above the other two's sum");
            return Err(self.error("body", body, problem));
        }
        let principal_kg_m2 = Vector3::new(a as f32, b as f32, c as f32);
        Ok(Inertia { mass_kg, principal_kg_m2, body_from_principal: isometry(&inertial.pose) })
    }

    fn geom(&self, geom: &Geom) -> Result<GeomModel, DescriptionError> {
        let name = geom.name.clone().unwrap_or_default();
        let [x, y, z] = geom.size.map(|size| size as f32);
        let (shape, sizes) = match geom.type_ {
            GeomType::Box => (GeomShape::Box { half_extents_m: [x, y, z] }, vec![x, y, z]),
            GeomType::Capsule => (GeomShape::Capsule { radius_m: x, half_length_m: y }, vec![x, y]),
            GeomType::Cylinder => (GeomShape::Cylinder { radius_m: x, half_length_m: y }, vec![x, y]),
            GeomType::Sphere => (GeomShape::Sphere { radius_m: x }, vec![x]),
            other => {
                let found = format!("{other:?}").to_lowercase();
                let problem = format!("type `{found}` is not supported; use box, capsule, cylinder or sphere");
                return Err(self.error("geom", &name, problem));
            }
        };
        if sizes.iter().any(|size| *size <= 0.0) {
            let problem = format!("`size` must hold {} positive numbers, found {:?}", sizes.len(), geom.size);
            return Err(self.error("geom", &name, problem));
        }
        let friction = geom.friction[0] as f32;
        if friction < 0.0 {
            return Err(self.error("geom", &name, format!("friction {friction}; it cannot be negative")));
        }
        Ok(GeomModel { name, shape, body_from_geom: isometry(&geom.pose), region: Region::Link, friction })
    }

    fn hinge(&self, body: usize, joint: &Joint) -> Result<Hinge, DescriptionError> {
        let name = joint.name.clone().unwrap_or_default();
        let wrong = |problem: String| Err(self.error("joint", &name, problem));
        if joint.type_ != JointType::Hinge {
            return wrong(format!("type {:?}; every joint of a hand is a hinge", joint.type_));
        }
        let Some([lower, upper]) = joint.range else {
            return wrong("no `range`; a servo's joint has limits".to_owned());
        };
        if lower >= upper {
            return wrong(format!("`range` {lower} {upper}: the lower limit comes first and is the smaller"));
        }
        for (what, value) in
            [("damping", joint.damping), ("armature", joint.armature), ("frictionloss", joint.frictionloss)]
        {
            if value < 0.0 {
                return wrong(format!("`{what}` {value}; it cannot be negative"));
            }
        }
        let servo = self.servo(&name)?;
        let [x, y, z] = joint.axis.map(|number| number as f32);
        Ok(Hinge {
            body,
            axis: Unit::new_normalize(Vector3::new(x, y, z)),
            anchor_m: Point3::from(joint.pos.map(|number| number as f32)),
            position_limits_rad: Limits { lower: lower as f32, upper: upper as f32 },
            effort_limit_newton_m: servo.effort_limit_newton_m,
            stiffness_newton_m_per_rad: servo.stiffness_newton_m_per_rad,
            damping_newton_m_secs_per_rad: joint.damping as f32,
            friction_loss_newton_m: joint.frictionloss as f32,
            armature_kg_m2: joint.armature as f32,
            name,
        })
    }

    /// The one position actuator of a joint, or of the joint it follows.
    fn servo(&self, joint: &str) -> Result<Servo, DescriptionError> {
        if let Some(coupling) = self.couplings.iter().find(|coupling| coupling.follower == joint) {
            if self.model.actuators.iter().any(|actuator| actuator.joint.as_deref() == Some(joint)) {
                let place = self.document.find("position", "joint", joint);
                let leader = &coupling.leader;
                return Err(place.error(format!("`{joint}` follows `{leader}`, so it has no actuator of its own")));
            }
            return self.servo(&coupling.leader);
        }
        let of_joint = |actuator: &&Actuator| actuator.joint.as_deref() == Some(joint);
        let mut servos = self.model.actuators.iter().filter(of_joint);
        let (Some(servo), None) = (servos.next(), servos.next()) else {
            return Err(self.error("joint", joint, "it needs exactly one <position> actuator"));
        };
        let wrong = |problem: &str| {
            let place = self.document.find("position", "joint", joint);
            Err(place.error(format!("<position> of joint `{joint}`: {problem}")))
        };
        if servo.kind != ActuatorKind::Position {
            return wrong("it must be a <position> actuator");
        }
        let Some(stiffness) = servo.kp.filter(|kp| *kp > 0.0) else {
            return wrong("`kp`, the stiffness in N m/rad, must be given and positive");
        };
        let Some([lower, upper]) = servo.force_range.filter(|[_, upper]| *upper > 0.0) else {
            return wrong("`forcerange`, the torque limits in N m, must be given");
        };
        if (lower + upper).abs() > 1e-9 {
            return wrong("`forcerange` must be as large in both directions");
        }
        Ok(Servo { stiffness_newton_m_per_rad: stiffness as f32, effort_limit_newton_m: upper as f32 })
    }

    /// The excluded pairs, and each body with its parent, which MuJoCo never lets collide either.
    fn contact_excludes(&self, bodies: &[BodyModel]) -> Result<Vec<(usize, usize)>, DescriptionError> {
        let index_of = |attribute: &str, name: &str| {
            bodies.iter().position(|body| body.name == name).ok_or_else(|| {
                let place = self.document.find("exclude", attribute, name);
                place.error(format!("<exclude> names the body `{name}`, which is not there"))
            })
        };
        let mut pairs = BTreeSet::new();
        for exclude in &self.model.contact.excludes {
            let (a, b) = (index_of("body1", &exclude.body1)?, index_of("body2", &exclude.body2)?);
            pairs.insert((a.min(b), a.max(b)));
        }
        pairs.extend(bodies.iter().enumerate().filter_map(|(index, body)| Some((body.parent?, index))));
        Ok(pairs.into_iter().collect())
    }

    /// The couplings by index, kept by the resting pose.
    fn couplings(&self, hinges: &[Hinge], home_rad: &[f32]) -> Result<Vec<JointCoupling>, DescriptionError> {
        let index_of = |name: &str| hinges.iter().position(|hinge| hinge.name == name);
        let mut couplings = Vec::new();
        for by_name in self.couplings {
            let coupling = by_name.indexed(index_of).expect("couplings were checked to name joints");
            by_name.check_home(home_rad[coupling.leader], home_rad[coupling.follower])?;
            couplings.push(coupling);
        }
        Ok(couplings)
    }

    fn home(&self, hinges: &[Hinge]) -> Result<Vec<f32>, DescriptionError> {
        let is_home = |key: &&Keyframe| key.name.as_deref() == Some("home");
        let Some(home) = self.model.keyframes.iter().find(is_home) else {
            return Err(self.document.whole().error("there is no <key name=\"home\" qpos=\"...\"/>, the resting pose"));
        };
        let wrong = |problem: String| Err(self.error("key", "home", problem));
        if home.qpos.len() != hinges.len() {
            return wrong(format!("`qpos` holds {} angles for {} joints", home.qpos.len(), hinges.len()));
        }
        let angles: Vec<f32> = home.qpos.iter().map(|angle| *angle as f32).collect();
        for (hinge, angle) in hinges.iter().zip(&angles) {
            let limits = hinge.position_limits_rad;
            if !limits.contains(*angle) {
                let Limits { lower, upper } = limits;
                return wrong(format!("{angle} rad for `{}`, whose range is {lower} to {upper}", hinge.name));
            }
        }
        Ok(angles)
    }
}

struct Servo {
    stiffness_newton_m_per_rad: f32,
    effort_limit_newton_m: f32,
}

/// Mass properties; by default those of a fixed body that is given none.
#[derive(Default)]
struct Inertia {
    mass_kg: f32,
    principal_kg_m2: Vector3<f32>,
    body_from_principal: Isometry3<f32>,
}

fn ancestors(bodies: &[BodyModel], first: Option<usize>) -> impl Iterator<Item = &BodyModel> {
    std::iter::successors(first.map(|index| &bodies[index]), |body| body.parent.map(|index| &bodies[index]))
}

fn isometry(pose: &mjcf_rs::Pose) -> Isometry3<f32> {
    let (position, rotation) = (pose.translation, pose.rotation);
    let translation = Translation3::new(position.x as f32, position.y as f32, position.z as f32);
    let quaternion = Quaternion::new(rotation.w, rotation.x, rotation.y, rotation.z);
    Isometry3::from_parts(translation, UnitQuaternion::from_quaternion(quaternion).cast())
}
