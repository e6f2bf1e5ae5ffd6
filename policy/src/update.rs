//! The update: several epochs of gradient steps over whole sequences of a rollout, whatever the actor learns for.
//!
//! Actor and critic share nothing, so each learns on its own thread.

use crate::compute::Compute;
use crate::config::PpoConfig;
use crate::group::{Group, Lane, largest, sums};
use crate::network::host;
use crate::objective::{Minibatch, Objective, Outputs};
use crate::rollout::{Cut, Rollout};
use crate::trainee::{NotFinite, Step, Trainee};
use burn::tensor::Tensor;

/// Everything an update reads.
pub(crate) struct Update<'a, O> {
    pub config: &'a PpoConfig,
    pub objective: &'a O,
    pub rollout: &'a Rollout,
    /// Per epoch, per gradient step: which chunks.
    pub minibatches: &'a [Vec<Vec<usize>>],
    pub compute: &'a Compute,
}

/// How the actor's update went.
#[derive(Debug, Clone, Default)]
pub(crate) struct ActorReport {
    pub loss: Mean,
    pub clip_fraction: Mean,
    pub gradient_norm: Mean,
    /// Of the last epoch.
    pub kl: f32,
    pub learning_rate: f32,
    /// Largest |ratio - 1| of the first gradient step, when nothing has been learned yet: how well the update
    /// reproduces the rollout.
    pub first_ratio_deviation: f32,
}

/// How the critic's update went.
#[derive(Debug, Clone, Default)]
pub(crate) struct CriticReport {
    pub loss: Mean,
    pub gradient_norm: Mean,
}

/// A mean of what is added.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mean {
    sum: f64,
    count: f64,
}

impl Mean {
    fn add(&mut self, value: f32) {
        self.sum += f64::from(value);
        self.count += 1.0;
    }

    /// The mean over all members of a group.
    fn over(self, group: &dyn Group, lane: Lane) -> f32 {
        let [sum, count] = sums(group, lane, [self.sum, self.count]);
        Mean { sum, count }.get()
    }

    /// The mean so far, 0 of nothing.
    pub fn get(self) -> f32 {
        (self.sum / self.count.max(1.0)) as f32
    }
}

impl ActorReport {
    /// Of an actor that stayed as it was.
    pub fn unchanged(learning_rate: f32) -> Self {
        Self { learning_rate, ..Self::default() }
    }
}

impl<O: Objective> Update<'_, O> {
    /// Trains the actor, starting at `rate`.
    pub fn train_actor(&self, mut actor: Trainee, rate: f32) -> Result<(Trainee, ActorReport), NotFinite> {
        let group = &*self.compute.group;
        let mut report = ActorReport { learning_rate: rate, ..ActorReport::default() };
        for (epoch, minibatches) in self.minibatches.iter().enumerate() {
            let mut divergence = Mean::default();
            for (index, chunks) in minibatches.iter().enumerate() {
                let minibatch = self.minibatch(chunks);
                let sequence = minibatch.sequence(actor.network.input_width(), &self.rollout.actor_starts);
                let values = actor.network.forward(sequence, minibatch.device);
                let outputs = host(values.clone().inner());
                let cost = self.objective.cost(Outputs { values, log_std: actor.network.log_std() }, &minibatch);
                let ratios = host(cost.ratios);
                if epoch == 0 && index == 0 {
                    let deviation = ratios.iter().map(|ratio| (ratio - 1.0).abs()).fold(0.0, f32::max);
                    report.first_ratio_deviation = largest(group, Lane::Actor, deviation);
                }
                let clipped = ratios.iter().filter(|ratio| self.objective.is_clipped(**ratio)).count();
                report.clip_fraction.add(clipped as f32 / ratios.len() as f32);
                self.add_divergence(&mut divergence, &minibatch, (&outputs, &actor.network.log_std_values()));
                let (next, descent) = actor.descend(&cost.loss, self.step(report.learning_rate, Lane::Actor))?;
                report.loss.add(descent.loss);
                report.gradient_norm.add(descent.gradient_norm);
                actor = next;
            }
            report.kl = divergence.over(group, Lane::Actor);
            report.learning_rate = self.objective.next_rate(report.learning_rate, report.kl);
        }
        Ok((actor, report))
    }

    /// Trains the critic.
    pub fn train_critic(&self, mut critic: Trainee) -> Result<(Trainee, CriticReport), NotFinite> {
        let (rollout, clip) = (self.rollout, self.config.value_clip);
        let mut report = CriticReport::default();
        for chunks in self.minibatches.iter().flatten() {
            let minibatch = self.minibatch(chunks);
            let sequence = minibatch.sequence(critic.network.input_width(), &rollout.critic_starts);
            let values = critic.network.forward(sequence, minibatch.device);
            let before = (clip > 0.0).then(|| minibatch.tensor(&rollout.values));
            let loss = value_loss(values, minibatch.tensor(&rollout.returns), before, clip);
            let (next, descent) = critic.descend(&loss, self.step(self.config.critic_learning_rate, Lane::Critic))?;
            report.loss.add(descent.loss);
            report.gradient_norm.add(descent.gradient_norm);
            critic = next;
        }
        Ok((critic, report))
    }

    fn minibatch<'s>(&'s self, chunks: &'s [usize]) -> Minibatch<'s> {
        let cut = Cut { world_count: self.rollout.world_count, chunk_length: self.config.chunk_length() };
        Minibatch { rollout: self.rollout, cut, chunks, device: &self.compute.device }
    }

    fn step(&self, rate: f32, lane: Lane) -> Step<'_> {
        Step { rate, max_norm: self.config.max_gradient_norm, group: &*self.compute.group, lane }
    }

    /// Adds every sample's KL divergence of the policy as it is from the one that collected.
    fn add_divergence(&self, mean: &mut Mean, minibatch: &Minibatch<'_>, (outputs, log_std): (&[f32], &[f32])) {
        let (rollout, head) = (self.rollout, self.config.action_head());
        let width = rollout.outputs.len() / rollout.rewards.len();
        let old = minibatch.rows(&rollout.outputs);
        let divergences = head.kl_of_rows((&old, &rollout.log_std), (outputs, log_std), width);
        divergences.into_iter().for_each(|divergence| mean.add(divergence));
    }
}

/// Mean squared error of `values`, `[N, 1]`. With a clip, a value that moved further than this from the one before
/// the update counts with the larger of both errors (the value clipping of OpenAI Baselines' ppo2).
pub(crate) fn value_loss(values: Tensor<2>, returns: Tensor<2>, before: Option<Tensor<2>>, clip: f32) -> Tensor<1> {
    let errors = (values.clone() - returns.clone()).square();
    match before {
        None => errors.mean(),
        Some(before) => {
            let clipped = before.clone() + (values - before).clamp(-clip, clip);
            errors.max_pair((clipped - returns).square()).mean()
        }
    }
}
