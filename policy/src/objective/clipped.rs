//! Proximal policy optimization: what paid more than expected becomes more probable, within limits (Schulman et al. 2017,
//! equations 7 and 9).

use super::likelihood::{Likelihood, likelihood};
use super::{Cost, Loss, Minibatch, Outputs};
use crate::config::PpoConfig;
use crate::head::ActionHead;
use burn::tensor::{Device, Tensor};

/// The clipped surrogate with its entropy bonus and, for means, the penalty on leaving the decoder's range. The learning
/// rate follows the divergence.
#[derive(Debug, Clone)]
pub struct Clipped {
    head: ActionHead,
    clip_ratio: f32,
    entropy_coefficient: f32,
    action_bound_coefficient: f32,
    kl_bounds: [f32; 2],
    learning_rate_factor: f32,
    learning_rate_bounds: [f32; 2],
}

/// What was done in N samples, and how well it turned out.
#[derive(Debug, Clone)]
pub(crate) struct Samples {
    /// `[N, A]`.
    pub actions: Vec<f32>,
    /// Logarithms of how probable the actions were, `[N, 1]`.
    pub log_probs: Tensor<2>,
    /// `[N, 1]`.
    pub advantages: Tensor<2>,
}

impl Clipped {
    pub(crate) fn surrogate(&self, outputs: Outputs, samples: Samples, device: &Device) -> Cost {
        let Likelihood { log_probs, entropy, penalty } = likelihood(self.head, outputs, samples.actions, device);
        let ratio = (log_probs - samples.log_probs).exp();
        let clip = self.clip_ratio;
        let clipped = ratio.clone().clamp(1.0 - clip, 1.0 + clip) * samples.advantages.clone();
        let policy_loss = (ratio.clone() * samples.advantages).min_pair(clipped).mean().neg();
        let mut loss = policy_loss - entropy * self.entropy_coefficient;
        if let Some(penalty) = penalty {
            loss = loss + penalty * self.action_bound_coefficient;
        }
        Cost { loss, ratios: ratio.inner() }
    }
}

impl Loss for Clipped {
    fn new(config: &PpoConfig) -> Self {
        Self {
            head: config.action_head(),
            clip_ratio: config.clip_ratio,
            entropy_coefficient: config.entropy_coefficient,
            action_bound_coefficient: config.action_bound_coefficient,
            kl_bounds: config.kl_bounds,
            learning_rate_factor: config.learning_rate_factor,
            learning_rate_bounds: config.learning_rate_bounds,
        }
    }

    fn cost(&self, outputs: Outputs, minibatch: &Minibatch<'_>) -> Cost {
        let rollout = minibatch.rollout;
        let samples = Samples {
            actions: minibatch.rows(&rollout.actions),
            log_probs: minibatch.tensor(&rollout.log_probs),
            advantages: minibatch.tensor(&rollout.advantages),
        };
        self.surrogate(outputs, samples, minibatch.device)
    }

    fn is_clipped(&self, ratio: f32) -> bool {
        (ratio - 1.0).abs() > self.clip_ratio
    }

    fn next_rate(&self, rate: f32, divergence: f32) -> f32 {
        let ([low, high], [least, most]) = (self.kl_bounds, self.learning_rate_bounds);
        let wanted = if divergence > high {
            rate / self.learning_rate_factor
        } else if divergence < low {
            rate * self.learning_rate_factor
        } else {
            rate
        };
        wanted.clamp(least, most)
    }
}
