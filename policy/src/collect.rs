//! Running the policy in the worlds for T steps.

use crate::PolicyError;
use crate::learner::PpoLearner;
use crate::network::{Network, Sequence};
use crate::rollout::{Cut, Rollout};
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
        if self.rollout.is_some() {
            return Err(PolicyError::Mismatch {
                what: "the moment to collect".to_owned(),
                expected: "after an update".to_owned(),
                found: "a rollout that was not learned from yet".to_owned(),
            });
        }
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
            self.actor_shape().state_width(),
            self.critic_state.clone(),
            self.world_count,
            network.log_std_values(),
        );
        let noise = self.noise();
        let mut has_ended = vec![false; self.world_count];
        for noise in noise.chunks_exact(self.world_count * self.action_width) {
            if rollout.step_count.is_multiple_of(self.config.chunk_length()) {
                rollout.actor_starts.append(&self.actor_state);
            }
            let mut normalized = vec![0.0; self.observations.len()];
            self.normalizer.apply_rows(&self.observations, &mut normalized);
            let keep: Vec<f32> =
                has_ended.iter().map(|ended| if *ended || self.config.memoryless { 0.0 } else { 1.0 }).collect();
            let outputs = self.act(&network, &normalized, &keep);
            rollout.observations.append(&mut normalized);
            rollout.keep.extend(keep);
            self.draw(&mut rollout, &outputs, noise);

            let first_action = rollout.actions.len() - noise.len();
            worlds.step(&rollout.actions[first_action..], batch);
            self.check_step(batch)?;
            self.record(&mut rollout, batch);
            self.pending.add_rows(&batch.observations);
            has_ended.iter_mut().zip(&batch.ends).for_each(|(ended, end)| *ended = *end != EpisodeEnd::Running);
            rollout.step_count += 1;
            self.observations.clone_from(&batch.observations);
        }
        // What comes after an end in the last step starts fresh, in the next rollout too.
        for world in (0..self.world_count).filter(|world| has_ended[*world]) {
            self.actor_state.forget(world);
        }
        self.control_steps += (rollout.rewards.len() * self.group.size()) as u64;
        rollout.mean_reward /= rollout.rewards.len() as f64;
        self.rollout = Some(rollout);
        Ok(())
    }

    /// What actions are drawn with in the whole rollout, `[T, W, actions]`. Every world has a stream of its own, so that
    /// it does not matter in which process it runs.
    fn noise(&self) -> Vec<f32> {
        let (world_count, width) = (self.world_count, self.action_width);
        let mut noise = vec![0.0; self.config.horizon_steps * world_count * width];
        let mut own = vec![0.0; self.config.horizon_steps * width];
        let head = self.config.action_head();
        for world in 0..world_count {
            let number = (self.first_world() + world) as u64;
            head.fill_noise(&mut self.seeds.stream(Stream::Exploration, number, self.iteration), &mut own);
            for (step, own) in own.chunks_exact(width).enumerate() {
                noise[(step * world_count + world) * width..][..width].copy_from_slice(own);
            }
        }
        noise
    }

    /// The actor's outputs, `[W, outputs]`; its state advances.
    fn act(&mut self, network: &Network, normalized: &[f32], keep: &[f32]) -> Vec<f32> {
        let rows: Vec<usize> = (0..self.world_count).collect();
        let cut = Cut { world_count: self.world_count, chunk_length: 1 };
        let observations = cut.gather(normalized, self.schema.critic_width(), self.schema.actor_width(), &rows);
        let sequence = Sequence { observations, state: self.actor_state.clone(), keep: keep.to_vec() };
        let result = self.threads.all.install(|| network.infer(sequence, &self.device));
        self.actor_state = result.state(0..self.world_count);
        result.output
    }

    /// Draws actions from `outputs` and notes how likely they were.
    fn draw(&self, rollout: &mut Rollout, outputs: &[f32], noise: &[f32]) {
        let head = self.config.action_head();
        let width = outputs.len() / self.world_count;
        for (outputs, noise) in outputs.chunks_exact(width).zip(noise.chunks_exact(self.action_width)) {
            let first = rollout.actions.len();
            head.draw((outputs, &rollout.log_std), noise, &mut rollout.actions);
            rollout.log_probs.push(head.log_prob(&rollout.actions[first..], (outputs, &rollout.log_std)));
        }
        rollout.outputs.extend_from_slice(outputs);
    }

    fn record(&mut self, rollout: &mut Rollout, batch: &StepBatch) {
        let width = self.schema.critic_width();
        let first = rollout.rewards.len();
        rollout.mean_reward += batch.rewards.iter().map(|&reward| f64::from(reward)).sum::<f64>();
        match &mut self.reward_scale {
            Some(scale) => {
                let pending = &mut self.pending_rewards;
                rollout.rewards.extend(scale.scale(&batch.rewards, &batch.ends, self.config.discount, pending));
            }
            None => rollout.rewards.extend_from_slice(&batch.rewards),
        }
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
