//! Which number is meant, and the task and ranges with another in its place.

use super::config::invalid;
use super::ranges::Subject;
use crate::distribution::Distribution;
use crate::error::RandomizationError;
use crate::parameters::find_parameter;
use crate::ranges::RangeConfig;
use giraffe_robots::{Task, dial_values, did_you_mean, find_task_with};

/// A number of the task or of the ranges.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    /// A number of the task.
    Dial(&'static str),
    /// A number of how a parameter is drawn.
    Range(&'static str, Part),
}

/// Which number of a distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Fixed,
    /// `min`, or the mean.
    First(&'static str),
    /// `max`, or the deviation.
    Second(&'static str),
}

impl Part {
    /// Every number of a distribution.
    fn all_of(distribution: Distribution) -> Vec<Part> {
        match distribution {
            Distribution::Fixed(_) => vec![Part::Fixed],
            Distribution::Uniform { .. } | Distribution::LogUniform { .. } => {
                vec![Part::First("min"), Part::Second("max")]
            }
            Distribution::Normal { .. } => vec![Part::First("mean"), Part::Second("deviation")],
        }
    }

    fn of(self, distribution: Distribution) -> f32 {
        let (first, second) = numbers(distribution);
        if matches!(self, Part::Second(_)) { second } else { first }
    }

    fn set(self, distribution: Distribution, value: f32) -> Distribution {
        let (first, second) = numbers(distribution);
        let (first, second) = if matches!(self, Part::Second(_)) { (first, value) } else { (value, second) };
        match distribution {
            Distribution::Fixed(_) => Distribution::Fixed(first),
            Distribution::Uniform { .. } => Distribution::Uniform { min: first, max: second },
            Distribution::LogUniform { .. } => Distribution::LogUniform { min: first, max: second },
            Distribution::Normal { .. } => Distribution::Normal { mean: first, deviation: second },
        }
    }
}

/// The numbers of a distribution; of a fixed one the same twice.
fn numbers(distribution: Distribution) -> (f32, f32) {
    match distribution {
        Distribution::Fixed(value) => (value, value),
        Distribution::Uniform { min, max } | Distribution::LogUniform { min, max } => (min, max),
        Distribution::Normal { mean, deviation } => (mean, deviation),
    }
}

impl Scalar {
    /// Every number that may move in what a run is about, and how it is written.
    fn all(subject: &Subject<'_>) -> Result<Vec<(String, Self)>, RandomizationError> {
        let task = subject.usual_task()?;
        let mut all: Vec<(String, Self)> =
            task.dials().iter().map(|dial| (format!("dials.{}", dial.name), Self::Dial(dial.name))).collect();
        for (row, distribution) in subject.ranges.rows() {
            for part in Part::all_of(distribution) {
                let end = match part {
                    Part::Fixed => String::new(),
                    Part::First(name) | Part::Second(name) => format!(".{name}"),
                };
                all.push((format!("ranges.{}{end}", row.name), Self::Range(row.name, part)));
            }
        }
        Ok(all)
    }

    /// The number that is written so.
    pub fn find(name: &str, subject: &Subject<'_>) -> Result<Self, RandomizationError> {
        let all = Self::all(subject)?;
        if let Some((_, found)) = all.iter().find(|(known, _)| known == name) {
            return Ok(found.clone());
        }
        let names = || all.iter().map(|(known, _)| known.as_str());
        let dials: Vec<&str> = names().filter(|known| known.starts_with("dials.")).collect();
        let dials = if dials.is_empty() { "none of the task".to_owned() } else { dials.join(", ") };
        let parameter = name.strip_prefix("ranges.").and_then(|name| find_parameter(name).ok());
        let meant = match parameter {
            Some(row) => match subject.ranges.get(row.name).map(Part::all_of).unwrap_or_default()[..] {
                [Part::First(first), Part::Second(second)] => {
                    format!("; {} is drawn from a range: {name}.{first} or {name}.{second}", row.name)
                }
                _ => format!(
                    "; {} does not vary here: say first what it shall come to, in randomization.ranges",
                    row.name
                ),
            },
            None => did_you_mean(name, names()),
        };
        let expected = format!(
            "a number of the task {} ({dials}), or of a parameter that varies here (ranges.NAME, giraffe list parameters)\
             {meant}",
            subject.task
        );
        Err(invalid("scalar", name, expected))
    }

    /// What it is in the configuration.
    pub fn hard(&self, subject: &Subject<'_>) -> Result<f32, RandomizationError> {
        match self {
            Self::Dial(name) => {
                let task = subject.usual_task()?;
                let values = dial_values(task.name(), task.dials(), subject.dials).map_err(|error| of_task(&error))?;
                let at = task.dials().iter().position(|dial| dial.name == *name);
                Ok(at.and_then(|at| values.get(at).copied()).unwrap_or(f32::NAN))
            }
            Self::Range(name, part) => Ok(subject.ranges.get(name).map_or(f32::NAN, |range| part.of(range))),
        }
    }

    /// Task and ranges with another number in its place.
    pub fn put(
        &self,
        value: f32,
        subject: &Subject<'_>,
    ) -> Result<(&'static dyn Task, RangeConfig), RandomizationError> {
        let (mut dials, mut ranges) = (subject.dials.clone(), subject.ranges.clone());
        match self {
            Self::Dial(name) => drop(dials.insert((*name).to_owned(), value)),
            Self::Range(name, part) => {
                let range = ranges.get(name).unwrap_or(Distribution::Fixed(value));
                ranges.set(name, part.set(range, value))?;
            }
        }
        let task = find_task_with(subject.task, &dials).map_err(|error| of_task(&error))?;
        Ok((task, ranges))
    }
}

fn of_task(error: &giraffe_robots::DialError) -> RandomizationError {
    invalid("scalar", error, "numbers that the task can have, from easy to what the configuration says".to_owned())
}
