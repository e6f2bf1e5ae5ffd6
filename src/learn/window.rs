//! How the latest training episodes went: saved with every checkpoint.
//!
//! Episodes that fail are over before those that began with them and do not. So what has ended so far says too much of
//! failures, most of all in a young run. An episode counts from the moment on when it would have been over at full length:
//! then all that began with it count, too.

use super::earnings::Earnings;
use crate::run::score::Score;
use giraffe_robots::{EpisodeReport, Measure, TrialResult};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// How many of the latest episodes are summarised.
const WINDOW: usize = 256;

/// The latest finished training episodes of full length.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Window {
    /// As they ended.
    latest: VecDeque<TrialResult>,
    /// Those that do not count yet.
    #[serde(default)]
    waiting: Vec<Waiting>,
    /// Those that count, in the order in which they would have ended. Nothing in checkpoints of older programs, which
    /// counted those that had ended.
    #[serde(default)]
    known: Option<VecDeque<TrialResult>>,
    /// What episodes earned.
    #[serde(default)]
    earnings: Earnings,
}

/// An episode that has ended before those that began with it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Waiting {
    /// Control steps of a world after which it counts.
    from_step: u64,
    result: TrialResult,
}

impl Default for Window {
    fn default() -> Self {
        let earnings = Earnings::default();
        Self { latest: VecDeque::new(), waiting: Vec::new(), known: Some(VecDeque::new()), earnings }
    }
}

impl Window {
    /// Adds finished episodes, of `full_steps` if nothing ends them early, when every world has made `world_steps`. Each
    /// world's first one, cut short on purpose, is left out.
    pub fn extend(&mut self, reports: Vec<EpisodeReport>, world_steps: u64, full_steps: u32) {
        let known = self.known.get_or_insert_with(|| self.latest.clone());
        for report in reports.into_iter().filter(|report| report.episode > 0) {
            self.earnings.note(&report);
            let from_step = world_steps + u64::from(full_steps.saturating_sub(report.step_count));
            let EpisodeReport { outcome, measures, step_count, .. } = report;
            let result = TrialResult { outcome, measures, step_count };
            self.latest.push_back(result.clone());
            self.waiting.push(Waiting { from_step, result });
        }
        let (mut due, waiting): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.waiting).into_iter().partition(|waiting| waiting.from_step <= world_steps);
        due.sort_by_key(|waiting| waiting.from_step);
        known.extend(due.into_iter().map(|waiting| waiting.result));
        self.waiting = waiting;
        for window in [known, &mut self.latest] {
            let surplus = window.len().saturating_sub(WINDOW);
            window.drain(..surplus);
        }
    }

    /// The score of those that count, exploration included.
    pub fn score(&self, measures: &[Measure]) -> Score {
        Score::of(measures, self.known.as_ref().unwrap_or(&self.latest))
    }

    /// What episodes earned that kept the object, and those that dropped it.
    pub fn earnings(&self) -> &Earnings {
        &self.earnings
    }

    /// The score of all that have ended lately: for what has to be heard of at once. It says too much of failures.
    pub fn ended(&self, measures: &[Measure]) -> Score {
        Score::of(measures, &self.latest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use giraffe_robots::{Better, MeasureKind, Outcome};

    const FULL: u32 = 100;
    static KEPT: [Measure; 1] = [Measure {
        name: "kept_fraction",
        title: "kept",
        unit: "",
        kind: MeasureKind::Fraction,
        better: Better::Higher,
    }];

    fn report(world: u64, episode: u64, step_count: u32) -> EpisodeReport {
        let kept = step_count == FULL;
        EpisodeReport {
            world,
            episode,
            step_count,
            reward: 0.0,
            outcome: if kept { Outcome::TimeUp } else { Outcome::Failed },
            measures: vec![Some(f64::from(u8::from(kept)))],
            intended_secs: 5.0,
        }
    }

    fn kept(window: &Window) -> Option<f64> {
        window.score(&KEPT).headline().map(|mean| mean.value)
    }

    #[test]
    fn a_young_run_in_which_one_world_of_ten_fails_says_nothing_before_all_of_them_are_over() {
        let mut window = Window::default();
        window.extend(vec![report(0, 1, 20)], 20, FULL);
        assert_eq!((kept(&window), window.ended(&KEPT).episodes), (None, 1));
        // The first world fails again and again.
        window.extend(vec![report(0, 2, 20)], 40, FULL);
        window.extend(vec![report(0, 3, 20)], 60, FULL);
        assert_eq!(kept(&window), None);
        window.extend((1..10).map(|world| report(world, 1, FULL)).collect(), 100, FULL);
        assert_eq!(kept(&window), Some(0.9), "those that began together");
        assert_eq!(window.ended(&KEPT).episodes, 12);
        window.extend(Vec::new(), 120, FULL);
        assert_eq!(window.score(&KEPT).episodes, 11, "and the next one");
    }

    #[test]
    fn first_episodes_cut_short_on_purpose_are_left_out_and_old_ones_forgotten() {
        let mut window = Window::default();
        window.extend(vec![report(0, 0, 7)], 7, FULL);
        assert_eq!(window.ended(&KEPT).episodes, 0);
        for n in 0..3 {
            window.extend((0..100).map(|world| report(world, 1, FULL)).collect(), 100 * (n + 1), FULL);
        }
        assert_eq!((window.score(&KEPT).episodes, window.ended(&KEPT).episodes), (WINDOW, WINDOW));
    }

    #[test]
    fn what_an_older_program_saved_is_read_as_it_counted() {
        #[derive(Serialize)]
        struct Old {
            latest: VecDeque<TrialResult>,
        }
        let mut window = Window::default();
        window.extend(vec![report(0, 1, 20), report(1, 1, FULL)], 100, FULL);
        let old = rmp_serde::to_vec(&Old { latest: window.latest.clone() }).expect("written");
        let mut read: Window = rmp_serde::from_slice(&old).expect("read");
        assert_eq!(kept(&read), Some(0.5));
        read.extend(vec![report(0, 2, FULL)], 200, FULL);
        assert_eq!(read.score(&KEPT).episodes, 3);
        let saved = rmp_serde::to_vec(&window).expect("written");
        let again: Window = rmp_serde::from_slice(&saved).expect("read");
        assert_eq!((again.waiting.len(), kept(&again)), (1, kept(&window)));
    }
}
