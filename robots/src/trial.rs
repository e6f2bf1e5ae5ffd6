//! One episode of a task: its goals, what came of them, and how it ended.
//!
//! Training, evaluation, a hand behind the bridge and the replay of a log all run a trial through one
//! [`Referee`](crate::Referee), so that an episode means the same everywhere.

use crate::frame::SignalFrame;
use crate::model::RobotModel;
use crate::object::ObjectModel;
use crate::seed::SeedTree;
use crate::watch::Seen;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a trial is begun with.
#[derive(Debug, Clone)]
pub struct TrialScene<'a> {
    /// The hand.
    pub robot: &'a Arc<RobotModel>,
    /// The object, at nominal size and mass.
    pub object: &'a ObjectModel,
    /// What goals are drawn from. Follows from the episode's plan, so that a plan tells everything.
    pub seeds: SeedTree,
}

impl<'a> TrialScene<'a> {
    /// The scene of an episode whose plan has this noise seed.
    pub fn of_episode(robot: &'a Arc<RobotModel>, object: &'a ObjectModel, noise_seed: u64) -> Self {
        Self { robot, object, seeds: SeedTree::new(noise_seed).branch("goal") }
    }
}

/// One episode of a task, from the task's side. It is called in this order, once per control step:
/// [`Trial::advance`], [`Trial::rewards`] (in training only), [`Trial::aim`], then [`Trial::write_goal`] for whoever reads.
/// At the start only the last one, and before it, in training, [`Trial::note_start`].
///
/// A trial never sees an engine, so a recorded episode of a real hand is judged by the same code. It is not saved: whoever
/// goes on from a checkpoint lives through it again.
pub trait Trial: Send {
    /// Takes note of what rewards need to know of the start. `truth` is as for [`Trial::rewards`].
    fn note_start(&mut self, _truth: &SignalFrame) {}

    /// Judges what is seen now: by the truth in simulation, by the tracker where there is none. The goal is the one that
    /// was pursued during the step: success is scored before the goal changes.
    fn advance(&mut self, seen: &Seen) -> Verdict;

    /// Pays for the step just judged. `truth` holds joint and object velocities.
    fn rewards(&mut self, verdict: Verdict, truth: &SignalFrame) -> RewardTerms;

    /// Chooses the next goal, if it is time for one.
    fn aim(&mut self) {}

    /// Writes the goal, and how far what `frame` says of the object is from it. Called with what is sensed, for the
    /// actor, and with what is true, for the critic.
    fn write_goal(&self, _frame: &mut SignalFrame) {}

    /// What the episode amounts to, in the order of [`Task::measures`](crate::Task::measures); `None` for what this episode says nothing about.
    fn results(&self, ending: &Ending) -> Vec<Option<f64>>;
}

/// How things stand after a step, as a trial sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Going on.
    Running,
    /// It failed for good: the object fell.
    Failed,
    /// All that was asked for is done.
    Done,
}

/// How an episode ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Its time was over, or that of the part that was watched so far.
    TimeUp,
    /// All that was asked for was done.
    Done,
    /// The task was failed: the object fell.
    Failed,
    /// The object was out of the tracker's sight for too long: usually it has fallen where nobody looks.
    Unseen,
    /// The simulation lost its numbers.
    Diverged,
    /// What the policy reads was missing or too old.
    Unreadable,
}

impl Outcome {
    /// Every outcome, best first.
    pub const ALL: [Outcome; 6] =
        [Outcome::TimeUp, Outcome::Done, Outcome::Failed, Outcome::Unseen, Outcome::Diverged, Outcome::Unreadable];

    /// The outcome of this name.
    pub fn named(name: &str) -> Option<Outcome> {
        Outcome::ALL.into_iter().find(|outcome| outcome.name() == name)
    }

    /// Whether the object was kept and the hand could go on. Everything else counts as a failure.
    pub fn is_sound(self) -> bool {
        matches!(self, Outcome::TimeUp | Outcome::Done)
    }

    /// One word, as in files.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::TimeUp => "time_up",
            Outcome::Done => "done",
            Outcome::Failed => "failed",
            Outcome::Unseen => "unseen",
            Outcome::Diverged => "diverged",
            Outcome::Unreadable => "unreadable",
        }
    }
}

/// What a trial needs to know of its end to say what it amounts to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ending {
    /// How it ended.
    pub outcome: Outcome,
    /// How long it would have lasted, s.
    pub intended_secs: f64,
}

/// Name of the reward for reaching a goal. A task with goals pays it, and a step in which it is not zero counts as a success.
pub const SUCCESS_TERM: &str = "success";

/// Named, weighted rewards of one step. Their sum is what is learned from.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RewardTerms(pub Vec<(&'static str, f32)>);

impl RewardTerms {
    /// The reward.
    pub fn total(&self) -> f32 {
        self.0.iter().map(|(_, value)| value).sum()
    }

    /// Whether a goal was reached.
    pub fn is_success(&self) -> bool {
        self.0.iter().any(|(name, value)| *name == SUCCESS_TERM && *value != 0.0)
    }
}

/// What an episode amounted to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialResult {
    /// How it ended.
    pub outcome: Outcome,
    /// In the order of the task's measures. Empty where nobody watched the object: then there is nothing to say.
    pub measures: Vec<Option<f64>>,
    /// Control steps done.
    pub step_count: u32,
}

impl TrialResult {
    /// Whether somebody watched the object.
    pub fn is_watched(&self) -> bool {
        !self.measures.is_empty()
    }

    /// The task's first measure.
    pub fn headline(&self) -> Option<f64> {
        self.measures.first().copied().flatten()
    }
}
