//! Who decides the physics of the next episode.

use crate::plan::EpisodePlan;
use giraffe_robots::{EpisodeReport, NamedLimits, Task};

/// Decides the physics of the next episode. Implemented by `giraffe-randomization`.
pub trait EpisodeSampler: Send + Sync {
    /// Names and bounds of the sampled values, in the order of `EpisodePlan::sampled`.
    fn parameters(&self) -> Vec<NamedLimits>;

    /// The plan of one episode. The same `(world, episode)` always gives the same plan while no report was learned.
    fn plan(&self, world: u64, episode: u64) -> EpisodePlan;

    /// The task in an episode of this plan, where it is not always the same one. Whatever else differs, what is read, done
    /// and measured, and for how long, does not.
    fn task(&self, _plan: &EpisodePlan) -> Option<&'static dyn Task> {
        None
    }

    /// Learns from finished episodes (automatic domain randomization). Fixed ranges learn nothing.
    fn learn(&mut self, _reports: &[EpisodeReport]) {}

    /// State that `learn` built up, for a checkpoint.
    fn save(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Continues from a saved state.
    ///
    /// # Errors
    /// When the bytes are not a state of this sampler.
    fn restore(&mut self, _saved: &[u8]) -> Result<(), String> {
        Ok(())
    }
}
