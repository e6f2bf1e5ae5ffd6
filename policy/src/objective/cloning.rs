//! Cloning: acting as a teacher would, wherever the learner comes by its own doing.
//!
//! The learner acts and the teacher says what it would have done there (Ross, Gordon, Bagnell 2011, "DAgger"); the loss is
//! how far the learner's whole distribution of actions is from the teacher's, not from one action (policy distillation,
//! Rusu et al. 2016). So it learns how sure the teacher is, too.

use super::likelihood::likelihood;
use super::{Cost, Loss, Minibatch, Outputs};
use crate::config::PpoConfig;
use crate::head::ActionHead;
use crate::rollout::Labels;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor};

/// KL(teacher || learner), nats, mean over samples, from the labels of a [`crate::Teacher`].
///
/// The learning rate stays as it is: no step has to stay near the policy that collected. Rewards teach the critic only.
#[derive(Debug, Clone)]
pub struct Cloning {
    head: ActionHead,
}

impl Cloning {
    /// KL(teacher || learner) of every sample, `[N, 1]`.
    fn divergence(&self, outputs: Outputs, labels: Labels, device: &Device) -> Tensor<2> {
        let [sample_count, width] = outputs.values.dims();
        let upload = |numbers| crate::network::upload(numbers, sample_count, width, device);
        match (self.head, outputs.log_std) {
            (ActionHead::Gaussian, Some(log_std)) => {
                between_normals(outputs.values, log_std, upload(labels.outputs), upload(labels.log_std))
            }
            (ActionHead::Gaussian, None) => unreachable!("a Gaussian actor is made with standard deviations"),
            (ActionHead::Categorical { bin_count }, _) => {
                between_bins(outputs.values, upload(labels.outputs), bin_count)
            }
        }
    }
}

/// As [`crate::kl`], of `[N, A]` from `[N, A]`.
fn between_normals(
    means: Tensor<2>,
    log_std: Tensor<1>,
    of_teacher: Tensor<2>,
    log_std_of_teacher: Tensor<2>,
) -> Tensor<2> {
    let width = means.dims()[1];
    let log_std = log_std.reshape([1, width]);
    let precision = log_std.clone().mul_scalar(-2.0).exp();
    let variance_of_teacher = log_std_of_teacher.clone().mul_scalar(2.0).exp();
    let apart = ((of_teacher - means).square() + variance_of_teacher) * precision;
    (apart.mul_scalar(0.5) + log_std - log_std_of_teacher - 0.5).sum_dim(1)
}

/// As [`crate::categorical::kl`], of logits `[N, A bins]` from `[N, A bins]`.
fn between_bins(logits: Tensor<2>, of_teacher: Tensor<2>, bin_count: usize) -> Tensor<2> {
    let [sample_count, width] = logits.dims();
    let rows = |logits: Tensor<2>| log_softmax(logits.reshape([sample_count * width / bin_count, bin_count]), 1);
    let (own, of_teacher) = (rows(logits), rows(of_teacher));
    (of_teacher.clone().exp() * (of_teacher - own)).reshape([sample_count, width]).sum_dim(1)
}

impl Loss for Cloning {
    fn new(config: &PpoConfig) -> Self {
        Self { head: config.action_head() }
    }

    fn cost(&self, outputs: Outputs, minibatch: &Minibatch<'_>) -> Cost {
        let Minibatch { rollout, device, .. } = *minibatch;
        let labels = Labels {
            outputs: minibatch.rows(&rollout.labels.outputs),
            log_std: minibatch.rows(&rollout.labels.log_std),
        };
        let own =
            Outputs { values: outputs.values.clone().inner(), log_std: outputs.log_std.clone().map(Tensor::inner) };
        let log_probs = likelihood(self.head, own, minibatch.rows(&rollout.actions), device).log_probs;
        let ratios = (log_probs - minibatch.tensor(&rollout.log_probs)).exp();
        Cost { loss: self.divergence(outputs, labels, device).mean(), ratios }
    }

    fn is_clipped(&self, _ratio: f32) -> bool {
        false
    }

    fn next_rate(&self, rate: f32, _divergence: f32) -> f32 {
        rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::host;
    use crate::{categorical, gaussian};
    use giraffe_robots::{SeedTree, Stream};

    const SAMPLES: usize = 5;

    fn draw(count: usize, episode: u64) -> Vec<f32> {
        let mut values = vec![0.0; count];
        gaussian::fill_standard_normal(&mut SeedTree::new(3).stream(Stream::Toy, 0, episode), &mut values);
        values
    }

    /// Divergences of every sample, with the gradients of their mean by outputs and, of means, log_std.
    fn run(head: ActionHead, [outputs, log_std]: [&[f32]; 2], labels: &Labels) -> [Vec<f32>; 3] {
        let device = Device::flex();
        let training = device.clone().autodiff();
        let values =
            crate::network::upload(outputs.to_vec(), SAMPLES, outputs.len() / SAMPLES, &training).require_grad();
        let log_std = Tensor::<1>::from_floats(log_std, &training).require_grad();
        let given = Outputs { values: values.clone(), log_std: Some(log_std.clone()) };
        let divergences = Cloning { head }.divergence(given, labels.clone(), &device);
        let gradients = divergences.clone().mean().backward();
        let of_log_std = log_std.grad(&gradients).map_or_else(Vec::new, host);
        [host(divergences.inner()), host(values.grad(&gradients).expect("a gradient")), of_log_std]
    }

    /// Slope of a mean of divergences by every one of `numbers`.
    fn slopes(numbers: &[f32], mean: impl Fn(&[f32]) -> f64) -> Vec<f64> {
        const NUDGE: f32 = 1.0 / 64.0;
        let nudged = |index: usize, by: f32| {
            let mut numbers = numbers.to_vec();
            numbers[index] += by;
            mean(&numbers)
        };
        (0..numbers.len())
            .map(|index| (nudged(index, NUDGE) - nudged(index, -NUDGE)) / f64::from(2.0 * NUDGE))
            .collect()
    }

    fn agree(found: &[f32], expected: &[f64], bound: f64) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() < bound * (1.0 + expected.abs()), "{found} for {expected}");
        }
        assert!(expected.iter().any(|expected| expected.abs() > 0.05), "{expected:?}");
    }

    #[test]
    fn the_loss_of_means_is_their_divergence_and_its_gradients_are_slopes() {
        let (means, log_std) = (draw(SAMPLES * 3, 0), draw(3, 1));
        // The teacher is not equally sure everywhere.
        let labels = Labels { outputs: draw(SAMPLES * 3, 2), log_std: draw(SAMPLES * 3, 3) };
        let of_sample = |sample: usize, means: &[f32], log_std: &[f32]| {
            let at = sample * 3..sample * 3 + 3;
            f64::from(gaussian::kl((&labels.outputs[at.clone()], &labels.log_std[at.clone()]), (&means[at], log_std)))
        };
        let [found, by_means, by_log_std] = run(ActionHead::Gaussian, [&means, &log_std], &labels);
        agree(&found, &(0..SAMPLES).map(|n| of_sample(n, &means, &log_std)).collect::<Vec<_>>(), 1e-5);
        let mean = |means: &[f32], log_std: &[f32]| {
            (0..SAMPLES).map(|n| of_sample(n, means, log_std)).sum::<f64>() / SAMPLES as f64
        };
        agree(&by_means, &slopes(&means, |means| mean(means, &log_std)), 5e-3);
        agree(&by_log_std, &slopes(&log_std, |log_std| mean(&means, log_std)), 5e-3);
    }

    #[test]
    fn the_loss_of_bins_is_their_divergence_and_its_gradients_are_slopes() {
        let (bin_count, width) = (4, 8);
        let logits = draw(SAMPLES * width, 4);
        let labels = Labels { outputs: draw(SAMPLES * width, 5), log_std: Vec::new() };
        let of_sample = |sample: usize, logits: &[f32]| {
            let at = sample * width..(sample + 1) * width;
            f64::from(categorical::kl(&labels.outputs[at.clone()], &logits[at], bin_count))
        };
        let [found, by_logits, _] = run(ActionHead::Categorical { bin_count }, [&logits, &[]], &labels);
        agree(&found, &(0..SAMPLES).map(|n| of_sample(n, &logits)).collect::<Vec<_>>(), 1e-5);
        let mean = |logits: &[f32]| (0..SAMPLES).map(|n| of_sample(n, logits)).sum::<f64>() / SAMPLES as f64;
        agree(&by_logits, &slopes(&logits, mean), 5e-3);
    }
}
