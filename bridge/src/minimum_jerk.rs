//! The smoothest way from one pose to another. Pure.

/// Peak speed of a minimum-jerk motion over its mean speed.
const PEAK_OVER_MEAN: f32 = 1.875;

/// A motion from rest to rest, all joints together: no acceleration at either end.
#[derive(Debug, Clone, PartialEq)]
pub struct MinimumJerk {
    start_rad: Vec<f32>,
    goal_rad: Vec<f32>,
    duration_secs: f32,
}

/// From `start_rad` to `goal_rad`, as fast as `peak_rad_per_sec` (finite and positive) lets the joint with the longest
/// way go.
///
/// # Panics
/// When the poses have different lengths: a mistake in this program.
pub fn minimum_jerk(start_rad: &[f32], goal_rad: &[f32], peak_rad_per_sec: f32) -> MinimumJerk {
    assert_eq!(start_rad.len(), goal_rad.len(), "one goal per joint");
    let ways = start_rad.iter().zip(goal_rad).map(|(start, goal)| (goal - start).abs());
    let longest_rad = ways.fold(0.0, f32::max);
    let duration_secs = PEAK_OVER_MEAN * longest_rad / peak_rad_per_sec;
    MinimumJerk { start_rad: start_rad.to_vec(), goal_rad: goal_rad.to_vec(), duration_secs }
}

impl MinimumJerk {
    /// How long it takes, s.
    pub fn duration_secs(&self) -> f32 {
        self.duration_secs
    }

    /// Targets at `secs` after the start, rad; the goal from the end on.
    pub fn at(&self, secs: f32) -> Vec<f32> {
        if secs >= self.duration_secs {
            return self.goal_rad.clone();
        }
        let s = (secs / self.duration_secs).clamp(0.0, 1.0);
        let share = s * s * s * (10.0 + s * (6.0 * s - 15.0));
        self.start_rad.iter().zip(&self.goal_rad).map(|(start, goal)| start + share * (goal - start)).collect()
    }
}
