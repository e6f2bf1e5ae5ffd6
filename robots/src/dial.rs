//! The numbers of a task that may be set: how close is close enough, how fast is fast enough.

use crate::names::{UnknownName, did_you_mean};
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

/// What some dials are unless somebody says otherwise, in their order.
pub(crate) const fn usual_values<const COUNT: usize>(dials: &[Dial; COUNT]) -> [f32; COUNT] {
    let mut values = [0.0; COUNT];
    let mut at = 0;
    while at < COUNT {
        values[at] = dials[at].usual;
        at += 1;
    }
    values
}

/// The value at a place, zero for a dial that this task does not have.
pub(crate) const fn value_at(values: &[f32], at: usize) -> f32 {
    if at < values.len() { values[at] } else { 0.0 }
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

/// The values of the dials of the task `task`, in their order: the usual ones, but for those that `set` names.
///
/// # Errors
/// When there is no such number, or it cannot be so.
pub fn dial_values(task: &'static str, dials: &[Dial], set: &BTreeMap<String, f32>) -> Result<Vec<f32>, DialError> {
    let mut values: Vec<f32> = dials.iter().map(|dial| dial.usual).collect();
    for (name, value) in set {
        let Some(at) = dials.iter().position(|dial| dial.name == name) else {
            let names = || dials.iter().map(|dial| dial.name);
            let known: Vec<&str> = names().collect();
            let known = if known.is_empty() { "none at all".to_owned() } else { known.join(", ") };
            let meant = did_you_mean(name, names());
            return Err(DialError::NoDial { name: name.clone(), task, meant, known });
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
