//! Running the policy in the worlds for T steps.

use crate::PolicyError;
use crate::gaussian::{fill_standard_normal, log_prob};
use crate::learner::PpoLearner;
use crate::network::{Network, Sequence};
use crate::rollout::{Rollout, gather_worlds};
use giraffe_robots::{EpisodeEnd, StepBatch, Stream, WorldBatch};

const BAD_WORLDS: &str =
    "the worlds are to blame, not learning: look at the simulation, then continue from the last checkpoint";

impl PpoLearner {
    /// Runs the policy, with exploration, for the configured number of steps in every world. The first call
    /// starts an episode in every world. `batch` must be what the worlds last gave.
    ///
    /// # Errors
    /// When the worlds are not those the learner was made for or stand elsewhere, or give numbers that are none.
    /// After an error, learning continues from a checkpoint only.
    pub fn collect(&mut self, worlds: &mut dyn WorldBatch, batch: &mut StepBatch) -> Result<(), PolicyError> {
        self.check_worlds(worlds)?;
        if self.observations.is_empty() {
            worlds.reset_all(batch);
            self.observations.clone_from(&batch.observations);
        }
        if !same_bits(&self.observations, &batch.observations) {
            return Err(PolicyError::Mismatch {
                what: "the worlds' observations".to_owned(),
                expected: "those the learner saw last (restore worlds and learner from the same checkpoint)".to_owned(),
                found: "others".to_owned(),
            });
        }
        let network = self.actor.network.inference();
        let mut rollout = Rollout::new(
            self.actor_state.clone(),
            self.critic_state.clone(),
            self.world_count,
            network.log_std_values(),
        );
        let mut noise = vec![0.0; self.world_count * self.action_width];
        let mut rng = self.seeds.stream(Stream::Exploration, 0, self.iteration);
        let mut has_ended = vec![false; self.world_count];
        for _ in 0..self.config.horizon_steps {
            let mut normalized = vec![0.0; self.observations.len()];
            self.normalizer.apply_rows(&self.observations, &mut normalized);
            let keep: Vec<f32> =
                has_ended.iter().map(|ended| if *ended || self.config.memoryless { 0.0 } else { 1.0 }).collect();
            let means = self.act(&network, &normalized, &keep);
            fill_standard_normal(&mut rng, &mut noise);
            rollout.observations.append(&mut normalized);
            rollout.keep.extend(keep);
            self.draw(&mut rollout, &means, &noise);

            let first_action = rollout.actions.len() - means.len();
            worlds.step(&rollout.actions[first_action..], batch);
            self.check_step(batch)?;
            self.record(&mut rollout, batch);
            self.pending.add_rows(&batch.observations);
            has_ended.iter_mut().zip(&batch.ends).for_each(|(ended, end)| *ended = *end != EpisodeEnd::Running);
            rollout.step_count += 1;
            self.observations.clone_from(&batch.observations);
        }
        for (world, _) in has_ended.iter().enumerate().filter(|(_, ended)| **ended) {
            self.actor_state.forget(world);
        }
        self.control_steps += (self.config.horizon_steps * self.world_count) as u64;
        self.rollout = Some(rollout);
        Ok(())
    }

    /// Mean actions `[W, A]`; advances the actor's state.
    fn act(&mut self, network: &Network, normalized: &[f32], keep: &[f32]) -> Vec<f32> {
        let width = self.schema.critic_width();
        let read = self.schema.actor_width();
        let rows: Vec<usize> = (0..self.world_count).collect();
        let observations = gather_worlds(normalized, self.world_count, width, read, &rows);
        let sequence = Sequence { observations, state: self.actor_state.clone(), keep: keep.to_vec() };
        let result = self.threads.all.install(|| network.infer(sequence, &self.device));
        self.actor_state.h = result.hidden;
        self.actor_state.c = result.cells;
        result.output
    }

    /// Draws actions around `means` and notes how likely they were.
    fn draw(&self, rollout: &mut Rollout, means: &[f32], noise: &[f32]) {
        let width = self.action_width;
        for (mean, noise) in means.chunks_exact(width).zip(noise.chunks_exact(width)) {
            let first = rollout.actions.len();
            let action = mean.iter().zip(noise).zip(&rollout.log_std).map(|((m, z), log_std)| m + log_std.exp() * z);
            rollout.actions.extend(action);
            rollout.log_probs.push(log_prob(&rollout.actions[first..], mean, &rollout.log_std));
        }
        rollout.means.extend_from_slice(means);
    }

    fn record(&self, rollout: &mut Rollout, batch: &StepBatch) {
        let width = self.schema.critic_width();
        let first = rollout.rewards.len();
        rollout.rewards.extend_from_slice(&batch.rewards);
        rollout.ends.extend_from_slice(&batch.ends);
        for world in (0..self.world_count).filter(|world| batch.ends[*world] == EpisodeEnd::TimedOut) {
            rollout.timeout_indices.push(first + world);
            let mut row = vec![0.0; width];
            self.normalizer.apply(&batch.last_observations[world * width..][..width], &mut row);
            rollout.timeout_observations.append(&mut row);
        }
    }

    fn check_worlds(&self, worlds: &dyn WorldBatch) -> Result<(), PolicyError> {
        let found = (worlds.world_count(), worlds.action_width(), worlds.schema());
        if found == (self.world_count, self.action_width, &self.schema) {
            return Ok(());
        }
        let describe = |worlds: usize, actions: usize, fingerprint: String, columns: usize| {
            format!("{worlds} worlds with {actions} actions and {columns} columns (actor's {fingerprint})")
        };
        let own = (self.schema.actor_fingerprint(), self.schema.critic_width());
        Err(PolicyError::Mismatch {
            what: "the batch of worlds".to_owned(),
            expected: describe(self.world_count, self.action_width, own.0, own.1),
            found: describe(found.0, found.1, found.2.actor_fingerprint(), found.2.critic_width()),
        })
    }

    fn check_step(&self, batch: &StepBatch) -> Result<(), PolicyError> {
        let width = self.schema.critic_width();
        let refuse = |what| Err(PolicyError::NotFinite { what, iteration: self.iteration, advice: BAD_WORLDS });
        if let Some(world) = batch.rewards.iter().position(|reward| !reward.is_finite()) {
            return refuse(format!("the reward of world {world}"));
        }
        let timed_out = |index: &usize| batch.ends[index / width] == EpisodeEnd::TimedOut;
        let now = batch.observations.iter().position(|x| !x.is_finite());
        let last =
            batch.last_observations.iter().enumerate().filter(|(i, x)| !x.is_finite() && timed_out(i)).map(|(i, _)| i);
        if let Some(index) = now.or(last.into_iter().next()) {
            let column = self.schema.column_names().swap_remove(index % width);
            return refuse(format!("{column} in world {}", index / width));
        }
        Ok(())
    }
}

fn same_bits(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}
