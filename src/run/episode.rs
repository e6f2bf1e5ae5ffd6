//! One episode of one hand: the same loop for a simulated world and for a hand behind ZeroMQ.

use super::behavior::Behavior;
use super::config::Parts;
use super::skills::chooser::Chooser;
use anyhow::{Context, Result};
use giraffe_physics::HandSim;
use giraffe_policy::{Policy, PolicyRunner};
use giraffe_robots::{
    ActionDecoder, Commanded, Hand, HandError, ObjectModel, ObservationEncoder, ObservationError, Outcome, Referee,
    RobotModel, Seen, Signal, SignalFrame, SignalLayout, Task, TrialResult, TrialScene, write_fingertips,
};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A hand whose object somebody may watch.
pub trait WatchedHand: Hand {
    /// What is seen of the object now. Only for judging.
    fn watch(&mut self) -> Seen;

    /// What the episode's goals follow from: the noise seed of its plan, where there is a plan.
    fn goal_seed(&self) -> u64;

    /// Writes the goal over what the task says, where somebody else decided it: a recorded hand, whose episode had the goals
    /// it had.
    fn tell_goal(&mut self, _sensed: &mut SignalFrame) {}

    /// Whether the policy's recurrent state is to be wiped before the next step.
    fn hidden_state_reset_due(&self) -> bool {
        false
    }
}

impl WatchedHand for HandSim {
    fn watch(&mut self) -> Seen {
        Seen::Pose(self.object_pose())
    }

    fn goal_seed(&self) -> u64 {
        self.plan().noise_seed
    }

    fn hidden_state_reset_due(&self) -> bool {
        HandSim::hidden_state_reset_due(self)
    }
}

/// One control step, as it went.
#[derive(Clone, Copy)]
pub struct StepView<'s> {
    /// What the policy asked for, rad.
    pub targets_rad: &'s [f32],
    /// What the hand did with it.
    pub commanded: &'s Commanded,
    /// What was sensed at its end, with the goal that was pursued during the step.
    pub sensed: &'s SignalFrame,
    /// What was seen of the object at its end.
    pub seen: &'s Seen,
    /// What the task makes of it so far.
    pub referee: &'s Referee,
}

impl fmt::Debug for StepView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepView").field("seen", &self.seen).field("so_far", &self.referee.result()).finish()
    }
}

/// Somebody who wants to know what a policy reads and says: a log, a comparison. Does nothing unless told otherwise.
pub trait StepObserver {
    /// An episode begins: recurrent state and history are empty. Its goals follow from `goal_seed`.
    fn began(&mut self, _goal_seed: u64) {}

    /// The recurrent state alone was emptied, as the episode's plan asks.
    fn reset(&mut self) {}

    /// What is sensed now, with the goal that is pursued from now on.
    fn aimed(&mut self, _sensed: &SignalFrame) {}

    /// The policy is about to read this. Of a set of skills the first number says which one acts, from 0.
    fn observed(&mut self, _observation: &[f32]) {}

    /// And said this.
    fn acted(&mut self, _actions: &[f32]) {}

    /// A control step is over.
    fn stepped(&mut self, _step: &StepView<'_>) {}

    /// The hand had been armed anew: recurrent state and history were emptied.
    fn rearmed(&mut self) {}

    /// The episode is over.
    fn ended(&mut self, _result: &EpisodeResult) {}
}

/// Nobody wants to know.
pub struct Nobody;

impl StepObserver for Nobody {}

/// Everything that was sensed, commanded and seen, in order: for comparison bit by bit. Some 90 KB per 20 s.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trace(pub Vec<f32>);

impl StepObserver for Trace {
    fn began(&mut self, _goal_seed: u64) {
        self.0.clear();
    }

    fn stepped(&mut self, step: &StepView<'_>) {
        self.0.extend_from_slice(step.targets_rad);
        self.0.extend_from_slice(&step.commanded.applied_rad);
        let goals = Signal::goals().filter_map(|signal| step.sensed.read(signal));
        let sensed = step.sensed.read(Signal::JointPosition).into_iter().chain(goals);
        sensed.for_each(|values| self.0.extend_from_slice(values));
        if let Seen::Pose(pose) = step.seen {
            self.0.extend_from_slice(pose.position_m.as_slice());
            self.0.extend_from_slice(pose.palm_from_object.coords.as_slice());
        }
    }
}

/// Two who want to know.
pub struct Both<'o>(pub &'o mut dyn StepObserver, pub &'o mut dyn StepObserver);

impl StepObserver for Both<'_> {
    fn began(&mut self, goal_seed: u64) {
        self.0.began(goal_seed);
        self.1.began(goal_seed);
    }

    fn reset(&mut self) {
        self.0.reset();
        self.1.reset();
    }

    fn aimed(&mut self, sensed: &SignalFrame) {
        self.0.aimed(sensed);
        self.1.aimed(sensed);
    }

    fn observed(&mut self, observation: &[f32]) {
        self.0.observed(observation);
        self.1.observed(observation);
    }

    fn acted(&mut self, actions: &[f32]) {
        self.0.acted(actions);
        self.1.acted(actions);
    }

    fn stepped(&mut self, step: &StepView<'_>) {
        self.0.stepped(step);
        self.1.stepped(step);
    }

    fn rearmed(&mut self) {
        self.0.rearmed();
        self.1.rearmed();
    }

    fn ended(&mut self, result: &EpisodeResult) {
        self.0.ended(result);
        self.1.ended(result);
    }
}

/// What an episode amounted to.
#[derive(Debug, Clone, PartialEq)]
pub struct EpisodeResult {
    /// What the task says.
    pub trial: TrialResult,
    /// Whether somebody stopped it before its end: then it counts nowhere.
    pub cut: bool,
    /// Joints whose target a limit of the hand altered, summed over steps.
    pub clipped_count: u64,
    /// Control periods the loop missed.
    pub missed_tick_count: u64,
}

impl EpisodeResult {
    /// Whether it says anything about the policy: it was watched, to its end.
    pub fn counts(&self) -> bool {
        !self.cut && self.trial.is_watched()
    }
}

/// One policy at the helm: from what is sensed to targets.
struct Helm {
    runner: PolicyRunner,
    encoder: ObservationEncoder,
    decoder: ActionDecoder,
    /// What it reads; before it, where there are several, the number of this one.
    observation: Vec<f32>,
    actions: Vec<f32>,
    /// Numbers before what it reads.
    lead: usize,
}

impl Helm {
    fn new(policy: &Policy, number: Option<usize>) -> Self {
        let manifest = policy.manifest();
        let mut observation: Vec<f32> = number.into_iter().map(|number| number as f32).collect();
        let lead = observation.len();
        observation.resize(lead + manifest.observation.actor_width(), 0.0);
        Self {
            runner: PolicyRunner::new(policy),
            encoder: ObservationEncoder::new(&manifest.observation),
            decoder: ActionDecoder::new(&manifest.context.action),
            observation,
            actions: vec![0.0; manifest.context.action.width()],
            lead,
        }
    }

    fn forget(&mut self) {
        self.runner.reset();
        self.encoder.reset();
    }

    fn read(&mut self, robot: &RobotModel, sensed: &mut SignalFrame) -> Result<(), ObservationError> {
        if self.encoder.schema().reads_fingertips() {
            write_fingertips(robot, sensed);
        }
        self.encoder.encode_actor(sensed, &mut self.observation[self.lead..])
    }
}

/// Whoever decides what one hand does, with everything that takes.
pub struct Pilot {
    /// At least one; where there are several, one of them acts and the others remember nothing.
    helms: Vec<Helm>,
    chooser: Option<Chooser>,
    acting: usize,
    task: &'static dyn Task,
    robot: Arc<RobotModel>,
    object: ObjectModel,
    /// Control steps of an episode at most.
    step_limit: u32,
    memoryless: bool,
    sensed: SignalFrame,
    targets: Vec<f32>,
}

impl Pilot {
    /// A pilot for a task, with encoder and decoder rebuilt from what the policy was trained with.
    pub fn new(
        behavior: &dyn Behavior,
        task: &'static dyn Task,
        robot: &Arc<RobotModel>,
        object: &ObjectModel,
        memoryless: bool,
    ) -> Self {
        let (policies, chooser) = (behavior.policies(), behavior.chooser());
        let layout = SignalLayout { parameter_count: 0, ..policies[0].manifest().observation.layout() };
        let number = |index: usize| chooser.is_some().then_some(index);
        Self {
            helms: policies.iter().enumerate().map(|(index, policy)| Helm::new(policy, number(index))).collect(),
            chooser,
            acting: 0,
            task,
            robot: Arc::clone(robot),
            object: object.clone(),
            step_limit: task.episode_step_count(),
            memoryless,
            sensed: SignalFrame::new(layout),
            targets: vec![0.0; behavior.action().joints().len()],
        }
    }

    /// A pilot for the task of a run.
    pub fn of(behavior: &dyn Behavior, parts: &Parts, memoryless: bool) -> Self {
        Self::new(behavior, parts.task, parts.scene.robot(), parts.scene.object(), memoryless)
    }

    /// The same for episodes of another length than the task's: those of a log last as long as they did.
    #[must_use]
    pub fn lasting(self, step_limit: u32) -> Self {
        Self { step_limit, ..self }
    }

    /// Runs one episode on a hand that stands at its start, until it is over or `stop` is set.
    ///
    /// # Errors
    /// When the hand cannot be reached or stops following.
    pub fn fly(&mut self, hand: &mut dyn WatchedHand, stop: &AtomicBool) -> Result<EpisodeResult> {
        self.fly_observed(hand, &mut Nobody, stop)
    }

    /// The same, with somebody who is told what the policy reads and says.
    ///
    /// # Errors
    /// When the hand cannot be reached or stops following.
    pub fn fly_observed(
        &mut self,
        hand: &mut dyn WatchedHand,
        observer: &mut dyn StepObserver,
        stop: &AtomicBool,
    ) -> Result<EpisodeResult> {
        self.forget();
        observer.began(hand.goal_seed());
        self.sensed.clear();
        hand.observe(&mut self.sensed)?;
        let scene = TrialScene::of_episode(&self.robot, &self.object, hand.goal_seed());
        let mut referee = Referee::begin(self.task, &scene, &hand.watch(), self.step_limit);
        let mut counts = Counts::default();
        let mut cut = false;
        while referee.outcome().is_none() {
            if stop.load(Ordering::Relaxed) && referee.step_count() > 0 {
                cut = true;
                break;
            }
            let reset_due = hand.hidden_state_reset_due();
            if self.memoryless || reset_due {
                self.helms[self.acting].runner.reset();
            }
            if reset_due {
                observer.reset();
            }
            self.step(hand, observer, &mut referee, &mut counts)?;
        }
        let Counts { clipped_count, missed_tick_count } = counts;
        let result = EpisodeResult { trial: referee.result(), cut, clipped_count, missed_tick_count };
        observer.ended(&result);
        Ok(result)
    }

    fn forget(&mut self) {
        self.helms.iter_mut().for_each(Helm::forget);
        if let Some(chooser) = &mut self.chooser {
            chooser.reset();
        }
        self.acting = 0;
    }

    /// What the hand senses. For those who bring it here themselves, and take the targets away.
    pub fn sensed_mut(&mut self) -> &mut SignalFrame {
        &mut self.sensed
    }

    /// From what is sensed to targets, rad, in the order of the hand's joints.
    ///
    /// # Errors
    /// When something the policy reads was not sensed, or is not a finite number.
    pub fn decide(&mut self, observer: &mut dyn StepObserver) -> Result<&[f32]> {
        self.read()?;
        self.act(observer)?;
        Ok(&self.targets)
    }

    /// From what is sensed to what the policy reads that acts now. One that takes over begins with an empty memory.
    fn read(&mut self) -> Result<(), ObservationError> {
        if let Some(chooser) = &mut self.chooser {
            let chosen = chooser.choose(&self.sensed);
            if chosen != self.acting {
                self.helms[chosen].forget();
                self.acting = chosen;
            }
            if let Some(mut told) = chooser.tell(chosen, &self.sensed) {
                return self.helms[chosen].read(&self.robot, &mut told);
            }
        }
        self.helms[self.acting].read(&self.robot, &mut self.sensed)
    }

    /// From what it reads to targets.
    fn act(&mut self, observer: &mut dyn StepObserver) -> Result<()> {
        let Helm { runner, decoder, observation, actions, lead, .. } = &mut self.helms[self.acting];
        observer.observed(observation);
        runner.act(&observation[*lead..], actions)?;
        observer.acted(actions);
        let read = |signal: Signal| self.sensed.read(signal).with_context(|| format!("{} is missing", signal.name()));
        let (previous, positions) = (read(Signal::JointTarget)?, read(Signal::JointPosition)?);
        decoder.decode(actions, previous, positions, &mut self.targets);
        Ok(())
    }

    /// One control period.
    fn step(
        &mut self,
        hand: &mut dyn WatchedHand,
        observer: &mut dyn StepObserver,
        referee: &mut Referee,
        counts: &mut Counts,
    ) -> Result<()> {
        referee.write_goal(&mut self.sensed);
        hand.tell_goal(&mut self.sensed);
        observer.aimed(&self.sensed);
        if let Err(error) = self.read() {
            tracing::warn!("the episode ends here: {error}");
            referee.lose(Outcome::Unreadable, false);
            return Ok(());
        }
        self.act(observer)?;
        let commanded = match hand.exchange(&self.targets, &mut self.sensed) {
            Err(error @ (HandError::NotFinite { .. } | HandError::BeyondReason { .. })) => {
                tracing::warn!("the episode ends here: {error}");
                referee.lose(Outcome::Diverged, true);
                return Ok(());
            }
            other => other?,
        };
        if commanded.rearmed {
            self.forget();
            observer.rearmed();
        }
        counts.clipped_count += u64::from(commanded.clipped_joint_count);
        counts.missed_tick_count += u64::from(commanded.missed_tick_count);
        let seen = hand.watch();
        referee.judge(&seen);
        let (targets_rad, commanded, sensed, seen) = (&self.targets[..], &commanded, &self.sensed, &seen);
        observer.stepped(&StepView { targets_rad, commanded, sensed, seen, referee });
        Ok(())
    }
}

/// Nobody at the helm: actions that are all zero, through the same decoder as a policy's.
pub struct AtRest {
    decoder: ActionDecoder,
    actions: Vec<f32>,
    targets: Vec<f32>,
}

impl AtRest {
    /// For a task on a hand.
    pub fn new(task: &dyn Task, robot: &RobotModel) -> Self {
        let schema = task.action(robot);
        let (actions, targets) = (vec![0.0; schema.width()], vec![0.0; schema.joints().len()]);
        Self { decoder: ActionDecoder::new(&schema), actions, targets }
    }

    /// What the hand is told next, rad, in the order of its joints.
    pub fn targets(&mut self, sensed: &SignalFrame) -> &[f32] {
        let read = |signal| sensed.read(signal).unwrap_or(&[]);
        let (previous, positions) = (read(Signal::JointTarget), read(Signal::JointPosition));
        self.decoder.decode(&self.actions, previous, positions, &mut self.targets);
        &self.targets
    }
}

/// What is counted on the way.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    clipped_count: u64,
    missed_tick_count: u64,
}
