//! What a user may set about a curriculum.

use crate::error::RandomizationError;
use giraffe_robots::{Measure, Task, did_you_mean};
use serde::{Deserialize, Serialize};

/// The `[curriculum]` section of a configuration. The number that moves ends where the configuration has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurriculumConfig {
    /// Which number moves: `dials.NAME`, one of the task; or one of the ranges, `ranges.NAME` where a parameter is fixed,
    /// else one of its ends, `ranges.NAME.max`.
    pub scalar: String,
    /// What it is at first.
    pub easy: f32,
    /// In how many equal steps it goes from there to what the configuration says.
    #[serde(default = "step_count")]
    pub step_count: usize,
    /// By which of the task's measures; the headline if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<String>,
    /// It moves a step on when the mean of the measure is at least this good, in its unit; what the task itself calls good, if
    /// not given and the measure is the headline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promote_above: Option<f64>,
    /// It moves a step back when that mean is at most this good; if not given, what the task calls poor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub demote_below: Option<f64>,
    /// Episodes of a level over which the mean is taken. Of 256 its standard error is a sixteenth of the spread between
    /// episodes, enough to tell what the tasks call good from what they call poor.
    #[serde(default = "episode_count")]
    pub episode_count: usize,
}

fn step_count() -> usize {
    10
}

fn episode_count() -> usize {
    256
}

/// More levels than this nobody passes.
const MOST_STEPS: usize = 1000;

/// When a level is good enough, and when it is too hard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Which of the task's measures.
    pub measure: usize,
    /// Of the measure, turned so that more is better; and so is the other.
    pub promote_above: f64,
    pub demote_below: f64,
    pub episode_count: usize,
}

impl CurriculumConfig {
    /// A curriculum of one number, everything else as usual.
    pub fn of(scalar: &str, easy: f32) -> Self {
        Self {
            scalar: scalar.to_owned(),
            easy,
            step_count: step_count(),
            measure: None,
            promote_above: None,
            demote_below: None,
            episode_count: episode_count(),
        }
    }

    /// Which measure decides.
    pub(super) fn measure_of(&self, task: &dyn Task) -> Result<(usize, &'static Measure), RandomizationError> {
        let measures = task.measures();
        let Some(name) = &self.measure else { return Ok((0, &measures[0])) };
        let found = measures.iter().enumerate().find(|(_, measure)| measure.name == name);
        found.ok_or_else(|| {
            let known: Vec<&str> = measures.iter().map(|measure| measure.name).collect();
            let meant = did_you_mean(name, known.iter().copied());
            invalid("measure", name, format!("a measure of {}, one of {}{meant}", task.name(), known.join(", ")))
        })
    }

    pub(super) fn rules(&self, task: &dyn Task) -> Result<Rules, RandomizationError> {
        for (setting, found, most) in
            [("step_count", self.step_count, MOST_STEPS), ("episode_count", self.episode_count, usize::MAX)]
        {
            if !(1..=most).contains(&found) {
                let to = if most == usize::MAX { "at least 1".to_owned() } else { format!("1 to {most}") };
                return Err(invalid(setting, found, to));
            }
        }
        let (index, measure) = self.measure_of(task)?;
        let own = (index == 0).then(|| task.aims());
        let given = |setting, given: Option<f64>, own: Option<f64>| {
            given.or(own).filter(|value| value.is_finite()).ok_or_else(|| {
                let found = given.map_or_else(|| "nothing".to_owned(), |value| value.to_string());
                let task = task.name();
                invalid(setting, found, format!("a number, since {task} says only of its headline what is good"))
            })
        };
        let promote = given("promote_above", self.promote_above, own.map(|aims| aims.good))?;
        let demote = given("demote_below", self.demote_below, own.map(|aims| aims.poor))?;
        let [promote_above, demote_below] = [promote, demote].map(|value| measure.better.oriented(value));
        if promote_above > demote_below {
            return Ok(Rules { measure: index, promote_above, demote_below, episode_count: self.episode_count });
        }
        let expected = format!("better than demote_below, {demote}, in {}", measure.name);
        Err(invalid("promote_above", promote, expected))
    }
}

pub(super) fn invalid(setting: &'static str, found: impl ToString, expected: String) -> RandomizationError {
    RandomizationError::InvalidCurriculum { setting, found: found.to_string(), expected }
}
