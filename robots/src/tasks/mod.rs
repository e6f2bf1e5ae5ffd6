//! The tasks. To add one: a file here and its line in [`TASKS`].

mod goals;
mod reorient;
mod shaping;
mod turning;

pub use reorient::{REORIENT, REORIENT_FACE_UP, REORIENT_FACES, Reorient, TURN_GOALS};
pub use turning::{ROTATE_AXIS, ROTATE_Y, ROTATE_Z, Turn};

use crate::dial::{DialError, dial_values};
use crate::names::UnknownName;
use crate::task::Task;
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

/// Every task of this library, by name.
pub static TASKS: &[&dyn Task] =
    &[&ROTATE_Z, &ROTATE_Y, &ROTATE_AXIS, &TURN_GOALS, &REORIENT_FACES, &REORIENT_FACE_UP, &REORIENT];

/// Those that a program has added.
static ADDED: RwLock<Vec<&'static dyn Task>> = RwLock::new(Vec::new());

/// Adds a task of a program's own, so that it is found by its name as those of [`TASKS`] are. Before it is looked up; for
/// as long as the program runs.
///
/// # Panics
/// When a task of this name is there already: a mistake in that program.
pub fn add_task(task: &'static dyn Task) {
    assert!(all_tasks().iter().all(|known| known.name() != task.name()), "there is a task {} already", task.name());
    ADDED.write().unwrap_or_else(PoisonError::into_inner).push(task);
}

/// Every task there is: those of [`TASKS`], then those added.
pub fn all_tasks() -> Vec<&'static dyn Task> {
    let added = ADDED.read().unwrap_or_else(PoisonError::into_inner);
    TASKS.iter().chain(added.iter()).copied().collect()
}

/// The task called `name`.
///
/// # Errors
/// When there is none; the message suggests the nearest name.
pub fn find_task(name: &str) -> Result<&'static dyn Task, UnknownName> {
    let tasks = all_tasks();
    let found = tasks.iter().find(|task| task.name() == name);
    found.copied().ok_or_else(|| UnknownName::new("task", name, tasks.iter().map(|task| task.name())))
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
    let values = dial_values(task.name(), task.dials(), set)?;
    let problem = |problem| DialError::Together { task: task.name(), problem };
    Ok(Box::leak(task.with_dials(&values).map_err(problem)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dial::dial_values;

    fn set(pairs: &[(&str, f32)]) -> BTreeMap<String, f32> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    #[test]
    fn what_is_not_set_is_as_usual() {
        let task = find_task("reorient").expect("a task");
        let values = dial_values(task.name(), task.dials(), &set(&[("tolerance_rad", 0.2)])).expect("it may be");
        for (dial, value) in task.dials().iter().zip(values) {
            let expected = if dial.name == "tolerance_rad" { 0.2_f32 } else { dial.usual };
            assert_eq!(value.to_bits(), expected.to_bits(), "{}", dial.name);
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
        for task in all_tasks() {
            let mut seen = std::collections::BTreeSet::new();
            for dial in task.dials() {
                assert!((dial.least..=dial.most).contains(&dial.usual), "{} of {}", dial.name, task.name());
                assert!(seen.insert(dial.name), "{} of {}", dial.name, task.name());
            }
            let values = dial_values(task.name(), task.dials(), &BTreeMap::new()).expect("the usual ones");
            let same = task.with_dials(&values).expect("the usual task");
            assert_eq!(same.episode_step_count(), task.episode_step_count(), "{}", task.name());
        }
    }
}
