//! Writes a hand as giraffe's own strict form: a folder that a person can correct and keep.

mod hand_xml;
mod readme;
mod tree;

use super::import::ImportReport;
use super::written::{Written, WrittenJoint, WrittenTip};
use crate::model::{Region, RobotModel};

/// The texts of a folder in giraffe's own form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrictFolder {
    /// `hand.xml`: MJCF, which MuJoCo loads too.
    pub hand_xml: String,
    /// `robot.toml`: what MJCF cannot say.
    pub robot_toml: String,
    /// `README.md`: where the hand comes from, every liberty that was taken, and what to check.
    pub readme: String,
}

impl StrictFolder {
    /// Each file's name and text.
    pub fn files(&self) -> [(&'static str, &str); 3] {
        [("hand.xml", &self.hand_xml), ("robot.toml", &self.robot_toml), ("README.md", &self.readme)]
    }
}

/// Writes a hand in giraffe's own form, which [`load_robot`](super::load_robot) reads without taking a liberty: the same
/// hand, to the rounding of its numbers. `report` says what was done to read it; it goes into the README.
///
/// The resting pose and the object's place are those of `robot`: change them there first to have them written.
pub fn strict_folder(robot: &RobotModel, report: &ImportReport) -> StrictFolder {
    StrictFolder {
        hand_xml: hand_xml::hand_xml(robot),
        robot_toml: robot_toml(robot),
        readme: readme::readme(robot, report),
    }
}

fn robot_toml(robot: &RobotModel) -> String {
    let joints = robot.joints.iter().map(|joint| WrittenJoint {
        name: joint.name.clone(),
        device: joint.device,
        velocity_limit_rad_per_sec: joint.velocity_limit_rad_per_sec,
    });
    let names = tree::body_names(robot);
    let fingertips = robot.fingertips.iter().map(|tip| WrittenTip {
        name: tip.name.clone(),
        body: names[tip.body].clone(),
        point_m: tip.point_m.coords.into(),
    });
    let bodies = || robot.bodies.iter().zip(&names);
    let palms = bodies().filter(|(body, _)| body.geoms.iter().any(|geom| geom.region == Region::Palm));
    let geoms = robot.bodies.iter().flat_map(|body| &body.geoms);
    let written = Written {
        joints: joints.collect(),
        fingertips: fingertips.collect(),
        palm_bodies: palms.map(|(_, name)| name.clone()).collect(),
        tip_geoms: geoms.filter(|geom| geom.region == Region::Tip).map(|geom| geom.name.clone()).collect(),
        control: robot.control,
        object_home_m: robot.palm_from_object_home.translation.vector.into(),
        resting_normal: robot.resting_normal.into(),
        safety: robot.safety,
        servos: robot.servos.clone(),
    };
    format!("# {}: what MJCF cannot say. Where every figure comes from: README.md.\n\n{}", robot.name, written.text())
}
