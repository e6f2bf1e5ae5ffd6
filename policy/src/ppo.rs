//! The update: proximal policy optimization (Schulman et al. 2017) over whole sequences of a rollout.
//!
//! Actor and critic share nothing, so each learns on its own thread.

use crate::config::PpoConfig;
use crate::group::{Group, Lane, largest, sums};
use crate::head::ActionHead;
use crate::network::{Sequence, host, upload};
use crate::rollout::{Cut, RecurrentState, Rollout};
use crate::surrogate::{Samples, Surrogate, surrogate, value_loss};
use crate::trainee::{NotFinite, Step, Trainee};
use burn::tensor::{Device, Tensor};

/// Everything an update reads.
#[derive(Clone, Copy)]
pub(crate) struct Update<'a> {
    pub config: &'a PpoConfig,
    pub rollout: &'a Rollout,
    pub head: ActionHead,
    /// Per epoch, per gradient step: which chunks.
    pub minibatches: &'a [Vec<Vec<usize>>],
    pub device: &'a Device,
    pub group: &'a dyn Group,
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

impl Update<'_> {
    /// Trains the actor, starting at `rate`.
    pub fn train_actor(self, mut actor: Trainee, rate: f32) -> Result<(Trainee, ActorReport), NotFinite> {
        let mut report = ActorReport { learning_rate: rate, ..ActorReport::default() };
        for (epoch, minibatches) in self.minibatches.iter().enumerate() {
            let mut divergence = Mean::default();
            for (index, chunks) in minibatches.iter().enumerate() {
                let (step, outputs) = self.actor_loss(&actor, chunks);
                let ratios = host(step.ratios);
                if epoch == 0 && index == 0 {
                    let deviation = ratios.iter().map(|ratio| (ratio - 1.0).abs()).fold(0.0, f32::max);
                    report.first_ratio_deviation = largest(self.group, Lane::Actor, deviation);
                }
                let is_clipped = |ratio: &&f32| (*ratio - 1.0).abs() > self.config.clip_ratio;
                report.clip_fraction.add(ratios.iter().filter(is_clipped).count() as f32 / ratios.len() as f32);
                self.add_divergence(&mut divergence, chunks, (&outputs, &actor.network.log_std_values()));
                let (next, descent) = actor.descend(&step.loss, self.step(report.learning_rate, Lane::Actor))?;
                report.loss.add(descent.loss);
                report.gradient_norm.add(descent.gradient_norm);
                actor = next;
            }
            report.kl = divergence.over(self.group, Lane::Actor);
            report.learning_rate = self.adapted_rate(report.learning_rate, report.kl);
        }
        Ok((actor, report))
    }

    /// Trains the critic.
    pub fn train_critic(self, mut critic: Trainee) -> Result<(Trainee, CriticReport), NotFinite> {
        let (rollout, clip) = (self.rollout, self.config.value_clip);
        let mut report = CriticReport::default();
        for chunks in self.minibatches.iter().flatten() {
            let sequence = self.sequence(chunks, self.column_count(), &rollout.critic_starts);
            let values = critic.network.forward(sequence, self.device);
            let before = (clip > 0.0).then(|| self.column(&rollout.values, chunks));
            let loss = value_loss(values, self.column(&rollout.returns, chunks), before, clip);
            let (next, descent) = critic.descend(&loss, self.step(self.config.critic_learning_rate, Lane::Critic))?;
            report.loss.add(descent.loss);
            report.gradient_norm.add(descent.gradient_norm);
            critic = next;
        }
        Ok((critic, report))
    }

    fn step(&self, rate: f32, lane: Lane) -> Step<'_> {
        Step { rate, max_norm: self.config.max_gradient_norm, group: self.group, lane }
    }

    /// The loss over some chunks, and what the actor put out.
    fn actor_loss(self, actor: &Trainee, chunks: &[usize]) -> (Surrogate, Vec<f32>) {
        let rollout = self.rollout;
        let sequence = self.sequence(chunks, actor.network.input_width(), &rollout.actor_starts);
        let outputs = actor.network.forward(sequence, self.device);
        let width = self.head.action_width(outputs.dims()[1]);
        let samples = Samples {
            actions: self.cut().gather(&rollout.actions, width, width, chunks),
            log_probs: self.column(&rollout.log_probs, chunks),
            advantages: self.column(&rollout.advantages, chunks),
        };
        let on_host = host(outputs.clone().inner());
        (surrogate((self.head, self.config, self.device), outputs, actor.network.log_std(), samples), on_host)
    }

    /// Adds every sample's KL divergence of the policy as it is from the one that collected.
    fn add_divergence(self, mean: &mut Mean, chunks: &[usize], (outputs, log_std): (&[f32], &[f32])) {
        let rollout = self.rollout;
        let width = rollout.outputs.len() / rollout.rewards.len();
        let old = self.cut().gather(&rollout.outputs, width, width, chunks);
        for (old, new) in old.chunks_exact(width).zip(outputs.chunks_exact(width)) {
            mean.add(self.head.kl((old, &rollout.log_std), (new, log_std)));
        }
    }

    fn adapted_rate(self, rate: f32, divergence: f32) -> f32 {
        let PpoConfig { kl_bounds: [low, high], learning_rate_bounds: [least, most], .. } = *self.config;
        let factor = self.config.learning_rate_factor;
        let wanted = if divergence > high {
            rate / factor
        } else if divergence < low {
            rate * factor
        } else {
            rate
        };
        wanted.clamp(least, most)
    }

    fn column_count(self) -> usize {
        self.rollout.observations.len() / self.rollout.rewards.len()
    }

    fn cut(self) -> Cut {
        Cut { world_count: self.rollout.world_count, chunk_length: self.config.chunk_length() }
    }

    /// What a network reads in some chunks: its first `take` columns.
    fn sequence(self, chunks: &[usize], take: usize, starts: &RecurrentState) -> Sequence {
        Sequence {
            observations: self.cut().gather(&self.rollout.observations, self.column_count(), take, chunks),
            state: starts.rows(chunks.iter().copied()),
            keep: self.cut().gather(&self.rollout.keep, 1, 1, chunks),
        }
    }

    /// One number per sample, `[samples, 1]`.
    fn column(self, source: &[f32], chunks: &[usize]) -> Tensor<2> {
        let values = self.cut().gather(source, 1, 1, chunks);
        let sample_count = values.len();
        upload(values, sample_count, 1, self.device)
    }
}
