//! Reads a user's own MJCF or URDF file: leniently, with a report of every liberty that was taken.
//!
//! The stages, each a module: a file is read as it is ([`mjcf`], [`urdf`] into [`raw`]); joints that follow others are
//! sorted out ([`follow`]); servos get what they lack ([`servo`]); bodies become links with one hinge each ([`tree`]);
//! what no file says is chosen ([`finish`]). The result goes through the same checks as giraffe's own descriptions.

mod base;
mod dae;
mod finish;
mod fit;
mod follow;
mod inertia;
mod mesh;
mod meshes;
mod mjcf;
mod raw;
mod report;
mod sanity;
mod servo;
mod shape;
mod source;
mod stand;
mod tree;
mod units;
mod urdf;
mod weigh;
mod written;

pub use meshes::MeshShapes;
pub use report::{ImportAction, ImportEntry, ImportReport};

use super::mjcf::{HandFile, Hinge};
use super::{DescriptionError, Place, assemble, read_file, read_robot, settings};
use crate::model::{BodyModel, GeomModel, JointCoupling, Limits, Region, RobotModel};
use nalgebra::{Isometry3, Vector3};
use raw::RawHand;
use report::Notes;
use source::Source;
use std::collections::BTreeSet;
use std::path::Path;
use tree::{Link, Tip, Tree};

/// Limits of a joint that has none, rad.
const UNLIMITED_RAD: [f64; 2] = [-std::f64::consts::PI, std::f64::consts::PI];
/// Bodies and joints of a hand, at most: beyond that it is something else.
const MAX_BODIES: usize = 256;
/// Farther than this from one another, m, no parts of a hand are.
const MAX_LENGTH_M: f64 = 10.0;

/// How a file is read.
#[derive(Debug, Default)]
struct Reading {
    mesh_shapes: MeshShapes,
    /// Bodies whose visual shapes touch, since they have no others.
    visuals: BTreeSet<String>,
}

/// Reads a hand from an MJCF or URDF file, and says what was not understood and what was assumed. A `robot.toml` in
/// the same folder is used if it is there; if giraffe's own strict reading accepts both files, the report is empty.
///
/// # Errors
/// When a file is missing or too large, is no MJCF or URDF, or says what cannot be; the message names file and line.
pub fn read_robot_file(path: &Path) -> Result<(RobotModel, ImportReport), DescriptionError> {
    read_robot_file_with(path, MeshShapes::default())
}

/// Reads a hand as [`read_robot_file`] does, with a choice of what stands for meshes.
///
/// # Errors
/// As [`read_robot_file`].
pub fn read_robot_file_with(
    path: &Path,
    mesh_shapes: MeshShapes,
) -> Result<(RobotModel, ImportReport), DescriptionError> {
    let name = path.file_stem().map_or_else(|| path.to_string_lossy(), |stem| stem.to_string_lossy()).into_owned();
    let text = read_file(path)?;
    let settings_path = path.with_file_name("robot.toml");
    let robot_toml = if settings_path.is_file() { Some(read_file(&settings_path)?) } else { None };
    if let Some(robot_toml) = &robot_toml
        && let Ok(robot) = read_robot(&name, &super::Source { folder: &name, hand_xml: &text, robot_toml }, false)
    {
        return Ok((robot, ImportReport::default()));
    }
    let (hand, mut tree, mut notes) = with_shapes(path, mesh_shapes)?;
    check(&hand, &tree)?;
    sanity::strengthen(&hand, &mut tree, &mut notes);
    sanity::look(&hand, &tree, &mut notes);
    let tips = finish::tips(&hand, &tree, robot_toml.is_none(), &mut notes);
    stand::stand(&hand, &mut tree, &tips, &mut notes);
    let (mut file, written) = finished(&hand, &tree, &tips, robot_toml.is_none(), &mut notes);
    let (settings_name, settings_text) = match &robot_toml {
        Some(text) => ("robot.toml", text),
        None => ("the assumed robot.toml", &written),
    };
    let mut settings =
        settings::read_settings(settings_name, settings_text, &file).map_err(|error| explain(error, &tree))?;
    super::lock::lock(&mut file, &mut settings);
    let mut report = notes.into_report(hand.file.file.clone());
    report.robot_toml = robot_toml.is_none().then_some(written);
    Ok((assemble(&name, file, settings), report))
}

/// Reads a file once, and once more if fingers have nothing to touch with: visual shapes are better than none.
fn with_shapes(path: &Path, mesh_shapes: MeshShapes) -> Result<(RawHand, Tree, Notes), DescriptionError> {
    let mut reading = Reading { mesh_shapes, visuals: BTreeSet::new() };
    let first = read_once(path, &reading)?;
    let (hand, tree, _) = &first;
    let is_bare = |link: &usize| tree.links[*link].geoms.is_empty();
    let mut bare: Vec<usize> = tree.ends().into_iter().filter(is_bare).collect();
    let all = bare.len() == tree.ends().len();
    let palm = tree.palm();
    if palm.iter().all(is_bare) {
        bare.extend(palm);
    }
    if bare.is_empty() {
        return Ok(first);
    }
    // Where all fingers are bare the file has no collision shapes to speak of; what it has stays.
    let is_bare = |body: usize| hand.bodies[body].geoms.is_empty() && (all || bare.contains(&tree.bodies[body].0));
    reading.visuals =
        (0..hand.bodies.len()).filter(|body| is_bare(*body)).map(|body| hand.bodies[body].name.clone()).collect();
    read_once(path, &reading)
}

/// What the file says, and the links that make it up.
fn read_once(path: &Path, reading: &Reading) -> Result<(RawHand, Tree, Notes), DescriptionError> {
    let mut notes = Notes::default();
    let mut hand = match root_of(path)?.as_str() {
        "robot" => urdf::read(path, reading, &mut notes)?,
        _ => mjcf::read(path, reading, &mut notes)?,
    };
    base::settle(&mut hand, &mut notes);
    follow::resolve(&mut hand, &mut notes)?;
    servo::complete(&mut hand, &mut notes)?;
    let mut tree = tree::grow(&hand, weigh::body, &mut notes);
    weigh::links(&mut tree, &mut notes);
    Ok((hand, tree, notes))
}

/// The root element's name, if it is one of the two that are read.
fn root_of(path: &Path) -> Result<String, DescriptionError> {
    let source = Source::plain(path)?;
    let document = source.document()?;
    let root = document.root_element();
    match root.tag_name().name() {
        known @ ("mujoco" | "robot") => Ok(known.to_owned()),
        "mujocoinclude" => Err(source.place_of(root).error(
            "this is a piece of MJCF (<mujocoinclude>), not a whole: give the file that includes it, which starts with <mujoco>",
        )),
        found => Err(source.place_of(root).error(format!(
            "expected MJCF, which starts with <mujoco>, or URDF, which starts with <robot>; found <{found}>"
        ))),
    }
}

/// The description file, and the text of a `robot.toml` for it.
fn finished(hand: &RawHand, tree: &Tree, tips: &[Tip], alone: bool, notes: &mut Notes) -> (HandFile, String) {
    let home = finish::home(hand, tree, notes);
    let poses = tree.poses(|joint| home.get(&joint.name).copied().unwrap_or(0.0));
    let contact_excludes = finish::excludes(hand, tree, &poses, notes);
    let object_m = finish::object_home(tree, tips, &poses);
    if alone {
        let [x, y, z] = object_m.coords.into();
        let done = format!("{x:.3} {y:.3} {z:.3} m in the palm frame, between palm and fingertips");
        notes.assumed(&hand.file, "where an object starts", "", done);
    }
    let hinges: Vec<Hinge> = tree
        .links
        .iter()
        .enumerate()
        .filter_map(|(index, link)| link.joint.as_ref().map(|joint| hinge(index, joint)))
        .collect();
    let index_of = |name: &str| hinges.iter().position(|hinge| hinge.name == name);
    let couplings = hand.couplings.iter().filter_map(|coupling| {
        Some(JointCoupling {
            leader: index_of(&coupling.leader)?,
            follower: index_of(&coupling.follower)?,
            ratio: coupling.ratio as f32,
            offset_rad: coupling.offset_rad as f32,
        })
    });
    let couplings = couplings.collect();
    let home_rad = hinges
        .iter()
        .map(|hinge| hinge.position_limits_rad.clamp(home.get(&hinge.name).copied().unwrap_or(0.0) as f32))
        .collect();
    let written = written::robot_toml(hand, tree, tips, object_m, alone, notes);
    let mut joints = 0..;
    let bodies = tree.links.iter().map(|link| body(link, &mut joints)).collect();
    (HandFile { bodies, hinges, couplings, contact_excludes, home_rad }, written)
}

fn hinge(body: usize, joint: &raw::RawJoint) -> Hinge {
    let [lower, upper] = joint.limits_rad.map(|limit| limit as f32);
    Hinge {
        name: joint.name.clone(),
        body,
        axis: joint.axis.cast(),
        anchor_m: joint.anchor_m.cast(),
        position_limits_rad: Limits { lower, upper },
        effort_limit_newton_m: joint.servo.effort.unwrap_or_default() as f32,
        stiffness_newton_m_per_rad: joint.servo.stiffness.unwrap_or_default() as f32,
        damping_newton_m_secs_per_rad: (joint.damping + joint.servo.damping) as f32,
        friction_loss_newton_m: joint.friction_loss as f32,
        armature_kg_m2: joint.armature as f32,
    }
}

fn body(link: &Link, joints: &mut std::ops::RangeFrom<usize>) -> BodyModel {
    let principal = link.mass.principal();
    let geoms = link.geoms.iter().map(|geom| GeomModel {
        name: geom.name.clone(),
        shape: geom.shape,
        body_from_geom: geom.body_from_geom.cast(),
        region: Region::Link,
        friction: geom.friction as f32,
    });
    BodyModel {
        name: link.name.clone(),
        parent: link.parent,
        parent_from_body: link.parent_from_link.cast(),
        joint: link.joint.as_ref().and_then(|_| joints.next()),
        mass_kg: link.mass.kg as f32,
        center_of_mass_m: link.mass.center_m.cast(),
        principal_inertia_kg_m2: principal.as_ref().map_or_else(Vector3::zeros, |found| found.moments.cast()),
        body_from_principal: principal.map_or_else(Default::default, |found| found.body_from_axes.cast()),
        geoms: geoms.collect(),
    }
}

/// What a hand must be, whatever the file says.
fn check(hand: &RawHand, tree: &Tree) -> Result<(), DescriptionError> {
    if tree.links.iter().all(|link| link.joint.is_none()) {
        return Err(hand.file.clone().error("there is no hinge that moves: a hand has at least one"));
    }
    let far = |pose: &Isometry3<f64>| {
        let position = pose.translation.vector;
        !position.iter().all(|number| number.abs() < MAX_LENGTH_M)
            || !pose.rotation.coords.iter().all(|n| n.is_finite())
    };
    for link in &tree.links {
        let wrong = |problem: &str| Err(Place::clone(&link.place).error(format!("body `{}`: {problem}", link.name)));
        let anchor =
            link.joint.iter().map(|joint| Isometry3::translation(joint.anchor_m.x, joint.anchor_m.y, joint.anchor_m.z));
        let center = link.mass.center_m;
        let own = [link.parent_from_link, Isometry3::translation(center.x, center.y, center.z)];
        let geoms = link.geoms.iter().map(|geom| geom.body_from_geom);
        if own.into_iter().chain(anchor).chain(geoms).any(|pose| far(&pose)) {
            return wrong("something is farther away than 10 m; lengths are in metres");
        }
        let large = |geom: &raw::RawGeom| shape::half_extents(&geom.shape).amax() > MAX_LENGTH_M;
        if link.geoms.iter().any(large) {
            return wrong("a shape is larger than 10 m; lengths are in metres");
        }
        let moments = link.mass.principal().map(|found| found.moments);
        let normal = |number: f64| (number as f32).is_normal() && number > 0.0;
        let solid = normal(link.mass.kg) && moments.is_some_and(|moments| moments.iter().all(|moment| normal(*moment)));
        if link.moves && !solid {
            return wrong("its mass or a moment of inertia is not a positive number that fits the engine");
        }
        if let Some(joint) = &link.joint {
            let terms = [joint.damping + joint.servo.damping, joint.friction_loss, joint.armature];
            let limits = joint.limits_rad.map(|limit| limit.abs());
            if terms.into_iter().chain(limits).any(|number| !(number as f32).is_finite()) {
                return wrong("a limit, damping, dry friction or armature is too large");
            }
        }
    }
    Ok(())
}

/// Says where bodies went that a `robot.toml` may name.
fn explain(error: DescriptionError, tree: &Tree) -> DescriptionError {
    match error {
        DescriptionError::Invalid { place, problem } => {
            let named = tree.merged.iter().find(|(name, _)| problem.contains(&format!("`{name}`")));
            let hint = named.map(|(name, link)| format!(" (`{name}` is welded to `{link}` and part of it)"));
            DescriptionError::Invalid { place, problem: problem + &hint.unwrap_or_default() }
        }
        other => other,
    }
}
