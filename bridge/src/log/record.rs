//! What can be recorded, and how it is written down.

use super::goal::Goal;
use super::histogram::Histogram;
use crate::client::{LinkReport, SensedPose};
use giraffe_robots::Nanos;
use serde::{Deserialize, Serialize};

/// Something to record.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// What the policy read at a step, before normalisation.
    Observation(Numbers),
    /// What it said at that step.
    Action(Numbers),
    /// What the task's goal is at a step; before what the policy reads at it, at every step of a task with goals.
    Goal(Goal),
    /// A command that was handed to the link.
    Command {
        /// As sent.
        bytes: Vec<u8>,
        /// Whether the link took it.
        sent: bool,
    },
    /// A state of our session, as received.
    State(Vec<u8>),
    /// A state that was dropped, as received.
    Ignored(Vec<u8>),
    /// A pose, as received.
    Pose(Vec<u8>),
    /// Where the policy was told that the object is.
    Sensed(PoseUsed),
    /// Something happened.
    Event(Event),
    /// What the client counts.
    Link(LinkReport),
}

impl Record {
    /// About how much it takes while it waits.
    pub(super) fn byte_count(&self) -> usize {
        let own = size_of::<Self>();
        own + match self {
            Record::Observation(numbers) | Record::Action(numbers) => size_of::<f32>() * numbers.values.len(),
            Record::Command { bytes, .. } | Record::State(bytes) | Record::Ignored(bytes) | Record::Pose(bytes) => {
                bytes.len()
            }
            Record::Goal(goal) => goal.byte_count(),
            Record::Event(event) => event.text.len() + event.summary.as_ref().map_or(0, |summary| summary.byte_count()),
            Record::Sensed(_) | Record::Link(_) => 0,
        }
    }
}

/// The numbers of one control step.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Numbers {
    /// Episode of this deployment, from 0.
    pub episode: u64,
    /// Step of that episode, from 0.
    pub step: u64,
    /// `seq` of the newest state then; written by the log.
    #[serde(default)]
    pub state_seq: u64,
    /// In the order of the policy. One that is not finite (an observation never is: the encoder refuses it) is written
    /// as null and read as NaN.
    #[serde(deserialize_with = "null_is_nan")]
    pub values: Vec<f32>,
}

pub(super) fn null_is_nan<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<f32>, D::Error> {
    let values: Vec<Option<f32>> = Deserialize::deserialize(from)?;
    Ok(values.into_iter().map(|value| value.unwrap_or(f32::NAN)).collect())
}

/// Where the policy was told that the object is: of what a tracker says, what the client believed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PoseUsed {
    /// Position, m, palm frame.
    pub p: [f32; 3],
    /// Rotation, x y z w.
    pub q_xyzw: [f32; 4],
    /// When it was so, in the time of the hand, ns.
    pub t_meas: i64,
}

impl From<&SensedPose> for PoseUsed {
    fn from(pose: &SensedPose) -> Self {
        Self { p: pose.position_m, q_xyzw: pose.rotation_xyzw, t_meas: pose.stamp.0 }
    }
}

impl From<&PoseUsed> for SensedPose {
    fn from(pose: &PoseUsed) -> Self {
        Self { position_m: pose.p, rotation_xyzw: pose.q_xyzw, stamp: Nanos(pose.t_meas) }
    }
}

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The log begins.
    LogStart,
    /// A request was answered.
    Request,
    /// An episode begins: recurrent state and history are empty. `number`: which.
    EpisodeStart,
    /// An episode is over. `number`: its steps; `summary`: what came of it.
    EpisodeEnd,
    /// The recurrent state alone was emptied before the step that follows.
    RecurrentReset,
    /// The hand had been armed anew: recurrent state and history were emptied after the step before.
    Rearmed,
    /// The link had been lost and is there again, in a new session: numbers of states and commands begin anew.
    Reconnected,
    /// The controller says another mode than before. `number`: its fault bits.
    Mode,
    /// The controller says other faults than before. `number`: their bits.
    Fault,
    /// The deployment ended otherwise than by having done its episodes.
    Stop,
    /// Records are missing here. `number`: how many.
    LogDropped,
    /// The log ends as it should. `number`: records that are missing in it.
    LogEnd,
    /// Unknown here: a newer program wrote it.
    #[serde(other)]
    Other,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its kind.
    pub kind: EventKind,
    /// For people.
    #[serde(default)]
    pub text: String,
    /// See the kinds.
    #[serde(default)]
    pub number: u64,
    /// What came of an episode. Logs written before there were summaries have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<EpisodeSummary>,
}

impl Event {
    /// An event in words.
    pub fn new(kind: EventKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), number: 0, summary: None }
    }

    /// The same with a number.
    #[must_use]
    pub fn numbered(self, number: u64) -> Self {
        Self { number, ..self }
    }

    /// The same with what came of the episode.
    #[must_use]
    pub fn summed_up(self, summary: EpisodeSummary) -> Self {
        Self { summary: Some(summary), ..self }
    }
}

/// What came of an episode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpisodeSummary {
    /// How it ended, in the word that the task's reports use.
    pub outcome: String,
    /// What was measured, in the order of the task.
    #[serde(default)]
    pub measures: Vec<MeasuredValue>,
}

impl EpisodeSummary {
    /// About how much it takes beside its own fields.
    fn byte_count(&self) -> usize {
        let measure = |measure: &MeasuredValue| size_of_val(measure) + measure.name.len() + measure.unit.len();
        self.outcome.len() + self.measures.iter().map(measure).sum::<usize>()
    }
}

/// One thing that was measured in an episode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasuredValue {
    /// What, in the task's own name for it.
    pub name: String,
    /// In which unit.
    pub unit: String,
    /// How much; `None` where nobody could see it. One that is not finite is written as null, too.
    pub value: Option<f64>,
}

/// How the link does.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Net {
    /// Commands the link took.
    pub sent: u64,
    /// Commands it did not take.
    pub unsent: u64,
    /// States received.
    pub received: u64,
    /// States published but never received.
    pub lost: u64,
    /// How often states were missing, however many.
    pub gaps: u64,
    /// States and poses of others, or too old.
    pub ignored: u64,
    /// Commands the controller dropped as old or out of turn.
    pub stale: u64,
    /// Control periods that passed without a command.
    pub missed_ticks: u64,
    /// Commands given to the motors, as the controller says.
    pub applied: u64,
    /// Accepted and not applied.
    pub superseded: u64,
    /// Came and were not accepted.
    pub rejected: u64,
    /// Never came.
    pub commands_lost: u64,
    /// Poses that were not believed.
    pub poses_rejected: u64,
    /// Shortest round trip of the last pings, ns.
    pub ping_ns: Option<i64>,
    /// The controller's clock minus ours in that round trip, ns.
    pub clock_offset_ns: Option<i64>,
    /// From a state to the moment a command computed from it was applied, by the controller's own clock, us.
    pub observed_to_applied_us: Histogram,
    /// From sending a command to receiving the first state that says it was applied, by our clock, us: a round trip
    /// with the controller's own waiting in it.
    pub round_trip_us: Histogram,
}

/// Where the controller's clock is, as far as messages tell: `local - controller` lies between both.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ClockBounds {
    /// The controller's clock in the newest state, ns.
    pub controller_ns: i64,
    /// Our monotonic clock when that state came, ns.
    pub local_ns: i64,
    /// A state cannot come before it was sent, ns.
    pub offset_at_most_ns: i64,
    /// A command cannot be applied before it was sent, ns; absent before the first.
    pub offset_at_least_ns: Option<i64>,
}

/// What was applied, once for each command that was.
#[derive(Debug, Serialize)]
pub(super) struct AppliedRow<'m> {
    pub state_seq: u64,
    pub cmd_seq: u64,
    pub q_target: &'m [f32],
    pub clip: u64,
    pub cmd_age_us: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dt: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q_seq: Option<u64>,
}
