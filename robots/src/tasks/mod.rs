//! The tasks. To add one: a file here and its line in [`TASKS`].

mod rotate_z;

pub use rotate_z::RotateZ;

use crate::names::UnknownName;
use crate::task::Task;

/// Every task, by name.
pub static TASKS: &[&dyn Task] = &[&RotateZ];

/// The task called `name`.
///
/// # Errors
/// When there is none; the message suggests the nearest name.
pub fn find_task(name: &str) -> Result<&'static dyn Task, UnknownName> {
    let found = TASKS.iter().find(|task| task.name() == name);
    found.copied().ok_or_else(|| UnknownName::new("task", name, TASKS.iter().map(|task| task.name())))
}
