//! The settings of learning. Their defaults are their documentation.

mod memory;

use crate::PolicyError;
use crate::head::ActionHead;
pub use memory::{LearningMemory, Widths};
use serde::{Deserialize, Serialize};

/// What remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoreKind {
    /// Long short-term memory (Hochreiter, Schmidhuber 1997, with forget gates).
    #[default]
    Lstm,
    /// Gated recurrent unit (Cho et al. 2014), in the form of cuDNN: three quarters of the LSTM's work.
    Gru,
}

impl CoreKind {
    /// Gates side by side in the weights.
    pub(crate) fn gate_count(self) -> usize {
        match self {
            Self::Lstm => 4,
            Self::Gru => 3,
        }
    }

    /// Vectors remembered: h and, for an LSTM, c.
    pub(crate) fn state_count(self) -> usize {
        match self {
            Self::Lstm => 2,
            Self::Gru => 1,
        }
    }
}

/// How actions are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeadKind {
    /// From a normal distribution per action, with a standard deviation that does not depend on the observation.
    #[default]
    Gaussian,
    /// From [`PpoConfig::bin_count`] evenly spaced values per action.
    Categorical,
}

/// Settings of recurrent PPO (Schulman et al. 2017).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PpoConfig {
    /// Units of the layer between observation and memory, for actor and critic each.
    pub encoder_width: usize,
    /// What remembers.
    pub core: CoreKind,
    /// Units of each layer of the memory, for actor and critic each.
    pub core_width: usize,
    /// Layers of the memory, one reading the other.
    pub core_layers: usize,
    /// Forget everything before each step: a policy without memory, for comparison.
    pub memoryless: bool,
    /// How actions are drawn.
    pub head: HeadKind,
    /// Values an action can have with a categorical head.
    pub bin_count: usize,
    /// Control steps each world runs between updates.
    pub horizon_steps: usize,
    /// Control steps gradients flow back: the horizon is cut into chunks of so many, each learned from with the state
    /// it began with. 0 for the whole horizon.
    pub chunk_steps: usize,
    /// How often each sample is learned from.
    pub epoch_count: usize,
    /// Into how many groups of chunks an epoch is divided: gradient steps per epoch.
    pub minibatch_count: usize,
    /// What a reward one step later is worth.
    pub discount: f32,
    /// Weight of longer estimates in advantages (Schulman et al. 2016).
    pub gae_lambda: f32,
    /// How far probability ratios count.
    pub clip_ratio: f32,
    /// Learning rate of the actor at the start. It follows the KL divergence of each epoch.
    pub learning_rate: f32,
    /// Smallest and largest learning rate of the actor.
    pub learning_rate_bounds: [f32; 2],
    /// Divergence per epoch below which the rate grows and above which it shrinks, nats.
    pub kl_bounds: [f32; 2],
    /// Factor by which the rate grows or shrinks.
    pub learning_rate_factor: f32,
    /// Learning rate of the critic.
    pub critic_learning_rate: f32,
    /// How far a value may move in one update before it counts for its worse error; 0 for any distance.
    pub value_clip: f32,
    /// Updates at the start of a run in which the actor stays as it is, and with it how what it began with is normalised,
    /// while the critic learns. Unless given, 5 in a run that starts from a policy, 0 in others.
    pub frozen_actor_updates: Option<u64>,
    /// In a run that starts from a policy: explore as far as [`PpoConfig::initial_std`] says, not as far as that policy did.
    pub fresh_std: bool,
    /// Divide rewards by the running standard deviation of discounted returns (Engstrom et al. 2020), clipped at 10.
    pub reward_normalization: bool,
    /// Reward for keeping the actions random, per nat.
    pub entropy_coefficient: f32,
    /// Penalty on mean actions beyond +-1.1, where the decoder clips and no gradient would tell.
    pub action_bound_coefficient: f32,
    /// Standard deviation of exploration at the start.
    pub initial_std: f32,
    /// Gradients of a network longer than this are scaled down to it.
    pub max_gradient_norm: f32,
    /// Normalised observations are clipped to plus and minus this.
    pub observation_clip: f32,
    /// Threads for learning; 0 means all. The result does not depend on it.
    pub thread_count: usize,
}

impl Default for PpoConfig {
    fn default() -> Self {
        Self {
            encoder_width: 64,
            core: CoreKind::Lstm,
            core_width: 64,
            core_layers: 1,
            memoryless: false,
            head: HeadKind::Gaussian,
            bin_count: 11,
            horizon_steps: 32,
            chunk_steps: 0,
            epoch_count: 4,
            minibatch_count: 4,
            discount: 0.99,
            gae_lambda: 0.95,
            clip_ratio: 0.2,
            learning_rate: 3e-4,
            learning_rate_bounds: [1e-5, 1e-3],
            kl_bounds: [0.008, 0.03],
            learning_rate_factor: 1.5,
            critic_learning_rate: 5e-4,
            value_clip: 0.0,
            frozen_actor_updates: None,
            fresh_std: false,
            reward_normalization: false,
            entropy_coefficient: 0.001,
            action_bound_coefficient: 1e-3,
            initial_std: 0.606_530_66,
            max_gradient_norm: 1.0,
            observation_clip: 5.0,
            thread_count: 0,
        }
    }
}

impl PpoConfig {
    /// Control steps of a chunk.
    pub(crate) fn chunk_length(&self) -> usize {
        if self.chunk_steps == 0 { self.horizon_steps } else { self.chunk_steps }
    }

    /// Chunks of a rollout, per world.
    pub(crate) fn chunk_count(&self) -> usize {
        self.horizon_steps / self.chunk_length()
    }

    pub(crate) fn action_head(&self) -> ActionHead {
        match self.head {
            HeadKind::Gaussian => ActionHead::Gaussian,
            HeadKind::Categorical => ActionHead::Categorical { bin_count: self.bin_count },
        }
    }

    /// Whether learning can run with these settings in `world_count` worlds.
    ///
    /// # Errors
    /// Names the first setting that cannot be.
    pub fn validate(&self, world_count: usize) -> Result<(), PolicyError> {
        self.check_counts(world_count)?;
        for (field, value) in [
            ("learning_rate", self.learning_rate),
            ("critic_learning_rate", self.critic_learning_rate),
            ("clip_ratio", self.clip_ratio),
            ("initial_std", self.initial_std),
            ("max_gradient_norm", self.max_gradient_norm),
            ("observation_clip", self.observation_clip),
        ] {
            require(value.is_finite() && value > 0.0, field, &value, "positive")?;
        }
        for (field, value) in [("discount", self.discount), ("gae_lambda", self.gae_lambda)] {
            require((0.0..=1.0).contains(&value), field, &value, "between 0 and 1")?;
        }
        for (field, value) in [
            ("entropy_coefficient", self.entropy_coefficient),
            ("action_bound_coefficient", self.action_bound_coefficient),
            ("value_clip", self.value_clip),
        ] {
            require(value.is_finite() && value >= 0.0, field, &value, "zero or positive")?;
        }
        let factor = self.learning_rate_factor;
        require(factor.is_finite() && factor >= 1.0, "learning_rate_factor", &factor, "at least 1")?;
        for (field, [lower, upper]) in
            [("learning_rate_bounds", self.learning_rate_bounds), ("kl_bounds", self.kl_bounds)]
        {
            let fits = lower > 0.0 && upper >= lower && upper.is_finite();
            require(fits, field, &format!("[{lower}, {upper}]"), "two positive numbers, the smaller first")?;
        }
        let [least, most] = self.learning_rate_bounds;
        let within = format!("within ppo.learning_rate_bounds, [{least}, {most}]");
        require((least..=most).contains(&self.learning_rate), "learning_rate", &self.learning_rate, &within)
    }

    fn check_counts(&self, world_count: usize) -> Result<(), PolicyError> {
        for (field, value) in [
            ("encoder_width", self.encoder_width),
            ("core_width", self.core_width),
            ("core_layers", self.core_layers),
            ("horizon_steps", self.horizon_steps),
            ("epoch_count", self.epoch_count),
            ("minibatch_count", self.minibatch_count),
        ] {
            require(value > 0, field, &value, "at least 1")?;
        }
        require(self.bin_count >= 2, "bin_count", &self.bin_count, "at least 2")?;
        let divides = self.chunk_steps == 0 || self.horizon_steps.is_multiple_of(self.chunk_steps);
        let divisor = format!("a divisor of ppo.horizon_steps, which is {}, or 0", self.horizon_steps);
        require(divides, "chunk_steps", &self.chunk_steps, &divisor)?;
        let chunk_count = world_count.saturating_mul(self.chunk_count());
        let at_most = format!("at most {chunk_count}, the number of chunks that {world_count} worlds give");
        require(self.minibatch_count <= chunk_count, "minibatch_count", &self.minibatch_count, &at_most)
    }
}

fn require(holds: bool, field: &'static str, found: &dyn ToString, expected: &str) -> Result<(), PolicyError> {
    if holds {
        return Ok(());
    }
    Err(PolicyError::Setting { field, found: found.to_string(), expected: expected.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_setting_is_refused_and_an_absent_one_has_its_default() {
        assert!(serde_json::from_str::<PpoConfig>(r#"{"learning_rte": 1e-3}"#).is_err());
        let config: PpoConfig = serde_json::from_str(r#"{"core_width": 64}"#).unwrap();
        assert_eq!(config, PpoConfig { core_width: 64, ..PpoConfig::default() });
    }

    #[test]
    fn settings_that_cannot_learn_are_named() {
        PpoConfig::default().validate(128).unwrap();
        let wrong = PpoConfig { discount: 1.5, ..PpoConfig::default() };
        assert!(wrong.validate(128).unwrap_err().to_string().contains("ppo.discount is 1.5"));
        let too_few = PpoConfig::default().validate(3).unwrap_err().to_string();
        assert!(too_few.contains("minibatch_count is 4; it must be at most 3"), "{too_few}");
        PpoConfig { chunk_steps: 16, ..PpoConfig::default() }.validate(3).unwrap();
        let outside = PpoConfig { learning_rate: 1e-1, ..PpoConfig::default() }.validate(128).unwrap_err().to_string();
        assert!(outside.contains("within ppo.learning_rate_bounds, [0.00001, 0.001]"), "{outside}");
        let uneven = PpoConfig { chunk_steps: 12, ..PpoConfig::default() }.validate(128).unwrap_err().to_string();
        assert!(uneven.contains("a divisor of ppo.horizon_steps, which is 32"), "{uneven}");
    }
}
