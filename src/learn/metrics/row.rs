//! One row of metrics.

use super::timing::{Rates, Split};
use crate::run::score::Score;
use crate::run::statistics::Estimate;
use anyhow::{Context, Result};
use giraffe_policy::IterationReport;
use giraffe_randomization::CurriculumReport;
use serde::{Serialize, Serializer};

/// What is written down about one iteration. Every number is a column; what is not a number is empty.
#[derive(Debug, Clone, Serialize)]
pub struct MetricsRow {
    /// Wall-clock seconds of training.
    pub train_seconds: f64,
    /// Means of the task's measures over the latest training episodes.
    #[serde(flatten)]
    pub measures: MeasureColumns,
    /// Of those, how many the simulation lost or the policy could not read.
    pub lost_count: usize,
    /// What the latest training episodes earned in a step that kept the object: of their last step and all before it, mean.
    pub kept_reward_per_step: Option<f64>,
    /// The same of those that dropped it.
    pub failed_reward_per_step: Option<f64>,
    /// Entropy of the ranges under automatic domain randomization, nats per dimension: -6.9 is nominal, 0 as wide as
    /// the configured ranges.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adr_entropy: Option<f64>,
    /// Where the number of a curriculum stands, if there is one.
    #[serde(flatten)]
    pub curriculum: CurriculumColumns,
    /// What the learner says.
    #[serde(flatten)]
    pub report: IterationReport,
    /// What rewards were made of.
    #[serde(flatten)]
    pub rewards: RewardColumns,
    /// Where the time of this iteration went.
    #[serde(flatten)]
    pub split: Split,
    /// How fast each part was.
    #[serde(flatten)]
    pub rates: Rates,
    /// Signs of learning going wrong in this iteration: see [`super::health`].
    pub warning_count: u32,
    /// Columns of the observation that never changed so far.
    pub dead_column_count: u32,
}

/// Columns `curriculum_level`, 0 for the easiest, and `curriculum_value`; none where nothing moves.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct CurriculumColumns {
    #[serde(skip_serializing_if = "Option::is_none")]
    curriculum_level: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    curriculum_value: Option<f32>,
}

impl CurriculumColumns {
    /// Those of a curriculum that stands so.
    pub fn of(report: Option<CurriculumReport>) -> Self {
        Self { curriculum_level: report.map(|at| at.level), curriculum_value: report.map(|at| at.value) }
    }
}

/// The mean of every measure of the task, in a column of its name; empty before there was an episode.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MeasureColumns(pub Vec<(String, Option<f64>)>);

impl MeasureColumns {
    /// The means of a score.
    pub fn of(score: &Score) -> Self {
        let mean = |(name, estimate): &(String, Option<Estimate>)| (name.clone(), estimate.map(|mean| mean.value));
        Self(score.measures.0.iter().map(mean).collect())
    }
}

impl Serialize for MeasureColumns {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// Mean per step of every named term of the rewards: columns `reward_drop` and so on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RewardColumns(pub Vec<(&'static str, f32)>);

impl Serialize for RewardColumns {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A zero has no sign.
        serializer.collect_map(self.0.iter().map(|(name, value)| (format!("{REWARD}{name}"), value + 0.0)))
    }
}

/// What the names of terms of rewards begin with.
const REWARD: &str = "reward_";

impl MetricsRow {
    /// As one line of JSON, without its end.
    ///
    /// # Errors
    /// Never, as rows are.
    pub fn line(&self) -> Result<String> {
        serde_json::to_string(self).context("a row of metrics")
    }
}

/// Names and numbers of a line, in its order and its letters, so that every form says the same to the last digit. What
/// is not a number is empty. A row is flat and its names are words: between two commas there is always one column.
pub(super) fn fields(line: &str) -> Vec<(&str, &str)> {
    let inside = line.trim_start_matches('{').trim_end_matches('}');
    let columns = inside.split(',').filter_map(|column| column.split_once(':'));
    columns.map(|(name, value)| (name.trim_matches('"'), if value == "null" { "" } else { value })).collect()
}

/// What a column is called in TensorBoard, which draws together what has the same word before the stroke. `measures` are
/// the names of those of the task.
pub(super) fn tag(name: &str, measures: &[&str]) -> String {
    if measures.contains(&name) {
        return format!("task/{name}");
    }
    if let Some(term) = name.strip_prefix(REWARD) {
        return format!("reward/{term}");
    }
    let group = match name {
        "mean_reward"
        | "kept_reward_per_step"
        | "failed_reward_per_step"
        | "success_count"
        | "episode_count"
        | "timeout_count"
        | "lost_count"
        | "curriculum_level"
        | "curriculum_value"
        | "adr_entropy" => "task",
        "warning_count" | "dead_column_count" => "health",
        "iteration" | "control_steps" => "speed",
        name if name.ends_with("seconds") || name.ends_with("s_per_sec") => "speed",
        _ => "learning",
    };
    format!("{group}/{name}")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn row(iteration: u64) -> MetricsRow {
        let split = Split { physics_seconds: 0.1 + 0.2, inference_seconds: 0.05, update_seconds: 0.1 };
        let report = IterationReport {
            iteration,
            control_steps: 64 * iteration,
            approx_kl: 0.1 + iteration as f32,
            ..IterationReport::default()
        };
        MetricsRow {
            train_seconds: 0.1 + iteration as f64 / 3.0,
            measures: MeasureColumns(vec![
                ("height_m".to_owned(), None),
                ("kept_fraction".to_owned(), Some(1.0 / 3.0)),
            ]),
            lost_count: 0,
            kept_reward_per_step: Some(0.02),
            failed_reward_per_step: None,
            adr_entropy: None,
            curriculum: CurriculumColumns { curriculum_level: Some(2), curriculum_value: Some(0.3) },
            report,
            rewards: RewardColumns(vec![("lift", 0.1), ("drop", -1e-9), ("calm", -0.0)]),
            split,
            rates: split.rates(64, 4),
            warning_count: 0,
            dead_column_count: 2,
        }
    }

    #[test]
    fn a_line_falls_apart_into_its_columns() {
        let line = row(7).line().expect("a line");
        let fields = fields(&line);
        let parsed: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&line).expect("JSON");
        assert_eq!(fields.len(), parsed.len());
        for (name, value) in &fields {
            let expected = &parsed[*name];
            assert!(expected.is_number() || (expected.is_null() && value.is_empty()), "{name}: {expected} {value}");
            assert!(value.is_empty() || line.contains(&format!("\"{name}\":{value}")), "{name}: {value}");
        }
        let of = |wanted: &str| fields.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        assert_eq!(of("height_m"), Some(""));
        assert_eq!(of("physics_seconds"), Some("0.30000000000000004"));
        assert_eq!((of("reward_lift"), of("reward_drop"), of("approx_kl")), (Some("0.1"), Some("-1e-9"), Some("7.1")));
        assert_eq!(of("reward_calm"), Some("0.0"), "a zero has no sign");
    }

    #[test]
    fn every_column_belongs_to_a_group() {
        let tags: Vec<String> =
            fields(&row(1).line().expect("a line")).iter().map(|(name, _)| tag(name, &["height_m"])).collect();
        for expected in [
            "learning/approx_kl",
            "learning/explained_variance",
            "learning/entropy",
            "task/curriculum_value",
            "task/height_m",
            "task/mean_reward",
            "speed/physics_seconds",
            "speed/update_steps_per_sec",
            "speed/learner_samples_per_sec",
            "reward/lift",
            "health/warning_count",
        ] {
            assert!(tags.iter().any(|tag| tag == expected), "{expected} is not in {tags:?}");
        }
    }
}
