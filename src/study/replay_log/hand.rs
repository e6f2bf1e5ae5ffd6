//! A hand that answers from a log, and somebody who compares what the policy makes of it.

use super::{Check, DROPPED};
use crate::run::behavior::Behavior;
use crate::run::episode::{Pilot, StepObserver, WatchedHand};
use anyhow::{Context, Result};
use giraffe_bridge::log::{LoggedEpisode, LoggedStep};
use giraffe_bridge::message::Welcome;
use giraffe_bridge::{SensedPose, write_sensed};
use giraffe_robots::{Commanded, Hand, HandError, RobotModel, Seen, SignalFrame};
use std::cell::Cell;
use std::sync::atomic::AtomicBool;

const NO_ACTION: &str = "the log does not hold what was said";
const NO_COMMAND: &str = "the log does not hold what was sent";
const LIMITED: &str = "the controller has no envelope, and the client's own stood between the policy and the link";
const NO_STATE: &str = "the log does not hold what was sensed";

/// For each joint of the policy, its place in the arrays of the wire.
pub(super) struct Places(Vec<usize>);

impl Places {
    pub(super) fn of(policy: &dyn Behavior, welcome: &Welcome) -> Result<Self> {
        let joints = policy.action().joints();
        let place = |name: &str| welcome.joints.iter().position(|joint| joint == name);
        let places: Option<Vec<usize>> = joints.iter().map(|joint| place(&joint.name)).collect();
        let places = places.filter(|places| places.len() == welcome.joints.len());
        places.map(Self).context("the joints of the log are not those of the policy")
    }
}

/// What was compared, and what its numbers are called.
pub(super) struct Checks {
    pub(super) observations: Check,
    pub(super) actions: Check,
    pub(super) targets: Check,
    /// Of each policy that may act.
    columns: Vec<Vec<String>>,
    actuated: Vec<String>,
    joints: Vec<String>,
    /// Whether targets were altered before they were sent.
    limited: bool,
}

impl Checks {
    /// `limited`: the controller has no envelope, so that the client's own stood between the policy and the link.
    pub(super) fn new(policy: &dyn Behavior, limited: bool) -> Self {
        let action = policy.action();
        let follows = |index: usize| action.couplings().iter().any(|coupling| coupling.follower == index);
        let joints: Vec<String> = action.joints().iter().map(|joint| joint.name.clone()).collect();
        let actuated = joints.iter().enumerate().filter(|(index, _)| !follows(*index));
        Self {
            observations: Check::default(),
            actions: Check::default(),
            targets: Check::default(),
            columns: policy.columns(),
            actuated: actuated.map(|(_, name)| name.clone()).collect(),
            joints,
            limited,
        }
    }

    /// Runs `pilot` through one episode of a log and compares everything it does.
    pub(super) fn replay(&mut self, pilot: &mut Pilot, episode: &LoggedEpisode, robot: &RobotModel, places: &Places) {
        let (at, Self { observations, actions, targets, columns, actuated, joints, limited }) = (Cell::new(0), self);
        let mut hand =
            LoggedHand { episode, robot, places: &places.0, at: &at, targets, joints, limited: *limited, ended: None };
        let mut observer = Comparer { episode, at: &at, observations, actions, columns, actuated };
        let flown = pilot.fly_observed(&mut hand, &mut observer, &AtomicBool::new(false));
        let reason = match (flown, hand.ended) {
            (_, Some(reason)) => reason.to_owned(),
            (Err(error), None) => format!("{error:#}"),
            (Ok(_), None) => "the episode was longer than the task's".to_owned(),
        };
        let left = episode.steps.len().saturating_sub(at.get()) as u64;
        for check in [observations, actions, targets] {
            check.leave_out(&reason, left);
        }
    }
}

struct LoggedHand<'l> {
    episode: &'l LoggedEpisode,
    robot: &'l RobotModel,
    places: &'l [usize],
    at: &'l Cell<usize>,
    targets: &'l mut Check,
    joints: &'l [String],
    limited: bool,
    /// Why it does not go on.
    ended: Option<&'static str>,
}

impl LoggedHand<'_> {
    /// Senses what was sensed for the present step.
    fn sense(&mut self, sensed: &mut SignalFrame) -> Result<(), HandError> {
        let problem = match self.episode.steps.get(self.at.get()) {
            None => "the episode is over",
            Some(step) if step.gap_before || step.number != self.at.get() as u64 => DROPPED,
            Some(LoggedStep { state: Some(state), pose, .. }) if self.fits(&state.body) => {
                write_sensed(&state.body, pose.as_ref().map(SensedPose::from).as_ref(), self.places, sensed);
                return Ok(());
            }
            Some(_) => NO_STATE,
        };
        self.ended = Some(problem);
        Err(HandError::Stopped { reason: problem.to_owned() })
    }

    fn fits(&self, state: &giraffe_bridge::message::State) -> bool {
        [&state.q, &state.dq, &state.q_target].iter().all(|values| values.len() == self.places.len())
    }
}

impl Hand for LoggedHand<'_> {
    fn model(&self) -> &RobotModel {
        self.robot
    }

    fn observe(&mut self, sensed: &mut SignalFrame) -> Result<(), HandError> {
        self.sense(sensed)
    }

    fn exchange(&mut self, targets_rad: &[f32], sensed: &mut SignalFrame) -> Result<Commanded, HandError> {
        let step = self.episode.steps.get(self.at.get());
        let sent = step.and_then(|step| step.command.as_ref()).map(|command| &command.body.q);
        match sent.filter(|q| q.len() == self.places.len()) {
            Some(_) if self.limited => self.targets.leave_out(LIMITED, 1),
            Some(q) => {
                let own: Vec<f32> = self.places.iter().map(|&place| q[place]).collect();
                let at = (self.episode.number, self.at.get() as u64);
                self.targets.compare(at, &own, targets_rad, self.joints);
            }
            None => self.targets.leave_out(NO_COMMAND, 1),
        }
        self.at.set(self.at.get() + 1);
        self.sense(sensed)?;
        let rearmed = step.is_some_and(|step| step.rearmed_after);
        Ok(Commanded { rearmed, ..Commanded::default() })
    }
}

impl WatchedHand for LoggedHand<'_> {
    /// Nobody is watched again: an episode of a log ends where the log says.
    fn watch(&mut self) -> Seen {
        Seen::Never
    }

    /// Goals come from the log, too.
    fn goal_seed(&self) -> u64 {
        0
    }

    fn tell_goal(&mut self, sensed: &mut SignalFrame) {
        let goal = self.episode.steps.get(self.at.get()).and_then(|step| step.goal.as_ref());
        if let Some(Err(problem)) = goal.map(|goal| goal.write(sensed)) {
            tracing::warn!("{problem}");
        }
    }

    fn hidden_state_reset_due(&self) -> bool {
        self.episode.steps.get(self.at.get()).is_some_and(|step| step.reset_before)
    }
}

struct Comparer<'l> {
    episode: &'l LoggedEpisode,
    at: &'l Cell<usize>,
    observations: &'l mut Check,
    actions: &'l mut Check,
    columns: &'l [Vec<String>],
    actuated: &'l [String],
}

impl Comparer<'_> {
    fn at(&self) -> (u64, u64) {
        (self.episode.number, self.at.get() as u64)
    }
}

impl StepObserver for Comparer<'_> {
    fn observed(&mut self, observation: &[f32]) {
        if let Some(step) = self.episode.steps.get(self.at.get()) {
            // Where there are several, the first number says whose columns they are.
            let acting =
                if self.columns.len() > 1 { observation.first().map_or(0, |number| *number as usize) } else { 0 };
            let columns = self.columns.get(acting).map_or(&[][..], Vec::as_slice);
            self.observations.compare(self.at(), &step.observation, observation, columns);
        }
    }

    fn acted(&mut self, actions: &[f32]) {
        match self.episode.steps.get(self.at.get()).and_then(|step| step.action.as_ref()) {
            Some(logged) => self.actions.compare(self.at(), logged, actions, self.actuated),
            None => self.actions.leave_out(NO_ACTION, 1),
        }
    }
}
