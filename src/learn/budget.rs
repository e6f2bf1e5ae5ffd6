//! How long a training run goes on.

use crate::run::folder::RunProgress;

/// When to stop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Budget {
    /// After this much training, in wall-clock time, earlier sessions of the same run included.
    Minutes(f64),
    /// After this many control steps, in all worlds together. Exactly repeatable.
    Steps(u64),
}

impl Budget {
    /// Whether a run that has come so far is to end.
    pub fn is_spent(self, progress: &RunProgress) -> bool {
        match self {
            Budget::Minutes(minutes) => progress.train_seconds >= minutes * 60.0,
            Budget::Steps(steps) => progress.control_steps >= steps,
        }
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
        assert_eq!(Budget::Minutes(0.25).spent_share(&at(7), 0.0), (1.0, Some(0.0)));
    }
}
