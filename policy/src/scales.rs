//! What observations and rewards are normalised with. What is seen in an iteration counts from the next one on.

mod reward_scale;

use crate::PolicyError;
use crate::config::PpoConfig;
use crate::group::{Group, gathered};
use crate::normalizer::{Normalizer, RunningMoments};
use giraffe_robots::StepBatch;
use reward_scale::RewardScale;

/// Statistics of observations and, where rewards are normalised, of rewards.
pub(crate) struct Scales {
    clip: f32,
    moments: RunningMoments,
    /// What this iteration's observations add to `moments` when it is over.
    pending: RunningMoments,
    normalizer: Normalizer,
    rewards: Option<RewardScale>,
    pending_rewards: RunningMoments,
}

impl Scales {
    /// Nothing seen yet, in `world_count` worlds with `column_count` columns each.
    pub fn new(config: &PpoConfig, column_count: usize, world_count: usize) -> Self {
        let moments = RunningMoments::new(column_count);
        Self {
            clip: config.observation_clip,
            normalizer: moments.freeze(config.observation_clip),
            pending: moments.clone(),
            moments,
            rewards: config.reward_normalization.then(|| RewardScale::new(world_count)),
            pending_rewards: RunningMoments::new(1),
        }
    }

    /// What this iteration's observations are normalised with.
    pub fn normalizer(&self) -> &Normalizer {
        &self.normalizer
    }

    /// Of all columns of all observations up to the last update.
    pub fn moments(&self) -> &RunningMoments {
        &self.moments
    }

    /// Of discounted sums of rewards; nothing seen where rewards are not normalised.
    pub fn reward_moments(&self) -> RunningMoments {
        self.rewards.as_ref().map_or_else(|| RunningMoments::new(1), |scale| scale.moments.clone())
    }

    /// Discounted sums of rewards, one per world; empty where rewards are not normalised.
    pub fn reward_sums(&self) -> &[f32] {
        self.rewards.as_ref().map_or(&[], |scale| &scale.sums)
    }

    /// Notes observations, `[n, F]`.
    pub fn note(&mut self, observations: &[f32]) {
        self.pending.add_rows(observations);
    }

    /// The rewards of a step as they are learned from, `[W]`.
    pub fn scaled_rewards(&mut self, batch: &StepBatch, discount: f32) -> Vec<f32> {
        match &mut self.rewards {
            Some(scale) => scale.scale(&batch.rewards, &batch.ends, discount, &mut self.pending_rewards),
            None => batch.rewards.clone(),
        }
    }

    /// Lets what was noted in this iteration, by all members of the group, count from now on, but for the columns that are
    /// `held`.
    pub fn learn(&mut self, group: &dyn Group, held: &[usize]) -> Result<(), PolicyError> {
        let observations = std::mem::replace(&mut self.pending, RunningMoments::new(self.moments.width()));
        let rewards = std::mem::replace(&mut self.pending_rewards, RunningMoments::new(1));
        for [observations, rewards] in gathered(group, &[observations, rewards])? {
            self.moments.merge_but(&observations, held);
            if let Some(scale) = &mut self.rewards {
                scale.moments.merge(&rewards);
            }
        }
        self.normalizer = self.moments.freeze(self.clip);
        Ok(())
    }

    /// Begins with what is known of some columns.
    pub fn begin_with(&mut self, moments: RunningMoments) {
        self.normalizer = moments.freeze(self.clip);
        self.moments = moments;
    }

    /// Continues from what was learned.
    pub fn take_up(&mut self, learned: Learned<'_>) {
        let Learned { moments, reward_moments, reward_sums } = learned;
        self.normalizer = moments.freeze(self.clip);
        self.pending = RunningMoments::new(moments.width());
        self.moments = moments;
        self.pending_rewards = RunningMoments::new(1);
        if let Some(scale) = &mut self.rewards {
            scale.moments = reward_moments;
            match reward_sums {
                Some(sums) => scale.sums.copy_from_slice(sums),
                None => scale.sums.fill(0.0),
            }
        }
    }
}

/// What was learned of the size of things.
pub(crate) struct Learned<'a> {
    pub moments: RunningMoments,
    pub reward_moments: RunningMoments,
    /// Discounted sums of rewards, one per world. Without them every episode counts as new.
    pub reward_sums: Option<&'a [f32]>,
}
