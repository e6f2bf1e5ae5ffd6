//! Reads a hand from its description: the only place that knows the files.
//!
//! A description is a folder with two files. `hand.xml` is MJCF, which MuJoCo loads too, so that anything said
//! about the hand here can be checked against another engine with the same file. `robot.toml` says what MJCF
//! cannot: canonical joint order, servo ids, fingertips, control period, safety. To add a hand: a folder in
//! `descriptions/` and its line in [`ROBOTS`]; or no line, and the folder's path wherever a name is asked for.
//!
//! Somebody else's MJCF or URDF is read by [`read_robot_file`]: leniently, with a report. [`strict_folder`] writes any hand
//! in giraffe's own form.

mod coupling;
mod error;
mod fingerprint;
mod grammar;
mod import;
mod lock;
mod mirror;
mod mjcf;
mod number;
mod settings;
mod write;
mod written;

pub use error::{DescriptionError, Place};
pub use import::{ImportAction, ImportEntry, ImportReport, MeshShapes, read_robot_file, read_robot_file_with};
pub use mirror::mirror;
pub use write::{StrictFolder, strict_folder};

use crate::model::{BodyModel, FingertipModel, JointCoupling, JointModel, Region, RobotModel};
use crate::names::UnknownName;
use mjcf::{HandFile, Hinge};
use nalgebra::{Isometry3, Point3, Vector3};
use settings::{JointRow, Regions, Settings};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// A built-in hand.
#[derive(Debug, Clone, Copy)]
pub struct RobotEntry {
    /// Name, as in `--robot`.
    pub name: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// Name of its folder. Two hands may share one.
    pub folder: &'static str,
    /// Whether the `locked_joints` of the folder are free.
    unlocked: bool,
    hand_xml: &'static str,
    robot_toml: &'static str,
}

/// A built-in hand and its folder.
macro_rules! robot {
    ($name:literal, $folder:literal, unlocked: $unlocked:literal, $doc:literal) => {
        RobotEntry {
            name: $name,
            doc: $doc,
            folder: $folder,
            unlocked: $unlocked,
            hand_xml: include_str!(concat!("../descriptions/", $folder, "/hand.xml")),
            robot_toml: include_str!(concat!("../descriptions/", $folder, "/robot.toml")),
        }
    };
}

/// Every built-in hand.
pub static ROBOTS: &[RobotEntry] = &[
    robot!("leap-right", "leap-right", unlocked: false, "LEAP hand, right (Shaw et al. 2023): four fingers, 16 servos"),
    robot!("leap-left", "leap-left", unlocked: false, "LEAP hand, left: the mirror image of leap-right"),
    robot!("allegro-right", "allegro-right", unlocked: false, "Allegro hand, right (Wonik): four fingers, 16 servos"),
    robot!(
        "shadow-right",
        "shadow-right",
        unlocked: false,
        "Shadow Dexterous Hand, right: five fingers, 22 joints, 18 servos, wrist locked"
    ),
    robot!(
        "shadow-right-wrist",
        "shadow-right",
        unlocked: true,
        "Shadow Dexterous Hand, right, with its wrist: 24 joints, 20 servos"
    ),
];

/// Larger files are not read.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Endings of files that are hands.
const FILE_ENDINGS: [&str; 3] = ["xml", "mjcf", "urdf"];

/// Reads a hand: a name from [`ROBOTS`], the path of a folder with `hand.xml` and `robot.toml`, or the path of an MJCF
/// or URDF file.
///
/// # Errors
/// When there is no such hand, or when a file is missing or wrong; the message names file and line.
pub fn load_robot(name_or_path: &str) -> Result<RobotModel, DescriptionError> {
    load_robot_with_report(name_or_path).map(|(robot, _)| robot)
}

/// Reads a hand as [`load_robot`] does, and says what was not understood of somebody else's file. The report about
/// descriptions in giraffe's own form is empty.
///
/// # Errors
/// As [`load_robot`].
pub fn load_robot_with_report(name_or_path: &str) -> Result<(RobotModel, ImportReport), DescriptionError> {
    let nothing = |robot| (robot, ImportReport::default());
    if let Some(entry) = ROBOTS.iter().find(|entry| entry.name == name_or_path) {
        let source = Source { folder: entry.folder, hand_xml: entry.hand_xml, robot_toml: entry.robot_toml };
        return read_robot(entry.name, &source, entry.unlocked).map(nothing);
    }
    let path = Path::new(name_or_path);
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    if !path.is_dir() && (path.is_file() || ending.is_some_and(|ending| FILE_ENDINGS.contains(&ending.as_str()))) {
        return read_robot_file(path);
    }
    if !path.is_dir() && !name_or_path.contains(std::path::MAIN_SEPARATOR) {
        let known = ROBOTS.iter().map(|entry| entry.name);
        return Err(UnknownName::new("robot", name_or_path, known).into());
    }
    let hand_xml = read_file(&path.join("hand.xml"))?;
    let robot_toml = read_file(&path.join("robot.toml"))?;
    let absolute = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let name = absolute.file_name().map_or_else(|| name_or_path.into(), |name| name.to_string_lossy());
    read_robot(&name, &Source { folder: &name, hand_xml: &hand_xml, robot_toml: &robot_toml }, false).map(nothing)
}

/// The text of a hand's MJCF file, for another engine to load: a name from [`ROBOTS`], or the path of a folder or file.
///
/// # Errors
/// When there is no such hand, or its file cannot be read.
pub fn hand_xml(name_or_path: &str) -> Result<String, DescriptionError> {
    if let Some(entry) = ROBOTS.iter().find(|entry| entry.name == name_or_path) {
        return Ok(entry.hand_xml.to_owned());
    }
    let path = Path::new(name_or_path);
    read_file(&if path.is_dir() { path.join("hand.xml") } else { path.to_path_buf() })
}

fn read_file(path: &Path) -> Result<String, DescriptionError> {
    let unreadable = |cause| DescriptionError::Unreadable { path: path.to_path_buf(), cause };
    let mut text = String::new();
    let mut limited = File::open(path).map_err(unreadable)?.take(MAX_FILE_BYTES + 1);
    limited.read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(DescriptionError::TooLarge { path: path.to_path_buf(), limit_bytes: MAX_FILE_BYTES });
    }
    Ok(text)
}

/// The texts of a hand's two files.
struct Source<'t> {
    folder: &'t str,
    hand_xml: &'t str,
    robot_toml: &'t str,
}

/// Reads a hand from the texts of its two files.
fn read_robot(name: &str, source: &Source, unlocked: bool) -> Result<RobotModel, DescriptionError> {
    let Source { folder, hand_xml, robot_toml } = source;
    let mut hand = mjcf::read_hand(&format!("{folder}/hand.xml"), hand_xml)?;
    let mut settings = settings::read_settings(&format!("{folder}/robot.toml"), robot_toml, &hand)?;
    if !unlocked {
        lock::lock(&mut hand, &mut settings);
    }
    Ok(assemble(name, hand, settings))
}

/// Joins the two files. Everything was checked before.
fn assemble(name: &str, hand: HandFile, settings: Settings) -> RobotModel {
    let HandFile { mut bodies, hinges, couplings, contact_excludes, home_rad: home_in_file } = hand;
    let rows: Vec<JointRow> = settings.joints.into_iter().map(toml::Spanned::into_inner).collect();
    let in_file: Vec<usize> = rows
        .iter()
        .map(|row| hinges.iter().position(|hinge| hinge.name == row.name).expect("every row names a hinge"))
        .collect();
    let canonical = |own: usize| in_file.iter().position(|j| *j == own).expect("every hinge has a row");
    for body in &mut bodies {
        body.joint = body.joint.map(canonical);
    }
    let mut couplings: Vec<JointCoupling> = couplings
        .into_iter()
        .map(|c| JointCoupling { leader: canonical(c.leader), follower: canonical(c.follower), ..c })
        .collect();
    couplings.sort_by_key(|coupling| coupling.follower);
    set_regions(&mut bodies, &settings.regions.into_inner());
    let fingertips = settings
        .fingertips
        .into_iter()
        .map(toml::Spanned::into_inner)
        .map(|row| FingertipModel {
            body: bodies.iter().position(|body| body.name == row.body).expect("every fingertip's body was checked"),
            name: row.name,
            point_m: Point3::from(row.point_m),
        })
        .collect();
    let object_home = settings.object_home.into_inner();
    let [x, y, z] = object_home.position_m;
    let mut robot = RobotModel {
        name: name.to_owned(),
        home_rad: in_file.iter().map(|index| home_in_file[*index]).collect(),
        joints: in_file.iter().zip(rows).map(|(index, row)| joint(&hinges[*index], row)).collect(),
        bodies,
        couplings,
        fingertips,
        contact_excludes,
        control: settings.control.into_inner(),
        palm_from_object_home: Isometry3::translation(x, y, z),
        resting_normal: object_home.resting_normal.map_or_else(Vector3::z, |normal| Vector3::from(normal).normalize()),
        safety: settings.safety.into_inner(),
        servos: settings.servos.map(toml::Spanned::into_inner),
        kinematics_fingerprint: String::new(),
        dynamics_fingerprint: String::new(),
    };
    robot.kinematics_fingerprint = fingerprint::kinematics(&robot);
    robot.dynamics_fingerprint = fingerprint::dynamics(&robot);
    robot
}

fn set_regions(bodies: &mut [BodyModel], regions: &Regions) {
    for body in bodies {
        let palm = regions.palm_bodies.contains(&body.name);
        for geom in &mut body.geoms {
            let tip = regions.tip_geoms.contains(&geom.name);
            geom.region = if tip {
                Region::Tip
            } else if palm {
                Region::Palm
            } else {
                Region::Link
            };
        }
    }
}

fn joint(hinge: &Hinge, row: JointRow) -> JointModel {
    JointModel {
        name: row.name,
        body: hinge.body,
        axis: hinge.axis,
        anchor_m: hinge.anchor_m,
        position_limits_rad: hinge.position_limits_rad,
        velocity_limit_rad_per_sec: row.velocity_limit_rad_per_sec,
        effort_limit_newton_m: hinge.effort_limit_newton_m,
        stiffness_newton_m_per_rad: hinge.stiffness_newton_m_per_rad,
        damping_newton_m_secs_per_rad: hinge.damping_newton_m_secs_per_rad,
        friction_loss_newton_m: hinge.friction_loss_newton_m,
        armature_kg_m2: hinge.armature_kg_m2,
        device: row.device,
    }
}
