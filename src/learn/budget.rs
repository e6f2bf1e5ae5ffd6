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

    /// The share of it that is spent, and the seconds that are left at `steps_per_sec`.
    pub fn spent_share(self, progress: &RunProgress, steps_per_sec: f64) -> (f64, f64) {
        match self {
            Budget::Minutes(minutes) => {
                (progress.train_seconds / (minutes * 60.0), minutes * 60.0 - progress.train_seconds)
            }
            Budget::Steps(steps) => (
                progress.control_steps as f64 / steps as f64,
                steps.saturating_sub(progress.control_steps) as f64 / steps_per_sec,
            ),
        }
    }
}
