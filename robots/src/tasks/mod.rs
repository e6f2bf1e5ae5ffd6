//! The tasks. To add one: a file here and its line in [`TASKS`].

mod rotate_z;

pub use rotate_z::RotateZ;

use crate::task::Task;

/// Every task, by name.
pub static TASKS: &[&dyn Task] = &[&RotateZ];
