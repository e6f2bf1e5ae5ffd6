//! The losses of proximal policy optimization, with gradients (Schulman et al. 2017, equations 7 and 9).

use crate::categorical::bin_of;
use crate::config::PpoConfig;
use crate::gaussian::HALF_LN_TWO_PI;
use crate::head::ActionHead;
use crate::network::upload;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor};

/// Mean actions beyond this are penalised: the decoder clips at 1.
const ACTION_BOUND: f32 = 1.1;

/// What was done in N samples, and how well it turned out.
#[derive(Debug, Clone)]
pub(crate) struct Samples {
    /// `[N, actions]`.
    pub actions: Vec<f32>,
    /// Logarithms of how probable the actions were, `[N, 1]`.
    pub log_probs: Tensor<2>,
    /// `[N, 1]`.
    pub advantages: Tensor<2>,
}

/// The actor's loss, and what is reported of it.
pub(crate) struct Surrogate {
    pub loss: Tensor<1>,
    /// How much more probable each sample is now, `[N, 1]`, without gradients.
    pub ratios: Tensor<2>,
}

/// The clipped surrogate with its entropy bonus and, for means, the penalty on leaving the decoder's range.
pub(crate) fn surrogate(
    (head, config, device): (ActionHead, &PpoConfig, &Device),
    outputs: Tensor<2>,
    log_std: Option<Tensor<1>>,
    samples: Samples,
) -> Surrogate {
    let sample_count = outputs.dims()[0];
    let Likelihood { log_probs, entropy, penalty } = match (head, log_std) {
        (ActionHead::Gaussian, Some(log_std)) => {
            let width = outputs.dims()[1];
            gaussian(outputs, log_std, upload(samples.actions, sample_count, width, device))
        }
        (ActionHead::Gaussian, None) => unreachable!("a Gaussian actor is made with standard deviations"),
        (ActionHead::Categorical { bin_count }, _) => categorical(outputs, &samples.actions, bin_count, device),
    };
    let ratio = (log_probs - samples.log_probs).exp();
    let clip = config.clip_ratio;
    let clipped = ratio.clone().clamp(1.0 - clip, 1.0 + clip) * samples.advantages.clone();
    let policy_loss = (ratio.clone() * samples.advantages).min_pair(clipped).mean().neg();
    let mut loss = policy_loss - entropy * config.entropy_coefficient;
    if let Some(penalty) = penalty {
        loss = loss + penalty * config.action_bound_coefficient;
    }
    Surrogate { loss, ratios: ratio.inner() }
}

struct Likelihood {
    /// `[N, 1]`.
    log_probs: Tensor<2>,
    /// Mean, but for a constant.
    entropy: Tensor<1>,
    /// Mean square of how far means lie outside the decoder's range.
    penalty: Option<Tensor<1>>,
}

fn gaussian(means: Tensor<2>, log_std: Tensor<1>, actions: Tensor<2>) -> Likelihood {
    let width = means.dims()[1];
    let log_std_sum = log_std.clone().sum().reshape([1, 1]);
    let z = (actions - means.clone()) * log_std.neg().exp().reshape([1, width]);
    let log_probs = z.square().sum_dim(1).mul_scalar(-0.5) - log_std_sum.clone() - HALF_LN_TWO_PI * width as f32;
    let penalty = (means.abs() - ACTION_BOUND).clamp_min(0.0).square().mean();
    Likelihood { log_probs, entropy: log_std_sum.reshape([1]), penalty: Some(penalty) }
}

fn categorical(logits: Tensor<2>, actions: &[f32], bin_count: usize, device: &Device) -> Likelihood {
    let [sample_count, output_width] = logits.dims();
    let row_count = actions.len();
    // One-hot rows instead of gathering: its gradient is a product, which every backend does well.
    let mut chosen = vec![0.0; row_count * bin_count];
    for (row, action) in chosen.chunks_exact_mut(bin_count).zip(actions) {
        row[bin_of(*action, bin_count)] = 1.0;
    }
    let chosen = upload(chosen, sample_count, output_width, device);
    let log_probabilities = log_softmax(logits.reshape([row_count, bin_count]), 1);
    let entropy = (log_probabilities.clone().exp() * log_probabilities.clone()).sum() / -(sample_count as f32);
    let log_probs = (log_probabilities.reshape([sample_count, output_width]) * chosen).sum_dim(1);
    Likelihood { log_probs, entropy, penalty: None }
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
