//! What a hand is asked to do, judged from signals alone.

use crate::action::ActionSchema;
use crate::dial::Dial;
use crate::measure::Measure;
use crate::model::RobotModel;
use crate::seed::StreamRng;
use crate::term::ObservationTerm;
use crate::trial::{Trial, TrialScene};
use crate::watch::Seen;
use nalgebra::Isometry3;
use serde::{Deserialize, Serialize};

/// One task. Rows of [`crate::tasks::TASKS`].
pub trait Task: Send + Sync {
    /// Name, as in `--task`.
    fn name(&self) -> &'static str;
    /// One sentence.
    fn doc(&self) -> &'static str;
    /// Control steps of an episode.
    fn episode_step_count(&self) -> u32;
    /// Its numbers that may be set.
    fn dials(&self) -> &'static [Dial] {
        &[]
    }
    /// The same task with these numbers, in the order of its dials, each within its bounds.
    ///
    /// # Errors
    /// Says what does not go together.
    fn with_dials(&self, _values: &[f32]) -> Result<Box<dyn Task>, &'static str> {
        Err("it has none")
    }
    /// What actor and critic read.
    fn observation(&self, robot: &RobotModel) -> Vec<ObservationTerm>;
    /// What actions mean.
    fn action(&self, robot: &RobotModel) -> ActionSchema;
    /// Where hand and object start.
    fn start(&self, robot: &RobotModel, rng: &mut StreamRng) -> EpisodeStart;
    /// What is reported of an episode; the first is the headline.
    fn measures(&self) -> &'static [Measure];
    /// Values of the headline that tell policies apart: curricula become harder above one and easier below the other.
    fn aims(&self) -> Aims;
    /// Reward of a step after which an episode could not go on, for reasons that the task does not know: the same as for
    /// failing, so that no policy seeks them.
    fn failure_reward(&self) -> f32;
    /// Begins an episode, with the object as it is seen now.
    fn begin(&self, scene: &TrialScene<'_>, seen: &Seen) -> Box<dyn Trial>;
}

/// Values of a task's headline, in its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Aims {
    /// A policy that is no better than this has not learned the task where it is.
    pub poor: f64,
    /// A policy that is at least this good can have it harder.
    pub good: f64,
}

/// Where an episode starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpisodeStart {
    /// Joint angles, rad, canonical order. The first targets are the same.
    pub joint_positions_rad: Vec<f32>,
    /// Pose of the object.
    pub palm_from_object: Isometry3<f32>,
}
