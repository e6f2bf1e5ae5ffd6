//! The tasks. To add one: a file here and its line in [`TASKS`].

mod goals;
mod reorient;
mod shaping;
mod turning;

pub use reorient::{REORIENT, REORIENT_FACE_UP, REORIENT_FACES, Reorient, TURN_GOALS};
pub use turning::{ROTATE_AXIS, ROTATE_Y, ROTATE_Z, Turn};

use crate::names::UnknownName;
use crate::task::Task;
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
