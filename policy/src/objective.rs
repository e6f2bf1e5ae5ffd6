//! What an actor learns for: the loss that its outputs have.

mod clipped;
mod cloning;
mod likelihood;
mod minibatch;

use crate::config::PpoConfig;
use burn::tensor::Tensor;
pub use clipped::Clipped;
#[cfg(test)]
pub(crate) use clipped::Samples;
pub use cloning::Cloning;
pub use minibatch::Minibatch;
use std::fmt::Debug;

/// What a [`crate::Learner`]'s actor learns for: [`Clipped`] or [`Cloning`].
///
/// A loss is written in the types of the tensor library, which stay inside this crate. So a new one is a file beside
/// these two, and nothing else about learning changes with it.
pub trait Objective: Loss {}

impl<L: Loss> Objective for L {}

/// The inside of an [`Objective`].
pub trait Loss: Debug + Send + Sync {
    /// With what `config` says of it.
    fn new(config: &PpoConfig) -> Self;

    /// What `outputs` cost in the samples of a minibatch.
    fn cost(&self, outputs: Outputs, minibatch: &Minibatch<'_>) -> Cost;

    /// Whether a sample that is so many times as probable as when it was collected counts for less because of that.
    fn is_clipped(&self, ratio: f32) -> bool;

    /// The learning rate after an epoch at `rate` whose policies diverged so much from the one that collected, nats.
    fn next_rate(&self, rate: f32, divergence: f32) -> f32;
}

/// What an actor puts out for N samples, with gradients.
#[derive(Debug, Clone)]
pub struct Outputs {
    /// `[N, O]`: means, or logits of every value of every action.
    pub values: Tensor<2>,
    /// `[A]`: logarithms of the standard deviations of means.
    pub log_std: Option<Tensor<1>>,
}

/// What outputs cost.
#[derive(Debug, Clone)]
pub struct Cost {
    /// What to descend.
    pub loss: Tensor<1>,
    /// How many times as probable each sample's actions are as when they were collected, `[N, 1]`, without gradients.
    pub ratios: Tensor<2>,
}
