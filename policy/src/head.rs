//! From what an actor puts out to actions, and how probable they were: without gradients.
//!
//! The update computes the same with gradients: [`crate::objective`].

use crate::{categorical, gaussian};
use giraffe_robots::StreamRng;
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// What an actor's outputs mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionHead {
    /// One mean per action; the standard deviation is a parameter of its own.
    #[default]
    Gaussian,
    /// Logits of evenly spaced bins in [-1, 1] for every action.
    Categorical {
        /// Bins per action, at least 2.
        bin_count: usize,
    },
}

/// A distribution of actions: an actor's outputs, and its logarithms of standard deviations (Gaussian only).
pub(crate) type Distribution<'a> = (&'a [f32], &'a [f32]);

impl ActionHead {
    /// Numbers an actor puts out for this many actions.
    pub fn output_width(self, action_width: usize) -> usize {
        match self {
            Self::Gaussian => action_width,
            Self::Categorical { bin_count } => action_width * bin_count,
        }
    }

    /// Actions described by this many outputs.
    pub fn action_width(self, output_width: usize) -> usize {
        match self {
            Self::Gaussian => output_width,
            Self::Categorical { bin_count } => output_width / bin_count.max(1),
        }
    }

    /// The most probable actions.
    pub fn mode(self, outputs: &[f32], actions: &mut [f32]) {
        match self {
            Self::Gaussian => actions.copy_from_slice(outputs),
            Self::Categorical { bin_count } => {
                for (action, logits) in actions.iter_mut().zip(outputs.chunks_exact(bin_count)) {
                    *action = categorical::action_of(categorical::mode(logits), bin_count);
                }
            }
        }
    }

    /// Fills `noise`, one number per action, with what [`ActionHead::draw`] needs.
    pub(crate) fn fill_noise(self, rng: &mut StreamRng, noise: &mut [f32]) {
        match self {
            Self::Gaussian => gaussian::fill_standard_normal(rng, noise),
            Self::Categorical { .. } => noise.iter_mut().for_each(|u| *u = rng.random()),
        }
    }

    /// Appends actions drawn with `noise`.
    pub(crate) fn draw(self, (outputs, log_std): Distribution<'_>, noise: &[f32], actions: &mut Vec<f32>) {
        match self {
            Self::Gaussian => {
                let drawn = outputs.iter().zip(noise).zip(log_std).map(|((m, z), log_std)| m + log_std.exp() * z);
                actions.extend(drawn);
            }
            Self::Categorical { bin_count } => actions.extend(
                outputs
                    .chunks_exact(bin_count)
                    .zip(noise)
                    .map(|(logits, u)| categorical::action_of(categorical::draw(logits, *u), bin_count)),
            ),
        }
    }

    /// Logarithm of the density or probability of `action`.
    pub(crate) fn log_prob(self, action: &[f32], (outputs, log_std): Distribution<'_>) -> f32 {
        match self {
            Self::Gaussian => gaussian::log_prob(action, outputs, log_std),
            Self::Categorical { .. } => categorical::log_prob(action, outputs),
        }
    }

    /// KL(old || new) for every `width` outputs, nats.
    pub(crate) fn kl_of_rows(self, old: Distribution<'_>, new: Distribution<'_>, width: usize) -> Vec<f32> {
        let spreads = gaussian::Spreads::new(old.1, new.1);
        let rows = old.0.chunks_exact(width).zip(new.0.chunks_exact(width));
        let kl = |(old, new)| match self {
            Self::Gaussian => spreads.kl(old, new),
            Self::Categorical { bin_count } => categorical::kl(old, new, bin_count),
        };
        rows.map(kl).collect()
    }

    /// Entropy, nats.
    pub(crate) fn entropy(self, (outputs, log_std): Distribution<'_>) -> f32 {
        match self {
            Self::Gaussian => gaussian::entropy(log_std),
            Self::Categorical { bin_count } => categorical::entropy(outputs, bin_count),
        }
    }

    /// Mean standard deviation over actions.
    pub(crate) fn mean_std(self, (outputs, log_std): Distribution<'_>) -> f32 {
        let (sum, count) = match self {
            Self::Gaussian => (log_std.iter().map(|x| x.exp()).sum::<f32>(), log_std.len()),
            Self::Categorical { bin_count } => {
                let rows = outputs.chunks_exact(bin_count);
                let count = rows.len();
                (rows.map(categorical::std).sum(), count)
            }
        };
        sum / count.max(1) as f32
    }
}
