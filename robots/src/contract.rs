//! The contracts between those who have a hand and those who move it.

use crate::frame::SignalFrame;
use crate::model::RobotModel;
use crate::observation::ObservationSchema;
use crate::trial::Outcome;
use thiserror::Error;

/// One hand, simulated or real. One call of [`Hand::exchange`] per control period.
pub trait Hand {
    /// What this hand is.
    fn model(&self) -> &RobotModel;

    /// Reports what is sensed now, without commanding anything. Called once before the first command, so that
    /// a policy never acts on made-up values.
    ///
    /// # Errors
    /// When nothing could be sensed.
    fn observe(&mut self, sensed: &mut SignalFrame) -> Result<(), HandError>;

    /// Applies targets (rad, canonical joint order) for one control period, then reports what is sensed at
    /// its end.
    ///
    /// # Errors
    /// When the hand could not be reached, refused, or stopped following.
    fn exchange(&mut self, targets_rad: &[f32], sensed: &mut SignalFrame) -> Result<Commanded, HandError>;
}

/// What a hand really did with a command.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Commanded {
    /// The targets applied after every limit, rad, canonical joint order.
    pub applied_rad: Vec<f32>,
    /// How many joints a limit altered.
    pub clipped_joint_count: u32,
    /// Control periods that passed without a command since the last exchange.
    pub missed_tick_count: u32,
    /// Whether the hand was armed anew since the last exchange: recurrent state must be reset.
    pub rearmed: bool,
    /// Sequence number of the last command that was applied.
    pub applied_seq: u64,
}

/// Why a hand did not do as told.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum HandError {
    /// Nobody answers.
    #[error("{attempted}: no answer within {waited_secs:.1} s from {peer}; {advice}")]
    Silent {
        /// What was being done.
        attempted: String,
        /// Who should have answered.
        peer: String,
        /// How long was waited.
        waited_secs: f64,
        /// What to do.
        advice: String,
    },
    /// The hand answered no.
    #[error("{attempted}: refused ({code}): {detail}")]
    Refused {
        /// What was being done.
        attempted: String,
        /// Short code of the protocol.
        code: String,
        /// The hand's own words.
        detail: String,
    },
    /// The hand stopped following (fault, hold, loss of lease).
    #[error("the hand stopped following: {reason}")]
    Stopped {
        /// Why.
        reason: String,
    },
    /// The link to the hand was there, and is not any more: the hand holds, then lets go, by itself.
    #[error("the link was lost: {reason}")]
    LinkLost {
        /// How that was noticed.
        reason: String,
    },
    /// The hand's numbers cannot be right.
    #[error("{what} is not a finite number")]
    NotFinite {
        /// Which number.
        what: String,
    },
    /// The hand's numbers are numbers, but no hand does that.
    #[error("{what}: no hand does that")]
    BeyondReason {
        /// Which number, and what would be possible.
        what: String,
    },
}

/// How the step that just ended left an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EpisodeEnd {
    /// It goes on.
    #[default]
    Running,
    /// It is over for good: the future is worth nothing.
    Terminated,
    /// It was cut off by the clock: the future is worth what the critic thinks of the state *before* the reset.
    TimedOut,
}

/// Many training worlds stepped together. Implemented by `giraffe-physics`, consumed by `giraffe-policy`.
///
/// A world whose episode ended is reset inside the same call: `observations` then holds the first observation
/// of the next episode, and `last_observations` the one before the reset.
pub trait WorldBatch {
    /// What the columns of an observation mean.
    fn schema(&self) -> &ObservationSchema;
    /// Number of actions per world.
    fn action_width(&self) -> usize;
    /// Number of worlds.
    fn world_count(&self) -> usize;
    /// Starts a new episode in every world.
    fn reset_all(&mut self, out: &mut StepBatch);
    /// One control step in every world. `actions`: `[world, action]`.
    fn step(&mut self, actions: &[f32], out: &mut StepBatch);
    /// The worlds as they stand, to be continued by [`WorldBatch::restore`] bit for bit.
    fn save(&self) -> Vec<u8>;
    /// Continues from saved worlds. The policy's current observations come out in `out`.
    ///
    /// # Errors
    /// When the bytes do not describe worlds of this batch.
    fn restore(&mut self, saved: &[u8], out: &mut StepBatch) -> Result<(), String>;
    /// Takes the reports of the episodes that ended since the last call.
    fn take_reports(&mut self) -> Vec<EpisodeReport>;
    /// Takes what the rewards since the last call were made of: the mean per step of every named term, in an order that
    /// never changes. Their sum is the mean reward. Empty where rewards have no parts.
    fn take_reward_terms(&mut self) -> Vec<(&'static str, f32)> {
        Vec::new()
    }
}

/// What a batch of worlds gives back. W worlds, F observation columns (actor's first, then critic's).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepBatch {
    /// `[W, F]`
    pub observations: Vec<f32>,
    /// `[W]`
    pub rewards: Vec<f32>,
    /// `[W]`
    pub ends: Vec<EpisodeEnd>,
    /// `[W, F]`: observation before the reset, meaningful where `ends` is not `Running`.
    pub last_observations: Vec<f32>,
    /// `[W]`: whether a goal was reached in the step, so that from here on another one is pursued.
    pub successes: Vec<bool>,
}

impl StepBatch {
    /// Room for `world_count` worlds with `column_count` columns each.
    pub fn new(world_count: usize, column_count: usize) -> Self {
        Self {
            observations: vec![0.0; world_count * column_count],
            rewards: vec![0.0; world_count],
            ends: vec![EpisodeEnd::Running; world_count],
            last_observations: vec![0.0; world_count * column_count],
            successes: vec![false; world_count],
        }
    }
}

/// What one finished episode amounted to.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct EpisodeReport {
    /// Which world.
    pub world: u64,
    /// Which episode of that world.
    pub episode: u64,
    /// Control steps it lasted.
    pub step_count: u32,
    /// Sum of rewards.
    pub reward: f32,
    /// How it ended.
    pub outcome: Outcome,
    /// In the order of the task's measures.
    pub measures: Vec<Option<f64>>,
    /// Seconds the episode was meant to last.
    pub intended_secs: f64,
}
