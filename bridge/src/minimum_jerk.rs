//! The smoothest way from one pose to another. Pure.

/// Largest speed of a minimum-jerk motion, in lengths per duration: 15/8, halfway.
pub(crate) const PEAK_SPEED: f32 = 1.875;
/// Largest acceleration of one, in lengths per squared duration: 10/sqrt(3).
pub(crate) const PEAK_ACCELERATION: f32 = 5.774;

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
    let duration_secs = PEAK_SPEED * longest_rad / peak_rad_per_sec;
    MinimumJerk::lasting(start_rad.to_vec(), goal_rad.to_vec(), duration_secs)
}

impl MinimumJerk {
    /// From `start_rad` to `goal_rad`, one angle per joint in both, in so many seconds.
    pub fn lasting(start_rad: Vec<f32>, goal_rad: Vec<f32>, duration_secs: f32) -> Self {
        Self { start_rad, goal_rad, duration_secs }
    }

    /// Where it leads, rad.
    pub fn goal_rad(&self) -> &[f32] {
        &self.goal_rad
    }

    /// How long it takes, s.
    pub fn duration_secs(&self) -> f32 {
        self.duration_secs
    }

    /// Targets at `secs` after the start, rad; the goal from the end on.
    pub fn at(&self, secs: f32) -> Vec<f32> {
        if secs >= self.duration_secs {
            return self.goal_rad.clone();
        }
        // Doubles: the steps of a slow motion are small against the angles.
        let s = f64::from((secs / self.duration_secs).clamp(0.0, 1.0));
        let share = s * s * s * (10.0 + s * (6.0 * s - 15.0));
        let ways = self.start_rad.iter().zip(&self.goal_rad);
        ways.map(|(&from, &to)| (f64::from(from) + share * f64::from(to - from)) as f32).collect()
    }
}
