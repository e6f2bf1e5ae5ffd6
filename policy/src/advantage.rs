//! Generalized advantage estimation (Schulman et al. 2016, equations 11 to 16), on slices.

use giraffe_robots::EpisodeEnd;

/// What collecting T steps in W worlds says about worth. All `[T, W]` but `bootstrap_values`, `[W]`.
#[derive(Debug, Clone, Copy)]
pub struct Experience<'a> {
    /// Rewards.
    pub rewards: &'a [f32],
    /// What the critic thought before each step.
    pub values: &'a [f32],
    /// How each step left its episode.
    pub ends: &'a [EpisodeEnd],
    /// Where an episode was cut off by the clock: the critic's value of the state before the reset. Else unused.
    pub timeout_values: &'a [f32],
    /// The critic's value of where each world stands after the last step. Unused where that step ended an episode.
    pub bootstrap_values: &'a [f32],
}

/// Writes advantages `[T, W]`: how much better than expected each step turned out.
///
/// What comes after a termination is worth nothing; after a time-out it is worth what the critic thought of the
/// state before the reset; estimates never run across the end of an episode.
pub fn generalized_advantages(experience: Experience<'_>, discount: f32, lambda: f32, out: &mut [f32]) {
    let world_count = experience.bootstrap_values.len();
    for world in 0..world_count {
        let mut advantage = 0.0;
        let mut next_value = experience.bootstrap_values[world];
        for index in (0..experience.rewards.len() / world_count).rev().map(|step| step * world_count + world) {
            let (future, carried) = match experience.ends[index] {
                EpisodeEnd::Running => (next_value, advantage),
                EpisodeEnd::Terminated => (0.0, 0.0),
                EpisodeEnd::TimedOut => (experience.timeout_values[index], 0.0),
            };
            let value = experience.values[index];
            advantage = experience.rewards[index] + discount * future - value + discount * lambda * carried;
            out[index] = advantage;
            next_value = value;
        }
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "the expected numbers are exact")]
mod tests {
    use super::*;
    use EpisodeEnd::{Running, Terminated, TimedOut};

    /// One world, three steps, discount 0.5, lambda 0.5.
    fn advantages(ends: [EpisodeEnd; 3]) -> [f32; 3] {
        let mut out = [0.0; 3];
        let experience = Experience {
            rewards: &[1.0, 2.0, 3.0],
            values: &[0.5, 1.0, 2.0],
            ends: &ends,
            timeout_values: &[40.0, 8.0, 16.0],
            bootstrap_values: &[4.0],
        };
        generalized_advantages(experience, 0.5, 0.5, &mut out);
        out
    }

    #[test]
    fn without_ends_the_last_value_is_bootstrapped() {
        // Deltas: 1 + 0.5 - 0.5 = 1, 2 + 1 - 1 = 2, 3 + 2 - 2 = 3; advantage = delta + 0.25 * next.
        assert_eq!(advantages([Running, Running, Running]), [1.6875, 2.75, 3.0]);
    }

    #[test]
    fn after_a_termination_nothing_is_worth_anything() {
        // Second delta: 2 + 0 - 1 = 1 and nothing carried over.
        assert_eq!(advantages([Running, Terminated, Running]), [1.25, 1.0, 3.0]);
        assert_eq!(advantages([Running, Running, Terminated]), [1.0 + 0.25 * 2.25, 2.25, 1.0]);
    }

    #[test]
    fn after_a_time_out_the_state_before_the_reset_is_worth_its_value() {
        // Second delta: 2 + 0.5 * 8 - 1 = 5; last: 3 + 0.5 * 16 - 2 = 9.
        assert_eq!(advantages([Running, TimedOut, Running]), [2.25, 5.0, 3.0]);
        assert_eq!(advantages([Running, Running, TimedOut]), [1.0 + 0.25 * 4.25, 4.25, 9.0]);
    }

    #[test]
    fn worlds_do_not_mix() {
        let mut out = [0.0; 4];
        let experience = Experience {
            rewards: &[1.0, 10.0, 2.0, 20.0],
            values: &[0.0; 4],
            ends: &[Running, Terminated, Running, Running],
            timeout_values: &[0.0; 4],
            bootstrap_values: &[4.0, 8.0],
        };
        generalized_advantages(experience, 0.5, 1.0, &mut out);
        assert_eq!(out, [3.0, 10.0, 4.0, 24.0]);
    }
}
