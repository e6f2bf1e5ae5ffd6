//! How long a training run goes on.

use crate::run::folder::RunProgress;

/// When to stop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Budget {
    /// After this much training, in wall-clock time, earlier sessions of the same run included.
    Minutes(f64),
    /// After this many control steps, in all worlds together. Exactly repeatable.
    Steps(u64),
    /// After so many steps, and no later than after so many minutes: repeatable where the machine is fast enough.
    StepsWithin {
        /// As in [`Budget::Steps`].
        steps: u64,
        /// As in [`Budget::Minutes`].
        minutes: f64,
    },
}

impl Budget {
    /// Whether it ends by the clock, and the time is over.
    pub fn is_out_of_time(self, progress: &RunProgress) -> bool {
        let over = |minutes: f64| progress.train_seconds >= minutes * 60.0;
        matches!(self, Budget::Minutes(minutes) | Budget::StepsWithin { minutes, .. } if over(minutes))
    }

    /// Whether a run that has come so far is to end.
    pub fn is_spent(self, progress: &RunProgress) -> bool {
        let done = |steps: u64| progress.control_steps >= steps;
        self.is_out_of_time(progress)
            || matches!(self, Budget::Steps(steps) | Budget::StepsWithin { steps, .. } if done(steps))
    }

    /// The share of it that is spent, and the seconds that are left at `steps_per_sec`; nothing where that is not known.
    pub fn spent_share(self, progress: &RunProgress, steps_per_sec: f64) -> (f64, Option<f64>) {
        let (share, left_secs) = match self {
            Budget::Minutes(minutes) => {
                (progress.train_seconds / (minutes * 60.0), minutes * 60.0 - progress.train_seconds)
            }
            Budget::Steps(steps) => (
                progress.control_steps as f64 / steps.max(1) as f64,
                steps.saturating_sub(progress.control_steps) as f64 / steps_per_sec,
            ),
            Budget::StepsWithin { steps, minutes } => {
                let (by_steps, steps_secs) = Budget::Steps(steps).spent_share(progress, steps_per_sec);
                let (by_minutes, minutes_secs) = Budget::Minutes(minutes).spent_share(progress, steps_per_sec);
                let left_secs = minutes_secs.into_iter().chain(steps_secs).fold(f64::NAN, f64::min);
                (by_steps.max(by_minutes), left_secs)
            }
        };
        if self.is_spent(progress) {
            return (1.0, Some(0.0));
        }
        (share.clamp(0.0, 1.0), Some(left_secs).filter(|secs| secs.is_finite()).map(|secs| secs.max(0.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_known_at_the_end_and_unknown_before_there_is_a_rate() {
        let at = |control_steps| RunProgress { control_steps, train_seconds: 30.0, ..RunProgress::default() };
        let steps = Budget::Steps(100);
        assert_eq!(steps.spent_share(&at(100), 0.0), (1.0, Some(0.0)));
        assert_eq!(steps.spent_share(&at(164), f64::NAN), (1.0, Some(0.0)));
        assert_eq!(steps.spent_share(&at(50), 0.0), (0.5, None));
        assert_eq!(steps.spent_share(&at(50), f64::NAN), (0.5, None));
        assert_eq!(steps.spent_share(&at(50), 5.0), (0.5, Some(10.0)));
        assert_eq!(Budget::Steps(0).spent_share(&at(0), 0.0), (1.0, Some(0.0)));
        assert_eq!(Budget::Minutes(1.0).spent_share(&at(7), 0.0), (0.5, Some(30.0)));
        let both = Budget::StepsWithin { steps: 100, minutes: 1.0 };
        assert_eq!(both.spent_share(&at(80), 10.0), (0.8, Some(2.0)), "steps come first");
        assert_eq!(both.spent_share(&at(10), 0.1), (0.5, Some(30.0)), "minutes come first");
        assert_eq!(both.spent_share(&at(10), f64::NAN), (0.5, Some(30.0)));
        assert!(both.is_spent(&at(100)) && !both.is_spent(&at(99)));
        assert!(Budget::StepsWithin { steps: 100, minutes: 0.5 }.is_spent(&at(1)));
        assert_eq!(Budget::Minutes(0.25).spent_share(&at(7), 0.0), (1.0, Some(0.0)));
    }
}
