//! What somebody found out about one very hand: which servo moves which joint, which way, and from where. A TOML file,
//! written by `giraffe wiggle`.

use crate::driver::{BusIdentity, Calibrated, DriverError};
use crate::hex::hex;
use giraffe_robots::{RobotModel, did_you_mean, whole_file};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::Path;

/// Largest offset that is still a matter of calibration, rad. Beyond it a horn is mounted in another place.
pub const MAX_OFFSET_RAD: f32 = 0.35;

/// So much of a hash tells calibrations apart.
const ID_BYTES: usize = 6;

/// How a joint is wired, on this very hand: device angle = sign * joint angle + `zero_rad`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JointWire {
    /// Id on the servo bus.
    pub id: u8,
    /// +1 or -1.
    pub sign: f32,
    /// Device angle at joint angle zero, rad, the offset of the calibration included.
    pub zero_rad: f32,
}

/// What was found out about one joint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JointCalibration {
    /// Name, as in the hand's description.
    pub name: String,
    /// Id of the servo that moves it.
    pub id: u8,
    /// +1 or -1: device angle = sign * joint angle + zero + offset.
    pub sign: i8,
    /// Added to the zero of the description, rad.
    pub offset_rad: f32,
    /// How far it was asked to move in the self test, rad.
    pub asked_rad: f32,
    /// How far it moved, rad.
    pub moved_rad: f32,
}

/// Who saw the joints move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeenBy {
    /// A person.
    Operator,
    /// Nobody: the description was taken for granted. Not good enough for a real hand.
    Nobody,
}

/// Where the zeros come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Zeros {
    /// From where the servos stood while every joint was put at zero.
    Measured,
    /// From the description: a horn that is one spline off goes unnoticed. Also what a file means that does not say.
    #[default]
    Described,
}

/// A calibration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Name of the hand's description.
    pub hand: String,
    /// Its kinematics fingerprint.
    pub kinematics: String,
    /// When, as the caller says it.
    pub date: String,
    /// With what.
    pub tool: String,
    /// Who saw the joints move.
    pub seen_by: SeenBy,
    /// Where the zeros come from.
    #[serde(default)]
    pub zeros: Zeros,
    /// The servos.
    pub bus: BusIdentity,
    /// Every joint.
    pub joints: Vec<JointCalibration>,
}

fn wrong(path: &str, reason: impl Into<String>) -> DriverError {
    DriverError::new(format!("reading the calibration {path}"), reason)
}

impl Calibration {
    /// Reads a file and holds it against the hand it is meant for.
    ///
    /// # Errors
    /// When it cannot be read or is not of this hand; names the joint and field.
    pub fn load(path: &Path, robot: &RobotModel) -> Result<Self, DriverError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| wrong(&name, format!("{error}; `giraffe wiggle` writes one")))?;
        let calibration: Self = toml::from_str(&text).map_err(|error| wrong(&name, error.to_string()))?;
        calibration.check(robot).map_err(|reason| wrong(&name, reason))?;
        Ok(calibration)
    }

    /// Writes a file, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), DriverError> {
        let failed = |reason: String| DriverError::new(format!("writing the calibration {}", path.display()), reason);
        let text = toml::to_string(self).map_err(|error| failed(error.to_string()))?;
        whole_file(path, text.as_bytes()).map_err(|error| failed(error.to_string()))
    }

    /// Identity for logs: the first digits of a hash of everything in it.
    pub fn id(&self) -> String {
        let digest = Sha256::digest(toml::to_string(self).unwrap_or_default());
        hex(&digest[..ID_BYTES])
    }

    /// What a driver says of itself with this calibration. `allow_described`: zeros that nobody measured will do.
    pub fn calibrated(&self, allow_described: bool) -> Calibrated {
        let detail = match (self.seen_by, self.zeros) {
            (SeenBy::Nobody, _) => {
                "nobody saw the joints move when the calibration was made: run `giraffe wiggle` and look"
            }
            (SeenBy::Operator, Zeros::Described) if !allow_described => {
                "nobody measured the zeros of the joints, the file has those of the description: lay the hand flat and run \
                 `giraffe wiggle` with --flat, or serve with --allow-described-zeros"
            }
            (SeenBy::Operator, _) => return Calibrated::Valid { id: self.id() },
        };
        Calibrated::Missing { detail: detail.to_owned() }
    }

    /// Holds it against the hand's description.
    ///
    /// # Errors
    /// Names the joint and field, in words.
    pub fn check(&self, robot: &RobotModel) -> Result<(), String> {
        if self.hand != robot.name {
            return Err(format!("it is of the hand `{}`, expected `{}`", self.hand, robot.name));
        }
        if self.kinematics != robot.kinematics_fingerprint {
            return Err(format!(
                "kinematics is `{}`, expected `{}`: the description of the hand has changed since; run `giraffe \
                 wiggle` again",
                self.kinematics, robot.kinematics_fingerprint
            ));
        }
        let names: Vec<&str> = robot.joints.iter().map(|joint| joint.name.as_str()).collect();
        let mut ids = BTreeSet::new();
        let mut seen = BTreeSet::new();
        for joint in &self.joints {
            joint.check(&names)?;
            if !seen.insert(&joint.name) {
                return Err(format!("joint `{}` is there twice", joint.name));
            }
            if !ids.insert(joint.id) {
                return Err(format!("joint `{}`: id {} is that of another joint too", joint.name, joint.id));
            }
        }
        match names.iter().find(|name| !self.joints.iter().any(|joint| joint.name == **name)) {
            Some(missing) => Err(format!("joint `{missing}` is missing")),
            None => Ok(()),
        }
    }

    /// Holds it against the servos that are there. Another version of their firmware is fine.
    ///
    /// # Errors
    /// Names the servo.
    pub fn check_bus(&self, found: &BusIdentity) -> Result<(), String> {
        let known = &self.bus;
        if !known.adapter_serial.is_empty() && known.adapter_serial != found.adapter_serial {
            return Err(format!(
                "it was made at the USB adapter {}, this one is `{}`: another hand? Run `giraffe wiggle`",
                known.adapter_serial, found.adapter_serial
            ));
        }
        for servo in &known.servos {
            let same_id = found.servos.iter().find(|other| other.id == servo.id);
            if same_id.is_none_or(|other| other.model != servo.model) {
                let there = same_id.map_or("nothing", |other| &other.model);
                return Err(format!(
                    "servo {} was an {}, now there is {there}: run `giraffe wiggle` again",
                    servo.id, servo.model
                ));
            }
        }
        Ok(())
    }
}

impl JointCalibration {
    fn check(&self, names: &[&str]) -> Result<(), String> {
        let name = &self.name;
        if !names.contains(&name.as_str()) {
            let meant = did_you_mean(name, names.iter().copied());
            return Err(format!("the hand has no joint `{name}`{meant}"));
        }
        if self.sign.abs() != 1 {
            return Err(format!("joint `{name}`: sign is {}, expected 1 or -1", self.sign));
        }
        if self.id > 252 {
            return Err(format!("joint `{name}`: id is {}, expected 0 to 252", self.id));
        }
        if self.offset_rad.is_nan() || self.offset_rad.abs() > MAX_OFFSET_RAD {
            return Err(format!(
                "joint `{name}`: offset_rad is {}, expected at most {MAX_OFFSET_RAD} either way: is its horn mounted \
                 in the right place?",
                self.offset_rad
            ));
        }
        Ok(())
    }
}

/// How every joint is wired: as described, or as found out. In joint order.
///
/// # Errors
/// When a joint has no servo.
pub fn wiring(robot: &RobotModel, calibration: Option<&Calibration>) -> Result<Vec<JointWire>, DriverError> {
    let wire = |joint: &giraffe_robots::JointModel| {
        let device = joint.device.ok_or_else(|| {
            let reason = format!("joint `{}` has no device id in the description of {}", joint.name, robot.name);
            DriverError::new("finding the servo of every joint", reason)
        })?;
        let described = JointWire { id: device.id, sign: device.sign, zero_rad: device.zero_rad };
        let found = calibration.and_then(|calibration| calibration.joints.iter().find(|row| row.name == joint.name));
        Ok(found.map_or(described, |row| JointWire {
            id: row.id,
            sign: f32::from(row.sign),
            zero_rad: device.zero_rad + row.offset_rad,
        }))
    };
    robot.joints.iter().map(wire).collect()
}
