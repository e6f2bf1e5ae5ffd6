//! What a scenario may know of an episode.

use giraffe_physics::{Disturbance, SceneModel, TimedDisturbance, WorldParameters};
use giraffe_robots::StreamRng;
use rand::RngExt;

/// What a scenario may know of an episode: all of its plan but what the scenario is there to add.
pub struct EpisodeOutline<'a> {
    /// The hand and the object.
    pub scene: &'a SceneModel,
    /// Control steps of an episode that runs to its end.
    pub step_count: u32,
    /// The physics that the episode begins with.
    pub parameters: &'a WorldParameters,
    /// Names of the rows that vary, and what was drawn for them: the columns of the critic, in order.
    pub columns: &'a [(&'static str, f32)],
}

impl EpisodeOutline<'_> {
    /// Seconds of an episode that runs to its end.
    pub fn duration_secs(&self) -> f32 {
        self.step_count as f32 * self.scene.robot().control.period_secs
    }

    /// A disturbance at a time, or nothing when the episode is over by then.
    pub fn at(&self, secs: f32, disturbance: Disturbance) -> Option<TimedDisturbance> {
        let step = (secs / self.scene.robot().control.period_secs).round() as u32;
        (step < self.step_count).then_some(TimedDisturbance { step, disturbance })
    }

    /// Times, s, in order: the first after `first`, each a gap drawn uniformly from `gap` after the one before, the
    /// last early enough that what lasts `lasting_secs` ends inside the episode.
    pub fn times(&self, first_secs: f32, gap_secs: [f32; 2], lasting_secs: f32, rng: &mut StreamRng) -> Vec<f32> {
        let mut times = Vec::new();
        let mut now = first_secs + rng.random_range(0.0..=gap_secs[1] - gap_secs[0]);
        while now + lasting_secs <= self.duration_secs() {
            times.push(now);
            now += rng.random_range(gap_secs[0]..=gap_secs[1]);
        }
        times
    }
}
