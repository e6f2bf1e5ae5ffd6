//! A log as the policy lived through it: episodes and steps, each with what it was computed from.

use super::goal::Goal;
use super::reader::{Logged, LoggedDeployment};
use super::record::{EpisodeSummary, EventKind, PoseUsed};
use crate::message::{Command, State, WithHead};

/// One episode.
#[derive(Debug, Clone, Default)]
pub struct LoggedEpisode {
    /// Its number in the deployment, from 0.
    pub number: u64,
    /// Its steps.
    pub steps: Vec<LoggedStep>,
    /// What came of it, if it came to an end and somebody wrote that down.
    pub summary: Option<EpisodeSummary>,
}

/// One control step.
#[derive(Debug, Clone)]
pub struct LoggedStep {
    /// Its number in the episode, from 0.
    pub number: u64,
    /// When it was computed, ns since 1970.
    pub log_time_ns: u64,
    /// The newest state then.
    pub state: Option<WithHead<State>>,
    /// Where the policy was told then that the object is.
    pub pose: Option<PoseUsed>,
    /// What the task's goal was then, if it has goals.
    pub goal: Option<Goal>,
    /// Whether the recurrent state was emptied before it.
    pub reset_before: bool,
    /// Whether recurrent state and history were emptied after it.
    pub rearmed_after: bool,
    /// Whether records are missing just before it.
    pub gap_before: bool,
    /// What the policy read.
    pub observation: Vec<f32>,
    /// What it said.
    pub action: Option<Vec<f32>>,
    /// What was sent for it.
    pub command: Option<WithHead<Command>>,
}

impl LoggedDeployment {
    /// What happened, by episode and step.
    pub fn episodes(&self) -> Vec<LoggedEpisode> {
        let mut walk = Walk::default();
        for entry in &self.entries {
            walk.take(&entry.logged, entry.log_time_ns);
        }
        walk.episodes
    }
}

#[derive(Default)]
struct Walk {
    episodes: Vec<LoggedEpisode>,
    state: Option<WithHead<State>>,
    pose: Option<PoseUsed>,
    goal: Option<Goal>,
    reset: bool,
    gap: bool,
}

impl Walk {
    fn last_step(&mut self) -> Option<&mut LoggedStep> {
        self.episodes.last_mut()?.steps.last_mut()
    }

    fn take(&mut self, logged: &Logged, log_time_ns: u64) {
        match logged {
            Logged::State(state) => self.state = Some(WithHead::clone(state)),
            Logged::Sensed(pose) => self.pose = Some(*pose),
            Logged::Goal(goal) => self.goal = Some(goal.clone()),
            Logged::Event(event) => match event.kind {
                EventKind::EpisodeStart => {
                    (self.reset, self.gap, self.pose, self.goal) = (false, false, None, None);
                    self.episodes.push(LoggedEpisode { number: event.number, ..LoggedEpisode::default() });
                }
                EventKind::EpisodeEnd => {
                    if let Some(episode) = self.episodes.last_mut() {
                        episode.summary.clone_from(&event.summary);
                    }
                }
                EventKind::RecurrentReset => self.reset = true,
                EventKind::Rearmed => {
                    if let Some(step) = self.last_step() {
                        step.rearmed_after = true;
                    }
                }
                EventKind::LogDropped => self.gap = true,
                _ => {}
            },
            Logged::Observation(numbers) => {
                // A step of which records are missing does not leave its goal to the next.
                let goal = self.goal.take().filter(|goal| goal.step == numbers.step);
                let step = LoggedStep {
                    number: numbers.step,
                    log_time_ns,
                    state: self.state.clone(),
                    pose: self.pose.take(),
                    goal,
                    reset_before: std::mem::take(&mut self.reset),
                    rearmed_after: false,
                    gap_before: std::mem::take(&mut self.gap),
                    observation: numbers.values.clone(),
                    action: None,
                    command: None,
                };
                if let Some(episode) = self.episodes.last_mut() {
                    episode.steps.push(step);
                }
            }
            Logged::Action(numbers) => {
                if let Some(step) = self.last_step().filter(|step| step.number == numbers.step) {
                    step.action = Some(numbers.values.clone());
                }
            }
            Logged::Command { message, .. } => {
                // A link that does not take a command is asked again: the first try counts.
                let step = self.last_step().filter(|step| step.action.is_some() && step.command.is_none());
                if let Some(step) = step {
                    step.command = Some(message.clone());
                }
            }
            Logged::Pose(_) | Logged::Net(_) | Logged::Clock(_) => {}
        }
    }
}
