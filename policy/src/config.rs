//! The settings of learning. Their defaults are their documentation.

use crate::PolicyError;
use serde::{Deserialize, Serialize};

/// What remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoreKind {
    /// Long short-term memory (Hochreiter, Schmidhuber 1997, with forget gates).
    #[default]
    Lstm,
}

/// Settings of recurrent PPO (Schulman et al. 2017).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PpoConfig {
    /// Units of the layer between observation and memory, for actor and critic each.
    pub encoder_width: usize,
    /// What remembers.
    pub core: CoreKind,
    /// Units of the memory, for actor and critic each.
    pub core_width: usize,
    /// Forget everything before each step: a policy without memory, for comparison.
    pub memoryless: bool,
    /// Control steps each world runs between updates; gradients flow back as far.
    pub horizon_steps: usize,
    /// How often each sample is learned from.
    pub epoch_count: usize,
    /// Into how many groups of worlds an epoch is divided: gradient steps per epoch.
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
            memoryless: false,
            horizon_steps: 32,
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
    /// Whether learning can run with these settings in `world_count` worlds.
    ///
    /// # Errors
    /// Names the first setting that cannot be.
    pub fn validate(&self, world_count: usize) -> Result<(), PolicyError> {
        let refuse = |field, found: &dyn ToString, expected| {
            Err(PolicyError::Setting { field, found: found.to_string(), expected })
        };
        for (field, value) in [
            ("encoder_width", self.encoder_width),
            ("core_width", self.core_width),
            ("horizon_steps", self.horizon_steps),
            ("epoch_count", self.epoch_count),
            ("minibatch_count", self.minibatch_count),
        ] {
            if value == 0 {
                return refuse(field, &value, "at least 1");
            }
        }
        if self.minibatch_count > world_count {
            return refuse("minibatch_count", &self.minibatch_count, "at most the number of worlds");
        }
        for (field, value) in [
            ("learning_rate", self.learning_rate),
            ("critic_learning_rate", self.critic_learning_rate),
            ("clip_ratio", self.clip_ratio),
            ("initial_std", self.initial_std),
            ("max_gradient_norm", self.max_gradient_norm),
            ("observation_clip", self.observation_clip),
        ] {
            if !(value.is_finite() && value > 0.0) {
                return refuse(field, &value, "positive");
            }
        }
        for (field, value) in [("discount", self.discount), ("gae_lambda", self.gae_lambda)] {
            if !(0.0..=1.0).contains(&value) {
                return refuse(field, &value, "between 0 and 1");
            }
        }
        for (field, value) in [
            ("entropy_coefficient", self.entropy_coefficient),
            ("action_bound_coefficient", self.action_bound_coefficient),
        ] {
            if !(value.is_finite() && value >= 0.0) {
                return refuse(field, &value, "zero or positive");
            }
        }
        if !(self.learning_rate_factor.is_finite() && self.learning_rate_factor >= 1.0) {
            return refuse("learning_rate_factor", &self.learning_rate_factor, "at least 1");
        }
        for (field, [lower, upper]) in
            [("learning_rate_bounds", self.learning_rate_bounds), ("kl_bounds", self.kl_bounds)]
        {
            if !(lower > 0.0 && upper >= lower && upper.is_finite()) {
                return refuse(field, &format!("[{lower}, {upper}]"), "two positive numbers, the smaller first");
            }
        }
        Ok(())
    }
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
        assert!(PpoConfig::default().validate(3).unwrap_err().to_string().contains("minibatch_count"));
    }
}
