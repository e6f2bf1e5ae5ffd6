//! How much memory learning takes: reckoned from the settings, before any of it is taken.

use super::{CoreKind, PpoConfig};
use crate::pieces::{GROUP_ROWS, GROUPS_AT_ONCE};

/// Bytes of a number.
const NUMBER: f64 = 4.0;
/// Numbers that are there for every parameter in the middle of an update: its value, both means of Adam, and all three as
/// they were before; its gradient.
const PER_PARAMETER: f64 = 7.0;

/// Widths of what learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Widths {
    /// Columns that the actor reads.
    pub actor: usize,
    /// Columns that the critic reads.
    pub critic: usize,
    /// Actions of a world.
    pub actions: usize,
}

/// Bytes that learning takes at least.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LearningMemory {
    /// Both networks with their optimizers.
    pub networks: f64,
    /// What is collected, and what is kept of it on the way to the gradients.
    pub rollout: f64,
}

impl PpoConfig {
    /// What learning in `world_count` worlds takes. In numbers with a point, so that no setting is too large for it.
    pub fn memory(&self, widths: Widths, world_count: usize) -> LearningMemory {
        let Widths { actor, critic, actions } = widths;
        let [actor, critic, actions, world_count] = [actor, critic, actions, world_count].map(|n| n as f64);
        let outputs = self.action_head().output_width(1) as f64 * actions;
        let parameters = self.parameters(actor, outputs) + self.parameters(critic, 1.0);
        let samples = self.horizon_steps as f64 * world_count;
        let collected = samples * (critic + 2.0 * actions + 2.0 * outputs + 8.0);
        // The critic runs over everything, and then both learn from a part.
        let kept = samples * self.per_sample() + 2.0 * samples / self.minibatch_count.max(1) as f64 * self.per_sample();
        // Where shares are, there is no gradient yet.
        let shares = (2.0 * self.gradient_shares(samples) - parameters).max(0.0);
        LearningMemory { networks: NUMBER * PER_PARAMETER * parameters, rollout: NUMBER * (collected + kept + shares) }
    }

    /// Numbers of the shares of the gradients of one network's widest layer of LSTM, while worlds are gone through backwards
    /// in groups: some groups' at once, and the sum of those before.
    fn gradient_shares(&self, samples: f64) -> f64 {
        if self.core == CoreKind::Gru {
            return 0.0;
        }
        let worlds = samples / self.minibatch_count.max(1) as f64 / self.chunk_length().max(1) as f64;
        let (groups, at_once) = ((worlds / GROUP_ROWS as f64).ceil(), GROUPS_AT_ONCE as f64);
        // The sum comes on top only where as many again are at work beside it.
        let groups = if groups < 2.0 * at_once { groups.min(at_once) } else { at_once + 1.0 };
        let core = self.core_width as f64;
        let below =
            if self.core_layers > 1 { self.encoder_width.max(self.core_width) } else { self.encoder_width } as f64;
        groups * (below + core + 1.0) * 4.0 * core
    }

    fn parameters(&self, input: f64, output: f64) -> f64 {
        let (encoder, core, layers) = (self.encoder_width as f64, self.core_width as f64, self.core_layers as f64);
        let gates = self.core.gate_count() as f64 * core;
        let extra = if self.core == CoreKind::Gru { core } else { 0.0 };
        let first = (encoder + core + 1.0) * gates + extra;
        let others = (layers - 1.0) * ((2.0 * core + 1.0) * gates + extra);
        (input + 1.0) * encoder + first + others + (core + 1.0) * output
    }

    /// Numbers kept of a network for every sample: the encoder's, the gates', what is remembered.
    fn per_sample(&self) -> f64 {
        let per_layer = (self.core.gate_count() + self.core.state_count()) as f64 * self.core_width as f64;
        self.encoder_width as f64 + self.core_layers as f64 * per_layer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HeadKind;
    use crate::network::NetworkShape;

    const WIDTHS: Widths = Widths { actor: 40, critic: 90, actions: 16 };

    #[test]
    fn parameters_are_counted_as_they_are_laid_out() {
        for (core, core_layers, head) in [
            (CoreKind::Lstm, 1, HeadKind::Gaussian),
            (CoreKind::Gru, 1, HeadKind::Categorical),
            (CoreKind::Lstm, 3, HeadKind::Categorical),
            (CoreKind::Gru, 2, HeadKind::Gaussian),
        ] {
            let config =
                PpoConfig { core, core_layers, head, core_width: 48, encoder_width: 24, ..PpoConfig::default() };
            let count = |shape: NetworkShape| shape.parameter_sizes().iter().map(|(_, size)| *size).sum::<usize>();
            let counted = count(NetworkShape::actor(&config, 40, 16)) + count(NetworkShape::critic(&config, 90));
            let reckoned = config.memory(WIDTHS, 1).networks / (NUMBER * PER_PARAMETER);
            assert!((reckoned - counted as f64).abs() < 0.5, "{reckoned} is not {counted}");
        }
    }

    #[test]
    fn shares_of_gradients_are_counted_where_groups_of_worlds_have_some() {
        let of = |core: CoreKind, core_layers: usize| PpoConfig {
            core,
            core_layers,
            core_width: 48,
            encoder_width: 24,
            horizon_steps: 8,
            chunk_steps: 4,
            minibatch_count: 4,
            ..PpoConfig::default()
        };
        let shares = |config: &PpoConfig, world_count: f64| config.gradient_shares(8.0 * world_count);
        let config = of(CoreKind::Lstm, 1);
        // Two chunks of every world, a quarter of them at once: 192 gates of 24 + 48 + 1 numbers for every 128.
        for (world_count, groups) in [(256.0, 1.0), (258.0, 2.0), (9_000.0, 32.0), (16_000.0, 32.0), (20_000.0, 33.0)] {
            assert!((shares(&config, world_count) - groups * 73.0 * 192.0).abs() < 0.5, "{world_count}");
        }
        assert!((shares(&of(CoreKind::Lstm, 2), 256.0) - 97.0 * 192.0).abs() < 0.5);
        assert!(shares(&of(CoreKind::Gru, 1), 2e4).abs() < 0.5);
        // All else grows with worlds, so that twice as many take twice as much; of one group the gradient has room.
        let beyond = |n: usize| 2.0 * config.memory(WIDTHS, n).rollout - config.memory(WIDTHS, 2 * n).rollout;
        let parameters = config.memory(WIDTHS, 1).networks / (NUMBER * PER_PARAMETER);
        let expected = NUMBER * (2.0 * 33.0 * 73.0 * 192.0 - parameters);
        assert!((beyond(20_000) / expected - 1.0).abs() < 1e-9, "{} is not {expected}", beyond(20_000));
        assert!(beyond(128).abs() < 0.5);
    }

    #[test]
    fn no_setting_is_too_large_to_be_reckoned() {
        let large = PpoConfig {
            core_width: usize::MAX,
            encoder_width: usize::MAX,
            core_layers: usize::MAX,
            horizon_steps: usize::MAX,
            bin_count: usize::MAX,
            ..PpoConfig::default()
        };
        let memory = large.memory(WIDTHS, usize::MAX);
        assert!(memory.networks > 1e40 && memory.rollout > 1e40, "{memory:?}");
        let wide = PpoConfig { core_width: 100_000, ..PpoConfig::default() }.memory(WIDTHS, 128);
        // Two networks of 4 gates of 100,000 x 100,064 weights.
        assert!((wide.networks / (8.0 * 28.0 * 1e5 * 1.000_64e5) - 1.0).abs() < 1e-3, "{wide:?}");
    }
}
