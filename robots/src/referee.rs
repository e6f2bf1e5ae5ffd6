//! Runs a trial: keeps the order of its calls, its time, and what is true of every task.

use crate::frame::SignalFrame;
use crate::measure::Measure;
use crate::object::ObjectPose;
use crate::task::Task;
use crate::trial::{Ending, Outcome, RewardTerms, Trial, TrialResult, TrialScene, Verdict};
use crate::watch::Seen;

/// An object out of sight for longer than this, s, ends the episode.
pub const UNSEEN_AFTER_SECS: f64 = 1.0;

/// Runs one trial: keeps the order of its calls, its time, and what is true of every task.
pub struct Referee {
    trial: Box<dyn Trial>,
    measures: &'static [Measure],
    failure_reward: f32,
    step_limit: u32,
    period_secs: f64,
    step_count: u32,
    watched: bool,
    outcome: Option<Outcome>,
}

/// Name of the reward of a step after which an episode could not go on, for reasons that the task does not know.
pub const LOST_TERM: &str = "diverged";

impl Referee {
    /// Begins a trial of at most `step_limit` control steps, with the object as it is seen now.
    pub fn begin(task: &dyn Task, scene: &TrialScene<'_>, seen: &Seen, step_limit: u32) -> Self {
        let measures = task.measures();
        assert!(!measures.is_empty(), "{} reports nothing: a task has at least one measure", task.name());
        Self {
            trial: task.begin(scene, seen),
            measures,
            failure_reward: task.failure_reward(),
            step_limit,
            period_secs: f64::from(scene.robot.control.period_secs),
            step_count: 0,
            watched: *seen != Seen::Never,
            outcome: None,
        }
    }

    /// Says what is true at the start, where rewards will be asked for.
    pub fn note_start(&mut self, truth: &SignalFrame) {
        self.trial.note_start(truth);
    }

    /// Judges a step by what is seen after it. `Some` when the episode is over.
    pub fn judge(&mut self, seen: &Seen) -> Option<Outcome> {
        let verdict = self.advance(seen);
        self.conclude(verdict, seen)
    }

    /// The same, and pays for it from the truth.
    pub fn judge_and_pay(&mut self, pose: &ObjectPose, truth: &SignalFrame) -> (RewardTerms, Option<Outcome>) {
        let seen = Seen::Pose(*pose);
        let verdict = self.advance(&seen);
        let rewards = self.trial.rewards(verdict, truth);
        (rewards, self.conclude(verdict, &seen))
    }

    fn advance(&mut self, seen: &Seen) -> Verdict {
        self.step_count += 1;
        self.watched |= *seen != Seen::Never;
        self.trial.advance(seen)
    }

    fn conclude(&mut self, verdict: Verdict, seen: &Seen) -> Option<Outcome> {
        // What was lost before the episode began is lost since its beginning.
        let elapsed_secs = f64::from(self.step_count) * self.period_secs;
        let unseen = matches!(seen, Seen::Lost { secs } if secs.min(elapsed_secs) > UNSEEN_AFTER_SECS);
        self.outcome = match verdict {
            Verdict::Failed => Some(Outcome::Failed),
            Verdict::Done => Some(Outcome::Done),
            Verdict::Running if unseen => Some(Outcome::Unseen),
            Verdict::Running if self.step_count >= self.step_limit => Some(Outcome::TimeUp),
            Verdict::Running => None,
        };
        self.trial.aim();
        self.outcome
    }

    /// Ends the episode in a step that could not be lived or read. Its reward is that of failing.
    pub fn lose(&mut self, outcome: Outcome, in_a_new_step: bool) -> RewardTerms {
        self.step_count += u32::from(in_a_new_step);
        self.outcome = Some(outcome);
        RewardTerms(vec![(LOST_TERM, self.failure_reward)])
    }

    /// Writes the goal, and how far from it things are by what `frame` says.
    pub fn write_goal(&self, frame: &mut SignalFrame) {
        self.trial.write_goal(frame);
    }

    /// Control steps judged so far.
    pub fn step_count(&self) -> u32 {
        self.step_count
    }

    /// How the episode ended, if it has.
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// How long the episode is meant to last, s.
    pub fn intended_secs(&self) -> f64 {
        f64::from(self.step_limit) * self.period_secs
    }

    /// What it amounts to so far; wholly, once it is over.
    pub fn result(&self) -> TrialResult {
        let outcome = self.outcome.unwrap_or(Outcome::TimeUp);
        let measures = match self.watched {
            true => self.trial.results(&Ending { outcome, intended_secs: self.intended_secs() }),
            false => Vec::new(),
        };
        debug_assert!(measures.is_empty() || measures.len() == self.measures.len(), "one number per measure");
        TrialResult { outcome, measures, step_count: self.step_count }
    }
}
