//! Brings rewards to the size that learning rates are made for.

use crate::normalizer::RunningMoments;
use giraffe_robots::EpisodeEnd;
use serde::{Deserialize, Serialize};

/// Scaled rewards are clipped to plus and minus this.
const CLIP: f32 = 10.0;

/// Divides rewards by the standard deviation of the discounted sum of rewards since each episode began (Engstrom et
/// al. 2020, "Implementation matters in deep policy gradients", section 3). Only divides: the sign of a reward stays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RewardScale {
    /// Per world, the discounted sum so far.
    pub sums: Vec<f32>,
    pub moments: RunningMoments,
}

impl RewardScale {
    pub fn new(world_count: usize) -> Self {
        Self { sums: vec![0.0; world_count], moments: RunningMoments::new(1) }
    }

    /// Scales the rewards of one step; notes the sums in `pending`, which counts from the next update on.
    pub fn scale(
        &mut self,
        rewards: &[f32],
        ends: &[EpisodeEnd],
        discount: f32,
        pending: &mut RunningMoments,
    ) -> Vec<f32> {
        for (sum, reward) in self.sums.iter_mut().zip(rewards) {
            *sum = discount * *sum + reward;
        }
        pending.add_rows(&self.sums);
        for (sum, _) in self.sums.iter_mut().zip(ends).filter(|(_, end)| **end != EpisodeEnd::Running) {
            *sum = 0.0;
        }
        let factor = self.moments.freeze(CLIP).inverse_std[0];
        rewards.iter().map(|reward| (reward * factor).clamp(-CLIP, CLIP)).collect()
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "the expected numbers are exact")]
mod tests {
    use super::*;
    use EpisodeEnd::{Running, Terminated};

    #[test]
    fn rewards_are_divided_by_the_spread_of_discounted_sums() {
        let mut scale = RewardScale::new(2);
        let mut pending = RunningMoments::new(1);
        // Nothing is known yet: rewards stay as they are. Sums: 4 and 8, then 2 + 2 and, begun anew, 8.
        assert_eq!(scale.scale(&[4.0, 8.0], &[Running, Terminated], 0.5, &mut pending), [4.0, 8.0]);
        assert_eq!(scale.scale(&[2.0, 8.0], &[Running, Running], 0.5, &mut pending), [2.0, 8.0]);
        assert_eq!(scale.sums, [4.0, 8.0]);
        scale.moments.merge(&pending);
        // 4, 8, 4, 8: their standard deviation is 2.
        assert_eq!(scale.scale(&[1.0, -3.0], &[Running, Running], 0.5, &mut pending), [0.5, -1.5]);
        assert_eq!(scale.scale(&[1e6, f32::NAN], &[Running, Running], 0.5, &mut pending)[0], CLIP);
    }
}
