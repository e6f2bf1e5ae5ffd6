//! The update: proximal policy optimization (Schulman et al. 2017) over whole sequences of a rollout.
//!
//! Actor and critic share nothing, so each learns on its own thread.

use crate::config::PpoConfig;
use crate::gaussian::{HALF_LN_TWO_PI, kl};
use crate::network::{Sequence, host, upload};
use crate::rollout::{RecurrentState, Rollout, gather_worlds};
use crate::trainee::{NotFinite, Trainee};
use burn::tensor::{Device, Tensor};

/// Mean actions beyond this are penalised: the decoder clips at 1.
const ACTION_BOUND: f32 = 1.1;

/// Everything an update reads.
#[derive(Clone, Copy)]
pub(crate) struct Update<'a> {
    pub config: &'a PpoConfig,
    pub rollout: &'a Rollout,
    /// Per epoch, per gradient step: which worlds.
    pub minibatches: &'a [Vec<Vec<usize>>],
    pub device: &'a Device,
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
            for (index, worlds) in minibatches.iter().enumerate() {
                let step = self.actor_loss(&actor, worlds);
                let ratios = host(step.ratio);
                if epoch == 0 && index == 0 {
                    report.first_ratio_deviation = ratios.iter().map(|ratio| (ratio - 1.0).abs()).fold(0.0, f32::max);
                }
                let is_clipped = |ratio: &&f32| (*ratio - 1.0).abs() > self.config.clip_ratio;
                report.clip_fraction.add(ratios.iter().filter(is_clipped).count() as f32 / ratios.len() as f32);
                divergence.add(self.divergence(worlds, &host(step.mean), &host(actor.network.log_std().inner())));
                report.loss.add(finite(step.loss.clone())?);
                let (next, norm) = actor.descend(&step.loss, report.learning_rate, self.config.max_gradient_norm)?;
                report.gradient_norm.add(norm);
                actor = next;
            }
            report.kl = divergence.get();
            report.learning_rate = self.adapted_rate(report.learning_rate, report.kl);
        }
        Ok((actor, report))
    }

    /// Trains the critic.
    pub fn train_critic(self, mut critic: Trainee) -> Result<(Trainee, CriticReport), NotFinite> {
        let mut report = CriticReport::default();
        for worlds in self.minibatches.iter().flatten() {
            let sequence = self.sequence(worlds, self.column_count(), &self.rollout.critic_start);
            let values = critic.network.forward(sequence, self.device);
            let loss = (values - self.column(&self.rollout.returns, worlds)).square().mean();
            report.loss.add(finite(loss.clone())?);
            let (next, norm) =
                critic.descend(&loss, self.config.critic_learning_rate, self.config.max_gradient_norm)?;
            report.gradient_norm.add(norm);
            critic = next;
        }
        Ok((critic, report))
    }

    fn actor_loss(self, actor: &Trainee, worlds: &[usize]) -> ActorStep {
        let rollout = self.rollout;
        let sequence = self.sequence(worlds, actor.network.input_width(), &rollout.actor_start);
        let mean = actor.network.forward(sequence, self.device);
        let [sample_count, action_width] = mean.dims();
        let actions = gather_worlds(&rollout.actions, rollout.world_count, action_width, action_width, worlds);
        let actions = upload(actions, sample_count, action_width, self.device);

        let log_std = actor.network.log_std();
        let log_std_sum = log_std.clone().sum().reshape([1, 1]);
        let z = (actions - mean.clone()) * log_std.neg().exp().reshape([1, action_width]);
        let log_prob =
            z.square().sum_dim(1).mul_scalar(-0.5) - log_std_sum.clone() - HALF_LN_TWO_PI * action_width as f32;
        let ratio = (log_prob - self.column(&rollout.log_probs, worlds)).exp();
        let advantage = self.column(&rollout.advantages, worlds);
        let clip = self.config.clip_ratio;
        let clipped = ratio.clone().clamp(1.0 - clip, 1.0 + clip) * advantage.clone();
        let policy_loss = (ratio.clone() * advantage).min_pair(clipped).mean().neg();
        let entropy = log_std_sum.reshape([1]);
        let outside = (mean.clone().abs() - ACTION_BOUND).clamp_min(0.0).square().mean();
        let loss =
            policy_loss - entropy * self.config.entropy_coefficient + outside * self.config.action_bound_coefficient;
        ActorStep { loss, ratio: ratio.inner(), mean: mean.inner() }
    }

    /// KL divergence of the policy as it is from the one that collected, averaged over samples.
    fn divergence(self, worlds: &[usize], means: &[f32], log_std: &[f32]) -> f32 {
        let rollout = self.rollout;
        let width = log_std.len();
        let old = gather_worlds(&rollout.means, rollout.world_count, width, width, worlds);
        let mut mean = Mean::default();
        for (old, new) in old.chunks_exact(width).zip(means.chunks_exact(width)) {
            mean.add(kl((old, &rollout.log_std), (new, log_std)));
        }
        mean.get()
    }

    fn adapted_rate(self, rate: f32, divergence: f32) -> f32 {
        let PpoConfig { kl_bounds: [low, high], learning_rate_bounds: [least, most], .. } = *self.config;
        let factor = self.config.learning_rate_factor;
        if divergence > high {
            (rate / factor).max(least)
        } else if divergence < low {
            (rate * factor).min(most)
        } else {
            rate
        }
    }

    fn column_count(self) -> usize {
        self.rollout.observations.len() / self.rollout.rewards.len()
    }

    /// What a network reads in some worlds: its first `take` columns.
    fn sequence(self, worlds: &[usize], take: usize, start: &RecurrentState) -> Sequence {
        let rollout = self.rollout;
        Sequence {
            observations: gather_worlds(&rollout.observations, rollout.world_count, self.column_count(), take, worlds),
            state: start.rows(worlds.iter().copied()),
            keep: gather_worlds(&rollout.keep, rollout.world_count, 1, 1, worlds),
        }
    }

    /// One number per sample, `[T W, 1]`.
    fn column(self, source: &[f32], worlds: &[usize]) -> Tensor<2> {
        let values = gather_worlds(source, self.rollout.world_count, 1, 1, worlds);
        let sample_count = values.len();
        upload(values, sample_count, 1, self.device)
    }
}

struct ActorStep {
    loss: Tensor<1>,
    ratio: Tensor<2>,
    mean: Tensor<2>,
}

fn finite(loss: Tensor<1>) -> Result<f32, NotFinite> {
    let value = loss.inner().into_scalar::<f32>();
    if value.is_finite() { Ok(value) } else { Err(NotFinite) }
}
