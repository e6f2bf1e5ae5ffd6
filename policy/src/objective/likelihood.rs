//! How probable actions are, with gradients: the formulas of [`crate::gaussian`] and [`crate::categorical`].

use super::Outputs;
use crate::categorical::bin_of;
use crate::gaussian::HALF_LN_TWO_PI;
use crate::head::ActionHead;
use crate::network::upload;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor};

/// Mean actions beyond this are penalised: the decoder clips at 1.
const ACTION_BOUND: f32 = 1.1;

pub(super) struct Likelihood {
    /// `[N, 1]`.
    pub log_probs: Tensor<2>,
    /// Mean, but for a constant.
    pub entropy: Tensor<1>,
    /// Mean square of how far means lie outside the decoder's range.
    pub penalty: Option<Tensor<1>>,
}

/// Of `actions`, `[N, A]`, which may lie on another device than gradients are computed on.
pub(super) fn likelihood(head: ActionHead, outputs: Outputs, actions: Vec<f32>, device: &Device) -> Likelihood {
    let Outputs { values, log_std } = outputs;
    match (head, log_std) {
        (ActionHead::Gaussian, Some(log_std)) => {
            let [sample_count, width] = values.dims();
            gaussian(values, log_std, upload(actions, sample_count, width, device))
        }
        (ActionHead::Gaussian, None) => unreachable!("a Gaussian actor is made with standard deviations"),
        (ActionHead::Categorical { bin_count }, _) => categorical(values, &actions, bin_count, device),
    }
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
