//! What a rollout was worth: values, advantages and returns, before anything is learned from it.

use super::PpoLearner;
use crate::group::{Lane, largest};
use crate::network::{Inference, Network, Sequence};
use crate::rollout::{RecurrentState, Rollout, moments};
use giraffe_robots::EpisodeEnd;

/// What a rollout was worth, over all members of the group.
pub(super) struct Worth {
    pub return_mean: f32,
    pub return_std: f32,
    pub value_mean: f32,
    pub value_std: f32,
    pub largest_value: f32,
    pub largest_reward: f32,
    pub largest_advantage: f32,
}

impl PpoLearner {
    pub(super) fn worth(&self, rollout: &Rollout) -> Worth {
        let group = &*self.group;
        let most = |values: &mut dyn Iterator<Item = f32>| {
            largest(group, Lane::Actor, values.fold(0.0, |most: f32, value| most.max(value.abs())))
        };
        let (returns, values) = (moments(&rollout.returns, group), moments(&rollout.values, group));
        Worth {
            return_mean: returns.0 as f32,
            return_std: returns.1.sqrt() as f32,
            value_mean: values.0 as f32,
            value_std: values.1.sqrt() as f32,
            largest_value: most(&mut rollout.values.iter().copied()),
            largest_reward: most(&mut rollout.rewards.iter().copied()),
            // Before they were brought to unit variance.
            largest_advantage: most(&mut rollout.returns.iter().zip(&rollout.values).map(|(r, v)| r - v)),
        }
    }

    /// Fills in values, advantages and returns; advances the critic's state.
    ///
    /// The critic runs once over the whole rollout. Where an episode was cut off, and where each world stands at
    /// the end, it runs one step further from the state it had there.
    pub(super) fn evaluate(&mut self, rollout: &mut Rollout) {
        let network = self.critic.network.inference();
        let sequence = Sequence {
            observations: rollout.observations.clone(),
            state: rollout.critic_starts.clone(),
            keep: rollout.keep.clone(),
        };
        let run = self.threads.all.install(|| network.infer(sequence, &self.device));
        let sample_count = rollout.rewards.len();
        let last_step = sample_count - self.world_count;
        // Where a chunk begins, the critic stood as after the step before.
        let length = self.config.chunk_length() * self.world_count;
        for chunk in 1..self.config.chunk_count() {
            let before = chunk * length - self.world_count..chunk * length;
            rollout.critic_starts.append(&run.state(before));
        }
        self.critic_state = run.state(last_step..sample_count);
        for world in 0..self.world_count {
            if rollout.ends[last_step + world] != EpisodeEnd::Running {
                self.critic_state.forget(world);
            }
        }
        let timeout_values = self.values_after(&network, &run, rollout);
        let mut observations = vec![0.0; self.observations.len()];
        self.normalizer.apply_rows(&self.observations, &mut observations);
        let bootstrap_values = self.values_of(&network, observations, self.critic_state.clone());
        rollout.values = run.output;
        rollout.judge(&timeout_values, &bootstrap_values, &self.config, &*self.group);
    }

    /// Values of the observations before resets, with the state each episode had then.
    fn values_after(&self, network: &Network, run: &Inference, rollout: &Rollout) -> Vec<f32> {
        if rollout.timeout_indices.is_empty() {
            return Vec::new();
        }
        let state = run.state(rollout.timeout_indices.iter().copied());
        self.values_of(network, rollout.timeout_observations.clone(), state)
    }

    pub(super) fn values_of(&self, network: &Network, observations: Vec<f32>, state: RecurrentState) -> Vec<f32> {
        let row_count = observations.len() / self.schema.critic_width();
        let keep = vec![if self.config.memoryless { 0.0 } else { 1.0 }; row_count];
        self.threads.all.install(|| network.infer(Sequence { observations, state, keep }, &self.device)).output
    }
}
