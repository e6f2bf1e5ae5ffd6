//! What a network reads: an ordered list of terms over signals. `encoder.rs` writes the vector.
//!
//! The schema is stored in every checkpoint whole, with the constants the encoding needs, so the encoder is
//! rebuilt from the checkpoint and not from whatever the code says today.

use crate::frame::SignalLayout;
use crate::model::{Limits, RobotModel};
use crate::signal::{Shape, Signal, Source};
use crate::term::{Audience, Encoding, ObservationError, ObservationTerm, WhenStale};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

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
    /// Names of the fingertips, where a term reads them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fingertips: Vec<String>,
    /// Names of the object's joints, where a term reads them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    object_joints: Vec<String>,
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
    #[serde(default)]
    fingertips: Vec<String>,
    #[serde(default)]
    object_joints: Vec<String>,
}

impl TryFrom<SchemaFields> for ObservationSchema {
    type Error = ObservationError;

    fn try_from(fields: SchemaFields) -> Result<Self, ObservationError> {
        let SchemaFields { terms, joints, parameters, followers, fingertips, object_joints } = fields;
        Self { terms, joints, parameters, followers, fingertips, object_joints }.checked()
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
        let reads = |shape| terms.iter().any(|term: &ObservationTerm| term.signal.definition().shape == shape);
        let tips = robot.fingertips.iter().filter(|_| reads(Shape::PerFingertipXyz)).map(|tip| tip.name.clone());
        let fingertips = tips.collect();
        Self { terms, joints, parameters, followers, fingertips, object_joints: Vec::new() }.checked()
    }

    fn checked(self) -> Result<Self, ObservationError> {
        let Self { terms, joints, followers, .. } = &self;
        terms.iter().try_for_each(ObservationTerm::check)?;
        let ascending = followers.windows(2).all(|pair| pair[0] < pair[1]);
        if !ascending || followers.last().is_some_and(|last| *last >= joints.len()) {
            let (joint_count, followers) = (joints.len(), followers.clone());
            return Err(ObservationError::NoSuchFollower { joint_count, followers });
        }
        let (mut ordered, critic): (Vec<_>, Vec<_>) =
            self.terms.into_iter().partition(|term| term.audience == Audience::ActorAndCritic);
        ordered.extend(critic);
        Ok(Self { terms: ordered, ..self })
    }

    /// The schema of an environment without a hand: plain numbers, `actor_width` of them for the actor and
    /// `critic_only_width` more for the critic.
    pub fn plain(actor_width: usize, critic_only_width: usize) -> Self {
        let limits = Limits { lower: -1.0, upper: 1.0 };
        let named = |prefix: &str, count: usize| -> Vec<NamedLimits> {
            (0..count).map(|i| NamedLimits { name: format!("{prefix}_{i}"), limits }).collect()
        };
        let term = |signal, audience| ObservationTerm::fresh(signal, Encoding::Raw, 1, audience);
        Self {
            terms: vec![
                term(Signal::JointPosition, Audience::ActorAndCritic),
                term(Signal::WorldParameters, Audience::CriticOnly),
            ],
            joints: named("value", actor_width),
            parameters: named("hidden", critic_only_width),
            followers: Vec::new(),
            fingertips: Vec::new(),
            object_joints: Vec::new(),
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
            fingertip_count: self.fingertips.len(),
            object_joint_count: self.object_joints.len(),
        }
    }

    /// Whether anybody reads where the fingertips are, so that it is worth working out.
    pub fn reads_fingertips(&self) -> bool {
        !self.fingertips.is_empty()
    }

    /// Whether the actor cannot do without what a tracker says of the object.
    pub fn actor_needs_object(&self) -> bool {
        let of_object =
            |term: &ObservationTerm| term.signal.definition().source == Source::Tracker || term.signal.is_goal_error();
        let mut actor = self.terms.iter().filter(|term| term.audience == Audience::ActorAndCritic);
        actor.any(|term| of_object(term) && term.when_stale == WhenStale::End)
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

    /// Number of columns of one instant of a term, with the one that says whether it is sound.
    pub(crate) fn encoded_width(&self, term: &ObservationTerm) -> usize {
        let values = match (term.encoding, term.signal.definition().shape) {
            (Encoding::Rotation6 | Encoding::FoldedRotation6(_), _) => 6,
            (Encoding::Rate { .. }, Shape::QuaternionXyzw) => 3,
            _ => self.layout().width(term.signal),
        };
        values + term.when_stale.validity_columns()
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

    pub(crate) fn element_names(&self, term: &ObservationTerm) -> Vec<String> {
        let mut names = self.value_names(term);
        if term.when_stale.validity_columns() > 0 {
            names.push("sound".to_owned());
        }
        names
    }

    fn value_names(&self, term: &ObservationTerm) -> Vec<String> {
        let plain = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        match (term.encoding, term.signal.definition().shape) {
            (Encoding::Rotation6 | Encoding::FoldedRotation6(_), _) => {
                plain(&["r00", "r10", "r20", "r01", "r11", "r21"])
            }
            (Encoding::Rate { .. }, Shape::QuaternionXyzw) => plain(&["x", "y", "z"]),
            (_, Shape::PerJoint) => self.joints.iter().map(|joint| joint.name.clone()).collect(),
            (_, Shape::PerAction) => {
                let joints = self.joints.iter().enumerate().filter(|(index, _)| !self.followers.contains(index));
                joints.map(|(_, joint)| joint.name.clone()).collect()
            }
            (_, Shape::Xyz) => plain(&["x", "y", "z"]),
            (_, Shape::QuaternionXyzw) => plain(&["x", "y", "z", "w"]),
            (_, Shape::PerParameter) => self.parameters.iter().map(|p| p.name.clone()).collect(),
            (_, Shape::PerObjectJoint) => self.object_joints.clone(),
            (_, Shape::PerFingertipXyz) => {
                let tips = self.fingertips.iter();
                tips.flat_map(|tip| ["x", "y", "z"].map(|axis| format!("{tip}/{axis}"))).collect()
            }
        }
    }

    /// Identity of what the actor reads. Critic columns do not change it: they are not deployed.
    pub fn actor_fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for term in self.terms.iter().filter(|term| term.audience == Audience::ActorAndCritic) {
            hash.update(term.identity());
        }
        for joint in &self.joints {
            hash.update(format!("{joint:?}"));
        }
        if !self.followers.is_empty() {
            hash.update(format!("{:?}", self.followers));
        }
        for names in [&self.fingertips, &self.object_joints].into_iter().filter(|names| !names.is_empty()) {
            hash.update(format!("{names:?}"));
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
                Encoding::FoldedRotation6(_) => "6, folded".to_owned(),
                Encoding::Rate { divide, .. } => format!("rate / {divide}"),
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
