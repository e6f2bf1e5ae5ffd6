//! Signals: what a number that is sensed, commanded or judged means.
//!
//! A closed list. A signal has one definition (name, unit, frame, shape, source), and every layout, schema,
//! log column and error message is derived from it. To add one: a variant, its line in [`Signal::ALL`] and
//! its arm in [`Signal::definition`]; then say who writes it.

use serde::{Deserialize, Serialize};

/// Something that can be measured, commanded or derived at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// Angle of each joint.
    JointPosition,
    /// Angular velocity of each joint.
    JointVelocity,
    /// The target each servo was last given, after limits.
    JointTarget,
    /// What the policy put out at the previous step.
    PreviousAction,
    /// Position of the object's frame.
    ObjectPosition,
    /// Orientation of the object's frame.
    ObjectRotation,
    /// Velocity of the object's centre of mass.
    ObjectLinearVelocity,
    /// Angular velocity of the object.
    ObjectAngularVelocity,
    /// Acceleration of gravity as the palm feels it.
    Gravity,
    /// The sampled physics parameters of this world.
    WorldParameters,
}

/// The unit of every element of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// No unit.
    One,
    /// Radians.
    Radian,
    /// Radians per second.
    RadianPerSecond,
    /// Metres.
    Meter,
    /// Metres per second.
    MeterPerSecond,
    /// Metres per second squared.
    MeterPerSecondSquared,
    /// Elements have different units.
    Mixed,
}

impl Unit {
    /// As printed in tables.
    pub fn symbol(self) -> &'static str {
        match self {
            Unit::One => "-",
            Unit::Radian => "rad",
            Unit::RadianPerSecond => "rad/s",
            Unit::Meter => "m",
            Unit::MeterPerSecond => "m/s",
            Unit::MeterPerSecondSquared => "m/s2",
            Unit::Mixed => "mixed",
        }
    }
}

/// The frame a signal is expressed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferenceFrame {
    /// Along each joint's own axis.
    Joint,
    /// The hand's fixed base frame: the root of `hand.xml`, z upward when the palm is level.
    Palm,
    /// None.
    None,
}

/// How many elements a signal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// One per joint, in canonical order.
    PerJoint,
    /// One per joint with a servo of its own, in canonical order.
    PerAction,
    /// x, y, z.
    Xyz,
    /// Unit quaternion, x, y, z, w.
    QuaternionXyzw,
    /// One per randomized parameter, named by whoever samples them.
    PerParameter,
}

/// Who can know a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Sensors in the hand.
    Hand,
    /// A tracker outside the hand (cameras).
    Tracker,
    /// The control loop itself.
    Controller,
    /// Only a simulator. Never for what is deployed.
    SimulatorOnly,
}

/// Everything there is to know about a signal.
#[derive(Debug, Clone, Copy)]
pub struct SignalDefinition {
    /// Lower-case name, as in logs and messages.
    pub name: &'static str,
    /// Unit of each element.
    pub unit: Unit,
    /// Frame of reference.
    pub frame: ReferenceFrame,
    /// Number and meaning of the elements.
    pub shape: Shape,
    /// Who can know it.
    pub source: Source,
    /// One sentence.
    pub doc: &'static str,
}

impl Signal {
    /// Every signal, in the order of the enum.
    pub const ALL: [Signal; 10] = [
        Signal::JointPosition,
        Signal::JointVelocity,
        Signal::JointTarget,
        Signal::PreviousAction,
        Signal::ObjectPosition,
        Signal::ObjectRotation,
        Signal::ObjectLinearVelocity,
        Signal::ObjectAngularVelocity,
        Signal::Gravity,
        Signal::WorldParameters,
    ];

    /// The one definition of this signal.
    pub fn definition(self) -> SignalDefinition {
        use ReferenceFrame::{Joint, None, Palm};
        use Shape::{PerAction, PerJoint, PerParameter, QuaternionXyzw, Xyz};
        use Source::{Controller, Hand, SimulatorOnly, Tracker};
        let of = |name, unit, frame, shape, source, doc| SignalDefinition { name, unit, frame, shape, source, doc };
        match self {
            Signal::JointPosition => of("joint_position", Unit::Radian, Joint, PerJoint, Hand, "angle of each joint"),
            Signal::JointVelocity => {
                of("joint_velocity", Unit::RadianPerSecond, Joint, PerJoint, Hand, "angular velocity of each joint")
            }
            Signal::JointTarget => {
                of("joint_target", Unit::Radian, Joint, PerJoint, Controller, "target last given to each servo")
            }
            Signal::PreviousAction => {
                of("previous_action", Unit::One, Joint, PerAction, Controller, "what the policy put out one step ago")
            }
            Signal::ObjectPosition => {
                of("object_position", Unit::Meter, Palm, Xyz, Tracker, "position of the object's frame")
            }
            Signal::ObjectRotation => {
                of("object_rotation", Unit::One, Palm, QuaternionXyzw, Tracker, "orientation of the object's frame")
            }
            Signal::ObjectLinearVelocity => of(
                "object_linear_velocity",
                Unit::MeterPerSecond,
                Palm,
                Xyz,
                SimulatorOnly,
                "velocity of the object's centre of mass",
            ),
            Signal::ObjectAngularVelocity => of(
                "object_angular_velocity",
                Unit::RadianPerSecond,
                Palm,
                Xyz,
                SimulatorOnly,
                "angular velocity of the object",
            ),
            Signal::Gravity => {
                of("gravity", Unit::MeterPerSecondSquared, Palm, Xyz, SimulatorOnly, "gravity as the palm feels it")
            }
            Signal::WorldParameters => of(
                "world_parameters",
                Unit::Mixed,
                None,
                PerParameter,
                SimulatorOnly,
                "the sampled physics parameters of this world",
            ),
        }
    }

    /// Lower-case name.
    pub fn name(self) -> &'static str {
        self.definition().name
    }
}
