//! What a rollout was worth: values, advantages and returns, before anything is learned from it.

use crate::compute::Compute;
use crate::config::PpoConfig;
use crate::network::{Frozen, Inference, Sequence};
use crate::rollout::{RecurrentState, Rollout};
use crate::trainee::Trainee;
use giraffe_robots::EpisodeEnd;

/// Who foresees what comes of a situation, and what it remembers of every world.
pub(super) struct Critic {
    pub trainee: Trainee,
    pub state: RecurrentState,
}

impl Critic {
    /// Fills in values, advantages and returns; its state advances.
    ///
    /// The critic runs once over the whole rollout. Where an episode was cut off, and where each world stands at
    /// the end, it runs one step further from the state it had there.
    pub fn judge(&mut self, rollout: &mut Rollout, config: &PpoConfig, compute: &Compute) {
        let network = self.trainee.network.inference();
        rollout.critic_starts = self.state.clone();
        let sequence = Sequence {
            observations: rollout.observations.clone(),
            state: rollout.critic_starts.clone(),
            keep: rollout.keep.clone(),
        };
        let run = compute.infer(&network, sequence);
        let (sample_count, world_count) = (rollout.rewards.len(), rollout.world_count);
        let last_step = sample_count - world_count;
        // Where a chunk begins, the critic stood as after the step before.
        let length = config.chunk_length() * world_count;
        for chunk in 1..config.chunk_count() {
            let before = chunk * length - world_count..chunk * length;
            rollout.critic_starts.append(&run.state(before));
        }
        self.state = run.state(last_step..sample_count);
        for world in 0..world_count {
            if rollout.ends[last_step + world] != EpisodeEnd::Running {
                self.state.forget(world);
            }
        }
        let further = Further { network: &network, memoryless: config.memoryless, compute };
        let timeout_values = further.values_after(&run, rollout);
        let bootstrap_values = further.values_of(rollout.next_observations.clone(), self.state.clone());
        rollout.values = run.output;
        rollout.judge(&timeout_values, &bootstrap_values, config, &*compute.group);
    }
}

/// One step further than a rollout goes.
pub(super) struct Further<'a> {
    pub network: &'a Frozen,
    pub memoryless: bool,
    pub compute: &'a Compute,
}

impl Further<'_> {
    /// Values of the observations before resets, with the state each episode had then.
    fn values_after(&self, run: &Inference, rollout: &Rollout) -> Vec<f32> {
        if rollout.timeout_indices.is_empty() {
            return Vec::new();
        }
        let state = run.state(rollout.timeout_indices.iter().copied());
        self.values_of(rollout.timeout_observations.clone(), state)
    }

    /// Values of observations, `[n, F]`, each with the state before it.
    pub fn values_of(&self, observations: Vec<f32>, state: RecurrentState) -> Vec<f32> {
        let keep = vec![if self.memoryless { 0.0 } else { 1.0 }; state.row_count()];
        self.compute.infer(self.network, Sequence { observations, state, keep }).output
    }
}
