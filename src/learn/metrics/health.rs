//! Signs of learning going wrong, in words.
//!
//! | sign | when | why there |
//! | --- | --- | --- |
//! | the policy leaps | KL divergence of the last epoch above 10 times `ppo.kl_bounds[1]` | the rate shrinks by `ppo.learning_rate_factor` once an epoch when the bound is passed; at ten times the bound the policy is out of what was collected before that can help |
//! | clipped samples | clip fraction above 0.5 | more than half of what was collected no longer teaches anything; 0.1 to 0.3 is usual |
//! | values beyond reason | a value above twice R / (1 - discount), R the largest reward so far, either sign | no policy can earn more than R / (1 - discount); twice, since a critic may overshoot |
//! | value loss grows | value loss above 10 times the returns' variance, 20 iterations in a row | a critic that said the same of everything would have 1 time the variance |
//! | nothing foreseen | explained variance below 0, 50 iterations in a row | at the start it is normal, and learning a new skill makes it dip; fifty iterations are about 800 gradient steps of the critic |
//! | exploration ends | mean standard deviation below 3 % of `ppo.initial_std` | the KL divergence of a step grows as one over its square: learning stands still, and what was not found by then is not found |
//! | hovering | the net value of a success below -0.1 times the returns' standard deviation, 20 iterations in a row that reached goals | then who reaches a goal loses by it, and learns to stay close instead; a critic that foresees successes errs to either side of zero, and by less |
//! | dropping pays | a step of the episodes that dropped the object earns more than one of those that kept it, 20 iterations in a row, 32 or more of the latest of either kind | an episode that ends is followed by another, so steps are what is paid for: such a policy unlearns to hold |
//! | dead columns | a standard deviation below 1e-6 after 100,000 observations | single precision tells numbers of about one apart to 1e-7: the column does not move; said once per run, for all of them |
//!
//! A sign is counted in every iteration that shows it, and said at most every 200 iterations. Nothing here reads a clock, so
//! a run that goes on from a checkpoint counts and says the same.

use crate::learn::earnings::Earnings;
use giraffe_policy::{IterationReport, PpoConfig, RunningMoments};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const KL_TIMES_BOUND: f32 = 10.0;
const CLIP_FRACTION: f32 = 0.5;
const VALUE_TIMES_REASON: f32 = 2.0;
const LOSS_TIMES_VARIANCE: f32 = 10.0;
const LOSS_ITERATIONS: u32 = 20;
const BLIND_ITERATIONS: u32 = 50;
const HOVERING_SHARE: f32 = 0.1;
const HOVERING_ITERATIONS: u32 = 20;
const DROPPING_ITERATIONS: u32 = 20;
const STD_SHARE: f32 = 0.03;
const DEAD_STD: f64 = 1e-6;
const DEAD_AFTER_ROWS: f64 = 1e5;
/// Iterations between two warnings of the same sign.
const SILENCE_ITERATIONS: u64 = 200;
/// Most dead columns that are named.
const NAMED_COLUMNS: usize = 8;

/// What can be seen going wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// The policy leaps.
    Leap,
    /// Clipped samples.
    Clipped,
    /// Values beyond reason.
    Values,
    /// Value loss grows.
    Loss,
    /// Nothing foreseen.
    Blind,
    /// Exploration ends.
    Narrow,
    /// Hovering.
    Hovering,
    /// Dropping pays.
    Dropping,
    /// Dead columns.
    DeadColumns,
}

/// What is remembered of a run's iterations, to tell a bad day from an illness. Kept in checkpoints.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Health {
    largest_reward: f32,
    /// Iterations in a row.
    loss_iterations: u32,
    blind_iterations: u32,
    #[serde(default)]
    hovering_iterations: u32,
    #[serde(default)]
    dropping_iterations: u32,
    /// In which iteration each sign was said last.
    said: BTreeMap<Sign, u64>,
}

/// What one iteration showed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Findings {
    /// How many signs, said or not.
    pub count: u32,
    /// What is to be said now.
    pub warnings: Vec<String>,
    /// Columns of the observation that never changed so far.
    pub dead_column_count: u32,
}

impl Health {
    /// Looks at one iteration. `moments` are those of all observations so far, `names` their columns, of which the policy
    /// reads the first `actor_width`; `earnings` what the latest episodes earned.
    pub fn examine(
        &mut self,
        report: &IterationReport,
        config: &PpoConfig,
        moments: &RunningMoments,
        (names, actor_width): (&[String], usize),
        earnings: &Earnings,
    ) -> Findings {
        self.largest_reward = self.largest_reward.max(report.largest_reward);
        let in_a_row = |holds: bool, before: u32| if holds { before.saturating_add(1) } else { 0 };
        let variance = report.return_std * report.return_std;
        self.loss_iterations = in_a_row(report.value_loss > LOSS_TIMES_VARIANCE * variance, self.loss_iterations);
        self.blind_iterations = in_a_row(report.explained_variance < 0.0, self.blind_iterations);
        let mut found = signs_of_the_policy(report, config);
        found.extend(self.signs_of_the_critic(report, config));
        found.extend(self.signs_of_the_rewards(report, earnings));
        let dead = dead_columns(moments);
        let mut findings =
            Findings { count: found.len() as u32, warnings: Vec::new(), dead_column_count: dead.len() as u32 };
        for (sign, text) in found {
            let last = self.said.get(&sign);
            if last.is_none_or(|last| report.iteration >= last + SILENCE_ITERATIONS) {
                self.said.insert(sign, report.iteration);
                findings.warnings.push(text);
            }
        }
        let is_time = moments.count() >= DEAD_AFTER_ROWS && !self.said.contains_key(&Sign::DeadColumns);
        if is_time {
            self.said.insert(Sign::DeadColumns, report.iteration);
            findings.warnings.extend(about_dead_columns(&dead, names, actor_width));
        }
        findings
    }

    /// What is paid for is not what is wanted.
    fn signs_of_the_rewards(&mut self, report: &IterationReport, earnings: &Earnings) -> Vec<(Sign, String)> {
        let mut found = Vec::new();
        if let Some(value) = report.success_value {
            let costs = value < -HOVERING_SHARE * report.return_std;
            self.hovering_iterations = if costs { self.hovering_iterations.saturating_add(1) } else { 0 };
            if self.hovering_iterations >= HOVERING_ITERATIONS {
                found.push((
                    Sign::Hovering,
                    format!(
                        "reaching a goal has cost more than it earned for {} iterations: its reward and what comes after it, \
                         less what was expected before it, are {value:.3e} on average (returns vary by {:.3e}); such a \
                         policy learns to hover close to goals and not to reach them: pay more for a success, or less for \
                         being close (giraffe list tasks names the task's dials)",
                        self.hovering_iterations, report.return_std
                    ),
                ));
            }
        }
        let pays = earnings.dropping_pays();
        self.dropping_iterations = if pays.is_some() { self.dropping_iterations.saturating_add(1) } else { 0 };
        if let Some((dropped, kept)) = pays.filter(|_| self.dropping_iterations >= DROPPING_ITERATIONS) {
            found.push((
                Sign::Dropping,
                format!(
                    "dropping the object has paid for {} iterations: {dropped:.3e} a step in episodes that drop it, {kept:.3e} \
                     in those that keep it; such a policy unlearns to hold: let a drop cost more, let a new episode earn no \
                     faster than an old one, or raise ppo.discount",
                    self.dropping_iterations
                ),
            ));
        }
        found
    }

    fn signs_of_the_critic(&self, report: &IterationReport, config: &PpoConfig) -> Vec<(Sign, String)> {
        let mut found = Vec::new();
        let reason = self.largest_reward / (1.0 - config.discount);
        if report.largest_value > VALUE_TIMES_REASON * reason {
            found.push((
                Sign::Values,
                format!(
                    "the critic says {:.3e}, but rewards up to {:.3e} cannot add up to more than {reason:.3e}: its values run \
                     away; lower ppo.critic_learning_rate (now {:e})",
                    report.largest_value, self.largest_reward, config.critic_learning_rate
                ),
            ));
        }
        if self.loss_iterations >= LOSS_ITERATIONS {
            found.push((
                Sign::Loss,
                format!(
                    "the critic's loss, {:.3e}, has been more than {LOSS_TIMES_VARIANCE} times the variance of returns, now \
                     {:.3e}, for {} iterations: it gets worse by learning; lower ppo.critic_learning_rate (now {:e})",
                    report.value_loss,
                    report.return_std * report.return_std,
                    self.loss_iterations,
                    config.critic_learning_rate
                ),
            ));
        }
        if self.blind_iterations >= BLIND_ITERATIONS {
            found.push((
                Sign::Blind,
                format!(
                    "the critic has foreseen nothing of what came (explained variance {:.2}) for {} iterations: advantages \
                     are noise; look at the critic's observation, or change ppo.critic_learning_rate (now {:e})",
                    report.explained_variance, self.blind_iterations, config.critic_learning_rate
                ),
            ));
        }
        found
    }
}

fn signs_of_the_policy(report: &IterationReport, config: &PpoConfig) -> Vec<(Sign, String)> {
    let mut found = Vec::new();
    let [slowest, fastest] = config.learning_rate_bounds;
    let (bound, most) = (config.kl_bounds[1], KL_TIMES_BOUND * config.kl_bounds[1]);
    if report.approx_kl > most {
        found.push((
            Sign::Leap,
            format!(
                "the policy leapt: a KL divergence of {:.3} nats, more than {KL_TIMES_BOUND} times ppo.kl_bounds[1] = {bound}; \
                 lower ppo.learning_rate_bounds (now {slowest:e} to {fastest:e}) or ppo.epoch_count (now {})",
                report.approx_kl, config.epoch_count
            ),
        ));
    }
    if report.clip_fraction > CLIP_FRACTION {
        found.push((
            Sign::Clipped,
            format!(
                "{:.0} % of samples are clipped and teach nothing; lower ppo.learning_rate_bounds (now {slowest:e} to \
                 {fastest:e}), ppo.kl_bounds[1] (now {bound}) or ppo.epoch_count (now {})",
                100.0 * report.clip_fraction,
                config.epoch_count
            ),
        ));
    }
    let narrow = STD_SHARE * config.initial_std;
    if report.mean_std > 0.0 && report.mean_std < narrow {
        found.push((
            Sign::Narrow,
            format!(
                "exploration has all but ended: a standard deviation of {:.4}, less than {:.0} % of ppo.initial_std = {}; \
                 raise ppo.entropy_coefficient (now {})",
                report.mean_std,
                100.0 * STD_SHARE,
                config.initial_std,
                config.entropy_coefficient
            ),
        ));
    }
    found
}

/// Columns that never changed, once there is something to compare.
fn dead_columns(moments: &RunningMoments) -> Vec<usize> {
    if moments.count() < 2.0 {
        return Vec::new();
    }
    let std = moments.std().into_iter().enumerate();
    std.filter(|(_, std)| *std < DEAD_STD).map(|(column, _)| column).collect()
}

fn about_dead_columns(dead: &[usize], names: &[String], actor_width: usize) -> Option<String> {
    if dead.is_empty() {
        return None;
    }
    let named: Vec<&str> =
        dead.iter().take(NAMED_COLUMNS).map(|&column| names.get(column).map_or("?", String::as_str)).collect();
    let more = match dead.len() - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let read = dead.iter().filter(|column| **column < actor_width).count();
    Some(format!(
        "{} of {} columns of the observation have never changed, {read} of them read by the policy: {}{more}; right for what \
         nothing randomizes or moves, otherwise a signal is missing, and a policy that reads one anew later reads nonsense",
        dead.len(),
        names.len(),
        named.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::earnings::tests::earnings;

    fn healthy(iteration: u64) -> IterationReport {
        // What a run of `rotate-z` on its way says; at the start the critic foresees nothing and rewards are small.
        let early = iteration <= 40;
        IterationReport {
            iteration,
            approx_kl: if iteration.is_multiple_of(17) { 0.08 } else { 0.015 },
            clip_fraction: if iteration.is_multiple_of(23) { 0.35 } else { 0.15 },
            explained_variance: if early { -0.3 } else { 0.7 },
            value_loss: if early { 0.08 } else { 0.02 },
            return_std: 0.25,
            largest_value: 2.0,
            largest_reward: if early { 0.05 } else { 2.0 },
            success_count: iteration % 3,
            // A critic that foresees successes errs to either side; in every third iteration none was reached.
            success_value: (!iteration.is_multiple_of(3)).then_some(if iteration.is_multiple_of(2) {
                0.3
            } else {
                -0.3
            }),
            mean_std: 0.6 / (1.0 + iteration as f32 / 400.0),
            ..IterationReport::default()
        }
    }

    /// Observations in which the second of three columns never changes.
    fn moments(row_count: usize) -> RunningMoments {
        let rows: Vec<f32> = (0..row_count).flat_map(|row| [(row % 7) as f32, 0.3, (row % 3) as f32]).collect();
        let mut moments = RunningMoments::new(3);
        moments.add_rows(&rows);
        moments
    }

    fn names() -> Vec<String> {
        ["joint", "gravity", "mass"].map(str::to_owned).to_vec()
    }

    /// What a run says from its beginning on, and in which iterations; `change` makes it ill.
    fn said(iterations: u64, change: impl Fn(&mut IterationReport)) -> (Vec<(u64, String)>, u32) {
        let (mut health, mut said, mut count) = (Health::default(), Vec::new(), 0);
        for iteration in 1..=iterations {
            let mut report = healthy(iteration);
            change(&mut report);
            let earnings = earnings(if report.mean_reward < 0.0 { 9.0 } else { 1.0 });
            let findings = health.examine(&report, &PpoConfig::default(), &moments(50), (&names(), 2), &earnings);
            said.extend(findings.warnings.into_iter().map(|text| (iteration, text)));
            count += findings.count;
            // Nothing that is remembered is lost in a checkpoint.
            let kept = serde_json::to_vec(&health).expect("written");
            health = serde_json::from_slice(&kept).expect("read");
        }
        (said, count)
    }

    #[test]
    fn a_healthy_run_shows_no_sign() {
        assert_eq!(said(1000, |_| {}), (Vec::new(), 0));
    }

    /// One illness from iteration 100 on: in which iteration it is said first, and that it names what to change.
    fn falls_ill(change: impl Fn(&mut IterationReport), first: u64, setting: &str) {
        let (said, count) = said(450, |report| {
            if report.iteration >= 100 {
                change(report);
            }
        });
        let iterations: Vec<u64> = said.iter().map(|(iteration, _)| *iteration).collect();
        assert_eq!(iterations, [first, first + 200], "{said:?}");
        assert!(said.iter().all(|(_, text)| text.contains(setting)), "{said:?}");
        assert_eq!(u64::from(count), 451 - first, "every iteration that shows it is counted");
    }

    #[test]
    fn a_policy_that_leaps_is_told_of() {
        falls_ill(|report| report.approx_kl = 0.31, 100, "ppo.learning_rate_bounds");
    }

    #[test]
    fn clipped_samples_are_told_of() {
        falls_ill(|report| report.clip_fraction = 0.51, 100, "ppo.learning_rate_bounds");
    }

    #[test]
    fn values_beyond_what_rewards_can_add_up_to_are_told_of() {
        // Rewards up to 2 with a discount of 0.99 add up to 200.
        falls_ill(|report| report.largest_value = 401.0, 100, "ppo.critic_learning_rate");
        assert_eq!(said(500, |report| report.largest_value = if report.iteration > 50 { 399.0 } else { 2.0 }).1, 0);
    }

    #[test]
    fn a_value_loss_that_grows_is_told_of_after_twenty_iterations() {
        falls_ill(|report| report.value_loss = 0.63, 119, "ppo.critic_learning_rate");
    }

    #[test]
    fn a_critic_that_foresees_nothing_is_told_of_after_fifty_iterations() {
        falls_ill(|report| report.explained_variance = -0.01, 149, "explained variance");
    }

    #[test]
    fn the_end_of_exploration_is_told_of() {
        falls_ill(|report| report.mean_std = 0.018, 100, "ppo.entropy_coefficient");
    }

    #[test]
    fn goals_that_cost_more_than_they_earn_are_told_of_after_twenty_iterations_that_reached_some() {
        // Returns vary by 0.25. Of the iterations from 100 on those that three divides reach no goal: 102 is the first.
        let ill = |report: &mut IterationReport| {
            if report.iteration >= 100 {
                report.success_value = report.success_value.map(|_| -0.03);
            }
        };
        let (said, count) = said(330, ill);
        let iterations: Vec<u64> = said.iter().map(|(iteration, _)| *iteration).collect();
        assert_eq!(iterations, [128, 328], "{said:?}");
        assert!(said[0].1.contains("for 20 iterations") && said[0].1.contains("hover"), "{said:?}");
        // 128, and two of every three from then on.
        assert_eq!(count, 135);
        let small = |report: &mut IterationReport| report.success_value = Some(-0.02);
        assert_eq!(self::said(300, small).1, 0, "a critic may err by as much");
    }

    #[test]
    fn drops_that_pay_are_told_of_after_twenty_iterations() {
        falls_ill(|report| report.mean_reward = -1.0, 119, "let a drop cost more");
    }

    #[test]
    fn dead_columns_are_named_once_and_all_together() {
        let (mut health, config) = (Health::default(), PpoConfig::default());
        let earnings = earnings(1.0);
        let mut examine =
            |iteration, rows| health.examine(&healthy(iteration), &config, &moments(rows), (&names(), 2), &earnings);
        let early = examine(1, 1000);
        assert_eq!((early.dead_column_count, early.warnings.len()), (1, 0), "too early to tell");
        let findings = examine(2, 100_000);
        let text = findings.warnings.first().expect("a warning");
        assert!(
            text.starts_with("1 of 3 columns") && text.contains("1 of them read by the policy: gravity;"),
            "{text}"
        );
        assert_eq!(findings.count, 0, "they are counted in a column of their own");
        for iteration in 3..500 {
            assert_eq!(examine(iteration, 100_000), Findings { dead_column_count: 1, ..Findings::default() });
        }
        let many: Vec<String> = (0..20).map(|column| format!("c{column}")).collect();
        let text = about_dead_columns(&(0..20).collect::<Vec<_>>(), &many, 5).expect("a warning");
        assert!(text.contains("c7 and 12 more") && text.contains("5 of them"), "{text}");
        assert_eq!(dead_columns(&RunningMoments::new(3)), Vec::<usize>::new());
    }
}
