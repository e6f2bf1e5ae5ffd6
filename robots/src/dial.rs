//! The numbers of a task that may be set: how close is close enough, how fast is fast enough.

use crate::names::{UnknownName, did_you_mean};
use crate::task::Task;
use crate::tasks::find_task;
use std::collections::BTreeMap;
use thiserror::Error;

/// One number of a task that may be set, as `[dials]` in a configuration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dial {
    /// Lower-case name with the unit in it.
    pub name: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// What it is unless somebody says otherwise.
    pub usual: f32,
    /// The least it may be.
    pub least: f32,
    /// The most it may be.
    pub most: f32,
}

/// Why a task cannot be set so.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum DialError {
    /// There is no such task.
    #[error(transparent)]
    NoTask(#[from] UnknownName),
    /// The task has no number of this name.
    #[error("dials.{name}: the task {task} has no such number{meant}; it has: {known}")]
    NoDial {
        /// Its name.
        name: String,
        /// Of which task.
        task: &'static str,
        /// What was probably meant, as part of the sentence.
        meant: String,
        /// Those it has.
        known: String,
    },
    /// A number that cannot be.
    #[error("dials.{name} = {value}: expected {least} to {most} ({doc})")]
    OutOfRange {
        /// Its name.
        name: &'static str,
        /// What was asked for.
        value: f32,
        /// The least it may be.
        least: f32,
        /// The most it may be.
        most: f32,
        /// What it is.
        doc: &'static str,
    },
    /// Numbers that cannot be together.
    #[error("dials of the task {task}: {problem}")]
    Together {
        /// Of which task.
        task: &'static str,
        /// What does not fit.
        problem: &'static str,
    },
}

/// The values of a task's dials, in its order: the usual ones, but for those that `set` names.
///
/// # Errors
/// When there is no such number, or it cannot be so.
pub fn dial_values(task: &dyn Task, set: &BTreeMap<String, f32>) -> Result<Vec<f32>, DialError> {
    let dials = task.dials();
    let mut values: Vec<f32> = dials.iter().map(|dial| dial.usual).collect();
    for (name, value) in set {
        let Some(at) = dials.iter().position(|dial| dial.name == name) else {
            let names = || dials.iter().map(|dial| dial.name);
            let known: Vec<&str> = names().collect();
            let known = if known.is_empty() { "none at all".to_owned() } else { known.join(", ") };
            let meant = did_you_mean(name, names());
            return Err(DialError::NoDial { name: name.clone(), task: task.name(), meant, known });
        };
        let Dial { name, doc, least, most, .. } = dials[at];
        // Written so that NaN fails.
        if !(*value >= least && *value <= most) {
            return Err(DialError::OutOfRange { name, value: *value, least, most, doc });
        }
        values[at] = *value;
    }
    Ok(values)
}

/// The task called `name`, set so. What is not the usual task stays in memory for as long as the program runs: one for
/// each configuration.
///
/// # Errors
/// When there is no such task, or no such number, or it cannot be so.
pub fn find_task_with(name: &str, set: &BTreeMap<String, f32>) -> Result<&'static dyn Task, DialError> {
    let task = find_task(name)?;
    if set.is_empty() {
        return Ok(task);
    }
    let values = dial_values(task, set)?;
    let problem = |problem| DialError::Together { task: task.name(), problem };
    Ok(Box::leak(task.with_dials(&values).map_err(problem)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pairs: &[(&str, f32)]) -> BTreeMap<String, f32> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    #[test]
    fn what_is_not_set_is_as_usual() {
        let task = find_task("reorient").expect("a task");
        let values = dial_values(task, &set(&[("tolerance_rad", 0.2)])).expect("it may be");
        for (dial, value) in task.dials().iter().zip(values) {
            assert_eq!(value, if dial.name == "tolerance_rad" { 0.2 } else { dial.usual }, "{}", dial.name);
        }
    }

    #[test]
    fn a_number_that_is_not_there_or_cannot_be_is_told_with_what_could() {
        let said = |task: &str, pairs: &[(&str, f32)]| {
            find_task_with(task, &set(pairs)).map(|_| ()).expect_err("it cannot be").to_string()
        };
        assert!(said("reorient", &[("tolerence_rad", 0.2)]).contains("did you mean `tolerance_rad`?"));
        assert!(said("reorient", &[("tolerance_rad", f32::NAN)]).contains("expected 0.05 to 1.5"));
        assert!(said("reorient", &[("tolerance_rad", -1.0)]).contains("dials.tolerance_rad = -1"));
        assert!(said("reorien", &[("tolerance_rad", 0.2)]).contains("did you mean `reorient`?"));
        let nowhere = [("plus_y_weight", 0.0), ("minus_y_weight", 0.0), ("plus_z_weight", 0.0)];
        assert!(said("turn-goals", &nowhere).contains("no axis has a weight"));
    }

    #[test]
    fn every_usual_value_of_every_task_may_be_and_names_are_unique() {
        for task in crate::tasks::all_tasks() {
            let mut seen = std::collections::BTreeSet::new();
            for dial in task.dials() {
                assert!((dial.least..=dial.most).contains(&dial.usual), "{} of {}", dial.name, task.name());
                assert!(seen.insert(dial.name), "{} of {}", dial.name, task.name());
            }
            let values = dial_values(task, &BTreeMap::new()).expect("the usual ones");
            let same = task.with_dials(&values).expect("the usual task");
            assert_eq!(same.episode_step_count(), task.episode_step_count(), "{}", task.name());
        }
    }
}
