//! What collecting left behind: T steps of W worlds, and the groups of worlds it is learned from.

use crate::advantage::{Experience, generalized_advantages};
use crate::config::PpoConfig;
use giraffe_robots::{EpisodeEnd, StreamRng};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

/// What networks remember of W worlds: h and c, `[W, width]` each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RecurrentState {
    pub h: Vec<f32>,
    pub c: Vec<f32>,
    width: usize,
}

impl RecurrentState {
    pub fn zero(row_count: usize, width: usize) -> Self {
        Self { h: vec![0.0; row_count * width], c: vec![0.0; row_count * width], width }
    }

    /// The state of some rows of `hidden` and `cells`, `[n, width]` each.
    pub fn gather(hidden: &[f32], cells: &[f32], width: usize, rows: impl Iterator<Item = usize>) -> Self {
        let mut state = Self { h: Vec::new(), c: Vec::new(), width };
        for row in rows {
            state.h.extend_from_slice(&hidden[row * width..][..width]);
            state.c.extend_from_slice(&cells[row * width..][..width]);
        }
        state
    }

    pub fn rows(&self, rows: impl Iterator<Item = usize>) -> Self {
        Self::gather(&self.h, &self.c, self.width, rows)
    }

    pub fn forget(&mut self, row: usize) {
        self.h[row * self.width..][..self.width].fill(0.0);
        self.c[row * self.width..][..self.width].fill(0.0);
    }
}

/// T steps of W worlds. Arrays `[T, W, .]`, row-major.
#[derive(Debug, Clone)]
pub(crate) struct Rollout {
    pub world_count: usize,
    pub step_count: usize,
    /// Normalised, all columns.
    pub observations: Vec<f32>,
    pub actions: Vec<f32>,
    /// Means and standard deviations the actions were drawn with.
    pub means: Vec<f32>,
    pub log_std: Vec<f32>,
    pub log_probs: Vec<f32>,
    pub rewards: Vec<f32>,
    pub ends: Vec<EpisodeEnd>,
    /// 0 where an episode ended before the step.
    pub keep: Vec<f32>,
    /// For every time-out, its index in `[T, W]`, and the observation before the reset, normalised.
    pub timeout_indices: Vec<usize>,
    pub timeout_observations: Vec<f32>,
    pub actor_start: RecurrentState,
    pub critic_start: RecurrentState,
    pub values: Vec<f32>,
    pub advantages: Vec<f32>,
    pub returns: Vec<f32>,
}

impl Rollout {
    pub fn new(
        actor_start: RecurrentState,
        critic_start: RecurrentState,
        world_count: usize,
        log_std: Vec<f32>,
    ) -> Self {
        Self {
            world_count,
            step_count: 0,
            observations: Vec::new(),
            actions: Vec::new(),
            means: Vec::new(),
            log_std,
            log_probs: Vec::new(),
            rewards: Vec::new(),
            ends: Vec::new(),
            keep: Vec::new(),
            timeout_indices: Vec::new(),
            timeout_observations: Vec::new(),
            actor_start,
            critic_start,
            values: Vec::new(),
            advantages: Vec::new(),
            returns: Vec::new(),
        }
    }

    /// Fills in advantages, normalised to zero mean and unit variance, and returns.
    pub fn judge(&mut self, timeout_values: &[f32], bootstrap_values: &[f32], config: &PpoConfig) {
        let sample_count = self.rewards.len();
        let mut at_timeouts = vec![0.0; sample_count];
        for (&index, &value) in self.timeout_indices.iter().zip(timeout_values) {
            at_timeouts[index] = value;
        }
        self.advantages.resize(sample_count, 0.0);
        let experience = Experience {
            rewards: &self.rewards,
            values: &self.values,
            ends: &self.ends,
            timeout_values: &at_timeouts,
            bootstrap_values,
        };
        generalized_advantages(experience, config.discount, config.gae_lambda, &mut self.advantages);
        self.returns = self.advantages.iter().zip(&self.values).map(|(advantage, value)| advantage + value).collect();
        let (mean, variance) = moments(&self.advantages);
        let scale = 1.0 / (variance.sqrt() + 1e-8);
        self.advantages.iter_mut().for_each(|a| *a = ((f64::from(*a) - mean) * scale) as f32);
    }

    /// Share of the returns' variance that the critic foresaw: 1 is all of it, 0 none.
    pub fn explained_variance(&self) -> f32 {
        let errors: Vec<f32> = self.returns.iter().zip(&self.values).map(|(a, b)| a - b).collect();
        let (_, of_returns) = moments(&self.returns);
        if of_returns > 0.0 { (1.0 - moments(&errors).1 / of_returns) as f32 } else { 0.0 }
    }
}

/// Mean and variance.
pub(crate) fn moments(values: &[f32]) -> (f64, f64) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
    let variance = values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count;
    (mean, variance)
}

/// The first `take` of `width` columns of some worlds in `[T, W, width]`: `[T, worlds, take]`.
pub(crate) fn gather_worlds(
    source: &[f32],
    world_count: usize,
    width: usize,
    take: usize,
    worlds: &[usize],
) -> Vec<f32> {
    let mut out = Vec::with_capacity(source.len() / world_count / width * worlds.len() * take);
    for step in source.chunks_exact(world_count * width) {
        for &world in worlds {
            out.extend_from_slice(&step[world * width..][..take]);
        }
    }
    out
}

/// Which worlds each gradient step learns from: per epoch, all worlds in random order, in groups.
pub(crate) fn minibatches(config: &PpoConfig, world_count: usize, rng: &mut StreamRng) -> Vec<Vec<Vec<usize>>> {
    let mut worlds: Vec<usize> = (0..world_count).collect();
    (0..config.epoch_count)
        .map(|_| {
            worlds.shuffle(rng);
            let bound = |group: usize| group * world_count / config.minibatch_count;
            (0..config.minibatch_count).map(|group| worlds[bound(group)..bound(group + 1)].to_vec()).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use giraffe_robots::{SeedTree, Stream};

    #[test]
    fn every_world_is_learned_from_once_per_epoch() {
        let config = PpoConfig { epoch_count: 3, minibatch_count: 4, ..PpoConfig::default() };
        let mut rng = SeedTree::new(3).stream(Stream::Minibatch, 0, 0);
        let epochs = minibatches(&config, 10, &mut rng);
        assert_eq!(epochs.len(), 3);
        assert_ne!(epochs[0], epochs[1]);
        for epoch in epochs {
            assert_eq!(epoch.len(), 4);
            let mut worlds: Vec<usize> = epoch.into_iter().flatten().collect();
            worlds.sort_unstable();
            assert_eq!(worlds, (0..10).collect::<Vec<_>>());
        }
    }

    #[test]
    fn gathering_takes_columns_of_worlds_at_every_step() {
        // Two steps, three worlds, two columns; the number says step, world, column.
        let source = [0.0, 1.0, 10.0, 11.0, 20.0, 21.0, 100.0, 101.0, 110.0, 111.0, 120.0, 121.0];
        assert_eq!(gather_worlds(&source, 3, 2, 1, &[2, 0]), [20.0, 0.0, 120.0, 100.0]);
        assert_eq!(gather_worlds(&source, 3, 2, 2, &[1]), [10.0, 11.0, 110.0, 111.0]);
    }
}
