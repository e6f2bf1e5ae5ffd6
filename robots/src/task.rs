//! What a hand is asked to do, judged from signals alone.
//!
//! A task never sees an engine, so a recorded episode of a real hand can be scored by the same code.

use crate::action::ActionSchema;
use crate::frame::SignalFrame;
use crate::model::RobotModel;
use crate::object::ObjectPose;
use crate::observation::ObservationTerm;
use crate::seed::StreamRng;
use crate::signal::Signal;
use nalgebra::{Isometry3, Quaternion, UnitQuaternion, Vector3};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// One task. Rows of [`crate::tasks::TASKS`].
pub trait Task: Send + Sync {
    /// Name, as in `--task`.
    fn name(&self) -> &'static str;
    /// One sentence.
    fn doc(&self) -> &'static str;
    /// Control steps of an episode.
    fn episode_step_count(&self) -> u32;
    /// What actor and critic read.
    fn observation(&self, robot: &RobotModel) -> Vec<ObservationTerm>;
    /// What actions mean.
    fn action(&self, robot: &RobotModel) -> ActionSchema;
    /// Where hand and object start.
    fn start(&self, robot: &RobotModel, rng: &mut StreamRng) -> EpisodeStart;
    /// Advances the score from the true object pose. Needs only what a tracker sees.
    fn advance(&self, progress: &mut Progress, pose: &ObjectPose) -> Outcome;
    /// Rewards of the step that led to `truth`, which must hold joint and object velocities.
    fn rewards(&self, robot: &RobotModel, progress: &Progress, outcome: Outcome, truth: &SignalFrame) -> RewardTerms;
}

/// Where an episode starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpisodeStart {
    /// Joint angles, rad, canonical order. The first targets are the same.
    pub joint_positions_rad: Vec<f32>,
    /// Pose of the object.
    pub palm_from_object: Isometry3<f32>,
}

/// What a task remembers of an episode: the object's way so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// Pose at the start.
    pub start: ObjectPose,
    /// Pose at the previous step.
    pub previous: ObjectPose,
    /// Net rotation about the task's axis before any drop, rad.
    pub rotation_rad: f64,
    /// Rotation about the task's axis in each of the latest steps, rad; oldest first, as many as the task asks for.
    pub recent_turns_rad: VecDeque<f32>,
    /// Control steps so far.
    pub step_count: u32,
    /// Whether the object was dropped.
    pub dropped: bool,
    /// Targets of the step before, for the penalty on their change; empty at the start.
    pub previous_targets_rad: Vec<f32>,
}

impl Progress {
    /// The start of an episode with the object at `pose`.
    pub fn new(pose: ObjectPose) -> Self {
        Self {
            start: pose,
            previous: pose,
            rotation_rad: 0.0,
            recent_turns_rad: VecDeque::new(),
            step_count: 0,
            dropped: false,
            previous_targets_rad: Vec::new(),
        }
    }
}

/// How things stand after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Going on.
    Running,
    /// The object fell.
    Dropped,
}

/// Named, weighted rewards of one step. Their sum is what is learned from.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RewardTerms(pub Vec<(&'static str, f32)>);

impl RewardTerms {
    /// The reward.
    pub fn total(&self) -> f32 {
        self.0.iter().map(|(_, value)| value).sum()
    }
}

/// The object's pose in a frame, if a tracker or simulator wrote one.
pub fn object_pose(frame: &SignalFrame) -> Option<ObjectPose> {
    let p = frame.read(Signal::ObjectPosition)?;
    let q = frame.read(Signal::ObjectRotation)?;
    Some(ObjectPose {
        position_m: Vector3::new(p[0], p[1], p[2]),
        palm_from_object: UnitQuaternion::from_quaternion(Quaternion::new(q[3], q[0], q[1], q[2])),
    })
}
