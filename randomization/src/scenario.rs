//! What happens to a world during an episode: rows of [`crate::SCENARIOS`].

use giraffe_physics::{Disturbance, SceneModel, TimedDisturbance};
use giraffe_robots::StreamRng;
use rand::RngExt;

/// A named way to disturb episodes.
pub struct Scenario {
    /// Name, as in `--scenario`.
    pub name: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// What happens when in one episode, in any order.
    pub timeline: fn(&EpisodeOutline<'_>, &mut StreamRng) -> Vec<TimedDisturbance>,
}

impl Scenario {
    /// What happens when in one episode, in order of time.
    pub fn disturbances(&self, outline: &EpisodeOutline<'_>, rng: &mut StreamRng) -> Vec<TimedDisturbance> {
        let mut disturbances = (self.timeline)(outline, rng);
        disturbances.sort_by_key(|disturbance| disturbance.step);
        disturbances
    }
}

/// What a timeline may know of an episode.
pub struct EpisodeOutline<'a> {
    /// The hand and the object.
    pub scene: &'a SceneModel,
    /// Control steps of an episode that runs to its end.
    pub step_count: u32,
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
