//! How a command ends: exit codes, and JSON for programs.

use crate::say;
use crate::stopping::EXIT_STOPPED;
use anyhow::{Context, Result};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// What something that differs ends with.
pub const EXIT_DIFFERENT: u8 = 1;

/// Done, or stopped on the way.
pub fn done(stop: &AtomicBool) -> ExitCode {
    if stop.load(Ordering::Relaxed) { ExitCode::from(EXIT_STOPPED) } else { ExitCode::SUCCESS }
}

/// One JSON object.
///
/// # Errors
/// When it cannot be written as JSON, or not be printed.
pub fn print_json<T: serde::Serialize>(value: &T) -> Result<()> {
    say::result_line(serde_json::to_string_pretty(value).context("writing JSON")?)
}
