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
    /// Position of each fingertip.
    FingertipPosition,
    /// Positions of the object's own joints: a lid's hinge, a cube's faces.
    ObjectJointPosition,
    /// Their velocities.
    ObjectJointVelocity,
    /// Where the object shall be.
    GoalPosition,
    /// Which orientation the object shall have.
    GoalRotation,
    /// The axis the object shall be turned about, a unit vector.
    GoalAxis,
    /// Where the object's own joints shall be.
    GoalJointPosition,
    /// From where the object is to where it shall be.
    GoalPositionError,
    /// The turn from the object's orientation to the goal's, as a rotation vector.
    GoalRotationError,
    /// From where the object's own joints are to where they shall be.
    GoalJointError,
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
    /// x, y, z of each fingertip, in the order of the description.
    PerFingertipXyz,
    /// One per joint of the object; none for a rigid one.
    PerObjectJoint,
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
    /// The task, from what a tracker sees where it says how far the goal is.
    Task,
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
    pub const ALL: [Signal; 20] = [
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
        Signal::FingertipPosition,
        Signal::ObjectJointPosition,
        Signal::ObjectJointVelocity,
        Signal::GoalPosition,
        Signal::GoalRotation,
        Signal::GoalAxis,
        Signal::GoalJointPosition,
        Signal::GoalPositionError,
        Signal::GoalRotationError,
        Signal::GoalJointError,
    ];

    /// Whether it says how far the object is from a goal, and so needs somebody who sees the object.
    pub fn is_goal_error(self) -> bool {
        matches!(self, Signal::GoalPositionError | Signal::GoalRotationError | Signal::GoalJointError)
    }

    /// Those that tell a goal, in the order of the enum.
    pub fn goals() -> impl Iterator<Item = Signal> {
        Self::ALL.into_iter().filter(|signal| signal.definition().source == Source::Task)
    }

    /// The one definition of this signal.
    pub fn definition(self) -> SignalDefinition {
        match self {
            Signal::JointPosition
            | Signal::JointVelocity
            | Signal::JointTarget
            | Signal::PreviousAction
            | Signal::FingertipPosition => self.of_hand(),
            Signal::ObjectPosition
            | Signal::ObjectRotation
            | Signal::ObjectLinearVelocity
            | Signal::ObjectAngularVelocity
            | Signal::ObjectJointPosition
            | Signal::ObjectJointVelocity
            | Signal::Gravity
            | Signal::WorldParameters => self.of_world(),
            Signal::GoalPosition
            | Signal::GoalRotation
            | Signal::GoalAxis
            | Signal::GoalJointPosition
            | Signal::GoalPositionError
            | Signal::GoalRotationError
            | Signal::GoalJointError => self.of_goal(),
        }
    }
    /// Lower-case name.
    pub fn name(self) -> &'static str {
        self.definition().name
    }

    fn of_hand(self) -> SignalDefinition {
        use ReferenceFrame::{Joint, Palm};
        use Shape::{PerAction, PerFingertipXyz, PerJoint};
        use Source::{Controller, Hand};
        use Unit::{Meter, One, Radian, RadianPerSecond};
        let (name, unit, frame, shape, source, doc) = match self {
            Signal::JointPosition => ("joint_position", Radian, Joint, PerJoint, Hand, "angle of each joint"),
            Signal::JointVelocity => {
                ("joint_velocity", RadianPerSecond, Joint, PerJoint, Hand, "angular velocity of each joint")
            }
            Signal::JointTarget => {
                ("joint_target", Radian, Joint, PerJoint, Controller, "target last given to each servo")
            }
            Signal::PreviousAction => {
                ("previous_action", One, Joint, PerAction, Controller, "what the policy put out one step ago")
            }
            _ => {
                let doc = "position of each fingertip, from the joint angles beside it";
                ("fingertip_position", Meter, Palm, PerFingertipXyz, Hand, doc)
            }
        };
        SignalDefinition { name, unit, frame, shape, source, doc }
    }

    fn of_world(self) -> SignalDefinition {
        use ReferenceFrame::{Joint, None, Palm};
        use Shape::{PerObjectJoint, PerParameter, QuaternionXyzw, Xyz};
        use Source::{SimulatorOnly, Tracker};
        use Unit::{Meter, MeterPerSecond, MeterPerSecondSquared, Mixed, One, Radian, RadianPerSecond};
        let (name, unit, frame, shape, source, doc) = match self {
            Signal::ObjectPosition => ("object_position", Meter, Palm, Xyz, Tracker, "position of the object's frame"),
            Signal::ObjectRotation => {
                ("object_rotation", One, Palm, QuaternionXyzw, Tracker, "orientation of the object's frame")
            }
            Signal::ObjectLinearVelocity => {
                let doc = "velocity of the object's centre of mass";
                ("object_linear_velocity", MeterPerSecond, Palm, Xyz, SimulatorOnly, doc)
            }
            Signal::ObjectAngularVelocity => {
                let doc = "angular velocity of the object";
                ("object_angular_velocity", RadianPerSecond, Palm, Xyz, SimulatorOnly, doc)
            }
            Signal::ObjectJointPosition => {
                let doc = "positions of the object's own joints";
                ("object_joint_position", Radian, Joint, PerObjectJoint, Tracker, doc)
            }
            Signal::ObjectJointVelocity => {
                let doc = "velocities of the object's own joints";
                ("object_joint_velocity", RadianPerSecond, Joint, PerObjectJoint, SimulatorOnly, doc)
            }
            Signal::Gravity => {
                ("gravity", MeterPerSecondSquared, Palm, Xyz, SimulatorOnly, "gravity as the palm feels it")
            }
            _ => {
                let doc = "the sampled physics parameters of this world";
                ("world_parameters", Mixed, None, PerParameter, SimulatorOnly, doc)
            }
        };
        SignalDefinition { name, unit, frame, shape, source, doc }
    }

    fn of_goal(self) -> SignalDefinition {
        use ReferenceFrame::{Joint, Palm};
        use Shape::{PerObjectJoint, QuaternionXyzw, Xyz};
        use Unit::{Meter, One, Radian};
        let (name, unit, frame, shape, doc) = match self {
            Signal::GoalPosition => ("goal_position", Meter, Palm, Xyz, "where the object shall be"),
            Signal::GoalRotation => {
                ("goal_rotation", One, Palm, QuaternionXyzw, "which orientation the object shall have")
            }
            Signal::GoalAxis => {
                ("goal_axis", One, Palm, Xyz, "the axis the object shall be turned about, a unit vector")
            }
            Signal::GoalJointPosition => {
                ("goal_joint_position", Radian, Joint, PerObjectJoint, "where the object's own joints shall be")
            }
            Signal::GoalPositionError => {
                ("goal_position_error", Meter, Palm, Xyz, "from where the object is to where it shall be")
            }
            Signal::GoalRotationError => {
                let doc = "the turn from the object's orientation to the goal's, as a rotation vector";
                ("goal_rotation_error", Radian, Palm, Xyz, doc)
            }
            _ => {
                let doc = "from where the object's own joints are to where they shall be";
                ("goal_joint_error", Radian, Joint, PerObjectJoint, doc)
            }
        };
        SignalDefinition { name, unit, frame, shape, source: Source::Task, doc }
    }
}
