//! What training episodes earn that keep the object, against those that drop it.
//!
//! A policy is paid by the step, and an episode that ends is followed by another: where a step of an episode that drops the
//! object earns more than one of an episode that keeps it, dropping pays, whatever the drop itself costs.

use giraffe_robots::{EpisodeReport, Outcome};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// How many of the latest episodes of each kind are counted.
const WINDOW: usize = 256;
/// With fewer of either kind nothing is said of both.
const ENOUGH: usize = 32;

/// The latest episodes of both kinds.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Earnings {
    kept: VecDeque<Earned>,
    dropped: VecDeque<Earned>,
}

/// What one episode earned.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Earned {
    reward: f32,
    step_count: u32,
}

impl Earnings {
    /// Takes note of an episode. What the simulation lost or nobody could read is of neither kind.
    pub fn note(&mut self, report: &EpisodeReport) {
        let kind = match report.outcome {
            Outcome::TimeUp | Outcome::Done => &mut self.kept,
            Outcome::Failed | Outcome::Unseen => &mut self.dropped,
            Outcome::Diverged | Outcome::Unreadable => return,
        };
        kind.push_back(Earned { reward: report.reward, step_count: report.step_count });
        if kind.len() > WINDOW {
            kind.pop_front();
        }
    }

    /// Mean reward of a step of episodes that kept the object; none before there was one.
    pub fn of_kept(&self) -> Option<f64> {
        per_step(&self.kept)
    }

    /// The same of those that dropped it.
    pub fn of_dropped(&self) -> Option<f64> {
        per_step(&self.dropped)
    }

    /// Both, dropped first, where a step of those that dropped it earns more, and there are enough of either kind.
    pub fn dropping_pays(&self) -> Option<(f64, f64)> {
        let (dropped, kept) = (self.of_dropped()?, self.of_kept()?);
        let enough = self.kept.len() >= ENOUGH && self.dropped.len() >= ENOUGH;
        (enough && dropped > kept).then_some((dropped, kept))
    }
}

fn per_step(episodes: &VecDeque<Earned>) -> Option<f64> {
    let step_count: u64 = episodes.iter().map(|episode| u64::from(episode.step_count)).sum();
    let reward: f64 = episodes.iter().map(|episode| f64::from(episode.reward)).sum();
    (step_count > 0).then(|| reward / step_count as f64)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    fn report(outcome: Outcome, reward: f32, step_count: u32) -> EpisodeReport {
        EpisodeReport { world: 0, episode: 1, step_count, reward, outcome, measures: Vec::new(), intended_secs: 5.0 }
    }

    /// Forty episodes of each kind: those that keep the object earn 12 in 100 steps, those that drop it so much in ten.
    pub fn earnings(dropped: f32) -> Earnings {
        let mut earnings = Earnings::default();
        for _ in 0..40 {
            earnings.note(&report(Outcome::TimeUp, 12.0, 100));
            earnings.note(&report(Outcome::Failed, dropped, 10));
        }
        earnings
    }

    #[test]
    fn dropping_pays_where_a_step_earns_more_in_episodes_that_drop_though_each_earns_less() {
        let (dropped, kept) = earnings(9.0).dropping_pays().expect("0.9 a step against 0.12");
        assert!((dropped - 0.9).abs() < 1e-9 && (kept - 0.12).abs() < 1e-9, "{dropped} {kept}");
        // A drop that costs enough.
        assert_eq!(earnings(1.1).dropping_pays(), None);
    }

    #[test]
    fn a_few_episodes_say_nothing_and_lost_ones_are_of_neither_kind() {
        let mut few = Earnings::default();
        assert_eq!((few.of_kept(), few.of_dropped()), (None, None));
        for _ in 0..31 {
            few.note(&report(Outcome::TimeUp, 1.0, 100));
            few.note(&report(Outcome::Unseen, 5.0, 10));
            few.note(&report(Outcome::Diverged, 1e6, 1));
        }
        assert_eq!((few.of_kept(), few.of_dropped(), few.dropping_pays()), (Some(0.01), Some(0.5), None));
        few.note(&report(Outcome::Done, 1.0, 100));
        few.note(&report(Outcome::Failed, 5.0, 10));
        assert_eq!(few.dropping_pays(), Some((0.5, 0.01)));
    }

    #[test]
    fn old_episodes_are_forgotten() {
        let mut earnings = earnings(9.0);
        for _ in 0..WINDOW {
            earnings.note(&report(Outcome::Failed, -5.0, 10));
        }
        assert_eq!(earnings.of_dropped(), Some(-0.5));
    }
}
