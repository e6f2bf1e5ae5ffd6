//! One episode of one hand: the same loop for a simulated world and for a hand behind ZeroMQ.

use anyhow::{Context, Result};
use giraffe_physics::HandSim;
use giraffe_policy::{Policy, PolicyRunner};
use giraffe_robots::{
    ActionDecoder, Hand, ObjectPose, ObservationEncoder, Progress, Signal, SignalFrame, SignalLayout, Task,
};
use std::sync::atomic::{AtomicBool, Ordering};

/// A hand whose object somebody may watch.
pub trait WatchedHand: Hand {
    /// Where the object is, in the palm frame; `None` where nobody watches it. Only for scoring.
    fn object_pose(&mut self) -> Option<ObjectPose>;

    /// Whether the policy's recurrent state is to be wiped before the next step.
    fn hidden_state_reset_due(&self) -> bool {
        false
    }
}

impl WatchedHand for HandSim {
    fn object_pose(&mut self) -> Option<ObjectPose> {
        Some(HandSim::object_pose(self))
    }

    fn hidden_state_reset_due(&self) -> bool {
        HandSim::hidden_state_reset_due(self)
    }
}

/// Somebody who wants to know what a policy reads and says: a log, a comparison. Does nothing unless told otherwise.
pub trait StepObserver {
    /// An episode begins: recurrent state and history are empty.
    fn began(&mut self) {}

    /// The recurrent state alone was emptied, as the episode's plan asks.
    fn reset(&mut self) {}

    /// The policy is about to read this.
    fn observed(&mut self, _observation: &[f32]) {}

    /// And said this.
    fn acted(&mut self, _actions: &[f32]) {}

    /// The hand had been armed anew: recurrent state and history were emptied.
    fn rearmed(&mut self) {}

    /// The episode is over.
    fn ended(&mut self, _result: &EpisodeResult) {}
}

/// Nobody wants to know.
pub struct Nobody;

impl StepObserver for Nobody {}

/// What an episode amounted to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EpisodeResult {
    /// Net rotation before any drop, rad.
    pub rotation_rad: f64,
    /// Whether the object was dropped.
    pub dropped: bool,
    /// Control steps done.
    pub step_count: u32,
    /// Whether somebody watched the object: without a tracker there is no score.
    pub watched: bool,
    /// Joints whose target a limit of the hand altered, summed over steps.
    pub clipped_count: u64,
    /// Control periods the loop missed.
    pub missed_tick_count: u64,
    /// Everything that was sensed, commanded and seen, in order: for comparison bit by bit.
    pub trace: Vec<f32>,
}

impl EpisodeResult {
    /// Net rotation over the full length of an episode, rad/s; nothing counts after a drop.
    pub fn rotation_rate_rad_per_sec(&self, duration_secs: f64) -> f64 {
        self.rotation_rad / duration_secs
    }
}

/// A policy with everything it needs to run one hand.
pub struct Pilot {
    runner: PolicyRunner,
    encoder: ObservationEncoder,
    decoder: ActionDecoder,
    task: &'static dyn Task,
    step_count: u32,
    memoryless: bool,
    sensed: SignalFrame,
    observation: Vec<f32>,
    actions: Vec<f32>,
    targets: Vec<f32>,
}

impl Pilot {
    /// A pilot for `task`, with encoder and decoder rebuilt from what the policy was trained with.
    pub fn new(policy: &Policy, task: &'static dyn Task, memoryless: bool) -> Self {
        let manifest = policy.manifest();
        let action = &manifest.context.action;
        let (action_count, joint_count) = (action.width(), action.joints().len());
        Self {
            runner: PolicyRunner::new(policy),
            encoder: ObservationEncoder::new(&manifest.observation),
            decoder: ActionDecoder::new(&manifest.context.action),
            task,
            step_count: task.episode_step_count(),
            memoryless,
            sensed: SignalFrame::new(SignalLayout { joint_count, action_count, parameter_count: 0 }),
            observation: vec![0.0; manifest.observation.actor_width()],
            actions: vec![0.0; action_count],
            targets: vec![0.0; joint_count],
        }
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
        observer.began();
        self.sensed.clear();
        hand.observe(&mut self.sensed)?;
        let mut progress = hand.object_pose().map(Progress::new);
        let mut result = EpisodeResult { watched: progress.is_some(), ..EpisodeResult::default() };
        for _ in 0..self.step_count {
            let reset_due = hand.hidden_state_reset_due();
            if self.memoryless || reset_due {
                self.runner.reset();
            }
            if reset_due {
                observer.reset();
            }
            let pose = self.step(hand, observer, &mut result)?;
            result.step_count += 1;
            if let (Some(progress), Some(pose)) = (&mut progress, pose) {
                self.task.advance(progress, &pose);
            }
            if progress.as_ref().is_some_and(|progress| progress.dropped) || stop.load(Ordering::Relaxed) {
                break;
            }
        }
        if let Some(progress) = progress {
            result.rotation_rad = progress.rotation_rad;
            result.dropped = progress.dropped;
        }
        observer.ended(&result);
        Ok(result)
    }

    fn forget(&mut self) {
        self.runner.reset();
        self.encoder.reset();
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
        self.encoder.encode_actor(&self.sensed, &mut self.observation)?;
        observer.observed(&self.observation);
        self.runner.act(&self.observation, &mut self.actions)?;
        observer.acted(&self.actions);
        let read = |signal: Signal| self.sensed.read(signal).with_context(|| format!("{} is missing", signal.name()));
        let (previous, positions) = (read(Signal::JointTarget)?, read(Signal::JointPosition)?);
        self.decoder.decode(&self.actions, previous, positions, &mut self.targets);
        Ok(&self.targets)
    }

    /// One control period. Returns where the object is afterwards, if somebody knows.
    fn step(
        &mut self,
        hand: &mut dyn WatchedHand,
        observer: &mut dyn StepObserver,
        result: &mut EpisodeResult,
    ) -> Result<Option<ObjectPose>> {
        self.decide(observer)?;
        let commanded = hand.exchange(&self.targets, &mut self.sensed)?;
        if commanded.rearmed {
            self.forget();
            observer.rearmed();
        }
        result.clipped_count += u64::from(commanded.clipped_joint_count);
        result.missed_tick_count += u64::from(commanded.missed_tick_count);
        let pose = hand.object_pose();
        result.trace.extend_from_slice(&self.targets);
        result.trace.extend_from_slice(&commanded.applied_rad);
        result.trace.extend_from_slice(self.sensed.read(Signal::JointPosition).unwrap_or(&[]));
        if let Some(pose) = &pose {
            result.trace.extend_from_slice(pose.position_m.as_slice());
            result.trace.extend_from_slice(pose.palm_from_object.coords.as_slice());
        }
        Ok(pose)
    }
}
