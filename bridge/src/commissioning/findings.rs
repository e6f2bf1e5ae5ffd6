//! From what was seen to how a hand is wired. Pure.

use super::{CommissioningError, Sighting};
use crate::calibration::{Calibration, JointCalibration, JointWire, MAX_OFFSET_RAD, SeenBy, Zeros};
use crate::driver::BusIdentity;
use giraffe_robots::RobotModel;
use std::fmt;

/// What one motion showed.
#[derive(Debug, Clone, PartialEq)]
pub struct JointFinding {
    /// The joint that was asked to move.
    pub joint: usize,
    /// How it was thought to be wired.
    pub wire: JointWire,
    /// How far it was asked to move, rad.
    pub asked_rad: f32,
    /// How far its servo says it moved, rad.
    pub moved_rad: f32,
    /// What was seen.
    pub sighting: Sighting,
}

/// How a hand is wired, and where that differs from what was thought.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    /// How each joint is wired, joint order.
    pub wires: Vec<JointWire>,
    /// What was thought wrongly.
    pub corrections: Vec<Correction>,
    /// Where the zeros come from.
    pub zeros: Zeros,
    /// The self test of each joint: asked and moved, rad.
    tested: Vec<(f32, f32)>,
}

/// Something that was thought wrongly of a joint.
#[derive(Debug, Clone, PartialEq)]
pub enum Correction {
    /// Another servo moves it.
    Servo {
        /// Name of the joint.
        joint: String,
        /// Id that was thought.
        thought: u8,
        /// Id that was found.
        found: u8,
    },
    /// It turns the other way.
    Sign {
        /// Name of the joint.
        joint: String,
        /// Sign that was found.
        found: f32,
    },
    /// Its zero is elsewhere.
    Zero {
        /// Name of the joint.
        joint: String,
        /// By how much, rad.
        by_rad: f32,
    },
}

impl fmt::Display for Correction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Servo { joint, thought, found } => {
                write!(f, "joint `{joint}` is moved by servo {found}, not {thought}")
            }
            Self::Sign { joint, found } => write!(f, "joint `{joint}` turns the other way: sign {found:+}"),
            Self::Zero { joint, by_rad } => write!(f, "zero of joint `{joint}` is {by_rad:+.4} rad off"),
        }
    }
}

impl Findings {
    /// Judges what was seen. `flat_rad`: what was measured while every joint stood at zero, if it did.
    ///
    /// # Errors
    /// When nothing was seen to move, one joint was seen to move twice, or a zero is too far off.
    pub fn of(
        robot: &RobotModel,
        joints: Vec<JointFinding>,
        flat_rad: Option<&[f32]>,
    ) -> Result<Self, CommissioningError> {
        let count = robot.joint_count();
        let mut wires: Vec<Option<JointWire>> = vec![None; count];
        let mut tested = vec![(0.0, 0.0); count];
        for finding in &joints {
            let id = finding.wire.id;
            let Sighting::Moved { joint, positive } = finding.sighting else {
                return Err(CommissioningError::NothingSeen { id });
            };
            if let Some(first) = wires[joint].map(|wire| wire.id) {
                let joint = robot.joints[joint].name.clone();
                return Err(CommissioningError::SeenTwice { joint, first, second: id });
            }
            let device_way = finding.wire.sign * finding.asked_rad.signum();
            let sign = if positive { device_way } else { -device_way };
            // The zero is where the servo stands in the flat pose: it stays with the servo.
            let flat = flat_rad.map_or(0.0, |flat_rad| finding.wire.sign * flat_rad[finding.joint]);
            wires[joint] = Some(JointWire { id, sign, zero_rad: finding.wire.zero_rad + flat });
            tested[joint] = (finding.asked_rad, finding.moved_rad);
        }
        // As many sightings as joints, none twice: none is missing.
        let wires: Vec<JointWire> = wires.into_iter().flatten().collect();
        let mut corrections = Vec::new();
        for finding in &joints {
            let (thought, found) = (finding.wire, wires[finding.joint]);
            corrections.extend(differences(&robot.joints[finding.joint].name, thought, found));
        }
        let zeros = if flat_rad.is_some() { Zeros::Measured } else { Zeros::Described };
        let findings = Self { wires, corrections, zeros, tested };
        findings.check_zeros(robot)?;
        Ok(findings)
    }

    fn check_zeros(&self, robot: &RobotModel) -> Result<(), CommissioningError> {
        for (joint, wire) in robot.joints.iter().zip(&self.wires) {
            let offset_rad = offset_rad(joint, wire);
            if offset_rad.abs() > MAX_OFFSET_RAD {
                let (joint, most_rad) = (joint.name.clone(), MAX_OFFSET_RAD);
                return Err(CommissioningError::ZeroTooFar { joint, id: wire.id, offset_rad, most_rad });
            }
        }
        Ok(())
    }

    /// What to save.
    pub fn calibration(
        &self,
        robot: &RobotModel,
        bus: BusIdentity,
        seen_by: SeenBy,
        date: &str,
        tool: &str,
    ) -> Calibration {
        let joints = robot.joints.iter().enumerate().map(|(index, joint)| JointCalibration {
            name: joint.name.clone(),
            id: self.wires[index].id,
            sign: if self.wires[index].sign < 0.0 { -1 } else { 1 },
            offset_rad: offset_rad(joint, &self.wires[index]),
            asked_rad: self.tested[index].0,
            moved_rad: self.tested[index].1,
        });
        Calibration {
            hand: robot.name.clone(),
            kinematics: robot.kinematics_fingerprint.clone(),
            date: date.to_owned(),
            tool: tool.to_owned(),
            seen_by,
            zeros: self.zeros,
            bus,
            joints: joints.collect(),
        }
    }
}

fn offset_rad(joint: &giraffe_robots::JointModel, wire: &JointWire) -> f32 {
    wire.zero_rad - joint.device.map_or(0.0, |device| device.zero_rad)
}

fn differences(joint: &str, thought: JointWire, found: JointWire) -> Vec<Correction> {
    let joint = joint.to_owned();
    let mut differences = Vec::new();
    if thought.id != found.id {
        differences.push(Correction::Servo { joint: joint.clone(), thought: thought.id, found: found.id });
    }
    if (thought.sign < 0.0) != (found.sign < 0.0) {
        differences.push(Correction::Sign { joint: joint.clone(), found: found.sign });
    }
    let by_rad = found.zero_rad - thought.zero_rad;
    if by_rad.abs() > 1e-6 {
        differences.push(Correction::Zero { joint, by_rad });
    }
    differences
}
