//! What an iteration amounted to, over all members of the group.

use super::Learner;
use crate::group::{Group, Lane, largest, sums};
use crate::head::ActionHead;
use crate::objective::Objective;
use crate::rollout::{Rollout, moments};
use crate::update::{ActorReport, CriticReport};
use giraffe_robots::EpisodeEnd;
use serde::{Deserialize, Serialize};

/// What one iteration amounted to.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct IterationReport {
    /// Iterations done, this one included.
    pub iteration: u64,
    /// Control steps collected in all worlds since the start.
    pub control_steps: u64,
    /// Mean reward per step, as the worlds gave it.
    pub mean_reward: f32,
    /// Episodes that ended.
    pub episode_count: u64,
    /// Episodes cut off by the clock.
    pub timeout_count: u64,
    /// What the actor's outputs cost, mean over gradient steps: the clipped surrogate with its penalties or, cloning, the
    /// divergence from the teacher, nats.
    pub policy_loss: f32,
    /// Mean squared error of the critic, mean over gradient steps.
    pub value_loss: f32,
    /// Entropy of the policy, nats.
    pub entropy: f32,
    /// Mean standard deviation of exploration.
    pub mean_std: f32,
    /// KL divergence of the policy in the last epoch from the one that collected, nats.
    pub approx_kl: f32,
    /// Share of samples whose probability ratio was clipped; 0 where nothing is.
    pub clip_fraction: f32,
    /// Share of the returns' variance that the critic foresaw.
    pub explained_variance: f32,
    /// Mean of what came of the steps: discounted rewards, with the critic's guess of what lies beyond the rollout. This
    /// and the numbers after it, up to `largest_advantage`, are of rewards as learned from: divided by their scale where `ppo.reward_normalization` is on.
    pub return_mean: f32,
    /// Their standard deviation.
    pub return_std: f32,
    /// Mean of what the critic had foreseen.
    pub value_mean: f32,
    /// Its standard deviation.
    pub value_std: f32,
    /// Largest |value|.
    pub largest_value: f32,
    /// Goals that were reached.
    pub success_count: u64,
    /// What reaching one was worth, by the critic, mean over them: its reward, and what the situation after it is worth in
    /// which there is another goal, less what the situation before it was. Below zero it pays to stay close to a goal and
    /// not to reach it. None where none was reached.
    pub success_value: Option<f32>,
    /// Largest |reward| of a step.
    pub largest_reward: f32,
    /// Largest |advantage|, before advantages are brought to unit variance.
    pub largest_advantage: f32,
    /// Length of the actor's gradient before clipping, mean.
    pub actor_gradient_norm: f32,
    /// Length of the critic's gradient before clipping, mean.
    pub critic_gradient_norm: f32,
    /// The actor's learning rate from now on.
    pub learning_rate: f32,
    /// Largest |ratio - 1| before anything was learned: 0 but for rounding, or rollout and update disagree.
    pub first_ratio_deviation: f32,
}

/// What a rollout was worth.
struct Worth {
    return_mean: f32,
    return_std: f32,
    value_mean: f32,
    value_std: f32,
    largest_value: f32,
    largest_reward: f32,
    largest_advantage: f32,
}

impl Worth {
    fn of(rollout: &Rollout, group: &dyn Group) -> Self {
        let most = |values: &mut dyn Iterator<Item = f32>| {
            largest(group, Lane::Actor, values.fold(0.0, |most: f32, value| most.max(value.abs())))
        };
        let (returns, values) = (moments(&rollout.returns, group), moments(&rollout.values, group));
        Self {
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
}

impl<O: Objective> Learner<O> {
    pub(super) fn report(&self, rollout: &Rollout, actor: &ActorReport, critic: &CriticReport) -> IterationReport {
        let group = &*self.compute.group;
        let count = |wanted: fn(EpisodeEnd) -> bool| rollout.ends.iter().filter(|end| wanted(**end)).count() as f64;
        let head = self.config.action_head();
        let width = rollout.outputs.len() / rollout.rewards.len();
        let log_std = self.actor.network.log_std_values();
        // A Gaussian's spread does not depend on the observation, and is reported as it is after the update.
        let outputs = match head {
            ActionHead::Gaussian => &rollout.outputs[..width],
            ActionHead::Categorical { .. } => &rollout.outputs,
        };
        let over_samples = |of: &dyn Fn(&[f32]) -> f32| {
            outputs.chunks_exact(width).map(|row| f64::from(of(row))).sum::<f64>() / (outputs.len() / width) as f64
        };
        let own = [
            rollout.mean_reward,
            f64::from(actor.clip_fraction.get()),
            over_samples(&|row| head.entropy((row, &log_std))),
            over_samples(&|row| head.mean_std((row, &log_std))),
            count(|end| end != EpisodeEnd::Running),
            count(|end| end == EpisodeEnd::TimedOut),
        ];
        let [mean_reward, clip_fraction, entropy, mean_std, episode_count, timeout_count] =
            sums(group, Lane::Actor, own);
        let mean = |sum: f64| (sum / group.size() as f64) as f32;
        let worth = Worth::of(rollout, group);
        let (success_count, success_value) = rollout.successes(group);
        IterationReport {
            iteration: self.iteration,
            control_steps: self.control_steps(),
            mean_reward: mean(mean_reward),
            episode_count: episode_count as u64,
            timeout_count: timeout_count as u64,
            policy_loss: actor.loss.get(),
            value_loss: critic.loss.get(),
            entropy: mean(entropy),
            mean_std: mean(mean_std),
            approx_kl: actor.kl,
            clip_fraction: mean(clip_fraction),
            explained_variance: rollout.explained_variance(group),
            return_mean: worth.return_mean,
            return_std: worth.return_std,
            value_mean: worth.value_mean,
            value_std: worth.value_std,
            largest_value: worth.largest_value,
            success_count,
            success_value,
            largest_reward: worth.largest_reward,
            largest_advantage: worth.largest_advantage,
            actor_gradient_norm: actor.gradient_norm.get(),
            critic_gradient_norm: critic.gradient_norm.get(),
            learning_rate: actor.learning_rate,
            first_ratio_deviation: actor.first_ratio_deviation,
        }
    }
}
