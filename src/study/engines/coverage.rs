//! Which randomization range covers a difference between the engines.
//!
//! That is a search: every usual range is tried until a value is found that does. A search over enough values finds something for
//! any difference, so what it finds is then tried once, in episodes that it never saw.

use super::episodes::{EpisodeStatistics, NOT_COMPARED, STATISTICS, Variant, measure};
use super::lab::Lab;
use super::rollout::{Rollout, Setup};
use crate::run::statistics::Estimate;
use anyhow::Result;
use giraffe_randomization::{PARAMETERS, RandomizedParameter};
use giraffe_robots::Task;
use serde::Serialize;

/// Differences up to this part of MuJoCo's value need no cover.
pub const TOLERATED_DIFFERENCE: f64 = 0.1;
/// Groups of parameters that a difference of contact could hide in: what is sensed or commanded is the same in both.
const GROUPS: [&str; 4] = ["contact.", "object.", "hand.", "joint."];
/// Shifts angles and targets alike: it would only give the hand other targets.
const NOT_PHYSICS: &str = "joint.zero_offset";
/// Values tried between two whose statistics lie on either side of MuJoCo's interval.
const BISECTIONS: usize = 8;

/// How one statistic of the training step compares with MuJoCo's.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// What happened during the episodes.
    pub variant: String,
    /// Which statistic.
    pub statistic: &'static str,
    /// rapier's, at the training step.
    pub ours: Estimate,
    /// MuJoCo's.
    pub mujoco: Estimate,
    /// rapier's over MuJoCo's, less one; nothing where MuJoCo's is zero.
    pub difference: Option<f64>,
    /// What follows.
    pub verdict: Verdict,
}

/// What follows from a difference.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Verdict {
    /// At most 10 %.
    Agrees,
    /// More than that, but inside MuJoCo's 95 % interval as it is.
    WithinInterval,
    /// One value of one parameter, inside its usual range, puts the statistic into MuJoCo's 95 % interval, in the episodes in
    /// which it was looked for and in others.
    Covered(Found),
    /// It does in those in which it was looked for, not in the others.
    NotConfirmed(Found),
    /// No parameter alone does; the one that came nearest.
    NotCovered {
        /// Name of the parameter.
        parameter: &'static str,
        /// The end of its usual range.
        value: f32,
        /// The statistic there.
        statistic: f64,
    },
}

/// What a search found, and what became of it in other episodes.
#[derive(Debug, Clone, Serialize)]
pub struct Found {
    /// Name of the parameter.
    pub parameter: &'static str,
    /// The value.
    pub value: f32,
    /// The statistic there.
    pub statistic: f64,
    /// The same in the other episodes.
    pub held_out: f64,
    /// MuJoCo's 95 % interval in those.
    pub held_out_wanted: [f64; 2],
}

/// The same episodes in both engines.
pub struct Measured {
    /// The episodes.
    pub variant: Variant,
    /// The training step's.
    pub ours: EpisodeStatistics,
    /// MuJoCo's.
    pub mujoco: EpisodeStatistics,
}

/// A comparison that is still open.
struct Open {
    index: usize,
    statistic: &'static str,
    nominal: f64,
    wanted: [f64; 2],
    nearest: Option<(&'static str, f32, f64)>,
}

/// Compares the training step with MuJoCo in one variant, and looks for cover where they differ. What is found in the episodes
/// `searched` is tried in those of `held_out`.
///
/// # Errors
/// When rapier fails, or somebody asks to stop.
pub fn compare(
    lab: &mut Lab,
    setup: &Setup,
    task: &dyn Task,
    searched: &Measured,
    held_out: &Measured,
    say: &dyn Fn(&str),
) -> Result<Vec<Comparison>> {
    let Measured { variant, ours, mujoco } = searched;
    let mut rows: Vec<Comparison> = STATISTICS
        .iter()
        .filter(|(name, _)| *name != NOT_COMPARED)
        .map(|(name, _)| compared(variant.name, name, ours.statistics[name], mujoco.statistics[name]))
        .collect();
    let mut open: Vec<Open> = rows
        .iter()
        .enumerate()
        .filter(|(_, row)| matches!(row.verdict, Verdict::NotCovered { .. }))
        .map(|(index, row)| Open {
            index,
            statistic: row.statistic,
            nominal: row.ours.value,
            wanted: row.mujoco.bounds(),
            nearest: None,
        })
        .collect();
    let in_group = |group: &'static str| PARAMETERS.iter().filter(move |row| row.name.starts_with(group));
    let candidates = GROUPS.into_iter().flat_map(in_group).filter(|row| row.name != NOT_PHYSICS);
    for parameter in candidates {
        if open.is_empty() {
            break;
        }
        say(&format!("{}: does {} cover {} differences?", variant.name, parameter.name, open.len()));
        let usual = parameter.usual.support(parameter.bounds);
        for end in [usual.lower, usual.upper] {
            let mut search = Search { lab, setup, task, variant, parameter };
            let there = search.at(end)?;
            let mut left = Vec::new();
            for mut case in std::mem::take(&mut open) {
                match search.cover(&mut case, end, &there)? {
                    Some(found) => rows[case.index].verdict = search.confirmed(&case, found, held_out)?,
                    None => left.push(case),
                }
            }
            open = left;
        }
    }
    for case in open {
        if let Some((parameter, value, statistic)) = case.nearest {
            rows[case.index].verdict = Verdict::NotCovered { parameter, value, statistic };
        }
    }
    Ok(rows)
}

fn compared(variant: &str, statistic: &'static str, ours: Estimate, mujoco: Estimate) -> Comparison {
    let gap = (ours.value - mujoco.value).abs();
    let verdict = if gap <= TOLERATED_DIFFERENCE * mujoco.value.abs() {
        Verdict::Agrees
    } else if inside(ours.value, mujoco.bounds()) {
        Verdict::WithinInterval
    } else {
        Verdict::NotCovered { parameter: "none", value: f32::NAN, statistic: ours.value }
    };
    let difference = (mujoco.value.abs() > 0.0).then(|| ours.value / mujoco.value - 1.0);
    Comparison { variant: variant.to_owned(), statistic, ours, mujoco, difference, verdict }
}

fn inside(value: f64, [lower, upper]: [f64; 2]) -> bool {
    (lower..=upper).contains(&value)
}

/// How far a value is outside an interval.
fn outside_by(value: f64, [lower, upper]: [f64; 2]) -> f64 {
    (lower - value).max(value - upper).max(0.0)
}

/// One parameter, tried at several values.
struct Search<'s, 'l> {
    lab: &'s mut Lab<'l>,
    setup: &'s Setup,
    task: &'s dyn Task,
    variant: &'s Variant,
    parameter: &'static RandomizedParameter,
}

impl Search<'_, '_> {
    /// The statistics with the parameter at this value in every episode.
    fn at(&mut self, value: f32) -> Result<EpisodeStatistics> {
        self.in_episodes(self.variant, value)
    }

    fn in_episodes(&mut self, variant: &Variant, value: f32) -> Result<EpisodeStatistics> {
        let changed = |rollout: &Rollout| {
            let mut rollout = rollout.clone();
            self.parameter.set(value, &mut rollout.plan.parameters);
            rollout
        };
        let rollouts = variant.rollouts.iter().map(changed).collect();
        let variant = Variant { name: variant.name, rollouts };
        measure(self.lab, self.setup, self.task, &self.setup.training_step(), &variant)
    }

    /// What becomes of what was found in other episodes.
    fn confirmed(&mut self, case: &Open, (value, statistic): (f32, f64), held_out: &Measured) -> Result<Verdict> {
        let there = self.in_episodes(&held_out.variant, value)?.statistics[case.statistic].value;
        let held_out_wanted = held_out.mujoco.statistics[case.statistic].bounds();
        let parameter = self.parameter.name;
        let found = Found { parameter, value, statistic, held_out: there, held_out_wanted };
        Ok(if inside(there, held_out_wanted) { Verdict::Covered(found) } else { Verdict::NotConfirmed(found) })
    }

    /// The value at which the parameter covers a case, at `end` or between its nominal value and there, and the statistic then.
    fn cover(&mut self, case: &mut Open, end: f32, there: &EpisodeStatistics) -> Result<Option<(f32, f64)>> {
        let name = self.parameter.name;
        let (mut near, mut far) =
            ((self.parameter.nominal, case.nominal), (end, there.statistics[case.statistic].value));
        let nearer =
            case.nearest.is_none_or(|(_, _, best)| outside_by(far.1, case.wanted) < outside_by(best, case.wanted));
        if nearer {
            case.nearest = Some((name, far.0, far.1));
        }
        if inside(far.1, case.wanted) {
            return Ok(Some(far));
        }
        let middle = 0.5 * (case.wanted[0] + case.wanted[1]);
        for _ in 0..BISECTIONS {
            // One below the interval, one above: somewhere between them it is met.
            if (near.1 < middle) == (far.1 < middle) {
                return Ok(None);
            }
            let part = ((middle - near.1) / (far.1 - near.1)).clamp(0.1, 0.9) as f32;
            let value = near.0 + part * (far.0 - near.0);
            let statistic = self.at(value)?.statistics[case.statistic].value;
            if inside(statistic, case.wanted) {
                return Ok(Some((value, statistic)));
            }
            let between = (value, statistic);
            if (statistic < middle) == (near.1 < middle) { near = between } else { far = between }
        }
        Ok(None)
    }
}
