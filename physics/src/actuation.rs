//! What happens between a command and the servo: a delay of any length, exact within physics steps.

use std::collections::VecDeque;

/// Delays targets. A target holds, as a step, from its command until the next; what a servo sees during one physics
/// step is the average of the delayed steps over it, so the outcome depends smoothly on the delay.
#[derive(Debug, Clone)]
pub(crate) struct DelayLine {
    delay_secs: f64,
    period_secs: f64,
    /// Index of the control step that `commands.back()` belongs to; -1 before the first.
    newest_step: i64,
    /// Oldest first. The first entry also stands for all time before it.
    commands: VecDeque<Vec<f32>>,
    kept: usize,
}

impl DelayLine {
    /// A line that has always carried `resting_rad`.
    pub fn new(delay_secs: f32, period_secs: f32, resting_rad: &[f32]) -> Self {
        let kept = (f64::from(delay_secs) / f64::from(period_secs)).ceil() as usize + 2;
        Self {
            delay_secs: f64::from(delay_secs),
            period_secs: f64::from(period_secs),
            newest_step: -1,
            commands: VecDeque::from([resting_rad.to_vec()]),
            kept,
        }
    }

    /// A new command, at the start of the next control step.
    pub fn push(&mut self, targets_rad: &[f32]) {
        let mut entry = if self.commands.len() > self.kept {
            self.commands.pop_front().unwrap_or_default()
        } else {
            Vec::with_capacity(targets_rad.len())
        };
        entry.clear();
        entry.extend_from_slice(targets_rad);
        self.commands.push_back(entry);
        self.newest_step += 1;
    }

    /// The average target over the part `[begin, end]` of the newest control step (both in 0..=1).
    pub fn average(&self, begin: f64, end: f64, out: &mut [f32]) {
        let shift = self.newest_step as f64 - self.delay_secs / self.period_secs;
        let (from, to) = (shift + begin, shift + end);
        out.fill(0.0);
        let mut step = from.floor() as i64;
        let mut at = from;
        while at < to - 1e-12 {
            let until = ((step + 1) as f64).min(to);
            let weight = ((until - at) / (to - from)) as f32;
            for (out, target) in out.iter_mut().zip(self.at_step(step)) {
                *out += weight * target;
            }
            at = until;
            step += 1;
        }
    }

    fn at_step(&self, step: i64) -> &[f32] {
        let back = usize::try_from(self.newest_step - step).unwrap_or(0);
        let last = self.commands.len() - 1;
        &self.commands[last.saturating_sub(back)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn averages(delay_secs: f32) -> Vec<f32> {
        let mut line = DelayLine::new(delay_secs, 0.05, &[0.0]);
        let mut seen = Vec::new();
        for command in [1.0, 2.0, 3.0, 4.0] {
            line.push(&[command]);
            for half in 0..2 {
                let mut out = [0.0];
                line.average(f64::from(half) * 0.5, f64::from(half + 1) * 0.5, &mut out);
                seen.push(out[0]);
            }
        }
        seen
    }

    #[track_caller]
    fn assert_near(seen: &[f32], expected: &[f32]) {
        assert!(seen.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4), "{seen:?} is not {expected:?}");
    }

    #[test]
    fn without_delay_a_command_acts_at_once() {
        assert_near(&averages(0.0), &[1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0]);
    }

    #[test]
    fn a_whole_period_of_delay_shifts_by_one_step() {
        assert_near(&averages(0.05), &[0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0]);
    }

    #[test]
    fn a_delay_within_a_physics_step_mixes_old_and_new_in_proportion() {
        // 10 ms late: of the first 25 ms, 10 ms still see the old target.
        assert_near(&averages(0.01), &[0.6, 1.0, 1.6, 2.0, 2.6, 3.0, 3.6, 4.0]);
        // 75 ms late: one and a half steps.
        assert_near(&averages(0.075), &[0.0, 0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0]);
    }
}
