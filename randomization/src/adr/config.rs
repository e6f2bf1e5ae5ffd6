//! What a user may set about automatic domain randomization.

use crate::error::RandomizationError;
use crate::parameters::PARAMETERS;
use giraffe_robots::{Aims, Task, did_you_mean};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The `[randomization.adr]` section of a configuration.
///
/// The defaults are chosen for a quarter of an hour on one core: 4,500 control steps a second are 4 million, or 10,000
/// episodes of 400 steps, of which half test a boundary. Policies need a third to a half of that to become as good as
/// `grow_above` asks (five runs of `rotate-z` with fixed wide ranges did after 1.2 to 2 million steps); what is left is 60 to 80 tests for each of about 40 sides: with buffers of 8 some six to nine decisions, and with steps of 0.2
/// boundaries that are never refused travel to the edge of the `wide` preset and a little beyond. With more worlds buffers
/// grow and steps shrink, up to 240 results and 0.037 (the paper has 240 and 0.02).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdrConfig {
    /// Whether training widens the ranges by itself, instead of drawing from the configured ones throughout.
    pub enabled: bool,
    /// Share of episodes that test a boundary. The paper has 0.5.
    pub boundary_probability: f32,
    /// A boundary moves out when the mean of the task's headline over its buffer is at least this good, in the headline's
    /// unit; where not given, what the task itself calls good.
    #[serde(alias = "grow_above_rad_per_sec", skip_serializing_if = "Option::is_none")]
    pub grow_above: Option<f64>,
    /// A boundary moves back when that mean is at most this good; where not given, what the task itself calls poor.
    #[serde(alias = "shrink_below_rad_per_sec", skip_serializing_if = "Option::is_none")]
    pub shrink_below: Option<f64>,
    /// Results that a side waits for before it decides; 0 for what suits the number of worlds: as many as there are
    /// worlds per side, since those in flight are lost when a boundary moves, but 8 to 240.
    pub buffer_length: usize,
    /// How far a boundary moves at once, as a part of the way from nominal to the edge of the configured range; 0 for
    /// what suits the buffer: 0.2 for 8 results, and less as the mean becomes surer, `0.2 sqrt(8 / buffer_length)`.
    pub step: f32,
    /// Where boundaries start: 0 is nominal, 1 the edge of the configured range.
    pub start_reach: f32,
    /// Where boundaries end, in the same measure, unless the physical bounds come first.
    pub max_reach: f32,
    /// Parameters that share their sides. Names, or patterns with one `*`. All that is not named stands alone.
    pub groups: Vec<Vec<String>>,
}

impl Default for AdrConfig {
    fn default() -> Self {
        let group = |patterns: &[&str]| patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        Self {
            enabled: false,
            boundary_probability: 0.5,
            grow_above: None,
            shrink_below: None,
            buffer_length: 0,
            step: 0.0,
            start_reach: 0.0,
            max_reach: 4.0,
            groups: vec![
                group(&["object.center_of_mass_*"]),
                group(&["contact.tip_friction", "contact.link_friction", "contact.palm_friction"]),
                group(&["sensing.*"]),
                group(&["tracking.*"]),
                group(&["actuation.*"]),
                group(&["force.*"]),
                group(&["adversary.*"]),
            ],
        }
    }
}

/// Shortest buffer by itself: the standard error of the mean of 8 episodes is about a third of the distance between
/// the thresholds (a trained policy's rate has a deviation of about 0.1 rad/s between episodes).
const MIN_BUFFER_LENGTH: usize = 8;
/// That of the paper.
const MAX_BUFFER_LENGTH: usize = 240;
/// Step that goes with the shortest buffer.
const MAX_STEP: f64 = 0.2;

impl AdrConfig {
    /// Between which values of the headline a boundary stays where it is, for one task.
    ///
    /// # Errors
    /// When what was given and what the task says do not go together.
    pub fn aims(&self, task: &dyn Task) -> Result<Aims, RandomizationError> {
        let own = task.aims();
        let aims = Aims { poor: self.shrink_below.unwrap_or(own.poor), good: self.grow_above.unwrap_or(own.good) };
        let headline = &task.measures()[0];
        if headline.better.oriented(aims.good) > headline.better.oriented(aims.poor) {
            return Ok(aims);
        }
        let expected = format!("better than shrink_below, {}, in {} of {}", aims.poor, headline.unit, task.name());
        Err(RandomizationError::InvalidAdr { setting: "grow_above", found: aims.good.to_string(), expected })
    }

    /// Results that a side waits for, with `world_count` worlds and `side_count` sides.
    pub fn buffer_length(&self, world_count: usize, side_count: usize) -> usize {
        match self.buffer_length {
            0 => world_count.div_ceil(side_count.max(1)).clamp(MIN_BUFFER_LENGTH, MAX_BUFFER_LENGTH),
            length => length,
        }
    }

    /// Step of a side whose buffer holds this many results, as a part of the way to the edge.
    pub fn step(&self, buffer_length: usize) -> f64 {
        if self.step > 0.0 {
            return f64::from(self.step);
        }
        MAX_STEP * (MIN_BUFFER_LENGTH as f64 / buffer_length.max(MIN_BUFFER_LENGTH) as f64).sqrt()
    }

    /// Whether these settings can be.
    ///
    /// # Errors
    /// Names the setting that cannot be, and what would be right.
    pub fn validate(&self) -> Result<(), RandomizationError> {
        let refuse = |setting: &'static str, found: f32, expected: String| {
            Err(RandomizationError::InvalidAdr { setting, found: found.to_string(), expected })
        };
        if !(0.0..=1.0).contains(&self.boundary_probability) {
            return refuse("boundary_probability", self.boundary_probability, "0 to 1".to_owned());
        }
        for (setting, given) in [("grow_above", self.grow_above), ("shrink_below", self.shrink_below)] {
            if let Some(value) = given.filter(|value| !value.is_finite()) {
                return refuse(setting, value as f32, "a finite number".to_owned());
            }
        }
        if !(self.max_reach.is_finite() && self.max_reach > 0.0) {
            return refuse("max_reach", self.max_reach, "a number above 0".to_owned());
        }
        if !(0.0..=self.max_reach).contains(&self.start_reach) {
            return refuse("start_reach", self.start_reach, format!("0 to max_reach, {}", self.max_reach));
        }
        if !(0.0..=self.max_reach).contains(&self.step) {
            return refuse("step", self.step, format!("0 to max_reach, {}; 0 chooses", self.max_reach));
        }
        self.grouped().map(|_| ())
    }

    /// Which group each grouped row belongs to, by name of the row.
    ///
    /// # Errors
    /// When a name or pattern fits nothing, or a row is in two groups.
    pub(crate) fn grouped(&self) -> Result<BTreeMap<&'static str, usize>, RandomizationError> {
        let mut group_of = BTreeMap::new();
        for (group, patterns) in self.groups.iter().enumerate() {
            for pattern in patterns {
                let mut fitting = PARAMETERS.iter().filter(|row| fits(pattern, row.name)).peekable();
                if fitting.peek().is_none() {
                    return Err(RandomizationError::UnknownParameter {
                        name: pattern.clone(),
                        suggestion: did_you_mean(pattern, PARAMETERS.iter().map(|row| row.name)),
                    });
                }
                for row in fitting {
                    if group_of.insert(row.name, group).is_some_and(|other| other != group) {
                        return Err(RandomizationError::InvalidAdr {
                            setting: "groups",
                            found: format!("\"{}\" in two groups", row.name),
                            expected: "every parameter in one group at most".to_owned(),
                        });
                    }
                }
            }
        }
        Ok(group_of)
    }
}

/// Whether a name is `pattern`, in which one `*` stands for anything.
fn fits(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, end)) => name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use giraffe_robots::find_task;

    fn message(change: impl FnOnce(&mut AdrConfig)) -> String {
        let mut config = AdrConfig::default();
        change(&mut config);
        config.validate().expect_err("it is wrong").to_string()
    }

    #[test]
    fn the_defaults_can_be_used() {
        AdrConfig::default().validate().unwrap();
    }

    #[test]
    fn buffers_grow_and_steps_shrink_with_the_number_of_worlds() {
        let config = AdrConfig::default();
        assert_eq!(config.buffer_length(64, 36), 8);
        assert_eq!(config.buffer_length(2048, 36), 57);
        assert_eq!(config.buffer_length(16_384, 36), 240);
        assert!((config.step(8) - 0.2).abs() < 1e-9);
        assert!((config.step(240) - 0.0365).abs() < 1e-4);
        let set = AdrConfig { buffer_length: 5, step: 0.5, ..config };
        assert_eq!(set.buffer_length(16_384, 36), 5);
        assert!((set.step(5) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (message, parts) in [
            (message(|c| c.boundary_probability = 1.5), ["boundary_probability", "1.5", "0 to 1"]),
            (message(|c| c.grow_above = Some(f64::INFINITY)), ["grow_above", "inf", "finite"]),
            (message(|c| c.shrink_below = Some(f64::NAN)), ["shrink_below", "NaN", "finite"]),
            (message(|c| c.max_reach = 0.0), ["max_reach", "found 0", "above 0"]),
            (message(|c| c.start_reach = -0.1), ["start_reach", "-0.1", "0 to max_reach"]),
            (message(|c| c.step = f32::INFINITY), ["step", "inf", "0 to max_reach"]),
            (message(|c| c.groups.push(vec!["object.mas".to_owned()])), ["object.mas", "did you mean", "object.mass"]),
            (
                message(|c| c.groups.push(vec!["object.*".to_owned()])),
                ["groups", "object.center_of_mass", "in two groups"],
            ),
        ] {
            assert!(parts.iter().all(|part| message.contains(part)), "{parts:?} are not in: {message}");
        }
    }

    #[test]
    fn what_is_not_given_is_the_tasks_own_and_both_must_go_together() {
        let task = find_task("rotate-z").expect("a task");
        let own = AdrConfig::default().aims(task).unwrap();
        assert_eq!(own, task.aims());
        let given = AdrConfig { grow_above: Some(0.7), ..AdrConfig::default() }.aims(task).unwrap();
        assert_eq!((given.good, given.poor), (0.7, own.poor));
        let wrong = AdrConfig { grow_above: Some(0.05), ..AdrConfig::default() }.aims(task).unwrap_err().to_string();
        for part in ["grow_above", "0.05", "better than shrink_below, 0.1", "rad/s", "rotate-z"] {
            assert!(wrong.contains(part), "{part} is not in: {wrong}");
        }
    }

    #[test]
    fn a_star_stands_for_anything() {
        assert!(fits("object.*", "object.mass") && fits("*.mass", "object.mass") && fits("o*s", "object.mass"));
        assert!(fits("object.mass", "object.mass") && fits("*", "object.mass"));
        assert!(!fits("object.mas", "object.mass") && !fits("object.mass*s", "object.mass"));
    }
}
