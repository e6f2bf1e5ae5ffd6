//! What a network reads: an ordered list of terms over signals. `encoder.rs` writes the vector.
//!
//! The schema is stored in every checkpoint whole, with the constants the encoding needs, so the encoder is
//! rebuilt from the checkpoint and not from whatever the code says today.

use crate::frame::SignalLayout;
use crate::model::{Limits, RobotModel};
use crate::signal::{Shape, Signal, Source};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use thiserror::Error;

/// One entry of what a network reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObservationTerm {
    /// What is read.
    pub signal: Signal,
    /// How it is written down.
    pub encoding: Encoding,
    /// How many instants: 1 is now only; newest first.
    pub history: u8,
    /// Oldest a value may be. Zero for what is measured every step.
    pub max_age_secs: f32,
    /// Who reads it.
    pub audience: Audience,
}

/// How a signal's numbers are written into the vector.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// As they are.
    Raw,
    /// Divided by a constant.
    Divide(f32),
    /// Joint limits mapped to [-1, 1].
    JointRange,
    /// Parameter bounds mapped to [-1, 1].
    ByBounds,
    /// The first two columns of the rotation matrix (Zhou et al. 2019, section 3).
    Rotation6,
}

/// Who reads a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// From the sensed frame; the actor's columns, which the critic sees too.
    ActorAndCritic,
    /// From the true frame; never available at deployment.
    CriticOnly,
}

/// A name with its range: a joint with its limits, or a parameter with its bounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NamedLimits {
    /// Name.
    pub name: String,
    /// Range that is mapped to [-1, 1].
    pub limits: Limits,
}

/// The ordered list of what a network reads, with everything needed to write it.
///
/// Actor columns come first, critic-only columns after: the actor reads a prefix. A schema that cannot be
/// written does not exist: one that is read from a checkpoint is checked like one that is built.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "SchemaFields")]
pub struct ObservationSchema {
    terms: Vec<ObservationTerm>,
    joints: Vec<NamedLimits>,
    parameters: Vec<NamedLimits>,
    /// Joints that follow others and so have no action, as indices into `joints`, ascending.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    followers: Vec<usize>,
}

/// A schema as stored, before it is checked.
#[derive(Deserialize)]
struct SchemaFields {
    terms: Vec<ObservationTerm>,
    joints: Vec<NamedLimits>,
    parameters: Vec<NamedLimits>,
    /// None in what was stored before there were any.
    #[serde(default)]
    followers: Vec<usize>,
}

impl TryFrom<SchemaFields> for ObservationSchema {
    type Error = ObservationError;

    fn try_from(fields: SchemaFields) -> Result<Self, ObservationError> {
        Self::checked(fields.terms, fields.joints, fields.parameters, fields.followers)
    }
}

/// Why a schema or an observation cannot be.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ObservationError {
    /// A term for the actor that only a simulator knows.
    #[error("the actor cannot read {signal}: only a simulator knows it; make the term critic-only")]
    NotObservable {
        /// Its name.
        signal: &'static str,
    },
    /// A term whose encoding does not fit its signal.
    #[error("{signal} cannot be encoded so: {problem}")]
    NotEncodable {
        /// Its name.
        signal: &'static str,
        /// What does not fit.
        problem: &'static str,
    },
    /// A stored schema in which joints follow that it does not have.
    #[error("joints {followers:?} of {joint_count} follow others: each must be one of them, in ascending order")]
    NoSuchFollower {
        /// How many joints there are.
        joint_count: usize,
        /// Those that should follow others.
        followers: Vec<usize>,
    },
    /// Nothing was measured yet.
    #[error("{signal} was not measured yet, so there is no observation to act on")]
    Missing {
        /// Its name.
        signal: &'static str,
    },
    /// What was measured is too old.
    #[error("{signal} is {age_secs:.3} s old; the policy reads it up to {max_age_secs:.3} s old")]
    Stale {
        /// Its name.
        signal: &'static str,
        /// Its age.
        age_secs: f64,
        /// The oldest it may be.
        max_age_secs: f32,
    },
    /// A number that is none.
    #[error("{signal} element {element} is not a finite number")]
    NotFinite {
        /// Its name.
        signal: &'static str,
        /// Which element.
        element: usize,
    },
}

impl ObservationTerm {
    fn check(&self) -> Result<(), ObservationError> {
        let signal = self.signal.name();
        let definition = self.signal.definition();
        if self.audience == Audience::ActorAndCritic && definition.source == Source::SimulatorOnly {
            return Err(ObservationError::NotObservable { signal });
        }
        let problem = match (self.encoding, definition.shape) {
            _ if self.history == 0 => "a history of 0 instants holds nothing; 1 is now only",
            (Encoding::Divide(by), _) if !by.is_normal() => "the divisor must be a finite number other than zero",
            (Encoding::JointRange, shape) if shape != Shape::PerJoint => "only joints have a joint range",
            (Encoding::ByBounds, shape) if shape != Shape::PerParameter => "only parameters have bounds",
            (Encoding::Rotation6, shape) if shape != Shape::QuaternionXyzw => "only a rotation has six numbers",
            _ => return Ok(()),
        };
        Err(ObservationError::NotEncodable { signal, problem })
    }
}

impl ObservationSchema {
    /// Builds the schema of `terms` for one hand; `parameters` are the columns of `Signal::WorldParameters`.
    ///
    /// # Errors
    /// When an actor's term is a simulator-only signal, or an encoding does not fit its signal.
    pub fn new(
        terms: Vec<ObservationTerm>,
        robot: &RobotModel,
        parameters: Vec<NamedLimits>,
    ) -> Result<Self, ObservationError> {
        let joints = robot
            .joints
            .iter()
            .map(|joint| NamedLimits { name: joint.name.clone(), limits: joint.position_limits_rad })
            .collect();
        let actuated = robot.actuated_joints();
        let followers = (0..robot.joint_count()).filter(|joint| !actuated.contains(joint)).collect();
        Self::checked(terms, joints, parameters, followers)
    }

    fn checked(
        terms: Vec<ObservationTerm>,
        joints: Vec<NamedLimits>,
        parameters: Vec<NamedLimits>,
        followers: Vec<usize>,
    ) -> Result<Self, ObservationError> {
        for term in &terms {
            term.check()?;
        }
        let ascending = followers.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascending || followers.last().is_some_and(|last| *last >= joints.len()) {
            return Err(ObservationError::NoSuchFollower { joint_count: joints.len(), followers });
        }
        let (mut ordered, critic): (Vec<_>, Vec<_>) =
            terms.into_iter().partition(|term| term.audience == Audience::ActorAndCritic);
        ordered.extend(critic);
        Ok(Self { terms: ordered, joints, parameters, followers })
    }

    /// The schema of an environment without a hand: plain numbers, `actor_width` of them for the actor and
    /// `critic_only_width` more for the critic.
    pub fn plain(actor_width: usize, critic_only_width: usize) -> Self {
        let limits = Limits { lower: -1.0, upper: 1.0 };
        let named = |prefix: &str, count: usize| -> Vec<NamedLimits> {
            (0..count).map(|i| NamedLimits { name: format!("{prefix}_{i}"), limits }).collect()
        };
        let term = |signal, audience| ObservationTerm {
            signal,
            encoding: Encoding::Raw,
            history: 1,
            max_age_secs: 0.0,
            audience,
        };
        Self {
            terms: vec![
                term(Signal::JointPosition, Audience::ActorAndCritic),
                term(Signal::WorldParameters, Audience::CriticOnly),
            ],
            joints: named("value", actor_width),
            parameters: named("hidden", critic_only_width),
            followers: Vec::new(),
        }
    }

    /// The terms, actor's first.
    pub fn terms(&self) -> &[ObservationTerm] {
        &self.terms
    }

    /// Names of the joints, in the order the policy was trained with.
    pub fn joint_names(&self) -> impl Iterator<Item = &str> {
        self.joints.iter().map(|joint| joint.name.as_str())
    }

    /// The joints, with the limits that [`Encoding::JointRange`] maps to [-1, 1].
    pub fn joints(&self) -> &[NamedLimits] {
        &self.joints
    }

    /// The sampled parameters the critic reads, with their bounds.
    pub fn parameters(&self) -> &[NamedLimits] {
        &self.parameters
    }

    /// The widths of the frames this schema reads.
    pub fn layout(&self) -> SignalLayout {
        SignalLayout {
            joint_count: self.joints.len(),
            action_count: self.action_count(),
            parameter_count: self.parameters.len(),
        }
    }

    /// Number of joints that follow no other.
    fn action_count(&self) -> usize {
        self.joints.len() - self.followers.len()
    }

    /// Number of columns the actor reads.
    pub fn actor_width(&self) -> usize {
        self.width_of(|term| term.audience == Audience::ActorAndCritic)
    }

    /// Number of columns the critic reads: the actor's and its own.
    pub fn critic_width(&self) -> usize {
        self.width_of(|_| true)
    }

    fn width_of(&self, wanted: impl Fn(&ObservationTerm) -> bool) -> usize {
        self.terms.iter().filter(|term| wanted(term)).map(|term| self.term_width(term)).sum()
    }

    /// Number of columns of one term, history included.
    pub fn term_width(&self, term: &ObservationTerm) -> usize {
        usize::from(term.history) * self.encoded_width(term)
    }

    /// Number of columns of one instant of a term.
    pub(crate) fn encoded_width(&self, term: &ObservationTerm) -> usize {
        match (term.encoding, term.signal.definition().shape) {
            (Encoding::Rotation6, _) => 6,
            (_, Shape::PerJoint) => self.joints.len(),
            (_, Shape::PerAction) => self.action_count(),
            (_, Shape::Xyz) => 3,
            (_, Shape::QuaternionXyzw) => 4,
            (_, Shape::PerParameter) => self.parameters.len(),
        }
    }

    /// A name for every column, such as `joint_position/index_mcp_side/t-1`.
    pub fn column_names(&self) -> Vec<String> {
        let mut names = Vec::with_capacity(self.critic_width());
        for term in &self.terms {
            let elements = self.element_names(term);
            for back in 0..term.history {
                for element in &elements {
                    let age = if back == 0 { String::new() } else { format!("/t-{back}") };
                    names.push(format!("{}/{element}{age}", term.signal.name()));
                }
            }
        }
        names
    }

    fn element_names(&self, term: &ObservationTerm) -> Vec<String> {
        let plain = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        match (term.encoding, term.signal.definition().shape) {
            (Encoding::Rotation6, _) => plain(&["r00", "r10", "r20", "r01", "r11", "r21"]),
            (_, Shape::PerJoint) => self.joints.iter().map(|joint| joint.name.clone()).collect(),
            (_, Shape::PerAction) => {
                let joints = self.joints.iter().enumerate().filter(|(index, _)| !self.followers.contains(index));
                joints.map(|(_, joint)| joint.name.clone()).collect()
            }
            (_, Shape::Xyz) => plain(&["x", "y", "z"]),
            (_, Shape::QuaternionXyzw) => plain(&["x", "y", "z", "w"]),
            (_, Shape::PerParameter) => self.parameters.iter().map(|p| p.name.clone()).collect(),
        }
    }

    /// Identity of what the actor reads. Critic columns do not change it: they are not deployed.
    pub fn actor_fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for term in self.terms.iter().filter(|term| term.audience == Audience::ActorAndCritic) {
            hash.update(format!("{term:?}"));
        }
        for joint in &self.joints {
            hash.update(format!("{joint:?}"));
        }
        if !self.followers.is_empty() {
            hash.update(format!("{:?}", self.followers));
        }
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Display for ObservationSchema {
    /// The table of what the network reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:>9}  {:<24}{:<7}{:<7}{:<13}{:<9}{:<10}elements",
            "columns", "signal", "unit", "frame", "encoding", "history", "audience"
        )?;
        let mut column = 0;
        let mut in_actor = true;
        for term in &self.terms {
            if in_actor && term.audience == Audience::CriticOnly {
                writeln!(f, "{:-<9} actor {column} {:-<80}", "", "")?;
                in_actor = false;
            }
            let definition = term.signal.definition();
            let width = self.term_width(term);
            let columns = match width {
                0 => "none".to_owned(),
                _ => format!("{column}-{}", column + width - 1),
            };
            let encoding = match term.encoding {
                Encoding::Raw => "raw".to_owned(),
                Encoding::Divide(by) => format!("divide {by}"),
                Encoding::JointRange => "joint range".to_owned(),
                Encoding::ByBounds => "by bounds".to_owned(),
                Encoding::Rotation6 => "6 numbers".to_owned(),
            };
            let audience = if term.audience == Audience::CriticOnly { "critic" } else { "both" };
            let elements = self.element_names(term);
            let shown = elements.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
            let more = if elements.len() > 3 { ", ..." } else { "" };
            let frame = format!("{:?}", definition.frame).to_lowercase();
            writeln!(
                f,
                "{columns:>9}  {:<24}{:<7}{frame:<7}{encoding:<13}{:<9}{audience:<10}{shown}{more}",
                definition.name,
                definition.unit.symbol(),
                term.history
            )?;
            column += width;
        }
        write!(f, "{:-<9} critic {column} {:-<40} fingerprint {}", "", "", self.actor_fingerprint())
    }
}
