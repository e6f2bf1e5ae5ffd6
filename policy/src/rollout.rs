//! What collecting left behind: T steps of W worlds, and the groups of chunks it is learned from.

use crate::advantage::{Experience, generalized_advantages};
use crate::config::PpoConfig;
use crate::group::{Group, Lane, sums};
use giraffe_robots::{EpisodeEnd, SeedTree, Stream};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// What networks remember of some worlds: a row each, layer after layer, h before c.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RecurrentState {
    rows: Vec<f32>,
    width: usize,
}

impl RecurrentState {
    pub fn zero(row_count: usize, width: usize) -> Self {
        Self { rows: vec![0.0; row_count * width], width }
    }

    /// Some rows of `parts`, `[n, core]` each.
    pub fn from_parts(parts: &[Vec<f32>], core: usize, rows: impl Iterator<Item = usize>) -> Self {
        let width = parts.len() * core;
        let mut state = Self { rows: Vec::with_capacity(rows.size_hint().0 * width), width };
        for row in rows {
            parts.iter().for_each(|part| state.rows.extend_from_slice(&part[row * core..][..core]));
        }
        state
    }

    /// Part `index` of every row, `[n, core]`.
    pub fn part(&self, index: usize, core: usize) -> Vec<f32> {
        let mut part = Vec::with_capacity(self.row_count() * core);
        self.rows.chunks_exact(self.width).for_each(|row| part.extend_from_slice(&row[index * core..][..core]));
        part
    }

    /// Row after row.
    pub fn numbers(&self) -> &[f32] {
        &self.rows
    }

    /// Whether it is the state of so many worlds, so many numbers each.
    pub fn is_of(&self, row_count: usize, width: usize) -> bool {
        self.width == width && self.rows.len() == row_count * width
    }

    pub fn row_count(&self) -> usize {
        self.rows.len() / self.width
    }

    /// Numbers of each row.
    pub fn width(&self) -> usize {
        self.width
    }

    pub fn rows(&self, rows: impl Iterator<Item = usize>) -> Self {
        let rows = rows.flat_map(|row| self.rows[row * self.width..][..self.width].iter().copied()).collect();
        Self { rows, width: self.width }
    }

    pub fn append(&mut self, other: &Self) {
        self.rows.extend_from_slice(&other.rows);
    }

    pub fn forget(&mut self, row: usize) {
        self.rows[row * self.width..][..self.width].fill(0.0);
    }
}

/// What somebody who knows would have done in N samples: a distribution of actions each, in the form that an actor of
/// the same kind puts out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Labels {
    /// `[N, O]`: means of actions, or logits of every value of every action.
    pub outputs: Vec<f32>,
    /// `[N, A]`: logarithms of the standard deviations of means; empty beside logits.
    pub log_std: Vec<f32>,
}

impl Labels {
    pub(crate) fn append(&mut self, mut later: Self) {
        self.outputs.append(&mut later.outputs);
        self.log_std.append(&mut later.log_std);
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
    /// What the actor put out, and the logarithms of its standard deviations, when the actions were drawn.
    pub outputs: Vec<f32>,
    pub log_std: Vec<f32>,
    pub log_probs: Vec<f32>,
    /// What a teacher would have done; empty without one.
    pub labels: Labels,
    /// As learned from: scaled where rewards are.
    pub rewards: Vec<f32>,
    /// Mean of the rewards as the worlds gave them.
    pub mean_reward: f64,
    pub ends: Vec<EpisodeEnd>,
    /// In which of the `[T, W]` steps a goal was reached.
    pub success_indices: Vec<usize>,
    /// What each of them was worth beyond what the critic had expected: see [`crate::IterationReport::success_value`].
    pub success_values: Vec<f32>,
    /// 0 where an episode ended before the step.
    pub keep: Vec<f32>,
    /// For every time-out, its index in `[T, W]`, and the observation before the reset, normalised.
    pub timeout_indices: Vec<usize>,
    pub timeout_observations: Vec<f32>,
    /// Where each world stands after the last step, normalised, all columns.
    pub next_observations: Vec<f32>,
    /// States at the start of every chunk, chunk after chunk, `[C W]` rows.
    pub actor_starts: RecurrentState,
    /// Empty until values are judged, like what follows.
    pub critic_starts: RecurrentState,
    pub values: Vec<f32>,
    pub advantages: Vec<f32>,
    pub returns: Vec<f32>,
}

impl Rollout {
    /// Nothing yet, of so many worlds and an actor that remembers so many numbers of each.
    pub fn new(world_count: usize, actor_state_width: usize, log_std: Vec<f32>) -> Self {
        Self {
            world_count,
            step_count: 0,
            observations: Vec::new(),
            actions: Vec::new(),
            outputs: Vec::new(),
            log_std,
            log_probs: Vec::new(),
            labels: Labels::default(),
            rewards: Vec::new(),
            mean_reward: 0.0,
            ends: Vec::new(),
            success_indices: Vec::new(),
            success_values: Vec::new(),
            keep: Vec::new(),
            timeout_indices: Vec::new(),
            timeout_observations: Vec::new(),
            next_observations: Vec::new(),
            actor_starts: RecurrentState::zero(0, actor_state_width),
            critic_starts: RecurrentState::zero(0, 0),
            values: Vec::new(),
            advantages: Vec::new(),
            returns: Vec::new(),
        }
    }

    /// Fills in advantages, normalised to zero mean and unit variance over all members of the group, and returns.
    pub fn judge(&mut self, timeout_values: &[f32], bootstrap_values: &[f32], config: &PpoConfig, group: &dyn Group) {
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
        if !self.success_indices.is_empty() {
            // With nothing carried over, an advantage is what one step brought.
            let mut of_steps = vec![0.0; sample_count];
            generalized_advantages(experience, config.discount, 0.0, &mut of_steps);
            self.success_values = self.success_indices.iter().map(|index| of_steps[*index]).collect();
        }
        self.returns = self.advantages.iter().zip(&self.values).map(|(advantage, value)| advantage + value).collect();
        let (mean, variance) = moments(&self.advantages, group);
        let scale = 1.0 / (variance.sqrt() + 1e-8);
        self.advantages.iter_mut().for_each(|a| *a = ((f64::from(*a) - mean) * scale) as f32);
    }

    /// How many goals were reached, by all members of the group, and the mean of what each was worth.
    pub fn successes(&self, group: &dyn Group) -> (u64, Option<f32>) {
        let sum = self.success_values.iter().map(|value| f64::from(*value)).sum();
        let [sum, count] = sums(group, Lane::Actor, [sum, self.success_values.len() as f64]);
        (count as u64, (count > 0.0).then(|| (sum / count) as f32))
    }

    /// Share of the returns' variance that the critic foresaw: 1 is all of it, 0 none.
    pub fn explained_variance(&self, group: &dyn Group) -> f32 {
        let errors: Vec<f32> = self.returns.iter().zip(&self.values).map(|(a, b)| a - b).collect();
        let (_, of_returns) = moments(&self.returns, group);
        let (_, of_errors) = moments(&errors, group);
        if of_returns > 0.0 { (1.0 - of_errors / of_returns) as f32 } else { 0.0 }
    }
}

/// Mean and variance over all members of the group.
pub(crate) fn moments(values: &[f32], group: &dyn Group) -> (f64, f64) {
    let sum = values.iter().map(|&x| f64::from(x)).sum::<f64>();
    let [sum, count] = sums(group, Lane::Actor, [sum, values.len() as f64]);
    let mean = sum / count.max(1.0);
    let spread = values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>();
    let [spread] = sums(group, Lane::Actor, [spread]);
    (mean, spread / count.max(1.0))
}

/// How a rollout `[T, W, .]` is cut: chunk c of world w is number `c W + w`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    pub world_count: usize,
    pub chunk_length: usize,
}

impl Cut {
    /// The first `take` of `width` columns of some chunks of `[T, W, width]`: `[chunk_length, chunks, take]`.
    pub fn gather(self, source: &[f32], width: usize, take: usize, chunks: &[usize]) -> Vec<f32> {
        let Self { world_count, chunk_length } = self;
        let mut out = Vec::with_capacity(chunk_length * chunks.len() * take);
        for step in 0..chunk_length {
            for number in chunks {
                let (chunk, world) = (number / world_count, number % world_count);
                let row = (chunk * chunk_length + step) * world_count + world;
                out.extend_from_slice(&source[row * width..][..take]);
            }
        }
        out
    }
}

/// Which chunks each gradient step of each epoch learns from, for the worlds `own` of all worlds of a group.
///
/// Every so many consecutive chunks as there are gradient steps, one goes to each at random. So the same chunks are
/// learned from together however the worlds are spread over processes, and all processes have as many of them.
pub(crate) fn minibatches(
    config: &PpoConfig,
    own: Range<usize>,
    seeds: SeedTree,
    iteration: u64,
) -> Vec<Vec<Vec<usize>>> {
    let (chunk_count, count) = (config.chunk_count(), config.minibatch_count);
    let (first, end, world_count) = (own.start * chunk_count, own.end * chunk_count, own.len());
    let of_epoch = |epoch: usize| {
        let mut rng = seeds.stream(Stream::Minibatch, epoch as u64, iteration);
        let mut groups = vec![Vec::new(); count];
        let mut order: Vec<usize> = (0..count).collect();
        for run in (0..end).step_by(count) {
            order.shuffle(&mut rng);
            for (item, &group) in (run..end).zip(&order).filter(|(item, _)| *item >= first) {
                let (world, chunk) = ((item - first) / chunk_count, (item - first) % chunk_count);
                groups[group].push(chunk * world_count + world);
            }
        }
        groups
    };
    (0..config.epoch_count).map(of_epoch).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chunk_is_learned_from_once_per_epoch() {
        for (chunk_steps, expected) in [(0, 10), (8, 40)] {
            let config = PpoConfig { epoch_count: 3, minibatch_count: 4, chunk_steps, ..PpoConfig::default() };
            let epochs = minibatches(&config, 0..10, SeedTree::new(3), 0);
            assert_eq!(epochs.len(), 3);
            assert_ne!(epochs[0], epochs[1]);
            assert_ne!(epochs[0], minibatches(&config, 0..10, SeedTree::new(3), 1)[0]);
            for epoch in epochs {
                let sizes: Vec<usize> = epoch.iter().map(Vec::len).collect();
                assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{sizes:?}");
                let mut chunks: Vec<usize> = epoch.into_iter().flatten().collect();
                chunks.sort_unstable();
                assert_eq!(chunks, (0..expected).collect::<Vec<_>>());
            }
        }
    }

    /// Two steps of three worlds, of which a goal is reached in some; what the critic said, and what comes of it.
    fn judged(success_indices: &[usize], rewards: [f32; 6]) -> Rollout {
        use EpisodeEnd::{Running, Terminated, TimedOut};
        let mut rollout = Rollout {
            rewards: rewards.to_vec(),
            values: vec![4.0, 1.0, 2.0, 3.0, 5.0, 6.0],
            ends: vec![Running, Running, Running, Running, TimedOut, Terminated],
            success_indices: success_indices.to_vec(),
            timeout_indices: vec![4],
            ..Rollout::new(3, 1, Vec::new())
        };
        let config = PpoConfig { discount: 0.5, ..PpoConfig::default() };
        rollout.judge(&[8.0], &[10.0, 99.0, 99.0], &config, &crate::Alone);
        rollout
    }

    #[test]
    fn a_success_is_worth_its_reward_and_what_comes_after_it_less_what_came_before() {
        let rewards = [1.0, 0.0, 0.25, 2.0, 0.5, 7.0];
        let of = |index: usize| judged(&[index], rewards).success_values[0];
        // In the middle, before the end of the rollout, before time was up, and before the episode was over for good.
        for (index, expected) in [(0, 1.0 + 1.5 - 4.0), (3, 2.0 + 5.0 - 3.0), (4, 0.5 + 4.0 - 5.0), (5, 7.0 - 6.0)] {
            assert!((of(index) - expected).abs() < 1e-6, "{index}: {} is not {expected}", of(index));
        }
        let (count, value) = judged(&[0, 3], rewards).successes(&crate::Alone);
        assert!(count == 2 && (value.unwrap() - 1.25).abs() < 1e-6, "{count} {value:?}");
        assert_eq!(judged(&[], rewards).successes(&crate::Alone), (0, None));
    }

    #[test]
    fn two_processes_learn_together_from_what_one_would() {
        let config = PpoConfig { minibatch_count: 4, chunk_steps: 16, ..PpoConfig::default() };
        let whole = minibatches(&config, 0..12, SeedTree::new(3), 5);
        let parts = [0..6, 6..12].map(|own| minibatches(&config, own, SeedTree::new(3), 5));
        for (epoch, groups) in whole.iter().enumerate() {
            for (group, chunks) in groups.iter().enumerate() {
                // Chunk c of world w is c 12 + w in one process, c 6 + w (or w - 6) in two.
                let name = |rank: usize| move |n: &usize| (n / 6, n % 6 + 6 * rank);
                let mut together: Vec<(usize, usize)> = parts[0][epoch][group].iter().map(name(0)).collect();
                together.extend(parts[1][epoch][group].iter().map(name(1)));
                assert_eq!(together, chunks.iter().map(|n| (n / 12, n % 12)).collect::<Vec<_>>());
                assert_eq!(parts[0][epoch][group].len(), parts[1][epoch][group].len());
            }
        }
    }

    #[test]
    fn gathering_takes_columns_of_chunks_at_every_step() {
        // Two steps, three worlds, two columns; the number says step, world, column.
        let source = [0.0, 1.0, 10.0, 11.0, 20.0, 21.0, 100.0, 101.0, 110.0, 111.0, 120.0, 121.0];
        let whole = Cut { world_count: 3, chunk_length: 2 };
        assert_eq!(whole.gather(&source, 2, 1, &[2, 0]), [20.0, 0.0, 120.0, 100.0]);
        assert_eq!(whole.gather(&source, 2, 2, &[1]), [10.0, 11.0, 110.0, 111.0]);
        let steps = Cut { world_count: 3, chunk_length: 1 };
        assert_eq!(steps.gather(&source, 2, 2, &[5, 0]), [120.0, 121.0, 0.0, 1.0]);
    }
}
